//! One bus, for as long as the daemon runs: a CAN interface, or a log or FIFO that stands for one.
//!
//! A fault of the interface degrades this bus and nothing else: it is told in `/healthz` with what would cure it, to the
//! engine as [`BusCondition::Down`], and tried again with growing patience (0.1 s to 2 s).
//!
//! **Listen only.** A controller in normal mode acknowledges frames, and at a wrong bitrate it destroys them. So one that
//! is not in listen-only mode is refused, each time it comes up, unless its bus says `listen_only = false`. `vcan` has
//! no such mode and is taken.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::unix::AsyncFd;

use super::Decoder;
use super::intake::{Counters, Filter, Intake, Listeners};
use super::link::Link;
use super::log;
use super::socket::{Ear, NEWS};
use crate::clock::{Boot, Clock};
use crate::health::{Condition, Health, Pulse};
use crate::vehicle::{BusCondition, BusId, Observation};

/// Frames read before others have their turn.
const BATCH: usize = 64;

/// What a site says of a bus: `bus.NAME` of its file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BusSettings {
    /// The CAN interface, `can0`; of a log the one whose lines are kept. Without it the profile's.
    pub interface: Option<String>,
    /// A log of `candump -L`, or a FIFO into which such is written, in place of the interface itself.
    pub candump: Option<PathBuf>,
    /// Whether a controller that is not in listen-only mode is refused.
    pub listen_only: bool,
}

impl Default for BusSettings {
    fn default() -> BusSettings {
        BusSettings { interface: None, candump: None, listen_only: true }
    }
}

/// A bus to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bus {
    /// Its place in the profile's layout.
    pub id: BusId,
    /// Its name there.
    pub name: String,
    /// The CAN interface.
    pub interface: String,
    /// A log or FIFO in its place.
    pub candump: Option<PathBuf>,
    /// Whether a controller that is not in listen-only mode is refused.
    pub listen_only: bool,
}

/// What a bus needs around it.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Made of the profile.
    pub decoder: Arc<Decoder>,
    /// Says when a frame is read.
    pub clock: Clock,
    /// Where the bus says how it is, as `can.NAME`.
    pub health: Health,
    /// Where frames are counted.
    pub counters: Counters,
    /// Who listens beside the decoder.
    pub listeners: Listeners,
}

/// Groups buses by what has to be read as one: an interface is one bus, a log may hold the lines of several, and a line of
/// a FIFO goes to one reader only.
pub fn wires(buses: Vec<Bus>) -> Vec<Vec<Bus>> {
    let mut wires: Vec<Vec<Bus>> = Vec::new();
    for bus in buses {
        let same = |wire: &&mut Vec<Bus>| bus.candump.is_some() && wire.first().is_some_and(|first| first.candump == bus.candump);
        match wires.iter_mut().find(same) {
            Some(wire) => wire.push(bus),
            None => wires.push(vec![bus]),
        }
    }
    wires
}

/// Reads the buses of one of the [`wires`] until the future is dropped. Whatever a frame says goes to `deliver` at once,
/// with when it was read.
pub async fn run(wire: Vec<Bus>, around: Surroundings, mut deliver: impl FnMut(Boot, &[Observation])) -> Infallible {
    let Surroundings { decoder, clock, health, counters, listeners } = around;
    let intake = |bus: &Bus| Intake::new(bus.id, &bus.name, decoder.clone(), counters.clone()).heard_by(listeners.of(bus.id));
    let parts: Vec<String> = wire.iter().map(|bus| format!("can.{}", bus.name)).collect();
    let pulse = health.pulse(parts.first().map_or("can", String::as_str));
    let tell = |condition, sentence: String| parts.iter().for_each(|part| health.set(part, condition, sentence.clone()));
    match wire.as_slice() {
        [Bus { candump: Some(path), .. }, ..] => {
            let mut intakes: Vec<(String, Intake)> = wire.iter().map(|bus| (bus.interface.clone(), intake(bus))).collect();
            log::follow(path, &clock, &pulse, &mut intakes, tell, &mut deliver).await
        }
        [bus, ..] => {
            let intake = intake(bus);
            let mapped = decoder.ids(bus.id).into_iter().map(|id| (id, u32::MAX));
            let filters: Vec<Filter> = mapped.chain(intake.filters()).collect();
            listen(bus, &filters, &clock, &pulse, intake, tell, &mut deliver).await
        }
        [] => std::future::pending().await,
    }
}

/// Waits between attempts: 0.1 s, then twice as long each time, to 2 s.
#[derive(Debug)]
pub(super) struct Patience(Duration);

impl Patience {
    const FIRST: Duration = Duration::from_millis(100);
    const LAST: Duration = Duration::from_secs(2);

    pub(super) fn new() -> Patience {
        Patience(Patience::FIRST)
    }

    /// It worked: begin anew.
    pub(super) fn restore(&mut self) {
        self.0 = Patience::FIRST;
    }

    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Patience::LAST);
    }
}

/// Why an interface is not read, and what would help.
struct Fault {
    condition: Condition,
    sentence: String,
}

async fn listen(
    bus: &Bus,
    filters: &[Filter],
    clock: &Clock,
    pulse: &Pulse,
    mut intake: Intake,
    tell: impl Fn(Condition, String),
    deliver: &mut impl FnMut(Boot, &[Observation]),
) -> Infallible {
    let mut patience = Patience::new();
    loop {
        let fault = match open(bus, filters) {
            Ok((ear, condition)) => {
                patience.restore();
                tell(Condition::Ok, String::new());
                intake.condition(clock.now(), condition, &mut *deliver);
                lost(bus, &hear(ear, clock, pulse, &mut intake, deliver).await)
            }
            Err(fault) => fault,
        };
        intake.condition(clock.now(), BusCondition::Down, &mut *deliver);
        tell(fault.condition, fault.sentence);
        pulse.rest(patience.wait()).await;
    }
}

fn open(bus: &Bus, filters: &[Filter]) -> Result<(AsyncFd<Ear>, BusCondition), Fault> {
    let name = &bus.interface;
    let link = Link::query(name).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => absent(format!(
            "there is no interface {name}: plug the adapter in, load its driver, or name another interface for the bus"
        )),
        _ => degraded(format!("the kernel does not tell about interface {name}: {error}")),
    })?;
    if !link.is_can {
        return Err(degraded(format!("{name} is no CAN interface: name another one for the bus")));
    }
    if !link.is_up {
        return Err(degraded(format!("{name} is down: `ip link set {name} up`")));
    }
    if bus.listen_only && !link.only_listens() {
        return Err(degraded(format!(
            "{name} would answer on the bus: `ip link set {name} down`, then `ip link set {name} up type can listen-only on`, \
             or listen_only = false for the bus"
        )));
    }
    let ear = Ear::open(name, filters).map_err(|error| degraded(format!("{name} cannot be opened: {error}")))?;
    Ok((ear, link.condition.unwrap_or(BusCondition::Active)))
}

/// Reads until the socket fails.
async fn hear(
    mut ear: AsyncFd<Ear>,
    clock: &Clock,
    pulse: &Pulse,
    intake: &mut Intake,
    deliver: &mut impl FnMut(Boot, &[Observation]),
) -> io::Error {
    loop {
        let mut ready = match pulse.rest(ear.ready_mut(NEWS)).await {
            Ok(ready) => ready,
            Err(error) => return error,
        };
        let mut more = true;
        for _ in 0..BATCH {
            match ready.try_io(|ear| ear.get_mut().receive(clock)) {
                Ok(Ok(Some(heard))) => {
                    intake.counters().dropped("receive_buffer", heard.lost.into());
                    intake.frame(heard.now, &heard.frame, &mut *deliver);
                }
                // Neither size that the kernel has for frames: nothing to be read in it.
                Ok(Ok(None)) => {}
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return error,
                Err(_would_block) => {
                    more = false;
                    break;
                }
            }
        }
        drop(ready);
        // Where there is nothing more to read the next wait lets others have their turn, and costs no round of its own.
        if more {
            tokio::task::yield_now().await;
        }
    }
}

/// What became of an interface whose socket failed.
fn lost(bus: &Bus, error: &io::Error) -> Fault {
    let name = &bus.interface;
    match error.kind() {
        io::ErrorKind::NetworkDown => degraded(format!("{name} went down: `ip link set {name} up`")),
        // ENODEV: the adapter was unplugged, or its driver unloaded.
        _ if error.raw_os_error() == Some(19) => absent(format!("{name} is gone: plug the adapter in again")),
        _ => degraded(format!("{name} cannot be read: {error}")),
    }
}

fn degraded(sentence: String) -> Fault {
    Fault { condition: Condition::Degraded, sentence }
}

fn absent(sentence: String) -> Fault {
    Fault { condition: Condition::Absent, sentence }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_absent_interface_degrades_its_bus_and_says_so() {
        let health = Health::default();
        let around = Surroundings {
            decoder: Arc::default(),
            clock: Clock::system(),
            health: health.clone(),
            counters: Counters::default(),
            listeners: Listeners::default(),
        };
        let bus =
            Bus { id: BusId(3), name: "body".to_owned(), interface: "no-such-can".to_owned(), candump: None, listen_only: true };
        let mut seen = Vec::new();
        let mut watch = health.watch();
        tokio::select! {
            never = run(vec![bus], around, |_, observations| seen.extend_from_slice(observations)) => match never {},
            changed = watch.changed() => changed.unwrap(),
        }
        let part = health.parts().remove("can.body").unwrap();
        assert_eq!(part.condition, Condition::Absent);
        assert!(part.detail.contains("no interface no-such-can"), "{}", part.detail);
        assert_eq!(seen, [Observation::Bus(BusId(3), BusCondition::Down)]);
    }

    #[test]
    fn faults_name_their_cure() {
        let bus = Bus { id: BusId(0), name: String::new(), interface: "lo".to_owned(), candump: None, listen_only: true };
        let fault = open(&bus, &[]).err().map(|fault| fault.sentence);
        assert_eq!(fault.as_deref(), Some("lo is no CAN interface: name another one for the bus"));
        let down = lost(&bus, &io::Error::from(io::ErrorKind::NetworkDown));
        assert_eq!((down.condition, down.sentence.as_str()), (Condition::Degraded, "lo went down: `ip link set lo up`"));
        assert_eq!(lost(&bus, &io::Error::from_raw_os_error(19)).condition, Condition::Absent);
    }

    #[test]
    fn settings_refuse_what_they_do_not_know() {
        let settings: BusSettings = toml::from_str("interface = \"can0\"").unwrap();
        assert_eq!(settings, BusSettings { interface: Some("can0".to_owned()), ..BusSettings::default() });
        assert!(settings.listen_only);
        assert!(toml::from_str::<BusSettings>("listenonly = true").is_err());
    }
}

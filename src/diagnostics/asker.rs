//! One bus on which ECUs are asked: the pollers, what stands around them, and the way out.
//!
//! Frames come in where the bus is listened to, from the same socket that can only listen; requests leave by a
//! [`Port`], or as frames for a bus that is none of the kernel's, the simulated car's. In between stands
//! an [`Asker`], which both sides share.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::isotp::{Address, Event, Links, Settings};
use super::j1939::{Emission, Name};
use super::poller::{Counts, Output, Poller, Spoken, Truck, truck_filters};
use super::port::{Fault, Permission, Port, Stack, Told, Voice};
use super::request::Request;
use super::{IsoTp, counters::Counters};
use crate::can::profile::Diagnosis;
use crate::can::{self, Filter, Listen};
use crate::clock::{Boot, Clock};
use crate::health::{Condition, Health, Pulse};
use crate::vehicle::{BusId, Frame, FrameKind, Observation};

/// The longest that a change of the ignition goes unnoticed.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Between two attempts at an interface that cannot be used: of real time, as the interface is.
const PATIENCE: Duration = Duration::from_secs(2);
/// Telltale has no number of a maker with SAE: 2047 is none's.
const NO_MAKER: u16 = 2047;

/// What is to be done on the bus.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Ask this.
    Ask(Address, Request),
    /// The answers are there, or are waited for no longer.
    End,
    /// Say this, of J1939.
    Say(Emission),
}

/// The pollers of a bus. Cheap to clone; clones are the same.
#[derive(Clone, Debug)]
pub struct Asker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug)]
struct State {
    obd: Option<Poller>,
    truck: Option<Truck>,
    deeds: VecDeque<Deed>,
    wire: Option<Wire>,
    /// Kept, so that no frame needs an allocation.
    outputs: Vec<Output>,
    spoken: Vec<Spoken>,
}

/// A bus that takes frames.
#[derive(Debug)]
struct Wire {
    links: Links,
    out: mpsc::Sender<Frame>,
}

impl State {
    /// When something is due.
    fn deadline(&self) -> Option<Boot> {
        let obd = self.obd.as_ref().and_then(Poller::deadline);
        let links = self.wire.as_ref().and_then(|wire| wire.links.deadline());
        obd.into_iter().chain(self.truck.as_ref().and_then(Truck::deadline)).chain(links).min()
    }

    /// Does on the wire what is to be done, where there is one.
    fn act(&mut self, now: Boot, told: &mut Vec<Observation>) {
        let State { wire: Some(Wire { links, out }), deeds, obd, outputs, .. } = self else { return };
        let mut frames = Vec::new();
        for deed in deeds.drain(..) {
            match deed {
                Deed::Ask(to, request) => {
                    links.end();
                    // A request of one frame, after what was before it has ended, is not refused.
                    let _ = links.ask(to, &request.encode());
                }
                Deed::End => links.end(),
                Deed::Say(emission) => frames.push(emission.frame(now)),
            }
        }
        // A request has one frame, and then an end.
        for _ in 0..2 {
            if links.deadline().is_some_and(|due| due <= now) {
                links.pass(now, &mut |event| {
                    if let Event::Send(frame) = event {
                        frames.push(frame)
                    }
                });
            }
        }
        for frame in frames {
            if let Some(poller) = obd {
                poller.sent(now);
                poller.hear(now, &frame, outputs);
            }
            // A bus that takes no more has no room for a request either: nobody will answer.
            let _ = out.try_send(frame);
        }
        self.sort(told);
    }

    /// Sorts what came out: deeds stay, what was heard is told.
    fn sort(&mut self, told: &mut Vec<Observation>) {
        for output in self.outputs.drain(..) {
            match output {
                Output::Ask(to, request) => self.deeds.push_back(Deed::Ask(to, request)),
                Output::End => self.deeds.push_back(Deed::End),
                Output::Heard(heard) => told.push(Observation::Diagnosis(heard)),
            }
        }
        for spoken in self.spoken.drain(..) {
            match spoken {
                Spoken::Send(emission) => self.deeds.push_back(Deed::Say(emission)),
                Spoken::Heard(heard) => told.push(Observation::Diagnosis(heard)),
            }
        }
    }
}

impl Asker {
    /// Of this bus, where the profile says that ECUs can be asked there. `identity` tells units apart on a J1939 bus.
    pub fn of(diagnosis: &Diagnosis, bus: BusId, identity: u32) -> Option<Asker> {
        let obd = (diagnosis.obd == Some(bus)).then(|| Poller::new(diagnosis));
        let truck = (diagnosis.j1939 == Some(bus)).then(|| Truck::asking(Name::tool(NO_MAKER, identity)));
        let some = obd.is_some() || truck.is_some();
        let state = State { obd, truck, deeds: VecDeque::new(), wire: None, outputs: Vec::new(), spoken: Vec::new() };
        some.then(|| Asker(Arc::new(Shared { state: Mutex::new(state), news: Notify::new() })))
    }

    /// The same one, whose requests leave as frames by `out`, for a bus where they do not come back from.
    #[must_use]
    pub fn on_wire(self, out: mpsc::Sender<Frame>) -> Asker {
        self.state().wire = Some(Wire { links: Links::new(Settings::default()), out });
        self
    }

    /// Its ear.
    pub fn listener(&self) -> Box<dyn Listen> {
        Box::new(Ear(self.clone()))
    }

    /// Does what is due; what was heard meanwhile is told. `ignition` is whether it is known to be on.
    pub fn pass(&self, now: Boot, ignition: bool, told: &mut Vec<Observation>) {
        let mut state = self.state();
        let State { obd, truck, outputs, spoken, .. } = &mut *state;
        if let Some(poller) = obd {
            poller.set_ignition(now, ignition, outputs);
            poller.pass(now, outputs);
        }
        if let Some(truck) = truck {
            truck.set_ignition(now, ignition, spoken);
            truck.pass(now, spoken);
        }
        state.sort(told);
        state.act(now, told);
    }

    /// What was to be asked is on the bus.
    pub fn sent(&self, now: Boot) {
        if let Some(poller) = &mut self.state().obd {
            poller.sent(now);
        }
    }

    /// The next thing to do on the bus.
    pub fn take(&self) -> Option<Deed> {
        self.state().deeds.pop_front()
    }

    /// When to [`pass`](Asker::pass); at once where that is before now.
    pub fn deadline(&self) -> Option<Boot> {
        self.state().deadline()
    }

    /// Comes back when something was heard that may have changed what is due.
    pub async fn news(&self) {
        self.0.news.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there are ECUs of OBD-II or UDS to be asked, and of J1939.
    fn kinds(&self) -> (bool, bool) {
        let state = self.state();
        (state.obd.is_some(), state.truck.is_some())
    }

    /// What was counted, and whether another tester has the bus.
    fn counts(&self, now: Boot) -> (Counts, bool) {
        let state = self.state();
        let (obd, truck) = (state.obd.as_ref().map(Poller::counts).unwrap_or_default(), state.truck.as_ref().map(Truck::counts));
        let truck = truck.unwrap_or_default();
        let paused = state.obd.as_ref().is_some_and(|poller| poller.is_paused(now));
        (obd.and(truck), paused)
    }
}

#[derive(Debug)]
struct Ear(Asker);

impl Listen for Ear {
    fn filters(&self) -> Vec<Filter> {
        let state = self.0.state();
        let obd = state.obd.iter().flat_map(|poller| poller.parts().filters());
        obd.chain(state.truck.iter().flat_map(|_| truck_filters())).collect()
    }

    fn hear(&mut self, now: Boot, frame: &Frame, told: &mut Vec<Observation>) {
        if !matches!(frame.kind, FrameKind::Classical | FrameKind::Fd) {
            return;
        }
        let mut state = self.0.state();
        let before = state.deadline();
        let State { obd, truck, outputs, spoken, wire, .. } = &mut *state;
        let mut back: heapless::Vec<Frame, 2> = heapless::Vec::new();
        if let Some(Wire { links, .. }) = wire {
            links.hear(frame, &mut |event| {
                if let Event::Send(frame) = event {
                    // One frame is answered by one.
                    let _ = back.push(frame);
                }
            });
        }
        if let Some(poller) = obd {
            poller.hear(now, frame, outputs);
        }
        if let Some(truck) = truck {
            truck.hear(now, frame, spoken);
        }
        for frame in back {
            if let Some(poller) = obd {
                poller.hear(now, &frame, outputs);
            }
            if let Some(Wire { out, .. }) = wire {
                let _ = out.try_send(frame);
            }
        }
        state.sort(told);
        state.act(now, told);
        if before != state.deadline() || !state.deeds.is_empty() {
            self.0.0.news.notify_one();
        }
    }
}

/// What stands around an asker.
#[derive(Debug)]
pub struct Surroundings {
    /// The car's time.
    pub clock: Clock,
    /// Where it says how it is, as `diagnostics.obd` and `diagnostics.j1939`.
    pub health: Health,
    /// What is counted.
    pub counters: Counters,
}

/// Asks the ECUs of the bus that takes frames ([`Asker::on_wire`]) until the future is dropped.
pub async fn run_on_wire(
    asker: Asker,
    around: Surroundings,
    ignition: impl Fn() -> bool,
    mut deliver: impl FnMut(Boot, &[Observation]),
) -> Infallible {
    let Surroundings { clock, health, mut counters } = around;
    let pulse = health.pulse("diagnostics");
    let mut desk =
        Desk { asker: &asker, clock: &clock, health: &health, pulse: &pulse, counters: &mut counters, lost: 0, fault: None };
    loop {
        desk.step(&ignition, &mut deliver);
        desk.wait().await;
    }
}

/// Asks the ECUs of `interface` until the future is dropped. `ignition` says whether it is known to be on; what is heard
/// between frames goes to `deliver`.
pub async fn run(
    asker: Asker,
    interface: &str,
    isotp: IsoTp,
    permission: Permission,
    around: Surroundings,
    ignition: impl Fn() -> bool,
    mut deliver: impl FnMut(Boot, &[Observation]),
) -> Infallible {
    let Surroundings { clock, health, mut counters } = around;
    let pulse = health.pulse("diagnostics");
    // Whether there was no way out at all.
    let mut barred = false;
    let mut desk =
        Desk { asker: &asker, clock: &clock, health: &health, pulse: &pulse, counters: &mut counters, lost: 0, fault: None };
    loop {
        let fault = match Way::open(interface, isotp, &clock, asker.kinds(), permission) {
            Ok(mut way) => {
                if barred {
                    desk.fault = None;
                }
                barred = false;
                desk.serve(&mut way, &ignition, &mut deliver).await
            }
            Err(fault) => {
                barred = true;
                fault
            }
        };
        desk.tell(Condition::Degraded, &fault);
        desk.fault = Some(fault);
        // What is heard goes on being told, and nothing waits for an answer that cannot come.
        while asker.take().is_some() {}
        pulse.rest(tokio::time::sleep(PATIENCE)).await;
        let mut told = Vec::new();
        asker.pass(clock.now(), false, &mut told);
        deliver(clock.now(), &told);
    }
}

/// The way out of the daemon.
struct Way {
    port: Option<Port>,
    voice: Option<Voice>,
}

impl Way {
    fn open(interface: &str, isotp: IsoTp, clock: &Clock, kinds: (bool, bool), permission: Permission) -> Result<Way, String> {
        can::can_speak(interface)?;
        let stack = match isotp {
            IsoTp::Auto => None,
            IsoTp::Kernel => Some(Stack::Kernel),
            IsoTp::Own => Some(Stack::Own),
        };
        let sentence = |fault: Fault| fault.to_string();
        let port = || Port::open(interface, clock.clone(), Settings::default(), stack, permission).map_err(sentence);
        let voice = || Voice::open(interface, permission).map_err(sentence);
        Ok(Way { port: kinds.0.then(port).transpose()?, voice: kinds.1.then(voice).transpose()? })
    }
}

struct Desk<'a> {
    asker: &'a Asker,
    clock: &'a Clock,
    health: &'a Health,
    pulse: &'a Pulse,
    counters: &'a mut Counters,
    /// Messages that the port lost.
    lost: u64,
    /// Why nobody can be asked, until somebody was.
    fault: Option<String>,
}

impl Desk<'_> {
    /// Asks until the way is barred: why.
    async fn serve(
        &mut self,
        way: &mut Way,
        ignition: &impl Fn() -> bool,
        deliver: &mut impl FnMut(Boot, &[Observation]),
    ) -> String {
        loop {
            self.step(ignition, deliver);
            let done = match self.asker.take() {
                Some(Deed::Ask(to, request)) => match &mut way.port {
                    Some(port) => self.exchange(port, way.voice.as_ref(), (to, &request), ignition, deliver).await,
                    None => Ok(()),
                },
                Some(Deed::Say(emission)) => match &way.voice {
                    Some(voice) => self.pulse.rest(voice.send(emission)).await,
                    None => Ok(()),
                },
                Some(Deed::End) => Ok(()),
                None => {
                    self.wait().await;
                    Ok(())
                }
            };
            if let Err(fault) = done {
                return fault.to_string();
            }
        }
    }

    /// One request, until its end: flow control is the port's part in it.
    async fn exchange(
        &mut self,
        port: &mut Port,
        voice: Option<&Voice>,
        (to, request): (Address, &Request),
        ignition: &impl Fn() -> bool,
        deliver: &mut impl FnMut(Boot, &[Observation]),
    ) -> Result<(), Fault> {
        let mut exchange = self.pulse.rest(port.ask(to, &request.encode())).await?;
        self.asker.sent(self.clock.now());
        self.fault = None;
        loop {
            self.step(ignition, deliver);
            match self.asker.take() {
                Some(Deed::End) => return Ok(()),
                Some(Deed::Say(emission)) => {
                    if let Some(voice) = voice {
                        self.pulse.rest(voice.send(emission)).await?;
                    }
                }
                // One at a time: after this one's end.
                Some(Deed::Ask(..)) => {}
                None => {
                    let told = tokio::select! {
                        told = exchange.next() => Some(told?),
                        () = self.wait() => None,
                    };
                    // The answer itself comes with the frames of the bus.
                    if let Some(Told::Lost { .. }) = told {
                        self.lost += 1;
                    }
                }
            }
        }
    }

    /// Until something is due, or was heard.
    async fn wait(&self) {
        let due = self.asker.deadline().map_or(LOOK_AGAIN, |due| self.clock.wait(due).min(LOOK_AGAIN));
        let soon = async {
            tokio::select! {
                () = self.asker.news() => {}
                () = tokio::time::sleep(due) => {}
            }
        };
        self.pulse.rest(soon).await;
    }

    fn step(&mut self, ignition: &impl Fn() -> bool, deliver: &mut impl FnMut(Boot, &[Observation])) {
        let now = self.clock.now();
        let mut told = Vec::new();
        self.asker.pass(now, ignition(), &mut told);
        if !told.is_empty() {
            deliver(now, &told);
        }
        let (counts, paused) = self.asker.counts(now);
        self.counters.show(counts, self.lost, paused);
        self.tell_how_it_is(now);
    }

    fn tell_how_it_is(&self, now: Boot) {
        if self.fault.is_some() {
            return;
        }
        let (obd, truck) = self.asker.sentences(now);
        for (part, said) in [(OBD, obd), (J1939, truck)] {
            if let Some((condition, sentence)) = said {
                self.health.set(part, condition, sentence);
            }
        }
    }

    fn tell(&self, condition: Condition, sentence: &str) {
        let (obd, truck) = self.asker.kinds();
        for (part, is) in [(OBD, obd), (J1939, truck)] {
            if is {
                self.health.set(part, condition, sentence);
            }
        }
    }
}

const OBD: &str = "diagnostics.obd";
const J1939: &str = "diagnostics.j1939";

/// A condition, and why.
type Said = (Condition, &'static str);

impl Asker {
    /// How asking goes.
    fn sentences(&self, now: Boot) -> (Option<Said>, Option<Said>) {
        let state = self.state();
        let obd = state.obd.as_ref().map(|poller| match (poller.is_paused(now), poller.answering()) {
            (true, _) => (Condition::Ok, "paused: another tester has the bus"),
            (false, Some(false)) => (
                Condition::Degraded,
                "no ECU answers; is this the bus of the diagnostic plug, and its bitrate right? The profile's addressing may say 11-bit or 29-bit",
            ),
            (false, Some(true)) => (Condition::Ok, ""),
            (false, None) => (Condition::Ok, "nobody was asked yet: the ignition has not been on"),
        });
        let truck = state.truck.as_ref().map(|truck| match (truck.without_address(), truck.heard()) {
            (true, _) => (Condition::Degraded, "others have every address there is: codes are heard and not asked for"),
            (false, true) => (Condition::Ok, ""),
            (false, false) => (Condition::Ok, "no ECU has told a code or a lamp yet"),
        });
        (obd, truck)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_interface_that_cannot_speak_is_told_with_its_cure() {
        let diagnosis = Diagnosis { obd: Some(BusId(0)), ..Diagnosis::default() };
        let asker = Asker::of(&diagnosis, BusId(0), 1).unwrap();
        let health = Health::default();
        let around = Surroundings { clock: Clock::system(), health: health.clone(), counters: Counters::default() };
        let permission = Permission::granted(true).unwrap();
        let mut watch = health.watch();
        tokio::select! {
            never = run(asker, "no-such-can", IsoTp::Auto, permission, around, || true, |_, _| {}) => match never {},
            changed = watch.changed() => changed.unwrap(),
        }
        let part = health.parts().remove(OBD).unwrap();
        assert_eq!(part.condition, Condition::Degraded);
        assert!(part.detail.contains("no interface no-such-can"), "{}", part.detail);
    }

    #[test]
    fn a_bus_that_the_profile_does_not_name_is_not_asked() {
        let diagnosis = Diagnosis { obd: Some(BusId(0)), ..Diagnosis::default() };
        assert!(Asker::of(&diagnosis, BusId(1), 1).is_none());
        let asker = Asker::of(&diagnosis, BusId(0), 1).unwrap();
        let mut told = Vec::new();
        asker.pass(Boot::default(), false, &mut told);
        assert_eq!((asker.take(), asker.deadline()), (None, None));
        asker.pass(Boot::default(), true, &mut told);
        assert!(matches!(asker.take(), Some(Deed::Ask(to, request)) if to.is_functional() && request == Request::current(&[0])));
        asker.pass(Boot::default(), false, &mut told);
        assert_eq!((asker.take(), told), (Some(Deed::End), vec![]));
    }
}

//! Where what an [`Asker`] decides is done: by a [`Port`], or on a wire of the simulation.

use std::convert::Infallible;
use std::time::Duration;

use super::{Asker, Deed};
use crate::can;
use crate::clock::{Boot, Clock};
use crate::diagnostics::IsoTp;
use crate::diagnostics::counters::Counters;
use crate::diagnostics::isotp::{Address, Room, Settings};
use crate::diagnostics::port::{Fault, Permission, Port, Stack, Told, Voice};
use crate::diagnostics::request::Request;
use crate::health::{Condition, Health, Pulse};
use crate::vehicle::Observation;

/// The longest that a change of the ignition goes unnoticed.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Between two attempts at an interface that cannot be used: of real time, as the interface is.
const PATIENCE: Duration = Duration::from_secs(2);

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
    mut around: Surroundings,
    ignition: impl Fn() -> bool,
    mut deliver: impl FnMut(Boot, &[Observation]),
) -> Infallible {
    let pulse = around.health.pulse("diagnostics");
    let mut desk = Desk::new(&asker, &mut around, &pulse);
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
    mut around: Surroundings,
    ignition: impl Fn() -> bool,
    mut deliver: impl FnMut(Boot, &[Observation]),
) -> Infallible {
    let pulse = around.health.pulse("diagnostics");
    // Whether there was no way out at all.
    let mut barred = false;
    let mut desk = Desk::new(&asker, &mut around, &pulse);
    loop {
        let fault = match Way::open(interface, isotp, desk.clock, asker.kinds(), permission) {
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
        asker.pass(desk.clock.now(), false, &mut told);
        deliver(desk.clock.now(), &told);
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

impl<'a> Desk<'a> {
    fn new(asker: &'a Asker, around: &'a mut Surroundings, pulse: &'a Pulse) -> Desk<'a> {
        let Surroundings { clock, health, counters } = around;
        Desk { asker, clock, health, pulse, counters, lost: 0, fault: None }
    }

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
                Some(Deed::Ask(to, request, room)) => match &mut way.port {
                    Some(port) => self.exchange(port, way.voice.as_ref(), (to, &request, room), ignition, deliver).await,
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
        (to, request, room): (Address, &Request, Room),
        ignition: &impl Fn() -> bool,
        deliver: &mut impl FnMut(Boot, &[Observation]),
    ) -> Result<(), Fault> {
        let mut exchange = self.pulse.rest(port.ask(to, &request.encode(), room)).await?;
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
    use crate::can::profile::Diagnosis;
    use crate::vehicle::BusId;

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
}

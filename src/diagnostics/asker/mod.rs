//! One bus on which ECUs are asked: the pollers, what stands around them, and the way out.
//!
//! Frames come in where the bus is listened to, from the same socket that can only listen; requests leave by a
//! [`Port`](super::port::Port), or as frames for a bus that is none of the kernel's, the simulated car's. In between stands
//! an [`Asker`], which both sides share; [`run`] works at the desk between them.

mod desk;

pub use desk::{Surroundings, run, run_on_wire};

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};

use super::isotp::{Address, Event, Links, Room, Settings};
use super::j1939::{Emission, Name};
use super::poller::{Counts, Output, Poller, Spoken, Truck, truck_filters};
use super::request::Request;
use crate::can::profile::Diagnosis;
use crate::can::{Filter, Listen};
use crate::clock::Boot;
use crate::vehicle::{BusId, Frame, FrameKind, Observation};

/// What is to be done and cannot be as yet: more is not kept, as it would be late.
const MOST_DEEDS: usize = 64;
/// Telltale has no number of a maker with SAE: 2047 is none's.
const NO_MAKER: u16 = 2047;

/// What is to be done on the bus.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Ask this; the answers have so much room on the bus.
    Ask(Address, Request, Room),
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
                Deed::Ask(to, request, room) => {
                    links.end();
                    // A request of one frame, after what was before it has ended, is not refused.
                    let _ = links.ask_within(to, &request.encode(), room);
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
                Output::Ask(to, request, room) => self.deeds.push_back(Deed::Ask(to, request, room)),
                Output::End => self.deeds.push_back(Deed::End),
                Output::Heard(heard) => told.push(Observation::Diagnosis(heard)),
            }
        }
        for spoken in self.spoken.drain(..) {
            match spoken {
                Spoken::Send(emission) if self.deeds.len() < MOST_DEEDS => self.deeds.push_back(Deed::Say(emission)),
                Spoken::Send(_) => {}
                Spoken::Heard(heard) => told.push(Observation::Diagnosis(heard)),
            }
        }
    }
}

impl Asker {
    /// Of this bus, where the profile says that ECUs can be asked there. `identity` tells units apart on a J1939 bus.
    pub fn of(diagnosis: &Diagnosis, bus: BusId, identity: u32) -> Option<Asker> {
        let obd = (diagnosis.obd == Some(bus)).then(|| Poller::new(diagnosis));
        let name = Name::tool(NO_MAKER, identity);
        let truck = (diagnosis.j1939 == Some(bus)).then(|| match &obd {
            Some(_) => Truck::asking_beside_obd(name),
            None => Truck::asking(name),
        });
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

    /// How many things are remembered to be asked or done.
    pub(super) fn remembered(&self) -> usize {
        let state = self.state();
        state.obd.as_ref().map_or(0, Poller::remembered) + state.deeds.len()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bus_that_the_profile_does_not_name_is_not_asked() {
        let diagnosis = Diagnosis { obd: Some(BusId(0)), ..Diagnosis::default() };
        assert!(Asker::of(&diagnosis, BusId(1), 1).is_none());
        let asker = Asker::of(&diagnosis, BusId(0), 1).unwrap();
        let mut told = Vec::new();
        asker.pass(Boot::default(), false, &mut told);
        assert_eq!((asker.take(), asker.deadline()), (None, None));
        asker.pass(Boot::default(), true, &mut told);
        assert!(
            matches!(asker.take(), Some(Deed::Ask(to, request, _)) if to.is_functional() && request == Request::current(&[0]))
        );
        asker.pass(Boot::default(), false, &mut told);
        assert_eq!((asker.take(), told), (Some(Deed::End), vec![]));
    }
}

//! The engine with its outbox: what the daemon and a replay have in common.
//!
//! It takes observations in, steps the engine when something was seen or is due, and puts a name to the place of each
//! event between engine and journal. It reads no clock and waits for nothing.

use crate::clock::{Boot, Stamp};
use crate::detect::{Engine, Outbox};
use crate::event::{Details, Event, EventId, Location, Row, Step};
use crate::request::{Answer, Refusal, Request};
use crate::vehicle::Observation;

/// One vehicle's engine and the ids it issues.
#[derive(Debug)]
pub struct Core {
    engine: Engine,
    outbox: Outbox,
    now: Boot,
}

impl Core {
    /// An engine that issues ids from `outbox`.
    pub fn new(engine: Engine, outbox: Outbox) -> Core {
        Core { engine, outbox, now: Boot::from_micros(i64::MIN) }
    }

    /// The engine, to look at.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The highest id issued.
    pub fn last(&self) -> EventId {
        self.outbox.last()
    }

    /// When the engine wants to be stepped although nothing was seen.
    pub fn deadline(&self) -> Option<Boot> {
        self.engine.deadline()
    }

    /// Something was seen: what comes of it. Time never runs backwards here: what was read earlier than the last thing
    /// counts as read with it.
    pub fn see(&mut self, now: Stamp, observations: &[Observation]) -> Vec<Event> {
        let now = self.monotonic(now);
        for observation in observations {
            if let Observation::Journal { writable } = observation {
                self.outbox.set_durable(*writable);
            }
            self.engine.observe(now, observation);
        }
        self.step(now)
    }

    /// Nothing was seen, and a deadline came.
    pub fn pass(&mut self, now: Stamp) -> Vec<Event> {
        let now = self.monotonic(now);
        self.step(now)
    }

    /// Somebody asks for something: the answer, and what came of it.
    pub fn answer(&mut self, now: Stamp, request: &Request) -> (Result<Answer, Refusal>, Step) {
        let now = self.monotonic(now);
        self.outbox.begin(now, self.engine.state().fix().copied());
        let answer = self.engine.answer(now, request, &mut self.outbox);
        let mut events = self.named();
        events.extend(self.step(now));
        (answer, Step { events, rows: self.rows(now) })
    }

    /// What changed of the engine's state since the last call.
    pub fn rows(&mut self, now: Stamp) -> Vec<Row> {
        self.engine.rows(now)
    }

    fn monotonic(&mut self, now: Stamp) -> Stamp {
        self.now = self.now.max(now.boot);
        Stamp { boot: self.now, ..now }
    }

    fn step(&mut self, now: Stamp) -> Vec<Event> {
        self.outbox.begin(now, self.engine.state().fix().copied());
        self.engine.step(now, &mut self.outbox);
        self.named()
    }

    /// What was told, each with its place in words.
    fn named(&mut self) -> Vec<Event> {
        let mut events = self.outbox.take();
        for event in &mut events {
            self.name(&mut event.location);
            if let Details::Trip(trip) = &mut event.details {
                for place in [&mut trip.start, &mut trip.end].into_iter().flatten() {
                    self.name(place);
                }
            }
        }
        events
    }

    /// A place in words: the smallest fence it is in, else its coordinates.
    pub fn name(&self, location: &mut Location) {
        if let Some(fix) = location.fix {
            if let Some(fence) = self.engine.geofences().around(fix.point) {
                location.address = fence.name.clone().unwrap_or_else(|| fence.id.clone());
            }
        }
    }
}

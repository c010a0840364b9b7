//! The engine with its outbox: what the daemon and a replay have in common.
//!
//! It takes observations in, steps the engine when something was seen or is due, and puts a name to the place of each
//! event between engine and journal. It reads no clock and waits for nothing.

use std::time::Duration;

use crate::clock::{Boot, Stamp, Wall};
use crate::detect::{Engine, Outbox, Settings};
use crate::event::{Details, Event, EventId, Location, Row, Step};
use crate::geo::Fence;
use crate::request::{Answer, Refusal, Request};
use crate::vehicle::Observation;

/// One vehicle's engine and the ids it issues.
#[derive(Debug)]
pub struct Core {
    engine: Engine,
    outbox: Outbox,
    now: Boot,
    late: Late,
}

/// What becomes of deadlines that were not kept in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// Each is stepped at its own moment: a recording has no now.
    Never,
    /// Those that are longer ago than this are stepped together, now: whoever slept through an hour of repeats tells one.
    After(Duration),
}

impl Core {
    /// An engine that issues ids from `outbox`.
    pub fn new(engine: Engine, outbox: Outbox, late: Late) -> Core {
        Core { engine, outbox, now: Boot::from_micros(i64::MIN), late }
    }

    /// The engine, to look at.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The journal has reserved ids up to `bound`.
    pub fn reserve(&mut self, bound: EventId) {
        self.outbox.reserve(bound);
    }

    /// The highest id issued.
    pub fn last(&self) -> EventId {
        self.outbox.last()
    }

    /// When the engine wants to be stepped although nothing was seen.
    pub fn deadline(&self) -> Option<Boot> {
        self.engine.deadline()
    }

    /// Something was seen: what was due before it, each at its own moment, and what comes of it. Time never runs backwards
    /// here: what was read earlier than the last thing counts as read with it.
    pub fn see(&mut self, now: Stamp, observations: &[Observation]) -> Vec<Event> {
        let now = self.monotonic(now);
        let mut events = self.catch_up(now);
        for observation in observations {
            if let Observation::Journal { writable } = observation {
                self.outbox.set_durable(*writable);
            }
            self.engine.observe(now, observation);
        }
        events.extend(self.step(now));
        events
    }

    /// Nothing was seen, and time went by: what was due.
    pub fn pass(&mut self, now: Stamp) -> Vec<Event> {
        let now = self.monotonic(now);
        self.catch_up(now)
    }

    /// Steps the engine at each of its deadlines up to `now`.
    fn catch_up(&mut self, now: Stamp) -> Vec<Event> {
        let mut events = Vec::new();
        let mut last = Boot::from_micros(i64::MIN);
        // Deadlines rise; one that did not would be a fault that must not hang the daemon.
        while let Some(due) = self.engine.deadline().filter(|due| (*due > last) && *due <= now.boot) {
            last = due;
            let ago = now.boot.since(due);
            let then = match self.late {
                Late::After(longest) if ago > longest => now,
                Late::Never | Late::After(_) => earlier(now, ago),
            };
            events.extend(self.step(then));
        }
        events
    }

    /// Other numbers, and other fences in the site's file, from now on: what comes of that, and what was refused.
    pub fn renew(&mut self, now: Stamp, settings: Settings, fences: Vec<Fence>) -> (Vec<Event>, Vec<Refusal>) {
        let now = self.monotonic(now);
        let mut events = self.catch_up(now);
        self.engine.retune(settings);
        let refused = self.engine.replace_file_fences(fences);
        events.extend(self.step(now));
        (events, refused)
    }

    /// Somebody asks for something: the answer, and what came of it.
    pub fn answer(&mut self, now: Stamp, request: &Request) -> (Result<Answer, Refusal>, Step) {
        let now = self.monotonic(now);
        let mut events = self.catch_up(now);
        self.outbox.begin(now, self.engine.state().fix().copied());
        let answer = self.engine.answer(now, request, &mut self.outbox);
        events.extend(self.named());
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

/// The moment that long before `now`, on both scales.
fn earlier(now: Stamp, ago: Duration) -> Stamp {
    let boot = now.boot.before(ago);
    let micros = now.boot.micros().saturating_sub(boot.micros());
    Stamp { boot, wall: Wall::from_micros(now.wall.micros().saturating_sub(micros)), source: now.source }
}

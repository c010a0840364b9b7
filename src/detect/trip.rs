//! Trips, for telling; the child watch runs by ignition.
//!
//! `TRIP_START`: ignition on and over 5 km/h for 3 s, by CAN, without CAN by GNSS. `TRIP_END`: ignition off, or standing
//! for 5 min, with the distance (m), the duration (s), the top speed (km/h) and the places of start and end. The distance
//! is the speed summed up over the time for which it was known.

use serde::{Deserialize, Serialize};

use super::Outbox;
use super::settings::TripSettings;
use crate::clock::Boot;
use crate::event::{Details, EventType, Location, Severity, Trip as About};
use crate::vehicle::{Fix, State, seconds};

/// The trip detector.
#[derive(Clone, Debug)]
pub(super) struct Trip {
    settings: TripSettings,
    memory: Memory,
}

/// What outlives a power cut.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// Since when it goes fast enough for a start.
    fast: Option<Run>,
    /// The trip that runs.
    running: Option<Run>,
}

/// A stretch of driving.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Run {
    began: Boot,
    start: Option<Fix>,
    /// m, up to `counted`.
    distance: f64,
    counted: Boot,
    /// The speed since `counted`, km/h; `None` while unknown.
    speed: Option<f64>,
    /// km/h.
    top: f64,
}

impl Run {
    fn new(now: Boot, start: Option<Fix>) -> Run {
        Run { began: now, start, distance: 0.0, counted: now, speed: None, top: 0.0 }
    }

    /// Counts the way up to `now` whenever the speed changes.
    fn see(&mut self, now: Boot, speed: Option<f64>) {
        if speed == self.speed {
            return;
        }
        self.count(now);
        self.speed = speed;
        self.top = self.top.max(speed.unwrap_or(0.0));
    }

    fn count(&mut self, now: Boot) {
        self.distance += self.speed.unwrap_or(0.0) / 3.6 * now.since(self.counted).as_secs_f64();
        self.counted = now;
    }
}

impl Trip {
    pub(super) fn new(settings: TripSettings) -> Trip {
        Trip { settings, memory: Memory::default() }
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(super) fn restore(&mut self, memory: Memory) {
        self.memory = memory;
    }

    pub(super) fn step(&mut self, now: Boot, state: &State, out: &mut Outbox) {
        let speed = state.speed(now);
        let Memory { fast, running } = &mut self.memory;
        if let Some(run) = running {
            run.see(now, speed);
            if let Some(end) = ended(now, state, &self.settings) {
                tell_end(run, end.max(run.began), state, out);
                *running = None;
            }
            return;
        }
        let starts = state.ignition().on == Some(true) && speed.is_some_and(|speed| speed > self.settings.start_kmh);
        if !starts {
            *fast = None;
            return;
        }
        let run = fast.get_or_insert_with(|| Run::new(now, state.fix().copied()));
        run.see(now, speed);
        if now >= run.began + seconds(self.settings.start_s) {
            let about = About { start: Some(Location::of(run.start)), ..About::default() };
            out.tell(EventType::TripStart, Severity::Info, Details::Trip(about));
            *running = fast.take();
        }
    }

    pub(super) fn deadline(&self, now: Boot, state: &State) -> Option<Boot> {
        let start = self.memory.fast.as_ref().map(|run| run.began + seconds(self.settings.start_s));
        let still = self.memory.running.as_ref().and(state.still_since());
        let end = still.map(|since| since + seconds(self.settings.standing_s));
        start.into_iter().chain(end).filter(|due| *due > now).min()
    }
}

/// When the running trip ended, if it has: a stop in the end belongs to no trip.
fn ended(now: Boot, state: &State, settings: &TripSettings) -> Option<Boot> {
    if state.ignition().on == Some(false) {
        return Some(state.ignition().since.min(now));
    }
    state.still_since().filter(|since| now >= *since + seconds(settings.standing_s))
}

fn tell_end(run: &mut Run, end: Boot, state: &State, out: &mut Outbox) {
    if end > run.counted {
        run.count(end);
    }
    let about = About {
        distance: Some(run.distance),
        duration: Some(end.since(run.began).as_secs_f64()),
        top_speed: Some(run.top),
        start: Some(Location::of(run.start)),
        end: Some(Location::of(state.fix().copied())),
    };
    out.tell(EventType::TripEnd, Severity::Info, Details::Trip(about));
}

impl Memory {
    /// Whether another stretch began or ended, not how far it went.
    pub(super) fn same_trip(&self, other: &Memory) -> bool {
        let began = |memory: &Memory| memory.running.as_ref().map(|run| run.began);
        began(self) == began(other)
    }

    /// The same on a time scale that is `micros` further on. The way driven in between was not seen.
    pub(super) fn shift(&mut self, micros: i64) {
        let Memory { fast, running } = self;
        *fast = None;
        if let Some(Run { began, start, counted, speed, .. }) = running {
            *began = began.shifted(micros);
            *counted = counted.shifted(micros);
            if let Some(fix) = start {
                fix.at = fix.at.shifted(micros);
            }
            *speed = None;
        }
    }
}

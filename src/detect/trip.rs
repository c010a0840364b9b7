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

    /// Counts the way whenever the speed changes, and once a minute, so that a power cut loses no more than that.
    fn see(&mut self, now: Boot, speed: Option<f64>) {
        while self.count_due() <= now {
            self.count(self.count_due());
        }
        if speed == self.speed {
            return;
        }
        self.count(now);
        self.speed = speed;
        self.top = self.top.max(speed.unwrap_or(0.0));
    }

    fn count_due(&self) -> Boot {
        self.counted + seconds(60)
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

    /// Goes on with other numbers.
    pub(super) fn retune(&mut self, settings: TripSettings) {
        self.settings = settings;
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

    /// Only the speed has changed, and not to where a trip begins or ends: counts the way.
    pub(super) fn drive(&mut self, now: Boot, state: &State) {
        let Memory { fast, running } = &mut self.memory;
        if let Some(run) = running.as_mut().or(fast.as_mut()) {
            run.see(now, state.speed(now));
        }
    }

    /// The speed over which a trip begins, km/h.
    pub(super) fn speed_mark(&self) -> f64 {
        self.settings.start_kmh
    }

    pub(super) fn deadline(&self, now: Boot, state: &State) -> Option<Boot> {
        let start = self.memory.fast.as_ref().map(|run| run.began + seconds(self.settings.start_s));
        let running = self.memory.running.as_ref();
        let end = running.and(state.still_since()).map(|since| since + seconds(self.settings.standing_s));
        let count = running.map(Run::count_due);
        start.into_iter().chain(end).chain(count).filter(|due| *due > now).min()
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

    /// The same on a time scale that is `micros` further on, `now`. The way driven in between was not seen.
    pub(super) fn shift(&mut self, micros: i64, now: Boot) {
        let Memory { fast, running } = self;
        *fast = None;
        if let Some(Run { began, start, counted, speed, .. }) = running {
            *began = began.shifted(micros);
            *counted = now;
            if let Some(fix) = start {
                fix.at = fix.at.shifted(micros);
            }
            *speed = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::detect::testcar::*;
    use crate::event::EventType;

    fn trip(car: &Car, event_type: EventType) -> serde_json::Value {
        serde_json::to_value(car.last(event_type)).unwrap()["trip"].clone()
    }

    #[test]
    fn it_starts_after_three_seconds_over_five_with_the_ignition_on_and_ends_with_it() {
        let mut car = Car::new(Plan::doors_only());
        car.speed(30.0);
        car.wait(10.0);
        car.speed(0.0);
        assert!(car.other_story(0.0).is_empty(), "towed with the ignition off");
        car.start();
        car.speed(5.0);
        car.wait(10.0);
        car.speed(5.1);
        car.wait(2.9);
        car.speed(4.0);
        car.wait(1.0);
        let off = car.seconds();
        car.speed(36.0);
        car.wait(3.0);
        assert_eq!(car.told.last().map(|event| line(event, off)), Some("3.0 TRIP_START info".to_owned()));
        car.wait(97.0);
        car.speed(0.0);
        car.wait(10.0);
        car.stop();
        let ended = trip(&car, EventType::TripEnd);
        assert_eq!((&ended["distance"], &ended["topSpeed"], &ended["duration"]), (&1000.0.into(), &36.0.into(), &110.0.into()));
        let north = ended["end"]["latitude"].as_f64().unwrap() - ended["start"]["latitude"].as_f64().unwrap();
        assert!(north > 0.008, "a kilometre north: {north}°");
        assert_eq!(car.other_story(off), ["3.0 TRIP_START info", "110.0 TRIP_END info"]);
    }

    #[test]
    fn standing_for_five_minutes_ends_it_as_of_when_it_stood_and_driving_on_begins_another() {
        let mut car = Car::new(Plan::doors_only());
        car.start();
        car.speed(36.0);
        car.wait(60.0);
        car.speed(0.0);
        let stood = car.seconds();
        car.wait(305.0);
        assert_eq!(trip(&car, EventType::TripEnd)["duration"], 60.0);
        car.speed(36.0);
        car.wait(4.0);
        let told = car.other_story(stood);
        assert_eq!(told[1..], ["300.0 TRIP_END info", "308.0 TRIP_START info"]);
    }

    #[test]
    fn without_can_the_receiver_tells_the_speed() {
        let mut car = Car::new(Plan::doors_only().without(SPEED));
        car.start();
        car.gnss(Some(20.0));
        car.wait(20.0);
        car.gnss(Some(0.0));
        car.wait(2.0);
        car.stop();
        let ended = trip(&car, EventType::TripEnd);
        let distance = ended["distance"].as_f64().unwrap();
        assert!((100.0..=125.0).contains(&distance), "{distance} m in 20 s at 20 km/h");
        assert_eq!(car.other_story(0.0).len(), 2);
    }

    #[test]
    fn a_trip_goes_on_over_a_power_cut_and_is_not_begun_twice() {
        let mut car = Car::new(Plan::doors_only());
        car.start();
        car.speed(36.0);
        car.wait(100.0);
        car.restart(10.0, true);
        car.wait(100.0);
        car.stop();
        let ended = trip(&car, EventType::TripEnd);
        let distance = ended["distance"].as_f64().unwrap();
        assert!((1300.0..=2000.0).contains(&distance), "{distance} m: at most a minute and the cut are lost");
        assert_eq!(ended["duration"], 210.0);
        let told = car.other_story(0.0);
        assert_eq!(told.len(), 2, "{told:?}");
    }
}

//! The engine with its outbox: what the daemon and a replay have in common.
//!
//! It takes observations in, steps the engine when something was seen or is due, and puts a name to the place of each
//! event between engine and journal. It reads no clock and waits for nothing.

use std::time::Duration;

use crate::clock::{Boot, Stamp, Wall};
use crate::detect::{Engine, Outbox};
use crate::event::{Details, Event, EventId, Geofence, Location, Row, Step};
use crate::geo::{Fence, Point};
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
            match &event.details {
                Details::Geofence(Geofence { id, crossed: true, inside, .. }) => {
                    let place = |point| self.engine.geofences().around_border(point, id, *inside);
                    name(&mut event.location, place);
                }
                _ => self.name(&mut event.location),
            }
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
        name(location, |point| self.engine.geofences().around(point));
    }
}

/// Names a place by the fence that `around` finds there, if it finds one.
fn name<'a>(location: &mut Location, around: impl FnOnce(Point) -> Option<&'a Fence>) {
    if let Some(fence) = location.fix.and_then(|fix| around(fix.point)) {
        location.address = fence.name.clone().unwrap_or_else(|| fence.id.clone());
    }
}

/// The moment that long before `now`, on both scales.
fn earlier(now: Stamp, ago: Duration) -> Stamp {
    let boot = now.boot.before(ago);
    let micros = now.boot.micros().saturating_sub(boot.micros());
    Stamp { boot, wall: Wall::from_micros(now.wall.micros().saturating_sub(micros)), source: now.source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::TimeSource;
    use crate::detect::Settings;
    use crate::geo::{FenceSource, Shape};
    use crate::vehicle::{Fix, Layout, Mode, Vin};

    /// Seconds after the beginning, and metres north of 37° N, 127° E.
    fn fix(second: i64, north: f64) -> (Stamp, Fix) {
        let (boot, wall) = (Boot::from_micros(second * 1_000_000), Wall::from_micros((1_771_545_600 + second) * 1_000_000));
        let fix = Fix {
            at: boot,
            time: Some(wall),
            mode: Mode::ThreeD,
            point: Point { latitude: 37.0 + north / 110_960.0, longitude: 127.0 },
            accuracy: 3.0,
            altitude: None,
            speed: Some(90.0),
            heading: Some(0.0),
            satellites: None,
            hdop: None,
        };
        (Stamp { boot, wall, source: TimeSource::Gnss }, fix)
    }

    fn circle(id: &str, radius: f64) -> Fence {
        let (_, centre) = fix(0, 0.0);
        Fence::new(id, FenceSource::File, Shape::circle(centre.point, radius).unwrap())
    }

    /// What is told of a drive northwards from -300 m to 300 m, without a fix between -260 m and 260 m.
    fn through(fences: Vec<Fence>) -> Vec<[String; 3]> {
        let vin = Vin::try_from("TEST".to_owned()).unwrap();
        let engine = Engine::new(Settings::default(), vin.clone(), Layout::default(), fences);
        let mut core = Core::new(engine, Outbox::new(vin, EventId(0)), Late::Never);
        let drive = [(0, -300.0), (1, -280.0), (2, -260.0), (28, 260.0), (29, 280.0), (30, 300.0)];
        let fixes = drive.into_iter().map(|(second, north)| fix(second, north));
        let events: Vec<Event> = fixes.flat_map(|(now, fix)| core.see(now, &[Observation::Fix(fix)])).collect();
        let words = events.into_iter().filter_map(|event| match &event.details {
            Details::Geofence(geofence) => {
                assert!(geofence.crossed, "{event:?}");
                Some([event.type_name().to_owned(), geofence.id.clone(), event.location.address.clone()])
            }
            _ => None,
        });
        words.collect()
    }

    #[test]
    fn who_went_through_a_fence_is_in_it_when_it_is_entered_and_no_more_when_it_is_left() {
        // By rounding a point on a border lies on either side of it.
        for radius in (500..700).map(|radius| f64::from(radius) / 10.0) {
            let told = through(vec![circle("a", radius)]);
            let [entered, left] = told.as_slice() else { panic!("{told:?}") };
            assert_eq!(*entered, ["GEOFENCE_ENTER", "a", "a"]);
            assert!(left[0] == "GEOFENCE_EXIT" && left[2].starts_with("37.000"), "{left:?}");
        }
    }

    #[test]
    fn who_left_a_fence_within_another_is_in_the_other() {
        let told = through(vec![circle("town", 5e3), Fence { name: Some("School".to_owned()), ..circle("school", 60.0) }]);
        assert_eq!(told, [["GEOFENCE_ENTER", "school", "School"], ["GEOFENCE_EXIT", "school", "town"]]);
    }
}

//! The engine with its outbox: what the daemon and a replay have in common.
//!
//! It takes observations in, steps the engine when something was seen or is due, and puts a name to the place of each
//! event between engine and journal. It reads no clock and waits for nothing.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Boot, Stamp, Wall};
use crate::detect::geofence::Unreadable;
use crate::detect::{Engine, Outbox, Settings};
use crate::diagnostics;
use crate::event::{Details, Event, EventId, Geofence, Location, Row, Step};
use crate::geo::{Fence, Point};
use crate::places::Places;
use crate::request::{Answer, Refusal, Request};
use crate::vehicle::Observation;
use crate::vehicle::trouble::{Code, CodeRecord};

/// One vehicle's engine and the ids it issues.
#[derive(Debug)]
pub struct Core {
    engine: Engine,
    outbox: Outbox,
    now: Boot,
    late: Late,
    texts: Texts,
    places: PlaceNames,
}

/// What codes mean, in a few words: by the code, where somebody knows.
#[derive(Clone, Default)]
pub struct Texts(Option<Arc<dyn Fn(Code) -> Option<String> + Send + Sync>>);

impl Texts {
    /// Those that `of` knows.
    pub fn new(of: impl Fn(Code) -> Option<String> + Send + Sync + 'static) -> Texts {
        Texts(Some(Arc::new(of)))
    }

    /// Those of diagnosis: the owner's, then our own.
    pub fn of_codes(texts: diagnostics::texts::Texts) -> Texts {
        Texts::new(move |code| texts.of(code).map(Cow::into_owned))
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Texts" } else { "no Texts" })
    }
}

/// The nearest named place, in words: where somebody knows one.
#[derive(Clone, Default)]
pub struct PlaceNames(Option<Arc<dyn Fn(Point) -> Option<String> + Send + Sync>>);

impl PlaceNames {
    /// Those that `of` knows.
    pub fn new(of: impl Fn(Point) -> Option<String> + Send + Sync + 'static) -> PlaceNames {
        PlaceNames(Some(Arc::new(of)))
    }

    /// Those of a file, for who may wait for it to be read.
    pub fn of_file(places: Arc<Places>) -> PlaceNames {
        PlaceNames::new(move |point| places.name(point))
    }
}

impl fmt::Debug for PlaceNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "PlaceNames" } else { "no PlaceNames" })
    }
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
        Core { engine, outbox, now: Boot::from_micros(i64::MIN), late, texts: Texts::default(), places: PlaceNames::default() }
    }

    /// The same, which knows what codes mean.
    pub fn with_texts(self, texts: Texts) -> Core {
        Core { texts, ..self }
    }

    /// The same, which knows the names of places.
    pub fn with_places(self, places: PlaceNames) -> Core {
        Core { places, ..self }
    }

    /// Other names of places, from now on.
    pub fn set_places(&mut self, places: PlaceNames) {
        self.places = places;
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

    /// Something was seen: what was due before it, each at its own moment, and what comes of it; what is due at that very
    /// moment is decided with it. Time never runs backwards
    /// here: what was read earlier than the last thing counts as read with it.
    pub fn see(&mut self, now: Stamp, observations: &[Observation]) -> Vec<Event> {
        let now = self.monotonic(now);
        let mut events = self.before(now);
        for observation in observations {
            if let Observation::Journal { writable } = observation {
                self.outbox.set_durable(*writable);
            }
            self.engine.observe(now, observation);
        }
        if !self.engine.glide(now) {
            events.extend(self.step(now));
        }
        events
    }

    /// Nothing was seen, and time went by: what was due.
    pub fn pass(&mut self, now: Stamp) -> Vec<Event> {
        let now = self.monotonic(now);
        self.catch_up(now)
    }

    /// Something comes now: what was due before it.
    pub fn before(&mut self, now: Stamp) -> Vec<Event> {
        let now = self.monotonic(now);
        self.catch_up_to(now, now.boot.shifted(-1))
    }

    /// Steps the engine at each of its deadlines up to `now`.
    fn catch_up(&mut self, now: Stamp) -> Vec<Event> {
        self.catch_up_to(now, now.boot)
    }

    /// The same up to `end`, as seen from `now`.
    fn catch_up_to(&mut self, now: Stamp, end: Boot) -> Vec<Event> {
        let mut events = Vec::new();
        let mut last = Boot::from_micros(i64::MIN);
        // Deadlines rise; one that did not would be a fault that must not hang the daemon.
        while let Some(due) = self.engine.deadline().filter(|due| (*due > last) && *due <= end) {
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

    /// Other numbers from now on: what comes of that.
    pub fn retune(&mut self, now: Stamp, settings: Settings) -> Vec<Event> {
        let now = self.monotonic(now);
        let mut events = self.catch_up(now);
        self.engine.retune(settings);
        events.extend(self.step(now));
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

    /// What somebody made before this run, and the journal found only now.
    pub fn take_up(&mut self, rows: &[Row]) -> Vec<Unreadable> {
        self.engine.take_up(rows)
    }

    /// Somebody asks for something: the answer, and what came of it.
    pub fn answer(&mut self, now: Stamp, request: &Request) -> (Result<Answer, Refusal>, Step) {
        let now = self.monotonic(now);
        let mut events = self.catch_up(now);
        self.outbox.begin(now, self.engine.state().fix().copied());
        let answer = self.engine.answer(now, request, &mut self.outbox);
        events.extend(self.named());
        let mut rows = self.rows(now);
        if matches!(request, Request::FleetFences(_)) {
            // Rows come in pieces, and of the fleet's fences all are kept or none is.
            rows.extend(std::iter::from_fn(|| Some(self.rows(now)).filter(|more| !more.is_empty())).flatten());
        }
        (answer, Step { events, rows })
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
                    name(&mut event.location, place, &self.places);
                }
                _ => self.name(&mut event.location),
            }
            match &mut event.details {
                Details::Trip(trip) => {
                    [&mut trip.start, &mut trip.end].into_iter().flatten().for_each(|place| self.name(place));
                }
                Details::Diagnosis(diagnosis) => diagnosis.codes.iter_mut().for_each(|record| self.explain(record)),
                _ => {}
            }
        }
        events
    }

    /// What a code means, in a few words.
    pub fn explain(&self, record: &mut CodeRecord) {
        record.text = self.texts.0.as_ref().and_then(|of| of(record.code));
    }

    /// A place in words: the smallest fence it is in, else the nearest named place, else its coordinates.
    pub fn name(&self, location: &mut Location) {
        name(location, |point| self.engine.geofences().around(point), &self.places);
    }
}

/// Names a place by the fence that `around` finds there, else by what is near; else its coordinates stay.
fn name<'a>(location: &mut Location, around: impl FnOnce(Point) -> Option<&'a Fence>, PlaceNames(near): &PlaceNames) {
    let Some(point) = location.fix.map(|fix| fix.point) else { return };
    let named = match around(point) {
        Some(fence) => Some(fence.name.clone().unwrap_or_else(|| fence.id.clone())),
        None => near.as_ref().and_then(|near| near(point)),
    };
    if let Some(address) = named {
        location.address = address;
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
    use crate::event::{Kind, Published};
    use crate::geo::{FenceSource, Shape};
    use crate::request::Publish;
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

    fn core(fences: Vec<Fence>, late: Late) -> Core {
        let vin = Vin::try_from("TEST".to_owned()).unwrap();
        let engine = Engine::new(Settings::default(), vin.clone(), Layout::default(), fences);
        Core::new(engine, Outbox::new(vin, EventId(0)), late)
    }

    fn see(core: &mut Core, second: i64, north: f64) -> Vec<Event> {
        let (now, fix) = fix(second, north);
        core.see(now, &[Observation::Fix(fix)])
    }

    /// A fence in which a visit is told after a minute, and a vehicle that stands in it since second 0.
    fn visit(late: Late) -> Core {
        let mut core = core(vec![Fence { dwell: Some(Duration::from_secs(60)), ..circle("a", 100.0) }], late);
        let (now, fix) = fix(0, 0.0);
        assert_eq!(core.see(now, &[Observation::Fix(Fix { speed: Some(0.0), ..fix })]), []);
        core
    }

    /// Type and stamp in seconds, boot time and wall time since the beginning.
    fn brief(events: &[Event]) -> Vec<(String, f64, f64)> {
        let wall = |event: &Event| event.stamp.wall.micros() as f64 / 1e6 - 1_771_545_600.0;
        events.iter().map(|event| (event.type_name().to_owned(), event.stamp.boot.seconds(), wall(event))).collect()
    }

    #[test]
    fn what_was_due_comes_before_what_is_seen_asked_or_passed_and_at_its_own_moment() {
        let (later, fence) = (fix(75, 0.0).0, circle("b", 10.0));
        let dwelled = [("GEOFENCE_DWELL".to_owned(), 60.0, 60.0)];
        assert_eq!(brief(&see(&mut visit(Late::Never), 75, 0.0)), dwelled);
        assert_eq!(brief(&visit(Late::Never).pass(later)), dwelled);
        let (answer, step) = visit(Late::Never).answer(later, &Request::PutFence(Box::new(fence)));
        assert_eq!((answer, brief(&step.events)), (Ok(Answer::Created), dwelled.to_vec()));
    }

    #[test]
    fn what_is_due_at_the_very_moment_of_an_input_is_decided_with_it() {
        let mut core = visit(Late::Never);
        assert_eq!(core.before(fix(60, 0.0).0), []);
        let (now, fix) = fix(60, 0.0);
        let off_and_on = [Observation::Journal { writable: false }, Observation::Fix(fix)];
        let told = core.see(now, &off_and_on);
        assert!(told.iter().any(|event| event.type_name() == "GEOFENCE_DWELL"), "{told:?}");
        assert!(told.iter().all(|event| !event.durable), "the journal was lost at that moment: {told:?}");
    }

    #[test]
    fn what_was_slept_through_is_told_now_and_what_is_merely_late_at_its_own_moment() {
        let late = Late::After(Duration::from_secs(20));
        let mut busy = visit(late);
        assert_eq!(busy.pass(fix(58, 0.0).0), []);
        assert_eq!(brief(&busy.pass(fix(75, 0.0).0)), [("GEOFENCE_DWELL".to_owned(), 60.0, 60.0)]);
        assert_eq!(brief(&visit(late).pass(fix(300, 0.0).0)), [("GEOFENCE_DWELL".to_owned(), 300.0, 300.0)]);
    }

    #[test]
    fn time_never_runs_backwards() {
        let mut core = visit(Late::Never);
        see(&mut core, 75, 0.0);
        let (earlier, _) = fix(30, 0.0);
        assert_eq!(core.monotonic(earlier).boot.seconds(), 75.0);
    }

    #[test]
    fn while_the_journal_cannot_be_written_events_say_so() {
        let mut core = visit(Late::Never);
        core.see(fix(1, 0.0).0, &[Observation::Journal { writable: false }]);
        let told = core.pass(fix(75, 0.0).0);
        assert!(!told.is_empty() && told.iter().all(|event| !event.durable), "{told:?}");
    }

    #[test]
    fn what_is_published_is_an_event_of_here_and_now_and_none_while_it_cannot_be_written() {
        let mut core = core(vec![circle("town", 5e3)], Late::Never);
        see(&mut core, 0, 0.0);
        let event = Published { event_type: "NOTE".to_owned(), member: "mum".to_owned(), body: serde_json::Map::new() };
        let request = Request::Publish(Box::new(Publish { event, once: None }));
        let (answer, step) = core.answer(fix(1, 0.0).0, &request);
        let [told] = step.events.as_slice() else { panic!("{step:?}") };
        assert_eq!((answer, told.type_name(), told.kind()), (Ok(Answer::Event(told.id)), "NOTE", Kind::Published));
        assert_eq!((told.location.address.as_str(), told.stamp.boot.seconds()), ("town", 1.0));
        core.see(fix(2, 0.0).0, &[Observation::Journal { writable: false }]);
        let (answer, step) = core.answer(fix(3, 0.0).0, &request);
        assert!(matches!(answer, Err(Refusal::NotNow(_))), "{answer:?}");
        assert!(step.events.iter().all(|event| event.kind() != Kind::Published), "{step:?}");
    }

    #[test]
    fn a_trip_names_where_it_began_and_where_it_ended() {
        let mut core = core(vec![circle("town", 5e3)], Late::Never);
        let mut told: Vec<Event> = (0..30).flat_map(|second| see(&mut core, second, 25.0 * second as f64)).collect();
        for second in 30..700 {
            let (now, fix) = fix(second, 750.0);
            told.extend(core.see(now, &[Observation::Fix(Fix { speed: Some(0.0), ..fix })]));
        }
        let trips: Vec<_> =
            told.iter().filter_map(|event| if let Details::Trip(trip) = &event.details { Some(trip) } else { None }).collect();
        let ended = trips.last().unwrap();
        let named = |place: &Option<Location>| place.as_ref().map(|place| place.address.clone());
        assert_eq!((named(&ended.start), named(&ended.end)), (Some("town".to_owned()), Some("town".to_owned())));
    }

    #[test]
    fn a_place_is_told_by_its_fence_else_by_what_is_near_else_by_its_coordinates() {
        let near = |point: Point| (point.latitude < 37.01).then(|| "2.1 km NE of Seongsu-dong, Seoul, KR".to_owned());
        let core = core(vec![circle("home", 60.0)], Late::Never).with_places(PlaceNames::new(near));
        let at = |north: f64| {
            let mut location = Location::of(Some(fix(0, north).1));
            core.name(&mut location);
            location.address
        };
        let told = [0.0, 100.0, 1_109_600.0].map(at);
        assert_eq!(told, ["home", "2.1 km NE of Seongsu-dong, Seoul, KR", "47.00000, 127.00000"]);
        let mut unknown = Location::of(None);
        core.name(&mut unknown);
        assert_eq!(unknown.address, "position unknown");
    }

    fn circle(id: &str, radius: f64) -> Fence {
        let (_, centre) = fix(0, 0.0);
        Fence::new(id, FenceSource::File, Shape::circle(centre.point, radius).unwrap())
    }

    /// What is told of a drive northwards from -300 m to 300 m, without a fix between -260 m and 260 m.
    fn through(fences: Vec<Fence>) -> Vec<[String; 3]> {
        let mut core = core(fences, Late::Never);
        let drive = [(0, -300.0), (1, -280.0), (2, -260.0), (28, 260.0), (29, 280.0), (30, 300.0)];
        let events: Vec<Event> = drive.into_iter().flat_map(|(second, north)| see(&mut core, second, north)).collect();
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

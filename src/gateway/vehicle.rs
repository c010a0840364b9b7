//! One vehicle while the daemon runs: sources tell it what they see, people ask it things, and what comes of that goes to
//! the journal.
//!
//! Sources call [`Vehicle::see`] directly, on the one thread of the runtime: between a frame and the engine stands no
//! queue. The engine is stepped at its deadlines by [`Vehicle::keep_time`]. State that a power cut would lose goes to the
//! journal with the step's events, else within half a second. What it comes to is shown by the journal, once it is durable.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;

use super::core::{Core, PlaceNames};
use super::fleet::Numbers;
use super::track::Decimation;
use super::{picture, published};
use crate::clock::{Boot, Clock, Stamp};
use crate::detect;
use crate::event::{Event, Step};
use crate::feed::{FLEET_SETTINGS, Feed, Fences, Picture, TrackPoint};
use crate::geo::Fence;
use crate::health::{Condition, Health};
use crate::journal::{Asked, Journal};
use crate::metrics::{Counter, Family, Metrics, Reason};
use crate::request::{Answer, Refusal, Request};
use crate::vehicle::trouble::Heard;
use crate::vehicle::{Fix, Observation, Vin};

/// How often state that changed without an event is handed to the journal.
const ROWS_EVERY: Duration = Duration::from_millis(500);

/// The picture is renewed this often. When a stream looks at it all the time each fix renews it too; when nobody does, a
/// fix costs no memory.
const PICTURE_EVERY: Duration = Duration::from_secs(1);

/// The part of `/healthz` that tells of numbers which the fleet set and nobody goes by.
const FLEET: &str = "fleet.settings";

/// The longest that a deadline may come late because nobody told the timer of it.
const DEADLINES_LOOKED_AT_EVERY: Duration = Duration::from_secs(1);

/// One vehicle. Cheap to clone; clones are the same vehicle.
#[derive(Clone)]
pub struct Vehicle(Arc<Inner>);

struct Inner {
    vin: Vin,
    clock: Clock,
    health: Health,
    journal: Arc<Journal>,
    dropped: Family<Reason, Counter>,
    watched: Mutex<Watched>,
    sooner: Notify,
    /// The number that the car's own ECUs tell.
    number: watch::Sender<Option<Vin>>,
}

/// What the clockwork waits for.
enum News {
    Sooner,
    Due,
    Rows,
    Picture,
}

struct Watched {
    core: Core,
    numbers: Numbers,
    track: Decimation,
    /// The last fix of each receiver but the car's own.
    further: Vec<Option<Fix>>,
    drawn: picture::Drawn,
}

impl Watched {
    fn fences_in_force(&self) -> Fences {
        Arc::new(self.core.engine().geofences().fences().cloned().collect())
    }
}

impl Vehicle {
    /// A vehicle that thinks with `core` and remembers in `journal`.
    pub fn new(vin: Vin, core: Core, clock: Clock, health: Health, journal: Arc<Journal>) -> Vehicle {
        let (track, drawn) = (Decimation::default(), picture::Drawn::default());
        let numbers = Numbers::default();
        let watched = Mutex::new(Watched { core, numbers, track, further: Vec::new(), drawn });
        let dropped = Family::default();
        let (sooner, number) = (Notify::new(), watch::Sender::new(None));
        Vehicle(Arc::new(Inner { vin, clock, health, journal, dropped, watched, sooner, number }))
    }

    /// Counts what its engine leaves out: `telltale_detect_dropped_total{reason}`.
    pub fn count(&self, metrics: &Metrics) {
        metrics.register("detect", |registry| {
            registry.register("dropped", "Trouble codes listed for which there was no room (codes); changes of codes or lamp not told at once, as there had been too many (flicker)", self.0.dropped.clone());
        });
    }

    /// A source saw something at `at`.
    pub fn see(&self, at: Boot, observations: &[Observation]) {
        let mut watched = self.watched();
        let due = watched.core.deadline();
        let events = watched.core.see(self.0.clock.stamp(at), observations);
        self.remember(&mut watched, at, events);
        for observation in observations {
            if let Observation::Diagnosis(Heard::Vin(number)) = observation {
                self.0.number.send_replace(Some(number.clone()));
            }
            if let Observation::Fix(fix) = observation {
                if let Some(point) = TrackPoint::of(fix).filter(|point| watched.track.keeps(point)) {
                    self.0.journal.add_point(point);
                }
                if self.0.journal.is_watched() {
                    self.show(&mut watched);
                }
            }
        }
        let sooner = match (due, watched.core.deadline()) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(before), Some(now)) => now < before,
        };
        if sooner {
            self.0.sooner.notify_one();
        }
    }

    /// One of the vehicle's further receivers, counted from 0, has a fix: it is shown, and the engine does not see it.
    pub fn see_further(&self, receiver: usize, fix: Fix) {
        let mut watched = self.watched();
        if watched.further.len() <= receiver {
            watched.further.resize(receiver + 1, None);
        }
        if let Some(last) = watched.further.get_mut(receiver) {
            *last = Some(fix);
        }
        if self.0.journal.is_watched() {
            self.show(&mut watched);
        }
    }

    /// One of them is no more read.
    pub fn forget_further(&self, receiver: usize) {
        if let Some(last) = self.watched().further.get_mut(receiver) {
            *last = None;
        }
    }

    /// The number that the car's own ECUs tell, once they did.
    pub fn number(&self) -> watch::Receiver<Option<Vin>> {
        self.0.number.subscribe()
    }

    /// Whether the ignition is known to be on.
    pub fn ignition_is_on(&self) -> bool {
        self.watched().core.engine().state().ignition().on == Some(true)
    }

    /// A number that tells this vehicle's unit from others on one bus: the same after each start.
    pub fn identity(&self) -> u32 {
        self.0.vin.as_str().bytes().fold(0x811C_9DC5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }

    /// Somebody asks for something; the reply leaves once what came of it is durable.
    pub fn answer(&self, asked: Asked) {
        let now = self.0.clock.stamp(self.0.clock.now());
        let mut watched = self.watched();
        let (answer, step) = match self.published_before(now, &asked.request) {
            Some(known) => (known, Step::default()),
            None => self.decide(&mut watched, now, &asked.request),
        };
        let picture = self.picture(&mut watched);
        let drawn = matches!(answer, Ok(Answer::Created | Answer::Changed));
        let fences = drawn.then(|| watched.fences_in_force());
        let reply = match answer {
            Ok(answer) => Some(asked.accept(answer)),
            Err(refusal) => {
                asked.refuse(refusal);
                None
            }
        };
        self.0.journal.commit_and_show(step, reply, picture, fences);
        drop(watched);
        self.0.sooner.notify_one();
    }

    /// What became of a request to publish that was made before under the same name.
    fn published_before(&self, now: Stamp, request: &Request) -> Option<Result<Answer, Refusal>> {
        let Request::Publish(publish) = request else { return None };
        published::known(&self.0.journal.kept(published::KEYS), &publish.once?, now)
    }

    /// The engine's answer, and what is to be remembered with it.
    fn decide(&self, watched: &mut Watched, now: Stamp, request: &Request) -> (Result<Answer, Refusal>, Step) {
        if let Request::FleetSettings(wanted) = request {
            return self.set_of_fleet(watched, now, wanted.clone());
        }
        let (answer, mut step) = watched.core.answer(now, request);
        if let (Request::Publish(publish), Ok(Answer::Event(id))) = (request, &answer) {
            let remember = |once| published::remember(&self.0.journal.kept(published::KEYS), &once, *id, now);
            step.rows.extend(publish.once.map(remember).unwrap_or_default());
        }
        (answer, step)
    }

    /// Lays the fleet's numbers over the site's; what comes of it, and what is to be remembered with it.
    fn set_of_fleet(&self, watched: &mut Watched, now: Stamp, wanted: Map<String, Value>) -> (Result<Answer, Refusal>, Step) {
        match watched.numbers.set(wanted) {
            Ok(true) => {
                let events = watched.core.retune(now, watched.numbers.in_force().clone());
                let mut rows = watched.core.rows(now);
                rows.push(watched.numbers.row());
                self.0.health.forget(FLEET);
                (Ok(Answer::Changed), Step { events, rows })
            }
            Ok(false) => (Ok(Answer::Changed), Step::default()),
            Err(wrong) => (Err(Refusal::Wrong(wrong)), Step::default()),
        }
    }

    /// The numbers that the engine was made with; `dropped`: why the fleet's are no more among them.
    pub(super) fn take_numbers(&self, numbers: Numbers, dropped: Option<String>) {
        let mut watched = self.watched();
        watched.numbers = numbers;
        self.tell_dropped(&watched.numbers, dropped);
    }

    fn tell_dropped(&self, numbers: &Numbers, dropped: Option<String>) {
        let Some(why) = dropped else { return };
        tracing::warn!(why, "what the fleet set is dropped, as the site's file does not permit it");
        let detail = format!("what the fleet set is dropped, and the site's numbers count; the fleet has to set others: {why}");
        self.0.health.set(FLEET, Condition::Degraded, detail);
        self.0.journal.commit(Step { events: Vec::new(), rows: vec![numbers.row()] }, None);
    }

    /// The configuration has changed: other numbers, other fences in the site's file. What of it was refused.
    pub fn renew(&self, settings: detect::Settings, fences: Vec<Fence>) -> Vec<Refusal> {
        let now = self.0.clock.now();
        let mut watched = self.watched();
        let dropped = watched.numbers.renew(settings);
        self.tell_dropped(&watched.numbers, dropped);
        let settings = watched.numbers.in_force().clone();
        let (events, refused) = watched.core.renew(self.0.clock.stamp(now), settings, fences);
        self.remember(&mut watched, now, events);
        self.show(&mut watched);
        drop(watched);
        self.show_fences();
        self.0.sooner.notify_one();
        refused
    }

    /// Other names of places, from now on.
    pub fn set_places(&self, places: PlaceNames) {
        self.watched().core.set_places(places);
    }

    /// Takes in what the journal found only after the start, with a disk that came late: fences that were drawn before, and
    /// numbers that the fleet had set.
    pub fn take_up_late(&self) {
        self.take_up_late_numbers();
        let rows = self.0.journal.take_late();
        if rows.is_empty() {
            return;
        }
        let mut watched = self.watched();
        for unreadable in watched.core.take_up(&rows) {
            tracing::warn!(%unreadable, "a drawn fence is not in force");
        }
        self.show(&mut watched);
        self.0.journal.show_fences(watched.fences_in_force());
    }

    fn take_up_late_numbers(&self) {
        let (now, mut watched) = (self.0.clock.now(), self.watched());
        let kept = self.0.journal.kept(FLEET_SETTINGS);
        if watched.numbers.any_of_fleet() || kept.is_empty() {
            return;
        }
        let (numbers, dropped) = Numbers::restore(watched.numbers.in_force().clone(), &kept);
        watched.numbers = numbers;
        self.tell_dropped(&watched.numbers, dropped);
        let settings = watched.numbers.in_force().clone();
        let events = watched.core.retune(self.0.clock.stamp(now), settings);
        self.remember(&mut watched, now, events);
    }

    /// Tells the doors which fences are in force.
    pub fn show_fences(&self) {
        let fences = self.watched().fences_in_force();
        self.0.journal.show_fences(fences);
    }

    /// Steps the engine at its deadlines, hands changed state to the journal, and renews the picture. Never ends.
    pub async fn keep_time(&self) {
        let mut rows = tokio::time::interval(ROWS_EVERY);
        let mut picture = tokio::time::interval(PICTURE_EVERY);
        rows.set_missed_tick_behavior(MissedTickBehavior::Delay);
        picture.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let pulse = self.0.health.pulse("clockwork");
        loop {
            let due = self.watched().core.deadline();
            let wait = due.map_or(DEADLINES_LOOKED_AT_EVERY, |due| self.0.clock.wait(due).min(DEADLINES_LOOKED_AT_EVERY));
            let news = pulse.rest(async {
                tokio::select! {
                    () = self.0.sooner.notified() => News::Sooner,
                    () = tokio::time::sleep(wait) => News::Due,
                    _ = rows.tick() => News::Rows,
                    _ = picture.tick() => News::Picture,
                }
            });
            match news.await {
                News::Sooner => {}
                News::Due => self.pass(),
                News::Rows => self.save(),
                News::Picture => {
                    self.0.clock.look_again();
                    self.show(&mut self.watched());
                }
            }
        }
    }

    /// Hands to the journal what changed of the engine's state and was not told with an event.
    pub fn save(&self) {
        let now = self.0.clock.stamp(self.0.clock.now());
        let mut watched = self.watched();
        let rows = watched.core.rows(now);
        drop(watched);
        if !rows.is_empty() {
            self.0.journal.commit(Step { events: Vec::new(), rows }, None);
        }
    }

    /// Steps the engine as far as it is due.
    fn pass(&self) {
        let now = self.0.clock.now();
        let mut watched = self.watched();
        let events = watched.core.pass(self.0.clock.stamp(now));
        self.remember(&mut watched, now, events);
    }

    fn remember(&self, watched: &mut Watched, at: Boot, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let rows = watched.core.rows(self.0.clock.stamp(at));
        self.0.journal.commit(Step { events, rows }, None);
        self.show(watched);
    }

    fn show(&self, watched: &mut Watched) {
        self.0.journal.show(self.picture(watched));
    }

    fn picture(&self, watched: &mut Watched) -> Arc<Picture> {
        let codes = self.0.dropped.get_or_create_owned(&Reason { reason: "codes" });
        codes.inc_by(watched.core.engine().codes_left_out().saturating_sub(codes.get()));
        let flicker = self.0.dropped.get_or_create_owned(&Reason { reason: "flicker" });
        flicker.inc_by(watched.core.engine().codes_held_back().saturating_sub(flicker.get()));
        let stamp = self.0.clock.stamp(self.0.clock.now());
        let Watched { core, further, drawn, .. } = watched;
        picture::of(&self.0.vin, core, further, drawn, stamp, &self.0.health)
    }

    /// The engine, which issues no id beyond what the journal has reserved by now.
    fn watched(&self) -> MutexGuard<'_, Watched> {
        let reserved = self.0.journal.reserved();
        let mut watched = self.0.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.core.reserve(reserved);
        watched
    }
}

//! The engine: the vehicle's state and the detectors over it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::child::{self, Child, Sight};
use super::codes::{self, Codes, CodesNow};
use super::diagnosis::{self, Diagnosis};
use super::geofence::{self, Geofences, Unreadable};
use super::heat::Heat;
use super::kept::{self, Kept};
use super::trip::{self, Trip};
use super::{Outbox, Settings};
use crate::clock::{Boot, Stamp};
use crate::event::{EventId, Location, Row};
use crate::feed::{ChildNow, SignalNow};
use crate::geo::{Fence, FenceSource};
use crate::health::Condition;
use crate::request::{Answer, Refusal, Request};
use crate::vehicle::cabin::is_rear_occupant;
use crate::vehicle::{self, BusId, Change, Layout, Observation, Reading, Signal, SourceId, State, Value, Vin};

/// What one vehicle means, moment by moment.
///
/// The caller gives it every observation ([`observe`](Self::observe)), steps it after those of each frame or fix and at
/// each [`deadline`](Self::deadline) that comes before the next ([`step`](Self::step)). Times never go back. Steps in
/// between do no harm, and events do not depend on them.
///
/// Most frames say once more what is known. After those there is nothing to decide, and [`glide`](Self::glide) stands for
/// the step: it costs next to nothing, and refuses where a step could matter. The deadline of the last step holds until
/// the next; it may by then be earlier than it need be, and never later.
#[derive(Clone, Debug)]
pub struct Engine {
    vin: Vin,
    pub(super) state: State,
    heat: Heat,
    pub(super) child: Child,
    pub(super) trip: Trip,
    pub(super) diagnosis: Diagnosis,
    pub(super) codes: Codes,
    pub(super) geofences: Geofences,
    pub(super) kept: Kept,
    deadline: Option<Boot>,
    /// The last step; `None` where the next must not be left out.
    stepped: Option<Stamp>,
    news: News,
}

/// What was observed since the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    /// Nothing that matters.
    Nothing,
    /// The speed is another one, on the same side of everything that is told by it.
    Speed,
    /// Something that a step must look at.
    Anything,
}

/// The whole engine, running windows included, for a replay that goes on in another process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    layout: Vec<String>,
    deadline: Option<Boot>,
    state: vehicle::Memory,
    heat: Heat,
    child: child::Saved,
    trip: trip::Memory,
    diagnosis: diagnosis::Memory,
    /// Absent in what a version before trouble codes saved.
    #[serde(default)]
    codes: codes::Memory,
    geofences: geofence::Memory,
}

impl Engine {
    /// For a vehicle of which nothing is known: parked since now, the driver's door used, no evidence but what sensors
    /// say.
    pub fn new(settings: Settings, vin: Vin, layout: Layout, fences: Vec<Fence>) -> Engine {
        let Settings { state, child, geofence, trip, diagnosis } = settings;
        Engine {
            vin,
            diagnosis: Diagnosis::new(diagnosis, &layout),
            codes: Codes::default(),
            kept: Kept::new(&layout),
            state: State::new(layout, state),
            heat: Heat::default(),
            child: Child::new(child),
            trip: Trip::new(trip),
            geofences: Geofences::new(geofence, fences),
            deadline: None,
            stepped: None,
            news: News::Anything,
        }
    }

    /// Goes on with other numbers. What is under way keeps what it has seen, and is judged by them from the next step on.
    pub fn retune(&mut self, settings: Settings) {
        let Settings { state, child, geofence, trip, diagnosis } = settings;
        self.state.retune(state);
        self.child.retune(child);
        self.geofences.retune(geofence);
        self.trip.retune(trip);
        self.diagnosis.retune(diagnosis);
        self.stepped = None;
    }

    /// Puts these fences in the place of those of the site's file; what could not be, and why. A fence that is the same
    /// goes on as it stood.
    pub fn replace_file_fences(&mut self, fences: Vec<Fence>) -> Vec<Refusal> {
        self.stepped = None;
        self.geofences.replace_file(fences)
    }

    /// Takes in what somebody made before this run, where the journal's rows came only after its start; what of it was not
    /// understood.
    pub fn take_up(&mut self, rows: &[Row]) -> Vec<Unreadable> {
        self.geofences.take_up(rows)
    }

    /// An outbox for this vehicle's events, after `last`: the highest id that may have been told.
    pub fn outbox(&self, last: EventId) -> Outbox {
        Outbox::new(self.vin.clone(), last)
    }

    /// What is known of the vehicle.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Takes in what a source saw; it means something at the next [`step`](Self::step).
    pub fn observe(&mut self, stamp: Stamp, observation: &Observation) {
        let now = stamp.boot;
        let change = self.state.observe(now, observation);
        let news = match observation {
            Observation::Reading(id, reading) => self.read(now, *id, reading, change),
            Observation::Journal { writable } => {
                self.diagnosis.journal(*writable);
                News::Anything
            }
            Observation::Receiver { speaks } => {
                self.diagnosis.receiver(now, *speaks);
                News::Anything
            }
            Observation::Restarted => {
                self.child.restarted();
                News::Anything
            }
            Observation::Diagnosis(heard) => {
                self.codes.hear(stamp, heard);
                News::Anything
            }
            Observation::Bus(..) if change == Change::Nothing => News::Nothing,
            Observation::Fix(_) | Observation::Bus(..) => News::Anything,
        };
        self.news = self.news.max(news);
    }

    /// A frame carried the source: what that is to the detectors.
    fn read(&mut self, now: Boot, id: SourceId, reading: &Reading, change: Change) -> News {
        let Some((signal, bus)) = self.state.layout().source(id).map(|spec| (spec.signal, spec.bus)) else {
            return News::Nothing;
        };
        let Reading::Value(value) = reading else { return self.weigh(change, bus) };
        if signal == Signal::CabinHVACAmbientAirTemperature {
            let celsius = self.state.number(now, signal);
            if celsius.is_some_and(|celsius| self.heat.sample(now, celsius)) {
                return News::Anything;
            }
        }
        let is_yes = is_rear_occupant(signal) && *value == Value::Bool(true);
        if is_yes && self.child.awaits_yes() { News::Anything } else { self.weigh(change, bus) }
    }

    /// What a change on this bus is to the detectors.
    fn weigh(&self, change: Change, bus: Option<BusId>) -> News {
        if bus.is_some_and(|bus| self.diagnosis.awaits(bus)) {
            return News::Anything;
        }
        match change {
            Change::Nothing => News::Nothing,
            Change::Number(signal, ..) | Change::Value(signal) if !kept::outlives(signal) => News::Nothing,
            Change::Number(signal, before, after) => self.weigh_number(signal, before, after),
            Change::Value(_) | Change::Other => News::Anything,
        }
    }

    /// Whether a number came to, or to the other side of, what some detector tells by it.
    fn weigh_number(&self, signal: Signal, before: f64, after: f64) -> News {
        let crosses = |mark: f64| before.partial_cmp(&mark) != after.partial_cmp(&mark);
        let turns = match signal {
            Signal::Speed => return self.weigh_speed(before.abs(), after.abs()),
            Signal::LowVoltageBatteryCurrentVoltage => {
                self.state.voltage_marks().into_iter().chain([self.diagnosis.voltage_mark(&self.state)]).any(crosses)
            }
            Signal::PowertrainCombustionEngineEngineCoolantTemperature => self.diagnosis.coolant_marks().into_iter().any(crosses),
            // It is read when something else happens.
            Signal::ExteriorAirTemperature => false,
            _ => true,
        };
        if turns { News::Anything } else { News::Nothing }
    }

    fn weigh_speed(&self, before: f64, after: f64) -> News {
        let crosses = |mark: f64| before.partial_cmp(&mark) != after.partial_cmp(&mark);
        let [state, child] = [self.state.speed_marks(), self.child.speed_marks()];
        let mut marks = state.into_iter().chain(child).chain([self.trip.speed_mark()]).chain(self.geofences.speed_marks());
        if marks.any(crosses) { News::Anything } else { News::Speed }
    }

    /// Decides what everything observed, and the time, mean.
    pub fn step(&mut self, now: Stamp, out: &mut Outbox) {
        out.begin(now, self.state.fix().copied());
        let first = out.last();
        self.state.settle(now.boot);
        self.heat.settle(now.boot, &self.state);
        let sight = Sight::of(now.boot, &self.state, &self.heat);
        self.child.step(&sight, out);
        let child = self.child.deadline(&sight);
        self.trip.step(now.boot, &self.state, out);
        self.geofences.step(now, &self.state, out);
        let before = out.last();
        self.diagnosis.step(now.boot, &self.state, out);
        self.codes.step(out);
        self.kept.conditions_changed |= out.last() != before;
        self.kept.told |= out.last() != first;
        self.deadline = self.next(now.boot, child);
        self.stepped = Some(now);
        self.news = News::Nothing;
    }

    /// Takes in what was observed at `now` without a step, where a step would decide nothing: nothing was observed that
    /// matters, nothing is due, and the wall clock was not set. Whether it did; if not, a step is to follow.
    pub fn glide(&mut self, now: Stamp) -> bool {
        let as_before = self.stepped.is_some_and(|last| lead(last) == lead(now) && last.source == now.source);
        if self.news == News::Anything || !as_before || self.deadline.is_some_and(|due| due <= now.boot) {
            return false;
        }
        if std::mem::replace(&mut self.news, News::Nothing) == News::Speed {
            self.trip.drive(now.boot, &self.state);
        }
        true
    }

    /// The earliest of what is due without input. This is where a detector's own deadline comes to the others'.
    fn next(&self, now: Boot, child: Option<Boot>) -> Option<Boot> {
        let trip = self.trip.deadline(now, &self.state);
        let diagnosis = self.diagnosis.deadline(now, &self.state);
        [self.state.deadline(now), child, trip, self.geofences.deadline(), diagnosis].into_iter().flatten().min()
    }

    /// When to step next, should nothing be observed before; always after the last step. An input at that very moment
    /// goes before the step.
    pub fn deadline(&self) -> Option<Boot> {
        self.deadline
    }

    /// Decides what becomes of a request. An [`Answer::Event`] is among what the outbox then holds.
    ///
    /// # Errors
    /// When the request is refused, with the reason.
    pub fn answer(&mut self, now: Stamp, request: &Request, out: &mut Outbox) -> Result<Answer, Refusal> {
        self.step(now, out);
        let sight = Sight::of(now.boot, &self.state, &self.heat);
        let answer = match request {
            Request::Snooze { event, seconds, by } => self.child.snooze(&sight, *event, *seconds, by, out),
            Request::Safe { event, by } => self.child.safe(&sight, *event, by, out),
            Request::PutFence(fence) => self.geofences.put(Fence::clone(fence)),
            Request::DeleteFence(id) => self.geofences.delete(id, FenceSource::Phone),
            Request::FleetFences(fences) => self.geofences.replace_fleet(fences),
            // They count over those of the site's file, which whoever holds both lays together: see `retune`.
            Request::FleetSettings(_) => Err(Refusal::NotNow("no site's file is there to lay these numbers over".to_owned())),
            Request::Publish(publish) if out.is_durable() => Ok(Answer::Event(out.publish(publish.event.clone()))),
            Request::Publish(_) => Err(Refusal::NotNow(
                "the journal cannot be written now, so nothing is published; try again in a while".to_owned(),
            )),
        };
        self.step(now, out);
        answer
    }

    /// What changed of what must outlive a power cut since this was last asked; continuous signals at most once a minute.
    pub fn rows(&mut self, now: Stamp) -> Vec<Row> {
        kept::rows(self, now)
    }

    /// Goes on from what a journal kept, in the boot `boot_id`. With no rows of its own it begins anew and only learns
    /// which boot this is. To be followed by [`Observation::Restarted`].
    pub fn restore(&mut self, rows: &[Row], now: Stamp, boot_id: &str) {
        kept::restore(self, rows, now, boot_id);
        self.stepped = None;
    }

    /// Everything, to be saved between the pieces of a replay.
    pub fn save(&self) -> Saved {
        Saved {
            layout: fingerprint(self.state.layout()),
            deadline: self.deadline,
            state: self.state.memory().clone(),
            heat: self.heat.clone(),
            child: self.child.save(),
            trip: self.trip.memory().clone(),
            diagnosis: self.diagnosis.memory().clone(),
            codes: self.codes.memory().clone(),
            geofences: self.geofences.memory(),
        }
    }

    /// Goes on exactly where `saved` was.
    ///
    /// # Errors
    /// When it was saved with another profile.
    pub fn load(&mut self, saved: Saved) -> Result<(), String> {
        if saved.layout != fingerprint(self.state.layout()) || !self.state.recall(saved.state) {
            return Err("the state was saved with another vehicle profile; use the same, or begin without it".to_owned());
        }
        self.heat = saved.heat;
        self.child.load(saved.child);
        self.trip.restore(saved.trip);
        self.diagnosis.recall(saved.diagnosis);
        self.codes.recall(saved.codes);
        self.geofences.recall(saved.geofences);
        self.deadline = saved.deadline;
        self.stepped = None;
        Ok(())
    }

    /// The first event of the alert that runs, where one does.
    pub fn alert(&self) -> Option<EventId> {
        self.child.alert()
    }

    /// The child watch as it is now.
    pub fn child_now(&self, now: Stamp) -> ChildNow {
        self.child.now(now, &Sight::of(now.boot, &self.state, &self.heat))
    }

    /// The fences in force, and how the vehicle stands to each.
    pub fn geofences(&self) -> &Geofences {
        &self.geofences
    }

    /// Every mapped signal as it is now.
    pub fn signals_now(&self, now: Stamp) -> Vec<SignalNow> {
        let mapped = Signal::ALL.iter().copied().filter(|signal| self.state.maps(*signal));
        let picture = mapped.map(|signal| {
            let ever = self.state.ever(signal);
            let source = ever.and_then(|(_, _, id)| self.state.layout().source(id));
            SignalNow {
                signal,
                value: self.state.value(now.boot, signal).cloned(),
                age: ever.map(|(_, at, _)| super::heat::rounded(now.boot.since(at).as_secs_f64(), 10.0)),
                source: source.map(|spec| spec.name.clone()).unwrap_or_default(),
            }
        });
        picture.collect()
    }

    /// The trouble codes, the lamp and the self-tests as they are now.
    pub fn codes_now(&self) -> CodesNow {
        self.codes.now()
    }

    /// How often a trouble code was listed for which there was no room.
    pub fn codes_left_out(&self) -> u64 {
        self.codes.left_out()
    }

    /// How often trouble codes or the lamp were not told at once, because they had been told of too often.
    pub fn codes_held_back(&self) -> u64 {
        self.codes.held_back()
    }

    /// Rises whenever [`Engine::codes_now`] changes in more than when a code was last listed.
    pub fn codes_revision(&self) -> u64 {
        self.codes.revision()
    }

    /// How each bus, the receiver and the journal are.
    pub fn sources(&self) -> BTreeMap<String, Condition> {
        self.diagnosis.sources(&self.state)
    }

    /// Where the vehicle was last seen.
    pub fn location(&self) -> Location {
        Location::of(self.state.fix().copied())
    }
}

/// How far wall time is ahead of boot time, µs.
fn lead(stamp: Stamp) -> i64 {
    stamp.wall.micros().saturating_sub(stamp.boot.micros())
}

/// What a saved engine must have in common with the one that goes on.
fn fingerprint(layout: &Layout) -> Vec<String> {
    let sources = layout.sources.iter();
    sources.map(|spec| format!("{} {} {:?}", spec.signal, spec.name, spec.bus.map(|bus| bus.0))).collect()
}

//! The latest observation of everything, each with its age: what is known of the vehicle now.
//!
//! # What it promises
//!
//! - *Unknown* is what was never seen, what a frame called invalid, and what is stale: older than three periods of its
//!   message and at least 2 s (5 s until four gaps are known). A latched value (the car sends only commands) does not
//!   age; a latched lock becomes unknown when any door opens and when the ignition comes on.
//! - *Sleep is no fault.* With the ignition off a silent bus is asleep: doors, lock, rear seats, belts and ignition keep
//!   their last value until a frame says otherwise. What counts against such a value is only time during which its bus
//!   was awake without it.
//! - A signal may have several sources; of those that know something the newest counts. A raw value that the profile
//!   does not list changes nothing, and the value ages.
//! - The last value ever known survives everything, sleep and restart too: *changed* compares with it.
//!
//! Everything is evaluated at a `now` that the caller gives; [`State::settle`] must be called at every input and at every
//! [`State::deadline`], for rules that take time. Given that, what comes out does not depend on how often it was asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cabin::{self, DOOR_LOCKS, DOORS};
use super::ignition::{Ignition, Watch};
use super::sources::{Bus, Fixes, Plan, Source, Spec, place_of};
use super::trouble::Heard;
use super::{BusCondition, BusId, Fix, Layout, Observation, Reading, Signal, SourceId, StateSettings, Value};
use crate::clock::Boot;

/// Nearer to zero than this is standing: the finest step of wheel speeds is about 0.03 km/h.
const STILL_KMH: f64 = 0.5;

/// A source that was heard of less than this ago was not missed: no setting makes so short a silence mean anything.
const NO_SILENCE: Duration = Duration::from_secs(1);

/// What is known of one vehicle.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) layout: Layout,
    pub(super) settings: StateSettings,
    pub(super) plan: Plan,
    pub(super) memory: Memory,
    /// Sources of which a power cut would lose something, by [`SourceId`].
    pub(super) dirty: Vec<bool>,
    /// Buses of which the next frame may make a value unknown that was kept asleep, by their place in [`Memory::buses`].
    waking: Vec<bool>,
}

/// What an observation changed of what [`State`] says, beside that it is said of a later moment.
///
/// Anything but [`Change::Other`] also means that no rule of time was touched: the source was heard of less than a
/// second ago, what it said was known, and nothing that [`State`] waits for is due earlier than it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// The number of this signal, from the one to the other.
    Number(Signal, f64, f64),
    /// What this signal says.
    Value(Signal),
    /// More than that, or nobody has looked how much.
    Other,
}

/// Everything observed. Saved whole between the pieces of a replay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Memory {
    /// By [`SourceId`].
    pub(super) sources: Vec<Source>,
    /// The board itself, then the buses of the layout.
    pub(super) buses: Vec<Bus>,
    pub(super) fixes: Fixes,
    pub(super) ignition: Ignition,
    pub(super) watch: Watch,
    /// Since when somebody listens: silence before that was not heard.
    pub(super) listening: Option<Boot>,
    /// Since when the car stands, where that is known.
    pub(super) still: Option<Boot>,
}

impl State {
    /// A vehicle of which nothing is known yet.
    pub fn new(layout: Layout, settings: StateSettings) -> State {
        let plan = Plan::new(&layout, &settings);
        let memory = Memory {
            sources: plan.specs.iter().map(|spec| Source::new(spec, &settings)).collect(),
            buses: vec![Bus::default(); layout.buses.len() + 1],
            fixes: Fixes::new(&settings),
            ignition: Ignition::default(),
            watch: Watch::default(),
            listening: None,
            still: None,
        };
        let (dirty, waking) = (vec![false; layout.sources.len()], vec![false; layout.buses.len() + 1]);
        State { layout, settings, plan, memory, dirty, waking }
    }

    /// Goes on with other numbers.
    pub fn retune(&mut self, settings: StateSettings) {
        self.plan = Plan::new(&self.layout, &settings);
        for (source, spec) in self.memory.sources.iter_mut().zip(&self.plan.specs) {
            source.retune(spec, &settings);
        }
        self.memory.fixes.retune(&settings);
        self.settings = settings;
    }

    /// Takes in what a source saw; what that changed.
    pub fn observe(&mut self, now: Boot, observation: &Observation) -> Change {
        let first = self.memory.listening.is_none();
        self.memory.listening.get_or_insert(now);
        let change = match observation {
            Observation::Reading(id, reading) => self.read(now, *id, reading),
            Observation::Fix(fix) => {
                self.memory.fixes.take(now, *fix, &self.settings);
                Change::Other
            }
            Observation::Bus(bus, condition) => match self.memory.buses.get_mut(place_of(*bus)) {
                Some(bus) if bus.condition.0 != *condition => {
                    bus.condition = (*condition, now);
                    Change::Other
                }
                _ => Change::Nothing,
            },
            Observation::Diagnosis(Heard::Measured(signal, value)) => match self.layout.polled(*signal) {
                Some(id) => {
                    let reading = if value.is_finite() { Reading::Value(Value::Number(*value)) } else { Reading::Invalid };
                    self.read(now, id, &reading)
                }
                None => Change::Nothing,
            },
            Observation::Receiver { .. } | Observation::Journal { .. } | Observation::Diagnosis(_) => Change::Other,
            Observation::Restarted => {
                self.memory.listening = Some(now);
                Change::Other
            }
        };
        if first { Change::Other } else { change }
    }

    fn read(&mut self, now: Boot, id: SourceId, reading: &Reading) -> Change {
        let at = usize::from(id.0);
        let steady = self.steady(now, at);
        let (Some(spec), Some(source)) = (self.plan.specs.get(at).copied(), self.memory.sources.get_mut(at)) else {
            return Change::Nothing;
        };
        if let Some(bus) = self.memory.buses.get_mut(spec.bus) {
            bus.hear(now, self.settings.floor());
        }
        let limit = source.limit;
        source.hear(now, &spec, &self.settings);
        // A longer limit makes nothing due earlier.
        let steady = steady && source.limit >= limit;
        let change = match reading {
            Reading::Unlisted => Change::Nothing,
            Reading::Invalid => {
                let news = source.valid || source.invalid.is_none();
                source.valid = false;
                source.restored = false;
                source.invalid.get_or_insert(now);
                if news { Change::Other } else { Change::Nothing }
            }
            Reading::Value(value) => self.take_word(now, at, &spec, value),
        };
        if steady { change } else { Change::Other }
    }

    /// Whether a source goes on as it did, whatever it says now: no rule of time is touched by its speaking.
    fn steady(&self, now: Boot, at: usize) -> bool {
        let (Some(spec), Some(source)) = (self.plan.specs.get(at), self.memory.sources.get(at)) else { return false };
        let Some(bus) = self.memory.buses.get(spec.bus) else { return false };
        let waking = self.waking.get(spec.bus).copied().unwrap_or(true);
        let known = !source.valid || spec.latched || source.last.as_ref().is_some_and(|(_, said)| now < *said + source.limit);
        let heard = source.heard.is_some_and(|heard| now < heard + NO_SILENCE);
        heard && known && !source.restored && !waking && bus.condition.0 != BusCondition::Off
    }

    /// The source says `value`.
    fn take_word(&mut self, now: Boot, at: usize, spec: &Spec, value: &Value) -> Change {
        let Some(source) = self.memory.sources.get_mut(at) else { return Change::Nothing };
        let (was_valid, before) = (source.valid, source.last.as_ref().map(|(last, _)| last));
        let same = before == Some(value);
        let numbers = before.and_then(Value::as_number).zip(value.as_number());
        let news = !was_valid || !same;
        source.say(now, value, news);
        if news {
            self.mark(at);
        }
        self.overrule_latched(spec.signal, at);
        if !same && *value == Value::Bool(true) && cabin::is_door(spec.signal) {
            self.forget_latched_locks();
        }
        if !was_valid {
            return Change::Other;
        }
        let alone = self.plan.sources_of(spec.signal).len() == 1;
        match numbers {
            _ if same && (alone || self.agreed(spec.signal, value)) => Change::Nothing,
            Some((before, after)) if alone => Change::Number(spec.signal, before, after),
            _ => Change::Value(spec.signal),
        }
    }

    /// Whether every source of `signal` that ever said something last said `value`.
    fn agreed(&self, signal: Signal, value: &Value) -> bool {
        let sources = self.plan.sources_of(signal).iter().filter_map(|id| self.memory.sources.get(usize::from(*id)));
        sources.filter_map(|source| source.last.as_ref()).all(|(last, _)| last == value)
    }

    /// The newest word on a signal takes the hold from commands that another source latched.
    fn overrule_latched(&mut self, signal: Signal, but: usize) {
        let sources = self.plan.sources_of(signal);
        if sources.len() < 2 {
            return;
        }
        for at in sources.iter().map(|id| usize::from(*id)).filter(|at| *at != but) {
            if self.plan.specs.get(at).is_some_and(|spec| spec.latched) {
                drop_word(&mut self.memory.sources, &mut self.dirty, at);
            }
        }
    }

    /// A command to lock says nothing any more: a door opened, or somebody drives.
    pub(super) fn forget_latched_locks(&mut self) {
        self.forget(|spec| spec.latched && cabin::is_lock(spec.signal));
    }

    /// The bus that told of the ignition died in the middle: what it kept of doors, lock and ignition is no word to keep.
    pub(super) fn forget_ignition_buses(&mut self) {
        let buses = std::mem::take(&mut self.plan.ignition_buses);
        self.forget(|spec| {
            let lost = cabin::is_door(spec.signal) || cabin::is_lock(spec.signal) || spec.signal == Signal::LowVoltageSystemState;
            lost && buses.contains(&spec.bus)
        });
        self.plan.ignition_buses = buses;
    }

    fn forget(&mut self, which: impl Fn(&Spec) -> bool) {
        for (at, spec) in self.plan.specs.iter().enumerate() {
            if which(spec) {
                drop_word(&mut self.memory.sources, &mut self.dirty, at);
            }
        }
    }

    pub(super) fn mark(&mut self, at: usize) {
        if let Some(dirty) = self.dirty.get_mut(at) {
            *dirty = true;
        }
    }

    /// Brings what takes time up to `now`: the ignition, and how long the car has been standing.
    pub fn settle(&mut self, now: Boot) {
        self.memory.listening.get_or_insert(now);
        self.settle_ignition(now);
        let still = match self.can_speed(now) {
            Some(speed) => speed < STILL_KMH,
            None => self.gnss_speed(now).is_some_and(|speed| speed < self.settings.standing_kmh),
        };
        self.memory.still = if still { self.memory.still.or(Some(now)) } else { None };
        self.settle_waking(now);
    }

    /// Notes on which buses a value is kept although it has aged: the next frame there may say that it was no sleep.
    fn settle_waking(&mut self, now: Boot) {
        self.waking.fill(false);
        if self.memory.ignition.on != Some(false) {
            return;
        }
        for (spec, source) in self.plan.specs.iter().zip(&self.memory.sources) {
            let aged = spec.keeps && self.expiry(spec, source).is_some_and(|expiry| expiry <= now);
            if aged && self.sleeps(spec, source) {
                if let Some(waking) = self.waking.get_mut(spec.bus) {
                    *waking = true;
                }
            }
        }
    }

    /// The speeds by CAN, km/h, at which something begins or ends by [`State::settle`].
    pub fn speed_marks(&self) -> [f64; 2] {
        [STILL_KMH, self.settings.driving_kmh]
    }

    /// The voltages at which something begins or ends by [`State::settle`].
    pub fn voltage_marks(&self) -> [f64; 1] {
        [self.settings.volts(self.settings.running_v)]
    }

    /// When next something changes by itself, were nothing more to come: a value grows stale, a rule has waited enough.
    pub fn deadline(&self, now: Boot) -> Option<Boot> {
        let Memory { fixes, still, .. } = &self.memory;
        let stale = self.plan.specs.iter().zip(&self.memory.sources).filter_map(|(spec, source)| self.expiry(spec, source));
        let fix = fixes.heard.map(|heard| heard + fixes.limit);
        let parked = still.map(|since| since + super::seconds(self.settings.parked_s));
        stale.chain(fix).chain(parked).chain(self.ignition_deadline()).filter(|at| *at > now).min()
    }

    /// When the value of `source` grows stale, had its bus nothing to do with it.
    fn expiry(&self, spec: &Spec, source: &Source) -> Option<Boot> {
        let (_, at) = source.last.as_ref()?;
        (source.valid && !spec.latched).then_some(match self.memory.listening {
            Some(listening) if source.restored && self.eases_in(spec) => listening.max(*at) + source.limit,
            _ => *at + source.limit,
        })
    }

    /// Whether a value out of a journal may be believed until its source had the time to speak. What moves may not.
    fn eases_in(&self, spec: &Spec) -> bool {
        spec.keeps || cabin::is_rear_occupant(spec.signal)
    }

    fn known(&self, now: Boot, at: usize) -> bool {
        let (Some(spec), Some(source)) = (self.plan.specs.get(at), self.memory.sources.get(at)) else { return false };
        if !source.valid {
            return false;
        }
        spec.latched || self.expiry(spec, source).is_some_and(|expiry| now < expiry) || self.sleeps(spec, source)
    }

    /// Whether the bus of an aged value is asleep, or has not been awake for long enough without it.
    fn sleeps(&self, spec: &Spec, source: &Source) -> bool {
        if !spec.keeps || self.memory.ignition.on != Some(false) {
            return false;
        }
        let (Some(bus), Some((_, at))) = (self.memory.buses.get(spec.bus), &source.last) else { return false };
        bus.heard.is_none_or(|heard| heard < bus.woke.max(*at) + source.limit)
    }

    fn newest(&self, now: Boot, signal: Signal) -> Option<&(Value, Boot)> {
        self.newest_of(now, signal, |_| true)
    }

    /// Of the sources on `these` buses that know `signal`, what that one says which spoke last, and when it did.
    pub(super) fn newest_of(&self, now: Boot, signal: Signal, these: impl Fn(usize) -> bool) -> Option<&(Value, Boot)> {
        let mut newest: Option<&(Value, Boot)> = None;
        for id in self.plan.sources_of(signal) {
            let at = usize::from(*id);
            if !self.known(now, at) || !self.plan.specs.get(at).is_some_and(|spec| these(spec.bus)) {
                continue;
            }
            let last = self.memory.sources.get(at).and_then(|source| source.last.as_ref());
            if last.map(|(_, said)| *said) >= newest.map(|(_, said)| *said) {
                newest = last;
            }
        }
        newest
    }

    /// The value of `signal`; `None` while it is unknown.
    pub fn value(&self, now: Boot, signal: Signal) -> Option<&Value> {
        self.newest(now, signal).map(|(value, _)| value)
    }

    /// The yes or no of `signal`.
    pub fn flag(&self, now: Boot, signal: Signal) -> Option<bool> {
        self.value(now, signal).and_then(Value::as_bool)
    }

    /// The number of `signal`.
    pub fn number(&self, now: Boot, signal: Signal) -> Option<f64> {
        self.value(now, signal).and_then(Value::as_number)
    }

    /// The last value ever known of `signal`, when it was last said, and its source; across sleep, faults and restarts.
    pub fn ever(&self, signal: Signal) -> Option<(&Value, Boot, SourceId)> {
        let sources = self.plan.sources_of(signal).iter();
        let said = sources.filter_map(|id| {
            let (value, at) = self.memory.sources.get(usize::from(*id))?.last.as_ref()?;
            Some((value, *at, SourceId(*id)))
        });
        said.max_by_key(|(_, at, _)| *at)
    }

    /// Whether anything feeds `signal`.
    pub fn maps(&self, signal: Signal) -> bool {
        !self.plan.sources_of(signal).is_empty()
    }

    /// Whether the whole car is locked: by its own word, else by every mapped door's.
    pub fn locked(&self, now: Boot) -> Option<bool> {
        if let Some(locked) = self.flag(now, Signal::CabinIsLocked) {
            return Some(locked);
        }
        let mut doors = DOOR_LOCKS.iter().filter(|lock| self.maps(**lock)).peekable();
        doors.peek()?;
        let mut all = Some(true);
        for door in doors {
            match self.flag(now, *door) {
                Some(false) => return Some(false),
                Some(true) => {}
                None => all = None,
            }
        }
        all
    }

    /// Whether some door is known to be open. An unknown door counts as closed.
    pub fn any_door_open(&self, now: Boot) -> bool {
        DOORS.iter().any(|door| self.flag(now, *door) == Some(true))
    }

    /// Whether a rear-occupant sensor that sees every rear seat is healthy: known now.
    pub fn rear_covered(&self, now: Boot) -> bool {
        let all = self.layout.sources.iter().enumerate();
        let mut covering = all.filter(|(_, spec)| spec.covers_rear && cabin::is_rear_occupant(spec.signal));
        covering.any(|(at, _)| self.known(now, at))
    }

    /// Speed by CAN, km/h.
    pub fn can_speed(&self, now: Boot) -> Option<f64> {
        self.number(now, Signal::Speed).map(f64::abs)
    }

    /// Speed by GNSS, km/h, while the last fix is not stale.
    pub fn gnss_speed(&self, now: Boot) -> Option<f64> {
        let Fixes { last, heard, limit, .. } = &self.memory.fixes;
        let fresh = heard.is_some_and(|heard| now < heard + *limit);
        last.as_ref().filter(|_| fresh).and_then(|fix| fix.speed)
    }

    /// Speed by CAN, else by GNSS, km/h.
    pub fn speed(&self, now: Boot) -> Option<f64> {
        self.can_speed(now).or_else(|| self.gnss_speed(now))
    }

    /// The last fix ever, however old.
    pub fn fix(&self) -> Option<&Fix> {
        self.memory.fixes.last.as_ref()
    }

    /// When the last fix came.
    pub fn fix_heard(&self) -> Option<Boot> {
        self.memory.fixes.heard
    }

    /// The ignition, as of the last [`State::settle`].
    pub fn ignition(&self) -> &Ignition {
        &self.memory.ignition
    }

    /// Since when the car stands: speed 0 by CAN, or without CAN under 3 km/h by GNSS.
    pub fn still_since(&self) -> Option<Boot> {
        self.memory.still
    }

    /// Whether the car is parked: ignition off, or standing for 60 s.
    pub fn parked(&self, now: Boot) -> bool {
        let long = super::seconds(self.settings.parked_s);
        self.memory.ignition.on == Some(false) || self.memory.still.is_some_and(|since| now >= since + long)
    }

    /// Since when somebody listens.
    pub fn listening(&self) -> Option<Boot> {
        self.memory.listening
    }

    /// Which sources there are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The numbers by which values age.
    pub fn settings(&self) -> &StateSettings {
        &self.settings
    }

    /// When a frame last carried the source, since when frames call it invalid, and after which silence it is stale.
    pub fn source_health(&self, id: SourceId) -> Option<(Option<Boot>, Option<Boot>, Duration)> {
        self.memory.sources.get(usize::from(id.0)).map(|source| (source.heard, source.invalid, source.limit))
    }

    /// When a mapped frame was last on the bus, and its controller's condition and since when.
    pub fn bus_health(&self, id: BusId) -> Option<(Option<Boot>, (BusCondition, Boot))> {
        self.memory.buses.get(place_of(id)).map(|bus| (bus.heard, bus.condition))
    }

    /// Everything observed, to be saved.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Goes on from what was saved of the same layout; whether it fits.
    pub fn recall(&mut self, memory: Memory) -> bool {
        let fits = memory.sources.len() == self.memory.sources.len() && memory.buses.len() == self.memory.buses.len();
        if fits {
            self.memory = memory;
        }
        fits
    }
}

/// What the source said is no longer what is.
fn drop_word(sources: &mut [Source], dirty: &mut [bool], at: usize) {
    if let (Some(source), Some(dirty)) = (sources.get_mut(at), dirty.get_mut(at)) {
        *dirty |= source.valid;
        source.valid = false;
    }
}

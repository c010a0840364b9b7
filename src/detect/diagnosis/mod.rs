//! The condition of the car and of the unit, as far as it shows without a request on any bus. Each condition is told once
//! when it comes and once when it goes, over restarts too.
//!
//! | event | when | its recovery |
//! |---|---|---|
//! | `BATTERY_LOW` | under 11.8 V (23.6 V where nominal is 24) for 30 s of seen time, ignition not on | `BATTERY_RECOVERED`: not under for 30 s of seen time |
//! | `COOLANT_OVERHEAT` | over 115 °C for 10 s | `COOLANT_NORMAL`: under 110 °C for 60 s |
//! | `CAN_BUS_FAULT` | see [`buses`] | `CAN_BUS_RECOVERED` |
//! | `GNSS_LOST` | no fix for 60 s with the ignition on, from a receiver that ever had one or that speaks (cold, or without its antenna) | `GNSS_RECOVERED`: a fix |
//! | `SENSOR_STALE` | see [`messages`] | `SENSOR_RECOVERED` |
//! | `JOURNAL_DEGRADED` | the journal cannot be written | `JOURNAL_RECOVERED` |

mod buses;
mod messages;
mod seen;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::buses::{Bus, Cause};
use self::messages::{Faults, Message};
use self::seen::Seen;
use super::Outbox;
use super::heat::rounded;
use super::settings::DiagnosisSettings;
use crate::clock::Boot;
use crate::event::{Details, Diagnosis as About, EventType, Severity};
use crate::health::Condition;
use crate::vehicle::{BusCondition, BusId, Layout, Signal, State, seconds};

/// The detector of conditions.
#[derive(Clone, Debug)]
pub(super) struct Diagnosis {
    settings: DiagnosisSettings,
    messages: Vec<Message>,
    memory: Memory,
    /// Buses whose next frame, whatever it says, may have something told.
    awaited: Vec<bool>,
}

/// What it remembers within a run; all of it serves a replay that goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    battery: Level,
    coolant: Level,
    gnss_lost: bool,
    /// Since when a receiver has been heard, whatever became of it; absent in what a version before this saved.
    #[serde(default)]
    receiver: Option<Boot>,
    buses: Vec<Bus>,
    messages: Vec<Faults>,
    journal_lost: bool,
    journal_told: bool,
}

/// A measured value against its limits.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Level {
    told: bool,
    bad: Seen,
    good: Seen,
}

/// What was told and not yet taken back: all that a power cut must not lose.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Conditions {
    battery: bool,
    coolant: bool,
    gnss: bool,
    journal: bool,
    buses: BTreeMap<String, Cause>,
    messages: BTreeMap<String, Faults>,
}

/// One thing to tell.
#[derive(Default)]
struct Told<'a> {
    source: &'a str,
    cause: &'a str,
    value: Option<f64>,
    limit: Option<f64>,
}

impl Told<'_> {
    fn tell(self, event: EventType, out: &mut Outbox) {
        let severity = match event {
            EventType::BatteryLow | EventType::SensorStale | EventType::GnssLost => Severity::Advisory,
            EventType::CoolantOverheat | EventType::CanBusFault | EventType::JournalDegraded => Severity::Warning,
            _ => Severity::Info,
        };
        let about = About {
            source: self.source.to_owned(),
            cause: (!self.cause.is_empty()).then(|| self.cause.to_owned()),
            value: self.value.map(|value| rounded(value, 100.0)),
            limit: self.limit.map(|limit| rounded(limit, 100.0)),
            codes: Vec::new(),
        };
        out.tell(event, severity, Details::Diagnosis(about));
    }
}

impl Diagnosis {
    pub(super) fn new(settings: DiagnosisSettings, layout: &Layout) -> Diagnosis {
        let messages = messages::messages(layout);
        let memory = Memory {
            buses: vec![Bus::default(); layout.buses.len()],
            messages: vec![Faults::default(); messages.len()],
            ..Memory::default()
        };
        Diagnosis { settings, messages, memory, awaited: vec![false; layout.buses.len()] }
    }

    /// Goes on with other numbers.
    pub(super) fn retune(&mut self, settings: DiagnosisSettings) {
        self.settings = settings;
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(super) fn recall(&mut self, memory: Memory) {
        self.memory = memory;
    }

    /// Whether a receiver speaks. One that has fallen silent is none the less lost.
    pub(super) fn receiver(&mut self, now: Boot, speaks: bool) {
        if speaks {
            self.memory.receiver.get_or_insert(now);
        }
    }

    /// Whether the journal can be written.
    pub(super) fn journal(&mut self, writable: bool) {
        self.memory.journal_lost = !writable;
    }

    pub(super) fn step(&mut self, now: Boot, state: &State, out: &mut Outbox) {
        self.battery(now, state, out);
        self.coolant(now, state, out);
        self.gnss(now, state, out);
        let Diagnosis { settings, messages, memory, awaited } = self;
        awaited.fill(false);
        for (id, bus) in (0..=u8::MAX).map(BusId).zip(&mut memory.buses) {
            bus.step(now, id, state, settings, out);
        }
        for (message, faults) in messages.iter().zip(&mut memory.messages) {
            if let Some(bus) = message.step(now, faults, state, settings, out) {
                if let Some(awaited) = awaited.get_mut(usize::from(bus.0)) {
                    *awaited = true;
                }
            }
        }
        if memory.journal_told != memory.journal_lost {
            memory.journal_told = memory.journal_lost;
            let event = if memory.journal_lost { EventType::JournalDegraded } else { EventType::JournalRecovered };
            Told { source: "journal", ..Told::default() }.tell(event, out);
        }
    }

    /// Whether the next frame of this bus may have something told, whatever it says.
    pub(super) fn awaits(&self, bus: BusId) -> bool {
        self.awaited.get(usize::from(bus.0)).is_some_and(|awaited| *awaited)
    }

    /// The voltage under which the battery is low.
    pub(super) fn voltage_mark(&self, state: &State) -> f64 {
        state.settings().volts(self.settings.battery_low_v)
    }

    /// The coolant temperatures, °C, that are too hot and normal again.
    pub(super) fn coolant_marks(&self) -> [f64; 2] {
        [self.settings.coolant_hot_celsius, self.settings.coolant_normal_celsius]
    }

    fn battery(&mut self, now: Boot, state: &State, out: &mut Outbox) {
        let limit = self.voltage_mark(state);
        let signal = Signal::LowVoltageBatteryCurrentVoltage;
        let volts = state.number(now, signal);
        let under = volts.map(|volts| volts < limit);
        let on = state.ignition().on == Some(true);
        let level = &mut self.memory.battery;
        level.bad.see(now, if on { Some(false) } else { under });
        level.good.see(now, under.map(|under| !under));
        let long = seconds(self.settings.battery_low_s);
        if let Some(low) = level.turn(level.bad.lasted(now, long), level.good.lasted(now, long)) {
            let event = if low { EventType::BatteryLow } else { EventType::BatteryRecovered };
            Told { source: signal.path(), value: volts, limit: Some(limit), ..Told::default() }.tell(event, out);
        }
    }

    fn coolant(&mut self, now: Boot, state: &State, out: &mut Outbox) {
        let DiagnosisSettings { coolant_hot_celsius: hot, coolant_normal_celsius: normal, .. } = self.settings;
        let signal = Signal::PowertrainCombustionEngineEngineCoolantTemperature;
        let celsius = state.number(now, signal);
        let level = &mut self.memory.coolant;
        level.bad.see(now, Some(celsius.is_some_and(|celsius| celsius > hot)));
        level.good.see(now, Some(celsius.is_some_and(|celsius| celsius < normal)));
        let bad = level.bad.lasted(now, seconds(self.settings.coolant_hot_s));
        let good = level.good.lasted(now, seconds(self.settings.coolant_normal_s));
        if let Some(overheats) = level.turn(bad, good) {
            let event = if overheats { EventType::CoolantOverheat } else { EventType::CoolantNormal };
            let limit = Some(if overheats { hot } else { normal });
            Told { source: signal.path(), value: celsius, limit, ..Told::default() }.tell(event, out);
        }
    }

    fn gnss(&mut self, now: Boot, state: &State, out: &mut Outbox) {
        let lost = self.gnss_due(state).is_some_and(|due| due <= now);
        let back = state.fix_heard().is_some_and(|heard| now < heard + seconds(self.settings.gnss_lost_s));
        let told = &mut self.memory.gnss_lost;
        let event = match *told {
            false if lost => EventType::GnssLost,
            true if back => EventType::GnssRecovered,
            _ => return,
        };
        *told = !*told;
        Told { source: "gnss", ..Told::default() }.tell(event, out);
    }

    /// From when the receiver is lost, should no fix come.
    fn gnss_due(&self, state: &State) -> Option<Boot> {
        let ignition = state.ignition();
        let driving = (ignition.on == Some(true)).then_some(ignition.since)?;
        let heard = state.fix_heard().or(self.memory.receiver)?;
        Some(heard.max(driving).max(state.listening()?) + seconds(self.settings.gnss_lost_s))
    }

    pub(super) fn deadline(&self, now: Boot, state: &State) -> Option<Boot> {
        let Diagnosis { settings, messages, memory, .. } = self;
        let levels = [
            memory.battery.bad.due(seconds(settings.battery_low_s)),
            memory.battery.good.due(seconds(settings.battery_low_s)),
            memory.coolant.bad.due(seconds(settings.coolant_hot_s)),
            memory.coolant.good.due(seconds(settings.coolant_normal_s)),
            self.gnss_due(state),
        ];
        let buses = (0..=u8::MAX).map(BusId).zip(&memory.buses).flat_map(|(id, bus)| bus.deadline(id, state, settings));
        let stale = messages.iter().zip(&memory.messages);
        let stale = stale.flat_map(|(message, faults)| message.deadline(*faults, state, settings));
        levels.into_iter().flatten().chain(buses).chain(stale).filter(|due| *due > now).min()
    }

    /// What was told and not yet taken back.
    pub(super) fn conditions(&self, layout: &Layout) -> Conditions {
        let Diagnosis { messages, memory, .. } = self;
        let buses = layout.buses.iter().zip(&memory.buses);
        let stale = messages.iter().zip(&memory.messages).filter(|(_, faults)| **faults != Faults::default());
        Conditions {
            battery: memory.battery.told,
            coolant: memory.coolant.told,
            gnss: memory.gnss_lost,
            journal: memory.journal_told,
            buses: buses.filter_map(|(name, bus)| Some((name.clone(), bus.fault?))).collect(),
            messages: stale.map(|(message, faults)| (message.name.clone(), *faults)).collect(),
        }
    }

    /// Goes on from what was told before; of what is no longer mapped nothing is remembered.
    pub(super) fn restore(&mut self, conditions: &Conditions, layout: &Layout) {
        let Diagnosis { messages, memory, .. } = self;
        memory.battery.told = conditions.battery;
        memory.coolant.told = conditions.coolant;
        memory.gnss_lost = conditions.gnss;
        (memory.journal_told, memory.journal_lost) = (conditions.journal, conditions.journal);
        for (name, bus) in layout.buses.iter().zip(&mut memory.buses) {
            bus.fault = conditions.buses.get(name).copied();
        }
        for (message, faults) in messages.iter().zip(&mut memory.messages) {
            *faults = conditions.messages.get(&message.name).copied().unwrap_or_default();
        }
    }

    /// How each bus, the receiver and the journal are.
    pub(super) fn sources(&self, state: &State) -> BTreeMap<String, Condition> {
        let mut sources = BTreeMap::new();
        for ((name, bus), id) in state.layout().buses.iter().zip(&self.memory.buses).zip((0..=u8::MAX).map(BusId)) {
            let down = state.bus_health(id).is_some_and(|(_, (condition, _))| condition == BusCondition::Down);
            let degraded = bus.fault.is_some();
            let condition = if down {
                Condition::Absent
            } else if degraded {
                Condition::Degraded
            } else {
                Condition::Ok
            };
            sources.insert(name.clone(), condition);
        }
        let gnss = match state.fix() {
            None if self.memory.receiver.is_some() => Condition::Degraded,
            None => Condition::Absent,
            Some(_) if self.memory.gnss_lost => Condition::Degraded,
            Some(_) => Condition::Ok,
        };
        sources.insert("gnss".to_owned(), gnss);
        let journal = if self.memory.journal_lost { Condition::Degraded } else { Condition::Ok };
        sources.insert("journal".to_owned(), journal);
        sources
    }
}

impl Level {
    /// Whether it turned, and to what.
    fn turn(&mut self, bad: bool, good: bool) -> Option<bool> {
        let turns = if self.told { good } else { bad };
        if turns {
            self.told = !self.told;
        }
        turns.then_some(self.told)
    }
}

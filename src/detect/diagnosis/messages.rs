//! `SENSOR_STALE`: a mapped message silent, or a source of it invalid, for 10 s with the ignition on (`always = true`:
//! ever); one event a message and cause.
//!
//! A message whose whole bus is silent is not told of beside its bus, unless it is the only one there: a bus that falls
//! asleep a moment before its ignition is known to be off would have every message told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Told;
use crate::clock::Boot;
use crate::detect::Outbox;
use crate::detect::settings::DiagnosisSettings;
use crate::event::EventType;
use crate::vehicle::{BusId, Layout, SourceId, State, seconds};

/// A message that the profile maps.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// `bus/message`.
    pub(super) name: String,
    bus: Option<BusId>,
    sources: Vec<SourceId>,
    always: bool,
    /// Whether no other message of its bus is mapped.
    alone: bool,
    /// Whether it carries only commands, which come when somebody gives one.
    commands: bool,
}

/// What was told of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Faults {
    pub(super) silent: bool,
    pub(super) invalid: bool,
}

/// The messages of a layout: sources whose names share what stands before the dot.
pub(super) fn messages(layout: &Layout) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for (at, spec) in (0..=u16::MAX).zip(&layout.sources).filter(|(_, spec)| !spec.polled) {
        let bus = spec.bus.and_then(|bus| layout.buses.get(usize::from(bus.0))).map_or("board", String::as_str);
        let message = spec.name.split('.').next().unwrap_or_default();
        let name = format!("{bus}/{message}");
        match messages.iter_mut().find(|message| message.name == name) {
            Some(message) => {
                message.sources.push(SourceId(at));
                message.always |= spec.always;
                message.commands &= spec.latched;
            }
            None => {
                let sources = vec![SourceId(at)];
                let (bus, always, commands) = (spec.bus, spec.always, spec.latched);
                messages.push(Message { name, bus, sources, always, alone: true, commands });
            }
        }
    }
    let buses: Vec<Option<BusId>> = messages.iter().map(|message| message.bus).collect();
    for message in &mut messages {
        message.alone = buses.iter().filter(|bus| **bus == message.bus).count() == 1;
    }
    messages
}

impl Message {
    /// Tells what is to be told; the bus whose next frame, whatever it says, will say that this message's silence is its own.
    pub(super) fn step(
        &self,
        now: Boot,
        faults: &mut Faults,
        state: &State,
        settings: &DiagnosisSettings,
        out: &mut Outbox,
    ) -> Option<BusId> {
        let [due, invalid] = self.due(state, settings);
        let due = due.filter(|due| *due <= now);
        let silent = due.is_some_and(|due| self.bus_spoke(due, state));
        let speaks = self.heard(state).is_some_and(|(heard, _)| now < heard + seconds(settings.sensor_stale_s));
        self.turn(&mut faults.silent, silent, speaks, "silent", out);
        let valid = !self.sources.iter().any(|id| state.source_health(*id).is_some_and(|(_, invalid, _)| invalid.is_some()));
        self.turn(&mut faults.invalid, invalid.is_some_and(|due| due <= now), valid, "invalid", out);
        self.bus.filter(|_| due.is_some() && !faults.silent)
    }

    fn turn(&self, told: &mut bool, bad: bool, good: bool, cause: &'static str, out: &mut Outbox) {
        let event = match *told {
            false if bad => EventType::SensorStale,
            true if good => EventType::SensorRecovered,
            _ => return,
        };
        *told = !*told;
        Told { source: &self.name, cause, ..Told::default() }.tell(event, out);
    }

    /// When it last came, and the age at which what it carries is stale.
    fn heard(&self, state: &State) -> Option<(Boot, Duration)> {
        let health = self.sources.iter().filter_map(|id| state.source_health(*id));
        health.filter_map(|(heard, _, limit)| Some((heard?, limit))).max_by_key(|(heard, _)| *heard)
    }

    /// From when its silence, and from when its invalid word, is a fault, should nothing change.
    fn due(&self, state: &State, settings: &DiagnosisSettings) -> [Option<Boot>; 2] {
        let ignition = state.ignition();
        let watched = if self.always { state.listening() } else { (ignition.on == Some(true)).then_some(ignition.since) };
        let (Some(watched), Some(listening)) = (watched, state.listening()) else { return [None, None] };
        let long = seconds(settings.sensor_stale_s);
        let (heard, limit) = self.heard(state).unwrap_or((listening, long));
        let silent = heard.max(watched).max(listening) + limit.max(long);
        let invalid = self.sources.iter().filter_map(|id| state.source_health(*id)?.1).min();
        let silent = (!self.commands).then_some(silent);
        [silent, invalid.map(|since| since.max(watched) + long)]
    }

    /// Whether silence until `due` is this message's own: its bus went on without it.
    fn bus_spoke(&self, due: Boot, state: &State) -> bool {
        let Some(bus) = self.bus.filter(|_| !self.alone && !self.always) else { return true };
        state.bus_health(bus).and_then(|(heard, _)| heard).is_some_and(|heard| heard >= due)
    }

    pub(super) fn deadline(&self, faults: Faults, state: &State, settings: &DiagnosisSettings) -> impl Iterator<Item = Boot> {
        let [silent, invalid] = self.due(state, settings);
        // Of a message's sources another may be the last to speak, and be stale earlier.
        let sooner = self.impatience(state, settings).zip(silent).map(|(sooner, silent)| silent.before(sooner));
        let silent = [silent, sooner].into_iter().flatten().filter(move |_| !faults.silent);
        silent.chain(invalid.filter(|_| !faults.invalid))
    }

    /// By how much the message is silent earlier should that of its sources be the last to speak which is stale the soonest.
    fn impatience(&self, state: &State, settings: &DiagnosisSettings) -> Option<Duration> {
        let limit = |limit: Duration| limit.max(seconds(settings.sensor_stale_s));
        let (_, last) = self.heard(state)?;
        let limits = self.sources.iter().filter_map(|id| state.source_health(*id).map(|(_, _, limit)| limit));
        let sooner = limit(last).saturating_sub(limit(limits.min()?));
        (!sooner.is_zero()).then_some(sooner)
    }
}

//! Whether the ignition is on, by the first of these that is known:
//!
//! 1. the board's own ignition input;
//! 2. `Vehicle.LowVoltageSystemState`: `ON` and `START` are on; `OFF`, `LOCK` and `ACC` are off; others say nothing;
//! 3. a battery at 13.2 V or more, or a GNSS speed of 20 km/h or more, which only say on.
//!
//! Where neither of the first two is mapped, a voltage under 13.2 V for 60 s says off, and without a voltage a GNSS speed
//! under 3 km/h for 300 s. When the bus that carries the ignition signal (without one: the voltage) has been silent for
//! 30 s and speed is not known to be 20 km/h or more, the ignition is off, *degraded*, and that bus's doors and lock are
//! unknown. When nobody says anything, what was last known stands.

use serde::{Deserialize, Serialize};

use super::sources::{BOARD, place_of};
use super::state::State;
use super::{BusId, Signal, seconds};
use crate::clock::Boot;

/// The ignition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ignition {
    /// On or off; `None` before anything said so.
    pub on: Option<bool>,
    /// Since when it has been so. Where it took a while to tell (60 s of low voltage), this is where that began.
    pub since: Boot,
    /// Not told but concluded, from the silence of the bus that would tell.
    pub degraded: bool,
}

impl Default for Ignition {
    fn default() -> Ignition {
        Ignition { on: None, since: Boot::from_micros(i64::MIN), degraded: false }
    }
}

impl Ignition {
    pub(super) fn shift(&mut self, micros: i64) {
        self.since = self.since.shifted(micros);
    }
}

/// What has been waited for, and since when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Watch {
    /// A known voltage has been low, and nothing said on.
    low: Option<Boot>,
    /// Without a voltage: a known GNSS speed has been next to nothing.
    slow: Option<Boot>,
}

impl Watch {
    pub(super) fn shift(&mut self, micros: i64) {
        for time in [&mut self.low, &mut self.slow].into_iter().flatten() {
            *time = time.shifted(micros);
        }
    }
}

impl State {
    pub(super) fn settle_ignition(&mut self, now: Boot) {
        self.settle_watch(now);
        let was = self.memory.ignition.on;
        let Some(next) = self.decide_ignition(now) else { return };
        let before = &mut self.memory.ignition;
        if (next.on, next.degraded) == (before.on, before.degraded) {
            return;
        }
        let (on, degraded) = (next.on == Some(true), next.degraded);
        // A bus that speaks again and says off as well changes nothing since when.
        let since = if next.on == was { before.since } else { next.since };
        *before = Ignition { since, ..next };
        if on && was != Some(true) {
            self.forget_latched_locks();
        }
        if degraded {
            self.forget_ignition_buses();
        }
    }

    /// What is said now; `None` where nobody says anything.
    fn decide_ignition(&self, now: Boot) -> Option<Ignition> {
        let said = |on, since| Some(Ignition { on: Some(on), since, degraded: false });
        if let Some(on) = self.told(now, |bus| bus == BOARD) {
            return said(on, now);
        }
        let asleep = self.memory.ignition.on == Some(false) && !self.memory.ignition.degraded;
        if let Some(silent) = self.ignition_silent_since().filter(|_| !asleep) {
            if now >= silent + seconds(self.settings.silent_s) && !self.driving(now) {
                return Some(Ignition { on: Some(false), since: silent, degraded: true });
            }
        }
        if let Some(on) = self.told(now, |bus| bus != BOARD) {
            return said(on, now);
        }
        if self.running(now, |_| true) {
            return said(true, now);
        }
        if self.plan.maps_ignition {
            return None;
        }
        let Watch { low, slow } = self.memory.watch;
        let low = low.filter(|since| now >= *since + seconds(self.settings.off_voltage_s));
        let slow = slow.filter(|since| now >= *since + seconds(self.settings.off_standing_s));
        low.or(slow).and_then(|since| said(false, since))
    }

    /// Whether anything but `bus` says that the ignition is on.
    pub fn ignition_on_besides(&self, now: Boot, bus: BusId) -> bool {
        let this = place_of(bus);
        self.told(now, |bus| bus != this) == Some(true) || self.running(now, |bus| bus != this)
    }

    /// What `Vehicle.LowVoltageSystemState` says by `these` buses, the board's own input among them.
    fn told(&self, now: Boot, these: impl Fn(usize) -> bool) -> Option<bool> {
        let newest = self.newest_of(now, Signal::LowVoltageSystemState, these);
        match newest.and_then(|(word, _)| word.as_word()) {
            Some("ON" | "START") => Some(true),
            Some("OFF" | "LOCK" | "ACC") => Some(false),
            _ => None,
        }
    }

    /// Whether a charging battery, measured by `these`, or a speed by GNSS says that somebody drives.
    fn running(&self, now: Boot, these: impl Fn(usize) -> bool) -> bool {
        let charging = self.settings.volts(self.settings.running_v);
        let newest = self.newest_of(now, Signal::LowVoltageBatteryCurrentVoltage, these);
        let volts = newest.and_then(|(value, _)| value.as_number());
        volts.is_some_and(|volts| volts >= charging) || self.gnss_driving(now)
    }

    fn gnss_driving(&self, now: Boot) -> bool {
        self.gnss_speed(now).is_some_and(|speed| speed >= self.settings.driving_kmh)
    }

    /// Whether speed is known, by anything, to be 20 km/h or more.
    fn driving(&self, now: Boot) -> bool {
        self.gnss_driving(now) || self.can_speed(now).is_some_and(|speed| speed >= self.settings.driving_kmh)
    }

    /// Since when every bus that carries the ignition signal has been silent while somebody listened.
    fn ignition_silent_since(&self) -> Option<Boot> {
        let listening = self.memory.listening?;
        let buses = self.plan.ignition_buses.iter().filter_map(|at| self.memory.buses.get(*at));
        buses.map(|bus| bus.heard.unwrap_or(listening).max(listening)).max()
    }

    fn settle_watch(&mut self, now: Boot) {
        let volts = self.number(now, Signal::LowVoltageBatteryCurrentVoltage);
        let low = volts.is_some() && !self.running(now, |_| true);
        let slow = volts.is_none() && self.gnss_speed(now).is_some_and(|speed| speed < self.settings.standing_kmh);
        let watch = &mut self.memory.watch;
        watch.low = if low { watch.low.or(Some(now)) } else { None };
        watch.slow = if slow { watch.slow.or(Some(now)) } else { None };
    }

    /// When next a rule of the ignition has waited enough.
    pub(super) fn ignition_deadline(&self) -> impl Iterator<Item = Boot> {
        let silent = self.ignition_silent_since().map(|since| since + seconds(self.settings.silent_s));
        let Watch { low, slow } = self.memory.watch;
        let low = low.map(|since| since + seconds(self.settings.off_voltage_s));
        let slow = slow.map(|since| since + seconds(self.settings.off_standing_s));
        silent.into_iter().chain(low).chain(slow)
    }
}

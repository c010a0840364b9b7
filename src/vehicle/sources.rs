//! What stands behind a signal: its sources, the buses they come by, and the receiver.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::keep::LastWord;
use super::period::{LONGEST, LONGEST_POLLED, Period};
use super::{BusCondition, BusId, Fix, Layout, Signal, StateSettings, Value, cabin};
use crate::clock::Boot;

/// What follows from the layout alone.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) specs: Vec<Spec>,
    /// Sources of each signal, by its discriminant.
    by_signal: Vec<Vec<u16>>,
    /// Places in `Memory::buses` of what carries the ignition signal; empty where only the board does.
    pub(super) ignition_buses: Vec<usize>,
    /// Whether anything maps the ignition.
    pub(super) maps_ignition: bool,
}

/// What of a source's layout is asked at every step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    pub(super) signal: Signal,
    /// Place in `Memory::buses`; [`NOWHERE`] of what is polled.
    pub(super) bus: usize,
    pub(super) polled: bool,
    pub(super) latched: bool,
    pub(super) keeps: bool,
    /// Not learnt but said by profile or database.
    pub(super) limit: Option<Duration>,
}

impl Plan {
    pub(super) fn new(layout: &Layout, settings: &StateSettings) -> Plan {
        let specs: Vec<Spec> = layout
            .sources
            .iter()
            .map(|spec| Spec {
                signal: spec.signal,
                bus: if spec.polled { NOWHERE } else { spec.bus.map_or(BOARD, place_of) },
                polled: spec.polled,
                latched: spec.latched,
                keeps: cabin::keeps_asleep(spec.signal),
                limit: spec.stale_after.or_else(|| spec.period.map(|period| settings.stale_after(Some(period)))),
            })
            .collect();
        let by_signal = Signal::ALL.iter().map(|signal| layout.sources_of(*signal).map(|(id, _)| id.0).collect()).collect();
        let maps_ignition = layout.maps(Signal::LowVoltageSystemState);
        let told_by = if maps_ignition { Signal::LowVoltageSystemState } else { Signal::LowVoltageBatteryCurrentVoltage };
        let carriers = specs.iter().filter(|spec| spec.signal == told_by && ![BOARD, NOWHERE].contains(&spec.bus));
        let mut ignition_buses: Vec<usize> = carriers.map(|spec| spec.bus).collect();
        ignition_buses.sort_unstable();
        ignition_buses.dedup();
        Plan { specs, by_signal, ignition_buses, maps_ignition }
    }

    pub(super) fn sources_of(&self, signal: Signal) -> &[u16] {
        self.by_signal.get(signal as usize).map_or(&[], Vec::as_slice)
    }
}

/// The board's own place among the buses.
pub(super) const BOARD: usize = 0;

/// What is polled comes by no bus: nothing is concluded from its silence, and nothing wakes by it.
pub(super) const NOWHERE: usize = usize::MAX;

/// A bus's place among [`super::state::Memory::buses`].
pub(super) fn place_of(bus: BusId) -> usize {
    usize::from(bus.0) + 1
}

/// One source's last words.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Source {
    /// The last value ever, and when it was last said.
    pub(super) last: Option<(Value, Boot)>,
    /// Whether nothing but its age speaks against it.
    pub(super) valid: bool,
    /// When a frame last carried it, whatever that said.
    pub(super) heard: Option<Boot>,
    /// Since when frames call it invalid.
    pub(super) invalid: Option<Boot>,
    period: Period,
    /// The age at which its value is stale.
    pub(super) limit: Duration,
    /// It came out of a journal and has not spoken since.
    pub(super) restored: bool,
}

/// One bus.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bus {
    /// When a mapped frame was last on it.
    pub(super) heard: Option<Boot>,
    /// Since when it has been awake, or was before it fell asleep.
    pub(super) woke: Boot,
    /// What the kernel says of its controller, and since when.
    pub(super) condition: (BusCondition, Boot),
}

/// The receiver's fixes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Fixes {
    /// The last one ever.
    pub(super) last: Option<Fix>,
    /// When it came.
    pub(super) heard: Option<Boot>,
    period: Period,
    pub(super) limit: Duration,
}

impl Source {
    pub(super) fn new(spec: &Spec, settings: &StateSettings) -> Source {
        Source { limit: spec.limit.unwrap_or_else(|| settings.stale_after(None)), ..Source::default() }
    }

    /// Other numbers count from now on.
    pub(super) fn retune(&mut self, spec: &Spec, settings: &StateSettings) {
        self.limit = spec.limit.unwrap_or_else(|| self.learnt(spec, settings));
    }

    /// A frame carried it.
    pub(super) fn hear(&mut self, now: Boot, spec: &Spec, settings: &StateSettings) {
        if let (Some(heard), None) = (self.heard, spec.limit) {
            self.period.push(now.since(heard), if spec.polled { LONGEST_POLLED } else { LONGEST });
            self.limit = self.learnt(spec, settings);
        }
        self.heard = Some(now);
    }

    /// The age at which it is stale by the gaps seen; of what is polled the first gap already tells.
    fn learnt(&self, spec: &Spec, settings: &StateSettings) -> Duration {
        let limit = settings.stale_after_learnt(&self.period);
        let first = self.period.longest().filter(|_| spec.polled && self.period.median().is_none());
        first.map_or(limit, |gap| limit.max(settings.stale_after(Some(gap))))
    }

    /// It said `value`, which is `news` or not.
    pub(super) fn say(&mut self, now: Boot, value: &Value, news: bool) {
        match &mut self.last {
            Some((_, at)) if !news => *at = now,
            last => *last = Some((value.clone(), now)),
        }
        self.valid = true;
        self.restored = false;
        self.invalid = None;
    }

    /// It said this before a restart.
    pub(super) fn restore(&mut self, word: LastWord) {
        self.last = Some((word.value, word.at));
        self.valid = word.valid;
        self.restored = true;
    }
}

impl Default for Bus {
    fn default() -> Bus {
        let start = Boot::from_micros(i64::MIN);
        Bus { heard: None, woke: start, condition: (BusCondition::Active, start) }
    }
}

impl Bus {
    /// A frame came; after a silence of `asleep` it wakes.
    pub(super) fn hear(&mut self, now: Boot, asleep: Duration) {
        if self.heard.is_none_or(|heard| now >= heard + asleep) {
            self.woke = now;
        }
        self.heard = Some(now);
        if self.condition.0 == BusCondition::Off {
            self.condition = (BusCondition::Active, now);
        }
    }
}

impl Fixes {
    pub(super) fn new(settings: &StateSettings) -> Fixes {
        Fixes { limit: settings.stale_after(None), ..Fixes::default() }
    }

    /// Other numbers count from now on.
    pub(super) fn retune(&mut self, settings: &StateSettings) {
        self.limit = settings.stale_after_learnt(&self.period);
    }

    pub(super) fn take(&mut self, now: Boot, fix: Fix, settings: &StateSettings) {
        if let Some(heard) = self.heard {
            self.period.push(now.since(heard), LONGEST);
            self.limit = settings.stale_after_learnt(&self.period);
        }
        self.last = Some(fix);
        self.heard = Some(now);
    }
}

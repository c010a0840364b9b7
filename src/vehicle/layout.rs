//! Which sources feed which signals: what a vehicle profile comes to once its databases are resolved.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Signal, Value};

/// A bus of the profile, by its place in [`Layout::buses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BusId(pub u8);

/// A source of a signal, by its place in [`Layout::sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceId(pub u16);

/// What a frame says of a source that it carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// This value.
    Value(Value),
    /// A raw value that the profile does not list: the frame came, the value changes nothing and ages.
    Unlisted,
    /// The profile's validity signal, or the number itself (NaN, infinite), says that there is no value: unknown.
    Invalid,
}

/// One source of one signal. A signal may have several; the newest counts.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceSpec {
    /// The signal it feeds.
    pub signal: Signal,
    /// The bus it is on; `None` for an input of the board itself.
    pub bus: Option<BusId>,
    /// What people call it: `CGW1.CF_Gway_IGNSw`. Sources of one message share what stands before the dot.
    pub name: String,
    /// The car sends only commands: the value holds until another one, whatever its age.
    pub latched: bool,
    /// The profile's own limit of age.
    pub stale_after: Option<Duration>,
    /// The message's period as its database gives it; `None` where unknown, or where the signal is multiplexed.
    pub period: Option<Duration>,
    /// `covers = "rear"`: this sensor sees every rear seat.
    pub covers_rear: bool,
    /// `always = true`: its silence is a fault with the ignition off too.
    pub always: bool,
    /// An ECU is asked for it, now and then: its silence is no fault, and no frame carries it.
    pub polled: bool,
}

/// Everything a profile maps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// Names of the buses.
    pub buses: Vec<String>,
    /// The sources. At most 65,535.
    pub sources: Vec<SourceSpec>,
}

impl Layout {
    /// This one, and one polled source for each of `signals` that nothing feeds: what ECUs say when they are asked.
    pub fn with_polled(mut self, signals: &[Signal]) -> Layout {
        for signal in signals {
            if !self.maps(*signal) && self.sources.len() < usize::from(u16::MAX) {
                self.sources.push(SourceSpec {
                    signal: *signal,
                    bus: None,
                    name: "obd".to_owned(),
                    latched: false,
                    stale_after: None,
                    period: None,
                    covers_rear: false,
                    always: false,
                    polled: true,
                });
            }
        }
        self
    }

    /// The source through which what an ECU measured counts.
    pub fn polled(&self, signal: Signal) -> Option<SourceId> {
        self.sources_of(signal).find(|(_, spec)| spec.polled).map(|(id, _)| id)
    }

    /// The source with this id.
    pub fn source(&self, id: SourceId) -> Option<&SourceSpec> {
        self.sources.get(usize::from(id.0))
    }

    /// The sources of `signal`.
    pub fn sources_of(&self, signal: Signal) -> impl Iterator<Item = (SourceId, &SourceSpec)> {
        let all = self.sources.iter().enumerate();
        all.filter(move |(_, spec)| spec.signal == signal).map(|(at, spec)| (SourceId(at as u16), spec))
    }

    /// Whether the profile maps `signal` at all.
    pub fn maps(&self, signal: Signal) -> bool {
        self.sources.iter().any(|spec| spec.signal == signal)
    }
}

//! From the frames of one bus to what the engine is told: the part that a socket and a log have in common.

use std::sync::Arc;

use super::error_frame;
use super::{ArbitrationId, Decoder, Outcome};
use crate::clock::Boot;
use crate::metrics::{Counter, EncodeLabelSet, Family, Metrics, Reason};
use crate::vehicle::{BusCondition, BusId, Frame, Observation};

/// An id and the bits of it that count: what a kernel filter lets through.
pub type Filter = (ArbitrationId, u32);

/// Somebody who listens to a bus beside the decoder.
pub trait Listen: Send + std::fmt::Debug {
    /// What it wants to hear; of a log it hears everything.
    fn filters(&self) -> Vec<Filter>;

    /// A frame that was read `now`; what it says goes to `told`. Nothing may be allocated for a frame of no concern.
    fn hear(&mut self, now: Boot, frame: &Frame, told: &mut Vec<Observation>);
}

/// Who listens to which bus; `None` where nobody does.
#[derive(Clone)]
pub struct Listeners(Arc<dyn Fn(BusId) -> Option<Box<dyn Listen>> + Send + Sync>);

impl Listeners {
    /// Those that `of` gives, each for one bus.
    pub fn new(of: impl Fn(BusId) -> Option<Box<dyn Listen>> + Send + Sync + 'static) -> Listeners {
        Listeners(Arc::new(of))
    }

    /// The one of this bus.
    pub fn of(&self, bus: BusId) -> Option<Box<dyn Listen>> {
        (self.0)(bus)
    }
}

impl Default for Listeners {
    /// Nobody.
    fn default() -> Listeners {
        Listeners::new(|_| None)
    }
}

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listeners")
    }
}

/// A bus by its name in the profile, as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BusLabel {
    bus: String,
}

/// What this module counts.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    frames: Family<BusLabel, Counter>,
    dropped: Family<Reason, Counter>,
}

impl Counters {
    /// `telltale_can_frames_total{bus}`, `telltale_can_dropped_total{reason}`.
    pub fn register(metrics: &Metrics) -> Counters {
        let counters = Counters::default();
        metrics.register("can", |registry| {
            registry.register("frames", "Frames read that the profile maps", counters.frames.clone());
            let help = "Not read: frames that the kernel (receive_buffer) or the controller (controller) lost, mapped \
                        signals that a frame was too short for (short_frame), lines of a log (malformed_line)";
            registry.register("dropped", help, counters.dropped.clone());
        });
        counters
    }

    pub(super) fn dropped(&self, reason: &'static str, count: u64) {
        if count > 0 {
            self.dropped.get_or_create(&Reason { reason }).inc_by(count);
        }
    }
}

/// Takes the frames of one bus, and gives what they say to whoever it is called with.
#[derive(Debug)]
pub struct Intake {
    bus: BusId,
    decoder: Arc<Decoder>,
    counters: Counters,
    frames: Counter,
    condition: Option<BusCondition>,
    listener: Option<Box<dyn Listen>>,
    /// What the frame at hand says. Kept, so that no frame needs an allocation.
    observations: Vec<Observation>,
}

impl Intake {
    /// For the bus `name` of the profile that `decoder` was made of.
    pub fn new(bus: BusId, name: &str, decoder: Arc<Decoder>, counters: Counters) -> Intake {
        let frames = counters.frames.get_or_create_owned(&BusLabel { bus: name.to_owned() });
        Intake { bus, decoder, counters, frames, condition: None, listener: None, observations: Vec::new() }
    }

    /// The same one, to which somebody listens too.
    #[must_use]
    pub fn heard_by(self, listener: Option<Box<dyn Listen>>) -> Intake {
        Intake { listener, ..self }
    }

    /// What the one that listens wants to hear.
    pub(super) fn filters(&self) -> Vec<Filter> {
        self.listener.as_ref().map(|listener| listener.filters()).unwrap_or_default()
    }

    /// `frame` was read `now`.
    pub fn frame(&mut self, now: Boot, frame: &Frame, mut deliver: impl FnMut(Boot, &[Observation])) {
        if let Some(condition) = error_frame::condition(frame) {
            self.condition(now, condition, &mut deliver);
        }
        if error_frame::lost_frames(frame) {
            self.counters.dropped("controller", 1);
        }
        let Intake { observations, decoder, listener, .. } = self;
        observations.clear();
        let take = |source, reading| observations.push(Observation::Reading(source, reading));
        if let Outcome::Mapped { short } = decoder.decode(self.bus, frame, take) {
            self.frames.inc();
            self.counters.dropped("short_frame", short as u64);
        }
        if let Some(listener) = listener {
            listener.hear(now, frame, &mut self.observations);
        }
        if !self.observations.is_empty() {
            deliver(now, &self.observations);
        }
    }

    /// The bus was found in this condition: told when that is news.
    pub(super) fn condition(&mut self, now: Boot, condition: BusCondition, mut deliver: impl FnMut(Boot, &[Observation])) {
        if self.condition.replace(condition) != Some(condition) {
            deliver(now, &[Observation::Bus(self.bus, condition)]);
        }
    }

    /// The bus is there, of which a log says nothing but its frames: it takes full part until an error frame says
    /// otherwise.
    pub fn present(&mut self, now: Boot, deliver: impl FnMut(Boot, &[Observation])) {
        if matches!(self.condition, None | Some(BusCondition::Down)) {
            self.condition(now, BusCondition::Active, deliver);
        }
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }
}

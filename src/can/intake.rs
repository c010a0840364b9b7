//! From the frames of one bus to what the engine is told: the part that a socket and a log have in common.

use std::sync::Arc;

use super::error_frame;
use super::{Decoder, Outcome};
use crate::clock::Boot;
use crate::metrics::{Counter, EncodeLabelSet, Family, Metrics, Reason};
use crate::vehicle::{BusCondition, BusId, Frame, Observation};

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

/// Takes the frames of one bus.
pub(super) struct Intake<D> {
    bus: BusId,
    decoder: Arc<Decoder>,
    counters: Counters,
    frames: Counter,
    condition: Option<BusCondition>,
    /// What the frame at hand says. Kept, so that no frame needs an allocation.
    observations: Vec<Observation>,
    deliver: D,
}

impl<D: FnMut(Boot, &[Observation])> Intake<D> {
    pub(super) fn new(bus: BusId, name: &str, decoder: Arc<Decoder>, counters: Counters, deliver: D) -> Intake<D> {
        let frames = counters.frames.get_or_create_owned(&BusLabel { bus: name.to_owned() });
        Intake { bus, decoder, counters, frames, condition: None, observations: Vec::new(), deliver }
    }

    /// `frame` was read `now`.
    pub(super) fn frame(&mut self, now: Boot, frame: &Frame) {
        if let Some(condition) = error_frame::condition(frame) {
            self.condition(now, condition);
        }
        if error_frame::lost_frames(frame) {
            self.counters.dropped("controller", 1);
        }
        let Intake { observations, decoder, .. } = self;
        observations.clear();
        let take = |source, reading| observations.push(Observation::Reading(source, reading));
        if let Outcome::Mapped { short } = decoder.decode(self.bus, frame, take) {
            self.frames.inc();
            self.counters.dropped("short_frame", short as u64);
            if !self.observations.is_empty() {
                (self.deliver)(now, &self.observations);
            }
        }
    }

    /// The bus was found in this condition: told when that is news.
    pub(super) fn condition(&mut self, now: Boot, condition: BusCondition) {
        if self.condition.replace(condition) != Some(condition) {
            (self.deliver)(now, &[Observation::Bus(self.bus, condition)]);
        }
    }

    /// The bus is there, of which a log says nothing but its frames: it takes full part until an error frame says
    /// otherwise.
    pub(super) fn present(&mut self, now: Boot) {
        if matches!(self.condition, None | Some(BusCondition::Down)) {
            self.condition(now, BusCondition::Active);
        }
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }
}

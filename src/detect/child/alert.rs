//! One alert: what of it was told, and when what is due.

use serde::{Deserialize, Serialize};

use super::sight::Sight;
use crate::clock::Boot;
use crate::detect::settings::ChildSettings;
use crate::event::{ChildStage, Confidence, EventId, Meanwhile};
use crate::vehicle::seconds;

/// A car that moves faster than this with the ignition off is towed, km/h.
pub(super) const TOWED_KMH: f64 = 5.0;

/// An alert from its `initial` to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Alert {
    /// Its `initial`.
    pub(super) first: EventId,
    /// Its latest event.
    pub(super) last: EventId,
    /// When `initial` was told.
    pub(super) began: Boot,
    /// From when 60 s to the escalation and 25 min count: `initial`, or the end of a snooze.
    pub(super) from: Boot,
    /// From when the 45 s to the next repeat count.
    pub(super) told: Boot,
    /// From when repeats come often: the escalation, or the end of a snooze.
    pub(super) often_from: Boot,
    /// Whether `escalated` was ever told.
    pub(super) escalated: bool,
    /// How many repeats were told.
    pub(super) count: u32,
    /// The stage last told.
    pub(super) stage: ChildStage,
    /// What the last event rested on.
    pub(super) confidence: Confidence,
    /// Whether heat made it critical before its time.
    pub(super) hot: bool,
    /// Whether the driver's door came open since it began.
    pub(super) driver_opened: bool,
    /// What happened since the last event without changing anything.
    pub(super) meanwhile: heapless::Vec<Meanwhile, { Meanwhile::ALL.len() }>,
}

impl Alert {
    pub(super) fn new(id: EventId, now: Boot, confidence: Confidence, hot: bool) -> Alert {
        Alert {
            first: id,
            last: id,
            began: now,
            from: now,
            told: now,
            often_from: now,
            escalated: false,
            count: 0,
            stage: ChildStage::Initial,
            confidence,
            hot,
            driver_opened: false,
            meanwhile: heapless::Vec::new(),
        }
    }

    /// Whether `event` lies within this alert.
    pub(super) fn holds(&self, event: EventId) -> bool {
        (self.first..=self.last).contains(&event)
    }

    /// When it may be escalated, given evidence.
    pub(super) fn escalation_due(&self, settings: &ChildSettings) -> Option<Boot> {
        (!self.escalated).then(|| self.from + seconds(settings.escalate_s))
    }

    /// When it ends by itself, resting on doors only.
    pub(super) fn expiry_due(&self, settings: &ChildSettings) -> Option<Boot> {
        (!self.escalated).then(|| self.from + seconds(settings.expire_s))
    }

    /// When it is told again, and whether only with evidence; never more than 24 h after it began.
    pub(super) fn repeat_due(&self, settings: &ChildSettings) -> Option<(Boot, bool)> {
        if !self.escalated {
            return None;
        }
        let soon = self.told + seconds(settings.repeat_s);
        let often = soon <= self.often_from + seconds(settings.repeat_for_s);
        let due = if often { soon } else { self.told + seconds(settings.late_repeat_s) };
        (due <= self.began + seconds(settings.repeat_at_most_s)).then_some((due, !often))
    }

    /// The repeat that was `due` is told at `now`: the rhythm stands unless it was missed altogether.
    pub(super) fn keep_rhythm(&mut self, due: Boot, now: Boot, settings: &ChildSettings) {
        self.told = if now < due + seconds(settings.repeat_s) { due } else { now };
    }

    /// Everything counts from `now` again.
    pub(super) fn restart_timers(&mut self, now: Boot) {
        self.from = now;
        self.told = now;
        self.often_from = now;
    }

    /// Remembers what goes on now for the next event. Called at every step and after every event, so that what an event
    /// says does not depend on how many steps lie between.
    pub(super) fn note_now(&mut self, sight: &Sight) {
        if sight.ignition == Some(true) {
            self.note(Meanwhile::IgnitionOn);
        } else if sight.speed().is_some_and(|speed| speed >= TOWED_KMH) {
            self.note(Meanwhile::Towed);
        }
    }

    /// Remembers what the next event has to say.
    pub(super) fn note(&mut self, what: Meanwhile) {
        if !self.meanwhile.contains(&what) {
            // There is room for each of them once.
            let _ = self.meanwhile.push(what);
        }
    }

    pub(super) fn shift(&mut self, micros: i64) {
        for time in [&mut self.began, &mut self.from, &mut self.told, &mut self.often_from] {
            *time = time.shifted(micros);
        }
    }
}

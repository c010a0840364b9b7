//! What becomes of a person's answer: `snooze` and `safe`.

use serde::{Deserialize, Serialize};

use super::Child;
use super::memory::Phase;
use super::sight::Sight;
use crate::detect::Outbox;
use crate::event::{EventId, EventType, Severity};
use crate::request::{Answer, Refusal};
use crate::vehicle::seconds;

/// Answers remembered, so that one sent twice does nothing twice.
const REMEMBERED: usize = 64;

/// The two answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum AnswerKind {
    Snooze,
    Safe,
}

/// An answer that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Accepted {
    kind: AnswerKind,
    /// The event that was answered.
    event: EventId,
    /// The event that it made.
    made: EventId,
}

impl Child {
    /// Silences the alert that `event` belongs to, for a while.
    pub(in crate::detect) fn snooze(
        &mut self,
        sight: &Sight,
        event: EventId,
        for_s: u32,
        by: &str,
        out: &mut Outbox,
    ) -> Result<Answer, Refusal> {
        if let Some(made) = self.accepted(AnswerKind::Snooze, event) {
            return Ok(Answer::Already(made));
        }
        let (least, most) = (self.settings.snooze_least_s, self.settings.snooze_most_s);
        if !(least..=most).contains(&for_s) {
            return Err(Refusal::Invalid(format!("`seconds` must lie between {least} and {most}, and {for_s} does not")));
        }
        let near = sight.warmth(self.outside(), &self.settings).is_some_and(|warmth| warmth.near(&self.settings));
        match self.running().filter(|alert| alert.holds(event)) {
            None => return Err(self.refuse("the alert of this event has ended, or it belongs to none")),
            Some(_) if self.memory.stop.snoozed => return Err(self.refuse("an alert can be snoozed once at each stop")),
            Some(_) if near => return Err(self.refuse("the car gets too hot: this alert cannot be snoozed")),
            Some(_) => {}
        }
        let Some(mut alert) = self.take_alert() else {
            return Err(self.refuse("the alert of this event has ended"));
        };
        let what = (EventType::ChildAlertSnoozed, Severity::Advisory);
        let made = self.tell_answered(sight, &mut alert, what, (event, by, Some(for_s)), out);
        self.memory.stop.snoozed = true;
        self.enter(sight.now, Phase::Snoozed { until: sight.now + seconds(for_s), alert });
        self.accept(AnswerKind::Snooze, event, made);
        Ok(Answer::Event(made))
    }

    /// The child is safe: ends the alert that `event` belongs to.
    pub(in crate::detect) fn safe(
        &mut self,
        sight: &Sight,
        event: EventId,
        by: &str,
        out: &mut Outbox,
    ) -> Result<Answer, Refusal> {
        if let Some(made) = self.accepted(AnswerKind::Safe, event) {
            return Ok(Answer::Already(made));
        }
        let holds = self.running().is_some_and(|alert| alert.holds(event));
        let Some(mut alert) = holds.then(|| self.take_alert()).flatten() else {
            return Err(self.refuse("the alert of this event has ended, or it belongs to none"));
        };
        let what = (EventType::ChildAlertAcknowledged, Severity::Info);
        let made = self.tell_answered(sight, &mut alert, what, (event, by, None), out);
        self.memory.sensor.release(sight.now, &mut self.window);
        self.enter(sight.now, Phase::Answered);
        self.accept(AnswerKind::Safe, event, made);
        Ok(Answer::Event(made))
    }

    fn refuse(&self, reason: &str) -> Refusal {
        Refusal::Conflict { reason: reason.to_owned(), running: self.running().map(|alert| alert.last) }
    }

    fn accepted(&self, kind: AnswerKind, event: EventId) -> Option<EventId> {
        let mut answers = self.memory.answers.iter();
        answers.find(|answer| answer.kind == kind && answer.event == event).map(|answer| answer.made)
    }

    fn accept(&mut self, kind: AnswerKind, event: EventId, made: EventId) {
        if self.memory.answers.len() >= REMEMBERED {
            self.memory.answers.remove(0);
        }
        self.memory.answers.push(Accepted { kind, event, made });
    }
}

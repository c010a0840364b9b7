//! How the watch's events read.

use super::Child;
use super::alert::Alert;
use super::memory::Phase;
use super::sight::Sight;
use crate::detect::Outbox;
use crate::event::{
    Alert as AlertOf, Child as About, ChildStage, Confidence, Details, EventId, EventType, Evidence, Severity, Verdict,
};
use crate::vehicle::cabin::{REAR_BELTS, REAR_DOORS, REAR_SEATS};
use crate::vehicle::{Signal, Value};

impl Child {
    /// What every event of the watch says.
    pub(super) fn about(&self, sight: &Sight, confidence: Option<Confidence>) -> About {
        let doors = &self.memory.doors;
        About {
            confidence,
            since_locked: doors.locked.then(|| sight.seconds_since(doors.lock_since)),
            since_closed: doors.closed.map(|closed| sight.seconds_since(closed)),
            evidence: self.evidence(sight),
            cabin: sight.warmth(self.outside(), &self.settings).map(|warmth| warmth.cabin()),
            degraded: self.memory.sensor.kept || self.memory.marks.blind || sight.ignition_degraded,
            ..About::default()
        }
    }

    /// Every signal that speaks for a child now.
    fn evidence(&self, sight: &Sight) -> Vec<Evidence> {
        let mut evidence = Vec::new();
        if self.window.says_yes(sight.now, &self.settings) {
            evidence.extend(self.sensor_evidence(sight));
        }
        for ((seat, occupied), signal) in self.memory.marks.seats.iter().zip(sight.seats).zip(REAR_SEATS) {
            if seat.counts && occupied == Some(true) {
                evidence.extend(sight.said(signal).map(|(value, age)| Evidence { signal, value, age }));
            }
        }
        for (belt, signal) in self.memory.marks.belts.iter().zip(REAR_BELTS) {
            // Of one that was opened since: as old as its last yes.
            if let Some(closed) = belt.last_so().filter(|_| belt.counts) {
                let age = sight.seconds_since(closed);
                evidence.push(Evidence { signal, value: Value::Bool(true), age });
            }
        }
        if let Some(door) = self.memory.marks.door {
            let ended = self.memory.doors.use_of(door, sight.now);
            if let (Some(signal), Some(ended)) = (REAR_DOORS.get(usize::from(door)), ended) {
                let age = sight.seconds_since(ended);
                evidence.push(Evidence { signal: *signal, value: Value::Bool(true), age });
            }
        }
        evidence
    }

    /// What the sensor said, as old as its last yes.
    fn sensor_evidence(&self, sight: &Sight) -> Vec<Evidence> {
        let both = [Signal::CabinRearOccupantIsDetected, Signal::CabinRearOccupantIsMoving];
        let said = both.into_iter().filter_map(|signal| sight.said(signal).map(|(value, age)| Evidence { signal, value, age }));
        let (yes, no): (Vec<Evidence>, Vec<Evidence>) = said.partition(|said| said.value == Value::Bool(true));
        if !yes.is_empty() {
            return yes;
        }
        let age = sight.seconds_since(self.memory.sensor.since);
        no.into_iter().take(1).map(|said| Evidence { value: Value::Bool(true), age, ..said }).collect()
    }

    pub(super) fn tell_reminder(&self, sight: &Sight, class: Confidence, out: &mut Outbox) {
        let about = self.about(sight, Some(class));
        out.tell(EventType::ChildSeatReminder, Severity::Advisory, Details::Child(about));
    }

    /// `initial`: an alert begins.
    pub(super) fn tell_initial(&self, sight: &Sight, class: Confidence, out: &mut Outbox) -> Alert {
        let hot = self.hot(sight, class);
        let severity = if hot { Severity::Critical } else { Severity::Warning };
        let about = About { stage: Some(ChildStage::Initial), ..self.about(sight, Some(class)) };
        let id = out.tell_own(EventType::ChildLeftBehind, severity, |id| {
            Details::Child(About { alert: Some(AlertOf { first: id, ends: false }), ..about })
        });
        let mut alert = Alert::new(id, sight.now, class, hot);
        alert.note_now(sight);
        alert
    }

    /// `escalated` or `repeated`: the running alert is told again.
    pub(super) fn tell_again(&mut self, sight: &Sight, alert: &mut Alert, stage: ChildStage, resumed: bool, out: &mut Outbox) {
        if let Some(class) = self.class_in_alert(sight) {
            alert.confidence = class;
        }
        alert.hot |= self.hot(sight, alert.confidence);
        alert.escalated |= stage == ChildStage::Escalated;
        alert.count = alert.count.saturating_add(u32::from(stage == ChildStage::Repeated));
        alert.stage = stage;
        let severity = if alert.escalated || alert.hot { Severity::Critical } else { Severity::Warning };
        let about = About {
            stage: Some(stage),
            count: (stage == ChildStage::Repeated).then_some(alert.count),
            resumed,
            ..self.of_alert(sight, alert)
        };
        alert.last = out.tell(EventType::ChildLeftBehind, severity, Details::Child(about));
    }

    /// The alert is over without an answer.
    pub(super) fn tell_cleared(&self, sight: &Sight, alert: &mut Alert, reason: Verdict, out: &mut Outbox) {
        let mut about = About { reason: Some(reason), ..self.of_alert(sight, alert) };
        about.alert = Some(AlertOf { first: alert.first, ends: true });
        out.tell(EventType::ChildAlertCleared, Severity::Info, Details::Child(about));
    }

    /// Somebody answered.
    pub(super) fn tell_answered(
        &self,
        sight: &Sight,
        alert: &mut Alert,
        (event_type, severity): (EventType, Severity),
        (answers, by, snoozed): (EventId, &str, Option<u32>),
        out: &mut Outbox,
    ) -> EventId {
        let mut about = self.of_alert(sight, alert);
        about.alert = Some(AlertOf { first: alert.first, ends: snoozed.is_none() });
        about.by = Some(by.to_owned());
        about.seconds = snoozed;
        about.answers = Some(answers);
        let id = out.tell(event_type, severity, Details::Child(about));
        alert.last = id;
        id
    }

    /// What an event of a running alert says; what happened meanwhile is said once.
    fn of_alert(&self, sight: &Sight, alert: &mut Alert) -> About {
        let meanwhile = std::mem::take(&mut alert.meanwhile).into_iter().collect();
        alert.note_now(sight);
        About { alert: Some(AlertOf { first: alert.first, ends: false }), meanwhile, ..self.about(sight, Some(alert.confidence)) }
    }

    fn hot(&self, sight: &Sight, class: Confidence) -> bool {
        let warmth = sight.warmth(self.outside(), &self.settings);
        warmth.is_some_and(|warmth| warmth.hot(&self.settings) && (!warmth.estimated || class > Confidence::Inferred))
    }

    /// The alert that runs, if one does.
    pub(super) fn running(&self) -> Option<&Alert> {
        match &self.memory.phase {
            Phase::Alert(alert) | Phase::Snoozed { alert, .. } => Some(alert),
            Phase::Driving | Phase::Parked | Phase::Answered => None,
        }
    }
}

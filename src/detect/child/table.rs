//! The rows of the table (see [`super`]): what is told, and to which state it leads.

use super::alert::Alert;
use super::doors::Happened;
use super::memory::{Memory, Phase, Stop};
use super::{Child, Sight};
use crate::clock::Boot;
use crate::detect::Outbox;
use crate::event::{ChildStage, Confidence, Verdict};
use crate::vehicle::seconds;

impl Child {
    /// The first row of the table that applies: what it tells, and to which state it leads.
    pub(super) fn row(&mut self, sight: &Sight, happened: &mut Happened, out: &mut Outbox) -> Option<Phase> {
        let ignition = sight.ignition;
        match &self.memory.phase {
            Phase::Driving if ignition == Some(false) => Some(self.park(sight)),
            Phase::Driving => None,
            Phase::Parked | Phase::Answered if ignition == Some(true) => Some(self.drive(sight)),
            Phase::Parked => self.parked(sight, out),
            Phase::Alert(_) | Phase::Snoozed { .. } => self.over(sight, happened, out).or_else(|| self.due(sight, out)),
            Phase::Answered if happened.rear_used.take().is_some() => Some(Phase::Parked),
            Phase::Answered if std::mem::take(&mut happened.driver_opened) => Some(Phase::Parked),
            Phase::Answered => self.again(sight, out),
        }
    }

    /// Ignition off.
    fn park(&mut self, sight: &Sight) -> Phase {
        let now = sight.now;
        let at = sight.state.ignition().since.max(self.memory.since.unwrap_or(now)).min(now);
        let mut stop = Stop::begin(at, now);
        stop.driver_used = self.memory.doors.driver_used(at).then_some(now);
        stop.outside = self.outside_at(sight);
        if let Some(moment) = self.memory.doors.stop(at, now, seconds(self.settings.rear_used_s)) {
            stop.rear_used = true;
            self.memory.marks.emptied(moment);
            // What the sensor saw after the door was used is still there.
            if sight.sensor_yes.is_none_or(|yes| yes <= moment) {
                self.memory.sensor.release(now, &mut self.window);
            }
        }
        self.memory.stop = stop;
        Phase::Parked
    }

    /// Ignition on, or somebody drives: a new drive, with the evidence that stands.
    fn drive(&mut self, sight: &Sight) -> Phase {
        let begin = sight.now.before(seconds(self.settings.before_drive_s));
        let Memory { marks, doors, stop, .. } = &mut self.memory;
        marks.drive(sight, doors, begin, stop.rear_used);
        Phase::Driving
    }

    /// The rows of *parked* other than ignition on.
    fn parked(&mut self, sight: &Sight, out: &mut Outbox) -> Option<Phase> {
        let class = self.class(sight)?;
        let Stop { reminded, rear_used, .. } = self.memory.stop;
        if sight.driver == Some(true) && !rear_used && !reminded {
            self.memory.stop.reminded = true;
            self.tell_reminder(sight, class, out);
        }
        let due = self.alert_due(sight, class)?;
        (due <= sight.now).then(|| Phase::Alert(self.tell_initial(sight, class, out)))
    }

    /// When evidence of this class becomes an alert, should doors and lock stay as they are.
    pub(super) fn alert_due(&self, sight: &Sight, class: Confidence) -> Option<Boot> {
        let Memory { doors, stop, sensor, .. } = &self.memory;
        let closed = doors.closed?;
        let wait = if doors.locked { self.settings.locked_s } else { self.settings.unlocked_s };
        let due = closed.max(stop.driver_used?).max(stop.known).max(doors.lock_since) + seconds(wait);
        if class > Confidence::Inferred || !sight.covered {
            return Some(due);
        }
        // A sensor that has just begun to see somebody is direct evidence in a moment, or was a blink.
        let clear = sensor.clear_since()?;
        let said_no_all_the_while = clear <= closed.max(stop.cleared.unwrap_or(closed));
        (!said_no_all_the_while).then(|| due.max(closed + seconds(self.settings.covered_s)))
    }

    /// The rows that end a running alert by what is seen.
    fn over(&mut self, sight: &Sight, happened: &mut Happened, out: &mut Outbox) -> Option<Phase> {
        let (reason, next) = self.verdict(sight, happened)?;
        let mut alert = self.take_alert()?;
        self.tell_cleared(sight, &mut alert, reason, out);
        if reason == Verdict::SensorClear {
            self.memory.stop.cleared = Some(sight.now);
        }
        match next {
            Phase::Driving => Some(self.drive(sight)),
            next => Some(next),
        }
    }

    fn verdict(&self, sight: &Sight, happened: &mut Happened) -> Option<(Verdict, Phase)> {
        let alert = self.running()?;
        if happened.rear_used.take().is_some() {
            return Some((Verdict::RearDoorOpened, Phase::Parked));
        }
        let drives = self.memory.fast.is_some_and(|since| sight.now >= since + seconds(self.settings.returned_s));
        if drives || (sight.ignition == Some(true) && alert.driver_opened) {
            return Some((Verdict::DriverReturned, Phase::Driving));
        }
        let clear = self.clear_due(alert, sight).is_some_and(|due| sight.now >= due);
        clear.then_some((Verdict::SensorClear, Phase::Parked))
    }

    /// When a sensor that says no has said so for long enough; `None` where that ends nothing.
    pub(super) fn clear_due(&self, alert: &Alert, sight: &Sight) -> Option<Boot> {
        let clear = self.memory.sensor.clear_since().filter(|_| alert.confidence == Confidence::Direct)?;
        let others = self.memory.marks.occupancy(sight) || (self.memory.marks.inferred() && !sight.covered);
        (!others).then(|| clear + seconds(self.settings.sensor_clear_s))
    }

    /// The rows of a running alert whose time has come.
    fn due(&mut self, sight: &Sight, out: &mut Outbox) -> Option<Phase> {
        let now = sight.now;
        match std::mem::take(&mut self.memory.phase) {
            Phase::Alert(mut alert) => {
                let ended = self.ring(sight, &mut alert, out);
                self.memory.phase = Phase::Alert(alert);
                ended.then(|| {
                    if let Some(mut alert) = self.take_alert() {
                        self.tell_cleared(sight, &mut alert, Verdict::Expired, out);
                    }
                    Phase::Answered
                })
            }
            Phase::Snoozed { until, mut alert } => {
                let warmth = sight.warmth(self.outside(), &self.settings);
                if now < until && !warmth.is_some_and(|warmth| warmth.near(&self.settings)) {
                    self.memory.phase = Phase::Snoozed { until, alert };
                    return None;
                }
                let strong = self.class_in_alert(sight).is_some_and(|class| class > Confidence::Inferred);
                let late = now >= alert.began + seconds(self.settings.escalate_s);
                let escalate = !alert.escalated && strong && late;
                let stage = if escalate { ChildStage::Escalated } else { ChildStage::Repeated };
                self.tell_again(sight, &mut alert, stage, false, out);
                alert.restart_timers(now);
                Some(Phase::Alert(alert))
            }
            other => {
                self.memory.phase = other;
                None
            }
        }
    }

    /// Escalates and repeats an alert that is due; whether it has expired instead.
    fn ring(&mut self, sight: &Sight, alert: &mut Alert, out: &mut Outbox) -> bool {
        let now = sight.now;
        let class = self.class_in_alert(sight);
        let strong = class.is_some_and(|class| class > Confidence::Inferred);
        if strong && alert.escalation_due(&self.settings).is_some_and(|due| due <= now) {
            self.tell_again(sight, alert, ChildStage::Escalated, false, out);
            alert.told = now;
            alert.often_from = now;
        } else if let Some((due, late)) = alert.repeat_due(&self.settings).filter(|(due, _)| *due <= now) {
            if !late || class.is_some() {
                alert.keep_rhythm(due, now, &self.settings);
                self.tell_again(sight, alert, ChildStage::Repeated, false, out);
            }
        }
        let by_doors = class == Some(Confidence::Inferred) || (class.is_none() && alert.confidence == Confidence::Inferred);
        let expired = by_doors && alert.expiry_due(&self.settings).is_some_and(|due| due <= now);
        if expired {
            alert.confidence = Confidence::Inferred;
        }
        expired
    }

    /// The one row of *answered* that takes time.
    fn again(&mut self, sight: &Sight, out: &mut Outbox) -> Option<Phase> {
        let due = self.memory.since? + seconds(self.settings.again_s);
        let direct = self.window.says_yes(sight.now, &self.settings);
        if self.memory.stop.again || !direct || sight.now < due {
            return None;
        }
        self.memory.stop.again = true;
        Some(Phase::Alert(self.tell_initial(sight, Confidence::Direct, out)))
    }
}

//! The child watch: a child left behind in a parked car is told of until somebody sees to it.
//!
//! Unknown lock counts as not locked, an unknown door as closed, an unknown driver's door as used. There is no state in
//! which a car with its ignition off is not watched.
//!
//! | state | when | to | event |
//! |---|---|---|---|
//! | parked (first) | ignition on | driving, evidence kept | |
//! | driving | ignition off | parked | |
//! | parked | driver's door open, evidence, no rear door used since the stop; once a stop | parked | `CHILD_SEAT_REMINDER` |
//! | parked | all doors closed, driver's door used since the stop, locked: all three for 10 s; evidence | alert(initial) | `CHILD_LEFT_BEHIND` `initial` |
//! | parked | the same, not locked: for 5 min | alert(initial) | the same |
//! | alert(initial) | 60 s, direct or occupancy | alert(escalated) | `escalated` |
//! | alert(initial) | 25 min, inferred only | answered | `CHILD_ALERT_CLEARED` `expired` |
//! | alert(escalated) | every 45 s for 25 min, then every 10 min while there is evidence, at most 24 h | itself | `repeated` |
//! | alert | "snooze", 60 to 600 s, once a stop | snoozed | `CHILD_ALERT_SNOOZED` |
//! | snoozed | its end, or 10 min or less to 35 °C | alert | `escalated` where never told, direct or occupancy, 60 s since `initial`; else `repeated` |
//! | alert, snoozed | "safe" | answered | `CHILD_ALERT_ACKNOWLEDGED` |
//! | alert, snoozed | a rear door used | parked, inferred evidence gone | `CHILD_ALERT_CLEARED` `rear_door_opened` |
//! | alert, snoozed | ignition on with the driver's door opened since; or over 20 km/h for 10 s, ignition not known to be off | driving, evidence kept | `CHILD_ALERT_CLEARED` `driver_returned` |
//! | alert, snoozed | told as direct, clear for 120 s, no other class says yes | parked | `CHILD_ALERT_CLEARED` `sensor_clear` |
//! | alert, snoozed | unlocked without a door, remote start, towed | itself | the next event says so |
//! | answered | ignition on | driving | |
//! | answered | the driver's door opens | parked | |
//! | answered | a rear door used | parked, inferred evidence gone | |
//! | answered | 30 min later still direct evidence | alert(initial), once | `initial` |
//! | any | restart or power cut | the same, timers unmoved | in alert: at once `repeated`, `resumed` |
//!
//! A stop that took a while to tell (60 s of low voltage, 30 s of a silent bus) began when that while began: doors used
//! within it were used after the stop. Timers run from when it was told.

mod alert;
mod answer;
mod doors;
mod evidence;
mod memory;
mod sensor;
mod sight;
mod table;
mod tell;
#[cfg(test)]
mod tests;

use self::alert::Alert;
use self::doors::Happened;
pub(super) use self::memory::{Memory, Saved};
use self::memory::{Phase, Stop};
use self::sensor::Window;
pub(super) use self::sight::Sight;
use super::Outbox;
use super::heat::Outside;
use super::settings::ChildSettings;
use crate::clock::{Boot, Stamp, Wall};
use crate::event::{ChildStage, Confidence, EventId, Meanwhile};
use crate::feed::ChildNow;
use crate::vehicle::{Signal, seconds};

/// One input leads through fewer rows of the table than this.
const ROWS_AT_MOST: usize = 8;

/// The watch.
#[derive(Clone, Debug)]
pub(super) struct Child {
    settings: ChildSettings,
    memory: Memory,
    window: Window,
    restarted: bool,
}

impl Child {
    pub(super) fn new(settings: ChildSettings) -> Child {
        Child { settings, memory: Memory::default(), window: Window::default(), restarted: false }
    }

    /// Goes on with other numbers.
    pub(super) fn retune(&mut self, settings: ChildSettings) {
        self.settings = settings;
    }

    pub(super) fn save(&self) -> Saved {
        Saved { memory: self.memory.clone(), window: self.window.clone(), restarted: self.restarted }
    }

    pub(super) fn load(&mut self, Saved { memory, window, restarted }: Saved) {
        (self.memory, self.window, self.restarted) = (memory, window, restarted);
    }

    /// What a power cut must not lose.
    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Goes on from what a power cut left; all times are on this boot's scale.
    pub(super) fn restore(&mut self, memory: Memory) {
        self.window = memory.sensor.window();
        self.memory = memory;
    }

    /// State was there and could not be read: as if a rear door had been used, until one is.
    pub(super) fn restore_blind(&mut self) {
        *self = Child::new(self.settings.clone());
        self.memory.marks.blind = true;
    }

    /// The daemon starts anew: a running alert says so at once.
    pub(super) fn restarted(&mut self) {
        self.restarted = true;
    }

    /// The speeds, km/h, by which the watch tells that somebody drives or tows.
    pub(super) fn speed_marks(&self) -> [f64; 2] {
        [self.settings.returned_kmh, alert::TOWED_KMH]
    }

    /// Whether the next yes of the rear-occupant sensor counts, though it be only one more.
    pub(super) fn awaits_yes(&self) -> bool {
        self.memory.sensor.awaits_yes()
    }

    /// Sees, and does what the table says.
    pub(super) fn step(&mut self, sight: &Sight, out: &mut Outbox) {
        let now = sight.now;
        if self.memory.since.is_none() {
            self.memory.since = Some(now);
            self.memory.stop = Stop { driver_used: Some(now), ..Stop::begin(now, now) };
        }
        let mut happened = self.see(sight);
        self.see_speed(sight);
        if std::mem::take(&mut self.restarted) {
            self.resume(sight, out);
        }
        for _ in 0..ROWS_AT_MOST {
            let Some(next) = self.row(sight, &mut happened, out) else { break };
            self.enter(now, next);
        }
        self.see_speed(sight);
    }

    fn enter(&mut self, now: Boot, phase: Phase) {
        self.memory.phase = phase;
        self.memory.since = Some(now);
    }

    /// Brings doors, sensor, seats and belts up to date, whatever the state.
    fn see(&mut self, sight: &Sight) -> Happened {
        let now = sight.now;
        let driving = self.memory.phase == Phase::Driving;
        let Memory { phase, stop, doors, marks, sensor, .. } = &mut self.memory;
        sensor.hear(sight, &mut self.window, &self.settings);
        let happened = doors.see(sight, (!driving).then_some(stop.at), seconds(self.settings.rear_used_s));
        if let Some((door, moment)) = happened.rear_used {
            if driving {
                marks.loaded(door);
            } else {
                stop.rear_used = true;
                marks.emptied(moment);
            }
            if sight.ignition != Some(true) {
                sensor.release(now, &mut self.window);
            }
        }
        marks.see(sight, doors, driving, stop.rear_used);
        if !driving && sight.driver != Some(false) {
            stop.driver_used.get_or_insert(now);
        }
        let (Phase::Alert(alert) | Phase::Snoozed { alert, .. }) = phase else { return happened };
        alert.driver_opened |= happened.driver_opened;
        if happened.unlocked {
            alert.note(Meanwhile::Unlocked);
        }
        alert.note_now(sight);
        happened
    }

    /// Since when somebody drives in an alert: known after each step, whatever the step led to, so that the next one
    /// need not come before anything happens.
    fn see_speed(&mut self, sight: &Sight) {
        let fast = sight.speed().is_some_and(|speed| speed > self.settings.returned_kmh);
        let drives = self.running().is_some() && fast && sight.ignition != Some(false);
        self.memory.fast = if drives { self.memory.fast.or(Some(sight.now)) } else { None };
    }

    /// In an alert the first event after a restart comes at once; no timer moves for it.
    fn resume(&mut self, sight: &Sight, out: &mut Outbox) {
        if !matches!(self.memory.phase, Phase::Alert(_)) {
            return;
        }
        let Some(mut alert) = self.take_alert() else { return };
        let due = alert.repeat_due(&self.settings).filter(|(due, _)| *due <= sight.now);
        self.tell_again(sight, &mut alert, ChildStage::Repeated, true, out);
        if due.is_some() {
            alert.told = sight.now;
        }
        self.memory.phase = Phase::Alert(alert);
    }

    fn take_alert(&mut self) -> Option<Alert> {
        match std::mem::take(&mut self.memory.phase) {
            Phase::Alert(alert) | Phase::Snoozed { alert, .. } => Some(alert),
            other => {
                self.memory.phase = other;
                None
            }
        }
    }

    /// The strongest class of evidence that says yes.
    fn class(&self, sight: &Sight) -> Option<Confidence> {
        self.strong_class(sight).or_else(|| self.memory.marks.inferred().then_some(Confidence::Inferred))
    }

    /// The same within an alert, where a healthy sensor that sees every rear seat overrules a door.
    fn class_in_alert(&self, sight: &Sight) -> Option<Confidence> {
        let inferred = self.memory.marks.inferred() && !sight.covered;
        self.strong_class(sight).or_else(|| inferred.then_some(Confidence::Inferred))
    }

    fn strong_class(&self, sight: &Sight) -> Option<Confidence> {
        if self.window.says_yes(sight.now, &self.settings) {
            return Some(Confidence::Direct);
        }
        self.memory.marks.occupancy(sight).then_some(Confidence::Occupancy)
    }

    /// What an estimate of the heat starts from.
    fn outside(&self) -> Option<Outside> {
        let Stop { at, outside, .. } = self.memory.stop;
        outside.map(|celsius| Outside { stop: at, celsius })
    }

    /// The outside temperature now, or as last known in the last 10 min: its bus may have died before the stop was told.
    fn outside_at(&self, sight: &Sight) -> Option<f64> {
        let oldest = sight.now.before(seconds(self.settings.before_drive_s));
        let (value, at, _) = sight.state.ever(Signal::ExteriorAirTemperature)?;
        value.as_number().filter(|_| at >= oldest)
    }

    /// When next something is due without any input.
    pub(super) fn deadline(&self, sight: &Sight) -> Option<Boot> {
        let Memory { phase, since, stop, doors, fast, .. } = &self.memory;
        let settings = &self.settings;
        let parked_at = (*phase != Phase::Driving).then_some(stop.at);
        let by_state: [Option<Boot>; 3] = match phase {
            Phase::Driving => [None; 3],
            Phase::Parked => [self.class(sight).and_then(|class| self.alert_due(sight, class)), None, None],
            Phase::Alert(alert) => {
                let repeat = alert.repeat_due(settings).map(|(due, _)| due);
                [alert.escalation_due(settings), alert.expiry_due(settings), repeat]
            }
            Phase::Snoozed { until, .. } => [Some(*until), self.outside().and_then(|outside| outside.hot_at(settings)), None],
            Phase::Answered => [since.map(|since| since + seconds(settings.again_s)), None, None],
        };
        let over = [
            self.running().and_then(|alert| self.clear_due(alert, sight)),
            fast.map(|since| since + seconds(settings.returned_s)),
            self.window.next_change(sight.now, settings),
        ];
        let doors = doors.deadline(parked_at, seconds(settings.rear_used_s));
        let all = by_state.into_iter().chain(over).flatten().chain(doors);
        all.filter(|due| *due > sight.now).min()
    }

    /// The first event of the alert that runs.
    pub(super) fn alert(&self) -> Option<EventId> {
        self.running().map(|alert| alert.first)
    }

    /// The watch as it is now, for people.
    pub(super) fn now(&self, stamp: Stamp, sight: &Sight) -> ChildNow {
        let state = match self.memory.phase {
            Phase::Driving => "driving",
            Phase::Parked => "parked",
            Phase::Alert(_) => "alert",
            Phase::Snoozed { .. } => "snoozed",
            Phase::Answered => "answered",
        };
        let wall =
            |at: Boot| Wall::from_micros(stamp.wall.micros().saturating_sub(stamp.boot.micros().saturating_sub(at.micros())));
        let driving = self.memory.phase == Phase::Driving;
        let outside = self.outside().filter(|_| !driving);
        ChildNow {
            state: state.to_owned(),
            stage: self.running().map(|alert| alert.stage),
            confidence: self.class(sight),
            since: self.memory.since.map(|since| wall(since).to_string()),
            event_id: self.running().map(|alert| alert.last),
            cabin: sight.warmth(outside, &self.settings).map(|warmth| warmth.cabin()),
        }
    }
}

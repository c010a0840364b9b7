//! Doors and lock as the watch remembers them: since when they are closed, which were used, and when.
//!
//! The driver's door is *used* by any opening after the stop, by being open at it, or by being unknown: who cannot see a
//! door must reckon that somebody went through it. A rear door is *used* when it has been open for 2 s, and once more
//! 2 s after the stop if it is open then.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sight::Sight;
use crate::clock::Boot;
use crate::vehicle::cabin::REAR_DOORS;

/// All doors and the lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Doors {
    /// The driver's door is open.
    driver: Option<bool>,
    /// When the driver's door, open or unknown before, was last seen to be closed.
    driver_shut: Option<Boot>,
    /// The rear doors.
    rear: [RearDoor; REAR_DOORS.len()],
    /// Since when all doors are closed.
    pub(super) closed: Option<Boot>,
    /// Locked.
    pub(super) locked: bool,
    /// Since when it is so.
    pub(super) lock_since: Boot,
}

/// A rear door.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct RearDoor {
    /// Since when it is open.
    open: Option<Boot>,
    /// Whether this opening has lasted long enough.
    counted: bool,
    /// Whether this opening counted after the stop.
    after_stop: bool,
    /// When an opening last had lasted long enough.
    used: Option<Boot>,
    /// When that opening ended; `None` while it lasts.
    shut: Option<Boot>,
}

/// What was seen to happen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Happened {
    /// The driver's door came open.
    pub(super) driver_opened: bool,
    /// A rear door was used: which, and at which moment.
    pub(super) rear_used: Option<(u8, Boot)>,
    /// The car was unlocked and no door is open.
    pub(super) unlocked: bool,
}

impl Default for Doors {
    fn default() -> Doors {
        let start = Boot::from_micros(i64::MIN);
        Doors {
            driver: None,
            driver_shut: None,
            rear: [RearDoor::default(); REAR_DOORS.len()],
            closed: None,
            locked: false,
            lock_since: start,
        }
    }
}

impl Doors {
    /// Takes in what is seen; `stop` is the stop's moment while the car is not driving.
    pub(super) fn see(&mut self, sight: &Sight, stop: Option<Boot>, least: Duration) -> Happened {
        let now = sight.now;
        let mut happened = Happened::default();
        if sight.driver != self.driver {
            happened.driver_opened = sight.driver == Some(true);
            if sight.driver == Some(false) {
                self.driver_shut = Some(now);
            }
            self.driver = sight.driver;
        }
        for (number, (door, open)) in (0_u8..).zip(self.rear.iter_mut().zip(sight.rear)) {
            if let Some(moment) = door.see(now, open, stop, least) {
                happened.rear_used = Some((number, moment));
            }
        }
        self.closed = if sight.open { None } else { self.closed.or(Some(now)) };
        let locked = sight.lock == Some(true);
        if locked != self.locked {
            happened.unlocked = sight.lock == Some(false) && !sight.open;
            self.locked = locked;
            self.lock_since = now;
        }
        happened
    }

    /// Whether the driver's door was used at or since `stop`, which it took until now to tell.
    pub(super) fn driver_used(&self, stop: Boot) -> bool {
        self.driver != Some(false) || self.driver_shut.is_some_and(|shut| shut > stop)
    }

    /// A stop began at `stop`. Where it took a while to tell: the moment at which a rear door was used since.
    pub(super) fn stop(&mut self, stop: Boot, now: Boot, least: Duration) -> Option<Boot> {
        let mut moment = None;
        for door in &mut self.rear {
            let used = door.used_since(stop, now, least);
            door.after_stop = used.is_some() && door.open.is_some();
            moment = moment.max(used);
        }
        moment
    }

    /// The rear door whose use ended last, or goes on at `now`, and when that is.
    pub(super) fn last_use(&self, now: Boot) -> Option<(u8, Boot)> {
        let uses = (0_u8..).zip(&self.rear).filter_map(|(number, door)| Some((number, door.used.and(door.end(now))?)));
        uses.max_by_key(|(_, end)| *end)
    }

    /// When the use of this rear door ended.
    pub(super) fn use_of(&self, number: u8, now: Boot) -> Option<Boot> {
        self.rear.get(usize::from(number)).and_then(|door| door.used.and(door.end(now)))
    }

    /// When next an open rear door has been open for long enough.
    pub(super) fn deadline(&self, stop: Option<Boot>, least: Duration) -> impl Iterator<Item = Boot> {
        self.rear.iter().filter_map(move |door| door.due(stop, least))
    }

    pub(super) fn shift(&mut self, micros: i64) {
        let Doors { driver: _, driver_shut, rear, closed, locked: _, lock_since } = self;
        for time in [driver_shut, closed].into_iter().flatten() {
            *time = time.shifted(micros);
        }
        *lock_since = lock_since.shifted(micros);
        for RearDoor { open, counted: _, after_stop: _, used, shut } in rear {
            for time in [open, used, shut].into_iter().flatten() {
                *time = time.shifted(micros);
            }
        }
    }
}

impl RearDoor {
    /// Takes in whether it is open; the moment at which it was used, if it came by now.
    fn see(&mut self, now: Boot, open: bool, stop: Option<Boot>, least: Duration) -> Option<Boot> {
        if open {
            self.open.get_or_insert(now);
        }
        let moment = self.due(stop, least).filter(|moment| now >= *moment);
        if let Some(moment) = moment {
            self.after_stop = stop.is_some();
            if !self.counted {
                self.counted = true;
                self.used = Some(moment);
                self.shut = None;
            }
        }
        if !open && self.open.is_some() {
            if self.counted {
                self.shut = Some(now);
            }
            *self = RearDoor { open: None, counted: false, after_stop: false, ..*self };
        }
        moment
    }

    /// When the opening that lasts will be a use, or after the stop a use again.
    fn due(&self, stop: Option<Boot>, least: Duration) -> Option<Boot> {
        let ripe = self.open? + least;
        match stop {
            _ if !self.counted => Some(ripe),
            Some(stop) if !self.after_stop => Some(ripe.max(stop + least)),
            _ => None,
        }
    }

    /// When the last use ended; `now` while it lasts.
    fn end(&self, now: Boot) -> Option<Boot> {
        if self.counted { Some(now) } else { self.shut }
    }

    /// The moment at which it was used since `stop`.
    fn used_since(&self, stop: Boot, now: Boot, least: Duration) -> Option<Boot> {
        let used = self.used?;
        if used > stop {
            return Some(used);
        }
        (self.end(now)? >= stop + least).then_some(stop + least)
    }
}

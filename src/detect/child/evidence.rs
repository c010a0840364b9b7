//! What speaks for a child in the car, strongest first.
//!
//! - *direct*: the rear-occupant sensor ([`super::sensor`]);
//! - *occupancy*: a rear seat that is occupied, where that changed during the drive or in the 10 min before it, or with a
//!   rear door used then; or a rear belt that is closed and was closed in that time. A belt closed for months is no
//!   evidence. A belt's evidence is gone once a rear door is used after the stop, until the belt is closed anew; a belt
//!   of which nobody knows is as it last was;
//! - *inferred*: a rear door was used in the 10 min before the ignition came on, or during the drive. It is carried over
//!   a stop in which no rear door was used, and gone once one is used after the stop.

use serde::{Deserialize, Serialize};

use super::doors::Doors;
use super::sight::Sight;
use crate::clock::Boot;
use crate::vehicle::cabin::{REAR_BELTS, REAR_SEATS};

/// What is remembered of seats, belts and rear doors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Marks {
    /// Seats that count when occupied.
    pub(super) seats: [Mark; REAR_SEATS.len()],
    /// Belts whose closing counts.
    pub(super) belts: [Mark; REAR_BELTS.len()],
    /// The rear door whose use counts.
    pub(super) door: Option<u8>,
    /// State was there and could not be read: as if a rear door had been used.
    pub(super) blind: bool,
}

/// A seat or a belt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The last value ever known: occupied, closed.
    last: Option<bool>,
    /// When it last became so; the first value ever seen is no change.
    pub(super) changed: Option<Boot>,
    /// Whether that counts.
    pub(super) counts: bool,
}

impl Mark {
    /// Takes in a value; whether it has just become true.
    fn see(&mut self, now: Boot, value: Option<bool>) -> bool {
        let Some(value) = value else { return false };
        let became = value && self.last == Some(false);
        self.last = Some(value);
        if became {
            self.changed = Some(now);
        }
        became
    }

    /// Whether a belt counts: an open one does not, though its closing may.
    pub(super) fn holds(&self) -> bool {
        self.counts && self.last == Some(true)
    }

    fn changed_since(&self, begin: Boot) -> bool {
        self.changed.is_some_and(|changed| changed >= begin)
    }
}

impl Marks {
    /// Takes in seats and belts, during a drive or at a stop. `emptied`: a rear door was used since the stop.
    pub(super) fn see(&mut self, sight: &Sight, driving: bool, emptied: bool) {
        for (seat, occupied) in self.seats.iter_mut().zip(sight.seats) {
            seat.counts |= seat.see(sight.now, occupied) && driving;
        }
        for (belt, closed) in self.belts.iter_mut().zip(sight.belts) {
            belt.counts |= belt.see(sight.now, closed) && (driving || emptied);
        }
    }

    /// The ignition came on. What stands, stays; what happened since `begin` comes to it.
    pub(super) fn drive(&mut self, sight: &Sight, doors: &Doors, begin: Boot) {
        let recent = doors.last_use(sight.now).filter(|(_, end)| *end >= begin);
        for (seat, occupied) in self.seats.iter_mut().zip(sight.seats) {
            let kept = seat.counts && occupied != Some(false);
            seat.counts = kept || seat.changed_since(begin) || recent.is_some();
        }
        for belt in &mut self.belts {
            belt.counts = belt.last == Some(true) && (belt.counts || belt.changed_since(begin));
        }
        self.door = recent.map(|(number, _)| number).or(self.door);
        self.blind = false;
    }

    /// A rear door was used during the drive.
    pub(super) fn loaded(&mut self, door: u8) {
        self.door = Some(door);
        self.blind = false;
        for seat in &mut self.seats {
            seat.counts = true;
        }
    }

    /// A rear door was used at `moment`, after the stop.
    pub(super) fn emptied(&mut self, moment: Boot) {
        self.door = None;
        self.blind = false;
        for belt in &mut self.belts {
            belt.changed = belt.changed.filter(|closed| *closed > moment);
            belt.counts &= belt.changed.is_some();
        }
    }

    pub(super) fn occupancy(&self, sight: &Sight) -> bool {
        let occupied = self.seats.iter().zip(sight.seats).any(|(seat, now)| seat.counts && now == Some(true));
        occupied || self.belts.iter().any(Mark::holds)
    }

    pub(super) fn inferred(&self) -> bool {
        self.door.is_some() || self.blind
    }

    pub(super) fn shift(&mut self, micros: i64) {
        for mark in self.seats.iter_mut().chain(&mut self.belts) {
            if let Some(changed) = &mut mark.changed {
                *changed = changed.shifted(micros);
            }
        }
    }
}

//! What speaks for a child in the car, strongest first.
//!
//! - *direct*: the rear-occupant sensor ([`super::sensor`]);
//! - *occupancy*: a rear seat that is occupied, where that changed during the drive or in the 10 min before it, or with a
//!   rear door used then; it is carried over a stop in which no rear door was used. Or a rear belt that was closed in
//!   that time, though it be opened since: a child opens its own. A belt closed for months is no evidence. A belt's
//!   evidence is gone, until the belt is closed anew, once a rear door is used after the stop, and once one is used,
//!   during the drive too, when the belt was opened or later: who got out left it open. A belt of which nobody knows is
//!   as it last was;
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
    /// When it last became the contrary.
    #[serde(default)]
    pub(super) ended: Option<Boot>,
    /// Whether that counts.
    pub(super) counts: bool,
}

impl Mark {
    /// Takes in a value; whether it has just become true.
    fn see(&mut self, now: Boot, value: Option<bool>) -> bool {
        let Some(value) = value else { return false };
        let before = self.last.replace(value).unwrap_or(value);
        match (before, value) {
            (false, true) => self.changed = Some(now),
            (true, false) => self.ended = Some(now),
            _ => {}
        }
        value && !before
    }

    /// A rear door was last used until `used`: an open belt was left if it was opened by then.
    fn leave(&mut self, used: Boot) {
        self.counts &= self.last == Some(true) || self.ended.is_some_and(|opened| opened > used);
    }

    /// When it was last known to be so, where that is known.
    pub(super) fn last_so(&self) -> Option<Boot> {
        if self.last == Some(true) { self.changed } else { self.ended }
    }

    fn changed_since(&self, begin: Boot) -> bool {
        self.changed.is_some_and(|changed| changed >= begin)
    }
}

impl Marks {
    /// Takes in seats and belts, during a drive or at a stop. `emptied`: a rear door was used since the stop.
    pub(super) fn see(&mut self, sight: &Sight, doors: &Doors, driving: bool, emptied: bool) {
        for (seat, occupied) in self.seats.iter_mut().zip(sight.seats) {
            seat.counts |= seat.see(sight.now, occupied) && driving;
        }
        for (belt, closed) in self.belts.iter_mut().zip(sight.belts) {
            belt.counts |= belt.see(sight.now, closed) && (driving || emptied);
        }
        self.leave(sight, doors);
    }

    /// Who gets out through a rear door leaves an open belt behind.
    fn leave(&mut self, sight: &Sight, doors: &Doors) {
        if let Some((_, used)) = doors.last_use(sight.now) {
            self.belts.iter_mut().for_each(|belt| belt.leave(used));
        }
    }

    /// The ignition came on. What stands, stays, seats only if no rear door was used at the stop (`emptied`); what
    /// happened since `begin` comes to it.
    pub(super) fn drive(&mut self, sight: &Sight, doors: &Doors, begin: Boot, emptied: bool) {
        let recent = doors.last_use(sight.now).filter(|(_, end)| *end >= begin);
        for (seat, occupied) in self.seats.iter_mut().zip(sight.seats) {
            let kept = seat.counts && !emptied && occupied != Some(false);
            seat.counts = kept || seat.changed_since(begin) || recent.is_some();
        }
        for belt in &mut self.belts {
            belt.counts |= belt.changed_since(begin);
        }
        self.leave(sight, doors);
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
        occupied || self.belts.iter().any(|belt| belt.counts)
    }

    pub(super) fn inferred(&self) -> bool {
        self.door.is_some() || self.blind
    }

    pub(super) fn shift(&mut self, micros: i64) {
        for mark in self.seats.iter_mut().chain(&mut self.belts) {
            for time in [&mut mark.changed, &mut mark.ended].into_iter().flatten() {
                *time = time.shifted(micros);
            }
        }
    }
}

//! How fast an answer may come, by what the bus has room for: STmin (ISO 15765-2, 9.6.5.4).
//!
//! An answer that fits as a whole comes as fast as its ECU can (for OBD, ISO 15765-4 wants it so). A longer one comes just so
//! slowly that no 10 s hold more of it than there is room for; the longest STmin, 127 ms, makes that 79 frames. One that
//! would be too much even so is refused, before it begins: by Overflow.

use std::time::Duration;

use crate::diagnostics::bits::bits_of;

/// The longest STmin, in ms.
const SLOWEST: u8 = 127;
/// The window in which bits are counted, in ms.
const WINDOW: u32 = 10_000;
/// Frames of 10 s at the longest STmin.
const FEWEST: u32 = WINDOW.div_ceil(SLOWEST as u32);
/// Beside its consecutive frames an answer has a first one and takes flow control.
const BESIDE: u32 = 2;

/// What an exchange may take of the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bits of any 10 s.
    pub bits: u32,
    /// ECUs that may answer.
    pub ecus: u8,
}

impl Room {
    /// As much as there is.
    pub const ANY: Room = Room { bits: u32::MAX, ecus: 1 };
    /// From one consecutive frame to the next, at the longest STmin.
    pub const SLOWEST: Duration = Duration::from_millis(SLOWEST as u64);

    /// Bits of 10 s of the slowest answer that can be asked for, with its question.
    pub fn least(extended: bool) -> u32 {
        (FEWEST + BESIDE + 1) * bits_of(extended, 8)
    }

    /// The STmin with which answers of any length fit in, one of each ECU; the longest where none is long enough. For those
    /// who cannot wait for the length: the kernel wants to be told it beforehand.
    pub fn separation(self, extended: bool, frame_length: usize) -> u8 {
        let each = self.bits / u32::from(self.ecus.max(1)) / bits_of(extended, frame_length);
        separation(each.saturating_sub(BESIDE)).unwrap_or(SLOWEST)
    }
}

/// The shortest STmin, in ms, with which no 10 s hold more than so many frames.
fn separation(frames: u32) -> Option<u8> {
    u8::try_from(WINDOW.checked_div(frames)? + u32::from(WINDOW % frames > 0)).ok().filter(|ms| *ms <= SLOWEST)
}

/// What is left for the answers of an exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    left: u32,
    /// Others may want their part.
    several: bool,
}

impl Pace {
    pub(super) const fn new(bits: u32, several: bool) -> Pace {
        Pace { left: bits, several }
    }

    /// So many bits were taken.
    pub(super) const fn take(&mut self, bits: u32) {
        self.left = self.left.saturating_sub(bits);
    }

    /// Takes the part of an answer that has a first frame of these bits, and so many consecutive ones: the STmin that it
    /// needs, 0 where it needs none; `None` where it has to be refused.
    pub(super) fn grant(&mut self, bits: u32, frames: u32) -> Option<u8> {
        let left = self.left / bits;
        if frames.saturating_add(BESIDE) <= left {
            self.take(bits.saturating_mul(frames + BESIDE));
            return Some(0);
        }
        let most = left.checked_sub(BESIDE)?;
        let part = if self.several { (most / 2).max(FEWEST).min(most) } else { most };
        let separation = separation(part)?;
        self.take(bits.saturating_mul(part + BESIDE));
        Some(separation)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fits_comes_as_fast_as_it_can_and_what_does_not_is_slowed_or_refused() {
        let grant = |bits, frames| Pace::new(bits, false).grant(135, frames);
        assert_eq!(grant(50_000, 343), Some(0), "600 codes, 2,403 bytes, and nothing else");
        assert_eq!(grant(25_000, 343), Some(55), "183 frames in 10 s");
        assert_eq!([grant(81 * 135, 343), grant(81 * 135 - 1, 343), grant(0, 1)], [Some(127), None, None]);
        assert_eq!(Room { bits: 25_000, ecus: 1 }.separation(false, 8), 55);
        assert_eq!([2, 3].map(|ecus| Room { bits: 25_000, ecus }.separation(false, 8)), [112, 127]);
        assert_eq!([Room::least(false), Room::least(true)], [82 * 135, 82 * 160]);
        assert_eq!(Room::ANY.separation(false, 8), 1);
    }

    #[test]
    fn of_several_long_answers_each_has_its_part() {
        let mut pace = Pace::new(40_000, true);
        let granted = [pace.grant(135, 585), pace.grant(135, 585), pace.grant(135, 10), pace.grant(135, 585)];
        assert_eq!(granted, [Some(69), Some(127), Some(0), None]);
    }

    proptest! {
        /// Frames that are as far apart as was asked for, in the fullest 10 s.
        #[test]
        fn no_ten_seconds_hold_more_than_there_is_room_for(
            room in 0_u32..60_000,
            several: bool,
            answers in prop::collection::vec((prop_oneof![Just(135_u32), Just(160)], 1_u32..600), 1..8),
        ) {
            let mut pace = Pace::new(room, several);
            let mut taken = 0;
            for (bits, frames) in answers {
                if let Some(separation) = pace.grant(bits, frames) {
                    let fullest = WINDOW.checked_div(separation.into()).map_or(frames, |_| frames.min(WINDOW.div_ceil(separation.into())));
                    taken += (fullest + BESIDE) * bits;
                }
            }
            prop_assert!(taken <= room, "{taken}");
        }
    }
}

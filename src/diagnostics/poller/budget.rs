//! How much of a bus we may take: what we send and what is answered to us, in bits, averaged over any 10 s.
//!
//! A frame is counted with the most bits that stuffing can add: 135 for 8 bytes under an 11 bit id, 160 under one of 29 bits.

use std::time::Duration;

use crate::clock::Boot;

/// 1 % of 500 kbit/s over 10 s.
pub const MOST_BITS: u32 = 50_000;
/// What OBD-II and UDS may take of it on a bus where J1939 is asked as well.
pub const BESIDE_J1939: u32 = 30_000;
/// What J1939 may take where OBD-II is asked as well.
pub const BESIDE_OBD: u32 = MOST_BITS - BESIDE_J1939;

/// 10 s, and one more for the part of it that has begun.
const SLICES: usize = 101;
const SLICE_MICROS: i64 = 100_000;

/// Bits of the last 10 s, in slices of 0.1 s.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Bits of 10 s.
    most: u32,
    slices: [u32; SLICES],
    /// The number of the newest slice since boot.
    newest: i64,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget::of(MOST_BITS)
    }
}

impl Budget {
    /// What is averaged over.
    pub const WINDOW: Duration = Duration::from_secs(10);

    /// One of so many bits in 10 s.
    pub fn of(most: u32) -> Budget {
        Budget { most, slices: [0; SLICES], newest: 0 }
    }

    /// These bits were on the bus because of us.
    pub fn spend(&mut self, now: Boot, bits: u32) {
        self.advance(now);
        if let Some(slice) = self.slice(self.newest) {
            *slice = slice.saturating_add(bits);
        }
    }

    /// Bits of the last 10 s.
    pub fn spent(&mut self, now: Boot) -> u32 {
        self.advance(now);
        self.slices.iter().fold(0, |sum, bits| sum.saturating_add(*bits))
    }

    /// Bits that there is room for.
    pub fn room(&mut self, now: Boot) -> u32 {
        self.most.saturating_sub(self.spent(now))
    }

    /// Bits of 10 s that it allows.
    pub const fn most(&self) -> u32 {
        self.most
    }

    /// Whether there is room for so many; more than there is ever room for fit when nothing was spent.
    pub fn allows(&mut self, now: Boot, bits: u32) -> bool {
        self.spent(now).saturating_add(bits.min(self.most)) <= self.most
    }

    /// When to ask again where there was no room: the next slice.
    pub fn next(now: Boot) -> Boot {
        Boot::from_micros((now.micros().div_euclid(SLICE_MICROS) + 1).saturating_mul(SLICE_MICROS))
    }

    fn advance(&mut self, now: Boot) {
        let number = now.micros().div_euclid(SLICE_MICROS);
        // Time does not run backwards; were it to, all counts as of now.
        let gone = number.saturating_sub(self.newest).clamp(0, SLICES as i64);
        for step in 1..=gone {
            if let Some(slice) = self.slice(self.newest.saturating_add(step)) {
                *slice = 0;
            }
        }
        if gone == SLICES as i64 {
            self.slices = [0; SLICES];
        }
        self.newest = self.newest.max(number);
    }

    fn slice(&mut self, number: i64) -> Option<&mut u32> {
        self.slices.get_mut(usize::try_from(number.rem_euclid(SLICES as i64)).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Boot {
        Boot::from_micros(millis * 1000)
    }

    #[test]
    fn what_is_ten_seconds_old_is_forgotten() {
        let mut budget = Budget::default();
        budget.spend(at(50), MOST_BITS - 100);
        assert!(budget.allows(at(9_999), 100) && !budget.allows(at(9_999), 101));
        assert!(!budget.allows(at(10_050), 101), "the window is rounded up");
        assert!(budget.allows(at(10_100), MOST_BITS));
    }

    proptest! {
        #[test]
        fn no_ten_seconds_hold_more_than_was_allowed(spends in proptest::collection::vec((0_i64..3000, 1_u32..20_000), 1..200)) {
            let (mut budget, mut now, mut taken) = (Budget::default(), 0, Vec::new());
            for (wait, bits) in spends {
                now += wait;
                if budget.allows(at(now), bits) {
                    budget.spend(at(now), bits);
                    taken.push((now, bits));
                }
                let window: u32 = taken.iter().filter(|(then, _)| now - then < 10_000).map(|(_, bits)| bits).sum();
                prop_assert!(window <= MOST_BITS, "{window}");
            }
        }
    }
}

//! How often something comes, learnt from when it came.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Gaps kept.
const GAPS: usize = 16;
/// A longer gap is a pause, not a period.
pub(super) const LONGEST: Duration = Duration::from_secs(5);
/// The same of what is asked for, now and then.
pub(super) const LONGEST_POLLED: Duration = Duration::from_secs(120);
/// With fewer gaps the period is not known.
const FEWEST: usize = 4;

/// The last 16 gaps between arrivals; gaps over 5 s are left out, of what is polled over 2 min.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Period {
    /// µs, a ring once full.
    gaps: heapless::Vec<u32, GAPS>,
    /// Where the next gap goes once full.
    next: u8,
}

impl Period {
    /// Another arrival came `gap` after the one before; one over `longest` is a pause. Two at one moment are one arrival.
    pub fn push(&mut self, gap: Duration, longest: Duration) {
        if gap.is_zero() || gap > longest {
            return;
        }
        let micros = u32::try_from(gap.as_micros()).unwrap_or(u32::MAX);
        if self.gaps.push(micros).is_err() {
            if let Some(slot) = self.gaps.get_mut(usize::from(self.next)) {
                *slot = micros;
            }
            self.next = (self.next + 1) % GAPS as u8;
        }
    }

    /// Whether the median is known, and surely no longer than `most`: that is cheaper to tell than the median.
    pub fn within(&self, most: Duration) -> bool {
        let most = u32::try_from(most.as_micros()).unwrap_or(u32::MAX);
        self.gaps.len() >= FEWEST && self.gaps.iter().all(|gap| *gap <= most)
    }

    /// The longest gap, however few there are.
    pub fn longest(&self) -> Option<Duration> {
        self.gaps.iter().max().map(|gap| Duration::from_micros(u64::from(*gap)))
    }

    /// The median gap; `None` before four are known.
    pub fn median(&self) -> Option<Duration> {
        if self.gaps.len() < FEWEST {
            return None;
        }
        let mut sorted = self.gaps.clone();
        let middle = sorted.len() / 2;
        let (_, median, _) = sorted.select_nth_unstable(middle);
        Some(Duration::from_micros(u64::from(*median)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_the_last_sixteen_gaps_counts_and_pauses_do_not() {
        let mut period = Period::default();
        for _ in 0..3 {
            period.push(Duration::from_millis(100), LONGEST);
        }
        period.push(Duration::from_secs(6), LONGEST);
        period.push(Duration::ZERO, LONGEST);
        assert_eq!(period.median(), None, "three gaps, a pause and a twin");
        period.push(Duration::from_millis(300), LONGEST);
        assert_eq!(period.median(), Some(Duration::from_millis(100)));
        for _ in 0..16 {
            period.push(Duration::from_secs(1), LONGEST);
        }
        assert_eq!(period.median(), Some(Duration::from_secs(1)), "older gaps are forgotten");
    }
}

//! A metered link: so many bytes a day.
//!
//! A day is one of UTC, by the wall clock; while that is unset, what counts is what was sent since the last start. Child,
//! geofence and diagnosis events are counted and never wait. What was spent outlives a restart.

use serde::{Deserialize, Serialize};

use crate::clock::{Stamp, TimeSource};

/// What was spent, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Spent {
    /// Days of UTC since the Unix epoch; `None` while the clock is unset.
    day: Option<i64>,
    bytes: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Budget {
    limit: Option<u64>,
    now: Spent,
    /// What an earlier run left, until the clock tells whether that was today.
    before: Option<Spent>,
}

const DAY_US: i64 = 86_400_000_000;

impl Budget {
    /// Of `limit` bytes a day; `row` is what an earlier run left.
    pub fn new(limit: Option<u64>, row: Option<&[u8]>) -> Budget {
        Budget { limit, now: Spent::default(), before: row.and_then(|row| serde_json::from_slice(row).ok()) }
    }

    /// It is now so late. A day that ended is forgotten. Where the clock goes back, what was spent stays.
    pub fn tick(&mut self, stamp: Stamp) {
        if stamp.source == TimeSource::Unset {
            return;
        }
        let today = stamp.wall.micros().div_euclid(DAY_US);
        if self.now.day.is_some_and(|day| day < today) {
            self.now.bytes = 0;
        }
        self.now.day = Some(today);
        if let Some(before) = self.before.take().filter(|before| before.day.is_none_or(|day| day >= today)) {
            self.now.bytes = self.now.bytes.saturating_add(before.bytes);
        }
    }

    /// So many bytes went out.
    pub fn spend(&mut self, bytes: u64) {
        self.now.bytes = self.now.bytes.saturating_add(bytes);
    }

    /// What is left of the day's; `None` where there is no limit.
    pub fn left(&self) -> Option<u64> {
        self.limit.map(|limit| limit.saturating_sub(self.now.bytes))
    }

    /// Whether nothing of the day's was spent.
    pub fn is_whole(&self) -> bool {
        self.now.bytes == 0
    }

    /// What is kept of it; nothing where there is no limit.
    pub fn row(&self) -> Option<Vec<u8>> {
        self.limit.and_then(|_| serde_json::to_vec(&self.now).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;
    use proptest::prelude::*;

    const MIDNIGHT: i64 = 20_504 * DAY_US;

    fn at(micros: i64) -> Stamp {
        Stamp { wall: Wall::from_micros(micros), source: TimeSource::Gnss, ..Stamp::default() }
    }

    #[test]
    fn a_day_begins_anew_at_midnight_utc() {
        let mut budget = Budget::new(Some(100), None);
        budget.tick(at(MIDNIGHT - 1));
        budget.spend(130);
        assert_eq!((budget.left(), budget.is_whole()), (Some(0), false));
        budget.tick(at(MIDNIGHT));
        assert_eq!((budget.left(), budget.is_whole()), (Some(100), true));
    }

    #[test]
    fn a_restart_forgets_nothing_of_the_day() {
        let mut budget = Budget::new(Some(100), None);
        budget.tick(at(MIDNIGHT));
        budget.spend(30);
        let row = budget.row();
        for (now, left) in [(MIDNIGHT + 1, 65), (MIDNIGHT + DAY_US, 95), (MIDNIGHT - DAY_US, 65)] {
            let mut again = Budget::new(Some(100), row.as_deref());
            again.spend(5);
            assert_eq!(again.left(), Some(95), "the clock is unset: since the last start");
            again.tick(at(now));
            assert_eq!(again.left(), Some(left));
        }
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_twice() {
        let mut budget = Budget::new(Some(100), None);
        budget.tick(at(MIDNIGHT));
        budget.spend(70);
        budget.tick(at(MIDNIGHT - 1));
        assert_eq!(budget.left(), Some(30));
        budget.tick(at(MIDNIGHT));
        assert_eq!(budget.left(), Some(100), "a day began");
    }

    #[test]
    fn without_a_limit_nothing_is_kept() {
        let mut budget = Budget::new(None, Some(b"{\"day\":1,\"bytes\":7}"));
        budget.tick(at(MIDNIGHT));
        budget.spend(u64::MAX);
        assert_eq!((budget.left(), budget.row()), (None, None));
    }

    proptest! {
        #[test]
        fn no_row_and_no_clock_makes_it_panic(row: Vec<u8>, micros: Vec<i64>, limit: u64) {
            let mut budget = Budget::new(Some(limit), Some(&row));
            for micros in micros {
                budget.tick(at(micros));
                budget.spend(micros.unsigned_abs());
                prop_assert!(budget.left().is_some_and(|left| left <= limit));
            }
        }
    }
}

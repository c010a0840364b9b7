//! How long to wait after a failure: between 1 s and 300 s, longer and longer and never twice the same, so that vehicles
//! that lost one broker together do not come back to it together.
//!
//! Each wait is drawn between 1 s and three times the one before ("decorrelated jitter"). What was acknowledged, and a new
//! route, begin anew. A child's alert shortens the wait that is on, though not oftener than every 5 s.

use std::time::Duration;

use tokio::time::Instant;

/// The shortest wait.
pub const SHORTEST: Duration = Duration::from_secs(1);

/// The longest.
pub const LONGEST: Duration = Duration::from_secs(300);

/// A child's alert shortens a wait no oftener than this.
const HURRY_EVERY: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub struct Backoff {
    last: Duration,
    /// Of SplitMix64.
    random: u64,
    hurried: Option<Instant>,
}

impl Backoff {
    /// Waits that are drawn from `seed`.
    pub fn new(seed: u64) -> Backoff {
        Backoff { last: SHORTEST, random: seed, hurried: None }
    }

    /// The wait after one more failure.
    pub fn after_failure(&mut self) -> Duration {
        let longest = (self.last * 3).min(LONGEST);
        self.last = SHORTEST + longest.saturating_sub(SHORTEST).mul_f64(self.fraction());
        self.last
    }

    /// Something was acknowledged, or there is a new way.
    pub fn reset(&mut self) {
        self.last = SHORTEST;
    }

    /// A child's alert came up at `now` in a wait that ends at `end`: when it ends now.
    pub fn hurry(&mut self, now: Instant, end: Instant) -> Instant {
        let earliest = self.hurried.map_or(now, |last| now.max(last + HURRY_EVERY)) + SHORTEST;
        if earliest >= end {
            return end;
        }
        self.hurried = Some(earliest);
        earliest
    }

    /// Between 0 and 1.
    fn fraction(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_lie_between_the_shortest_and_three_times_the_last(seed: u64, resets in prop::collection::vec(any::<bool>(), 1..60)) {
            let mut backoff = Backoff::new(seed);
            let mut last = SHORTEST;
            for reset in resets {
                if reset {
                    backoff.reset();
                    last = SHORTEST;
                }
                let wait = backoff.after_failure();
                prop_assert!((SHORTEST..=(last * 3).min(LONGEST)).contains(&wait), "{wait:?} after {last:?}");
                last = wait;
            }
        }
    }

    #[test]
    fn waits_grow_to_minutes_and_two_vehicles_wait_differently() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..200).map(|_| backoff.after_failure()).collect::<Vec<_>>()
        };
        let (one, other) = (waits(1), waits(2));
        assert!(one.iter().skip(20).sum::<Duration>() / 180 > Duration::from_secs(60), "{one:?}");
        assert!(one.iter().zip(&other).all(|(one, other)| one != other));
    }

    #[tokio::test(start_paused = true)]
    async fn a_childs_alert_shortens_a_wait_and_not_oftener_than_every_5_s() {
        let mut backoff = Backoff::new(1);
        let now = Instant::now();
        let (second, far) = (Duration::from_secs(1), now + LONGEST);
        assert_eq!(backoff.hurry(now, now + second / 2), now + second / 2, "it ends sooner anyway");
        assert_eq!(backoff.hurry(now, far), now + second);
        assert_eq!(backoff.hurry(now + second * 2, far), now + second * 7, "5 s after the one before");
        assert_eq!(backoff.hurry(now + second * 60, far), now + second * 61);
    }
}

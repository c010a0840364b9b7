//! How often: token buckets for those who are known, and a count of wrong credentials for those who are not.
//!
//! Both tables hold 1,024 entries; when full, who has been quiet for longest is forgotten.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

use crate::feed::TokenHash;

const ENTRIES: usize = 1024;

/// Token buckets: `burst` at once, `per_second` in the long run.
#[derive(Debug)]
pub(super) struct Buckets<K> {
    per_second: f64,
    burst: f64,
    levels: HashMap<K, (f64, Instant)>,
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    pub(super) fn new(per_second: u32, burst: u32) -> Buckets<K> {
        Buckets { per_second: per_second.into(), burst: burst.into(), levels: HashMap::new() }
    }

    /// Whether one more may pass.
    pub(super) fn take(&mut self, key: &K) -> bool {
        let now = Instant::now();
        if !self.levels.contains_key(key) {
            make_room(&mut self.levels, |(_, at)| *at);
        }
        let (level, at) = self.levels.entry(key.clone()).or_insert((self.burst, now));
        *level = (*level + now.duration_since(*at).as_secs_f64() * self.per_second).min(self.burst);
        *at = now;
        let passes = *level >= 1.0;
        if passes {
            *level -= 1.0;
        }
        passes
    }
}

/// How many wrong credentials within [`WINDOW`] close an address out, for as long again.
const WRONG: usize = 10;
const WINDOW: Duration = Duration::from_secs(60);

/// Enough of a credential's hash to know it again.
type Guess = [u8; 8];

/// Wrong credentials by address. One that comes again within the minute is no other guess: a phone whose token has ended
/// and that goes on trying closes out nobody else at its address.
#[derive(Debug, Default)]
pub(super) struct Failures(HashMap<IpAddr, VecDeque<(Instant, Option<Guess>)>>);

impl Failures {
    /// Seconds for which this address is closed out; `None` while it is not.
    pub(super) fn closed_for(&self, address: IpAddr) -> Option<u64> {
        let times = self.0.get(&network(address))?;
        let ((first, _), (last, _)) = (times.front()?, times.back()?);
        let closed = times.len() >= WRONG && last.duration_since(*first) <= WINDOW;
        let until = *last + WINDOW;
        let left = until.saturating_duration_since(Instant::now());
        (closed && !left.is_zero()).then(|| left.as_millis().div_ceil(1000) as u64)
    }

    /// Another one; without a hash it counts each time. While an address is closed out nothing more is counted, so that
    /// the minute ends.
    pub(super) fn count(&mut self, address: IpAddr, hash: Option<&TokenHash>) {
        let key = network(address);
        if self.closed_for(address).is_some() {
            return;
        }
        if !self.0.contains_key(&key) {
            make_room(&mut self.0, |times| times.back().map(|(at, _)| *at));
        }
        let times = self.0.entry(key).or_default();
        let now = Instant::now();
        let stale = |(at, _): &(Instant, Option<Guess>)| now.duration_since(*at) > WINDOW;
        while times.front().is_some_and(stale) {
            times.pop_front();
        }
        let guess = hash.and_then(|hash| hash.first_chunk().copied());
        if guess.is_some() && times.iter().any(|(_, known)| *known == guess) {
            return;
        }
        if times.len() >= WRONG {
            times.pop_front();
        }
        times.push_back((now, guess));
    }
}

/// Whom an address stands for: an IPv6 client has a /64 to choose from.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

/// Forgets the quietest entry of a full table.
fn make_room<K: Clone + Eq + Hash, V, T: Ord>(table: &mut HashMap<K, V>, last: impl Fn(&V) -> T) {
    if table.len() < ENTRIES {
        return;
    }
    let quietest = table.iter().min_by_key(|(_, value)| last(value)).map(|(key, _)| key.clone());
    if let Some(key) = quietest {
        table.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_the_rate() {
        let mut buckets = Buckets::new(100, 400);
        assert_eq!((0..500).filter(|_| buckets.take(&"a")).count(), 400);
        assert!(buckets.take(&"b"));
        advance(Duration::from_millis(250)).await;
        assert_eq!((0..500).filter(|_| buckets.take(&"a")).count(), 25);
    }

    #[tokio::test(start_paused = true)]
    async fn ten_wrong_ones_in_a_minute_close_an_address_out_for_a_minute() {
        let mut failures = Failures::default();
        let stranger = ip("192.0.2.7");
        for _ in 0..10 {
            assert_eq!(failures.closed_for(stranger), None);
            failures.count(stranger, None);
            advance(Duration::from_secs(5)).await;
        }
        assert_eq!(failures.closed_for(stranger), Some(55));
        failures.count(stranger, None);
        assert_eq!(failures.closed_for(ip("192.0.2.8")), None);
        advance(Duration::from_secs(55)).await;
        assert_eq!(failures.closed_for(stranger), None, "the minute ends though it went on trying");
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_one_again_is_no_other_guess() {
        let (mut failures, home) = (Failures::default(), ip("192.0.2.7"));
        for _ in 0..1000 {
            failures.count(home, Some(&[7; 32]));
            advance(Duration::from_millis(200)).await;
            assert_eq!(failures.closed_for(home), None);
        }
        (0..9).for_each(|n| failures.count(home, Some(&[n; 32])));
        assert!(failures.closed_for(home).is_none(), "nine, of which one is the stale phone's");
        (0..10).for_each(|n| failures.count(home, Some(&[100 + n; 32])));
        assert!(failures.closed_for(home).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn slow_mistakes_close_nobody_out() {
        let mut failures = Failures::default();
        for _ in 0..100 {
            failures.count(ip("192.0.2.7"), None);
            advance(Duration::from_secs(7)).await;
            assert_eq!(failures.closed_for(ip("192.0.2.7")), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_ipv6_client_is_its_64_and_tables_stay_small() {
        assert_eq!(network(ip("2001:db8::1:2:3:4")), network(ip("2001:db8::9")));
        assert_ne!(network(ip("2001:db8:0:1::1")), network(ip("2001:db8::1")));
        assert_eq!(network(ip("::ffff:192.0.2.7")), ip("192.0.2.7"));
        let mut failures = Failures::default();
        for n in 0..5000u32 {
            failures.count(IpAddr::from(n.to_be_bytes()), None);
        }
        assert_eq!(failures.0.len(), ENTRIES);
    }
}

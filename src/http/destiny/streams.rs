//! The streams of this surface by their id: whose each is, which units it is subscribed to, and whether its pings are
//! answered.
//!
//! A stream outlives its connection by a day: who comes back with its id, by the same sign-in, has it again with its
//! subscriptions. Of a sign-in 16 are remembered, 256 in all; the one that was left longest ago makes room. If two
//! connections have the same stream, the older one ends.
//!
//! What is to outlive a restart stands in rows `door/stream/<stream_id>`. One is written with each change of a subscription,
//! 15 s after the stream began, and once an hour while it is open; a row that is a day and an hour old counts no more. While
//! the time is not settled rows do not age.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::{keep, locked};
use crate::clock::{Clock, TimeSource, Wall};
use crate::event::Row;
use crate::feed::{Feed, TokenHash};

const KEYS: &str = "door/stream/";
/// How long a stream outlives its connection.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How often the row of an open one is written.
const WRITTEN_EVERY: Duration = Duration::from_secs(3600);
/// So many are remembered of one sign-in.
const OF_ONE: usize = 16;
/// And so many in all.
const OF_ALL: usize = 256;
/// A ping that is due while so many are unanswered is not sent any more.
const UNANSWERED: u8 = 2;

/// The streams. Cheap to clone; clones are the same ones.
#[derive(Clone)]
pub(in crate::http) struct Streams {
    feed: Arc<dyn Feed>,
    /// Real time.
    clock: Clock,
    known: Arc<Mutex<HashMap<String, Known>>>,
}

/// One stream.
struct Known {
    sign_in: TokenHash,
    /// Each unit with the number of its subscription: one that is made anew has another.
    units: BTreeMap<u32, u64>,
    subscriptions: u64,
    /// The number of the connection that has it.
    holder: u64,
    /// When its last connection ended; `None` while it has one.
    left: Option<Instant>,
    unanswered: u8,
    written: Option<Instant>,
    /// Wakes the connection.
    news: watch::Sender<u64>,
}

/// What is written of one.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    sign_in: TokenHash,
    units: Vec<u32>,
    /// When it was written, where somebody knew the time.
    seen: Option<Wall>,
}

/// A connection's hold on a stream, until it is dropped.
pub(super) struct Held {
    streams: Streams,
    pub(super) id: String,
    holder: u64,
}

/// What is to be sent when a ping is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The ping.
    Ping,
    /// Nobody has answered the last ones.
    Closing,
    /// Nothing: another connection has this stream.
    Gone,
}

impl Known {
    fn new(sign_in: TokenHash, units: &[u32]) -> Known {
        let units: BTreeMap<u32, u64> = units.iter().map(|unit| (*unit, 0)).collect();
        let (left, news) = (Some(Instant::now()), watch::Sender::new(0));
        Known { sign_in, units, subscriptions: 0, holder: 0, left, unanswered: 0, written: None, news }
    }

    fn has_gone(&self) -> bool {
        self.left.is_some_and(|left| left.elapsed() >= DAY)
    }
}

impl Kept {
    /// Whether it is too old. While nobody knows the time, or it went backwards, it is not.
    fn has_gone(&self, now: Option<Wall>) -> bool {
        let age = |(seen, now): (Wall, Wall)| u64::try_from(now.micros().saturating_sub(seen.micros())).unwrap_or(0);
        self.seen.zip(now).map(age).is_some_and(|age| Duration::from_micros(age) >= DAY + WRITTEN_EVERY)
    }
}

impl Streams {
    pub(in crate::http) fn new(feed: Arc<dyn Feed>, clock: Clock) -> Streams {
        Streams { feed, clock, known: Arc::default() }
    }

    /// The time, where somebody knows it.
    fn seen(&self) -> Option<Wall> {
        let stamp = self.clock.stamp(self.clock.now());
        (stamp.source != TimeSource::Unset).then_some(stamp.wall)
    }

    /// The time, where it is settled enough to forget by.
    fn now(&self) -> Option<Wall> {
        self.seen().filter(|_| self.clock.is_settled(self.clock.now()))
    }

    /// Takes up the stream `wanted` where it is this sign-in's, else begins the one called `fresh`.
    pub(super) fn hold(&self, wanted: Option<&str>, fresh: String, sign_in: TokenHash) -> Held {
        let found = wanted.filter(|id| self.with(id, &sign_in, |_| ()).is_some());
        let id = found.map_or(fresh, str::to_owned);
        let mut known = locked(&self.known);
        if found.is_none() {
            make_room(&mut known, &sign_in);
        }
        let stream = known.entry(id.clone()).or_insert_with(|| Known::new(sign_in, &[]));
        stream.holder += 1;
        stream.left = None;
        stream.unanswered = 0;
        stream.news.send_modify(|news| *news += 1);
        let holder = stream.holder;
        drop(known);
        Held { streams: self.clone(), id, holder }
    }

    /// Does something with a stream of this sign-in; `None` where there is none of that name.
    fn with<T>(&self, id: &str, sign_in: &TokenHash, act: impl FnOnce(&mut Known) -> T) -> Option<T> {
        let mut known = locked(&self.known);
        if known.get(id).is_some_and(Known::has_gone) {
            known.remove(id);
        } else if !known.contains_key(id) {
            let kept = self.kept(id).filter(|kept| kept.sign_in == *sign_in && !kept.has_gone(self.now()))?;
            make_room(&mut known, sign_in);
            known.insert(id.to_owned(), Known::new(*sign_in, &kept.units));
        }
        known.get_mut(id).filter(|stream| stream.sign_in == *sign_in).map(act)
    }

    /// What a row says of this stream.
    fn kept(&self, id: &str) -> Option<Kept> {
        let key = format!("{KEYS}{id}");
        let (_, value) = self.feed.kept(&key).into_iter().find(|(found, _)| *found == key)?;
        serde_json::from_slice(&value).ok()
    }

    /// Its pings so far are answered; whether there is one of that name.
    pub(super) fn pong(&self, id: &str, sign_in: &TokenHash) -> bool {
        self.with(id, sign_in, |stream| stream.unanswered = 0).is_some()
    }

    /// Whether there is such a stream.
    pub(super) fn knows(&self, id: &str, sign_in: &TokenHash) -> bool {
        self.with(id, sign_in, |_| ()).is_some()
    }

    /// Whether a stream is subscribed to a unit.
    pub(super) fn is_subscribed(&self, id: &str, sign_in: &TokenHash, unit: u32) -> bool {
        self.with(id, sign_in, |stream| stream.units.contains_key(&unit)).unwrap_or(false)
    }

    /// Subscribes a stream to a unit, or no longer. Resolves once that is durable, or cannot be for now: it counts at once.
    pub(super) async fn subscribe(&self, id: &str, sign_in: &TokenHash, unit: u32, wanted: bool) {
        let changed = self.with(id, sign_in, |stream| {
            if stream.units.contains_key(&unit) == wanted {
                return false;
            }
            if wanted {
                stream.subscriptions += 1;
                stream.units.insert(unit, stream.subscriptions);
            } else {
                stream.units.remove(&unit);
            }
            stream.news.send_modify(|news| *news += 1);
            true
        });
        if changed == Some(true) {
            let rows = self.rows(id);
            // In memory it holds, and what cannot be written now is written when the journal can be.
            let _ = self.feed.keep(rows).await;
        }
    }

    /// The row of this stream as it is now, and those that make room for it.
    fn rows(&self, id: &str) -> Vec<Row> {
        let mut known = locked(&self.known);
        let Some(stream) = known.get_mut(id) else { return Vec::new() };
        stream.written = Some(Instant::now());
        let kept = Kept { sign_in: stream.sign_in, units: stream.units.keys().copied().collect(), seen: self.seen() };
        let open: HashSet<String> =
            known.iter().filter(|(_, stream)| stream.left.is_none()).map(|(id, _)| format!("{KEYS}{id}")).collect();
        drop(known);
        let key = format!("{KEYS}{id}");
        let others = self.feed.kept(KEYS).into_iter().filter(|(other, _)| *other != key);
        let others = others.map(|(other, value)| (other, serde_json::from_slice::<Kept>(&value).ok())).collect();
        let mut rows: Vec<Row> =
            surplus(others, &open, &kept.sign_in, self.now()).into_iter().map(|key| Row { key, value: None }).collect();
        rows.push(Row { key, value: serde_json::to_vec(&kept).ok() });
        rows
    }
}

/// Leaves a place for one more stream of this sign-in. Those that are open stay.
fn make_room(known: &mut HashMap<String, Known>, sign_in: &TokenHash) {
    known.retain(|_, stream| !stream.has_gone());
    for (most, of_one) in [(OF_ONE, true), (OF_ALL, false)] {
        let counted = |stream: &Known| !of_one || stream.sign_in == *sign_in;
        if known.values().filter(|stream| counted(stream)).count() < most {
            continue;
        }
        let left = known.iter().filter(|(_, stream)| counted(stream)).filter_map(|(id, stream)| Some((stream.left?, id)));
        if let Some(oldest) = left.min().map(|(_, id)| id.clone()) {
            known.remove(&oldest);
        }
    }
}

/// The keys of rows that are to go when one of `sign_in` comes: what is too old or cannot be read, and the oldest of too many.
/// Those of `open` streams count, and stay.
fn surplus(others: Vec<(String, Option<Kept>)>, open: &HashSet<String>, sign_in: &TokenHash, now: Option<Wall>) -> Vec<String> {
    let (mut stay, mut go) = (Vec::new(), Vec::new());
    for (key, kept) in others {
        match kept.filter(|kept| open.contains(&key) || !kept.has_gone(now)) {
            Some(kept) => stay.push((kept.seen, kept.sign_in == *sign_in, key)),
            None => go.push(key),
        }
    }
    stay.sort();
    for (most, of_one) in [(OF_ONE, true), (OF_ALL, false)] {
        let count = stay.iter().filter(|(_, own, _)| !of_one || *own).count();
        for _ in most..=count {
            if let Some(at) = stay.iter().position(|(_, own, key)| (!of_one || *own) && !open.contains(key)) {
                go.push(stay.remove(at).2);
            }
        }
    }
    go
}

impl Held {
    /// Looks at the stream, unless another connection has it by now.
    fn own<T>(&self, act: impl FnOnce(&mut Known) -> T) -> Option<T> {
        let mut known = locked(&self.streams.known);
        known.get_mut(&self.id).filter(|stream| stream.holder == self.holder).map(act)
    }

    /// Whether this connection still has the stream.
    pub(super) fn stands(&self) -> bool {
        self.own(|_| ()).is_some()
    }

    /// The units it is subscribed to, each with the number of the subscription.
    pub(super) fn units(&self) -> BTreeMap<u32, u64> {
        self.own(|stream| stream.units.clone()).unwrap_or_default()
    }

    /// Wakes when the subscriptions change, and when another connection takes the stream.
    pub(super) fn news(&self) -> Option<watch::Receiver<u64>> {
        self.own(|stream| stream.news.subscribe())
    }

    /// A ping is due.
    pub(super) fn due(&self) -> Due {
        let judged = self.own(|stream| {
            if stream.unanswered >= UNANSWERED {
                return Due::Closing;
            }
            stream.unanswered += 1;
            Due::Ping
        });
        judged.unwrap_or(Due::Gone)
    }

    /// Writes its row where that is due, without waiting for it.
    pub(super) fn write(&self) {
        let is_due = |stream: &mut Known| stream.written.is_none_or(|written| written.elapsed() >= WRITTEN_EVERY);
        if self.own(is_due) != Some(true) {
            return;
        }
        // At once, before a change that comes now.
        drop(keep(&*self.streams.feed, self.streams.rows(&self.id)));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.own(|stream| stream.left = Some(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: i64 = 3_600_000_000;

    fn kept(sign_in: u8, hour: i64) -> Option<Kept> {
        Some(Kept { sign_in: [sign_in; 32], units: vec![1], seen: Some(Wall::from_micros(hour * HOUR_US)) })
    }

    #[test]
    fn rows_go_when_they_are_old_or_wrecked_or_too_many() {
        let now = Some(Wall::from_micros(40 * HOUR_US));
        let others = vec![("old".to_owned(), kept(1, 15)), ("young".to_owned(), kept(1, 16)), ("wrecked".to_owned(), None)];
        let none = HashSet::new();
        assert_eq!(surplus(others, &none, &[1; 32], now), ["old", "wrecked"]);
        let many = |sign_in| (0..OF_ONE).map(|n| (n.to_string(), kept(sign_in, n as i64))).collect();
        assert_eq!(surplus(many(1), &none, &[1; 32], None), ["0"], "the oldest makes room for the seventeenth");
        assert_eq!(surplus(many(2), &none, &[1; 32], None), [""; 0], "another's does not");
        let open = HashSet::from(["0".to_owned(), "1".to_owned()]);
        assert_eq!(surplus(many(1), &open, &[1; 32], None), ["2"], "one that is open stays");
        let all = (0..300).map(|n| (n.to_string(), kept(n as u8, n))).collect();
        assert_eq!(surplus(all, &none, &[255; 32], None).len(), 300 + 1 - OF_ALL);
    }

    #[test]
    fn a_row_does_not_age_while_nobody_knows_the_time() {
        let (kept, unset) = (kept(1, 0).unwrap(), Kept { seen: None, ..kept(1, 0).unwrap() });
        let year = Some(Wall::from_micros(365 * 24 * HOUR_US));
        assert!(kept.has_gone(year) && !kept.has_gone(None) && !unset.has_gone(year));
        assert!(!kept.has_gone(Some(Wall::from_micros(-5))), "the clock was set back");
    }

    #[test]
    fn of_a_sign_in_sixteen_are_remembered_and_open_ones_stay() {
        let mut known = HashMap::new();
        for n in 0..OF_ONE {
            known.insert(n.to_string(), Known { left: None, ..Known::new([1; 32], &[]) });
        }
        make_room(&mut known, &[1; 32]);
        assert_eq!(known.len(), OF_ONE, "none of them has been left");
        known.get_mut("3").unwrap().left = Some(Instant::now());
        make_room(&mut known, &[2; 32]);
        assert_eq!(known.len(), OF_ONE);
        make_room(&mut known, &[1; 32]);
        assert!(!known.contains_key("3") && known.len() == OF_ONE - 1);
    }
}

//! What is kept of sessions and of tickets, in memory and in the journal's rows.
//!
//! Memory knows the last use; rows are what the next start finds, each under its credential's hash. A row is looked up when
//! somebody presents what it stands for, so it does not matter when the journal comes, and the feed writes what it could not
//! as soon as it can. The last use is written once a day at most (flash), so a restart may forget up to a day of use, never
//! add to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::credentials::hex;
use super::super::{keep, locked};
use super::DAY;
use crate::clock::{Boot, Clock, TimeSource, Wall};
use crate::event::Row;
use crate::feed::{Feed, Pending, TokenHash};

/// So many of a kind in all; the one unused for longest makes room.
const ALL: usize = 1024;

/// What can be kept.
pub(super) trait Record: Clone + PartialEq + Serialize + DeserializeOwned {
    /// Its rows' keys begin so.
    const PREFIX: &'static str;
    /// So many of one owner.
    const EACH: usize;

    /// Whose it is.
    fn owner(&self) -> TokenHash;

    /// How long after its last use it is good.
    fn lasts(&self) -> Duration;

    /// Whether it is to outlive a restart.
    fn is_durable(&self) -> bool;
}

/// A hash, in hexadecimal where it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) struct Hash(pub(super) TokenHash);

impl From<Hash> for String {
    fn from(hash: Hash) -> String {
        hex(&hash.0)
    }
}

impl TryFrom<String> for Hash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Hash, &'static str> {
        let mut hash = [0; 32];
        for (at, byte) in hash.iter_mut().enumerate() {
            let digits = text.get(2 * at..2 * at + 2).ok_or("too short")?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| "not hexadecimal")?;
        }
        if hex(&hash) == text { Ok(Hash(hash)) } else { Err("not 64 small hexadecimal digits") }
    }
}

/// When something was last used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Used {
    /// Before this start, then.
    Before(Wall),
    /// Since.
    Since(Boot),
}

/// Now, on both scales; no wall time while nobody knows it.
#[derive(Clone, Copy, Debug)]
struct Now {
    boot: Boot,
    wall: Option<Wall>,
    /// Whether what the wall time decides need never be undone.
    settled: bool,
}

impl Now {
    fn of(clock: &Clock) -> Now {
        let stamp = clock.stamp(clock.now());
        let wall = (stamp.source != TimeSource::Unset).then_some(stamp.wall);
        Now { boot: stamp.boot, wall, settled: clock.is_settled(stamp.boot) }
    }

    /// How long ago that was. What nobody knows does not count.
    fn since(&self, used: Used) -> Duration {
        match used {
            Used::Since(boot) => self.boot.since(boot),
            Used::Before(wall) => {
                let ago = self.wall.map_or(0, |now| now.micros().saturating_sub(wall.micros()));
                Duration::from_micros(u64::try_from(ago).unwrap_or(0))
            }
        }
    }

    /// The wall time of a use, as a row has it.
    fn wall_of(&self, used: Used) -> Option<Wall> {
        match used {
            Used::Before(wall) => Some(wall),
            Used::Since(boot) => self.wall.map(|now| {
                let ago = i64::try_from(self.boot.since(boot).as_micros()).unwrap_or(i64::MAX);
                Wall::from_micros(now.micros().saturating_sub(ago))
            }),
        }
    }
}

#[derive(Clone, Debug)]
struct Entry<R> {
    record: R,
    used: Used,
    row: Option<Written>,
}

/// The last use that a row knows; `None` where nobody knew the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Written(Option<Wall>);

impl<R: Record> Entry<R> {
    fn is_good(&self, now: Now) -> bool {
        now.since(self.used) <= self.record.lasts()
    }

    /// Whether it can be thrown away: a wall time that may yet turn out to be wrong throws nothing away.
    fn is_over(&self, now: Now) -> bool {
        !self.is_good(now) && (now.settled || matches!(self.used, Used::Since(_)))
    }

    /// Whether a use is to be written now. While nobody knows the time a row has nothing to gain.
    fn is_due(&self, now: Now) -> bool {
        let day = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX).unsigned_abs();
        self.record.is_durable()
            && match (self.row, now.wall) {
                (None, _) | (Some(Written(None)), Some(_)) => true,
                (Some(Written(Some(row))), Some(now)) => now.micros().abs_diff(row.micros()) >= day,
                (Some(_), None) => false,
            }
    }
}

/// A row's value.
#[derive(Serialize, Deserialize)]
struct Kept<R> {
    used: Option<Wall>,
    #[serde(flatten)]
    record: R,
}

/// Those of them that were presented or made since the start, and whatever was to be counted.
struct Entries<R>(HashMap<TokenHash, Entry<R>>);

/// All of one kind.
pub(super) struct Shelf<R> {
    feed: Arc<dyn Feed>,
    clock: Clock,
    entries: Mutex<Entries<R>>,
}

fn key<R: Record>(hash: &TokenHash) -> String {
    format!("{}{}", R::PREFIX, hex(hash))
}

impl<R: Record> Entries<R> {
    /// Takes up what a row says, unless more is known.
    fn take_up(&mut self, hash: TokenHash, value: &[u8], now: Now) {
        if self.0.contains_key(&hash) {
            return;
        }
        // A row that cannot be read, such as one of another version, is nobody's credential.
        let Ok(Kept { used, record }) = serde_json::from_slice::<Kept<R>>(value) else { return };
        // A use whose time nobody knew counts from now on.
        let row = Some(Written(used));
        self.0.insert(hash, Entry { record, used: used.map_or(Used::Since(now.boot), Used::Before), row });
    }

    fn take_up_all(&mut self, feed: &dyn Feed, now: Now) {
        for (key, value) in feed.kept(R::PREFIX) {
            let hash = key.strip_prefix(R::PREFIX).and_then(|hash| Hash::try_from(hash.to_owned()).ok());
            if let Some(Hash(hash)) = hash {
                self.take_up(hash, &value, now);
            }
        }
    }

    /// Takes these out; what takes their rows away.
    fn take_out(&mut self, hashes: &[TokenHash]) -> Vec<Row> {
        let had_row = |hash: &&TokenHash| self.0.remove(*hash).is_some_and(|entry| entry.row.is_some());
        hashes.iter().filter(had_row).map(|hash| Row { key: key::<R>(hash), value: None }).collect()
    }

    /// What writes the row of this one, which is to outlive a restart.
    fn row(&mut self, hash: &TokenHash, now: Now) -> Option<Row> {
        let entry = self.0.get_mut(hash).filter(|entry| entry.record.is_durable())?;
        let kept = Kept { used: now.wall_of(entry.used), record: entry.record.clone() };
        entry.row = Some(Written(kept.used));
        Some(Row { key: key::<R>(hash), value: serde_json::to_vec(&kept).ok() })
    }

    fn over(&self, now: Now) -> Vec<TokenHash> {
        self.0.iter().filter(|(_, entry)| entry.is_over(now)).map(|(hash, _)| *hash).collect()
    }

    /// Those that make room for one more of `owner`.
    fn too_many(&self, owner: &TokenHash) -> Vec<TokenHash> {
        let of_owner = self.0.values().filter(|entry| entry.record.owner() == *owner).count();
        if of_owner < R::EACH && self.0.len() < ALL {
            return Vec::new();
        }
        let mut quiet: Vec<_> = self.0.iter().map(|(hash, entry)| (entry.used, *hash, entry.record.owner())).collect();
        quiet.sort_unstable();
        let own: Vec<_> = quiet.iter().filter(|(.., of)| of == owner).map(|(_, hash, _)| *hash).collect();
        let of_own = (own.len() + 1).saturating_sub(R::EACH);
        let left = quiet.len() - of_own;
        let others = (left + 1).saturating_sub(ALL);
        let mut out: Vec<_> = own.into_iter().take(of_own).collect();
        let more: Vec<_> = quiet.iter().map(|(_, hash, _)| *hash).filter(|hash| !out.contains(hash)).take(others).collect();
        out.extend(more);
        out
    }
}

impl<R: Record> Shelf<R> {
    pub(super) fn new(feed: Arc<dyn Feed>, clock: Clock) -> Shelf<R> {
        Shelf { feed, clock, entries: Mutex::new(Entries(HashMap::new())) }
    }

    /// What has this hash and is good.
    pub(super) fn find(&self, hash: &TokenHash) -> Option<R> {
        let now = Now::of(&self.clock);
        let mut entries = locked(&self.entries);
        if !entries.0.contains_key(hash) {
            for (_, value) in self.feed.kept(&key::<R>(hash)) {
                entries.take_up(*hash, &value, now);
            }
        }
        let entry = entries.0.get(hash)?;
        if entry.is_good(now) {
            return Some(entry.record.clone());
        }
        if entry.is_over(now) {
            let rows = entries.take_out(&[*hash]);
            drop(self.keep(rows));
        }
        None
    }

    /// It is being used.
    pub(super) fn touch(&self, hash: &TokenHash) {
        let now = Now::of(&self.clock);
        let mut entries = locked(&self.entries);
        let Some(entry) = entries.0.get_mut(hash) else { return };
        entry.used = Used::Since(now.boot);
        if entry.is_due(now) {
            let row = entries.row(hash, now);
            drop(self.keep(row.into_iter().collect()));
        }
    }

    /// Keeps something new; resolves once it is durable, if it is to be and can be.
    pub(super) async fn put(&self, hash: TokenHash, record: R) {
        let now = Now::of(&self.clock);
        let writing = {
            let mut entries = locked(&self.entries);
            entries.take_up_all(&*self.feed, now);
            let over = entries.over(now);
            let mut rows = entries.take_out(&over);
            let crowded = entries.too_many(&record.owner());
            rows.extend(entries.take_out(&crowded));
            entries.0.insert(hash, Entry { record, used: Used::Since(now.boot), row: None });
            rows.extend(entries.row(&hash, now));
            self.keep(rows)
        };
        writing.await;
    }

    /// Changes what is good, which is a use of it; resolves once that is durable, if it is to be and can be. `None` where it
    /// is not good.
    pub(super) async fn change<T, E>(
        &self,
        hash: &TokenHash,
        change: impl FnOnce(&mut R) -> Result<T, E>,
    ) -> Option<Result<T, E>> {
        let before = self.find(hash)?;
        let now = Now::of(&self.clock);
        let (changed, writing) = {
            let mut entries = locked(&self.entries);
            let entry = entries.0.get_mut(hash)?;
            let changed = change(&mut entry.record);
            let is_other = entry.record != before;
            if is_other {
                entry.used = Used::Since(now.boot);
            }
            let row = if is_other { entries.row(hash, now) } else { None };
            (changed, self.keep(row.into_iter().collect()))
        };
        writing.await;
        if changed.is_ok() {
            self.touch(hash);
        }
        Some(changed)
    }

    /// Removes those that `which` names: their hashes, and what resolves once they are gone for good, if that can be.
    pub(super) fn remove(&self, which: impl Fn(&TokenHash, &R) -> bool) -> (Vec<TokenHash>, Pending<'_, ()>) {
        let now = Now::of(&self.clock);
        let mut entries = locked(&self.entries);
        entries.take_up_all(&*self.feed, now);
        let matching = entries.0.iter().filter(|(hash, entry)| which(hash, &entry.record));
        let removed: Vec<_> = matching.map(|(hash, _)| *hash).collect();
        let rows = entries.take_out(&removed);
        (removed, self.keep(rows))
    }

    /// Hands rows to the feed, which has them from now on, whether or not anybody waits until they are durable. To be
    /// called while the entries are locked, or what was taken out would be taken up again.
    fn keep(&self, rows: Vec<Row>) -> Pending<'_, ()> {
        if rows.is_empty() {
            return Box::pin(std::future::ready(()));
        }
        let writing = keep(&*self.feed, rows);
        Box::pin(async move {
            if let Err(error) = writing.await {
                tracing::debug!(%error, "a sign-in is in memory only for now");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_771_546_007_000_000;

    fn now(seconds: i64, knows: bool) -> Now {
        let wall = Wall::from_micros(START + seconds * 1_000_000);
        Now { boot: Boot::from_micros(seconds * 1_000_000), wall: knows.then_some(wall), settled: false }
    }

    /// Owners are numbers.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Thing {
        owner: u8,
    }

    impl Record for Thing {
        const PREFIX: &'static str = "door/thing/";
        const EACH: usize = 3;

        fn owner(&self) -> TokenHash {
            [self.owner; 32]
        }

        fn lasts(&self) -> Duration {
            DAY
        }

        fn is_durable(&self) -> bool {
            true
        }
    }

    fn hash(n: u16) -> TokenHash {
        std::array::from_fn(|at| if at < 2 { n.to_be_bytes()[at] } else { 7 })
    }

    fn thing(owner: u8, used: Used) -> Entry<Thing> {
        Entry { record: Thing { owner }, used, row: None }
    }

    #[test]
    fn time_that_nobody_knows_does_not_count() {
        let day = 86_400;
        let since = Used::Since(Boot::from_micros(0));
        assert_eq!(now(day, false).since(since), DAY, "as long as it runs, boot time does");
        let before = Used::Before(now(-day, true).wall.unwrap());
        assert_eq!((now(0, true).since(before), now(0, false).since(before)), (DAY, Duration::ZERO));
        assert_eq!(now(-2 * day, true).since(before), Duration::ZERO, "a clock that was set back");
        assert_eq!(now(day, true).wall_of(since), now(0, true).wall, "known since");
        assert_eq!(now(day, false).wall_of(since), None);
    }

    #[test]
    fn a_row_is_what_was_written_and_one_of_an_unknown_time_counts_from_now_on() {
        let mut entries = Entries(HashMap::from([(hash(1), thing(1, Used::Since(Boot::from_micros(0))))]));
        let row = entries.row(&hash(1), now(60, true)).unwrap();
        assert_eq!(row.key, format!("door/thing/{}", hex(&hash(1))));
        let mut next = Entries::<Thing>(HashMap::new());
        next.take_up(hash(1), row.value.as_deref().unwrap(), now(3600, true));
        assert_eq!(now(3600, true).since(next.0[&hash(1)].used), Duration::from_secs(3600), "since its use");
        let (last, late) = (now(86_400, true), now(86_401, true));
        assert!(next.0[&hash(1)].is_good(last) && !next.0[&hash(1)].is_good(late));
        assert!(next.over(late).is_empty(), "the clock may be wrong");
        assert_eq!(next.over(Now { settled: true, ..late }), [hash(1)]);

        let unset = entries.row(&hash(1), now(60, false)).unwrap();
        let mut next = Entries::<Thing>(HashMap::new());
        next.take_up(hash(1), unset.value.as_deref().unwrap(), now(5, true));
        next.take_up(hash(2), b"{\"used\":1}", now(5, true));
        next.take_up(hash(3), b"noise", now(5, true));
        assert_eq!((next.0.len(), next.0[&hash(1)].used), (1, Used::Since(now(5, true).boot)));
    }

    #[test]
    fn a_use_is_written_once_a_day_by_a_clock_that_is_known() {
        let day = 86_400;
        let is_due = |row: Option<Written>, now: Now| Entry { row, ..thing(1, Used::Since(now.boot)) }.is_due(now);
        let written = |seconds: i64| Some(Written(now(seconds, true).wall));
        assert!(is_due(None, now(0, false)) && is_due(None, now(0, true)));
        assert!(!is_due(written(0), now(day - 1, true)) && is_due(written(0), now(day, true)));
        assert!(is_due(written(2 * day), now(0, true)), "by a clock that was wrong");
        assert!(!is_due(written(0), now(9 * day, false)), "what a row knows is not forgotten");
        assert!(is_due(Some(Written(None)), now(0, true)) && !is_due(Some(Written(None)), now(0, false)));
    }

    #[test]
    fn who_has_been_quiet_for_longest_makes_room() {
        let at = |seconds: i64| Used::Since(Boot::from_micros(seconds));
        let before = |seconds: i64| Used::Before(now(seconds, true).wall.unwrap());
        let mut entries = Entries(HashMap::from([
            (hash(1), thing(1, at(9))),
            (hash(2), thing(1, before(-1))),
            (hash(3), thing(1, before(-2))),
            (hash(4), thing(2, before(-3))),
        ]));
        assert_eq!(entries.too_many(&[1; 32]), [hash(3)]);
        assert!(entries.too_many(&[2; 32]).is_empty());
        for n in 4..1100 {
            entries.0.insert(hash(n), thing(u8::try_from(n % 251).unwrap_or(0) + 3, at(i64::from(n))));
        }
        let out = entries.too_many(&[1; 32]);
        assert_eq!((entries.0.len() - out.len(), out[0], out[1]), (ALL - 1, hash(3), hash(2)));
        assert!(out.contains(&hash(4)) && !out.contains(&hash(1099)));
    }

    #[test]
    fn a_hash_survives_its_writing() {
        let text = String::from(Hash(hash(300)));
        assert_eq!(Hash::try_from(text.clone()), Ok(Hash(hash(300))));
        for wrong in [&text[..63], &text.to_uppercase().replace('7', "A"), &format!("{text}0"), &"+".repeat(64), "\u{fc}"] {
            assert!(Hash::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}

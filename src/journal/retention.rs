//! What has to go so that the journal stays within its quota and its age.
//!
//! Seven eighths of the quota may be in use; of those one half is for track points, one eighth for published events, and
//! what is left for the vehicle's own. A class may use what another does not; once all is full, the class that is over
//! its share gives way: so an alert never goes for a publisher's sake, nor for a track. Points and published events go
//! oldest first; the vehicle's own least severe first, and among those oldest first. What is older than `max_days`
//! goes in any case, once the clock is settled. Events of an alert that is active never go; one whose end was
//! told is not active, even if its end is not written yet for want of the very room.
//!
//! What goes although a reader's cursor has not come so far is counted for that reader, in the transaction that takes it.
//! A reader that lags holds nothing back: else a broker that is gone for good would fill the disk.
//!
//! It works in slices of at most 256 events and about 256 KiB (or 1,024 points), a transaction each, so that nobody waits
//! for it, and no more goes than has to. The marks of a slice, which tell clients of the gap, are up before anybody can
//! see that it is gone; a slice that then fails is told as gone a moment too early, and is tried again.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::cursors::{Whose, misses};
use super::schema::{Code, SEVERITIES, TRACK_CLASS};
use super::state::Marks;
use super::store::{Store, mark_pruned, signed};
use super::trouble::Trouble;
use crate::clock::Wall;
use crate::event::{EventId, Kind};
use crate::feed::Cursor;

/// How many events go in one transaction.
const SLICE: usize = 256;

/// How many bytes of events.
const SLICE_BYTES: i64 = 256 << 10;

/// How many points go in one transaction.
const POINTS: usize = 1024;

/// How many events are looked at to find those that may go.
const LOOKED_AT: usize = 4096;

/// The alerts that are active, each by its first event.
pub(super) type Running = BTreeSet<EventId>;

/// What is gone by besides the file, as it was when a slice was begun.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    pub running: Running,
    /// How far everybody has come.
    pub cursors: Vec<(Whose, Cursor)>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Retention {
    /// Bytes that may be in use.
    limit: u64,
    max_age_us: i64,
    searched: Searched,
}

/// Up to which event nothing is left that may go.
#[derive(Debug, Default)]
struct Searched {
    published: EventId,
    /// By severity.
    own: [EventId; SEVERITIES.len()],
}

/// What a slice took.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Slice {
    pub marks: Marks,
    pub count: usize,
    /// The events, in the order of their ids.
    pub events: Vec<EventId>,
    /// How many of them each reader had not got.
    pub missed: Vec<(Whose, u64)>,
}

impl Slice {
    fn of_points(count: usize) -> Slice {
        Slice { count, ..Slice::default() }
    }
}

impl Retention {
    /// For a file of `quota` bytes.
    pub fn new(quota: u64, max_days: u32) -> Retention {
        Retention { limit: quota / 8 * 7, max_age_us: i64::from(max_days) * 86_400_000_000, searched: Searched::default() }
    }

    /// Takes what is too old; nothing is left to take when the slice is empty.
    pub fn take_old(
        &mut self,
        store: &mut Store,
        outlook: &Outlook,
        now: Wall,
        mark: impl FnOnce(&Marks),
    ) -> Result<Slice, Trouble> {
        self.searched = Searched::default();
        let before = Wall::from_micros(now.micros().saturating_sub(self.max_age_us));
        // An id is never behind the clock that issued it.
        let upto = EventId(u64::try_from(before.micros()).unwrap_or(0));
        let take = |conn: &Connection| {
            let points = take_points(conn, before)?;
            if points > 0 {
                return Ok(Slice::of_points(points));
            }
            let old = candidates(conn, "time < ?1", before.micros(), &outlook.running, EventId(0)..upto)?;
            take_events(conn, &old.found, outlook)
        };
        store.tidy(take, |slice| mark(&slice.marks))
    }

    /// Takes what is too much; nothing is left to take when the slice is empty.
    pub fn take_surplus(&mut self, store: &mut Store, outlook: &Outlook, mark: impl FnOnce(&Marks)) -> Result<Slice, Trouble> {
        if store.used()? <= self.limit {
            return Ok(Slice::default());
        }
        self.take_least(store, outlook, mark)
    }

    /// Takes what is worth least, however much room there is.
    pub fn take_least(&mut self, store: &mut Store, outlook: &Outlook, mark: impl FnOnce(&Marks)) -> Result<Slice, Trouble> {
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let searched = &mut self.searched;
        let take = |conn: &Connection| {
            if tally(conn, TRACK_CLASS)? > limit / 2 {
                return Ok(Slice::of_points(take_points(conn, Wall::from_micros(i64::MAX))?));
            }
            if tally(conn, Kind::Published as i64)? > limit / 8 {
                let found = oldest(conn, "kind = ?1", Kind::Published, &outlook.running, &mut searched.published)?;
                if !found.is_empty() {
                    return take_events(conn, &found, outlook);
                }
            }
            for (searched, severity) in searched.own.iter_mut().zip(SEVERITIES) {
                let found = oldest(conn, "severity = ?1 AND kind <> 4", Code(severity), &outlook.running, searched)?;
                if !found.is_empty() {
                    return take_events(conn, &found, outlook);
                }
            }
            *searched = Searched::default();
            Ok(Slice::default())
        };
        store.tidy(take, |slice| mark(&slice.marks))
    }
}

fn tally(conn: &Connection, class: i64) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT bytes FROM tally WHERE class = ?1")?.query_row([class], |row| row.get(0))
}

fn take_points(conn: &Connection, before: Wall) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM track WHERE time IN (SELECT time FROM track WHERE time < ?1 ORDER BY time LIMIT ?2)";
    conn.prepare_cached(sql)?.execute(params![before.micros(), POINTS as i64])
}

/// An event that may go.
#[derive(Debug)]
struct Candidate {
    id: EventId,
    kind: Kind,
    member: Option<Arc<str>>,
    alert: Option<EventId>,
}

/// What a search came to.
#[derive(Debug)]
struct Search {
    found: Vec<Candidate>,
    /// The last event that was looked at.
    to: EventId,
    /// Whether that was the last one of all.
    at_end: bool,
}

/// The oldest events that meet `condition` and may go; `searched` says how far there are none.
fn oldest(
    conn: &Connection,
    condition: &str,
    value: impl rusqlite::ToSql + Copy,
    running: &Running,
    searched: &mut EventId,
) -> rusqlite::Result<Vec<Candidate>> {
    loop {
        let search = candidates(conn, condition, value, running, *searched..EventId::MAX)?;
        if !search.found.is_empty() {
            return Ok(search.found);
        }
        *searched = search.to;
        if search.at_end {
            return Ok(Vec::new());
        }
    }
}

/// The oldest events between these that meet `condition` and belong to no active alert.
fn candidates(
    conn: &Connection,
    condition: &str,
    value: impl rusqlite::ToSql,
    running: &Running,
    between: Range<EventId>,
) -> rusqlite::Result<Search> {
    let sql = format!(
        "SELECT id, kind, member, alert, {condition}, octet_length(json) FROM events
         WHERE id > ?2 AND id < ?3 ORDER BY id LIMIT ?4"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![value, between.start, between.end, LOOKED_AT as i64])?;
    let mut search = Search { found: Vec::new(), to: between.start, at_end: true };
    let (mut looked_at, mut bytes) = (0, 0);
    while let Some(row) = rows.next()? {
        looked_at += 1;
        search.to = row.get(0)?;
        let alert: Option<EventId> = row.get(3)?;
        if row.get(4)? && !alert.is_some_and(|first| running.contains(&first)) {
            search.found.push(Candidate { id: search.to, kind: row.get(1)?, member: row.get(2)?, alert });
            bytes += row.get::<_, i64>(5)?;
        }
        if search.found.len() == SLICE || bytes >= SLICE_BYTES || looked_at == LOOKED_AT {
            search.at_end = false;
            break;
        }
    }
    Ok(search)
}

/// Takes these events, and the alerts of which nothing is left.
fn take_events(conn: &Connection, events: &[Candidate], outlook: &Outlook) -> rusqlite::Result<Slice> {
    let mut marks = Marks::new();
    let mut delete = conn.prepare_cached("DELETE FROM events WHERE id = ?1")?;
    let left = "DELETE FROM alerts WHERE first = ?1 AND ended IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM events WHERE id BETWEEN first AND ended AND alert = first)";
    let mut forget = conn.prepare_cached(left)?;
    for Candidate { id, kind, member, alert } in events {
        delete.execute([id])?;
        if let Some(first) = alert {
            forget.execute([first])?;
        }
        let mark = marks.entry((*kind, member.clone())).or_default();
        *mark = (*mark).max(*id);
    }
    for ((kind, member), id) in &marks {
        mark_pruned(conn, *kind, member.as_deref(), *id)?;
    }
    let missed = count_missed(conn, events, outlook)?;
    Ok(Slice { marks, count: events.len(), events: events.iter().map(|event| event.id).collect(), missed })
}

/// Counts what readers did not get. A cursor that the file does not have yet is written with its count.
fn count_missed(conn: &Connection, events: &[Candidate], outlook: &Outlook) -> rusqlite::Result<Vec<(Whose, u64)>> {
    let sql = "UPDATE cursors SET forgotten = max(forgotten, ?3) WHERE reader = ?1 AND kind = ?2";
    let mut count = conn.prepare_cached(sql)?;
    let mut all = Vec::new();
    for (whose, cursor) in &outlook.cursors {
        let missed = events.iter().filter(|event| misses(cursor, event.kind, event.id)).count() as u64;
        if missed > 0 {
            count.execute(params![&*whose.0, whose.1, signed(cursor.forgotten.saturating_add(missed))])?;
            all.push((whose.clone(), missed));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Severity;
    use crate::journal::place::Place;
    use crate::journal::ring::Entry;
    use crate::journal::settings::Settings;
    use crate::journal::state::Batch;
    use crate::journal::store::{Check, open_read_only};
    use crate::journal::tests::{event, vin};

    #[test]
    fn the_mark_is_up_before_anybody_can_see_that_the_events_are_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (place, settings) = (Place::new(dir.path()), Settings::default());
        let mut store = Store::open(&place, place.prepare().unwrap(), &vin(), &settings, Check::Quick).unwrap();
        let events = (1..=9).map(|id| Entry::of(event(id, Severity::Info))).collect();
        store.write(&Batch { events, last: EventId(9), ..Batch::default() }).unwrap();
        let reader = open_read_only(&place).unwrap();
        let left = || reader.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0)).unwrap();
        let mut seen = None;
        let mark = |marks: &Marks| seen = Some((marks[&(Kind::Diagnosis, None)], left()));
        let slice = Retention::new(settings.quota(), 90).take_least(&mut store, &Outlook::default(), mark).unwrap();
        assert_eq!((slice.count, seen, left()), (9, Some((EventId(9), 9)), 0));
    }
}

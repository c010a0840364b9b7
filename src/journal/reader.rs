//! The reader: a thread with a connection of its own that cannot write. Each read is one transaction that looks at 256
//! rows at most, so that none holds up a checkpoint, and nobody waits long for his turn.

use std::sync::{Arc, mpsc as threads};

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::mpsc;

use super::ask::Reply;
use super::core::Core;
use super::place::Place;
use super::ring::{Entry, is_full};
use super::schema::{EVENT_COLUMNS, entry};
use super::store::open_read_only;
use super::trouble::Trouble;
use crate::clock::Wall;
use crate::event::{EventId, Kind};
use crate::feed::{Filter, Page, Stored, TrackPoint};
use crate::geo::Point;

/// How many rows a read looks at.
pub(super) const ROWS: usize = 256;

/// One read: with a connection, or with the reason why there is none.
pub(super) type Query = Box<dyn FnOnce(Result<&Connection, &Trouble>) -> rusqlite::Result<()> + Send>;

/// What the reader is asked to do.
pub(super) enum Job {
    /// To read.
    Read(Query),
    /// To close its connection, say so, and wait for the end of `go_on`. Connections of one process to one file share
    /// what they know of it, so that one which was opened while the disk was read-only makes all others read-only.
    Rest { resting: threads::Sender<()>, go_on: threads::Receiver<()> },
}

/// Reads until nobody can ask any more.
pub(super) fn run(mut jobs: mpsc::Receiver<Job>, core: &Core, place: &Place) {
    let pulse = core.health.pulse("journal-reader");
    let mut open: Option<(u64, Connection)> = None;
    while let Some(job) = pulse.rest_thread(|| jobs.blocking_recv()) {
        let query = match job {
            Job::Read(query) => query,
            Job::Rest { resting, go_on } => {
                open = None;
                // Both end with the writer's wish.
                let _ = resting.send(());
                let _ = pulse.rest_thread(|| go_on.recv());
                continue;
            }
        };
        let wanted = core.state().file;
        if open.as_ref().map(|(file, _)| *file) != wanted {
            open = None;
        }
        let conn = match (open.take(), wanted) {
            (Some((_, conn)), _) => Ok(conn),
            (None, Some(_)) => pulse.rest_thread(|| open_read_only(place)),
            (None, None) => Err(Trouble::Gone),
        };
        let failed = pulse.rest_thread(|| query(conn.as_ref())).err().map(Trouble::from);
        let failed = failed.or_else(|| conn.as_ref().err().cloned());
        match (failed, conn, wanted) {
            (None, Ok(conn), Some(file)) => open = Some((file, conn)),
            (Some(Trouble::Wrecked(why) | Trouble::Unreadable(why)), ..) => core.suspect(&why),
            _ => {}
        }
    }
}

/// Lets a reply go. The event it speaks of is read first, where memory no longer has it.
pub(super) fn finish(reads: &mpsc::WeakSender<Job>, reply: Reply, event: Option<Arc<Stored>>) {
    let (Some(id), None) = (reply.event(), &event) else { return reply.send(event) };
    let query: Query = Box::new(move |conn| {
        let found = conn.map_or(Ok(None), |conn| one(conn, id));
        reply.send(found.as_ref().ok().cloned().flatten().map(|entry| entry.stored));
        found.map(|_| ())
    });
    if let Some(reads) = reads.upgrade() {
        // A reader who is that busy answers nobody; the reply's slot goes with the job and the asker hears so.
        let _ = reads.try_send(Job::Read(query));
    }
}

fn one(conn: &Connection, id: EventId) -> rusqlite::Result<Option<Entry>> {
    let mut statement = conn.prepare_cached(&format!("SELECT {EVENT_COLUMNS} WHERE e.id = ?1"))?;
    statement.query_row([id], entry).optional()
}

/// What was read of the event `id`; `None` when what is stored there is no event any more: a few wrong bytes on the disk
/// are not to keep a phone from everything that came later.
fn sound<T>(read: rusqlite::Result<T>, id: EventId, core: &Core) -> rusqlite::Result<Option<T>> {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    match read {
        Err(FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..)) => {
            core.suspect(&format!("event {id} is damaged and cannot be told any more"));
            core.counters.drop("damaged", 1);
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// What `filter` shows of the next 256 events above `after` and up to `upto`, `limit` at most, or a full page.
pub(super) fn page(
    conn: &Connection,
    after: EventId,
    upto: EventId,
    filter: &Filter,
    limit: usize,
    core: &Core,
) -> rusqlite::Result<Page> {
    let sql = format!("SELECT {EVENT_COLUMNS} WHERE e.id > ?1 AND e.id <= ?2 ORDER BY e.id LIMIT ?3");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![after, upto, ROWS as i64])?;
    let mut page = Page { events: Vec::new(), next: after };
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        if page.events.len() == limit || is_full(&page.events) {
            return Ok(page);
        }
        looked_at += 1;
        page.next = row.get(0)?;
        let kind = sound(row.get::<_, Kind>(1), page.next, core)?;
        if kind.is_some_and(|kind| filter.shows(kind)) {
            let entry = sound(entry(row), page.next, core)?;
            page.events.extend(entry.map(|entry| entry.stored).filter(|stored| filter.matches(stored)));
        }
    }
    if looked_at < ROWS {
        page.next = upto;
    }
    Ok(page)
}

/// What `filter` shows of the 256 events at and below `from`, newest first; the next one to look at, if there is one.
pub(super) fn backwards(
    conn: &Connection,
    from: EventId,
    filter: &Filter,
    core: &Core,
) -> rusqlite::Result<(Vec<Entry>, Option<EventId>)> {
    let sql = format!("SELECT {EVENT_COLUMNS} WHERE e.id <= ?1 ORDER BY e.id DESC LIMIT ?2");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![from, ROWS as i64])?;
    let (mut found, mut looked_at, mut last) = (Vec::new(), 0, from);
    while let Some(row) = rows.next()? {
        looked_at += 1;
        last = row.get(0)?;
        found.extend(sound(entry(row), last, core)?.filter(|entry| filter.matches(&entry.stored)));
    }
    let next = last.0.checked_sub(1).map(EventId).filter(|_| looked_at == ROWS);
    Ok((found, next))
}

/// The points of the track from `from` (inclusive) to `to` (exclusive), oldest first, `limit` or 256 at most.
pub(super) fn track(conn: &Connection, from: Wall, to: Wall, limit: usize) -> rusqlite::Result<Vec<TrackPoint>> {
    let sql = "SELECT time, latitude, longitude, altitude, speed, heading, accuracy FROM track
               WHERE time >= ?1 AND time < ?2 ORDER BY time LIMIT ?3";
    let mut statement = conn.prepare_cached(sql)?;
    let point = |row: &rusqlite::Row| {
        Ok(TrackPoint {
            time: Wall::from_micros(row.get(0)?),
            point: Point { latitude: row.get(1)?, longitude: row.get(2)? },
            altitude: row.get(3)?,
            speed: row.get(4)?,
            heading: row.get(5)?,
            accuracy: row.get(6)?,
        })
    };
    statement.query_map(params![from.micros(), to.micros(), limit.min(ROWS) as i64], point)?.collect()
}

//! The writer's connection: opened, checked, written, checkpointed.
//!
//! SQLite in WAL mode. A transaction with `synchronous = FULL` syncs the log before it is visible to anybody; one with
//! `NORMAL` is synced by the next of the former or by a checkpoint, which is good enough for track points. The setting
//! may change between transactions, never within one (sqlite.org/pragma.html#pragma_synchronous). The log is taken into
//! the file by us alone, and written over from its begin afterwards, so that it does not grow and its blocks are there.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, ffi, params};

use super::counters::Counters;
use super::ids;
use super::place::{Identity, Lock, Place, beside};
use super::schema::{self, Code};
use super::settings::{Settings, WAL_BYTES};
use super::state::{Batch, Loaded};
use super::trouble::Trouble;
use crate::event::EventId;
use crate::feed::Cursor;
use crate::vehicle::Vin;

/// SQLite's pages, the size of those of most file systems.
pub(super) const PAGE_BYTES: u64 = 4096;

/// How long another connection may hold the file before that counts as a failure.
const BUSY: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct Store {
    pub conn: Connection,
    place: Place,
    /// Whether the file was empty.
    pub created: bool,
    synchronous: Option<bool>,
    /// Nothing is synced: for a test, in debug builds.
    skips_flush: bool,
    files: Option<(Identity, Identity)>,
    /// What stands beside the file, in case that it is lost: never less than the bound in it.
    kept_bound: EventId,
    _lock: Lock,
}

/// How much of an opened file is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// What is needed: a start has to be quick, and what is wrong deeper down is found when it is read.
    Quick,
    /// Every page, after something went wrong.
    Thorough,
}

impl Store {
    /// Opens the journal of `vin` in a directory that is prepared, or makes it.
    pub fn open(place: &Place, lock: Lock, vin: &Vin, settings: &Settings, check: Check) -> Result<Store, Trouble> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(place.db(), flags)?;
        conn.busy_timeout(BUSY)?;
        if conn.is_readonly(rusqlite::MAIN_DB)? {
            return Err(Trouble::ReadOnly("the file is write-protected".to_owned()));
        }
        conn.pragma_update(None, "page_size", signed(PAGE_BYTES))?;
        conn.pragma_update(None, "cell_size_check", true)?;
        let mode: String = conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(Trouble::Failed(format!("its file system allows no write-ahead log, only `{mode}`")));
        }
        conn.pragma_update(None, "wal_autocheckpoint", 0)?;
        conn.pragma_update(None, "journal_size_limit", signed(WAL_BYTES))?;
        conn.pragma_update(None, "cache_size", -256)?;
        conn.pragma_update(None, "max_page_count", signed(settings.quota() / PAGE_BYTES))?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        if settings.skips_flush() {
            conn.pragma_update(None, "synchronous", "OFF")?;
        }
        if check == Check::Thorough {
            quick_check(&conn)?;
        }
        let created = schema::prepare(&conn, vin, &name())?;
        Ok(Store {
            conn,
            place: place.clone(),
            created,
            synchronous: None,
            skips_flush: settings.skips_flush(),
            files: None,
            kept_bound: place.kept_bound().unwrap_or_default(),
            _lock: lock,
        })
    }

    /// The file's own name: a random number from when it was made.
    pub fn name(&self) -> Result<Option<String>, Trouble> {
        Ok(schema::meta(&self.conn, "name")?)
    }

    /// Writes all of `batch` in one transaction. When this returns, the disk has it.
    pub fn write(&mut self, batch: &Batch) -> Result<(), Trouble> {
        if let Some(bound) = batch.bound {
            self.keep_bound(bound)?;
        }
        self.set_synchronous(batch.must_last())?;
        let change = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        write_keyed(&change, batch)?;
        write_cursors(&change, batch)?;
        write_events(&change, batch)?;
        write_marks(&change, batch)?;
        write_track(&change, batch)?;
        change.commit()?;
        self.hold_files()
    }

    /// A transaction of our own that a power cut may undo; `announce` hears what was done before anybody can see it.
    pub fn tidy<T>(
        &mut self,
        act: impl FnOnce(&Connection) -> rusqlite::Result<T>,
        announce: impl FnOnce(&T),
    ) -> Result<T, Trouble> {
        self.set_synchronous(false)?;
        let change = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = act(&change)?;
        announce(&done);
        change.commit()?;
        Ok(done)
    }

    /// Before an id is told it is below the bound that outlives the file.
    fn keep_bound(&mut self, bound: EventId) -> Result<(), Trouble> {
        if bound > self.kept_bound {
            let kept = ids::beside(bound);
            self.place.keep_bound(kept)?;
            self.kept_bound = kept;
        }
        Ok(())
    }

    fn set_synchronous(&mut self, full: bool) -> Result<(), Trouble> {
        if self.synchronous != Some(full) && !self.skips_flush {
            self.synchronous = None;
            self.conn.pragma_update(None, "synchronous", if full { "FULL" } else { "NORMAL" })?;
            self.synchronous = Some(full);
        }
        Ok(())
    }

    /// What was written is only worth something while the files are where the next start looks for them.
    fn hold_files(&mut self) -> Result<(), Trouble> {
        let files = Place::identity(&self.place.db()).zip(Place::identity(&self.place.wal()));
        match (files, self.files) {
            (Some(now), Some(then)) if now == then => Ok(()),
            (Some(now), None) => {
                self.files = Some(now);
                Ok(())
            }
            _ => Err(Trouble::Gone),
        }
    }

    /// Bytes in the log, and whether some of them are not yet in the file.
    pub fn log(&self) -> Result<(u64, bool), Trouble> {
        let (frames, taken) = self.checkpoint_pragma("NOOP")?;
        Ok((frames * PAGE_BYTES, frames > taken))
    }

    /// Takes the log into the file, as far as no reader is in the way.
    pub fn checkpoint(&mut self, mode: &str) -> Result<(), Trouble> {
        self.checkpoint_pragma(mode).map(|_| ())
    }

    /// The same, timed.
    pub fn checkpoint_timed(&mut self, counters: &Counters) -> Result<(), Trouble> {
        let begin = Instant::now();
        self.checkpoint("PASSIVE")?;
        counters.checkpoint_seconds.observe(begin.elapsed().as_secs_f64());
        Ok(())
    }

    fn checkpoint_pragma(&self, mode: &str) -> Result<(u64, u64), Trouble> {
        let frames = |row: &rusqlite::Row, at| row.get(at).map(|frames: i64| u64::try_from(frames).unwrap_or(0));
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        Ok(self.conn.query_row(&sql, [], |row| Ok((frames(row, 1)?, frames(row, 2)?)))?)
    }

    /// Bytes of the file that hold something.
    pub fn used(&self) -> Result<u64, Trouble> {
        let pages = |pragma| self.conn.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let used = pages("page_count")?.saturating_sub(pages("freelist_count")?);
        Ok(u64::try_from(used).unwrap_or(0) * PAGE_BYTES)
    }
}

/// SQLite's integers have a sign.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Everything that is not an event, out of a file that is opened for this alone. One that cannot be written can often
/// still be read.
pub(super) fn load_read_only(place: &Place, vin: &Vin) -> Result<Loaded, Trouble> {
    let conn = open_read_only(place)?;
    if !schema::meta::<String>(&conn, "vin")?.is_some_and(|stored| schema::is_of(&stored, vin)) {
        return Err(Trouble::Foreign("another vehicle"));
    }
    schema::load(&conn)
}

/// The vehicle whose journal is at `place`, where that can be told.
pub(super) fn vin_of(place: &Place) -> Option<Vin> {
    let stored: String = open_read_only(place).and_then(|conn| Ok(schema::meta(&conn, "vin")?)).ok()??;
    Vin::try_from(stored).ok()
}

/// What can be saved of a file that cannot be used.
pub(super) fn salvage(file: &Path, vin: &Vin) -> Loaded {
    read_only(file).map(|conn| schema::salvage(&conn, vin)).unwrap_or_default()
}

/// A connection that only reads. On a file system that is read-only there may be no index of the log and no way to make
/// one; then the file is read without its log, if that is empty.
pub(super) fn open_read_only(place: &Place) -> Result<Connection, Trouble> {
    read_only(&place.db())
}

fn read_only(file: &Path) -> Result<Connection, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let open = |name: &str| -> Result<Connection, Trouble> {
        let conn = Connection::open_with_flags(name, flags)?;
        conn.busy_timeout(Duration::from_secs(1))?;
        conn.pragma_update(None, "cache_size", -256)?;
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(conn)
    };
    let db = uri(file);
    let log_is_empty = std::fs::metadata(beside(file, "-wal")).map_or(true, |log| log.len() == 0);
    match open(&db) {
        Err(Trouble::Failed(_) | Trouble::ReadOnly(_)) if log_is_empty => open(&format!("{db}?immutable=1")),
        opened => opened,
    }
}

/// A path as SQLite reads it in a URI (sqlite.org/uri.html).
fn uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let escape = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => char::from(*byte).to_string(),
        other => format!("%{other:02X}"),
    };
    format!("file:{}", path.as_os_str().as_bytes().iter().map(escape).collect::<String>())
}

fn name() -> String {
    // Without random numbers every file is called the same, and one that comes back is taken for the one that went.
    format!("{:016x}", getrandom::u64().unwrap_or(0))
}

fn quick_check(conn: &Connection) -> Result<(), Trouble> {
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    match verdict.as_str() {
        "ok" => Ok(()),
        // The check goes on after a page that the disk does not give, and says the code of the failure.
        _ if failure_in(&verdict).is_some_and(|code| code & 0xFF == ffi::SQLITE_IOERR) => Err(Trouble::Unreadable(verdict)),
        _ => Err(Trouble::Wrecked(verdict)),
    }
}

fn failure_in(verdict: &str) -> Option<i32> {
    let (_, code) = verdict.rsplit_once("error code=")?;
    code.trim().parse().ok()
}

fn write_keyed(change: &Connection, batch: &Batch) -> Result<(), Trouble> {
    if batch.fresh {
        change.execute("DELETE FROM rows", [])?;
        change.execute("UPDATE alerts SET ended = ?1 WHERE ended IS NULL", [batch.last])?;
    }
    for (key, value) in &batch.rows {
        match value {
            Some(value) => change
                .prepare_cached("INSERT OR REPLACE INTO rows (key, value) VALUES (?1, ?2)")?
                .execute(params![key, &**value])?,
            None => change.prepare_cached("DELETE FROM rows WHERE key = ?1")?.execute([key])?,
        };
    }
    for (token, device) in &batch.devices {
        match device {
            Some(device) => change
                .prepare_cached("INSERT OR REPLACE INTO devices (token, device) VALUES (?1, ?2)")?
                .execute(params![token, serde_json::to_string(&**device).unwrap_or_default()])?,
            None => change.prepare_cached("DELETE FROM devices WHERE token = ?1")?.execute([token])?,
        };
    }
    Ok(())
}

/// Counts only rise, so that what was written in an attempt of which the disk said that it had failed is not lost.
fn write_cursors(change: &Connection, batch: &Batch) -> Result<(), Trouble> {
    let sql = "INSERT INTO cursors (reader, kind, position, forgotten, told) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (reader, kind) DO UPDATE SET position = max(position, excluded.position),
               forgotten = max(forgotten, excluded.forgotten), told = max(told, excluded.told)";
    for ((reader, kind), cursor) in &batch.cursors {
        let Some(Cursor { position, forgotten, told, .. }) = *cursor else {
            change.prepare_cached("DELETE FROM cursors WHERE reader = ?1 AND kind = ?2")?.execute(params![&**reader, kind])?;
            continue;
        };
        change.prepare_cached(sql)?.execute(params![&**reader, kind, position, signed(forgotten), signed(told)])?;
    }
    Ok(())
}

/// An event that is there already came there in an attempt of which the disk said that it had failed.
fn write_events(change: &Connection, batch: &Batch) -> Result<(), Trouble> {
    for entry in &batch.events {
        let stored = &entry.stored;
        change
            .prepare_cached(
                "INSERT INTO events (id, kind, severity, time, type, member, alert, json)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING",
            )?
            .execute(params![
                stored.id,
                stored.kind,
                Code(stored.severity),
                entry.time.micros(),
                &*stored.event_type,
                stored.member.as_deref(),
                stored.alert,
                &*stored.json,
            ])?;
        match stored.alert {
            Some(first) if entry.ends => end_alert(change, first, stored.id)?,
            Some(first) if entry.is_left_behind() => {
                let sql = "INSERT INTO alerts (first, latest) VALUES (?1, ?2)
                           ON CONFLICT (first) DO UPDATE SET latest = max(latest, ?2), ended = ?3";
                change.prepare_cached(sql)?.execute(params![first, stored.id, stored.ended])?;
            }
            _ => {}
        }
    }
    batch.settled.iter().try_for_each(|(first, end)| end_alert(change, *first, *end))
}

fn end_alert(change: &Connection, first: EventId, end: EventId) -> Result<(), Trouble> {
    change.prepare_cached("UPDATE alerts SET ended = ?2 WHERE first = ?1")?.execute([first, end])?;
    Ok(())
}

fn write_marks(change: &Connection, batch: &Batch) -> Result<(), Trouble> {
    for ((kind, member), id) in &batch.marks {
        mark_pruned(change, *kind, member.as_deref(), *id)?;
    }
    for (key, id) in [("bound", batch.bound), ("base", batch.base)] {
        if let Some(id) = id {
            schema::set_meta(change, key, &id)?;
        }
    }
    Ok(())
}

/// Events of `kind`, to `member` where they were published, are gone up to `id`.
pub(super) fn mark_pruned(
    change: &Connection,
    kind: crate::event::Kind,
    member: Option<&str>,
    id: EventId,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO pruned (kind, member, id) VALUES (?1, ?2, ?3)
               ON CONFLICT (kind, member) DO UPDATE SET id = max(id, excluded.id)";
    change.prepare_cached(sql)?.execute(params![kind, member.unwrap_or_default(), id]).map(|_| ())
}

fn write_track(change: &Connection, batch: &Batch) -> Result<(), Trouble> {
    let sql = "INSERT INTO track (time, latitude, longitude, altitude, speed, heading, accuracy)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (time) DO NOTHING";
    for point in &batch.track {
        change.prepare_cached(sql)?.execute(params![
            point.time.micros(),
            point.point.latitude,
            point.point.longitude,
            point.altitude,
            point.speed,
            point.heading,
            point.accuracy,
        ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;
    use crate::feed::TrackPoint;
    use crate::geo::Point;
    use crate::journal::tests::vin;

    fn pragma(store: &Store, name: &str) -> i64 {
        store.conn.pragma_query_value(None, name, |row| row.get(0)).unwrap()
    }

    #[test]
    fn events_are_synced_and_track_points_wait_for_the_next_sync() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path());
        let settings = Settings { max_bytes: 16 << 20, ..Settings::default() };
        let mut store = Store::open(&place, place.prepare().unwrap(), &vin(), &settings, Check::Quick).unwrap();
        let point = Point { latitude: 37.5, longitude: 127.1 };
        let time = Wall::from_micros(1);
        let point = TrackPoint { time, point, altitude: None, speed: None, heading: None, accuracy: 4.0 };
        store.write(&Batch { track: vec![point], ..Batch::default() }).unwrap();
        assert_eq!(pragma(&store, "synchronous"), 1, "NORMAL");
        store.write(&Batch { rows: vec![("key".to_owned(), None)], ..Batch::default() }).unwrap();
        assert_eq!(pragma(&store, "synchronous"), 2, "FULL");
        assert_eq!((pragma(&store, "wal_autocheckpoint"), pragma(&store, "cache_size")), (0, -256));
        assert_eq!(pragma(&store, "max_page_count"), 2048);
        assert!(store.log().unwrap().1, "the log waits for us");
        store.checkpoint("PASSIVE").unwrap();
        assert!(!store.log().unwrap().1);
    }

    #[test]
    fn a_path_is_escaped_in_a_uri() {
        assert_eq!(uri(Path::new("/a b/ü?#%.db")), "file:/a%20b/%C3%BC%3F%23%25.db");
    }
}

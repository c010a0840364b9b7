//! The tables, and how rows become what the rest of the journal knows.
//!
//! | table | holds |
//! |---|---|
//! | `events` | every event: its id, what retention and streams choose by, its JSON as it is told |
//! | `alerts` | of each alert its latest `CHILD_LEFT_BEHIND`, and the event that ended it |
//! | `rows` | the engine's state, bytes under keys |
//! | `devices` | paired phones, by the SHA-256 of their tokens |
//! | `track` | decimated track points, by their time |
//! | `cursors` | how far each reader has come with each kind, and what it was not sent before it went |
//! | `pruned` | for each kind, and member of published events, the highest id that retention took |
//! | `tally` | bytes in use by each class of things, kept by triggers |
//! | `meta` | the file's own name, the vehicle's, the id bound, the position before which nothing is here |
//!
//! Ids, times (µs) and codes are integers. A version of the schema is a script; a file is brought up by those it lacks.

use std::sync::Arc;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row};

use super::cursors::Whose;
use super::ring::Entry;
use super::state::{Loaded, Marks};
use super::trouble::Trouble;
use crate::clock::Wall;
use crate::event::{EventId, EventType, Kind, Severity};
use crate::feed::{Cursor, Device, Stored, TokenHash};
use crate::vehicle::Vin;

/// `TLTL`: in the file's header, so that `file` and we know whose it is.
const APPLICATION: i32 = 0x544C_544C;

/// One script a version.
const VERSIONS: &[&str] = &[
    "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE events (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, severity INTEGER NOT NULL, time INTEGER NOT NULL,
        type TEXT NOT NULL, member TEXT, alert INTEGER, json TEXT NOT NULL) STRICT;
    CREATE TABLE alerts (first INTEGER PRIMARY KEY, latest INTEGER NOT NULL, ended INTEGER) STRICT;
    CREATE TABLE rows (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE devices (token BLOB PRIMARY KEY, device TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE track (time INTEGER PRIMARY KEY, latitude REAL NOT NULL, longitude REAL NOT NULL, altitude REAL,
        speed REAL, heading REAL, accuracy REAL NOT NULL) STRICT;
    CREATE TABLE pruned (kind INTEGER, member TEXT, id INTEGER NOT NULL, PRIMARY KEY (kind, member)) STRICT, WITHOUT ROWID;
    CREATE TABLE tally (class INTEGER PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;
    INSERT INTO tally (class, bytes) VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0);
    CREATE TRIGGER event_in AFTER INSERT ON events BEGIN
        UPDATE tally SET bytes = bytes + 96 + octet_length(new.json) WHERE class = new.kind; END;
    CREATE TRIGGER event_out AFTER DELETE ON events BEGIN
        UPDATE tally SET bytes = bytes - 96 - octet_length(old.json) WHERE class = old.kind; END;
    CREATE TRIGGER point_in AFTER INSERT ON track BEGIN UPDATE tally SET bytes = bytes + 72 WHERE class = 5; END;
    CREATE TRIGGER point_out AFTER DELETE ON track BEGIN UPDATE tally SET bytes = bytes - 72 WHERE class = 5; END;
",
    "
    CREATE TABLE cursors (reader TEXT, kind INTEGER, position INTEGER NOT NULL, forgotten INTEGER NOT NULL,
        told INTEGER NOT NULL, PRIMARY KEY (reader, kind)) STRICT, WITHOUT ROWID;
",
];

/// The class of track points in `tally`; events have their kind's code.
pub(super) const TRACK_CLASS: i64 = 5;

/// What a read of events selects, to be read by [`entry`].
pub(super) const EVENT_COLUMNS: &str = "e.id, e.kind, e.severity, e.time, e.type, e.member, e.alert, a.ended, e.json
    FROM events e LEFT JOIN alerts a ON a.first = e.alert";

/// Brings the file up to this version of the schema, and holds that it is this vehicle's. Whether it was empty.
pub(super) fn prepare(conn: &Connection, vin: &Vin, name: &str) -> Result<bool, Trouble> {
    let known: u32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && application != APPLICATION {
        return Err(Trouble::Foreign("another program"));
    }
    let Some(missing) = VERSIONS.get(known as usize..) else {
        return Err(Trouble::Foreign("a newer version of Telltale"));
    };
    if !missing.is_empty() {
        let change = conn.unchecked_transaction()?;
        missing.iter().try_for_each(|script| change.execute_batch(script))?;
        change.pragma_update(None, "user_version", VERSIONS.len() as u32)?;
        change.pragma_update(None, "application_id", APPLICATION)?;
        if known == 0 {
            set_meta(&change, "name", &name)?;
            set_meta(&change, "vin", &vin.as_str())?;
        }
        change.commit()?;
    }
    match meta::<String>(conn, "vin")? {
        Some(stored) if stored == vin.as_str() => Ok(known == 0),
        Some(stored) if is_of(&stored, vin) => {
            set_meta(conn, "vin", &vin.as_str())?;
            Ok(known == 0)
        }
        Some(_) => Err(Trouble::Foreign("another vehicle")),
        None => Err(Trouble::Wrecked("it names no vehicle".to_owned())),
    }
}

/// Whether a file under the name `stored` is of `vin`: an unnamed vehicle's is of the one whose number is learned later.
pub(super) fn is_of(stored: &str, vin: &Vin) -> bool {
    stored == vin.as_str() || stored == Vin::unnamed().as_str()
}

/// The value of `key`, if there is one.
pub(super) fn meta<T: FromSql>(conn: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    let mut statement = conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    statement.query_row([key], |row| row.get(0)).optional()
}

/// `value` under `key`.
pub(super) fn set_meta(conn: &Connection, key: &str, value: &dyn ToSql) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?;
    statement.execute(rusqlite::params![key, value]).map(|_| ())
}

/// Everything but events and track.
pub(super) fn load(conn: &Connection) -> Result<Loaded, Trouble> {
    let newest: Option<EventId> = conn.query_row("SELECT max(id) FROM events", [], |row| row.get(0))?;
    Ok(Loaded {
        id: meta(conn, "name")?,
        bound: meta(conn, "bound")?.max(newest).unwrap_or_default(),
        base: meta(conn, "base")?.unwrap_or_default(),
        rows: all(conn, ROWS, row)?,
        devices: all(conn, DEVICES, device)?,
        cursors: cursors(conn)?,
        marks: marks(conn)?,
        alerts: running_alerts(conn)?,
    })
}

/// What can still be read of a file that cannot be used: of each table what there is before the first error. Another
/// vehicle's file gives its ids, so that none is issued again, and nothing else.
pub(super) fn salvage(conn: &Connection, vin: &Vin) -> Loaded {
    let bound = meta(conn, "bound").unwrap_or_default().unwrap_or_default();
    if !meta::<String>(conn, "vin").ok().flatten().is_some_and(|stored| is_of(&stored, vin)) {
        return Loaded { bound, ..Loaded::default() };
    }
    Loaded {
        bound,
        rows: readable(conn, ROWS, row),
        devices: readable(conn, DEVICES, device),
        cursors: readable(conn, CURSORS, cursor),
        ..Loaded::default()
    }
}

const ROWS: &str = "SELECT key, value FROM rows";
const DEVICES: &str = "SELECT token, device FROM devices";
const CURSORS: &str = "SELECT reader, kind, position, forgotten, told FROM cursors";

fn all<T>(conn: &Connection, sql: &str, read: impl Fn(&Row) -> rusqlite::Result<T>) -> rusqlite::Result<Vec<T>> {
    conn.prepare(sql)?.query_map([], |row| read(row))?.collect()
}

fn readable<T>(conn: &Connection, sql: &str, read: impl Fn(&Row) -> rusqlite::Result<T>) -> Vec<T> {
    let Ok(mut statement) = conn.prepare(sql) else { return Vec::new() };
    statement.query_map([], |row| read(row)).map(|rows| rows.map_while(Result::ok).collect()).unwrap_or_default()
}

fn row(row: &Row) -> rusqlite::Result<(String, Arc<[u8]>)> {
    Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?.into()))
}

fn device(row: &Row) -> rusqlite::Result<(TokenHash, Arc<Device>)> {
    let json: String = row.get(1)?;
    let wrong = |error| rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(error));
    Ok((row.get(0)?, Arc::new(serde_json::from_str(&json).map_err(wrong)?)))
}

/// How far everybody has come, as this file has it. One that cannot be written may be of the first version, without any.
pub(super) fn cursors(conn: &Connection) -> rusqlite::Result<Vec<(Whose, Cursor)>> {
    let version: u32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version < 2 { Ok(Vec::new()) } else { all(conn, CURSORS, cursor) }
}

fn cursor(row: &Row) -> rusqlite::Result<(Whose, Cursor)> {
    let count = |at| row.get::<_, i64>(at).map(|count| u64::try_from(count).unwrap_or(0));
    let kind = row.get(1)?;
    Ok(((row.get(0)?, kind), Cursor { kind, position: row.get(2)?, forgotten: count(3)?, told: count(4)? }))
}

fn marks(conn: &Connection) -> rusqlite::Result<Marks> {
    let read = |row: &Row| Ok(((row.get(0)?, member(row.get(1)?)), row.get(2)?));
    conn.prepare("SELECT kind, member, id FROM pruned")?.query_map([], read)?.collect()
}

/// In the file no member is the empty one, so that it can be part of a key.
fn member(stored: Arc<str>) -> Option<Arc<str>> {
    Some(stored).filter(|member| !member.is_empty())
}

fn running_alerts(conn: &Connection) -> rusqlite::Result<Vec<Entry>> {
    let sql = format!("SELECT {EVENT_COLUMNS} WHERE e.id IN (SELECT latest FROM alerts WHERE ended IS NULL)");
    conn.prepare(&sql)?.query_map([], entry)?.collect()
}

/// One row of [`EVENT_COLUMNS`].
pub(super) fn entry(row: &Row) -> rusqlite::Result<Entry> {
    let event_type: Arc<str> = row.get(4)?;
    let ended: Option<EventId> = row.get(7)?;
    let stored = Stored {
        id: row.get(0)?,
        kind: row.get(1)?,
        severity: row.get::<_, Code<Severity>>(2)?.0,
        member: row.get(5)?,
        alert: row.get(6)?,
        ended: ended.filter(|_| &*event_type == EventType::ChildLeftBehind.name()),
        event_type,
        json: row.get(8)?,
        encoded: Default::default(),
    };
    Ok(Entry::read(stored, Wall::from_micros(row.get(3)?)))
}

impl ToSql for EventId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        // Below 2^53.
        Ok(ToSqlOutput::from(self.0 as i64))
    }
}

impl FromSql for EventId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<EventId> {
        let id = value.as_i64()?;
        u64::try_from(id).map(EventId).map_err(|_| FromSqlError::OutOfRange(id))
    }
}

impl ToSql for Kind {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(*self as i64))
    }
}

impl FromSql for Kind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Kind> {
        coded(&Kind::ALL, value)
    }
}

/// A severity as its place among [`SEVERITIES`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Code<T>(pub T);

/// Least first.
pub(super) const SEVERITIES: [Severity; 4] = [Severity::Info, Severity::Advisory, Severity::Warning, Severity::Critical];

impl ToSql for Code<Severity> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0 as i64))
    }
}

impl FromSql for Code<Severity> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Code<Severity>> {
        coded(&SEVERITIES, value).map(Code)
    }
}

fn coded<T: Copy>(all: &[T], value: ValueRef<'_>) -> FromSqlResult<T> {
    let code = value.as_i64()?;
    let known = usize::try_from(code).ok().and_then(|at| all.get(at));
    known.copied().ok_or(FromSqlError::OutOfRange(code))
}

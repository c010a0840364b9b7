//! What goes between memory and the file: what one holds at the start, and the transactions that it gets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Freed, State};
use crate::clock::Stamp;
use crate::event::{EventId, Kind};
use crate::feed::{Cursor, Device, TokenHash, TrackPoint};
use crate::journal::cursors::Whose;
use crate::journal::ids;
use crate::journal::ring::Entry;

/// How long a changed row may wait for company before it is written by itself.
pub(super) const ROWS_WAIT: Duration = Duration::from_millis(500);

/// Track points are written in batches of this many,
pub(in crate::journal) const TRACK_BATCH: usize = 64;

/// or after this time,
pub(super) const TRACK_WAIT: Duration = Duration::from_secs(30);

/// and this many may wait for the disk.
pub(in crate::journal) const TRACK_WAITING: usize = 4 * TRACK_BATCH;

/// For each kind, and member of published ones, the highest id that is gone.
pub(in crate::journal) type Marks = BTreeMap<(Kind, Option<Arc<str>>), EventId>;

/// What a file holds besides events and track.
#[derive(Clone, Debug, Default)]
pub(in crate::journal) struct Loaded {
    pub id: Option<String>,
    pub bound: EventId,
    pub base: EventId,
    pub rows: Vec<(String, Arc<[u8]>)>,
    pub devices: Vec<(TokenHash, Arc<Device>)>,
    pub cursors: Vec<(Whose, Cursor)>,
    pub marks: Marks,
    pub alerts: Vec<Entry>,
}

/// How the journal was found at the start.
#[derive(Debug)]
pub(in crate::journal) struct Found {
    pub loaded: Loaded,
    /// The highest id that may have been told.
    pub last: EventId,
    /// Ids up to here are reserved on disk.
    pub reserved: EventId,
    /// There is a file that can be read.
    pub readable: bool,
    /// Why it cannot be written, if so.
    pub trouble: Option<String>,
}

/// How much a transaction is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) enum Extent {
    /// What is due.
    Due,
    /// That, and something in any case: whether the disk takes it is the question.
    Probe,
    /// Everything: there is no other after it.
    Last,
}

/// Everything up to a turn that the file does not have: one transaction.
#[derive(Debug, Default)]
pub(in crate::journal) struct Batch {
    pub turn: u64,
    /// The last event that is in the file after this.
    pub last: EventId,
    /// The file is new: what it may have had under keys goes first.
    pub fresh: bool,
    pub events: Vec<Entry>,
    pub rows: Vec<(String, Option<Arc<[u8]>>)>,
    pub devices: Vec<(TokenHash, Option<Arc<Device>>)>,
    pub cursors: Vec<(Whose, Option<Cursor>)>,
    pub settled: Vec<(EventId, EventId)>,
    pub marks: Marks,
    pub bound: Option<EventId>,
    pub base: Option<EventId>,
    pub track: Vec<TrackPoint>,
}

impl Batch {
    /// Whether a power cut must not undo it.
    pub fn must_last(&self) -> bool {
        let keyed = !(self.rows.is_empty() && self.devices.is_empty() && self.cursors.is_empty());
        let marks = !(self.settled.is_empty() && self.marks.is_empty());
        !self.events.is_empty() || keyed || marks || self.fresh || self.bound.is_some()
    }
}

impl State {
    /// When there is something to write.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        let soon = !self.waiters.is_empty() || self.ring.after(self.saved).next().is_some();
        if soon || self.suspect || self.fresh || self.track.len() >= TRACK_BATCH {
            return Some(now);
        }
        let rows = self.changed.map(|since| since + ROWS_WAIT);
        let track = self.track_since.map(|since| since + TRACK_WAIT);
        rows.into_iter().chain(track).min()
    }

    /// Everything that is to be written, if there is anything.
    pub fn batch(&self, now: Stamp, at: Instant, extent: Extent) -> Option<Batch> {
        let last = extent == Extent::Last;
        let track_due = self.track_since.is_some_and(|since| last || at >= since + TRACK_WAIT);
        let track = track_due || self.track.len() >= TRACK_BATCH;
        let older = self.alerts.values().filter(|entry| self.fresh && entry.id() <= self.ring.floor());
        let batch = Batch {
            turn: self.turn,
            last: self.issued,
            fresh: self.fresh,
            events: older.chain(self.ring.after(self.saved)).cloned().collect(),
            rows: self.rows.unsaved(),
            devices: self.devices.unsaved(),
            cursors: self.cursors.unsaved(),
            settled: self.settled.iter().map(|(_, first, end)| (*first, *end)).collect(),
            marks: self.marks_changed.map(|_| self.marks.clone()).unwrap_or_default(),
            bound: self.bound_to_write(now).or((extent == Extent::Probe).then_some(self.reserved)),
            base: self.fresh.then_some(self.base),
            track: if track { self.track.iter().copied().collect() } else { Vec::new() },
        };
        let anything = batch.must_last() || !batch.track.is_empty() || !self.waiters.is_empty();
        anything.then_some(batch)
    }

    /// The bound that stands is too near, or the file does not know it.
    fn bound_to_write(&self, now: Stamp) -> Option<EventId> {
        let known = if self.fresh { EventId(0) } else { self.reserved };
        ids::raised(known, self.issued, now).map(|bound| bound.max(self.reserved))
    }

    /// `batch` is durable. Returns the replies that may go out, and what memory had no room for.
    pub fn written(&mut self, batch: &Batch, now: Instant) -> (Vec<Freed>, Vec<Entry>) {
        let unmarked = self.ring.after_mut(self.saved).chain(self.alerts.values_mut());
        unmarked.filter(|entry| entry.id() <= batch.last).for_each(Entry::unmark);
        self.saved = self.saved.max(batch.last);
        self.show(batch.last, true);
        self.rows.settle(batch.turn);
        self.devices.settle(batch.turn);
        self.cursors.settle(batch.turn);
        self.settled.retain(|(turn, ..)| *turn > batch.turn);
        self.marks_changed = self.marks_changed.filter(|turn| *turn > batch.turn);
        self.fresh = false;
        self.reserved = batch.bound.unwrap_or(self.reserved);
        if !batch.track.is_empty() {
            self.track.drain(..batch.track.len().min(self.track.len()));
            self.track_since = (!self.track.is_empty()).then_some(now);
        }
        let freed = self.release(batch.turn, None);
        let saved = self.rows.is_saved() && self.devices.is_saved() && self.cursors.is_saved() && self.settled.is_empty();
        self.changed = if saved { None } else { Some(now) };
        (freed, self.trim())
    }
}

//! What the journal knows at any moment: pure, so that every order of things can be tried.
//!
//! Two marks go along the sequence of events. Up to `saved` the file has them; up to `head` readers may see them. While
//! the journal is *writing*, `head` follows `saved`: nothing is shown before it is durable. While it is *degraded*,
//! `head` follows what is handed over, and what lies between the two marks is told with `"durable": false`; `saved`
//! catches up later. Neither goes back, except `saved` when the file has to be made anew.
//!
//! Each hand-over is a *turn*. A transaction holds everything up to some turn, so there is nothing to put back when it
//! fails: what is not saved is simply still to be written.
//!
//! What goes between here and the disk is in `file`, what goes to those who look and wait in `telling`.

mod file;
mod telling;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use self::file::TRACK_WAITING;
pub(super) use self::file::{Batch, Extent, Found, Loaded, Marks};
use super::ask::Reply;
use super::cursors::{Cursors, Whose};
use super::keyed::Keyed;
use super::ring::{Entry, Ring};
use super::shown::Shown;
use crate::event::{DRAWN, EventId, Kind, Row};
use crate::feed::{DOOR, Device, Fences, Filter, Picture, Stored, TokenHash, TrackPoint, Unavailable};

/// How many steps may wait for the disk.
pub(super) const STEPS: usize = 256;

/// Where somebody hears whether a change is durable.
pub(super) type Slot<T> = oneshot::Sender<Result<T, Unavailable>>;

/// Somebody who waits until a turn is durable.
#[derive(Debug)]
pub(super) enum Waiter {
    Reply(Reply),
    Added(TokenHash, Slot<()>),
    Revoked(Slot<bool>),
    Kept(Slot<()>),
}

/// A reply that may go out, with the event it speaks of where memory has it.
pub(super) type Freed = (Reply, Option<Arc<Stored>>);

/// Whether events wait for the disk, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Writing,
    Degraded(String),
}

/// How the writer is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// After it has written everything.
    Farewell,
    /// As if the power had gone.
    #[cfg(test)]
    Crash,
}

/// See the module.
#[derive(Debug)]
pub(super) struct State {
    pub mode: Mode,
    pub ring: Ring,
    pub head: EventId,
    pub saved: EventId,
    pub reserved: EventId,
    /// The last id that was handed over.
    pub issued: EventId,
    /// The last of the ids that may have been told before this start.
    pub start: EventId,
    pub rows: Keyed<String, Arc<[u8]>>,
    pub devices: Keyed<TokenHash, Arc<Device>>,
    pub cursors: Cursors,
    /// By its first event, each alert that is active, as its latest `CHILD_LEFT_BEHIND`.
    pub alerts: BTreeMap<EventId, Entry>,
    pub track: VecDeque<TrackPoint>,
    /// Which file readers may open: a number that changes with the file; none when there is no file.
    pub file: Option<u64>,
    /// How many events were told before they could be written, since somebody last looked.
    pub told_unwritten: u64,
    /// A reader found the file wrecked.
    pub suspect: bool,
    /// The writer is to end.
    pub stop: Option<Stop>,
    /// What somebody made before the start, and the engine does not know yet.
    pub late: Vec<Row>,
    files: u64,
    base: EventId,
    marks: Marks,
    marks_changed: Option<u64>,
    settled: Vec<(u64, EventId, EventId)>,
    track_since: Option<Instant>,
    turn: u64,
    steps: VecDeque<(u64, Instant)>,
    waiters: VecDeque<(u64, Waiter)>,
    changed: Option<Instant>,
    fresh: bool,
    picture: Shown<Arc<Picture>>,
    fences: Shown<Fences>,
}

impl State {
    /// From what was found at the start, and the picture before there is one.
    pub fn new(found: Found, picture: Arc<Picture>) -> State {
        let Found { loaded, last, reserved, readable, trouble } = found;
        let mut state = State {
            mode: trouble.map_or(Mode::Writing, Mode::Degraded),
            ring: Ring::new(last),
            head: last,
            saved: last,
            reserved,
            issued: last,
            start: last,
            rows: Keyed::default(),
            devices: Keyed::default(),
            cursors: Cursors::default(),
            alerts: loaded.alerts.iter().filter_map(|entry| Some((entry.stored.alert?, entry.clone()))).collect(),
            track: VecDeque::with_capacity(TRACK_WAITING),
            file: readable.then_some(0),
            told_unwritten: 0,
            suspect: false,
            stop: None,
            late: Vec::new(),
            files: 0,
            base: EventId(0),
            marks: Marks::new(),
            marks_changed: None,
            settled: Vec::new(),
            track_since: None,
            turn: 0,
            steps: VecDeque::new(),
            waiters: VecDeque::new(),
            changed: None,
            fresh: false,
            picture: Shown::new(picture),
            fences: Shown::default(),
        };
        state.rows.load(loaded.rows.iter().cloned());
        state.adopt(loaded);
        state
    }

    /// The file has these as well. Of the engine's state memory's is the newer, but what somebody made is kept of both.
    pub fn adopt(&mut self, loaded: Loaded) {
        for (key, value) in loaded.rows {
            if self.rows.knows(&key) || !(key.starts_with(DRAWN) || key.starts_with(DOOR)) {
                continue;
            }
            self.turn += 1;
            self.rows.set(key.clone(), Some(value.clone()), self.turn);
            if key.starts_with(DRAWN) {
                self.late.push(Row { key, value: Some(value.to_vec()) });
            }
        }
        let absent = |token: &TokenHash| !self.devices.values().contains_key(token);
        let devices: Vec<_> = loaded.devices.into_iter().filter(|(token, _)| absent(token)).collect();
        self.devices.load(devices);
        self.cursors.take_up(loaded.cursors);
        self.base = self.base.max(loaded.base);
        for (whose, id) in loaded.marks {
            let mark = self.marks.entry(whose).or_default();
            *mark = id.max(*mark);
        }
    }

    /// The file is another one, which has nothing of what memory holds; `lost`: nor what the former one had.
    pub fn renew(&mut self, lost: bool) {
        self.turn += 1;
        self.saved = self.ring.floor();
        self.rows.unsave(self.turn);
        self.devices.unsave(self.turn);
        self.cursors.unsave(self.turn);
        self.marks_changed = Some(self.turn);
        self.fresh = true;
        if lost {
            self.base = self.base.max(self.ring.floor());
        }
        self.change_file(true);
    }

    /// Readers have to open the file again, or there is none.
    pub fn change_file(&mut self, readable: bool) {
        self.files += 1;
        self.file = readable.then_some(self.files);
    }

    /// Takes a step. Returns the replies that may go out at once. Events have ids that rise: see [`State::accepts`].
    pub fn hand_over(&mut self, events: Vec<Entry>, rows: Vec<Row>, reply: Option<Reply>, now: Instant) -> Vec<Freed> {
        self.turn += 1;
        if !events.is_empty() || reply.is_some() {
            self.steps.push_back((self.turn, now));
        }
        for entry in events {
            self.issued = entry.id();
            self.ring.push(entry);
        }
        for Row { key, value } in rows {
            self.rows.set(key, value.map(Arc::from), self.turn);
        }
        if let Some(reply) = reply {
            self.waiters.push_back((self.turn, Waiter::Reply(reply)));
        }
        self.note_change(now);
        if self.mode == Mode::Writing { Vec::new() } else { self.tell() }
    }

    /// Whether these may be the next events: a reader's position would pass over one whose id does not rise.
    pub fn accepts(&self, events: &[Entry]) -> bool {
        let before = std::iter::once(self.issued).chain(events.iter().map(Entry::id));
        before.zip(events).all(|(before, entry)| before < entry.id())
    }

    /// Puts a device there, or takes it away. While the journal cannot be written, who waits hears so at once.
    pub fn set_device(&mut self, token: TokenHash, device: Option<Arc<Device>>, waiter: Waiter, now: Instant) -> Vec<Freed> {
        self.turn += 1;
        self.devices.set(token, device, self.turn);
        self.waiters.push_back((self.turn, waiter));
        self.steps.push_back((self.turn, now));
        self.note_change(now);
        if self.mode == Mode::Writing { Vec::new() } else { self.tell() }
    }

    /// Keeps what a door wants kept. While the journal cannot be written, who waits hears so at once; and while the disk
    /// is behind: those who come to doors must not fill the places of the engine's steps.
    pub fn keep(&mut self, rows: Vec<Row>, slot: Slot<()>, now: Instant) -> Vec<Freed> {
        self.turn += 1;
        for Row { key, value } in rows {
            if value.is_some() || self.rows.knows(&key) {
                self.rows.set(key, value.map(Arc::from), self.turn);
            }
        }
        self.await_keeping(slot, now)
    }

    fn await_keeping(&mut self, slot: Slot<()>, now: Instant) -> Vec<Freed> {
        self.note_change(now);
        if self.steps.len() >= STEPS / 2 {
            // Who waited may have gone.
            let _ = slot.send(Err(Unavailable::Journal("the disk is behind".to_owned())));
            return Vec::new();
        }
        self.waiters.push_back((self.turn, Waiter::Kept(slot)));
        self.steps.push_back((self.turn, now));
        if self.mode == Mode::Writing { Vec::new() } else { self.tell() }
    }

    /// A reader has come so far.
    pub fn advance(&mut self, whose: Whose, position: EventId, told: u64, slot: Slot<()>, now: Instant) -> Vec<Freed> {
        self.turn += 1;
        self.cursors.advance(whose, position.min(self.head), told, self.turn);
        self.await_keeping(slot, now)
    }

    /// Makes room for the cursors of `needed`: who was forgotten for it, with the rows under his name.
    pub fn make_room(&mut self, needed: &[String], now: Instant) -> Vec<Arc<str>> {
        let gone = self.cursors.surplus(needed);
        for reader in &gone {
            self.turn += 1;
            self.cursors.forget(reader, self.turn);
            for key in self.rows.keys_under(&format!("{DOOR}{reader}/")) {
                self.rows.set(key, None, self.turn);
            }
            self.note_change(now);
        }
        gone
    }

    /// Alerts other than `running` are over, although nobody told their end.
    pub fn settle_alerts(&mut self, running: &[EventId], now: Instant) {
        let over: Vec<_> = self.alerts.keys().copied().filter(|first| !running.contains(first)).collect();
        for first in over {
            self.turn += 1;
            self.alerts.remove(&first);
            self.ring.end_alert(first, self.head);
            self.settled.push((self.turn, first, self.head));
            self.note_change(now);
        }
    }

    /// A point of the track; whether there was room for it.
    pub fn add_point(&mut self, point: TrackPoint, now: Instant) -> bool {
        let room = self.track.len() < TRACK_WAITING && self.steps.len() < STEPS;
        if room {
            self.track.push_back(point);
            self.track_since.get_or_insert(now);
        }
        room
    }

    fn note_change(&mut self, now: Instant) {
        self.changed.get_or_insert(now);
    }

    /// Since when the oldest step waits.
    pub fn waiting_since(&self) -> Option<Instant> {
        self.steps.front().map(|(_, since)| *since)
    }

    /// Whether no further step may wait.
    pub fn is_full(&self) -> bool {
        self.steps.len() > STEPS
    }

    /// Keeps memory bounded; what had to go was told and will never be written.
    pub fn trim(&mut self) -> Vec<Entry> {
        let lost = self.ring.trim(self.saved, self.head);
        for entry in &lost {
            self.cursors.miss(entry.stored.kind, entry.id(), self.turn);
            self.mark_pruned(&entry.stored.kind, entry.stored.member.clone(), entry.id());
            self.marks_changed = Some(self.turn);
        }
        lost
    }

    /// An event is gone.
    pub fn mark_pruned(&mut self, kind: &Kind, member: Option<Arc<str>>, id: EventId) {
        let mark = self.marks.entry((*kind, member)).or_default();
        *mark = id.max(*mark);
    }

    /// The event that ended an alert, or the position at which it was over, where the file may not know it yet.
    pub fn end_of(&self, first: EventId) -> Option<EventId> {
        let settled = self.settled.iter().find(|(_, of, _)| *of == first).map(|(.., end)| *end);
        settled.or_else(|| self.ring.end_of(first, self.head))
    }

    /// The highest id that is gone among the events that `filter` shows.
    pub fn pruned(&self, filter: &Filter) -> EventId {
        let marks = filter.kinds().filter_map(|kind| match kind {
            Kind::Published => self.marks.get(&(kind, Some(filter.member.clone()?))),
            _ => self.marks.get(&(kind, None)),
        });
        let gone = marks.copied().max().unwrap_or_default().max(self.base);
        if self.file.is_some() { gone } else { gone.max(self.ring.floor()) }
    }
}

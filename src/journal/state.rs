//! What the journal knows at any moment: pure, so that every order of things can be tried.
//!
//! Two marks go along the sequence of events. Up to `saved` the file has them; up to `head` readers may see them. While
//! the journal is *writing*, `head` follows `saved`: nothing is shown before it is durable. While it is *degraded*,
//! `head` follows what is handed over, and what lies between the two marks is told with `"durable": false`; `saved`
//! catches up later. Neither goes back, except `saved` when the file has to be made anew.
//!
//! Each hand-over is a *turn*. A transaction holds everything up to some turn, so there is nothing to put back when it
//! fails: what is not saved is simply still to be written.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::ask::Reply;
use super::ids;
use super::keyed::Keyed;
use super::ring::{Entry, Ring};
use crate::clock::Stamp;
use crate::event::{EventId, Kind, Row};
use crate::feed::{Device, Filter, Stored, TokenHash, TrackPoint, Unavailable};

/// How many steps may wait for the disk.
pub(super) const STEPS: usize = 256;

/// How long a changed row may wait for company before it is written by itself.
const ROWS_WAIT: Duration = Duration::from_millis(500);

/// So many alerts may be active at once; the engine knows of one.
const ALERTS: usize = 16;

/// Track points are written in batches of this many,
pub(super) const TRACK_BATCH: usize = 64;

/// or after this time,
const TRACK_WAIT: Duration = Duration::from_secs(30);

/// and this many may wait for the disk.
pub(super) const TRACK_WAITING: usize = 4 * TRACK_BATCH;

/// For each kind, and member of published ones, the highest id that is gone.
pub(super) type Marks = BTreeMap<(Kind, Option<Arc<str>>), EventId>;

/// What a file holds besides events and track.
#[derive(Clone, Debug, Default)]
pub(super) struct Loaded {
    pub id: Option<String>,
    pub bound: EventId,
    pub base: EventId,
    pub rows: Vec<(String, Arc<[u8]>)>,
    pub devices: Vec<(TokenHash, Arc<Device>)>,
    pub marks: Marks,
    pub alerts: Vec<Entry>,
}

/// How the journal was found at the start.
#[derive(Debug)]
pub(super) struct Found {
    pub loaded: Loaded,
    /// The highest id that may have been told.
    pub last: EventId,
    /// Ids up to here are reserved on disk.
    pub reserved: EventId,
    /// The file is new, and `loaded` comes from somewhere else.
    pub fresh: bool,
    /// There is a file that can be read.
    pub readable: bool,
    /// Why it cannot be written, if so.
    pub trouble: Option<String>,
}

/// Somebody who waits until a turn is durable.
#[derive(Debug)]
pub(super) enum Waiter {
    Reply(Reply),
    Added(TokenHash, oneshot::Sender<Result<(), Unavailable>>),
    Revoked(oneshot::Sender<Result<bool, Unavailable>>),
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

/// How much a transaction is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// What is due.
    Due,
    /// That, and something in any case: whether the disk takes it is the question.
    Probe,
    /// Everything: there is no other after it.
    Last,
}

/// Everything up to a turn that the file does not have: one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub turn: u64,
    /// The last event that is in the file after this.
    pub last: EventId,
    /// The file is new: what it may have had under keys goes first.
    pub fresh: bool,
    pub events: Vec<Entry>,
    pub rows: Vec<(String, Option<Arc<[u8]>>)>,
    pub devices: Vec<(TokenHash, Option<Arc<Device>>)>,
    pub settled: Vec<(EventId, EventId)>,
    pub marks: Marks,
    pub bound: Option<EventId>,
    pub base: Option<EventId>,
    pub track: Vec<TrackPoint>,
}

impl Batch {
    /// Whether a power cut must not undo it.
    pub fn must_last(&self) -> bool {
        let keyed = !(self.rows.is_empty() && self.devices.is_empty());
        let marks = !(self.settled.is_empty() && self.marks.is_empty());
        !self.events.is_empty() || keyed || marks || self.fresh || self.bound.is_some()
    }
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
}

impl State {
    /// From what was found at the start.
    pub fn new(found: Found) -> State {
        let Found { loaded, last, reserved, fresh, readable, trouble } = found;
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
            alerts: loaded.alerts.iter().filter_map(|entry| Some((entry.stored.alert?, entry.clone()))).collect(),
            track: VecDeque::new(),
            file: readable.then_some(0),
            told_unwritten: 0,
            suspect: false,
            stop: None,
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
        };
        state.rows.load(loaded.rows.iter().cloned());
        state.adopt(loaded);
        if fresh {
            state.renew(false);
        }
        state
    }

    /// The file has these as well.
    pub fn adopt(&mut self, loaded: Loaded) {
        let absent = |token: &TokenHash| !self.devices.values().contains_key(token);
        let devices: Vec<_> = loaded.devices.into_iter().filter(|(token, _)| absent(token)).collect();
        self.devices.load(devices);
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

    /// Since when the oldest step waits.
    pub fn waiting_since(&self) -> Option<Instant> {
        self.steps.front().map(|(_, since)| *since)
    }

    /// Whether no further step may wait.
    pub fn is_full(&self) -> bool {
        self.steps.len() > STEPS
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
        self.settled.retain(|(turn, ..)| *turn > batch.turn);
        self.marks_changed = self.marks_changed.filter(|turn| *turn > batch.turn);
        self.fresh = false;
        self.reserved = batch.bound.unwrap_or(self.reserved);
        if !batch.track.is_empty() {
            self.track.drain(..batch.track.len().min(self.track.len()));
            self.track_since = (!self.track.is_empty()).then_some(now);
        }
        let saved = self.rows.is_saved() && self.devices.is_saved() && self.settled.is_empty();
        self.changed = if saved { None } else { Some(now) };
        let freed = self.release(batch.turn, None);
        (freed, self.trim())
    }

    /// The journal cannot be written: what waits is told at once, from memory, and so is what comes.
    pub fn degrade(&mut self, why: &str) -> Vec<Freed> {
        self.mode = Mode::Degraded(why.to_owned());
        self.tell()
    }

    fn tell(&mut self) -> Vec<Freed> {
        self.show(self.issued, false);
        let why = match &self.mode {
            Mode::Degraded(why) => why.clone(),
            Mode::Writing => String::new(),
        };
        self.release(self.turn, Some(why))
    }

    /// Readers may see everything up to `upto`.
    fn show(&mut self, upto: EventId, written: bool) {
        let mut ended = Vec::new();
        for entry in self.ring.after_mut(self.head).take_while(|entry| entry.id() <= upto) {
            if !written {
                entry.mark();
                self.told_unwritten += 1;
            }
            match entry.stored.alert {
                Some(first) if entry.ends => {
                    self.alerts.remove(&first);
                    ended.push((first, entry.id()));
                }
                Some(first) if entry.is_left_behind() => {
                    self.alerts.insert(first, entry.clone());
                    if self.alerts.len() > ALERTS {
                        self.alerts.pop_first();
                    }
                }
                _ => {}
            }
        }
        ended.into_iter().for_each(|(first, end)| self.ring.end_alert(first, end));
        self.head = self.head.max(upto);
    }

    /// Lets those go who wait for turns up to `turn`: it is durable, or cannot be, and `failed` says why.
    fn release(&mut self, turn: u64, failed: Option<String>) -> Vec<Freed> {
        self.steps.retain(|(step, _)| *step > turn);
        let ready = self.waiters.iter().take_while(|(of, _)| *of <= turn).count();
        let ready: Vec<_> = self.waiters.drain(..ready).collect();
        let mut freed = Vec::new();
        for (_, waiter) in ready {
            match (waiter, &failed) {
                (Waiter::Reply(reply), _) => {
                    let event = reply.event().and_then(|id| self.ring.get(id)).map(|entry| entry.told().clone());
                    freed.push((reply, event));
                }
                (Waiter::Added(_, slot), None) => drop(slot.send(Ok(()))),
                (Waiter::Added(token, slot), Some(why)) => {
                    // A turn of its own: the one that added it may be on its way to the disk.
                    self.turn += 1;
                    self.devices.set(token, None, self.turn);
                    drop(slot.send(Err(Unavailable::Journal(why.clone()))));
                }
                (Waiter::Revoked(slot), None) => drop(slot.send(Ok(true))),
                (Waiter::Revoked(slot), Some(why)) => {
                    let locked_out = format!("the device is locked out, and forgotten once this is mended: {why}");
                    drop(slot.send(Err(Unavailable::Journal(locked_out))));
                }
            }
        }
        freed
    }

    /// Keeps memory bounded; what had to go was told and will never be written.
    pub fn trim(&mut self) -> Vec<Entry> {
        let lost = self.ring.trim(self.saved, self.head);
        for entry in &lost {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{TimeSource, Wall};
    use crate::event::Severity;
    use crate::journal::tests::event;

    fn at(micros: i64) -> Stamp {
        Stamp { wall: Wall::from_micros(micros), source: TimeSource::Gnss, ..Stamp::default() }
    }

    fn state() -> State {
        let (last, reserved) = (EventId(1_000_000_000), EventId(1_000_000_000 + ids::AHEAD));
        let loaded = Loaded::default();
        State::new(Found { loaded, last, reserved, fresh: false, readable: true, trouble: None })
    }

    #[test]
    fn while_nothing_happens_only_the_bound_follows_the_clock() {
        let now = Instant::now();
        let mut state = state();
        assert_eq!(state.due(now), None);
        assert!(state.batch(at(1_000_000_000), now, Extent::Due).is_none());
        let later = state.batch(at(1_400_000_000), now, Extent::Due).unwrap();
        assert_eq!((later.bound, later.events.len(), later.must_last()), (Some(EventId(2_000_000_000)), 0, true));
        state.written(&later, now);
        assert_eq!(state.reserved, EventId(2_000_000_000));
        assert!(state.batch(at(1_400_000_000), now, Extent::Due).is_none());
    }

    #[test]
    fn changed_rows_wait_half_a_second_for_company_and_events_do_not() {
        let now = Instant::now();
        let mut state = state();
        let row = Row { key: "speed".to_owned(), value: Some(vec![1]) };
        state.hand_over(Vec::new(), vec![row], None, now);
        assert_eq!(state.due(now), Some(now + ROWS_WAIT));
        state.hand_over(vec![Entry::of(event(1_000_000_001, Severity::Info))], Vec::new(), None, now);
        assert_eq!(state.due(now), Some(now));
        let batch = state.batch(at(1_000_000_000), now, Extent::Due).unwrap();
        assert_eq!((batch.events.len(), batch.rows.len()), (1, 1));
    }

    #[test]
    fn a_step_told_while_its_transaction_is_under_way_is_neither_told_again_nor_written_again() {
        let now = Instant::now();
        let mut state = state();
        state.hand_over(vec![Entry::of(event(1_000_000_001, Severity::Info))], Vec::new(), None, now);
        let batch = state.batch(at(1_000_000_000), now, Extent::Due).unwrap();
        assert_eq!(state.head, EventId(1_000_000_000));
        state.degrade("the disk hangs");
        assert_eq!((state.head, state.saved), (EventId(1_000_000_001), EventId(1_000_000_000)));
        state.written(&batch, now);
        assert_eq!((state.head, state.saved), (EventId(1_000_000_001), EventId(1_000_000_001)));
        assert!(state.batch(at(1_000_000_000), now, Extent::Due).is_none());
    }

    #[test]
    fn the_track_has_only_so_much_patience_of_memory() {
        let now = Instant::now();
        let mut state = state();
        let point = |at| TrackPoint {
            time: Wall::from_micros(at),
            point: crate::geo::Point { latitude: 0.0, longitude: 0.0 },
            altitude: None,
            speed: None,
            heading: None,
            accuracy: 3.0,
        };
        assert!((0..TRACK_WAITING as i64).all(|at| state.add_point(point(at), now)));
        assert!(!state.add_point(point(-1), now), "the disk is too slow");
        let batch = state.batch(at(1_000_000_000), now, Extent::Due).unwrap();
        assert!(!batch.must_last() && batch.track.len() == TRACK_WAITING);
        state.written(&batch, now);
        assert!(state.add_point(point(-1), now));
        assert_eq!(state.due(now), Some(now + TRACK_WAIT));
    }
}

//! The journal: what was, in SQLite, behind [`Feed`](crate::feed::Feed).
//!
//! # What it promises
//!
//! 1. **Durable, then shown.** An event is on the disk (`fsync` of the write-ahead log) before any reader sees it; in
//!    this order: commit, memory, head. The head never goes back. What a step changed of the engine's state is in the
//!    same transaction as its events, within half a second where there are none. Fences, and the vehicle as it is now,
//!    are shown as they were before a step until that is durable.
//! 2. **Nobody waits for the disk.** [`Journal::commit`] takes microseconds. At most 256 steps wait for the writer. A
//!    step that waits for 2 s (`stall_seconds`), or a disk that fails twice, makes the journal *degraded*: what waits,
//!    and what comes, is told at once from memory, under its ids, with `"durable": false`.
//! 3. **What was told is written.** When the disk works again, what memory held is written first, in order, under the
//!    same ids, without the mark, and not told again. Memory holds 1,024 events or 1 MiB of them; beyond that the oldest
//!    of the least severe is let go, counted, and told as a gap.
//! 4. **An id is issued once**, over power cuts, over wrecked files: see `ids`.
//! 5. **Replay and live are one sequence.** Above the *floor* events are in memory, at or below it in the file; a reader
//!    goes from one to the other without a gap or a twin, however slowly. Reads of the file are transactions of 256
//!    rows at most.
//! 6. **It comes back by itself.** No directory, no permission, read-only, full, taken away, held by another process,
//!    wrecked, a page that the disk does not give: it opens (or goes on) degraded, says in `/healthz` what is wrong and what cures it, and tries again. A
//!    file that cannot be used is moved aside and kept (two of them), and what memory or the file's readable part
//!    holds goes into a new one. With a file that comes after the start what somebody made (fences) is kept of both, and of each cursor the further.
//! 7. **Bounded.** The directory takes `max_bytes` (plus files set aside); see `retention` for what goes first. A
//!    client that lags behind what went is told a gap: for each kind, and member of published events, the highest id
//!    that is gone is kept.
//! 8. **Who keeps a cursor here knows what it never got.** A cursor never goes back, and is as durable as an event; what
//!    goes although its reader had not come so far is counted for that reader, in the transaction that takes it. 32 readers
//!    are remembered; who needs room among them gets it from him who came least far and is not needed.
//!
//! # What it cannot promise
//!
//! An alert that was told from memory (3) is lost with the power if that goes before the disk works again. Who saw it has
//! it; nobody else hears of it, not even as a gap: a disk that takes nothing cannot remember that there was something. Its
//! id is not given again, it stays a valid position, and the engine goes on from the state that was last written, so an
//! alert that still has its reason is told again, under a new id. Live values (position, speed, signals) are no promise of
//! this kind: they are shown as they are, and are not kept.
//!
//! # How
//!
//! Two threads: `writer` alone writes, `reader` has a connection that cannot. What they share with the runtime is a
//! `state` without any I/O, under a lock that nobody holds while the disk works (`core`). `store` is the
//! connection, `schema` the tables, `place` the directory, `ring` the memory, `feed` the doors' side.

mod ask;
mod core;
mod counters;
mod cursors;
mod feed;
mod ids;
mod keyed;
mod place;
mod reader;
mod retention;
mod ring;
mod schema;
mod settings;
mod shown;
mod state;
mod store;
mod trouble;
mod writer;

#[cfg(test)]
mod tests;

pub use ask::{Asked, Reply};
pub use counters::Counters;
pub use settings::Settings;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc as threads};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use self::core::Core;
use self::place::Place;
use self::reader::Job;
use self::ring::Entry;
use self::state::{Found, Loaded, Mode, State, Stop};
use self::writer::Writer;
use crate::clock::{Clock, Stamp};
use crate::event::{EventId, Row, Step};
use crate::feed::{DOOR, Fences, Picture, TrackPoint};
use crate::health::Health;
use crate::vehicle::Vin;

/// So many requests may wait for the engine.
const ASKED: usize = 64;

/// So many reads may wait for the reader.
const READS: usize = 64;

/// Why there is no journal at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings make no sense; the sentence names the key and what would be right.
    #[error("{0}")]
    Settings(String),
    /// The system gives no thread.
    #[error("the journal needs two threads: {0}")]
    Threads(#[from] io::Error),
}

/// The journal as it was found, and what the gateway needs of it.
#[derive(Debug)]
pub struct Opened {
    /// The journal.
    pub journal: Arc<Journal>,
    /// The engine's state; empty where there was none.
    pub rows: Vec<Row>,
    /// The highest id that may have been told: the outbox goes on after it.
    pub last: EventId,
    /// What is asked of the vehicle.
    pub inbox: mpsc::Receiver<Asked>,
    /// Whether the journal can be written, and its changes.
    pub writable: watch::Receiver<bool>,
}

/// The journal of one vehicle. Shared by the gateway, which writes, and the doors, which read.
#[derive(Debug)]
pub struct Journal {
    core: Arc<Core>,
    reads: mpsc::Sender<Job>,
    asks: mpsc::Sender<Asked>,
    ended: Mutex<threads::Receiver<()>>,
}

impl Journal {
    /// Opens the journal of `vin`, or makes it. A disk that is absent, full, read-only or wrecked is no error: then the
    /// journal opens degraded. Takes as long as the disk does, five times `stall_seconds` at most. To be called on the runtime.
    ///
    /// # Errors
    /// When the settings make no sense, or the system gives no threads.
    pub fn open(settings: Settings, vin: Vin, clock: Clock, health: Health, counters: Counters) -> Result<Opened, Error> {
        settings.check().map_err(Error::Settings)?;
        let place = Place::new(&settings.dir);
        let (first_look, hand_over) = start_writer(&settings, &vin, &clock, &counters, &place)?;
        let found = first_look.recv_timeout(settings.longest_open()).ok();
        let awaited = found.is_some();
        let found = found.unwrap_or_else(|| late(&settings, clock.stamp(clock.now())));
        let of_engine = found.loaded.rows.iter().filter(|(key, _)| !key.starts_with(DOOR));
        let (rows, last) = (of_engine.cloned().collect::<Vec<_>>(), found.last);
        let core = Arc::new(Core::new(settings, vin, clock, health, counters, found));
        let (reads, jobs) = mpsc::channel(READS);
        let shared = core.clone();
        spawn("journal-reader", move || reader::run(jobs, &shared, &place))?;
        let (end, ended) = threads::channel();
        // The thread waits for this, or has ended because the system ended it.
        let _ = hand_over.send(HandOver { core: core.clone(), reads: reads.downgrade(), end, awaited });
        tokio::spawn(core::watch_disk(Arc::downgrade(&core), reads.downgrade()));
        let (asks, inbox) = mpsc::channel(ASKED);
        let writable = core.writable.subscribe();
        let journal = Journal { core, reads, asks, ended: Mutex::new(ended) };
        Ok(Opened {
            journal: Arc::new(journal),
            rows: rows.into_iter().map(|(key, value)| Row { key, value: Some(value.to_vec()) }).collect(),
            last,
            inbox,
            writable,
        })
    }

    /// Remembers a step: its events are shown once they are durable, and then the reply goes out; while the journal
    /// cannot be written both happen at once. Never waits.
    pub fn commit(&self, step: Step, reply: Option<Reply>) {
        self.take(step, reply, |_| ());
    }

    /// The same, of a step after which the vehicle, and its fences where they changed, are as given. Whoever has the reply
    /// sees them so.
    pub fn commit_and_show(&self, step: Step, reply: Option<Reply>, picture: Arc<Picture>, fences: Option<Fences>) {
        self.take(step, reply, |state| {
            state.put_picture(picture);
            if let Some(fences) = fences {
                state.put_fences(fences);
            }
        });
    }

    fn take(&self, step: Step, reply: Option<Reply>, show: impl FnOnce(&mut State)) {
        let events: Vec<Entry> = step.events.into_iter().map(Entry::of).collect();
        self.core.change(&self.reads.downgrade(), |state| {
            let accepted = state.accepts(&events);
            if !accepted {
                tracing::error!("events whose ids do not rise cannot be told");
                self.core.counters.drop("order", events.len());
            }
            let events = if accepted { events } else { Vec::new() };
            let mut freed = state.hand_over(events, step.rows, reply, Instant::now());
            if state.mode == Mode::Writing && state.is_full() {
                freed.extend(state.degrade("more than 256 steps wait for the disk"));
            }
            if state.mode != Mode::Writing {
                self.core.count_lost(&state.trim());
            }
            show(state);
            freed
        });
    }

    /// Remembers a point of the track, soon: in batches of 64 or every 30 s. Never waits; while too much waits for the
    /// disk the point is let go, and counted.
    pub fn add_point(&self, point: TrackPoint) {
        self.core.change(&self.reads.downgrade(), |state| {
            if !state.add_point(point, Instant::now()) {
                self.core.counters.drop("track", 1);
            }
            Vec::new()
        });
    }

    /// Alerts other than `running` (their first events) are over, although nobody told their end: the engine's state
    /// was lost. For the start.
    pub fn settle_alerts(&self, running: &[EventId]) {
        self.core.change(&self.reads.downgrade(), |state| {
            state.settle_alerts(running, Instant::now());
            Vec::new()
        });
    }

    /// What somebody made before this start, in a file that came only after it: rows that the engine does not know. Each
    /// is given once; they are written again without its doing.
    pub fn take_late(&self) -> Vec<Row> {
        std::mem::take(&mut self.core.state().late)
    }

    /// Ids up to this one are reserved on disk: before each step the outbox is told, and stays inside.
    pub fn reserved(&self) -> EventId {
        self.core.state().reserved
    }

    /// Whether a stream looks at the picture all the time. Others look once, and take the one that is there.
    pub fn is_watched(&self) -> bool {
        self.core.picture.receiver_count() > 0
    }

    /// The vehicle as it is now, for the doors, once all that was committed is durable.
    pub fn show(&self, picture: Arc<Picture>) {
        self.core.state().put_picture(picture);
        self.core.show();
    }

    /// The fences in force, for the doors, once all that was committed is durable.
    pub fn show_fences(&self, fences: Fences) {
        self.core.state().put_fences(fences);
        self.core.show();
    }

    /// Writes what is left and closes the file; waits for that as long as `patience`. Whether all was written. Nothing
    /// may be committed afterwards.
    pub fn close(&self, patience: Duration) -> bool {
        self.end(Stop::Farewell, patience)
    }

    fn end(&self, how: Stop, patience: Duration) -> bool {
        self.core.stop(how);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(patience);
        let ended = !matches!(ended, Err(threads::RecvTimeoutError::Timeout));
        let state = self.core.state();
        ended && state.saved == state.issued
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.core.stop(Stop::Farewell);
    }
}

/// What the writer's thread gets once it has had its first look.
struct HandOver {
    core: Arc<Core>,
    reads: mpsc::WeakSender<Job>,
    end: threads::Sender<()>,
    /// Somebody took what was found. Else it was too late, and what is there is a file that came later.
    awaited: bool,
}

/// Starts the writer's thread; what it finds on the disk, and where it goes on from there.
fn start_writer(
    settings: &Settings,
    vin: &Vin,
    clock: &Clock,
    counters: &Counters,
    place: &Place,
) -> io::Result<(threads::Receiver<Found>, threads::Sender<HandOver>)> {
    let (look, first_look) = threads::channel();
    let (hand_over, handed) = threads::channel::<HandOver>();
    let now = clock.stamp(clock.now());
    let mine = (settings.clone(), vin.clone(), counters.clone(), place.clone());
    spawn("journal-writer", move || {
        let (settings, vin, counters, place) = mine;
        let (found, store) = writer::begin(&place, &vin, &settings, now, &counters);
        let name = found.loaded.id.clone();
        // Who does not wait any more says so below.
        let _ = look.send(found);
        let Ok(HandOver { core, reads, end, awaited }) = handed.recv() else { return };
        Writer::new(core, reads, place, store.filter(|_| awaited), name.filter(|_| awaited)).run();
        // Who waits hears of it by the end of the channel too.
        let _ = end.send(());
    })?;
    Ok((first_look, hand_over))
}

fn late(settings: &Settings, now: Stamp) -> Found {
    let last = ids::beyond(EventId(0), now);
    let why = format!("the disk did not open the journal within {} s", settings.longest_open().as_secs_f64());
    Found { loaded: Loaded::default(), last, reserved: last, readable: false, trouble: Some(why) }
}

/// The vehicle whose journal is in `dir`, where one is and can be read: what a unit was told once, when nobody tells it now.
pub fn vehicle_in(dir: &Path) -> Option<Vin> {
    store::vin_of(&Place::new(dir)).filter(|vin| *vin != Vin::unnamed())
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).stack_size(256 << 10).spawn(run).map(|_| ())
}

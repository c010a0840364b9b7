//! The writer: a thread that takes what waits, writes it, and says that it is durable.
//!
//! When the disk fails, the connection is closed, opened again and checked, and the same is tried once more; only if
//! that fails too, the journal counts as degraded, and is tried again with growing pauses. A full disk is first given
//! what can be spared: the reserve, files set aside, the least that is kept. A wrecked file, or one that is not this
//! journal, is moved aside, and a new one gets everything that memory holds; so is one of which the disk has not given some
//! page for 5 s, while it takes what is written: else whoever replays past that page would wait for ever. Recovered is whoever has written something
//! in less than half the time after which a disk counts as stalled.

use std::sync::{Arc, mpsc as threads};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::core::{Core, Signal};
use super::counters::Counters;
use super::ids;
use super::place::{Lock, Place};
use super::reader::Job;
use super::retention::{Retention, Slice};
use super::schema;
use super::settings::{Settings, WAL_BYTES};
use super::state::{Batch, Extent, Found, Loaded, Marks, Mode, Stop};
use super::store::{Check, Store, load_read_only, salvage};
use super::trouble::Trouble;
use crate::clock::Stamp;
use crate::event::EventId;
use crate::vehicle::Vin;

/// So long after the last write the log is taken into the file.
const IDLE: Duration = Duration::from_secs(1);

/// How often the id bound is compared with the clock while nothing happens.
const BOUND_LOOK: Duration = Duration::from_secs(60);

/// A reader's word that the file is wrecked leads to no second look at all of it within this time.
const CHECK_GAP: Duration = Duration::from_secs(60);

/// So often in a row the file may say in a write that it is wrecked, although a check finds nothing.
const WRECKED: u32 = 3;

/// A page that the disk does not give is waited for so long.
const UNREADABLE: Duration = Duration::from_secs(5);

/// How often it is looked for what is too old, and for room for the reserve.
const TIDY_LOOK: Duration = Duration::from_secs(600);

/// See the module.
#[derive(Debug)]
pub(super) struct Writer {
    core: Arc<Core>,
    reads: mpsc::WeakSender<Job>,
    place: Place,
    store: Option<Store>,
    /// The name of the file that was written last, and of all that this process has written.
    names: Vec<String>,
    failures: u32,
    /// How many of them in a row said that the file is wrecked.
    wrecked: u32,
    /// Since when a part of the file cannot be read.
    unreadable: Option<Instant>,
    retry_at: Instant,
    check_at: Instant,
    retention: Retention,
    wrote: Instant,
    /// Not all of the log is in the file.
    log_waits: bool,
    /// Something may have to make room.
    surplus: bool,
    bound_at: Instant,
    tidy_at: Instant,
}

/// The first look at the disk: what is there, and whether it can be written.
pub(super) fn begin(place: &Place, vin: &Vin, settings: &Settings, now: Stamp, counters: &Counters) -> (Found, Option<Store>) {
    let open = || Store::open(place, place.prepare()?, vin, settings, Check::Quick);
    let found = place.has_db();
    // At least what was told, should the file not say so.
    let kept = place.kept_bound().unwrap_or_default();
    let lost = |saved: Loaded| Loaded { bound: saved.bound.max(kept), ..saved };
    match open().and_then(|store| Ok((schema::load(&store.conn)?, store))) {
        Ok((loaded, store)) if loaded.bound > EventId(0) => {
            let last = loaded.bound;
            reserve(store, loaded, last, Batch::default(), now)
        }
        // The power went before the file that is to follow another had anything.
        Ok((_, store)) if found && place.latest_aside().exists() => {
            begin_anew(store, lost(salvage(&place.latest_aside(), vin)), now)
        }
        Ok((loaded, store)) if kept > EventId(0) => begin_anew(store, lost(loaded), now),
        Ok((loaded, store)) => reserve(store, loaded, ids::first(now), Batch::default(), now),
        Err(trouble @ (Trouble::Wrecked(_) | Trouble::Foreign(_))) => {
            tracing::warn!(%trouble, "the journal is set aside and begun anew");
            let loaded = lost(salvage(&place.db(), vin));
            counters.set_aside.inc();
            match place.set_aside().and_then(|()| open()) {
                Ok(store) => begin_anew(store, loaded, now),
                Err(trouble) => (unwritable(loaded, false, &trouble, now), None),
            }
        }
        Err(trouble) => {
            let loaded = load_read_only(place, vin);
            let readable = loaded.is_ok();
            (unwritable(lost(loaded.unwrap_or_default()), readable, &trouble, now), None)
        }
    }
}

/// Goes on in a new file with what was saved of another, all of it in the file's first transaction.
fn begin_anew(store: Store, saved: Loaded, now: Stamp) -> (Found, Option<Store>) {
    let last = ids::beyond(saved.bound, now);
    let rows = saved.rows.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
    let devices = saved.devices.iter().map(|(token, device)| (*token, Some(device.clone()))).collect();
    let cursors = saved.cursors.iter().map(|(whose, cursor)| (whose.clone(), Some(*cursor))).collect();
    let first = Batch { rows, devices, cursors, base: Some(last), ..Batch::default() };
    reserve(store, Loaded { base: last, ..saved }, last, first, now)
}

/// Writes `first` and reserves ids after `last`, which proves that the file can be written.
fn reserve(mut store: Store, loaded: Loaded, last: EventId, first: Batch, now: Stamp) -> (Found, Option<Store>) {
    let reserved = ids::raised(EventId(0), last, now).unwrap_or(last);
    match store.write(&Batch { bound: Some(reserved), ..first }) {
        Ok(()) => (Found { loaded, last, reserved, readable: true, trouble: None }, Some(store)),
        Err(trouble) => (unwritable(loaded, true, &trouble, now), None),
    }
}

fn unwritable(loaded: Loaded, readable: bool, trouble: &Trouble, now: Stamp) -> Found {
    let last = ids::beyond(loaded.bound, now);
    Found { loaded, last, reserved: last, readable, trouble: Some(trouble.to_string()) }
}

impl Writer {
    /// Goes on from the first look; `name` is that of the file which was found.
    pub fn new(
        core: Arc<Core>,
        reads: mpsc::WeakSender<Job>,
        place: Place,
        store: Option<Store>,
        name: Option<String>,
    ) -> Writer {
        let now = Instant::now();
        let settings = &core.settings;
        let retention = Retention::new(settings.quota(), settings.max_days);
        let names = store.as_ref().and_then(|store| store.name().ok().flatten()).or(name).into_iter().collect();
        let failures = if store.is_some() { 0 } else { 2 };
        Writer {
            core,
            reads,
            place,
            store,
            names,
            failures,
            wrecked: 0,
            unreadable: None,
            retry_at: now,
            check_at: now,
            retention,
            wrote: now,
            log_waits: true,
            surplus: true,
            bound_at: now + BOUND_LOOK,
            tidy_at: now + IDLE,
        }
    }

    /// Writes until it is told to stop.
    pub fn run(mut self) {
        let pulse = self.core.health.pulse("journal-writer");
        loop {
            let (until, heed_work) = (self.next_look(), self.store.is_some() && self.failures == 0);
            match pulse.rest_thread(|| self.core.wait(until, heed_work)) {
                Signal::Go => {
                    // How long a disk takes is told by others.
                    if let Err(trouble) = pulse.rest_thread(|| self.turn()) {
                        self.meet(&trouble);
                    }
                }
                Signal::Stop(Stop::Farewell) => return self.farewell(),
                #[cfg(test)]
                Signal::Stop(Stop::Crash) => return self.crash(),
            }
        }
    }

    /// When to look again without being woken.
    fn next_look(&self) -> Instant {
        if self.store.is_none() || self.failures > 0 {
            return self.retry_at;
        }
        if self.surplus {
            return Instant::now();
        }
        let probe = if self.is_degraded() { self.retry_at } else { self.bound_at };
        let log = if self.log_waits { self.wrote + IDLE } else { self.bound_at };
        probe.min(log).min(self.bound_at).min(self.tidy_at)
    }

    fn is_degraded(&self) -> bool {
        self.core.state().mode != Mode::Writing
    }

    /// One thing that is to be done: the most urgent.
    fn turn(&mut self) -> Result<(), Trouble> {
        let now = Instant::now();
        let suspect = std::mem::take(&mut self.core.state().suspect);
        if suspect && now >= self.check_at {
            self.check_at = now + CHECK_GAP;
            self.store = None;
            self.retry_at = now;
        }
        if self.failures > 0 && now < self.retry_at {
            return Ok(());
        }
        if self.store.is_none() {
            self.reopen()?;
        }
        let Some(mut store) = self.store.take() else { return Ok(()) };
        let done = self.work(&mut store, now);
        self.store = Some(store);
        done
    }

    fn work(&mut self, store: &mut Store, now: Instant) -> Result<(), Trouble> {
        let doubtful = self.failures > 0 || self.is_degraded() && now >= self.retry_at;
        let extent = if doubtful { Extent::Probe } else { Extent::Due };
        if now >= self.bound_at {
            self.bound_at = now + BOUND_LOOK;
        }
        match self.core.batch(extent) {
            Some(batch) => self.write(store, &batch),
            None => self.tidy(store, now),
        }
    }

    fn write(&mut self, store: &mut Store, batch: &Batch) -> Result<(), Trouble> {
        let begin = Instant::now();
        store.write(batch)?;
        let took = begin.elapsed();
        let counters = &self.core.counters;
        counters.commits.inc();
        counters.commit_seconds.observe(took.as_secs_f64());
        counters.events.inc_by(batch.events.len() as u64);
        let prompt = took < self.core.settings.stall() / 2;
        self.core.change(&self.reads, |state| {
            let (freed, lost) = state.written(batch, Instant::now());
            self.core.count_lost(&lost);
            if prompt {
                state.mode = Mode::Writing;
            }
            freed
        });
        (self.failures, self.wrecked, self.unreadable) = (0, 0, None);
        self.wrote = Instant::now();
        if !prompt {
            self.retry_at = self.wrote + self.pause();
        }
        self.log_waits = true;
        if store.log()?.0 >= WAL_BYTES { self.checkpoint(store) } else { Ok(()) }
    }

    fn checkpoint(&mut self, store: &mut Store) -> Result<(), Trouble> {
        store.checkpoint_timed(&self.core.counters)?;
        self.log_waits = store.log()?.1;
        self.wrote = Instant::now();
        self.surplus = true;
        Ok(())
    }

    /// What has time until nobody waits.
    fn tidy(&mut self, store: &mut Store, now: Instant) -> Result<(), Trouble> {
        if self.surplus {
            let slice = self.retention.take_surplus(store, &self.core.outlook(), |marks| self.core.pruned(marks))?;
            self.surplus = slice.count > 0;
            self.took(&slice, now);
            self.core.counters.file_bytes.set(i64::try_from(store.used()?).unwrap_or(i64::MAX));
            return Ok(());
        }
        if self.log_waits && now >= self.wrote + IDLE {
            return self.checkpoint(store);
        }
        if now >= self.tidy_at {
            let mark = |marks: &Marks| self.core.pruned(marks);
            if let Some(wall) = self.core.settled_now() {
                let slice = self.retention.take_old(store, &self.core.outlook(), wall, mark)?;
                self.took(&slice, now);
                if slice.count > 0 {
                    return Ok(());
                }
            }
            self.tidy_at = now + TIDY_LOOK;
            if let Err(error) = self.place.restore_ballast() {
                tracing::info!(%error, "no room for the journal's reserve");
            }
        }
        Ok(())
    }

    fn took(&mut self, slice: &Slice, now: Instant) {
        if slice.count > 0 {
            self.core.took(slice);
            self.core.counters.pruned.inc_by(slice.count as u64);
            self.wrote = now;
            self.log_waits = true;
        }
    }

    /// Something failed.
    fn meet(&mut self, trouble: &Trouble) {
        self.core.counters.failures.inc();
        tracing::debug!(%trouble, failures = self.failures, "the journal's disk");
        let wrecked = matches!(trouble, Trouble::Wrecked(_));
        self.wrecked = if wrecked { self.wrecked + 1 } else { 0 };
        if matches!(trouble, Trouble::Unreadable(_)) {
            self.unreadable.get_or_insert_with(Instant::now);
        }
        if *trouble == Trouble::Full && self.make_room() {
            return;
        }
        // A disk that is full or a file that is held is in order; anything else may have left the connection astray.
        let in_order = matches!(trouble, Trouble::Full | Trouble::Busy);
        if !in_order {
            self.store = None;
        }
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Instant::now();
        let readable = self.place.has_db() && !wrecked;
        let again = self.failures == 1 && !in_order;
        if !again {
            self.retry_at += self.pause();
        }
        self.core.change(&self.reads, |state| {
            if state.file.is_some() != readable {
                state.change_file(readable);
            }
            let freed = if again { Vec::new() } else { state.degrade(&trouble.to_string()) };
            self.core.count_lost(&state.trim());
            freed
        });
    }

    /// A pause that doubles with each failure, from a 64th of the longest.
    fn pause(&self) -> Duration {
        let longest = self.core.settings.retry();
        let doubled = 2_u32.saturating_pow(self.failures.saturating_sub(1).min(6));
        (longest / 64).saturating_mul(doubled).min(longest)
    }

    /// The disk, or the file's share of it, is full: gives up what can be spared. Whether there was anything.
    fn make_room(&mut self) -> bool {
        let Some(store) = self.store.as_mut() else { return self.place.give_up().unwrap_or(false) };
        // What is in the file already may be written over in the log.
        let _ = store.checkpoint("PASSIVE");
        let at_quota = store.used().is_ok_and(|used| used >= self.core.settings.quota() / 16 * 15);
        if !at_quota && self.place.give_up().unwrap_or(false) {
            return true;
        }
        let taken = self.retention.take_least(store, &self.core.outlook(), |marks| self.core.pruned(marks));
        let slice = taken.unwrap_or_default();
        self.took(&slice, Instant::now());
        slice.count > 0
    }

    /// Opens the file again, or another one in its place.
    fn reopen(&mut self) -> Result<(), Trouble> {
        let lock = self.place.prepare()?;
        let _resting = self.let_reader_rest();
        // Once is enough: to look at every page whenever a bad disk is tried again would not make it better.
        let thorough = self.failures <= 1 || self.wrecked > 0 || self.unreadable.is_some();
        let check = if thorough { Check::Thorough } else { Check::Quick };
        let opened = self.open(lock, check);
        let hopeless = Trouble::Wrecked("again and again".to_owned());
        let opened = if self.wrecked < WRECKED { opened } else { opened.and(Err(hopeless)) };
        let mut store = match opened {
            Err(trouble @ (Trouble::Wrecked(_) | Trouble::Foreign(_))) => self.replace(&trouble)?,
            Err(trouble @ Trouble::Unreadable(_)) if self.unreadable.is_some_and(|since| since.elapsed() >= UNREADABLE) => {
                // A disk that takes nothing either is no reason to give up the file: it may come back.
                self.place.keep_bound(ids::beside(self.core.state().reserved))?;
                self.replace(&trouble)?
            }
            opened => opened?,
        };
        // What the log holds may be in memory only, if the disk failed to sync it. This writes it once more, to the file.
        store.checkpoint("TRUNCATE")?;
        let mut name = store.name()?.unwrap_or_default();
        if self.names.last() != Some(&name) {
            if !store.created && !self.names.contains(&name) && !self.adopt(&store)? {
                drop(store);
                store = self.replace(&Trouble::Foreign("a run whose ids went further"))?;
                name = store.name()?.unwrap_or_default();
            }
            let lost = !self.names.is_empty();
            self.names.retain(|known| *known != name);
            self.names.push(name);
            self.core.change(&self.reads, |state| {
                state.renew(lost);
                Vec::new()
            });
        } else if self.core.state().file.is_none() {
            self.core.state().change_file(true);
        }
        // A transaction that failed may have been written nevertheless, and have counted.
        self.core.state().cursors.take_up(schema::cursors(&store.conn)?);
        self.store = Some(store);
        Ok(())
    }

    /// A file that was not there at the start has come. It is gone on with if its ids end before ours begin; the state
    /// in it gives way to the engine's, which has been running since, but for what somebody made.
    fn adopt(&self, store: &Store) -> Result<bool, Trouble> {
        let mut loaded = schema::load(&store.conn)?;
        if !self.names.is_empty() {
            // Memory has all of a file that was there; what this one has besides may have been deleted since.
            loaded.rows.clear();
        }
        let fits = loaded.bound <= self.core.state().start;
        if fits {
            self.core.state().adopt(loaded);
            self.core.devices.send_modify(|changes| *changes += 1);
        }
        Ok(fits)
    }

    /// Moves the file aside and makes a new one.
    fn replace(&mut self, why: &Trouble) -> Result<Store, Trouble> {
        tracing::warn!(%why, "the journal is set aside and begun anew");
        if self.names.is_empty() {
            let saved = salvage(&self.place.db(), &self.core.vin);
            self.core.state().adopt(Loaded { base: EventId(0), ..saved });
            self.core.devices.send_modify(|changes| *changes += 1);
        }
        self.core.counters.set_aside.inc();
        self.place.set_aside()?;
        self.open(self.place.prepare()?, Check::Quick)
    }

    fn open(&self, lock: Lock, check: Check) -> Result<Store, Trouble> {
        Store::open(&self.place, lock, &self.core.vin, &self.core.settings, check)
    }

    /// The reader closes its connection; while what this returns lives, it waits.
    fn let_reader_rest(&self) -> Option<threads::Sender<()>> {
        let (resting, rests) = threads::channel();
        let (keep, go_on) = threads::channel();
        self.reads.upgrade()?.try_send(Job::Rest { resting, go_on }).ok()?;
        // One that hangs with the disk does not rest, and is not waited for.
        rests.recv_timeout(IDLE).ok().map(|()| keep)
    }

    /// The end: everything is written, and the next start need not begin far ahead.
    fn farewell(mut self) {
        while let Err(trouble) = self.finish() {
            if trouble != Trouble::Full || !self.make_room() {
                tracing::warn!(%trouble, "the journal could not be finished");
                break;
            }
        }
        self.core.change(&self.reads, |state| {
            state.change_file(false);
            Vec::new()
        });
    }

    fn finish(&mut self) -> Result<(), Trouble> {
        if self.store.is_none() {
            self.reopen()?;
        }
        let Some(mut store) = self.store.take() else { return Ok(()) };
        let written = self.core.batch(Extent::Last).map_or(Ok(()), |batch| self.write(&mut store, &batch));
        let bound = ids::lowered(self.core.state().issued);
        let finished = written.and_then(|()| store.write(&Batch { bound: Some(bound), ..Batch::default() }));
        let finished = finished.and_then(|()| store.checkpoint("TRUNCATE"));
        self.store = Some(store);
        finished
    }

    #[cfg(test)]
    fn crash(self) {
        if let Some(store) = &self.store {
            let no_farewell = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            store.conn.set_db_config(no_farewell, true).unwrap();
        }
    }
}

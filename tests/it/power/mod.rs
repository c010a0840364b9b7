//! The power goes at every write of a drive.
//!
//! A recorded drive goes through the engine and the journal, fast, while [`vfs`] writes down what SQLite does to its files.
//! Then, for every change of a file, [`disk`] makes what a cut right after it can leave, several times by chance, and a
//! daemon starts on that: it opens the journal, reads what is there, and goes on.

mod damage;
mod disk;
mod drive;
mod vfs;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use telltale::clock::{Boot, Clock, Wall};
use telltale::detect::Outbox;
use telltale::event::{Event, EventId, EventType, Kind, Row, Step};
use telltale::feed::{Device, Feed, Filter, Stored, TrackPoint};
use telltale::gateway::{Core, Late};
use telltale::health::Health;
use telltale::journal::{Counters, Journal, Opened, Settings};
use telltale::metrics::Metrics;
use telltale::vehicle::Observation;

use self::disk::{Chance, Disk, Files};
use self::drive::Drive;
use self::vfs::Op;
use crate::unit::{figure, folder};

/// Of so many disks one is cut again, while the daemon starts on it.
const AGAIN: usize = 8;
/// How often state without an event is handed over, in the car's time, as the gateway does it.
const ROWS_EVERY: Duration = Duration::from_millis(500);
/// How long the unit was without power.
const DARK: i64 = 60_000_000;

/// A drive as it was lived, up to its clean end.
struct Life {
    ops: Vec<Op>,
    told: Vec<Told>,
    steps: Vec<State>,
    /// From this many changes on what this step left has to be there.
    promised: Vec<(usize, usize)>,
}

/// An event.
struct Told {
    id: EventId,
    json: Arc<str>,
    /// How many changes there had been when it was handed to the journal, and when a client had seen it.
    issued: usize,
    shown: usize,
}

/// What has to be there after a step, if it was the last one.
#[derive(Clone, Default)]
struct State {
    rows: BTreeMap<String, Vec<u8>>,
    events: usize,
    alert: Option<EventId>,
    /// How many changes there had been.
    at: usize,
    wall: Option<Wall>,
}

impl State {
    fn change(&mut self, rows: &[Row]) {
        for Row { key, value } in rows {
            match value {
                Some(value) => drop(self.rows.insert(key.clone(), value.clone())),
                None => drop(self.rows.remove(key)),
            }
        }
    }
}

fn everything() -> Filter {
    Filter::of(&Kind::ALL)
}

/// A journal and how it says it is.
struct Running {
    opened: Opened,
    health: Health,
    metrics: Metrics,
}

fn open(dir: &Path, settings: Settings, wall: Wall) -> (Running, Clock) {
    let (health, metrics, clock) = (Health::default(), Metrics::default(), Clock::scaled(wall, 1.0));
    let settings = Settings { dir: dir.to_owned(), stall_seconds: 60.0, ..settings };
    let counters = Counters::register(&metrics);
    let opened = Journal::open(settings, Drive::vin(), clock.clone(), health.clone(), counters).unwrap();
    (Running { opened, health, metrics }, clock)
}

impl Running {
    async fn shown(&self, id: EventId) {
        let mut head = self.opened.journal.head(&Drive::vin()).unwrap();
        soon(head.wait_for(|head| *head >= id)).await.unwrap();
    }

    async fn after(&self, id: EventId) -> Result<Vec<Arc<Stored>>, String> {
        let (journal, vin) = (&self.opened.journal, Drive::vin());
        let (mut at, mut events) = (id, Vec::new());
        while at < *journal.head(&vin).unwrap().borrow() {
            let page = journal.events_after(&vin, at, &everything(), 1_000).await.map_err(|error| error.to_string())?;
            at = page.next;
            events.extend(page.events);
        }
        Ok(events)
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(300), future).await.expect("it never came")
}

/// Drives, and records what becomes of the journal's files.
struct Recorder<'a> {
    drive: &'a Drive,
    running: Running,
    core: Core,
    recording: vfs::Recording,
    life: Life,
    state: State,
    rows_at: Boot,
    fixes: usize,
}

impl Recorder<'_> {
    async fn live(mut self) -> Life {
        for (at, seen) in self.drive.observations() {
            let now = self.drive.stamp(at);
            self.core.reserve(self.running.opened.journal.reserved());
            let mut events = self.core.pass(now);
            if !seen.is_empty() {
                events.extend(self.core.see(now, &seen));
            }
            for observation in &seen {
                self.track(observation);
            }
            let due = at.since(self.rows_at) >= ROWS_EVERY;
            if due || !events.is_empty() {
                self.rows_at = at;
                let rows = self.core.rows(now);
                self.step(events, rows, now.wall).await;
            }
        }
        assert!(self.running.opened.journal.close(Duration::from_secs(300)));
        self.life.ops = self.recording.ops().clone();
        self.life
    }

    fn track(&mut self, observation: &Observation) {
        let Observation::Fix(fix) = observation else { return };
        self.fixes += 1;
        if let Some(point) = TrackPoint::of(fix).filter(|_| self.fixes % 4 == 0) {
            self.running.opened.journal.add_point(point);
        }
    }

    async fn step(&mut self, events: Vec<Event>, rows: Vec<Row>, wall: Wall) {
        if events.is_empty() && rows.is_empty() {
            return;
        }
        let (issued, told) = (self.recording.len(), self.life.told.len());
        self.state.change(&rows);
        self.state.events += events.len();
        (self.state.alert, self.state.at, self.state.wall) = (self.core.engine().alert(), issued, Some(wall));
        self.life.steps.push(self.state.clone());
        let (before, last) =
            (self.life.told.last().map_or(self.running.opened.last, |told| told.id), events.last().map(|last| last.id));
        self.running.opened.journal.commit(Step { events, rows }, None);
        let Some(last) = last else { return self.settle().await };
        self.running.shown(last).await;
        let shown = self.recording.len();
        let seen = self.running.after(before).await.unwrap();
        self.life.told.extend(seen.iter().map(|event| Told { id: event.id, json: event.json.clone(), issued, shown }));
        self.life.promised.push((shown, self.life.steps.len() - 1));
        if told % 4 == 1 {
            self.checkpointed(shown).await;
        }
    }

    /// State alone waits half a second for company; a phone that is paired is some.
    async fn settle(&mut self) {
        let (name, member, paired) = ("phone".to_owned(), "anna".to_owned(), Wall::default());
        let phone = Device { id: "phone".to_owned(), name, member, scopes: Vec::new(), paired, expires: None };
        self.running.opened.journal.add_device([1; 32], phone).await.unwrap();
        self.life.promised.push((self.recording.len(), self.life.steps.len() - 1));
    }

    /// Waits until the log was taken into the file, as it is when nothing happens for a second.
    async fn checkpointed(&self, since: usize) {
        let done = |op: &Op| matches!(op, Op::Sync(name) | Op::Write(name, ..) if name == "journal.db");
        soon(async {
            while !self.recording.ops().iter().skip(since).any(done) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
}

/// A drive, and everything that was done to the journal's files in it.
fn live(drive: &Drive, settings: Settings) -> Life {
    let folder = folder();
    let dir = folder.path().canonicalize().unwrap().join("journal");
    let recording = vfs::record(&dir);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let life = runtime.block_on(async {
        let (running, _) = open(&dir, settings, drive.begin());
        let mut outbox = Outbox::new(Drive::vin(), running.opened.last);
        outbox.reserve(running.opened.journal.reserved());
        let core = Core::new(drive.engine(), outbox, Late::Never);
        let life = Life { ops: Vec::new(), told: Vec::new(), steps: vec![State::default()], promised: Vec::new() };
        let (state, rows_at) = (State::default(), Boot::from_micros(0));
        Recorder { drive, running, core, recording, life, state, rows_at, fixes: 0 }.live().await
    });
    vfs::forget(&dir);
    life
}

fn must(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

/// What a cut is judged by.
#[derive(Clone)]
struct Expected {
    /// Events that a client has seen.
    shown: Vec<(EventId, Arc<str>)>,
    /// The last id that may have been told.
    issued: EventId,
    /// When the power comes back.
    wall: Wall,
}

/// Where the power goes, and comes back.
struct Bench<'a> {
    drive: &'a Drive,
    life: &'a Life,
    folder: PathBuf,
    places: Cell<usize>,
}

impl Bench<'_> {
    /// What has to be there after the first `cut` changes.
    fn expected(&self, cut: usize) -> Expected {
        let shown = self.life.told.iter().filter(|told| told.shown <= cut).map(|told| (told.id, told.json.clone())).collect();
        let issued = self.life.told.iter().filter(|told| told.issued <= cut).map(|told| told.id).max().unwrap_or_default();
        let wall = self.life.steps.iter().take_while(|step| step.at <= cut).filter_map(|step| step.wall).last();
        let wall = wall.unwrap_or(self.drive.begin());
        Expected { shown, issued, wall: Wall::from_micros(wall.micros() + DARK) }
    }

    /// A new place each time: who closes a file late, by its name, must not meet another.
    fn put(&self, files: &Files) -> PathBuf {
        let number = self.places.get();
        self.places.set(number + 1);
        let dir = self.folder.join(format!("journal-{number}"));
        std::fs::create_dir(&dir).unwrap();
        disk::put(files, &dir);
        let _ = number.checked_sub(8).map(|old| std::fs::remove_dir_all(self.folder.join(format!("journal-{old}"))));
        dir
    }

    /// Starts on what a cut after `cut` changes left; and, if `again`, once more on what a cut of that start left.
    async fn survives(&self, files: &Files, cut: usize, chance: &mut Chance, again: bool) -> Result<(), String> {
        let expected = self.expected(cut);
        let dir = self.put(files);
        if !again {
            let (running, clock) = open(&dir, Settings::default(), expected.wall);
            let started = self.starts(&running, &clock, cut, &expected).await;
            running.opened.journal.close(Duration::from_secs(300));
            return started.map(|_| ());
        }
        let recording = vfs::record(&dir);
        let (running, clock) = open(&dir, Settings::default(), expected.wall);
        let opening = self.starts(&running, &clock, cut, &expected).await.map(|told| (told, recording.len()));
        running.opened.journal.close(Duration::from_secs(300));
        vfs::forget(&dir);
        let (told, shown) = opening?;
        let ops = recording.ops().clone();
        let second = chance.below(ops.len() + 1);
        let mut disk = Disk::of(files);
        ops.iter().take(second).for_each(|op| disk.apply(op));
        let mut expected = expected;
        expected.wall = Wall::from_micros(expected.wall.micros() + DARK);
        if let Some(told) = told.filter(|_| second >= shown) {
            expected.issued = told.id;
            expected.shown.push((told.id, told.json.clone()));
        }
        let dir = self.put(&disk.cut(chance));
        let (running, _) = open(&dir, Settings::default(), expected.wall);
        let kept = self.keeps(&running, &expected).await;
        running.opened.journal.close(Duration::from_secs(300));
        kept.map(|_| ()).map_err(|why| format!("cut again after {second} changes of the start: {why}"))
    }

    /// What is there, and whether it is in order.
    async fn keeps(&self, running: &Running, expected: &Expected) -> Result<Vec<Arc<Stored>>, String> {
        let Opened { journal, last, writable, .. } = &running.opened;
        must(*writable.borrow(), || format!("it cannot be written: {}", running.health.parts()["journal"].detail))?;
        must(running.metrics.encode().contains("telltale_journal_set_aside_total 0"), || "the file was set aside".to_owned())?;
        let gap = journal.pruned(&Drive::vin(), &everything()).map_err(|error| error.to_string())?;
        must(gap == EventId(0), || format!("a gap is told, up to {gap}"))?;
        let kept = running.after(EventId(0)).await?;
        must(kept.is_sorted_by(|one, next| one.id < next.id), || "ids do not rise".to_owned())?;
        for (id, json) in &expected.shown {
            let found = kept.iter().find(|event| event.id == *id);
            let found = found.ok_or_else(|| format!("event {id} was shown and is lost"))?;
            must(found.json == *json, || format!("event {id} was changed: {} to {}", json, found.json))?;
        }
        must(*last >= expected.issued, || format!("id {} may be told twice: ids go on after {last}", expected.issued))?;
        Ok(kept)
    }

    /// The daemon starts: what is there is in order and of one step, and the alert goes on. What is told of that.
    async fn starts(
        &self,
        running: &Running,
        clock: &Clock,
        cut: usize,
        expected: &Expected,
    ) -> Result<Option<Arc<Stored>>, String> {
        let kept = self.keeps(running, expected).await?;
        let unknown = kept.iter().zip(&self.life.told).find(|(kept, told)| kept.id != told.id || kept.json != told.json);
        must(unknown.is_none() && kept.len() <= self.life.told.len(), || "an event that nobody told".to_owned())?;
        let rows: BTreeMap<_, _> =
            running.opened.rows.iter().map(|row| (row.key.clone(), row.value.clone().unwrap_or_default())).collect();
        let fits = |step: &State| step.events == kept.len() && step.rows == rows;
        let promised = self.life.promised.iter().rev().find(|(at, _)| *at <= cut).map_or(0, |(_, step)| *step);
        let state = self.life.steps.iter().skip(promised).find(|step| fits(step));
        let state =
            state.ok_or_else(|| format!("state is not of the step of the last of {} events, nor of one after it", kept.len()))?;
        let active: Vec<_> =
            running.opened.journal.active(&Drive::vin()).unwrap().iter().filter_map(|event| event.alert).collect();
        must(active == state.alert.into_iter().collect::<Vec<_>>(), || {
            format!("alerts {active:?} are active, not {:?}", state.alert)
        })?;
        self.resumes(running, clock, state).await
    }

    async fn resumes(&self, running: &Running, clock: &Clock, state: &State) -> Result<Option<Arc<Stored>>, String> {
        let Opened { journal, rows, last, .. } = &running.opened;
        let mut engine = self.drive.engine();
        let now = clock.stamp(clock.now());
        engine.restore(rows, now, "the next boot");
        must(engine.alert() == state.alert, || format!("alert {:?} is known as {:?}", state.alert, engine.alert()))?;
        let mut outbox = Outbox::new(Drive::vin(), *last);
        outbox.reserve(journal.reserved());
        let mut core = Core::new(engine, outbox, Late::Never);
        let events = core.see(now, &[Observation::Restarted]);
        let goes_on = |event: &&Event| event.event_type == Some(EventType::ChildLeftBehind);
        let resumed = events.iter().find(goes_on).map(|event| (event.id, serde_json::from_str(&event.to_json()).unwrap()));
        let resumed: Option<(EventId, serde_json::Value)> = resumed;
        match (state.alert, &resumed) {
            (None, None) => return Ok(None),
            // It was time for one meanwhile.
            (None, Some((_, event))) if event["child"]["stage"] == "initial" => {}
            (Some(_), Some((_, event))) if event["child"]["stage"] == "repeated" && event["child"]["resumed"] == true => {}
            (alert, event) => return Err(format!("alert {alert:?} goes on as {event:?}")),
        }
        let rows = core.rows(now);
        let end = events.last().map(|last| last.id).unwrap_or_default();
        journal.commit(Step { events, rows }, None);
        running.shown(end).await;
        let told = running.after(*last).await?;
        Ok(told.into_iter().find(|event| resumed.as_ref().is_some_and(|(id, _)| event.id == *id)))
    }
}

/// What came of all cuts of a life.
struct Survey {
    cuts: usize,
    disks: usize,
    faults: Vec<String>,
}

/// Cuts the power after every change; so many disks are made of each cut.
fn survey(drive: &Drive, life: &Life, disks_a_cut: u64) -> Survey {
    let (disks, faults) = (AtomicUsize::new(0), std::sync::Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let work = |thread: usize| {
        let folder = folder();
        let bench = Bench { drive, life, folder: folder.path().canonicalize().unwrap(), places: Cell::new(0) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut disk = Disk::default();
        for cut in 0..=life.ops.len() {
            if let Some(op) = cut.checked_sub(1).and_then(|at| life.ops.get(at)) {
                disk.apply(op);
            }
            if cut % threads != thread {
                continue;
            }
            for number in 0..disks_a_cut {
                let seed = cut as u64 * disks_a_cut + number;
                let mut chance = Chance(seed);
                let mut files = disk.cut(&mut chance);
                if chance.below(4) == 0 {
                    // The log's index is memory of all processes that have the file open; of what it was on the disk nothing counts.
                    files.insert("journal.db-shm".to_owned(), (0..32_768).map(|_| chance.next() as u8).collect());
                }
                let again = chance.below(AGAIN) == 0;
                let outcome = runtime.block_on(bench.survives(&files, cut, &mut chance, again));
                disks.fetch_add(1, Ordering::Relaxed);
                if let Err(why) = outcome {
                    faults.lock().unwrap().push(format!("after {cut} of {} changes, chance {seed}: {why}", life.ops.len()));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || work(thread));
        }
    });
    Survey { cuts: life.ops.len() + 1, disks: disks.into_inner(), faults: faults.into_inner().unwrap() }
}

#[test]
fn a_cut_at_every_write_of_a_drive_takes_nothing_that_was_shown_and_the_alert_goes_on() {
    let drive = Drive::load();
    let life = live(&drive, Settings::default());
    let syncs = life.ops.iter().filter(|op| matches!(op, Op::Sync(_))).count();
    let alerts = life.steps.iter().filter(|step| step.alert.is_some()).count();
    println!(
        "{} events, {} steps, {alerts} of them in an alert; {} changes, {syncs} of them syncs",
        life.told.len(),
        life.steps.len(),
        life.ops.len()
    );
    let checkpoints = life.ops.iter().filter(|op| matches!(op, Op::Sync(name) if name == "journal.db")).count();
    assert!(life.told.len() > 5 && alerts > 5);
    assert!(checkpoints > 2, "{checkpoints} checkpoints");
    let survey = survey(&drive, &life, 8);
    figure("cuts", survey.cuts as f64);
    figure("disks", survey.disks as f64);
    figure("events", life.told.len() as f64);
    figure("checkpoints", checkpoints as f64);
    assert!(
        survey.faults.is_empty(),
        "{} faults, such as {:#?}",
        survey.faults.len(),
        &survey.faults[..survey.faults.len().min(20)]
    );
}

/// What nobody syncs may be lost: that has to be seen.
#[cfg(debug_assertions)]
#[test]
fn cuts_catch_a_journal_that_does_not_sync() {
    let drive = Drive::load();
    let life = live(&drive, Settings { skip_flush: true, ..Settings::default() });
    let survey = survey(&drive, &life, 2);
    figure("faults", survey.faults.len() as f64);
    assert!(survey.faults.iter().any(|fault| fault.contains("was shown and is lost")), "{:#?}", survey.faults);
}

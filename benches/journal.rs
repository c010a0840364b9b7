//! What a durable event costs, beside the bare cost of one `fdatasync` on the same file system in the same run.
//!
//! `cargo bench --bench journal`. The directory is made under `TMPDIR`, so that another disk can be measured by that.
//! First come figures that divan has no place for: the spread of the time until an event is shown, and the bytes that
//! went to the disk for each (`write_bytes` of `/proc/self/io`), checkpoints included.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that cannot run may panic"
)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use divan::{Bencher, counter::ItemsCount};
use telltale::clock::{Boot, Clock, Stamp, TimeSource, Wall};
use telltale::event::{Alert, Child, ChildStage, Details, Event, EventId, EventType, Location, Row, Severity, Step};
use telltale::feed::{Feed, Filter};
use telltale::health::Health;
use telltale::journal::{Counters, Journal, Opened, Settings};
use telltale::metrics::Metrics;
use telltale::vehicle::Vin;

fn main() {
    figures();
    divan::main();
}

/// A journal that is written from here.
struct Written {
    runtime: tokio::runtime::Runtime,
    opened: Opened,
    vin: Vin,
    next: u64,
    dir: tempfile::TempDir,
}

impl Written {
    fn new() -> Written {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let dir = tempfile::tempdir().expect("a directory");
        let vin = Vin::try_from("KMHSH81C7LU123456".to_owned()).expect("a VIN");
        let settings = Settings { dir: dir.path().join("journal"), ..Settings::default() };
        let counters = Counters::register(&Metrics::default());
        let opened = runtime
            .block_on(async { Journal::open(settings, vin.clone(), Clock::system(), Health::default(), counters) })
            .expect("a journal");
        let next = opened.last.0 + 1;
        Written { runtime, opened, vin, next, dir }
    }

    /// A step of the engine as an alert makes them: an event of some 450 bytes and a row of 200.
    fn step(&mut self) -> Step {
        let id = EventId(self.next);
        self.next += 1;
        let child = Child {
            stage: Some(ChildStage::Repeated),
            count: Some(3),
            alert: Some(Alert { first: EventId(self.opened.last.0 + 1), ends: false }),
            ..Child::default()
        };
        let event = Event {
            id,
            severity: Severity::Critical,
            stamp: Stamp { boot: Boot::from_micros(1), wall: Wall::system(), source: TimeSource::Rtc },
            vin: self.vin.clone(),
            location: Location::of(None),
            event_type: Some(EventType::ChildLeftBehind),
            details: Details::Child(child),
            durable: true,
        };
        let rows = vec![Row { key: "child".to_owned(), value: Some(vec![b'x'; 200]) }];
        Step { events: vec![event], rows }
    }

    /// Commits so many steps and waits until the last is shown.
    fn commit(&mut self, count: usize) {
        for _ in 0..count {
            let step = self.step();
            self.opened.journal.commit(step, None);
        }
        let last = EventId(self.next - 1);
        let mut head = self.opened.journal.head(&self.vin).expect("its own vehicle");
        self.runtime.block_on(head.wait_for(|head| *head >= last)).expect("a journal");
    }
}

/// One page written in place and synced, as the log does it once it has its length.
struct Bare(#[allow(dead_code, reason = "keeps the directory")] tempfile::TempDir, File);

impl Bare {
    fn new() -> Bare {
        let dir = tempfile::tempdir().expect("a directory");
        let file = File::create(dir.path().join("page")).expect("a file");
        file.write_all_at(&[1; 1 << 20], 0).expect("room");
        file.sync_all().expect("a disk");
        Bare(dir, file)
    }

    fn sync(&self, at: u64) {
        self.1.write_all_at(&[at as u8; 4096], at % 256 * 4096).expect("room");
        self.1.sync_data().expect("a disk");
    }
}

fn figures() {
    let bare = Bare::new();
    let mut times: Vec<_> = (0..500).map(|at| timed(|| bare.sync(at))).collect();
    print("bare fdatasync of 4 KiB", &mut times);
    let resident = resident_kib();
    let mut journal = Written::new();
    journal.commit(1);
    let empty = resident_kib().saturating_sub(resident);
    let before = written_bytes();
    let mut times: Vec<_> = (0..500).map(|_| timed(|| journal.commit(1))).collect();
    let in_log = written_bytes() - before;
    print("an event, until it is shown", &mut times);
    checkpointed();
    println!("bytes written an event: {} in the log, {} in all", in_log / 500, (written_bytes() - before) / 500);
    let before = written_bytes();
    for _ in 0..25 {
        journal.commit(200);
    }
    checkpointed();
    println!("bytes written an event in bursts: {}", (written_bytes() - before) / 5_000);
    let full = resident_kib().saturating_sub(resident);
    let filter = Filter::of(&telltale::event::Kind::ALL);
    let page = journal.opened.journal.events_after(&journal.vin, EventId(0), &filter, 1_000);
    let begin = Instant::now();
    let events = journal.runtime.block_on(page).expect("a page").events.len();
    println!("{events} events read from the file in {:.1?}", begin.elapsed());
    let read = resident_kib().saturating_sub(resident);
    println!("resident memory in KiB: {empty} at the start, {full} with 1,024 events in memory, {read} after that read");
    let begin = Instant::now();
    assert!(journal.opened.journal.close(Duration::from_secs(60)));
    let length = fs::metadata(journal.dir.path().join("journal/journal.db")).expect("a file").len();
    println!("closed in {:.1?}; {} bytes of the file for an event", begin.elapsed(), length / 5_501);
}

/// Long enough for the log to be taken into the file, which happens when nothing was written for a second.
fn checkpointed() {
    std::thread::sleep(Duration::from_millis(1_500));
}

/// What of this process is in memory.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn timed(act: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    act();
    begin.elapsed()
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    println!("{what}: p50 {:.0?}, p99 {:.0?}, longest {:.0?}", at(0.5), at(0.99), at(0.9999));
}

/// Bytes that this process has caused to be sent to the disk.
fn written_bytes() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

#[divan::bench(sample_count = 200, sample_size = 1)]
fn bare_fdatasync(bencher: Bencher) {
    let bare = Bare::new();
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| bare.sync(7));
}

#[divan::bench(args = [1, 8, 64, 256], sample_count = 100, sample_size = 1)]
fn durable_events(bencher: Bencher, at_once: usize) {
    let mut journal = Written::new();
    bencher.counter(ItemsCount::new(at_once)).bench_local(|| journal.commit(at_once));
}

#[divan::bench(sample_count = 1000)]
fn commit_call(bencher: Bencher) {
    let mut journal = Written::new();
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let step = journal.step();
        journal.opened.journal.commit(step, None);
    });
}

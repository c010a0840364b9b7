//! No heap allocation for a CAN frame or an NMEA sentence once the gateway is warm, from the bytes to the engine's
//! decision, the track and the picture, as long as there is nothing to tell and nobody who looks on.

#![allow(unsafe_code, reason = "an allocator that counts cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use telltale::can::{Counters, Intake};
use telltale::clock::{Boot, Clock, Wall};
use telltale::detect::{Engine, Outbox, Settings};
use telltale::diagnostics::Listener;
use telltale::event::EventId;
use telltale::gateway::{Core, Late, Vehicle};
use telltale::geo::{FenceSource, read};
use telltale::gnss::{Heard, Reader};
use telltale::health::Health;
use telltale::journal::{self, Journal};
use telltale::metrics::Metrics;
use telltale::sim::{self, Car, Output, Place, SCENARIOS};
use telltale::vehicle::{BusId, Observation, Vin};

use crate::unit::figure;

/// The system's allocator, and how often this thread has asked it for memory.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is about to end has nothing to be counted for.
    let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
}

fn asked() -> u64 {
    ASKED.with(Cell::get)
}

// SAFETY: everything is handed to the system's allocator as it came; a counter without a destructor allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, so from the system.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the pointer came from `alloc` above, so from the system.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// From the wire to the decision and what the doors get to see.
struct Path {
    buses: Vec<(String, Intake)>,
    reader: Reader,
    vehicle: Vehicle,
    /// Sees the same, and says whether there was something to tell.
    core: Core,
    clock: Clock,
    _journal: (tokio::runtime::Runtime, Arc<Journal>, tempfile::TempDir),
}

impl Path {
    fn new() -> Path {
        let profile = sim::profile().unwrap();
        let vin = Vin::try_from(sim::VIN.to_owned()).unwrap();
        let fences = read(sim::FENCES, FenceSource::File).unwrap();
        let engine = Engine::new(Settings::default(), vin.clone(), profile.layout.clone(), fences);
        let clock = Clock::scaled(Wall::from_micros(1_771_545_600_000_000), 1.0);
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let settings = journal::Settings { dir: dir.path().to_owned(), ..journal::Settings::default() };
        let counters = journal::Counters::register(&Metrics::default());
        let health = Health::default();
        let open = async { Journal::open(settings, vin.clone(), clock.clone(), health.clone(), counters).unwrap() };
        let opened = runtime.block_on(open);
        let core = |last| Core::new(engine.clone(), Outbox::new(vin.clone(), last), Late::Never);
        let vehicle = Vehicle::new(vin.clone(), core(opened.last), clock.clone(), health, opened.journal.clone());
        let core = core(EventId(0));
        let (decoder, counters) = (Arc::new(profile.decoder), Counters::register(&Metrics::default()));
        // Those who listen for diagnosis hear every frame, too.
        let listeners = Listener::all(profile.diagnosis);
        let heard = |intake: Intake, id| intake.heard_by(listeners.of(BusId(id)));
        let intake = |id, name: &str| heard(Intake::new(BusId(id), name, decoder.clone(), counters.clone()), id);
        let buses = profile.layout.buses.iter().zip(0..).map(|(name, id)| (name.clone(), intake(id, name))).collect();
        Path { buses, reader: Reader::new(5.0), vehicle, core, clock, _journal: (runtime, opened.journal, dir) }
    }

    /// Takes one frame or sentence; how many events it led to.
    fn take(&mut self, now: Boot, output: &Output) -> usize {
        let Path { buses, reader, vehicle, core, clock, .. } = self;
        let mut told = core.pass(clock.stamp(now)).len();
        let mut see = |at: Boot, seen: &[Observation]| {
            told += core.see(clock.stamp(at), seen).len();
            vehicle.see(at, seen);
        };
        match output {
            Output::Frame { bus, frame } => {
                let (_, intake) = buses.iter_mut().find(|(name, _)| name == bus).unwrap();
                intake.frame(now, frame, &mut see);
            }
            Output::Sentence(sentence) => {
                for part in [sentence.as_slice(), b"\r\n"] {
                    reader.take(now, part, |heard| {
                        if let Heard::Fix(fix) = heard {
                            see(now, &[Observation::Fix(fix)]);
                        }
                    });
                }
            }
        }
        told
    }
}

#[test]
fn frames_and_sentences_need_no_memory_once_warm() {
    let car = Car::new(&SCENARIOS[0], 7, Place::beginning(Wall::from_micros(1_771_545_600_000_000))).unwrap();
    let length = Duration::from_secs_f64(sim::Timeline::new(&SCENARIOS[0], 7).length());
    let sent: Vec<(Duration, Output)> = car.take_while(|(after, _)| *after < length * 2).collect();
    let mut path = Path::new();
    // The first loop of the story warms it; the second drives, parks and alerts all over again.
    let (mut frames, mut sentences, mut faults) = (0, 0, Vec::new());
    for (after, output) in &sent {
        let before = asked();
        let told = path.take(Boot::default() + *after, output);
        let needed = asked() - before;
        if *after < length || told > 0 {
            continue;
        }
        match output {
            Output::Frame { .. } => frames += 1,
            Output::Sentence(_) => sentences += 1,
        }
        if needed > 0 {
            faults.push(format!("{needed} at {after:?}: {output:?}"));
        }
    }
    assert!(frames > 10_000 && sentences > 1_000, "{frames} frames, {sentences} sentences");
    let few = &faults[..20.min(faults.len())];
    assert!(faults.is_empty(), "{} of {frames} frames and {sentences} sentences: {few:#?}", faults.len());
    figure("allocations_a_thousand_frames", faults.len() as f64 * 1e3 / f64::from(frames + sentences));
}

#[test]
fn a_frame_that_changes_nothing_needs_no_memory() {
    let mut car = Car::new(&SCENARIOS[0], 7, Place::beginning(Wall::from_micros(1_771_545_600_000_000))).unwrap();
    let mut path = Path::new();
    let (mut after, mut last) = (Duration::ZERO, None);
    while after < Duration::from_secs(30) {
        let (at, output) = car.next().unwrap();
        path.take(Boot::default() + at, &output);
        after = at;
        last = Some(output).filter(|output| matches!(output, Output::Frame { .. })).or(last);
    }
    let frame = last.unwrap();
    let before = asked();
    for _ in 0..1_000 {
        assert_eq!(path.take(Boot::default() + after, &frame), 0);
    }
    assert_eq!(asked() - before, 0);
}

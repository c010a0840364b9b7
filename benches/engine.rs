//! What a frame costs from its bytes to the engine's decision, and on to the vehicle that hands to the journal.
//!
//! Played as fast as it goes: the simulated car's story, and twenty seconds of a drive on a full bus (4,500 frames/s) in
//! which nothing changes but the speed. `--only NAME` plays one; under `valgrind --tool=callgrind` it counts instructions.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use telltale::can::{Counters, Intake};
use telltale::clock::{Boot, Clock, Stamp, TimeSource, Wall};
use telltale::detect::{Engine, Settings};
use telltale::event::EventId;
use telltale::gateway::{Core, Late, Vehicle};
use telltale::geo::{FenceSource, read};
use telltale::health::Health;
use telltale::journal::{self, Journal};
use telltale::metrics::Metrics;
use telltale::sim::{self, Car, Output, Place, SCENARIOS};
use telltale::vehicle::{BusId, Frame, FrameKind, Observation, Vin};

const START: Wall = Wall::from_micros(1_771_545_600_000_000);
/// The simulated car's speed is in this one's bytes 4 and 5, in 0.01 km/h.
const WHEEL_SPEEDS: u32 = 416;
/// Frames of a full bus of 500 kbit/s in a second.
const FULL: i64 = 4_500;

/// When, on which bus, which.
type Frames = Vec<(Boot, usize, Frame)>;
type Play = (&'static str, fn() -> Frames);

fn main() {
    // `cargo test` builds and runs benches that have no harness with this; there is nothing to test here.
    let arguments: Vec<String> = std::env::args().collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if has("--test") || !has("--bench") {
        return;
    }
    let only = arguments.iter().position(|argument| argument == "--only").and_then(|at| arguments.get(at + 1));
    let plays: [Play; 2] = [("story", story), ("full bus", full_bus)];
    for (name, frames) in plays {
        if only.is_none_or(|only| only == name) {
            let frames = frames();
            show(&format!("{name}: engine"), &frames, core());
            show(&format!("{name}: vehicle"), &frames, vehicle());
        }
    }
}

/// The best of three runs, each of which goes on where the last one ended.
fn show(what: &str, frames: &[(Boot, usize, Frame)], mut see: impl FnMut(Boot, &[Observation])) {
    let profile = sim::profile().unwrap();
    let decoder = Arc::new(profile.decoder);
    let intake = |(name, id): (&String, u8)| Intake::new(BusId(id), name, decoder.clone(), Counters::default());
    let mut intakes: Vec<Intake> = profile.layout.buses.iter().zip(0..).map(intake).collect();
    let (mut best, mut later) = (Duration::MAX, 0);
    for _ in 0..3 {
        let begun = Instant::now();
        for (at, bus, frame) in frames {
            if let Some(intake) = intakes.get_mut(*bus) {
                intake.frame(at.shifted(later), frame, &mut see);
            }
        }
        best = best.min(begun.elapsed());
        later += frames.last().map_or(0, |(at, ..)| at.micros());
    }
    println!("{what}: {:.0} ns a frame ({} frames)", best.as_secs_f64() * 1e9 / frames.len() as f64, frames.len());
}

fn engine() -> Engine {
    let fences = read(sim::FENCES, FenceSource::File).unwrap();
    Engine::new(Settings::default(), vin(), sim::profile().unwrap().layout, fences)
}

fn vin() -> Vin {
    Vin::try_from(sim::VIN.to_owned()).unwrap()
}

fn core() -> impl FnMut(Boot, &[Observation]) {
    let engine = engine();
    let outbox = engine.outbox(EventId(0));
    let mut core = Core::new(engine, outbox, Late::Never);
    move |at, seen| {
        let wall = Wall::from_micros(START.micros() + at.micros());
        core.see(Stamp { boot: at, wall, source: TimeSource::Gnss }, seen);
    }
}

fn vehicle() -> impl FnMut(Boot, &[Observation]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let settings = journal::Settings { dir: folder.path().to_owned(), ..journal::Settings::default() };
    let (clock, health) = (Clock::scaled(START, 1.0), Health::default());
    let counters = journal::Counters::register(&Metrics::default());
    let open = async { Journal::open(settings, vin(), clock.clone(), health.clone(), counters).unwrap() };
    let opened = runtime.block_on(open);
    let core = Core::new(engine(), engine().outbox(opened.last), Late::Never);
    let vehicle = Vehicle::new(vin(), core, clock, health, opened.journal.clone());
    let journal = (runtime, folder);
    move |at, seen| {
        let _open = &journal;
        vehicle.see(at, seen);
    }
}

/// What the simulated car sends in its first loop.
fn story() -> Frames {
    let length = Duration::from_secs_f64(sim::Timeline::new(&SCENARIOS[0], 7).length());
    let car = Car::new(&SCENARIOS[0], 7, Place::beginning(START)).unwrap();
    let sent = car.take_while(|(after, _)| *after < length);
    let frames = sent.filter_map(|(after, output)| match output {
        Output::Frame { bus, frame } => Some((Boot::default() + after, usize::from(bus != "body"), frame)),
        Output::Sentence(_) => None,
    });
    frames.collect()
}

/// Twenty seconds of a drive on a full bus: what was last said of everything, again and again, and a speed that rises.
fn full_bus() -> Frames {
    let story = story();
    let driving = story.iter().filter(|(at, ..)| (60_000_000..64_000_000).contains(&at.micros()));
    let mut messages: Vec<&(Boot, usize, Frame)> = Vec::new();
    for seen in driving {
        if messages.iter().all(|(_, _, known)| known.id != seen.2.id) {
            messages.push(seen);
        }
    }
    let frames = (0..20 * FULL).map(|n| {
        let (at, round) = (Boot::from_micros(n * 1_000_000 / FULL), n / messages.len() as i64);
        let (_, bus, frame) = messages[n as usize % messages.len()];
        let mut frame = frame.clone();
        if frame.id == WHEEL_SPEEDS {
            // 41.00 to 41.63 km/h.
            (frame.data[4], frame.data[5]) = (0x10, 4 + (round % 64) as u8);
        }
        (at, *bus, Frame { at, kind: FrameKind::Classical, ..frame })
    });
    frames.collect()
}

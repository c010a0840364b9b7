//! Fixes a second, each judged against 10 and against 10,000 fences; heap allocations a fix; and how long a file of
//! 10,000 fences takes to be read.
//!
//! The fences lie strewn over a city of 20 by 20 km: circles, polygons of 20 vertices and corridors, a hundred to a few
//! hundred metres wide. The vehicle drives in circles through them at 15 m/s with a fix a second, so that it is in some of
//! them at any time and crosses one every few seconds.

use std::f64::consts::TAU;
use std::hint::black_box;

use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher};
use telltale::clock::{Boot, Stamp, TimeSource, Wall};
use telltale::detect::Outbox;
use telltale::detect::geofence::{Geofences, Settings};
use telltale::event::EventId;
use telltale::geo::{Fence, FenceSource, Point, Shape, read, write};
use telltale::vehicle::{Fix, Layout, Mode, Observation, State, StateSettings, Vin};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const CITY: Point = Point { latitude: 37.55, longitude: 127.0 };

fn main() {
    divan::main();
}

/// The point so many metres east and north of the middle of the city.
fn at(east: f64, north: f64) -> Point {
    Point { latitude: CITY.latitude + north / 111_000.0, longitude: CITY.longitude + east / 88_250.0 }
}

/// Numbers from 0 to 1 that are the same every time.
fn numbers() -> impl Iterator<Item = f64> {
    let mut state = 1_u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    })
}

fn strewn(count: usize) -> Vec<Fence> {
    let mut random = numbers();
    let mut between = move |low: f64, high: f64| low + (high - low) * random.next().unwrap_or_default();
    let vertex = |point: Point| [point.longitude, point.latitude];
    let one = |id: usize| {
        let (east, north, size) = (between(-1e4, 1e4), between(-1e4, 1e4), between(50.0, 300.0));
        let shape = match id % 3 {
            0 => Shape::circle(at(east, north), size),
            1 => {
                let corner = |i: usize| {
                    let (sin, cos) = ((i % 19) as f64 / 19.0 * TAU).sin_cos();
                    vertex(at(east + size * cos, north + size * sin))
                };
                Shape::area(vec![vec![(0..20).map(corner).collect()]])
            }
            _ => {
                let bend = |i: usize| vertex(at(east + 100.0 * i as f64, north + between(-30.0, 30.0)));
                Shape::corridor(vec![(0..8).map(bend).collect()], size / 3.0)
            }
        };
        Some(Fence::new(format!("fence {id}"), FenceSource::File, shape.ok()?))
    };
    (0..count).filter_map(one).collect()
}

/// A drive that never ends.
struct Drive {
    fences: Geofences,
    state: State,
    outbox: Outbox,
    second: i64,
}

impl Drive {
    fn through(fences: Vec<Fence>) -> Result<Drive, String> {
        let mut drive = Drive::over(Geofences::new(Settings::default(), fences))?;
        // The first fix meets every fence, which is not what is measured.
        drive.next();
        while !drive.fences.rows().is_empty() {}
        Ok(drive)
    }

    fn over(fences: Geofences) -> Result<Drive, String> {
        Ok(Drive {
            fences,
            state: State::new(Layout::default(), StateSettings::default()),
            outbox: Outbox::new(Vin::try_from("BENCH".to_owned())?, EventId(0)),
            second: 0,
        })
    }

    /// The next fix, and what it means.
    fn next(&mut self) -> usize {
        self.second += 1;
        let angle = self.second as f64 * 15.0 / 6000.0;
        let boot = Boot::from_micros(self.second * 1_000_000);
        let wall = Wall::from_micros((1_771_545_600 + self.second) * 1_000_000);
        let now = Stamp { boot, wall, source: TimeSource::Gnss };
        let fix = Fix {
            at: boot,
            time: Some(wall),
            mode: Mode::ThreeD,
            point: at(6000.0 * angle.cos(), 6000.0 * (1.37 * angle).sin()),
            accuracy: 4.0,
            altitude: None,
            speed: Some(54.0),
            heading: None,
            satellites: Some(11),
            hdop: Some(0.8),
        };
        self.state.observe(boot, &Observation::Fix(fix));
        self.outbox.begin(now, Some(fix));
        self.fences.step(now, &self.state, &mut self.outbox);
        self.outbox.take().len() + self.fences.rows().len()
    }
}

#[divan::bench(args = [10, 10_000], sample_size = 100, sample_count = 500)]
fn fixes(bencher: Bencher, fences: usize) {
    let Ok(mut drive) = Drive::through(strewn(fences)) else { return };
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| black_box(drive.next()));
}

/// The same fix asked about again, as with every frame between two fixes.
#[divan::bench(args = [10, 10_000])]
fn nothing_new(bencher: Bencher, fences: usize) {
    let Ok(mut drive) = Drive::through(strewn(fences)) else { return };
    for _ in 0..100 {
        drive.next();
    }
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        let boot = Boot::from_micros(drive.second * 1_000_000 + 1000);
        let now = Stamp { boot, wall: Wall::from_micros(0), source: TimeSource::Unset };
        drive.fences.step(now, &drive.state, &mut drive.outbox);
        black_box(drive.fences.deadline())
    });
}

/// A city in which every fence has as many vertices as one may have.
#[divan::bench(sample_size = 100, sample_count = 500)]
fn fixes_among_the_largest_fences(bencher: Bencher) {
    let mut random = numbers();
    let mut between = move |low: f64, high: f64| low + (high - low) * random.next().unwrap_or_default();
    let one = |id: usize| {
        let (east, north, size) = (between(-1e4, 1e4), between(-1e4, 1e4), between(300.0, 1500.0));
        let corner = |i: usize| {
            let (sin, cos) = ((i % 999) as f64 / 999.0 * TAU).sin_cos();
            let point = at(east + size * cos, north + size * sin);
            [point.longitude, point.latitude]
        };
        let shape = Shape::area(vec![vec![(0..1000).map(corner).collect()]]);
        Some(Fence::new(format!("fence {id}"), FenceSource::File, shape.ok()?))
    };
    let Ok(mut drive) = Drive::through((0..200).filter_map(one).collect()) else { return };
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| black_box(drive.next()));
}

#[divan::bench(sample_count = 20)]
fn reading_a_file_of_10000_fences(bencher: Bencher) {
    let text = write(&strewn(10_000));
    bencher
        .counter(BytesCount::of_str(&text))
        .bench_local(|| read(black_box(&text), FenceSource::File).map(|fences| fences.len()));
}

/// The first fix, which alone meets every fence.
#[divan::bench(sample_count = 20)]
fn the_first_fix_among_10000_fences(bencher: Bencher) {
    let fences = strewn(10_000);
    let fresh = || Drive::over(Geofences::new(Settings::default(), fences.clone()));
    bencher.with_inputs(fresh).bench_local_values(|drive| drive.map(|mut drive| drive.next()));
}

/// The R-tree and the lists of 10,000 fences.
#[divan::bench(sample_count = 20)]
fn taking_in_10000_fences(bencher: Bencher) {
    let fences = strewn(10_000);
    bencher.with_inputs(|| fences.clone()).bench_local_values(|fences| Geofences::new(Settings::default(), fences));
}

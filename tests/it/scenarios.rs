//! Every scenario of the simulated car, recorded, through `telltale replay`: it tells what the story says, each in its
//! time, and nothing else, in the first loop and in the second.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use telltale::can::candump::Line;
use telltale::clock::{Boot, Wall};
use telltale::event::ChildStage;
use telltale::sim::{Car, Expected, Output, Place, SCENARIOS, Scenario, Telling, Timeline};

use crate::drives::{replay, seconds};
use crate::unit::project;

const SEED: u64 = 7;
const LOOPS: u32 = 2;
const START: Wall = Wall::from_micros(1_771_545_600_000_000);

/// Writes what the car sends in so many loops.
pub fn record(scenario: &'static Scenario, loops: u32, candump: &Path, nmea: &Path) {
    let (frames, sentences) = (File::create(candump).unwrap(), File::create(nmea).unwrap());
    let (mut frames, mut sentences) = (BufWriter::new(frames), BufWriter::new(sentences));
    let car = Car::new(scenario, SEED, Place::beginning(START)).unwrap();
    let end = Duration::from_secs_f64(Timeline::new(scenario, SEED).length()) * loops;
    for (after, output) in car.take_while(|(after, _)| *after < end) {
        match output {
            Output::Frame { bus, mut frame } => {
                frame.at = Boot::from_micros(START.micros()) + after;
                let interface = if bus == "body" { "can0" } else { "can1" };
                writeln!(frames, "{}", Line { interface, frame }).unwrap();
            }
            Output::Sentence(sentence) => {
                sentences.write_all(&sentence).unwrap();
                sentences.write_all(b"\r\n").unwrap();
            }
        }
    }
}

fn is(event: &Value, telling: Telling) -> bool {
    let child = &event["child"];
    event["eventType"] == telling.event_type().name()
        && match telling {
            Telling::Enter(id) | Telling::Exit(id) => event["geofence"]["id"] == id,
            Telling::Left(stage, confidence) => child["stage"] == json!(stage) && child["confidence"] == json!(confidence),
            Telling::LeftInHeat(confidence) => {
                let named = child["stage"] == json!(ChildStage::Initial) && child["confidence"] == json!(confidence);
                named && event["severity"] == "critical"
            }
            Telling::Cleared(reason) => child["reason"] == json!(reason),
            Telling::Plain(_) => true,
        }
}

fn faults(scenario: &'static Scenario, mut told: Vec<(f64, Value)>) -> String {
    let timeline = Timeline::new(scenario, SEED);
    let name = scenario.name;
    let mut faults = String::new();
    let crossed: Vec<f64> = told.iter().filter(|(_, event)| event["geofence"].is_object()).map(|(at, _)| *at).collect();
    if crossed.first().is_none_or(|first| *first >= 120.0) || crossed.windows(2).any(|pair| pair[1] - pair[0] >= 160.0) {
        faults += &format!("{name}: too long without a fence crossed: {crossed:?}\n");
    }
    for lap in 0..LOOPS {
        for Expected { telling, earliest, latest } in timeline.expected() {
            let base = f64::from(lap) * timeline.length();
            let due = base + earliest..base + latest;
            let found: Vec<usize> =
                (0..told.len()).filter(|at| due.contains(&told[*at].0) && is(&told[*at].1, telling)).collect();
            match found[..] {
                [at] => drop(told.remove(at)),
                _ => faults += &format!("{name} loop {lap}: {telling:?} due {due:?}: {} times\n", found.len()),
            }
        }
    }
    told.retain(|(_, event)| !scenario.may.iter().any(|telling| is(event, *telling)));
    for (at, event) in told {
        faults += &format!("{name}: unexpected at {at:.1}: {event}\n");
    }
    faults
}

#[test]
fn each_story_is_told_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let (candump, nmea) = (folder.path().join("candump"), folder.path().join("nmea"));
    let (profile, fences) = (project("src/sim/car.toml"), project("src/sim/fences.geojson"));
    let paths = [("--profile", &profile), ("--fences", &fences), ("--candump", &candump), ("--nmea", &nmea)];
    let args: Vec<&str> = paths.iter().flat_map(|(option, path)| [*option, path.to_str().unwrap()]).collect();
    let mut all = String::new();
    for scenario in SCENARIOS {
        record(scenario, LOOPS, &candump, &nmea);
        let begun = START.micros() as f64 / 1e6;
        let told = replay(&args).into_iter().map(|event| (seconds(&event) - begun, event)).collect();
        all += &faults(scenario, told);
    }
    assert!(all.is_empty(), "{all}");
}

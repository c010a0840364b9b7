//! Recorded drives against what must come of them. The receiver's sentences and two frames are read here by hand, so that
//! this needs no decoder; the whole way from bytes is tested elsewhere.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::stories::{Drive, MIDNIGHT};
use super::{Geofences, Settings};
use crate::event::{Details, Event};
use crate::geo::{FenceSource, Point, read};

/// The recordings, where they are.
fn drives() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/drives");
    if !folder.is_dir() {
        println!("passed over: there are no recorded drives at {}", folder.display());
        return None;
    }
    Some(folder)
}

fn text(path: PathBuf) -> String {
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `3732.67589` is 37° 32.67589′.
fn degrees(field: &str) -> f64 {
    let value: f64 = field.parse().expect("a number");
    (value / 100.0).floor() + value % 100.0 / 60.0
}

/// Time of day, place and accuracy of each RMC with the GGA that follows it.
fn fixes(nmea: &str) -> Vec<(f64, Point, f64)> {
    let mut fixes = Vec::new();
    let mut place = None;
    for line in nmea.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        match fields[0] {
            "$GNRMC" if fields[2] == "A" => {
                let number = |range| fields[1].get(range).and_then(|digits: &str| digits.parse::<f64>().ok()).expect("a time");
                let seconds = number(0..2) * 3600.0 + number(2..4) * 60.0 + number(4..9);
                place = Some((seconds, Point { latitude: degrees(fields[3]), longitude: degrees(fields[5]) }));
            }
            "$GNGGA" => {
                let hdop: f64 = fields[8].parse().expect("a number");
                fixes.extend(place.take().map(|(seconds, point)| (seconds, point, (hdop * 5.0).max(3.0))));
            }
            _ => {}
        }
    }
    fixes
}

/// Time, whether the ignition is on (CGW1), and speed (WHL_SPD11), as far as a frame says.
fn frames(candump: &str) -> Vec<(f64, Option<bool>, Option<f64>)> {
    let frame = |line: &str| {
        let (time, rest) = line.strip_prefix('(')?.split_once(')')?;
        let (id, data) = rest.split_whitespace().nth(1)?.split_once('#')?;
        let byte = |at: usize| u32::from_str_radix(data.get(2 * at..2 * at + 2)?, 16).ok();
        let time = time.parse::<f64>().ok()? - MIDNIGHT as f64;
        match id {
            "541" => Some((time, Some(byte(0)? & 7 >= 3), None)),
            "386" => Some((time, None, Some(f64::from((byte(0)? | byte(1)? << 8) & 0x3FFF) * 0.03125))),
            _ => None,
        }
    };
    candump.lines().filter_map(frame).collect()
}

fn replay(folder: &Path, name: &str) -> Vec<Event> {
    let fences = read(&text(folder.join("fences.geojson")), FenceSource::File).expect("sound fences");
    let mut drive = Drive::resumed(Geofences::new(Settings::default(), fences));
    let frames = frames(&text(folder.join(format!("{name}.candump"))));
    let mut frames = frames.iter().peekable();
    let (mut ignition, mut still) = (false, None);
    for (seconds, point, accuracy) in fixes(&text(folder.join(format!("{name}.nmea")))) {
        while let Some((time, on, speed)) = frames.next_if(|(time, ..)| *time <= seconds) {
            ignition = on.unwrap_or(ignition);
            if let Some(speed) = speed {
                drive.speed = Some(*speed);
                still = if *speed == 0.0 { still.or(Some(*time)) } else { None };
            }
        }
        drive.now = seconds;
        drive.parked = !ignition || still.is_some_and(|since: f64| seconds - since >= 60.0);
        drive.accuracy = accuracy;
        drive.fix(point);
    }
    drive.events
}

#[test]
fn every_event_that_must_come_comes_in_its_time_and_no_other() {
    let Some(folder) = drives() else { return };
    let named = |event: &Value| event["event"].as_str().is_some_and(|event| event.starts_with("GEOFENCE"));
    for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
        let Some(name) = entry.file_name().to_str().and_then(|name| name.strip_suffix(".expect.json")).map(str::to_owned) else {
            continue;
        };
        let expected: Value = serde_json::from_str(&text(entry.path())).expect("json");
        let musts = expected["must"].as_array().expect("an array").iter().filter(|event| named(event));
        let mut told = replay(&folder, &name);
        for must in musts {
            let (earliest, latest) = (must["earliest"].as_f64().expect("s"), must["latest"].as_f64().expect("s"));
            let found = told.iter().position(|event| {
                let Details::Geofence(geofence) = &event.details else { return false };
                let time = event.stamp.wall.micros() as f64 / 1e6;
                event.type_name() == must["event"] && geofence.id == must["fence"] && (earliest..=latest).contains(&time)
            });
            let event = told.remove(found.unwrap_or_else(|| panic!("{name}: {must} is not in {told:?}")));
            println!(
                "{name}: {} {:.1} s after its earliest",
                event.type_name(),
                event.stamp.wall.micros() as f64 / 1e6 - earliest
            );
        }
        let may: Vec<&Value> = expected["may"].as_array().expect("an array").iter().map(|event| &event["event"]).collect();
        told.retain(|event| !may.iter().any(|may| *may == event.type_name()));
        assert!(told.is_empty(), "{name}: {told:?}");
    }
}

//! The fence table and its rules, told as drives.
//!
//! Places are metres east and north of a point in Seoul; the fence `zone` is a circle of 100 m around it. Fixes come once
//! a second, right within 4 m, unless a story says otherwise.

mod crossing;
mod keeping;
mod parked;
mod schedules;
mod shapes;
mod visits;

use std::time::Duration;

use super::{Geofences, Motion, Settings};
use crate::clock::{Boot, Stamp, TimeSource, Wall};
use crate::detect::Outbox;
use crate::event::{Details, Event, EventId, Row, Severity};
use crate::geo::{Fence, FenceSource, Point, Schedule, Shape};
use crate::request::{Answer, Refusal};
use crate::vehicle::{Fix, Layout, Mode, Observation, Vin};

/// 2026-02-20T00:00:00Z, a Friday.
pub(super) const MIDNIGHT: i64 = 1_771_545_600;

pub(super) const SEOUL: Point = Point { latitude: 37.5446, longitude: 127.0557 };

fn vin() -> Vin {
    Vin::try_from("TEST".to_owned()).expect("a VIN")
}

/// The point so many metres east and north of another one.
pub(super) fn off(origin: Point, east: f64, north: f64) -> Point {
    let metres = 111_320.0;
    let longitude = origin.longitude + east / metres / origin.latitude.to_radians().cos();
    Point { latitude: origin.latitude + north / 110_990.0, longitude: (longitude + 540.0).rem_euclid(360.0) - 180.0 }
}

pub(super) fn circle(id: &str, centre: Point, radius: f64) -> Fence {
    Fence::new(id, FenceSource::File, Shape::circle(centre, radius).expect("a circle"))
}

pub(super) fn zone() -> Fence {
    circle("zone", SEOUL, 100.0)
}

/// A rectangle in metres east and north of Seoul.
fn rectangle(west: f64, south: f64, east: f64, north: f64) -> Vec<[f64; 2]> {
    let corners = [(west, south), (east, south), (east, north), (west, north), (west, south)];
    corners.map(|(x, y)| off(SEOUL, x, y)).map(|point| [point.longitude, point.latitude]).to_vec()
}

fn area(id: &str, rings: Vec<Vec<[f64; 2]>>) -> Fence {
    Fence::new(id, FenceSource::File, Shape::area(vec![rings]).expect("an area"))
}

/// A drive: what comes next, and what was told.
pub(super) struct Drive {
    pub(super) fences: Geofences,
    out: Outbox,
    origin: Point,
    /// Since midnight, s.
    pub(super) now: f64,
    wall: i64,
    source: TimeSource,
    pub(super) accuracy: f64,
    pub(super) parked: bool,
    /// By CAN.
    pub(super) speed: Option<f64>,
    gnss_speed: Option<f64>,
    dated: bool,
    fix: Option<Fix>,
    pub(super) events: Vec<Event>,
}

impl Drive {
    pub(super) fn new(fences: Vec<Fence>) -> Drive {
        Drive::resumed(Geofences::new(Settings::default(), fences))
    }

    pub(super) fn resumed(fences: Geofences) -> Drive {
        Drive {
            fences,
            out: Outbox::new(vin(), EventId(0)),
            origin: SEOUL,
            now: 0.0,
            wall: MIDNIGHT,
            source: TimeSource::Gnss,
            accuracy: 4.0,
            parked: false,
            speed: None,
            gnss_speed: None,
            dated: true,
            fix: None,
            events: Vec::new(),
        }
    }

    fn stamp(&self) -> Stamp {
        let micros = (self.now * 1e6) as i64;
        Stamp { boot: Boot::from_micros(micros), wall: Wall::from_micros(self.wall * 1_000_000 + micros), source: self.source }
    }

    /// Another input, nothing new in it; what was told.
    pub(super) fn step(&mut self) -> Vec<String> {
        let stamp = self.stamp();
        self.out.begin(stamp, self.fix);
        let motion = Motion { fix: self.fix, parked: self.parked, can_speed: self.speed };
        self.fences.judge(stamp, &motion, &mut self.out);
        let told = self.out.take();
        let words = told.iter().map(words).collect();
        self.events.extend(told);
        words
    }

    /// So many seconds later, without a fix.
    pub(super) fn wait(&mut self, seconds: f64) -> Vec<String> {
        self.now += seconds;
        self.step()
    }

    /// A fix now.
    pub(super) fn fix(&mut self, point: Point) -> Vec<String> {
        let stamp = self.stamp();
        self.fix = Some(Fix {
            at: stamp.boot,
            time: self.dated.then_some(stamp.wall),
            mode: Mode::ThreeD,
            point,
            accuracy: self.accuracy,
            altitude: None,
            speed: self.gnss_speed,
            heading: None,
            satellites: None,
            hdop: None,
        });
        self.step()
    }

    /// A second later, a fix so many metres east and north.
    pub(super) fn at(&mut self, east: f64, north: f64) -> Vec<String> {
        self.now += 1.0;
        self.fix(off(self.origin, east, north))
    }

    /// Fixes along the x axis, a second apart.
    pub(super) fn along(&mut self, places: impl IntoIterator<Item = f64>) -> Vec<String> {
        places.into_iter().flat_map(|east| self.at(east, 0.0)).collect()
    }

    /// So many seconds of fixes at one place.
    pub(super) fn stay(&mut self, seconds: usize, east: f64) -> Vec<String> {
        self.along(std::iter::repeat_n(east, seconds))
    }
}

/// `enter zone`, `exit zone crossed`.
fn words(event: &Event) -> String {
    let Details::Geofence(geofence) = &event.details else { return "something else".to_owned() };
    let transition = serde_json::to_string(&geofence.transition).expect("a word");
    let crossed = if geofence.crossed { " crossed" } else { "" };
    format!("{} {}{crossed}", transition.trim_matches('"'), geofence.id)
}

fn held_for(event: &Event) -> Option<f64> {
    if let Details::Geofence(geofence) = &event.details { geofence.held_for } else { None }
}

const NOTHING: [&str; 0] = [];

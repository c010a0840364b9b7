//! The fence table and its rules, told as drives.
//!
//! Places are metres east and north of a point in Seoul; the fence `zone` is a circle of 100 m around it. Fixes come once
//! a second, right within 4 m, unless a story says otherwise.

use std::time::Duration;

use super::{Geofences, Motion, Settings};
use crate::clock::{Boot, Stamp, TimeSource, Wall};
use crate::detect::Outbox;
use crate::event::{Details, Event, EventId, Row, Severity};
use crate::geo::{Fence, FenceSource, Point, Schedule, Shape};
use crate::request::{Answer, Refusal};
use crate::vehicle::{Fix, Mode, Vin};

/// 2026-02-20T00:00:00Z, a Friday.
pub(super) const MIDNIGHT: i64 = 1_771_545_600;

pub(super) const SEOUL: Point = Point { latitude: 37.5446, longitude: 127.0557 };

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
    pub(super) speed: Option<f64>,
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
            out: Outbox::new(Vin::try_from("TEST".to_owned()).expect("a VIN"), EventId(0)),
            origin: SEOUL,
            now: 0.0,
            wall: MIDNIGHT,
            source: TimeSource::Gnss,
            accuracy: 4.0,
            parked: false,
            speed: None,
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
        let motion = Motion { fix: self.fix, parked: self.parked, speed: self.speed };
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
            speed: None,
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

#[test]
fn in_after_two_fixes_and_out_after_two_fixes() {
    let mut drive = Drive::new(vec![Fence { name: Some("Home".into()), ..zone() }]);
    assert_eq!(drive.along([-300.0, -200.0, -110.0, -97.0, -95.0]), NOTHING, "one fix inside by its accuracy");
    assert_eq!(drive.along([-94.0]), ["enter zone"]);
    assert_eq!(drive.along([-50.0, 0.0, 99.0, 105.0, 114.0, 116.0]), NOTHING, "one fix outside by 15 m");
    assert_eq!(drive.along([117.0]), ["exit zone"]);
    assert_eq!(drive.along([200.0, 300.0]), NOTHING);
    let told: Vec<_> = drive.events.iter().map(|event| (event.type_name(), event.severity, held_for(event))).collect();
    assert_eq!(
        told,
        [("GEOFENCE_ENTER", Severity::Info, Some(5.0)), ("GEOFENCE_EXIT", Severity::Info, Some(7.0))],
        "for how long the last state held"
    );
    let json = drive.events[0].to_json();
    assert!(
        json.contains(r#""geofence":{"id":"zone","name":"Home","transition":"enter","inside":true,"heldFor":5.0}"#),
        "{json}"
    );
}

#[test]
fn fixes_that_speak_for_it_must_be_consecutive() {
    let mut drive = Drive::new(vec![zone()]);
    assert_eq!(drive.along([-110.0, -95.0, -97.0, -95.0, -101.0, -95.0]), NOTHING);
    assert_eq!(drive.along([-90.0]), ["enter zone"]);
    assert_eq!(drive.along([-116.0, -114.0, -116.0, -99.0, -116.0]), NOTHING);
    assert_eq!(drive.along([-116.0]), ["exit zone"]);
}

#[test]
fn a_bounce_at_the_border_is_no_crossing() {
    let mut drive = Drive::new(vec![zone()]);
    for _ in 0..50 {
        assert_eq!(drive.along([-103.0, -95.0, -106.0, -99.0, -97.0]), NOTHING);
    }
    drive.along([-90.0, -90.0]);
    for _ in 0..50 {
        assert_eq!(drive.along([-103.0, -110.0, -99.0, -114.0, -120.0, -97.0]), NOTHING);
    }
}

#[test]
fn an_inaccurate_fix_needs_a_quarter_of_the_inner_radius_at_most() {
    let mut drive = Drive::new(vec![zone()]);
    drive.accuracy = 60.0;
    assert_eq!(drive.along([-300.0, -76.0, -76.0, -76.0]), NOTHING);
    assert_eq!(drive.along([-74.0, -74.0]), ["enter zone"]);
    assert_eq!(drive.along([-159.0, -159.0]), NOTHING, "outside by the accuracy, where that is over 15 m");
    assert_eq!(drive.along([-161.0, -161.0]), ["exit zone"]);
}

#[test]
fn a_fence_of_the_width_of_a_lane_can_be_entered() {
    let mut drive = Drive::new(vec![area("gate", vec![rectangle(-100.0, -3.0, 100.0, 3.0)])]);
    drive.accuracy = 20.0;
    drive.along([-200.0, -130.0]);
    assert_eq!(drive.along([-90.0, -80.0]), ["enter gate"], "inside by 3 m, a quarter of 5.8 m is enough");
}

#[test]
fn after_a_gap_of_more_than_ten_seconds_one_fix_suffices() {
    let mut drive = Drive::new(vec![zone()]);
    drive.along([-300.0]);
    drive.wait(9.0);
    assert_eq!(drive.at(0.0, 0.0), NOTHING, "10 s is not over 10 s");
    let mut drive = Drive::new(vec![zone()]);
    drive.along([-300.0]);
    drive.wait(9.5);
    assert_eq!(drive.at(0.0, 0.0), ["enter zone"]);
    drive.wait(20.0);
    assert_eq!(drive.at(-114.0, 0.0), NOTHING, "not outside by enough");
    drive.wait(20.0);
    assert_eq!(drive.at(-116.0, 0.0), ["exit zone"]);
}

#[test]
fn a_tunnel_out_of_the_fence_is_told_at_its_end() {
    let mut drive = Drive::new(vec![zone()]);
    drive.along([0.0, 20.0, 40.0]);
    drive.accuracy = 150.0;
    assert_eq!(drive.along([60.0, 400.0, 420.0, 440.0, 460.0, 480.0, 500.0, 520.0, 540.0, 560.0, 580.0]), NOTHING);
    drive.accuracy = 8.0;
    assert_eq!(drive.at(600.0, 0.0), ["exit zone"], "fixes worse than 100 m are no fixes before");
}

#[test]
fn a_fix_worse_than_100_m_or_without_a_date_changes_nothing() {
    let mut drive = Drive::new(vec![zone()]);
    drive.accuracy = 100.1;
    drive.stay(20, 0.0);
    assert_eq!(drive.fences.now()[0].inside, None, "not even the first state");
    drive.accuracy = 4.0;
    drive.dated = false;
    drive.stay(20, 0.0);
    assert_eq!(drive.fences.now()[0].inside, None);
    drive.dated = true;
    drive.along([-300.0]);
    assert_eq!(drive.fences.now()[0].inside, Some(false));
    drive.accuracy = 101.0;
    assert_eq!(drive.stay(100, 0.0), NOTHING);
    drive.accuracy = 4.0;
    drive.dated = false;
    assert_eq!(drive.stay(100, 0.0), NOTHING);
    drive.dated = true;
    drive.accuracy = 100.0;
    assert_eq!(drive.stay(2, 0.0), ["enter zone"], "100 m is not worse than 100 m");
}

#[test]
fn the_first_state_is_a_side_and_no_event() {
    let mut drive = Drive::new(vec![zone(), circle("away", off(SEOUL, 5000.0, 0.0), 50.0)]);
    assert!(drive.fences.now().iter().all(|fence| (fence.inside, &fence.since) == (None, &None)));
    assert_eq!(drive.along([-99.0]), NOTHING, "inside by less than any margin");
    let now = drive.fences.now();
    assert_eq!((now[0].inside, now[1].inside), (Some(true), Some(false)));
    assert_eq!(now[0].since.as_deref(), Some("2026-02-20T00:00:01.000Z"));
}

#[test]
fn a_jump_is_not_believed() {
    let mut drive = Drive::new(vec![zone(), circle("far", off(SEOUL, 2000.0, 0.0), 300.0)]);
    drive.stay(5, 0.0);
    assert_eq!(drive.along([2000.0, 2010.0]), NOTHING);
    assert_eq!(drive.along([0.0, 5.0]), NOTHING, "back where it was");
    assert_eq!(drive.along([2000.0, 2010.0, 10.0, 2000.0, 2010.0, 12.0]), NOTHING);
    assert_eq!(drive.along([109.0]), NOTHING, "105 m in a second, both accuracies taken off, is 97 m/s");
}

#[test]
fn a_jump_is_believed_when_three_fixes_agree() {
    let mut drive = Drive::new(vec![zone(), circle("far", off(SEOUL, 2000.0, 0.0), 300.0)]);
    drive.stay(5, 0.0);
    assert_eq!(drive.along([2000.0, 2030.0]), NOTHING);
    assert_eq!(drive.along([2060.0]), NOTHING, "the third is the first that counts");
    assert_eq!(drive.along([2080.0]), ["enter far", "exit zone"]);
}

#[test]
fn three_fixes_that_do_not_agree_make_no_jump_believed() {
    let mut drive = Drive::new(vec![zone()]);
    drive.stay(5, 0.0);
    assert_eq!(drive.along([2000.0, 2600.0, 2010.0, 2620.0, 2000.0, 2610.0]), NOTHING);
    assert_eq!(drive.fences.now()[0].inside, Some(true));
    assert_eq!(drive.along([2000.0, 2000.0, 2000.0, 2000.0]), ["exit zone"]);
}

#[test]
fn a_jump_is_no_way_that_was_driven() {
    let mut drive = Drive::new(vec![circle("between", off(SEOUL, 1000.0, 0.0), 100.0)]);
    drive.stay(5, 0.0);
    assert_eq!(drive.along([2000.0, 2000.0, 2000.0, 2000.0, 2000.0]), NOTHING);
}

#[test]
fn a_long_absence_is_no_jump() {
    let mut drive = Drive::new(vec![zone()]);
    drive.stay(5, 0.0);
    drive.wait(60.0);
    assert_eq!(drive.at(2000.0, 0.0), ["exit zone"], "33 m/s");
}

#[test]
fn parked_near_the_border_fixes_may_drift_by_50_m() {
    let mut drive = Drive::new(vec![zone()]);
    drive.along([60.0, 70.0, 90.0]);
    drive.parked = true;
    for _ in 0..60 {
        assert_eq!(drive.along([90.0, 120.0, 149.0, 149.0, 149.0, 140.0]), NOTHING);
    }
    drive.accuracy = 30.0;
    assert_eq!(drive.stay(300, 189.0), NOTHING, "three accuracies are 90 m");
    let mut outside = Drive::new(vec![zone()]);
    outside.along([160.0, 150.0, 140.0, 130.0]);
    outside.parked = true;
    assert_eq!(outside.stay(300, 51.0), NOTHING, "inside by 49 m");
}

#[test]
fn parked_it_takes_60_s_of_fixes_without_a_break() {
    let mut drive = Drive::new(vec![zone()]);
    drive.along([80.0, 80.0]);
    drive.parked = true;
    assert_eq!(drive.stay(60, 160.0), NOTHING, "59 s from the first to the last");
    assert_eq!(drive.at(149.0, 0.0), NOTHING, "a break");
    assert_eq!(drive.stay(60, 160.0), NOTHING);
    assert_eq!(drive.at(160.0, 0.0), ["exit zone"], "towed away");
    assert_eq!(drive.stay(1, 90.0), NOTHING);
    assert_eq!(drive.stay(60, 40.0), NOTHING);
    assert_eq!(drive.at(40.0, 0.0), ["enter zone"], "and back");
}

#[test]
fn parked_more_than_ten_seconds_without_a_fix_are_a_break() {
    let mut drive = Drive::new(vec![zone()]);
    drive.along([80.0, 80.0]);
    drive.parked = true;
    drive.stay(30, 160.0);
    drive.wait(40.0);
    assert_eq!(drive.stay(60, 160.0), NOTHING);
    assert_eq!(drive.at(160.0, 0.0), ["exit zone"]);
}

#[test]
fn parked_fixes_that_change_nothing_are_no_break() {
    let mut drive = Drive::new(vec![zone()]);
    drive.along([80.0, 80.0]);
    drive.parked = true;
    drive.stay(30, 160.0);
    drive.accuracy = 200.0;
    drive.stay(5, 0.0);
    drive.accuracy = 4.0;
    assert_eq!(drive.stay(25, 160.0), NOTHING);
    assert_eq!(drive.at(160.0, 0.0), ["exit zone"]);
}

#[test]
fn towed_away_it_leaves_though_nobody_drives() {
    let mut drive = Drive::new(vec![zone()]);
    drive.stay(10, 0.0);
    drive.parked = true;
    let told = drive.along((0..120).map(|second| f64::from(second) * 8.0));
    assert_eq!(told, ["exit zone"]);
    let told = drive.events[0].stamp.boot.seconds();
    assert!((88.0..=91.0).contains(&told), "150 m after 19 s, and 60 s more: {told}");
}

#[test]
fn towed_through_a_fence_is_no_through() {
    let mut drive = Drive::new(vec![circle("gate", SEOUL, 10.0)]);
    drive.parked = true;
    assert_eq!(drive.along((-10..10).map(|second| f64::from(second) * 30.0 + 15.0)), NOTHING);
}

#[test]
fn starting_to_move_forgets_what_was_counted_while_parked_and_the_other_way_round() {
    let mut drive = Drive::new(vec![zone()]);
    drive.along([0.0, 130.0]);
    drive.parked = true;
    assert_eq!(drive.along([130.0, 130.0, 160.0, 160.0]), NOTHING, "the fix before was moving");
    drive.parked = false;
    assert_eq!(drive.at(160.0, 0.0), NOTHING, "the fixes before were parked");
    assert_eq!(drive.at(160.0, 0.0), ["exit zone"]);
}

#[test]
fn a_thin_fence_between_two_fixes_is_entered_and_left() {
    // 12 m wide, driven through at 40 m/s.
    let mut drive = Drive::new(vec![area("gate", vec![rectangle(-6.0, -50.0, 6.0, 50.0)])]);
    assert_eq!(drive.along([-60.0, -20.0]), NOTHING);
    assert_eq!(drive.along([20.0]), ["enter gate crossed", "exit gate crossed"]);
    assert_eq!(drive.along([60.0]), NOTHING);
    let times: Vec<f64> = drive.events.iter().map(|event| event.stamp.boot.seconds()).collect();
    assert!((times[0] - (2.0 + 14.0 / 40.0)).abs() < 0.01 && (times[1] - (2.0 + 26.0 / 40.0)).abs() < 0.01, "{times:?}");
    let walls: Vec<String> = drive.events.iter().map(|event| event.stamp.wall.to_string()).collect();
    assert!(walls[0].starts_with("2026-02-20T00:00:02.3") && walls[1].starts_with("2026-02-20T00:00:02.6"), "{walls:?}");
    assert!(held_for(&drive.events[0]).is_some_and(|held| (held - 1.35).abs() < 0.01));
    assert!(held_for(&drive.events[1]).is_some_and(|held| (held - 0.3).abs() < 0.01));
    let place = drive.events[0].location.fix.map(|fix| fix.point).expect("a place");
    assert!(crate::geo::distance(place, off(SEOUL, -6.0, 0.0)) < 0.2, "on the border");
    assert!(drive.events[0].id < drive.events[1].id);
    assert!(drive.fences.now()[0].since.as_deref().is_some_and(|since| since.starts_with("2026-02-20T00:00:02.6")));
}

#[test]
fn a_line_that_runs_inside_for_less_than_twice_the_accuracy_is_no_through() {
    let mut drive = Drive::new(vec![area("gate", vec![rectangle(-6.0, -50.0, 6.0, 50.0)])]);
    drive.accuracy = 6.1;
    assert_eq!(drive.along([-60.0, -20.0, 20.0, 60.0]), NOTHING);
    drive.accuracy = 5.9;
    assert_eq!(drive.along([20.0, -20.0]), ["enter gate crossed", "exit gate crossed"]);
}

#[test]
fn one_fix_in_a_narrow_fence_is_a_through_as_well() {
    let mut drive = Drive::new(vec![area("gate", vec![rectangle(-20.0, -50.0, 20.0, 50.0)])]);
    assert_eq!(drive.along([-90.0, -60.0, -30.0, 0.0]), NOTHING);
    assert_eq!(drive.along([30.0]), ["enter gate crossed", "exit gate crossed"]);
    let times: Vec<f64> = drive.events.iter().map(|event| event.stamp.boot.seconds()).collect();
    assert!((times[0] - (3.0 + 10.0 / 30.0)).abs() < 0.01 && (times[1] - (3.0 + 50.0 / 30.0)).abs() < 0.01, "{times:?}");
}

#[test]
fn fixes_more_than_30_s_apart_have_no_line_between_them() {
    let mut drive = Drive::new(vec![zone()]);
    drive.at(-300.0, 0.0);
    drive.wait(29.0);
    assert_eq!(drive.at(300.0, 0.0), ["enter zone crossed", "exit zone crossed"], "30 s");
    drive.wait(29.5);
    assert_eq!(drive.at(-300.0, 0.0), NOTHING, "30.5 s");
}

#[test]
fn several_fences_crossed_at_once_are_told_in_the_order_of_the_way() {
    let fence = |id: &str, east: f64| circle(id, off(SEOUL, east, 0.0), 10.0);
    let mut drive = Drive::new(vec![fence("c", 60.0), fence("a", 30.0), fence("b", -30.0)]);
    let told = drive.along([-45.0, 45.0]);
    assert_eq!(told, ["enter b crossed", "exit b crossed", "enter a crossed", "exit a crossed"]);
}

#[test]
fn a_hole_is_outside() {
    let rings = vec![rectangle(-500.0, -500.0, 500.0, 500.0), rectangle(-100.0, -100.0, 100.0, 100.0)];
    let mut drive = Drive::new(vec![area("ring road", rings)]);
    assert_eq!(drive.along([-600.0, -530.0, -480.0, -460.0]), ["enter ring road"]);
    assert_eq!(drive.along([-300.0, -200.0, -110.0, -80.0, -60.0]), ["exit ring road"]);
    assert_eq!(drive.along([0.0, 60.0, 97.0, 110.0, 120.0]), ["enter ring road"]);
}

#[test]
fn a_corridor_follows_its_line() {
    let line = [(-500.0, 0.0), (0.0, 0.0), (0.0, 500.0)].map(|(x, y)| off(SEOUL, x, y));
    let line = line.map(|point| [point.longitude, point.latitude]).to_vec();
    let shape = Shape::corridor(vec![line], 60.0).expect("a corridor");
    let mut drive = Drive::new(vec![Fence::new("route", FenceSource::File, shape)]);
    drive.at(-400.0, 0.0);
    assert_eq!(drive.fences.now()[0].inside, Some(true));
    assert_eq!(drive.along([-300.0, -200.0, -100.0, 0.0]), NOTHING);
    assert_eq!([drive.at(0.0, 100.0), drive.at(20.0, 200.0)].concat(), NOTHING);
    assert_eq!([drive.at(60.0, 250.0), drive.at(90.0, 300.0)].concat(), ["exit route"], "30 m and 15 m");
    assert_eq!([drive.at(30.0, 300.0), drive.at(25.0, 300.0), drive.at(24.0, 300.0)].concat(), ["enter route"]);
}

#[test]
fn a_fence_across_the_antimeridian_is_one_fence() {
    let suva = Point { latitude: -16.8, longitude: 179.9999 };
    let ring = |west: f64, east: f64| vec![[west, -16.81], [east, -16.81], [east, -16.79], [west, -16.79], [west, -16.81]];
    let cut = Shape::area(vec![vec![ring(179.99, 180.0)], vec![ring(-180.0, -179.99)]]).expect("cut");
    let fences = vec![circle("circle", suva, 300.0), Fence::new("cut", FenceSource::File, cut)];
    let mut drive = Drive { origin: suva, ..Drive::new(fences) };
    assert_eq!(drive.along([-1200.0, -1130.0, -1070.0]), NOTHING);
    assert_eq!(drive.along([-1040.0, -1000.0]), ["enter cut"]);
    assert_eq!(drive.along((0..9).map(|place| -920.0 + f64::from(place) * 90.0)), ["enter circle"]);
    assert_eq!(drive.along((-25..29).map(|place| f64::from(place) * 10.0)), NOTHING, "over the line and on");
    assert_eq!(drive.along([320.0, 330.0]), ["exit circle"]);
    assert_eq!(drive.along((0..10).map(|place| 420.0 + f64::from(place) * 90.0)), ["exit cut"]);
    drive.wait(20.0);
    assert_eq!(drive.at(380.0, 0.0), ["enter cut"]);
    drive.wait(12.0);
    assert_eq!(drive.at(-390.0, 0.0), ["enter circle crossed", "exit circle crossed"], "the short way round");
}

#[test]
fn dwelling_is_told_once_a_visit_and_needs_no_fix() {
    let mut drive = Drive::new(vec![Fence { dwell: Some(Duration::from_secs(120)), ..zone() }]);
    assert_eq!(drive.along([-200.0, -150.0, -90.0, -80.0]), ["enter zone"]);
    assert_eq!(drive.fences.deadline(), Some(Boot::from_micros(124_000_000)));
    assert_eq!(drive.stay(60, 0.0), NOTHING);
    assert_eq!(drive.wait(59.9), NOTHING);
    assert_eq!(drive.wait(0.1), ["dwell zone"]);
    assert_eq!(held_for(&drive.events[1]), Some(120.0));
    assert_eq!(drive.fences.deadline(), None);
    assert_eq!(drive.wait(1000.0), NOTHING);
    assert_eq!(drive.along([80.0, 120.0, 130.0]), ["exit zone"]);
    assert_eq!(drive.along([90.0, 80.0]), ["enter zone"]);
    assert_eq!(drive.wait(121.0), ["dwell zone"]);
}

#[test]
fn leaving_in_time_is_no_dwelling_and_a_first_state_inside_begins_a_visit() {
    let mut drive = Drive::new(vec![Fence { dwell: Some(Duration::from_secs(30)), ..zone() }]);
    assert_eq!(drive.stay(20, 0.0), NOTHING);
    assert_eq!(drive.along([90.0, 120.0, 130.0]), ["exit zone"]);
    assert_eq!(drive.fences.deadline(), None);
    assert_eq!(drive.wait(60.0), NOTHING);
    let mut drive = Drive::new(vec![Fence { dwell: Some(Duration::from_secs(30)), ..zone() }]);
    assert_eq!(drive.stay(31, 0.0), ["dwell zone"]);
}

#[test]
fn too_fast_inside_is_told_after_five_seconds_and_again_after_slowing_down() {
    let mut drive = Drive::new(vec![Fence { speed_limit: Some(30.0), ..circle("school", SEOUL, 500.0) }]);
    drive.speed = Some(50.0);
    drive.along([-540.0, -530.0, -520.0, -510.0]);
    assert_eq!(drive.along([-490.0, -480.0]), ["enter school"]);
    assert_eq!(drive.along([-470.0, -460.0, -450.0, -440.0]), NOTHING, "outside nobody counted");
    assert_eq!(drive.along([-430.0]), ["overspeed school"]);
    assert_eq!(drive.events[1].severity, Severity::Advisory);
    let json = drive.events[1].to_json();
    assert!(json.contains(r#""transition":"overspeed","inside":true,"heldFor":5.0,"speed":50.0,"limit":30.0"#), "{json}");
    assert_eq!(drive.along((0..30).map(|place| -400.0 + f64::from(place))), NOTHING);
    drive.speed = Some(24.0);
    for _ in 0..6 {
        assert_eq!(drive.wait(1.0), NOTHING);
    }
    drive.speed = Some(31.0);
    let told: Vec<String> = (0..8).flat_map(|_| drive.wait(1.0)).collect();
    assert_eq!(told, ["overspeed school"]);
}

fn scheduled(days: &[&str], from: &str, to: &str, zone_name: &str) -> Fence {
    let schedule = Schedule::new(days.iter().copied(), from, to, zone_name).expect("a schedule");
    Fence { schedule: Some(schedule), ..zone() }
}

#[test]
fn a_schedule_limits_the_telling_and_never_the_state() {
    let mut drive = Drive::new(vec![Fence { dwell: Some(Duration::from_secs(5)), ..scheduled(&[], "00:01", "00:02", "UTC") }]);
    assert_eq!(drive.along([-200.0, -150.0, -90.0, -80.0]), NOTHING);
    assert_eq!(drive.fences.now()[0].inside, Some(true));
    assert_eq!(drive.stay(10, 0.0), NOTHING, "nor does it dwell");
    assert_eq!(drive.stay(60, 0.0), NOTHING, "nothing is told at its edge");
    assert_eq!(drive.along([90.0, 120.0, 130.0]), ["exit zone"]);
    assert_eq!(held_for(&drive.events[0]), Some(73.0));
    assert_eq!(drive.along([90.0, 80.0]), ["enter zone"]);
    assert_eq!(drive.stay(5, 0.0), ["dwell zone"]);
    assert_eq!(drive.stay(60, 0.0), NOTHING, "nor at its other edge");
    assert_eq!(drive.along([90.0, 120.0, 130.0]), NOTHING);
}

#[test]
fn a_schedule_runs_over_midnight_in_its_own_zone() {
    // 23:59 on Thursday in Berlin is an hour before midnight UTC.
    let mut drive = Drive { wall: MIDNIGHT - 3660, ..Drive::new(vec![scheduled(&["thu"], "22:00", "00:01", "Europe/Berlin")]) };
    assert_eq!(drive.along([-200.0, -150.0, -90.0, -80.0]), ["enter zone"]);
    drive.wait(60.0);
    assert_eq!(drive.along([90.0, 120.0, 130.0]), ["exit zone"], "Friday, in Thursday's window");
    drive.wait(60.0);
    assert_eq!(drive.along([90.0, 80.0]), NOTHING, "its end");
}

#[test]
fn a_schedule_follows_summer_time() {
    // 2026-03-29T00:58:20Z: an hour and 100 s before 03:00 in Berlin by winter time, and 100 s by summer time.
    let change = 1_774_746_000;
    let mut drive = Drive { wall: change - 100, ..Drive::new(vec![scheduled(&[], "03:00", "04:00", "Europe/Berlin")]) };
    assert_eq!(drive.along([-200.0, -150.0, -90.0, -80.0]), NOTHING);
    drive.wait(100.0);
    assert_eq!(drive.along([90.0, 120.0, 130.0]), ["exit zone"]);
}

#[test]
fn with_tell_at_start_its_start_tells_that_the_vehicle_is_inside() {
    let fence = Fence { tell_at_start: true, ..scheduled(&[], "00:01", "00:02", "UTC") };
    let mut drive = Drive::new(vec![fence.clone()]);
    assert_eq!(drive.along([-200.0, -150.0, -90.0, -80.0]), NOTHING);
    assert_eq!(drive.fences.deadline(), Some(Boot::from_micros(60_000_000)));
    assert_eq!(drive.stay(55, 0.0), NOTHING);
    assert_eq!(drive.stay(1, 0.0), ["enter zone"]);
    assert_eq!(drive.stay(60, 0.0), NOTHING, "nothing at its end");
    assert_eq!(drive.along([90.0, 120.0, 130.0]), NOTHING);
    drive.wait(86_400.0 - 70.0);
    assert_eq!(drive.stay(10, 130.0), ["exit zone"], "it left while nothing was told");
    drive.wait(86_400.0);
    assert_eq!(drive.stay(2, 130.0), NOTHING, "that was told");
    let mut never = Drive::new(vec![fence]);
    assert_eq!(never.stay(100, 300.0), NOTHING, "it was never inside");
}

#[test]
fn a_time_that_nobody_vouches_for_is_within_every_schedule() {
    let fence = Fence { tell_at_start: true, ..scheduled(&[], "12:00", "13:00", "UTC") };
    let mut drive = Drive { source: TimeSource::Unset, ..Drive::new(vec![fence]) };
    assert_eq!(drive.along([-200.0, -150.0, -90.0, -80.0]), ["enter zone"]);
    drive.source = TimeSource::Gnss;
    assert_eq!(drive.stay(5, 0.0), NOTHING);
    drive.wall += 43_200;
    assert_eq!(drive.stay(5, 0.0), ["enter zone"], "the clock was set right: it is past the start");
}

#[test]
fn a_fence_drawn_on_the_way_is_judged_from_the_next_fix_on_without_an_event() {
    let phone = |radius| Fence { source: FenceSource::Phone, ..circle("zone", SEOUL, radius) };
    let mut drive = Drive::new(vec![]);
    drive.along([-200.0, -50.0, 0.0]);
    assert_eq!(drive.fences.put(phone(100.0)), Ok(Answer::Created));
    assert_eq!(drive.fences.now()[0].inside, None);
    assert_eq!(drive.step(), NOTHING, "no new fix");
    assert_eq!(drive.fences.now()[0].inside, None);
    assert_eq!(drive.at(10.0, 0.0), NOTHING);
    assert_eq!(drive.fences.now()[0].inside, Some(true));
    assert_eq!(drive.along([90.0, 120.0, 130.0]), ["exit zone"]);
    assert_eq!(drive.fences.put(phone(500.0)), Ok(Answer::Changed));
    assert_eq!(drive.at(140.0, 0.0), NOTHING, "another fence, inside from the first");
    assert_eq!(drive.fences.now()[0].inside, Some(true));
    assert_eq!(drive.fences.put(Fence { name: Some("Zone".into()), ..phone(500.0) }), Ok(Answer::Changed));
    assert_eq!(drive.fences.now()[0].inside, Some(true), "another name changes nothing");
    assert_eq!(drive.fences.delete("zone", FenceSource::Phone), Ok(Answer::Changed));
    assert_eq!(drive.along([600.0, 700.0, 0.0, 0.0]), NOTHING);
    assert_eq!((drive.fences.now().len(), drive.fences.fences().count()), (0, 0));
}

#[test]
fn who_made_a_fence_alone_changes_it() {
    let mut fences = Geofences::new(Settings::default(), vec![zone()]);
    let phone = Fence { source: FenceSource::Phone, ..zone() };
    assert!(matches!(fences.put(phone), Err(Refusal::Conflict { .. })));
    assert!(matches!(fences.delete("zone", FenceSource::Phone), Err(Refusal::Conflict { .. })));
    assert!(matches!(fences.delete("zoo", FenceSource::Phone), Err(Refusal::Missing(_))));
    assert_eq!(fences.delete("zone", FenceSource::File), Ok(Answer::Changed));
}

#[test]
fn limits_hold_for_drawn_fences_too() {
    let ring: Vec<[f64; 2]> = (0..1000)
        .map(|i| f64::from(i % 999) / 999.0 * std::f64::consts::TAU)
        .map(|angle| [127.0 + 0.1 * angle.cos(), 37.0 + 0.1 * angle.sin()])
        .collect();
    let big = Shape::area(vec![vec![ring]]).expect("an area");
    let many = |count: usize, shape: &Shape| {
        (0..count).map(|at| Fence::new(at.to_string(), FenceSource::Phone, shape.clone())).collect()
    };
    let mut full = Geofences::new(Settings::default(), many(10_000, &Shape::circle(SEOUL, 10.0).expect("a circle")));
    assert!(matches!(full.put(Fence { source: FenceSource::Phone, ..zone() }), Err(Refusal::Invalid(_))));
    let same = Fence::new("7", FenceSource::Phone, Shape::circle(SEOUL, 20.0).expect("a circle"));
    assert_eq!(full.put(same), Ok(Answer::Changed));
    let mut full = Geofences::new(Settings::default(), many(200, &big));
    assert!(matches!(full.put(Fence { source: FenceSource::Phone, ..zone() }), Err(Refusal::Invalid(_))));
    assert_eq!(full.put(Fence::new("7", FenceSource::Phone, big)), Ok(Answer::Changed));
}

#[test]
fn where_somebody_is_is_the_smallest_fence_around() {
    let fences = Geofences::new(Settings::default(), vec![circle("city", SEOUL, 9000.0), zone(), circle("park", SEOUL, 800.0)]);
    let name = |east| fences.around(off(SEOUL, east, 0.0)).map(|fence| fence.id.as_str());
    assert_eq!((name(0.0), name(500.0), name(5000.0), name(10_000.0)), (Some("zone"), Some("park"), Some("city"), None));
}

/// Applies rows as the journal would.
fn journal(kept: &mut Vec<Row>, rows: Vec<Row>) {
    for row in rows {
        kept.retain(|other| other.key != row.key);
        if row.value.is_some() {
            kept.push(row);
        }
    }
}

#[test]
fn a_stored_state_that_still_holds_is_confirmed_in_silence() {
    let mut kept = Vec::new();
    let dwelling = || vec![Fence { dwell: Some(Duration::from_secs(60)), ..zone() }];
    let mut drive = Drive::new(dwelling());
    drive.along([-200.0, -150.0, -90.0, -80.0]);
    journal(&mut kept, drive.fences.rows());
    assert_eq!(drive.fences.rows(), [], "only what changed");
    let mut fences = Geofences::new(Settings::default(), dwelling());
    assert_eq!(fences.restore(&kept, |stamp| Some(stamp.boot)), []);
    assert_eq!(fences.now(), drive.fences.now());
    let mut drive = Drive { now: 30.0, ..Drive::resumed(fences) };
    assert_eq!(drive.along([99.0, 99.0]), NOTHING);
    assert_eq!(drive.wait(32.0), ["dwell zone"], "timers unmoved");
    assert_eq!(held_for(&drive.events[0]), Some(60.0));
    journal(&mut kept, drive.fences.rows());
    let mut fences = Geofences::new(Settings::default(), dwelling());
    fences.restore(&kept, |stamp| Some(stamp.boot));
    let mut drive = Drive { now: 200.0, ..Drive::resumed(fences) };
    assert_eq!(drive.stay(200, 0.0), NOTHING, "nor is the same visit's dwelling told twice");
}

#[test]
fn a_stored_state_that_differs_is_told_at_the_first_believed_fix() {
    let mut kept = Vec::new();
    let mut drive = Drive::new(vec![zone()]);
    drive.along([0.0, 0.0]);
    journal(&mut kept, drive.fences.rows());
    let mut fences = Geofences::new(Settings::default(), vec![zone()]);
    // Another boot, 1000 s of which are gone when this one begins.
    fences.restore(&kept, |stamp| Some(stamp.boot.shifted(-1_000_000_000)));
    assert_eq!(fences.rows().len(), 1, "on the scale of this boot now");
    let mut drive = Drive::resumed(fences);
    drive.accuracy = 500.0;
    assert_eq!(drive.at(101.0, 0.0), NOTHING);
    drive.accuracy = 4.0;
    assert_eq!(drive.at(101.0, 0.0), ["exit zone"], "without a margin");
    assert_eq!(held_for(&drive.events[0]), Some(1001.0));
    journal(&mut kept, drive.fences.rows());
    let mut fences = Geofences::new(Settings::default(), vec![zone()]);
    fences.restore(&kept, |_| None);
    let mut drive = Drive::resumed(fences);
    assert_eq!(drive.at(0.0, 0.0), ["enter zone"]);
    assert_eq!(held_for(&drive.events[0]), None, "nobody knows for how long");
}

#[test]
fn without_a_clock_a_running_timer_has_elapsed() {
    let mut kept = Vec::new();
    let dwelling = || vec![Fence { dwell: Some(Duration::from_secs(600)), ..zone() }];
    let mut drive = Drive::new(dwelling());
    drive.stay(10, 0.0);
    journal(&mut kept, drive.fences.rows());
    let mut fences = Geofences::new(Settings::default(), dwelling());
    fences.restore(&kept, |_| None);
    assert_eq!(Drive::resumed(fences).step(), ["dwell zone"]);
}

#[test]
fn drawn_fences_come_back_and_those_gone_do_not() {
    let phone = |id| Fence { source: FenceSource::Phone, dwell: Some(Duration::from_secs(600)), ..circle(id, SEOUL, 50.0) };
    let mut kept = Vec::new();
    let mut drive = Drive::new(vec![zone(), circle("old", SEOUL, 10.0)]);
    drive.fences.put(phone("drawn")).expect("made");
    drive.fences.put(phone("undone")).expect("made");
    drive.stay(2, 0.0);
    journal(&mut kept, drive.fences.rows());
    drive.fences.delete("undone", FenceSource::Phone).expect("there");
    journal(&mut kept, drive.fences.rows());
    let keys = |kept: &[Row]| {
        let mut keys: Vec<String> = kept.iter().map(|row| row.key.clone()).collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&kept), ["drawn/drawn", "fence/drawn", "fence/old", "fence/zone"]);
    kept.push(Row { key: "child".into(), value: Some(vec![1]) });
    kept.push(Row { key: "fence/zone".into(), value: Some(b"{".to_vec()) });
    kept.push(Row { key: "drawn/bad".into(), value: Some(b"{}".to_vec()) });
    let mut fences = Geofences::new(Settings::default(), vec![zone()]);
    let unreadable: Vec<String> = fences.restore(&kept, |stamp| Some(stamp.boot)).into_iter().map(|row| row.key).collect();
    assert_eq!(unreadable, ["drawn/bad", "fence/zone"]);
    assert_eq!(fences.fence("drawn"), Some(&phone("drawn")));
    assert_eq!(fences.now()[1].inside, Some(true));
    let gone: Vec<Row> = fences.rows().into_iter().filter(|row| row.value.is_none()).collect();
    assert!(gone.iter().any(|row| row.key == "fence/old"), "the file knows it no more: {gone:?}");
}

#[test]
fn among_ten_thousand_fences_rows_leave_in_pages_the_newest_first() {
    let mut fences: Vec<Fence> = (0..9_999).map(|at| circle(&at.to_string(), off(SEOUL, 9e4, f64::from(at)), 10.0)).collect();
    fences.push(zone());
    let mut drive = Drive::new(fences);
    drive.along([-150.0, -90.0]);
    assert_eq!(drive.along([-80.0]), ["enter zone"]);
    let mut left = Vec::new();
    loop {
        let rows = drive.fences.rows();
        if rows.is_empty() {
            break;
        }
        assert!(rows.len() <= 256);
        left.extend(rows);
    }
    assert_eq!(left.len(), 10_000);
    let zone_at = left.iter().position(|row| row.key == "fence/zone");
    assert!(zone_at.is_some());
}

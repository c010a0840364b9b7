//! Through thin fences, and into fences of every shape.

use super::*;

#[test]
fn a_fence_of_the_width_of_a_lane_can_be_entered() {
    let mut drive = Drive::new(vec![area("gate", vec![rectangle(-100.0, -3.0, 100.0, 3.0)])]);
    drive.accuracy = 20.0;
    drive.along([-200.0, -130.0]);
    assert_eq!(drive.along([-90.0, -80.0]), ["enter gate"], "inside by 3 m, a quarter of 5.8 m is enough");
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
    assert!(drive.fences.now()[0].since.is_some_and(|since| since.to_string().starts_with("2026-02-20T00:00:02.6")));
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

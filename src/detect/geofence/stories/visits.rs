//! Visits that last, and speed inside.

use super::*;

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
    drive.speed = Some(50.004);
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

#[test]
fn without_can_believed_fixes_tell_the_speed() {
    let mut drive = Drive::new(vec![Fence { speed_limit: Some(30.0), ..circle("school", SEOUL, 500.0) }]);
    drive.gnss_speed = Some(50.0);
    assert_eq!(drive.along([0.0, 10.0, 20.0, 30.0, 40.0]), NOTHING);
    assert_eq!(drive.at(50.0, 0.0), ["overspeed school"]);
    let mut drive = Drive::new(vec![Fence { speed_limit: Some(30.0), ..circle("school", SEOUL, 500.0) }]);
    drive.gnss_speed = Some(20.0);
    drive.along([0.0, 10.0]);
    drive.gnss_speed = Some(50.0);
    drive.accuracy = 101.0;
    assert_eq!(drive.stay(20, 0.0), NOTHING, "a fix worse than 100 m tells no speed either");
    drive.accuracy = 4.0;
    drive.speed = Some(29.0);
    assert_eq!(drive.stay(20, 0.0), NOTHING, "CAN knows better");
}

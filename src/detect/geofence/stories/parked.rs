//! Parked: drift, towing.

use super::*;

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
fn parked_a_little_inside_without_having_entered_it_has_nothing_to_leave() {
    let mut drive = Drive::new(vec![zone()]);
    drive.along([-150.0, -120.0, -105.0]);
    drive.parked = true;
    assert_eq!(drive.stay(100, -70.0), NOTHING);
    drive.parked = false;
    assert_eq!(drive.along([-105.0, -150.0, -200.0]), NOTHING);
}

//! In and out while moving; which fixes count.

use super::*;

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
    assert_eq!(now[0].since.map(|since| since.to_string()).as_deref(), Some("2026-02-20T00:00:01.000Z"));
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

//! Restarts and power cuts: what is known again, and what time has done meanwhile.

use crate::clock::TimeSource;
use crate::detect::testcar::*;
use crate::event::EventType;
use crate::request::{Answer, Refusal};

/// A child seen by a sensor, everybody gone, locked at second 0.
fn left(plan: Plan) -> (Car, f64) {
    let mut car = Car::new(plan);
    if car.engine.state().maps(SENSOR) {
        car.leave_child_seen();
    } else {
        car.leave_child_by_doors();
    }
    car.child_events();
    let locked = car.seconds();
    (car, locked)
}

#[test]
fn a_restart_within_an_alert_says_so_at_once_and_moves_no_timer() {
    for power_cut in [false, true] {
        let (mut car, locked) = left(Plan::sensor());
        car.wait(30.0);
        let first = car.last_alert();
        car.restart(5.0, power_cut);
        assert_eq!(car.last(EventType::ChildLeftBehind).alert().unwrap().first, first);
        car.wait(100.0);
        assert_eq!(
            car.child_story(locked),
            [
                "10.0 CHILD_LEFT_BEHIND initial direct warning",
                "35.0 CHILD_LEFT_BEHIND repeated direct resumed warning",
                "70.0 CHILD_LEFT_BEHIND escalated direct critical",
                "115.0 CHILD_LEFT_BEHIND repeated direct critical"
            ],
            "power cut: {power_cut}"
        );
    }
}

#[test]
fn the_resumed_repeat_counts_and_takes_the_place_of_those_that_were_missed() {
    let (mut car, locked) = left(Plan::sensor());
    car.wait(120.0);
    car.child_events();
    car.restart(200.0, true);
    let json = serde_json::to_value(car.told.last().unwrap()).unwrap();
    assert_eq!((&json["child"]["count"], &json["child"]["resumed"]), (&2.into(), &true.into()));
    car.wait(50.0);
    assert_eq!(
        car.child_story(locked),
        ["320.0 CHILD_LEFT_BEHIND repeated direct resumed critical", "365.0 CHILD_LEFT_BEHIND repeated direct critical"]
    );
}

#[test]
fn what_became_due_during_the_cut_is_told_after_the_resumed_repeat() {
    let (mut car, locked) = left(Plan::sensor());
    car.wait(30.0);
    car.child_events();
    car.restart(100.0, true);
    assert_eq!(
        car.child_story(locked),
        ["130.0 CHILD_LEFT_BEHIND repeated direct resumed warning", "130.0 CHILD_LEFT_BEHIND escalated direct critical"]
    );
}

#[test]
fn an_alert_not_yet_due_comes_in_its_time_or_at_once_when_that_has_passed() {
    for (away, told) in [(3.0, "10.0"), (30.0, "35.0")] {
        let (mut car, locked) = left(Plan::sensor());
        car.wait(5.0);
        car.restart(away, true);
        car.wait(10.0);
        assert_eq!(car.child_story(locked), [format!("{told} CHILD_LEFT_BEHIND initial direct warning")]);
    }
}

#[test]
fn a_snooze_goes_on_and_is_still_the_only_one_and_answers_are_remembered() {
    let (mut car, locked) = left(Plan::sensor());
    car.wait(15.0);
    let alert = car.last_alert();
    let Ok(Answer::Event(snoozed)) = car.snooze(alert, 120) else { panic!() };
    car.child_events();
    car.restart(30.0, true);
    assert_eq!(car.watch(), "snoozed");
    assert_eq!(car.snooze(alert, 120), Ok(Answer::Already(snoozed)));
    assert!(matches!(car.snooze(snoozed, 60), Err(Refusal::Conflict { .. })));
    car.wait(100.0);
    assert_eq!(car.child_story(locked), ["135.0 CHILD_LEFT_BEHIND escalated direct critical"]);
}

#[test]
fn evidence_of_the_drive_survives_a_cut_in_the_middle_of_it() {
    let mut car = Car::new(Plan::doors_only());
    car.door(REAR_LEFT, 5.0);
    car.start();
    car.wait(5.0);
    car.set(BELT, true);
    car.wait(600.0);
    car.restart(30.0, true);
    assert_eq!(car.watch(), "driving");
    car.drive(60.0);
    car.leave();
    let locked = car.seconds();
    car.child_events();
    car.wait(11.0);
    assert_eq!(car.child_story(locked), ["10.0 CHILD_LEFT_BEHIND initial occupancy warning"]);
}

#[test]
fn a_sensor_that_says_no_keeps_saying_so_over_a_restart() {
    let mut car = Car::new(Plan::sensor());
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    car.leave();
    car.wait(100.0);
    car.child_events();
    car.restart(2.0, false);
    car.wait(100.0);
    car.restart(20.0, true);
    car.wait(100.0);
    assert!(car.child_events().is_empty(), "the door used before the drive alerts nobody");
}

#[test]
fn a_sensor_that_fell_silent_keeps_its_word_over_a_restart() {
    let (mut car, locked) = left(Plan::sensor());
    car.sleep(CABIN);
    car.sleep(BODY);
    car.wait(5.0);
    car.restart(1.0, true);
    car.wait(70.0);
    assert_eq!(
        car.child_story(locked),
        ["10.0 CHILD_LEFT_BEHIND initial direct warning", "70.0 CHILD_LEFT_BEHIND escalated direct critical"]
    );
}

#[test]
fn a_belt_closed_before_a_cut_was_not_closed_anew_after_it() {
    let mut car = Car::unknown(Plan::doors_only());
    car.word(IGNITION, "OFF");
    for door in [DRIVER, PASSENGER, REAR_LEFT, REAR_RIGHT] {
        car.set(door, false);
    }
    car.set(BELT, true);
    car.wait(5.0);
    car.restart(20.0, true);
    car.drive(60.0);
    car.leave();
    car.wait(400.0);
    assert!(car.child_events().is_empty());
}

#[test]
fn when_nobody_knows_how_long_a_cut_was_a_running_timer_has_elapsed() {
    for (before, after) in [(TimeSource::Unset, TimeSource::Gnss), (TimeSource::Rtc, TimeSource::Unset)] {
        let mut car = Car::new(Plan::sensor());
        car.source = before;
        car.leave_child_seen();
        car.wait(3.0);
        car.child_events();
        car.stop_dead(1.0, true);
        car.source = after;
        let restarted = car.seconds();
        car.start_again();
        assert_eq!(car.child_story(restarted), ["0.0 CHILD_LEFT_BEHIND initial direct warning"]);
    }
}

#[test]
fn a_wall_clock_that_went_back_or_a_week_ahead_is_not_believed() {
    for away in [-3600.0, 8.0 * 86_400.0] {
        let (mut car, _) = left(Plan::sensor());
        car.wait(30.0);
        car.child_events();
        car.stop_dead(away, true);
        let restarted = car.seconds();
        car.start_again();
        assert_eq!(
            car.child_story(restarted),
            ["0.0 CHILD_LEFT_BEHIND repeated direct resumed warning", "0.0 CHILD_LEFT_BEHIND escalated direct critical"]
        );
    }
}

#[test]
fn in_the_same_boot_a_step_of_the_wall_clock_changes_nothing() {
    let (mut car, _) = left(Plan::sensor());
    car.wait(5.0);
    car.child_events();
    let rows: Vec<_> = car.journal.keys().cloned().collect();
    for key in rows {
        let text = String::from_utf8(car.journal[&key].clone()).unwrap();
        car.journal.insert(key, text.replace("\"wall\":1", "\"wall\":9").into_bytes());
    }
    let restarted = car.seconds();
    car.restart(1.0, false);
    car.wait(10.0);
    assert_eq!(car.child_story(restarted), ["5.0 CHILD_LEFT_BEHIND initial direct warning"]);
}

#[test]
fn state_that_cannot_be_read_is_taken_for_a_used_rear_door_until_one_is_used_or_the_ignition_comes_on() {
    let wrecks: [fn(&mut Car); 3] = [
        |car| drop(car.journal.insert("child".to_owned(), b"{\"version\":1,".to_vec())),
        |car| {
            let text = String::from_utf8(car.journal["child"].clone()).unwrap();
            car.journal.insert("child".to_owned(), text.replace("\"version\":1", "\"version\":77").into_bytes());
        },
        |car| drop(car.journal.remove("child")),
    ];
    for wreck in wrecks {
        let wrecked = || {
            let mut car = Car::new(Plan::doors_only());
            car.drive(60.0);
            car.leave();
            car.wait(60.0);
            wreck(&mut car);
            car.restart(1.0, true);
            assert!(car.child_events().is_empty(), "locked for ten seconds, left: from now on");
            car
        };
        let mut car = wrecked();
        let restarted = car.seconds();
        car.wait(20.0);
        let json = serde_json::to_value(car.told.last().unwrap()).unwrap();
        assert_eq!(json["child"]["degraded"], true);
        assert_eq!(car.child_story(restarted), ["10.0 CHILD_LEFT_BEHIND initial inferred warning"]);

        let mut car = wrecked();
        car.door(REAR_LEFT, 3.0);
        car.command(LOCK, true);
        car.wait(400.0);
        assert!(car.child_events().is_empty());

        let mut car = wrecked();
        car.wait(1.0);
        car.drive(60.0);
        car.leave();
        car.wait(400.0);
        assert!(car.child_events().is_empty());
    }
}

#[test]
fn with_no_state_at_all_there_is_no_evidence() {
    let (mut car, _) = left(Plan::doors_only());
    car.journal.clear();
    car.restart(1.0, true);
    car.wait(400.0);
    assert!(car.child_events().is_empty());
}

#[test]
fn rows_are_written_for_changes_and_not_for_frames() {
    let mut car = Car::new(Plan::sensor());
    car.drive(60.0);
    car.wait(10.0);
    car.written = 0;
    car.wait(600.0);
    assert!(car.written <= 4, "ten minutes parked: one fix, the last of speed and voltage, not {} rows", car.written);
    car.start();
    car.wait(2.0);
    car.written = 0;
    for kmh in 0..600 {
        car.speed(30.0 + f64::from(kmh % 40));
        car.number(VOLTS, 13.5 + f64::from(kmh % 10) / 100.0);
        car.wait(1.0);
    }
    assert!(car.written <= 50, "ten minutes of driving: speed, voltage, fix and trip a minute, not {}", car.written);
}

#[test]
fn after_a_restart_every_row_is_written_on_this_boots_scale() {
    let (mut car, _) = left(Plan::sensor());
    car.wait(20.0);
    car.restart(5.0, true);
    let texts = car.journal.iter().map(|(key, value)| (key, String::from_utf8_lossy(value).into_owned()));
    let old: Vec<_> = texts.filter(|(_, text)| !text.contains("\"boot_id\":\"boot 1\"")).collect();
    assert!(old.is_empty(), "{old:?}");
}

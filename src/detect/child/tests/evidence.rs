//! The classes of evidence, and what takes them away.

use crate::detect::testcar::*;
use crate::vehicle::{Reading, Signal, Value};

/// Leaves, and what is told within so many seconds of locking, after the reminder.
fn left(car: &mut Car, seconds: f64) -> Vec<String> {
    car.leave();
    let locked = car.seconds();
    car.child_events();
    car.wait(seconds);
    car.child_story(locked)
}

fn flag(yes: bool) -> Reading {
    Reading::Value(Value::Bool(yes))
}

fn alert(after: &str, class: &str) -> Vec<String> {
    vec![format!("{after} CHILD_LEFT_BEHIND initial {class} warning")]
}

#[test]
fn a_sensor_that_said_yes_for_five_of_the_last_fifteen_seconds_is_direct() {
    let mut car = Car::new(Plan::narrow_sensor());
    car.drive(60.0);
    car.wait(1.0);
    car.door(DRIVER, 3.0);
    car.command(LOCK, true);
    car.wait(30.0);
    car.set(SENSOR, true);
    let seen = car.seconds();
    car.wait(10.0);
    assert_eq!(car.child_story(seen), alert("5.0", "direct"), "the doors have long been closed and locked");

    let mut car = Car::new(Plan::narrow_sensor());
    car.drive(60.0);
    let closed_and_locked = left(&mut car, 1.0);
    assert!(closed_and_locked.is_empty());
    for _ in 0..10 {
        car.set(SENSOR, true);
        car.wait(4.0);
        car.set(SENSOR, false);
        car.wait(12.0);
    }
    assert!(car.child_events().is_empty(), "four seconds of each sixteen are not enough");
    for _ in 0..2 {
        car.set(SENSOR, true);
        car.wait(3.0);
        car.set(SENSOR, false);
        car.wait(3.0);
    }
    assert_eq!(car.child_events(), ["CHILD_LEFT_BEHIND initial direct warning"], "two times three are");
}

#[test]
fn a_moving_occupant_is_a_yes_too() {
    let mut car = Car::new(Plan::doors_only().with(Signal::CabinRearOccupantIsMoving, CABIN));
    car.set(Signal::CabinRearOccupantIsMoving, true);
    car.drive(60.0);
    assert_eq!(left(&mut car, 20.0), alert("10.0", "direct"));
}

#[test]
fn a_sensor_that_falls_silent_or_faulty_in_the_drive_keeps_its_yes_and_the_alert_is_degraded() {
    for fault in 0..2 {
        let mut car = Car::new(Plan::sensor());
        car.start();
        car.wait(5.0);
        car.set(SENSOR, true);
        car.wait(20.0);
        if fault == 0 {
            car.sleep(CABIN);
        } else {
            car.say(SENSOR, Reading::Invalid);
        }
        car.drive(600.0);
        assert_eq!(left(&mut car, 75.0).len(), 2, "it escalates like any direct evidence");
        let mut car2 = Car::new(Plan::sensor());
        car2.start();
        car2.set(SENSOR, true);
        car2.wait(20.0);
        car2.sleep(CABIN);
        car2.drive(60.0);
        car2.leave();
        car2.wait(11.0);
        let json = serde_json::to_value(car2.told.last().unwrap()).unwrap();
        assert_eq!((&json["child"]["confidence"], &json["child"]["degraded"]), (&"direct".into(), &true.into()));
    }
}

#[test]
fn a_kept_word_ends_when_the_sensor_speaks_again() {
    let mut car = Car::new(Plan::narrow_sensor());
    car.start();
    car.set(SENSOR, true);
    car.wait(20.0);
    car.say(SENSOR, Reading::Invalid);
    car.wait(60.0);
    car.set(SENSOR, false);
    car.drive(60.0);
    assert!(left(&mut car, 400.0).is_empty());
}

#[test]
fn a_kept_word_ends_when_a_rear_door_is_used_with_the_ignition_off_but_not_with_it_on() {
    let mut car = Car::new(Plan::narrow_sensor());
    car.start();
    car.set(SENSOR, true);
    car.wait(20.0);
    car.sleep(CABIN);
    car.door(REAR_RIGHT, 4.0);
    car.drive(60.0);
    assert_eq!(left(&mut car, 20.0), alert("10.0", "direct"), "used with the ignition on");
    car.door(REAR_LEFT, 4.0);
    car.command(LOCK, true);
    car.child_events();
    car.wait(900.0);
    assert!(car.child_events().is_empty(), "used with it off");
}

#[test]
fn a_seat_that_became_occupied_in_the_drive_or_ten_minutes_before_counts_while_it_is() {
    for (before, told) in [(595.0, 1), (605.0, 0)] {
        let mut car = Car::new(Plan::doors_only().with(SEAT, BODY));
        car.wait(5.0);
        car.set(SEAT, true);
        car.wait(before);
        car.drive(60.0);
        assert_eq!(left(&mut car, 20.0).len(), told, "{before} s before the drive");
    }
    let mut car = Car::new(Plan::doors_only().with(SEAT, BODY));
    car.start();
    car.wait(5.0);
    car.set(SEAT, true);
    car.drive(60.0);
    assert_eq!(left(&mut car, 20.0), alert("10.0", "occupancy"));
    let mut car = Car::new(Plan::doors_only().with(SEAT, BODY));
    car.start();
    car.set(SEAT, true);
    car.wait(30.0);
    car.set(SEAT, false);
    car.drive(60.0);
    assert!(left(&mut car, 400.0).is_empty(), "nobody sits there any more");
}

#[test]
fn a_seat_occupied_for_months_counts_only_with_a_rear_door_used() {
    let bag = || {
        let mut car = Car::unknown(Plan::doors_only().with(SEAT, BODY));
        car.word(IGNITION, "OFF");
        for door in [DRIVER, PASSENGER, REAR_LEFT, REAR_RIGHT] {
            car.set(door, false);
        }
        car.set(SEAT, true);
        car.wait(5.0);
        car
    };
    let mut car = bag();
    car.drive(60.0);
    assert!(left(&mut car, 400.0).is_empty(), "the first value ever seen is no change");
    let mut car = bag();
    car.door(REAR_RIGHT, 5.0);
    car.drive(60.0);
    assert_eq!(left(&mut car, 20.0), alert("10.0", "occupancy"));
    let mut car = bag();
    car.start();
    car.wait(5.0);
    car.door(REAR_LEFT, 1.5);
    car.drive(60.0);
    assert!(left(&mut car, 400.0).is_empty(), "a bounce");
}

#[test]
fn a_belt_closed_in_the_drive_or_ten_minutes_before_counts_and_one_closed_for_months_does_not() {
    for (before, told) in [(595.0, 1), (605.0, 0)] {
        let mut car = Car::new(Plan::doors_only());
        car.wait(5.0);
        car.set(BELT, true);
        car.wait(before);
        car.drive(60.0);
        assert_eq!(left(&mut car, 20.0).len(), told, "{before} s before the drive");
    }
    let mut car = Car::unknown(Plan::doors_only());
    car.word(IGNITION, "OFF");
    car.set(BELT, true);
    car.wait(5.0);
    car.drive(60.0);
    assert!(left(&mut car, 400.0).is_empty());
}

#[test]
fn a_belt_unknown_for_a_while_was_not_closed_anew() {
    let mut car = Car::unknown(Plan::doors_only());
    car.word(IGNITION, "OFF");
    car.set(BELT, true);
    car.wait(5.0);
    car.start();
    car.say(BELT, Reading::Invalid);
    car.wait(20.0);
    car.set(BELT, true);
    car.drive(60.0);
    assert!(left(&mut car, 400.0).is_empty(), "changed compares with the last value ever known");
}

#[test]
fn a_belts_evidence_is_gone_once_a_rear_door_is_used_after_the_stop_until_it_is_closed_anew() {
    let mut car = Car::new(Plan::doors_only());
    car.start();
    car.wait(5.0);
    car.set(BELT, true);
    car.drive(60.0);
    car.wait(1.0);
    car.door(DRIVER, 2.0);
    car.door(REAR_LEFT, 8.0);
    car.command(LOCK, true);
    car.child_events();
    car.wait(400.0);
    assert!(car.child_events().is_empty(), "the belt of the empty child seat is still closed");
    car.set(REAR_LEFT, true);
    car.wait(3.0);
    car.set(BELT, false);
    car.wait(3.0);
    car.set(BELT, true);
    car.wait(3.0);
    car.set(REAR_LEFT, false);
    car.command(LOCK, true);
    let locked = car.seconds();
    car.wait(20.0);
    assert_eq!(car.child_story(locked), alert("10.0", "occupancy"));
}

#[test]
fn the_belt_of_an_empty_child_seat_is_no_evidence_in_the_next_drive_either() {
    let mut car = Car::new(Plan::doors_only());
    car.start();
    car.wait(5.0);
    car.set(BELT, true);
    car.drive(60.0);
    car.wait(1.0);
    car.door(DRIVER, 2.0);
    car.door(REAR_LEFT, 8.0);
    car.start();
    car.drive(60.0);
    car.wait(1.0);
    car.door(DRIVER, 2.0);
    car.child_events();
    car.command(LOCK, true);
    let locked = car.seconds();
    car.wait(20.0);
    assert_eq!(car.child_story(locked), alert("10.0", "inferred"), "by the rear door only");
}

#[test]
fn a_belt_that_the_child_opened_and_one_that_fell_silent_go_on_counting() {
    for (reading, told) in [(flag(false), 1), (Reading::Invalid, 1), (Reading::Unlisted, 1)] {
        let mut car = Car::new(Plan::doors_only());
        car.start();
        car.wait(5.0);
        car.set(BELT, true);
        car.wait(60.0);
        car.say(BELT, reading);
        car.drive(60.0);
        assert_eq!(left(&mut car, 20.0).len(), told);
    }
}

#[test]
fn who_gets_out_with_the_engine_running_leaves_no_belt_behind() {
    let mut car = Car::new(Plan::sensor());
    car.door(REAR_LEFT, 8.0);
    car.start();
    car.set(BELT, true);
    car.set(SENSOR, true);
    car.wait(60.0);
    car.set(BELT, false);
    car.set(REAR_LEFT, true);
    car.wait(4.0);
    car.set(SENSOR, false);
    car.wait(2.0);
    car.set(REAR_LEFT, false);
    car.drive(60.0);
    assert!(left(&mut car, 400.0).is_empty(), "and the sensor says no all the while");
}

#[test]
fn a_rear_door_used_in_ten_minutes_before_the_drive_or_in_it_is_inferred_and_a_bounce_is_not() {
    for (before, told) in [(590.0, 1), (605.0, 0)] {
        let mut car = Car::new(Plan::doors_only());
        car.door(REAR_LEFT, 2.5);
        car.wait(before);
        car.drive(60.0);
        assert_eq!(left(&mut car, 20.0).len(), told, "{before} s before the drive");
    }
    for (open, told) in [(1.9, 0), (2.0, 1)] {
        let mut car = Car::new(Plan::doors_only());
        car.start();
        car.wait(10.0);
        car.door(REAR_RIGHT, open);
        car.drive(60.0);
        assert_eq!(left(&mut car, 20.0).len(), told, "open for {open} s in the drive");
    }
}

#[test]
fn the_third_row_has_rear_doors_too_and_the_trunk_is_none() {
    let third = Signal::CabinDoorRow3PassengerSideIsOpen;
    let mut car = Car::new(Plan::doors_only().with(third, BODY).with(Signal::BodyTrunkRearIsOpen, BODY));
    car.set(third, false);
    car.door(Signal::BodyTrunkRearIsOpen, 10.0);
    car.drive(60.0);
    assert!(left(&mut car, 400.0).is_empty());
    car.door(third, 3.0);
    car.drive(60.0);
    car.set(Signal::BodyTrunkRearIsOpen, true);
    assert_eq!(left(&mut car, 20.0), alert("10.0", "inferred"), "an open trunk keeps no alert back");
}

#[test]
fn inferred_is_carried_over_a_stop_without_a_rear_door_and_gone_with_one() {
    let mut car = Car::new(Plan::doors_only());
    car.door(REAR_LEFT, 5.0);
    car.drive(700.0);
    car.wait(1.0);
    car.door(DRIVER, 3.0);
    car.wait(120.0);
    car.drive(700.0);
    assert_eq!(left(&mut car, 20.0), alert("10.0", "inferred"), "fuel was bought, the child stayed");

    let mut car = Car::new(Plan::doors_only());
    car.door(REAR_LEFT, 5.0);
    car.drive(60.0);
    car.door(REAR_LEFT, 5.0);
    assert!(left(&mut car, 700.0).is_empty(), "the child went");
    car.drive(60.0);
    assert!(left(&mut car, 400.0).is_empty(), "and was not carried over");
}

#[test]
fn a_rear_door_open_two_seconds_after_the_stop_was_used_after_it() {
    for (after, told) in [(1.9, 1), (2.1, 0)] {
        let mut car = Car::new(Plan::doors_only());
        car.start();
        car.wait(30.0);
        car.set(REAR_LEFT, true);
        car.wait(10.0);
        car.stop();
        car.wait(after);
        car.set(REAR_LEFT, false);
        assert_eq!(left(&mut car, 20.0).len(), told, "closed {after} s after the stop");
    }
}

#[test]
fn beside_a_healthy_sensor_that_says_no_all_the_while_a_door_alerts_nobody() {
    let mut car = Car::new(Plan::sensor());
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    assert!(left(&mut car, 1000.0).is_empty());
}

#[test]
fn beside_a_healthy_sensor_that_said_yes_for_a_moment_a_door_alerts_after_a_minute() {
    let mut car = Car::new(Plan::sensor());
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    car.leave();
    let closed = car.seconds();
    car.child_events();
    car.wait(5.0);
    car.set(SENSOR, true);
    car.wait(1.0);
    car.set(SENSOR, false);
    car.wait(90.0);
    assert_eq!(car.child_story(closed), alert("60.0", "inferred"));

    let mut car = Car::new(Plan::sensor());
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    car.leave();
    car.wait(300.0);
    car.child_events();
    let seen = car.seconds();
    car.set(SENSOR, true);
    car.wait(1.0);
    car.set(SENSOR, false);
    car.wait(90.0);
    assert_eq!(car.child_story(seen), alert("1.0", "inferred"), "at any time after that minute");
}

#[test]
fn a_sensor_that_sees_somebody_late_is_told_as_what_it_is() {
    let mut car = Car::new(Plan::sensor());
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    car.leave();
    car.wait(300.0);
    car.child_events();
    let seen = car.seconds();
    car.set(SENSOR, true);
    car.wait(20.0);
    assert_eq!(car.child_story(seen), alert("5.0", "direct"));
}

#[test]
fn beside_a_faulty_or_silent_sensor_a_door_alerts_at_once() {
    for fault in 0..2 {
        let mut car = Car::new(Plan::sensor());
        if fault == 0 {
            car.say(SENSOR, Reading::Invalid);
        } else {
            car.sleep(CABIN);
        }
        car.door(REAR_LEFT, 8.0);
        car.drive(60.0);
        assert_eq!(left(&mut car, 20.0), alert("10.0", "inferred"));
    }
    let mut car = Car::new(Plan::sensor());
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    car.leave();
    car.wait(100.0);
    car.child_events();
    let silent = car.seconds();
    car.sleep(CABIN);
    car.wait(10.0);
    assert_eq!(car.child_story(silent), alert("2.0", "inferred"), "it said no and then nothing");
}

#[test]
fn a_sensor_that_does_not_cover_the_rear_keeps_no_door_back() {
    let mut car = Car::new(Plan::narrow_sensor());
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    assert_eq!(left(&mut car, 20.0), alert("10.0", "inferred"));
}

#[test]
fn the_strongest_class_is_told_with_every_signal_behind_it() {
    let mut car = Car::new(Plan::sensor().with(SEAT, BODY));
    car.set(SEAT, false);
    car.door(REAR_LEFT, 8.0);
    car.start();
    car.wait(5.0);
    car.set(SENSOR, true);
    car.set(BELT, true);
    car.set(SEAT, true);
    car.drive(60.0);
    car.leave();
    car.wait(11.0);
    let json = serde_json::to_value(car.told.last().unwrap()).unwrap();
    let child = &json["child"];
    assert_eq!((&child["confidence"], &child["sinceLocked"]), (&"direct".into(), &10.0.into()));
    let signals: Vec<&str> = child["evidence"].as_array().unwrap().iter().map(|e| e["signal"].as_str().unwrap()).collect();
    assert_eq!(signals, [SENSOR.path(), SEAT.path(), BELT.path(), REAR_LEFT.path()]);
    assert!(child["evidence"].as_array().unwrap().iter().all(|e| e["value"] == true && e["age"].as_f64().unwrap() >= 0.0));
}

#[test]
fn no_evidence_no_alert_however_long() {
    let mut car = Car::new(Plan::sensor());
    car.drive(60.0);
    assert!(left(&mut car, 1000.0).is_empty());
    assert_eq!(car.watch(), "parked");
}

#[test]
fn a_child_that_opens_its_belt_in_an_alert_does_not_stop_the_escalation() {
    let mut car = Car::new(Plan::doors_only());
    car.start();
    car.wait(5.0);
    car.set(BELT, true);
    car.drive(60.0);
    car.leave();
    car.child_events();
    let locked = car.seconds();
    car.wait(32.0);
    car.set(BELT, false);
    car.wait(45.0);
    let told = ["10.0 CHILD_LEFT_BEHIND initial occupancy warning", "70.0 CHILD_LEFT_BEHIND escalated occupancy critical"];
    assert_eq!(car.child_story(locked), told);
}

#[test]
fn a_belt_opened_just_before_the_rear_door_is_left_and_one_closed_beside_it_is_not() {
    for (first, then, told) in [(true, false, "inferred"), (false, true, "occupancy")] {
        let mut car = Car::new(Plan::doors_only());
        car.set(BELT, first);
        car.start();
        car.set(BELT, false);
        car.set(BELT, first);
        car.wait(60.0);
        if !then {
            car.set(BELT, then);
            car.wait(1.0);
        }
        car.set(REAR_LEFT, true);
        car.wait(5.0);
        car.set(BELT, then);
        car.wait(1.0);
        car.set(REAR_LEFT, false);
        car.drive(60.0);
        assert_eq!(left(&mut car, 20.0), alert("10.0", told));
    }
}

#[test]
fn a_seat_is_no_evidence_in_the_drive_after_the_one_from_which_its_child_was_taken() {
    for (taken, told) in [(true, 0), (false, 1)] {
        let mut car = Car::new(Plan::doors_only().with(SEAT, BODY));
        car.set(SEAT, false);
        car.start();
        car.wait(5.0);
        car.set(SEAT, true);
        car.drive(60.0);
        car.wait(1.0);
        if taken {
            car.door(REAR_LEFT, 5.0);
        }
        car.wait(700.0);
        car.drive(60.0);
        car.child_events();
        assert_eq!(left(&mut car, 20.0).len(), told, "taken: {taken}");
    }
}

#[test]
fn a_sensor_released_before_it_is_known_to_have_fallen_silent_keeps_nothing() {
    for (spoke_after, told) in [(false, 0), (true, 1)] {
        let mut car = Car::new(Plan::narrow_sensor());
        car.start();
        car.set(SENSOR, true);
        car.wait(20.0);
        car.stop();
        car.set(REAR_LEFT, true);
        car.wait(1.0);
        car.sleep(CABIN);
        car.wait(1.5);
        if spoke_after {
            car.wake(CABIN);
            car.wait(0.5);
            car.sleep(CABIN);
        }
        car.wait(4.0);
        car.set(REAR_LEFT, false);
        car.command(LOCK, true);
        assert_eq!(left(&mut car, 40.0).len(), told, "spoke after: {spoke_after}");
    }
}

#[test]
fn a_kept_word_ends_when_a_rear_door_was_used_before_the_stop_was_known() {
    for (spoke_after, told) in [(false, 0), (true, 1)] {
        let mut car = Car::new(Plan::narrow_sensor().without(IGNITION));
        car.start();
        car.set(SENSOR, true);
        car.wait(20.0);
        car.sleep(CABIN);
        car.wait(5.0);
        // Off, which a low voltage says only after a minute.
        car.stop();
        car.wait(10.0);
        car.door(REAR_LEFT, 4.0);
        if spoke_after {
            car.wake(CABIN);
            car.wait(1.0);
            car.sleep(CABIN);
        }
        car.leave();
        let locked = car.seconds();
        car.wait(100.0);
        let story = car.child_story(locked);
        let alerts = story.iter().filter(|line| line.contains("CHILD_LEFT_BEHIND initial direct"));
        assert_eq!(alerts.count(), told, "spoke after: {spoke_after}, {story:?}");
    }
}

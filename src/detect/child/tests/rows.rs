//! The rows of the table, in its order; answers, heat and restarts have files of their own.

use crate::detect::testcar::*;
use crate::event::{Details, EventType};

/// An alert at second 0 that rests on doors only.
fn inferred_alert() -> (Car, f64) {
    let mut car = Car::new(Plan::doors_only());
    car.leave_child_by_doors();
    car.wait(10.0);
    let began = car.seconds();
    assert_eq!(car.child_story(began).last().unwrap(), "0.0 CHILD_LEFT_BEHIND initial inferred warning");
    (car, began)
}

/// An alert at second 0 that rests on a sensor.
fn direct_alert(plan: Plan) -> (Car, f64) {
    let mut car = Car::new(plan);
    car.leave_child_seen();
    car.wait(10.0);
    let began = car.seconds();
    assert_eq!(car.child_story(began).last().unwrap(), "0.0 CHILD_LEFT_BEHIND initial direct warning");
    (car, began)
}

#[test]
fn it_is_parked_at_first_drives_with_the_ignition_on_and_is_parked_again_with_it_off() {
    let mut car = Car::new(Plan::doors_only());
    assert_eq!(car.watch(), "parked");
    car.start();
    assert_eq!(car.watch(), "driving");
    car.word(IGNITION, "START");
    assert_eq!(car.watch(), "driving", "cranking is on");
    for off in ["OFF", "LOCK", "ACC"] {
        car.word(IGNITION, off);
        assert_eq!(car.watch(), "parked", "{off}");
        car.word(IGNITION, "ON");
    }
}

#[test]
fn the_reminder_comes_when_the_drivers_door_opens_and_once_a_stop() {
    let mut car = Car::new(Plan::doors_only());
    car.wait(5.0);
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    car.wait(2.0);
    let opened = car.seconds();
    car.door(DRIVER, 3.0);
    car.door(PASSENGER, 3.0);
    car.door(DRIVER, 3.0);
    assert_eq!(car.child_story(opened), ["0.0 CHILD_SEAT_REMINDER inferred advisory"]);
    car.drive(60.0);
    car.wait(1.0);
    let opened = car.seconds();
    car.door(DRIVER, 3.0);
    assert_eq!(car.child_story(opened), ["0.0 CHILD_SEAT_REMINDER inferred advisory"], "a new stop");
}

#[test]
fn a_drivers_door_open_at_the_stop_reminds_at_the_stop() {
    let mut car = Car::new(Plan::doors_only());
    car.door(REAR_LEFT, 8.0);
    car.start();
    car.wait(60.0);
    car.set(DRIVER, true);
    car.wait(3.0);
    car.stop();
    let stopped = car.seconds();
    car.wait(5.0);
    assert_eq!(car.child_story(stopped), ["0.0 CHILD_SEAT_REMINDER inferred advisory"]);
}

#[test]
fn no_reminder_without_evidence_or_after_a_rear_door_was_used_or_for_another_door() {
    let mut car = Car::new(Plan::doors_only());
    car.wait(5.0);
    car.drive(60.0);
    car.door(DRIVER, 3.0);
    assert!(car.child_events().is_empty(), "no evidence");
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    car.door(PASSENGER, 3.0);
    assert!(car.child_events().is_empty(), "the passenger's door");
    car.door(REAR_RIGHT, 3.0);
    car.door(DRIVER, 3.0);
    assert!(car.child_events().is_empty(), "a rear door first");
}

#[test]
fn locked_the_alert_comes_when_closed_left_and_locked_have_lasted_ten_seconds() {
    for (first, last) in [(0.0, 20.0), (20.0, 0.0)] {
        let mut car = Car::new(Plan::doors_only().without(LOCK).with(LOCK, BODY));
        car.set(LOCK, false);
        car.door(REAR_LEFT, 8.0);
        car.drive(60.0);
        car.wait(1.0);
        car.set(DRIVER, true);
        car.wait(3.0);
        car.wait(first);
        car.set(LOCK, true);
        car.wait(last);
        car.set(DRIVER, false);
        let ready = car.seconds();
        car.child_events();
        car.wait(30.0);
        assert_eq!(car.child_story(ready), ["10.0 CHILD_LEFT_BEHIND initial inferred warning"], "locked before closing");
    }
}

#[test]
fn a_door_opened_or_unlocked_within_ten_seconds_begins_them_anew() {
    let mut car = Car::new(Plan::doors_only());
    car.leave_child_by_doors();
    car.wait(9.5);
    car.command(LOCK, false);
    car.wait(2.0);
    car.command(LOCK, true);
    car.wait(9.5);
    car.door(PASSENGER, 1.0);
    car.command(LOCK, true);
    let locked = car.seconds();
    car.child_events();
    car.wait(20.0);
    assert_eq!(car.child_story(locked), ["10.0 CHILD_LEFT_BEHIND initial inferred warning"]);
}

#[test]
fn not_locked_the_alert_comes_after_five_minutes() {
    let mut car = Car::new(Plan::doors_only());
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    car.wait(2.0);
    car.door(DRIVER, 4.0);
    let closed = car.seconds();
    car.child_events();
    car.wait(400.0);
    assert_eq!(car.child_story(closed), ["300.0 CHILD_LEFT_BEHIND initial inferred warning"]);
    let json = serde_json::to_value(car.engine.child_now(car.stamp())).unwrap();
    assert_eq!((&json["state"], &json["stage"]), (&"alert".into(), &"initial".into()));
}

#[test]
fn unlocking_before_the_alert_gives_five_minutes_from_then() {
    let mut car = Car::new(Plan::doors_only());
    car.leave_child_by_doors();
    car.wait(5.0);
    car.command(LOCK, false);
    let unlocked = car.seconds();
    car.child_events();
    car.wait(400.0);
    assert_eq!(car.child_story(unlocked), ["300.0 CHILD_LEFT_BEHIND initial inferred warning"]);
}

#[test]
fn who_leaves_by_another_door_or_stays_is_not_alerted() {
    let mut car = Car::new(Plan::doors_only());
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    car.door(PASSENGER, 4.0);
    car.command(LOCK, true);
    car.wait(900.0);
    assert!(car.child_events().is_empty());
}

#[test]
fn a_drivers_door_open_at_the_stop_was_used() {
    let mut car = Car::new(Plan::doors_only());
    car.door(REAR_LEFT, 8.0);
    car.start();
    car.wait(60.0);
    car.set(DRIVER, true);
    car.wait(3.0);
    car.stop();
    car.wait(1.0);
    car.set(DRIVER, false);
    car.command(LOCK, true);
    let locked = car.seconds();
    car.child_events();
    car.wait(20.0);
    assert_eq!(car.child_story(locked), ["10.0 CHILD_LEFT_BEHIND initial inferred warning"]);
}

#[test]
fn a_drivers_door_used_while_driving_was_not_used_since_the_stop() {
    let mut car = Car::new(Plan::doors_only());
    car.door(REAR_LEFT, 8.0);
    car.start();
    car.wait(60.0);
    car.door(DRIVER, 5.0);
    car.wait(5.0);
    car.stop();
    car.command(LOCK, true);
    car.wait(900.0);
    assert!(car.child_events().is_empty());
}

#[test]
fn an_alert_with_direct_evidence_escalates_after_a_minute_and_repeats() {
    let (mut car, began) = direct_alert(Plan::sensor());
    car.wait(60.0 + 46.0 + 45.0);
    assert_eq!(
        car.child_story(began),
        [
            "60.0 CHILD_LEFT_BEHIND escalated direct critical",
            "105.0 CHILD_LEFT_BEHIND repeated direct critical",
            "150.0 CHILD_LEFT_BEHIND repeated direct critical"
        ]
    );
}

#[test]
fn an_alert_by_a_belt_escalates_too() {
    let mut car = Car::new(Plan::doors_only());
    car.start();
    car.wait(5.0);
    car.set(BELT, true);
    car.drive(60.0);
    car.leave();
    car.wait(10.0);
    let began = car.seconds();
    car.wait(60.0);
    let told = car.child_story(began);
    assert_eq!(
        told[1..],
        ["0.0 CHILD_LEFT_BEHIND initial occupancy warning", "60.0 CHILD_LEFT_BEHIND escalated occupancy critical"]
    );
}

#[test]
fn an_alert_by_doors_does_not_escalate_and_expires_after_25_minutes() {
    let (mut car, began) = inferred_alert();
    car.wait(2000.0);
    assert_eq!(car.child_story(began), ["1500.0 CHILD_ALERT_CLEARED inferred expired info"]);
    assert_eq!(car.watch(), "answered");
}

#[test]
fn an_alert_by_doors_escalates_as_soon_as_a_sensor_sees_somebody() {
    let mut car = Car::new(Plan::narrow_sensor());
    car.leave_child_by_doors();
    car.wait(10.0);
    let began = car.seconds();
    car.child_events();
    car.wait(200.0);
    car.set(SENSOR, true);
    car.wait(10.0);
    assert_eq!(car.child_story(began), ["205.0 CHILD_LEFT_BEHIND escalated direct critical"]);
}

#[test]
fn repeats_come_every_45_seconds_for_25_minutes_then_every_10_minutes_for_a_day_at_most() {
    let (mut car, began) = direct_alert(Plan::sensor().without(CABIN_CELSIUS));
    car.sleep(BODY);
    car.gnss(None);
    let mut repeats = Vec::new();
    // A sensor that has gone silent keeps its word, and spares the test a day of frames.
    car.sleep(CABIN);
    car.wait(90_000.0);
    for event in &car.told {
        let Details::Child(child) = &event.details else { continue };
        if let Some(count) = child.count {
            assert_eq!(count as usize, repeats.len() + 1, "counted");
            repeats.push((event.stamp.boot.seconds() - began).round() as u64);
        }
    }
    let often: Vec<u64> = (1..=33).map(|n| 60 + n * 45).collect();
    assert_eq!(repeats[..33], often);
    assert_eq!(repeats[33], 60 + 33 * 45 + 600);
    assert!(repeats[33..].windows(2).all(|pair| pair[1] - pair[0] == 600));
    assert!((85_800..=86_400).contains(repeats.last().unwrap()));
    assert_eq!(car.watch(), "alert", "a day later it is still one");
}

#[test]
fn late_repeats_want_evidence() {
    let mut car = Car::new(Plan::doors_only().with(SEAT, BODY));
    car.set(SEAT, false);
    car.start();
    car.wait(5.0);
    car.set(SEAT, true);
    car.drive(60.0);
    car.leave();
    car.wait(10.0);
    let began = car.seconds();
    car.wait(65.0);
    // Somebody climbs out of sight of the seat's mat: nothing ends the alert, and it goes on for its 25 minutes.
    car.set(SEAT, false);
    car.wait(1.0);
    car.sleep(BODY);
    car.child_events();
    car.wait(1500.0 + 1800.0);
    let told = car.child_story(began);
    assert_eq!(told.len(), 33, "{told:?}");
    assert_eq!(told.last().unwrap(), "1545.0 CHILD_LEFT_BEHIND repeated occupancy critical");
    car.wake(BODY);
    car.set(SEAT, true);
    let back = car.seconds();
    car.wait(700.0);
    assert_eq!(
        car.child_story(back),
        ["0.0 CHILD_LEFT_BEHIND repeated occupancy critical", "600.0 CHILD_LEFT_BEHIND repeated occupancy critical"]
    );
}

#[test]
fn a_rear_door_used_ends_the_alert_and_a_bounce_does_not() {
    for stage in [5.0, 100.0] {
        let (mut car, _) = direct_alert(Plan::sensor());
        car.wait(stage);
        car.child_events();
        car.door(REAR_RIGHT, 1.8);
        car.wait(1.0);
        assert!(car.child_events().is_empty(), "a bounce");
        let opened = car.seconds();
        car.door(REAR_RIGHT, 5.0);
        assert_eq!(car.child_story(opened), ["2.0 CHILD_ALERT_CLEARED direct rear_door_opened info"]);
        assert_eq!(car.watch(), "parked");
    }
}

#[test]
fn a_child_left_in_the_car_after_a_rear_door_was_used_is_alerted_anew_by_the_sensor_only() {
    let (mut car, _) = direct_alert(Plan::sensor());
    car.door(REAR_RIGHT, 5.0);
    car.command(LOCK, true);
    let locked = car.seconds();
    car.child_events();
    car.wait(75.0);
    assert_eq!(
        car.child_story(locked),
        ["10.0 CHILD_LEFT_BEHIND initial direct warning", "70.0 CHILD_LEFT_BEHIND escalated direct critical"]
    );
    let (mut car, _) = inferred_alert();
    car.door(REAR_RIGHT, 5.0);
    car.command(LOCK, true);
    car.child_events();
    car.wait(900.0);
    assert!(car.child_events().is_empty(), "nothing is inferred any more");
}

#[test]
fn the_driver_is_back_with_the_ignition_on_and_the_own_door_opened_in_either_order() {
    let (mut car, _) = direct_alert(Plan::sensor());
    car.door(DRIVER, 4.0);
    car.child_events();
    let on = car.seconds();
    car.start();
    assert_eq!(car.child_story(on), ["0.0 CHILD_ALERT_CLEARED direct driver_returned info"]);
    assert_eq!(car.watch(), "driving");

    let (mut car, _) = direct_alert(Plan::sensor());
    car.start();
    car.wait(20.0);
    assert!(car.child_events().is_empty(), "a remote start");
    assert_eq!(car.watch(), "alert");
    let opened = car.seconds();
    car.door(DRIVER, 4.0);
    assert_eq!(car.child_story(opened), ["0.0 CHILD_ALERT_CLEARED direct driver_returned info"]);
}

#[test]
fn the_driver_is_back_when_the_car_drives_ten_seconds_whoever_opened_which_door() {
    let (mut car, _) = direct_alert(Plan::sensor());
    car.start();
    car.wait(2.0);
    car.speed(19.0);
    car.wait(20.0);
    assert!(car.child_events().is_empty(), "slow");
    car.speed(21.0);
    let fast = car.seconds();
    car.wait(9.0);
    car.speed(18.0);
    car.wait(2.0);
    assert!(car.child_events().is_empty(), "nine seconds");
    car.speed(30.0);
    let again = car.seconds() - fast;
    car.wait(15.0);
    assert_eq!(car.child_story(fast), [format!("{:.1} CHILD_ALERT_CLEARED direct driver_returned info", again + 10.0)]);
    assert_eq!(car.watch(), "driving");
}

#[test]
fn a_towed_car_with_its_ignition_off_is_still_an_alert_and_the_next_event_says_so() {
    let (mut car, began) = direct_alert(Plan::sensor());
    car.sleep(BODY);
    car.gnss(Some(60.0));
    car.wait(61.0);
    assert_eq!(car.child_story(began), ["60.0 CHILD_LEFT_BEHIND escalated direct critical"]);
    car.wait(50.0);
    let json = serde_json::to_value(car.last(EventType::ChildLeftBehind)).unwrap();
    assert_eq!(json["child"]["meanwhile"], serde_json::json!(["towed"]));
    assert_eq!(car.watch(), "alert");
}

#[test]
fn unlocking_without_a_door_and_a_remote_start_change_nothing_and_the_next_event_says_so() {
    let (mut car, began) = direct_alert(Plan::sensor());
    car.wait(10.0);
    car.command(LOCK, false);
    car.wait(10.0);
    car.start();
    car.wait(41.0);
    let json = serde_json::to_value(car.last(EventType::ChildLeftBehind)).unwrap();
    assert_eq!(json["child"]["meanwhile"], serde_json::json!(["unlocked", "ignition_on"]));
    assert_eq!(json["child"].get("sinceLocked"), None, "it is not locked");
    assert_eq!(car.child_story(began), ["60.0 CHILD_LEFT_BEHIND escalated direct critical"]);
    car.stop();
    car.wait(45.0);
    assert_eq!(car.child_story(began), ["105.0 CHILD_LEFT_BEHIND repeated direct critical"], "and off again");
    let (mut car, _) = direct_alert(Plan::sensor());
    car.start();
    car.wait(61.0);
    let json = serde_json::to_value(car.last(EventType::ChildLeftBehind)).unwrap();
    assert_eq!(json["child"]["meanwhile"], serde_json::json!(["ignition_on"]), "nobody knows of the lock any more");
}

#[test]
fn a_sensor_that_told_and_sees_nobody_for_two_minutes_ends_the_alert() {
    let (mut car, began) = direct_alert(Plan::sensor());
    car.wait(70.0);
    car.set(SENSOR, false);
    let clear = car.seconds();
    car.wait(130.0);
    assert_eq!(
        car.child_story(began),
        [
            "60.0 CHILD_LEFT_BEHIND escalated direct critical",
            "105.0 CHILD_LEFT_BEHIND repeated direct critical",
            "150.0 CHILD_LEFT_BEHIND repeated direct critical",
            &format!("{:.1} CHILD_ALERT_CLEARED direct sensor_clear info", clear - began + 120.0)
        ]
    );
    car.wait(900.0);
    assert!(car.child_events().is_empty(), "and the door used before the drive alerts nobody beside that sensor");
    car.set(SENSOR, true);
    let seen = car.seconds();
    car.wait(10.0);
    assert_eq!(car.child_story(seen), ["5.0 CHILD_LEFT_BEHIND initial direct warning"], "the car is still watched");
}

#[test]
fn a_break_begins_the_two_minutes_anew() {
    let (mut car, _) = direct_alert(Plan::sensor());
    car.set(SENSOR, false);
    car.wait(100.0);
    car.set(SENSOR, true);
    car.wait(1.0);
    car.set(SENSOR, false);
    let clear = car.seconds();
    car.child_events();
    car.wait(100.0);
    car.silence(SENSOR);
    car.wait(5.0);
    car.set(SENSOR, false);
    let again = car.seconds() - clear;
    car.wait(130.0);
    let told = car.child_story(clear);
    assert_eq!(told.last().unwrap(), &format!("{:.1} CHILD_ALERT_CLEARED direct sensor_clear info", again + 120.0));
}

#[test]
fn another_class_that_says_yes_keeps_the_alert_whatever_the_sensor_sees() {
    let (mut car, _) = direct_alert(Plan::narrow_sensor());
    car.set(SENSOR, false);
    car.wait(300.0);
    assert!(!car.child_events().iter().any(|event| event.contains("CLEARED")), "a rear door was used, and it sees not all");
    let mut car = Car::new(Plan::sensor());
    car.start();
    car.set(BELT, true);
    car.set(SENSOR, true);
    car.drive(60.0);
    car.leave();
    car.wait(15.0);
    car.set(SENSOR, false);
    car.wait(300.0);
    assert!(!car.child_events().iter().any(|event| event.contains("CLEARED")), "a belt was closed");
}

#[test]
fn answered_ends_with_the_ignition_the_drivers_door_or_a_rear_door() {
    let answered = || {
        let (mut car, _) = inferred_alert();
        car.sleep(BODY);
        car.wait(1501.0);
        car.wake(BODY);
        car.wait(1.0);
        assert_eq!(car.watch(), "answered");
        car.child_events();
        car
    };
    let mut car = answered();
    car.start();
    assert_eq!(car.watch(), "driving");

    let mut car = answered();
    car.set(DRIVER, true);
    assert_eq!(car.watch(), "parked");
    car.wait(4.0);
    car.set(DRIVER, false);
    car.command(LOCK, true);
    let locked = car.seconds();
    car.wait(20.0);
    assert_eq!(car.child_story(locked), ["10.0 CHILD_LEFT_BEHIND initial inferred warning"], "left once more");

    let mut car = answered();
    car.door(REAR_LEFT, 1.0);
    assert_eq!(car.watch(), "answered", "a bounce");
    car.door(REAR_LEFT, 3.0);
    assert_eq!(car.watch(), "parked");
    car.command(LOCK, true);
    car.wait(900.0);
    assert!(car.child_events().is_empty());
}

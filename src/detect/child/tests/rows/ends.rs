//! What ends an alert, what does not, and what follows an answer.

use super::*;

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

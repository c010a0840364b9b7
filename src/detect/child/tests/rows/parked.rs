//! From driving to the alert: the stop, the reminder, and when a child was left behind.

use super::*;

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

//! Sleep, unknown values, odd ignitions: what counts as a stop and what is known during it.

use crate::detect::testcar::*;
use crate::vehicle::{Reading, Signal};

#[test]
fn a_bus_that_falls_asleep_is_no_fault_and_keeps_doors_lock_and_belts() {
    let mut car = Car::new(Plan::doors_only());
    car.start();
    car.wait(5.0);
    car.set(BELT, true);
    car.drive(60.0);
    car.leave();
    let locked = car.seconds();
    car.child_events();
    car.wait(1.0);
    car.sleep(BODY);
    car.wait(200.0);
    assert_eq!(
        car.child_story(locked)[..2],
        ["10.0 CHILD_LEFT_BEHIND initial occupancy warning", "70.0 CHILD_LEFT_BEHIND escalated occupancy critical"]
    );
}

#[test]
fn a_bus_that_wakes_for_a_moment_does_not_begin_the_ten_seconds_anew() {
    let mut car = Car::new(Plan::doors_only().without(LOCK).with(LOCK, BODY));
    car.set(LOCK, false);
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    car.wait(1.0);
    car.door(DRIVER, 3.0);
    car.set(LOCK, true);
    let locked = car.seconds();
    car.child_events();
    car.sleep(BODY);
    car.wait(8.5);
    // One frame of another message wakes the bus.
    car.wake(BODY);
    car.set(REAR_RIGHT, false);
    car.sleep(BODY);
    car.wait(10.0);
    assert_eq!(car.child_story(locked), ["10.0 CHILD_LEFT_BEHIND initial inferred warning"]);
}

#[test]
fn a_door_left_open_on_a_sleeping_bus_stays_open() {
    let mut car = Car::new(Plan::doors_only());
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    car.door(DRIVER, 3.0);
    car.set(PASSENGER, true);
    car.wait(1.0);
    car.sleep(BODY);
    car.child_events();
    car.wait(3600.0);
    assert!(car.child_events().is_empty());
}

#[test]
fn a_door_whose_message_fails_on_an_awake_bus_is_unknown_and_counts_as_closed() {
    let mut car = Car::new(Plan::doors_only());
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    car.wait(1.0);
    car.door(DRIVER, 3.0);
    car.set(PASSENGER, true);
    car.command(LOCK, true);
    car.wait(5.0);
    car.child_events();
    car.say(PASSENGER, Reading::Unlisted);
    let last = car.seconds() - 0.0;
    car.wait(30.0);
    let told = car.child_story(last);
    assert_eq!(told.len(), 1, "closed when it was stale, two seconds later, and ten seconds: {told:?}");
}

#[test]
fn an_unknown_drivers_door_counts_as_used() {
    let mut car = Car::new(Plan::doors_only());
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    car.say(DRIVER, Reading::Invalid);
    car.command(LOCK, true);
    let locked = car.seconds();
    car.wait(20.0);
    assert_eq!(car.child_story(locked), ["10.0 CHILD_LEFT_BEHIND initial inferred warning"], "and reminds nobody");

    let mut car = Car::new(Plan::doors_only());
    car.door(REAR_LEFT, 8.0);
    car.start();
    car.say(DRIVER, Reading::Invalid);
    car.wait(60.0);
    car.stop();
    car.set(DRIVER, false);
    car.command(LOCK, true);
    let locked = car.seconds();
    car.wait(20.0);
    assert_eq!(car.child_story(locked), ["10.0 CHILD_LEFT_BEHIND initial inferred warning"], "unknown at the stop");

    let mut car = Car::new(Plan::doors_only().without(DRIVER));
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    let stopped = car.seconds();
    car.wait(310.0);
    assert_eq!(car.child_story(stopped), ["300.0 CHILD_LEFT_BEHIND initial inferred warning"], "no such signal at all");
}

#[test]
fn without_a_lock_signal_it_counts_as_not_locked() {
    let mut car = Car::new(Plan::doors_only().without(LOCK));
    car.leave_child_by_doors();
    let closed = car.seconds();
    car.child_events();
    car.wait(310.0);
    assert_eq!(car.child_story(closed), ["300.0 CHILD_LEFT_BEHIND initial inferred warning"]);
}

#[test]
fn locked_by_each_door_is_locked_and_one_unlocked_door_is_not() {
    let left = Signal::CabinDoorRow1DriverSideIsLocked;
    let right = Signal::CabinDoorRow1PassengerSideIsLocked;
    for (both, after) in [(true, "10.0"), (false, "300.0")] {
        let mut car = Car::new(Plan::doors_only().without(LOCK).with(left, BODY).with(right, BODY));
        car.set(left, false);
        car.set(right, false);
        car.leave_child_by_doors();
        car.set(left, true);
        car.set(right, both);
        let locked = car.seconds();
        car.child_events();
        car.wait(310.0);
        assert_eq!(car.child_story(locked), [format!("{after} CHILD_LEFT_BEHIND initial inferred warning")]);
    }
}

#[test]
fn a_latched_lock_ends_when_a_door_opens_and_when_the_ignition_comes_on() {
    let mut car = Car::new(Plan::doors_only());
    car.command(LOCK, true);
    car.door(REAR_LEFT, 8.0);
    car.drive(60.0);
    car.wait(1.0);
    car.door(DRIVER, 3.0);
    let closed = car.seconds();
    car.child_events();
    car.wait(310.0);
    assert_eq!(car.child_story(closed), ["300.0 CHILD_LEFT_BEHIND initial inferred warning"], "a door opened since");

    let mut car = Car::new(Plan::doors_only());
    car.door(REAR_LEFT, 8.0);
    car.command(LOCK, true);
    car.start();
    assert_eq!(car.engine.state().locked(car.stamp().boot), None, "ignition on");
    car.command(LOCK, true);
    car.wait(100.0);
    assert_eq!(car.engine.state().locked(car.stamp().boot), Some(true), "and a new command holds as long as it must");
}

#[test]
fn a_bus_that_dies_with_the_ignition_on_is_a_stop_after_thirty_seconds_with_everything_unknown() {
    let mut car = Car::new(Plan::sensor());
    car.door(REAR_LEFT, 8.0);
    car.start();
    car.set(SENSOR, true);
    car.wait(60.0);
    car.speed(0.0);
    car.wait(1.0);
    car.sleep(BODY);
    let silent = car.seconds();
    car.child_events();
    car.wait(29.0);
    assert_eq!(car.watch(), "driving");
    car.wait(2.0);
    assert_eq!(car.watch(), "parked");
    car.wait(400.0);
    let told = car.child_story(silent);
    assert_eq!(told[0], "330.0 CHILD_LEFT_BEHIND initial direct warning", "not locked, the driver's door used: 5 min");
    car.wake(BODY);
    car.start();
    car.door(DRIVER, 3.0);
    assert_eq!(car.watch(), "driving", "when it speaks again it is believed");
}

#[test]
fn a_dead_bus_is_no_stop_while_the_receiver_says_that_somebody_drives() {
    let mut car = Car::new(Plan::doors_only());
    car.start();
    car.speed(50.0);
    car.wait(20.0);
    car.sleep(BODY);
    car.wait(120.0);
    assert_eq!(car.watch(), "driving");
    car.gnss(Some(0.0));
    car.wait(2.0);
    assert_eq!(car.watch(), "parked", "silent for long, and nobody says it drives");
    car.gnss(Some(25.0));
    car.wait(2.0);
    assert_eq!(car.watch(), "driving");
    car.gnss(None);
    car.wait(30.0);
    assert_eq!(car.watch(), "parked", "nobody says anything any more");
}

#[test]
fn a_stop_told_by_a_silence_that_is_older_than_the_drive_begins_with_the_drive_at_the_earliest() {
    let elsewhere = [DRIVER, PASSENGER, REAR_LEFT, REAR_RIGHT, LOCK];
    let plan = elsewhere.into_iter().fold(Plan::doors_only(), |plan, door| plan.without(door).with(door, CABIN));
    let mut car = Car::new(plan);
    car.set(LOCK, false);
    car.leave_child_by_doors();
    car.set(LOCK, true);
    car.wait(20.0);
    assert_eq!(car.watch(), "alert");
    // Started from afar; then the bus that carries the ignition falls silent.
    car.word(IGNITION, "ON");
    car.set(LOCK, false);
    car.wait(1.0);
    car.sleep(BODY);
    car.wait(3.0);
    car.door(REAR_LEFT, 2.1);
    assert_eq!(car.watch(), "driving", "a rear door ended the alert, and the ignition is on");
    car.gnss(Some(50.0));
    car.wait(60.0);
    car.gnss(Some(0.0));
    car.wait(3.0);
    assert_eq!(car.watch(), "parked", "off since it fell silent, as far as anybody knows");
    car.child_events();
    car.door(DRIVER, 3.0);
    car.set(LOCK, true);
    let locked = car.seconds();
    car.wait(11.0);
    assert_eq!(
        car.child_story(locked).last().map(String::as_str),
        Some("10.0 CHILD_LEFT_BEHIND initial inferred warning"),
        "that door was used before the drive, not after the stop"
    );
}

/// A car that tells of its ignition by nothing but the battery.
fn by_voltage() -> Plan {
    Plan::doors_only().without(IGNITION)
}

#[test]
fn by_voltage_the_ignition_is_on_at_once_and_off_after_a_minute() {
    let mut car = Car::new(by_voltage());
    car.door(REAR_LEFT, 8.0);
    car.number(VOLTS, 13.2);
    assert_eq!(car.watch(), "driving");
    car.wait(100.0);
    car.number(VOLTS, 13.1);
    car.wait(59.0);
    assert_eq!(car.watch(), "driving");
    car.wait(1.0);
    assert_eq!(car.watch(), "parked");
}

#[test]
fn by_voltage_a_driver_who_left_within_that_minute_left_after_the_stop() {
    let mut car = Car::new(by_voltage());
    car.door(REAR_LEFT, 8.0);
    car.number(VOLTS, 14.0);
    car.wait(100.0);
    car.number(VOLTS, 12.5);
    let stopped = car.seconds();
    car.leave();
    car.wait(100.0);
    assert_eq!(car.child_story(stopped), ["70.0 CHILD_LEFT_BEHIND initial inferred warning"]);

    let mut car = Car::new(by_voltage());
    car.door(REAR_LEFT, 8.0);
    car.number(VOLTS, 14.0);
    car.wait(100.0);
    car.number(VOLTS, 12.5);
    car.wait(1.0);
    car.door(REAR_LEFT, 8.0);
    car.leave();
    car.wait(400.0);
    assert!(car.child_events().is_empty(), "and a child taken out within it was taken out after it");
}

#[test]
fn by_satellites_alone_twenty_is_on_and_five_minutes_of_standing_are_off() {
    let mut car = Car::new(Plan::doors_only().without(IGNITION).without(VOLTS).without(SPEED));
    car.gnss(Some(19.0));
    car.wait(10.0);
    assert_eq!(car.watch(), "parked");
    car.gnss(Some(20.0));
    car.wait(2.0);
    assert_eq!(car.watch(), "driving");
    car.gnss(Some(5.0));
    car.wait(400.0);
    assert_eq!(car.watch(), "driving", "creeping is not standing");
    car.gnss(Some(2.9));
    car.wait(300.0);
    assert_eq!(car.watch(), "driving");
    car.wait(1.5);
    assert_eq!(car.watch(), "parked");
}

#[test]
fn an_undefined_ignition_falls_back_to_the_voltage_and_then_to_what_was() {
    let mut car = Car::new(Plan::doors_only());
    car.start();
    car.word(IGNITION, "UNDEFINED");
    car.wait(100.0);
    assert_eq!(car.watch(), "driving", "the battery charges");
    car.number(VOLTS, 12.5);
    car.wait(400.0);
    assert_eq!(car.watch(), "driving", "where the ignition is mapped a low voltage says nothing");
    car.word(IGNITION, "OFF");
    assert_eq!(car.watch(), "parked");
    car.number(VOLTS, 14.5);
    car.wait(10.0);
    assert_eq!(car.watch(), "parked", "a charger: the ignition says off");
}

#[test]
fn a_short_stop_with_the_driver_staying_tells_nothing_and_keeps_the_evidence() {
    let mut car = Car::new(Plan::doors_only());
    car.start();
    car.set(BELT, true);
    car.drive(700.0);
    car.wait(180.0);
    car.drive(700.0);
    assert!(car.child_events().is_empty());
    car.leave();
    let locked = car.seconds();
    car.child_events();
    car.wait(20.0);
    assert_eq!(car.child_story(locked), ["10.0 CHILD_LEFT_BEHIND initial occupancy warning"]);
}

#[test]
fn a_recording_that_begins_with_the_ignition_on_is_a_drive() {
    let mut car = Car::unknown(Plan::doors_only());
    car.word(IGNITION, "ON");
    assert_eq!(car.watch(), "driving");
}

#[test]
fn a_car_of_which_nothing_is_known_is_parked_with_its_drivers_door_used() {
    let mut car = Car::new(Plan::sensor());
    car.set(SENSOR, true);
    car.wait(1.0);
    car.command(LOCK, true);
    let locked = car.seconds();
    car.wait(20.0);
    assert_eq!(car.child_story(locked), ["10.0 CHILD_LEFT_BEHIND initial direct warning"]);
}

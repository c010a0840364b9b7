//! Each condition and its recovery as a story.

use crate::detect::testcar::*;
use crate::event::Details;
use crate::vehicle::{BusCondition, Observation, Reading, Signal, SourceSpec};

const COOLANT: Signal = Signal::PowertrainCombustionEngineEngineCoolantTemperature;

fn standing() -> Car {
    let mut car = Car::new(Plan::sensor().with(COOLANT, BODY));
    car.number(COOLANT, 90.0);
    car.wait(5.0);
    car
}

fn running() -> Car {
    let mut car = standing();
    car.start();
    car.number(SPEED, 0.0);
    car.wait(5.0);
    car
}

#[test]
fn a_battery_under_11_8_for_thirty_seconds_of_seen_time_is_low_and_recovers_likewise() {
    let mut car = standing();
    car.number(VOLTS, 11.7);
    car.wait(25.0);
    car.sleep(BODY);
    car.wait(1000.0);
    assert!(car.other_story(0.0).is_empty(), "asleep nobody sees it");
    car.wake(BODY);
    let awake = car.seconds();
    car.wait(10.0);
    let Details::Diagnosis(about) = &car.told.last().unwrap().details else { panic!() };
    assert_eq!((about.source.as_str(), about.value, about.limit), (VOLTS.path(), Some(11.7), Some(11.8)));
    let told = car.other_story(awake);
    assert!(told.len() == 1 && told[0].ends_with("BATTERY_LOW Vehicle.LowVoltageBattery.CurrentVoltage advisory"), "{told:?}");
    car.wait(100.0);
    car.number(VOLTS, 11.8);
    let better = car.seconds();
    car.wait(40.0);
    let recovered = "30.0 BATTERY_RECOVERED Vehicle.LowVoltageBattery.CurrentVoltage info";
    assert_eq!(car.other_story(better), [recovered]);
}

#[test]
fn a_low_voltage_with_the_ignition_on_is_cranking() {
    let mut car = running();
    car.number(VOLTS, 10.0);
    car.wait(100.0);
    assert!(car.other_story(0.0).is_empty());
}

#[test]
fn coolant_over_115_for_ten_seconds_is_too_hot_until_it_was_under_110_for_a_minute() {
    let mut car = running();
    car.number(COOLANT, 115.0);
    car.wait(20.0);
    assert!(car.other_story(0.0).is_empty(), "not over");
    car.number(COOLANT, 115.5);
    let hot = car.seconds();
    car.wait(9.0);
    car.number(COOLANT, 114.0);
    car.wait(1.0);
    car.number(COOLANT, 116.0);
    car.wait(30.0);
    car.number(COOLANT, 111.0);
    car.wait(100.0);
    car.number(COOLANT, 109.0);
    let cool = car.seconds() - hot;
    car.wait(70.0);
    let path = COOLANT.path();
    assert_eq!(
        car.other_story(hot),
        [format!("20.0 COOLANT_OVERHEAT {path} warning"), format!("{:.1} COOLANT_NORMAL {path} info", cool + 60.0)]
    );
}

#[test]
fn bus_off_is_a_fault_at_once_and_error_passive_after_ten_seconds() {
    let mut car = running();
    let fault = car.seconds();
    car.put(Observation::Bus(BODY, BusCondition::Passive));
    car.wait(9.0);
    car.put(Observation::Bus(BODY, BusCondition::Active));
    car.wait(5.0);
    assert!(car.other_story(fault).is_empty(), "nine seconds");
    car.put(Observation::Bus(BODY, BusCondition::Passive));
    car.wait(12.0);
    car.put(Observation::Bus(BODY, BusCondition::Active));
    car.put(Observation::Bus(CABIN, BusCondition::Off));
    car.wait(5.0);
    assert_eq!(
        car.other_story(fault),
        [
            "24.0 CAN_BUS_FAULT body error_passive warning",
            "26.0 CAN_BUS_RECOVERED body error_passive info",
            "26.0 CAN_BUS_FAULT cabin bus_off warning",
            "26.5 CAN_BUS_RECOVERED cabin bus_off info"
        ],
        "a bus that speaks is not off"
    );
}

#[test]
fn a_bus_silent_for_ten_seconds_while_another_source_says_on_is_a_fault_until_it_speaks() {
    let mut car = running();
    car.sleep(CABIN);
    let silent = car.seconds();
    car.wait(30.0);
    assert_eq!(car.engine.sources()["cabin"], crate::health::Condition::Degraded);
    car.wake(CABIN);
    car.wait(1.0);
    let told = car.other_story(silent);
    assert_eq!(told[0], "10.0 CAN_BUS_FAULT cabin silent warning");
    assert!(told.contains(&"30.5 CAN_BUS_RECOVERED cabin silent info".to_owned()), "{told:?}");
    assert_eq!(car.engine.sources()["cabin"], crate::health::Condition::Ok);
    car.sleep(BODY);
    car.wait(100.0);
    assert!(car.other_story(silent).is_empty(), "nobody else says that the ignition is on, and messages die with their bus");
}

#[test]
fn a_bus_silent_with_the_ignition_off_is_asleep() {
    let mut car = standing();
    car.sleep(CABIN);
    car.sleep(BODY);
    car.wait(3600.0);
    assert!(car.other_story(0.0).is_empty());
}

#[test]
fn a_message_silent_or_invalid_with_the_ignition_on_is_stale_once_for_each_cause() {
    let mut car = running();
    car.silence(BELT);
    let silent = car.seconds();
    car.wait(60.0);
    car.set(BELT, false);
    car.wait(1.0);
    car.say(BELT, Reading::Invalid);
    car.wait(60.0);
    car.set(BELT, false);
    let message = format!("body/M{}", BELT as u16);
    let told = car.other_story(silent);
    let expected = [
        format!("10.0 SENSOR_STALE {message} silent advisory"),
        format!("60.0 SENSOR_RECOVERED {message} silent info"),
        format!("71.0 SENSOR_STALE {message} invalid advisory"),
        format!("121.0 SENSOR_RECOVERED {message} invalid info"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_message_that_carries_only_commands_is_not_stale_when_nobody_gives_one() {
    let mut car = running();
    car.silence(LOCK);
    car.wait(100.0);
    assert!(car.other_story(0.0).is_empty());
}

#[test]
fn a_message_silent_with_the_ignition_off_is_stale_only_where_it_must_always_come() {
    let mut car = standing();
    car.silence(BELT);
    car.wait(100.0);
    assert!(car.other_story(0.0).is_empty());
    let always = SourceSpec { always: true, ..spec(SENSOR, CABIN) };
    let mut car = Car::new(Plan::doors_only().with_source(always));
    car.wait(5.0);
    car.sleep(CABIN);
    car.sleep(BODY);
    let silent = car.seconds();
    car.wait(60.0);
    let message = format!("cabin/M{}", SENSOR as u16);
    assert_eq!(car.other_story(silent), [format!("10.0 SENSOR_STALE {message} silent advisory")]);
}

#[test]
fn the_receiver_is_lost_after_a_minute_without_a_fix_with_the_ignition_on() {
    let mut car = standing();
    car.gnss(None);
    car.wait(300.0);
    assert!(car.other_story(0.0).is_empty(), "parked in a garage");
    car.start();
    let on = car.seconds();
    car.wait(100.0);
    car.gnss(Some(0.0));
    car.wait(1.0);
    assert_eq!(car.other_story(on), ["60.0 GNSS_LOST gnss advisory", "101.0 GNSS_RECOVERED gnss info"]);
}

#[test]
fn a_journal_that_cannot_be_written_is_told_and_its_recovery() {
    let mut car = standing();
    let origin = car.seconds();
    for writable in [false, false, true, true] {
        car.put(Observation::Journal { writable });
        car.wait(1.0);
    }
    assert_eq!(car.other_story(origin), ["0.0 JOURNAL_DEGRADED journal warning", "2.0 JOURNAL_RECOVERED journal info"]);
}

#[test]
fn a_condition_is_told_once_over_restarts() {
    let mut car = running();
    car.silence(BELT);
    car.sleep(CABIN);
    car.gnss(None);
    car.number(COOLANT, 120.0);
    car.wait(70.0);
    assert_eq!(car.other_story(0.0).len(), 4, "belt, the cabin's bus, receiver, coolant");
    car.restart(20.0, true);
    car.wait(100.0);
    assert!(car.other_story(0.0).is_empty());
    car.number(COOLANT, 100.0);
    car.wait(61.0);
    assert_eq!(car.other_story(0.0).len(), 1, "and taken back once");
}

#[test]
fn a_receiver_that_speaks_and_never_has_a_fix_is_lost_too_and_one_that_is_not_there_is_not() {
    for speaks in [true, false] {
        let mut car = Car::new(Plan::sensor());
        car.gnss(None);
        if speaks {
            car.put(Observation::Receiver { speaks });
        }
        car.wait(100.0);
        assert!(car.other_story(0.0).is_empty(), "parked in a garage");
        car.start();
        let on = car.seconds();
        car.wait(30.0);
        car.put(Observation::Receiver { speaks: false });
        car.wait(30.0);
        let condition = car.engine.sources()["gnss"];
        assert_eq!(condition == crate::health::Condition::Degraded, speaks);
        let told = if speaks { vec!["60.0 GNSS_LOST gnss advisory"] } else { Vec::new() };
        assert_eq!(car.other_story(on), told, "pulled out meanwhile, it is as lost");
        car.restart(10.0, false);
        car.put(Observation::Receiver { speaks });
        car.wait(100.0);
        assert!(car.other_story(on).is_empty(), "told once");
        car.gnss(Some(0.0));
        car.wait(1.0);
        assert_eq!(car.other_story(on).len(), usize::from(speaks));
    }
}

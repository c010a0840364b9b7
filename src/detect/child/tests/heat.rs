//! What heat changes.

use crate::detect::testcar::*;
use crate::event::{Event, EventType};
use crate::request::{Answer, Refusal};

fn cabin(event: &Event) -> serde_json::Value {
    serde_json::to_value(event).unwrap()["child"]["cabin"].clone()
}

#[test]
fn at_thirty_degrees_the_first_warning_is_critical_and_below_it_is_not() {
    for (celsius, severity) in [(29.9, "warning"), (30.0, "critical")] {
        let mut car = Car::new(Plan::sensor());
        car.number(CABIN_CELSIUS, celsius);
        car.leave_child_seen();
        car.wait(11.0);
        assert_eq!(car.child_events()[1], format!("CHILD_LEFT_BEHIND initial direct {severity}"), "{celsius} °C");
    }
}

#[test]
fn a_cabin_that_rises_to_35_within_ten_minutes_is_critical() {
    let mut car = Car::new(Plan::sensor());
    car.wait(5.0);
    car.set(SENSOR, true);
    car.drive(60.0);
    for tenths in 0..240 {
        car.number(CABIN_CELSIUS, 20.0 + f64::from(tenths) * 0.03);
        car.wait(0.5);
    }
    car.leave();
    car.wait(11.0);
    assert_eq!(car.child_events()[1], "CHILD_LEFT_BEHIND initial direct critical", "3.6 K a minute");
    let mut car = Car::new(Plan::sensor());
    car.leave_child_seen();
    car.wait(11.0);
    let told = cabin(&car.told[car.told.len() - 1]);
    assert_eq!(told, serde_json::json!({"temperature": 24.0, "trend": 0.0, "estimated": false}), "no minutes: it rises not");
}

#[test]
fn a_doors_only_alert_is_critical_by_a_measured_but_not_by_an_estimated_temperature() {
    let mut car = Car::new(Plan::doors_only().with(OUTSIDE, BODY));
    car.number(OUTSIDE, 34.0);
    car.leave_child_by_doors();
    car.wait(11.0);
    assert_eq!(car.child_events()[1], "CHILD_LEFT_BEHIND initial inferred warning");
    let mut car = Car::new(Plan::doors_only().with(OUTSIDE, BODY));
    car.number(OUTSIDE, 34.0);
    car.start();
    car.set(BELT, true);
    car.drive(60.0);
    car.leave();
    car.wait(11.0);
    let told = cabin(car.told.last().unwrap());
    assert_eq!((&told["estimated"], told["temperature"].as_f64().unwrap() > 34.0), (&true.into(), true));
    assert_eq!(car.child_events()[1], "CHILD_LEFT_BEHIND initial occupancy critical");
    let mut car = Car::new(Plan::doors_only().with(CABIN_CELSIUS, BODY));
    car.number(CABIN_CELSIUS, 31.0);
    car.leave_child_by_doors();
    car.wait(11.0);
    assert_eq!(car.child_events()[1], "CHILD_LEFT_BEHIND initial inferred critical");
}

#[test]
fn the_estimate_begins_at_the_stop_and_gives_way_to_a_sensor() {
    let mut car = Car::new(Plan::sensor().with(OUTSIDE, BODY));
    car.number(OUTSIDE, 20.0);
    car.set(SENSOR, true);
    car.drive(60.0);
    car.sleep(BODY);
    car.sleep(CABIN);
    car.wait(18.6 * 60.0);
    let json = serde_json::to_value(car.engine.child_now(car.stamp()).cabin).unwrap();
    assert_eq!((&json["temperature"], &json["estimated"]), (&34.5.into(), &true.into()), "20 + 23 (1 - 1/e)");
    car.wake(CABIN);
    car.number(CABIN_CELSIUS, 21.0);
    let json = serde_json::to_value(car.engine.child_now(car.stamp()).cabin).unwrap();
    assert_eq!(json, serde_json::json!({"temperature": 21.0, "estimated": false}));
}

#[test]
fn a_snooze_is_refused_in_heat_and_ends_with_it() {
    let mut car = Car::new(Plan::sensor());
    car.number(CABIN_CELSIUS, 36.0);
    car.leave_child_seen();
    car.wait(11.0);
    let alert = car.last(EventType::ChildLeftBehind).id;
    assert!(matches!(car.snooze(alert, 300), Err(Refusal::Conflict { running: Some(id), .. }) if id == alert));

    let mut car = Car::new(Plan::sensor());
    car.leave_child_seen();
    car.wait(11.0);
    let alert = car.last(EventType::ChildLeftBehind).id;
    assert!(matches!(car.snooze(alert, 600), Ok(Answer::Event(_))));
    let snoozed = car.seconds();
    car.wait(100.0);
    car.child_events();
    car.number(CABIN_CELSIUS, 35.0);
    car.wait(5.0);
    let told = car.child_story(snoozed);
    assert_eq!(told.len(), 1);
    assert!(told[0].ends_with("CHILD_LEFT_BEHIND escalated direct critical"), "{told:?}");
}

#[test]
fn a_snooze_ends_when_the_estimate_comes_to_ten_minutes() {
    let mut car = Car::new(Plan::doors_only().with(OUTSIDE, BODY));
    car.number(OUTSIDE, 20.0);
    car.start();
    car.set(BELT, true);
    car.drive(60.0);
    let stopped = car.seconds();
    car.leave();
    car.sleep(BODY);
    // 20 °C come to 35 °C 19.64 min after the stop; ten minutes before that are 578.6 s.
    car.wait(60.0);
    let alert = car.last(EventType::ChildLeftBehind).id;
    assert!(car.snooze(alert, 600).is_ok());
    car.child_events();
    car.wait(590.0);
    assert_eq!(car.child_story(stopped)[0], "578.6 CHILD_LEFT_BEHIND escalated occupancy critical");
}

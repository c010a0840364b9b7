//! What a running alert tells by itself: it escalates, repeats, expires.

use super::*;

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
fn an_alert_that_a_sensor_began_expires_where_only_doors_still_speak_for_it() {
    let mut car = Car::new(Plan::narrow_sensor());
    car.leave_child_by_doors();
    car.set(SENSOR, true);
    car.wait(10.0);
    let began = car.seconds();
    assert!(car.child_story(0.0).iter().any(|line| line.contains("initial direct")));
    car.child_events();
    car.set(SENSOR, false);
    car.wait(2000.0);
    assert_eq!(car.child_story(began), ["1500.0 CHILD_ALERT_CLEARED inferred expired info"]);
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

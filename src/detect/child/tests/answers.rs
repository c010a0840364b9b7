//! What people answer.

use crate::detect::testcar::*;
use crate::event::{Alert, EventId, EventType};
use crate::request::{Answer, Refusal};

fn alert(plan: Plan) -> (Car, EventId, f64) {
    let mut car = Car::new(plan);
    if car.engine.state().maps(SENSOR) {
        car.leave_child_seen();
    } else {
        car.leave_child_by_doors();
    }
    car.wait(10.0);
    let (id, began) = (car.last(EventType::ChildLeftBehind).id, car.seconds());
    car.child_events();
    (car, id, began)
}

fn conflict(answer: Result<Answer, Refusal>) -> Option<EventId> {
    match answer {
        Err(Refusal::Conflict { running, .. }) => running,
        other => panic!("not a conflict: {other:?}"),
    }
}

#[test]
fn a_snooze_is_told_with_its_author_and_ends_with_what_is_due() {
    let (mut car, id, began) = alert(Plan::sensor());
    car.wait(20.0);
    let Ok(Answer::Event(snoozed)) = car.snooze(id, 120) else { panic!() };
    let event = car.told.last().unwrap().clone();
    assert_eq!((event.id, event.alert()), (snoozed, Some(Alert { first: id, ends: false })));
    let json = serde_json::to_value(&event).unwrap();
    assert_eq!((&json["child"]["by"], &json["child"]["seconds"]), (&"Kim".into(), &120.into()));
    assert_eq!(car.watch(), "snoozed");
    car.wait(300.0);
    assert_eq!(
        car.child_story(began),
        [
            "20.0 CHILD_ALERT_SNOOZED direct advisory",
            "140.0 CHILD_LEFT_BEHIND escalated direct critical",
            "185.0 CHILD_LEFT_BEHIND repeated direct critical",
            "230.0 CHILD_LEFT_BEHIND repeated direct critical",
            "275.0 CHILD_LEFT_BEHIND repeated direct critical",
            "320.0 CHILD_LEFT_BEHIND repeated direct critical"
        ]
    );
}

#[test]
fn a_snooze_of_an_escalated_alert_ends_with_a_repeat_and_the_often_repeats_begin_anew() {
    let (mut car, id, began) = alert(Plan::sensor().without(CABIN_CELSIUS));
    car.wait(110.0);
    car.sleep(BODY);
    car.sleep(CABIN);
    car.gnss(None);
    assert!(car.snooze(id, 60).is_ok());
    car.child_events();
    car.wait(1700.0);
    let told = car.child_story(began);
    assert_eq!(told[0], "170.0 CHILD_LEFT_BEHIND repeated direct critical");
    assert_eq!(told[1], "215.0 CHILD_LEFT_BEHIND repeated direct critical");
    assert_eq!(told.len(), 1 + 33, "25 minutes from the snooze's end");
    assert_eq!(told.last().unwrap(), "1655.0 CHILD_LEFT_BEHIND repeated direct critical");
}

#[test]
fn a_snooze_of_an_alert_by_doors_ends_with_a_repeated_warning_and_the_25_minutes_begin_anew() {
    let (mut car, id, began) = alert(Plan::doors_only());
    car.wait(100.0);
    assert!(car.snooze(id, 60).is_ok());
    car.wait(2000.0);
    assert_eq!(
        car.child_story(began),
        [
            "100.0 CHILD_ALERT_SNOOZED inferred advisory",
            "160.0 CHILD_LEFT_BEHIND repeated inferred warning",
            "1660.0 CHILD_ALERT_CLEARED inferred expired info"
        ]
    );
}

#[test]
fn a_snooze_that_ends_within_the_first_minute_is_followed_by_a_whole_one_to_the_escalation() {
    // 60 s is the shortest snooze, so only heat ends one so early.
    let (mut car, id, began) = alert(Plan::sensor());
    car.wait(5.0);
    assert!(car.snooze(id, 600).is_ok());
    car.wait(5.0);
    car.number(CABIN_CELSIUS, 36.0);
    car.wait(70.0);
    assert_eq!(
        car.child_story(began),
        [
            "5.0 CHILD_ALERT_SNOOZED direct advisory",
            "10.0 CHILD_LEFT_BEHIND repeated direct critical",
            "70.0 CHILD_LEFT_BEHIND escalated direct critical"
        ]
    );
}

#[test]
fn one_snooze_a_stop() {
    let (mut car, id, _) = alert(Plan::sensor());
    assert!(car.snooze(id, 60).is_ok());
    let running = car.told.last().unwrap().id;
    assert_eq!(conflict(car.snooze(running, 60)), Some(running), "while it is snoozed");
    car.wait(70.0);
    let latest = car.last(EventType::ChildLeftBehind).id;
    assert_eq!(conflict(car.snooze(latest, 60)), Some(latest), "and later");
    car.door(REAR_LEFT, 4.0);
    car.command(LOCK, true);
    car.wait(11.0);
    let second = car.last(EventType::ChildLeftBehind).id;
    assert_eq!(conflict(car.snooze(second, 60)), Some(second), "another alert of the same stop");
    car.door(DRIVER, 3.0);
    car.drive(60.0);
    car.leave();
    car.wait(11.0);
    let third = car.last(EventType::ChildLeftBehind).id;
    assert!(car.snooze(third, 60).is_ok(), "another stop");
}

#[test]
fn sixty_to_six_hundred_seconds() {
    let (mut car, id, _) = alert(Plan::sensor());
    for wrong in [0, 59, 601, u32::MAX] {
        assert!(matches!(car.snooze(id, wrong), Err(Refusal::Invalid(_))), "{wrong}");
    }
    assert_eq!(car.watch(), "alert");
    assert!(car.snooze(id, 600).is_ok());
}

#[test]
fn safe_ends_the_alert_with_its_author() {
    let (mut car, id, began) = alert(Plan::sensor());
    car.wait(65.0);
    let Ok(Answer::Event(made)) = car.safe(id) else { panic!() };
    let event = car.told.last().unwrap();
    assert_eq!((event.id, event.alert()), (made, Some(Alert { first: id, ends: true })));
    assert_eq!(serde_json::to_value(event).unwrap()["child"]["by"], "Kim");
    car.wait(60.0);
    assert_eq!(
        car.child_story(began),
        ["60.0 CHILD_LEFT_BEHIND escalated direct critical", "65.0 CHILD_ALERT_ACKNOWLEDGED direct info"]
    );
    assert_eq!(car.watch(), "answered");
    assert_eq!(conflict(car.safe(made)), None, "nothing runs");
}

#[test]
fn a_snoozed_alert_can_be_answered_cleared_and_driven_away() {
    let (mut car, id, _) = alert(Plan::sensor());
    assert!(car.snooze(id, 600).is_ok());
    assert!(car.safe(id).is_ok());
    assert_eq!(car.watch(), "answered");

    let (mut car, id, _) = alert(Plan::sensor());
    assert!(car.snooze(id, 600).is_ok());
    car.child_events();
    car.door(REAR_RIGHT, 3.0);
    assert_eq!(car.child_events(), ["CHILD_ALERT_CLEARED direct rear_door_opened info"]);

    let (mut car, id, _) = alert(Plan::sensor());
    assert!(car.snooze(id, 600).is_ok());
    car.door(DRIVER, 3.0);
    car.child_events();
    car.start();
    assert_eq!(car.child_events(), ["CHILD_ALERT_CLEARED direct driver_returned info"]);

    let (mut car, id, _) = alert(Plan::sensor());
    assert!(car.snooze(id, 600).is_ok());
    car.child_events();
    car.set(SENSOR, false);
    car.wait(121.0);
    assert_eq!(car.child_events(), ["CHILD_ALERT_CLEARED direct sensor_clear info"]);
}

#[test]
fn thirty_minutes_after_the_answer_a_sensor_that_still_sees_somebody_alerts_once() {
    let (mut car, id, _) = alert(Plan::sensor());
    assert!(car.safe(id).is_ok());
    let answered = car.seconds();
    car.child_events();
    car.sleep(BODY);
    car.wait(1900.0);
    let told = car.child_story(answered);
    assert_eq!(told[0], "1800.0 CHILD_LEFT_BEHIND initial direct warning");
    let second = car.last_alert();
    assert!(car.safe(second).is_ok());
    car.child_events();
    car.wait(4000.0);
    assert!(car.child_events().is_empty(), "once");
}

#[test]
fn after_an_answer_by_doors_or_with_the_sensor_clear_nothing_comes() {
    let (mut car, id, _) = alert(Plan::sensor());
    assert!(car.safe(id).is_ok());
    car.child_events();
    car.set(SENSOR, false);
    car.sleep(BODY);
    car.wait(2000.0);
    assert!(car.child_events().is_empty());
}

#[test]
fn somebody_who_answers_safe_releases_a_sensor_that_fell_silent() {
    let (mut car, id, _) = alert(Plan::sensor());
    car.sleep(CABIN);
    car.wait(20.0);
    assert!(car.safe(id).is_ok());
    car.child_events();
    car.sleep(BODY);
    car.wait(2000.0);
    assert!(car.child_events().is_empty(), "its kept word is no direct evidence any more");
}

#[test]
fn an_answer_sent_twice_does_nothing_twice_even_after_the_end() {
    let (mut car, id, _) = alert(Plan::sensor());
    let Ok(Answer::Event(snoozed)) = car.snooze(id, 60) else { panic!() };
    assert_eq!(car.snooze(id, 60), Ok(Answer::Already(snoozed)));
    let Ok(Answer::Event(safe)) = car.safe(id) else { panic!() };
    assert_eq!(car.safe(id), Ok(Answer::Already(safe)));
    assert_eq!(car.snooze(id, 60), Ok(Answer::Already(snoozed)), "after the end");
    assert_eq!(conflict(car.snooze(EventId(id.0 + 1), 60)), None, "another event of it is another answer");
    assert_eq!(car.child_events().len(), 2);
}

#[test]
fn an_unknown_event_or_one_of_an_ended_alert_is_refused_with_the_one_that_runs() {
    let (mut car, first, _) = alert(Plan::sensor());
    assert_eq!(conflict(car.safe(EventId(1))), Some(first));
    car.door(REAR_LEFT, 4.0);
    assert_eq!(conflict(car.safe(first)), None);
    car.command(LOCK, true);
    car.wait(11.0);
    let second = car.last(EventType::ChildLeftBehind).id;
    assert_ne!(first, second);
    assert_eq!(conflict(car.safe(first)), Some(second), "an ended one");
    assert!(car.safe(second).is_ok());
}

#[test]
fn any_event_of_the_alert_may_be_answered() {
    let (mut car, first, _) = alert(Plan::sensor());
    car.wait(110.0);
    let repeat = car.last(EventType::ChildLeftBehind).id;
    assert!(repeat > first);
    assert!(car.snooze(repeat, 60).is_ok());
    assert!(car.safe(first).is_ok());
}

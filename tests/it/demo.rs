//! `telltale demo` from outside: the story, the plug pulled in the middle of it, what people answer.

use std::time::{Instant, SystemTime};

use serde_json::{Value, json};

use crate::drives::replay;
use crate::phone::{Phone, history};
use crate::unit::{Daemon, figure, folder, project};

fn is(event: &Value, event_type: &str) -> bool {
    event["eventType"] == event_type
}

fn is_stage(event: &Value, stage: &str) -> bool {
    is(event, "CHILD_LEFT_BEHIND") && event["child"]["stage"] == stage
}

#[test]
fn the_demo_tells_a_trip_a_fence_and_a_child_and_its_recording_tells_the_same() {
    let data = folder();
    let record = data.path().join("recording");
    let begun = Instant::now();
    let daemon = Daemon::demo(data.path(), &["--record", record.to_str().unwrap()]);
    figure("seconds_to_listen", begun.elapsed().as_secs_f64());
    let mut phone = Phone::default();
    assert!(phone.connect(&daemon));
    for (name, event_type) in [("trip", "TRIP_START"), ("fence", "GEOFENCE_EXIT"), ("child", "CHILD_LEFT_BEHIND")] {
        let event = phone.until(event_type, |event| is(event, event_type));
        figure(&format!("seconds_to_{name}"), begun.elapsed().as_secs_f64());
        assert_eq!(event["vin"], daemon.vin);
        assert!(!event["lastLocation"]["address"].as_str().unwrap().is_empty(), "{event}");
        assert_eq!(event["durable"], Value::Null, "{event}");
    }
    figure("resident_mib", daemon.resident() as f64 / f64::from(1 << 20));
    phone.agrees_with_history(&daemon);
    daemon.kill();

    // The recording is on disk up to the last fix.
    let file = |name: String| record.join(name).to_str().unwrap().to_owned();
    let (profile, fences) = (project("src/sim/car.toml"), project("src/sim/fences.geojson"));
    let (candump, nmea) = (file("school-run-forgotten.candump".to_owned()), file("school-run-forgotten.nmea".to_owned()));
    let args =
        ["--profile", profile.to_str().unwrap(), "--fences", fences.to_str().unwrap(), "--candump", &candump, "--nmea", &nmea];
    let short = |event: &Value| {
        json!([event["eventType"], event["child"]["stage"], event["geofence"]["id"], event["lastLocation"]["address"]])
    };
    // A receiver tells a fix some time after it was taken, and a replay merges by when it was taken: what ECUs answer in
    // between comes before it here and after it there. And a machine that was away hears nothing meanwhile, which is told.
    let of_ecus = |event: &&Value| event["diagnosis"]["source"].is_string();
    let of_the_car = |all: &[Value]| all.iter().filter(|event| !of_ecus(event)).map(short).collect::<Vec<_>>();
    let late = |event: &&Value| is(event, "SENSOR_STALE") || is(event, "SENSOR_RECOVERED");
    let of_its_ecus = |all: &[Value]| {
        let told = all.iter().filter(|event| of_ecus(event) && !late(event));
        told.map(|event| event["eventType"].clone()).collect::<Vec<_>>()
    };
    let replayed = replay(&args);
    for part in [&of_the_car as &dyn Fn(&[Value]) -> Vec<Value>, &of_its_ecus] {
        let (replayed, told) = (part(&replayed), part(&phone.told));
        let both = replayed.len().min(told.len());
        assert!(replayed.len() + 1 >= told.len() && told[..both] == replayed[..both], "{told:#?}\n{replayed:#?}");
    }
}

#[test]
fn killed_in_the_middle_of_an_alert_it_goes_on_with_no_gap_and_no_twin() {
    let data = tempfile::tempdir().unwrap();
    let mut phone = Phone::default();
    let daemon = Daemon::demo(data.path(), &["--speed", "8"]);
    phone.connect(&daemon);
    phone.until("an alert", |event| is_stage(event, "initial"));
    daemon.kill();
    phone.drain();

    let begun = Instant::now();
    let daemon = Daemon::demo(data.path(), &["--speed", "8"]);
    phone.connect(&daemon);
    let resumed = phone.until("the alert going on", |event| is(event, "CHILD_LEFT_BEHIND"));
    figure("seconds_to_resume", begun.elapsed().as_secs_f64());
    assert_eq!((&resumed["child"]["stage"], &resumed["child"]["resumed"]), (&json!("repeated"), &json!(true)), "{resumed}");
    assert_eq!(resumed["lastLocation"]["address"], "Office", "it knows where the car is: {resumed}");
    phone.until("its escalation", |event| is_stage(event, "escalated"));
    daemon.kill();
    phone.drain();

    let daemon = Daemon::demo(data.path(), &["--speed", "8"]);
    phone.connect(&daemon);
    let resumed = phone.until("the alert going on", |event| is(event, "CHILD_LEFT_BEHIND"));
    assert_eq!((&resumed["child"]["stage"], &resumed["severity"]), (&json!("repeated"), &json!("critical")), "{resumed}");
    let end = phone.until("its end", |event| is(event, "CHILD_ALERT_CLEARED"));
    assert_eq!(end["child"]["reason"], "rear_door_opened", "{end}");
    let count = |stage: &str| phone.told.iter().filter(|event| is_stage(event, stage)).count();
    assert_eq!((count("initial"), count("escalated")), (1, 1), "{:#?}", phone.summary());
    let begun = phone.told.iter().position(|event| is_stage(event, "initial")).unwrap();
    let moved = phone.told[begun..].iter().find(|event| event["geofence"].is_object());
    assert_eq!(moved, None, "the car has not moved: {:#?}", phone.summary());
    phone.agrees_with_history(&daemon);

    // Told again, each of the alert's events says that it has ended, and when.
    let replayed: Vec<Value> = history(&daemon).into_iter().filter(|event| is(event, "CHILD_LEFT_BEHIND")).collect();
    assert!(replayed.iter().all(|event| event["ended"] == end["eventId"]), "{replayed:#?}");
}

#[test]
fn killed_at_any_moment_it_loses_nothing_and_repeats_nothing() {
    let data = tempfile::tempdir().unwrap();
    let mut phone = Phone::default();
    let mut chance = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
    println!("chance begins at {chance}");
    for _ in 0..8 {
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let daemon = Daemon::demo(data.path(), &["--speed", "8"]);
        if phone.connect(&daemon) {
            // Something, a fix at least, is told every second of the car's time.
            for _ in 0..(chance >> 16) % 48 {
                assert!(phone.next().is_some(), "nobody has pulled the plug yet");
            }
        }
        daemon.kill();
        phone.drain();
    }
    let daemon = Daemon::demo(data.path(), &["--speed", "8"]);
    phone.connect(&daemon);
    phone.until("the end of an alert", |event| is(event, "CHILD_ALERT_CLEARED"));
    let mut stages = Vec::new();
    for event in &phone.told {
        if is(event, "CHILD_ALERT_CLEARED") {
            let count = |wanted: &str| stages.iter().filter(|stage| **stage == wanted).count();
            assert!(count("initial") == 1 && count("escalated") <= 1, "{:#?}", phone.summary());
            stages.clear();
        } else if is(event, "CHILD_LEFT_BEHIND") {
            stages.push(event["child"]["stage"].as_str().unwrap());
        }
    }
    phone.agrees_with_history(&daemon);
}

#[test]
fn with_a_journal_that_cannot_be_used_it_shows_everything_all_the_same_and_keeps_its_token() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("journal"), "in the way").unwrap();
    let daemon = Daemon::demo(data.path(), &["--speed", "8"]);
    let mut phone = Phone::default();
    assert!(phone.connect(&daemon));
    let event = phone.until("a trip", |event| is(event, "TRIP_START"));
    assert_eq!(event["durable"], false, "{event}");
    let token = daemon.token.clone();
    daemon.kill();
    std::fs::remove_file(data.path().join("journal")).unwrap();
    assert_eq!(Daemon::demo(data.path(), &[]).token, token);
}

#[test]
fn people_answer_an_alert_once_and_are_told_why_not_twice() {
    let data = tempfile::tempdir().unwrap();
    let daemon = Daemon::demo(data.path(), &[]);
    let answer =
        |kind: &str, body: Value| daemon.send("POST", &format!("/api/v1/childcare/vehicles/self/child-alert/{kind}"), &body);
    let mut phone = Phone::default();
    phone.connect(&daemon);
    answer("safe", json!({ "eventId": 1 })).expect(409);

    let initial = phone.until("an alert", |event| is_stage(event, "initial"));
    answer("snooze", json!({})).expect(422);
    answer("snooze", json!({ "eventId": initial["eventId"], "seconds": 59 })).expect(422);
    let snoozed = answer("snooze", json!({ "eventId": initial["eventId"], "seconds": 60 })).expect(200);
    assert_eq!(snoozed["eventType"], "CHILD_ALERT_SNOOZED");
    assert_eq!(snoozed["child"]["by"], "demo", "{snoozed}");
    assert_eq!(
        phone.until("the snooze", |event| is(event, "CHILD_ALERT_SNOOZED")),
        snoozed,
        "the stream tells what the answer told"
    );
    let again = answer("snooze", json!({ "eventId": initial["eventId"], "seconds": 60 })).expect(200);
    assert_eq!(again, snoozed, "the same answer to the same event is no second snooze");
    let second = answer("snooze", json!({ "eventId": snoozed["eventId"] })).expect(409);
    assert!(second["detail"].as_str().unwrap().contains(' '), "{second}");

    let state = daemon.get("/api/v1/childcare/vehicles/self/child-alert").expect(200);
    assert_eq!(state["data"]["state"], "snoozed", "{state}");
    let safe = answer("safe", json!({ "eventId": snoozed["eventId"] })).expect(200);
    assert_eq!(safe["eventType"], "CHILD_ALERT_ACKNOWLEDGED");
    assert_eq!(phone.until("the answer", |event| is(event, "CHILD_ALERT_ACKNOWLEDGED")), safe);
    answer("safe", json!({ "eventId": initial["eventId"] })).expect(409);
    phone.agrees_with_history(&daemon);
}

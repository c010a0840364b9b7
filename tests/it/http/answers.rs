//! What the paths answer that are no streams.

use std::sync::Arc;

use serde_json::json;
use telltale::clock::Wall;
use telltale::event::{EventId, EventType};
use telltale::feed::Diagnosed;
use telltale::request::Request;
use telltale::vehicle::Value;
use telltale::vehicle::trouble::{Classes, Code, CodeRecord, Ecu, Identified, Protocol, Readiness};

use super::door::Door;
use super::feed::VIN;

const ALERT: &str = "/api/v1/childcare/vehicles/self/child-alert";

#[tokio::test]
async fn the_state_has_every_signal_and_no_value_for_what_is_unknown() {
    let door = Door::open().await;
    for name in [VIN, "self"] {
        let state = door.get(&format!("/api/v1/vehicles/{name}/state")).await.json();
        assert_eq!((&state["vin"], &state["timestamp"]), (&json!(VIN), &json!("2026-02-20T00:06:47.213Z")));
        assert_eq!(
            state["signals"],
            json!({
                "Vehicle.Speed": {"value": 12.5, "unit": "km/h", "age": 0.123, "source": "CGW1.X"},
                "Vehicle.Cabin.IsLocked": {"value": true, "age": 2.0, "source": "CGW1.X"},
                "Vehicle.TraveledDistance": {"unit": "km", "source": "CGW1.X"},
            })
        );
        assert_eq!(state["geofences"], json!([{"id": "home", "inside": true}]));
        assert_eq!(state["location"]["latitude"], 37.5);
    }
}

#[tokio::test]
async fn that_vendors_state_queries() {
    let door = Door::open().await;
    assert_eq!(door.get(ALERT).await.json(), json!({"data": {"state": "parked"}}));
    assert_eq!(door.get("/childcare/vehicles/self/geofence").await.json(), json!({"data": [{"id": "home", "inside": true}]}));
    let codes = "/api/v1/diagnosis/vehicles/self/auto/dtc";
    assert_eq!(door.get(codes).await.json(), json!({"data": {"mil": false}}));
    door.feed.change_picture(|picture| picture.status.mil = None);
    assert_eq!(door.get(codes).await.json(), json!({"data": {}}), "unknown is absent");
    let clear = door.ask("DELETE", codes, &["X-Api-Key: control"], "").await;
    assert_eq!(clear.status(), 403);
    assert!(clear.problem().contains("change the car"));
}

#[tokio::test]
async fn trouble_codes_are_told_with_what_is_known_of_each() {
    let door = Door::open().await;
    let record = CodeRecord {
        ecu: Ecu::Normal(0x7E8),
        code: Code::Iso { base: 0x0301, failure: Some(0x11) },
        text: Some("cylinder 1 misfires".to_owned()),
        protocols: vec![Protocol::Obd, Protocol::Uds],
        classes: Classes::STORED.and(Classes::PENDING),
        occurrences: None,
        mil: Some(true),
        first_seen: Wall::from_micros(1_771_546_000_000_000),
        last_seen: Wall::from_micros(1_771_546_007_213_000),
        freeze_frame: vec![("Vehicle.OBD.CoolantTemperature".to_owned(), Value::Number(92.0))],
        extended: vec![(1, "05".to_owned())],
    };
    let told = json!({
        "code": "P0301", "text": "cylinder 1 misfires", "protocols": ["OBD-II", "UDS"], "ecu": "7E8",
        "status": ["stored", "pending"], "failureType": "11", "mil": true, "firstSeen": "2026-02-20T00:06:40.000Z",
        "lastSeen": "2026-02-20T00:06:47.213Z", "freezeFrame": {"Vehicle.OBD.CoolantTemperature": 92.0},
        "extendedData": {"01": "05"},
    });
    let monitors = vec![("catalyst".to_owned(), false)];
    let readiness = Arc::new(vec![Readiness { ecu: Ecu::Normal(0x7E8), monitors }]);
    let part = Identified { ecu: Ecu::Normal(0x7E8), name: "partNumber".to_owned(), value: "TT-1".to_owned() };
    let identified = Arc::new(vec![part]);
    let diagnosis = Diagnosed { revision: 1, codes: Some(Arc::new(vec![record])), readiness, identified };
    door.feed.change_picture(|picture| picture.status.diagnosis = diagnosis);
    let codes = door.get("/api/v1/diagnosis/vehicles/self/auto/dtc").await.json();
    assert_eq!(codes, json!({"data": {"mil": false, "codes": [told]}}));
    let all = door.get("/api/v1/diagnosis/codes").await.json();
    assert_eq!((&all["codes"], &all["mil"]), (&json!([told]), &json!(false)));
    assert_eq!(all["readiness"], json!({"7E8": {"catalyst": false}}));
    assert_eq!(all["identifiers"], json!({"7E8": {"partNumber": "TT-1"}}));
}

#[tokio::test]
async fn an_alert_is_answered_with_the_event_it_made() {
    let door = Door::open().await;
    door.feed.alert(7);
    let control = ["Authorization: Bearer control"];
    let answer = door.ask("POST", &format!("{ALERT}/snooze"), &control, r#"{"eventId": 7, "seconds": 120}"#).await;
    assert_eq!((answer.status(), answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.json()["eventId"], 7);
    let answer = door.ask("POST", "/childcare/vehicles/self/child-alert/safe", &control, r#"{"eventId": 7}"#).await;
    assert_eq!(answer.status(), 200);
    let by = || "mum".to_owned();
    let event = EventId(7);
    assert_eq!(door.feed.asked(), [Request::Snooze { event, seconds: 120, by: by() }, Request::Safe { event, by: by() }]);
}

#[tokio::test]
async fn an_answer_to_something_else_is_a_conflict_that_names_what_runs() {
    let door = Door::open().await;
    door.feed.alert(7);
    let control = ["X-Api-Key: control"];
    let conflict = door.ask("POST", &format!("{ALERT}/safe"), &control, r#"{"eventId": 3}"#).await;
    assert_eq!((conflict.status(), &conflict.json()["eventId"]), (409, &json!(7)));
    conflict.problem();
    for (path, body, status, field) in [
        ("safe", "", 400, None),
        ("safe", "{]", 400, None),
        ("safe", "7", 400, None),
        ("safe", "{}", 422, Some("eventId")),
        ("safe", r#"{"eventId": "7"}"#, 422, Some("eventId")),
        ("snooze", r#"{"eventId": 7, "seconds": 59}"#, 422, Some("seconds")),
        ("snooze", r#"{"eventId": 7, "seconds": 601}"#, 422, Some("seconds")),
    ] {
        let answer = door.ask("POST", &format!("{ALERT}/{path}"), &control, body).await;
        assert_eq!((answer.status(), answer.json()["field"].as_str()), (status, field), "{path} {body}");
        answer.problem();
    }
    door.feed.set_broken(true);
    let answer = door.ask("POST", &format!("{ALERT}/safe"), &control, r#"{"eventId": 7}"#).await;
    assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("5")));
}

#[tokio::test]
async fn history_goes_on_where_it_ended() {
    let door = Door::open().await;
    for id in 1..=600 {
        door.feed.tell(id, if id % 3 == 0 { EventType::TripStart } else { EventType::GeofenceEnter });
    }
    door.feed.publish(601, "mum");
    door.feed.publish(602, "dad");
    let (mut since, mut ids, mut calls) = (0, Vec::new(), 0);
    while calls < 10 {
        let page = door.get(&format!("/api/v1/events?since={since}&limit=250")).await.json();
        let events = page["events"].as_array().unwrap();
        ids.extend(events.iter().map(|event| event["eventId"].as_u64().unwrap()));
        since = page["next"].as_u64().unwrap();
        calls += 1;
        if events.is_empty() {
            break;
        }
    }
    assert_eq!((ids, since, calls), ((1..=601).collect::<Vec<_>>(), 602, 4), "all but what was published to another");
    assert_eq!(door.get("/api/v1/events").await.json()["events"].as_array().unwrap().len(), 100);
    let long = door.get("/api/v1/events?limit=1000").await.json();
    assert_eq!((long["events"].as_array().unwrap().len(), &long["next"]), (601, &json!(602)));
}

#[tokio::test]
async fn history_of_some_types() {
    let door = Door::open().await;
    door.feed.alert(1);
    door.feed.end_alert(2);
    door.feed.tell(3, EventType::TripStart);
    door.feed.tell(4, EventType::TripEnd);
    door.feed.publish(5, "mum");
    let ids = |query: &'static str| {
        let door = &door;
        async move {
            let page = door.get(&format!("/api/v1/events?{query}")).await.json();
            let ids = page["events"].as_array().unwrap().iter().map(|event| event["eventId"].as_u64().unwrap());
            (ids.collect::<Vec<_>>(), page["next"].as_u64().unwrap())
        }
    };
    assert_eq!(ids("types=trip").await, (vec![3, 4], 5));
    assert_eq!(ids("types=TRIP_END,CHILD_LEFT_BEHIND").await, (vec![1, 4], 5));
    assert_eq!(ids("types=TRIP_END,ICE_CREAM&limit=1").await, (vec![4], 4));
    assert_eq!(ids("types=ICE_CREAM").await, (vec![5], 5));
    let first = door.get("/api/v1/events?limit=1").await.json();
    assert_eq!(first["events"][0]["ended"], 2);
    for query in ["types=chld", "since=x", "since=-1", "limit=0", "limit=1001", "since=9007199254740992"] {
        let answer = door.get(&format!("/api/v1/events?{query}")).await;
        assert_eq!(answer.status(), 400, "{query}");
        assert!(query.starts_with(answer.json()["field"].as_str().unwrap()));
        answer.problem();
    }
    door.feed.set_broken(true);
    assert_eq!(door.get("/api/v1/events").await.status(), 503);
}

#[tokio::test]
async fn a_history_that_breaks_off_is_torn_and_not_whole() {
    let door = Door::open().await;
    for id in 1..=1000 {
        door.feed.tell(id, EventType::TripStart);
    }
    door.feed.break_after(2);
    let mut client = door.client().await;
    client.send(super::client::request("GET", "/api/v1/events?limit=1000", &["X-Api-Key: read"], "")).await;
    assert_eq!(client.head().await.unwrap().status, 200);
    while let Ok(piece) = client.try_chunk().await {
        assert!(piece.is_some(), "a proper end would be a lie");
    }
}

#[tokio::test]
async fn fences_are_geojson_and_the_files_are_not_the_phones() {
    let door = Door::open().await;
    let list = door.get("/api/v1/geofences").await;
    assert_eq!(list.header("content-type"), Some("application/geo+json"));
    let list = list.json();
    assert_eq!((&list["type"], list["features"].as_array().unwrap().len()), (&json!("FeatureCollection"), 2));
    assert_eq!((&list["features"][0]["id"], &list["features"][0]["properties"]["source"]), (&json!("school"), &json!("file")));
    assert_eq!(door.get("/api/v1/geofences/home").await.json()["properties"]["name"], "HOME");
    assert_eq!(door.get("/api/v1/geofences/nowhere").await.status(), 404);

    let feature = json!({
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [127.1, 37.5]},
        "properties": {"type": "Circle", "radius": 80, "radius_units": "m", "name": "Grandma"},
    })
    .to_string();
    let control = ["X-Api-Key: control"];
    let put = |path: &'static str, body: String| {
        let door = &door;
        async move { door.ask("PUT", path, &control, &body).await }
    };
    let created = put("/api/v1/geofences/grandma%20%26%20co", feature.clone()).await;
    assert_eq!(created.status(), 201);
    assert_eq!((&created.json()["id"], &created.json()["properties"]["source"]), (&json!("grandma & co"), &json!("phone")));
    assert_eq!(put("/api/v1/geofences/home", feature.clone()).await.status(), 200);
    assert_eq!(put("/api/v1/geofences/school", feature.clone()).await.status(), 409);
    assert!(matches!(&door.feed.asked()[0], Request::PutFence(fence) if fence.id == "grandma & co"));
    for broken in ["", "{", "[]", "{\"type\": \"Polygon\"}"] {
        let answer = put("/api/v1/geofences/x", broken.to_owned()).await;
        assert!([400, 422].contains(&answer.status()), "{broken}");
        answer.problem();
    }
    let whole = put("/api/v1/geofences/x", "[]".to_owned()).await.json();
    assert_eq!((&whole["status"], whole.get("field")), (&422.into(), None), "no field is to blame: {whole}");
    let long = door.ask("PUT", &format!("/api/v1/geofences/{}", "x".repeat(65)), &control, &feature).await;
    assert_eq!(long.status(), 422);
    assert_eq!(put("/api/v1/geofences/x", " ".repeat(300_000)).await.status(), 413);

    assert_eq!(door.ask("DELETE", "/api/v1/geofences/home", &control, "").await.status(), 204);
    assert_eq!(door.ask("DELETE", "/api/v1/geofences/nowhere", &control, "").await.status(), 404);
}

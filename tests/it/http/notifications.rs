//! server-sent-events' clients: a member's own stream, devices that come back by name, and publishers.

use std::time::Duration;

use telltale::event::EventType;
use telltale::feed::{Feed, Scope};

use super::client::EventStream;
use super::door::Door;

const PUBLISH: &str = "Authorization: Bearer publish";
const SEED: &str =
    r#"{"event": {"type": "EVENT_TYPE_WITH_UPPER_CASE", "body": {"examplePropertyOfEvent": "exampleValueOfProperty"}}}"#;

async fn publish(door: &Door, headers: &[&str], body: &str) -> (u16, serde_json::Value) {
    let answer = door.ask("POST", "/events", &[&[PUBLISH], headers].concat(), body).await;
    (answer.head.status, answer.json())
}

#[tokio::test]
async fn the_seeds_own_event_comes_back_to_its_member_and_to_nobody_else() {
    let door = Door::open().await;
    let mut stream = door.stream("/notification/events", &["MemberId: mum"]).await;
    let mut alerts = door.stream("/api/my-events", &[]).await;
    stream.named("position").await;
    let (status, answer) = publish(&door, &["Member-ID: mum"], SEED).await;
    assert_eq!((status, &answer), (201, &serde_json::json!({"id": 1})));
    let told = stream.next().await.unwrap();
    assert_eq!((told.name.as_str(), told.id.as_str()), ("EVENT_TYPE_WITH_UPPER_CASE", "1"));
    let data = told.json();
    assert_eq!(data["examplePropertyOfEvent"], "exampleValueOfProperty");
    assert_eq!(data["body"]["examplePropertyOfEvent"], "exampleValueOfProperty");
    assert!(data["timestamp"].as_str().unwrap().ends_with('Z'));
    door.feed.alert(2);
    let alert = stream.next().await.unwrap();
    assert_eq!((alert.name.as_str(), &alert.json()["eventType"]), ("CHILD_LEFT_BEHIND", &"CHILD_LEFT_BEHIND".into()));
    assert_eq!(alerts.named("message").await.id, "2", "published events are on no stream of alerts");
}

#[tokio::test]
async fn nobody_reads_another_members_stream() {
    let door = Door::open().await;
    door.feed.publish(1, "dad");
    door.feed.publish(2, "mum");
    for headers in [&["Member-ID: dad"][..], &["MemberId: dad"], &["Member-ID: mum", "MemberId: dad"]] {
        let refused = door.stream("/events", headers).await.head.status;
        assert!(matches!(refused, 400 | 403), "{headers:?}: {refused}");
    }
    let mut stream = door.stream("/events", &["Last-Event-ID: 0"]).await;
    stream.named("position").await;
    assert_eq!(stream.next().await.unwrap().id, "2");
    let history = door.get("/api/v1/events").await.json();
    let ids: Vec<_> = history["events"].as_array().unwrap().iter().map(|event| event["eventId"].as_u64().unwrap()).collect();
    assert_eq!(ids, [2], "history too");
}

#[tokio::test]
async fn the_bodys_keys_never_take_the_place_of_the_events_own() {
    let door = Door::open().await;
    let mut stream = door.stream("/events", &[]).await;
    stream.named("position").await;
    let body = r#"{"event": {"type": "X", "body": {"eventId": 99, "vin": "FORGED", "eventType": "CHILD_LEFT_BEHIND", "body": 1, "own": "a\u2028b"}}}"#;
    assert_eq!(publish(&door, &[], body).await.0, 201);
    let told = stream.next().await.unwrap();
    let data = told.json();
    assert_eq!((told.name.as_str(), &data["eventId"], &data["eventType"]), ("X", &1.into(), &"X".into()));
    assert_eq!((&data["own"], &data["body"]["vin"], &data["body"]["body"]), (&"a\u{2028}b".into(), &"FORGED".into(), &1.into()));
    assert!(!told.data.contains('\u{2028}'));
}

#[tokio::test]
async fn a_publisher_is_told_what_would_be_right() {
    let door = Door::open().await;
    let own = r#"{"event": {"type": "CHILD_LEFT_BEHIND", "body": {}}}"#;
    let cases: [(&[&str], &str, u16); 8] = [
        (&[], own, 422),
        (&[], r#"{"event": {"type": "lower", "body": {}}}"#, 422),
        (&[], r#"{"event": {"type": "X", "body": []}}"#, 422),
        (&[], r#"{"type": "X"}"#, 422),
        (&[], "{", 400),
        (&["Member-ID: nobody"], SEED, 404),
        (&["Member-ID: mum", "MemberId: dad"], SEED, 400),
        (&["Idempotency-Key:"], SEED, 400),
    ];
    for (headers, body, status) in cases {
        let (refused, answer) = publish(&door, headers, body).await;
        assert_eq!(refused, status, "{body}: {answer}");
        assert!(answer["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
    assert!(door.feed.asked().is_empty());
    for (headers, status) in [(&["X-Api-Key: control"][..], 403), (&["X-Api-Key: wrong"], 401), (&[], 401)] {
        assert_eq!(door.ask("POST", "/events", headers, SEED).await.head.status, status, "{headers:?}");
    }
    assert_eq!(door.ask("POST", "/events?token=publish", &[], SEED).await.head.status, 401, "no token in a query for a change");
    assert_eq!(door.ask("PUT", "/events", &[PUBLISH], SEED).await.head.header("allow"), Some("GET, POST, HEAD, OPTIONS"));
}

#[tokio::test]
async fn sixteen_kibibytes_may_be_published_and_no_more() {
    let door = Door::open().await;
    let of = |bytes: usize| {
        let frame = r#"{"event":{"type":"X","body":{"a":""}}}"#;
        frame.replace("\"\"", &format!("\"{}\"", "x".repeat(bytes - frame.len())))
    };
    assert_eq!(publish(&door, &[], &of(16 * 1024)).await.0, 201);
    assert_eq!(publish(&door, &[], &of(16 * 1024 + 1)).await.0, 413);
}

#[tokio::test]
async fn what_is_not_durable_is_not_said_to_be() {
    let door = Door::open().await;
    door.feed.set_broken(true);
    assert_eq!(publish(&door, &[], SEED).await.0, 503, "nobody answers");
    door.feed.set_broken(false);
    door.feed.tell_from_memory();
    assert_eq!(publish(&door, &[], SEED).await.0, 503, "told, and not written");
}

#[tokio::test]
async fn under_one_name_there_is_one_event() {
    let door = Door::open().await;
    door.feed.pair("other", vec![Scope::Publish]);
    let key = ["Idempotency-Key: 1f0e"];
    assert_eq!(publish(&door, &key, SEED).await, (201, serde_json::json!({"id": 1})));
    assert_eq!(publish(&door, &key, SEED).await, (201, serde_json::json!({"id": 1})));
    assert_eq!(publish(&door, &key, &SEED.replace("example", "another")).await.0, 422);
    assert_eq!(publish(&door, &["Idempotency-Key: 1f0f"], SEED).await.1["id"], 2);
    let other = door.ask("POST", "/events", &["X-Api-Key: other", key[0]], SEED).await;
    assert_eq!(other.json()["id"], 3, "a key is its device's own");
}

#[tokio::test(start_paused = true)]
async fn ten_a_second() {
    let door = Door::open().await;
    let mut client = door.client().await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(client.ask("POST", "/events", &[PUBLISH], SEED).await.head.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 10, "{statuses:?}");
    assert_eq!(statuses.last(), Some(&429));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(client.ask("POST", "/events", &[PUBLISH], SEED).await.head.status, 201);
}

/// Where the unit keeps that a device is, by the order of keys.
fn kept(door: &Door) -> Vec<u64> {
    let rows = door.feed.kept("door/device/");
    rows.iter().map(|(_, row)| u64::from_le_bytes(row[..8].try_into().unwrap())).collect()
}

async fn device(door: &Door, name: &str) -> EventStream {
    door.stream("/events", &[&format!("Device-Id: {name}")]).await
}

/// Ids of what a stream tells up to `last`.
async fn ids_to(stream: &mut EventStream, last: &str) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.last().is_none_or(|id| id != last) {
        let told = stream.next().await.expect("the stream goes on");
        if told.name != "position" {
            ids.push(told.id);
        }
    }
    ids
}

#[tokio::test(start_paused = true)]
async fn a_device_that_comes_back_by_name_goes_on_where_its_tcp_was() {
    let door = Door::open().await;
    door.feed.tell(1, EventType::TripStart);
    let mut stream = device(&door, "phone").await;
    assert_eq!(stream.named("position").await.id, "1", "a new device begins now");
    door.feed.tell(2, EventType::TripEnd);
    assert_eq!(ids_to(&mut stream, "2").await, ["2"]);
    // What it has is seen by its TCP, within seconds; the end of the stream writes that down.
    let mut seen = stream;
    loop {
        drop(seen);
        door.until("telltale_http_streams", 0.0).await;
        if kept(&door) == [2] {
            break;
        }
        seen = device(&door, "phone").await;
        ids_to(&mut seen, "2").await;
        tokio::time::sleep(Duration::from_millis(2500)).await;
    }
    door.feed.tell(3, EventType::TripStart);
    let mut stream = device(&door, "phone").await;
    assert_eq!(ids_to(&mut stream, "3").await, ["3"]);
}

#[tokio::test]
async fn what_was_never_acknowledged_is_told_again_and_nothing_is_left_out() {
    let door = Door::open().await;
    door.feed.alert(5);
    for _ in 0..2 {
        // It is cut off at once; the alert that was active when it first came is still owed.
        let mut stream = device(&door, "phone").await;
        assert_eq!(ids_to(&mut stream, "5").await, ["5"]);
        drop(stream);
        door.until("telltale_http_streams", 0.0).await;
        assert_eq!(kept(&door), [4]);
    }
    door.feed.end_alert(6);
    let mut stream = device(&door, "phone").await;
    assert_eq!(ids_to(&mut stream, "6").await, ["5", "6"]);
}

#[tokio::test]
async fn an_id_that_is_presented_wins_and_is_remembered() {
    let door = Door::open().await;
    (1..=9).for_each(|id| door.feed.tell(id, EventType::TripStart));
    let headers = ["Device-Id: phone", "Last-Event-ID: 7"];
    let mut stream = door.stream("/events", &headers).await;
    assert_eq!(ids_to(&mut stream, "9").await, ["8", "9"]);
    assert_eq!(kept(&door), [7], "at once");
    drop(stream);
    door.until("telltale_http_streams", 0.0).await;
    let mut stream = door.stream("/events", &["Device-Id: phone", "Last-Event-ID: 3"]).await;
    assert_eq!(ids_to(&mut stream, "9").await.len(), 6, "it knows best what it wants");
    drop(stream);
    door.until("telltale_http_streams", 0.0).await;
    let mut stream = device(&door, "phone").await;
    assert_eq!(ids_to(&mut stream, "9").await, ["8", "9"], "the highest");
    drop(stream);
    door.until("telltale_http_streams", 0.0).await;
    let mut stream = door.stream("/events", &["Device-Id: phone", "Last-Event-ID: 99"]).await;
    assert_eq!(stream.next().await.unwrap().name, "gap");
    assert_eq!(kept(&door), [7], "an id that was never told is none");
}

#[tokio::test]
async fn eight_devices_a_token_the_longest_away_gives_way_and_revoked_ones_go() {
    let door = Door::open().await;
    for n in 1..=9 {
        door.feed.tell(n, EventType::TripStart);
        let mut stream = device(&door, &format!("phone {n}")).await;
        stream.named("position").await;
        drop(stream);
        door.until("telltale_http_streams", 0.0).await;
    }
    let mut positions = kept(&door);
    positions.sort();
    assert_eq!(positions, (2..=9).collect::<Vec<_>>());
    let long = format!("Device-Id: {}", "x".repeat(65));
    assert_eq!(door.stream("/events", &[&long]).await.head.status, 400);
    door.feed.revoke_device("id-read").await.unwrap();
    let mut stream = EventStream::open(door.address, "/events", &["X-Api-Key: admin", "Device-Id: other"]).await;
    stream.named("position").await;
    assert_eq!(kept(&door), [9], "only the admin's");
}

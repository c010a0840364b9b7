//! What stands on a stream, and when.

use std::time::Duration;

use telltale::event::EventType;
use telltale::health::Condition;
use tokio::time::Instant;

use super::door::Door;
use super::feed::{VIN, fix, stamp};

const CHILD: &str = "/api/v1/childcare/vehicles/self/child-alert/events";

#[tokio::test]
async fn the_seeds_own_client_sees_the_alert() {
    let door = Door::open().await;
    let path = format!("/api/v1/childcare/vehicles/{VIN}/child-alert/events?token=read");
    let mut stream = super::client::EventStream::open(door.address, &path, &["Accept: text/event-stream"]).await;
    assert_eq!(stream.head.status, 200);
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(stream.head.header(name), Some(value));
    }
    assert_eq!(stream.head.header("content-encoding"), None);
    stream.named("position").await;
    door.feed.alert(7);
    let told = stream.named("message").await;
    assert_eq!((told.json()["eventType"].as_str(), told.id.as_str()), (Some("CHILD_LEFT_BEHIND"), "7"));
    assert!(told.json()["lastLocation"]["address"].as_str().is_some_and(|address| !address.is_empty()));
}

#[tokio::test]
async fn it_opens_with_retry_a_comment_and_a_position() {
    let door = Door::open().await;
    door.feed.tell(41, EventType::TripStart);
    let mut stream = door.stream(CHILD, &[]).await;
    let told = stream.next().await.unwrap();
    assert_eq!(stream.pieces[0], b"retry: 2000\n:\n");
    assert_eq!((told.name.as_str(), told.data.as_str(), told.id.as_str()), ("position", "{\"eventId\":41}", "41"));
}

#[tokio::test]
async fn each_event_is_one_piece_with_its_id_last() {
    let door = Door::open().await;
    let mut stream = door.stream("/api/my-events?names=trip", &[]).await;
    stream.named("position").await;
    door.feed.alert(7);
    door.feed.tell(8, EventType::TripStart);
    stream.named("trip").await;
    let wire = stream.pieces.iter().rev().take(2).map(|piece| String::from_utf8(piece.clone()).unwrap()).collect::<Vec<_>>();
    assert!(wire[1].starts_with("data: {\"eventId\":7,") && wire[1].ends_with("}\nid: 7\n\n"), "{}", wire[1]);
    assert!(wire[0].starts_with("event: trip\ndata: {\"eventId\":8,") && wire[0].ends_with("}\nid: 8\n\n"), "{}", wire[0]);
}

#[tokio::test]
async fn every_stream_shows_its_own_kinds() {
    let door = Door::open().await;
    let paths = [CHILD, "/childcare/vehicles/self/geofence/events", "/api/v1/diagnosis/auto/events", "/api/my-events"];
    let expected = [
        vec!["CHILD_LEFT_BEHIND"],
        vec!["GEOFENCE_ENTER"],
        vec!["MIL_ON"],
        vec!["CHILD_LEFT_BEHIND", "GEOFENCE_ENTER", "MIL_ON", "TRIP_START"],
    ];
    let mut streams = Vec::new();
    for path in paths {
        let mut stream = door.stream(path, &[]).await;
        stream.named("position").await;
        streams.push(stream);
    }
    for (id, event_type) in
        [EventType::ChildLeftBehind, EventType::GeofenceEnter, EventType::MilOn, EventType::TripStart].into_iter().enumerate()
    {
        door.feed.tell(id as u64 + 1, event_type);
    }
    door.feed.publish(5, "mum");
    door.until("telltale_http_events_total", 7.0).await;
    door.shutdown.cancel();
    for (stream, expected) in streams.into_iter().zip(expected) {
        let told = stream.rest().await;
        let types = told
            .iter()
            .filter(|told| told.name == "message" && told.id != "0")
            .map(|told| told.json()["eventType"].as_str().unwrap().to_owned());
        let types: Vec<_> = types.filter(|name| name != "VEHICLE_STATUS").collect();
        assert_eq!(types, expected);
    }
}

#[tokio::test]
async fn diagnosis_begins_with_a_snapshot_and_tells_changes_at_once() {
    let door = Door::open().await;
    let mut stream = door.stream("/diagnosis/auto/events", &[]).await;
    let first = stream.next().await.unwrap();
    let status = first.json();
    assert_eq!((first.name.as_str(), first.id.as_str()), ("message", ""));
    assert_eq!(status["eventType"], "VEHICLE_STATUS");
    assert_eq!((&status["vin"], &status["timeSource"]), (&VIN.into(), &"gnss".into()));
    assert_eq!(status["timestamp"], "2026-02-20T00:06:47.213Z");
    assert_eq!(status["status"], serde_json::json!({"mil": false, "sources": {"can0": "ok"}}));
    assert_eq!(status["lastLocation"]["address"], "Office\u{2028}<b>");
    assert!(!first.data.contains('\u{2028}'), "escaped on the wire");
    assert_eq!(stream.next().await.unwrap().name, "position");

    door.feed.change_picture(|picture| picture.status.mil = Some(true));
    assert_eq!(stream.next().await.unwrap().json()["status"]["mil"], true);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_comes_again_after_ten_seconds_at_the_earliest() {
    let door = Door::open().await;
    let mut stream = door.stream("/api/v1/diagnosis/auto/events", &[]).await;
    stream.named("position").await;
    let begun = Instant::now();
    for second in 1..=25 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        door.feed.change_picture(|picture| picture.stamp = stamp(second));
    }
    door.shutdown.cancel();
    let told = stream.rest().await;
    assert_eq!((told.len(), begun.elapsed().as_secs()), (2, 25), "{told:?}");
}

#[tokio::test]
async fn my_events_has_gps_status_and_heartbeat_by_name() {
    let door = Door::open().await;
    let mut stream = door.stream("/api/my-events", &[]).await;
    let (heartbeat, status, gps) = (stream.next().await.unwrap(), stream.next().await.unwrap(), stream.next().await.unwrap());
    assert_eq!((heartbeat.name.as_str(), heartbeat.data.as_str()), ("heartbeat", "OK"));
    assert_eq!((status.name.as_str(), &status.json()["eventType"]), ("status", &"VEHICLE_STATUS".into()));
    assert_eq!(gps.name, "gps");
    assert_eq!(
        gps.json()["gps"],
        serde_json::json!({"latitude": 37.5, "longitude": 127.1, "altitude": 30.0, "speed": 12.35, "heading": 182.0, "accuracy": 4.12, "satellites": 9})
    );
    stream.named("position").await;
    door.feed.change_picture(|picture| picture.location.fix = Some(fix(1)));
    let gps = stream.next().await.unwrap();
    assert_eq!((gps.name.as_str(), gps.id.as_str()), ("gps", "0"), "telemetry has no id of its own");
}

#[tokio::test(start_paused = true)]
async fn live_telemetry_is_the_latest_value_ten_times_a_second_at_most() {
    let door = Door::open().await;
    let mut stream = door.stream("/api/my-events", &[]).await;
    stream.named("position").await;
    for step in 1..=100 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        door.feed.change_picture(|picture| picture.location.fix = Some(fix(step)));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    door.shutdown.cancel();
    let told = stream.rest().await;
    let gps = told.iter().filter(|told| told.name == "gps").count();
    assert!((9..=12).contains(&gps), "{gps} in a second");
}

#[tokio::test(start_paused = true)]
async fn the_heart_beats_every_five_seconds_and_says_what_ready_says() {
    let door = Door::open().await;
    let mut stream = door.stream("/api/heartbeat", &[]).await;
    assert_eq!(stream.named("heartbeat").await.data, "OK");
    let begun = Instant::now();
    door.health.set("journal", Condition::Degraded, "the disk is full");
    assert_eq!(stream.named("heartbeat").await.data, "DEGRADED");
    door.health.set("journal", Condition::Ok, "");
    assert_eq!(stream.named("heartbeat").await.data, "OK");
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_comment_line_comes_every_fifteen_seconds() {
    let door = Door::open().await;
    let stream = door.stream(CHILD, &[]).await;
    tokio::time::sleep(Duration::from_secs(46)).await;
    door.shutdown.cancel();
    let mut stream = stream;
    while stream.next().await.is_some() {}
    assert_eq!(stream.browser.comments, 1 + 3);
    assert_eq!(stream.pieces.iter().filter(|piece| *piece == b":\n").count(), 3, "and no empty line");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_moves_with_nothing_to_show_is_told_within_a_minute() {
    let door = Door::open().await;
    let mut stream = door.stream(CHILD, &[]).await;
    assert_eq!(stream.named("position").await.id, "0");
    let begun = Instant::now();
    door.feed.tell(10, EventType::TripStart);
    tokio::time::sleep(Duration::from_secs(20)).await;
    door.feed.tell(11, EventType::TripEnd);
    let told = stream.next().await.unwrap();
    assert_eq!((told.name.as_str(), told.id.as_str()), ("position", "11"));
    assert!(begun.elapsed() <= Duration::from_secs(60));
    tokio::time::sleep(Duration::from_secs(300)).await;
    door.shutdown.cancel();
    assert_eq!(stream.next().await, None, "nothing moved, nothing was told");
}

#[tokio::test]
async fn shutdown_ends_every_stream_properly_and_the_server() {
    let door = Door::open().await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = door.stream("/api/my-events", &[]).await;
        stream.named("position").await;
        streams.push(stream);
    }
    door.shutdown.cancel();
    for stream in streams {
        stream.rest().await;
    }
    door.serving.await.unwrap();
    assert!(tokio::net::TcpStream::connect(door.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn an_http_1_0_client_gets_the_same_stream_without_chunks() {
    let door = Door::open().await;
    let mut client = door.client().await;
    client.send(format!("GET {CHILD} HTTP/1.0\r\nX-Api-Key: read\r\n\r\n")).await;
    let head = client.head().await.unwrap();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, None));
    door.until("telltale_http_streams", 1.0).await;
    door.feed.alert(7);
    door.until("telltale_http_events_total", 1.0).await;
    door.shutdown.cancel();
    let text = String::from_utf8(client.until_closed().await).unwrap();
    assert!(text.starts_with("retry: 2000\n:\nevent: position\n") && text.ends_with("id: 7\n\n"), "{text}");
}

#[tokio::test]
async fn a_stream_that_its_client_closes_gives_its_place_back() {
    let door = Door::open().await;
    let mut stream = door.stream(CHILD, &[]).await;
    stream.named("position").await;
    assert_eq!(door.metric("telltale_http_streams"), 1.0);
    drop(stream);
    door.until("telltale_http_streams", 0.0).await;
    door.until("telltale_http_connections", 0.0).await;
}

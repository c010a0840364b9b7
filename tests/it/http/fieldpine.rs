//! Fieldpine's clients: a stream of packets by keyword, and the page to cut and paste from.

use telltale::event::{EventType, Kind};

use super::client::EventStream;
use super::door::Door;
use super::feed::fix;

#[tokio::test]
async fn the_seeds_own_clients_see_packets_under_their_keyword() {
    let door = Door::open().await;
    // The browser's: a suffix that was never stored, a token in the query. The program's: headers.
    let mut browser = EventStream::open(door.address, "/eventsourcenull?want=child,trip,levels&token=read", &[]).await;
    let headers = ["X-Api-Key: read", "Last-Event-Id: 0", "Accept: text/event-stream"];
    let mut program = EventStream::open(door.address, "/eventsource_1_2_3_4?want=child", &headers).await;
    for stream in [&mut browser, &mut program] {
        assert_eq!((stream.head.status, stream.head.header("content-type")), (200, Some("text/event-stream")));
        let position = stream.next().await.unwrap();
        assert_eq!((position.name.as_str(), position.data.as_str()), ("position", "{\"Position\":[{\"RVE\":0}]}"));
        assert_eq!(position.id, "0");
    }
    door.feed.tell(6, EventType::GeofenceEnter);
    door.feed.alert(7);
    door.feed.tell(8, EventType::TripStart);
    let child = browser.next().await.unwrap();
    assert_eq!((child.name.as_str(), child.id.as_str()), ("child", "7"));
    let packet = child.json();
    assert_eq!(packet.as_object().unwrap().len(), 1, "an object of one array");
    let element = &packet["Child"][0];
    assert_eq!(
        (&element["eventType"], &element["eventId"], &element["RVE"]),
        (&"CHILD_LEFT_BEHIND".into(), &7.into(), &7.into())
    );
    assert_eq!(program.next().await.unwrap(), child);
    let trip = browser.next().await.unwrap();
    assert_eq!((trip.name.as_str(), &trip.json()["Trip"][0]["RVE"]), ("trip", &8.into()));
}

#[tokio::test]
async fn from_the_last_rve_it_goes_on_and_a_gap_is_a_packet_too() {
    let door = Door::open().await;
    (1..=5).for_each(|id| door.feed.tell(id, EventType::TripStart));
    let mut stream = door.stream("/eventsource?want=trip&rve=3", &[]).await;
    assert_eq!((stream.named("trip").await.id, stream.named("trip").await.id), ("4".to_owned(), "5".to_owned()));
    door.feed.prune(Kind::Trip, 3);
    door.feed.set_recent(3);
    let mut stream = door.stream("/eventsource?want=trip&rve=2", &[]).await;
    let gap = stream.next().await.unwrap();
    let expected = serde_json::json!({"Gap": [{"from": 2, "to": 3, "reason": "pruned", "RVE": 3}]});
    assert_eq!((gap.name.as_str(), gap.json(), gap.id.as_str()), ("gap", expected, "3"));
}

#[tokio::test]
async fn what_nobody_can_have_is_refused_with_what_there_is() {
    let door = Door::open().await;
    for want in ["", "?want=", "?want=all", "?want=child,all", "?want=eggs"] {
        let answer = door.get(&format!("/eventsource{want}")).await;
        assert_eq!(answer.head.status, 400, "{want}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(["child", "geofence", "diagnosis", "trip", "gps", "debug", "products"].iter().all(|word| detail.contains(word)));
    }
    assert_eq!(door.ask("GET", "/eventsource?want=child", &[], "").await.head.status, 401);
    assert_eq!(door.get("/eventsource_x?want=child").await.head.status, 404);
}

#[tokio::test]
async fn positions_come_as_packets_without_an_id() {
    let door = Door::open().await;
    let mut stream = door.stream("/eventsource?want=gps", &[]).await;
    let gps = stream.next().await.unwrap();
    assert_eq!((gps.name.as_str(), gps.id.as_str(), &gps.json()["Gps"][0]["gps"]["latitude"]), ("gps", "", &37.5.into()));
    stream.named("position").await;
    door.feed.change_picture(|picture| picture.location.fix = Some(fix(1)));
    assert_eq!(stream.next().await.unwrap().name, "gps");
}

#[tokio::test(start_paused = true)]
async fn debug_sends_every_second_what_real_packets_look_like_and_none_of_it_counts() {
    let door = Door::open().await;
    door.feed.tell(41, EventType::TripStart);
    let mut stream = door.stream("/eventsource?want=debug,child,products", &[]).await;
    stream.named("position").await;
    for _ in 0..2 {
        let mut kinds = Vec::new();
        for _ in 0..5 {
            let told = stream.next().await.unwrap();
            assert_eq!((told.name.as_str(), told.id.as_str()), ("debug", "41"), "the id is that of the position");
            let packet = told.json();
            let (kind, elements) = packet.as_object().unwrap().iter().next().unwrap();
            assert_eq!(elements[0]["test"], true);
            assert!(elements[0]["lastLocation"]["address"].is_string());
            assert!(elements[0].get("RVE").is_none_or(|rve| *rve == 41), "whoever goes on from it misses nothing");
            kinds.push(kind.clone());
        }
        assert_eq!(kinds, ["Child", "Geofence", "Diagnosis", "Trip", "Gps"]);
    }
    door.feed.alert(42);
    let child = stream.named("child").await;
    assert_eq!((child.json()["Child"][0].get("test"), child.id.as_str()), (None, "42"));
    let history = door.get("/api/v1/events").await.json();
    assert_eq!(history["events"].as_array().unwrap().len(), 2, "none of the tests is in the journal");
}

#[tokio::test]
async fn whoever_is_revoked_is_told_in_a_packet() {
    let door = Door::open().await;
    let mut stream = door.stream("/eventsource?want=child", &[]).await;
    stream.named("position").await;
    let answer = door.ask("DELETE", "/api/v1/devices/id-read", &["X-Api-Key: admin"], "").await;
    assert_eq!(answer.head.status, 204);
    assert!(stream.named("revoked").await.json()["Revoked"][0]["reason"].is_string());
    assert_eq!(stream.next().await, None);
    assert_eq!(door.get("/eventsource?want=child").await.head.status, 204);
}

#[tokio::test]
async fn the_test_page_is_there_for_everybody_and_takes_nothing_from_elsewhere() {
    let door = Door::open().await;
    for (file, content_type) in [("htm", "text/html"), ("js", "text/javascript"), ("css", "text/css")] {
        let answer = door.ask("GET", &format!("/report/pos/tests/eventsource.{file}"), &[], "").await;
        assert_eq!(answer.head.status, 200, "{file}");
        assert!(answer.head.header("content-type").unwrap().starts_with(content_type));
        let policy = answer.head.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'") && !policy.contains("unsafe"));
        assert!(!answer.text().contains("://"), "{file}");
    }
    assert_eq!(door.ask("GET", "/report/pos/tests/other.htm", &[], "").await.head.status, 404);
}

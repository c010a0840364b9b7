//! Coming back: no gap, no twin, complete.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use telltale::event::{EventType, Kind};
use telltale::feed::Scope;

use super::client::EventStream;
use super::door::Door;
use super::judge::{Browser, Told};

const CHILD: &str = "/api/v1/childcare/vehicles/self/child-alert/events";
const ALL: &str = "/api/my-events";

/// The events and control packets of a stream that has come to rest, without telemetry.
async fn told(door: &Door, path: &str, headers: &[&str], count: usize) -> Vec<Told> {
    let mut stream = door.stream(path, headers).await;
    let mut all = Vec::new();
    while all.len() < count {
        let told = stream.next().await.unwrap();
        if !["gps", "status", "heartbeat"].contains(&told.name.as_str()) {
            all.push(told);
        }
    }
    all
}

fn brief(told: &[Told]) -> Vec<(&str, u64)> {
    told.iter().map(|told| (told.name.as_str(), told.id.parse().unwrap())).collect()
}

fn fill(door: &Door) {
    for id in 1..=9 {
        door.feed.tell(id * 10, if id % 2 == 0 { EventType::GeofenceEnter } else { EventType::ChildSeatReminder });
    }
}

#[tokio::test]
async fn every_number_is_a_position() {
    let door = Door::open().await;
    fill(&door);
    let resumed = told(&door, ALL, &["Last-Event-ID: 65"], 4).await;
    assert_eq!(brief(&resumed), [("position", 65), ("message", 70), ("message", 80), ("message", 90)]);
    let child = told(&door, CHILD, &["Last-Event-ID: 60"], 3).await;
    assert_eq!(brief(&child), [("position", 60), ("message", 70), ("message", 90)]);
    let all = told(&door, &format!("{ALL}?lastEventId=0"), &[], 10).await;
    assert_eq!(brief(&all)[..2], [("position", 0), ("message", 10)]);
}

#[tokio::test]
async fn replay_and_live_are_one_sequence_however_long_the_replay() {
    let door = Door::open().await;
    for id in 1..=1000 {
        door.feed.tell(id, EventType::ChildSeatReminder);
    }
    let mut stream = door.stream(CHILD, &["Last-Event-ID: 0"]).await;
    let mut ids = Vec::new();
    for id in 1001..=1100 {
        door.feed.tell(id, EventType::ChildSeatReminder);
        ids.push(stream.named("message").await.event_id());
    }
    ids.extend(stream.ids_to(1100).await);
    assert_eq!(ids, (1..=1100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_long_replay_leaves_others_their_turn() {
    let door = Door::open().await;
    for id in 1..=6400 {
        door.feed.tell(id, EventType::ChildSeatReminder);
    }
    let turns = Arc::new(AtomicUsize::new(0));
    let counted = turns.clone();
    let other = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let mut stream = door.stream(CHILD, &["Last-Event-ID: 0"]).await;
    stream.ids_to(6400).await;
    assert!(turns.load(Ordering::Relaxed) >= 6400 / 256, "{turns:?}");
    other.abort();
}

#[tokio::test]
async fn without_an_id_it_is_the_active_alert_and_then_live() {
    let door = Door::open().await;
    fill(&door);
    door.feed.alert(95);
    door.feed.tell(99, EventType::TripStart);
    let fresh = told(&door, CHILD, &[], 2).await;
    assert_eq!(brief(&fresh), [("message", 95), ("position", 99)], "the position comes after, so that a cut loses nothing");
    let fences = told(&door, "/api/v1/childcare/vehicles/self/geofence/events", &[], 1).await;
    assert_eq!(brief(&fences), [("position", 99)], "not where child events are not shown");
    let resumed = told(&door, CHILD, &["Last-Event-ID: 90"], 2).await;
    assert_eq!(brief(&resumed), [("position", 90), ("message", 95)], "once, by the replay");
}

#[tokio::test]
async fn an_alert_that_has_ended_says_so_when_it_is_replayed() {
    let door = Door::open().await;
    door.feed.alert(5);
    let live = told(&door, CHILD, &["Last-Event-ID: 0"], 2).await;
    assert!(live[1].json().get("ended").is_none());
    door.feed.end_alert(9);
    let replayed = told(&door, CHILD, &["Last-Event-ID: 0"], 3).await;
    assert_eq!((replayed[1].event_id(), &replayed[1].json()["ended"]), (5, &9.into()));
    assert_eq!(replayed[2].event_id(), 9);
}

#[tokio::test]
async fn a_gap_only_where_something_this_stream_shows_was_pruned() {
    let door = Door::open().await;
    fill(&door);
    door.feed.prune(Kind::Geofence, 60);
    door.feed.set_recent(20);
    let child = told(&door, CHILD, &["Last-Event-ID: 30"], 2).await;
    assert_eq!(brief(&child), [("position", 30), ("message", 50)]);
    let all = told(&door, ALL, &["Last-Event-ID: 30"], 3).await;
    assert_eq!(brief(&all), [("gap", 30), ("position", 30), ("message", 50)]);
    assert_eq!(all[0].json(), serde_json::json!({"from": 30, "to": 30, "reason": "pruned"}));
    let after = told(&door, ALL, &["Last-Event-ID: 60"], 2).await;
    assert_eq!(brief(&after), [("position", 60), ("message", 70)], "what was pruned had been seen");
    let beginning = told(&door, ALL, &["Last-Event-ID: 0"], 2).await;
    assert_eq!(brief(&beginning), [("position", 0), ("message", 10)], "0 never gives a gap");
}

#[tokio::test]
async fn a_stream_that_is_overtaken_by_the_pruning_is_told_the_gap_once() {
    let door = Door::open().await;
    fill(&door);
    let mut stream = door.stream(ALL, &["Last-Event-ID: 85"]).await;
    assert_eq!(stream.named("message").await.event_id(), 90);
    for id in [100, 110, 120] {
        door.feed.tell(id, EventType::GeofenceExit);
    }
    door.feed.alert(125);
    door.feed.tell(130, EventType::GeofenceExit);
    door.feed.prune(Kind::Geofence, 110);
    door.feed.set_recent(95);
    let gap = stream.named("gap").await;
    assert_eq!(gap.json(), serde_json::json!({"from": 90, "to": 95, "reason": "pruned"}));
    assert_eq!(stream.ids_to(130).await, [120, 125, 130], "nothing twice");
    // What is pruned behind it is no concern of its any more.
    door.feed.prune(Kind::Geofence, 120);
    door.feed.tell(140, EventType::GeofenceExit);
    let mut after = Vec::new();
    while !after.ends_with(&[("message".to_owned(), 140)]) {
        let told = stream.next().await.unwrap();
        after.extend(told.id.parse().ok().map(|id| (told.name, id)));
    }
    assert!(after.iter().all(|(name, _)| name != "gap"), "{after:?}");
}

#[tokio::test]
async fn after_a_gap_come_the_active_alert_and_the_last_day() {
    let door = Door::open().await;
    fill(&door);
    door.feed.alert(95);
    for id in [100, 110] {
        door.feed.tell(id, EventType::GeofenceExit);
    }
    door.feed.prune(Kind::Geofence, 40);
    door.feed.set_recent(105);
    let old = told(&door, ALL, &["Last-Event-ID: 10"], 4).await;
    assert_eq!(brief(&old), [("gap", 105), ("message", 95), ("position", 105), ("message", 110)]);
    assert_eq!(old[0].json(), serde_json::json!({"from": 10, "to": 105, "reason": "pruned"}));
    door.feed.set_recent(90);
    let replayed = told(&door, ALL, &["Last-Event-ID: 10"], 5).await;
    assert_eq!(brief(&replayed), [("gap", 90), ("position", 90), ("message", 95), ("message", 100), ("message", 110)]);
}

#[tokio::test]
async fn an_id_from_nowhere_is_a_gap_of_unknown_length() {
    let door = Door::open().await;
    fill(&door);
    door.feed.set_recent(80);
    for (id, from) in [("91", 91), ("9007199254740991", 9007199254740991u64), ("abc", 0), ("1.5", 0), ("-1", 0)] {
        let unknown = told(&door, ALL, &[&format!("Last-Event-ID: {id}")], 3).await;
        assert_eq!(brief(&unknown), [("gap", 80), ("position", 80), ("message", 90)], "{id}");
        assert_eq!(unknown[0].json(), serde_json::json!({"from": from, "to": 80, "reason": "unknown"}));
    }
}

/// What a client has after its connection broke at any byte, and it came back as an `EventSource` does.
#[tokio::test]
async fn a_client_cut_off_at_every_byte_misses_nothing_and_sees_nothing_twice() {
    let door = Door::open().await;
    fill(&door);
    door.feed.alert(95);
    door.feed.tell(96, EventType::TripStart);
    door.feed.tell(97, EventType::ChildAlertCleared);
    let path = format!("{CHILD}?lastEventId=0");
    let mut whole = door.stream(&path, &[]).await;
    let expected = whole.ids_to(97).await;
    let bytes = whole.pieces.concat();
    for cut in 0..=bytes.len() {
        let mut browser = Browser::default();
        let before = browser.hear(&bytes[..cut]);
        let mut seen: Vec<u64> = before.iter().filter(|told| told.name == "message").map(Told::event_id).collect();
        if seen.last() != Some(&97) {
            // Nobody may come back more than 400 times at once.
            let phone = format!("phone {}", cut / 300);
            door.feed.pair(&phone, vec![Scope::Read]);
            let headers = [format!("Last-Event-ID: {}", browser.last_id), format!("X-Api-Key: {phone}")];
            let mut again = EventStream::open(door.address, &path, &[&headers[0], &headers[1]]).await;
            seen.extend(again.ids_to(97).await);
        }
        assert_eq!(seen, expected, "cut at {cut}: {:?}", String::from_utf8_lossy(&bytes[..cut]));
    }
}

/// The same for one that began without an id, in the middle of an alert.
#[tokio::test]
async fn a_client_without_an_id_cut_off_at_every_byte_has_the_alert_and_what_follows() {
    let door = Door::open().await;
    fill(&door);
    door.feed.alert(95);
    door.feed.tell(96, EventType::GeofenceEnter);
    let mut whole = door.stream(CHILD, &[]).await;
    whole.named("position").await;
    let bytes = whole.pieces.concat();
    door.feed.tell(98, EventType::ChildSeatReminder);
    for cut in 0..=bytes.len() {
        let mut browser = Browser::default();
        let before = browser.hear(&bytes[..cut]);
        let mut seen: Vec<u64> = before.iter().filter(|told| told.name == "message").map(Told::event_id).collect();
        if browser.last_id.is_empty() {
            continue;
        }
        let header = format!("Last-Event-ID: {}", browser.last_id);
        seen.extend(door.stream(CHILD, &[&header]).await.ids_to(98).await);
        assert_eq!(seen, [95, 98], "cut at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_read_holds_the_stream_and_loses_nothing() {
    let door = Door::open().await;
    let mut stream = door.stream(CHILD, &[]).await;
    stream.named("position").await;
    door.feed.set_broken(true);
    door.feed.alert(7);
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(door.metric("telltale_http_events_total"), 0.0);
    door.feed.set_broken(false);
    assert_eq!(stream.named("message").await.event_id(), 7);
    assert!(stream.browser.comments >= 3, "it was alive all the while");
}

#[tokio::test]
async fn a_gap_that_cannot_be_measured_ends_the_stream_so_that_the_client_asks_again() {
    let door = Door::open().await;
    fill(&door);
    door.feed.set_broken(true);
    let stream = door.stream(CHILD, &["Last-Event-ID: 1000"]).await;
    assert_eq!(stream.head.status, 200);
    assert_eq!(stream.rest().await, []);
}

#[tokio::test]
async fn ids_in_the_query_are_for_clients_that_cannot_set_headers() {
    let door = Door::open().await;
    fill(&door);
    for name in ["lastEventId", "last_event_id", "rve"] {
        let path = format!("{CHILD}?{name}=70&token=read");
        let mut stream = EventStream::open(door.address, &path, &[]).await;
        assert_eq!(stream.ids_to(90).await, [90], "{name}");
        let mut stream = EventStream::open(door.address, &path, &["Last-Event-ID: 50"]).await;
        assert_eq!(stream.ids_to(90).await, [70, 90], "the header wins over {name}");
    }
}

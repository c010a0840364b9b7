//! What goes first, what waits for how long, and what is told of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use telltale::clock::{TimeSource, Wall};
use telltale::event::{EventType, Kind};
use telltale::feed::TrackPoint;
use telltale::geo::Point;
use telltale::health::Condition;
use telltale::upstream::{Message, Now, Sent, Settings, Topic, Trouble};
use tokio::time::Instant;

use super::{MIDNIGHT, READER, Running, all, read, settings, subject, time};
use crate::http::feed::MemoryFeed;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn failed(trouble: Trouble) -> Sent {
    Sent { acknowledged: 0, bytes: 0, trouble: Some(trouble) }
}

fn unreachable() -> Sent {
    failed(Trouble::Unreachable("there is no route".to_owned()))
}

/// A link that is there or not.
#[derive(Clone, Default)]
struct Link(Arc<AtomicBool>);

impl Link {
    fn set(&self, up: bool) {
        self.0.store(up, Ordering::Relaxed);
    }

    fn answer(&self) -> impl FnMut(&[Message]) -> Sent + Send + use<> {
        let up = self.0.clone();
        move |messages| if up.load(Ordering::Relaxed) { all(messages) } else { unreachable() }
    }
}

/// Points every 10 s of so many minutes from midnight on.
fn track(minutes: i64) -> Vec<TrackPoint> {
    let point = Point { latitude: 37.5, longitude: 127.1 };
    let at = |n: i64| Wall::from_micros((MIDNIGHT + n * 10) * 1_000_000);
    let of = |n| TrackPoint { time: at(n), point, altitude: None, speed: Some(50.0), heading: None, accuracy: 4.0 };
    (0..minutes * 6).map(of).collect()
}

/// So many trips began and ended.
fn trips(feed: &MemoryFeed, ids: std::ops::Range<u64>) {
    for id in ids {
        feed.tell(id, if id % 2 == 0 { EventType::TripStart } else { EventType::TripEnd });
    }
}

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|id| id.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_childs_alert_overtakes_what_drains_and_nothing_starves() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..1001);
    feed.set_track(track(500));
    let (inner, order) = (feed.clone(), Arc::new(Mutex::new(Vec::new())));
    let log = order.clone();
    let now = time(MIDNIGHT + 86_400, TimeSource::Gnss);
    let running = Running::start_at(&feed, settings(), now, move |messages| {
        let mut log = log.lock().unwrap();
        log.extend(messages.first().map(subject));
        if log.len() == 5 {
            inner.alert(2000);
        }
        all(messages)
    });
    running.pass(MINUTE).await;
    let order = order.lock().unwrap().clone();
    assert_eq!(order[5], "child", "it came up while the fifth batch was on its way: {order:?}");
    assert_eq!(order.iter().position(|about| about == "track"), Some(7), "one in eight: {order:?}");
    assert_eq!(running.ids("trip"), numbers(1..1001));
    assert_eq!(running.ids("child"), ["2000"]);
    let windows: Vec<String> = (0..500).map(|minute| format!("track-{}", MIDNIGHT + minute * 60)).collect();
    assert_eq!(running.ids("track"), windows);
    let seen = running.stop().await;
    let seen = seen.lock().unwrap();
    assert!(seen.left, "good-bye was said");
    let points = |message: &Message| read(message)["data"]["points"].as_array().map_or(0, Vec::len);
    let sent: usize = seen.arrived.iter().filter(|(_, message)| message.topic == Topic::Track).map(|(_, it)| points(it)).sum();
    assert_eq!(sent, 3000, "every point once");
    let long = seen.batches.iter().map(|(_, length)| *length).max();
    assert_eq!(long, Some(16));
}

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_is_not_sent_again_after_a_stop_nor_its_track() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..40);
    feed.set_track(track(5));
    let later = || time(MIDNIGHT + 3600, TimeSource::Gnss);
    let running = Running::start_at(&feed, settings(), later(), all);
    running.pass(SECOND).await;
    let sent = (running.ids("trip").len(), running.ids("track").len());
    assert_eq!(sent, (39, 5));
    running.stop().await;
    assert_eq!(feed.durable(READER, Kind::Trip).0, 39);
    let running = Running::start_at(&feed, settings(), later(), all);
    trips(&feed, 40..41);
    running.pass(MINUTE).await;
    let seen = running.kill().await;
    assert_eq!(seen.lock().unwrap().arrived.len(), 1);
}

/// Takes everything but what `is_bad` says.
fn picky(is_bad: impl Fn(&Message) -> bool + Send + 'static) -> impl FnMut(&[Message]) -> Sent + Send {
    move |messages| {
        let bad = messages.iter().position(&is_bad);
        let trouble = bad.map(|_| Trouble::Rejected("it is too odd".to_owned()));
        Sent { acknowledged: bad.unwrap_or(messages.len()), bytes: 0, trouble }
    }
}

#[tokio::test(start_paused = true)]
async fn what_will_never_be_taken_is_passed_over_when_the_one_after_it_is_taken() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..7);
    let running = Running::start(&feed, settings(), picky(|message| ["3", "4"].contains(&message.id.as_str())));
    running.pass(MINUTE / 4).await;
    assert_eq!(running.ids("trip"), ["1", "2"], "two in a row that are bad are no proof");
    let part = running.part();
    assert_eq!(
        (part.condition, part.detail.contains("it rejects everything: it is too odd")),
        (Condition::Degraded, true),
        "{part:?}"
    );
    running.kill().await;
    let running = Running::start(&feed, settings(), picky(|message| message.id == "3"));
    running.pass(MINUTE).await;
    assert_eq!(running.ids("trip"), ["4", "5", "6"]);
    let part = running.part();
    assert_eq!((part.condition, part.detail.contains("TRIP_END 3: it is too odd")), (Condition::Ok, true), "{part:?}");
    assert_eq!(running.seen().attempts().len(), 5, "three times with it, once the one after it, once the rest");
    running.stop().await;
    assert_eq!(feed.durable(READER, Kind::Trip).0, 6);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_rejects_everything_for_a_while_loses_nothing() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..31);
    feed.alert(31);
    let (link, mut taken) = (Link::default(), picky(|_| true));
    let up = link.0.clone();
    let answer = move |messages: &[Message]| if up.load(Ordering::Relaxed) { all(messages) } else { taken(messages) };
    let running = Running::start(&feed, settings(), answer);
    running.pass(MINUTE * 30).await;
    let part = running.part();
    assert!(running.seen().arrived.is_empty() && part.condition == Condition::Degraded, "{part:?}");
    let attempts = running.seen().attempts().len();
    assert!(attempts < 200, "{attempts} attempts in half an hour");
    link.set(true);
    feed.alert(32);
    running.pass(SECOND * 2).await;
    assert_eq!(running.ids("child"), ["31", "32"], "a child's alert is a reason to try");
    running.pass(MINUTE * 6).await;
    assert_eq!((running.ids("trip"), running.part().condition), (numbers(1..31), Condition::Ok));
}

#[tokio::test(start_paused = true)]
async fn a_lane_of_which_nothing_is_taken_holds_up_no_other() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..4);
    let running = Running::start(&feed, settings(), picky(|message| subject(message) == "trip"));
    running.pass(MINUTE).await;
    feed.tell(10, EventType::MilOn);
    running.pass(SECOND).await;
    assert_eq!(running.ids("diagnosis"), ["10"]);
    assert_eq!(running.part().condition, Condition::Degraded);
}

#[tokio::test(start_paused = true)]
async fn who_asks_to_be_left_alone_is() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..3);
    let mut busy = Some(Duration::from_secs(100));
    let running = Running::start(&feed, settings(), move |messages: &[Message]| match busy.take() {
        Some(wait) => failed(Trouble::Busy(wait)),
        None => all(messages),
    });
    running.pass(MINUTE * 3).await;
    let attempts = running.seen().attempts();
    assert_eq!(attempts.len(), 2);
    let waited = attempts[1] - attempts[0];
    assert!((Duration::from_secs(100)..Duration::from_secs(101)).contains(&waited), "{waited:?}");
    assert_eq!(running.ids("trip"), ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn who_asks_to_be_left_alone_for_an_hour_is_not_while_a_childs_alert_waits() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..3);
    let mut times = 0;
    let running = Running::start(&feed, settings(), move |messages: &[Message]| {
        times += 1;
        if times <= 3 { failed(Trouble::Busy(MINUTE * 60)) } else { all(messages) }
    });
    running.pass(MINUTE * 10).await;
    assert_eq!(running.seen().attempts().len(), 1);
    feed.alert(3);
    running.pass(SECOND * 130).await;
    assert_eq!(running.ids("child"), ["3"], "a second, a minute and another later");
}

#[tokio::test(start_paused = true)]
async fn who_takes_some_of_a_batch_gets_the_rest_at_once() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..30);
    let running =
        Running::start(&feed, settings(), |messages: &[Message]| Sent { acknowledged: messages.len().min(1), ..all(messages) });
    running.pass(SECOND).await;
    assert_eq!((running.ids("trip"), running.seen().arrived.len()), (numbers(1..30), 29));
}

#[tokio::test(start_paused = true)]
async fn waits_grow_until_there_is_a_new_route() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..3);
    let link = Link::default();
    let running = Running::start(&feed, settings(), link.answer());
    running.pass(MINUTE * 60).await;
    let attempts = running.seen().attempts();
    assert!((15..120).contains(&attempts.len()), "{} attempts in an hour", attempts.len());
    let part = running.part();
    assert_eq!(part.condition, Condition::Degraded);
    assert!(part.detail.contains("there is no route"), "{}", part.detail);
    link.set(true);
    let came = Instant::now();
    running.route.send_modify(|moves| *moves += 1);
    running.pass(SECOND * 2).await;
    let last = *running.seen().attempts().last().unwrap();
    assert!(last >= came && last - came <= SECOND, "at once");
    assert_eq!(running.ids("trip"), ["1", "2"]);
    running.pass(SECOND * 10).await;
    assert_eq!(running.part().condition, Condition::Ok);
}

#[tokio::test(start_paused = true)]
async fn a_childs_alert_is_tried_within_a_second_however_long_the_wait() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..3);
    let running = Running::start(&feed, settings(), Link::default().answer());
    running.pass(MINUTE * 30).await;
    let mut tries = Vec::new();
    for id in [100, 101] {
        let told = Instant::now();
        feed.alert(id);
        running.pass(Duration::from_millis(1500)).await;
        tries.push(*running.seen().attempts().last().unwrap() - told);
        // So long that the next hurry is allowed again.
        running.pass(SECOND * 5).await;
    }
    assert!(tries.iter().all(|wait| *wait <= SECOND), "{tries:?}");
    let before = running.seen().attempts().len();
    trips(&feed, 200..230);
    running.pass(SECOND / 2).await;
    assert_eq!(running.seen().attempts().len(), before, "a trip is no reason to hurry");
}

#[tokio::test(start_paused = true)]
async fn a_budget_holds_trips_and_the_track_until_midnight_and_never_an_alert() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..101);
    feed.set_track(track(100));
    let budget = 10_000;
    let metered = Settings { budget_bytes: Some(budget), ..settings() };
    let bytes = |running: &Running| running.seen().arrived.iter().map(|(_, message)| message.json.len() as u64).sum::<u64>();
    // Two hours before midnight.
    let running = Running::start_at(&feed, metered.clone(), time(MIDNIGHT + 22 * 3600, TimeSource::Gnss), all);
    running.pass(MINUTE * 60).await;
    let spent = bytes(&running);
    assert!((budget - 1000..=budget).contains(&spent), "{spent}");
    feed.alert(200);
    feed.tell(201, EventType::MilOn);
    feed.tell(202, EventType::GeofenceEnter);
    running.pass(SECOND * 11).await;
    for kind in ["child", "diagnosis", "geofence"] {
        assert_eq!(running.ids(kind).len(), 1, "{kind} does not wait");
    }
    let trips = running.ids("trip").len();
    running.kill().await;
    let running = Running::start_at(&feed, metered, time(MIDNIGHT + 23 * 3600, TimeSource::Gnss), all);
    running.pass(MINUTE * 59).await;
    assert!(bytes(&running) < 2100, "a restart gives no second budget: only what did not fit any more");
    let part = running.part();
    assert!(part.condition == Condition::Ok, "{part:?}");
    running.pass(MINUTE * 2).await;
    assert!(running.ids("trip").len() + trips > trips + 5, "a new day");
    assert!(bytes(&running) <= budget + 2100);
}

#[tokio::test(start_paused = true)]
async fn an_unset_clock_gives_no_times_and_counts_a_budget_from_the_start() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..101);
    feed.set_track(track(100));
    let metered = Settings { budget_bytes: Some(5_000), ..settings() };
    let running = Running::start_at(&feed, metered, time(0, TimeSource::Unset), all);
    running.pass(MINUTE * 100).await;
    let count = running.ids("trip").len();
    assert!((5..40).contains(&count), "{count}");
    assert_eq!(running.ids("track").len(), 0, "nobody can tell which minutes are over");
    assert!(running.seen().arrived.iter().all(|(_, message)| read(message).get("time").is_none()));
    let status: serde_json::Value = serde_json::from_str(&running.status.borrow()).unwrap();
    assert_eq!((status["state"].as_str(), status.get("timestamp"), status.get("since")), (Some("online"), None, None));
}

#[tokio::test(start_paused = true)]
async fn what_was_forgotten_unsent_is_told_as_a_total() {
    let feed = MemoryFeed::new();
    let link = Link::default();
    let running = Running::start(&feed, settings(), link.answer());
    trips(&feed, 1..31);
    feed.tell(31, EventType::MilOn);
    running.pass(MINUTE).await;
    feed.prune(Kind::Trip, 10);
    let gaps = |running: &Running| {
        let gap = |(_, message): &(Instant, Message)| (message.topic == Topic::Gap).then(|| read(message)["data"].clone());
        running.seen().arrived.iter().filter_map(gap).collect::<Vec<_>>()
    };
    link.set(true);
    running.pass(MINUTE * 6).await;
    assert_eq!(gaps(&running), [json!({ "kind": "trip", "forgotten": 10, "upTo": 10 })]);
    assert_eq!(running.ids("trip").len(), 21, "the gap, and what is left");
    link.set(false);
    trips(&feed, 40..60);
    running.pass(SECOND).await;
    feed.prune(Kind::Trip, 44);
    let status = || serde_json::from_str::<serde_json::Value>(&running.status.borrow()).unwrap();
    running.pass(MINUTE * 3).await;
    let unsent = status();
    assert_eq!((&unsent["forgotten"], &unsent["unsent"]["oldestEventId"]), (&json!({ "trip": 15 }), &json!(45)), "{unsent}");
    link.set(true);
    running.pass(MINUTE * 6).await;
    assert_eq!(gaps(&running)[1..], [json!({ "kind": "trip", "forgotten": 15, "upTo": 44 })]);
    running.pass(MINUTE * 2).await;
    assert_eq!(status()["unsent"], json!({}));
    running.stop().await;
    let again = Running::start(&feed, settings(), all);
    again.pass(MINUTE).await;
    assert!(again.seen().arrived.is_empty(), "told is told");
}

#[tokio::test(start_paused = true)]
async fn what_went_with_a_wrecked_file_is_told_although_nobody_counted_it() {
    let feed = MemoryFeed::new();
    let link = Link::default();
    link.set(true);
    let running = Running::start(&feed, settings(), link.answer());
    trips(&feed, 1..4);
    feed.tell(4, EventType::MilOn);
    running.pass(SECOND).await;
    link.set(false);
    trips(&feed, 5..8);
    running.pass(MINUTE).await;
    feed.wreck(7);
    link.set(true);
    trips(&feed, 9..10);
    running.pass(MINUTE * 6).await;
    let gap = |running: &Running, about: &str| {
        let seen = running.seen();
        let gaps = seen.arrived.iter().map(|(_, message)| message).filter(|message| message.topic == Topic::Gap);
        gaps.filter(|message| subject(message) == about).map(|message| read(message)["data"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(gap(&running, "trip"), [json!({ "kind": "trip", "forgotten": 0, "upTo": 7 })]);
    assert_eq!(running.ids("trip")[3..], ["gap-trip-7-0", "9"]);
    assert_eq!(gap(&running, "diagnosis"), Vec::<serde_json::Value>::new(), "of which nothing waited");
    running.stop().await;
    let running = Running::start(&feed, settings(), all);
    running.pass(MINUTE).await;
    assert!(running.seen().arrived.is_empty(), "told is told, and that nothing else had waited is remembered");
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_goes_away_leads_past_nothing_that_is_on_it() {
    let feed = MemoryFeed::new();
    let link = Link::default();
    let running = Running::start(&feed, settings(), link.answer());
    running.pass(SECOND).await;
    running.stop().await;
    trips(&feed, 1..4);
    feed.set_diskless(Some(5));
    // The cursors are durable, and at the beginning.
    let running = Running::start(&feed, settings(), link.answer());
    running.pass(SECOND).await;
    trips(&feed, 6..8);
    link.set(true);
    running.pass(MINUTE * 6).await;
    feed.set_diskless(None);
    running.pass(MINUTE).await;
    assert_eq!(running.ids("trip"), ["1", "2", "3", "6", "7"]);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_only_read_still_says_what_was_sent() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..11);
    let running = Running::start(&feed, settings(), all);
    running.pass(SECOND).await;
    running.stop().await;
    trips(&feed, 11..21);
    feed.hold_cursors(true);
    for _ in 0..2 {
        let running = Running::start(&feed, settings(), all);
        running.pass(MINUTE).await;
        assert_eq!(running.ids("trip"), numbers(11..21), "and no other");
        running.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_track_that_was_sent_from_memory_passes_over_none_that_a_file_holds() {
    let feed = MemoryFeed::new();
    feed.hold_cursors(true);
    let windows = track(6);
    feed.set_track(windows[18..].to_vec());
    let running = Running::start(&feed, settings(), all);
    running.pass(MINUTE * 9).await;
    assert_eq!((running.ids("track").len(), feed.rows("door/upstream/fleet/track")), (3, 0), "from memory");
    feed.set_track(windows);
    feed.hold_cursors(false);
    running.pass(MINUTE).await;
    assert_eq!((running.ids("track").len(), feed.rows("door/upstream/fleet/track")), (6, 1));
}

#[tokio::test(start_paused = true)]
async fn the_track_goes_on_after_a_clock_that_was_far_in_the_future() {
    let feed = MemoryFeed::new();
    let years: i64 = 30 * 365 * 86_400;
    let ahead = |track: Vec<TrackPoint>| -> Vec<TrackPoint> {
        let later = |point: TrackPoint| Wall::from_micros(point.time.micros() + years * 1_000_000);
        track.into_iter().map(|point| TrackPoint { time: later(point), ..point }).collect()
    };
    feed.set_track(ahead(track(3)));
    let (right, wrong) = (time(MIDNIGHT, TimeSource::Gnss), time(MIDNIGHT + years, TimeSource::Gnss));
    let is_right = Arc::new(AtomicBool::new(false));
    let of = is_right.clone();
    let now: Now = Arc::new(move || if of.load(Ordering::Relaxed) { right() } else { wrong() });
    let running = Running::start_at(&feed, settings(), now, all);
    running.pass(MINUTE * 5).await;
    assert_eq!(running.ids("track").len(), 3);
    is_right.store(true, Ordering::Relaxed);
    running.pass(SECOND * 30).await;
    // Five minutes and a half have passed.
    feed.set_track([track(9), ahead(track(3))].concat());
    running.pass(MINUTE * 5).await;
    let minutes =
        |range: std::ops::Range<i64>| range.map(|minute| format!("track-{}", MIDNIGHT + minute * 60)).collect::<Vec<_>>();
    assert_eq!(running.ids("track")[3..], minutes(5..9));
}

#[tokio::test(start_paused = true)]
async fn what_comes_up_in_a_long_wait_is_told_as_waiting() {
    let feed = MemoryFeed::new();
    let running = Running::start(&feed, settings(), |_: &[Message]| failed(Trouble::Busy(MINUTE * 60)));
    running.pass(MINUTE * 10).await;
    assert_eq!(running.part().condition, Condition::Ok, "nothing waits");
    trips(&feed, 1..2);
    running.pass(SECOND * 25).await;
    assert_eq!((running.part().condition, running.seen().attempts().len()), (Condition::Degraded, 0));
}

#[tokio::test(start_paused = true)]
async fn a_rejected_message_that_is_forgotten_leaves_nothing_behind() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..3);
    let running = Running::start(&feed, settings(), picky(|message| message.topic != Topic::Gap));
    running.pass(MINUTE).await;
    assert_eq!(running.part().condition, Condition::Degraded);
    feed.prune(Kind::Trip, 2);
    running.pass(MINUTE * 6).await;
    let touches = running.seen().batches.len();
    running.pass(MINUTE).await;
    assert_eq!((running.ids("trip"), running.part().condition), (vec!["gap-trip-2-2".to_owned()], Condition::Ok));
    assert!(running.seen().batches.len() - touches < 10, "only in touch");
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_takes_no_cursor_holds_nobody_up_and_loses_nothing() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..11);
    let running = Running::start(&feed, settings(), all);
    running.pass(SECOND).await;
    running.kill().await;
    assert_eq!(feed.durable(READER, Kind::Trip).0, 10);
    trips(&feed, 11..21);
    // What the file has is not there yet, so that it is not known what was sent.
    feed.restart_without_disk();
    feed.prune(Kind::Trip, 15);
    let running = Running::start(&feed, settings(), all);
    running.pass(MINUTE).await;
    feed.alert(30);
    running.pass(SECOND).await;
    assert_eq!((running.ids("trip"), running.ids("child")), (numbers(16..21), vec!["30".to_owned()]), "from memory");
    assert_eq!(feed.durable(READER, Kind::Trip).0, 10, "no cursor passes over what a file may hold");
    feed.hold_cursors(false);
    running.pass(MINUTE).await;
    assert_eq!((feed.durable(READER, Kind::Trip).0, feed.durable(READER, Kind::Child).0), (20, 30));
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_read_is_told_and_waited_for() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..3);
    feed.set_broken(true);
    let running = Running::start(&feed, settings(), all);
    running.pass(MINUTE).await;
    assert_eq!(running.part().condition, Condition::Degraded);
    feed.set_broken(false);
    running.pass(SECOND * 21).await;
    assert_eq!((running.ids("trip"), running.part().condition), (numbers(1..3), Condition::Ok));
}

#[tokio::test(start_paused = true)]
async fn only_what_is_wanted_goes_up_and_what_is_between_members_never() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..3);
    feed.alert(3);
    feed.publish(4, "mum");
    feed.set_track(track(5));
    let wanted = Settings { kinds: vec![Kind::Child], track: false, ..settings() };
    let running = Running::start_at(&feed, wanted, time(MIDNIGHT + 3600, TimeSource::Gnss), all);
    running.pass(MINUTE).await;
    let arrived = &running.seen().arrived;
    assert_eq!(arrived.iter().map(|(_, message)| message.id.as_str()).collect::<Vec<_>>(), ["3"]);
}

#[tokio::test(start_paused = true)]
async fn the_status_is_renewed_once_a_minute_when_something_changed() {
    let feed = MemoryFeed::new();
    let running = Running::start(&feed, settings(), all);
    running.pass(SECOND).await;
    let mut status = running.status.clone();
    let first: serde_json::Value = serde_json::from_str(&status.borrow_and_update()).unwrap();
    assert_eq!((first["vin"].as_str(), first["timestamp"].as_str()), (Some(feed.vin.as_str()), Some("2026-02-20T00:00:00.000Z")));
    assert!(first["lastLocation"]["latitude"].is_number(), "{first}");
    running.pass(MINUTE * 5).await;
    assert!(!status.has_changed().unwrap(), "nothing changed");
    feed.change_picture(|picture| picture.location.fix.as_mut().unwrap().point.latitude = 38.0);
    running.pass(SECOND * 11).await;
    let moved: serde_json::Value = serde_json::from_str(&status.borrow_and_update()).unwrap();
    assert_eq!(moved["lastLocation"]["latitude"], 38.0);
    feed.change_picture(|picture| picture.location.fix.as_mut().unwrap().point.latitude = 39.0);
    running.pass(SECOND * 30).await;
    assert!(!status.has_changed().unwrap(), "not yet");
    running.pass(SECOND * 30).await;
    assert!(status.has_changed().unwrap());
}

/// The knob is of debug builds only.
#[cfg(debug_assertions)]
#[tokio::test(start_paused = true)]
async fn the_knob_that_drops_an_event_drops_just_that_one() {
    let feed = MemoryFeed::new();
    trips(&feed, 1..41);
    let running = Running::start(&feed, Settings { drop_event: 20, ..settings() }, all);
    running.pass(MINUTE).await;
    let wanted: Vec<String> = numbers(1..41).into_iter().filter(|id| id != "20").collect();
    assert_eq!(running.ids("trip"), wanted);
}

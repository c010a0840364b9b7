//! ACM Destiny: streams that are asked for their units, and the way that the car has gone.

use serde_json::{Value, json};
use telltale::clock::Wall;
use telltale::event::{EventType, Kind, Location};
use telltale::feed::{Feed, Scope, TrackPoint};
use telltale::geo::Point;
use telltale::http::Unit;
use telltale::vehicle::Fix;

use super::client::{Answer, EventStream};
use super::door::Door;
use super::feed::{VIN, fix};
use super::judge::Told;

const CONNECT: &str = "/sse/telemetry/connect";

/// A client as the guide's page has it: one stream, and what it posts.
struct Page<'a> {
    door: &'a Door,
    token: &'static str,
    stream: EventStream,
    stream_id: String,
    /// The last event id.
    last: String,
}

impl<'a> Page<'a> {
    async fn open(door: &'a Door, last: &str) -> Page<'a> {
        Page::of(door, "read", last).await
    }

    /// The page of who has this token.
    async fn of(door: &'a Door, token: &'static str, last: &str) -> Page<'a> {
        let headers = [format!("Authorization: Bearer {token}"), format!("Last-Event-ID: {last}")];
        let stream = EventStream::open(door.address, CONNECT, &headers.each_ref().map(String::as_str)).await;
        let mut page = Page { door, token, stream, stream_id: String::new(), last: String::new() };
        let first = page.next().await;
        assert_eq!(first.json()["type"], "stream_id", "the first of all: {first:?}");
        page.stream_id = first.json()["stream_id"].as_str().unwrap().to_owned();
        assert!(first.id.ends_with(&format!(".{}", page.stream_id)), "{first:?}");
        page
    }

    async fn next(&mut self) -> Told {
        let told = self.stream.next().await.expect("the stream goes on");
        self.last.clone_from(&told.id);
        told
    }

    /// The next message, which is of this type.
    async fn message(&mut self, message_type: &str) -> Value {
        let told = self.next().await;
        assert_eq!((told.name.as_str(), &told.json()["message_type"]), ("message", &message_type.into()), "{told:?}");
        assert_eq!(told.json()["type"], "gps", "{told:?}");
        told.json()
    }

    async fn ask(&self, method: &str, path: &str) -> Answer {
        self.door.ask(method, path, &[&format!("Authorization: Bearer {}", self.token)], "").await
    }

    async fn subscription(&self, unit: u32) -> String {
        let answer = self.ask("GET", &format!("/api/v1/monitoring/unit/{unit}")).await.json();
        assert_eq!(answer["data"]["unit_id"], unit);
        answer["data"]["token"].as_str().unwrap().to_owned()
    }

    /// Posts to `…/{what}/{stream_id}/{token}`; the status.
    async fn post(&self, what: &str, token: &str) -> u16 {
        self.ask("POST", &format!("/sse/telemetry/{what}/{}/{token}", self.stream_id)).await.status()
    }

    async fn pong(&self) -> u16 {
        self.ask("POST", &format!("/sse/telemetry/pong/{}", self.stream_id)).await.status()
    }
}

/// The car is here now.
fn drive(door: &Door, second: i64) {
    door.feed.change_picture(|picture| picture.location = Location::of(Some(fix(second))));
}

/// The unit of the car and that of a trailer.
fn two_units() -> Vec<Unit> {
    [(1, 0), (40, 1)].map(|(id, place)| Unit { id, name: None, receiver: Some(place) }).to_vec()
}

#[tokio::test]
async fn a_unit_is_told_from_its_subscription_on_and_no_more_after_its_end() {
    let door = Door::open().await;
    door.feed.tell(7, EventType::ChildSeatReminder);
    let mut page = Page::open(&door, "").await;
    assert_eq!(page.last, format!("7.{}", page.stream_id));
    let token = page.subscription(1).await;
    drive(&door, 1);
    for _ in 0..2 {
        assert_eq!(page.post("subscribe", &token).await, 204, "twice is once");
    }
    let told = page.message("gps").await;
    let gps = json!({"latitude": 37.5, "longitude": 127.1, "altitude": 30.0, "speed": 12.35, "heading": 182.0,
        "accuracy": 4.12, "satellites": 9});
    assert_eq!(
        told,
        json!({"type": "gps", "message_type": "gps", "unit_id": 1, "vehicle_id": 1,
            "timestamp": "2026-02-20T00:06:48.213Z", "telemetry": {"gps": gps}}),
        "the latest position, at once"
    );
    drive(&door, 2);
    assert_eq!(page.message("gps").await["timestamp"], "2026-02-20T00:06:49.213Z", "and not the first one once more");
    assert_eq!(page.post("unsubscribe", &token).await, 204);
    assert_eq!(page.post("unsubscribe", &token).await, 204, "twice is once");
    drive(&door, 3);
    drive(&door, 4);
    assert_eq!(page.post("subscribe", &token).await, 204);
    assert_eq!(page.message("gps").await["timestamp"], "2026-02-20T00:06:51.213Z", "none of those in between");
    assert_eq!(page.post("unsubscribe", &token).await, 204);
    assert_eq!(page.post("subscribe", &token).await, 204);
    assert_eq!(page.message("gps").await["timestamp"], "2026-02-20T00:06:51.213Z", "a new one is told at once, too");
}

#[tokio::test]
async fn who_comes_back_has_its_stream_and_its_subscriptions_and_the_trips_it_missed() {
    let door = Door::open().await;
    let mut page = Page::open(&door, "").await;
    let token = page.subscription(1).await;
    assert_eq!(page.post("subscribe", &token).await, 204);
    page.message("gps").await;
    door.feed.tell(10, EventType::TripEnd);
    let trip = page.message("trip").await;
    assert_eq!((&trip["event_type"], &trip["unit_id"]), (&"TRIP_END".into(), &1.into()), "{trip}");
    assert_eq!(page.last, format!("10.{}", page.stream_id));
    let (last, id) = (page.last.clone(), page.stream_id.clone());
    drop(page);

    door.feed.tell(20, EventType::GeofenceEnter);
    door.feed.tell(30, EventType::TripStart);
    // Over a restart of the doors, too.
    for door in [&door, &Door::over(door.feed.clone(), |_| {}).await] {
        let mut page = Page::open(door, &last).await;
        assert_eq!((&page.stream_id, &page.last), (&id, &last));
        page.message("gps").await;
        assert_eq!(page.message("trip").await["event_type"], "TRIP_START", "which it missed");
        assert_eq!(page.last, format!("30.{id}"));
        assert_eq!(page.post("subscribe", &token).await, 204, "the token is good for as long as the sign-in");
    }
}

#[tokio::test]
async fn what_cannot_be_told_any_more_is_a_gap_with_both_ids() {
    let door = Door::open().await;
    let page = Page::open(&door, "").await;
    let id = page.stream_id.clone();
    for event in 1..=9 {
        door.feed.tell(event * 10, EventType::TripEnd);
    }
    door.feed.prune(Kind::Trip, 60);
    door.feed.set_recent(65);
    for (last, begins, from, reason) in [("30", 30, 30, "pruned"), ("999", 999, 999, "unknown"), ("x", 65, 0, "unknown")] {
        let mut page = Page::open(&door, &format!("{last}.{id}")).await;
        assert_eq!(page.stream_id, id);
        assert_eq!(page.last, format!("{begins}.{id}"), "who is cut off before the gap misses nothing and has nothing twice");
        let gap = page.next().await;
        assert_eq!((gap.name.as_str(), &gap.id), ("gap", &format!("65.{id}")), "{last}");
        assert_eq!(gap.json(), json!({"from": from, "to": 65, "reason": reason}));
    }
    let mut page = Page::open(&door, "30").await;
    assert_ne!(page.stream_id, id, "an id without a stream is a position");
    assert_eq!(page.next().await.name, "gap");
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_pings_nobody_answers_is_closed_and_comes_back_the_same() {
    let door = Door::open().await;
    let mut page = Page::open(&door, "").await;
    door.feed.tell(3, EventType::ChildSeatReminder);
    for _ in 0..3 {
        for _ in 0..2 {
            let ping = page.next().await;
            assert_eq!((ping.json(), ping.id), (json!({"type": "ping"}), format!("3.{}", page.stream_id)));
        }
        assert_eq!(page.pong().await, 204, "answers all so far");
    }
    let told = [page.next().await, page.next().await, page.next().await].map(|told| told.json());
    let ping = json!({"type": "ping"});
    assert_eq!(told, [ping.clone(), ping, json!({"type": "closing", "reason": "no pong"})]);
    assert_eq!(page.stream.next().await, None, "a proper end");
    let mut again = Page::open(&door, &page.last).await;
    assert_eq!(again.stream_id, page.stream_id);
    assert_eq!(again.next().await.json()["type"], "ping", "with a new start");
}

#[tokio::test(start_paused = true)]
async fn after_a_day_it_is_forgotten() {
    let door = Door::open().await;
    let page = Page::open(&door, "").await;
    let (last, id) = (page.last.clone(), page.stream_id.clone());
    let pong = format!("/sse/telemetry/pong/{id}");
    drop(page);
    door.until_later("telltale_http_streams", 0.0).await;
    tokio::time::sleep(std::time::Duration::from_secs(23 * 3600)).await;
    let page = Page::open(&door, &last).await;
    assert_eq!(page.stream_id, id);
    drop(page);
    door.until_later("telltale_http_streams", 0.0).await;
    tokio::time::sleep(std::time::Duration::from_secs(25 * 3600)).await;
    assert_eq!(door.ask("POST", &pong, &["X-Api-Key: read"], "").await.status(), 404);
    assert_ne!(Page::open(&door, &last).await.stream_id, id);
}

#[tokio::test]
async fn a_stream_and_a_token_are_nobody_elses() {
    let door = Door::open().await;
    let page = Page::open(&door, "").await;
    let token = page.subscription(1).await;
    let other = Page::of(&door, "admin", &page.last).await;
    assert_ne!(other.stream_id, page.stream_id, "another sign-in's");
    assert_eq!(other.post("subscribe", &token).await, 403, "another sign-in's");
    let stolen = format!("/sse/telemetry/subscribe/{}/{}", page.stream_id, other.subscription(1).await);
    assert_eq!(other.ask("POST", &stolen).await.status(), 404);
    assert_eq!(other.ask("POST", &format!("/sse/telemetry/pong/{}", page.stream_id)).await.status(), 404);
    assert_eq!(page.pong().await, 204);
    let swapped = token.replace('a', "b").replace('1', "2");
    for forged in ["x", &"0".repeat(64), &swapped, &"é".repeat(32)] {
        let escaped: String = forged.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(page.post("subscribe", &escaped).await, 403, "{forged}");
        assert_eq!(page.post("unsubscribe", &escaped).await, 403, "{forged}");
    }
    let refused = page.ask("POST", &format!("/sse/telemetry/subscribe/{}/x", page.stream_id)).await;
    assert!(refused.problem().contains("/api/v1/monitoring/unit/"));
    assert_eq!(door.ask("POST", &format!("/sse/telemetry/pong/{}", page.stream_id), &[], "").await.status(), 401);
    let in_query = format!("/sse/telemetry/subscribe/{}/{token}?token=read", page.stream_id);
    assert_eq!(door.ask("POST", &in_query, &[], "").await.status(), 401, "no change by a token in the query");
    assert_eq!(door.ask("GET", "/api/v1/monitoring/unit/1?token=read", &[], "").await.status(), 200);
    assert_eq!(door.ask("GET", CONNECT, &[], "").await.status(), 401, "before it begins");
    door.feed.pair("guest", vec![Scope::Publish]);
    assert_eq!(door.ask("GET", CONNECT, &["X-Api-Key: guest"], "").await.status(), 403);
}

#[tokio::test]
async fn the_newer_of_two_connections_has_the_stream() {
    let door = Door::open().await;
    let mut page = Page::open(&door, "").await;
    let token = page.subscription(1).await;
    let mut newer = Page::open(&door, &page.last).await;
    assert_eq!(newer.stream_id, page.stream_id);
    assert_eq!(page.stream.next().await, None, "the older one ends");
    assert_eq!(newer.post("subscribe", &token).await, 204);
    newer.message("gps").await;
}

#[tokio::test]
async fn each_unit_has_its_own_position_and_the_trips_are_the_cars() {
    let door = Door::with(|settings| settings.units = two_units()).await;
    let mut page = Page::open(&door, "").await;
    let trailer = page.subscription(40).await;
    assert_eq!(page.post("subscribe", &trailer).await, 204);
    let at = Point { latitude: 48.1, longitude: 11.5 };
    door.feed.change_picture(|picture| picture.further = vec![Some(Fix { point: at, ..fix(9) })]);
    let told = page.message("gps").await;
    assert_eq!((&told["unit_id"], &told["telemetry"]["gps"]["latitude"]), (&40.into(), &48.1.into()), "{told}");

    for vehicle in ["1", VIN, "self"] {
        let answer = page.ask("GET", &format!("/api/v1/monitoring/vehicle/{vehicle}/primary")).await.json();
        assert_eq!(answer["data"], json!({"unit_id": 1, "token": page.subscription(1).await}));
    }
    let car = page.subscription(1).await;
    assert_eq!(page.post("subscribe", &car).await, 204);
    let told = page.message("gps").await;
    assert_eq!((&told["unit_id"], &told["telemetry"]["gps"]["latitude"]), (&1.into(), &37.5.into()), "{told}");
    for id in [5, 6] {
        door.feed.tell(id, EventType::TripEnd);
        assert_eq!(page.message("trip").await["unit_id"], 1, "and none of the trailer's");
    }

    for path in ["unit/2", "unit/0", "unit/-1", "unit/x", "vehicle/2/primary", "vehicle/ANOTHER/primary"] {
        let answer = page.ask("GET", &format!("/api/v1/monitoring/{path}")).await;
        assert_eq!(answer.status(), 404, "{path}");
        answer.problem();
    }
    let way = page.ask("GET", &format!("{TRACK}?unit=40")).await;
    assert!(way.status() == 404 && way.problem().contains("not recorded"));
}

#[tokio::test]
async fn a_page_that_begins_streams_without_end_is_remembered_in_part() {
    let door = Door::open().await;
    let first = Page::open(&door, "").await;
    let (last, id, token) = (first.last.clone(), first.stream_id.clone(), first.subscription(1).await);
    assert_eq!(first.post("subscribe", &token).await, 204);
    drop(first);
    for _ in 0..20 {
        door.until("telltale_http_streams", 0.0).await;
        let page = Page::open(&door, "").await;
        assert_eq!(page.post("subscribe", &token).await, 204);
    }
    door.until("telltale_http_streams", 0.0).await;
    assert_ne!(Page::open(&door, &last).await.stream_id, id, "the oldest has made room");
    assert_eq!(door.feed.rows("door/stream/"), 16);
}

#[tokio::test(start_paused = true)]
async fn what_wears_flash_is_ten_a_second_and_a_hundred_at_once() {
    let door = Door::open().await;
    let page = Page::open(&door, "").await;
    let token = page.subscription(1).await;
    for n in 0..100 {
        assert_eq!(page.post(if n % 2 == 0 { "subscribe" } else { "unsubscribe" }, &token).await, 204, "{n}");
    }
    assert_eq!(page.post("unsubscribe", &token).await, 204, "twice is once, and writes nothing");
    assert_eq!(page.post("subscribe", &token).await, 429);
    let login = r#"{"username": "mum", "password": "read"}"#;
    assert_eq!(door.ask("POST", "/api/v1/auth/login", &[], login).await.status(), 429, "all that a device has written");
    let later = door.ask("GET", "/events", &["X-Api-Key: read", "Device-Id: phone"], "").await;
    assert!(later.status() == 200 && later.text().starts_with("retry: 1"), "{}", later.text());
    assert!(door.feed.kept("door/device/").is_empty());
    assert_eq!(page.pong().await, 204, "what is not written is none of it");
    assert_eq!(Page::of(&door, "admin", "").await.stream_id.len(), 32, "nor another's");
    assert_eq!(door.metric("telltale_http_dropped_total{reason=\"write_rate\"}"), 2.0);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(page.post("subscribe", &token).await, 204);
}

#[tokio::test]
async fn the_guides_page_needs_nothing_but_its_cookie() {
    let door = Door::open().await;
    let credentials = r#"{"username": "mum", "password": "read"}"#;
    let login = door.ask("POST", "/api/v1/auth/login", &["Content-Type: application/json"], credentials).await;
    assert_eq!(login.status(), 200);
    let cookie = format!("Cookie: {}", login.header("set-cookie").unwrap().split(';').next().unwrap());
    // As a browser sends them for `axios.post(url)`, which has no body.
    let own = [cookie.as_str(), "Origin: http://localhost", "Sec-Fetch-Site: same-origin"];
    let mut stream = EventStream::open(door.address, CONNECT, &own[..1]).await;
    let stream_id = stream.next().await.unwrap().json()["stream_id"].as_str().unwrap().to_owned();
    let subscription = door.ask("GET", "/api/v1/monitoring/unit/1", &own, "").await.json();
    let token = subscription["data"]["token"].as_str().unwrap();
    let subscribe = format!("/sse/telemetry/subscribe/{stream_id}/{token}");
    let length = "Content-Length: 0";
    assert_eq!(door.ask("POST", &subscribe, &[&own[..], &[length]].concat(), "").await.status(), 204);
    assert_eq!(stream.next().await.unwrap().json()["message_type"], "gps");
    let pong = format!("/sse/telemetry/pong/{stream_id}");
    assert_eq!(door.ask("POST", &pong, &[&own[..], &[length]].concat(), "").await.status(), 204);
    assert_eq!(door.ask("POST", &pong, &[&cookie], "").await.status(), 204, "as a program with a cookie jar sends it");
    assert_eq!(door.ask("POST", &pong, &["X-Api-Key: read"], "").await.status(), 404, "the session's, not the token's");
    let foreign = [&cookie, "Origin: http://evil.example", "Sec-Fetch-Site: cross-site"];
    assert_eq!(door.ask("POST", &pong, &foreign, "").await.status(), 401, "another's page gains nothing");
}

const TRACK: &str = "/api/v1/telemetry/history";

/// So many points, one every 10 s from 2026-02-20T00:00:00Z on, across the date line.
fn way(points: i64) -> Vec<TrackPoint> {
    let point = |n: i64| TrackPoint {
        time: Wall::from_micros(1_771_545_600_000_000 + n * 10_000_000),
        point: Point { latitude: -17.5, longitude: if n < 300 { 179.9 + n as f64 / 3000.0 } else { -180.0 } },
        altitude: (n % 2 == 0).then_some(-1.5),
        speed: Some(50.0),
        heading: None,
        accuracy: 4.0,
    };
    (0..points).map(point).collect()
}

const DAY: &str = "from=2026-02-20T00:00:00Z&to=2026-02-21T00:00:00Z";

/// RFC 7946, 3, of a collection of points: whatever it must have, and nothing that it must not.
fn check_geojson(document: &Value) {
    assert_eq!(document["type"], "FeatureCollection");
    assert!(document.get("crs").is_none() && document.get("coordinates").is_none());
    for feature in document["features"].as_array().expect("3.3: an array") {
        assert_eq!(feature["type"], "Feature");
        assert!(feature["properties"].is_object(), "3.2: an object or null");
        assert_eq!(feature["geometry"]["type"], "Point");
        let position: Vec<f64> = serde_json::from_value(feature["geometry"]["coordinates"].clone()).expect("numbers");
        assert!((2..=3).contains(&position.len()), "3.1.1: {position:?}");
        assert!(position[0].abs() <= 180.0 && position[1].abs() <= 90.0, "4: longitude, latitude: {position:?}");
    }
}

/// What the schema of GPX 1.1 says of a file with tracks alone, element by element; how many points there are.
fn check_gpx(text: &str) -> usize {
    let rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").expect("a declaration").trim_start();
    let (mut open, mut points, mut last) = (Vec::new(), 0, String::new());
    for piece in rest.split('<').skip(1) {
        let (tag, content) = piece.split_once('>').expect("a tag ends");
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name.to_owned()), "elements nest");
            last = name.to_owned();
            continue;
        }
        let attribute = |key: &str| {
            let (_, value) = attributes.split_once(&format!("{key}=\"")).unwrap_or_else(|| panic!("{name} has a {key}"));
            value.split('"').next().unwrap().to_owned()
        };
        let number = |text: &str| {
            assert!(text.bytes().all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte)), "xsd:decimal: {text}");
            text.parse::<f64>().unwrap()
        };
        match (open.last().map(String::as_str), name) {
            (None, "gpx") => {
                let fixed = [attribute("version"), attribute("xmlns")];
                assert_eq!(fixed, ["1.1", "http://www.topografix.com/GPX/1/1"]);
                assert!(!attribute("creator").is_empty());
            }
            (Some("gpx"), "trk") | (Some("trk"), "trkseg") => assert_eq!(content.trim(), ""),
            (Some("trkseg"), "trkpt") => {
                points += 1;
                assert!(number(&attribute("lat")).abs() <= 90.0);
                assert!((-180.0..180.0).contains(&number(&attribute("lon"))), "maxExclusive: {attributes}");
                last.clear();
            }
            (Some("trkpt"), "ele") => {
                assert_eq!(last, "", "ele comes first");
                number(content);
            }
            (Some("trkpt"), "time") => assert!(content.parse::<jiff::Timestamp>().is_ok(), "xsd:dateTime: {content}"),
            (parent, name) => panic!("{name} in {parent:?}"),
        }
        open.push(name.to_owned());
    }
    assert_eq!(open, [""; 0]);
    points
}

#[tokio::test]
async fn the_way_comes_whole_in_every_format() {
    let door = Door::open().await;
    door.feed.set_track(way(600));
    let answer = door.get(&format!("{TRACK}?{DAY}")).await;
    assert_eq!((answer.status(), answer.header("content-type")), (200, Some("application/json")));
    let data = answer.json()["data"].as_array().unwrap().clone();
    assert_eq!(data.len(), 600, "three pages");
    let first = &data[0];
    assert_eq!((&first["type"], &first["message_type"], &first["unit_id"]), (&"gps".into(), &"gps".into(), &1.into()), "{first}");
    assert_eq!((&first["timestamp"], &first["vehicle_id"]), (&"2026-02-20T00:00:00.000Z".into(), &1.into()), "{first}");
    assert_eq!(first["telemetry"]["gps"]["altitude"], -1.5, "{first}");
    let times: Vec<&str> = data.iter().map(|point| point["timestamp"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|one, next| one < next), "in order, each once");

    let geojson = door.get(&format!("{TRACK}?format=geojson&unit=1&{DAY}")).await;
    assert_eq!(geojson.header("content-type"), Some("application/geo+json"));
    check_geojson(&geojson.json());
    assert_eq!(geojson.json()["features"].as_array().unwrap().len(), 600);

    let gpx = door.get(&format!("{TRACK}?format=gpx&{DAY}")).await;
    assert_eq!(gpx.header("content-type"), Some("application/gpx+xml"));
    assert_eq!(check_gpx(gpx.text()), 600);
    let hour = door.get(&format!("{TRACK}?format=gpx&from=2026-02-20T00:10:00Z&to=2026-02-20T00:20:00Z")).await;
    assert_eq!(check_gpx(hour.text()), 60, "from is in, to is not");
    let usual = door.get(TRACK).await;
    assert_eq!(usual.json()["data"].as_array().unwrap().len(), 600, "now is 00:06:47, and all is of the last 24 h");
    let nothing = door.get(&format!("{TRACK}?format=gpx&from=2026-02-25T00:00:00Z&to=2026-02-26T00:00:00Z")).await;
    assert_eq!(check_gpx(nothing.text()), 0);
}

#[tokio::test]
async fn a_wrong_parameter_is_named_and_a_wrong_unit_is_not_found() {
    let door = Door::open().await;
    for (query, field) in [
        ("format=kml", "format"),
        ("from=yesterday", "from"),
        ("to=2026-02-20", "to"),
        ("from=2026-02-22T00:00:00Z&to=2026-02-21T00:00:00Z", "from"),
        ("unit=0", "unit"),
        ("unit=one", "unit"),
    ] {
        let answer = door.get(&format!("{TRACK}?{query}")).await;
        assert_eq!((answer.status(), &answer.json()["field"]), (400, &field.into()), "{query}");
        assert!(answer.problem().contains(field), "{query}");
    }
    assert_eq!(door.get(&format!("{TRACK}?unit=2")).await.status(), 404);
    assert_eq!(door.ask("GET", TRACK, &[], "").await.status(), 401);
    assert_eq!(door.ask("GET", &format!("{TRACK}?token=read"), &[], "").await.status(), 200);
    door.feed.set_broken(true);
    assert_eq!(door.get(TRACK).await.status(), 503);
}

#[tokio::test]
async fn a_journal_that_goes_away_in_between_tears_the_answer_off() {
    let door = Door::open().await;
    door.feed.set_track(way(600));
    door.feed.break_after(2);
    let mut client = door.client().await;
    let path = format!("{TRACK}?{DAY}");
    client.send(super::client::request("GET", &path, &["Authorization: Bearer read"], "")).await;
    assert_eq!(client.head().await.unwrap().status, 200);
    let torn = loop {
        match client.try_chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => break false,
            Err(()) => break true,
        }
    };
    assert!(torn, "who reads on must not take a part for all");
}

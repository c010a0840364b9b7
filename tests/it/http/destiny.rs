//! ACM Destiny: streams that are asked for their units, and the way that the car has gone.

use serde_json::Value;
use telltale::clock::Wall;
use telltale::feed::TrackPoint;
use telltale::geo::Point;

use super::door::Door;

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

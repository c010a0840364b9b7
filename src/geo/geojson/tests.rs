//! What is read, what is written, and what is said of what is wrong.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{read, read_one, survives, write};
use crate::geo::{Fault, Fence, FenceSource, Flaw, Point, Wrong};

fn one(feature: &str) -> Result<Fence, Box<Fault>> {
    read_one(feature, None, FenceSource::Phone)
}

fn fault(feature: &str) -> (String, Option<usize>, Wrong) {
    let fault = one(feature).expect_err("wrong");
    (fault.key, fault.vertex, fault.wrong)
}

/// A feature around a geometry and properties.
fn feature(geometry: &str, properties: &str) -> String {
    format!(r#"{{"type":"Feature","id":"f","properties":{properties},"geometry":{geometry}}}"#)
}

const SQUARE: &str = r#"{"type":"Polygon","coordinates":[[[1,1],[2,1],[2,2],[1,2],[1,1]]]}"#;
const POINT: &str = r#"{"type":"Point","coordinates":[127.0557,37.5446]}"#;

#[test]
fn every_property_is_read_and_written_again() {
    let properties = r#"{"name":"Café","dwell_s":90.5,"speed_limit_kmh":30,"tell_at_start":true,"colour":"red","source":"x",
        "schedule":{"days":["mon","sun"],"from":"22:00","to":"06:00","zone":"Asia/Seoul"}}"#;
    let fence = one(&feature(SQUARE, properties)).expect("sound");
    assert_eq!((fence.id.as_str(), fence.name.as_deref(), fence.source), ("f", Some("Café"), FenceSource::Phone));
    assert_eq!((fence.dwell, fence.speed_limit), (Some(Duration::from_millis(90_500)), Some(30.0)));
    assert!(fence.tell_at_start && fence.schedule.is_some());
    assert!(fence.contains(Point { latitude: 1.5, longitude: 1.5 }));
    assert_eq!(
        serde_json::to_string(&fence).expect("json"),
        concat!(
            r#"{"type":"Feature","id":"f","properties":{"name":"Café","dwell_s":90.5,"speed_limit_kmh":30.0,"#,
            r#""schedule":{"days":["mon","sun"],"from":"22:00","to":"06:00","zone":"Asia/Seoul"},"tell_at_start":true,"#,
            r#""source":"phone"},"geometry":{"type":"Polygon","coordinates":[[[1.0,1.0],[2.0,1.0],[2.0,2.0],[1.0,2.0],[1.0,1.0]]]}}"#
        )
    );
    assert_eq!(read(&write(std::slice::from_ref(&fence)), FenceSource::Phone).expect("its own"), [fence]);
}

#[test]
fn a_schedule_may_be_written_in_more_ways_than_one() {
    let schedule = |text: &str| one(&feature(SQUARE, &format!(r#"{{"schedule":{text}}}"#))).expect("sound");
    let plain = schedule(r#"{"days":["mon","tue","wed"],"from":"22:00","to":"24:00","zone":"Asia/Seoul"}"#);
    assert_eq!(schedule(r#"{"days":"mon-wed","from":"22:00","to":"00:00","tz":"Asia/Seoul"}"#), plain);
    assert_eq!(schedule(r#"{"days":[1,2,3],"from":"22:00:00","to":"24:00","timezone":"Asia/Seoul"}"#), plain);
    let at_start = schedule(r#"{"from":"22:00","to":"24:00","zone":"UTC","tell_at_start":true}"#);
    assert!(at_start.tell_at_start && !plain.tell_at_start);
}

#[test]
fn every_geometry_is_read_and_written_again() {
    let geometries = [
        (SQUARE, "{}"),
        (r#"{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9],[0,9],[0,0]],[[3,3],[4,3],[4,4],[3,3]]]}"#, "{}"),
        (r#"{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]],[[[5,5],[6,5],[6,6],[5,5]]]]}"#, "{}"),
        (
            r#"{"type":"MultiPolygon","coordinates":[[[[179,0],[180,0],[180,1],[179,0]]],[[[-180,0],[-179.7,0],[-180,1],[-180,0]]]]}"#,
            "{}",
        ),
        (r#"{"type":"Polygon","coordinates":[[[179.3,0],[-179.7,0],[-179.9,1],[179.3,0]]]}"#, "{}"),
        (POINT, r#"{"type":"Circle","radius":100,"radius_units":"m"}"#),
        (r#"{"type":"LineString","coordinates":[[0,0],[1,1,35.0],[2,0]]}"#, r#"{"corridor_m":50}"#),
        (r#"{"type":"MultiLineString","coordinates":[[[0,0],[1,1]],[[2,2],[3,3]]]}"#, r#"{"corridor_m":50.5}"#),
    ];
    for (geometry, properties) in geometries {
        let fence = one(&feature(geometry, properties)).expect(geometry);
        let written = write(std::slice::from_ref(&fence));
        assert_eq!(read(&written, FenceSource::Phone).expect("its own"), [fence], "{written}");
        let given: serde_json::Value = serde_json::from_str(geometry).expect("json");
        let back: serde_json::Value = serde_json::from_str(&written).expect("json");
        let numbers = |value: &serde_json::Value| value.to_string().replace(".0", "").replace(",35", "");
        assert_eq!(numbers(&back["features"][0]["geometry"]), numbers(&given));
    }
}

#[test]
fn a_file_says_what_is_wrong_with_each_of_its_fences_and_on_which_line() {
    let text = r#"{"type": "FeatureCollection",
 "features": [
  {"type": "Feature", "id": "good", "properties": null,
   "geometry": {"type": "Polygon", "coordinates": [[[1,1],[2,1],[2,2],[1,1]]]}},
  {"type": "Feature", "id": "tie", "properties": {},
   "geometry": {"type": "Polygon", "coordinates": [[
     [0, 0],
     [1, 1],
     [1, 0],
     [0, 1],
     [0, 0]]]}},
  {"type": "Feature", "id": "swapped", "properties": {"type": "Circle", "radius": 10},
   "geometry": {"type": "Point", "coordinates":
     [37.5446, 127.0557]}},
  {"type": "Feature", "id": "good",
   "geometry": {"type": "Polygon", "coordinates": [[[1,1],[2,1],[2,2],[1,1]]]}},
  {"type": "Feature", "id": 5, "properties": {"dwell_s":
    -3}, "geometry": {"type": "Polygon", "coordinates": [[[1,1],[2,1],[2,2],[1,1]]]}}
 ]}"#;
    let told: Vec<String> = read(text, FenceSource::File).expect_err("wrong").iter().map(Fault::to_string).collect();
    assert_eq!(
        told,
        [
            "line 9, fence `tie`, features[1].geometry.coordinates[0][2]: the ring crosses or touches itself: its edge from \
             position 0 to the next one meets the edge from position 2; order the positions so that edges meet only at \
             their ends",
            "line 14, fence `swapped`, features[2].geometry.coordinates: latitude 127.0557 is not within -90 to 90: latitude \
             and longitude look swapped; GeoJSON puts the longitude first, so write [127.0557, 37.5446]",
            "line 15, fence `good`, features[3].id: feature 0 has the same id; every fence needs its own",
            "line 18, fence `5`, features[4].properties.dwell_s: -3 is not over 0 and at most 2678400 (s)",
        ]
    );
}

#[test]
fn what_is_wrong_is_named_by_its_key() {
    let outline = |geometry: &str| fault(&feature(geometry, r#"{"type":"Circle","radius":10,"corridor_m":10}"#));
    let (key, vertex, wrong) =
        outline(r#"{"type":"MultiPolygon","coordinates":[[[[1,1],[2,1],[2,2],[1,1]]],[[[5,5],[6,5],[6,6],[5,6]]]]}"#);
    assert_eq!((key.as_str(), vertex), ("geometry.coordinates[1][0][3]", Some(3)));
    assert_eq!(wrong, Wrong::Outline(Flaw::Unclosed(5.0, 5.0)));
    assert_eq!(outline(r#"{"type":"LineString","coordinates":[[1,1]]}"#).0, "geometry.coordinates");
    assert_eq!(
        outline(r#"{"type":"MultiLineString","coordinates":[[[1,1],[2,2]],[[1,1],[1,1]]]}"#).0,
        "geometry.coordinates[1][1]"
    );
    assert_eq!(outline(r#"{"type":"Polygon","coordinates":[[[1,1],[2,1],[2,"2"],[1,1]]]}"#).0, "geometry.coordinates[0][2][1]");
    assert_eq!(outline(r#"{"type":"Polygon","coordinates":[[[1,1],[2],[2,2],[1,1]]]}"#).0, "geometry.coordinates[0][1]");
    assert_eq!(
        outline(r#"{"type":"Polygon","coordinates":[]}"#),
        ("geometry.coordinates".into(), None, Wrong::Outline(Flaw::Empty("ring")))
    );
    assert_eq!(outline(r#"{"type":"GeometryCollection","geometries":[]}"#).0, "geometry.coordinates");
    assert_eq!(outline(r#"{"type":"MultiPoint","coordinates":[]}"#).0, "geometry.type");
    assert_eq!(outline("null").0, "geometry");
    for (geometry, properties, key) in [
        (POINT, r#"{"radius":10}"#, "properties.type"),
        (POINT, r#"{"type":"Circle"}"#, "properties.radius"),
        (POINT, r#"{"type":"Circle","radius":"10"}"#, "properties.radius"),
        (POINT, r#"{"type":"Circle","radius":0}"#, "properties.radius"),
        (POINT, r#"{"type":"Circle","radius":10,"radius_units":"ft"}"#, "properties.radius_units"),
        (r#"{"type":"LineString","coordinates":[[0,0],[1,1]]}"#, "{}", "properties.corridor_m"),
        (r#"{"type":"LineString","coordinates":[[0,0],[1,1]]}"#, r#"{"corridor_m":-1}"#, "properties.corridor_m"),
        (SQUARE, "[]", "properties"),
        (SQUARE, r#"{"name":5}"#, "properties.name"),
        (SQUARE, r#"{"speed_limit_kmh":0}"#, "properties.speed_limit_kmh"),
        (SQUARE, r#"{"tell_at_start":"yes"}"#, "properties.tell_at_start"),
        (SQUARE, r#"{"schedule":{"from":"1:00","to":"2:00"}}"#, "properties.schedule.zone"),
        (SQUARE, r#"{"schedule":{"from":"1:00","to":"2:00","zone":"Nowhere"}}"#, "properties.schedule.zone"),
        (SQUARE, r#"{"schedule":{"from":"1","to":"2:00","zone":"UTC"}}"#, "properties.schedule.from"),
        (SQUARE, r#"{"schedule":{"day":[],"from":"1:00","to":"2:00","zone":"UTC"}}"#, "properties.schedule"),
        (SQUARE, r#"{"schedule":{"days":["mon",{}],"from":"1:00","to":"2:00","zone":"UTC"}}"#, "properties.schedule.days[1]"),
        (SQUARE, r#"{"schedule":{"days":[],"from":"1:00","to":"2:00","zone":"UTC"}}"#, "properties.schedule.days"),
        (SQUARE, r#"{"schedule":{"days":[9],"from":"1:00","to":"2:00","zone":"UTC"}}"#, "properties.schedule.days"),
        (SQUARE, r#"{"schedule":{"from":"1:00","to":"2:00","tz":"Nowhere"}}"#, "properties.schedule.tz"),
    ] {
        assert_eq!(fault(&feature(geometry, properties)).0, key, "{properties}");
    }
}

#[test]
fn an_id_is_needed_and_may_be_a_number_or_come_from_the_address() {
    let with = |id: &str| format!(r#"{{"type":"Feature",{id}"properties":{{"id":"inside"}},"geometry":{SQUARE}}}"#);
    assert_eq!(one(&with(r#""id":7,"#)).expect("sound").id, "7");
    assert_eq!(fault(&with("")).2, Wrong::IdInProperties);
    assert_eq!(fault(&with(r#""id":"","#)).2, Wrong::Id);
    assert_eq!(fault(&with(r#""id":[],"#)).2, Wrong::Id);
    assert_eq!(fault(&with(r#""id":"a\nb","#)).2, Wrong::Id);
    let at = |id: &str| read_one(&with(id), Some("home"), FenceSource::Phone);
    assert_eq!(at("").expect("addressed").id, "home");
    assert_eq!(at(r#""id":"home","#).expect("the same").id, "home");
    assert_eq!(at(r#""id":"other","#).expect_err("another").wrong, Wrong::OtherId("home".into()));
}

#[test]
fn what_is_no_collection_says_what_one_is() {
    let wrong = |text: &str| read(text, FenceSource::File).expect_err("wrong").remove(0);
    assert_eq!(wrong("{\"type\": \"FeatureCollection\",\n \"features\": [\n  {,]}").line, 3);
    assert_eq!(wrong("").line, 1);
    assert_eq!(wrong("[]").wrong, wrong("[]").wrong);
    assert_eq!(wrong(SQUARE).key, "type");
    assert_eq!(wrong("{}").key, "type");
    assert_eq!(wrong(r#"{"type":"FeatureCollection"}"#).key, "features");
    let deep = format!("{{\"type\":\"FeatureCollection\",\"features\":[\n{}{}]}}", "[".repeat(200), "]".repeat(200));
    assert_eq!(wrong(&deep).key, "features[0]");
    let huge = wrong("{\"type\":\"FeatureCollection\",\"features\":[\n\n{\"id\":\n1e999}]}");
    assert_eq!((huge.line, huge.key.as_str()), (4, "features[0]"));
    assert_eq!(read("\u{feff}{\"type\":\"FeatureCollection\",\"features\":[]}", FenceSource::File), Ok(vec![]));
}

/// `count` fences of `vertices` positions each.
fn many(count: usize, vertices: usize) -> String {
    let ring = |at: usize| {
        let (west, south) = ((at % 100) as f64, (at / 100) as f64 / 2.0 - 40.0);
        let corner = |i: usize| {
            let angle = (i % (vertices - 1)) as f64 / (vertices - 1) as f64 * std::f64::consts::TAU;
            format!("[{:.7},{:.7}]", west + 0.1 * angle.cos(), south + 0.1 * angle.sin())
        };
        (0..vertices).map(corner).collect::<Vec<_>>().join(",")
    };
    let features = (0..count).map(|at| {
        let geometry = format!(r#"{{"type":"Polygon","coordinates":[[{}]]}}"#, ring(at));
        format!(r#"{{"type":"Feature","id":{at},"properties":{{}},"geometry":{geometry}}}"#)
    });
    format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, features.collect::<Vec<_>>().join(","))
}

#[test]
fn limits_hold_at_once_and_before_them_everything_is_read() {
    for (count, vertices) in [(10_000, 20), (200, 1_001)] {
        let text = many(count, vertices);
        let start = Instant::now();
        assert_eq!(read(&text, FenceSource::File).expect("sound").len(), count);
        println!("{count} fences of {vertices} positions: {:?} for {} bytes", start.elapsed(), text.len());
    }
    let wrong = |count, vertices| read(&many(count, vertices), FenceSource::File).expect_err("too many").remove(0).wrong;
    assert_eq!(wrong(10_001, 4), Wrong::TooManyFences(10_001));
    assert_eq!(wrong(201, 1_001), Wrong::TooManyVertices(201_000));
    assert_eq!(wrong(1, 1_002), Wrong::Outline(Flaw::TooMany(1_001)), "the closing position is no vertex");
}

/// JSON that is nearly a fence.
fn nearly() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        (-200..200_i32).prop_map(|n| n.to_string()),
        (-180.0..180.0_f64).prop_map(|n| n.to_string()),
        Just("1e308".to_owned()),
        Just("null".to_owned()),
        Just("180".to_owned()),
        Just("-180".to_owned()),
    ];
    let position = proptest::collection::vec(number, 1..4).prop_map(|all| format!("[{}]", all.join(",")));
    let line = proptest::collection::vec(position, 0..6).prop_map(|mut all| {
        all.extend(all.first().cloned());
        format!("[{}]", all.join(","))
    });
    let rings = proptest::collection::vec(line.clone(), 0..3).prop_map(|all| format!("[{}]", all.join(",")));
    let geometry = prop_oneof![
        rings.clone().prop_map(|rings| format!(r#"{{"type":"Polygon","coordinates":{rings}}}"#)),
        rings.clone().prop_map(|rings| format!(r#"{{"type":"MultiLineString","coordinates":{rings}}}"#)),
        proptest::collection::vec(rings, 0..3)
            .prop_map(|all| format!(r#"{{"type":"MultiPolygon","coordinates":[{}]}}"#, all.join(","))),
        line.prop_map(|line| format!(r#"{{"type":"LineString","coordinates":{line}}}"#)),
    ];
    (geometry, any::<u8>(), ".*").prop_map(|(geometry, id, name)| {
        let properties = serde_json::json!({"name": name, "corridor_m": f64::from(id) * 1.7}).to_string();
        format!(r#"{{"type":"FeatureCollection","features":[{{"type":"Feature","id":{id},"properties":{properties},"geometry":{geometry}}}]}}"#)
    })
}

proptest! {
    #[test]
    fn anything_may_come(text in ".*") {
        prop_assert_eq!(survives(&text), Ok(()));
    }

    #[test]
    fn nearly_a_fence_may_come(text in nearly()) {
        prop_assert_eq!(survives(&text), Ok(()));
    }

    #[test]
    fn what_is_cut_or_garbled_says_a_line(at in 0..2000_usize, with in any::<char>()) {
        let mut text = many(2, 12);
        let at = text.char_indices().map(|(at, _)| at).nth(at % text.len()).unwrap_or(0);
        text.replace_range(at..=at, &with.to_string());
        prop_assert_eq!(survives(&text), Ok(()));
        text.truncate(at);
        prop_assert!(read(&text, FenceSource::File).is_err_and(|faults| faults[0].line == 1));
    }
}

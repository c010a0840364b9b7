//! Numbers that the fleet lays over those of the site's file: checked as the file is, and never so that a child's alert
//! comes later than the file allows.
//!
//! The fleet's document is JSON, `{"child": {"locked_s": 8}, "trip": {…}}`, with the keys of the site's file. `null` is
//! absent. Everything outside [`SECTIONS`] is not for the fleet to set: who may ask, what is sent on a bus, where it is
//! listened.

use std::path::Path;

use serde_json::{Map, Value as Json};

use super::fault::{Fault, Findings, Place};
use super::read::is_section;
use super::tree::{Node, Value};
use super::typed::{checked, suggest};
use crate::detect;
use crate::request::Wrong;

/// What the fleet may set numbers of.
pub const SECTIONS: [&str; 3] = ["child", "geofence", "trip"];

/// So many faults are told at once.
const TOLD_AT_MOST: usize = 20;

/// The numbers of `site` with those of `wanted` laid over them.
///
/// # Errors
/// Everything that is wrong with `wanted`, up to twenty faults.
pub fn laid_over(site: &detect::Settings, wanted: &Map<String, Json>) -> Result<detect::Settings, Vec<Wrong>> {
    let mut wrong: Vec<Wrong> =
        wanted.keys().filter(|key| !SECTIONS.contains(&key.as_str())).map(|key| not_theirs(key)).collect();
    let place = Place::new(Path::new("fleet"), 1);
    let fleet = table(wanted.iter().filter(|(key, _)| SECTIONS.contains(&key.as_str())), &place);
    let mut findings = Findings::default();
    let merged: detect::Settings = checked(&fleet.over(of_site(site, &place)), "", detect::Settings::check, &mut findings);
    let told = |Fault { key, message, cure, .. }: Fault| Wrong::new(key, message, cure);
    wrong.extend(findings.sorted().faults.into_iter().map(told));
    if wrong.is_empty() {
        if let Err(later) = merged.child.is_no_later_than(&site.child) {
            let told =
                |later: &detect::Later| Wrong::new(format!("child.{}", later.key), format!("is {}", later.value), later.cure());
            wrong.extend(later.iter().map(told));
        }
    }
    wrong.truncate(TOLD_AT_MOST);
    // What the fleet may not set is the site's, whatever was read.
    let detect::Settings { child, geofence, trip, .. } = merged;
    if wrong.is_empty() { Ok(detect::Settings { child, geofence, trip, ..site.clone() }) } else { Err(wrong) }
}

fn not_theirs(key: &str) -> Wrong {
    let cure = match is_section(key) {
        true => "leave it out: it can only be changed in the unit's own file".to_owned(),
        false => suggest(key, SECTIONS),
    };
    Wrong::new(key.escape_debug().to_string(), "is nothing that the fleet may set", cure)
}

/// The site's numbers as a document.
fn of_site(site: &detect::Settings, place: &Place) -> Node {
    let detect::Settings { child, geofence, trip, .. } = site;
    let sections = [serde_json::to_value(child), serde_json::to_value(geofence), serde_json::to_value(trip)];
    let sections = SECTIONS.map(str::to_owned).into_iter().zip(sections.into_iter().map(Result::unwrap_or_default));
    let sections: Map<String, Json> = sections.collect();
    table(&sections, place)
}

fn table<'a>(members: impl IntoIterator<Item = (&'a String, &'a Json)>, place: &Place) -> Node {
    let present = members.into_iter().filter(|(_, value)| !value.is_null());
    let value = Value::Table(present.map(|(key, value)| (key.clone(), node(value, place))).collect());
    Node { place: place.clone(), value }
}

fn node(value: &Json, place: &Place) -> Node {
    let value = match value {
        Json::Object(members) => return table(members, place),
        Json::Array(items) => Value::List(items.iter().map(|item| node(item, place)).collect()),
        Json::Bool(value) => Value::Bool(*value),
        Json::String(text) => Value::Text(text.clone()),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::INFINITY)),
        },
        // Within a list, where no key takes anything.
        Json::Null => Value::Text("null".to_owned()),
    };
    Node { place: place.clone(), value }
}

/// Lays what may be anything over the defaults: what is taken is in its ranges, no later, and touches nothing else. For
/// tests and for a fuzzer.
///
/// # Errors
/// Which promise was broken.
pub fn fleet_survives(bytes: &[u8]) -> Result<(), String> {
    let Ok(wanted) = serde_json::from_slice::<Map<String, Json>>(bytes) else { return Ok(()) };
    let site = detect::Settings::default();
    match laid_over(&site, &wanted) {
        Ok(merged) => {
            merged.check()?;
            merged.child.is_no_later_than(&site.child).map_err(|later| format!("{later:?}"))?;
            let untouched = merged.state == site.state && merged.diagnosis == site.diagnosis;
            if untouched { Ok(()) } else { Err("what is not the fleet's was changed".to_owned()) }
        }
        Err(wrong) if wrong.is_empty() => Err("refused without a reason".to_owned()),
        Err(wrong) if wrong.iter().any(|wrong| wrong.message.is_empty() || wrong.cure.is_empty()) => Err(format!("{wrong:?}")),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(json: &str) -> Map<String, Json> {
        serde_json::from_str(json).unwrap()
    }

    fn told(site: &detect::Settings, json: &str) -> Vec<String> {
        laid_over(site, &wanted(json)).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn numbers_are_laid_over_those_of_the_site() {
        let mut site = detect::Settings::default();
        (site.child.locked_s, site.child.escalate_s, site.diagnosis.gnss_lost_s) = (9, 50, 77);
        let json = r#"{"child": {"locked_s": 8, "hot_celsius": 28, "repeat_s": null}, "geofence": {"exit_m": 20}, "trip": {"start_kmh": 6.5}}"#;
        let merged = laid_over(&site, &wanted(json)).unwrap();
        assert_eq!((merged.child.locked_s, merged.child.escalate_s, merged.child.hot_celsius), (8, 50, 28.0));
        assert_eq!((merged.geofence.exit_m, merged.trip.start_kmh, merged.diagnosis.gnss_lost_s), (20.0, 6.5, 77));
        assert_eq!(laid_over(&site, &Map::new()), Ok(site));
    }

    #[test]
    fn it_is_checked_as_the_file_is_and_all_that_is_wrong_is_told() {
        let json = r#"{"child": {"locked_s": 1, "locked_sec": 9, "escalate_s": "60"}, "chlid": {}, "trip": {"start_kmh": 99}}"#;
        assert_eq!(
            told(&detect::Settings::default(), json),
            [
                "chlid: is nothing that the fleet may set; the nearest known one is `child`",
                "child.escalate_s: is the text \"60\"; give a whole number from 0 to 4294967295",
                "child.locked_s: is 1; it must lie between 2 and 15",
                "child.locked_sec: is no known key; the nearest known one is `locked_s`",
                "trip.start_kmh: is 99; it must lie between 3 and 30",
            ]
        );
        assert_eq!(told(&detect::Settings::default(), r#"{"child": 7}"#).len(), 1);
    }

    #[test]
    fn no_alert_comes_later_than_the_site_allows() {
        let mut site = detect::Settings::default();
        (site.child.locked_s, site.child.hot_celsius) = (6, 27.0);
        assert_eq!(
            told(&site, r#"{"child": {"locked_s": 7, "hot_celsius": 30, "expire_s": 1600, "repeat_for_s": 1400}}"#),
            [
                "child.locked_s: is 7; the site's file has 6: give that or less, so that no alert comes later",
                "child.repeat_for_s: is 1400; the site's file has 1500: give that or more, so that no alert comes later or less often",
                "child.expire_s: is 1600; the site's file has 1500, and either way an alert could come later: leave it out",
                "child.hot_celsius: is 30; the site's file has 27: give that or less, so that no alert comes later",
            ]
        );
    }

    #[test]
    fn what_opens_a_door_or_sends_on_a_bus_is_not_the_fleets() {
        let json = r#"{"diagnostics": {"transmit": true}, "http": {"trusted": ["*"], "listen": ["0.0.0.0:80"], "tls": []},
            "bus": {"body": {"listen_only": false}}, "upstream": [], "state": {"nominal_v": 24}, "diagnosis": {}, "hardware": {},
            "vehicle": {"vin": "X"}, "journal": {"max_bytes": 1}, "geofences": {"file": "/etc/passwd"}, "metrics": {}}"#;
        let told = told(&detect::Settings::default(), json);
        assert_eq!(told.len(), 11);
        assert!(told.iter().all(|told| told.ends_with("it can only be changed in the unit's own file")), "{told:#?}");
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_refused_or_in_order(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            fleet_survives(&bytes).unwrap();
        }

        #[test]
        fn whatever_numbers_come_no_alert_is_later(key in 0..22_usize, value in -1e3..1e5_f64, whole in proptest::prelude::any::<bool>()) {
            let keys = serde_json::to_value(detect::ChildSettings::default()).unwrap();
            let key = keys.as_object().unwrap().keys().nth(key).unwrap().clone();
            let value = if whole { Json::from(value as i64) } else { Json::from(value) };
            let document = serde_json::json!({"child": {key: value}});
            fleet_survives(document.to_string().as_bytes()).unwrap();
        }
    }
}

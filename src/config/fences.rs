//! The fences of the site's file. Properties that Telltale does not know are any other program's business; one that looks
//! like a misspelling of one that it knows is a warning.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::fault::{Findings, Place};
use super::paths;
use super::site::{FileOf, place_of, section};
use super::tree::Node;
use crate::can::profile::nearest;
use crate::geo::{self, Fence, FenceSource};

/// The properties that mean something here.
const KNOWN: [&str; 9] =
    ["name", "dwell_s", "speed_limit_kmh", "tell_at_start", "schedule", "corridor_m", "type", "radius", "radius_units"];

/// A FeatureCollection or a Feature, as far as property names go.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    features: Vec<Named>,
    properties: Option<BTreeMap<String, IgnoredAny>>,
}

/// Reads `geofences.file`; without one there are none.
pub fn read(tree: &Node, findings: &mut Findings) -> Vec<Fence> {
    let FileOf { file } = section(tree, "geofences", findings);
    let Some(given) = file else { return Vec::new() };
    let place = place_of(tree, "geofences.file");
    let Some((path, text)) = paths::text(place, "geofences.file", &given, paths::MAX_GEOJSON, findings) else {
        return Vec::new();
    };
    for (line, wrong, near) in misspelt(&text) {
        let cure = format!("the nearest known one is `{near}`");
        findings.warn(&Place::new(&path, line), format!("properties.{wrong}"), "is no known property", cure);
    }
    geo::read(&text, FenceSource::File).unwrap_or_else(|faults| {
        for fault in faults {
            let key = match &fault.id {
                Some(id) => format!("fence {id:?} {}", fault.key),
                None if fault.key.is_empty() => "geofences.file".to_owned(),
                None => fault.key.clone(),
            };
            findings.said(&Place::new(&path, fault.line), key.trim_end(), &fault.wrong.to_string(), "");
        }
        Vec::new()
    })
}

/// Each property that is near to a known one without being it, once, with the line where it first stands.
fn misspelt(text: &str) -> Vec<(usize, String, &'static str)> {
    let Ok(Named { features, properties }) = serde_json::from_str(text.trim_start_matches('\u{feff}')) else {
        return Vec::new();
    };
    let all = features.into_iter().filter_map(|feature| feature.properties).chain(properties);
    let names: BTreeSet<String> = all.flat_map(BTreeMap::into_keys).filter(|name| !KNOWN.contains(&name.as_str())).collect();
    let near = names.into_iter().filter_map(|name| nearest(&name, KNOWN).map(|near| (name, near)));
    let line = |name: &str| 1 + text.lines().position(|line| line.contains(&format!("\"{name}\""))).unwrap_or(0);
    near.map(|(name, near)| (line(&name), name, near)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_property_is_told_once_and_a_foreign_one_never() {
        let text = r##"{"type": "FeatureCollection", "features": [
            {"type": "Feature", "id": 1, "properties": {"stroke": "#f00", "osm_id": 3, "dwell_s": 60}},
            {"type": "Feature", "id": 2, "properties": {"dwel_s": 60, "name": "Home"}},
            {"type": "Feature", "id": 3, "properties": {"dwel_s": 60, "speed_limit_kph": 30}},
            {"type": "Feature", "id": 4, "properties": null}]}"##;
        let told = [(3, "dwel_s".to_owned(), "dwell_s"), (4, "speed_limit_kph".to_owned(), "speed_limit_kmh")];
        assert_eq!(misspelt(text), told);
        assert_eq!(misspelt("no JSON"), []);
    }
}

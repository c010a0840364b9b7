//! Fences out of GeoJSON (RFC 7946) and into it again.
//!
//! A fence is a Feature with an `id` (a string, or a number, which becomes one):
//!
//! | geometry | properties | inside is |
//! |---|---|---|
//! | `Polygon`, `MultiPolygon` | | what the rings enclose |
//! | `Point` | `type: "Circle"`, `radius`, `radius_units: "m"` | what is at most `radius` away |
//! | `LineString`, `MultiLineString` | `corridor_m` | what is at most half of `corridor_m` away: it is the whole width |
//!
//! and for all of them `name`, `dwell_s`, `speed_limit_kmh`, `tell_at_start` and
//! `schedule: {"days": ["mon", …], "from": "22:00", "to": "06:00", "zone": "Asia/Seoul"}`. Members and properties that
//! are not known are passed over (RFC 7946, 6.1), except within `schedule`. `null` is absent.

mod feature;
mod members;
#[cfg(test)]
mod tests;
mod write;

pub use write::write;

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::fault::{At, Fault, Under, Wrong};
use super::{Fence, FenceSource, MAX_FENCES, MAX_VERTICES_IN_ALL};
use feature::feature;

/// How many faults of one text are told.
const MAX_FAULTS: usize = 20;
/// The outermost object, its features unread.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    features: Option<Vec<&'a RawValue>>,
}

/// The fences of a FeatureCollection, or of a single Feature.
///
/// # Errors
/// Everything that is wrong, up to twenty faults, in the order of the text.
pub fn read(text: &str, source: FenceSource) -> Result<Vec<Fence>, Vec<Fault>> {
    let text = text.trim_start_matches('\u{feff}');
    let document: Document = serde_json::from_str(text).map_err(|error| vec![json_fault(&error, 0, None)])?;
    let whole = |at: At| vec![at.fault(text, None, None)];
    match (document.kind.as_deref(), document.features) {
        (Some("Feature"), _) => read_one(text, None, source).map(|fence| vec![fence]).map_err(|fault| vec![*fault]),
        (Some("FeatureCollection"), Some(features)) if features.len() > MAX_FENCES => {
            Err(whole(At::from(Wrong::TooManyFences(features.len())).under("features")))
        }
        (Some("FeatureCollection"), Some(features)) => collection(text, &features, source),
        (Some("FeatureCollection"), None) => Err(whole(At::from(Wrong::Missing("an array of Features")).under("features"))),
        (Some(other), _) => {
            let wanted = "\"FeatureCollection\", and each fence as a \"Feature\" in its `features`";
            Err(whole(At::from(Wrong::Word { found: other.to_owned(), wanted }).under("type")))
        }
        (None, _) => Err(whole(At::from(Wrong::Missing("\"FeatureCollection\"")).under("type"))),
    }
}

/// The fence of one Feature. `id` is what it is addressed by, where it is: the Feature then needs none of its own.
///
/// # Errors
/// The first thing that is wrong.
pub fn read_one(text: &str, id: Option<&str>, source: FenceSource) -> Result<Fence, Box<Fault>> {
    let text = text.trim_start_matches('\u{feff}');
    let value: Value = serde_json::from_str(text).map_err(|error| Box::new(json_fault(&error, 0, None)))?;
    feature(&value, id, source).map_err(|at| Box::new(at.fault(text, None, members::id_of(&value))))
}

fn collection(text: &str, features: &[&RawValue], source: FenceSource) -> Result<Vec<Fence>, Vec<Fault>> {
    let mut fences: Vec<Fence> = Vec::with_capacity(features.len());
    let mut seen: HashMap<String, usize> = HashMap::with_capacity(features.len());
    let mut faults = Vec::new();
    let mut vertices = 0;
    for (at, raw) in features.iter().enumerate() {
        match one_of(text, raw, at, source) {
            Ok(fence) => {
                vertices += fence.shape.vertices();
                if let Some(first) = seen.get(&fence.id) {
                    let fault = At::from(Wrong::DuplicateId(*first)).under("id").under(at).under("features");
                    faults.push(fault.fault(text, Some(at), Some(fence.id.clone())));
                }
                seen.entry(fence.id.clone()).or_insert(at);
                fences.push(fence);
            }
            Err(fault) => faults.push(*fault),
        }
        if faults.len() >= MAX_FAULTS {
            break;
        }
    }
    if vertices > MAX_VERTICES_IN_ALL {
        faults.push(At::from(Wrong::TooManyVertices(vertices)).under("features").fault(text, None, None));
    }
    if faults.is_empty() { Ok(fences) } else { Err(faults) }
}

fn one_of(text: &str, raw: &RawValue, at: usize, source: FenceSource) -> Result<Fence, Box<Fault>> {
    let value: Value = serde_json::from_str(raw.get()).map_err(|error| {
        let offset = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        Box::new(json_fault(&error, text.bytes().take(offset).filter(|byte| *byte == b'\n').count(), Some(at)))
    })?;
    let placed = |fault: At| fault.under(at).under("features").fault(text, Some(at), members::id_of(&value));
    feature(&value, None, source).map_err(|fault| Box::new(placed(fault)))
}

/// What `serde_json` says, with its line counted from the text's beginning.
fn json_fault(error: &serde_json::Error, lines_before: usize, feature: Option<usize>) -> Fault {
    let said = error.to_string();
    let what = said.rsplit_once(" at line ").map_or(said.as_str(), |(what, _)| what);
    let wrong = Wrong::Json(format!("not the JSON it should be, at column {}: {what}", error.column()));
    let key = feature.map(|at| format!("features[{at}]")).unwrap_or_default();
    Fault { line: lines_before + error.line().max(1), feature, id: None, key, vertex: None, wrong }
}

/// Reads what may be anything: whatever is taken is sound, and reads the same when it is written and read again. For
/// tests and for a fuzzer.
///
/// # Errors
/// What did not come back as it was.
pub fn survives(text: &str) -> Result<(), String> {
    let Ok(fences) = read(text, FenceSource::Phone) else { return Ok(()) };
    let written = write(&fences);
    let again = read(&written, FenceSource::Phone).map_err(|faults| format!("{written}: {faults:?}"))?;
    if write(&again) == written { Ok(()) } else { Err(format!("{written} came back as {}", write(&again))) }
}

//! The fences of the site's file.

use super::fault::{Findings, Place};
use super::paths;
use super::site::{FileOf, place_of, section};
use super::tree::Node;
use crate::geo::{self, Fence, FenceSource};

/// Reads `geofences.file`; without one there are none.
pub fn read(tree: &Node, findings: &mut Findings) -> Vec<Fence> {
    let FileOf { file } = section(tree, "geofences", findings);
    let Some(given) = file else { return Vec::new() };
    let place = place_of(tree, "geofences.file");
    let Some((path, text)) = paths::text(place, "geofences.file", &given, paths::MAX_GEOJSON, findings) else {
        return Vec::new();
    };
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

//! `places.file`: names of places.

use std::sync::Arc;

use super::fault::Findings;
use super::paths;
use super::site::{FileOf, place_of, section};
use super::tree::Node;
use crate::places::Places;

/// The file, where the site has one; what is wrong with it is noted.
pub fn read(tree: &Node, findings: &mut Findings) -> Option<Arc<Places>> {
    let FileOf { file } = section(tree, "places", findings);
    let place = place_of(tree, "places.file");
    let before = findings.faults.len();
    let path = paths::file(place, "places.file", &file?, findings);
    if findings.faults.len() > before {
        return None;
    }
    match Places::open(&path) {
        Ok(places) => Some(Arc::new(places)),
        Err(fault) => {
            findings.fault(place, "places.file", format!("{} {fault}", path.display()), fault.cure());
            None
        }
    }
}

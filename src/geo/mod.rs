//! Points, distances, rings and fences on WGS 84, and their GeoJSON (RFC 7946).

use serde::{Deserialize, Serialize};

/// A position in degrees, WGS 84.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// −90 to 90, north positive.
    pub latitude: f64,
    /// −180 to 180, east positive.
    pub longitude: f64,
}

/// Who made a fence, and so who may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FenceSource {
    /// The site's file.
    File,
    /// A phone.
    Phone,
    /// The fleet.
    Fleet,
}

/// A fence.
#[derive(Clone, Debug, PartialEq)]
pub struct Fence {
    /// Unique over all sources.
    pub id: String,
    /// For people.
    pub name: Option<String>,
    /// Who made it.
    pub source: FenceSource,
}

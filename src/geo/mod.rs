//! Points, distances, fences on WGS 84, and their GeoJSON (RFC 7946).
//!
//! What is promised:
//!
//! - A fence's edges are straight in longitude and latitude (RFC 7946, 3.1.1). Distances to them are geodesic within
//!   0.2 % up to 50 km, below 85° of latitude, across the antimeridian too.
//! - A fence that exists is sound: rings closed and simple, holes inside, parts apart, numbers finite and in range. What
//!   is not is refused with a [`Fault`] that names line, feature, key and vertex and says what would be right.
//! - 10,000 fences, 1,000 vertices each, 200,000 in all.
//! - A fence may cross the antimeridian: cut there into parts (RFC 7946, 3.1.9), whose common seam is then no border, or
//!   uncut, with an edge that spans more than 180° of longitude, which is read as going the short way.
//!
//! Altitude is ignored, and so is the direction in which a ring runs.

mod check;
mod ellipsoid;
mod fault;
mod fence;
mod geojson;
#[cfg(test)]
mod oracles;
mod round;
mod schedule;
mod shape;
#[cfg(test)]
mod tests;

pub use check::{Defect, Flaw};
pub use ellipsoid::{Vantage, distance};
pub use fault::{Fault, Wrong};
pub use fence::{Fence, FenceSource};
pub use geojson::{read, read_one, survives, write};
pub use schedule::Schedule;
pub use shape::{Crossing, Shape};

use serde::{Deserialize, Serialize};

/// A position in degrees, WGS 84.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// −90 to 90, north positive.
    pub latitude: f64,
    /// −180 to 180, east positive.
    pub longitude: f64,
}

/// How many fences there may be at once.
pub const MAX_FENCES: usize = 10_000;
/// How many positions one fence may have.
pub const MAX_VERTICES: usize = 1_000;
/// How many positions all fences may have together.
pub const MAX_VERTICES_IN_ALL: usize = 200_000;

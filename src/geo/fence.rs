//! A fence: an outline with an id, and what is to be told of it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Point, Schedule, Shape, Vantage};

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

/// A fence. Cheap to clone: its outline is shared.
#[derive(Clone, Debug, PartialEq)]
pub struct Fence {
    /// Unique over all sources.
    pub id: String,
    /// For people.
    pub name: Option<String>,
    /// Who made it.
    pub source: FenceSource,
    /// Its outline.
    pub shape: Arc<Shape>,
    /// `dwell_s`: tell when the vehicle has been inside for so long.
    pub dwell: Option<Duration>,
    /// `speed_limit_kmh`: tell when the vehicle goes faster inside.
    pub speed_limit: Option<f64>,
    /// When to tell; always, without one.
    pub schedule: Option<Schedule>,
    /// Whether to tell, where the schedule starts, what was not told before.
    pub tell_at_start: bool,
}

impl Fence {
    /// A fence that tells of entering and leaving, at any time.
    pub fn new(id: impl Into<String>, source: FenceSource, shape: Shape) -> Fence {
        Fence {
            id: id.into(),
            name: None,
            source,
            shape: Arc::new(shape),
            dwell: None,
            speed_limit: None,
            schedule: None,
            tell_at_start: false,
        }
    }

    /// Whether `point` is inside.
    pub fn contains(&self, point: Point) -> bool {
        self.shape.contains(&Vantage::new(point))
    }
}

//! Where the vehicle is: one fix an epoch of the receiver.

use serde::{Deserialize, Serialize};

use crate::clock::{Boot, Wall};
use crate::geo::Point;

/// Whether a fix has a height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Latitude and longitude only.
    TwoD,
    /// With altitude.
    ThreeD,
}

/// What a satellite receiver made of one epoch. Absent is what it did not say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    /// When the epoch's first sentence was read.
    pub at: Boot,
    /// The epoch in UTC; `None` while the receiver gave no date.
    pub time: Option<Wall>,
    /// Two or three dimensions.
    pub mode: Mode,
    /// WGS 84.
    pub point: Point,
    /// Radius of the circle that holds the true position in 68 % of cases, m: from GST, else HDOP × UERE, never under
    /// 3 m, 50 m when neither is known.
    pub accuracy: f64,
    /// Above mean sea level, m.
    pub altitude: Option<f64>,
    /// Over ground, km/h (sentences and `decode nmea` have knots and m/s; everything inside has km/h).
    pub speed: Option<f64>,
    /// True course over ground, degrees from north.
    pub heading: Option<f64>,
    /// Satellites used.
    pub satellites: Option<u8>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
}

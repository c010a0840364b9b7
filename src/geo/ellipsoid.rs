//! Distances on the WGS-84 ellipsoid.
//!
//! Two points: the straight chord through the earth, made an arc again. Up to 50 km that is within 1e-5 of the geodesic,
//! at every latitude and across the antimeridian, because nothing in it knows of a longitude.
//!
//! A point and an edge that is straight in longitude and latitude: the edge's nearest parameter in the plane tangent at
//! the point (its own two radii of curvature), bettered by Gauss-Newton steps on the ellipsoid where the plane is not
//! good enough, then the chord. Within 0.2 % up to 50 km, below 85° of latitude.

use super::Point;

/// Semi-major axis, m (WGS 84).
const A: f64 = 6_378_137.0;
/// First eccentricity squared (WGS 84: flattening 1 / 298.257223563).
const E2: f64 = 6.694_379_990_141_316e-3;
/// Mean radius, m: what a chord is bent along.
const R: f64 = 6_371_008.8;
/// The smallest radius of curvature there is (along the meridian at the equator), m.
const R_MIN: f64 = A * (1.0 - E2);

/// Longitude and latitude in degrees. Within a shape the longitude may lie beyond ±180, so that neighbours stay
/// neighbours across the antimeridian.
pub(crate) type Vertex = [f64; 2];

/// A point, with everything that distances from it need computed once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vantage {
    point: Point,
    /// Earth-centred coordinates, m.
    space: [f64; 3],
    /// Metres in a degree of longitude and of latitude, here.
    scale: [f64; 2],
    /// How fast the first of these changes: its relative change in a metre northward.
    shear: f64,
}

impl Vantage {
    /// From `point`.
    pub fn new(point: Point) -> Vantage {
        let (sin, cos) = point.latitude.to_radians().sin_cos();
        let squared = 1.0 - E2 * sin * sin;
        let normal = A / squared.sqrt();
        let meridional = normal * (1.0 - E2) / squared;
        let (sin_lon, cos_lon) = point.longitude.to_radians().sin_cos();
        let space = [normal * cos * cos_lon, normal * cos * sin_lon, normal * (1.0 - E2) * sin];
        let scale = [(normal * cos).to_radians(), meridional.to_radians()];
        Vantage { point, space, scale, shear: (sin / cos).abs() / R_MIN }
    }

    /// Where it is.
    pub fn point(&self) -> Point {
        self.point
    }

    /// Geodesic distance to `other`, m.
    pub fn distance(&self, other: &Vantage) -> f64 {
        let chord = minus(self.space, other.space);
        arc(dot(chord, chord).sqrt())
    }

    /// The point a share `t` of the way to `other`, straight in longitude and latitude, the short way round.
    pub fn toward(&self, other: &Vantage, t: f64) -> Point {
        let from = self.point;
        let east = short_way(other.point.longitude - from.longitude);
        Point {
            latitude: from.latitude + t * (other.point.latitude - from.latitude),
            longitude: short_way(from.longitude + t * east),
        }
    }

    /// `vertex` in the plane tangent here, m east and m north; exact enough near by. `longitude` is this point's own
    /// longitude, by which the vertex's is counted.
    pub(crate) fn plane(&self, longitude: f64, vertex: Vertex) -> [f64; 2] {
        let [east, north] = vertex;
        [(east - longitude) * self.scale[0], (north - self.point.latitude) * self.scale[1]]
    }

    /// How far a distance of `metres` measured in the plane may be off, as a share of it.
    pub(crate) fn slack(&self, metres: f64) -> f64 {
        metres * self.shear
    }

    /// Distance to the edge from `a` to `b`, which the plane has at the share `t` of it, m. `longitude` as in
    /// [`Vantage::plane`].
    pub(crate) fn edge_distance(&self, longitude: f64, a: Vertex, b: Vertex, t: f64) -> f64 {
        let span = [b[0] - a[0], b[1] - a[1]];
        let at = |t: f64| {
            let [east, north] = [a[0] + t * span[0] - longitude + self.point.longitude, a[1] + t * span[1]];
            Vantage::new(Point { latitude: north, longitude: east })
        };
        let (mut t, mut best) = (t, f64::INFINITY);
        for _ in 0..STEPS {
            let here = at(t);
            let off = minus(here.space, self.space);
            best = best.min(dot(off, off));
            let run = here.velocity(span);
            let step = dot(off, run) / dot(run, run);
            let next = (t - step).clamp(0.0, 1.0);
            if !step.is_finite() || (next - t).abs() * dot(run, run).sqrt() < STEP_ENOUGH {
                break;
            }
            t = next;
        }
        arc(best.sqrt())
    }

    /// How the point moves through space, m, when longitude and latitude change by `span` degrees.
    fn velocity(&self, span: [f64; 2]) -> [f64; 3] {
        let (sin, cos) = self.point.latitude.to_radians().sin_cos();
        let (sin_lon, cos_lon) = self.point.longitude.to_radians().sin_cos();
        let [east, north] = [span[0] * self.scale[0], span[1] * self.scale[1]];
        [-east * sin_lon - north * sin * cos_lon, east * cos_lon - north * sin * sin_lon, north * cos]
    }
}

/// Gauss-Newton steps toward the nearest point of an edge; three suffice for 50 km at 85°.
const STEPS: usize = 6;
/// A step of fewer metres than this changes nothing that matters.
const STEP_ENOUGH: f64 = 0.01;

/// Geodesic distance, m.
pub fn distance(a: Point, b: Point) -> f64 {
    Vantage::new(a).distance(&Vantage::new(b))
}

/// The distances of degrees to `metres` east or west, and north or south, of `latitude`: never too small. 180 where
/// there is a pole within.
pub(crate) fn reach(latitude: f64, metres: f64) -> [f64; 2] {
    let angle = metres / R_MIN * 1.001;
    let north = angle.to_degrees();
    let edge = latitude.abs() + north;
    if edge >= 89.9 {
        return [180.0, north];
    }
    let east = (angle.min(std::f64::consts::FRAC_PI_2).sin() / latitude.to_radians().cos()).min(1.0).asin();
    [(east * 1.001).to_degrees(), north]
}

/// A difference of longitudes, the short way round: −180 to 180.
pub(crate) fn short_way(degrees: f64) -> f64 {
    if degrees > 180.0 {
        degrees - 360.0
    } else if degrees < -180.0 {
        degrees + 360.0
    } else {
        degrees
    }
}

/// The arc over a chord.
fn arc(chord: f64) -> f64 {
    2.0 * R * (chord / (2.0 * R)).min(1.0).asin()
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

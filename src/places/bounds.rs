//! Points as vectors of the unit sphere, where nothing is special about the antimeridian or the poles, and boxes of them.
//!
//! Distances are squares of chords: they order as great circles do, and cost no root.

use crate::geo::Point;

/// A point of the unit sphere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Vector(pub(super) [f64; 3]);

impl Vector {
    pub(super) fn of(point: Point) -> Vector {
        let (sin, cos) = point.latitude.to_radians().sin_cos();
        let (east, ahead) = point.longitude.to_radians().sin_cos();
        Vector([cos * ahead, cos * east, sin])
    }

    /// The square of the chord between two points, 0 to 4.
    pub(super) fn chord_to(self, other: Vector) -> f64 {
        self.0.iter().zip(other.0).map(|(a, b)| (a - b) * (a - b)).sum()
    }
}

/// The angle over a squared chord, 0 to π; π for more than there can be.
pub(super) fn angle(chord: f64) -> f64 {
    2.0 * (chord.sqrt() / 2.0).min(1.0).asin()
}

/// A box around points, a little larger than need be: `f32` rounds by 6e-8, so 1e-6 (6 m) is always enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    low: [f32; 3],
    high: [f32; 3],
}

const ROOM: f32 = 1e-6;

impl Bounds {
    /// Around nothing.
    pub(super) const NONE: Bounds = Bounds { low: [f32::INFINITY; 3], high: [f32::NEG_INFINITY; 3] };

    /// Around that too.
    pub(super) fn with(mut self, Vector(point): Vector) -> Bounds {
        for ((low, high), at) in self.low.iter_mut().zip(&mut self.high).zip(point) {
            *low = low.min(at as f32 - ROOM);
            *high = high.max(at as f32 + ROOM);
        }
        self
    }

    /// Around both.
    pub(super) fn and(mut self, other: Bounds) -> Bounds {
        self.low.iter_mut().zip(other.low).for_each(|(low, other)| *low = low.min(other));
        self.high.iter_mut().zip(other.high).for_each(|(high, other)| *high = high.max(other));
        self
    }

    /// The square of the distance from `point` to the nearest point of the box: no point in it is nearer.
    pub(super) fn chord_from(&self, Vector(point): Vector) -> f64 {
        let outside = |((low, high), at): ((&f32, &f32), f64)| (f64::from(*low) - at).max(at - f64::from(*high)).max(0.0);
        self.low.iter().zip(&self.high).zip(point).map(outside).map(|by| by * by).sum()
    }
}

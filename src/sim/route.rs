//! A road as a polyline, and how a car drives along it: round its corners, no faster than it may, smoothly.
//!
//! Speed is limited to the road's, and in bends to a lateral acceleration of 2 m/s²; the car gains at most 1.8 m/s² and
//! brakes with at most 2 m/s², as drivers in towns do. Position, heading and speed are exact derivatives of one another.

use crate::geo::Point;

/// A road from one parking place to another.
#[derive(Debug)]
pub(super) struct Route {
    /// Its corners, the two ends included.
    pub(super) corners: &'static [Point],
    /// How fast one may drive, km/h.
    pub(super) limit: f64,
    /// Between these distances from the start, m, there is no sky.
    pub(super) tunnel: Option<(f64, f64)>,
}

/// m/s².
const GAIN: f64 = 1.8;
const BRAKE: f64 = 2.0;
const LATERAL: f64 = 2.0;
/// Of the tightest bend, m.
const RADIUS: f64 = 9.0;
/// Before the corner where the slightest bend begins, m.
const TANGENT: f64 = 8.0;
/// Distance between two places where the speed is worked out, m.
const PACE: f64 = 1.0;

/// A place on a route and how the car moves there. East and north are metres from [`super::town::HOME`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pose {
    pub(super) east: f64,
    pub(super) north: f64,
    /// From the east, counter-clockwise, radians.
    pub(super) heading: f64,
    /// 1/m, positive to the left.
    pub(super) curvature: f64,
    /// m/s.
    pub(super) speed: f64,
    /// Along the route, m.
    pub(super) along: f64,
    pub(super) sky: bool,
}

/// A route with its bends rounded and its speeds worked out.
#[derive(Debug)]
pub(super) struct Drive {
    pieces: Vec<Piece>,
    knots: Vec<Knot>,
    tunnel: Option<(f64, f64)>,
}

/// A straight (curvature 0) or an arc.
#[derive(Clone, Copy, Debug)]
struct Piece {
    begin: f64,
    length: f64,
    east: f64,
    north: f64,
    heading: f64,
    curvature: f64,
}

/// Between two knots the acceleration is constant.
#[derive(Clone, Copy, Debug)]
struct Knot {
    time: f64,
    along: f64,
    speed: f64,
}

impl Drive {
    pub(super) fn new(route: &Route) -> Drive {
        let pieces = rounded(&route.corners.iter().map(|corner| metres(*corner)).collect::<Vec<_>>());
        let knots = paced(&pieces, route.limit / 3.6);
        Drive { pieces, knots, tunnel: route.tunnel }
    }

    /// s.
    pub(super) fn duration(&self) -> f64 {
        self.knots.last().map_or(0.0, |knot| knot.time)
    }

    /// `seconds` after setting off; before and after the drive the car stands at its ends.
    pub(super) fn at(&self, seconds: f64) -> Pose {
        let time = seconds.clamp(0.0, self.duration());
        let next = self.knots.partition_point(|knot| knot.time <= time);
        let (Some(from), to) = (self.knots.get(next.saturating_sub(1)), self.knots.get(next)) else { return Pose::default() };
        let elapsed = time - from.time;
        let gain = to.map_or(0.0, |to| (to.speed - from.speed) / (to.time - from.time));
        let along = from.along + from.speed * elapsed + 0.5 * gain * elapsed * elapsed;
        self.place(along, from.speed + gain * elapsed)
    }

    fn place(&self, along: f64, speed: f64) -> Pose {
        let next = self.pieces.partition_point(|piece| piece.begin <= along);
        let Some(piece) = self.pieces.get(next.saturating_sub(1)) else { return Pose::default() };
        let into = (along - piece.begin).clamp(0.0, piece.length);
        let (east, north, heading) = piece.end(into);
        let sky = self.tunnel.is_none_or(|(from, to)| !(from..to).contains(&along));
        Pose { east, north, heading, curvature: piece.curvature, speed, along, sky }
    }
}

impl Piece {
    /// East, north and heading `into` metres of it.
    fn end(&self, into: f64) -> (f64, f64, f64) {
        let turn = self.curvature * into;
        // The chord of an arc: its length and its direction. For a straight both fractions are 1 and 0.
        let chord = if turn.abs() < 1e-12 { into } else { into * (turn / 2.0).sin() / (turn / 2.0) };
        let direction = self.heading + turn / 2.0;
        (self.east + chord * direction.cos(), self.north + chord * direction.sin(), self.heading + turn)
    }
}

/// Straights joined by arcs that touch both of them.
fn rounded(corners: &[(f64, f64)]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let Some(&(mut east, mut north)) = corners.first() else { return pieces };
    let mut begin = 0.0;
    for (at, &(corner_east, corner_north)) in corners.iter().enumerate().skip(1) {
        let (ahead, heading) = polar(corner_east - east, corner_north - north);
        let bend = corners.get(at + 1).map(|&(next_east, next_north)| {
            let (_, next) = polar(next_east - corner_east, next_north - corner_north);
            let turn = wrapped(next - heading);
            let half = (turn / 2.0).tan().abs();
            (turn, (RADIUS * half).max(TANGENT), half)
        });
        let tangent = bend.map_or(0.0, |(_, tangent, _)| tangent);
        let straight = Piece { begin, length: ahead - tangent, east, north, heading, curvature: 0.0 };
        begin += straight.length;
        (east, north, _) = straight.end(straight.length);
        pieces.push(straight);
        if let Some((turn, tangent, half)) = bend {
            if half > 1e-9 {
                let curvature = (half / tangent).copysign(turn);
                let arc = Piece { begin, length: turn / curvature, east, north, heading, curvature };
                begin += arc.length;
                (east, north, _) = arc.end(arc.length);
                pieces.push(arc);
            }
        }
    }
    pieces
}

/// How fast at every [`PACE`], and when.
fn paced(pieces: &[Piece], limit: f64) -> Vec<Knot> {
    let length = pieces.last().map_or(0.0, |piece| piece.begin + piece.length);
    let steps = (length / PACE).ceil().max(1.0) as u32;
    let pace = length / f64::from(steps);
    let mut speeds: Vec<f64> = (0..=steps)
        .map(|step| {
            let along = f64::from(step) * pace;
            let near = pieces.iter().filter(|piece| piece.begin - pace <= along && along <= piece.begin + piece.length + pace);
            near.fold(limit, |most, piece| most.min((LATERAL / piece.curvature.abs()).sqrt()))
        })
        .collect();
    let follow = |reached: &mut f64, allowed: &mut f64, rate: f64| {
        *allowed = allowed.min((*reached * *reached + 2.0 * rate * pace).sqrt());
        *reached = *allowed;
    };
    let mut reached = 0.0;
    speeds.iter_mut().take(1).for_each(|first| *first = 0.0);
    speeds.iter_mut().skip(1).for_each(|allowed| follow(&mut reached, allowed, GAIN));
    reached = 0.0;
    speeds.iter_mut().rev().take(1).for_each(|last| *last = 0.0);
    speeds.iter_mut().rev().skip(1).for_each(|allowed| follow(&mut reached, allowed, BRAKE));

    let mut knots = Vec::with_capacity(speeds.len());
    let (mut time, mut along, mut before) = (0.0, 0.0, 0.0);
    for (step, speed) in speeds.into_iter().enumerate() {
        if step > 0 {
            time += 2.0 * pace / (before + speed);
            along += pace;
        }
        knots.push(Knot { time, along, speed });
        before = speed;
    }
    knots
}

fn polar(east: f64, north: f64) -> (f64, f64) {
    (east.hypot(north), north.atan2(east))
}

/// To −π to π.
fn wrapped(angle: f64) -> f64 {
    let turn = std::f64::consts::TAU;
    angle - turn * (angle / turn).round()
}

/// Metres to a degree of latitude and of longitude at [`super::town::HOME`], on WGS 84. A town is flat.
fn degree() -> (f64, f64) {
    const A: f64 = 6_378_137.0;
    const E2: f64 = 0.006_694_379_990_141_317;
    let (sin, cos) = super::town::HOME.latitude.to_radians().sin_cos();
    let w = 1.0 - E2 * sin * sin;
    ((A * (1.0 - E2) / w.powf(1.5)).to_radians(), (A / w.sqrt() * cos).to_radians())
}

/// East and north of home, m.
pub(super) fn metres(point: Point) -> (f64, f64) {
    let (north, east) = degree();
    let home = super::town::HOME;
    ((point.longitude - home.longitude) * east, (point.latitude - home.latitude) * north)
}

/// The inverse of [`metres`].
pub(super) fn point(east: f64, north: f64) -> Point {
    let (per_north, per_east) = degree();
    let home = super::town::HOME;
    Point { latitude: home.latitude + north / per_north, longitude: home.longitude + east / per_east }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::town;

    #[test]
    fn a_drive_keeps_to_the_road_to_the_limit_and_to_itself() {
        for route in [&town::HOME_TO_OFFICE, &town::OFFICE_TO_HOME, &town::HOME_TO_OFFICE_UNDERGROUND, &town::HOME_TO_POUND] {
            let drive = Drive::new(route);
            let poses: Vec<Pose> = (0..=(drive.duration() * 100.0) as u32).map(|tick| drive.at(f64::from(tick) * 0.01)).collect();
            for pair in poses.windows(2) {
                let moved = (pair[1].east - pair[0].east).hypot(pair[1].north - pair[0].north);
                assert!(
                    (moved - (pair[0].speed + pair[1].speed) * 0.005).abs() < 1e-4,
                    "distance is the integral of speed: {pair:?}"
                );
                assert!((pair[1].speed - pair[0].speed).abs() < 0.021, "no jerk: {pair:?}");
                assert!(wrapped(pair[1].heading - pair[0].heading).abs() < 0.01, "no skid: {pair:?}");
            }
            assert!(poses.iter().all(|pose| pose.speed <= route.limit / 3.6 + 1e-9));
            assert!(poses.iter().all(|pose| pose.speed * pose.speed * pose.curvature.abs() <= LATERAL + 1e-9));
            let (east, north) = metres(*route.corners.last().unwrap());
            let end = drive.at(1e9);
            assert!((end.east - east).hypot(end.north - north) < 0.01 && end.speed == 0.0, "{end:?} {east} {north}");
        }
    }

    #[test]
    fn metres_and_degrees_are_each_others_inverse() {
        let (east, north) = metres(point(123.4, -567.8));
        assert!((east - 123.4).abs() < 1e-6 && (north + 567.8).abs() < 1e-6);
    }
}

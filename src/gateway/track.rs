//! Which fixes become points of the recorded track: enough to draw the way, few enough to spare the flash.

use std::time::Duration;

use crate::clock::Wall;
use crate::feed::TrackPoint;

/// A point is kept at least this often while the vehicle moves.
const EVERY: Duration = Duration::from_secs(10);

/// And at least this often while it stands.
const EVERY_STANDING: Duration = Duration::from_secs(600);

/// Below this it stands, km/h.
const STANDING_KMH: f64 = 3.0;

/// A turn by this much is kept at once, degrees.
const TURN_DEGREES: f64 = 20.0;

/// But no more than one point in this time.
const NEVER_WITHIN: Duration = Duration::from_secs(1);

/// Remembers the last point kept.
#[derive(Debug, Default)]
pub struct Decimation {
    last: Option<TrackPoint>,
}

impl Decimation {
    /// Whether this point is to be kept; if so, it is the last one from here on.
    pub fn keeps(&mut self, point: &TrackPoint) -> bool {
        let keep = self.last.is_none_or(|last| worth_keeping(&last, point));
        if keep {
            self.last = Some(*point);
        }
        keep
    }
}

fn worth_keeping(last: &TrackPoint, point: &TrackPoint) -> bool {
    let moves = |point: &TrackPoint| point.speed.is_none_or(|speed| speed >= STANDING_KMH);
    let Some(passed) = passed(last.time, point.time) else { return true };
    if passed < NEVER_WITHIN {
        return false;
    }
    let stopped_or_started = moves(last) != moves(point);
    let turned = match (last.heading, point.heading) {
        (Some(before), Some(now)) => moves(point) && turn(before, now) >= TURN_DEGREES,
        _ => false,
    };
    stopped_or_started || turned || passed >= if moves(point) { EVERY } else { EVERY_STANDING }
}

/// `None` when the clock stepped back.
fn passed(from: Wall, to: Wall) -> Option<Duration> {
    u64::try_from(to.micros().saturating_sub(from.micros())).ok().map(Duration::from_micros)
}

/// The smaller angle between two headings, degrees.
fn turn(before: f64, now: f64) -> f64 {
    let angle = (now - before).rem_euclid(360.0);
    angle.min(360.0 - angle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Point;

    fn point(second: i64, speed: f64, heading: f64) -> TrackPoint {
        let point = Point { latitude: 0.0, longitude: 0.0 };
        let (speed, heading) = (Some(speed), Some(heading));
        TrackPoint { time: Wall::from_micros(second * 1_000_000), point, altitude: None, speed, heading, accuracy: 3.0 }
    }

    #[test]
    fn a_straight_road_keeps_a_point_every_ten_seconds_and_a_turn_at_once() {
        let mut track = Decimation::default();
        let kept = (0..=25)
            .filter(|second| track.keeps(&point(*second, 50.0, if *second < 14 { 350.0 } else { 15.0 })))
            .collect::<Vec<_>>();
        assert_eq!(kept, [0, 10, 14, 24]);
    }

    #[test]
    fn a_parked_car_keeps_six_points_an_hour() {
        let mut track = Decimation::default();
        assert_eq!((0..3600).filter(|second| track.keeps(&point(*second, 0.2, (*second % 360) as f64))).count(), 6);
    }
}

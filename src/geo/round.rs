//! Where a way runs inside something round: a circle, or the band around an edge.
//!
//! Along a straight way the distance to either falls, then rises, so what is inside is one stretch.

use super::ellipsoid::Vantage;

/// How finely a border is found, as a share of the way. Ways are a few kilometres at most.
const FINE: f64 = 1e-5;

/// The golden section.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// The stretch of the way on which `offset` is negative, as shares of the way.
pub(crate) fn dip(from: &Vantage, to: &Vantage, offset: impl Fn(&Vantage) -> f64) -> Option<(f64, f64)> {
    let at = |share: f64| offset(&Vantage::new(from.toward(to, share)));
    let lowest = lowest(at, from.distance(to))?;
    Some((border(at, lowest, 0.0), border(at, lowest, 1.0)))
}

/// A share of the way at which `offset` is negative. `length` is the way's, which is the most that the offset can change.
fn lowest(offset: impl Fn(f64) -> f64, length: f64) -> Option<f64> {
    let (mut low, mut high) = (0.0, 1.0);
    while high - low > FINE {
        let (a, b) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
        let (at_a, at_b) = (offset(a), offset(b));
        if at_a < 0.0 {
            return Some(a);
        }
        if at_b < 0.0 {
            return Some(b);
        }
        // A little more than the length, because distances are right within 0.2 %.
        if at_a.min(at_b) > 1.01 * length * (high - low) {
            return None;
        }
        if at_a < at_b { high = b } else { low = a }
    }
    None
}

/// Between `inside` and `end`, where the border is; `end` when that is inside too.
fn border(offset: impl Fn(f64) -> f64, inside: f64, end: f64) -> f64 {
    if offset(end) <= 0.0 {
        return end;
    }
    let (mut inside, mut outside) = (inside, end);
    while (outside - inside).abs() > FINE {
        let middle = (inside + outside) / 2.0;
        if offset(middle) < 0.0 { inside = middle } else { outside = middle }
    }
    (inside + outside) / 2.0
}

/// Stretches that overlap or meet, made one; in order.
pub(crate) fn union(mut stretches: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    stretches.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut apart: Vec<(f64, f64)> = Vec::with_capacity(stretches.len());
    for (start, end) in stretches {
        match apart.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => apart.push((start, end)),
        }
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Point;

    #[test]
    fn a_way_dips_into_a_circle_once() {
        let point = |latitude, longitude| Vantage::new(Point { latitude, longitude });
        let (from, to, centre) = (point(0.0, -0.001), point(0.0, 0.001), point(0.0001, 0.0));
        let length = from.distance(&to);
        let (enter, exit) = dip(&from, &to, |here| here.distance(&centre) - 50.0).expect("it does");
        let half = (50.0_f64.powi(2) - point(0.0, 0.0).distance(&centre).powi(2)).sqrt();
        assert!(((exit - enter) * length - 2.0 * half).abs() < 0.1);
        assert!((enter + exit - 1.0).abs() < 1e-4);
        assert_eq!(dip(&from, &to, |here| here.distance(&centre) - 11.0), None);
        assert_eq!(dip(&from, &to, |here| here.distance(&centre) - 1e6), Some((0.0, 1.0)));
    }

    #[test]
    fn stretches_that_meet_are_one() {
        assert_eq!(union(vec![(0.5, 0.7), (0.0, 0.2), (0.2, 0.3), (0.6, 0.65)]), [(0.0, 0.3), (0.5, 0.7)]);
    }
}

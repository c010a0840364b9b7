//! Distances and sides against other people's code: Karney's geodesics (`geographiclib-rs`) and planar predicates (`geo`).

use geo::{Contains, Coord, LineString, Polygon};
use geographiclib_rs::{Geodesic, InverseGeodesic};
use proptest::prelude::*;

use super::ellipsoid::{Vertex, short_way};
use super::{Point, Shape, Vantage, distance};

/// Karney's geodesic, m.
fn geodesic(a: Point, b: Point) -> f64 {
    Geodesic::wgs84().inverse(a.latitude, a.longitude, b.latitude, b.longitude)
}

/// The least geodesic from `from` to a point of the edge: by looking at many, then between the best one's neighbours.
fn to_edge(from: Point, [a, b]: [Vertex; 2]) -> f64 {
    let at = |t: f64| {
        let (east, north) = (a[0] + t * short_way(b[0] - a[0]), a[1] + t * (b[1] - a[1]));
        geodesic(from, Point { latitude: north, longitude: short_way(east) })
    };
    let best = (0..=200).map(|i| f64::from(i) / 200.0).min_by(|a, b| at(*a).total_cmp(&at(*b))).unwrap_or(0.0);
    let (mut low, mut high) = ((best - 0.005).max(0.0), (best + 0.005).min(1.0));
    for _ in 0..60 {
        let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if at(a) < at(b) { high = b } else { low = a }
    }
    at((low + high) / 2.0)
}

fn near(found: f64, truth: f64) -> bool {
    (found - truth).abs() <= 0.002 * truth + 0.005
}

/// A point below 85° and a place up to some 40 km away from it, both perhaps beyond the antimeridian.
fn about(from: Point) -> impl Strategy<Value = Vertex> {
    let share = from.latitude.to_radians().cos();
    (-0.4..0.4, -0.35..0.35_f64).prop_map(move |(east, north): (f64, f64)| {
        [short_way(from.longitude + east / share), (from.latitude + north).clamp(-84.99, 84.99)]
    })
}

fn anywhere() -> impl Strategy<Value = Point> {
    let longitude = prop_oneof![-180.0..180.0, -180.0..-179.9, 179.9..180.0];
    let latitude = prop_oneof![-84.9..84.9, 84.0..84.9, -1.0..1.0];
    (longitude, latitude).prop_map(|(longitude, latitude)| Point { latitude, longitude })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn two_points_are_as_far_apart_as_karney_has_them((a, b) in anywhere().prop_flat_map(|a| (Just(a), about(a)))) {
        let b = Point { latitude: b[1], longitude: b[0] };
        let truth = geodesic(a, b);
        prop_assert!((distance(a, b) - truth).abs() <= 1e-5 * truth + 1e-6, "{} {truth}", distance(a, b));
    }

    #[test]
    fn an_edge_is_as_far_away_as_its_nearest_geodesic(
        (from, a, b) in anywhere().prop_flat_map(|from| (Just(from), about(from), about(from))),
    ) {
        let corridor = Shape::corridor(vec![vec![a, b]], 1e-6).expect("a line");
        let (found, truth) = (corridor.offset(&Vantage::new(from)), to_edge(from, [a, b]));
        prop_assume!(truth <= 50_000.0);
        prop_assert!(near(found, truth), "{found} {truth}");
    }

    #[test]
    fn long_edges_are_straight_in_longitude_and_latitude(
        (from, off, ahead, back) in (anywhere(), -0.4..0.4_f64, 1.0..60.0_f64, 1.0..60.0_f64),
    ) {
        let north = (from.latitude + off).clamp(-84.99, 84.99);
        let ends = [[short_way(from.longitude - back), north - 0.01], [short_way(from.longitude + ahead), north + 0.01]];
        let corridor = Shape::corridor(vec![ends.to_vec()], 1e-6).expect("a line");
        let (found, truth) = (corridor.offset(&Vantage::new(from)), to_edge(from, ends));
        prop_assume!(truth <= 50_000.0);
        prop_assert!(near(found, truth), "{found} {truth}");
    }

    #[test]
    fn sides_and_borders_of_stars(
        (middle, radii, off) in anywhere().prop_flat_map(|middle| (
            Just(middle), proptest::collection::vec(0.01..0.2_f64, 5..30), about(middle),
        )),
    ) {
        // A star around the middle is simple whatever its radii are.
        let share = middle.latitude.to_radians().cos();
        let mut ring: Vec<Vertex> = radii.iter().enumerate().map(|(at, radius)| {
            let (sin, cos) = (at as f64 / radii.len() as f64 * std::f64::consts::TAU).sin_cos();
            [middle.longitude + radius * cos / share, (middle.latitude + radius * sin).clamp(-89.0, 89.0)]
        }).collect();
        ring.push(ring[0]);
        let flat = Polygon::new(LineString::from_iter(ring.iter().map(|[x, y]| Coord { x: *x, y: *y })), vec![]);
        let from = Point { latitude: off[1], longitude: off[0] };
        let x = middle.longitude + short_way(off[0] - middle.longitude);
        let inside = flat.contains(&Coord { x, y: off[1] });
        let given: Vec<Vertex> = ring.iter().map(|[x, y]| [short_way(*x), *y]).collect();
        let shape = Shape::area(vec![vec![given]]).expect("a star is simple");
        let truth = ring.windows(2).map(|edge| to_edge(from, [edge[0], edge[1]])).fold(f64::INFINITY, f64::min);
        prop_assume!(truth <= 50_000.0 && truth > 0.01);
        let found = shape.offset(&Vantage::new(from));
        prop_assert_eq!(found < 0.0, inside);
        prop_assert!(near(found.abs(), truth), "{} {}", found, truth);
        prop_assert_eq!(shape.contains(&Vantage::new(from)), inside);
    }

    #[test]
    fn a_way_runs_through_as_far_as_its_samples_do(
        (middle, from, to, radius) in anywhere().prop_flat_map(|middle| (Just(middle), about(middle), about(middle), 100.0..20_000.0_f64)),
    ) {
        let [from, to] = [from, to].map(|[longitude, latitude]| {
            // A way is 3 km at most in practice; here it is up to 8.
            let toward = Vantage::new(middle).toward(&Vantage::new(Point { latitude, longitude }), 0.1);
            Vantage::new(toward)
        });
        let square = |half: f64| {
            let [east, north] = [half / 111_000.0 / middle.latitude.to_radians().cos(), half / 111_000.0];
            let at = |x: f64, y: f64| [short_way(middle.longitude + x * east), middle.latitude + y * north];
            vec![at(-1.0, -1.0), at(1.0, -1.0), at(1.0, 1.0), at(-1.0, 1.0), at(-1.0, -1.0)]
        };
        let shapes = [
            Shape::circle(middle, radius / 8.0).expect("a circle"),
            Shape::area(vec![vec![square(radius / 8.0), square(radius / 40.0)]]).expect("a square with a hole"),
            Shape::corridor(vec![square(radius / 8.0)], radius / 30.0).expect("a corridor"),
        ];
        for shape in shapes {
            let samples: Vec<f64> = (0..2000).map(|i| (f64::from(i) + 0.5) / 2000.0)
                .filter(|t| shape.contains(&Vantage::new(from.toward(&to, *t)))).collect();
            let length = from.distance(&to);
            let sampled = samples.len() as f64 / 2000.0 * length;
            let grain = 0.004 * length;
            match shape.crossing(&from, &to) {
                None => prop_assert!(sampled <= grain, "{sampled} of {length} in {shape:?}"),
                Some(crossing) => {
                    prop_assert!((crossing.inside - sampled).abs() <= grain + 0.01, "{crossing:?} {sampled} of {length}");
                    if let (Some(first), Some(last)) = (samples.first(), samples.last()) {
                        prop_assert!(crossing.enter <= first + 1e-3 && crossing.exit >= last - 1e-3, "{crossing:?}");
                    }
                }
            }
        }
    }
}

//! Stories of outlines: holes, seams, corridors, what is refused.

use super::ellipsoid::Vertex;
use super::{Flaw, Point, Shape, Vantage};

fn from(longitude: f64, latitude: f64) -> Vantage {
    Vantage::new(Point { latitude, longitude })
}

fn square(west: f64, south: f64, east: f64, north: f64) -> Vec<Vertex> {
    vec![[west, south], [east, south], [east, north], [west, north], [west, south]]
}

fn flaw(parts: Vec<Vec<Vec<Vertex>>>) -> (Flaw, usize, usize, Option<usize>) {
    let defect = Shape::area(parts).expect_err("unsound");
    (defect.flaw, defect.part, defect.ring, defect.vertex)
}

#[test]
fn a_hole_is_outside_and_its_rim_is_border() {
    let shape = Shape::area(vec![vec![square(0.0, 0.0, 0.1, 0.1), square(0.04, 0.04, 0.06, 0.06)]]).expect("sound");
    assert!(shape.contains(&from(0.02, 0.05)) && !shape.contains(&from(0.05, 0.05)) && !shape.contains(&from(0.2, 0.05)));
    assert!((shape.offset(&from(0.05, 0.05)) - 1105.7).abs() < 1.0);
    assert!((shape.offset(&from(0.03, 0.05)) + 1113.2).abs() < 1.0);
    assert!(Shape::area(vec![vec![square(0.04, 0.04, 0.06, 0.06),]]).expect("sound").inner_radius() > 1100.0);
}

#[test]
fn either_winding_is_the_same_fence() {
    let mut ring = square(0.0, 0.0, 0.1, 0.1);
    let one = Shape::area(vec![vec![ring.clone()]]).expect("sound");
    ring.reverse();
    let other = Shape::area(vec![vec![ring]]).expect("sound");
    assert_eq!(one.offset(&from(0.03, 0.05)), other.offset(&from(0.03, 0.05)));
    assert!((one.inner_radius() - other.inner_radius()).abs() < 1e-6);
}

#[test]
fn parts_that_meet_at_the_antimeridian_have_no_border_there() {
    let cut = vec![vec![square(179.9, -0.1, 180.0, 0.1)], vec![square(-180.0, -0.1, -179.9, 0.1)]];
    let uncut = vec![vec![square(179.9, -0.1, -179.9, 0.1)]];
    for parts in [cut.clone(), cut.into_iter().rev().collect(), uncut] {
        let shape = Shape::area(parts).expect("sound");
        for longitude in [180.0, -180.0, 179.999, -179.999] {
            assert!(shape.contains(&from(longitude, 0.0)), "{longitude}");
            assert!((shape.offset(&from(longitude, 0.0)) + 11_057.0).abs() < 200.0, "{longitude}");
        }
        assert!(!shape.contains(&from(179.89, 0.0)) && !shape.contains(&from(-179.89, 0.0)) && !shape.contains(&from(0.0, 0.0)));
        assert!((shape.offset(&from(-179.89, 0.0)) - 1113.2).abs() < 1.0);
        let way = shape.crossing(&from(179.89, 0.0), &from(-179.89, 0.0)).expect("through");
        assert!((way.inside - 22_264.0).abs() < 10.0 && (way.enter - 1.0 / 22.0).abs() < 1e-6);
    }
}

#[test]
fn a_seam_that_only_one_part_has_is_border() {
    let shape = Shape::area(vec![vec![square(179.9, -0.1, 180.0, 0.1)], vec![square(-180.0, 0.0, -179.9, 0.2)]]).expect("sound");
    assert!((shape.offset(&from(179.999, -0.05)) + 111.3).abs() < 1.0, "the east side has nothing there");
    assert!(shape.offset(&from(179.999, 0.05)) < -5000.0);
}

#[test]
fn a_circle_and_a_corridor_across_the_antimeridian() {
    let circle = Shape::circle(Point { latitude: -17.0, longitude: 179.999 }, 500.0).expect("sound");
    assert!(circle.contains(&from(-179.999, -17.0)) && !circle.contains(&from(-179.99, -17.0)));
    let cut = vec![vec![[179.9, 1.0], [180.0, 1.0]], vec![[-180.0, 1.0], [-179.9, 1.0]]];
    for lines in [cut, vec![vec![[179.9, 1.0], [-179.9, 1.0]]]] {
        let corridor = Shape::corridor(lines, 200.0).expect("sound");
        assert!(corridor.contains(&from(-179.95, 1.0008)) && !corridor.contains(&from(179.95, 1.001)));
        assert!((corridor.offset(&from(180.0, 1.0)) + 100.0).abs() < 0.1);
        let way = corridor.crossing(&from(180.0, 0.99), &from(180.0, 1.01)).expect("through");
        assert!((way.inside - 200.0).abs() < 0.5, "{way:?}");
    }
}

#[test]
fn a_parallel_around_the_earth_is_taken_as_it_stands() {
    let band = Shape::area(vec![vec![square(-180.0, -10.0, 180.0, 10.0)]]).expect("sound");
    for longitude in [-180.0, -90.0, 0.0, 127.0, 180.0] {
        assert!(band.contains(&from(longitude, 5.0)) && !band.contains(&from(longitude, 15.0)), "{longitude}");
    }
}

#[test]
fn what_is_no_ring_is_refused_where_it_is() {
    let bow_tie = vec![[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]];
    assert_eq!(flaw(vec![vec![bow_tie]]), (Flaw::CrossesItself { first: 0, second: 2 }, 0, 0, Some(2)));
    let spike = vec![[0.0, 0.0], [2.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]];
    assert_eq!(flaw(vec![vec![spike]]), (Flaw::Folds { first: 0, second: 1 }, 0, 0, Some(1)));
    let line = vec![[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [0.0, 0.0]];
    assert!(matches!(flaw(vec![vec![line]]).0, Flaw::Folds { .. }));
    let dot = vec![[0.0, 0.0]; 4];
    assert_eq!(flaw(vec![vec![dot]]).0, Flaw::NoArea);
    let open = vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
    assert_eq!(flaw(vec![vec![open]]), (Flaw::Unclosed(0.0, 0.0), 0, 0, Some(3)));
    let few = vec![[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]];
    assert_eq!(flaw(vec![vec![few]]).0, Flaw::TooFew { what: "ring", least: 4, found: 3 });
    let swapped = vec![[37.5, 127.0], [37.6, 127.0], [37.6, 127.1], [37.5, 127.0]];
    assert_eq!(flaw(vec![vec![swapped]]).0, Flaw::Swapped { latitude: 127.0, longitude: 37.5 });
    assert_eq!(flaw(vec![vec![square(179.0, 0.0, 181.0, 1.0)]]), (Flaw::Longitude(181.0), 0, 0, Some(1)));
    assert_eq!(flaw(vec![vec![square(0.0, 0.0, f64::NAN, 1.0)]]).0, Flaw::NotFinite);
    let arctic = vec![[0.0, 80.0], [120.0, 80.0], [-120.0, 80.0], [0.0, 80.0]];
    assert_eq!(flaw(vec![vec![arctic]]).0, Flaw::AroundPole);
    assert_eq!(flaw(vec![]).0, Flaw::Empty("polygon"));
    assert_eq!(flaw(vec![vec![]]).0, Flaw::Empty("ring"));
    let comb = (0..600).flat_map(|i| [[f64::from(i) / 10.0, 0.0], [f64::from(i) / 10.0, 1.0]]).collect::<Vec<_>>();
    let closed = comb.iter().copied().chain([comb[0]]).collect();
    assert_eq!(flaw(vec![vec![closed]]).0, Flaw::TooMany(1200));
}

#[test]
fn rings_keep_their_places() {
    let outer = square(0.0, 0.0, 1.0, 1.0);
    let flaw_of = |parts| flaw(parts).0;
    assert_eq!(
        flaw(vec![vec![outer.clone(), square(0.5, 0.5, 1.5, 0.6)]]),
        (Flaw::RingsCross { ring: 0, vertex: 1 }, 0, 1, Some(0))
    );
    assert_eq!(flaw_of(vec![vec![outer.clone(), square(2.0, 0.5, 2.5, 0.6)]]), Flaw::HoleOutside);
    let nested = vec![outer.clone(), square(0.2, 0.2, 0.8, 0.8), square(0.4, 0.4, 0.6, 0.6)];
    assert_eq!(flaw(vec![nested]), (Flaw::HoleInHole(1), 0, 2, None));
    assert_eq!(flaw_of(vec![vec![outer.clone()], vec![square(0.4, 0.4, 0.6, 0.6)]]), Flaw::PartsOverlap(0));
    assert_eq!(flaw_of(vec![vec![outer.clone()], vec![square(0.5, 0.5, 1.5, 1.5)]]), Flaw::PartsOverlap(0));
    // An island in a hole, neighbours, a hole that touches the rim at a point: all sound.
    let island = vec![vec![outer.clone(), square(0.2, 0.2, 0.8, 0.8)], vec![square(0.4, 0.4, 0.6, 0.6)]];
    assert!(Shape::area(island).is_ok());
    assert!(Shape::area(vec![vec![outer.clone()], vec![square(1.0, 0.0, 2.0, 1.0)]]).is_ok());
    assert!(Shape::area(vec![vec![outer, vec![[0.0, 0.5], [0.3, 0.4], [0.3, 0.6], [0.0, 0.5]]]]).is_ok());
}

#[test]
fn radii_and_lines_have_a_length() {
    let at = Point { latitude: 0.0, longitude: 0.0 };
    for radius in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e8] {
        assert!(matches!(Shape::circle(at, radius).expect_err("no radius").flaw, Flaw::Length(_)), "{radius}");
    }
    assert_eq!(Shape::corridor(vec![vec![[0.0, 0.0], [0.0, 0.0]]], 10.0).expect_err("no line").flaw, Flaw::NoLength);
    let single = Shape::corridor(vec![vec![[0.0, 0.0]]], 10.0).expect_err("no line").flaw;
    assert_eq!(single, Flaw::TooFew { what: "line", least: 2, found: 1 });
}

#[test]
fn the_inner_radius_tells_how_thin_a_fence_is() {
    let near =
        |shape: Shape, radius: f64| assert!((shape.inner_radius() / radius - 1.0).abs() < 0.01, "{}", shape.inner_radius());
    near(Shape::circle(Point { latitude: 60.0, longitude: 0.0 }, 120.0).expect("sound"), 120.0);
    near(Shape::corridor(vec![vec![[0.0, 60.0], [1.0, 60.0]]], 50.0).expect("sound"), 25.0);
    // 20 m by 20 m at 60°: 2 · 400 / 80.
    let half = 10.0 / 111_412.0;
    near(Shape::area(vec![vec![square(-2.0 * half, 60.0 - half, 2.0 * half, 60.0 + half)]]).expect("sound"), 10.0);
}

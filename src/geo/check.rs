//! Whether an outline is sound, and where it is not.
//!
//! A ring is simple (OGC 06-103r4, 6.1.11: it neither crosses nor touches itself); rings of one polygon may touch at
//! points, its holes lie inside it and apart; parts of one fence may share borders but no ground.

use super::ellipsoid::Vertex;
use super::shape::{Bounds, Part, edges};
use super::{MAX_VERTICES, Point};

/// The greatest radius or width, m.
const MAX_LENGTH: f64 = 10_000_000.0;

/// What is wrong with an outline, and where.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{flaw}")]
pub struct Defect {
    /// What.
    pub flaw: Flaw,
    /// The polygon, or the line, by its number from 0.
    pub part: usize,
    /// The ring: 0 is the outer one.
    pub ring: usize,
    /// The position, from 0; `None` where it is about the outline as a whole.
    pub vertex: Option<usize>,
}

/// What is wrong with an outline, and what would be right.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Flaw {
    /// Not a number, or infinite.
    #[error("a position is made of finite numbers")]
    NotFinite,
    /// Latitude and longitude stand in each other's place.
    #[error(
        "latitude {latitude} is not within -90 to 90: latitude and longitude look swapped; GeoJSON puts the longitude \
         first, so write [{latitude}, {longitude}]"
    )]
    Swapped {
        /// As it came.
        latitude: f64,
        /// As it came.
        longitude: f64,
    },
    /// Not a latitude.
    #[error("latitude {0} is not within -90 to 90")]
    Latitude(f64),
    /// Not a longitude.
    #[error(
        "longitude {0} is not within -180 to 180; cut a fence across the antimeridian there, into the parts of a \
         MultiPolygon (RFC 7946, 3.1.9)"
    )]
    Longitude(f64),
    /// Too few positions.
    #[error("a {what} has {least} positions or more, and this one has {found}")]
    TooFew {
        /// Of what.
        what: &'static str,
        /// At least.
        least: usize,
        /// There are.
        found: usize,
    },
    /// Too many vertices.
    #[error("a fence has at most {MAX_VERTICES} vertices, and this one has {0}; simplify it")]
    TooMany(usize),
    /// No polygon or line at all.
    #[error("there is nothing in it; give at least one {0}")]
    Empty(&'static str),
    /// The last position is not the first.
    #[error("the ring is not closed; repeat its first position [{0}, {1}] at its end")]
    Unclosed(f64, f64),
    /// A ring that crosses or touches itself.
    #[error(
        "the ring crosses or touches itself: its edge from position {first} to the next one meets the edge from position \
         {second}; order the positions so that edges meet only at their ends"
    )]
    CrossesItself {
        /// Where one of the edges begins.
        first: usize,
        /// Where the other begins.
        second: usize,
    },
    /// An edge lies on another one of its ring.
    #[error(
        "the ring runs back over itself: its edge from position {first} to the next one lies on the edge from position \
         {second}; leave out what encloses nothing"
    )]
    Folds {
        /// Where one of the edges begins.
        first: usize,
        /// Where the other begins.
        second: usize,
    },
    /// A ring of one point.
    #[error("the ring encloses nothing: all its positions are the same; give it three different ones")]
    NoArea,
    /// Two rings of a polygon cross.
    #[error("ring {ring} of the same polygon crosses it, at the edge from its position {vertex}; keep holes inside and apart")]
    RingsCross {
        /// The other ring.
        ring: usize,
        /// Where its edge begins.
        vertex: usize,
    },
    /// A hole that is none.
    #[error("the hole lies outside of its polygon's first ring; the first ring is the outer one, the others are holes in it")]
    HoleOutside,
    /// A hole in a hole.
    #[error("the hole lies in hole {0}; leave out the inner one, or make what it holds a polygon of its own")]
    HoleInHole(usize),
    /// Parts that cover the same ground.
    #[error("the polygon overlaps polygon {0} of the same fence; join them or cut one")]
    PartsOverlap(usize),
    /// Around a pole.
    #[error("the ring goes around a pole, which a fence cannot")]
    AroundPole,
    /// A radius or width that is none.
    #[error("{0} is not over 0 and at most 10000000 (m)")]
    Length(f64),
    /// A line without a length.
    #[error("the line goes nowhere; give it two different positions")]
    NoLength,
}

impl Defect {
    /// At one position.
    pub(crate) fn at(flaw: Flaw, part: usize, ring: usize, vertex: usize) -> Defect {
        Defect { flaw, part, ring, vertex: Some(vertex) }
    }

    /// Of the whole.
    pub(crate) fn of(flaw: Flaw) -> Defect {
        Defect { flaw, part: 0, ring: 0, vertex: None }
    }
}

/// Whether it is a position on the earth.
pub(crate) fn position([longitude, latitude]: Vertex) -> Result<(), Flaw> {
    if !(longitude.is_finite() && latitude.is_finite()) {
        Err(Flaw::NotFinite)
    } else if latitude.abs() > 90.0 {
        let swapped = latitude.abs() <= 180.0 && longitude.abs() <= 90.0;
        Err(if swapped { Flaw::Swapped { latitude, longitude } } else { Flaw::Latitude(latitude) })
    } else if longitude.abs() > 180.0 {
        Err(Flaw::Longitude(longitude))
    } else {
        Ok(())
    }
}

impl Point {
    /// Whether it lies on the earth: finite, and in range.
    pub fn is_sound(&self) -> bool {
        position([self.longitude, self.latitude]).is_ok()
    }
}

/// Whether it is a radius or a width.
pub(crate) fn length(metres: f64) -> Result<(), Flaw> {
    if metres > 0.0 && metres <= MAX_LENGTH { Ok(()) } else { Err(Flaw::Length(metres)) }
}

/// Whether each line has a length; the number of positions.
pub(crate) fn lines(lines: &[Vec<Vertex>]) -> Result<usize, Defect> {
    if lines.is_empty() {
        return Err(Defect::of(Flaw::Empty("line")));
    }
    for (part, line) in lines.iter().enumerate() {
        positions(line, part, 0)?;
        if line.len() < 2 {
            let flaw = Flaw::TooFew { what: "line", least: 2, found: line.len() };
            return Err(Defect { flaw, part, ring: 0, vertex: None });
        }
        if edges(line).all(|[a, b]| a == b) {
            return Err(Defect::at(Flaw::NoLength, part, 0, 1));
        }
    }
    count(lines.iter().map(Vec::len))
}

/// Whether each ring is closed and has enough positions; the number of vertices.
pub(crate) fn rings(parts: &[Vec<Vec<Vertex>>]) -> Result<usize, Defect> {
    if parts.is_empty() {
        return Err(Defect::of(Flaw::Empty("polygon")));
    }
    for (part, rings) in parts.iter().enumerate() {
        if rings.is_empty() {
            return Err(Defect { part, ..Defect::of(Flaw::Empty("ring")) });
        }
        for (at, ring) in rings.iter().enumerate() {
            positions(ring, part, at)?;
            closed(ring).map_err(|(flaw, vertex)| Defect { flaw, part, ring: at, vertex })?;
        }
    }
    // The last position of a ring is the first once more.
    count(parts.iter().flatten().map(|ring| ring.len().saturating_sub(1)))
}

fn positions(vertices: &[Vertex], part: usize, ring: usize) -> Result<(), Defect> {
    let mut all = vertices.iter().enumerate();
    all.try_for_each(|(vertex, at)| position(*at).map_err(|flaw| Defect::at(flaw, part, ring, vertex)))
}

fn closed(ring: &[Vertex]) -> Result<(), (Flaw, Option<usize>)> {
    match (ring.first(), ring.last()) {
        (Some(first), Some(last)) if first != last => Err((Flaw::Unclosed(first[0], first[1]), Some(ring.len() - 1))),
        _ if ring.len() < 4 => Err((Flaw::TooFew { what: "ring", least: 4, found: ring.len() }, None)),
        _ if edges(ring).all(|[a, b]| a == b) => Err((Flaw::NoArea, Some(0))),
        _ => Ok(()),
    }
}

fn count(each: impl Iterator<Item = usize>) -> Result<usize, Defect> {
    let found = each.sum();
    if found > MAX_VERTICES { Err(Defect::of(Flaw::TooMany(found))) } else { Ok(found) }
}

/// Whether rings are simple, holes inside and parts apart.
pub(crate) fn simple(parts: &[Part]) -> Result<(), Defect> {
    crossings(parts)?;
    for (at, part) in parts.iter().enumerate() {
        holes(part).map_err(|(flaw, ring)| Defect { flaw, part: at, ring, vertex: None })?;
        for (other, before) in parts.iter().enumerate().take(at) {
            if before.bounds.meets(&part.bounds) && (lies_in(part, before) || lies_in(before, part)) {
                return Err(Defect { part: at, ..Defect::of(Flaw::PartsOverlap(other)) });
            }
        }
    }
    Ok(())
}

/// An edge that has a length, and whose it is.
struct Edge {
    part: usize,
    ring: usize,
    /// The number of the position it begins at.
    vertex: usize,
    /// Its place among the edges of its ring that have a length, and how many those are.
    place: (usize, usize),
    ends: [Vertex; 2],
    bounds: Bounds,
}

/// How two edges meet.
#[derive(Clone, Copy, PartialEq)]
enum Meeting {
    /// At a point inside both.
    Cross,
    /// At a point that is an end of one.
    Touch,
    /// Along a stretch.
    Overlap,
}

/// Looks at every pair of edges whose spans of longitude meet: sorted by their west ends, those are neighbours.
fn crossings(parts: &[Part]) -> Result<(), Defect> {
    let mut all: Vec<Edge> = Vec::new();
    for (part, Part { rings, .. }) in parts.iter().enumerate() {
        for (ring, vertices) in rings.iter().enumerate() {
            let long = || edges(vertices).enumerate().filter(|(_, [a, b])| a != b);
            let length = long().count();
            all.extend(long().enumerate().map(|(place, (vertex, ends))| Edge {
                part,
                ring,
                vertex,
                place: (place, length),
                ends,
                bounds: Bounds::of(&ends),
            }));
        }
    }
    all.sort_by(|a, b| a.bounds.low[0].total_cmp(&b.bounds.low[0]));
    for (at, a) in all.iter().enumerate() {
        for b in all.iter().skip(at + 1).take_while(|b| b.bounds.low[0] <= a.bounds.high[0]) {
            if let Some(defect) = a.bounds.meets(&b.bounds).then(|| conflict(a, b)).flatten() {
                return Err(defect);
            }
        }
    }
    Ok(())
}

/// What is wrong with the way in which two edges meet.
fn conflict(a: &Edge, b: &Edge) -> Option<Defect> {
    let meeting = meeting(a.ends, b.ends)?;
    let (first, second) = if (a.part, a.ring, a.vertex) < (b.part, b.ring, b.vertex) { (a, b) } else { (b, a) };
    let flaw = if first.part != second.part {
        (meeting == Meeting::Cross).then_some(Flaw::PartsOverlap(first.part))
    } else if first.ring != second.ring {
        (meeting != Meeting::Touch).then_some(Flaw::RingsCross { ring: first.ring, vertex: first.vertex })
    } else {
        let (first, second) = (first.vertex, second.vertex);
        match meeting {
            Meeting::Overlap => Some(Flaw::Folds { first, second }),
            Meeting::Touch if neighbours(a.place, b.place) => None,
            Meeting::Touch | Meeting::Cross => Some(Flaw::CrossesItself { first, second }),
        }
    };
    flaw.map(|flaw| Defect::at(flaw, second.part, second.ring, second.vertex))
}

fn neighbours((a, length): (usize, usize), (b, _): (usize, usize)) -> bool {
    let apart = a.abs_diff(b);
    apart == 1 || apart + 1 == length
}

fn meeting([a, b]: [Vertex; 2], [c, d]: [Vertex; 2]) -> Option<Meeting> {
    let (on_c, on_d) = (side(a, b, c), side(a, b, d));
    let (on_a, on_b) = (side(c, d, a), side(c, d, b));
    if on_c * on_d > 0.0 || on_a * on_b > 0.0 {
        None
    } else if on_c * on_d < 0.0 && on_a * on_b < 0.0 {
        Some(Meeting::Cross)
    } else if on_c == 0.0 && on_d == 0.0 {
        // On one line: compare along the axis on which it is longer.
        let axis = usize::from((b[0] - a[0]).abs() < (b[1] - a[1]).abs());
        let along = |p: Vertex| if axis == 0 { p[0] } else { p[1] };
        let low = along(a).min(along(b)).max(along(c).min(along(d)));
        let high = along(a).max(along(b)).min(along(c).max(along(d)));
        if low < high { Some(Meeting::Overlap) } else { (low == high).then_some(Meeting::Touch) }
    } else {
        Some(Meeting::Touch)
    }
}

/// On which side of the line through `a` and `b` the point lies: its sign. Signs only, so that nothing underflows.
fn side(a: Vertex, b: Vertex, p: Vertex) -> f64 {
    let turn = (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);
    if turn > 0.0 {
        1.0
    } else if turn < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// Whether the holes of a part lie in its outer ring, and apart. No edges cross any more, so one vertex tells.
fn holes(part: &Part) -> Result<(), (Flaw, usize)> {
    let Some((outer, holes)) = part.rings.split_first() else { return Ok(()) };
    for (at, hole) in holes.iter().enumerate() {
        if inner_vertex(hole, outer) == Some(false) {
            return Err((Flaw::HoleOutside, at + 1));
        }
        for (other, before) in holes.iter().enumerate().take(at) {
            if inner_vertex(hole, before) == Some(true) {
                return Err((Flaw::HoleInHole(other + 1), at + 1));
            }
            if inner_vertex(before, hole) == Some(true) {
                return Err((Flaw::HoleInHole(at + 1), other + 1));
            }
        }
    }
    Ok(())
}

/// Whether the first vertex that is not on the ring lies inside it; `None` when all are on it.
fn inner_vertex(vertices: &[Vertex], ring: &[Vertex]) -> Option<bool> {
    let bounds = Bounds::of(ring);
    let free = vertices.iter().find(|vertex| !on(ring, **vertex))?;
    Some(Part { rings: vec![ring.to_vec()], bounds }.contains(*free))
}

/// Whether some vertex of a part's outer ring lies truly inside the other part.
fn lies_in(part: &Part, other: &Part) -> bool {
    let outer = part.rings.first().map(Vec::as_slice).unwrap_or_default();
    outer.iter().any(|vertex| other.contains(*vertex) && !other.rings.iter().any(|ring| on(ring, *vertex)))
}

/// Whether the point lies on the ring itself.
fn on(ring: &[Vertex], point: Vertex) -> bool {
    edges(ring).any(|[a, b]| side(a, b, point) == 0.0 && Bounds::of(&[a, b]).meets(&Bounds::of(&[point])))
}

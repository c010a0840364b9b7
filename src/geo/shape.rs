//! The outline of a fence, and how a point or a way stands to it.
//!
//! A shape keeps its vertices in one frame of longitudes that runs on through the antimeridian (to 181°, 182° …), so
//! that what is neighbours on the ground is neighbours in it; a point is moved into that frame before it is judged. What
//! is written out again are longitudes from −180 to 180.

use super::Point;
use super::check::{self, Defect, Flaw};
use super::ellipsoid::{Vantage, Vertex, reach, short_way};
use super::round;

/// A sound outline: closed, simple, finite, in range, with a border.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    pub(crate) outline: Outline,
    bounds: Bounds,
    vertices: usize,
    inner_radius: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outline {
    /// All within `radius` m of `centre`.
    Circle { centre: Vantage, radius: f64 },
    /// All within half of `width` m of one of the lines.
    Corridor { lines: Vec<Vec<Vertex>>, width: f64 },
    /// All inside one of the parts.
    Area(Area),
}

/// Polygons with holes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Area {
    pub(crate) parts: Vec<Part>,
    /// The edges that are border, where some are not: those by which parts meet at the antimeridian.
    border: Option<Vec<[Vertex; 2]>>,
}

/// A polygon: the outer ring, then its holes, each closed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) rings: Vec<Vec<Vertex>>,
    pub(crate) bounds: Bounds,
}

/// West, south, east and north in degrees. East is not less than west, and may be over 180.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) low: Vertex,
    pub(crate) high: Vertex,
}

/// A way that runs through a shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crossing {
    /// Where it first comes in, as a share of the way.
    pub enter: f64,
    /// Where it last goes out.
    pub exit: f64,
    /// How much of it runs inside, m.
    pub inside: f64,
}

impl Shape {
    /// All within `radius` m of `centre`.
    ///
    /// # Errors
    /// When the centre is out of range or the radius is not over 0 and at most 10,000 km.
    pub fn circle(centre: Point, radius: f64) -> Result<Shape, Defect> {
        check::position([centre.longitude, centre.latitude]).map_err(|flaw| Defect::at(flaw, 0, 0, 0))?;
        check::length(radius).map_err(Defect::of)?;
        let [east, north] = reach(centre.latitude, radius);
        let bounds = Bounds {
            low: [centre.longitude - east, centre.latitude - north],
            high: [centre.longitude + east, centre.latitude + north],
        };
        let centre = Vantage::new(centre);
        Ok(Shape { outline: Outline::Circle { centre, radius }, bounds, vertices: 1, inner_radius: radius })
    }

    /// All within half of `width` m of one of `lines` of longitude and latitude.
    ///
    /// # Errors
    /// When a position is out of range, a line has fewer than two different positions, or the width is not over 0 and at
    /// most 10,000 km.
    pub fn corridor(mut lines: Vec<Vec<[f64; 2]>>, width: f64) -> Result<Shape, Defect> {
        let vertices = check::lines(&lines)?;
        check::length(width).map_err(Defect::of)?;
        lines.iter_mut().for_each(|line| unroll(line));
        let start = frame(&lines.iter().map(|line| Bounds::of(line)).collect::<Vec<_>>());
        for line in &mut lines {
            let shift = into_frame(Bounds::of(line).low[0], start);
            line.iter_mut().for_each(|vertex| vertex[0] += shift);
        }
        let bounds = Bounds::around(lines.iter().map(|line| Bounds::of(line)));
        let [east, north] = reach(bounds.low[1].abs().max(bounds.high[1].abs()), width / 2.0);
        let bounds =
            Bounds { low: [bounds.low[0] - east, bounds.low[1] - north], high: [bounds.high[0] + east, bounds.high[1] + north] };
        Ok(Shape { outline: Outline::Corridor { lines, width }, bounds, vertices, inner_radius: width / 2.0 })
    }

    /// All inside one of `parts`: of each the outer ring of longitudes and latitudes, then its holes.
    ///
    /// # Errors
    /// When a position is out of range, a ring is not closed, has fewer than four positions, crosses or touches itself or
    /// another one, a hole lies outside, or parts overlap.
    pub fn area(parts: Vec<Vec<Vec<[f64; 2]>>>) -> Result<Shape, Defect> {
        let vertices = check::rings(&parts)?;
        let mut parts: Vec<Part> = parts.into_iter().map(Part::new).collect();
        for (at, part) in parts.iter_mut().enumerate() {
            part.unroll().map_err(|ring| Defect::at(Flaw::AroundPole, at, ring, 0))?;
        }
        let start = frame(&parts.iter().map(|part| part.bounds).collect::<Vec<_>>());
        for part in &mut parts {
            part.shift(into_frame(part.bounds.low[0], start));
        }
        check::simple(&parts)?;
        let bounds = Bounds::around(parts.iter().map(|part| part.bounds));
        let inner_radius = parts.iter().map(Part::inner_radius).fold(f64::INFINITY, f64::min);
        let border = border_without_seams(&parts);
        Ok(Shape { outline: Outline::Area(Area { parts, border }), bounds, vertices, inner_radius })
    }

    /// How many positions it has.
    pub fn vertices(&self) -> usize {
        self.vertices
    }

    /// Of a circle its radius, of a corridor half its width, else 2 × area / perimeter (of the smallest part), m.
    pub fn inner_radius(&self) -> f64 {
        self.inner_radius
    }

    /// West, south, east and north in degrees; east may be over 180 and west under −180.
    pub fn bounds(&self) -> [f64; 4] {
        let Bounds { low, high } = self.bounds;
        [low[0], low[1], high[0], high[1]]
    }

    /// Whether `from` is inside.
    pub fn contains(&self, from: &Vantage) -> bool {
        match &self.outline {
            Outline::Area(area) => area.contains([self.longitude(from), from.point().latitude]),
            Outline::Circle { .. } | Outline::Corridor { .. } => {
                self.bounds.contains([self.longitude(from), from.point().latitude]) && self.offset(from) <= 0.0
            }
        }
    }

    /// How far the border is from `from`, m: negative when it is inside.
    pub fn offset(&self, from: &Vantage) -> f64 {
        let longitude = self.longitude(from);
        match &self.outline {
            Outline::Circle { centre, radius } => from.distance(centre) - radius,
            Outline::Corridor { lines, width } => {
                nearest(from, longitude, || lines.iter().flat_map(|line| edges(line))) - width / 2.0
            }
            Outline::Area(area) => {
                let inside = area.contains([longitude, from.point().latitude]);
                let away = match &area.border {
                    Some(border) => nearest(from, longitude, || border.iter().copied()),
                    None => nearest(from, longitude, || area.edges()),
                };
                if inside { -away } else { away }
            }
        }
    }

    /// How the way from `from` to `to`, straight in longitude and latitude, runs through; `None` when it does not.
    pub fn crossing(&self, from: &Vantage, to: &Vantage) -> Option<Crossing> {
        let inside = match &self.outline {
            Outline::Circle { centre, radius } => {
                round::dip(from, to, |here| here.distance(centre) - radius).into_iter().collect()
            }
            Outline::Corridor { lines, width } => {
                let off = |here: &Vantage, edge: [Vertex; 2]| {
                    nearest(here, self.longitude(here), || std::iter::once(edge)) - width / 2.0
                };
                let middle = Vantage::new(from.toward(to, 0.5));
                let near = lines.iter().flat_map(|line| edges(line)).filter(|edge| off(&middle, *edge) <= from.distance(to));
                round::union(near.filter_map(|edge| round::dip(from, to, |here| off(here, edge))).collect())
            }
            Outline::Area(area) => {
                let start = [self.longitude(from), from.point().latitude];
                let east = short_way(to.point().longitude - from.point().longitude);
                area.stretches(start, [start[0] + east, to.point().latitude])
            }
        };
        let (enter, exit) = (inside.first()?.0, inside.last()?.1);
        let share: f64 = inside.iter().map(|(start, end)| end - start).sum();
        Some(Crossing { enter, exit, inside: share * from.distance(to) })
    }

    /// The longitude of a point in this shape's frame.
    fn longitude(&self, from: &Vantage) -> f64 {
        let longitude = from.point().longitude;
        let middle = (self.bounds.low[0] + self.bounds.high[0]) / 2.0;
        // Both names of the antimeridian become the same one.
        longitude + 360.0 * ((middle - longitude) / 360.0 - 0.5).ceil()
    }
}

impl Area {
    fn contains(&self, point: Vertex) -> bool {
        self.parts.iter().any(|part| part.contains(point))
    }

    fn edges(&self) -> impl Iterator<Item = [Vertex; 2]> + '_ {
        self.parts.iter().flat_map(|part| part.rings.iter().flat_map(|ring| edges(ring)))
    }

    /// The stretches of the way from `a` to `b` that are inside, as shares of the way, in order.
    fn stretches(&self, a: Vertex, b: Vertex) -> Vec<(f64, f64)> {
        let way = [b[0] - a[0], b[1] - a[1]];
        let mut cuts: Vec<f64> = self.edges().filter_map(|edge| cut(a, way, edge)).collect();
        if cuts.is_empty() && !self.contains(a) {
            return Vec::new();
        }
        cuts.extend([0.0, 1.0]);
        cuts.sort_by(f64::total_cmp);
        let at = |share: f64| [a[0] + share * way[0], a[1] + share * way[1]];
        let pairs = cuts.iter().copied().zip(cuts.iter().copied().skip(1));
        pairs.filter(|(start, end)| start < end && self.contains(at((start + end) / 2.0))).collect()
    }
}

impl Part {
    fn new(rings: Vec<Vec<Vertex>>) -> Part {
        Part { rings, bounds: Bounds::around(std::iter::empty()) }
    }

    /// Lays each ring out without a jump at the antimeridian, holes beside their outer ring; the number of a ring that
    /// goes around a pole.
    fn unroll(&mut self) -> Result<(), usize> {
        for (at, ring) in self.rings.iter_mut().enumerate() {
            unroll(ring);
            if ring.first() != ring.last() {
                return Err(at);
            }
        }
        let Some((outer, holes)) = self.rings.split_first_mut() else { return Ok(()) };
        self.bounds = Bounds::of(outer);
        for hole in holes {
            let shift = 360.0 * ((self.bounds.middle() - Bounds::of(hole).middle()) / 360.0).round();
            hole.iter_mut().for_each(|vertex| vertex[0] += shift);
        }
        Ok(())
    }

    fn shift(&mut self, east: f64) {
        self.rings.iter_mut().flatten().for_each(|vertex| vertex[0] += east);
        self.bounds.low[0] += east;
        self.bounds.high[0] += east;
    }

    /// By the number of edges east of the point: odd is inside.
    pub(crate) fn contains(&self, point: Vertex) -> bool {
        self.bounds.contains(point) && self.rings.iter().fold(false, |inside, ring| inside ^ odd(ring, point))
    }

    fn inner_radius(&self) -> f64 {
        let low = self.bounds.low;
        let middle = Vantage::new(Point { latitude: (low[1] + self.bounds.high[1]) / 2.0, longitude: low[0] });
        let (mut area, mut perimeter) = (0.0, 0.0);
        for (at, ring) in self.rings.iter().enumerate() {
            let mut twice = 0.0;
            for [a, b] in edges(ring) {
                let (a, b) = (middle.plane(low[0], a), middle.plane(low[0], b));
                twice += a[0] * b[1] - b[0] * a[1];
                perimeter += (b[0] - a[0]).hypot(b[1] - a[1]);
            }
            area += if at == 0 { twice.abs() } else { -twice.abs() } / 2.0;
        }
        2.0 * area / perimeter
    }
}

impl Bounds {
    fn around(all: impl Iterator<Item = Bounds>) -> Bounds {
        let nothing = Bounds { low: [f64::INFINITY; 2], high: [f64::NEG_INFINITY; 2] };
        all.fold(nothing, |a, b| Bounds {
            low: [a.low[0].min(b.low[0]), a.low[1].min(b.low[1])],
            high: [a.high[0].max(b.high[0]), a.high[1].max(b.high[1])],
        })
    }

    pub(crate) fn of(vertices: &[Vertex]) -> Bounds {
        Bounds::around(vertices.iter().map(|vertex| Bounds { low: *vertex, high: *vertex }))
    }

    fn contains(&self, [east, north]: Vertex) -> bool {
        east >= self.low[0] && east <= self.high[0] && north >= self.low[1] && north <= self.high[1]
    }

    pub(crate) fn meets(&self, other: &Bounds) -> bool {
        (0..2).all(|axis| self.low.get(axis) <= other.high.get(axis) && other.low.get(axis) <= self.high.get(axis))
    }

    fn middle(&self) -> f64 {
        (self.low[0] + self.high[0]) / 2.0
    }
}

/// The edges of a closed ring or of a line.
pub(crate) fn edges(vertices: &[Vertex]) -> impl Iterator<Item = [Vertex; 2]> + '_ {
    vertices.iter().copied().zip(vertices.iter().copied().skip(1)).map(|(a, b)| [a, b])
}

/// Whether an odd number of the ring's edges lies east of the point.
fn odd(ring: &[Vertex], [east, north]: Vertex) -> bool {
    edges(ring).fold(false, |odd, [a, b]| {
        let spans = (a[1] > north) != (b[1] > north);
        odd ^ (spans && east < a[0] + (north - a[1]) / (b[1] - a[1]) * (b[0] - a[0]))
    })
}

/// Where the way from `a` meets the edge, as a share of the way.
fn cut(a: Vertex, way: [f64; 2], [c, d]: [Vertex; 2]) -> Option<f64> {
    let (edge, off) = ([d[0] - c[0], d[1] - c[1]], [c[0] - a[0], c[1] - a[1]]);
    let turn = way[0] * edge[1] - way[1] * edge[0];
    let along_way = (off[0] * edge[1] - off[1] * edge[0]) / turn;
    let along_edge = (off[0] * way[1] - off[1] * way[0]) / turn;
    // Parallel ones give NaN or infinity, which no range contains.
    ((0.0..=1.0).contains(&along_way) && (0.0..=1.0).contains(&along_edge)).then_some(along_way)
}

/// Below this share the plane is as good as the ellipsoid.
const PLANE_ENOUGH: f64 = 5e-4;

/// Distance from `from` to the nearest of the edges, m.
fn nearest<I: Iterator<Item = [Vertex; 2]>>(from: &Vantage, longitude: f64, edges: impl Fn() -> I) -> f64 {
    let flat = |[a, b]: [Vertex; 2]| to_segment(from.plane(longitude, a), from.plane(longitude, b));
    let plane = edges().map(|edge| flat(edge).0).fold(f64::INFINITY, f64::min).sqrt();
    let slack = from.slack(plane);
    if slack < PLANE_ENOUGH {
        return plane;
    }
    let limit = (plane * (1.0 + 4.0 * slack)).powi(2);
    let on_the_ellipsoid = edges().filter_map(|edge| {
        let (squared, share) = flat(edge);
        (squared <= limit || limit.is_nan()).then(|| from.edge_distance(longitude, edge[0], edge[1], share))
    });
    on_the_ellipsoid.fold(f64::INFINITY, f64::min)
}

/// From the origin to the segment: the squared distance, and where on it, as a share.
fn to_segment(a: [f64; 2], b: [f64; 2]) -> (f64, f64) {
    let run = [b[0] - a[0], b[1] - a[1]];
    let squared = run[0] * run[0] + run[1] * run[1];
    let share = if squared > 0.0 { (-(a[0] * run[0] + a[1] * run[1]) / squared).clamp(0.0, 1.0) } else { 0.0 };
    let at = [a[0] + share * run[0], a[1] + share * run[1]];
    (at[0] * at[0] + at[1] * at[1], share)
}

/// Lays vertices out so that no edge jumps at the antimeridian: one that spans more than 180° of longitude goes the short
/// way, unless it is a parallel all round the earth.
fn unroll(vertices: &mut [Vertex]) {
    let mut shift = 0.0;
    let mut before: Option<Vertex> = None;
    for vertex in vertices {
        if let Some([east, north]) = before {
            let span = vertex[0] - east;
            if span.abs() > 180.0 && (span.abs() < 360.0 || vertex[1] != north) {
                shift -= 360.0_f64.copysign(span);
            }
        }
        before = Some(*vertex);
        vertex[0] += shift;
    }
}

/// Where the frame of longitudes begins: the west end of what lies beyond the widest gap.
fn frame(parts: &[Bounds]) -> f64 {
    let west = |bounds: &Bounds| (bounds.low[0] + 180.0).rem_euclid(360.0) - 180.0;
    let mut spans: Vec<(f64, f64)> =
        parts.iter().map(|bounds| (west(bounds), west(bounds) + bounds.high[0] - bounds.low[0])).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some(&(first, _)) = spans.first() else { return 0.0 };
    let (mut start, mut widest, mut covered) = (first, f64::NEG_INFINITY, f64::NEG_INFINITY);
    for &(west, east) in spans.iter() {
        if west - covered > widest && covered.is_finite() {
            (start, widest) = (west, west - covered);
        }
        covered = covered.max(east);
    }
    if first + 360.0 - covered >= widest { first } else { start }
}

/// What brings a part that begins at `west` into the frame that begins at `start`.
fn into_frame(west: f64, start: f64) -> f64 {
    let normal = (west + 180.0).rem_euclid(360.0) - 180.0;
    let ahead = if normal < start { 360.0 } else { 0.0 };
    // Whole turns only, so that a vertex moves by nothing at all or by 360 exactly.
    ((normal - west) / 360.0).round() * 360.0 + ahead
}

/// The edges that are border: all but those on the antimeridian that two parts share; `None` when all are.
fn border_without_seams(parts: &[Part]) -> Option<Vec<[Vertex; 2]>> {
    let all = || parts.iter().flat_map(|part| part.rings.iter().flat_map(|ring| edges(ring)));
    let on_seam = |edge: &[Vertex; 2]| edge.iter().all(|vertex| vertex[0] == 180.0);
    let mut ends: Vec<f64> = all().filter(on_seam).flat_map(|[a, b]| [a[1], b[1]]).collect();
    if ends.is_empty() {
        return None;
    }
    ends.sort_by(f64::total_cmp);
    // Between one end and the next there are one or two edges by turns: where there are two, parts meet.
    let mut border: Vec<[Vertex; 2]> = all().filter(|edge| !on_seam(edge)).collect();
    let mut ends = ends.into_iter();
    while let (Some(south), Some(north)) = (ends.next(), ends.next()) {
        if south < north {
            border.push([[180.0, south], [180.0, north]]);
        }
    }
    Some(border)
}

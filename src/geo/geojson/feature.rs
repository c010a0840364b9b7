//! One fence out of one Feature.

use std::time::Duration;

use serde_json::{Map, Value};

use super::members::{amount, flag, get, id, kind, list, number, object, string, text, word};
use crate::geo::ellipsoid::Vertex;
use crate::geo::fault::{At, Under, Wrong};
use crate::geo::{Defect, Fence, FenceSource, Flaw, Point, Schedule, Shape};

/// A month, s.
const MAX_DWELL: f64 = 31.0 * 86_400.0;
/// km/h.
const MAX_SPEED: f64 = 500.0;

pub(super) fn feature(value: &Value, addressed: Option<&str>, source: FenceSource) -> Result<Fence, At> {
    let members = object(value)?;
    kind(members, "\"Feature\"").and_then(|kind| word(kind, "Feature", "\"Feature\"")).under("type")?;
    let none = Map::new();
    let properties = match get(members, "properties") {
        Some(properties) => object(properties).under("properties")?,
        None => &none,
    };
    let own = match get(members, "id") {
        Some(own) => Some(id(own).under("id")?),
        None => None,
    };
    let id = match (own, addressed) {
        (Some(own), Some(addressed)) if own != addressed => {
            return Err(At::from(Wrong::OtherId(addressed.to_owned())).under("id"));
        }
        (Some(own), _) => own,
        (None, Some(addressed)) => id(&Value::from(addressed)).under("id")?,
        (None, None) if get(properties, "id").is_some() => return Err(At::from(Wrong::IdInProperties).under("id")),
        (None, None) => return Err(At::from(Wrong::Missing("one that no other fence has, such as \"home\"")).under("id")),
    };
    let geometry =
        get(members, "geometry").ok_or(Wrong::Missing("a Polygon, MultiPolygon, Point, LineString or MultiLineString"));
    let shape = geometry.map_err(At::from).under("geometry").and_then(|geometry| shape(geometry, properties))?;
    let under = |at: At| at.under("properties");
    let schedule = get(properties, "schedule").map(|value| schedule(value).under("schedule")).transpose().map_err(under)?;
    let at_start = schedule.as_ref().is_some_and(|(_, at_start)| *at_start);
    let mut fence = Fence::new(id, source, shape);
    fence.name = text(properties, "name").map_err(under)?;
    fence.dwell = amount(properties, "dwell_s", MAX_DWELL, "s").map_err(under)?.map(Duration::from_secs_f64);
    fence.speed_limit = amount(properties, "speed_limit_kmh", MAX_SPEED, "km/h").map_err(under)?;
    fence.tell_at_start = at_start || flag(properties, "tell_at_start").map_err(under)?;
    fence.schedule = schedule.map(|(schedule, _)| schedule);
    Ok(fence)
}

fn shape(geometry: &Value, properties: &Map<String, Value>) -> Result<Shape, At> {
    let wanted = "\"Polygon\", \"MultiPolygon\", \"Point\", \"LineString\" or \"MultiLineString\"";
    let members = object(geometry).under("geometry")?;
    let kind = kind(members, wanted).under("type").under("geometry")?;
    let coordinates = get(members, "coordinates").ok_or(Wrong::Missing("an array of positions"));
    let coordinates = coordinates.map_err(|wrong| At::from(wrong).under("coordinates").under("geometry"))?;
    let inside = |at: At| at.under("coordinates").under("geometry");
    match kind {
        "Point" => {
            let centre = position(coordinates).map_err(inside)?;
            let radius = radius(properties).under("properties")?;
            let centre = Point { latitude: centre[1], longitude: centre[0] };
            Shape::circle(centre, radius).map_err(|defect| place(defect, "radius", |_| Vec::new()))
        }
        "LineString" | "MultiLineString" => {
            let many = kind == "MultiLineString";
            let lines = if many { list(coordinates, line) } else { line(coordinates).map(|line| vec![line]) }.map_err(inside)?;
            let width = get(properties, "corridor_m").ok_or(Wrong::Missing("the corridor's whole width in m"));
            let width = width.map_err(At::from).and_then(number).under("corridor_m").under("properties")?;
            let path = |defect: &Defect| if many { vec![defect.part] } else { Vec::new() };
            Shape::corridor(lines, width).map_err(|defect| place(defect, "corridor_m", path))
        }
        "Polygon" | "MultiPolygon" => {
            let many = kind == "MultiPolygon";
            let parts =
                if many { list(coordinates, rings) } else { rings(coordinates).map(|part| vec![part]) }.map_err(inside)?;
            let path = |defect: &Defect| if many { vec![defect.part, defect.ring] } else { vec![defect.ring] };
            Shape::area(parts).map_err(|defect| place(defect, "coordinates", path))
        }
        other => Err(At::from(Wrong::Word { found: other.to_owned(), wanted }).under("type").under("geometry")),
    }
}

/// Where in the feature a defect of its outline is: in the property `length`, or in the coordinates by `path`.
fn place(defect: Defect, length: &'static str, path: impl Fn(&Defect) -> Vec<usize>) -> At {
    let whole = matches!(defect.flaw, Flaw::TooMany(_) | Flaw::Empty(_));
    let path = if whole { Vec::new() } else { path(&defect) };
    let Defect { flaw, vertex, .. } = defect;
    if let Flaw::Length(_) = flaw {
        return At::from(Wrong::from(flaw)).under(length).under("properties");
    }
    let at = At { steps: Vec::new(), vertex, wrong: Wrong::from(flaw) };
    // A Point has its position right there.
    let at = if let (Some(vertex), false) = (vertex, length == "radius") { at.under(vertex) } else { at };
    path.into_iter().rev().fold(at, Under::under).under("coordinates").under("geometry")
}

fn radius(properties: &Map<String, Value>) -> Result<f64, At> {
    let circle = "\"Circle\", with a `radius` in m: a Point alone encloses nothing";
    let kind = text(properties, "type")?.ok_or(Wrong::Missing(circle)).map_err(|wrong| At::from(wrong).under("type"))?;
    word(&kind, "Circle", circle).under("type")?;
    if let Some(units) = text(properties, "radius_units")? {
        word(&units, "m", "\"m\"").under("radius_units")?;
    }
    let radius = get(properties, "radius").ok_or(Wrong::Missing("the radius in m"));
    radius.map_err(At::from).and_then(number).under("radius")
}

/// What people call the zone.
const ZONE: [&str; 4] = ["zone", "tz", "timezone", "time_zone"];

/// The schedule, and whether `tell_at_start` stands in it.
fn schedule(value: &Value) -> Result<(Schedule, bool), At> {
    let members = object(value)?;
    let known = |key: &str| ["days", "from", "to", "tell_at_start"].contains(&key) || ZONE.contains(&key);
    if let Some(other) = members.keys().find(|key| !known(key)) {
        return Err(Wrong::Word { found: other.clone(), wanted: "`days`, `from`, `to`, `zone` and `tell_at_start`" }.into());
    }
    let days = get(members, "days").map(days).transpose().under("days")?.unwrap_or_default();
    let time = |key, like| match text(members, key)? {
        Some(time) => Ok(time),
        None => Err(At::from(Wrong::Missing(like)).under(key)),
    };
    let (from, to) = (time("from", "a time of day such as \"22:00\"")?, time("to", "a time of day such as \"06:00\"")?);
    let called = ZONE.into_iter().find(|key| get(members, key).is_some()).unwrap_or("zone");
    let zone = time(called, "an IANA time zone such as \"Asia/Seoul\"")?;
    let schedule = Schedule::new(days.iter().map(String::as_str), &from, &to, &zone);
    let schedule =
        schedule.map_err(|(key, wrong)| At::from(Wrong::Schedule(wrong)).under(if key == "zone" { called } else { key }))?;
    Ok((schedule, flag(members, "tell_at_start")?))
}

/// A list of days, or one.
fn days(value: &Value) -> Result<Vec<String>, At> {
    let day = |value: &Value| match value {
        Value::Number(number) => Ok(number.to_string()),
        value => string(value).map(str::to_owned),
    };
    match value {
        Value::Array(some) if some.is_empty() => Err(Wrong::Missing("one day or more, or leave `days` out for every day").into()),
        Value::Array(_) => list(value, day),
        one => day(one).map(|day| vec![day]),
    }
}

fn rings(value: &Value) -> Result<Vec<Vec<Vertex>>, At> {
    list(value, line)
}

fn line(value: &Value) -> Result<Vec<Vertex>, At> {
    list(value, position)
}

/// Longitude, latitude, and perhaps an altitude, which is ignored.
fn position(value: &Value) -> Result<Vertex, At> {
    let wanted = "a position, [longitude, latitude],";
    match value.as_array().map(Vec::as_slice) {
        Some([longitude, latitude, ..]) => Ok([number(longitude).under(0)?, number(latitude).under(1)?]),
        Some(_) => Err(Wrong::Type { wanted, found: "a shorter array" }.into()),
        None => Err(super::members::mistyped(wanted, value)),
    }
}

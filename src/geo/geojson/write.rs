//! Fences as GeoJSON.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::geo::ellipsoid::Vertex;
use crate::geo::shape::{Outline, Part};
use crate::geo::{Fence, Shape};

/// The fences as a FeatureCollection.
pub fn write(fences: &[Fence]) -> String {
    serde_json::to_string(&json!({"type": "FeatureCollection", "features": fences})).unwrap_or_default()
}

impl Serialize for Fence {
    /// As a Feature, with `source` among its properties.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (properties, geometry) = (Properties(self), Geometry(&self.shape));
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("type", "Feature")?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("properties", &properties)?;
        map.serialize_entry("geometry", &geometry)?;
        map.end()
    }
}

struct Properties<'a>(&'a Fence);

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fence = self.0;
        let mut map = serializer.serialize_map(None)?;
        if let Some(name) = &fence.name {
            map.serialize_entry("name", name)?;
        }
        match &fence.shape.outline {
            Outline::Circle { radius, .. } => {
                map.serialize_entry("type", "Circle")?;
                map.serialize_entry("radius", radius)?;
                map.serialize_entry("radius_units", "m")?;
            }
            Outline::Corridor { width, .. } => map.serialize_entry("corridor_m", width)?,
            Outline::Area(_) => {}
        }
        if let Some(dwell) = fence.dwell {
            map.serialize_entry("dwell_s", &dwell.as_secs_f64())?;
        }
        if let Some(limit) = fence.speed_limit {
            map.serialize_entry("speed_limit_kmh", &limit)?;
        }
        if let Some(schedule) = &fence.schedule {
            map.serialize_entry("schedule", schedule)?;
        }
        if fence.tell_at_start {
            map.serialize_entry("tell_at_start", &true)?;
        }
        map.serialize_entry("source", &fence.source)?;
        map.end()
    }
}

struct Geometry<'a>(&'a Shape);

impl Serialize for Geometry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rings = |part: &Part| part.rings.iter().map(|ring| wrapped(ring)).collect::<Vec<_>>();
        let (kind, coordinates) = match &self.0.outline {
            Outline::Circle { centre, .. } => ("Point", json!([centre.point().longitude, centre.point().latitude])),
            Outline::Corridor { lines, .. } => match lines.as_slice() {
                [line] => ("LineString", json!(wrapped(line))),
                lines => ("MultiLineString", json!(lines.iter().map(|line| wrapped(line)).collect::<Vec<_>>())),
            },
            Outline::Area(area) => match area.parts.as_slice() {
                [part] => ("Polygon", json!(rings(part))),
                parts => ("MultiPolygon", json!(parts.iter().map(rings).collect::<Vec<_>>())),
            },
        };
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("type", kind)?;
        map.serialize_entry("coordinates", &coordinates)?;
        map.end()
    }
}

/// Longitudes from −180 to 180 again. What lies beyond 180 was moved there by 360, which costs the last digits: beyond the
/// twelfth decimal they are not given back.
fn wrapped(vertices: &[Vertex]) -> Vec<Vertex> {
    let all_beyond = vertices.iter().all(|vertex| vertex[0] >= 180.0);
    let back = |east: f64| {
        if east > 180.0 || (all_beyond && east == 180.0) { ((east - 360.0) * 1e12).round() / 1e12 } else { east }
    };
    vertices.iter().map(|[east, north]| [back(*east), *north]).collect()
}

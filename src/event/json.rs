//! An event as JSON: the one place that knows the wire's names of what all kinds share.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Details, Event, Location, Trip};
use crate::clock::{Boot, Stamp, TimeSource};

impl Event {
    /// The event as one line of JSON, with the characters escaped that some SSE parsers take for line ends.
    pub fn to_json(&self) -> String {
        escape_line_ends(serde_json::to_string(self).unwrap_or_default())
    }
}

/// U+0085, U+2028 and U+2029 only occur inside strings of JSON, where an escape means the same.
pub fn escape_line_ends(json: String) -> String {
    if json.contains(['\u{85}', '\u{2028}', '\u{2029}']) {
        json.replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
    } else {
        json
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("eventId", &self.id)?;
        map.serialize_entry("eventType", self.type_name())?;
        map.serialize_entry("severity", &self.severity)?;
        stamp_entries(&mut map, &self.stamp)?;
        map.serialize_entry("vin", &self.vin)?;
        map.serialize_entry("lastLocation", &At(&self.location, self.stamp))?;
        match &self.details {
            Details::Child(child) => map.serialize_entry("child", child)?,
            Details::Geofence(geofence) => map.serialize_entry("geofence", geofence)?,
            Details::Diagnosis(diagnosis) => map.serialize_entry("diagnosis", diagnosis)?,
            Details::Trip(trip) => map.serialize_entry("trip", &TripAt(trip, self.stamp))?,
            Details::Published(published) => map.serialize_entry("body", &published.body)?,
        }
        if !self.durable {
            map.serialize_entry("durable", &false)?;
        }
        map.end()
    }
}

fn stamp_entries<M: SerializeMap>(map: &mut M, stamp: &Stamp) -> Result<(), M::Error> {
    map.serialize_entry("timestamp", &stamp.wall.to_string())?;
    map.serialize_entry("timeSource", &stamp.source)?;
    if stamp.source == TimeSource::Unset {
        map.serialize_entry("bootTime", &millis(stamp.boot.seconds()))?;
    }
    Ok(())
}

/// `lastLocation`, at `now`, as JSON: `address` always, the rest when there is a fix.
pub fn location_json(location: &Location, now: Stamp) -> serde_json::Value {
    serde_json::to_value(At(location, now)).unwrap_or_default()
}

/// A location as seen at a stamp: its age is relative.
struct At<'a>(&'a Location, Stamp);

impl Serialize for At<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let At(Location { fix, address }, now) = self;
        let mut map = serializer.serialize_map(None)?;
        if let Some(fix) = fix {
            map.serialize_entry("latitude", &rounded(fix.point.latitude, 1e7))?;
            map.serialize_entry("longitude", &rounded(fix.point.longitude, 1e7))?;
            map.serialize_entry("accuracy", &rounded(fix.accuracy, 1e2))?;
            if let Some(heading) = fix.heading {
                map.serialize_entry("heading", &heading)?;
            }
            if let Some(speed) = fix.speed {
                map.serialize_entry("speed", &rounded(speed, 1e2))?;
            }
            if let Some(time) = fix.time {
                map.serialize_entry("timestamp", &time.to_string())?;
            }
            map.serialize_entry("age", &age(fix.at, now.boot))?;
        }
        map.serialize_entry("address", address)?;
        map.end()
    }
}

/// A trip's places, each with its age at a stamp.
struct TripAt<'a>(&'a Trip, Stamp);

impl Serialize for TripAt<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let TripAt(trip, now) = self;
        let mut map = serializer.serialize_map(None)?;
        let numbers = [("distance", trip.distance), ("duration", trip.duration), ("topSpeed", trip.top_speed)];
        for (key, value) in numbers {
            if let Some(value) = value {
                map.serialize_entry(key, &rounded(value, 1e1))?;
            }
        }
        for (key, place) in [("start", &trip.start), ("end", &trip.end)] {
            if let Some(place) = place {
                map.serialize_entry(key, &At(place, *now))?;
            }
        }
        map.end()
    }
}

fn age(of: Boot, now: Boot) -> f64 {
    millis(now.since(of).as_secs_f64())
}

fn millis(seconds: f64) -> f64 {
    rounded(seconds, 1e3)
}

fn rounded(value: f64, per_unit: f64) -> f64 {
    (value * per_unit).round() / per_unit
}

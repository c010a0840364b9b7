//! What this surface says, as JSON: one shape for live positions, trips and the recorded way.

use serde::Serialize;
use serde_json::Value;

use super::super::telemetry::{degrees, hundredths};
use crate::clock::Wall;
use crate::feed::TrackPoint;
use crate::vehicle::Fix;

/// The number under which the unit's own vehicle goes here.
pub(super) const VEHICLE: u32 = 1;

/// A position or a trip of a unit.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    r#type: &'static str,
    message_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
    unit_id: u32,
    vehicle_id: u32,
    timestamp: String,
    telemetry: Telemetry,
}

/// Where the unit is, and of a trip what its event has.
#[derive(Debug, Serialize)]
struct Telemetry {
    #[serde(skip_serializing_if = "Option::is_none")]
    gps: Option<Gps>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trip: Option<Value>,
}

impl Message {
    /// A position.
    pub(super) fn position(unit: u32, time: Wall, gps: Gps) -> Message {
        Message {
            r#type: "gps",
            message_type: "gps",
            event_type: None,
            unit_id: unit,
            vehicle_id: VEHICLE,
            timestamp: time.to_string(),
            telemetry: Telemetry { gps: Some(gps), trip: None },
        }
    }

    /// A trip's event, out of the JSON that every surface has of it.
    pub(super) fn trip(unit: u32, event: &Value) -> Message {
        let text = |key: &str| event.get(key).and_then(Value::as_str).map(str::to_owned);
        let gps = event.get("lastLocation").and_then(Gps::of_location);
        Message {
            r#type: "gps",
            message_type: "trip",
            event_type: text("eventType"),
            unit_id: unit,
            vehicle_id: VEHICLE,
            timestamp: text("timestamp").unwrap_or_default(),
            telemetry: Telemetry { gps, trip: event.get("trip").cloned() },
        }
    }
}

/// A position: degrees, metres, km/h.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Gps {
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) altitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) speed: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) heading: Option<f64>,
    pub(super) accuracy: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) satellites: Option<u8>,
}

impl From<&Fix> for Gps {
    fn from(fix: &Fix) -> Gps {
        Gps {
            latitude: degrees(fix.point.latitude),
            longitude: degrees(fix.point.longitude),
            altitude: fix.altitude,
            speed: fix.speed.map(hundredths),
            heading: fix.heading,
            accuracy: hundredths(fix.accuracy),
            satellites: fix.satellites,
        }
    }
}

impl From<&TrackPoint> for Gps {
    fn from(point: &TrackPoint) -> Gps {
        Gps {
            latitude: degrees(point.point.latitude),
            longitude: degrees(point.point.longitude),
            altitude: point.altitude,
            speed: point.speed.map(hundredths),
            heading: point.heading,
            accuracy: hundredths(point.accuracy),
            satellites: None,
        }
    }
}

impl Gps {
    /// Out of an event's `lastLocation`; `None` before the first fix.
    fn of_location(location: &Value) -> Option<Gps> {
        let number = |key: &str| location.get(key).and_then(Value::as_f64);
        Some(Gps {
            latitude: number("latitude")?,
            longitude: number("longitude")?,
            altitude: None,
            speed: number("speed"),
            heading: number("heading"),
            accuracy: number("accuracy")?,
            satellites: None,
        })
    }
}

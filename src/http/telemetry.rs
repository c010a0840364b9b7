//! The live picture as telemetry: latest value, no id, never replayed.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::surface::Moment;
use crate::clock::{Boot, TimeSource};
use crate::event::location_json;
use crate::feed::{Picture, Status};

/// A snapshot of the vehicle's condition comes again at most this often while nothing of that condition changes.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// When to tell the vehicle's condition: at first, at once when it changes, else at most every 10 s.
#[derive(Debug, Default)]
pub(super) struct Conditions(Option<(Status, Instant)>);

impl Conditions {
    /// The snapshot, when it is time for one.
    pub(super) fn due(&mut self, moment: &Moment) -> Option<Value> {
        let status = &moment.picture.status;
        let known = |(last, at): &(Status, Instant)| last == status && moment.now.duration_since(*at) < STATUS_EVERY;
        if self.0.as_ref().is_some_and(known) {
            return None;
        }
        self.0 = Some((status.clone(), moment.now));
        Some(told(&moment.picture, "VEHICLE_STATUS", "status", json!(status)))
    }
}

/// When to tell the position: at first, and with every new fix.
#[derive(Debug, Default)]
pub(super) struct Positions(Option<Boot>);

impl Positions {
    /// The position, when there is a new one.
    pub(super) fn due(&mut self, moment: &Moment) -> Option<Value> {
        let fix = moment.picture.location.fix?;
        if self.0 == Some(fix.at) {
            return None;
        }
        self.0 = Some(fix.at);
        let mut gps = Map::new();
        let numbers = [
            ("latitude", Some(degrees(fix.point.latitude))),
            ("longitude", Some(degrees(fix.point.longitude))),
            ("altitude", fix.altitude),
            ("speed", fix.speed.map(hundredths)),
            ("heading", fix.heading),
            ("accuracy", Some(hundredths(fix.accuracy))),
        ];
        gps.extend(numbers.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value?)))));
        if let Some(satellites) = fix.satellites {
            gps.insert("satellites".to_owned(), satellites.into());
        }
        Some(told(&moment.picture, "GPS", "gps", Value::Object(gps)))
    }
}

/// What all events have in common, without an id, and `value` under its own key.
fn told(picture: &Picture, event_type: &str, key: &str, value: Value) -> Value {
    let mut event = stamped(picture);
    event.insert("eventType".to_owned(), event_type.into());
    event.insert("lastLocation".to_owned(), location_json(&picture.location, picture.stamp));
    event.insert(key.to_owned(), value);
    Value::Object(event)
}

/// When the picture was true, and of which vehicle.
pub(super) fn stamped(picture: &Picture) -> Map<String, Value> {
    let stamp = picture.stamp;
    let mut map = Map::new();
    map.insert("timestamp".to_owned(), stamp.wall.to_string().into());
    map.insert("timeSource".to_owned(), json!(stamp.source));
    if stamp.source == TimeSource::Unset {
        map.insert("bootTime".to_owned(), ((stamp.boot.seconds() * 1e3).round() / 1e3).into());
    }
    map.insert("vin".to_owned(), picture.vin.as_str().into());
    map
}

/// A position in degrees, to a centimetre, as events have it.
pub(super) fn degrees(value: f64) -> f64 {
    (value * 1e7).round() / 1e7
}

pub(super) fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_they_mean_no_more() {
        assert_eq!(json!([degrees(49.483_105_666_666_67), degrees(-8.489_349)]).to_string(), "[49.4831057,-8.489349]");
        assert_eq!(json!(hundredths(17.649_999)).to_string(), "17.65");
    }
}

//! `GET /api/v1/vehicles/{vin}/state`: the live picture.
//!
//! Every mapped signal by its full VSS path, with its age in seconds; what is unknown has no `value`.

use hyper::Response;
use serde_json::{Map, Value, json};

use super::body::Body;
use super::reply::{JSON, listed};
use super::telemetry::stamped;
use crate::event::location_json;
use crate::feed::{Picture, SignalNow};

pub(super) fn state(picture: &Picture) -> Response<Body> {
    let signals = picture.signals.iter().map(|now| (now.signal.path().to_owned(), signal(now)));
    let mut state = stamped(picture);
    state.insert("signals".to_owned(), Value::Object(signals.collect()));
    state.insert("location".to_owned(), location_json(&picture.location, picture.stamp));
    listed(JSON, &state, "geofences", picture.fences.clone())
}

fn signal(now: &SignalNow) -> Value {
    let mut signal = Map::new();
    if let Some(value) = &now.value {
        signal.insert("value".to_owned(), json!(value));
    }
    if !now.signal.unit().is_empty() {
        signal.insert("unit".to_owned(), now.signal.unit().into());
    }
    if let Some(age) = now.age {
        signal.insert("age".to_owned(), json!((age * 1e3).round() / 1e3));
    }
    if !now.source.is_empty() {
        signal.insert("source".to_owned(), now.source.as_str().into());
    }
    Value::Object(signal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vehicle::Signal;

    #[test]
    fn a_signal_that_nobody_has_said_has_neither_value_nor_age_nor_source() {
        let mut now = SignalNow { signal: Signal::Speed, value: None, age: None, source: String::new() };
        assert_eq!(signal(&now), json!({"unit": "km/h"}));
        (now.age, now.source) = (Some(7.0), "WHEELS.Left".to_owned());
        assert_eq!(signal(&now), json!({"unit": "km/h", "age": 7.0, "source": "WHEELS.Left"}), "it was said, and is too old");
    }
}

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
    signal.insert("source".to_owned(), now.source.as_str().into());
    Value::Object(signal)
}

//! What is sent, as CloudEvents 1.0 in their structured JSON form (CloudEvents v1.0.2 and its JSON event format): one line.
//!
//! ```json
//! {"specversion":"1.0","id":"1771546007213000","source":"/vehicles/KMHSH81C7LU123456","type":"CHILD_LEFT_BEHIND",
//!  "subject":"child","time":"2026-02-20T00:06:47.213Z","datacontenttype":"application/json","severity":"warning","data":{…}}
//! ```
//!
//! `source` and `id` name a thing for ever: a receiver that has both already has a twin. `data` of an event is the event as
//! phones get it. `time` is absent while nobody vouches for the vehicle's clock.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Message, Topic};
use crate::clock::TimeSource;
use crate::event::{EventId, Kind, escape_line_ends};
use crate::feed::{Stored, TrackPoint};
use crate::vehicle::Vin;

/// The points of one window of the track: a minute by their own clock.
pub const WINDOW_US: i64 = 60_000_000;

#[derive(Serialize)]
struct Envelope<'a, D: Serialize + ?Sized> {
    specversion: &'static str,
    id: &'a str,
    source: String,
    r#type: &'a str,
    subject: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Cow<'a, str>>,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<crate::event::Severity>,
    data: &'a D,
}

/// What of an event's JSON its envelope needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct When<'a> {
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(default)]
    time_source: TimeSource,
}

/// When an event was, RFC 3339; `None` where nobody vouched for the clock.
pub fn time_of(event: &Stored) -> Option<String> {
    let when: When<'_> = serde_json::from_str(&event.json).ok()?;
    (when.time_source != TimeSource::Unset).then(|| when.timestamp.into_owned())
}

/// An event. `None` where what is stored is no JSON, which no engine writes.
pub fn event(vin: &Vin, event: &Stored) -> Option<Message> {
    let document = match (event.ended, event.json.strip_suffix('}')) {
        (Some(ended), Some(open)) => Cow::Owned(format!("{open},\"ended\":{ended}}}")),
        _ => Cow::Borrowed(&*event.json),
    };
    let data: &RawValue = serde_json::from_str(&document).ok()?;
    let id = event.id.to_string();
    let json = line(&Envelope {
        severity: Some(event.severity),
        time: time_of(event).map(Cow::Owned),
        ..envelope(vin, &id, &event.event_type, event.kind.name(), data)
    });
    Some(Message { topic: Topic::Event(event.kind), id, event_type: event.event_type.clone(), json })
}

/// The window of the track that begins at `start`, in minutes since the Unix epoch.
pub fn track(vin: &Vin, start: i64, points: &[TrackPoint]) -> Message {
    let data = serde_json::json!({ "points": points.iter().map(Point::of).collect::<Vec<_>>() });
    let id = format!("track-{}", start.saturating_mul(WINDOW_US / 1_000_000));
    let time = points.last().map(|last| Cow::Owned(last.time.to_string()));
    let json = line(&Envelope { time, ..envelope(vin, &id, TRACK, "track", &data) });
    Message { topic: Topic::Track, id, event_type: Arc::from(TRACK), json }
}

/// Of `kind` so many events ever went unsent, all of them up to `up_to`; where the count has not risen, an unknown number
/// went with a wrecked file. A total, so that a twin harms nobody.
pub fn gap(vin: &Vin, kind: Kind, forgotten: u64, up_to: EventId) -> Message {
    let data = serde_json::json!({ "kind": kind, "forgotten": forgotten, "upTo": up_to });
    // More may go without the last of them being a later one.
    let id = format!("gap-{}-{up_to}-{forgotten}", kind.name());
    let json = line(&envelope(vin, &id, GAP, kind.name(), &data));
    Message { topic: Topic::Gap, id, event_type: Arc::from(GAP), json }
}

const TRACK: &str = "TRACK";
const GAP: &str = "GAP";

fn envelope<'a, D: Serialize + ?Sized>(
    vin: &Vin,
    id: &'a str,
    event_type: &'a str,
    subject: &'static str,
    data: &'a D,
) -> Envelope<'a, D> {
    Envelope {
        specversion: "1.0",
        id,
        source: format!("/vehicles/{vin}"),
        r#type: event_type,
        subject,
        time: None,
        datacontenttype: "application/json",
        severity: None,
        data,
    }
}

fn line<D: Serialize + ?Sized>(envelope: &Envelope<'_, D>) -> bytes::Bytes {
    escape_line_ends(serde_json::to_string(envelope).unwrap_or_default()).into()
}

/// A point of the track, rounded as far as receivers tell: 1 cm, 0.01 km/h.
#[derive(Serialize)]
struct Point {
    time: String,
    latitude: f64,
    longitude: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    altitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heading: Option<f64>,
    accuracy: f64,
}

impl Point {
    fn of(at: &TrackPoint) -> Point {
        let to = |scale: f64| move |value: f64| (value * scale).round() / scale;
        Point {
            time: at.time.to_string(),
            latitude: to(1e7)(at.point.latitude),
            longitude: to(1e7)(at.point.longitude),
            altitude: at.altitude.map(to(1e1)),
            speed: at.speed.map(to(1e2)),
            heading: at.heading.map(to(1e1)),
            accuracy: to(1e2)(at.accuracy),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::clock::{Boot, Stamp, Wall};
    use crate::event::{Details, Event, Location, Published, Severity};
    use proptest::prelude::*;
    use serde_json::Value;

    pub fn vin() -> Vin {
        Vin::try_from("TEST".to_owned()).unwrap()
    }

    /// An event as the journal holds it.
    pub fn stored(id: u64, kind: Kind, event_type: &str, source: TimeSource) -> Stored {
        let stamp = Stamp { wall: Wall::from_micros(id as i64), source, boot: Boot::from_micros(5) };
        let body = serde_json::Map::from_iter([("a".to_owned(), Value::from("\u{2028}"))]);
        let made = Event {
            id: EventId(id),
            severity: Severity::Info,
            stamp,
            vin: vin(),
            location: Location::of(None),
            event_type: None,
            details: Details::Published(Published { event_type: event_type.to_owned(), member: "m".to_owned(), body }),
            durable: true,
        };
        Stored {
            id: made.id,
            kind,
            event_type: Arc::from(event_type),
            severity: made.severity,
            member: None,
            alert: None,
            ended: None,
            json: made.to_json().into(),
            encoded: Default::default(),
        }
    }

    /// Holds a message against the rules of CloudEvents v1.0.2: section 3.1 (required attributes and their types), section 3
    /// (names), and of its JSON format section 3.
    fn check(message: &Message) -> Value {
        let text = std::str::from_utf8(&message.json).unwrap();
        assert!(!text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']), "one line");
        let value: Value = serde_json::from_str(text).unwrap();
        let attributes = value.as_object().unwrap();
        assert_eq!(value["specversion"], "1.0");
        for required in ["id", "source", "type"] {
            assert!(value[required].as_str().is_some_and(|text| !text.is_empty()), "{required}: {text}");
        }
        assert!(hyper::http::Uri::try_from(value["source"].as_str().unwrap()).is_ok(), "source is a URI reference");
        for (name, attribute) in attributes.iter().filter(|(name, _)| *name != "data") {
            assert!(
                (1..=20).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            );
            let text = attribute.as_str().unwrap_or_else(|| panic!("{name} is no string"));
            assert!(!text.is_empty() && !text.chars().any(char::is_control), "{name}: {text:?}");
        }
        if let Some(time) = attributes.get("time") {
            assert!(time.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "RFC 3339: {time}");
        }
        assert_eq!((value["datacontenttype"].as_str(), value["data"].is_object()), (Some("application/json"), true));
        assert_eq!((value["id"].as_str(), value["type"].as_str()), (Some(&*message.id), Some(&*message.event_type)));
        value
    }

    #[test]
    fn an_event_is_a_cloud_event() {
        let of = stored(1_771_546_007_213_000, Kind::Child, "CHILD_LEFT_BEHIND", TimeSource::Gnss);
        let value = check(&event(&vin(), &of).unwrap());
        for (name, wanted) in [
            ("id", "1771546007213000"),
            ("source", "/vehicles/TEST"),
            ("type", "CHILD_LEFT_BEHIND"),
            ("subject", "child"),
            ("time", "2026-02-20T00:06:47.213Z"),
            ("severity", "info"),
        ] {
            assert_eq!(value[name], wanted);
        }
        assert_eq!(value["data"], serde_json::from_str::<Value>(&of.json).unwrap(), "as phones get it");
        let ended = Stored { ended: Some(EventId(7)), ..of };
        assert_eq!(check(&event(&vin(), &ended).unwrap())["data"]["ended"], 7);
    }

    #[test]
    fn an_event_of_an_unset_clock_has_no_time() {
        let of = stored(5, Kind::Trip, "TRIP_START", TimeSource::Unset);
        assert_eq!(check(&event(&vin(), &of).unwrap()).get("time"), None);
    }

    #[test]
    fn what_is_no_json_is_no_message() {
        let broken = Stored { json: Arc::from("{"), ..stored(5, Kind::Trip, "TRIP_START", TimeSource::Gnss) };
        assert!(event(&vin(), &broken).is_none());
    }

    #[test]
    fn a_window_of_the_track_and_a_gap_are_cloud_events_too() {
        let point = TrackPoint {
            time: Wall::from_micros(1_771_546_007_000_000),
            point: crate::geo::Point { latitude: 37.513_302_04, longitude: 127.1 },
            altitude: None,
            speed: Some(31.239),
            heading: None,
            accuracy: 4.0,
        };
        let value = check(&track(&vin(), 29_525_766, &[point]));
        assert_eq!((value["id"].as_str(), value["type"].as_str()), (Some("track-1771545960"), Some("TRACK")));
        let wanted = serde_json::json!([{ "time": "2026-02-20T00:06:47.000Z", "latitude": 37.513302, "longitude": 127.1,
            "speed": 31.24, "accuracy": 4.0 }]);
        assert_eq!(value["data"]["points"], wanted);
        let value = check(&gap(&vin(), Kind::Trip, 12, EventId(99)));
        assert_eq!((value["id"].as_str(), value["subject"].as_str()), (Some("gap-trip-99-12"), Some("trip")));
        assert_eq!(value["data"], serde_json::json!({ "kind": "trip", "forgotten": 12, "upTo": 99 }));
    }

    proptest! {
        #[test]
        fn whatever_a_type_is_called_it_is_one_line_of_json(event_type in "\\PC{1,20}", id in 0_u64..1 << 53) {
            let of = Stored { event_type: Arc::from(&*event_type), ..stored(id, Kind::Trip, "T", TimeSource::Rtc) };
            let message = event(&vin(), &of).unwrap();
            prop_assert!(!message.json.contains(&b'\n'));
            let value: Value = serde_json::from_slice(&message.json).unwrap();
            prop_assert_eq!(value["type"].as_str(), Some(&*event_type));
        }
    }
}

//! server-sent-events: a member's own stream, under each event's type, and the way to publish to a member.
//!
//! `GET /events` (also `/notification/events`): the vehicle's events and those published to the member whom `Member-ID` (or
//! `MemberId`) names, who must be the sign-in's; without it that one. `event:` is the type, `data:` the event with the keys
//! of its `body` also at the top where they do not clash. With a `Device-Id` the unit remembers how far that device is.
//!
//! `POST` to the same: `{"event": {"type", "body"}}`, 16 KiB; 201 `{"id"}` once it is durable. `Idempotency-Key` names the
//! request: within a day the same again is answered with the same id, and another one is refused. Ten a second a token.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::body::Body;
use super::cursor::{Cursor, LONGEST_NAME};
use super::gate::SignedIn;
use super::history::is_event_type;
use super::locked;
use super::problem::Problem;
use super::rate::Buckets;
use super::reply::json;
use super::service::Call;
use super::sse;
use super::stream::Resume;
use super::surface::{Moment, Surface, slot};
use crate::event::{EventId, EventType, Kind, Published, escape_line_ends};
use crate::feed::{Feed, Filter, Stored, TokenHash};
use crate::request::{Answer, Once, Publish, Request};

const BODY_BYTES: usize = 16 * 1024;
const A_SECOND: u32 = 10;
const KEY_BYTES: usize = 255;
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often each token may publish.
pub(super) struct Publishers(Mutex<Buckets<TokenHash>>);

impl Default for Publishers {
    fn default() -> Publishers {
        Publishers(Mutex::new(Buckets::new(A_SECOND, A_SECOND)))
    }
}

/// A member's stream.
#[derive(Debug)]
pub(super) struct Notifications {
    filter: Filter,
    cursor: Option<Cursor>,
}

impl Notifications {
    /// As the request's head wants it.
    pub(super) fn of(call: &Call<'_>, who: &SignedIn) -> Result<Notifications, Problem> {
        let headers = &call.parts.headers;
        let own = who.device.member.as_str();
        if member(headers)?.is_some_and(|member| member != own) {
            let sentence = "that is another member's stream; leave Member-ID out, or name the member whose token this is";
            return Err(Problem::new(StatusCode::FORBIDDEN, sentence));
        }
        let mut filter = Filter::of(&Kind::ALL);
        filter.member = Some(own.into());
        let name = headers.get("device-id").map(|name| name.as_bytes()).filter(|name| !name.is_empty());
        if name.is_some_and(|name| name.len() > LONGEST_NAME) {
            return Err(Problem::parameter("Device-Id", format!("a Device-Id of at most {LONGEST_NAME} bytes would be right")));
        }
        let vin = call.own_vehicle()?;
        let cursor = name.map(|name| Cursor::new(call.shared.clone(), call.watch.clone(), &vin, who, name));
        Ok(Notifications { filter, cursor })
    }
}

/// The member whom the head names, if it names one.
fn member(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut named = ["member-id", "memberid"].into_iter().flat_map(|name| headers.get_all(name)).map(|name| name.to_str());
    let wrong = || Problem::parameter("Member-ID", "Member-ID must name one member, in ASCII");
    let Some(first) = named.next() else { return Ok(None) };
    let first = first.map_err(|_| wrong())?;
    let agrees = |other: Result<&str, _>| other.is_ok_and(|other| other == first);
    if named.all(agrees) { Ok(Some(first).filter(|name| !name.is_empty())) } else { Err(wrong()) }
}

impl Surface for Notifications {
    fn filter(&self) -> Filter {
        self.filter.clone()
    }

    fn resume(&mut self, said: Resume) -> Resume {
        self.cursor.as_mut().map_or(said, |cursor| cursor.resume(said))
    }

    fn event(&self, event: &Stored) -> Bytes {
        let encode = |event: &Stored| sse::frame(Some(&event.event_type), &flattened(event), Some(&event.id.to_string()));
        sse::encoded(event, slot::BY_TYPE, encode)
    }

    fn begins(&mut self, from: EventId) {
        if let Some(cursor) = &mut self.cursor {
            cursor.begins(from);
        }
    }

    fn told(&mut self, at: EventId) {
        if let Some(cursor) = &mut self.cursor {
            cursor.told(at);
        }
    }

    fn period(&self) -> Option<Duration> {
        self.cursor.as_ref().map(|_| LOOK_EVERY)
    }

    fn tick(&mut self, _moment: &Moment, _wire: &mut Vec<u8>) -> ControlFlow<()> {
        if let Some(cursor) = &mut self.cursor {
            cursor.look();
        }
        ControlFlow::Continue(())
    }
}

/// The event's JSON; of a published one with the keys of its body at the top as well, unless the event has such a key.
fn flattened(event: &Stored) -> String {
    let document = sse::document(event);
    if event.kind != Kind::Published {
        return document;
    }
    let Ok(known) = serde_json::from_str::<Map<String, Value>>(&document) else { return document };
    let Some(Value::Object(body)) = known.get("body") else { return document };
    let more: Map<String, Value> =
        body.iter().filter(|(key, _)| !known.contains_key(*key)).map(|(key, value)| (key.clone(), value.clone())).collect();
    let more = escape_line_ends(Value::Object(more).to_string());
    match (document.strip_suffix('}'), more.strip_prefix('{')) {
        (Some(open), Some(more)) if more != "}" => format!("{open},{more}"),
        _ => document,
    }
}

/// `POST /events`.
pub(super) async fn publish(call: &mut Call<'_>, who: &SignedIn) -> Result<Response<Body>, Problem> {
    if !locked(&call.shared.publishers.0).take(&who.hash) {
        call.shared.counters.dropped("publish_rate");
        return Err(Problem::too_many("at most 10 events a second from one token, please", 1));
    }
    let member = match member(&call.parts.headers)? {
        Some(member) if is_known(&*call.shared.feed, who, member) => member.to_owned(),
        Some(_) => return Err(Problem::not_found("no device of that member is paired here; GET /api/v1/devices lists them")),
        None => who.device.member.clone(),
    };
    let key = idempotency_key(&call.parts.headers)?.map(<[u8]>::to_vec);
    let vin = call.own_vehicle()?;
    let body = call.body(BODY_BYTES).await?;
    let event = published(&body, &member)?;
    let once = key.map(|key| Once { key: name_of(&who.device.id, &key), content: content_of(&member, &body) });
    let outcome = call.shared.feed.submit(&vin, Request::Publish(Box::new(Publish { event, once }))).await?;
    let told_from_memory = outcome.event.as_ref().is_some_and(|event| event.json.ends_with(",\"durable\":false}"));
    match outcome.answer {
        Answer::Event(EventId(id)) | Answer::Already(EventId(id)) if !told_from_memory => {
            Ok(json(StatusCode::CREATED, &json!({"id": id})))
        }
        _ => Err(Problem::unavailable("the journal cannot be written now; send the same again, with the same Idempotency-Key")),
    }
}

/// Whether there is such a member: the sign-in's own, or one with a paired device.
fn is_known(feed: &dyn Feed, who: &SignedIn, member: &str) -> bool {
    who.device.member == member || feed.devices().iter().any(|device| device.member == member)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&[u8]>, Problem> {
    let Some(key) = headers.get("idempotency-key").map(|key| key.as_bytes()) else { return Ok(None) };
    let sound = !key.is_empty() && key.len() <= KEY_BYTES;
    let wrong = || Problem::parameter("Idempotency-Key", format!("an Idempotency-Key has 1 to {KEY_BYTES} bytes"));
    if sound { Ok(Some(key)) } else { Err(wrong()) }
}

/// A key is its device's own.
fn name_of(device: &str, key: &[u8]) -> [u8; 16] {
    let hash: [u8; 32] = Sha256::new().chain_update(device).chain_update([0]).chain_update(key).finalize().into();
    hash.first_chunk().copied().unwrap_or_default()
}

/// The same body to another member is another request.
fn content_of(member: &str, body: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(member).chain_update([0]).chain_update(body).finalize().into()
}

/// Types of what streams tell beside events.
const RESERVED: [&str; 2] = ["VEHICLE_STATUS", "GPS"];

/// What a publisher's body says.
fn published(body: &[u8], member: &str) -> Result<Published, Problem> {
    let wrong = |_| Problem::new(StatusCode::BAD_REQUEST, "the body must be a JSON object (RFC 8259) in UTF-8");
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(wrong)?;
    let Some(Value::Object(event)) = body.get("event") else {
        return Err(Problem::field("event", "`event` must be an object: {\"event\": {\"type\": \"ICE_CREAM\", \"body\": {}}}"));
    };
    let event_type = event.get("type").and_then(Value::as_str).filter(|name| is_event_type(name)).ok_or_else(|| {
        Problem::field("event.type", "`event.type` is a capital letter, then up to 63 capital letters, digits and underscores")
    })?;
    if EventType::ALL.iter().any(|own| own.name() == event_type) || RESERVED.contains(&event_type) {
        return Err(Problem::field("event.type", "that type is one of the vehicle's own; take another name"));
    }
    let body = match event.get("body") {
        Some(Value::Object(body)) => body.clone(),
        None => Map::new(),
        Some(_) => return Err(Problem::field("event.body", "`event.body` must be an object")),
    };
    Ok(Published { event_type: event_type.to_owned(), member: member.to_owned(), body })
}

/// For fuzzing: whatever is taken reads the same on a stream, on one line, with the event's own keys untouched.
pub(super) fn survives(bytes: &[u8]) -> Result<(), String> {
    let Ok(published) = published(bytes, "mum") else { return Ok(()) };
    let own = json!({"eventId": 1, "eventType": published.event_type, "body": published.body});
    let stored = Stored {
        id: EventId(1),
        kind: Kind::Published,
        event_type: published.event_type.as_str().into(),
        severity: crate::event::Severity::Info,
        member: Some(Arc::from("mum")),
        alert: None,
        ended: None,
        json: escape_line_ends(own.to_string()).into(),
        encoded: Default::default(),
    };
    let data = flattened(&stored);
    let told: Map<String, Value> = serde_json::from_str(&data).map_err(|error| format!("{data}: {error}"))?;
    let body = &published.body;
    let expected = |key: &String| own.get(key).or_else(|| body.get(key));
    let keys = own.as_object().into_iter().flat_map(Map::keys).chain(body.keys());
    let all_there = keys.clone().all(|key| told.get(key) == expected(key)) && told.keys().all(|key| expected(key).is_some());
    let one_line = !data.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']);
    if all_there && one_line { Ok(()) } else { Err(format!("{own} is told as {data}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn types_are_upper_case_and_none_of_the_vehicles() {
        let of = |text: &str| published(text.as_bytes(), "mum");
        let event = of(r#"{"event": {"type": "ICE_CREAM_2", "body": {"a": 1}}}"#).unwrap();
        assert_eq!((event.event_type.as_str(), event.member.as_str(), &event.body["a"]), ("ICE_CREAM_2", "mum", &json!(1)));
        assert!(of(r#"{"event": {"type": "X"}}"#).unwrap().body.is_empty());
        let longest = "A".repeat(64);
        assert!(of(&json!({"event": {"type": longest}}).to_string()).is_ok());
        for name in ["", "ice", "_X", "1X", "A-B", "CHILD_LEFT_BEHIND", "GPS", "VEHICLE_STATUS", "Ä", &"A".repeat(65)] {
            assert!(of(&json!({"event": {"type": name}}).to_string()).is_err(), "{name}");
        }
        for body in ["", "[]", "{}", r#"{"event": []}"#, r#"{"event": {"type": 1}}"#, r#"{"event": {"type": "X", "body": 1}}"#] {
            assert!(of(body).is_err(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn every_body_that_is_taken_is_told_as_it_is(text in r#"\{"event":\{"type":"[A-Z_]{1,3}","body":\{("(eventId|[a-z\\\\ntx]{0,3}|.)":("\PC?"|-?[0-9]{1,25}(\.[0-9]+)?|null|\[\]|\{"a":1\}),?){0,4}\}\}\}|.{0,80}"#) {
            prop_assert_eq!(survives(text.as_bytes()), Ok(()));
        }

        #[test]
        fn no_noise_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(survives(&bytes), Ok(()));
        }
    }
}

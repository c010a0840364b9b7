//! The status of the vehicle for its fleet: a document that a broker retains, and so the first thing that who asks gets.
//!
//! ```json
//! {"state":"online","version":"0.1.0","vin":"KMHSH81C7LU123456","since":"2026-02-20T00:00:02.118Z",
//!  "timestamp":"2026-02-20T00:06:47.213Z","lastLocation":{"latitude":37.513302,"longitude":127.100098,…},
//!  "unsent":{"oldest":"2026-02-18T10:00:00.000Z","oldestEventId":1771408800000000},"forgotten":{"trip":12}}
//! ```
//!
//! `since` is the start of the daemon. `unsent` is empty when everything was acknowledged, and `forgotten` has the kinds of
//! which events had to make room before they were. Times are absent while nobody vouches for the clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::envelope;
use crate::clock::{Boot, Stamp, TimeSource, Wall};
use crate::event::{EventId, Kind, Location, escape_line_ends, location_json};
use crate::feed::Stored;
use crate::vehicle::Vin;

/// What a broker retains once the vehicle is gone.
pub const OFFLINE: &str = "{\"state\":\"offline\"}";

/// What is to be said, without when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Where the vehicle is, and when that was said.
    pub location: Option<(Location, Stamp)>,
    /// The oldest event that was not acknowledged.
    pub oldest: Option<(EventId, Option<String>)>,
    /// Events that went before they were sent.
    pub forgotten: BTreeMap<Kind, u64>,
}

impl View {
    /// `event` is the oldest that was not acknowledged.
    pub fn with_oldest(self, event: Option<&Stored>) -> View {
        View { oldest: event.map(|event| (event.id, envelope::time_of(event))), ..self }
    }

    /// Whether there is something in it that is worth telling although `told` was: a fix that has grown older is not.
    pub fn is_news(&self, told: &View) -> bool {
        let place = |view: &View| {
            let (location, _) = view.location.as_ref()?;
            Some((location.fix.map(|fix| fix.point), location.address.clone()))
        };
        place(self) != place(told) || self.oldest != told.oldest || self.forgotten != told.forgotten
    }

    /// The document of a daemon that started at `since`, as it is `now`.
    pub fn document(&self, vin: &Vin, since: Boot, now: Stamp) -> Arc<str> {
        let known = now.source != TimeSource::Unset;
        let time = |wall: Wall| known.then(|| wall.to_string());
        let age = i64::try_from(now.boot.since(since).as_micros()).unwrap_or(i64::MAX);
        let document = Document {
            state: "online",
            version: env!("CARGO_PKG_VERSION"),
            vin,
            since: time(Wall::from_micros(now.wall.micros().saturating_sub(age))),
            timestamp: time(now.wall),
            last_location: self.location.as_ref().map(|(location, at)| location_json(location, *at)),
            unsent: Unsent {
                oldest: self.oldest.as_ref().and_then(|(_, time)| time.clone()),
                oldest_event_id: self.oldest.as_ref().map(|(id, _)| *id),
            },
            forgotten: &self.forgotten,
        };
        escape_line_ends(serde_json::to_string(&document).unwrap_or_default()).into()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    state: &'static str,
    version: &'static str,
    vin: &'a Vin,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_location: Option<Value>,
    unsent: Unsent,
    forgotten: &'a BTreeMap<Kind, u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Unsent {
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_event_id: Option<EventId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_known_is_told_and_no_more() {
        let vin = envelope::tests::vin();
        let unset = Stamp { boot: Boot::from_micros(9_000_000), wall: Wall::from_micros(5), source: TimeSource::Unset };
        let told =
            |view: &View, now| serde_json::from_str::<Value>(&view.document(&vin, Boot::from_micros(4_000_000), now)).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let bare = json!({ "state": "online", "version": version, "vin": "TEST", "unsent": {}, "forgotten": {} });
        assert_eq!(told(&View::default(), unset), bare);
        let event = envelope::tests::stored(1_771_546_007_213_000, Kind::Trip, "TRIP_START", TimeSource::Gnss);
        let forgotten = BTreeMap::from([(Kind::Trip, 12)]);
        let view = View { location: Some((Location::of(None), unset)), forgotten, ..View::default() }.with_oldest(Some(&event));
        let now = Stamp { wall: Wall::from_micros(1_771_546_010_000_000), source: TimeSource::Gnss, ..unset };
        let wanted = json!({ "state": "online", "version": version, "vin": "TEST",
            "since": "2026-02-20T00:06:45.000Z", "timestamp": "2026-02-20T00:06:50.000Z",
            "lastLocation": { "address": "position unknown" },
            "unsent": { "oldest": "2026-02-20T00:06:47.213Z", "oldestEventId": 1_771_546_007_213_000_u64 },
            "forgotten": { "trip": 12 } });
        assert_eq!(told(&view, now), wanted);
        assert!(view.is_news(&View::default()) && !view.is_news(&view.clone()));
        let older = View { location: Some((Location::of(None), now)), ..view.clone() };
        assert!(!view.is_news(&older), "only the time has passed");
        assert_eq!(serde_json::from_str::<Value>(OFFLINE).unwrap(), json!({ "state": "offline" }));
    }
}

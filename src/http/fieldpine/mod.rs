//! Fieldpine: one stream on which a client names what it wants.
//!
//! `GET /eventsource?want=child,gps`, also `/eventsourcenull` and `/eventsource_1_2` (that vendor's `RmSystem`, which is of
//! no matter here). Each packet is an object of one array, under its keyword: `event: child`,
//! `data: {"Child": [{…the event…, "RVE": 1771546007213000}]}`. Control packets look the same: `{"Position": [{"RVE": N}]}`.
//! The last `RVE` goes into `&rve=` to go on from there, or comes back by itself as `Last-Event-ID`.
//!
//! That vendor's own keywords are accepted and silent: a till asked for prices gets none from a car. `debug` sends every
//! second a packet of each kind, from the encoders of the real ones, with `"test": true` and without an id.

mod samples;
mod test_page;

use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::problem::Problem;
use super::query::Query;
use super::sse;
use super::surface::{Moment, Surface, slot};
use super::telemetry::Positions;
use crate::event::{EventId, Kind};
use crate::feed::{Filter, Stored};

pub(super) use self::test_page::TestPage;

/// The kinds that may be wanted: what was published to a member is for another surface.
const KINDS: [Kind; 4] = [Kind::Child, Kind::Geofence, Kind::Diagnosis, Kind::Trip];

/// That vendor's own.
const SILENT: [&str; 5] = ["products", "customers", "accounts", "sales", "levels"];

const DEBUG_EVERY: Duration = Duration::from_secs(1);

/// Whether a path of this one name is that vendor's: `eventsource`, `eventsourcenull`, `eventsource_1_2`.
pub(super) fn is_event_source(name: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match name.strip_prefix("eventsource") {
        Some("" | "null") => true,
        Some(system) => system.strip_prefix('_').is_some_and(|system| system.split('_').all(number)),
        None => false,
    }
}

/// The stream.
#[derive(Debug)]
pub(super) struct EventSource {
    filter: Filter,
    positions: Option<Positions>,
    debug: bool,
}

impl EventSource {
    /// As the query wants it. A keyword that is not known is passed over beside one that is.
    pub(super) fn of(query: Query<'_>) -> Result<EventSource, Problem> {
        let list = query.get("want").unwrap_or_default();
        let (mut kinds, mut gps, mut debug, mut known) = (Vec::new(), false, false, false);
        for name in list.split(',').map(str::trim) {
            let kind = KINDS.into_iter().find(|kind| kind.name() == name);
            kinds.extend(kind);
            gps |= name == "gps";
            debug |= name == "debug";
            known |= kind.is_some() || ["gps", "debug"].contains(&name) || SILENT.contains(&name);
            if name == "all" {
                return Err(nothing_wanted("there is no `all`: name each"));
            }
        }
        if !known {
            return Err(nothing_wanted("name what you want"));
        }
        Ok(EventSource { filter: Filter::of(&kinds), positions: gps.then(Positions::default), debug })
    }
}

fn nothing_wanted(why: &str) -> Problem {
    let sentence = format!(
        "{why}, as ?want=child,geofence,diagnosis,trip,gps,debug (accepted and silent: {}), with commas between them",
        SILENT.join(", ")
    );
    Problem::parameter("want", sentence)
}

impl Surface for EventSource {
    fn filter(&self) -> Filter {
        self.filter.clone()
    }

    fn first(&mut self, moment: &Moment, wire: &mut Vec<u8>) {
        self.live(moment, wire);
    }

    fn event(&self, event: &Stored) -> Bytes {
        let name = event.kind.name();
        let encode = |event: &Stored| sse::frame(Some(name), &packet(event, ""), Some(&event.id.to_string()));
        sse::encoded(event, slot::PACKET, encode)
    }

    fn position(&self, at: EventId) -> Vec<u8> {
        sse::json_frame(Some("position"), &json!({"Position": [{"RVE": at}]}), Some(&at.to_string()))
    }

    fn gap(&self, from: EventId, to: EventId, reason: &str) -> Vec<u8> {
        let gap = json!({"Gap": [{"from": from, "to": to, "reason": reason, "RVE": to}]});
        sse::json_frame(Some("gap"), &gap, Some(&to.to_string()))
    }

    fn revoked(&self) -> Vec<u8> {
        sse::json_frame(Some("revoked"), &json!({"Revoked": [{"reason": "the device was revoked; pair it again"}]}), None)
    }

    fn live(&mut self, moment: &Moment, wire: &mut Vec<u8>) {
        if let Some(gps) = self.positions.as_mut().and_then(|positions| positions.due(moment)) {
            wire.extend(sse::json_frame(Some("gps"), &json!({"Gps": [gps]}), None));
        }
    }

    fn period(&self) -> Option<Duration> {
        self.debug.then_some(DEBUG_EVERY)
    }

    /// The packets carry the `RVE` up to which everything real was told, so that a client which takes one for real and
    /// goes on from it misses nothing.
    fn tick(&mut self, moment: &Moment, wire: &mut Vec<u8>) -> ControlFlow<()> {
        for sample in samples::events(&moment.picture, moment.at) {
            wire.extend(sse::frame(Some("debug"), &packet(&sample, ",\"test\":true"), None));
        }
        if let Some(Value::Object(mut gps)) = Positions::default().due(moment) {
            gps.insert("test".to_owned(), true.into());
            wire.extend(sse::json_frame(Some("debug"), &json!({"Gps": [gps]}), None));
        }
        ControlFlow::Continue(())
    }
}

/// `{"Child": [{…event…, "RVE": id}]}`, with `more` within the element.
fn packet(event: &Stored, more: &str) -> String {
    let document = sse::document(event);
    let open = document.strip_suffix('}').unwrap_or(&document);
    format!("{{\"{}\":[{open},\"RVE\":{}{more}}}]}}", title(event.kind), event.id)
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Child => "Child",
        Kind::Geofence => "Geofence",
        Kind::Diagnosis => "Diagnosis",
        Kind::Trip => "Trip",
        Kind::Published => "Published",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wants(query: &str) -> Option<(Vec<Kind>, bool, bool)> {
        let source = EventSource::of(Query::new(Some(query))).ok()?;
        Some((source.filter.kinds().collect(), source.positions.is_some(), source.debug))
    }

    #[test]
    fn keywords_are_named_each() {
        assert_eq!(wants("want=child,%20trip,"), Some((vec![Kind::Child, Kind::Trip], false, false)));
        assert_eq!(wants("want=gps,debug"), Some((vec![], true, true)));
        assert_eq!(wants("want=products,levels"), Some((vec![], false, false)), "silent");
        assert_eq!(wants("want=diagnosis,eggs"), Some((vec![Kind::Diagnosis], false, false)));
        for nothing in ["", "want=", "want=all", "want=child,all", "want=eggs", "want=published", "want=Child", "want=,"] {
            assert_eq!(wants(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn that_vendors_paths() {
        for name in ["eventsource", "eventsourcenull", "eventsource_1", "eventsource_1_2_3_4"] {
            assert!(is_event_source(name), "{name}");
        }
        for name in ["eventsource_", "eventsource_1_", "eventsource_x", "eventsource1", "eventsourcenull_1", "events"] {
            assert!(!is_event_source(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn nobody_gets_what_is_not_named(list in "((child|geofence|diagnosis|trip|gps|debug|sales|all|%2C|.|),){0,6}.{0,12}") {
            if let Some((kinds, gps, debug)) = wants(&format!("want={list}")) {
                let named = |name: &str| list.contains(name);
                prop_assert!(kinds.iter().all(|kind| named(kind.name())));
                prop_assert!((!gps || named("gps")) && (!debug || named("debug")));
            }
        }
    }
}

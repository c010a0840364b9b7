//! Named events: everything on one stream for pages that listen by name, and a heartbeat.
//!
//! `/api/my-events`: alerts and changes as default `message` (their kind is in `eventType`), those of `?names=child,trip`
//! named by their kind; `gps`, `status` and `heartbeat` always named. Unnamed data is always JSON.

use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;

use super::problem::Problem;
use super::query::Query;
use super::sse;
use super::surface::{Moment, Surface, slot};
use super::telemetry::{Conditions, Positions};
use crate::event::Kind;
use crate::feed::{Filter, Stored};

const BEAT_EVERY: Duration = Duration::from_secs(5);

/// The kinds that this surface shows: what was published to a member is for another.
const KINDS: [Kind; 4] = [Kind::Child, Kind::Geofence, Kind::Diagnosis, Kind::Trip];

/// `/api/heartbeat`: `OK` while everything works, else `DEGRADED`, every 5 s.
#[derive(Debug)]
pub(super) struct Heartbeat;

impl Surface for Heartbeat {
    fn filter(&self) -> Filter {
        Filter::default()
    }

    fn first(&mut self, moment: &Moment, wire: &mut Vec<u8>) {
        wire.extend(beat(moment.ready));
    }

    fn period(&self) -> Option<Duration> {
        Some(BEAT_EVERY)
    }

    fn tick(&mut self, moment: &Moment, wire: &mut Vec<u8>) -> ControlFlow<()> {
        wire.extend(beat(moment.ready));
        ControlFlow::Continue(())
    }
}

fn beat(ready: bool) -> Vec<u8> {
    sse::frame(Some("heartbeat"), if ready { "OK" } else { "DEGRADED" }, None)
}

/// `/api/my-events`.
#[derive(Debug)]
pub(super) struct MyEvents {
    named: Filter,
    conditions: Conditions,
    positions: Positions,
}

impl MyEvents {
    /// As the query wants it.
    pub(super) fn of(query: Query<'_>) -> Result<MyEvents, Problem> {
        let names = query.get("names").unwrap_or_default();
        let mut named = Vec::new();
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let kind = KINDS.into_iter().find(|kind| kind.name() == name);
            let always = ["gps", "status", "heartbeat"].contains(&name);
            match kind {
                Some(kind) => named.push(kind),
                None if always => {}
                None => {
                    let sentence = "`names` is a list of child, geofence, diagnosis and trip, with commas between them";
                    return Err(Problem::parameter("names", sentence));
                }
            }
        }
        Ok(MyEvents { named: Filter::of(&named), conditions: Conditions::default(), positions: Positions::default() })
    }
}

impl Surface for MyEvents {
    fn filter(&self) -> Filter {
        Filter::of(&KINDS)
    }

    fn first(&mut self, moment: &Moment, wire: &mut Vec<u8>) {
        wire.extend(beat(moment.ready));
        self.live(moment, wire);
    }

    fn event(&self, event: &Stored) -> Bytes {
        let name = self.named.shows(event.kind).then(|| event.kind.name());
        let slot = if name.is_some() { slot::BY_KIND } else { slot::UNNAMED };
        sse::encoded(event, slot, |event| sse::frame(name, &sse::document(event), Some(&event.id.to_string())))
    }

    fn live(&mut self, moment: &Moment, wire: &mut Vec<u8>) {
        if let Some(status) = self.conditions.due(moment) {
            wire.extend(sse::json_frame(Some("status"), &status, None));
        }
        if let Some(gps) = self.positions.due(moment) {
            wire.extend(sse::json_frame(Some("gps"), &gps, None));
        }
    }

    fn period(&self) -> Option<Duration> {
        Some(BEAT_EVERY)
    }

    fn tick(&mut self, moment: &Moment, wire: &mut Vec<u8>) -> ControlFlow<()> {
        wire.extend(beat(moment.ready));
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kinds() {
        let named = |query| MyEvents::of(Query::new(Some(query))).map(|surface| surface.named.kinds().collect::<Vec<_>>());
        assert_eq!(named("").unwrap(), []);
        assert_eq!(named("names=child,%20trip,").unwrap(), [Kind::Child, Kind::Trip]);
        assert_eq!(named("names=gps,status,child").unwrap(), [Kind::Child]);
        assert!(named("names=chld").is_err() && named("names=published").is_err());
    }
}

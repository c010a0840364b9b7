//! `GET /sse/telemetry/connect`: the stream that is asked for its units one by one.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::HeaderMap;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::super::gate::wall_now;
use super::super::problem::Problem;
use super::super::query::Query;
use super::super::settings::Unit;
use super::super::sse;
use super::super::stream::Resume;
use super::super::surface::{Moment, Surface};
use super::message::{Gps, Message};
use super::streams::{Due, Held, Streams};
use crate::clock::Boot;
use crate::event::{EventId, Kind, escape_line_ends};
use crate::feed::{Feed, Filter, Picture, Stored, TokenHash};
use crate::vehicle::Fix;

const PING_EVERY: Duration = Duration::from_secs(15);

/// From where a client wants to go on, and with which stream: `<eventId>.<stream_id>`.
pub(in crate::http) fn resume(headers: &HeaderMap, query: Query<'_>) -> (Resume, Option<String>) {
    let Some(id) = Resume::id(headers, query) else { return (Resume::Fresh, None) };
    match id.split_once('.') {
        Some((event, stream)) => (Resume::read(event), Some(stream.to_owned())),
        None => (Resume::read(&id), None),
    }
}

/// The stream of one connection.
pub(super) struct Connect {
    pub(super) feed: Arc<dyn Feed>,
    pub(super) units: Vec<Unit>,
    pub(super) streams: Streams,
    pub(super) sign_in: TokenHash,
    /// The stream that it says it had.
    pub(super) wanted: Option<String>,
    /// The stream that it has else.
    pub(super) fresh: String,
    /// The stream that it has, once it has begun.
    pub(super) held: Option<Held>,
    /// By unit the subscription, and the moment of the last fix that was told.
    pub(super) told: HashMap<u32, (u64, Boot)>,
}

impl Connect {
    fn id(&self, at: EventId) -> String {
        format!("{at}.{}", self.held.as_ref().map_or(self.fresh.as_str(), |held| &held.id))
    }

    fn frame(data: &impl Serialize, id: Option<&str>) -> Vec<u8> {
        let data = serde_json::to_string(data).unwrap_or_default();
        sse::frame(None, &escape_line_ends(data), id)
    }

    /// The units of this vehicle that it is subscribed to, each with its subscription.
    fn subscribed(&self) -> Vec<(&Unit, u64)> {
        let Some(held) = &self.held else { return Vec::new() };
        let wanted = held.units();
        self.units.iter().filter_map(|unit| Some((unit, *wanted.get(&unit.id)?))).collect()
    }
}

/// Where a unit is.
fn fix<'a>(unit: &Unit, picture: &'a Picture) -> Option<&'a Fix> {
    match unit.receiver?.checked_sub(1) {
        None => picture.location.fix.as_ref(),
        Some(further) => picture.further.get(further)?.as_ref(),
    }
}

impl Surface for Connect {
    fn filter(&self) -> Filter {
        Filter::of(&[Kind::Trip])
    }

    fn first(&mut self, moment: &Moment, wire: &mut Vec<u8>) {
        let held = self.streams.hold(self.wanted.as_deref(), self.fresh.clone(), self.sign_in, wall_now(&*self.feed));
        let stream_id = json!({"type": "stream_id", "stream_id": held.id});
        self.held = Some(held);
        wire.extend(Connect::frame(&stream_id, Some(&self.id(moment.at))));
        self.live(moment, wire);
    }

    /// A trip is the car's, so it is told of each unit that is its own receiver.
    fn event(&self, event: &Stored) -> Bytes {
        let own = |(unit, _): &(&Unit, u64)| unit.receiver.is_none_or(|place| place == 0);
        let event_id = self.id(event.id);
        let document: Value = serde_json::from_str(&event.json).unwrap_or_default();
        let told = self.subscribed().into_iter().filter(own);
        told.flat_map(|(unit, _)| Connect::frame(&Message::trip(unit.id, &document), Some(&event_id))).collect()
    }

    /// None here: `stream_id` and each ping have the id.
    fn position(&self, _at: EventId) -> Vec<u8> {
        Vec::new()
    }

    fn gap(&self, from: EventId, to: EventId, reason: &str) -> Vec<u8> {
        sse::json_frame(Some("gap"), &json!({"from": from, "to": to, "reason": reason}), Some(&self.id(to)))
    }

    fn live(&mut self, moment: &Moment, wire: &mut Vec<u8>) {
        let mut told = HashMap::new();
        for (unit, subscription) in self.subscribed() {
            let Some(fix) = fix(unit, &moment.picture) else { continue };
            told.insert(unit.id, (subscription, fix.at));
            if self.told.get(&unit.id) != Some(&(subscription, fix.at)) {
                let time = fix.time.unwrap_or(moment.picture.stamp.wall);
                wire.extend(Connect::frame(&Message::position(unit.id, time, Gps::from(fix)), None));
            }
        }
        self.told = told;
    }

    fn period(&self) -> Option<Duration> {
        Some(PING_EVERY)
    }

    fn tick(&mut self, moment: &Moment, wire: &mut Vec<u8>) -> ControlFlow<()> {
        let Some(held) = &self.held else { return ControlFlow::Break(()) };
        match held.due() {
            Due::Ping => {
                held.write(wall_now(&*self.feed));
                wire.extend(Connect::frame(&json!({"type": "ping"}), Some(&self.id(moment.at))));
                ControlFlow::Continue(())
            }
            Due::Closing => {
                wire.extend(Connect::frame(&json!({"type": "closing", "reason": "no pong"}), None));
                ControlFlow::Break(())
            }
            Due::Gone => ControlFlow::Break(()),
        }
    }

    fn calls(&self) -> Option<watch::Receiver<u64>> {
        self.held.as_ref().and_then(Held::news)
    }

    fn called(&mut self, moment: &Moment, wire: &mut Vec<u8>) -> ControlFlow<()> {
        if !self.held.as_ref().is_some_and(Held::stands) {
            return ControlFlow::Break(());
        }
        self.live(moment, wire);
        ControlFlow::Continue(())
    }
}

impl Connect {
    /// One that is about to begin.
    pub(super) fn new(shared: &super::super::Shared, sign_in: TokenHash, wanted: Option<String>) -> Result<Connect, Problem> {
        let fresh = super::super::credentials::random_hex::<16>();
        let fresh = fresh.map_err(|_| Problem::unavailable("the system gives no random numbers; try again"))?;
        let (feed, streams, units) = (shared.feed.clone(), shared.destiny.streams.clone(), shared.settings.units.clone());
        Ok(Connect { feed, units, streams, sign_in, wanted, fresh, held: None, told: HashMap::new() })
    }
}

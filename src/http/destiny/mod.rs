//! ACM Destiny: a stream that is asked for units of the vehicle by number, and the way that they have gone.
//!
//! | path | what |
//! |---|---|
//! | `GET /sse/telemetry/connect` | the stream, unnamed: `stream_id` first, `ping` every 15 s, `gps` and `trip` of the units it is subscribed to |
//! | `POST /sse/telemetry/pong/{stream_id}` | answers every ping so far; when a ping is due and two are unanswered, the stream ends with `closing` |
//! | `GET /api/v1/monitoring/unit/{unitId}`, `…/vehicle/{vehicleId}/primary` | a token for a subscription |
//! | `POST /sse/telemetry/subscribe/{stream_id}/{token}`, `…/unsubscribe/…` | 204; twice is once; the latest position comes at once |
//! | `GET /api/v1/telemetry/history` | the recorded way |
//!
//! `stream_id`, `ping`, `gap` and trips carry `id: <eventId>.<stream_id>`. Who comes back with it by the same sign-in within
//! a day has the same stream and its subscriptions again, and is told the trips that it missed. Subscriptions are made by
//! whoever may read: they change nothing of the vehicle.
//!
//! Units are the numbers of `[[units]]`: the car's own receiver, and those of trailers; 8 at most, so a stream never comes
//! near the 500 subscriptions that clients of that API may count on. The vehicle is number 1, and answers to its VIN.

mod message;
mod stream;
mod streams;
mod tokens;
mod track;

pub(super) use stream::resume;
pub(super) use track::{history, is_well_formed};

use std::sync::Arc;

use hyper::{Response, StatusCode};
use serde_json::json;

use self::stream::Connect;
use self::streams::Streams;
use self::tokens::Tokens;
use super::body::Body;
use super::gate::SignedIn;
use super::problem::Problem;
use super::reply::{json, no_content};
use super::service::{Call, admit_write};
use super::settings::Unit;
use super::surface::Surface;
use crate::clock::Clock;
use crate::feed::Feed;

/// What this surface keeps between requests.
pub(super) struct Destiny {
    streams: Streams,
    tokens: Tokens,
}

impl Destiny {
    /// With the rows of `feed` and real time.
    pub(super) fn new(feed: &Arc<dyn Feed>, clock: Clock) -> Destiny {
        Destiny { streams: Streams::new(feed.clone(), clock), tokens: Tokens::new(feed.clone()) }
    }
}

/// The stream, which goes on with `wanted` where that is this sign-in's.
pub(super) fn connect(call: &Call<'_>, who: &SignedIn, wanted: Option<String>) -> Result<Box<dyn Surface>, Problem> {
    Ok(Box::new(Connect::new(call.shared, who.sign_in(), wanted)?))
}

/// `POST /sse/telemetry/pong/{stream_id}`.
pub(super) fn pong(call: &Call<'_>, who: &SignedIn, stream: &str) -> Result<Response<Body>, Problem> {
    if call.shared.destiny.streams.pong(stream, &who.sign_in()) { Ok(no_content()) } else { Err(no_stream()) }
}

/// `GET /api/v1/monitoring/unit/{unitId}`.
pub(super) async fn unit(call: &Call<'_>, who: &SignedIn, unit: &str) -> Result<Response<Body>, Problem> {
    let units = &call.shared.settings.units;
    let found = unit.parse().ok().and_then(|id: u32| units.iter().find(|unit| unit.id == id));
    token(call, who, found.ok_or_else(|| no_unit(units))?).await
}

/// `GET /api/v1/monitoring/vehicle/{vehicleId}/primary`: the car's own unit.
pub(super) async fn primary(call: &Call<'_>, who: &SignedIn, vehicle: &str) -> Result<Response<Body>, Problem> {
    if vehicle.parse() != Ok(message::VEHICLE) {
        call.vehicle(vehicle)?;
    }
    let units = &call.shared.settings.units;
    let own = units.iter().find(|unit| unit.receiver == Some(0)).or(units.first());
    token(call, who, own.ok_or_else(|| no_unit(units))?).await
}

async fn token(call: &Call<'_>, who: &SignedIn, unit: &Unit) -> Result<Response<Body>, Problem> {
    let token = call.shared.destiny.tokens.token(unit.id, &who.sign_in()).await?;
    Ok(json(StatusCode::OK, &json!({"data": {"token": token, "unit_id": unit.id}})))
}

/// `POST /sse/telemetry/subscribe/{stream_id}/{token}`, or `unsubscribe` where it is not `wanted`.
pub(super) async fn subscribe(
    call: &Call<'_>,
    who: &SignedIn,
    stream: &str,
    token: &str,
    wanted: bool,
) -> Result<Response<Body>, Problem> {
    let Destiny { streams, tokens } = &call.shared.destiny;
    let sign_in = who.sign_in();
    if !streams.knows(stream, &sign_in) {
        return Err(no_stream());
    }
    let units = call.shared.settings.units.iter().map(|unit| unit.id);
    let Some(unit) = tokens.unit(token, &sign_in, units).await? else {
        let sentence = "that token is none of this unit, or another sign-in's; ask /api/v1/monitoring/unit/{unitId} for one";
        return Err(Problem::new(StatusCode::FORBIDDEN, sentence));
    };
    // Clients of that API subscribe again with each message; that changes nothing, and wears nothing.
    if streams.is_subscribed(stream, &sign_in, unit) != wanted {
        admit_write(call, &who.hash)?;
    }
    streams.subscribe(stream, &sign_in, unit, wanted).await;
    Ok(no_content())
}

/// The path names a stream that there is not, or that is another sign-in's.
fn no_stream() -> Problem {
    Problem::not_found("you have no such stream; the first message of /sse/telemetry/connect has its stream_id")
}

/// The path or the query names a unit that is none of this vehicle's.
fn no_unit(units: &[Unit]) -> Problem {
    let numbers = units.iter().map(|unit| unit.id.to_string()).collect::<Vec<_>>().join(", ");
    Problem::not_found(format!("there is no such unit; this vehicle has {numbers}"))
}

//! `GET /api/v1/geofences`, `GET`, `PUT` and `DELETE /api/v1/geofences/{id}`, as GeoJSON (RFC 7946).
//!
//! A fence is a Feature with an `id` and `properties.source`: `file`, `phone` or `fleet`. What is drawn here is the phone's;
//! a fence of the file or the fleet cannot be changed here (409, says the engine). A body is checked on a blocking thread,
//! since a thousand vertices take longer than the runtime may be held.

use hyper::{Response, StatusCode};
use serde_json::Map;

use super::body::Body;
use super::problem::Problem;
use super::reply::{listed, no_content, typed};
use super::service::Call;
use crate::feed::Fences;
use crate::geo::{self, Fence, FenceSource, Wrong};
use crate::request::{Answer, Request};

/// RFC 7946, 12.
pub(super) const GEOJSON: &str = "application/geo+json";
/// A fence of 1,000 vertices with every digit takes a fifth of that.
const BODY: usize = 256 * 1024;
/// Longest id of a fence, in characters.
const ID: usize = 64;

/// `GET /api/v1/geofences`.
pub(super) fn list(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let mut collection = Map::new();
    collection.insert("type".to_owned(), "FeatureCollection".into());
    Ok(listed(GEOJSON, &collection, "features", in_force(call)?))
}

/// `GET /api/v1/geofences/{id}`.
pub(super) fn get(call: &Call<'_>, id: &str) -> Result<Response<Body>, Problem> {
    let fences = in_force(call)?;
    let fence = fences.iter().find(|fence| fence.id == id).ok_or_else(missing)?;
    Ok(typed(StatusCode::OK, GEOJSON, Body::whole(feature(fence))))
}

/// `PUT /api/v1/geofences/{id}`: 201 where there was none, else 200, with the fence as it is now.
pub(super) async fn put(call: &mut Call<'_>, id: &str) -> Result<Response<Body>, Problem> {
    if id.chars().count() > ID || id.chars().any(char::is_control) {
        return Err(Problem::field("id", format!("a fence's id has 1 to {ID} characters and no control characters")));
    }
    let vin = call.own_vehicle()?;
    let body = call.body(BODY).await?;
    let own = id.to_owned();
    let checked = tokio::task::spawn_blocking(move || read(&body, &own)).await;
    let fence = checked.map_err(|_| Problem::unavailable("the fence could not be checked; try again"))??;
    let told = feature(&fence);
    let outcome = call.shared.feed.submit(&vin, Request::PutFence(Box::new(fence))).await?;
    let status = if outcome.answer == Answer::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(typed(status, GEOJSON, Body::whole(told)))
}

/// `DELETE /api/v1/geofences/{id}`.
pub(super) async fn delete(call: &Call<'_>, id: &str) -> Result<Response<Body>, Problem> {
    let vin = call.own_vehicle()?;
    if !in_force(call)?.iter().any(|fence| fence.id == id) {
        return Err(missing());
    }
    call.shared.feed.submit(&vin, Request::DeleteFence(id.to_owned())).await?;
    Ok(no_content())
}

fn in_force(call: &Call<'_>) -> Result<Fences, Problem> {
    let vin = call.own_vehicle()?;
    let fences = call.shared.feed.fences(&vin)?.borrow().clone();
    Ok(fences)
}

fn missing() -> Problem {
    Problem::not_found("no fence has that id; GET /api/v1/geofences lists them")
}

/// The fence of a Feature; its id is the path's, and one in the body must be the same.
fn read(body: &[u8], id: &str) -> Result<Fence, Problem> {
    let text = std::str::from_utf8(body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("the body must be UTF-8 (RFC 8259, 8.1): {error}")))?;
    geo::read_one(text, Some(id), FenceSource::Phone).map_err(|fault| match &fault.wrong {
        Wrong::Json(_) => {
            Problem::new(StatusCode::BAD_REQUEST, format!("the body must be a GeoJSON Feature (RFC 7946, 3.2): {fault}"))
        }
        // It is about the text as a whole.
        _ if fault.key.is_empty() => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, fault.to_string()),
        _ => Problem::field(&fault.key.clone(), fault.to_string()),
    })
}

/// The Feature of a fence.
fn feature(fence: &Fence) -> String {
    serde_json::to_string(fence).unwrap_or_default()
}

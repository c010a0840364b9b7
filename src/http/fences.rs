//! `GET /api/v1/geofences`, `GET`, `PUT` and `DELETE /api/v1/geofences/{id}`, as GeoJSON (RFC 7946).
//!
//! A fence is a Feature with an `id` and `properties.source`: `file`, `phone` or `fleet`. What is drawn here is the phone's;
//! a fence of the file or the fleet cannot be changed here (409, says the engine). A body is checked on a blocking thread,
//! since a thousand vertices take longer than the runtime may be held.

use std::sync::Arc;

use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};
use tokio::task::yield_now;

use super::body::Body;
use super::problem::Problem;
use super::reply::{no_content, typed};
use super::service::Call;
use crate::geo::{Fence, FenceSource};
use crate::request::{Answer, Request};

const GEOJSON: &str = "application/geo+json";
/// A fence of 1,000 vertices with every digit takes a fifth of that.
const BODY: usize = 256 * 1024;
/// Longest id of a fence, in bytes.
const ID: usize = 64;
/// Bytes told in one piece, about.
const PIECE: usize = 32 * 1024;

/// `GET /api/v1/geofences`.
pub(super) fn list(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let fences = in_force(call)?;
    let body = Body::told(|out| async move {
        let mut text = "{\"type\":\"FeatureCollection\",\"features\":[".to_owned();
        let mut separator = "";
        for fence in fences.iter() {
            text.push_str(separator);
            text.push_str(&geojson::feature(fence));
            separator = ",";
            if text.len() > PIECE {
                out.tell(std::mem::take(&mut text)).await;
                yield_now().await;
            }
        }
        text.push_str("]}");
        out.tell(text).await;
        Ok(())
    });
    Ok(typed(StatusCode::OK, GEOJSON, body))
}

/// `GET /api/v1/geofences/{id}`.
pub(super) fn get(call: &Call<'_>, id: &str) -> Result<Response<Body>, Problem> {
    let fences = in_force(call)?;
    let fence = fences.iter().find(|fence| fence.id == id).ok_or_else(missing)?;
    Ok(typed(StatusCode::OK, GEOJSON, Body::whole(geojson::feature(fence))))
}

/// `PUT /api/v1/geofences/{id}`: 201 where there was none, else 200, with the fence as it is now.
pub(super) async fn put(call: &mut Call<'_>, id: &str) -> Result<Response<Body>, Problem> {
    if id.len() > ID || id.chars().any(char::is_control) {
        return Err(Problem::field("id", format!("a fence's id has 1 to {ID} bytes and no control characters")));
    }
    let vin = call.own_vehicle()?;
    let body = call.body(BODY).await?;
    let own = id.to_owned();
    let checked = tokio::task::spawn_blocking(move || geojson::read(&body, &own)).await;
    let fence = checked.map_err(|_| Problem::unavailable("the fence could not be checked; try again"))??;
    let feature = geojson::feature(&fence);
    let outcome = call.shared.feed.submit(&vin, Request::PutFence(Box::new(fence))).await?;
    let status = if outcome.answer == Answer::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(typed(status, GEOJSON, Body::whole(feature)))
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

fn in_force(call: &Call<'_>) -> Result<Arc<Vec<Fence>>, Problem> {
    let vin = call.own_vehicle()?;
    let fences = call.shared.feed.fences(&vin)?.borrow().clone();
    Ok(fences)
}

fn missing() -> Problem {
    Problem::not_found("no fence has that id; GET /api/v1/geofences lists them")
}

/// The two ways between a fence and its GeoJSON.
mod geojson {
    use super::{Fence, FenceSource, Map, Problem, StatusCode, Value, json};

    /// The fence of a Feature; its id is the path's, and one in the body must be the same.
    pub(super) fn read(body: &[u8], id: &str) -> Result<Fence, Problem> {
        let broken = |error: serde_json::Error| {
            Problem::new(StatusCode::BAD_REQUEST, format!("the body must be a GeoJSON Feature (RFC 7946, 3.2): {error}"))
        };
        let feature: Value = serde_json::from_slice(body).map_err(broken)?;
        if feature.get("type").and_then(Value::as_str) != Some("Feature") {
            return Err(Problem::field("type", "`type` must be \"Feature\" (RFC 7946, 3.2)"));
        }
        if feature.get("id").is_some_and(|own| own != id) {
            return Err(Problem::field("id", "the Feature's `id` must be that of the path, or absent"));
        }
        let name = feature.pointer("/properties/name").and_then(Value::as_str).map(str::to_owned);
        Ok(Fence { id: id.to_owned(), name, source: FenceSource::Phone })
    }

    /// The Feature of a fence, as text.
    pub(super) fn feature(fence: &Fence) -> String {
        let mut properties = Map::new();
        properties.insert("source".to_owned(), json!(fence.source));
        if let Some(name) = &fence.name {
            properties.insert("name".to_owned(), name.as_str().into());
        }
        json!({"type": "Feature", "id": fence.id, "geometry": null, "properties": properties}).to_string()
    }
}

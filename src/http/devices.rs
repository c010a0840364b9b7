//! `GET /api/v1/devices`, `GET` and `DELETE /api/v1/devices/{id}`: paired phones.
//!
//! A device sees those of its member, and with the scope `admin` all. It may sign itself out; to revoke another takes
//! `admin`. A revoked device's streams end at once.

use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::body::Body;
use super::gate::{SignedIn, scope_missing};
use super::problem::Problem;
use super::reply::{json, no_content};
use super::service::Call;
use crate::feed::{Device, Scope};

pub(super) fn list(call: &Call<'_>, who: &SignedIn) -> Response<Body> {
    let devices = call.shared.feed.devices();
    let devices = devices.iter().filter(|device| visible(device, who)).map(|device| entry(device, who)).collect::<Vec<_>>();
    json(StatusCode::OK, &json!({"devices": devices}))
}

pub(super) fn get(call: &Call<'_>, who: &SignedIn, id: &str) -> Result<Response<Body>, Problem> {
    let devices = call.shared.feed.devices();
    let device = devices.iter().find(|device| device.id == id && visible(device, who)).ok_or_else(missing)?;
    Ok(json(StatusCode::OK, &entry(device, who)))
}

fn visible(device: &Device, who: &SignedIn) -> bool {
    who.has(Scope::Admin) || device.member == who.device.member
}

fn entry(device: &Device, who: &SignedIn) -> Value {
    let mut entry = json!({
        "id": device.id,
        "name": device.name,
        "member": device.member,
        "scopes": device.scopes,
        "paired": device.paired.to_string(),
        "current": device.id == who.device.id,
    });
    if let (Some(entry), Some(expires)) = (entry.as_object_mut(), device.expires) {
        entry.insert("expires".to_owned(), expires.to_string().into());
    }
    entry
}

pub(super) async fn revoke(call: &Call<'_>, who: &SignedIn, id: &str) -> Result<Response<Body>, Problem> {
    if id != who.device.id && !who.has(Scope::Admin) {
        return Err(scope_missing(Scope::Admin));
    }
    if call.shared.feed.revoke_device(id).await? {
        return Ok(no_content());
    }
    Err(missing())
}

fn missing() -> Problem {
    Problem::not_found("no device has that id; GET /api/v1/devices lists them")
}

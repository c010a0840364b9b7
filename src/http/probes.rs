//! `/healthz`, `/readyz`, `/metrics`.
//!
//! Health is 200 as long as the daemon answers, and says how each part is. Ready is 200 while every part does all of its
//! job, else 503 that names those that do not. Both without sign-in: their sentences hold neither secrets nor positions.

use hyper::{Response, StatusCode};
use serde_json::json;

use super::body::Body;
use super::problem::Problem;
use super::reply::{json, typed};
use crate::health::{Condition, Health};
use crate::metrics::Metrics;

pub(super) fn healthz(health: &Health) -> Response<Body> {
    let status = if is_ready(health) { Condition::Ok } else { Condition::Degraded };
    json(StatusCode::OK, &json!({"status": status, "parts": health.parts()}))
}

pub(super) fn readyz(health: &Health) -> Result<Response<Body>, Problem> {
    let mut parts = health.parts();
    parts.retain(|name, part| part.condition != Condition::Ok && matters(name));
    if parts.is_empty() {
        return Ok(json(StatusCode::OK, &json!({"status": Condition::Ok})));
    }
    let names = parts.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    Err(Problem::unavailable(format!("not all of its job is done by: {names}; see /healthz")).with("parts", json!(parts)))
}

pub(super) fn metrics(metrics: &Metrics) -> Response<Body> {
    typed(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", Body::whole(metrics.encode()))
}

/// Whether every part does all of its job.
pub(super) fn is_ready(health: &Health) -> bool {
    health.watch().borrow().iter().all(|(name, part)| part.condition == Condition::Ok || !matters(name))
}

/// Whether a part has a say in that: a fleet that cannot be reached is no fault of this unit's.
fn matters(part: &str) -> bool {
    !part.starts_with("upstream.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_out_of_reach_leaves_the_unit_ready() {
        let health = Health::default();
        health.set("upstream.fleet", Condition::Degraded, "there is no route");
        assert!(is_ready(&health) && readyz(&health).is_ok());
        health.set("gnss", Condition::Absent, "no receiver");
        assert!(!is_ready(&health) && readyz(&health).is_err());
    }
}

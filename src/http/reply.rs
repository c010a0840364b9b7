//! Answers that are not errors.

use std::sync::Arc;

use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::task::yield_now;

use super::body::{Body, json_bytes};
use crate::feed::Outcome;
use crate::request::Answer;

/// RFC 8259.
pub(super) const JSON: &str = "application/json";

/// A value as JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    typed(status, JSON, Body::whole(json_bytes(value)))
}

/// Bytes of a list told in one piece, about: ten thousand fences at once would hold the runtime for milliseconds.
const PIECE: usize = 32 * 1024;

/// An object that ends with a list of any length, told piece by piece: `{…head, "key": […items]}`.
pub(super) fn listed<T>(content_type: &'static str, head: &Map<String, Value>, key: &str, items: Arc<Vec<T>>) -> Response<Body>
where
    T: Serialize + Send + Sync + 'static,
{
    let mut text = serde_json::to_string(head).unwrap_or_default();
    text.truncate(text.len().saturating_sub(1));
    let separator = if head.is_empty() { "" } else { "," };
    text.push_str(&format!("{separator}\"{key}\":["));
    let body = Body::told(|out| async move {
        let mut separator = "";
        for item in items.iter() {
            text.push_str(separator);
            text.push_str(&serde_json::to_string(item).unwrap_or_default());
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
    typed(StatusCode::OK, content_type, body)
}

/// A body of some type.
pub(super) fn typed(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Done, and nothing to say.
pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The event that a request made or had made.
pub(super) fn event(outcome: &Outcome) -> Response<Body> {
    let known = outcome.event.as_ref().map(|event| event.json.as_bytes().to_vec());
    match (known, &outcome.answer) {
        (Some(event), _) => typed(StatusCode::OK, JSON, Body::whole(event)),
        (None, Answer::Event(id) | Answer::Already(id)) => json(StatusCode::OK, &json!({"eventId": id})),
        (None, Answer::Created | Answer::Changed) => no_content(),
    }
}

//! Answers that are not errors.

use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::body::{Body, json_bytes};
use crate::feed::Outcome;
use crate::request::Answer;

/// A value as JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    typed(status, "application/json", Body::whole(json_bytes(value)))
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
        (Some(event), _) => typed(StatusCode::OK, "application/json", Body::whole(event)),
        (None, Answer::Event(id) | Answer::Already(id)) => json(StatusCode::OK, &json!({"eventId": id})),
        (None, Answer::Created | Answer::Changed) => no_content(),
    }
}

//! Every error as RFC 9457 problem JSON, with a sentence that says what would be right.
//!
//! `{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "…"}`: the type is the status itself (RFC 9457,
//! 4.2.1), so the title is its phrase. Sentences never repeat what the client sent.

use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde_json::{Map, Value};

use super::body::{Body, json_bytes};
use crate::event::EventId;
use crate::feed::{Failure, Unavailable};
use crate::request::Refusal;

/// An error on its way to the client.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    more: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into(), more: Map::new(), headers: Vec::new() }
    }

    /// A body or a parameter that can be read and is wrong: 422, with the field's name.
    pub(super) fn field(name: &str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with("field", name)
    }

    /// A parameter of the query that is wrong: 400, with its name.
    pub(super) fn parameter(name: &str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail).with("field", name)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }

    /// No credential, or a wrong one.
    pub(super) fn sign_in(detail: &str) -> Problem {
        let challenge = HeaderValue::from_static("Bearer realm=\"telltale\"");
        Problem::new(StatusCode::UNAUTHORIZED, detail).header(header::WWW_AUTHENTICATE, challenge)
    }

    /// Too often: come back in so many seconds.
    pub(super) fn too_many(detail: &str, seconds: u64) -> Problem {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// Not now: come back in a moment.
    pub(super) fn unavailable(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).header(header::RETRY_AFTER, HeaderValue::from_static("5"))
    }

    /// A method that this path does not have.
    pub(super) fn method(allowed: &[Method]) -> Problem {
        let allow = allow_header(allowed);
        let detail = format!("this path answers to {}", allow.to_str().unwrap_or_default());
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).header(header::ALLOW, allow)
    }

    /// With a member of its own beside the standard's.
    #[must_use]
    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Problem {
        self.more.insert(key.to_owned(), value.into());
        self
    }

    /// With a header.
    #[must_use]
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.headers.push((name, value));
        self
    }

    /// The JSON.
    fn document(&self) -> Value {
        let mut document = self.more.clone();
        document.insert("type".to_owned(), "about:blank".into());
        document.insert("title".to_owned(), self.status.canonical_reason().unwrap_or("Error").into());
        document.insert("status".to_owned(), self.status.as_u16().into());
        document.insert("detail".to_owned(), self.detail.as_str().into());
        Value::Object(document)
    }

    /// The answer.
    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::whole(json_bytes(&self.document())));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }

    /// The answer as it stands on the wire, for a request that was no HTTP and so met no router.
    pub(super) fn into_wire(self) -> Vec<u8> {
        let body = json_bytes(&self.document());
        let phrase = self.status.canonical_reason().unwrap_or("Error");
        let mut wire = format!(
            "HTTP/1.1 {} {phrase}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n\
             cache-control: no-store\r\nx-content-type-options: nosniff\r\n\r\n",
            self.status.as_u16(),
            body.len()
        )
        .into_bytes();
        wire.extend_from_slice(&body);
        wire
    }
}

/// `Allow`, with what every path answers to beside its own.
pub(super) fn allow_header(methods: &[Method]) -> HeaderValue {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
}

impl From<Unavailable> for Problem {
    fn from(error: Unavailable) -> Problem {
        match error {
            Unavailable::Vehicle(_) => Problem::no_vehicle(),
            other => Problem::unavailable(other.to_string()),
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        match failure {
            Failure::Unavailable(error) => error.into(),
            Failure::Refused(Refusal::NotNow(reason)) => Problem::unavailable(reason),
            Failure::Refused(Refusal::Missing(reason)) => Problem::not_found(reason),
            Failure::Refused(Refusal::Invalid(reason)) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, reason),
            Failure::Refused(refusal @ Refusal::Wrong(_)) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, refusal.to_string()),
            Failure::Refused(Refusal::Conflict { reason, running }) => {
                let problem = Problem::new(StatusCode::CONFLICT, reason);
                match running {
                    Some(EventId(id)) => problem.with("eventId", id),
                    None => problem,
                }
            }
        }
    }
}

impl Problem {
    /// The path names a vehicle that is not this unit's.
    pub(super) fn no_vehicle() -> Problem {
        Problem::not_found("this unit does not know that vehicle; use its VIN, or `self` for the unit's own")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_is_not_there_is_told_with_those_that_are() {
        let response = Problem::method(&[Method::GET, Method::PUT]).into_response();
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "GET, PUT, HEAD, OPTIONS");
    }

    #[test]
    fn a_refused_answer_names_the_alert_that_runs() {
        let refusal = Refusal::Conflict { reason: "another alert runs".to_owned(), running: Some(EventId(7)) };
        let document = Problem::from(Failure::Refused(refusal)).document();
        assert_eq!(
            document,
            serde_json::json!({"type": "about:blank", "title": "Conflict", "status": 409, "detail": "another alert runs", "eventId": 7})
        );
    }
}

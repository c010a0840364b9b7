//! Signing in with a device's token: `POST /api/v1/auth/login` (and `/api/v1/login`), `GET /api/v1/auth/token`,
//! `POST /api/v1/auth/logout`; and `GET /ActiveSession/AboutMe`, which gives a ticket.
//!
//! `{"username": member, "password": token}` gets a session three ways at once: as a cookie, as `Authorization: bearer …` of
//! the answer, and as `{"data": {"token"}}`. Of a session only a hash is kept, so `GET /api/v1/auth/token` can but repeat
//! what was shown to it: a session, or a device's token. Logging out with a device's token ends all sessions of that device;
//! the token itself ends with `DELETE /api/v1/devices/{id}`.
//!
//! A page of another site may log in, as it brings the token itself; it gets no cookie.

use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::body::Body;
use super::cookie;
use super::credentials::{Credential, hash_token};
use super::gate::SignedIn;
use super::problem::Problem;
use super::reply::{json, no_content};
use super::service::{Call, admit_write};
use crate::feed::TokenHash;

const BODY: usize = 4096;

pub(super) async fn login(call: &mut Call<'_>) -> Result<Response<Body>, Problem> {
    let body = call.json_object(BODY).await?;
    let member = text(&body, "username", "`username` must be the member's name, as text")?;
    let password = text(&body, "password", "`password` must be a device's token, as text")?;
    let token = hash_token(password);
    let gate = &call.shared.gate;
    let device = gate.device(&*call.shared.feed, &token).filter(|device| device.member == member);
    if device.is_none() {
        if let Some(problem) = gate.closed_out(call.address) {
            return Err(problem);
        }
        gate.wrong(call.address, Some(&hash_token(&format!("{member}\n{password}"))));
        return Err(Problem::sign_in("no device of that member has that token; `username` is the member, `password` the token"));
    }
    admit_write(call, &token)?;
    call.watch.signed_in();
    let session = gate.sign_ins.log_in(token).await.map_err(no_bits)?;
    let mut response = json(StatusCode::OK, &json!({"data": {"token": session}}));
    if let Ok(value) = HeaderValue::try_from(format!("bearer {session}")) {
        response.headers_mut().insert(header::AUTHORIZATION, value);
    }
    give_cookie(call, &mut response, &session);
    Ok(response)
}

/// Gives a new session's cookie with an answer that signs in somebody whose token has this hash. The answer holds without it.
pub(super) async fn remember(call: &Call<'_>, response: &mut Response<Body>, token: TokenHash) {
    if !call.page().may_use_cookies() {
        return;
    }
    if let Ok(session) = call.shared.gate.sign_ins.log_in(token).await {
        give_cookie(call, response, &session);
    }
}

fn give_cookie(call: &Call<'_>, response: &mut Response<Body>, session: &str) {
    if let (true, Some(line)) = (call.page().may_use_cookies(), cookie::set(session, call.secure)) {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
}

/// What was shown, again.
pub(super) fn again(shown: &[Credential<'_>]) -> Response<Body> {
    let token = shown.first().map_or_else(Default::default, Credential::text);
    json(StatusCode::OK, &json!({"data": {"token": token}}))
}

pub(super) async fn logout(call: &Call<'_>, who: &SignedIn) -> Response<Body> {
    call.shared.gate.sign_ins.log_out(&who.hash, who.session()).await;
    let mut response = no_content();
    if let (true, Some(line)) = (call.page().may_use_cookies(), cookie::clear(call.secure)) {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
    response
}

pub(super) async fn about_me(call: &Call<'_>, who: &SignedIn) -> Result<Response<Body>, Problem> {
    let ticket = call.shared.gate.sign_ins.issue(who.holder()).await.map_err(no_bits)?;
    Ok(json(StatusCode::OK, &json!({"data": {"UrlToken": ticket}})))
}

fn no_bits(_: std::io::Error) -> Problem {
    Problem::unavailable("the system gives no random bits; try again")
}

fn text<'a>(body: &'a Map<String, Value>, name: &str, sentence: &str) -> Result<&'a str, Problem> {
    let text = body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty() && text.len() <= 256);
    text.ok_or_else(|| Problem::field(name, sentence))
}

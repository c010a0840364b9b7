//! From a request to its answer, in one order for all: size, `Host`, path, method, sign-in, rate, and then the handler.
//!
//! The error policy: the client gets a problem with a sentence that says what would be right; the log gets the route's
//! pattern, the status and the time it took, never a path, a query, a header or a body. What nobody expected is 503, since
//! trying again is right. An answer that takes longer than 20 s is 503.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode, Version};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::body::{Body, discard, read};
use super::connection::Watch;
use super::cookie::Page;
use super::counters::Asked;
use super::gate::{SignedIn, Verdict, scope_missing};
use super::problem::{Problem, allow_header};
use super::query::Query;
use super::reply::no_content;
use super::route::{Access, Route, Standing};
use super::server::Door;
use super::sign_in::Want;
use super::socket::{MAX_HEAD, MAX_TARGET, head_too_large, uri_too_long};
use super::stream::{Resume, Stream};
use super::surface::Surface;
use super::{
    Shared, cookie, credentials, destiny, devices, ecarus, fences, fieldpine, history, live, login, named, notifications,
    openapi, origin, overload, page, pairing, probes,
};
use crate::event::Kind;
use crate::feed::{Picture, Scope, TokenHash};
use crate::vehicle::Vin;

const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A request on its way to its handler.
pub(super) struct Call<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) parts: &'a Parts,
    pub(super) query: Query<'a>,
    pub(super) address: IpAddr,
    pub(super) watch: &'a Arc<Watch>,
    /// Whether it came within TLS: the scheme is `https`.
    pub(super) secure: bool,
    door: Door,
    body: &'a mut Incoming,
}

/// Answers one request of a connection.
pub(super) async fn answer(
    shared: Arc<Shared>,
    door: Door,
    watch: Arc<Watch>,
    address: IpAddr,
    request: Request<Incoming>,
) -> Response<Body> {
    watch.asked();
    let asked = Instant::now();
    let (parts, mut body) = request.into_parts();
    let route = Route::of(parts.uri.path());
    let query = Query::new(parts.uri.query());
    let mut call = Call {
        shared: &shared,
        parts: &parts,
        query,
        address,
        watch: &watch,
        secure: door == Door::Secure,
        door,
        body: &mut body,
    };

    let responding = respond(&mut call, route.as_ref());
    let answered = tokio::time::timeout(ANSWER_WITHIN, responding).await;
    let late = |_| Err(Problem::unavailable("the unit did not get to it in time; try again"));
    let mut response = answered.unwrap_or_else(late).unwrap_or_else(Problem::into_response);
    let secure = call.secure;
    if !body.is_end_stream() && !parts.headers.contains_key(header::EXPECT) {
        discard(&mut body).await;
    }
    finish(&mut response, &shared, &parts, route.as_ref());

    let (pattern, status) = (route.map_or("unknown", |route| route.pattern()), response.status().as_u16());
    shared.counters.requests.get_or_create(&Asked { route: pattern, status }).inc();
    tracing::debug!(route = pattern, secure, status, ms = asked.elapsed().as_millis() as u64, "answered");
    let is_told = response.body().is_told();
    response.body_mut().hold(watch.answering(is_told));
    response
}

async fn respond(call: &mut Call<'_>, route: Option<&Route>) -> Result<Response<Body>, Problem> {
    check_size(call.parts).and_then(|()| call.shared.names.check(call.parts)).map_err(|problem| refuse(call, problem))?;
    if let (Door::Elsewhere(port), false) = (call.door, matches!(route, Some(Route::Healthz | Route::Readyz))) {
        admit(call, None)?;
        return origin::to_tls(call.parts, port);
    }
    if call.parts.method == Method::OPTIONS {
        return preflight(call, route);
    }
    let nothing = || refuse(call, Problem::not_found("nothing is here; GET / is the page that shows what there is"));
    let route = route.ok_or_else(nothing)?;
    let method = if call.parts.method == Method::HEAD { Method::GET } else { call.parts.method.clone() };
    if !route.methods().contains(&method) {
        return Err(refuse(call, Problem::method(route.methods())));
    }
    let access = match (call.door, route) {
        (Door::Phones | Door::Secure | Door::Elsewhere(_), _) => route.access(&method),
        (Door::Metrics, Route::Healthz | Route::Readyz | Route::Metrics) => Access::Open,
        (Door::Metrics, _) => {
            return Err(refuse(call, Problem::not_found("only /metrics, /healthz and /readyz are here")));
        }
    };
    match access {
        Access::Open => {
            admit(call, None)?;
            open(call, route).await
        }
        Access::SignedIn => guarded(call, route, &method, None, Standing::Header).await,
        Access::Needs(scope, standing) => guarded(call, route, &method, Some(scope), standing).await,
    }
}

/// What is behind a sign-in.
async fn guarded(
    call: &mut Call<'_>,
    route: &Route,
    method: &Method,
    scope: Option<Scope>,
    standing: Standing,
) -> Result<Response<Body>, Problem> {
    let page = call.page();
    let cookie = cookie::value(&call.parts.headers, call.secure).filter(|_| page.may_use_cookies());
    let shown = credentials::find(&call.parts.headers, call.query, standing, cookie);
    let who = match call.shared.gate.judge(&*call.shared.feed, &shown, standing, call.address) {
        Verdict::Valid(who) => who,
        Verdict::Revoked if route.is_stream(method) => return Ok(no_content()),
        Verdict::Revoked => return Err(refuse(call, Problem::sign_in("this sign-in was revoked; sign in or pair again"))),
        Verdict::Refused(problem) => return Err(refuse(call, problem)),
    };
    call.watch.signed_in();
    if who.by_cookie() && route.is_change(method) {
        page.may_change(&call.parts.headers, !call.body.is_end_stream())?;
    }
    if let Some(scope) = scope.filter(|scope| !who.has(*scope)) {
        return Err(scope_missing(scope));
    }
    if route.is_stream(method) {
        let ticket = who.ticket().copied();
        let Some(response) = stream(call, route, who)? else {
            call.shared.counters.dropped("streams");
            return Ok(overload::come_back_later());
        };
        // A request that opens no stream uses no ticket up.
        if let Some(ticket) = ticket {
            let opened = call.shared.gate.sign_ins.open(&ticket, call.parts.uri.path(), Want::of(call.query)?).await;
            opened.map_err(|shut| refuse(call, Problem::sign_in(shut.sentence())))?;
        }
        return Ok(response);
    }
    admit(call, Some(&who))?;
    if *route == Route::Token {
        return Ok(login::again(&shown));
    }
    signed_in(call, route, method, &who).await
}

fn check_size(parts: &Parts) -> Result<(), Problem> {
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > MAX_TARGET {
        return Err(uri_too_long());
    }
    let fields: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if target + fields > MAX_HEAD || parts.headers.len() > 64 {
        return Err(head_too_large());
    }
    Ok(())
}

/// `OPTIONS` is answered before anybody signs in, also about paths that are not there: a preflight that fails would hide
/// the sentence that the request itself gets.
fn preflight(call: &Call<'_>, route: Option<&Route>) -> Result<Response<Body>, Problem> {
    admit(call, None)?;
    let mut response = no_content();
    if let Some(route) = route {
        response.headers_mut().insert(header::ALLOW, allow_header(route.methods()));
    }
    origin::preflight(response.headers_mut(), &call.parts.headers, &call.shared.settings.origins);
    Ok(response)
}

/// Whether the device may ask for one more thing that is written to flash.
pub(super) fn admit_write(call: &Call<'_>, device: &TokenHash) -> Result<(), Problem> {
    if call.shared.gate.admits_write(device) {
        return Ok(());
    }
    call.shared.counters.dropped("write_rate");
    Err(Problem::too_many("at most 10 of these a second, 100 at once, please", 1))
}

fn admit(call: &Call<'_>, who: Option<&SignedIn>) -> Result<(), Problem> {
    if call.shared.gate.admits(who, call.address) {
        return Ok(());
    }
    call.shared.counters.dropped("rate");
    Err(Problem::too_many("at most 100 requests a second, 400 at once, please", 1))
}

/// What somebody is told who has not signed in and asked for what is not there or not theirs: that counts too.
fn refuse(call: &Call<'_>, problem: Problem) -> Problem {
    admit(call, None).err().unwrap_or(problem)
}

/// What is behind no sign-in.
async fn open(call: &mut Call<'_>, route: &Route) -> Result<Response<Body>, Problem> {
    match route {
        Route::Asset(asset) => Ok(page::answer(*asset)),
        Route::TestPage(file) => Ok(file.answer()),
        Route::OpenApi => Ok(openapi::answer()),
        Route::Healthz => Ok(probes::healthz(&call.shared.health)),
        Route::Readyz => probes::readyz(&call.shared.health),
        Route::Metrics => Ok(probes::metrics(&call.shared.metrics)),
        Route::Login => login::login(call).await,
        _ => pairing::pair(call).await,
    }
}

/// A stream, where there is a place for one.
fn stream(call: &Call<'_>, route: &Route, who: SignedIn) -> Result<Option<Response<Body>>, Problem> {
    let (resume, stream_id) = match route {
        Route::Connect => destiny::resume(&call.parts.headers, call.query),
        _ => (Resume::of(&call.parts.headers, call.query), None),
    };
    let (vin, mut surface): (Vin, Box<dyn Surface>) = match route {
        Route::ChildEvents(vin) => (call.vehicle(vin)?, Box::new(ecarus::OneKind(Kind::Child))),
        Route::GeofenceEvents(vin) => (call.vehicle(vin)?, Box::new(ecarus::OneKind(Kind::Geofence))),
        Route::DiagnosisEvents => (call.own_vehicle()?, Box::<ecarus::Diagnosis>::default()),
        Route::Connect => (call.own_vehicle()?, destiny::connect(call, &who, stream_id)?),
        Route::Heartbeat => (call.own_vehicle()?, Box::new(named::Heartbeat)),
        Route::EventSource => (call.own_vehicle()?, Box::new(fieldpine::EventSource::of(call.query)?)),
        Route::Notifications => (call.own_vehicle()?, Box::new(notifications::Notifications::of(call, &who)?)),
        _ => (call.own_vehicle()?, Box::new(named::MyEvents::of(call.query)?)),
    };
    let shared = call.shared;
    let writes = who.ticket().is_some() || call.parts.headers.contains_key("device-id");
    let is_admitted = shared.gate.admits(Some(&who), call.address) && (!writes || shared.gate.admits_write(&who.hash));
    let Some(place) = is_admitted.then(|| shared.streams.take(who.hash)).flatten() else { return Ok(None) };
    let resume = surface.resume(resume);
    Ok(Some(Stream { shared: shared.clone(), vin, who, surface, resume, place }.into_response()))
}

/// What is behind a sign-in and ends by itself.
async fn signed_in(call: &mut Call<'_>, route: &Route, method: &Method, who: &SignedIn) -> Result<Response<Body>, Problem> {
    let is_delete = *method == Method::DELETE;
    match route {
        Route::ChildAlert(vin) => Ok(ecarus::child_alert(&*call.picture(vin)?)),
        Route::GeofenceState(vin) => Ok(ecarus::geofence(&*call.picture(vin)?)),
        Route::TroubleCodes(vin) if is_delete => call.vehicle(vin).and_then(|_| Err(ecarus::clear_trouble_codes())),
        Route::TroubleCodes(vin) => Ok(ecarus::trouble_codes(&*call.picture(vin)?)),
        Route::Codes => Ok(ecarus::codes(&*call.picture("self")?)),
        Route::ChildAnswer(vin, answer) => ecarus::answer(call, who, vin, *answer).await,
        Route::History => history::history(call, who).await,
        Route::Pong(stream) => destiny::pong(call, who, stream),
        Route::Subscribe(stream, token, wanted) => destiny::subscribe(call, who, stream, token, *wanted).await,
        Route::Unit(unit) => destiny::unit(call, who, unit).await,
        Route::PrimaryUnit(vehicle) => destiny::primary(call, who, vehicle).await,
        Route::Track => destiny::history(call).await,
        Route::State(vin) => Ok(live::state(&*call.picture(vin)?)),
        Route::Notifications => notifications::publish(call, who).await,
        Route::Fences => fences::list(call),
        Route::Fence(id) if is_delete => fences::delete(call, id).await,
        Route::Fence(id) if *method == Method::PUT => fences::put(call, id).await,
        Route::Fence(id) => fences::get(call, id),
        Route::Devices => Ok(devices::list(call, who)),
        Route::Device(id) if is_delete => devices::revoke(call, who, id).await,
        Route::Device(id) => devices::get(call, who, id),
        Route::AboutMe => login::about_me(call, who).await,
        Route::Logout => Ok(login::logout(call, who).await),
        _ => Ok(probes::metrics(&call.shared.metrics)),
    }
}

impl Call<'_> {
    /// The vehicle that the path names: `self` is the unit's own.
    pub(super) fn vehicle(&self, name: &str) -> Result<Vin, Problem> {
        let known = self.shared.feed.vehicles().into_iter();
        let found = known.enumerate().find(|(at, vin)| vin.as_str() == name || (name == "self" && *at == 0));
        found.map(|(_, vin)| vin).ok_or_else(Problem::no_vehicle)
    }

    /// The unit's own vehicle.
    pub(super) fn own_vehicle(&self) -> Result<Vin, Problem> {
        self.vehicle("self")
    }

    fn picture(&self, name: &str) -> Result<Arc<Picture>, Problem> {
        let picture = self.shared.feed.picture(&self.vehicle(name)?)?.borrow().clone();
        Ok(picture)
    }

    /// Whose page sends it.
    pub(super) fn page(&self) -> Page {
        Page::of(self.parts, self.secure, &self.shared.settings.origins)
    }

    /// The request's body, `most` bytes.
    pub(super) async fn body(&mut self, most: usize) -> Result<Bytes, Problem> {
        read(self.body, most, self.shared.settings.limits.body()).await
    }

    /// The request's body as a JSON object.
    pub(super) async fn json_object(&mut self, most: usize) -> Result<Map<String, Value>, Problem> {
        let wrong = |_| Problem::new(StatusCode::BAD_REQUEST, "the body must be a JSON object (RFC 8259) in UTF-8");
        serde_json::from_slice(&self.body(most).await?).map_err(wrong)
    }
}

/// What every answer carries.
fn finish(response: &mut Response<Body>, shared: &Shared, parts: &Parts, route: Option<&Route>) {
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Counts for what a page of another origin embeds; what it fetches is judged by CORS.
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let is_page = matches!(route, Some(Route::Asset(_) | Route::TestPage(_))) && status == StatusCode::OK;
    headers.insert(header::CONTENT_SECURITY_POLICY, if is_page { page::POLICY } else { NOTHING });
    if parts.method != Method::OPTIONS {
        // A login brings the device's token in its body.
        let brings = route == Some(&Route::Login) && !origin::is_listed(&parts.headers, &shared.settings.origins);
        let explicit = brings || credentials::is_explicit(&parts.headers, Query::new(parts.uri.query()));
        origin::allow(headers, &parts.headers, explicit, &shared.settings.origins);
    }
    if is_last(status) && parts.version < Version::HTTP_2 {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// An answer of ours is no page, and nothing may frame it.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// After a body that was not taken whole the connection cannot be used again.
fn is_last(status: StatusCode) -> bool {
    matches!(status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
}

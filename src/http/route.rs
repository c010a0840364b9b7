//! The paths, as a plain match: what each is for, what it answers to, and what a caller must show.

use std::borrow::Cow;

use hyper::Method;

use super::fieldpine::{self, TestPage};
use super::page::Asset;
use super::query::decoded;
use crate::feed::Scope;

/// A path that leads somewhere. Vehicles and ids as the path names them, not yet looked up.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Route {
    /// The page and its files.
    Asset(Asset),
    /// How the daemon is.
    Healthz,
    /// Whether it can do all of its job.
    Readyz,
    /// Prometheus.
    Metrics,
    /// What all of this is, for machines.
    OpenApi,
    /// ECARUS: stream of child events.
    ChildEvents(String),
    /// ECARUS: the child watch now.
    ChildAlert(String),
    /// ECARUS: an answer to an alert.
    ChildAnswer(String, Answer),
    /// ECARUS: stream of fence events.
    GeofenceEvents(String),
    /// ECARUS: the fences now.
    GeofenceState(String),
    /// ECARUS: stream of diagnosis.
    DiagnosisEvents,
    /// ECARUS: trouble codes.
    TroubleCodes(String),
    /// Trouble codes of this unit's vehicle, with the self-tests.
    Codes,
    /// Named events: everything.
    MyEvents,
    /// Named events: the heartbeat.
    Heartbeat,
    /// server-sent-events: the stream, and publishing.
    Notifications,
    /// Fieldpine: the stream.
    EventSource,
    /// Fieldpine: its test page.
    TestPage(TestPage),
    /// History.
    History,
    /// ACM Destiny: the stream.
    Connect,
    /// ACM Destiny: an answer to the pings of a stream.
    Pong(String),
    /// ACM Destiny: a subscription of a stream by a token, and whether it is to be.
    Subscribe(String, String, bool),
    /// ACM Destiny: a token for a unit.
    Unit(String),
    /// ACM Destiny: a token for a vehicle's own unit.
    PrimaryUnit(String),
    /// ACM Destiny: the recorded way of a unit.
    Track,
    /// The live picture.
    State(String),
    /// All fences.
    Fences,
    /// One fence.
    Fence(String),
    /// Paired phones.
    Devices,
    /// One of them.
    Device(String),
    /// Pairing.
    Pair,
    /// A session for a device's token.
    Login,
    /// The session again.
    Token,
    /// The session's end.
    Logout,
    /// A ticket for a stream.
    AboutMe,
}

/// What a person may answer to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Quiet, for a while.
    Snooze,
    /// The child is safe.
    Safe,
}

/// Where a credential may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// In a header only.
    Header,
    /// In a header or in the query, for clients that cannot set headers (`EventSource`).
    HeaderOrQuery,
    /// The same, and a ticket in the query.
    Stream,
}

impl Standing {
    /// Whether the query may hold a credential.
    pub(super) fn takes_query(self) -> bool {
        self != Standing::Header
    }
}

/// What a caller must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing.
    Open,
    /// A credential, whatever its scopes, not in the query.
    SignedIn,
    /// A credential with this scope.
    Needs(Scope, Standing),
}

const GET: &[Method] = &[Method::GET];
const POST: &[Method] = &[Method::POST];
const GET_POST: &[Method] = &[Method::GET, Method::POST];
const GET_DELETE: &[Method] = &[Method::GET, Method::DELETE];
const GET_PUT_DELETE: &[Method] = &[Method::GET, Method::PUT, Method::DELETE];

impl Route {
    /// Where this path leads, if anywhere.
    pub(super) fn of(path: &str) -> Option<Route> {
        let segments: Vec<Cow<'_, str>> = path.strip_prefix('/')?.split('/').take(12).map(decoded).collect::<Option<_>>()?;
        let segments: Vec<&str> = segments.iter().map(Cow::as_ref).collect();
        let route = match segments.as_slice() {
            ["healthz"] => Route::Healthz,
            ["readyz"] => Route::Readyz,
            ["metrics"] => Route::Metrics,
            ["events"] | ["notification", "events"] => Route::Notifications,
            ["report", "pos", "tests", file] => return TestPage::of(file).map(Route::TestPage),
            [name] if fieldpine::is_event_source(name) => Route::EventSource,
            ["api", "v1", "openapi.json"] => Route::OpenApi,
            ["api", "my-events"] => Route::MyEvents,
            ["api", "heartbeat"] => Route::Heartbeat,
            ["api", "v1", "events"] => Route::History,
            ["sse", "telemetry", rest @ ..] => return Route::of_destiny(rest),
            ["api", "v1", "monitoring", "unit", unit] => Route::Unit((*unit).to_owned()),
            ["api", "v1", "monitoring", "vehicle", vehicle, "primary"] => Route::PrimaryUnit((*vehicle).to_owned()),
            ["api", "v1", "telemetry", "history"] => Route::Track,
            ["api", "v1", "vehicles", vin, "state"] => Route::State((*vin).to_owned()),
            ["api", "v1", "geofences"] => Route::Fences,
            ["api", "v1", "geofences", id] if !id.is_empty() => Route::Fence((*id).to_owned()),
            ["api", "v1", "diagnosis", "codes"] => Route::Codes,
            ["api", "v1", "devices"] => Route::Devices,
            ["api", "v1", "devices", id] if !id.is_empty() => Route::Device((*id).to_owned()),
            ["api", "v1", "pair"] => Route::Pair,
            ["api", "v1", "auth", "login"] | ["api", "v1", "login"] => Route::Login,
            ["api", "v1", "auth", "token"] => Route::Token,
            ["api", "v1", "auth", "logout"] => Route::Logout,
            ["ActiveSession", "AboutMe"] => Route::AboutMe,
            [api, "ActiveSession", "AboutMe"] if is_open_api(api) => Route::AboutMe,
            ["api", "v1", rest @ ..] => return Route::of_ecarus(rest),
            [file] => return Asset::of(file).map(Route::Asset),
            rest => return Route::of_ecarus(rest),
        };
        Some(route)
    }

    /// That vendor's own paths, which it has with and without `/api/v1`.
    fn of_ecarus(segments: &[&str]) -> Option<Route> {
        let route = match segments {
            ["diagnosis", "auto", "events"] => Route::DiagnosisEvents,
            ["diagnosis", "vehicles", vin, "auto", "dtc"] => Route::TroubleCodes((*vin).to_owned()),
            ["childcare", "vehicles", vin, rest @ ..] => match rest {
                ["child-alert"] => Route::ChildAlert((*vin).to_owned()),
                ["child-alert", "events"] => Route::ChildEvents((*vin).to_owned()),
                ["child-alert", "snooze"] => Route::ChildAnswer((*vin).to_owned(), Answer::Snooze),
                ["child-alert", "safe"] => Route::ChildAnswer((*vin).to_owned(), Answer::Safe),
                ["geofence"] => Route::GeofenceState((*vin).to_owned()),
                ["geofence", "events"] => Route::GeofenceEvents((*vin).to_owned()),
                _ => return None,
            },
            _ => return None,
        };
        Some(route)
    }

    /// The stream of ACM Destiny and what belongs to it.
    fn of_destiny(segments: &[&str]) -> Option<Route> {
        let route = match segments {
            ["connect"] => Route::Connect,
            ["pong", stream] => Route::Pong((*stream).to_owned()),
            ["subscribe", stream, token] => Route::Subscribe((*stream).to_owned(), (*token).to_owned(), true),
            ["unsubscribe", stream, token] => Route::Subscribe((*stream).to_owned(), (*token).to_owned(), false),
            _ => return None,
        };
        Some(route)
    }

    /// What stands for the path in logs and metrics.
    pub(super) fn pattern(&self) -> &'static str {
        match self {
            Route::Asset(asset) => asset.path(),
            Route::Healthz => "/healthz",
            Route::Readyz => "/readyz",
            Route::Metrics => "/metrics",
            Route::OpenApi => "/api/v1/openapi.json",
            Route::ChildEvents(_) => "/api/v1/childcare/vehicles/{vin}/child-alert/events",
            Route::ChildAlert(_) => "/api/v1/childcare/vehicles/{vin}/child-alert",
            Route::ChildAnswer(_, Answer::Snooze) => "/api/v1/childcare/vehicles/{vin}/child-alert/snooze",
            Route::ChildAnswer(_, Answer::Safe) => "/api/v1/childcare/vehicles/{vin}/child-alert/safe",
            Route::GeofenceEvents(_) => "/api/v1/childcare/vehicles/{vin}/geofence/events",
            Route::GeofenceState(_) => "/api/v1/childcare/vehicles/{vin}/geofence",
            Route::DiagnosisEvents => "/api/v1/diagnosis/auto/events",
            Route::TroubleCodes(_) => "/api/v1/diagnosis/vehicles/{vin}/auto/dtc",
            Route::Codes => "/api/v1/diagnosis/codes",
            Route::MyEvents => "/api/my-events",
            Route::Heartbeat => "/api/heartbeat",
            Route::Notifications => "/events",
            Route::EventSource => "/eventsource",
            Route::TestPage(file) => file.path(),
            Route::History => "/api/v1/events",
            Route::Connect => "/sse/telemetry/connect",
            Route::Pong(_) => "/sse/telemetry/pong/{stream_id}",
            Route::Subscribe(_, _, true) => "/sse/telemetry/subscribe/{stream_id}/{token}",
            Route::Subscribe(_, _, false) => "/sse/telemetry/unsubscribe/{stream_id}/{token}",
            Route::Unit(_) => "/api/v1/monitoring/unit/{unitId}",
            Route::PrimaryUnit(_) => "/api/v1/monitoring/vehicle/{vehicleId}/primary",
            Route::Track => "/api/v1/telemetry/history",
            Route::State(_) => "/api/v1/vehicles/{vin}/state",
            Route::Fences => "/api/v1/geofences",
            Route::Fence(_) => "/api/v1/geofences/{id}",
            Route::Devices => "/api/v1/devices",
            Route::Device(_) => "/api/v1/devices/{id}",
            Route::Pair => "/api/v1/pair",
            Route::Login => "/api/v1/auth/login",
            Route::Token => "/api/v1/auth/token",
            Route::Logout => "/api/v1/auth/logout",
            Route::AboutMe => "/ActiveSession/AboutMe",
        }
    }

    /// What it answers to, beside `HEAD` where there is `GET`, and `OPTIONS`.
    pub(super) fn methods(&self) -> &'static [Method] {
        match self {
            Route::ChildAnswer(..) | Route::Pair | Route::Login | Route::Logout | Route::Pong(_) | Route::Subscribe(..) => POST,
            Route::Notifications => GET_POST,
            Route::TroubleCodes(_) | Route::Device(_) => GET_DELETE,
            Route::Fence(_) => GET_PUT_DELETE,
            _ => GET,
        }
    }

    /// What a caller must show for `method` (`GET` for `HEAD`).
    pub(super) fn access(&self, method: &Method) -> Access {
        match self {
            Route::Asset(_) | Route::TestPage(_) | Route::Healthz | Route::Readyz => Access::Open,
            Route::OpenApi | Route::Pair | Route::Login => Access::Open,
            Route::Token | Route::Logout => Access::SignedIn,
            Route::Metrics | Route::Devices | Route::Device(_) | Route::AboutMe => Access::Needs(Scope::Read, Standing::Header),
            // They change what a stream of the caller's own shows, and nothing of the vehicle.
            Route::Pong(_) | Route::Subscribe(..) => Access::Needs(Scope::Read, Standing::Header),
            Route::Notifications if *method == Method::POST => Access::Needs(Scope::Publish, Standing::Header),
            _ if self.is_stream(method) => Access::Needs(Scope::Read, Standing::Stream),
            _ if *method == Method::GET => Access::Needs(Scope::Read, Standing::HeaderOrQuery),
            _ => Access::Needs(Scope::Control, Standing::Header),
        }
    }

    /// Whether `method` changes something, so that a cookie alone must come from our own page. What concerns a stream of the
    /// caller's own names it by what no other page can know, and programs with a cookie jar ask for it, which have no page.
    pub(super) fn is_change(&self, method: &Method) -> bool {
        *method != Method::GET && !matches!(self, Route::Pong(_) | Route::Subscribe(..))
    }

    /// Whether `method` (`GET` for `HEAD`) opens a stream, where an error would make an `EventSource` give up for good.
    pub(super) fn is_stream(&self, method: &Method) -> bool {
        let streams = matches!(
            self,
            Route::ChildEvents(_)
                | Route::GeofenceEvents(_)
                | Route::DiagnosisEvents
                | Route::MyEvents
                | Route::Heartbeat
                | Route::Connect
                | Route::Notifications
                | Route::EventSource
        );
        streams && *method == Method::GET
    }
}

/// `OpenApi` or `OpenApi2`, perhaps with that vendor's number of a system behind it: `_1_2_3_4`.
fn is_open_api(segment: &str) -> bool {
    let Some(rest) = segment.strip_prefix("OpenApi") else { return false };
    is_system(rest.strip_prefix('2').unwrap_or(rest))
}

/// Nothing, or numbers with `_` before each.
fn is_system(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.is_empty() || text.strip_prefix('_').is_some_and(|rest| rest.split('_').all(is_number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn that_vendors_paths_lead_there_with_and_without_the_prefix() {
        for prefix in ["", "/api/v1"] {
            let of = |path: &str| Route::of(&format!("{prefix}{path}"));
            let vin = || "KMH".to_owned();
            assert_eq!(of("/childcare/vehicles/KMH/child-alert/events"), Some(Route::ChildEvents(vin())));
            assert_eq!(of("/childcare/vehicles/KMH/geofence/events"), Some(Route::GeofenceEvents(vin())));
            assert_eq!(of("/diagnosis/auto/events"), Some(Route::DiagnosisEvents));
            assert_eq!(of("/childcare/vehicles/KMH/child-alert/safe"), Some(Route::ChildAnswer(vin(), Answer::Safe)));
            assert_eq!(of("/diagnosis/vehicles/KMH/auto/dtc"), Some(Route::TroubleCodes(vin())));
        }
    }

    #[test]
    fn who_am_i_is_asked_under_many_prefixes() {
        for prefix in ["", "/OpenApi", "/OpenApi2", "/OpenApi_1", "/OpenApi2_1_22_3_4"] {
            assert_eq!(Route::of(&format!("{prefix}/ActiveSession/AboutMe")), Some(Route::AboutMe), "{prefix}");
        }
        for prefix in ["/OpenApi3", "/OpenApi_", "/OpenApi_1_", "/OpenApi_x", "/openapi", "/OpenApi22", "/OpenApi/OpenApi"] {
            assert_eq!(Route::of(&format!("{prefix}/ActiveSession/AboutMe")), None, "{prefix}");
        }
    }

    #[test]
    fn near_misses_lead_nowhere() {
        let misses =
            ["", "*", "//", "/api", "/api/v1", "/api/my-events/", "/api/v1/geofences/", "/api/v1/vehicles//state/x", "/%", "/x"];
        for path in misses {
            assert_eq!(Route::of(path), None, "{path}");
        }
        assert_eq!(Route::of("/api/v1/geofences/a%2Fb"), Some(Route::Fence("a/b".to_owned())));
    }

    #[test]
    fn only_reading_takes_a_token_from_the_query_and_never_devices_or_metrics() {
        let paths = [
            "/metrics",
            "/api/v1/devices",
            "/api/v1/geofences/x",
            "/api/v1/events",
            "/api/my-events",
            "/childcare/vehicles/self/child-alert",
            "/ActiveSession/AboutMe",
            "/api/v1/auth/token",
            "/sse/telemetry/connect",
            "/sse/telemetry/pong/x",
        ];
        let standing = |path: &str| match Route::of(path).unwrap().access(&Method::GET) {
            Access::Needs(_, standing) => standing,
            Access::SignedIn | Access::Open => Standing::Header,
        };
        use Standing::{Header, HeaderOrQuery, Stream};
        assert_eq!(
            paths.map(standing),
            [Header, Header, HeaderOrQuery, HeaderOrQuery, Stream, HeaderOrQuery, Header, Header, Stream, Header]
        );
        for (path, method) in [("/childcare/vehicles/self/child-alert/safe", Method::POST), ("/api/v1/geofences/x", Method::PUT)]
        {
            let route = Route::of(path).unwrap();
            assert_eq!(
                (route.access(&method), route.is_change(&method)),
                (Access::Needs(Scope::Control, Header), true),
                "{path}"
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_in_a_path_panics(path in "(/|[a-z0-9%.-]|api|v1|childcare|vehicles|events|.){0,40}") {
            if let Some(route) = Route::of(&path) {
                prop_assert!(!route.methods().is_empty() && route.pattern().starts_with('/'));
            }
        }
    }
}

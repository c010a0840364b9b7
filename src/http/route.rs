//! The paths, as a plain match: what each is for, what it answers to, and what a caller must show.

use std::borrow::Cow;

use hyper::Method;

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
    /// History.
    History,
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
    /// What all of this is, for machines.
    OpenApi,
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
}

/// What a caller must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing.
    Open,
    /// A credential with this scope.
    Needs(Scope, Standing),
}

const GET: &[Method] = &[Method::GET];
const POST: &[Method] = &[Method::POST];
const GET_DELETE: &[Method] = &[Method::GET, Method::DELETE];
const GET_PUT_DELETE: &[Method] = &[Method::GET, Method::PUT, Method::DELETE];
const DELETE: &[Method] = &[Method::DELETE];

impl Route {
    /// Where this path leads, if anywhere.
    pub(super) fn of(path: &str) -> Option<Route> {
        let segments: Vec<Cow<'_, str>> = path.strip_prefix('/')?.split('/').take(12).map(decoded).collect::<Option<_>>()?;
        let segments: Vec<&str> = segments.iter().map(Cow::as_ref).collect();
        let route = match segments.as_slice() {
            ["healthz"] => Route::Healthz,
            ["readyz"] => Route::Readyz,
            ["metrics"] => Route::Metrics,
            ["api", "my-events"] => Route::MyEvents,
            ["api", "heartbeat"] => Route::Heartbeat,
            ["api", "v1", "events"] => Route::History,
            ["api", "v1", "vehicles", vin, "state"] => Route::State((*vin).to_owned()),
            ["api", "v1", "geofences"] => Route::Fences,
            ["api", "v1", "geofences", id] if !id.is_empty() => Route::Fence((*id).to_owned()),
            ["api", "v1", "diagnosis", "codes"] => Route::Codes,
            ["api", "v1", "devices"] => Route::Devices,
            ["api", "v1", "devices", id] if !id.is_empty() => Route::Device((*id).to_owned()),
            ["api", "v1", "pair"] => Route::Pair,
            ["api", "v1", "openapi.json"] => Route::OpenApi,
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

    /// What stands for the path in logs and metrics.
    pub(super) fn pattern(&self) -> &'static str {
        match self {
            Route::Asset(asset) => asset.path(),
            Route::Healthz => "/healthz",
            Route::Readyz => "/readyz",
            Route::Metrics => "/metrics",
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
            Route::History => "/api/v1/events",
            Route::State(_) => "/api/v1/vehicles/{vin}/state",
            Route::Fences => "/api/v1/geofences",
            Route::Fence(_) => "/api/v1/geofences/{id}",
            Route::Devices => "/api/v1/devices",
            Route::Device(_) => "/api/v1/devices/{id}",
            Route::Pair => "/api/v1/pair",
            Route::OpenApi => "/api/v1/openapi.json",
        }
    }

    /// What it answers to, beside `HEAD` where there is `GET`, and `OPTIONS`.
    pub(super) fn methods(&self) -> &'static [Method] {
        match self {
            Route::ChildAnswer(..) | Route::Pair => POST,
            Route::TroubleCodes(_) => GET_DELETE,
            Route::Fence(_) => GET_PUT_DELETE,
            Route::Device(_) => DELETE,
            _ => GET,
        }
    }

    /// What a caller must show for `method` (`GET` for `HEAD`).
    pub(super) fn access(&self, method: &Method) -> Access {
        match self {
            Route::Asset(_) | Route::Healthz | Route::Readyz | Route::OpenApi | Route::Pair => Access::Open,
            Route::Metrics | Route::Devices | Route::Device(_) => Access::Needs(Scope::Read, Standing::Header),
            _ if *method == Method::GET => Access::Needs(Scope::Read, Standing::HeaderOrQuery),
            _ => Access::Needs(Scope::Control, Standing::Header),
        }
    }

    /// Whether it is a stream, where an error would make an `EventSource` give up for good.
    pub(super) fn is_stream(&self) -> bool {
        matches!(
            self,
            Route::ChildEvents(_) | Route::GeofenceEvents(_) | Route::DiagnosisEvents | Route::MyEvents | Route::Heartbeat
        )
    }
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
            "/childcare/vehicles/self/child-alert/safe",
        ];
        let in_query = |path: &str, method: Method| {
            matches!(Route::of(path).unwrap().access(&method), Access::Needs(_, Standing::HeaderOrQuery))
        };
        assert_eq!(paths.map(|path| in_query(path, Method::GET)), [false, false, true, true, true, true]);
        assert_eq!(paths.map(|path| in_query(path, Method::POST)), [false; 6]);
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

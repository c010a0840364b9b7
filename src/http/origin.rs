//! Who may speak to this port from where: `Host` against DNS rebinding, `Origin` for pages of other sites (CORS, the
//! Fetch standard).
//!
//! `Host` may be an IP literal, `localhost`, the host's own name (also with `.local`) and those of `http.names`; else 421.
//! A request that brings its own token may come from any page (`*`, never with credentials); without one only the pages of
//! `http.origins` may read the answer. `null` is nobody's origin. Whose cookies count is [`cookie`](super::cookie)'s business.

use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::{Response, StatusCode, Version};

use super::body::Body;
use super::problem::Problem;

/// The names by which this unit may be called.
#[derive(Debug)]
pub(super) struct Names(Vec<String>);

impl Names {
    /// `own` is the host's name, where known.
    pub(super) fn new(own: Option<&str>, more: &[String]) -> Names {
        let own = own.map(str::trim).filter(|name| !name.is_empty()).into_iter();
        let own = own.flat_map(|name| [name.to_ascii_lowercase(), format!("{}.local", name.to_ascii_lowercase())]);
        Names(own.chain(more.iter().map(|name| name.to_ascii_lowercase())).chain(["localhost".to_owned()]).collect())
    }

    /// All of them.
    pub(super) fn all(&self) -> &[String] {
        &self.0
    }

    /// Whether the request is for us. The target's own authority goes before `Host` (RFC 9112, 3.2.2).
    pub(super) fn check(&self, parts: &Parts) -> Result<(), Problem> {
        let mut hosts = parts.headers.get_all(header::HOST).iter();
        let (host, more) = (hosts.next(), hosts.next());
        let is_named = host.is_some() || parts.version >= Version::HTTP_2 && parts.uri.authority().is_some();
        if more.is_some() || (!is_named && parts.version > Version::HTTP_10) {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "an HTTP/1.1 request has exactly one Host header"));
        }
        let host = match (parts.uri.authority(), host) {
            // RFC 9113, 8.3.1.
            (Some(authority), Some(host))
                if parts.version >= Version::HTTP_2 && authority.as_str().as_bytes() != host.as_bytes() =>
            {
                return Err(Problem::new(StatusCode::BAD_REQUEST, "Host and :authority of an HTTP/2 request are the same"));
            }
            (Some(authority), _) => authority.as_str().as_bytes(),
            (None, Some(host)) => host.as_bytes(),
            (None, None) => return Ok(()),
        };
        if std::str::from_utf8(host).is_ok_and(|host| self.knows(host)) {
            return Ok(());
        }
        let sentence = "Host must be this unit's IP address, localhost, its own name, or one of http.names in its settings";
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, sentence))
    }

    fn knows(&self, host: &str) -> bool {
        if let Some(literal) = host.strip_prefix('[') {
            return literal.split_once(']').is_some_and(|(ip, port)| ip.parse::<Ipv6Addr>().is_ok() && is_port(port));
        }
        let (name, port) = match host.find(':') {
            Some(colon) => host.split_at(colon),
            None => (host, ""),
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        is_port(port) && (name.parse::<Ipv4Addr>().is_ok() || self.0.iter().any(|known| known.eq_ignore_ascii_case(name)))
    }
}

/// Nothing, or `:` and digits.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit()))
}

/// Our own origin as the client has it: its scheme, and the host and port that it asks for, as `Origin` would say it.
pub(super) fn own(parts: &Parts, secure: bool) -> Option<String> {
    let asked = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let host = asked.or_else(|| parts.headers.get(header::HOST).map(HeaderValue::as_bytes))?;
    let host = std::str::from_utf8(host).ok()?.to_ascii_lowercase();
    let (scheme, usual) = if secure { ("https", ":443") } else { ("http", ":80") };
    Some(format!("{scheme}://{}", host.strip_suffix(usual).unwrap_or(&host)))
}

/// Sends a request on to the same host's port of TLS, with its method and body (RFC 9110, 15.4.8).
pub(super) fn to_tls(parts: &Parts, port: u16) -> Result<Response<Body>, Problem> {
    let sentence = format!("this unit speaks plain HTTP only on interfaces it trusts; ask it over https at port {port}");
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = parts.uri.authority().cloned().or_else(|| host?.parse().ok());
    let target = parts.uri.path_and_query().map(PathAndQuery::as_str).filter(|target| target.starts_with('/')).unwrap_or("/");
    let location = host.map(|host| format!("https://{}:{port}{target}", host.host()));
    let Some(Ok(location)) = location.map(HeaderValue::try_from) else {
        return Err(Problem::new(StatusCode::BAD_REQUEST, sentence));
    };
    let mut response = Problem::new(StatusCode::TEMPORARY_REDIRECT, sentence).into_response();
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// Whether `text` is a scheme, a host and perhaps a port, as `Origin` has them.
pub(super) fn is_origin(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = |rest: &str| !rest.is_empty() && !rest.contains(['/', '?', '#', '@', ' ', '*']);
    rest.is_some_and(host) && text.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase())
}

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, X-Api-Key, Content-Type, Cache-Control, Last-Event-ID, Member-ID, MemberId, Device-Id, Idempotency-Key",
);
const ANY: HeaderValue = HeaderValue::from_static("*");

/// Whether the request says that it comes from a page of `http.origins`.
pub(super) fn is_listed(request: &HeaderMap, origins: &[String]) -> bool {
    request.get(header::ORIGIN).is_some_and(|origin| origins.iter().any(|known| known.as_bytes() == origin.as_bytes()))
}

/// What every answer says to the browser that holds another site's page.
pub(super) fn allow(answer: &mut HeaderMap, request: &HeaderMap, explicit_token: bool, origins: &[String]) {
    let listed = request.get(header::ORIGIN).filter(|_| is_listed(request, origins));
    if explicit_token {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    } else if let Some(origin) = listed {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    if !origins.is_empty() {
        answer.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    if explicit_token || listed.is_some() {
        answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Authorization"));
    }
}

/// What the answer to `OPTIONS` says beside. A preflight never carries a token, so it is let through from everywhere: the
/// request that follows is judged by what it brings.
pub(super) fn preflight(answer: &mut HeaderMap, request: &HeaderMap, origins: &[String]) {
    allow(answer, request, false, origins);
    answer.entry(header::ACCESS_CONTROL_ALLOW_ORIGIN).or_insert(ANY);
    answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Authorization"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_are_this_unit() {
        let names = Names::new(Some("Telltale-42\n"), &["car.example".to_owned()]);
        let ours = [
            "127.0.0.1",
            "192.168.4.1:8080",
            "[::1]",
            "[fd00::1]:8443",
            "localhost:1",
            "LOCALHOST",
            "localhost.",
            "telltale-42:8080",
            "telltale-42.local",
            "Car.Example",
        ];
        for host in ours {
            assert!(names.knows(host), "{host}");
        }
        let strange =
            ["evil.example", "", ":80", "localhost:x", "[::1", "[::1]x", "[localhost]", "127.0.0.1.evil", "a@localhost"];
        for host in strange {
            assert!(!names.knows(host), "{host}");
        }
    }

    #[test]
    fn origins_as_browsers_send_them() {
        for good in ["https://app.example", "http://localhost:5173", "http://[::1]:8080"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in ["null", "*", "https://", "https://*.example", "https://app.example/", "ftp://x", "https://App.example", ""] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}

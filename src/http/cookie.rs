//! The session as a cookie, and the pages that may use it.
//!
//! Over TLS it is called `__Host-telltale` and is `Secure` (RFC 6265bis, 4.1.3: no other host and no plain HTTP can set
//! one); over plain HTTP `telltale`. Both are `HttpOnly`, `SameSite=Strict`, `Path=/`. The browser keeps it for 400 days, the
//! longest that any does; how long the session is good the unit judges.
//!
//! Cookies know neither ports nor, over plain HTTP, who set them, so a page of another port of this host would bring ours.
//! A cookie therefore counts
//!
//! - when the request comes from a page of our own origin or of `http.origins`, or from no page as far as a browser says:
//!   `Origin`, where there is one, decides, else `Sec-Fetch-Site` (Fetch Metadata). `null` is nobody's origin;
//! - for a change only when it comes from our own origin and says so: `Origin` is our scheme, host and port, or
//!   `Sec-Fetch-Site: same-origin`; and what it says of a body's type is `application/json`, which no form can send.

use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;

use super::origin;
use super::problem::Problem;

const OVER_TLS: &str = "__Host-telltale";
const PLAIN: &str = "telltale";

fn name(secure: bool) -> &'static str {
    if secure { OVER_TLS } else { PLAIN }
}

/// Whose page sends a request, as its browser says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// Ours.
    Own,
    /// One of `http.origins`.
    Listed,
    /// Nobody says: a program, an address typed in, a browser before Fetch Metadata that reads.
    Unsaid,
    /// Another's.
    Foreign,
}

impl Page {
    /// Whose it is.
    pub(super) fn of(parts: &Parts, secure: bool, origins: &[String]) -> Page {
        let site = parts.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let origin = parts.headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
        match (origin, site) {
            (Some(b"null"), _) => Page::Foreign,
            (_, Some(b"same-origin")) => Page::Own,
            (Some(origin), _) if origin::own(parts, secure).is_some_and(|own| own.as_bytes() == origin) => Page::Own,
            (Some(_), _) if origin::is_listed(&parts.headers, origins) => Page::Listed,
            (None, None | Some(b"none")) => Page::Unsaid,
            _ => Page::Foreign,
        }
    }

    /// Whether its cookie counts, and whether it gets one.
    pub(super) fn may_use_cookies(self) -> bool {
        self != Page::Foreign
    }

    /// Whether it may change something with nothing but its cookie.
    ///
    /// # Errors
    /// What would be right.
    pub(super) fn may_change(self, headers: &HeaderMap, has_body: bool) -> Result<(), Problem> {
        if self != Page::Own {
            let sentence = "a change by cookie alone must come from this unit's own page: with its own `Origin`, or \
                            `Sec-Fetch-Site: same-origin`; or send the token as Authorization: Bearer";
            return Err(Problem::new(StatusCode::FORBIDDEN, sentence));
        }
        let is_json = match headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default()) {
            None => !has_body,
            Some(value) => value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")),
        };
        if is_json {
            return Ok(());
        }
        let sentence = "a change by cookie alone needs `Content-Type: application/json`";
        Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence))
    }
}

/// The value of our cookie, the first where several are sent (RFC 6265, 4.2).
pub(super) fn value(headers: &HeaderMap, secure: bool) -> Option<&str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    let mut named = pairs.filter_map(|pair| pair.split_once('=')).filter(|(key, _)| key.trim() == name(secure));
    named.next().map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
}

/// `Set-Cookie` with a session, which is hexadecimal.
pub(super) fn set(session: &str, secure: bool) -> Option<HeaderValue> {
    line(session, 400 * 86_400, secure)
}

/// `Set-Cookie` that ends it.
pub(super) fn clear(secure: bool) -> Option<HeaderValue> {
    line("", 0, secure)
}

fn line(session: &str, seconds: u32, secure: bool) -> Option<HeaderValue> {
    let (name, flag) = (name(secure), if secure { "; Secure" } else { "" });
    HeaderValue::from_str(&format!("{name}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{flag}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = hyper::Request::builder().uri("/").header("host", "Unit.local:8080");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn whose_page_it_is() {
        let listed = ["https://app.example".to_owned()];
        let of = |headers: &[(&str, &str)]| Page::of(&parts(headers), false, &listed);
        assert_eq!(of(&[]), Page::Unsaid);
        assert_eq!(of(&[("sec-fetch-site", "none")]), Page::Unsaid);
        assert_eq!(of(&[("origin", "http://unit.local:8080")]), Page::Own);
        assert_eq!(of(&[("sec-fetch-site", "same-origin")]), Page::Own);
        assert_eq!(of(&[("origin", "https://app.example"), ("sec-fetch-site", "cross-site")]), Page::Listed);
        for foreign in [
            &[("origin", "null")][..],
            &[("origin", "null"), ("sec-fetch-site", "same-origin")],
            &[("origin", "http://unit.local:9000")],
            &[("origin", "https://unit.local:8080")],
            &[("origin", "http://unit.local")],
            &[("origin", "http://evil.example")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
        ] {
            assert_eq!(of(foreign), Page::Foreign, "{foreign:?}");
        }
        let secure = parts(&[("origin", "https://unit.local:8080")]);
        assert_eq!(Page::of(&secure, true, &[]), Page::Own);
    }

    #[test]
    fn a_change_comes_from_our_own_page_and_is_json() {
        let may = |page: Page, kind: Option<&str>, has_body| {
            let headers: Vec<_> = kind.map(|kind| ("content-type", kind)).into_iter().collect();
            page.may_change(&parts(&headers).headers, has_body).is_ok()
        };
        let json = Some("Application/JSON; charset=utf-8");
        assert!(may(Page::Own, json, true));
        assert!(may(Page::Own, None, false) && !may(Page::Own, None, true), "no body, no type");
        assert!(!may(Page::Own, Some("text/plain"), true));
        assert!(!may(Page::Own, Some("application/x-www-form-urlencoded"), false));
        for page in [Page::Listed, Page::Unsaid, Page::Foreign] {
            assert!(!may(page, json, true), "{page:?}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others_and_each_scheme_has_its_own() {
        let sent = parts(&[("cookie", "a=b; telltale=one; telltale=two"), ("cookie", "__Host-telltale = three")]).headers;
        assert_eq!((value(&sent, false), value(&sent, true)), (Some("one"), Some("three")));
        assert_eq!(value(&parts(&[("cookie", "telltale=; xtelltale=1; telltale")]).headers, false), None);
        assert_eq!(set("ab", true).unwrap(), "__Host-telltale=ab; Path=/; Max-Age=34560000; HttpOnly; SameSite=Strict; Secure");
        assert_eq!(clear(false).unwrap(), "telltale=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    }
}

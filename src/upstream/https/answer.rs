//! What an answer of a collector means (RFC 9110, RFC 6585).
//!
//! | answer | means |
//! |---|---|
//! | 201, 202, 204, and 200 whose body is JSON or empty | taken |
//! | 3xx, 511, 200 with anything else, other 2xx | not from a collector: a captive portal, or the wrong address |
//! | 401, 403, 404, 405, 407 | refused: somebody has to mend something |
//! | 429, 503 | busy: for `Retry-After` (seconds or a date), 1 s to 1 h, 30 s where it does not say |
//! | 408, other 5xx | not now |
//! | 400, 413, 415, 422, 501 and the rest of 4xx | not like this: a batch goes one by one, a single event is rejected |
//!
//! A date is counted from the answer's own `Date`, else from our clock where that is known.

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use hyper::http::Uri;
use serde::de::IgnoredAny;

use super::{Trouble, Wall};

/// An answer, as far as it was read.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Nothing where it was longer than is read, or cut.
    pub(super) body: Option<Bytes>,
}

/// What it means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the collector's now.
    Taken,
    /// It will not take it in this form.
    NotLikeThis(StatusCode),
    Trouble(Trouble),
}

/// How long a collector that is busy is left alone when it does not say.
const BUSY: Duration = Duration::from_secs(30);
/// At least,
const SHORTEST: Duration = Duration::from_secs(1);
/// and at most.
const LONGEST: Duration = Duration::from_secs(3600);

impl Answer {
    /// `host` is who gave it, `now` the time where it is known.
    pub(super) fn verdict(&self, host: &str, now: Option<Wall>) -> Verdict {
        let status = self.status;
        let unreachable = |told: String| Verdict::Trouble(Trouble::Unreachable(told));
        let refused = |told: String| Verdict::Trouble(Trouble::Refused(told));
        match status.as_u16() {
            201 | 202 | 204 => Verdict::Taken,
            200 if self.is_receipt() => Verdict::Taken,
            200 => unreachable(format!(
                "{host} answers with a page in place of a receipt: a captive portal (somebody has to sign in to this network), \
                 or an address in url that is no collector's"
            )),
            300..=399 => unreachable(format!(
                "{host} sends us on{}: a captive portal (somebody has to sign in to this network), or the collector has moved; \
                 then put its new address into url",
                self.elsewhere()
            )),
            511 => unreachable("this network wants somebody to sign in to it (511, a captive portal)".to_owned()),
            401 => refused(format!("{host} does not know the vehicle (401); look at token_file or certificate")),
            403 => refused(format!("{host} does not let the vehicle publish (403); give its token or certificate the right to")),
            404 => refused(format!("{host} has no such path (404); look at the path in url")),
            405 => refused(format!("{host} takes no POST there (405); look at the path in url")),
            407 => refused("a proxy on the way wants a sign-in (407); let the vehicle pass without one".to_owned()),
            429 | 503 => Verdict::Trouble(Trouble::Busy(self.retry_after(now))),
            501 => Verdict::NotLikeThis(status),
            408 | 500..=599 => unreachable(format!("{host} is there and cannot take it now ({status})")),
            400..=499 => Verdict::NotLikeThis(status),
            _ => unreachable(format!("{host} answers {status}, which is no receipt; look at the path in url")),
        }
    }

    /// Whether the body is one that a collector, and no portal, gives with 200.
    fn is_receipt(&self) -> bool {
        let Some(body) = &self.body else { return false };
        body.is_empty() || serde_json::from_slice::<IgnoredAny>(body).is_ok()
    }

    fn text(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// The host that a redirect leads to; what stands behind it may be a secret.
    fn elsewhere(&self) -> String {
        let uri: Option<Uri> = self.text(&LOCATION).and_then(|location| location.parse().ok());
        uri.as_ref()
            .and_then(Uri::host)
            .map_or_else(String::new, |host| format!(" to {}", host.chars().take(64).collect::<String>()))
    }

    fn retry_after(&self, now: Option<Wall>) -> Duration {
        let Some(text) = self.text(&RETRY_AFTER) else { return BUSY };
        let told = match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().ok().or((!text.is_empty()).then_some(u64::MAX)),
            false => {
                let of_now = || now.map(|now| now.micros().div_euclid(1_000_000));
                let from = self.text(&DATE).and_then(second).or_else(of_now);
                second(text).zip(from).map(|(until, from)| u64::try_from(until.saturating_sub(from)).unwrap_or(0))
            }
        };
        told.map_or(BUSY, |told| Duration::from_secs(told).clamp(SHORTEST, LONGEST))
    }
}

/// Unix time of a date of HTTP, in its three forms (RFC 9110, 5.6.7).
fn second(text: &str) -> Option<i64> {
    let forms = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let civil = forms.iter().find_map(|form| jiff::civil::DateTime::strptime(form, text).ok())?;
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn answer(status: u16, headers: &[(HeaderName, &str)], body: Option<&str>) -> Answer {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        let body = body.map(|body| Bytes::copy_from_slice(body.as_bytes()));
        Answer { status: StatusCode::from_u16(status).unwrap(), headers: headers.collect(), body }
    }

    fn told(answer: &Answer) -> Verdict {
        answer.verdict("fleet.example", None)
    }

    #[test]
    fn receipts_are_told_from_portals() {
        for status in [201, 202, 204] {
            assert_eq!(told(&answer(status, &[], None)), Verdict::Taken, "{status} cut after its head");
        }
        for body in ["", "{}", "{\"id\": 7}", "[]", "null\n"] {
            assert_eq!(told(&answer(200, &[], Some(body))), Verdict::Taken, "{body}");
        }
        for body in [Some("<html>Welcome"), Some("OK"), Some("{\"id\":"), None] {
            let Verdict::Trouble(Trouble::Unreachable(told)) = told(&answer(200, &[], body)) else { panic!("{body:?}") };
            assert!(told.contains("captive portal"), "{told}");
        }
        for (location, wanted) in [
            ("http://portal.hotel/login?session=secret", "sends us on to portal.hotel: a captive portal"),
            ("/login", "sends us on: a captive portal"),
            ("::", "sends us on: a captive portal"),
        ] {
            let Verdict::Trouble(Trouble::Unreachable(told)) = told(&answer(302, &[(LOCATION, location)], None)) else {
                panic!()
            };
            assert!(told.contains(wanted) && !told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn each_status_has_its_meaning() {
        for status in 100..=599 {
            let told = told(&answer(status, &[], Some("<p>")));
            let is_right = match status {
                201 | 202 | 204 => told == Verdict::Taken,
                401 | 403 | 404 | 405 | 407 => matches!(told, Verdict::Trouble(Trouble::Refused(_))),
                429 | 503 => told == Verdict::Trouble(Trouble::Busy(BUSY)),
                501 | 400..=407 | 409..=499 => matches!(told, Verdict::NotLikeThis(_)),
                _ => matches!(told, Verdict::Trouble(Trouble::Unreachable(_))),
            };
            assert!(is_right, "{status}: {told:?}");
        }
    }

    /// 1994-11-06 08:49:37, the example of RFC 9110.
    const EXAMPLE: i64 = 784_111_777;

    fn waits(headers: &[(HeaderName, &str)], now: Option<i64>) -> u64 {
        let now = now.map(|second| Wall::from_micros(second * 1_000_000));
        match answer(503, headers, None).verdict("fleet.example", now) {
            Verdict::Trouble(Trouble::Busy(wait)) => wait.as_secs(),
            told => panic!("{told:?}"),
        }
    }

    #[test]
    fn who_is_busy_is_left_alone_as_long_as_it_says() {
        for (text, wanted) in
            [("7", 7), ("0", 1), ("3601", 3600), ("99999999999999999999", 3600), ("", 30), ("soon", 30), ("-1", 30)]
        {
            assert_eq!(waits(&[(RETRY_AFTER, text)], None), wanted, "{text}");
        }
        let forms = ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"];
        for form in forms {
            assert_eq!(second(form), Some(EXAMPLE), "{form}");
            assert_eq!(waits(&[(RETRY_AFTER, form)], Some(EXAMPLE - 90)), 90, "{form}");
            assert_eq!(waits(&[(RETRY_AFTER, form)], Some(EXAMPLE + 90)), 1, "it is over");
            assert_eq!(waits(&[(RETRY_AFTER, form)], None), 30, "nobody knows the time");
            let date = (DATE, "Sun, 06 Nov 1994 08:49:27 GMT");
            assert_eq!(waits(&[(RETRY_AFTER, form), date], Some(0)), 10, "the collector's clock is the one that counts");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_answered_has_a_bounded_meaning(
            status in 100_u16..600, retry in "[ -~]{0,40}", date in "[ -~]{0,40}", location in "[ -~]{0,60}",
            body in prop::option::of("[ -~]{0,40}"), now in any::<i64>(),
        ) {
            let headers = [(RETRY_AFTER, &*retry), (DATE, &*date), (LOCATION, &*location)];
            let verdict = answer(status, &headers, body.as_deref()).verdict("fleet.example", Some(Wall::from_micros(now)));
            if let Verdict::Trouble(Trouble::Busy(wait)) = verdict {
                prop_assert!((SHORTEST..=LONGEST).contains(&wait));
            }
        }
    }
}

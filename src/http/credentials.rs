//! Where a credential stands in a request, and what is ever kept of one.
//!
//! | place | a device's token | a session | a ticket |
//! |---|---|---|---|
//! | `Authorization: Bearer` (scheme in any case) | yes | yes | |
//! | `X-Api-Key` | yes | | |
//! | the cookie ([`cookie`](super::cookie)) | | yes | |
//! | `?token=` on paths that say so | yes | | of a stream |
//! | `?sessionid=`, `?session=` there | yes | | |
//!
//! A header goes before all others, also when it is wrong: what a client says in two ways it means in the stronger one. A
//! cookie goes before the query, and a browser sends it unasked: one that is not good is passed over, as is a ticket that
//! is not good beside a cookie that is.

use std::borrow::Cow;

use hyper::header::{self, HeaderMap};
use sha2::{Digest, Sha256};

use super::query::Query;
use super::route::Standing;
use crate::feed::TokenHash;

/// Where a credential stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `Authorization: Bearer`.
    Bearer,
    /// `X-Api-Key`.
    Key,
    /// The session's cookie.
    Cookie,
    /// `?token=`.
    Token,
    /// `?sessionid=` or `?session=`.
    Query,
}

/// A credential as sent. Never printed.
pub(super) struct Credential<'a> {
    text: Cow<'a, str>,
    /// Where it stood.
    pub(super) place: Place,
}

impl Credential<'_> {
    /// What is looked up: the hash of the token's text.
    pub(super) fn hash(&self) -> TokenHash {
        hash_token(&self.text)
    }

    /// The credential itself, for who brought it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// The credentials that count, the one that is to be looked at first first. `cookie` is the cookie's value, where it counts.
pub(super) fn find<'a>(
    headers: &'a HeaderMap,
    query: Query<'a>,
    standing: Standing,
    cookie: Option<&'a str>,
) -> Vec<Credential<'a>> {
    if let Some(credential) = in_header(headers) {
        return vec![credential];
    }
    let cookie = cookie.map(|text| Credential { text: Cow::Borrowed(text), place: Place::Cookie });
    let query = if standing.takes_query() { in_query(query) } else { None };
    cookie.into_iter().chain(query).collect()
}

/// Whether the client brings a token of its own, wherever it stands and whether or not it is right: then no page gains
/// anything that its author does not have.
pub(super) fn is_explicit(headers: &HeaderMap, query: Query<'_>) -> bool {
    in_header(headers).is_some() || in_query(query).is_some()
}

fn in_header(headers: &HeaderMap) -> Option<Credential<'_>> {
    let bearer = || headers.get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
    let key = || headers.get("x-api-key").and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
    credential(bearer(), Place::Bearer).or_else(|| credential(key(), Place::Key))
}

fn credential(text: Option<&str>, place: Place) -> Option<Credential<'_>> {
    let text = text.map(str::trim).filter(|text| !text.is_empty())?;
    Some(Credential { text: Cow::Borrowed(text), place })
}

fn in_query(query: Query<'_>) -> Option<Credential<'_>> {
    let token = || query.get("token").map(|text| Credential { text, place: Place::Token });
    let session = || query.any(&["sessionid", "session"]).map(|text| Credential { text, place: Place::Query });
    token().or_else(session)
}

/// The token of `Bearer TOKEN` (RFC 6750, 2.1; the scheme in any case: RFC 9110, 11.1).
fn bearer(value: &[u8]) -> Option<&str> {
    let (scheme, token) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// SHA-256 of a token's text: what is stored of it.
pub fn hash_token(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// A new device token: 256 random bits, in hexadecimal.
///
/// # Errors
/// When the operating system gives no random bits.
pub fn new_token() -> std::io::Result<String> {
    random_hex::<32>()
}

/// `N` random bytes in hexadecimal.
pub(super) fn random_hex<const N: usize>() -> std::io::Result<String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(hex(&bytes))
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &[(&'static str, &str)], query: &str, standing: Standing, cookie: Option<&str>) -> String {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let found = find(&headers, Query::new(Some(query)), standing, cookie);
        found.iter().map(|credential| format!("{:?} {} ", credential.place, credential.text)).collect()
    }

    #[test]
    fn each_place_and_their_order() {
        use Standing::{Header, HeaderOrQuery};
        assert_eq!(found(&[("authorization", "Bearer a")], "token=b", HeaderOrQuery, Some("c")), "Bearer a ");
        assert_eq!(found(&[("authorization", "bEaReR  a ")], "", Header, None), "Bearer a ");
        assert_eq!(found(&[("x-api-key", "k")], "token=b", HeaderOrQuery, Some("c")), "Key k ");
        assert_eq!(found(&[("authorization", "Basic xyz"), ("x-api-key", "k")], "", Header, None), "Key k ");
        assert_eq!(found(&[("authorization", "Bearer "), ("x-api-key", "k")], "", Header, None), "Key k ");
        assert_eq!(found(&[], "token=t", HeaderOrQuery, Some("c")), "Cookie c Token t ");
        assert_eq!(found(&[], "token=t", Header, Some("c")), "Cookie c ");
        assert_eq!(found(&[], "session=s", HeaderOrQuery, None), "Query s ");
        assert_eq!(found(&[], "session=s&sessionid=i", HeaderOrQuery, None), "Query i ");
        assert_eq!(found(&[], "session=s&token=t", HeaderOrQuery, None), "Token t ");
        assert_eq!(found(&[], "token=t", Header, None), "");
        assert_eq!(found(&[("authorization", "Bearer")], "token=", HeaderOrQuery, None), "");
    }

    #[test]
    fn tokens_are_long_and_new_every_time() {
        let (one, two) = (new_token().unwrap(), new_token().unwrap());
        assert!(one.len() == 64 && one.bytes().all(|b| b.is_ascii_hexdigit()) && one != two);
        assert_ne!(hash_token(&one), hash_token(&two));
    }
}

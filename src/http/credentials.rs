//! Where a credential stands in a request, and what is ever kept of one.
//!
//! Device tokens: `Authorization: Bearer` (scheme in any case), `X-Api-Key`, and on paths that say so `?token=`,
//! `?sessionid=`, `?session=`. A header goes before the query, also when it is wrong: what a client says in two ways it
//! means in the stronger one. Sessions by cookie and tickets would be found here too, cookies between header and query.

use std::borrow::Cow;

use hyper::header::{self, HeaderMap};
use sha2::{Digest, Sha256};

use super::query::Query;
use super::route::Standing;
use crate::feed::TokenHash;

/// A credential as sent. Never printed.
pub(super) struct Credential<'a>(Cow<'a, str>);

impl Credential<'_> {
    /// What is looked up: the hash of the token's text.
    pub(super) fn hash(&self) -> TokenHash {
        hash_token(&self.0)
    }
}

const IN_QUERY: [&str; 3] = ["token", "sessionid", "session"];

/// The credential that counts, among those that may stand where they stand.
pub(super) fn find<'a>(headers: &'a HeaderMap, query: Query<'a>, standing: Standing) -> Option<Credential<'a>> {
    let header = in_header(headers);
    let credential = match standing {
        Standing::Header => header,
        Standing::HeaderOrQuery => header.or_else(|| query.any(&IN_QUERY)),
    };
    credential.map(Credential)
}

/// Whether the client brings a token of its own, wherever it stands and whether or not it is right: then no page gains
/// anything that its author does not have.
pub(super) fn is_explicit(headers: &HeaderMap, query: Query<'_>) -> bool {
    in_header(headers).is_some() || query.any(&IN_QUERY).is_some()
}

fn in_header(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
    let key = || headers.get("x-api-key").and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
    bearer.or_else(key).map(str::trim).filter(|token| !token.is_empty()).map(Cow::Borrowed)
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
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &[(&'static str, &str)], query: &str, standing: Standing) -> Option<String> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        find(&headers, Query::new(Some(query)), standing).map(|credential| credential.0.into_owned())
    }

    #[test]
    fn each_place_and_their_order() {
        use Standing::{Header, HeaderOrQuery};
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(found(&[("authorization", "Bearer a")], "token=b", HeaderOrQuery), some("a"));
        assert_eq!(found(&[("authorization", "bEaReR  a ")], "", Header), some("a"));
        assert_eq!(found(&[("x-api-key", "k")], "token=b", HeaderOrQuery), some("k"));
        assert_eq!(found(&[("authorization", "Basic xyz"), ("x-api-key", "k")], "", Header), some("k"));
        assert_eq!(found(&[], "session=s", HeaderOrQuery), some("s"));
        assert_eq!(found(&[], "session=s&sessionid=i", HeaderOrQuery), some("i"));
        assert_eq!(found(&[], "session=s&token=t", HeaderOrQuery), some("t"));
        assert_eq!(found(&[], "token=t", Header), None);
        assert_eq!(found(&[("authorization", "Bearer")], "token=", HeaderOrQuery), None);
    }

    #[test]
    fn tokens_are_long_and_new_every_time() {
        let (one, two) = (new_token().unwrap(), new_token().unwrap());
        assert!(one.len() == 64 && one.bytes().all(|b| b.is_ascii_hexdigit()) && one != two);
        assert_ne!(hash_token(&one), hash_token(&two));
    }
}

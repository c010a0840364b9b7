//! What stands in a request's target: percent-encoded path segments and the query's parameters.

use std::borrow::Cow;

use super::problem::Problem;
use crate::event::EventId;

/// The parameters of a query (`application/x-www-form-urlencoded`, WHATWG URL, 5). Of a name that stands twice the first
/// counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    pub(super) fn new(query: Option<&'a str>) -> Query<'a> {
        Query(query.unwrap_or_default())
    }

    /// The parameter's value, unless absent or empty.
    pub(super) fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        let found = form_urlencoded::parse(self.0.as_bytes()).find(|(key, _)| key == name);
        found.map(|(_, value)| value).filter(|value| !value.is_empty())
    }

    /// The first of `names` that has a value.
    pub(super) fn any(&self, names: &[&str]) -> Option<Cow<'a, str>> {
        names.iter().find_map(|name| self.get(name))
    }

    /// A whole number within a range.
    pub(super) fn number(&self, name: &str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>, Problem> {
        let wrong = || {
            let (least, most) = (range.start(), range.end());
            Problem::parameter(name, format!("`{name}` must be a whole number from {least} to {most}"))
        };
        let number = |text: Cow<'_, str>| text.parse().ok().filter(|value| range.contains(value)).ok_or_else(wrong);
        self.get(name).map(number).transpose()
    }

    /// A position in the sequence of events.
    pub(super) fn position(&self, name: &str) -> Result<Option<EventId>, Problem> {
        Ok(self.number(name, 0..=EventId::MAX.0)?.map(EventId))
    }
}

/// A path segment as meant (RFC 3986, 2.1); `None` where its escapes are broken or not UTF-8.
pub(super) fn decoded(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' { hex(rest.next()?)? << 4 | hex(rest.next()?)? } else { byte };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_are_found_by_name() {
        let query = Query::new(Some("a=1&b=x%20y+z&a=2&empty="));
        assert_eq!((query.get("a").as_deref(), query.get("b").as_deref()), (Some("1"), Some("x y z")));
        assert_eq!((query.get("empty"), query.get("none")), (None, None));
        assert_eq!(query.any(&["none", "empty", "b", "a"]).as_deref(), Some("x y z"));
        assert_eq!(query.number("a", 0..=5).unwrap(), Some(1));
        assert!(query.number("a", 2..=5).is_err() && query.number("b", 0..=5).is_err());
    }

    #[test]
    fn broken_escapes_are_no_segment() {
        assert_eq!(decoded("a%20b%C3%BC+").as_deref(), Some("a bü+"));
        for broken in ["%", "%2", "%zz", "%ff", "a%+1"] {
            assert_eq!(decoded(broken), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn every_text_survives_its_escaping(text in ".*") {
            let escaped: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let found = decoded(&escaped);
            prop_assert_eq!(found.as_deref(), Some(text.as_str()));
        }

        #[test]
        fn nothing_in_a_query_panics(text in ".*", name in ".*") {
            let query = Query::new(Some(&text));
            let _ = (query.get(&name), query.number(&name, 0..=9), decoded(&text));
        }
    }
}

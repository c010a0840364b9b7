//! Server-sent events as bytes (WHATWG HTML, 9.2): UTF-8, LF, no byte order mark.
//!
//! One event in one piece: `event:` where it has a name, `data:`, `id:` last, an empty line. Whatever line ends a value
//! holds, it cannot break out of its field: in data each line becomes a `data:` of its own, in names and ids they are left
//! out.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use crate::event::{EventId, escape_line_ends};
use crate::feed::Stored;

/// At once on connect: the time in ms after which to come back, and a comment line that says that the stream is open.
pub(super) const OPENING: &[u8] = b"retry: 2000\n:\n";

/// A comment line, against everything on the way that takes silence for an end.
pub(super) const COMMENT: &[u8] = b":\n";

/// One event.
pub(super) fn frame(event: Option<&str>, data: &str, id: Option<&str>) -> Vec<u8> {
    let mut wire = Vec::with_capacity(data.len() + 64);
    if let Some(name) = event {
        field(&mut wire, "event", name);
    }
    for line in lines(data) {
        field(&mut wire, "data", line);
    }
    if let Some(id) = id {
        field(&mut wire, "id", id);
    }
    wire.push(b'\n');
    wire
}

/// An event of telemetry or control, whose data is JSON.
pub(super) fn json_frame(event: Option<&str>, data: &serde_json::Value, id: Option<&str>) -> Vec<u8> {
    frame(event, &escape_line_ends(data.to_string()), id)
}

/// Everything up to here has been told.
pub(super) fn position(at: EventId) -> Vec<u8> {
    json_frame(Some("position"), &json!({"eventId": at}), Some(&at.to_string()))
}

/// Something this stream shows cannot be told any more.
pub(super) fn gap(from: EventId, to: EventId, reason: &str) -> Vec<u8> {
    json_frame(Some("gap"), &json!({"from": from, "to": to, "reason": reason}), Some(&to.to_string()))
}

/// The token was revoked: do not come back.
pub(super) fn revoked() -> Vec<u8> {
    json_frame(Some("revoked"), &json!({"reason": "the device was revoked; pair it again"}), None)
}

/// The event's JSON, with the end of its alert where that is known.
pub(super) fn document(event: &Stored) -> String {
    match (event.ended, event.json.strip_suffix('}')) {
        (Some(ended), Some(open)) => format!("{open},\"ended\":{ended}}}"),
        _ => event.json.to_string(),
    }
}

/// The bytes that `encode` makes of an event, made once for all streams that share `slot`.
pub(super) fn encoded(event: &Stored, slot: usize, encode: impl FnOnce(&Stored) -> Vec<u8>) -> Bytes {
    match event.encoded.get(slot) {
        Some(kept) if event.ended.is_none() => Bytes::from_owner(Arc::clone(kept.get_or_init(|| encode(event).into()))),
        _ => encode(event).into(),
    }
}

fn field(wire: &mut Vec<u8>, name: &str, value: &str) {
    wire.extend_from_slice(name.as_bytes());
    wire.extend_from_slice(b": ");
    wire.extend(value.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)));
    wire.push(b'\n');
}

/// The lines of a text, however they end: CR LF, LF or CR.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some((line, after)) = text.split_once(['\r', '\n']) else { return rest.take() };
        let crlf = text.get(line.len()..).is_some_and(|end| end.starts_with("\r\n"));
        rest = if crlf { after.get(1..) } else { Some(after) };
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A dispatched event: type, data, last event id.
    type Dispatched = (String, String, String);

    /// WHATWG HTML, 9.2.6 "Interpreting an event stream", straight from its text: the judge, not the accused.
    fn parse(stream: &str) -> Vec<Dispatched> {
        let (mut data, mut name, mut id) = (String::new(), String::new(), String::new());
        let mut dispatched = Vec::new();
        let text = stream.replace("\r\n", "\n").replace('\r', "\n");
        let Some((complete, _)) = text.rsplit_once('\n') else { return dispatched };
        for line in complete.split('\n') {
            if line.is_empty() {
                if !data.is_empty() {
                    data.pop();
                    let kind = if name.is_empty() { "message".to_owned() } else { name.clone() };
                    dispatched.push((kind, data.clone(), id.clone()));
                }
                data.clear();
                name.clear();
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => name = value.to_owned(),
                "data" => data = format!("{data}{value}\n"),
                "id" if !value.contains('\0') => id = value.to_owned(),
                _ => {}
            }
        }
        dispatched
    }

    fn single(text: &str) -> String {
        text.replace(['\r', '\n', '\0'], "")
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_a_browser_dispatches(name in ".{0,8}|[\r\n:a]{0,6}", data in "(.|[\r\n: ]){1,40}", id in ".{0,8}|[\r\n0:]{0,6}") {
            let stream = [OPENING, &frame(Some(&name), &data, Some(&id)), COMMENT, &frame(None, "next", None)].concat();
            let kind = if single(&name).is_empty() { "message".to_owned() } else { single(&name) };
            let lines = data.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "");
            let told = parse(std::str::from_utf8(&stream).unwrap());
            prop_assert_eq!(told, vec![(kind, lines, single(&id)), ("message".to_owned(), "next".to_owned(), single(&id))]);
        }

        #[test]
        fn json_stays_on_one_line_for_every_parser(text in ".*|[\u{85}\u{2028}\u{2029}\r\n]*") {
            let wire = String::from_utf8(json_frame(None, &json!({"text": text}), None)).unwrap();
            let line_ends = ['\u{85}', '\u{2028}', '\u{2029}', '\r'];
            prop_assert!(!wire.contains(line_ends));
            prop_assert_eq!(wire.lines().count(), 2);
            let data: serde_json::Value = serde_json::from_str(&parse(&wire)[0].1).unwrap();
            prop_assert_eq!(data["text"].as_str(), Some(text.as_str()));
        }
    }

    #[test]
    fn the_order_of_fields_is_the_books() {
        assert_eq!(frame(Some("child"), "{}", Some("7")), b"event: child\ndata: {}\nid: 7\n\n");
        assert_eq!(position(EventId(5)), b"event: position\ndata: {\"eventId\":5}\nid: 5\n\n");
        assert_eq!(
            gap(EventId(1), EventId(5), "pruned"),
            b"event: gap\ndata: {\"from\":1,\"reason\":\"pruned\",\"to\":5}\nid: 5\n\n"
        );
    }
}

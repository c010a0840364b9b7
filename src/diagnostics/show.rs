//! A message of a tester or an ECU as JSON, for people who read a log.
//!
//! One object:
//!
//! | key | what |
//! |---|---|
//! | `id` | of its frames: `"7E8"`, `"18DAF110"` |
//! | `address` | their first byte, in extended and mixed addressing |
//! | `protocol` | `"OBD-II"`, `"UDS"`; `"ISO-TP"` where the service is of neither |
//! | `kind` | `"request"`, `"response"`, `"negativeResponse"` |
//! | `service`, `name` | of the request, that of a response too: `"01"`, `"current data"` |
//! | `subFunction` | of UDS 19 |
//! | `pids`, `dids`, `infoType`, `frame` | what it is about, in hexadecimal digits; of a freeze frame its number |
//! | `values`, `units` | by name: a number in that unit, a word, yes or no |
//! | `supported` | PIDs or info types that there are |
//! | `monitors` | self-tests that there are, and whether they are complete |
//! | `class`, `count` | of a list of codes: `"stored"`, `"pending"`, `"permanent"`; how many the ECU says there are |
//! | `codes` | `code`, and where told `failureType`, `statusByte`, `status`, `severity`, `faultDetectionCounter`, `text` |
//! | `statusAvailability`, `format` | of UDS 19; the format too that the ECU named before (19 01) |
//! | `records` | of UDS 19 04 and 06: `record`, `values` or `data` |
//! | `code`, `reason`, `pending` | of a negative response |
//! | `unread` | what is not known here, in hexadecimal digits, by PID or identifier |
//! | `malformed` | `true` where the bytes cannot be what the service says |
//! | `raw` | the whole message |

use serde_json::{Map, Value, json};

use super::negative::{Meaning, Negative, service};
use super::obd::info::Content as InfoContent;
use super::obd::item::{Content, Item};
use super::reading::Reader;
use super::texts::Texts;
use super::uds::codes::{Status, status_words};
use super::uds::identifier::{Content as Under, Data};
use super::{obd, uds};
use crate::vehicle::trouble::{Code, Ecu, Heard};

/// What was heard before a message, and says what it means.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before<'a> {
    /// The question that it answers.
    pub asked: Option<&'a [u8]>,
    /// How its ECU writes codes (19 01); where it has not said so, as SAE J2012 and ISO 14229-1 have them.
    pub format: Option<u8>,
}

/// What a message says.
pub fn describe(id: u32, extended: bool, payload: &[u8], before: Before<'_>, texts: &Texts) -> Map<String, Value> {
    let mut shown = Shown { object: Map::new(), texts };
    shown.put("id", if extended { format!("{id:08X}") } else { format!("{id:03X}") });
    shown.put("raw", hex(payload));
    if let Some(negative) = Negative::decode(payload) {
        shown.head("negativeResponse", negative.service);
        shown.put("code", hex(&[negative.code]));
        shown.put("reason", negative.words());
        if negative.meaning() == Meaning::Pending {
            shown.put("pending", true);
        }
    } else if let Some((&first, rest)) = payload.split_first() {
        if is_response(payload) {
            shown.head("response", first & !0x40);
            shown.response(payload, before);
        } else {
            shown.head("request", first);
            shown.request(first, rest);
        }
    }
    shown.object
}

/// Whether an ECU says this, by the bit that distinguishes its answers.
pub fn is_response(payload: &[u8]) -> bool {
    payload.first().is_some_and(|first| first & 0x40 != 0)
}

/// Whether more is known of an answer than its name, if it is whole.
fn is_read(payload: &[u8]) -> bool {
    matches!(
        payload,
        [0x41 | 0x42 | 0x49 | 0x62, ..]
            | [0x59]
            | [0x59, 0x01 | 0x02 | 0x04 | 0x06..=0x15 | 0x17 | 0x1A | 0x42 | 0x55 | 0x56, ..]
    )
}

/// What a fuzzer calls: whether all bytes of a message are kept, what is told is JSON, and no more comes of a message than
/// was in it. `bytes` are the length of the question, the question, and the answer, of one of `services`.
///
/// # Errors
/// What was not so.
pub fn survives(bytes: &[u8], services: &[u8]) -> Result<(), String> {
    // The first byte says how much of the rest is the question.
    let (asked, payload) = match bytes.split_first() {
        Some((cut, rest)) => rest.split_at(usize::from(*cut).min(rest.len())),
        None => (bytes, bytes),
    };
    let mut payload = payload.to_vec();
    if let Some(first) = payload.first_mut().filter(|first| !services.contains(first)) {
        *first = services.get(usize::from(*first) % services.len().max(1)).copied().unwrap_or(*first);
    }
    let texts = Texts::default();
    let mut reader = Reader::default();
    for asked in [None, Some(asked)] {
        let object = describe(0x7E8, false, &payload, Before { asked, format: None }, &texts);
        if object.get("raw").and_then(Value::as_str) != Some(hex(&payload).as_str()) {
            return Err(format!("{payload:02X?} is not kept"));
        }
        let value = Value::Object(object);
        if serde_json::from_str::<Value>(&value.to_string()).ok().as_ref() != Some(&value) {
            return Err(format!("{value} is not JSON"));
        }
        let heard = reader.read(Ecu::Normal(0x7E8), &payload, asked);
        if heard.len() > payload.len() + 2 || heard.iter().any(|heard| !is_of(heard, &payload)) {
            return Err(format!("{heard:?} is not in {payload:02X?}"));
        }
    }
    Ok(())
}

/// Whether each code of what was heard stands in the message.
fn is_of(heard: &Heard, payload: &[u8]) -> bool {
    let Heard::Codes(reading) = heard else { return true };
    let stands = |bytes: &[u8]| payload.windows(bytes.len()).any(|part| part == bytes);
    reading.lists.iter().flat_map(|(_, list)| list).all(|listed| match listed.code {
        Code::Iso { base, failure: None } => stands(&base.to_be_bytes()),
        Code::Iso { base, failure: Some(failure) } => stands(&[base.to_be_bytes().as_slice(), &[failure]].concat()),
        Code::J1939 { .. } => true,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

struct Shown<'a> {
    object: Map<String, Value>,
    texts: &'a Texts,
}

impl Shown<'_> {
    fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.object.insert(key.into(), value.into());
    }

    /// Puts a value into an object under `key`.
    fn put_in(&mut self, key: &str, name: impl Into<String>, value: impl Into<Value>) {
        if let Some(inner) = self.object.entry(key).or_insert_with(|| json!({})).as_object_mut() {
            inner.insert(name.into(), value.into());
        }
    }

    fn head(&mut self, kind: &str, request: u8) {
        let protocol = match (service(request), request) {
            (None, _) => "ISO-TP",
            (_, 0x00..=0x0F) => "OBD-II",
            _ => "UDS",
        };
        self.put("kind", kind);
        self.put("protocol", protocol);
        self.put("service", hex(&[request]));
        if let Some(name) = service(request) {
            self.put("name", name);
        }
    }

    fn request(&mut self, request: u8, rest: &[u8]) {
        match (request, rest) {
            (0x01, _) => self.put("pids", each(rest, 1)),
            (0x02, _) => self.put("pids", rest.iter().step_by(2).map(|pid| hex(&[*pid])).collect::<Vec<_>>()),
            (0x09, [kind, ..]) => self.put("infoType", hex(&[*kind])),
            (0x19, [sub, ..]) => self.put("subFunction", hex(&[sub & 0x7F])),
            (0x22, _) => self.put("dids", each(rest, 2)),
            _ => {}
        }
    }

    fn response(&mut self, payload: &[u8], Before { asked, format }: Before<'_>) {
        if let [0x59, sub, ..] = payload {
            self.put("subFunction", hex(&[*sub]));
        }
        let mut uds = uds::decode(payload, asked);
        if let (Some(response), Some(format)) = (&mut uds, format) {
            response.read_as(format);
        }
        match (obd::decode(payload, asked), uds) {
            (Some(response), _) => self.obd(&response),
            (_, Some(response)) => self.uds(&response),
            (None, None) if is_read(payload) => self.put("malformed", true),
            (None, None) => {}
        }
    }

    fn obd(&mut self, response: &obd::Response) {
        match response {
            obd::Response::Current(items) => self.items(items),
            obd::Response::Freeze { frame, items } => {
                if let Some(frame) = frame {
                    self.put("frame", *frame);
                }
                self.items(items);
            }
            obd::Response::Codes { class, told, codes } => {
                if let Some(class) = class.names().next() {
                    self.put("class", class);
                }
                if let Some(told) = told {
                    self.put("count", *told);
                }
                if response.listed().is_none() {
                    self.put("malformed", true);
                }
                let codes: Vec<Value> = codes.iter().map(|code| Value::Object(self.code(*code))).collect();
                self.put("codes", codes);
            }
            obd::Response::Info(info) => {
                self.put("infoType", hex(&[info.kind]));
                self.info(info);
            }
            obd::Response::Cleared => {}
        }
    }

    fn items(&mut self, items: &[Item]) {
        self.put("pids", items.iter().map(|item| hex(&[item.pid])).collect::<Vec<_>>());
        for item in items {
            self.item(item);
        }
    }

    fn item(&mut self, item: &Item) {
        match &item.content {
            Content::Supported(pids) => self.supported(pids),
            Content::Monitors(monitors) => {
                let branch = if item.pid == 0x01 { "Vehicle.OBD.Status" } else { "Vehicle.OBD.DriveCycleStatus" };
                if let Some(mil) = monitors.mil {
                    self.put_in("values", format!("{branch}.IsMILOn"), mil);
                }
                if let Some(count) = monitors.count {
                    self.put_in("values", format!("{branch}.DTCCount"), count);
                }
                let ignition = if monitors.compression { "compression" } else { "spark" };
                self.put_in("values", format!("{branch}.IgnitionType"), ignition);
                for (name, complete) in &monitors.monitors {
                    self.put_in("monitors", *name, *complete);
                }
            }
            Content::FrozenBy(code) => {
                let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
                self.put_in("values", "Vehicle.OBD.FreezeDTC", code);
            }
            Content::Values(values) => {
                for measured in values {
                    self.put_in("values", measured.name.as_ref(), json!(measured.value));
                    if !measured.unit.is_empty() {
                        self.put_in("units", measured.name.as_ref(), measured.unit);
                    }
                }
            }
            Content::Raw => self.put_in("unread", hex(&[item.pid]), hex(&item.bytes)),
        }
    }

    fn supported(&mut self, numbers: &[u8]) {
        let more = numbers.iter().map(|number| Value::from(hex(&[*number])));
        if let Some(all) = self.object.entry("supported").or_insert_with(|| json!([])).as_array_mut() {
            all.extend(more);
        }
    }

    fn info(&mut self, info: &obd::info::Info) {
        match &info.content {
            InfoContent::Supported(kinds) => self.supported(kinds),
            InfoContent::Vin(vin) => self.put_in("values", "vin", vin.as_str()),
            InfoContent::Calibrations(ids) => self.put_in("values", "calibrationIds", ids.as_slice()),
            InfoContent::CheckSums(sums) => {
                self.put_in("values", "calibrationCheckSums", sums.iter().map(|sum| hex(sum)).collect::<Vec<_>>());
            }
            InfoContent::Counters(counters) => {
                for (name, count) in counters {
                    self.put_in("values", *name, *count);
                }
            }
            InfoContent::Name(name) => self.put_in("values", "ecuName", name.as_str()),
            InfoContent::Text(name, text) => self.put_in("values", *name, text.as_str()),
            InfoContent::Raw => self.put_in("unread", hex(&[info.kind]), hex(&info.bytes)),
        }
    }

    fn uds(&mut self, response: &uds::Response) {
        match response {
            uds::Response::Count { available, format, count, .. } => {
                self.put("statusAvailability", hex(&[*available]));
                self.put("format", *format);
                self.put("count", *count);
            }
            uds::Response::Codes(codes) => {
                if let Some(available) = codes.available {
                    self.put("statusAvailability", hex(&[available]));
                }
                if let Some(format) = codes.format {
                    self.put("format", format);
                }
                if !codes.rest.is_empty() {
                    self.put("malformed", true);
                    self.put_in("unread", "end", hex(&codes.rest));
                }
                let list: Vec<Value> = codes.codes.iter().map(|status| self.status(status, codes.available)).collect();
                self.put("codes", list);
            }
            uds::Response::Snapshots(snapshots) => {
                self.put("codes", vec![self.status(&snapshots.of, Some(0xFF))]);
                let records = snapshots.records.iter().map(|record| {
                    let mut shown = Shown { object: Map::new(), texts: self.texts };
                    shown.put("record", record.number);
                    record.values.iter().for_each(|data| shown.data(data));
                    Value::Object(shown.object)
                });
                let records: Vec<Value> = records.collect();
                self.put("records", records);
                if !snapshots.rest.is_empty() {
                    self.put_in("unread", "records", hex(&snapshots.rest));
                }
            }
            uds::Response::Extended(extended) => {
                self.put("codes", vec![self.status(&extended.of, Some(0xFF))]);
                match &extended.record {
                    Some((number, data)) if extended.single => {
                        self.put("records", json!([{ "record": number, "data": hex(data) }]))
                    }
                    Some((number, data)) => self.put_in("unread", "records", hex(&[&[*number], data.as_slice()].concat())),
                    None => self.put("records", json!([])),
                }
            }
            uds::Response::Data(all) => {
                self.put("dids", all.iter().map(|data| format!("{:04X}", data.identifier)).collect::<Vec<_>>());
                all.iter().for_each(|data| self.data(data));
            }
            uds::Response::Cleared => {}
        }
    }

    fn data(&mut self, data: &Data) {
        match &data.content {
            Under::Pid(item) if item.content != Content::Raw => self.item(item),
            Under::Info(info) if info.content != InfoContent::Raw => self.info(info),
            Under::Text(name, text) => self.put_in("values", *name, text.as_str()),
            Under::Pid(_) | Under::Info(_) | Under::Raw => {
                self.put_in("unread", format!("{:04X}", data.identifier), hex(&data.bytes));
            }
        }
    }

    fn code(&self, code: Code) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("code".into(), code.to_string().into());
        if let Some(text) = self.texts.of(code) {
            object.insert("text".into(), text.into());
        }
        object
    }

    /// Without status bits (19 14) the byte is a counter that goes from −128, passed, to 127, failed.
    fn status(&self, status: &Status, available: Option<u8>) -> Value {
        let mut object = self.code(status.code);
        if let Code::Iso { failure: Some(failure), .. } = status.code {
            object.insert("failureType".into(), hex(&[failure]).into());
        }
        if let Some(severity) = status.severity {
            object.insert("severity".into(), hex(&[severity]).into());
        }
        match available {
            Some(available) => {
                object.insert("statusByte".into(), hex(&[status.status]).into());
                object.insert("status".into(), status_words(status.status, available).collect());
            }
            None => {
                object.insert("faultDetectionCounter".into(), i8::from_be_bytes([status.status]).into());
            }
        }
        Value::Object(object)
    }
}

/// Groups of `size` bytes as hexadecimal digits.
fn each(bytes: &[u8], size: usize) -> Vec<String> {
    bytes.chunks(size).map(hex).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(payload: &[u8], asked: Option<&[u8]>) -> Value {
        let mut object = describe(0x7E8, false, payload, Before { asked, format: None }, &Texts::default());
        for key in ["id", "raw", "protocol", "name"] {
            object.remove(key);
        }
        Value::Object(object)
    }

    #[test]
    fn a_message_is_told_in_values() {
        let whole = Value::Object(describe(0x18DA_F110, true, &[0x41, 0x0C, 0x1A, 0xF8], Before::default(), &Texts::default()));
        let expected = json!({ "id": "18DAF110", "protocol": "OBD-II", "kind": "response", "service": "01", "name": "current data",
            "pids": ["0C"], "values": { "Vehicle.OBD.EngineSpeed": 1726.0 }, "units": { "Vehicle.OBD.EngineSpeed": "rpm" },
            "raw": "410C1AF8" });
        assert_eq!(whole, expected);
        assert_eq!(
            shown(&[0x41, 0x01, 0x81, 0x07, 0x01, 0x01, 0xB5, 1, 2], None),
            json!({ "kind": "response", "service": "01", "pids": ["01", "B5"], "unread": { "B5": "0102" },
                "values": { "Vehicle.OBD.Status.IsMILOn": true, "Vehicle.OBD.Status.DTCCount": 1, "Vehicle.OBD.Status.IgnitionType": "spark" },
                "monitors": { "misfire": true, "fuelSystem": true, "components": true, "catalyst": false } })
        );
    }

    #[test]
    fn codes_are_told_with_their_status() {
        let text = |code| Texts::default().of(code).unwrap().into_owned();
        let base = Code::Iso { base: 0x0301, failure: None };
        assert_eq!(
            shown(&[0x43, 1, 0x03, 0x01], None),
            json!({ "kind": "response", "service": "03", "class": "stored", "count": 1, "codes": [{ "code": "P0301", "text": text(base) }] })
        );
        assert_eq!(
            shown(&[0x59, 0x02, 0xFF, 0x03, 0x01, 0x17, 0x2C, 0x55], None),
            json!({ "kind": "response", "service": "19", "subFunction": "02", "statusAvailability": "FF", "malformed": true,
                "unread": { "end": "55" },
                "codes": [{ "code": "P0301", "text": text(base), "failureType": "17", "statusByte": "2C",
                    "status": ["pending", "confirmed", "testFailedSinceLastClear"] }] })
        );
    }

    #[test]
    fn a_no_and_what_is_unknown_are_told_as_such() {
        assert_eq!(
            shown(&[0x7F, 0x22, 0x78], None),
            json!({ "kind": "negativeResponse", "service": "22", "code": "78", "reason": "the answer will follow", "pending": true })
        );
        let foreign = describe(0x7B8, false, &[0x61, 0x03, 1, 2], Before::default(), &Texts::default());
        let expected = json!({ "id": "7B8", "protocol": "ISO-TP", "kind": "response", "service": "21", "raw": "61030102" });
        assert_eq!(Value::Object(foreign), expected);
        assert_eq!(
            shown(&[0x59, 0x02], None),
            json!({ "kind": "response", "service": "19", "subFunction": "02", "malformed": true })
        );
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_said_is_kept_and_told_in_json(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60)) {
            proptest::prop_assert_eq!(survives(&bytes, &[0x41, 0x42, 0x43, 0x49]), Ok(()));
            proptest::prop_assert_eq!(survives(&bytes, &[0x59, 0x62]), Ok(()));
        }
    }
}

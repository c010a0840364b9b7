//! ECARUS: three streams of unnamed events, so that `onmessage` sees them; the state behind them; answers to an alert.
//!
//! Diagnosis begins with a snapshot, `VEHICLE_STATUS`, without an id; again when it changes, else at most every 10 s.

use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::body::Body;
use super::gate::SignedIn;
use super::problem::Problem;
use super::reply::{JSON, event, json, listed};
use super::route::Answer;
use super::service::Call;
use super::sse;
use super::surface::{Moment, Surface};
use super::telemetry::{Conditions, stamped};
use crate::event::{EventId, Kind};
use crate::feed::{Filter, Picture};
use crate::request::Request;
use crate::vehicle::trouble::Identified;

/// A stream of one kind.
#[derive(Debug)]
pub(super) struct OneKind(pub(super) Kind);

impl Surface for OneKind {
    fn filter(&self) -> Filter {
        Filter::of(&[self.0])
    }
}

/// The stream of diagnosis.
#[derive(Debug, Default)]
pub(super) struct Diagnosis(Conditions);

impl Surface for Diagnosis {
    fn filter(&self) -> Filter {
        Filter::of(&[Kind::Diagnosis])
    }

    fn first(&mut self, moment: &Moment, wire: &mut Vec<u8>) {
        self.live(moment, wire);
    }

    fn live(&mut self, moment: &Moment, wire: &mut Vec<u8>) {
        if let Some(snapshot) = self.0.due(moment) {
            wire.extend(sse::json_frame(None, &snapshot, None));
        }
    }
}

/// `GET …/child-alert`.
pub(super) fn child_alert(picture: &Picture) -> Response<Body> {
    json(StatusCode::OK, &json!({"data": picture.child}))
}

/// `GET …/geofence`.
pub(super) fn geofence(picture: &Picture) -> Response<Body> {
    listed(JSON, &Map::new(), "data", picture.fences.clone())
}

/// `GET …/auto/dtc`: what is not known is absent.
pub(super) fn trouble_codes(picture: &Picture) -> Response<Body> {
    let mut data = Map::new();
    if let Some(mil) = picture.status.mil {
        data.insert("mil".to_owned(), mil.into());
    }
    if let Some(codes) = &picture.status.diagnosis.codes {
        data.insert("codes".to_owned(), json!(codes.as_slice()));
    }
    json(StatusCode::OK, &json!({"data": data}))
}

/// `GET /api/v1/diagnosis/codes`: the same with the self-tests and what ECUs have under the profile's identifiers, by ECU; of this unit's vehicle, the only one.
pub(super) fn codes(picture: &Picture) -> Response<Body> {
    let mut answer = stamped(picture);
    if let Some(mil) = picture.status.mil {
        answer.insert("mil".to_owned(), mil.into());
    }
    if let Value::Object(diagnosis) = json!(picture.status.diagnosis) {
        answer.extend(diagnosis);
    }
    let identified = &picture.status.diagnosis.identified;
    if !identified.is_empty() {
        let mut by_ecu = Map::new();
        for Identified { ecu, name, value } in identified.iter() {
            let of = by_ecu.entry(ecu.to_string()).or_insert_with(|| json!({}));
            if let Value::Object(of) = of {
                of.insert(name.clone(), value.as_str().into());
            }
        }
        answer.insert("identifiers".to_owned(), Value::Object(by_ecu));
    }
    json(StatusCode::OK, &Value::Object(answer))
}

/// `DELETE …/auto/dtc`.
pub(super) fn clear_trouble_codes() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "clearing trouble codes would change the car, and this unit only reads; use a tester")
}

const ANSWER_BYTES: usize = 4096;

/// `POST …/child-alert/{snooze,safe}`.
pub(super) async fn answer(call: &mut Call<'_>, who: &SignedIn, vin: &str, answer: Answer) -> Result<Response<Body>, Problem> {
    let vin = call.vehicle(vin)?;
    let body = call.json_object(ANSWER_BYTES).await?;
    let request = asked(&body, answer, &who.device.member)?;
    let outcome = call.shared.feed.submit(&vin, request).await?;
    Ok(event(&outcome))
}

fn asked(body: &Map<String, Value>, answer: Answer, member: &str) -> Result<Request, Problem> {
    let wrong = || Problem::field("eventId", "`eventId` must be the id of any event of the alert that is answered, an integer");
    let id = body.get("eventId").and_then(whole).filter(|id| *id <= EventId::MAX.0).ok_or_else(wrong)?;
    let (event, by) = (EventId(id), member.to_owned());
    Ok(match answer {
        Answer::Safe => Request::Safe { event, by },
        Answer::Snooze => Request::Snooze { event, seconds: seconds(body.get("seconds"))?, by },
    })
}

/// A whole number, however it is written: 600.0 is one too (RFC 8259 knows no integers, JSON Schema takes it for one).
fn whole(value: &Value) -> Option<u64> {
    let of_float = |number: f64| (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(of_float))
}

/// 60 to 600; absent 600.
fn seconds(value: Option<&Value>) -> Result<u32, Problem> {
    let Some(value) = value else { return Ok(600) };
    let seconds = whole(value).and_then(|seconds| u32::try_from(seconds).ok()).filter(|seconds| (60..=600).contains(seconds));
    seconds.ok_or_else(|| Problem::field("seconds", "`seconds` must be an integer from 60 to 600; without it 600 are taken"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: Value, answer: Answer) -> Option<Request> {
        asked(body.as_object().unwrap(), answer, "mum").ok()
    }

    #[test]
    fn answers_name_an_event_and_snoozes_a_time() {
        let by = || "mum".to_owned();
        let event = EventId(7);
        assert_eq!(of(json!({"eventId": 7}), Answer::Safe), Some(Request::Safe { event, by: by() }));
        assert_eq!(of(json!({"eventId": 7}), Answer::Snooze), Some(Request::Snooze { event, seconds: 600, by: by() }));
        assert_eq!(
            of(json!({"eventId": 7, "seconds": 60}), Answer::Snooze),
            Some(Request::Snooze { event, seconds: 60, by: by() })
        );
        let wrong =
            [json!({}), json!({"eventId": "7"}), json!({"eventId": -1}), json!({"eventId": 1.5}), json!({"eventId": 1u64 << 53})];
        for body in wrong {
            assert_eq!(of(body.clone(), Answer::Safe), None, "{body}");
        }
        assert_eq!(
            of(json!({"eventId": 7.0, "seconds": 60.0}), Answer::Snooze),
            of(json!({"eventId": 7, "seconds": 60}), Answer::Snooze)
        );
        for seconds in [json!(59), json!(601), json!("60"), json!(60.5), json!(null)] {
            assert_eq!(of(json!({"eventId": 7, "seconds": seconds}), Answer::Snooze), None, "{seconds}");
        }
    }
}

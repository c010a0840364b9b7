//! What an ECU's answer tells the vehicle, whoever asked.

use super::negative::Negative;
use super::obd::{self, Response, info};
use super::uds;
use super::uds::identifier::{Content, Data};
use crate::vehicle::Vin;
use crate::vehicle::trouble::{Classes, CodeReading, Ecu, Heard, Protocol};

/// ECUs whose freeze frames are put together at once.
const MOST_ECUS: usize = 16;
/// Answers of which a freeze frame is put together.
const MOST_ANSWERS: usize = 64;
/// Numbers kept that were told once.
const MOST_NUMBERS: usize = 4;

/// Reads answers, and keeps what several of them make together: a freeze frame; a VIN, which counts when it was told
/// twice alike.
#[derive(Debug, Default)]
pub struct Reader {
    frames: Vec<(Ecu, Vec<Response>)>,
    numbers: Numbers,
}

/// VINs told once, and the one told twice.
#[derive(Debug, Default)]
pub struct Numbers {
    once: heapless::Deque<Vin, MOST_NUMBERS>,
    told: Option<Vin>,
}

impl Numbers {
    /// Takes a number; news when it is the second time and none was told before.
    pub fn hear(&mut self, text: &str) -> Option<Heard> {
        if text.len() != 17 || self.told.is_some() {
            return None;
        }
        let vin = Vin::try_from(text.to_owned()).ok()?;
        if self.once.iter().any(|once| *once == vin) {
            self.told = Some(vin.clone());
            return Some(Heard::Vin(vin));
        }
        if self.once.is_full() {
            self.once.pop_front();
        }
        let _ = self.once.push_back(vin);
        None
    }
}

impl Reader {
    /// What `payload`, an answer of `ecu` to the question of these bytes, tells.
    pub fn read(&mut self, ecu: Ecu, payload: &[u8], asked: Option<&[u8]>) -> Vec<Heard> {
        if Negative::decode(payload).is_some() {
            return Vec::new();
        }
        match payload.first() {
            Some(0x41..=0x4A) => self.obd(ecu, payload, asked),
            Some(0x54 | 0x59 | 0x62) => self.uds(ecu, payload, asked),
            _ => Vec::new(),
        }
    }

    fn obd(&mut self, ecu: Ecu, payload: &[u8], asked: Option<&[u8]>) -> Vec<Heard> {
        let Some(response) = obd::decode(payload, asked) else { return Vec::new() };
        let mut heard = Vec::new();
        if let Some((lamp, readiness)) = response.monitors(ecu) {
            if matches!(response, Response::Current(_)) {
                heard.extend([Heard::Lamp(lamp), Heard::Readiness(readiness)]);
            }
        }
        heard.extend(response.signals().into_iter().map(|(signal, value)| Heard::Measured(signal, value)));
        if let Some((covers, list)) = response.listed() {
            heard.push(Heard::Codes(CodeReading { protocol: Protocol::Obd, covers, lists: vec![(ecu, list)] }));
        }
        match response {
            Response::Cleared => heard.push(Heard::Cleared(ecu)),
            Response::Info(info::Info { content: info::Content::Vin(vin), .. }) => heard.extend(self.numbers.hear(&vin)),
            Response::Freeze { .. } => heard.extend(self.freeze(ecu, response)),
            _ => {}
        }
        heard
    }

    fn uds(&mut self, ecu: Ecu, payload: &[u8], asked: Option<&[u8]>) -> Vec<Heard> {
        match uds::decode(payload, asked) {
            Some(uds::Response::Cleared) => vec![Heard::Cleared(ecu)],
            Some(uds::Response::Codes(codes)) => listed(ecu, &codes, asked).into_iter().collect(),
            Some(uds::Response::Snapshots(snapshots)) => snapshots.freeze(ecu).map(Heard::Freeze).into_iter().collect(),
            Some(uds::Response::Data(data)) => data.iter().filter_map(number).filter_map(|vin| self.numbers.hear(vin)).collect(),
            _ => Vec::new(),
        }
    }

    /// A freeze frame begins with its code, PID 02.
    fn freeze(&mut self, ecu: Ecu, response: Response) -> Option<Heard> {
        let begins = response.items().iter().any(|item| item.pid == 0x02);
        let place = match self.frames.iter().position(|(whose, _)| *whose == ecu) {
            Some(place) => place,
            None if self.frames.len() < MOST_ECUS => {
                self.frames.push((ecu, Vec::new()));
                self.frames.len() - 1
            }
            None => return None,
        };
        let (_, answers) = self.frames.get_mut(place)?;
        if begins {
            answers.clear();
        }
        if answers.len() < MOST_ANSWERS {
            answers.push(response);
        }
        obd::freeze(ecu, answers).filter(|frame| !frame.values.is_empty()).map(Heard::Freeze)
    }
}

/// The list of an ECU. Without the question nobody knows of which classes it is whole.
fn listed(ecu: Ecu, codes: &uds::codes::Codes, asked: Option<&[u8]>) -> Option<Heard> {
    let mask = match (codes.sub, asked?) {
        (0x02, [_, _, mask, ..]) | (0x42, [_, _, _, mask, ..]) => *mask,
        (0x0A, _) => 0xFF,
        (0x55, _) => 0,
        _ => return None,
    };
    let covers = if codes.sub == 0x55 { Classes::PERMANENT } else { uds::codes::covers(mask, codes.available?) };
    let list = codes.listed()?;
    (covers != Classes::NONE).then(|| Heard::Codes(CodeReading { protocol: Protocol::Uds, covers, lists: vec![(ecu, list)] }))
}

fn number(data: &Data) -> Option<&str> {
    match &data.content {
        Content::Text("vin", vin) | Content::Info(info::Info { content: info::Content::Vin(vin), .. }) => Some(vin),
        _ => None,
    }
}

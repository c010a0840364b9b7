//! What an ECU's answer tells the vehicle, whoever asked.

use super::negative::Negative;
use super::obd::item::Item;
use super::obd::{self, Response, info};
use super::uds;
use super::uds::identifier::Content;
use crate::vehicle::Vin;
use crate::vehicle::trouble::{Classes, CodeReading, Ecu, Heard, Identified, Lamp, Protocol};

/// ECUs whose freeze frames are put together at once.
const MOST_ECUS: usize = 16;
/// PIDs of which a freeze frame is put together.
const MOST_ITEMS: usize = 64;
/// Bytes of what an ECU says of itself, in text.
const LONGEST_TEXT: usize = 256;
/// The bits of a status that say that a code is confirmed, and that it asks for the lamp.
const CONFIRMED_AND_LAMP: u8 = 0x88;
/// Codes of UDS are read as SAE J2012 and ISO 14229-1 have them unless their ECU says otherwise: two bytes and a failure type.
const USUAL_FORMAT: u8 = 1;
/// Numbers kept that were told once.
const MOST_NUMBERS: usize = 4;

/// Reads answers, and keeps what several of them make together: a freeze frame (64 PIDs of 16 ECUs); a VIN, which counts
/// when it was told twice alike; and how each of 16 ECUs writes its codes (19 01), as its lists (19 02) do not say it.
#[derive(Debug, Default)]
pub struct Reader {
    frames: Vec<(Ecu, Vec<Item>)>,
    formats: heapless::Vec<(Ecu, u8), MOST_ECUS>,
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
            Response::Info(info) => heard.extend(self.info(ecu, &info)),
            Response::Freeze { items, .. } => heard.extend(self.freeze(ecu, items)),
            Response::Current(_) | Response::Codes { .. } => {}
        }
        heard
    }

    fn uds(&mut self, ecu: Ecu, payload: &[u8], asked: Option<&[u8]>) -> Vec<Heard> {
        let mut response = uds::decode(payload, asked);
        if let Some(response) = &mut response {
            response.read_as(self.format(ecu));
        }
        match response {
            Some(uds::Response::Cleared) => vec![Heard::Cleared(ecu)],
            Some(uds::Response::Count { sub: 0x01, format, .. }) => {
                self.writes_codes(ecu, format);
                Vec::new()
            }
            Some(uds::Response::Codes(codes)) => {
                listed(ecu, &codes, asked).into_iter().chain(lamp(ecu, &codes, asked).map(Heard::Lamp)).collect()
            }
            Some(uds::Response::Snapshots(snapshots)) => snapshots.freeze(ecu).map(Heard::Freeze).into_iter().collect(),
            Some(uds::Response::Extended(extended)) if extended.sub == 0x06 => {
                extended.kept(ecu).map(Heard::Extended).into_iter().collect()
            }
            Some(response @ uds::Response::Data(_)) => self.data(ecu, &response),
            _ => Vec::new(),
        }
    }

    /// The ECU writes its codes so.
    fn writes_codes(&mut self, ecu: Ecu, format: u8) {
        match self.formats.iter_mut().find(|(other, _)| *other == ecu) {
            Some((_, known)) => *known = format,
            // Of the seventeenth codes are read as usual.
            None => drop(self.formats.push((ecu, format))),
        }
    }

    fn format(&self, ecu: Ecu) -> u8 {
        self.formats.iter().find(|(other, _)| *other == ecu).map_or(USUAL_FORMAT, |(_, format)| *format)
    }

    /// PIDs and info types say under an identifier what they say in OBD-II. The lamp alone is told by the codes: [`lamp`].
    fn data(&mut self, ecu: Ecu, response: &uds::Response) -> Vec<Heard> {
        let mut heard = Vec::new();
        if let Some(current) = response.as_current() {
            heard.extend(current.monitors(ecu).map(|(_, readiness)| Heard::Readiness(readiness)));
            heard.extend(current.signals().into_iter().map(|(signal, value)| Heard::Measured(signal, value)));
        }
        let uds::Response::Data(all) = response else { return heard };
        for data in all {
            match &data.content {
                Content::Text("vin", vin) => heard.extend(self.numbers.hear(vin)),
                Content::Info(info) => heard.extend(self.info(ecu, info)),
                Content::Text(..) | Content::Pid(_) | Content::Raw => {}
            }
        }
        heard
    }

    /// The VIN, or what an ECU has as its calibrations and its name.
    fn info(&mut self, ecu: Ecu, info: &info::Info) -> Option<Heard> {
        let (name, value) = match &info.content {
            info::Content::Vin(vin) => return self.numbers.hear(vin),
            info::Content::Calibrations(ids) => ("calibrationIds", ids.join(", ")),
            info::Content::CheckSums(sums) => ("calibrationCheckSums", check_sums(sums)),
            info::Content::Name(name) => ("ecuName", name.clone()),
            _ => return None,
        };
        let value = value.chars().take(LONGEST_TEXT).collect();
        Some(Heard::Identified(Identified { ecu, name: name.to_owned(), value }))
    }

    /// A freeze frame begins with its code, PID 02.
    fn freeze(&mut self, ecu: Ecu, items: Vec<Item>) -> Option<Heard> {
        let begins = items.iter().any(|item| item.pid == 0x02);
        let place = match self.frames.iter().position(|(whose, _)| *whose == ecu) {
            Some(place) => place,
            None if self.frames.len() < MOST_ECUS => {
                self.frames.push((ecu, Vec::new()));
                self.frames.len() - 1
            }
            None => return None,
        };
        let (_, frame) = self.frames.get_mut(place)?;
        if begins {
            frame.clear();
        }
        let room = MOST_ITEMS.saturating_sub(frame.len());
        frame.extend(items.into_iter().take(room));
        obd::freeze(ecu, frame).filter(|frame| !frame.values.is_empty()).map(Heard::Freeze)
    }
}

/// The lamp of an ECU of OBDonUDS: lit where one of its confirmed codes of emissions asks for it (19 42, status bit 7).
fn lamp(ecu: Ecu, codes: &uds::codes::Codes, asked: Option<&[u8]>) -> Option<Lamp> {
    let (0x42, [_, _, _, mask, ..]) = (codes.sub, asked?) else { return None };
    let tells = codes.available? & CONFIRMED_AND_LAMP == CONFIRMED_AND_LAMP && mask & CONFIRMED_AND_LAMP != 0;
    let on = codes.codes.iter().any(|code| code.status & CONFIRMED_AND_LAMP == CONFIRMED_AND_LAMP);
    (tells && codes.rest.is_empty()).then_some(Lamp { ecu, on, count: None })
}

fn check_sums(sums: &[[u8; 4]]) -> String {
    let each: Vec<String> = sums.iter().map(|sum| sum.iter().map(|byte| format!("{byte:02X}")).collect()).collect();
    each.join(", ")
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

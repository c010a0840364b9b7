//! OBD-II on CAN (SAE J1979, ISO 15031-5; ids of ISO 15765-4): what an ECU's answer says.
//!
//! [`decode`] takes the bytes of one reassembled answer and gives what they mean: modes 01 and 02 by the table of PIDs
//! ([`table`]: names of VSS 5's `Vehicle.OBD`, units told), several PIDs in one answer, 03, 07 and 0A with the count of
//! codes that CAN puts first, 09 with VIN, calibrations and the ECU's name, 04 as what somebody's tester did. Whatever is
//! not as the standard has it stays as bytes; nothing is guessed.

pub mod field;
pub mod info;
pub mod item;
pub mod monitors;
pub mod table;

use crate::vehicle::trouble::{Classes, Code, Ecu, FreezeFrame, Lamp, Listed, Readiness};
use crate::vehicle::{Signal, Value};

use field::Measured;
use info::Info;
use item::{Content, Item};

/// What an ECU answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// 41: values of now.
    Current(Vec<Item>),
    /// 42: values of a freeze frame.
    Freeze {
        /// Of which one; `None` where the answer is too short to say.
        frame: Option<u8>,
        /// The values.
        items: Vec<Item>,
    },
    /// 43, 47, 4A: codes.
    Codes {
        /// Stored, pending or permanent.
        class: Classes,
        /// How many the ECU says there are, where it says so.
        told: Option<u8>,
        /// The codes that came.
        codes: Vec<Code>,
    },
    /// 49: of the vehicle.
    Info(Info),
    /// 44: the codes are cleared, as somebody's tester asked.
    Cleared,
}

/// Reads an answer; `None` where it is none that is read here. `asked` is the question that it answers, where that was
/// heard: it makes the cut of an answer into PIDs certain.
pub fn decode(payload: &[u8], asked: Option<&[u8]>) -> Option<Response> {
    let (service, rest) = payload.split_first()?;
    let asked =
        asked.and_then(<[u8]>::split_first).filter(|(mode, _)| service ^ 0x40 == **mode).map_or(&[][..], |(_, pids)| pids);
    match service {
        0x41 if !rest.is_empty() => Some(Response::Current(item::cut(rest, 0, asked))),
        0x42 if !rest.is_empty() => {
            // PID and frame take turns in the question too.
            let pids: Vec<u8> = asked.iter().step_by(2).copied().collect();
            Some(Response::Freeze { frame: rest.get(1).copied(), items: item::cut(rest, 1, &pids) })
        }
        0x43 => Some(codes(Classes::STORED, rest)),
        0x47 => Some(codes(Classes::PENDING, rest)),
        0x4A => Some(codes(Classes::PERMANENT, rest)),
        0x44 => Some(Response::Cleared),
        0x49 => rest.split_first().map(|(kind, bytes)| Response::Info(Info::decode(*kind, bytes))),
        _ => None,
    }
}

/// A count first (CAN: an odd number of bytes) or codes alone; zeroes fill up, and are no codes.
fn codes(class: Classes, bytes: &[u8]) -> Response {
    let (told, pairs) = match bytes.split_first() {
        Some((count, rest)) if bytes.len() % 2 == 1 => (Some(*count), rest),
        _ => (None, bytes),
    };
    let codes = pairs.chunks_exact(2).filter_map(|pair| item::code(*pair.first()?, *pair.get(1)?)).collect();
    Response::Codes { class, told, codes }
}

impl Response {
    /// The list of the ECU, and of which class it is whole; `None` where the answer is not one of codes, or has fewer
    /// than the ECU says there are.
    pub fn listed(&self) -> Option<(Classes, Vec<Listed>)> {
        let Response::Codes { class, told, codes } = self else { return None };
        if told.is_some_and(|told| usize::from(told) > codes.len()) {
            return None;
        }
        let listed = |code: &Code| Listed { code: *code, classes: *class, mil: None, occurrences: None };
        let mut list: Vec<Listed> = Vec::new();
        for code in codes.iter().map(listed) {
            if !list.contains(&code) {
                list.push(code);
            }
        }
        Some((*class, list))
    }

    /// Lamp and self-tests since the codes were cleared, of an answer that has PID 01.
    pub fn monitors(&self, ecu: Ecu) -> Option<(Lamp, Readiness)> {
        let found = self.items().iter().find_map(|item| match &item.content {
            Content::Monitors(monitors) => monitors.mil.map(|on| (on, monitors)),
            _ => None,
        });
        found.map(|(on, monitors)| {
            let each = monitors.monitors.iter().map(|(name, complete)| ((*name).to_owned(), *complete));
            (Lamp { ecu, on, count: monitors.count }, Readiness { ecu, monitors: each.collect() })
        })
    }

    /// The PIDs of modes 01 and 02.
    pub fn items(&self) -> &[Item] {
        match self {
            Response::Current(items) | Response::Freeze { items, .. } => items,
            _ => &[],
        }
    }

    /// The PIDs that the ECU says it has, of an answer that has PID 00, 20 and so on.
    pub fn supported(&self) -> Vec<u8> {
        let each = self.items().iter().filter_map(|item| match &item.content {
            Content::Supported(pids) => Some(pids.iter().copied()),
            _ => None,
        });
        each.flatten().collect()
    }

    /// The VIN, of an answer that has it.
    pub fn vin(&self) -> Option<&str> {
        if let Response::Info(info) = self { info.vin() } else { None }
    }

    /// The values that Telltale has a signal for.
    pub fn signals(&self) -> Vec<(Signal, f64)> {
        let Response::Current(items) = self else { return Vec::new() };
        items.iter().filter_map(|item| Some((signal(item.pid)?, number(item)?))).collect()
    }
}

/// A freeze frame, of its PIDs (mode 02); `None` where none of them is PID 02 with a code.
pub fn freeze(ecu: Ecu, items: &[Item]) -> Option<FreezeFrame> {
    let code = items.iter().find_map(|item| if let Content::FrozenBy(code) = item.content { code } else { None })?;
    let values = items.iter().flat_map(values).map(|value| (value.name.into_owned(), value.value)).collect();
    Some(FreezeFrame { ecu, code, values })
}

/// The values of a PID by name; of what has none the bytes, as far as they fit a word: `PID 7D` is `"1F"`.
pub fn values(item: &Item) -> Vec<Measured> {
    match &item.content {
        Content::Values(values) => values.clone(),
        Content::Raw if item.bytes.len() <= 12 => Vec::from([raw(format!("PID {:02X}", item.pid), &item.bytes)]),
        Content::Raw | Content::Supported(_) | Content::Monitors(_) | Content::FrozenBy(_) => Vec::new(),
    }
}

fn raw(name: String, bytes: &[u8]) -> Measured {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    Measured { name: name.into(), value: Value::Word(hex.parse().unwrap_or_default()), unit: "" }
}

/// The signal that a PID measures, in the signal's unit.
pub fn signal(pid: u8) -> Option<Signal> {
    Some(match pid {
        0x05 => Signal::PowertrainCombustionEngineEngineCoolantTemperature,
        0x0B => Signal::PowertrainCombustionEngineMAP,
        0x0C => Signal::PowertrainCombustionEngineSpeed,
        0x0D => Signal::Speed,
        0x10 => Signal::PowertrainCombustionEngineMAF,
        0x11 => Signal::PowertrainCombustionEngineTPS,
        0x2F => Signal::PowertrainFuelSystemRelativeLevel,
        0x42 => Signal::LowVoltageBatteryCurrentVoltage,
        0x46 => Signal::ExteriorAirTemperature,
        0x5C => Signal::PowertrainCombustionEngineEngineOilTemperature,
        0xA6 => Signal::TraveledDistance,
        _ => return None,
    })
}

/// The first value of a PID, where it is a number.
fn number(item: &Item) -> Option<f64> {
    let Content::Values(values) = &item.content else { return None };
    values.first()?.value.as_number()
}

#[cfg(test)]
mod tests;

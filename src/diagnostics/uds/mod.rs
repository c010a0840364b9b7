//! Unified diagnostic services (ISO 14229-1) and OBDonUDS (SAE J1979-2): what an ECU's answer says.
//!
//! [`decode`] takes the bytes of one reassembled answer: trouble codes (19) with status bits, snapshot and extended data
//! records, values by identifier (22; F4xx are the PIDs of OBD-II and F8xx its info types), and that codes were cleared
//! (54). The length of a manufacturer's identifier or record is not in the answer: where the question, a known identifier
//! or the end of the answer does not tell it, the rest stays bytes.

pub mod codes;
pub mod identifier;
pub mod records;

use super::obd;
use codes::Codes;
use identifier::Data;
use records::{Extended, Snapshots};

/// What an ECU answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// 59 01 and its like: how many codes match.
    Count {
        /// Sub-function.
        sub: u8,
        /// Which bits of a status the ECU uses.
        available: u8,
        /// How its codes are to be read: 0 and 4 SAE J2012, 1 ISO 14229-1, 2 SAE J1939-73, 3 ISO 11992-4.
        format: u8,
        /// How many.
        count: u16,
    },
    /// 59 02, 0A, 42, 55 and their like: codes.
    Codes(Codes),
    /// 59 04: what was measured when a code was set.
    Snapshots(Snapshots),
    /// 59 06: counters and the like of a code.
    Extended(Extended),
    /// 62: values by identifier.
    Data(Vec<Data>),
    /// 54: the codes are cleared, as somebody's tester asked.
    Cleared,
}

/// Reads an answer; `None` where it is none that is read here, or too short for what it says it is. `asked` is the
/// question that it answers, where that was heard.
pub fn decode(payload: &[u8], asked: Option<&[u8]>) -> Option<Response> {
    let (service, rest) = payload.split_first()?;
    let asked = asked.and_then(<[u8]>::split_first).filter(|(asked, _)| service ^ 0x40 == **asked).map(|(_, rest)| rest);
    match service {
        0x54 => Some(Response::Cleared),
        0x62 => Some(Response::Data(identifier::cut(rest, asked)?)),
        0x59 => {
            let (sub, rest) = rest.split_first()?;
            // The bit that asks for no positive response is no part of the sub-function.
            let asked = asked.and_then(<[u8]>::split_first).filter(|(asked, _)| **asked & 0x7F == *sub).map(|(_, rest)| rest);
            match (sub, rest) {
                (0x01 | 0x07 | 0x11 | 0x12, [available, format, high, low, ..]) => {
                    let count = u16::from_be_bytes([*high, *low]);
                    Some(Response::Count { sub: *sub, available: *available, format: *format, count })
                }
                (0x04, _) => Snapshots::decode(rest, asked.and_then(|asked| asked.get(3).copied())).map(Response::Snapshots),
                (0x06 | 0x10, _) => {
                    Extended::decode(*sub, rest, asked.and_then(|asked| asked.get(3).copied())).map(Response::Extended)
                }
                _ => Codes::decode(*sub, rest).map(Response::Codes),
            }
        }
        _ => None,
    }
}

impl Response {
    /// Reads the codes in the format that their ECU uses (19 01), where the answer does not say it itself.
    pub fn read_as(&mut self, format: u8) {
        match self {
            Response::Codes(codes) => codes.read_as(format),
            Response::Snapshots(snapshots) => snapshots.of.read_as(format),
            Response::Extended(extended) => extended.of.read_as(format),
            Response::Count { .. } | Response::Data(_) | Response::Cleared => {}
        }
    }

    /// The PIDs of OBDonUDS (F4xx) as the answer of mode 01 that they would be, so that lamp, monitors and signals are
    /// found in both alike; `None` where there are none.
    pub fn as_current(&self) -> Option<obd::Response> {
        let Response::Data(all) = self else { return None };
        let pids = all
            .iter()
            .filter_map(|data| if let identifier::Content::Pid(item) = &data.content { Some(item.clone()) } else { None });
        let items: Vec<obd::item::Item> = pids.collect();
        (!items.is_empty()).then_some(obd::Response::Current(items))
    }

    /// The VIN, of an answer that has it (F190, or F802 of OBDonUDS).
    pub fn vin(&self) -> Option<&str> {
        let Response::Data(all) = self else { return None };
        all.iter().find_map(|data| match &data.content {
            identifier::Content::Text("vin", vin) if vin.len() == 17 => Some(vin.as_str()),
            identifier::Content::Info(info) => info.vin(),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;

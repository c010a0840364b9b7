//! Records that an ECU keeps of a code: snapshots (19 04) and extended data (19 06).

use super::codes::{Status, code};
use super::identifier::{self, Data};
use crate::diagnostics::obd;
use crate::vehicle::Value;
use crate::vehicle::trouble::{self, Ecu, FreezeFrame};

/// What was measured when a code was set.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshots {
    /// Of which code.
    pub of: Status,
    /// The records, as far as the lengths of their identifiers are known.
    pub records: Vec<Snapshot>,
    /// What stands after the last one that could be read, from its number on; zeroes only fill up, and are left out.
    pub rest: Vec<u8>,
}

/// A snapshot record.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Its number.
    pub number: u8,
    /// What was measured.
    pub values: Vec<Data>,
}

/// Counters and the like of a code.
#[derive(Clone, Debug, PartialEq)]
pub struct Extended {
    /// Sub-function: 06, or 10 of the mirror memory.
    pub sub: u8,
    /// Of which code.
    pub of: Status,
    /// The number of the first record and all that follows it: what a record holds, and how much, is the manufacturer's.
    pub record: Option<(u8, Vec<u8>)>,
    /// Whether that is one record: so when one was asked for, and not all.
    pub single: bool,
}

/// Code and status, and what follows.
fn head(bytes: &[u8]) -> Option<(Status, &[u8])> {
    let (head, rest) = bytes.split_at_checked(4)?;
    let [a, b, c, status] = *head else { return None };
    Some((Status { bytes: [a, b, c], code: code([a, b, c], None), status, severity: None }, rest))
}

/// Whether only filling is left.
fn is_filling(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Numbers that stand for several records.
fn is_several(record: u8) -> bool {
    record >= 0xFE
}

impl Snapshots {
    /// Reads what follows the sub-function; `record` is the one that was asked for.
    pub fn decode(bytes: &[u8], record: Option<u8>) -> Option<Snapshots> {
        let (of, mut rest) = head(bytes)?;
        let single = record.is_some_and(|record| !is_several(record));
        let mut records = Vec::new();
        while !is_filling(rest) {
            let Some((snapshot, after)) = Snapshot::decode(rest, single) else { break };
            records.push(snapshot);
            rest = after;
        }
        Some(Snapshots { of, records, rest: if is_filling(rest) { Vec::new() } else { rest.to_vec() } })
    }

    /// The first record as a freeze frame, where one could be read.
    pub fn freeze(&self, ecu: Ecu) -> Option<FreezeFrame> {
        let record = self.records.first()?;
        let values = record.values.iter().flat_map(values).collect();
        Some(FreezeFrame { ecu, code: self.of.code, values })
    }
}

/// By name where the identifier is a PID, else by its number with the bytes, as far as they fit a word.
fn values(data: &Data) -> Vec<(String, Value)> {
    if let identifier::Content::Pid(item) = &data.content {
        if item.content != obd::item::Content::Raw {
            return obd::values(item).into_iter().map(|measured| (measured.name.into_owned(), measured.value)).collect();
        }
    }
    let hex: String = data.bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    hex.parse().map(|word| (format!("{:04X}", data.identifier), Value::Word(word))).into_iter().collect()
}

impl Snapshot {
    /// One record, and what follows it. Of a single record the last identifier has all bytes that are left.
    fn decode(bytes: &[u8], single: bool) -> Option<(Snapshot, &[u8])> {
        let [number, count, rest @ ..] = bytes else { return None };
        let mut rest = rest;
        let mut values = Vec::new();
        for left in (0..*count).rev() {
            let (high, low, data) = if let [high, low, data @ ..] = rest { (*high, *low, data) } else { return None };
            let identifier = u16::from_be_bytes([high, low]);
            let length = match identifier::length(identifier) {
                Some(length) => length,
                None if single && left == 0 => data.len(),
                None => return None,
            };
            let (data, after) = data.split_at_checked(length)?;
            values.push(Data::decode(identifier, data));
            rest = after;
        }
        (*count > 0).then_some((Snapshot { number: *number, values }, rest))
    }
}

impl Extended {
    /// Reads what follows the sub-function; `record` is the one that was asked for.
    pub fn decode(sub: u8, bytes: &[u8], record: Option<u8>) -> Option<Extended> {
        let (of, rest) = head(bytes)?;
        let found = rest.split_first().filter(|_| !is_filling(rest)).map(|(number, data)| (*number, data.to_vec()));
        Some(Extended { sub, of, record: found, single: record.is_some_and(|record| !is_several(record)) })
    }

    /// What the ECU keeps, of the code that the status is of: a record where it is certain that it is one, else all there is.
    pub fn kept(&self, ecu: Ecu) -> Option<trouble::Extended> {
        let (number, data) = self.record.as_ref()?;
        // Two bytes cannot be those of one record, and another's number and bytes.
        let (number, bytes) = if self.single || data.len() <= 2 {
            (*number, data.clone())
        } else {
            (trouble::Extended::ALL, [&[*number], data.as_slice()].concat())
        };
        Some(trouble::Extended { ecu, code: self.of.code, number, bytes })
    }
}

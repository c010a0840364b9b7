//! The services of UDS (ISO 14229-1:2020), as an ECU answers them.

use super::ecu::{Ecu, Outcome, Refusal};
use super::memory::Entry;
use super::obd;

/// Every status bit is kept.
const AVAILABLE: u8 = 0xFF;
/// `DTCFormatIdentifier`: ISO 14229-1, two bytes of code and one of failure type.
const FORMAT: u8 = 0x01;
/// Of one request.
const MOST_IDENTIFIERS: usize = 16;
/// The one snapshot record, and the one extended data record: how often the code was set.
const SNAPSHOT: u8 = 0x01;
const OCCURRENCES: u8 = 0x01;
/// What a snapshot holds, by PID.
const SNAPSHOT_PIDS: [u8; 4] = [0x05, 0x0C, 0x0D, 0x42];
/// P2 50 ms, P2* 5 s (in 10 ms).
const TIMES: [u8; 4] = [0x00, 0x32, 0x01, 0xF4];

/// A sub-function, and whether its positive answer is wanted.
fn sub_function(byte: u8) -> (u8, bool) {
    (byte & 0x7F, byte & 0x80 == 0)
}

/// 10: the default session and the extended one.
pub(super) fn session(rest: &[u8]) -> Outcome {
    let &[byte] = rest else { return Err(Refusal::IncorrectLength) };
    let (session, wanted) = sub_function(byte);
    match session {
        0x01 | 0x03 => Ok(wanted.then(|| [&[0x50, session], TIMES.as_slice()].concat())),
        0x02 => Err(Refusal::ConditionsNotCorrect),
        _ => Err(Refusal::SubFunctionNotSupported),
    }
}

/// 3E.
pub(super) fn present(rest: &[u8]) -> Outcome {
    let &[byte] = rest else { return Err(Refusal::IncorrectLength) };
    match sub_function(byte) {
        (0, wanted) => Ok(wanted.then(|| vec![0x7E, 0])),
        _ => Err(Refusal::SubFunctionNotSupported),
    }
}

/// 22.
pub(super) fn identifiers(ecu: &Ecu, rest: &[u8]) -> Outcome {
    if rest.is_empty() || rest.len() % 2 != 0 || rest.len() > 2 * MOST_IDENTIFIERS {
        return Err(Refusal::IncorrectLength);
    }
    let mut answer = vec![0x62];
    for pair in rest.chunks_exact(2) {
        let &[high, low] = pair else { continue };
        if let Some(data) = identifier(ecu, high, low) {
            answer.extend([high, low]);
            answer.extend(data);
        }
    }
    if answer.len() == 1 { Err(Refusal::OutOfRange) } else { Ok(Some(answer)) }
}

/// The VIN, the name, PIDs (F4xx), information types (F8xx; SAE J1979-2), and what is the ECU's own.
fn identifier(ecu: &Ecu, high: u8, low: u8) -> Option<Vec<u8>> {
    let number = u16::from_be_bytes([high, low]);
    match (high, low) {
        (0xF1, 0x90) => ecu.vin.as_ref().map(|vin| vin.as_str().as_bytes().to_vec()),
        (0xF1, 0x97) => Some(ecu.name.as_bytes().to_vec()),
        (0xF4, pid) => obd::pid_of(ecu, pid).filter(|_| !ecu.pids.is_empty()),
        (0xF8, kind) => obd::information(ecu, kind).filter(|_| !ecu.pids.is_empty()),
        _ => ecu.identifiers.iter().find(|(known, _)| *known == number).map(|(_, data)| data.to_vec()),
    }
}

/// 19.
pub(super) fn codes(ecu: &Ecu, rest: &[u8]) -> Outcome {
    let (&byte, rest) = rest.split_first().ok_or(Refusal::IncorrectLength)?;
    let (report, wanted) = sub_function(byte);
    let mut answer = vec![0x59, report];
    match report {
        0x01 => answer.extend(count(ecu, rest)?),
        0x02 => answer.extend(by_status(ecu, rest)?),
        0x04 => answer.extend(snapshots(ecu, rest)?),
        0x06 => answer.extend(extended(ecu, rest)?),
        0x0A => answer.extend(supported(ecu, rest)?),
        _ => return Err(Refusal::SubFunctionNotSupported),
    }
    Ok(wanted.then_some(answer))
}

/// 19 01: how many codes have one of these status bits.
fn count(ecu: &Ecu, rest: &[u8]) -> Result<Vec<u8>, Refusal> {
    let &[mask] = rest else { return Err(Refusal::IncorrectLength) };
    let count = ecu.memory.entries().iter().filter(|entry| entry.status() & mask != 0).count();
    let [high, low] = u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes();
    Ok(vec![AVAILABLE, FORMAT, high, low])
}

/// 19 02: which.
fn by_status(ecu: &Ecu, rest: &[u8]) -> Result<Vec<u8>, Refusal> {
    let &[mask] = rest else { return Err(Refusal::IncorrectLength) };
    let listed = ecu.memory.entries().iter().filter(|entry| entry.status() & mask != 0);
    Ok([AVAILABLE].into_iter().chain(listed.flat_map(record)).collect())
}

/// 19 04: what was measured when this code was set.
fn snapshots(ecu: &Ecu, rest: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (entry, number) = chosen(ecu, rest)?;
    let mut answer = record(entry).to_vec();
    match number {
        SNAPSHOT | 0xFF => {}
        _ => return Err(Refusal::OutOfRange),
    }
    let values = SNAPSHOT_PIDS.iter().filter_map(|pid| Some((*pid, obd::measured(*pid, &entry.set)?))).collect::<Vec<_>>();
    answer.extend([SNAPSHOT, u8::try_from(values.len()).unwrap_or(u8::MAX)]);
    for (pid, data) in values {
        answer.extend([0xF4, pid]);
        answer.extend(data);
    }
    Ok(answer)
}

/// 19 06: how often it was set.
fn extended(ecu: &Ecu, rest: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (entry, number) = chosen(ecu, rest)?;
    match number {
        OCCURRENCES | 0xFE | 0xFF => Ok(record(entry).into_iter().chain([OCCURRENCES, entry.occurrences]).collect()),
        _ => Err(Refusal::OutOfRange),
    }
}

/// 19 0A: everything that it can notice, with the status of what it has.
fn supported(ecu: &Ecu, rest: &[u8]) -> Result<Vec<u8>, Refusal> {
    if !rest.is_empty() {
        return Err(Refusal::IncorrectLength);
    }
    let mut answer = vec![AVAILABLE];
    for known in ecu.knows {
        let [high, low] = known.code.to_be_bytes();
        let entry = ecu.memory.entries().iter().find(|entry| entry.fault.code == known.code);
        // Not failed, and tested since it was cleared.
        answer.extend([high, low, known.failure, entry.map_or(0, Entry::status)]);
    }
    Ok(answer)
}

/// The code and the record number that a request names.
fn chosen<'a>(ecu: &'a Ecu, rest: &[u8]) -> Result<(&'a Entry, u8), Refusal> {
    let &[high, low, failure, number] = rest else { return Err(Refusal::IncorrectLength) };
    let code = u16::from_be_bytes([high, low]);
    let is = |entry: &&Entry| (entry.fault.code, entry.fault.failure) == (code, failure);
    ecu.memory.entries().iter().find(is).map(|entry| (entry, number)).ok_or(Refusal::OutOfRange)
}

fn record(entry: &Entry) -> [u8; 4] {
    let [high, low] = entry.fault.code.to_be_bytes();
    [high, low, entry.fault.failure, entry.status()]
}

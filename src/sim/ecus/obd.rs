//! The modes of OBD-II (SAE J1979, ISO 15031-5), as an ECU on CAN answers them.

use super::Live;
use super::ecu::{Ecu, Outcome, Refusal};
use super::memory::Memory;

/// What the engine's ECU has.
pub(super) const ENGINE_PIDS: &[u8] = &[0x01, 0x05, 0x0C, 0x0D, 0x0F, 0x1C, 0x21, 0x2F, 0x31, 0x41, 0x42, 0x46, 0x51];
/// What the transmission's ECU has.
pub(super) const TRANSMISSION_PIDS: &[u8] = &[0x01, 0x0D, 0x1C, 0x42];
/// What of it is kept in a freeze frame.
const FROZEN: &[u8] = &[0x05, 0x0C, 0x0D, 0x0F, 0x2F, 0x42, 0x46];

/// Of one request: PIDs of mode 01, pairs of PID and frame of mode 02.
const MOST_PIDS: usize = 6;
const MOST_FROZEN: usize = 3;
/// Bytes of a calibration id, and of an ECU's name.
const CALIBRATION: usize = 16;
const NAME: usize = 20;

/// Monitors of a spark-ignition engine: misfire, fuel system, components; the catalyst, evaporation, oxygen sensors and
/// their heaters.
const CONTINUOUS: u8 = 0b0000_0111;
const OTHERS: u8 = 0b0110_0101;

/// Mode 01.
pub(super) fn current(ecu: &Ecu, pids: &[u8]) -> Outcome {
    if pids.is_empty() || pids.len() > MOST_PIDS {
        return Err(Refusal::SubFunctionNotSupported);
    }
    let mut answer = vec![0x41];
    for (at, pid) in pids.iter().enumerate() {
        let first = pids.iter().position(|other| other == pid) == Some(at);
        if let Some(data) = first.then(|| pid_of(ecu, *pid)).flatten() {
            answer.push(*pid);
            answer.extend(data);
        }
    }
    said(answer)
}

/// Mode 02: the one frame there is, number 0.
pub(super) fn frozen(ecu: &Ecu, pairs: &[u8]) -> Outcome {
    if pairs.is_empty() || pairs.len() % 2 != 0 || pairs.len() > 2 * MOST_FROZEN {
        return Err(Refusal::SubFunctionNotSupported);
    }
    let mut answer = vec![0x42];
    for pair in pairs.chunks_exact(2) {
        let &[pid, frame] = pair else { continue };
        if let Some(data) = (frame == 0).then(|| frozen_pid(ecu, pid)).flatten() {
            answer.extend([pid, frame]);
            answer.extend(data);
        }
    }
    said(answer)
}

/// Modes 03, 07 and 0A: on CAN a count stands before the codes.
pub(super) fn codes(service: u8, rest: &[u8], codes: impl Iterator<Item = u16>) -> Outcome {
    if !rest.is_empty() {
        return Err(Refusal::SubFunctionNotSupported);
    }
    let codes: Vec<u16> = codes.take(255).collect();
    let mut answer = vec![service, u8::try_from(codes.len()).unwrap_or(u8::MAX)];
    answer.extend(codes.iter().flat_map(|code| code.to_be_bytes()));
    Ok(Some(answer))
}

/// Mode 09: one kind of information a request.
pub(super) fn vehicle(ecu: &Ecu, rest: &[u8]) -> Outcome {
    let &[kind] = rest else { return Err(Refusal::SubFunctionNotSupported) };
    let mut answer = vec![0x49, kind];
    answer.extend(information(ecu, kind).ok_or(Refusal::SubFunctionNotSupported)?);
    Ok(Some(answer))
}

/// What mode 09 says behind the kind of information, the number of items before them.
pub(super) fn information(ecu: &Ecu, kind: u8) -> Option<Vec<u8>> {
    let has = |kind: u8| match kind {
        0x02 => ecu.vin.is_some(),
        0x04 | 0x06 => !ecu.calibrations.is_empty(),
        0x0A => !ecu.pids.is_empty(),
        _ => false,
    };
    if kind == 0 {
        return Some(bitmap(0, has).to_vec());
    }
    if !has(kind) {
        return None;
    }
    let count = u8::try_from(ecu.calibrations.len()).unwrap_or(u8::MAX);
    Some(match kind {
        0x02 => [&[1], ecu.vin.as_ref()?.as_str().as_bytes()].concat(),
        0x04 => [count].into_iter().chain(ecu.calibrations.iter().flat_map(|(id, _)| filled(id, CALIBRATION))).collect(),
        0x06 => [count].into_iter().chain(ecu.calibrations.iter().flat_map(|(_, number)| number.to_be_bytes())).collect(),
        _ => [1].into_iter().chain(filled(ecu.name, NAME)).collect(),
    })
}

/// Text, filled up with zeros.
fn filled(text: &str, length: usize) -> impl Iterator<Item = u8> + '_ {
    text.bytes().chain(std::iter::repeat(0)).take(length)
}

/// Nothing of what was asked for is there: silence.
fn said(answer: Vec<u8>) -> Outcome {
    Ok(Some(answer).filter(|answer| answer.len() > 1))
}

/// Which of the 32 after `base` there are. The last of them is there when anything follows it.
fn bitmap(base: u8, has: impl Fn(u8) -> bool) -> [u8; 4] {
    let there = |number: u8| if number % 0x20 == 0 { (number..=0xFF).any(&has) } else { has(number) };
    let bits = (1..=32).filter(|place| base.checked_add(*place).is_some_and(there));
    bits.fold(0_u32, |bits, place| bits | 1 << (32 - u32::from(place))).to_be_bytes()
}

/// The data of a PID.
pub(super) fn pid_of(ecu: &Ecu, pid: u8) -> Option<Vec<u8>> {
    if pid % 0x20 == 0 {
        let bits = bitmap(pid, |number| ecu.pids.contains(&number));
        return (pid == 0 || bits != [0; 4]).then(|| bits.to_vec());
    }
    if !ecu.pids.contains(&pid) {
        return None;
    }
    let (memory, live) = (&ecu.memory, &ecu.live);
    match pid {
        0x01 => Some(status(memory, live, memory.lamp(), memory.stored().count())),
        0x1C => Some(vec![6]),
        0x21 => Some(whole(memory.with_lamp(live)).to_vec()),
        0x31 => Some(whole(memory.since_cleared(live)).to_vec()),
        0x41 => Some(status(memory, live, false, 0)),
        0x51 => Some(vec![1]),
        _ => measured(pid, live),
    }
}

fn frozen_pid(ecu: &Ecu, pid: u8) -> Option<Vec<u8>> {
    let entry = ecu.memory.freeze();
    let there = |pid: u8| pid == 0x02 || FROZEN.contains(&pid) && ecu.pids.contains(&pid);
    match pid {
        0x02 => Some(entry.map_or(0, |entry| entry.fault.code).to_be_bytes().to_vec()),
        _ if pid % 0x20 == 0 => {
            let bits = bitmap(pid, there);
            (pid == 0 || bits != [0; 4]).then(|| bits.to_vec())
        }
        _ if there(pid) => measured(pid, &entry?.set),
        _ => None,
    }
}

/// PID 01, and 41 for this driving cycle: lamp and count, monitors that there are, monitors that are not complete.
fn status(memory: &Memory, live: &Live, lamp: bool, count: usize) -> Vec<u8> {
    let count = u8::try_from(count).unwrap_or(u8::MAX).min(0x7F);
    let incomplete = if memory.complete(live) { 0 } else { OTHERS };
    vec![u8::from(lamp) << 7 | count, CONTINUOUS, OTHERS, incomplete]
}

/// What is measured, by PID.
pub(super) fn measured(pid: u8, live: &Live) -> Option<Vec<u8>> {
    Some(match pid {
        0x05 => vec![byte(live.coolant + 40.0)],
        0x0C => whole(live.engine_speed * 4.0).to_vec(),
        0x0D => vec![byte(live.speed)],
        0x0F => vec![byte(live.intake + 40.0)],
        0x2F => vec![byte(live.fuel * 255.0 / 100.0)],
        0x42 => whole(live.voltage * 1000.0).to_vec(),
        0x46 => vec![byte(live.ambient + 40.0)],
        _ => return None,
    })
}

/// Rounded, and held within the range.
fn byte(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

fn whole(value: f64) -> [u8; 2] {
    (value.round().clamp(0.0, 65_535.0) as u16).to_be_bytes()
}

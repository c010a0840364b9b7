//! Lists of codes with their status.

use crate::vehicle::trouble::{Classes, Code, Listed};

/// A code with what its ECU says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Three bytes, as 19 04 and 19 06 want them.
    pub bytes: [u8; 3],
    /// The code.
    pub code: Code,
    /// The status byte.
    pub status: u8,
    /// Bits 7 to 5 how severe, 4 to 0 of which class, where the list tells it.
    pub severity: Option<u8>,
}

/// An answer that lists codes.
#[derive(Clone, Debug, PartialEq)]
pub struct Codes {
    /// Sub-function: 02 by status, 0A all, 42 of emissions, 55 permanent ones of emissions; also 0B to 0F, 13, 15, 08, 09,
    /// 14, 17, 1A, 56.
    pub sub: u8,
    /// Which bits of a status the ECU uses; `None` where the list has no status (14: fault detection counters).
    pub available: Option<u8>,
    /// How its codes are to be read, where told: 2 is SAE J1939-73.
    pub format: Option<u8>,
    /// The codes.
    pub codes: Vec<Status>,
    /// What stands after the last whole one; zeroes only fill up, and are left out.
    pub rest: Vec<u8>,
}

/// The bits of a status, from bit 0 (ISO 14229-1, Annex D).
pub const STATUS: [&str; 8] = [
    "testFailed",
    "testFailedThisOperationCycle",
    "pending",
    "confirmed",
    "testNotCompletedSinceLastClear",
    "testFailedSinceLastClear",
    "testNotCompletedThisOperationCycle",
    "warningIndicatorRequested",
];

/// Of which classes a list that was asked for with this mask is whole, where the ECU uses these bits.
pub fn covers(mask: u8, available: u8) -> Classes {
    classes(mask & available)
}

/// The classes that the bits of a status put a code in.
fn classes(status: u8) -> Classes {
    let each = [(0x01, Classes::ACTIVE), (0x04, Classes::PENDING), (0x08, Classes::STORED)];
    each.iter().filter(|(bit, _)| status & bit != 0).fold(Classes::NONE, |all, (_, class)| all.and(*class))
}

/// A code of three bytes.
pub fn code([a, b, c]: [u8; 3], format: Option<u8>) -> Code {
    if format == Some(2) {
        Code::J1939 { spn: u32::from(a) | u32::from(b) << 8 | u32::from(c >> 5) << 16, fmi: c & 0x1F }
    } else {
        Code::Iso { base: u16::from_be_bytes([a, b]), failure: Some(c) }
    }
}

/// The three bytes of a code, as 19 04 and 19 06 want them.
pub fn bytes(code: Code) -> [u8; 3] {
    match code {
        Code::Iso { base, failure } => {
            let [high, low] = base.to_be_bytes();
            [high, low, failure.unwrap_or_default()]
        }
        Code::J1939 { spn, fmi } => {
            let [low, middle, high, _] = spn.to_le_bytes();
            [low, middle, high << 5 | fmi & 0x1F]
        }
    }
}

impl Status {
    /// The same one, its code read in the format that its ECU uses (19 01).
    pub fn read_as(&mut self, format: u8) {
        self.code = code(self.bytes, Some(format));
    }
}

impl Codes {
    /// Reads the codes in the format that their ECU uses (19 01), where the list does not say it itself.
    pub fn read_as(&mut self, format: u8) {
        if self.format.is_none() {
            self.format = Some(format);
            self.codes.iter_mut().for_each(|code| code.read_as(format));
        }
    }

    /// Reads what follows the sub-function; `None` where that lists no codes, or ends before its list begins.
    pub fn decode(sub: u8, bytes: &[u8]) -> Option<Codes> {
        // What stands before the list, where the mask and the format are in it, and what before each code.
        let (head, mask, format, before) = match sub {
            0x02 | 0x0A..=0x0F | 0x13 | 0x15 => (1, Some(0), None, 0),
            0x08 | 0x09 => (1, Some(0), None, 2),
            0x14 => (0, None, None, 0),
            0x17 | 0x1A => (2, Some(if sub == 0x17 { 1 } else { 0 }), None, 0),
            0x42 => (4, Some(1), Some(3), 1),
            0x55 => (3, Some(1), Some(2), 0),
            0x56 => (4, Some(1), Some(2), 0),
            _ => return None,
        };
        let (start, list) = bytes.split_at_checked(head)?;
        let at = |place: Option<usize>| place.and_then(|place| start.get(place).copied());
        let (available, format) = (at(mask), at(format));
        let entries = list.chunks_exact(before + 4);
        let rest = entries.remainder();
        let codes = entries.filter_map(|entry| {
            let (lead, entry) = entry.split_at_checked(before)?;
            let [a, b, c, status] = *entry else { return None };
            let severity = lead.first().copied();
            (entry.iter().any(|byte| *byte != 0)).then(|| Status {
                bytes: [a, b, c],
                code: code([a, b, c], format),
                status,
                severity,
            })
        });
        let codes = codes.collect();
        let rest = if rest.iter().all(|byte| *byte == 0) { Vec::new() } else { rest.to_vec() };
        Some(Codes { sub, available, format, codes, rest })
    }

    /// The ECU's list: the codes that stand in a class, the permanent ones of 55 whatever their status. A list that was cut
    /// short is none.
    pub fn listed(&self) -> Option<Vec<Listed>> {
        let available = self.available.filter(|_| self.rest.is_empty())?;
        let listed = |code: &Status| {
            let status = code.status & available;
            let classes = if self.sub == 0x55 { Classes::PERMANENT } else { classes(status) };
            let mil = (available & 0x80 != 0).then_some(status & 0x80 != 0);
            (classes != Classes::NONE).then_some(Listed { code: code.code, classes, mil, occurrences: None })
        };
        Some(self.codes.iter().filter_map(listed).collect())
    }
}

/// The words for the bits of a status that the ECU uses.
pub fn status_words(status: u8, available: u8) -> impl Iterator<Item = &'static str> {
    STATUS.into_iter().enumerate().filter(move |(bit, _)| (status & available) >> bit & 1 == 1).map(|(_, word)| word)
}

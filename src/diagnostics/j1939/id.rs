//! What a 29 bit id says (SAE J1939-21, 5.2): priority, parameter group, from whom, to whom.

use super::pgn;
use crate::vehicle::{Frame, FrameKind};

/// The destination of what is for all.
pub const GLOBAL: u8 = 255;

/// The source of one that has no address.
pub const NULL: u8 = 254;

/// A 29 bit id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    /// 0, which goes first, to 7.
    pub priority: u8,
    /// The parameter group: extended data page, data page, PDU format and, of formats from 240 on (PDU2), its extension.
    /// 18 bits.
    pub pgn: u32,
    /// For whom, of formats to 239 (PDU1); [`GLOBAL`] of PDU2.
    pub destination: u8,
    /// Whose.
    pub source: u8,
}

impl Id {
    /// Of a J1939 data frame. `None` where the frame is of another kind, or of ISO 15765.
    pub fn of(frame: &Frame) -> Option<Id> {
        let data = frame.extended && frame.kind == FrameKind::Classical;
        let id = Id::from_raw(frame.id);
        let iso_15765 = matches!(id.pgn, pgn::ISO_TP_PHYSICAL | pgn::ISO_TP_FUNCTIONAL) || id.pgn >> 16 == 3;
        (data && !iso_15765).then_some(id)
    }

    /// Takes 29 bits apart.
    pub fn from_raw(raw: u32) -> Id {
        let [high, format, specific, source] = raw.to_be_bytes();
        let group = (raw >> 8) & 0x3FFFF;
        let (pgn, destination) = if format < 240 { (group & 0x3FF00, specific) } else { (group, GLOBAL) };
        Id { priority: (high >> 2) & 7, pgn, destination, source }
    }

    /// Puts them together.
    pub fn raw(self) -> u32 {
        let pgn = whole(self.pgn);
        let to = if is_addressed(pgn) { u32::from(self.destination) } else { 0 };
        (u32::from(self.priority & 7) << 26) | ((pgn | to) << 8) | u32::from(self.source)
    }
}

/// Whether a group is sent to an address (PDU1).
fn is_addressed(pgn: u32) -> bool {
    (pgn >> 8) & 0xFF < 240
}

/// A parameter group's number as 18 bits, without the byte that stands for the destination.
pub(super) fn whole(pgn: u32) -> u32 {
    if is_addressed(pgn) { pgn & 0x3FF00 } else { pgn & 0x3FFFF }
}

/// Such a number as it stands in a message: three bytes, the least first.
pub(super) fn number(bytes: [u8; 3]) -> u32 {
    let [low, middle, high] = bytes;
    whole(u32::from_le_bytes([low, middle, high, 0]))
}

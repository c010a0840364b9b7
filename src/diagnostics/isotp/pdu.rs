//! What one frame says (ISO 15765-2, 9.6): single, first, consecutive, flow control.

use std::time::Duration;

use super::USUAL_LENGTH;

/// What a frame says, behind its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pdu<'a> {
    /// A whole message.
    Single(&'a [u8]),
    /// The beginning of one.
    First {
        /// Bytes of the whole; more than `data`.
        length: u32,
        /// Bytes in each frame that follows, save the last: what `RX_DL` leaves.
        room: usize,
        /// Its first bytes.
        data: &'a [u8],
    },
    /// The next part of one.
    Consecutive {
        /// 0 to 15, beginning with 1.
        sequence: u8,
        /// What follows, with padding in the last.
        data: &'a [u8],
    },
    /// How to go on.
    Flow(Flow),
}

impl<'a> Pdu<'a> {
    /// Reads what stands in a frame behind the `taken` bytes (0 or 1) of its address. `None` is what the standard wants
    /// ignored: an unknown type, or a length that cannot be.
    pub fn read(bytes: &'a [u8], taken: usize) -> Option<Pdu<'a>> {
        let frame_length = bytes.len().checked_add(taken)?;
        let (&first, rest) = bytes.split_first()?;
        let low = first & 0x0F;
        match first >> 4 {
            0 if frame_length <= 8 => single(low, rest),
            0 if low == 0 => rest.split_first().and_then(|(length, rest)| single(*length, rest)),
            1 if frame_length >= 8 => begin(low, rest, frame_length, taken),
            2 if !rest.is_empty() => Some(Pdu::Consecutive { sequence: low, data: rest }),
            3 => Flow::read(low, rest).map(Pdu::Flow),
            _ => None,
        }
    }

    /// How many consecutive frames a first one announces; of others none follow.
    pub fn announces(&self) -> u32 {
        let Pdu::First { length, room, data } = self else { return 0 };
        let rest = length.saturating_sub(u32::try_from(data.len()).unwrap_or_default());
        rest.div_ceil(u32::try_from(*room).unwrap_or_default().max(1))
    }
}

/// 9.6.2: a length of 0, or of more than there is room for, is ignored.
fn single(length: u8, rest: &[u8]) -> Option<Pdu<'_>> {
    rest.get(..usize::from(length)).filter(|data| !data.is_empty()).map(Pdu::Single)
}

/// 9.6.3: 12 bits of length, or 0 and 32 bits where 12 do not suffice. What would have fitted a single frame is ignored.
fn begin(low: u8, rest: &[u8], frame_length: usize, taken: usize) -> Option<Pdu<'_>> {
    let (&[next], rest) = rest.split_first_chunk()?;
    let (length, data) = match u32::from(u16::from_be_bytes([low, next])) {
        0 => rest
            .split_first_chunk()
            .map(|(bytes, data)| (u32::from_be_bytes(*bytes), data))
            .filter(|(length, _)| *length > u32::from(USUAL_LENGTH))?,
        length => (length, rest),
    };
    let least = single_room(frame_length, taken) + 1;
    let room = frame_length.saturating_sub(taken + 1);
    (length as usize >= least).then_some(Pdu::First { length, room, data })
}

/// The most bytes of a single frame, where a full frame has `frame_length` bytes and the address takes `taken` of them.
pub(super) const fn single_room(frame_length: usize, taken: usize) -> usize {
    frame_length.saturating_sub(taken + if frame_length > 8 { 2 } else { 1 })
}

/// Flow control (9.6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Whether to go on.
    pub status: Status,
    /// Consecutive frames until the next flow control; 0 is no limit.
    pub block_size: u8,
    /// `STmin` as sent.
    pub separation: u8,
}

/// The flow status (9.6.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Go on.
    Continue,
    /// Wait for another flow control.
    Wait,
    /// The message is too long: end.
    Overflow,
    /// One of the reserved values, 3 to 15: end.
    Invalid(u8),
}

impl Flow {
    fn read(status: u8, rest: &[u8]) -> Option<Flow> {
        let &[block_size, separation, ..] = rest else { return None };
        let status = match status {
            0 => Status::Continue,
            1 => Status::Wait,
            2 => Status::Overflow,
            other => Status::Invalid(other),
        };
        Some(Flow { status, block_size, separation })
    }

    /// The three bytes of it.
    pub const fn bytes(self) -> [u8; 3] {
        let status = match self.status {
            Status::Continue => 0,
            Status::Wait => 1,
            Status::Overflow => 2,
            Status::Invalid(other) => other & 0x0F,
        };
        [0x30 | status, self.block_size, self.separation]
    }

    /// The least time between two consecutive frames (9.6.5.4): reserved values mean the longest, 127 ms.
    pub const fn separation_time(self) -> Duration {
        match self.separation {
            ms @ 0..=127 => Duration::from_millis(ms as u64),
            tenths @ 0xF1..=0xF9 => Duration::from_micros((tenths - 0xF0) as u64 * 100),
            _ => Duration::from_millis(127),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(first: &[u8], length: usize) -> Vec<u8> {
        let mut bytes = first.to_vec();
        bytes.resize(length, 0xCC);
        bytes
    }

    #[test]
    fn single_frames_with_a_length_that_cannot_be_are_ignored() {
        let data = |first: &[u8], length, taken| match Pdu::read(&of(first, length), taken) {
            Some(Pdu::Single(data)) => Some(data.len()),
            _ => None,
        };
        for (what, first, length, taken, expected) in [
            ("SF_DL 0", &[0x00_u8][..], 8, 0, None),
            ("SF_DL 7", &[0x07], 8, 0, Some(7)),
            ("SF_DL 8", &[0x08], 8, 0, None),
            ("SF_DL 6 in extended addressing", &[0x06], 7, 1, Some(6)),
            ("SF_DL 7 in extended addressing", &[0x07], 7, 1, None),
            ("more than the frame has", &[0x04], 4, 0, None),
            ("no padding", &[0x03], 4, 0, Some(3)),
            ("CAN FD with up to 8 bytes has no escape", &[0x00, 0x03], 8, 0, None),
            ("CAN FD, escape", &[0x00, 62], 64, 0, Some(62)),
            ("CAN FD, escape, one too many", &[0x00, 63], 64, 0, None),
            ("CAN FD, escape, extended", &[0x00, 61], 63, 1, Some(61)),
            ("CAN FD, escape, 0", &[0x00, 0], 64, 0, None),
            ("CAN FD above 8 bytes must have the escape", &[0x05], 12, 0, None),
        ] {
            assert_eq!(data(first, length, taken), expected, "{what}");
        }
    }

    #[test]
    fn first_frames_with_a_length_that_cannot_be_are_ignored() {
        let read = |first: &[u8], length, taken| match Pdu::read(&of(first, length), taken) {
            Some(Pdu::First { length, room, data }) => Some((length, room, data.len())),
            _ => None,
        };
        for (what, first, length, taken, expected) in [
            ("would fit a single frame", &[0x10_u8, 7][..], 8, 0, None),
            ("the shortest", &[0x10, 8], 8, 0, Some((8, 7, 6))),
            ("the shortest in extended addressing", &[0x10, 7], 7, 1, Some((7, 6, 5))),
            ("the longest of 12 bits", &[0x1F, 0xFF], 8, 0, Some((4095, 7, 6))),
            ("a frame of less than 8 bytes", &[0x10, 20], 7, 0, None),
            ("CAN FD: would fit a single frame", &[0x10, 62], 64, 0, None),
            ("CAN FD: the shortest", &[0x10, 63], 64, 0, Some((63, 63, 62))),
            ("CAN FD: the shortest in extended addressing", &[0x10, 62], 63, 1, Some((62, 62, 61))),
            ("escape", &[0x10, 0, 0, 0, 0x10, 0x00], 8, 0, Some((4096, 7, 2))),
            ("escape without need", &[0x10, 0, 0, 0, 0x0F, 0xFF], 8, 0, None),
            ("escape, the longest", &[0x10, 0, 0xFF, 0xFF, 0xFF, 0xFF], 8, 0, Some((u32::MAX, 7, 2))),
        ] {
            assert_eq!(read(first, length, taken), expected, "{what}");
        }
    }

    #[test]
    fn the_rest_is_read_as_clause_9_6_has_it() {
        assert_eq!(Pdu::read(&[0x2F, 1, 2], 0), Some(Pdu::Consecutive { sequence: 15, data: &[1, 2] }));
        let flow = |bytes: &[u8]| match Pdu::read(bytes, 0) {
            Some(Pdu::Flow(flow)) => Some((flow.status, flow.block_size, flow.separation_time().as_micros())),
            _ => None,
        };
        assert_eq!(flow(&[0x30, 8, 127]), Some((Status::Continue, 8, 127_000)));
        assert_eq!(flow(&[0x31, 0, 0xF1]), Some((Status::Wait, 0, 100)));
        assert_eq!(flow(&[0x32, 0, 0xF9, 0xCC]), Some((Status::Overflow, 0, 900)));
        assert_eq!(flow(&[0x33, 0, 0xF0]), Some((Status::Invalid(3), 0, 127_000)));
        assert_eq!(flow(&[0x30, 0, 0x80]), Some((Status::Continue, 0, 127_000)));
        assert_eq!(flow(&[0x30, 0, 0xFA]), Some((Status::Continue, 0, 127_000)));
        for bytes in [&[0x30, 0][..], &[0x20], &[0x40, 1, 2], &[]] {
            assert_eq!(Pdu::read(bytes, 0), None, "{bytes:?}");
        }
    }
}

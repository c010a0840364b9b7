//! Whose frames are whose (ISO 15765-2, 10.3; for OBD ISO 15765-4, 10.5), and what a frame looks like on the wire.

use crate::can::ArbitrationId;
use crate::clock::Boot;
use crate::vehicle::trouble::Ecu;
use crate::vehicle::{Frame, FrameKind};

/// Lengths that a CAN FD frame can have above 8 bytes (ISO 11898-1).
const FD_LENGTHS: [u8; 7] = [12, 16, 20, 24, 32, 48, 64];
/// What fills frames up: no bit need be stuffed (ISO 15765-2, 10.4.2.1).
const PADDING: u8 = 0xCC;

const FIXED_PHYSICAL: u32 = 0x18DA_0000;
const FIXED_FUNCTIONAL: u32 = 0x18DB_0000;
const MIXED_PHYSICAL: u32 = 0x18CE_0000;
const MIXED_FUNCTIONAL: u32 = 0x18CD_0000;

const fn standard(id: u16) -> ArbitrationId {
    ArbitrationId { id: id as u32 & 0x7FF, extended: false }
}

const fn targeted(base: u32, target: u8, source: u8) -> ArbitrationId {
    ArbitrationId { id: base | (target as u32) << 8 | source as u32, extended: true }
}

/// Where requests go, and where their answers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    transmit: ArbitrationId,
    /// First data byte of each frame sent: target address (extended), address extension (mixed).
    prefix: Option<u8>,
    answers: Answers,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    /// One ECU, with this id and, in extended and mixed addressing, this first byte.
    One { receive: ArbitrationId, prefix: Option<u8> },
    /// Those of `7E8` to `7EF`.
    Legislated,
    /// Each that sends to `source` by a normal fixed id.
    Fixed { source: u8 },
    /// Each that sends to `source` by a mixed 29 bit id with this extension.
    Mixed { source: u8, extension: u8 },
}

impl Address {
    /// Normal addressing, 11 or 29 bits: an id each way.
    pub const fn normal(transmit: ArbitrationId, receive: ArbitrationId) -> Address {
        Address { transmit, prefix: None, answers: Answers::One { receive, prefix: None } }
    }

    /// Normal fixed addressing: `18DAttss` to the ECU, `18DAsstt` from it.
    pub const fn fixed(target: u8, source: u8) -> Address {
        Address::normal(targeted(FIXED_PHYSICAL, target, source), targeted(FIXED_PHYSICAL, source, target))
    }

    /// Extended addressing: the first data byte of a request is `target`, that of an answer `source`.
    pub const fn extended(transmit: ArbitrationId, receive: ArbitrationId, target: u8, source: u8) -> Address {
        Address { transmit, prefix: Some(target), answers: Answers::One { receive, prefix: Some(source) } }
    }

    /// Mixed addressing with 11 bit ids: the first data byte is the same `extension` both ways.
    pub const fn mixed(transmit: ArbitrationId, receive: ArbitrationId, extension: u8) -> Address {
        Address::extended(transmit, receive, extension, extension)
    }

    /// Mixed addressing with 29 bit ids: `18CEttss` to the ECU, `18CEsstt` from it.
    pub const fn mixed_fixed(target: u8, source: u8, extension: u8) -> Address {
        let (to, from) = (targeted(MIXED_PHYSICAL, target, source), targeted(MIXED_PHYSICAL, source, target));
        Address::mixed(to, from, extension)
    }

    /// The `n`th of the eight ECUs that emissions law knows: `7E0 + n`, answering with `7E8 + n`.
    pub const fn obd(n: u8) -> Option<Address> {
        if n > 7 {
            return None;
        }
        Some(Address::normal(standard(0x7E0 + n as u16), standard(0x7E8 + n as u16)))
    }

    /// All of those eight at once, `7DF`: single frames only.
    pub const fn obd_functional() -> Address {
        Address { transmit: standard(0x7DF), prefix: None, answers: Answers::Legislated }
    }

    /// Every ECU that hears `18DBttss` (for OBD `target` is 33, `source` F1): single frames only.
    pub const fn fixed_functional(target: u8, source: u8) -> Address {
        Address { transmit: targeted(FIXED_FUNCTIONAL, target, source), prefix: None, answers: Answers::Fixed { source } }
    }

    /// Every ECU that hears `18CDttss` with this extension: single frames only.
    pub const fn mixed_functional(target: u8, source: u8, extension: u8) -> Address {
        let transmit = targeted(MIXED_FUNCTIONAL, target, source);
        Address { transmit, prefix: Some(extension), answers: Answers::Mixed { source, extension } }
    }

    /// The id of what is sent.
    pub const fn transmit(&self) -> ArbitrationId {
        self.transmit
    }

    /// The id of what comes back; `None` where several may answer.
    pub const fn receive(&self) -> Option<ArbitrationId> {
        match self.answers {
            Answers::One { receive, .. } => Some(receive),
            _ => None,
        }
    }

    /// First data byte of what is sent, where there is one.
    pub const fn transmit_prefix(&self) -> Option<u8> {
        self.prefix
    }

    /// First data byte of what comes back, where there is one.
    pub const fn receive_prefix(&self) -> Option<u8> {
        match self.answers {
            Answers::One { prefix, .. } => prefix,
            Answers::Mixed { extension, .. } => Some(extension),
            Answers::Legislated | Answers::Fixed { .. } => None,
        }
    }

    /// Whether this is a question to all, to which no flow control can be given.
    pub const fn is_functional(&self) -> bool {
        !matches!(self.answers, Answers::One { .. })
    }

    /// The same link as the ECU sees it; `None` where there is more than one.
    pub const fn other_end(&self) -> Option<Address> {
        match self.answers {
            Answers::One { receive, prefix } => {
                let answers = Answers::One { receive: self.transmit, prefix: self.prefix };
                Some(Address { transmit: receive, prefix, answers })
            }
            _ => None,
        }
    }

    /// The ECU that answers, by its id; `None` where several may.
    pub fn ecu(&self) -> Option<Ecu> {
        let ArbitrationId { id, extended } = self.receive()?;
        match u16::try_from(id) {
            Ok(id) if !extended => Some(Ecu::Normal(id)),
            _ => Some(Ecu::Fixed(id)),
        }
    }

    /// The addresses of those that may answer, where these are known beforehand: not for `18DB` and `18CD`.
    pub fn partners(&self) -> Option<heapless::Vec<Address, 8>> {
        match self.answers {
            Answers::One { .. } => Some([*self].into_iter().collect()),
            Answers::Legislated => Some((0..8).filter_map(Address::obd).collect()),
            Answers::Fixed { .. } | Answers::Mixed { .. } => None,
        }
    }

    /// An id and a mask that let through every frame that may be an answer: `id & mask` of such a frame is the first.
    pub const fn filter(&self) -> (ArbitrationId, u32) {
        match self.answers {
            Answers::One { receive, .. } => (receive, 0x1FFF_FFFF),
            Answers::Legislated => (standard(0x7E8), 0x7F8),
            Answers::Fixed { source } => (targeted(FIXED_PHYSICAL, source, 0), 0x1FFF_FF00),
            Answers::Mixed { source, .. } => (targeted(MIXED_PHYSICAL, source, 0), 0x1FFF_FF00),
        }
    }

    /// The address of the one ECU that sent `frame`, when it is one of those that answer here.
    pub fn answering(&self, frame: &Frame) -> Option<Address> {
        let (id, mask) = self.filter();
        if frame.extended != id.extended || frame.id & mask != id.id {
            return None;
        }
        let [.., last] = frame.id.to_be_bytes();
        let address = match self.answers {
            Answers::One { .. } => *self,
            Answers::Legislated => Address::obd(last & 7)?,
            Answers::Fixed { source } => Address::fixed(last, source),
            Answers::Mixed { source, extension } => Address::mixed_fixed(last, source, extension),
        };
        address.bytes(frame).map(|_| address)
    }

    /// Of a frame that came from here what follows the address, and how many bytes of it the address took.
    pub fn bytes<'a>(&self, frame: &'a Frame) -> Option<(&'a [u8], usize)> {
        let receive = self.receive()?;
        if !matches!(frame.kind, FrameKind::Classical | FrameKind::Fd)
            || (frame.id, frame.extended) != (receive.id, receive.extended)
        {
            return None;
        }
        match self.receive_prefix() {
            None => Some((&frame.data, 0)),
            Some(prefix) => frame.data.split_first().filter(|(first, _)| **first == prefix).map(|(_, rest)| (rest, 1)),
        }
    }

    /// A frame to there: `head` and `body` behind the address, filled up as `wire` wants.
    pub(super) fn frame(&self, at: Boot, wire: Wire, head: &[u8], body: &[u8]) -> Frame {
        let bytes = self.prefix.iter().chain(head).chain(body).copied().take(64);
        let mut data: heapless::Vec<u8, 64> = bytes.collect();
        let _ = data.resize(wire.frame_length(data.len()), wire.padding.unwrap_or(PADDING));
        let kind = if wire.fd { FrameKind::Fd } else { FrameKind::Classical };
        Frame { at, kind, id: self.transmit.id, extended: self.transmit.extended, data }
    }
}

/// What frames look like (ISO 15765-2, 10.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    fd: bool,
    /// `TX_DL`: bytes of a full frame.
    length: u8,
    padding: Option<u8>,
}

impl Wire {
    /// What OBD requires: classical frames, always of 8 bytes, filled up with `CC`.
    pub const OBD: Wire = Wire::classical(Some(PADDING));

    /// Classical frames of 8 bytes; without padding the last may be shorter.
    pub const fn classical(padding: Option<u8>) -> Wire {
        Wire { fd: false, length: 8, padding }
    }

    /// CAN FD frames of up to `length` bytes; `None` where that is not 8, 12, 16, 20, 24, 32, 48 or 64. Above 8 bytes the
    /// last is filled up to such a length, and that with `CC` where no padding is given.
    pub fn fd(length: u8, padding: Option<u8>) -> Option<Wire> {
        (length == 8 || FD_LENGTHS.contains(&length)).then_some(Wire { fd: true, length, padding })
    }

    /// Whether these are CAN FD frames.
    pub const fn is_fd(self) -> bool {
        self.fd
    }

    /// `TX_DL`: bytes of a full frame.
    pub const fn length(self) -> usize {
        self.length as usize
    }

    /// What fills frames up.
    pub const fn padding(self) -> Option<u8> {
        self.padding
    }

    /// Bytes of the frame that carries `used`.
    fn frame_length(self, used: usize) -> usize {
        match self.padding {
            None if used <= 8 => used,
            Some(_) if used <= 8 => 8,
            _ => FD_LENGTHS.into_iter().map(usize::from).find(|length| *length >= used).unwrap_or(used),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(id: u32, extended: bool, data: &[u8]) -> Frame {
        let data = heapless::Vec::from_slice(data).unwrap();
        Frame { at: Boot::default(), kind: FrameKind::Classical, id, extended, data }
    }

    fn id(id: u32) -> ArbitrationId {
        ArbitrationId { id, extended: id > 0x7FF }
    }

    #[test]
    fn each_way_of_addressing_has_its_ids_and_first_bytes() {
        let of = |address: Address| {
            let first = |byte: Option<u8>| byte.map_or(-1, i32::from);
            (
                address.transmit().id,
                first(address.transmit_prefix()),
                address.receive().map_or(0, |id| id.id),
                first(address.receive_prefix()),
            )
        };
        assert_eq!(of(Address::obd(7).unwrap()), (0x7E7, -1, 0x7EF, -1));
        assert_eq!(Address::obd(8), None);
        assert_eq!(of(Address::fixed(0x10, 0xF1)), (0x18DA_10F1, -1, 0x18DA_F110, -1));
        assert_eq!(of(Address::extended(id(0x6F1), id(0x612), 0x12, 0xF1)), (0x6F1, 0x12, 0x612, 0xF1));
        assert_eq!(of(Address::mixed(id(0x700), id(0x708), 0x55)), (0x700, 0x55, 0x708, 0x55));
        assert_eq!(of(Address::mixed_fixed(0x10, 0xF1, 0x55)), (0x18CE_10F1, 0x55, 0x18CE_F110, 0x55));
        assert_eq!(of(Address::obd_functional()), (0x7DF, -1, 0, -1));
        assert_eq!(of(Address::fixed_functional(0x33, 0xF1)), (0x18DB_33F1, -1, 0, -1));
        assert_eq!(of(Address::mixed_functional(0x33, 0xF1, 0x55)), (0x18CD_33F1, 0x55, 0, 0x55));
        assert_eq!(Address::fixed(0x10, 0xF1).other_end(), Some(Address::fixed(0xF1, 0x10)));
        assert_eq!(Address::obd(0).unwrap().ecu(), Some(Ecu::Normal(0x7E8)));
        assert_eq!(Address::fixed(0x10, 0xF1).ecu(), Some(Ecu::Fixed(0x18DA_F110)));
    }

    #[test]
    fn a_question_to_all_is_answered_by_each() {
        let who = |to: Address, id, extended, data: &[u8]| to.answering(&frame(id, extended, data));
        let obd = Address::obd_functional();
        assert_eq!(who(obd, 0x7EA, false, &[1, 2]), Address::obd(2));
        assert_eq!(who(obd, 0x7E0, false, &[1, 2]), None);
        assert_eq!(who(obd, 0x7EA, true, &[1, 2]), None, "29 bits are another id");
        let fixed = Address::fixed_functional(0x33, 0xF1);
        assert_eq!(who(fixed, 0x18DA_F127, true, &[1, 2]), Some(Address::fixed(0x27, 0xF1)));
        assert_eq!(who(fixed, 0x18DA_F227, true, &[1, 2]), None, "to another tester");
        let mixed = Address::mixed_functional(0x33, 0xF1, 0x55);
        assert_eq!(who(mixed, 0x18CE_F127, true, &[0x55, 2]), Some(Address::mixed_fixed(0x27, 0xF1, 0x55)));
        assert_eq!(who(mixed, 0x18CE_F127, true, &[0x56, 2]), None);
        assert_eq!(who(mixed, 0x18CE_F127, true, &[]), None);
    }

    #[test]
    fn frames_are_filled_up_as_the_wire_wants() {
        let length = |wire: Wire, used| wire.frame_length(used);
        assert_eq!([1, 8].map(|used| length(Wire::OBD, used)), [8, 8]);
        assert_eq!([1, 8].map(|used| length(Wire::classical(None), used)), [1, 8]);
        let fd = Wire::fd(64, None).unwrap();
        assert_eq!([3, 9, 12, 13, 25, 49, 64].map(|used| length(fd, used)), [3, 12, 12, 16, 32, 64, 64]);
        assert_eq!(Wire::fd(10, None), None);
        let sent = Address::mixed_fixed(0x10, 0xF1, 0x55).frame(Boot::default(), Wire::OBD, &[1], &[0x3E]);
        assert_eq!((sent.id, &sent.data[..]), (0x18CE_10F1, &[0x55, 1, 0x3E, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC][..]));
    }
}

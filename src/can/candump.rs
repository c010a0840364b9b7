//! One line of a `candump -L` log, both ways.
//!
//! ```text
//! (1771545600.000090) can0 541#0011223344556677      classical, 11-bit id (3 digits), 0 to 8 bytes
//! (1771545600.000090) can0 18FEF100#00               29-bit id (8 digits)
//! (1771545600.000090) can0 541#R4                    remote frame
//! (1771545600.000090) can0 541##1001122              CAN FD: a flags digit, then 0 to 64 bytes of any number
//! (1771545600.000090) can0 20000040#0000000000000000 error frame: bit 29 is set, the rest are class bits
//! ```
//!
//! The notation is that of can-utils (`lib.h`, `sprint_canframe`): a classical frame may end in `_` and its raw DLC (9 to
//! F), and a direction (`R`, `T`) may follow the frame. An FD line of a length that no wire carries, such as 9, is taken
//! as it stands. Nothing is allocated.

use std::fmt;

use crate::clock::Boot;
use crate::vehicle::{Frame, FrameKind};

/// Longest line looked at, in bytes. An FD frame with 64 bytes on an interface with a name of 15 takes 177.
pub const MAX_LINE: usize = 256;

/// Bit of an 8-digit id that marks an error frame (`CAN_ERR_FLAG`).
const ERROR_FLAG: u32 = 0x2000_0000;
const EXTENDED_MAX: u32 = 0x1FFF_FFFF;
const STANDARD_MAX: u32 = 0x7FF;

/// A line of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'a> {
    /// The interface on which the frame was seen.
    pub interface: &'a str,
    /// The frame; `at` is the log's own time, µs since its epoch.
    pub frame: Frame,
}

/// Why a line is none of `candump -L`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// No time in brackets first.
    #[error("a line begins with its time in seconds, as in `(1771545600.000090)`")]
    Time,
    /// No interface second.
    #[error("the name of an interface follows the time, as in `(1771545600.000090) can0 541#00`")]
    Interface,
    /// No frame third, or no `#` in it.
    #[error("a frame follows the interface, as in `541#0011`")]
    Frame,
    /// Not 3 or 8 hexadecimal digits, or more than 11 or 29 bits.
    #[error("an id has 3 hexadecimal digits (to 7FF) or 8 (to 1FFFFFFF; error frames from 20000000)")]
    Id,
    /// Not pairs of hexadecimal digits.
    #[error("data is an even number of hexadecimal digits")]
    Digits,
    /// More than 8 bytes in a classical frame.
    #[error("a classical frame has at most 8 bytes; CAN FD is written with `##`")]
    Classical,
    /// More than 64 bytes.
    #[error("a CAN FD frame has at most 64 bytes")]
    Fd,
    /// No flags digit after `##`.
    #[error("a digit of flags follows `##`")]
    Flags,
    /// More than a direction after the frame.
    #[error("nothing follows the frame but a direction, `R` or `T`")]
    Rest,
    /// Longer than [`MAX_LINE`].
    #[error("a line has at most {MAX_LINE} bytes")]
    Long,
}

impl<'a> Line<'a> {
    /// Reads one line, with or without its line end.
    pub fn parse(line: &'a [u8]) -> Result<Line<'a>, Malformed> {
        if line.len() > MAX_LINE {
            return Err(Malformed::Long);
        }
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let at = words.next().and_then(time).ok_or(Malformed::Time)?;
        let interface = words.next().and_then(|word| std::str::from_utf8(word).ok()).ok_or(Malformed::Interface)?;
        let mut frame = frame(words.next().ok_or(Malformed::Frame)?)?;
        frame.at = at;
        match (words.next(), words.next()) {
            (None | Some(b"R" | b"T" | b"RX" | b"TX" | b"Rx" | b"Tx"), None) => Ok(Line { interface, frame }),
            _ => Err(Malformed::Rest),
        }
    }
}

/// `(1771545600.000090)`; digits beyond the microsecond are let go.
fn time(word: &[u8]) -> Option<Boot> {
    let inner = word.strip_prefix(b"(")?.strip_suffix(b")")?;
    let point = inner.iter().position(|b| *b == b'.').unwrap_or(inner.len());
    let (seconds, fraction) = (inner.get(..point)?, inner.get(point..)?);
    if seconds.is_empty() || seconds.len() > 12 || fraction.len() == 1 || fraction.len() > 10 {
        return None;
    }
    let mut micros = decimal(seconds)?;
    let fraction = fraction.get(1..).unwrap_or_default();
    decimal(fraction)?;
    for place in 0..6 {
        micros = micros * 10 + fraction.get(place).map_or(0, |digit| i64::from(digit - b'0'));
    }
    Some(Boot::from_micros(micros))
}

/// At most 12 digits; none is zero.
fn decimal(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))
}

fn frame(word: &[u8]) -> Result<Frame, Malformed> {
    let hash = word.iter().position(|b| *b == b'#').ok_or(Malformed::Frame)?;
    let (id_digits, rest) = word.split_at_checked(hash).ok_or(Malformed::Frame)?;
    let (kind, id, extended) = identifier(id_digits)?;
    let mut frame = Frame { at: Boot::default(), kind, id, extended, data: heapless::Vec::new() };
    match rest {
        [_, b'#', fd @ ..] => {
            let (flags, digits) = fd.split_first().ok_or(Malformed::Flags)?;
            nibble(*flags).ok_or(Malformed::Flags)?;
            if kind == FrameKind::Error {
                return Err(Malformed::Id);
            }
            frame.kind = FrameKind::Fd;
            bytes(digits, &mut frame.data)?;
        }
        [_, b'R' | b'r', length @ ..] => {
            let (length, raw) = raw_dlc(length);
            if length.len() > 1 || !length.iter().all(|b| (b'0'..=b'8').contains(b)) || (raw && length != b"8") {
                return Err(Malformed::Digits);
            }
            if kind == FrameKind::Error {
                return Err(Malformed::Id);
            }
            frame.kind = FrameKind::Remote;
        }
        [_, digits @ ..] => {
            let (digits, raw) = raw_dlc(digits);
            if digits.len() > 16 {
                return Err(Malformed::Classical);
            }
            if raw && digits.len() != 16 {
                return Err(Malformed::Digits);
            }
            bytes(digits, &mut frame.data)?;
        }
        [] => return Err(Malformed::Frame),
    }
    Ok(frame)
}

fn identifier(digits: &[u8]) -> Result<(FrameKind, u32, bool), Malformed> {
    let mut id = 0_u32;
    for digit in digits.iter().take(8) {
        id = id << 4 | u32::from(nibble(*digit).ok_or(Malformed::Id)?);
    }
    match digits.len() {
        3 if id <= STANDARD_MAX => Ok((FrameKind::Classical, id, false)),
        8 if id <= EXTENDED_MAX => Ok((FrameKind::Classical, id, true)),
        8 if id <= ERROR_FLAG | EXTENDED_MAX => Ok((FrameKind::Error, id & EXTENDED_MAX, false)),
        _ => Err(Malformed::Id),
    }
}

/// Takes off `_` and a raw DLC of 9 to F, and says whether there was one.
fn raw_dlc(digits: &[u8]) -> (&[u8], bool) {
    match digits {
        [digits @ .., b'_', b'9' | b'A'..=b'F' | b'a'..=b'f'] => (digits, true),
        _ => (digits, false),
    }
}

fn bytes(digits: &[u8], out: &mut heapless::Vec<u8, 64>) -> Result<(), Malformed> {
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(Malformed::Digits);
    }
    for pair in pairs {
        let &[high, low] = pair else { return Err(Malformed::Digits) };
        let byte = nibble(high).zip(nibble(low)).map(|(high, low)| high << 4 | low).ok_or(Malformed::Digits)?;
        out.push(byte).map_err(|_| Malformed::Fd)?;
    }
    Ok(())
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for Line<'_> {
    /// As `candump -L` writes it, without a line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { interface, frame } = self;
        let micros = frame.at.micros().max(0);
        write!(f, "({}.{:06}) {interface} ", micros / 1_000_000, micros % 1_000_000)?;
        match (frame.kind, frame.extended) {
            (FrameKind::Error, _) => write!(f, "{:08X}#", frame.id | ERROR_FLAG)?,
            (_, true) => write!(f, "{:08X}#", frame.id)?,
            (_, false) => write!(f, "{:03X}#", frame.id)?,
        }
        match frame.kind {
            FrameKind::Remote => return f.write_str("R"),
            FrameKind::Fd => f.write_str("#0")?,
            FrameKind::Classical | FrameKind::Error => {}
        }
        frame.data.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Line<'_>, Malformed> {
        Line::parse(text.as_bytes())
    }

    #[test]
    fn reads_every_kind_of_line_that_candump_writes() {
        let line = parse("(1771545600.000090) can0 541#0011aF\n").unwrap();
        assert_eq!((line.interface, line.frame.at.micros()), ("can0", 1_771_545_600_000_090));
        assert_eq!((line.frame.id, line.frame.extended, &line.frame.data[..]), (0x541, false, &[0, 0x11, 0xAF][..]));
        let kind = |text: &str| {
            let Frame { kind, id, extended, data, .. } = parse(text).unwrap().frame;
            (kind, id, extended, data.len())
        };
        assert_eq!(kind("(1.5) any  18FEF100# T\r"), (FrameKind::Classical, 0x18FE_F100, true, 0));
        assert_eq!(kind("(1) can0 123#0102030405060708_F R"), (FrameKind::Classical, 0x123, false, 8));
        assert_eq!(kind("(1.0) can0 123#R4"), (FrameKind::Remote, 0x123, false, 0));
        assert_eq!(kind("(1.0) can0 123##5010203040506070809"), (FrameKind::Fd, 0x123, false, 9));
        assert_eq!(kind(&format!("(1.0) can0 00000123##0{}", "00".repeat(64))), (FrameKind::Fd, 0x123, true, 64));
        assert_eq!(kind("(1.0) can0 20000040#0000000000000000"), (FrameKind::Error, 0x40, false, 8));
    }

    #[test]
    fn says_what_is_wrong_with_a_malformed_line() {
        for (text, wrong) in [
            ("", Malformed::Time),
            ("1.0 can0 123#", Malformed::Time),
            ("(1.) can0 123#", Malformed::Time),
            ("(1.0)", Malformed::Interface),
            ("(1.0) can0", Malformed::Frame),
            ("(1.0) can0 123", Malformed::Frame),
            ("(1.0) can0 800#", Malformed::Id),
            ("(1.0) can0 1234#", Malformed::Id),
            ("(1.0) can0 40000000#", Malformed::Id),
            ("(1.0) can0 12G#", Malformed::Id),
            ("(1.0) can0 20000040#R", Malformed::Id),
            ("(1.0) can0 123#0", Malformed::Digits),
            ("(1.0) can0 123#0G", Malformed::Digits),
            ("(1.0) can0 123#010203040506070809", Malformed::Classical),
            ("(1.0) can0 123##", Malformed::Flags),
            ("(1.0) can0 123#00 R x", Malformed::Rest),
            ("(1.0) can0 123#00 11 22", Malformed::Rest),
        ] {
            assert_eq!(parse(text), Err(wrong), "{text}");
        }
        assert_eq!(parse(&format!("(1.0) can0 123##0{}", "00".repeat(65))), Err(Malformed::Fd));
        assert_eq!(parse(&format!("(1.0) can0 123##0{}", "00".repeat(200))), Err(Malformed::Long));
    }

    fn any_frame() -> impl Strategy<Value = Frame> {
        let kind = prop_oneof![Just(FrameKind::Classical), Just(FrameKind::Fd), Just(FrameKind::Remote), Just(FrameKind::Error)];
        let data = proptest::collection::vec(any::<u8>(), 0..=64);
        (kind, any::<bool>(), 0..=EXTENDED_MAX, data, 0..i64::from(u32::MAX) * 1_000_000).prop_map(
            |(kind, extended, id, mut data, at)| {
                data.truncate(match kind {
                    FrameKind::Fd => 64,
                    FrameKind::Remote => 0,
                    FrameKind::Classical | FrameKind::Error => 8,
                });
                let extended = extended && kind != FrameKind::Error;
                let id = if extended || kind == FrameKind::Error { id } else { id & STANDARD_MAX };
                Frame { at: Boot::from_micros(at), kind, id, extended, data: data.iter().copied().collect() }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(frame in any_frame(), interface in "[a-z][a-z0-9_.-]{0,14}") {
            let line = Line { interface: &interface, frame };
            let text = line.to_string();
            prop_assert_eq!(Line::parse(text.as_bytes()), Ok(line));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Line::parse(&bytes);
        }

        #[test]
        fn nor_do_nearly_right_lines(text in r"\([0-9.]{0,24}\)? [a-z0-9]{0,4} [0-9A-Fa-fR#_]{0,40}( [RTx])?") {
            let _ = Line::parse(text.as_bytes());
        }
    }
}

//! For tests and for a fuzzer: whatever is on a truck's bus, what comes out was said, and what is kept is bounded.

use std::time::Duration;

use super::emission::Emission;
use super::id::{GLOBAL, Id, NULL};
use super::transport::{MOST_BYTES, MOST_SESSIONS, Message, Transport};
use super::{Claim, Describer, Listener, Name, Told, pgn};
use crate::clock::Boot;
use crate::vehicle::trouble::Heard;
use crate::vehicle::{Frame, FrameKind};

/// Ids among which frames are where the first byte of theirs is none of a 29 bit id: 20 and above.
const IDS: [u32; 8] = [0x18FE_CA00, 0x1CEC_FF00, 0x1CEB_FF00, 0x1CEC_F903, 0x1CEB_F903, 0x1CEC_0300, 0x1CEB_0300, 0x18EE_FFF9];
/// Fingerprints kept: of 254 addresses 9 groups.
const MOST_REMEMBERED: usize = 254 * 9;

/// Takes any bytes as frames of a bus. Each frame is a byte of time (in 10 ms), four of id, one of length, and the data.
///
/// # Errors
/// The message that nobody said, or what was kept or sent without end.
pub fn survives(bytes: &[u8]) -> Result<(), String> {
    let frames = frames(bytes);
    let (mut listener, mut claim) = (Listener::default(), Claim::new(Name::tool(2047, 1)));
    let (mut describer, mut transport) = (Describer::default(), Transport::default());
    let (mut out, mut unused, mut told) = (Vec::new(), Vec::new(), Vec::new());
    claim.start(Boot::default(), &mut out);
    for (n, (id, frame)) in frames.iter().enumerate() {
        out.clear();
        told.clear();
        claim.hear(frame.at, *id, &frame.data, &mut out);
        let us = claim.address();
        listener.hear(frame.at, us, frame, &mut out, &mut told);
        describer.hear(frame.at, frame);
        if let Some(message) = transport.hear(frame.at, us, *id, &frame.data, &mut unused) {
            if !was_said(frames.get(..=n).unwrap_or_default(), message) {
                return Err(format!("frame {n}: nobody said {message:02X?}"));
            }
        }
        unused.clear();
        if transport.open() > MOST_SESSIONS || transport.kept() > MOST_SESSIONS * MOST_BYTES {
            return Err(format!("frame {n}: {} connections, {} bytes", transport.open(), transport.kept()));
        }
        if listener.remembered() > MOST_REMEMBERED || out.len() > 2 * MOST_SESSIONS + 4 {
            return Err(format!("frame {n}: {} remembered, {} to be said", listener.remembered(), out.len()));
        }
        out.iter().try_for_each(|emission| is_sound(*emission))?;
        told.iter().try_for_each(is_short)?;
    }
    Ok(())
}

fn is_sound(emission: Emission) -> Result<(), String> {
    let outgoing = emission.encode();
    let id = Id::from_raw(outgoing.id);
    let sound =
        matches!(id.pgn, pgn::CLAIM | pgn::CONNECTION) && id.source >= 128 && id.priority >= 6 && outgoing.data.len() == 8;
    if sound { Ok(()) } else { Err(format!("{outgoing:?} is to be said")) }
}

/// No list has more codes than the longest message.
fn is_short(news: &Told) -> Result<(), String> {
    match news {
        Told::Heard(Heard::Codes(reading)) if reading.lists.iter().any(|(_, codes)| codes.len() > MOST_BYTES / 4) => {
            Err(format!("{reading:?} is more than a message"))
        }
        _ => Ok(()),
    }
}

fn frames(mut bytes: &[u8]) -> Vec<(Id, Frame)> {
    let mut frames = Vec::new();
    let mut at = Boot::default();
    while let Some((&[wait, a, b, c, d, length], tail)) = bytes.split_first_chunk() {
        let (data, tail) = tail.split_at(usize::from(length % 9).min(tail.len()));
        bytes = tail;
        at = at + Duration::from_millis(u64::from(wait) * 10);
        let id = match a {
            0..0x20 => u32::from_be_bytes([a, b, c, d]),
            _ => IDS.get(usize::from(a & 7)).copied().unwrap_or_default(),
        };
        let data = data.iter().copied().collect();
        let frame = Frame { at, kind: FrameKind::Classical, id, extended: true, data };
        frames.extend(Id::of(&frame).map(|id| (id, frame)));
    }
    frames
}

/// Whether the sender of the last of `frames` said `message` with it: each packet of it after the announcement, none twice
/// and differently, and to all in their order.
fn was_said(frames: &[(Id, Frame)], message: Message<'_>) -> bool {
    let of_pair = |id: &Id| (id.source, id.destination) == (message.id.source, message.id.destination);
    let announces = |id: &Id, data: &[u8]| {
        let [low, middle, high, _] = message.id.pgn.to_le_bytes();
        id.pgn == pgn::CONNECTION
            && of_pair(id)
            && matches!(data, [16 | 32, .., a, b, c] if [*a, *b, *c] == [low, middle, high] || super::id::number([*a, *b, *c]) == message.id.pgn)
    };
    let Some(begun) = frames.iter().rposition(|(id, frame)| announces(id, &frame.data)) else { return false };
    let Some((_, announced)) = frames.get(begun) else { return false };
    let size = match announced.data.get(1..3) {
        Some(&[low, high]) => usize::from(u16::from_le_bytes([low, high])),
        _ => return false,
    };
    if size != message.data.len() || message.id.source >= NULL {
        return false;
    }
    let mut parts: Vec<Option<&[u8]>> = vec![None; size.div_ceil(7)];
    let mut due = 0;
    for (id, frame) in frames.get(begun..).unwrap_or_default() {
        let (true, Some((sequence, packet))) = (id.pgn == pgn::TRANSFER && of_pair(id), frame.data.split_first()) else {
            continue;
        };
        let at = usize::from(*sequence).wrapping_sub(1);
        let Some(place) = parts.get_mut(at) else { return false };
        let length = (size - at * 7).min(7);
        let Some(packet) = packet.get(..length).filter(|packet| place.is_none_or(|known| known == *packet)) else { return false };
        *place = Some(packet);
        if message.id.destination == GLOBAL && at > due {
            return false;
        }
        due = due.max(at + 1);
    }
    parts.into_iter().collect::<Option<Vec<_>>>().is_some_and(|parts| parts.concat() == message.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_witness_knows_a_wrong_message_from_a_right_one() {
        let announce = [0, 0x1C, 0xEC, 0xFF, 0, 8, 32, 9, 0, 2, 0xFF, 0xCA, 0xFE, 0];
        let packet = |sequence: u8, text: &[u8; 7]| [&[0, 0x1C, 0xEB, 0xFF, 0, 8, sequence][..], text].concat();
        let said = |parts: &[&[u8]], data: &[u8]| {
            let frames = frames(&parts.concat());
            was_said(&frames, Message { id: Id { priority: 7, pgn: pgn::DM1, destination: GLOBAL, source: 0 }, data })
        };
        let (first, second, other) = (packet(1, b"ABCDEFG"), packet(2, b"HI....."), packet(1, b"ABCDEFX"));
        assert!(said(&[&announce, &first, &second], b"ABCDEFGHI"));
        assert!(!said(&[&announce, &first, &second], b"ABCDEFGHJ") && !said(&[&announce, &first], b"ABCDEFGHI"));
        assert!(!said(&[&announce, &second, &first], b"ABCDEFGHI"), "out of order");
        assert!(!said(&[&announce, &first, &other, &second], b"ABCDEFGHI"), "once so and once so");
        assert!(!said(&[&first, &announce, &second], b"ABCDEFGHI"), "before it was announced");
        assert_eq!(survives(&[&announce[..], &first, &second].concat()), Ok(()));
    }
}

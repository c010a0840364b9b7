//! For tests and for a fuzzer: whatever is on a bus, what comes out was said.

use super::{Address, Event, Links, Message, Pdu, Room, Settings, Watched, Watcher};
use crate::clock::Boot;
use crate::vehicle::{Frame, FrameKind};

/// Ids among which the frames are: pairs, a question to all, fixed and mixed ones, and one that is no diagnostic one.
const IDS: [u32; 8] = [0x7E0, 0x7E8, 0x7E9, 0x7DF, 0x18DA_F110, 0x18DA_10F1, 0x18CE_F110, 0x123];
/// Longest message that the witnesses take: some of those announced are too long.
const MOST: u16 = 300;
/// What the bus has room for: everything, and so little that some answers are refused.
const ROOMS: [Room; 2] = [Room::ANY, Room { bits: 13_000, ecus: 1 }];

/// Takes `bytes` as frames (a byte for id and kind, one for the time since the frame before, one for the length, the data)
/// and puts them before a [`Watcher`] and before [`Links`] that asked everybody: no message comes out that its sender did not say,
/// no frame makes them send more than one, and to listen makes them send none outside of an exchange.
///
/// # Errors
/// What was not so.
pub fn survives(bytes: &[u8]) -> Result<(), String> {
    let frames = frames(bytes);
    let mut watcher = Watcher::new(MOST);
    for (n, frame) in frames.iter().enumerate() {
        let mut fault = None;
        let heard = frames.get(..=n).unwrap_or_default();
        watcher.hear(frame, &mut |watched| {
            if let Watched::Message(Message { id, extended, payload, .. }) = watched {
                if (id, extended) != (frame.id, frame.extended) || !was_said(heard, payload) {
                    fault = Some(format!("frame {n}: nobody said {payload:02X?}"));
                }
            }
        });
        fault.map_or(Ok(()), Err)?;
    }
    for to in [Address::obd_functional(), Address::fixed_functional(0x33, 0xF1), Address::mixed_functional(0x33, 0xF1, 0x55)] {
        for room in ROOMS {
            exchange(&frames, to, room)?;
        }
    }
    Ok(())
}

fn exchange(frames: &[Frame], to: Address, room: Room) -> Result<(), String> {
    let mut links = Links::new(Settings::default());
    links.ask_within(to, &[0x03], room).map_err(|refused| refused.to_string())?;
    for (n, frame) in frames.iter().enumerate() {
        let (mut sent, mut fault) = (0, None);
        let heard = frames.get(..=n).unwrap_or_default();
        links.hear(frame, &mut |event| match event {
            Event::Send(_) => sent += 1,
            Event::Answer { payload, .. } if !was_said(heard, payload) => {
                fault = Some(format!("frame {n}: nobody said {payload:02X?}"))
            }
            _ => {}
        });
        links.pass(frame.at, &mut |_| {});
        if sent > 1 {
            return Err(format!("frame {n} made {sent} frames"));
        }
        fault.map_or(Ok(()), Err)?;
    }
    links.end();
    for frame in frames {
        let mut said = 0;
        links.hear(frame, &mut |_| said += 1);
        if said > 0 || links.deadline().is_some() {
            return Err("something came of a frame outside of an exchange".into());
        }
    }
    Ok(())
}

fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut at = Boot::default();
    while let Some((&[what, step, length], rest)) = bytes.split_first_chunk() {
        let id = IDS.get(usize::from(what & 7)).copied().unwrap_or_default();
        let (kind, most) = if what & 8 == 0 { (FrameKind::Classical, 8) } else { (FrameKind::Fd, 64) };
        let (data, rest) = rest.split_at(rest.len().min(usize::from(length)).min(most));
        at = at + std::time::Duration::from_millis(u64::from(step) * 10);
        frames.push(Frame { at, kind, id, extended: id > 0x7FF, data: data.iter().copied().take(64).collect() });
        bytes = rest;
    }
    frames
}

/// Whether the sender of the last of `frames` said `payload` with it, by nothing but what the frames say one after the
/// other: alone, or as a first frame and all that follow it, in their order, with nothing begun in between.
fn was_said(frames: &[Frame], payload: &[u8]) -> bool {
    let Some(last) = frames.last() else { return false };
    let taken = usize::from(last.id >> 16 == 0x18CE);
    let prefix = |frame: &Frame| frame.data.first().copied().filter(|_| taken == 1);
    let mut of_sender = frames.iter().filter(|frame| (frame.id, prefix(frame)) == (last.id, prefix(last))).rev();
    let mut parts: Vec<(u8, &[u8])> = Vec::new();
    let read = |frame: &'_ Frame| -> Option<(u8, usize)> {
        match Pdu::read(frame.data.get(taken..)?, taken)? {
            Pdu::Single(data) => Some((0, data.len())),
            Pdu::First { length, .. } => Some((1, length as usize)),
            Pdu::Consecutive { .. } => Some((2, 0)),
            Pdu::Flow(_) => None,
        }
    };
    let Some(end) = of_sender.next() else { return false };
    if read(end) == Some((0, payload.len())) {
        return ends_with(end, payload);
    }
    let mut frame = end;
    loop {
        match read(frame) {
            Some((2, _)) => {
                parts.push((frame.data.get(taken).copied().unwrap_or(0) & 0x0F, frame.data.get(taken + 1..).unwrap_or_default()))
            }
            Some((1, length)) => return length == payload.len() && follows(frame, taken, &parts, payload),
            Some(_) => return false,
            None => {}
        }
        match of_sender.next() {
            Some(before) => frame = before,
            None => return false,
        }
    }
}

/// Whether a single frame has `payload` in it, padding behind.
fn ends_with(frame: &Frame, payload: &[u8]) -> bool {
    frame.data.windows(payload.len()).take(4).any(|part| part == payload)
}

/// Whether `first` and the consecutive frames, which are given last first, make `payload`. Those that were too short or too long
/// for their place do not count.
fn follows(first: &Frame, taken: usize, parts: &[(u8, &[u8])], payload: &[u8]) -> bool {
    let head = taken + 2;
    let Some(mut rest) = first.data.get(head..).and_then(|data| payload.strip_prefix(data)) else { return false };
    let room = first.data.len() - taken - 1;
    let mut due = 1;
    for (sequence, data) in parts.iter().rev().copied() {
        let wanted = room.min(rest.len());
        if data.len() > room || data.len() < wanted {
            continue;
        }
        let (part, after) = rest.split_at(wanted);
        if sequence != due || !data.starts_with(part) {
            return false;
        }
        due = (due + 1) % 16;
        rest = after;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_witness_knows_a_wrong_message_from_a_right_one() {
        let said = |text: &[u8], payload: &[u8]| was_said(&frames(text), payload);
        let whole = b"\x01\0\x08\x10\x09ABCDEF\x01\0\x04\x21GHI";
        assert!(said(whole, b"ABCDEFGHI") && !said(whole, b"ABCDEFGHJ") && !said(whole, b"ABCDEFGH"));
        assert!(said(b"\x02\0\x03\x02AB", b"AB") && !said(b"\x02\0\x03\x02AB", b"AC"));
        let disturbed = b"\x01\0\x08\x10\x09ABCDEF\x01\0\x02\x01A\x01\0\x04\x21GHI";
        assert!(!said(disturbed, b"ABCDEFGHI"), "another message came in between");
        let out_of_order = b"\x01\0\x08\x10\x09ABCDEF\x01\0\x04\x22GHI";
        assert!(!said(out_of_order, b"ABCDEFGHI"));
        assert_eq!(survives(whole), Ok(()));
    }
}

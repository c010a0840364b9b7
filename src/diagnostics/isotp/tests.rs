//! Sender against receiver, anything against everything, and somebody else's frames.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::can::ArbitrationId;
use crate::clock::Boot;
use crate::vehicle::Frame;

fn addresses() -> [Address; 5] {
    let id = |id, extended| ArbitrationId { id, extended };
    [
        Address::obd(3).unwrap(),
        Address::fixed(0x10, 0xF1),
        Address::extended(id(0x6F1, false), id(0x612, false), 0x12, 0xF1),
        Address::mixed(id(0x700, false), id(0x708, false), 0x55),
        Address::mixed_fixed(0x10, 0xF1, 0x55),
    ]
}

/// All frames of `payload`, and when each was sent; the receiver at the other end and a watcher must have it whole.
fn across(address: Address, sending: Sending, reception: Reception, payload: &[u8]) -> Vec<Frame> {
    let other = address.other_end().unwrap();
    let mut sender = Sender::new(address, sending);
    let mut receiver = Receiver::new(reception);
    let (mut now, mut frames, mut arrived) = (Boot::default(), Vec::new(), None);
    sender.send(payload).unwrap();
    loop {
        match sender.pass(now) {
            Pass::Frame(frame) => {
                let (bytes, taken) = other.bytes(&frame).unwrap();
                let heard = receiver.hear(now, Pdu::read(bytes, taken).unwrap());
                assert_eq!(heard.problems, []);
                arrived = heard.message.map(<[u8]>::to_vec).or(arrived);
                if let Some(flow) = heard.flow {
                    let back = other.frame(now, sending.wire, &flow.bytes(), &[]);
                    let (bytes, taken) = address.bytes(&back).unwrap();
                    let Some(Pdu::Flow(flow)) = Pdu::read(bytes, taken) else { panic!("{back:?}") };
                    sender.flow(now, flow);
                }
                frames.push(frame);
            }
            Pass::Nothing => now = sender.deadline().unwrap(),
            Pass::Sent => break,
            Pass::Failed(problem) => panic!("{problem}"),
        }
    }
    assert_eq!(arrived.as_deref(), Some(payload));
    frames
}

/// Frames that the Python package `can-isotp` 2.0.7 makes of a message whose bytes are 0, 7, 14 and so on. (A last CAN FD frame
/// of 8 bytes or less it leaves as short as it is.)
#[test]
fn frames_are_those_of_another_implementation() {
    let [_, fixed, extended, mixed, mixed_fixed] = addresses();
    let obd = Address::obd(0).unwrap();
    let fd = |length| Wire::fd(length, None).unwrap();
    for (address, wire, length, expected) in [
        (obd, Wire::OBD, 7, &["7E0#0700070E151C232A"][..]),
        (obd, Wire::OBD, 20, &["7E0#101400070E151C23", "7E0#212A31383F464D54", "7E0#225B626970777E85"]),
        (obd, Wire::classical(None), 9, &["7E0#100900070E151C23", "7E0#212A3138"]),
        (fixed, Wire::OBD, 20, &["18DA10F1#101400070E151C23", "18DA10F1#212A31383F464D54", "18DA10F1#225B626970777E85"]),
        (
            extended,
            Wire::OBD,
            20,
            &["6F1#12101400070E151C", "6F1#1221232A31383F46", "6F1#12224D545B626970", "6F1#1223777E85CCCCCC"],
        ),
        (mixed, Wire::OBD, 7, &["700#55100700070E151C", "700#5521232ACCCCCCCC"]),
        (
            mixed_fixed,
            Wire::OBD,
            20,
            &["18CE10F1#55101400070E151C", "18CE10F1#5521232A31383F46", "18CE10F1#55224D545B626970", "18CE10F1#5523777E85CCCCCC"],
        ),
        (obd, fd(64), 5, &["7E0#0500070E151C"]),
        (
            obd,
            fd(64),
            40,
            &["7E0#002800070E151C232A31383F464D545B626970777E858C939AA1A8AFB6BDC4CBD2D9E0E7EEF5FC030A11CCCCCCCCCCCC"],
        ),
        (obd, fd(16), 30, &["7E0#101E00070E151C232A31383F464D545B", "7E0#21626970777E858C939AA1A8AFB6BDC4", "7E0#22CB"]),
    ] {
        let payload: Vec<u8> = (0..length).map(|n: u32| (n * 7) as u8).collect();
        let frames = across(address, Sending { wire, ..Sending::default() }, Reception::default(), &payload);
        let text = |frame: &Frame| {
            let data: String = frame.data.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("{:X}#{data}", frame.id)
        };
        assert_eq!(frames.iter().map(text).collect::<Vec<_>>(), expected);
    }
}

fn wires() -> impl Strategy<Value = Wire> {
    let lengths = prop::sample::select(vec![8, 12, 16, 20, 24, 32, 48, 64]);
    let padding = prop::option::of(any::<u8>());
    (any::<bool>(), lengths, padding)
        .prop_map(|(fd, length, padding)| if fd { Wire::fd(length, padding).unwrap() } else { Wire::classical(padding) })
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => vec(any::<u8>(), 1..130), 2 => vec(any::<u8>(), 1..4096), 1 => vec(any::<u8>(), 4090..9000)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_sent_arrives(
        which in 0..5_usize, wire in wires(), block_size in any::<u8>(), separation in any::<u8>(), payload in payloads(),
    ) {
        let address = addresses()[which];
        let sending = Sending { wire, most: u16::MAX, ..Sending::default() };
        let reception = Reception { block_size, separation, most: u16::MAX, ..Reception::default() };
        let frames = across(address, sending, reception, &payload);
        let pause = Flow { status: Status::Continue, block_size, separation }.separation_time();
        let block = if block_size == 0 { usize::MAX } else { usize::from(block_size) };
        for (n, pair) in frames.windows(2).enumerate().skip(1) {
            prop_assert!(n % block == 0 || pair[1].at.since(pair[0].at) >= pause, "frame {n} came too early");
        }
        for frame in &frames {
            prop_assert!(wire.is_fd() || frame.data.len() <= 8);
            prop_assert!(wire.padding().is_none() || frame.data.len() >= 8);
            prop_assert!(matches!(frame.data.len(), 0..=8 | 12 | 16 | 20 | 24 | 32 | 48 | 64));
        }
    }

    /// One frame lost, doubled or exchanged with the next of its message: a message comes whole or not at all. (Of two
    /// messages exchanged frames may fit as well: both count from 1, and nothing says whose they are.)
    #[test]
    fn what_is_disturbed_does_not_arrive_wrong(
        messages in vec(vec(any::<u8>(), 1..100), 1..6), fault in 0..3, place in any::<prop::sample::Index>(),
    ) {
        let address = Address::obd(0).unwrap();
        let of_each: Vec<_> =
            messages.iter().map(|payload| across(address, Sending::default(), Reception::default(), payload)).collect();
        let ends: Vec<usize> = of_each.iter().scan(0, |end, frames| { *end += frames.len(); Some(*end) }).collect();
        let sent = of_each.concat();
        let mut frames = sent.clone();
        let place = place.index(frames.len());
        match fault {
            0 => drop(frames.remove(place)),
            1 => frames.insert(place, sent[place].clone()),
            _ if ends.contains(&(place + 1)) => {}
            _ => frames.swap(place, place + 1),
        }
        let (mut watcher, mut whole) = (Watcher::new(4095), 0);
        for frame in &frames {
            watcher.hear(&Frame { at: Boot::default(), ..frame.clone() }, &mut |watched| {
                if let Watched::Message(message) = watched {
                    assert!(messages.iter().any(|payload| payload == message.payload), "{:02X?}", message.payload);
                    whole += 1;
                }
            });
        }
        prop_assert!(whole + 2 >= messages.len(), "a fault takes two messages at most");
    }

    #[test]
    fn nothing_on_the_bus_makes_a_message_that_was_not_said(
        frames in vec((any::<u8>(), 0..30_u8, prop_oneof![Just(8_u8), 0..70_u8], 0..4_u8, 0..4_u8, vec(any::<u8>(), 64)), 0..60),
    ) {
        let mut bytes = Vec::new();
        let mut sequence = 1;
        for (what, step, length, kind, low, mut data) in frames {
            // Mostly what could be: short first frames, and sequence numbers near the right ones.
            data[0] = kind << 4 | if kind == 2 { sequence } else { low };
            data[1] %= 80;
            sequence = (sequence + u8::from(low > 0)) % 16;
            bytes.extend([(what % 16) & if low == 0 { 15 } else { 9 }, step, length]);
            bytes.extend(&data[..usize::from(length).min(if what & 8 == 0 { 8 } else { 64 })]);
        }
        prop_assert_eq!(survives(&bytes), Ok(()));
    }

    #[test]
    fn no_bytes_break_a_promise(bytes in vec(any::<u8>(), 0..2000)) {
        prop_assert_eq!(survives(&bytes), Ok(()));
    }

    #[test]
    fn no_flow_control_makes_a_sender_run_on(flows in vec((any::<[u8; 3]>(), 0..2_000_000_i64), 0..50), length in 8..200_usize) {
        let mut sender = Sender::new(Address::obd(0).unwrap(), Sending::default());
        sender.send(&vec![0; length]).unwrap();
        let (mut now, mut frames) = (Boot::default(), 0);
        for (bytes, step) in flows {
            if let Some(Pdu::Flow(flow)) = Pdu::read(&[0x30 | bytes[0] & 3, bytes[1], bytes[2]], 0) {
                sender.flow(now, flow);
            }
            frames += usize::from(matches!(sender.pass(now), Pass::Frame(_)));
            now = now + Duration::from_micros(step.unsigned_abs());
        }
        prop_assert!(frames <= 1 + length / 7 + 1);
    }
}

//! For tests and for a fuzzer: whatever is on a bus, and whoever says it, what we ask is gentle, reads only, and is bounded.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;

use super::j1939::{Id, Requestable, pgn};
use super::poller::{MOST_BITS, bits};
use super::{Asker, request};
use crate::can::profile::{Addressing, Diagnosis, Identifier};
use crate::clock::Boot;
use crate::vehicle::trouble::Ecu;
use crate::vehicle::{BusId, Frame, FrameKind, Observation};

/// Whose frames they are: ECUs' and testers' with 11 and 29 bits, a truck's.
const IDS: [u32; 16] = [
    0x7E8,
    0x7E9,
    0x7EA,
    0x7EF,
    0x7DF,
    0x7E0,
    0x72E,
    0x18DA_F110,
    0x18DA_F111,
    0x18DB_33F1,
    0x18DA_10F1,
    0x18FE_CA00,
    0x18EE_FFF9,
    0x18EA_FFF9,
    0x1CEC_F900,
    0x1CEB_F900,
];
/// Groups of a truck's longer messages.
const GROUPS: [u32; 4] = [pgn::DM1, pgn::DM2, pgn::VIN, pgn::DM12];
/// Services that only read.
const READING: [u8; 8] = [0x01, 0x02, 0x03, 0x07, 0x09, 0x0A, 0x19, 0x22];
/// No more is ever remembered to be asked.
const MOST_TASKS: usize = 1000;
/// The window of the budget.
const WINDOW: Duration = Duration::from_secs(10);

/// Puts a bus before an [`Asker`] whose ignition is on. Of `bytes` each part is a byte for what it is (lower half: an id;
/// upper half: see `Hostile::say`), one for the time since the part before (4 ms), one for the length, and the data.
///
/// # Errors
/// What was sent that must not be, or too much of it.
pub fn survives(bytes: &[u8]) -> Result<(), String> {
    let mut bus = Hostile::new().ok_or("nobody asks")?;
    let mut rest = bytes;
    while let Some((&[what, wait, length], tail)) = rest.split_first_chunk() {
        let (data, tail) = tail.split_at(tail.len().min(usize::from(length)));
        rest = tail;
        bus.wait(Duration::from_millis(u64::from(wait) * 4))?;
        bus.say(what, data)?;
    }
    bus.wait(Duration::from_secs(2))
}

struct Hostile {
    asker: Asker,
    ear: Box<dyn crate::can::Listen>,
    wire: mpsc::Receiver<Frame>,
    now: Boot,
    told: Vec<Observation>,
    /// The payload of what was asked last.
    asked: Vec<u8>,
    /// When it was.
    last: Option<Boot>,
    /// Our frames of the last 10 s, ISO-TP and J1939 together.
    spent: Spent,
}

/// Frames with their bits, and the sum of these.
#[derive(Default)]
struct Spent(VecDeque<(Boot, u32)>, u32);

impl Spent {
    fn add(&mut self, now: Boot, bits: u32) -> u32 {
        while self.0.front().is_some_and(|(then, _)| now.since(*then) >= WINDOW) {
            self.1 -= self.0.pop_front().map_or(0, |(_, gone)| gone);
        }
        self.0.push_back((now, bits));
        self.1 += bits;
        self.1
    }
}

impl Hostile {
    fn new() -> Option<Hostile> {
        let identifiers = vec![Identifier { ecu: Ecu::Normal(0x72E), did: 0xF187, name: "part".into() }];
        let bus = Some(BusId(0));
        let diagnosis = Diagnosis { obd: bus, j1939: bus, addressing: Addressing::Either, identifiers };
        let (out, wire) = mpsc::channel(64);
        let asker = Asker::of(&diagnosis, BusId(0), 1)?.on_wire(out);
        let (ear, now) = (asker.listener(), Boot::from_micros(1_000_000));
        let (told, asked, last, spent) = (Vec::new(), Vec::new(), None, Default::default());
        Some(Hostile { asker, ear, wire, now, told, asked, last, spent })
    }

    /// What is due meanwhile is done in its time.
    fn wait(&mut self, for_so_long: Duration) -> Result<(), String> {
        let until = self.now + for_so_long;
        while let Some(due) = self.asker.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.asker.pass(self.now, true, &mut self.told);
            self.look()?;
            // What is due and cannot be done yet is due later.
            if self.asker.deadline().is_some_and(|next| next <= self.now) {
                self.now = self.now + Duration::from_millis(1);
            }
        }
        self.now = self.now.max(until);
        self.asker.pass(self.now, true, &mut self.told);
        self.look()
    }

    /// By the upper half of `what`: 0 to 3 a frame, 4 to 7 a whole message of ISO-TP, 8 to B an answer to what was asked last,
    /// C to F a whole message of a truck, to all or to us.
    fn say(&mut self, what: u8, data: &[u8]) -> Result<(), String> {
        let id = IDS.get(usize::from(what & 0x0F)).copied().unwrap_or_default();
        match what >> 6 {
            0 => self.frame(id, data),
            1 => self.message(id, data),
            2 => {
                let mut payload = self.asked.clone();
                if let Some(first) = payload.first_mut() {
                    *first |= 0x40;
                }
                payload.extend_from_slice(data);
                self.message(id, &payload)
            }
            _ => self.packets(what, data),
        }
    }

    fn message(&mut self, id: u32, payload: &[u8]) -> Result<(), String> {
        let [.., high, low] = payload.len().to_be_bytes();
        if payload.len() < 8 {
            return self.frame(id, &[&[low], payload].concat());
        }
        let (first, rest) = payload.split_at(6);
        self.frame(id, &[&[0x10 | high & 0x0F, low], first].concat())?;
        for (part, sequence) in rest.chunks(7).zip((0..16_u8).cycle().skip(1)) {
            self.frame(id, &[&[0x20 | sequence], part].concat())?;
        }
        Ok(())
    }

    fn packets(&mut self, what: u8, payload: &[u8]) -> Result<(), String> {
        let group = GROUPS.get(usize::from(what & 3)).copied().unwrap_or_default();
        let (source, to_us) = (u32::from(what >> 2 & 3), what & 0x20 != 0);
        let [low, high, ..] = payload.len().to_le_bytes();
        let count = u8::try_from(payload.len().div_ceil(7)).unwrap_or(u8::MAX);
        let [a, b, c, _] = group.to_le_bytes();
        let destination: u32 = if to_us { 0xF900 } else { 0xFF00 };
        let control = if to_us { 16 } else { 32 };
        self.frame(0x1CEC_0000 | destination | source, &[control, low, high, count, 0xFF, a, b, c])?;
        for (part, sequence) in payload.chunks(7).zip(1..=u8::MAX) {
            let mut packet = [0xFF; 8];
            packet.iter_mut().zip([sequence].iter().chain(part)).for_each(|(place, byte)| *place = *byte);
            self.frame(0x1CEB_0000 | destination | source, &packet)?;
        }
        Ok(())
    }

    fn frame(&mut self, id: u32, data: &[u8]) -> Result<(), String> {
        let data = data.iter().copied().take(8).collect();
        let frame = Frame { at: self.now, kind: FrameKind::Classical, id, extended: id > 0x7FF, data };
        self.ear.hear(self.now, &frame, &mut self.told);
        self.look()
    }

    /// Looks at what was sent, and at what is remembered.
    fn look(&mut self) -> Result<(), String> {
        self.told.clear();
        while let Ok(frame) = self.wire.try_recv() {
            if Id::of(&frame).is_none() {
                self.look_at_question(&frame)?;
            } else {
                look_at_emission(&frame)?;
            }
            let spent = self.spent.add(self.now, bits(&frame));
            if spent > MOST_BITS {
                return Err(format!("{spent} bits of ours within 10 s"));
            }
        }
        match self.asker.remembered() {
            few if few <= MOST_TASKS => Ok(()),
            many => Err(format!("{many} things to ask are remembered")),
        }
    }

    fn look_at_question(&mut self, frame: &Frame) -> Result<(), String> {
        let allowed = match frame.id {
            0x7DF..=0x7E7 | 0x726 | 0x18DB_33F1 => true,
            id => id & 0xFFFF_00FF == 0x18DA_00F1 && id >> 8 & 0xFF < 0xF0,
        };
        let wrong = || Err(format!("{:X} {:02X?} was sent", frame.id, frame.data));
        let Some((&head, rest)) = frame.data.split_first().filter(|_| allowed) else { return wrong() };
        match head >> 4 {
            3 => Ok(()),
            0 => {
                let question = rest.get(..usize::from(head)).unwrap_or_default();
                if question.is_empty() || question.len() > request::LONGEST || !question.first().is_some_and(reads) {
                    return wrong();
                }
                if self.last.is_some_and(|last| self.now.since(last) < Duration::from_millis(200)) {
                    return Err("two questions came within 200 ms".into());
                }
                (self.asked, self.last) = (question.to_vec(), Some(self.now));
                Ok(())
            }
            _ => wrong(),
        }
    }
}

fn reads(service: &u8) -> bool {
    READING.contains(service)
}

fn look_at_emission(frame: &Frame) -> Result<(), String> {
    let group = Id::of(frame).map(|id| id.pgn);
    let asked = match frame.data.get(..3) {
        Some(&[a, b, c]) => u32::from_le_bytes([a, b, c, 0]),
        _ => 0,
    };
    match group {
        Some(pgn::CLAIM | pgn::CONNECTION) => Ok(()),
        Some(pgn::REQUEST) if Requestable::ALL.iter().any(|what| what.pgn() == asked) => Ok(()),
        _ => Err(format!("{:X} {:02X?} was sent", frame.id, frame.data)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Found by reading as an attacker would: each made us say more than the bus has room for, or remember without end.
    #[test]
    fn no_flood_makes_us_say_more_than_our_share() {
        let answers = [0x80, 20, 7, 0xBF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        let begins = [0x00, 0, 8, 0x10, 0x20, 0x41, 0, 0, 0, 0, 0];
        let contest = [0x0C, 0, 8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        let whose = [0x0D, 0, 3, 0x00, 0xEE, 0x00];
        let announced = [0x0E, 1, 8, 16, 20, 0, 3, 0xFF, 0xCA, 0xFE, 0x00];
        for flood in [&begins[..], &contest, &whose, &announced] {
            let mut bytes = [0x0F, 255, 0].repeat(2);
            for _ in 0..20 {
                bytes.extend_from_slice(&answers);
                bytes.extend(flood.repeat(200));
            }
            assert_eq!(survives(&bytes), Ok(()), "{flood:X?}");
        }
    }

    proptest! {
        #[test]
        fn anything_on_the_bus_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            prop_assert_eq!(survives(&bytes), Ok(()));
        }
    }
}

//! A truck's engine (SAE J1939-21, -73, -81), and one who wants others' addresses.

use std::collections::VecDeque;
use std::time::Duration;

use super::bus::{Speaker, frame};
use crate::clock::Boot;
use crate::vehicle::Frame;

/// Parameter groups.
const ACKNOWLEDGEMENT: u32 = 0xE800;
const REQUEST: u32 = 0xEA00;
const TRANSFER: u32 = 0xEB00;
const CONNECTION: u32 = 0xEC00;
const CLAIM: u32 = 0xEE00;
const DM1: u32 = 0xFECA;
const DM2: u32 = 0xFECB;
const VIN: u32 = 0xFEEC;

const GLOBAL: u8 = 0xFF;
const NULL: u8 = 0xFE;

/// What the `control` byte of a connection's messages says.
const RTS: u8 = 16;
const CTS: u8 = 17;
const END: u8 = 19;
const BAM: u8 = 32;
const ABORT: u8 = 255;

/// DM1's period.
const SECOND: Duration = Duration::from_secs(1);
/// Between the packets of a broadcast: 50 to 200 ms.
const PACKET: Duration = Duration::from_millis(50);
/// T3: how long a connection waits to be let go on.
const PATIENCE: Duration = Duration::from_millis(1250);
/// Messages that wait for their turn.
const MOST_WAITING: usize = 8;

/// A code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TruckFault {
    /// Suspect parameter, 19 bits.
    pub spn: u32,
    /// Failure mode, 5 bits.
    pub fmi: u8,
    /// How often: 1 to 126.
    pub occurrences: u8,
}

/// A truck's engine at address 0. What is wrong with it may be changed at any time ([`Bus::truck`](super::Bus::truck)); a
/// change of what is active is told at once, the last of them going, too.
#[derive(Debug)]
pub struct Truck {
    /// Its NAME.
    pub name: u64,
    /// Active codes, for DM1.
    pub active: Vec<TruckFault>,
    /// Previously active ones, for DM2.
    pub previously: Vec<TruckFault>,
    /// The two bytes of lamps: which are lit, and which flash.
    pub lamps: [u8; 2],
    state: State,
    /// DM1 is due.
    due: Boot,
    /// What was last told as active.
    told: Vec<TruckFault>,
    waiting: VecDeque<(u8, u32, Vec<u8>)>,
    transfer: Option<Transfer>,
    frames: VecDeque<Frame>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was said yet.
    New,
    Claimed,
    /// Somebody with a better NAME has its address.
    Without,
}

/// A message of more than eight bytes.
#[derive(Debug)]
struct Transfer {
    to: u8,
    group: u32,
    data: Vec<u8>,
    /// The next packet, from 1 on, and the last one that may be sent.
    next: u8,
    until: u8,
    /// When the next packet is due, or the patience ends.
    due: Boot,
}

/// The engine's address.
const ENGINE: u8 = 0;

impl Truck {
    /// Amber warning lamp and malfunction indicator lamp lit, the latter flashing slowly.
    pub const LAMPS: [u8; 2] = [0b0100_0100, 0b0011_1111];
    /// None lit, none flashing.
    pub const NO_LAMPS: [u8; 2] = [0, 0xFF];

    /// One with nothing wrong.
    pub fn new() -> Truck {
        Truck {
            // Function 0, engine; on-highway; no other address will do.
            name: 0x1000_0000_0020_0001,
            active: Vec::new(),
            previously: Vec::new(),
            lamps: Truck::NO_LAMPS,
            state: State::New,
            due: Boot::from_micros(i64::MIN),
            told: Vec::new(),
            waiting: VecDeque::new(),
            transfer: None,
            frames: VecDeque::new(),
        }
    }

    /// The same one with these active codes, and its lamps lit.
    #[must_use]
    pub fn with_active(self, active: &[TruckFault]) -> Truck {
        Truck { active: active.to_vec(), lamps: Truck::LAMPS, ..self }
    }

    /// The same one with these previously active codes.
    #[must_use]
    pub fn with_previously(self, previously: &[TruckFault]) -> Truck {
        Truck { previously: previously.to_vec(), ..self }
    }

    /// A list of codes behind the lamps; SAE J1939-73, 5.7.1.
    fn list(lamps: [u8; 2], faults: &[TruckFault]) -> Vec<u8> {
        let mut data = lamps.to_vec();
        for fault in faults {
            let [_, top, middle, low] = fault.spn.to_be_bytes();
            data.extend([low, middle, top << 5 | fault.fmi & 0x1F, fault.occurrences & 0x7F]);
        }
        if faults.is_empty() {
            data.extend([0; 4]);
        }
        if data.len() < 8 {
            data.resize(8, 0xFF);
        }
        data
    }

    /// The data of a parameter group that it has.
    fn group(&self, group: u32) -> Option<Vec<u8>> {
        Some(match group {
            DM1 => Truck::list(self.lamps, &self.active),
            DM2 => Truck::list(self.lamps, &self.previously),
            VIN => format!("{}*", crate::sim::VIN).into_bytes(),
            _ => return None,
        })
    }

    fn send(&mut self, now: Boot, to: u8, group: u32, data: Vec<u8>) {
        if data.len() <= 8 {
            let id = if group < 0xF000 { id(6, group, to, ENGINE) } else { id(6, group, 0, ENGINE) };
            self.frames.push_back(frame(now, id, true, &data));
        } else if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back((to, group, data));
        }
    }

    fn claim(&mut self, now: Boot) {
        self.frames.push_back(claim(now, ENGINE, self.name));
    }

    fn requested(&mut self, now: Boot, from: u8, to: u8, wanted: u32) {
        match self.group(wanted) {
            _ if wanted == CLAIM => self.claim(now),
            // What was asked of all is answered to all; what was asked of it is answered to the one who asked.
            Some(data) => self.send(now, if to == GLOBAL { GLOBAL } else { from }, wanted, data),
            None if to == ENGINE => {
                let [_, top, middle, low] = wanted.to_be_bytes();
                let no = vec![1, 0xFF, 0xFF, 0xFF, from, low, middle, top];
                self.send(now, GLOBAL, ACKNOWLEDGEMENT, no);
            }
            None => {}
        }
    }

    /// The other side of a connection says something.
    fn connected(&mut self, now: Boot, from: u8, data: [u8; 8]) {
        let Some(transfer) = self.transfer.as_mut().filter(|transfer| transfer.to == from) else { return };
        match data {
            [CTS, 0, ..] => transfer.due = now + PATIENCE,
            [CTS, count, next, ..] if next > 0 => {
                (transfer.next, transfer.until, transfer.due) = (next, next.saturating_add(count - 1), now);
            }
            [END | ABORT, ..] => self.transfer = None,
            _ => {}
        }
    }

    /// The next frame of a long message, where one is due.
    fn go_on(&mut self, now: Boot) -> Option<Frame> {
        let Some(transfer) = &mut self.transfer else {
            let (to, group, data) = self.waiting.pop_front()?;
            let (transfer, frame) = Transfer::begin(now, to, group, data);
            self.transfer = Some(transfer);
            return Some(frame);
        };
        if now < transfer.due {
            return None;
        }
        if transfer.next > transfer.until {
            let frame = transfer.give_up(now);
            self.transfer = None;
            return Some(frame);
        }
        let (frame, over) = transfer.packet(now);
        if over {
            self.transfer = None;
        }
        Some(frame)
    }
}

impl Default for Truck {
    fn default() -> Truck {
        Truck::new()
    }
}

impl Transfer {
    fn begin(now: Boot, to: u8, group: u32, data: Vec<u8>) -> (Transfer, Frame) {
        let [high, low] = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
        let packets = u8::try_from(data.len().div_ceil(7)).unwrap_or(u8::MAX);
        let broadcast = to == GLOBAL;
        let (control, until, patience) = if broadcast { (BAM, packets, PACKET) } else { (RTS, 0, PATIENCE) };
        let transfer = Transfer { to, group, data, next: 1, until, due: now + patience };
        let begin = transfer.connection(now, [control, low, high, packets, 0xFF]);
        (transfer, begin)
    }

    fn connection(&self, now: Boot, head: [u8; 5]) -> Frame {
        let [_, top, middle, low] = self.group.to_be_bytes();
        frame(now, id(7, CONNECTION, self.to, ENGINE), true, &[head.as_slice(), &[low, middle, top]].concat())
    }

    /// A packet, and whether nothing follows it.
    fn packet(&mut self, now: Boot) -> (Frame, bool) {
        let begin = usize::from(self.next.saturating_sub(1)) * 7;
        let mut data: Vec<u8> = [self.next].into_iter().chain(self.data.iter().skip(begin).take(7).copied()).collect();
        data.resize(8, 0xFF);
        self.next = self.next.saturating_add(1);
        let last = self.next > self.until;
        self.due = now
            + if self.to == GLOBAL {
                PACKET
            } else if last {
                PATIENCE
            } else {
                Duration::ZERO
            };
        (frame(now, id(7, TRANSFER, self.to, ENGINE), true, &data), last && self.to == GLOBAL)
    }

    /// Nobody said how to go on: reason 3.
    fn give_up(&self, now: Boot) -> Frame {
        self.connection(now, [ABORT, 3, 0xFF, 0xFF, 0xFF])
    }
}

impl Speaker for Truck {
    fn hear(&mut self, now: Boot, frame: &Frame) {
        let Some((group, to, from)) = parts(frame).filter(|_| self.state == State::Claimed) else { return };
        match (group, &*frame.data) {
            (CLAIM, &[a, b, c, d, e, f, g, h]) if from == ENGINE => {
                let theirs = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
                if theirs < self.name {
                    self.state = State::Without;
                    self.frames.push_back(claim(now, NULL, self.name));
                } else if theirs > self.name {
                    self.claim(now);
                }
            }
            (REQUEST, &[low, middle, top, ..]) if to == ENGINE || to == GLOBAL => {
                self.requested(now, from, to, u32::from_be_bytes([0, top, middle, low]));
            }
            (CONNECTION, &[a, b, c, d, e, f, g, h]) if to == ENGINE => self.connected(now, from, [a, b, c, d, e, f, g, h]),
            _ => {}
        }
    }

    fn pass(&mut self, now: Boot) -> Option<Frame> {
        match self.state {
            State::New => {
                (self.state, self.due) = (State::Claimed, now + SECOND);
                self.claim(now);
            }
            State::Claimed if now >= self.due || self.told != self.active => {
                self.due = now + SECOND;
                if !(self.active.is_empty() && self.told.is_empty()) {
                    self.told.clone_from(&self.active);
                    let data = Truck::list(self.lamps, &self.active);
                    self.send(now, GLOBAL, DM1, data);
                }
            }
            State::Claimed => {}
            State::Without => {
                self.waiting.clear();
                self.transfer = None;
            }
        }
        self.frames.pop_front().map(|frame| Frame { at: now, ..frame }).or_else(|| self.go_on(now))
    }

    fn deadline(&self) -> Option<Boot> {
        let frames = self.frames.front().map(|frame| frame.at);
        let transfer = self.transfer.as_ref().map(|transfer| transfer.due);
        let waiting = self.waiting.front().filter(|_| transfer.is_none()).map(|_| Boot::from_micros(i64::MIN));
        let own = match self.state {
            State::New => Some(Boot::from_micros(i64::MIN)),
            State::Claimed if self.told != self.active => Some(Boot::from_micros(i64::MIN)),
            State::Claimed => Some(self.due),
            State::Without => None,
        };
        frames.into_iter().chain(transfer).chain(waiting).chain(own).min()
    }
}

/// One who claims the address that somebody else has just claimed.
#[derive(Debug)]
pub struct Rival {
    /// Its NAME: the smaller one has the better right.
    name: u64,
    /// How often it does so.
    left: u8,
    frames: VecDeque<Frame>,
}

impl Rival {
    /// One with this NAME, that does so this often.
    pub const fn new(name: u64, times: u8) -> Rival {
        Rival { name, left: times, frames: VecDeque::new() }
    }
}

impl Speaker for Rival {
    fn hear(&mut self, now: Boot, frame: &Frame) {
        // The engine's address is left alone.
        let claimed = parts(frame).filter(|(group, _, from)| *group == CLAIM && !matches!(*from, ENGINE | NULL));
        let Some((_, _, address)) = claimed.filter(|_| self.left > 0) else { return };
        self.left -= 1;
        self.frames.push_back(claim(now, address, self.name));
    }

    fn pass(&mut self, now: Boot) -> Option<Frame> {
        self.frames.pop_front().map(|frame| Frame { at: now, ..frame })
    }

    fn deadline(&self) -> Option<Boot> {
        self.frames.front().map(|frame| frame.at)
    }
}

fn claim(now: Boot, from: u8, name: u64) -> Frame {
    frame(now, id(6, CLAIM, GLOBAL, from), true, &name.to_le_bytes())
}

/// A 29 bit id; `to` counts for groups below F000 only (SAE J1939-21, 5.2).
fn id(priority: u32, group: u32, to: u8, from: u8) -> u32 {
    priority << 26 | group << 8 | u32::from(to) << 8 | u32::from(from)
}

/// Group, destination (`GLOBAL` where it has none) and source of a frame.
fn parts(frame: &Frame) -> Option<(u32, u8, u8)> {
    let [_, format, specific, from] = frame.id.to_be_bytes();
    let group = frame.id >> 8 & 0x3_FFFF;
    frame.extended.then_some(if format < 0xF0 { (group & 0x3_FF00, specific, from) } else { (group, GLOBAL, from) })
}

//! An ECU on its wire: ISO-TP by 11 and by 29 bit ids, and the manners of the ECU behind it.

use std::collections::VecDeque;
use std::time::Duration;

use super::bus::{Speaker, frame};
use super::ecu::Ecu;
use super::{FlowManner, Live};
use crate::can::ArbitrationId;
use crate::clock::Boot;
use crate::diagnostics::isotp::{Address, Flow, Heard, Pass, Pdu, Receiver, Reception, Sender, Sending, Status};
use crate::vehicle::Frame;

/// Whom it answers (ISO 15765-4): the address of a tester.
const TESTER: u8 = 0xF1;
/// Answers that wait for their turn.
const MOST_WAITING: usize = 16;
/// From one 78 to what follows it; P2* is 5 s.
const PENDING: Duration = Duration::from_secs(2);
/// From one WAIT to the next, and how many there are: more than anybody grants.
const WAITS: (Duration, u8) = (Duration::from_millis(500), 20);

/// The ECU and its two ways.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) ecu: Ecu,
    ways: [Way; 2],
    /// What is to be said when, and which way.
    waiting: VecDeque<(Boot, usize, Vec<u8>)>,
    flows: VecDeque<Frame>,
    /// The next WAIT, how many are left, and which way.
    waits: Option<(Boot, u8, usize)>,
    /// Nothing more is sent before, for the manners' sake.
    held: Boot,
}

/// How it is addressed.
#[derive(Debug)]
struct Way {
    /// As this end sees it.
    address: Address,
    functional: ArbitrationId,
    receiver: Receiver,
    sender: Sender,
}

impl Way {
    fn new(address: Address, functional: u32, flow: FlowManner) -> Way {
        let reception = match flow {
            FlowManner::Slow { block, separation } => Reception { block_size: block, separation, ..Reception::default() },
            FlowManner::None => Reception::listening(),
            _ => Reception::default(),
        };
        let functional = ArbitrationId { id: functional, extended: functional > 0x7FF };
        Way { address, functional, receiver: Receiver::new(reception), sender: Sender::new(address, Sending::default()) }
    }

    fn flow(&self, now: Boot, flow: Flow) -> Frame {
        let [status, block, separation] = flow.bytes();
        let ArbitrationId { id, extended } = self.address.transmit();
        frame(now, id, extended, &[status, block, separation, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC])
    }
}

impl Node {
    pub(super) fn new(ecu: Ecu) -> Node {
        let normal = ArbitrationId { id: 0x7E0 + u32::from(ecu.number & 7), extended: false };
        let answers = ArbitrationId { id: normal.id + 8, ..normal };
        let ways = [
            Way::new(Address::normal(answers, normal), 0x7DF, ecu.manner.flow),
            Way::new(Address::fixed(TESTER, ecu.address), 0x18DB_33F1, ecu.manner.flow),
        ];
        let (waiting, flows) = (VecDeque::new(), VecDeque::new());
        Node { ecu, ways, waiting, flows, waits: None, held: Boot::from_micros(i64::MIN) }
    }

    /// The ECU has no supply any more: whatever was under way is forgotten.
    fn rest(&mut self) {
        self.waiting.clear();
        self.flows.clear();
        self.waits = None;
        for way in &mut self.ways {
            way.receiver.cut_short();
            way.sender.turn_to(way.address);
        }
    }

    fn request(&mut self, now: Boot, way: usize, request: &[u8], functional: bool) {
        let manner = &mut self.ecu.manner;
        let Some(&service) = request.first().filter(|_| !manner.never) else { return };
        let manner_now = *manner;
        let answer = if manner.busy > 0 {
            manner.busy -= 1;
            Some(vec![0x7F, service, 0x21])
        } else {
            self.ecu.answer(request, functional)
        };
        let Some(answer) = answer else { return };
        let mut due = now + manner_now.after;
        for _ in 0..manner_now.pending {
            self.later(due, way, vec![0x7F, service, 0x78]);
            due = due + PENDING;
        }
        if manner_now.twice {
            self.later(due, way, answer.clone());
        }
        self.later(due, way, answer);
    }

    fn later(&mut self, due: Boot, way: usize, answer: Vec<u8>) {
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back((due, way, answer));
        }
    }

    /// What a receiver would say of how to go on, as this ECU's manner has it.
    fn flow(&mut self, now: Boot, at: usize, flow: Flow) {
        let status = match self.ecu.manner.flow {
            FlowManner::Wait => {
                self.waits = Some((now, WAITS.1, at));
                return;
            }
            FlowManner::Overflow => Status::Overflow,
            FlowManner::Invalid => Status::Invalid(7),
            FlowManner::Right | FlowManner::Slow { .. } | FlowManner::None => flow.status,
        };
        if let Some(way) = self.ways.get(at) {
            self.flows.push_back(way.flow(now, Flow { status, ..flow }));
        }
    }

    fn wait(&mut self, now: Boot) {
        let Some((due, left, at)) = self.waits.filter(|(due, ..)| *due <= now) else { return };
        let Some(way) = self.ways.get_mut(at) else { return };
        way.receiver.prolong(now);
        self.flows.push_back(way.flow(now, Flow { status: Status::Wait, block_size: 0, separation: 0 }));
        self.waits = left.checked_sub(1).map(|left| (due + WAITS.0, left, at)).filter(|_| way.receiver.is_busy());
    }

    fn sending(&self) -> bool {
        self.ways.iter().any(|way| way.sender.is_busy())
    }
}

impl Speaker for Node {
    fn measure(&mut self, live: Live) {
        self.ecu.measure(live);
    }

    fn hear(&mut self, now: Boot, frame: &Frame) {
        if !self.ecu.live.ignition {
            return;
        }
        let mut requests: Vec<(usize, Vec<u8>, bool)> = Vec::new();
        let mut flows: Vec<(usize, Flow)> = Vec::new();
        for (at, way) in self.ways.iter_mut().enumerate() {
            if (frame.id, frame.extended) == (way.functional.id, way.functional.extended) {
                if let Some(Pdu::Single(request)) = Pdu::read(&frame.data, 0) {
                    requests.push((at, request.to_vec(), true));
                }
                continue;
            }
            let Some(pdu) = way.address.bytes(frame).and_then(|(bytes, taken)| Pdu::read(bytes, taken)) else { continue };
            if let Pdu::Flow(flow) = pdu {
                way.sender.flow(now, flow);
                continue;
            }
            let Heard { message, flow, .. } = way.receiver.hear(now, pdu);
            requests.extend(message.map(|request| (at, request.to_vec(), false)));
            flows.extend(flow.map(|flow| (at, flow)));
        }
        for (way, flow) in flows {
            self.flow(now, way, flow);
        }
        for (way, request, functional) in requests {
            self.request(now, way, &request, functional);
        }
    }

    fn pass(&mut self, now: Boot) -> Option<Frame> {
        if !self.ecu.live.ignition {
            self.rest();
            return None;
        }
        self.wait(now);
        if let Some(frame) = self.flows.pop_front() {
            return Some(Frame { at: now, ..frame });
        }
        for way in &mut self.ways {
            way.receiver.pass(now);
        }
        if now < self.held {
            return None;
        }
        // Once to begin the next answer, once for its first frame.
        for _ in 0..2 {
            for way in &mut self.ways {
                while way.sender.is_busy() {
                    match way.sender.pass(now) {
                        Pass::Frame(frame) => {
                            self.held = now + self.ecu.manner.gap;
                            return Some(frame);
                        }
                        Pass::Nothing => break,
                        Pass::Sent | Pass::Failed(_) => {}
                    }
                }
            }
            if self.sending() || self.waiting.front().is_none_or(|(due, ..)| *due > now) {
                return None;
            }
            if let Some((_, at, answer)) = self.waiting.pop_front() {
                // Nothing is under way, and an answer is never empty nor too long.
                let _ = self.ways.get_mut(at).map(|way| way.sender.send(&answer));
            }
        }
        None
    }

    fn deadline(&self) -> Option<Boot> {
        let flows = self.flows.front().map(|frame| frame.at);
        let waits = self.waits.map(|(due, ..)| due);
        let receivers = self.ways.iter().filter_map(|way| way.receiver.deadline());
        let answers = if self.sending() {
            self.ways.iter().filter_map(|way| way.sender.deadline()).min()
        } else {
            self.waiting.front().map(|(due, ..)| *due)
        };
        let answers = answers.map(|due| due.max(self.held));
        flows.into_iter().chain(waits).chain(receivers).chain(answers).min()
    }
}

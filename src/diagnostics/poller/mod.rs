//! Asks ECUs what is wrong with them, gently.
//!
//! Promised:
//!
//! - **One request at a time, at most 5 a second, and only while the ignition is known to be on.** What is sent and what
//!   is answered to it stays under 5,000 bits a second over any 10 s: 1 % of a bus of 500 kbit/s, which a [`Truck`] on the same
//!   bus has its part of.
//! - **A long answer is slowed, not lost.** A question leaves only when there is room for an answer of any length at the
//!   longest STmin, and says how much there is ([`Room`]); nothing times out meanwhile. What takes more than half of the share
//!   is asked more rarely, so that everything else has its turn.
//! - **Another tester has the bus for itself.** Its first frame pauses everything until 10 s after its last one, 60 s once
//!   it asked for a session other than the default one and until it left that. All the while everything is heard: what
//!   ECUs tell that tester is a reading too, and a clear that an ECU confirms is told.
//! - **Nobody is pressed.** Who is busy (NRC 21) or silent is asked again after 2 s, then twice as long each time, to a
//!   minute; who does not have a thing is not asked for it again until the ignition comes on anew. An ECU that says that its
//!   answer will follow (78) has 5 s more each time, 30 s in all. An answer that comes late, or twice, is never taken for
//!   that to another question.
//! - **Nothing can be asked that changes the car**: all that leaves is a [`Request`].
//!
//! The order of things: supported PIDs with 11 bit ids, then with 29; what answers first stays. Lamp (every 3 s), stored
//! and pending codes (4 s), permanent ones (8 s). What only speaks OBDonUDS, and what the profile names, is read by 0x19.
//! Then what else there is: supported PIDs, the VIN, freeze frames of new codes, and values, up to six at once.
//!
//! It is a function of what was heard and when: of every frame of the bus, our own included (an interface gives those to
//! all that listen on it). Putting a request on the bus, and flow control for its answers, is for a
//! [port](super::port). [`Truck`] is the same for SAE J1939, where there is no pause: whoever has
//! claimed an address may ask.

mod budget;
mod exchange;
mod plan;
mod tester;
#[cfg(test)]
mod tests;
mod truck;

pub use self::budget::{BESIDE_J1939, BESIDE_OBD, Budget, MOST_BITS};
pub use self::truck::{Spoken, Truck, filters as truck_filters};
pub use super::bits::bits;

use std::time::Duration;

use self::exchange::{Exchange, Trailing};
use self::plan::{Plan, Task};
use self::tester::Tester;
use super::isotp::{Address, Pdu, Room, Status};
use super::overheard::{Asked, Overheard, Part, Parts, Said, To};
use super::request::Request;
use crate::can::profile::{Diagnosis, Identifier};
use crate::clock::Boot;
use crate::vehicle::Frame;
use crate::vehicle::trouble::{Ecu, Heard};

/// Between two requests: 5 a second.
const GAP: Duration = Duration::from_millis(200);
/// Bits of a request: a frame of 8 bytes with 11 or 29 bits of id.
const SHORT_FRAME: u32 = 135;
const LONG_FRAME: u32 = 160;

/// What comes of hearing and asking.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// This is to be asked; the exchange before is over. The answers have so much room on the bus.
    Ask(Address, Request, Room),
    /// The exchange is over: no more flow control.
    End,
    /// This is told.
    Heard(Heard),
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests sent.
    pub requests: u64,
    /// Answers to them, negative ones included.
    pub answers: u64,
    /// Requests that nobody answered.
    pub timeouts: u64,
    /// Answers that came twice.
    pub twice: u64,
    /// Answers that came after their request was given up.
    pub late: u64,
    /// What others called for and was not said, because it would have been too much for the bus.
    pub withheld: u64,
}

impl Counts {
    /// These and those.
    pub fn and(self, those: Counts) -> Counts {
        Counts {
            requests: self.requests + those.requests,
            answers: self.answers + those.answers,
            timeouts: self.timeouts + those.timeouts,
            twice: self.twice + those.twice,
            late: self.late + those.late,
            withheld: self.withheld + those.withheld,
        }
    }
}

/// Asks the ECUs of one bus by OBD-II and UDS.
#[derive(Debug)]
pub struct Poller {
    overheard: Overheard,
    budget: Budget,
    plan: Plan,
    identifiers: Vec<Identifier>,
    ignition: bool,
    tester: Option<Tester>,
    exchange: Option<Exchange>,
    /// What of the one before still comes.
    trailing: Vec<Trailing>,
    /// The number of the last question.
    number: u64,
    /// When the next may be asked.
    next: Boot,
    /// Whether ECUs answer, as told last.
    answering: Option<bool>,
    counts: Counts,
}

impl Poller {
    /// Has asked nothing yet.
    pub fn new(diagnosis: &Diagnosis) -> Poller {
        let shared = diagnosis.obd.is_some() && diagnosis.obd == diagnosis.j1939;
        Poller {
            overheard: Overheard::new(Parts::named(diagnosis)),
            budget: if shared { Budget::of(BESIDE_J1939) } else { Budget::default() },
            plan: Plan::new(
                diagnosis.addressing,
                diagnosis.identifiers.iter().map(|identifier| (identifier.ecu, identifier.did)),
            ),
            identifiers: diagnosis.identifiers.clone(),
            ignition: false,
            tester: None,
            exchange: None,
            trailing: Vec::new(),
            number: 0,
            next: Boot::from_micros(i64::MIN),
            answering: None,
            counts: Counts::default(),
        }
    }

    /// What a kernel filter must let through.
    pub fn parts(&self) -> &Parts {
        self.overheard.parts()
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether another tester has the bus.
    pub fn is_paused(&self, now: Boot) -> bool {
        self.tester.is_some_and(|tester| now < tester.until())
    }

    /// How many things are remembered to be asked.
    pub fn remembered(&self) -> usize {
        self.plan.remembered()
    }

    /// Whether ECUs answer; `None` where they were not asked yet.
    pub fn answering(&self) -> Option<bool> {
        self.answering
    }

    /// Bits that we and those that answered us put on the bus in the last 10 s.
    pub fn spent(&mut self, now: Boot) -> u32 {
        self.budget.spent(now)
    }

    /// The ignition is known to be on, or is not.
    pub fn set_ignition(&mut self, now: Boot, on: bool, out: &mut Vec<Output>) {
        if on && !self.ignition {
            self.plan.start(now);
        }
        if !on {
            self.give_up(out);
        }
        self.ignition = on;
    }

    /// A frame was on the bus.
    pub fn hear(&mut self, now: Boot, frame: &Frame, out: &mut Vec<Output>) {
        let Some(part) = self.parts().of(frame.id, frame.extended) else { return };
        let flow = if let Some(Pdu::Flow(flow)) = Pdu::read(&frame.data, 0) { Some(flow.status) } else { None };
        match (part, flow) {
            (Part::Answers(ecu), _) if self.is_asked(ecu) => {
                self.spend(now, frame);
                self.follow(now, ecu, frame, out);
            }
            (Part::Answers(ecu), _) => self.trail(now, ecu, frame),
            (Part::Asks(To::One(ecu)), Some(status)) if self.is_asked(ecu) => {
                self.spend(now, frame);
                if status == Status::Overflow {
                    self.refused(now, ecu, out);
                }
            }
            // Of other testers it goes with a question that is heard by itself.
            (Part::Asks(_), Some(_)) => self.prolong(now),
            _ => {}
        }
        let mut said = Vec::new();
        self.overheard.hear(now, frame, &mut |one| said.push(Kept::of(one)));
        for one in said {
            match one {
                Kept::Question(payload) => self.other_tester(now, &payload, out),
                Kept::Answer { from, to, payload, heard } => self.answer(now, from, to, &payload, heard, out),
            }
        }
    }

    fn is_asked(&self, ecu: Ecu) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.is_for(ecu))
    }

    /// What is due.
    pub fn pass(&mut self, now: Boot, out: &mut Vec<Output>) {
        self.overheard.pass(now);
        if self.exchange.as_ref().is_some_and(|exchange| now >= exchange.until) {
            self.time_out(now, out);
        }
        if self.may_ask(now) {
            if let Some(task) = self.plan.next(now) {
                self.ask(now, task, out);
            }
        }
    }

    /// When to [`pass`](Poller::pass); at once where that is before now.
    pub fn deadline(&self) -> Option<Boot> {
        let exchange = self.exchange.as_ref().map(|exchange| exchange.until);
        let ask = match (self.ignition, &self.exchange) {
            (true, None) => self.plan.due().map(|due| due.max(self.next).max(self.paused_until()).max(self.trailing_until())),
            _ => None,
        };
        [self.overheard.deadline(), exchange, ask].into_iter().flatten().min()
    }

    fn paused_until(&self) -> Boot {
        self.tester.map_or(Boot::from_micros(i64::MIN), Tester::until)
    }

    /// Nobody is asked while an answer still comes.
    fn trailing_until(&self) -> Boot {
        self.trailing.iter().map(|trailing| trailing.until).max().unwrap_or(Boot::from_micros(i64::MIN))
    }

    fn may_ask(&self, now: Boot) -> bool {
        let free = now >= self.next && now >= self.trailing_until();
        self.ignition && self.exchange.is_none() && free && !self.is_paused(now)
    }

    fn ask(&mut self, now: Boot, task: Task, out: &mut Vec<Output>) {
        let to = self.plan.to(&task);
        let Some(address) = plan::address(to) else { return self.plan.drop(&task) };
        let extended = address.transmit().extended;
        // A long answer is slowed until it fits: there is to be room enough for that, whether one is expected or not.
        let cost = self.plan.cost(&task).min(self.budget.most() / 2).max(Room::least(extended));
        if !self.budget.allows(now, cost) {
            self.next = Budget::next(now);
            return;
        }
        let request = self.plan.question(&task);
        self.number += 1;
        self.overheard.ask(now, to, &request.encode(), self.number);
        self.counts.requests += 1;
        self.next = now + GAP;
        let bits = if extended { LONG_FRAME } else { SHORT_FRAME };
        self.budget.spend(now, bits);
        self.exchange = Some(Exchange::new(now, self.number, (task, to), bits));
        let ecus = if matches!(to, To::One(_)) { 1 } else { self.plan.known(to).count().clamp(1, 8) as u8 };
        out.push(Output::Ask(address, request, Room { bits: self.budget.room(now), ecus }));
    }

    /// An ECU's whole answer, to whomever.
    fn answer(&mut self, now: Boot, from: Ecu, to: Asked, payload: &[u8], heard: Vec<Heard>, out: &mut Vec<Output>) {
        if let Some(exchange) = &mut self.exchange {
            exchange.came_whole(from);
        }
        match to {
            Asked::Ours(number) => {
                self.counts.answers += 1;
                self.tell_answering(true, out);
                if self.exchange.as_ref().is_none_or(|exchange| exchange.number != number) {
                    self.counts.late += 1;
                } else {
                    self.take(now, from, payload, &heard, out);
                }
            }
            Asked::Again => self.counts.twice += 1,
            Asked::Others => self.others_answer(now, payload),
        }
        if heard.iter().any(|heard| matches!(heard, Heard::Vin(_))) {
            self.plan.numbered();
        }
        out.extend(heard.into_iter().map(Output::Heard));
    }

    fn tell_answering(&mut self, yes: bool, out: &mut Vec<Output>) {
        if self.answering != Some(yes) {
            self.answering = Some(yes);
            let protocol = self.plan.protocol();
            out.push(Output::Heard(Heard::Answering { protocol, yes }));
        }
    }
}

/// What was said, to keep.
enum Kept {
    Question(Vec<u8>),
    Answer { from: Ecu, to: Asked, payload: Vec<u8>, heard: Vec<Heard> },
}

impl Kept {
    fn of(said: Said<'_>) -> Kept {
        match said {
            Said::Question { payload, .. } => Kept::Question(payload.to_vec()),
            Said::Answer { from, to, payload, heard } => Kept::Answer { from, to, payload: payload.to_vec(), heard },
        }
    }
}

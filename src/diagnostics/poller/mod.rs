//! Asks ECUs what is wrong with them, gently.
//!
//! Promised:
//!
//! - **One request at a time, at most 5 a second, and only while the ignition is known to be on.** What is sent and what
//!   is answered to it stays under 5,000 bits a second over any 10 s: 1 % of a bus of 500 kbit/s.
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
mod plan;
#[cfg(test)]
mod tests;
mod truck;

pub use self::budget::{Budget, MOST_BITS, bits};
pub use self::truck::{Spoken, Truck, filters as truck_filters};

use std::time::Duration;

use self::plan::{Answered, Plan, Task};
use super::isotp::Address;
use super::negative::{Meaning, Negative};
use super::overheard::{Asked, Overheard, Part, Parts, Said, To};
use super::request::Request;
use crate::can::profile::{Diagnosis, Identifier};
use crate::clock::Boot;
use crate::vehicle::Frame;
use crate::vehicle::trouble::{Ecu, Heard, Identified};

/// Between two requests: 5 a second.
const GAP: Duration = Duration::from_millis(200);
/// P2: how long the first answer may take (50 ms, ISO 15765-4) and what systems between add to it.
const P2: Duration = Duration::from_millis(250);
/// A request that has not left by then is given up (N_As is 1 s, and a socket may take as long to close before it).
const UNSENT: Duration = Duration::from_secs(2);
/// P2*: how long after `78` (ISO 14229-2).
const P2_STAR: Duration = Duration::from_secs(5);
/// An exchange lasts no longer, however often it is put off.
const LONGEST: Duration = Duration::from_secs(30);
/// The pause after another tester's last frame.
const QUIET: Duration = Duration::from_secs(10);
/// The same after it asked for a session other than the default one.
const QUIET_SESSION: Duration = Duration::from_secs(60);
/// N_Cr and N_Bs: how long the next frame of an answer may take (ISO 15765-2).
const NEXT_FRAME: Duration = Duration::from_secs(1);
/// The default session.
const DEFAULT_SESSION: u8 = 0x01;
/// Bits of a request: a frame of 8 bytes with 11 or 29 bits of id.
const SHORT_FRAME: u32 = 135;
const LONG_FRAME: u32 = 160;
/// First frames of answers to one question, each of which is given flow control: sixteen ECUs, twice.
const MOST_BEGUN: u32 = 32;
/// Kinds of frames (ISO 15765-2, 9.6): the upper half of their first byte.
const FIRST_FRAME: u8 = 1;
const CONSECUTIVE_FRAME: u8 = 2;
const FLOW_CONTROL: u8 = 3;

/// What comes of hearing and asking.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// This is to be asked; the exchange before is over.
    Ask(Address, Request),
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
    /// The number of the last question.
    number: u64,
    /// When the next may be asked.
    next: Boot,
    /// Whether ECUs answer, as told last.
    answering: Option<bool>,
    counts: Counts,
}

/// Somebody else's tester.
#[derive(Clone, Copy, Debug)]
struct Tester {
    heard: Boot,
    /// It asked for another session than the default one.
    session: bool,
}

impl Tester {
    fn until(self) -> Boot {
        self.heard + if self.session { QUIET_SESSION } else { QUIET }
    }
}

/// A request, and what came of it so far.
#[derive(Debug)]
struct Exchange {
    number: u64,
    task: Task,
    to: To,
    sent: Boot,
    until: Boot,
    answered: Vec<Ecu>,
    busy: bool,
    /// Somebody answered what was asked.
    well: bool,
    /// Those of whose answers frames are still to come, and until when.
    under_way: Vec<(Ecu, Boot)>,
    /// First frames so far.
    begun: u32,
    bits: u32,
}

impl Poller {
    /// Has asked nothing yet.
    pub fn new(diagnosis: &Diagnosis) -> Poller {
        Poller {
            overheard: Overheard::new(Parts::named(diagnosis)),
            budget: Budget::default(),
            plan: Plan::new(
                diagnosis.addressing,
                diagnosis.identifiers.iter().map(|identifier| (identifier.ecu, identifier.did)),
            ),
            identifiers: diagnosis.identifiers.clone(),
            ignition: false,
            tester: None,
            exchange: None,
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
        let kind = frame.data.first().map(|first| first >> 4);
        match (part, kind) {
            (Part::Answers(ecu), _) if self.is_asked(ecu) => {
                self.spend(now, frame);
                self.follow(now, ecu, kind, out);
            }
            (Part::Asks(To::One(ecu)), Some(FLOW_CONTROL)) if self.is_asked(ecu) => self.spend(now, frame),
            // Of other testers it goes with a question that is heard by itself.
            (Part::Asks(_), Some(FLOW_CONTROL)) => self.prolong(now),
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
        self.exchange.as_ref().is_some_and(|exchange| exchange.to.includes(ecu))
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
            (true, None) => self.plan.due().map(|due| due.max(self.next).max(self.paused_until())),
            _ => None,
        };
        [self.overheard.deadline(), exchange, ask].into_iter().flatten().min()
    }

    fn paused_until(&self) -> Boot {
        self.tester.map_or(Boot::from_micros(i64::MIN), Tester::until)
    }

    fn may_ask(&self, now: Boot) -> bool {
        self.ignition && self.exchange.is_none() && now >= self.next && !self.is_paused(now)
    }

    fn ask(&mut self, now: Boot, task: Task, out: &mut Vec<Output>) {
        if !self.budget.allows(now, self.plan.cost(&task)) {
            self.next = Budget::next(now);
            return;
        }
        let (to, request) = self.plan.question(&task);
        let Some(address) = plan::address(to) else { return self.plan.drop(&task) };
        self.number += 1;
        self.overheard.ask(now, to, &request.encode(), self.number);
        self.counts.requests += 1;
        self.next = now + GAP;
        let bits = if address.transmit().extended { LONG_FRAME } else { SHORT_FRAME };
        self.budget.spend(now, bits);
        let (number, until) = (self.number, now + UNSENT);
        self.exchange = Some(Exchange {
            number,
            task,
            to,
            sent: now,
            until,
            answered: Vec::new(),
            busy: false,
            well: false,
            under_way: Vec::new(),
            begun: 0,
            bits,
        });
        out.push(Output::Ask(address, request));
    }

    /// The request is on the bus: answers are due from now on.
    pub fn sent(&mut self, now: Boot) {
        if let Some(exchange) = &mut self.exchange {
            (exchange.sent, exchange.until) = (now, now + P2);
        }
    }

    fn spend(&mut self, now: Boot, frame: &Frame) {
        let bits = bits(frame);
        self.budget.spend(now, bits);
        if let Some(exchange) = &mut self.exchange {
            exchange.bits = exchange.bits.saturating_add(bits);
        }
    }

    /// Notes whose answer has more frames to come. Who only ever begins would have us give flow control for ever.
    fn follow(&mut self, now: Boot, ecu: Ecu, kind: Option<u8>, out: &mut Vec<Output>) {
        let Some(exchange) = &mut self.exchange else { return };
        exchange.begun += u32::from(kind == Some(FIRST_FRAME));
        if exchange.begun > MOST_BEGUN {
            exchange.busy = true;
            self.counts.withheld += 1;
            return self.finish(now, out);
        }
        exchange.under_way.retain(|(other, _)| *other != ecu);
        if let Some(FIRST_FRAME | CONSECUTIVE_FRAME) = kind {
            exchange.under_way.push((ecu, now + NEXT_FRAME));
        }
    }

    /// An ECU's whole answer, to whomever.
    fn answer(&mut self, now: Boot, from: Ecu, to: Asked, payload: &[u8], heard: Vec<Heard>, out: &mut Vec<Output>) {
        if let Some(exchange) = &mut self.exchange {
            exchange.under_way.retain(|(ecu, _)| *ecu != from);
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
            Asked::Others => {
                self.prolong_or_begin(now);
                if let (Some(tester), [0x50, session, ..]) = (&mut self.tester, payload) {
                    tester.session = *session != DEFAULT_SESSION;
                }
                // A reset ends the session.
                if let (Some(tester), [0x51, ..]) = (&mut self.tester, payload) {
                    tester.session = false;
                }
            }
        }
        if heard.iter().any(|heard| matches!(heard, Heard::Vin(_))) {
            self.plan.numbered();
        }
        out.extend(heard.into_iter().map(Output::Heard));
    }

    /// An answer to the question that is open.
    fn take(&mut self, now: Boot, from: Ecu, payload: &[u8], heard: &[Heard], out: &mut Vec<Output>) {
        let Some(exchange) = &mut self.exchange else { return };
        let no = Negative::decode(payload).map(Negative::meaning);
        if no == Some(Meaning::Pending) {
            exchange.until = (now + P2_STAR).min(exchange.sent + LONGEST);
            return;
        }
        if !exchange.answered.contains(&from) {
            exchange.answered.push(from);
        }
        exchange.well |= no.is_none();
        exchange.busy |= matches!(no, Some(Meaning::Busy | Meaning::NotNow));
        let answered = match no {
            Some(Meaning::NotThere) => Answered::NotThere,
            Some(_) => Answered::NotNow,
            None => Answered::Yes { payload, heard },
        };
        self.plan.answered(now, &exchange.task, from, answered);
        if let (Task::Identifier(ecu, did), None) = (&exchange.task, no) {
            let known = self.identifiers.iter().find(|known| (known.ecu, known.did) == (*ecu, *did));
            let told = known.zip(value(payload));
            out.extend(told.map(|(Identifier { ecu, name, .. }, value)| {
                Output::Heard(Heard::Identified(Identified { ecu: *ecu, name: name.clone(), value }))
            }));
        }
        let all = match exchange.to {
            To::One(_) => true,
            to => self.plan.known(to).all(|ecu| exchange.answered.contains(&ecu)) && self.plan.known(to).next().is_some(),
        };
        // Those that are not known yet may answer the first question until P2 is over.
        if all && !matches!(exchange.task, Task::Find(_) | Task::FindUds(_)) {
            self.finish(now, out);
        }
    }

    fn finish(&mut self, now: Boot, out: &mut Vec<Output>) {
        if let Some(Exchange { task, well, busy, bits, .. }) = self.exchange.take() {
            self.plan.finished(now, &task, well && !busy, bits);
            out.push(Output::End);
        }
    }

    fn time_out(&mut self, now: Boot, out: &mut Vec<Output>) {
        let Some(exchange) = &mut self.exchange else { return };
        let bound = exchange.sent + LONGEST;
        exchange.under_way.retain(|(_, until)| now < *until);
        if let Some(until) = exchange.under_way.iter().map(|(_, until)| (*until).min(bound)).max().filter(|until| now < *until) {
            exchange.until = until;
            return;
        }
        if exchange.answered.is_empty() {
            self.counts.timeouts += 1;
        }
        self.finish(now, out);
        if self.plan.is_silent() {
            self.tell_answering(false, out);
        }
    }

    fn tell_answering(&mut self, yes: bool, out: &mut Vec<Output>) {
        if self.answering != Some(yes) {
            self.answering = Some(yes);
            let protocol = self.plan.protocol();
            out.push(Output::Heard(Heard::Answering { protocol, yes }));
        }
    }

    /// Ends the open exchange as if it had never been.
    fn give_up(&mut self, out: &mut Vec<Output>) {
        if self.exchange.take().is_some() {
            out.push(Output::End);
        }
    }

    fn other_tester(&mut self, now: Boot, payload: &[u8], out: &mut Vec<Output>) {
        self.prolong_or_begin(now);
        if let (Some(tester), [0x10, session, ..]) = (&mut self.tester, payload) {
            // Leaving counts once it is answered.
            tester.session |= session & 0x7F != DEFAULT_SESSION;
        }
        self.give_up(out);
    }

    fn prolong_or_begin(&mut self, now: Boot) {
        let session = self.tester.is_some_and(|tester| now < tester.until() && tester.session);
        if !self.is_paused(now) {
            // What it does may change everything.
            self.plan.refresh();
        }
        self.tester = Some(Tester { heard: now, session });
    }

    fn prolong(&mut self, now: Boot) {
        if self.is_paused(now) {
            self.prolong_or_begin(now);
        }
    }
}

/// What stands under the identifier of an answer to 22.
fn value(payload: &[u8]) -> Option<String> {
    let [_, _, _, bytes @ ..] = payload else { return None };
    let text = std::str::from_utf8(bytes).ok().map(|text| text.trim_matches(['\0', ' ']));
    let text = text.filter(|text| !text.is_empty() && text.bytes().all(|byte| (0x20..0x7F).contains(&byte)));
    Some(text.map_or_else(|| bytes.iter().map(|byte| format!("{byte:02X}")).collect(), str::to_owned))
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

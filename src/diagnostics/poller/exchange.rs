//! One question, from its leaving to the end of its answers.

use std::time::Duration;

use super::plan::{Answered, Cost, Task};
use super::{Budget, Output, Poller, bits};
use crate::can::profile::Identifier;
use crate::clock::Boot;
use crate::diagnostics::isotp::{Pdu, Room};
use crate::diagnostics::negative::{Meaning, Negative};
use crate::diagnostics::overheard::To;
use crate::vehicle::Frame;
use crate::vehicle::trouble::{Ecu, Heard, Identified};

/// P2: how long the first answer may take (50 ms, ISO 15765-4) and what systems between add to it.
const P2: Duration = Duration::from_millis(250);
/// A request that has not left by then is given up (N_As is 1 s, and a socket may take as long to close before it).
const UNSENT: Duration = Duration::from_secs(2);
/// P2*: how long after `78` (ISO 14229-2).
const P2_STAR: Duration = Duration::from_secs(5);
/// An exchange lasts no longer, however often it is put off; but as long as an answer takes that we slow down.
const LONGEST: Duration = Duration::from_secs(30);
/// What 4,095 bytes take at the longest STmin, and no answer is given longer beyond that.
const SLOWED: Duration = Duration::from_secs(75);
/// N_Cr and N_Bs: how long the next frame of an answer may take (ISO 15765-2).
const NEXT_FRAME: Duration = Duration::from_secs(1);
/// First frames of answers to one question, each of which is given flow control: sixteen ECUs, twice.
const MOST_BEGUN: u32 = 32;
/// Consecutive frames that are believed to be announced: more than 4,095 bytes are refused.
const MOST_FRAMES: u32 = 600;

/// A request, and what came of it so far.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Of the question.
    pub(super) number: u64,
    task: Task,
    to: To,
    sent: Boot,
    /// It is waited for so long.
    pub(super) until: Boot,
    answered: Vec<Ecu>,
    busy: bool,
    /// Somebody answered what was asked.
    well: bool,
    /// Those of whose answers frames are still to come, and until when.
    under_way: Vec<(Ecu, Boot)>,
    /// First frames so far.
    begun: u32,
    bits: u32,
    /// Bits that first frames announced beside those that came.
    announced: u32,
    /// It is over then, whatever is under way.
    bound: Boot,
}

impl Exchange {
    /// Of a request that is to leave now, and will take these bits.
    pub(super) fn new(now: Boot, number: u64, (task, to): (Task, To), bits: u32) -> Exchange {
        Exchange {
            number,
            task,
            to,
            sent: now,
            until: now + UNSENT,
            answered: Vec::new(),
            busy: false,
            well: false,
            under_way: Vec::new(),
            begun: 0,
            bits,
            announced: 0,
            bound: now + LONGEST,
        }
    }

    /// Whether `ecu` is asked.
    pub(super) fn is_for(&self, ecu: Ecu) -> bool {
        self.to.includes(ecu)
    }

    /// All that `ecu` had to say was said.
    pub(super) fn came_whole(&mut self, ecu: Ecu) {
        self.under_way.retain(|(other, _)| *other != ecu);
    }

    /// An answer begins that has so many more frames, as long as this one.
    fn announce(&mut self, now: Boot, frames: u32, frame: &Frame) {
        let frames = frames.min(MOST_FRAMES);
        self.begun += 1;
        self.announced = self.announced.saturating_add(frames * bits(frame));
        let ends = now + Room::SLOWEST * frames + NEXT_FRAME;
        self.bound = self.bound.max(ends.min(self.sent + LONGEST + SLOWED));
    }

    /// Those of which frames are still to come although nobody waits for them.
    fn trailing(&self) -> impl Iterator<Item = Trailing> {
        self.under_way.iter().map(|(ecu, until)| Trailing { ecu: *ecu, until: *until, bound: self.bound })
    }
}

/// An answer that goes on although it was given up: what is left of it still is on the bus because of us.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trailing {
    ecu: Ecu,
    /// The next frame comes before, or none.
    pub(super) until: Boot,
    bound: Boot,
}

impl Poller {
    /// The request is on the bus: answers are due from now on.
    pub fn sent(&mut self, now: Boot) {
        if let Some(exchange) = &mut self.exchange {
            (exchange.sent, exchange.until, exchange.bound) = (now, now + P2, now + LONGEST);
        }
    }

    pub(super) fn spend(&mut self, now: Boot, frame: &Frame) {
        let bits = bits(frame);
        self.budget.spend(now, bits);
        if let Some(exchange) = &mut self.exchange {
            exchange.bits = exchange.bits.saturating_add(bits);
        }
    }

    /// Notes whose answer has more frames to come. Who only ever begins would have us give flow control for ever.
    pub(super) fn follow(&mut self, now: Boot, ecu: Ecu, frame: &Frame, out: &mut Vec<Output>) {
        let Some(exchange) = &mut self.exchange else { return };
        let pdu = Pdu::read(&frame.data, 0);
        match pdu {
            Some(first @ Pdu::First { .. }) => exchange.announce(now, first.announces(), frame),
            Some(Pdu::Consecutive { .. }) => exchange.announced = exchange.announced.saturating_sub(bits(frame)),
            _ => {}
        }
        if exchange.begun > MOST_BEGUN {
            exchange.busy = true;
            self.counts.withheld += 1;
            return self.finish(now, out);
        }
        exchange.under_way.retain(|(other, _)| *other != ecu);
        if let Some(Pdu::First { .. } | Pdu::Consecutive { .. }) = pdu {
            exchange.under_way.push((ecu, now + NEXT_FRAME));
        }
    }

    /// What this ECU announced is more than the bus has room for: it is asked again when there is more.
    pub(super) fn refused(&mut self, now: Boot, ecu: Ecu, out: &mut Vec<Output>) {
        let Some(exchange) = &mut self.exchange else { return };
        exchange.came_whole(ecu);
        exchange.busy = true;
        self.counts.withheld += 1;
        if exchange.to == To::One(ecu) {
            self.finish(now, out);
        }
    }

    /// A frame of an answer that nobody waits for any more.
    pub(super) fn trail(&mut self, now: Boot, ecu: Ecu, frame: &Frame) {
        let Some(trailing) = self.trailing.iter_mut().find(|trailing| trailing.ecu == ecu && now < trailing.until) else {
            return;
        };
        if let Some(Pdu::Consecutive { .. }) = Pdu::read(&frame.data, 0) {
            trailing.until = (now + NEXT_FRAME).min(trailing.bound);
            self.budget.spend(now, bits(frame));
        }
    }

    /// An answer to the question that is open.
    pub(super) fn take(&mut self, now: Boot, from: Ecu, payload: &[u8], heard: &[Heard], out: &mut Vec<Output>) {
        let Some(exchange) = &mut self.exchange else { return };
        let no = Negative::decode(payload).map(Negative::meaning);
        if no == Some(Meaning::Pending) {
            exchange.until = (now + P2_STAR).min(exchange.bound);
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
        if let Some(exchange) = self.exchange.take() {
            self.trailing = exchange.trailing().collect();
            let Exchange { task, well, busy, bits, announced, .. } = exchange;
            // No question takes more than half of what there is.
            let rest = Budget::WINDOW * bits.saturating_mul(2) / self.budget.most().max(1);
            let cost = Cost { bits: bits.saturating_add(announced), rest };
            self.plan.finished(now, &task, well && !busy, cost);
            out.push(Output::End);
        }
    }

    pub(super) fn time_out(&mut self, now: Boot, out: &mut Vec<Output>) {
        let Some(exchange) = &mut self.exchange else { return };
        let bound = exchange.bound;
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

    /// Ends the open exchange as if it had never been.
    pub(super) fn give_up(&mut self, out: &mut Vec<Output>) {
        if let Some(exchange) = self.exchange.take() {
            self.trailing = exchange.trailing().collect();
            out.push(Output::End);
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

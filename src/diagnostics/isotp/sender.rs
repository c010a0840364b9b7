//! A message to frames.

use std::time::Duration;

use super::pdu::single_room;
use super::{Address, Flow, Problem, Refused, Status, USUAL_LENGTH, Wire};
use crate::clock::Boot;
use crate::vehicle::Frame;

/// N_Bs: how long flow control may take (ISO 15765-2, 9.7; ISO 15765-4, table 4).
const N_BS: Duration = Duration::from_millis(1000);

/// How messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// The frames.
    pub wire: Wire,
    /// How often the other side may ask to wait, one time after the other (`N_WFTmax`).
    pub waits: u8,
    /// The longest message sent, in bytes.
    pub most: u16,
}

impl Default for Sending {
    /// As OBD wants it; 10 waits, 4,095 bytes.
    fn default() -> Sending {
        Sending { wire: Wire::OBD, waits: 10, most: USUAL_LENGTH }
    }
}

/// What a [`Sender`] has for its caller.
#[derive(Clone, Debug, PartialEq)]
pub enum Pass {
    /// Nothing until the deadline.
    Nothing,
    /// This is to be put on the bus.
    Frame(Frame),
    /// The last frame of the message was given out before.
    Sent,
    /// The message is given up.
    Failed(Problem),
}

/// Cuts one message at a time into frames.
#[derive(Debug)]
pub struct Sender {
    address: Address,
    settings: Sending,
    payload: Vec<u8>,
    /// Bytes of it that were given out.
    sent: usize,
    sequence: u8,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    /// The single or first frame is to be given out.
    Begins,
    /// The other side is to say how to go on.
    Waits {
        since: Boot,
        waits: u8,
    },
    /// The next consecutive frame is due; `block` frames are left until flow control, `None` where there is no limit.
    Flows {
        due: Boot,
        block: Option<u8>,
        separation: Duration,
    },
    /// Everything was given out.
    Done,
    Failed(Problem),
}

impl Sender {
    /// One that sends to `address`.
    pub const fn new(address: Address, settings: Sending) -> Sender {
        Sender { address, settings, payload: Vec::new(), sent: 0, sequence: 1, state: State::Idle }
    }

    /// To whom it sends.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Whether a message is under way.
    pub const fn is_busy(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    /// Sends to `address` from now on; what was under way is forgotten.
    pub fn turn_to(&mut self, address: Address) {
        self.address = address;
        self.state = State::Idle;
    }

    /// Takes a message; its frames come out of [`pass`](Sender::pass).
    ///
    /// # Errors
    /// One is under way still; or it is empty, or too long.
    pub fn send(&mut self, payload: &[u8]) -> Result<(), Refused> {
        if self.is_busy() {
            return Err(Refused::Busy);
        }
        let most = if self.address.is_functional() { self.single_room() } else { usize::from(self.settings.most) };
        if payload.is_empty() {
            return Err(Refused::Empty);
        }
        if payload.len() > most {
            return Err(Refused::TooLong { most });
        }
        self.payload.clear();
        self.payload.extend_from_slice(payload);
        (self.sent, self.sequence, self.state) = (0, 1, State::Begins);
        Ok(())
    }

    /// The other side said how to go on. What comes unasked is passed over (9.8.3).
    pub fn flow(&mut self, at: Boot, flow: Flow) {
        let State::Waits { since, waits } = self.state else { return };
        if at.since(since) >= N_BS {
            self.state = State::Failed(Problem::NoFlowControl);
            return;
        }
        let most = self.settings.waits;
        self.state = match flow.status {
            Status::Continue => {
                let block = (flow.block_size > 0).then_some(flow.block_size);
                State::Flows { due: at, block, separation: flow.separation_time() }
            }
            Status::Wait if waits >= most => State::Failed(Problem::TooManyWaits { most }),
            Status::Wait => State::Waits { since: at, waits: waits + 1 },
            Status::Overflow => State::Failed(Problem::Overflow),
            Status::Invalid(status) => State::Failed(Problem::InvalidFlow(status)),
        };
    }

    /// The next frame, or what became of the message. To be called until there is nothing: one frame comes at a time, so
    /// that the caller can wait for room in the socket between two.
    pub fn pass(&mut self, now: Boot) -> Pass {
        match self.state {
            State::Idle => Pass::Nothing,
            State::Begins => Pass::Frame(self.begin(now)),
            State::Waits { since, .. } if now.since(since) < N_BS => Pass::Nothing,
            State::Waits { .. } => self.end(Pass::Failed(Problem::NoFlowControl)),
            State::Flows { due, .. } if now < due => Pass::Nothing,
            State::Flows { block, separation, .. } => Pass::Frame(self.go_on(now, block, separation)),
            State::Done => self.end(Pass::Sent),
            State::Failed(problem) => self.end(Pass::Failed(problem)),
        }
    }

    /// When to [`pass`](Sender::pass): at once where that is before now.
    pub fn deadline(&self) -> Option<Boot> {
        match self.state {
            State::Idle => None,
            State::Waits { since, .. } => Some(since + N_BS),
            State::Flows { due, .. } => Some(due),
            State::Begins | State::Done | State::Failed(_) => Some(Boot::from_micros(i64::MIN)),
        }
    }

    fn end(&mut self, with: Pass) -> Pass {
        self.state = State::Idle;
        with
    }

    /// The most bytes of a single frame.
    fn single_room(&self) -> usize {
        single_room(self.settings.wire.length(), self.taken())
    }

    /// Bytes of each frame that the address takes.
    fn taken(&self) -> usize {
        usize::from(self.address.transmit_prefix().is_some())
    }

    fn begin(&mut self, now: Boot) -> Frame {
        let length = self.payload.len();
        let [.., high, low] = (length as u32).to_be_bytes();
        if length <= single_room(8, self.taken()) {
            self.state = State::Done;
            return self.part(now, &[low], length);
        }
        if length <= self.single_room() {
            self.state = State::Done;
            return self.part(now, &[0, low], length);
        }
        self.state = State::Waits { since: now, waits: 0 };
        let room = self.settings.wire.length() - self.taken();
        if length <= usize::from(USUAL_LENGTH) {
            self.part(now, &[0x10 | high, low], room - 2)
        } else {
            self.part(now, &[0x10, 0, 0, 0, high, low], room - 6)
        }
    }

    fn go_on(&mut self, now: Boot, block: Option<u8>, separation: Duration) -> Frame {
        let room = self.settings.wire.length() - self.taken() - 1;
        let frame = self.part(now, &[0x20 | self.sequence], room);
        self.sequence = (self.sequence + 1) & 0x0F;
        let block = block.map(|left| left.saturating_sub(1));
        self.state = if self.sent == self.payload.len() {
            State::Done
        } else if block == Some(0) {
            State::Waits { since: now, waits: 0 }
        } else {
            State::Flows { due: now + separation, block, separation }
        };
        frame
    }

    /// A frame with the next `most` bytes, or what is left.
    fn part(&mut self, now: Boot, head: &[u8], most: usize) -> Frame {
        let end = self.payload.len().min(self.sent + most);
        let body = self.payload.get(self.sent..end).unwrap_or_default();
        let frame = self.address.frame(now, self.settings.wire, head, body);
        self.sent = end;
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(settings: Sending) -> Sender {
        Sender::new(Address::obd(0).unwrap(), settings)
    }

    fn at(micros: i64) -> Boot {
        Boot::from_micros(micros)
    }

    fn data(pass: Pass) -> Vec<u8> {
        match pass {
            Pass::Frame(frame) => frame.data.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    fn flow(status: Status, block_size: u8, separation: u8) -> Flow {
        Flow { status, block_size, separation }
    }

    #[test]
    fn a_short_message_is_a_single_frame() {
        let mut sender = sender(Sending::default());
        sender.send(&[0x01, 0x0C]).unwrap();
        assert_eq!(sender.send(&[1]), Err(Refused::Busy));
        assert_eq!(data(sender.pass(at(0))), [2, 0x01, 0x0C, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC]);
        assert_eq!([sender.pass(at(0)), sender.pass(at(0))], [Pass::Sent, Pass::Nothing]);
        assert_eq!(sender.deadline(), None);
    }

    #[test]
    fn a_long_message_goes_at_the_pace_that_it_is_given() {
        let mut sender = sender(Sending::default());
        sender.send(&(0..25).collect::<Vec<u8>>()).unwrap();
        assert_eq!(data(sender.pass(at(0))), [0x10, 25, 0, 1, 2, 3, 4, 5]);
        assert_eq!(sender.pass(at(999_999)), Pass::Nothing);
        sender.flow(at(999_999), flow(Status::Continue, 2, 0xF5));
        assert_eq!(data(sender.pass(at(1_000_000))), [0x21, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(sender.deadline(), Some(at(1_000_500)));
        assert_eq!(sender.pass(at(1_000_499)), Pass::Nothing);
        assert_eq!(data(sender.pass(at(1_000_500)))[0], 0x22);
        assert_eq!(sender.pass(at(1_001_000)), Pass::Nothing, "the block is over");
        sender.flow(at(1_001_000), flow(Status::Wait, 0, 0));
        assert_eq!(sender.pass(at(2_000_999)), Pass::Nothing, "the time begins anew");
        sender.flow(at(2_000_999), flow(Status::Continue, 0, 0));
        assert_eq!(data(sender.pass(at(2_001_000))), [0x23, 20, 21, 22, 23, 24, 0xCC, 0xCC]);
        assert_eq!(sender.pass(at(2_001_000)), Pass::Sent);
    }

    #[test]
    fn a_message_is_given_up_when_the_other_side_does_not_let_it() {
        let failed = |flows: &[Flow], waits| {
            let mut sender = sender(Sending { waits, ..Sending::default() });
            sender.send(&[0; 20]).unwrap();
            sender.pass(at(0));
            flows.iter().for_each(|flow| sender.flow(at(0), *flow));
            sender.pass(at(1_000_000))
        };
        let wait = flow(Status::Wait, 0, 0);
        assert_eq!(failed(&[], 10), Pass::Failed(Problem::NoFlowControl));
        assert_eq!(failed(&[wait; 10], 10), Pass::Failed(Problem::NoFlowControl));
        assert_eq!(failed(&[wait; 11], 10), Pass::Failed(Problem::TooManyWaits { most: 10 }));
        assert_eq!(failed(&[wait], 0), Pass::Failed(Problem::TooManyWaits { most: 0 }));
        assert_eq!(failed(&[flow(Status::Overflow, 0, 0)], 10), Pass::Failed(Problem::Overflow));
        assert_eq!(failed(&[flow(Status::Invalid(7), 0, 0)], 10), Pass::Failed(Problem::InvalidFlow(7)));
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let refused = |address: Address, length| {
            let settings = Sending { most: 100, ..Sending::default() };
            Sender::new(address, settings).send(&vec![0; length]).err()
        };
        let one = Address::obd(0).unwrap();
        assert_eq!(refused(one, 0), Some(Refused::Empty));
        assert_eq!(refused(one, 101), Some(Refused::TooLong { most: 100 }));
        assert_eq!(refused(one, 100), None);
        assert_eq!(refused(Address::obd_functional(), 7), None);
        assert_eq!(refused(Address::obd_functional(), 8), Some(Refused::TooLong { most: 7 }), "who would give flow control?");
        assert_eq!(refused(Address::mixed_functional(0x33, 0xF1, 1), 7), Some(Refused::TooLong { most: 6 }));
    }
}

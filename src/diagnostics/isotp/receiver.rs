//! One sender's frames to messages.

use std::time::Duration;

use super::{Flow, Pdu, Problem, Status, USUAL_LENGTH};
use crate::clock::Boot;

/// N_Cr: how long the next consecutive frame may take (ISO 15765-2, 9.7; ISO 15765-4, table 4).
const N_CR: Duration = Duration::from_millis(1000);
/// What a listener grants: N_Bs until the flow control that it may not hear, then N_Cr.
const OVERHEARD: Duration = Duration::from_millis(2000);

/// How messages are received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reception {
    /// Whether flow control is given. One that only listens to others must not.
    pub answers: bool,
    /// Consecutive frames until the next flow control is given; 0 is no limit.
    pub block_size: u8,
    /// `STmin` as sent: what is asked of the sender.
    pub separation: u8,
    /// The longest message taken, in bytes.
    pub most: u16,
}

impl Default for Reception {
    /// As fast as it can be, to 4,095 bytes.
    fn default() -> Reception {
        Reception { answers: true, block_size: 0, separation: 0, most: USUAL_LENGTH }
    }
}

impl Reception {
    /// For messages that are meant for others: no flow control is given.
    pub fn listening() -> Reception {
        Reception { answers: false, ..Reception::default() }
    }
}

/// What came of a frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard<'a> {
    /// A message is whole.
    pub message: Option<&'a [u8]>,
    /// This is to be sent back.
    pub flow: Option<Flow>,
    /// What befell the message that was under way, then what is wrong with the one announced.
    pub problems: heapless::Vec<Problem, 2>,
}

/// Puts the frames of one sender together.
#[derive(Debug)]
pub struct Receiver {
    settings: Reception,
    /// What there is of the message under way, or the whole of the last one.
    buffer: Vec<u8>,
    under_way: Option<UnderWay>,
}

/// A message of which frames are still to come.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    length: usize,
    /// Bytes of each frame save the last.
    room: usize,
    /// The sequence number that is due.
    sequence: u8,
    /// Frames until the next flow control is due.
    block: u8,
    /// When the last frame of it was heard.
    heard: Boot,
}

impl Receiver {
    /// One to which nothing was said yet.
    pub const fn new(settings: Reception) -> Receiver {
        Receiver { settings, buffer: Vec::new(), under_way: None }
    }

    /// Asks for so much time between two consecutive frames (`STmin` as sent) from the next flow control on.
    pub(super) const fn separate(&mut self, separation: u8) {
        self.settings.separation = separation;
    }

    /// Whether a message is under way.
    pub const fn is_busy(&self) -> bool {
        self.under_way.is_some()
    }

    /// Takes what a frame said `at` some time (clause 9.8.3, table 23). Flow control is not for a receiver: it passes over it.
    pub fn hear<'a>(&'a mut self, at: Boot, pdu: Pdu<'a>) -> Heard<'a> {
        let mut heard = Heard::default();
        if let Some(problem) = self.pass(at) {
            let _ = heard.problems.push(problem);
        }
        match pdu {
            Pdu::Single(data) => {
                heard.problems.extend(self.cut_short());
                heard.message = Some(data);
            }
            Pdu::First { length, room, data } => {
                heard.problems.extend(self.cut_short());
                match self.begin(at, length, room, data) {
                    Ok(flow) => heard.flow = flow,
                    Err(problem) => {
                        let _ = heard.problems.push(problem);
                        heard.flow = self.flow(Status::Overflow);
                    }
                }
            }
            Pdu::Consecutive { sequence, data } => match self.go_on(at, sequence, data) {
                Ok(Next::Whole) => heard.message = Some(&self.buffer),
                Ok(Next::Flow(flow)) => heard.flow = flow,
                Err(problem) => {
                    let _ = heard.problems.push(problem);
                }
            },
            Pdu::Flow(_) => {}
        }
        heard
    }

    fn begin(&mut self, at: Boot, length: u32, room: usize, data: &[u8]) -> Result<Option<Flow>, Problem> {
        let most = self.settings.most;
        let length = u16::try_from(length).ok().filter(|length| *length <= most).ok_or(Problem::TooLong { length, most })?;
        let length = usize::from(length);
        self.buffer.clear();
        self.buffer.reserve_exact(length);
        self.buffer.extend_from_slice(data);
        self.under_way = Some(UnderWay { length, room, sequence: 1, block: self.settings.block_size, heard: at });
        Ok(self.flow(Status::Continue))
    }

    fn go_on(&mut self, at: Boot, sequence: u8, data: &[u8]) -> Result<Next, Problem> {
        let Some(under_way) = &mut self.under_way else { return Ok(Next::Flow(None)) };
        let received = self.buffer.len();
        let UnderWay { length, room, sequence: expected, .. } = *under_way;
        let wanted = room.min(length.saturating_sub(received));
        // Only the last may be shorter than the first frame was, and none longer (9.6.4.2).
        let Some(part) = data.get(..wanted).filter(|_| data.len() <= room) else { return Ok(Next::Flow(None)) };
        if sequence != expected {
            self.under_way = None;
            return Err(Problem::WrongSequence { expected, got: sequence, received, length });
        }
        self.buffer.extend_from_slice(part);
        if self.buffer.len() == length {
            self.under_way = None;
            return Ok(Next::Whole);
        }
        under_way.sequence = (expected + 1) & 0x0F;
        under_way.heard = at;
        // Of a block size of 0 the count is 0 and stays so: no flow control is due any more.
        under_way.block = under_way.block.saturating_sub(1);
        if self.settings.block_size == 0 || under_way.block > 0 {
            return Ok(Next::Flow(None));
        }
        under_way.block = self.settings.block_size;
        Ok(Next::Flow(self.flow(Status::Continue)))
    }

    fn flow(&self, status: Status) -> Option<Flow> {
        let Reception { block_size, separation, .. } = self.settings;
        self.settings.answers.then_some(Flow { status, block_size, separation })
    }

    /// The sender was told to wait, or to go on: the time that it has begins anew. For listeners, who do not tell it so
    /// themselves.
    pub fn prolong(&mut self, at: Boot) {
        if let Some(under_way) = &mut self.under_way {
            under_way.heard = at;
        }
    }

    /// What became of the message under way, where nothing more of it came in time.
    pub fn pass(&mut self, now: Boot) -> Option<Problem> {
        let UnderWay { length, heard, .. } = self.under_way?;
        if now.since(heard) < self.patience() {
            return None;
        }
        self.under_way = None;
        Some(Problem::Silent { received: self.buffer.len(), length })
    }

    /// When to [`pass`](Receiver::pass).
    pub fn deadline(&self) -> Option<Boot> {
        self.under_way.map(|under_way| under_way.heard + self.patience())
    }

    fn patience(&self) -> Duration {
        if self.settings.answers { N_CR } else { OVERHEARD }
    }

    /// Forgets the message under way.
    pub fn cut_short(&mut self) -> Option<Problem> {
        let UnderWay { length, .. } = self.under_way.take()?;
        Some(Problem::CutShort { received: self.buffer.len(), length })
    }

    /// When the last frame of the message under way was heard.
    pub(super) fn heard(&self) -> Option<Boot> {
        self.under_way.map(|under_way| under_way.heard)
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }
}

enum Next {
    Whole,
    Flow(Option<Flow>),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a classical frame of these bytes `ms` after boot: the message, the flow control, the problems.
    fn hear(receiver: &mut Receiver, ms: i64, bytes: &[u8]) -> (Option<Vec<u8>>, Option<[u8; 3]>, Vec<Problem>) {
        let Some(pdu) = Pdu::read(bytes, 0) else { return Default::default() };
        let heard = receiver.hear(Boot::from_micros(ms * 1000), pdu);
        (heard.message.map(<[u8]>::to_vec), heard.flow.map(Flow::bytes), heard.problems.to_vec())
    }

    const FIRST: [u8; 8] = [0x10, 20, 0, 1, 2, 3, 4, 5];
    const SECOND: [u8; 8] = [0x21, 6, 7, 8, 9, 10, 11, 12];
    const THIRD: [u8; 8] = [0x22, 13, 14, 15, 16, 17, 18, 19];
    const QUIET: (Option<Vec<u8>>, Option<[u8; 3]>, Vec<Problem>) = (None, None, Vec::new());

    #[test]
    fn a_message_of_three_frames_is_put_together() {
        let mut receiver = Receiver::new(Reception::default());
        assert_eq!(hear(&mut receiver, 0, &FIRST), (None, Some([0x30, 0, 0]), vec![]));
        assert_eq!(hear(&mut receiver, 10, &SECOND), QUIET);
        assert_eq!(hear(&mut receiver, 20, &[0x30, 0, 0]), QUIET, "flow control is for the sender of this side");
        assert_eq!(hear(&mut receiver, 20, &THIRD), (Some((0..20).collect()), None, vec![]));
        assert_eq!(hear(&mut receiver, 30, &THIRD), QUIET, "a consecutive frame of nothing is passed over");
        assert_eq!(hear(&mut receiver, 30, &[0x02, 0x41, 0x00]), (Some(vec![0x41, 0x00]), None, vec![]));
        assert_eq!(receiver.deadline(), None);
    }

    #[test]
    fn one_that_listens_gives_no_flow_control() {
        let mut receiver = Receiver::new(Reception { block_size: 1, ..Reception::listening() });
        assert_eq!(hear(&mut receiver, 0, &FIRST), QUIET);
        assert_eq!(hear(&mut receiver, 1900, &SECOND), QUIET, "it cannot hear who is waited for");
        assert_eq!(hear(&mut receiver, 2000, &THIRD).0, Some((0..20).collect()));
        assert_eq!(hear(&mut receiver, 0, &[0x1F, 0xFF, 1, 2, 3, 4, 5, 6]).1, None);
    }

    #[test]
    fn a_block_ends_with_flow_control() {
        let mut receiver = Receiver::new(Reception { block_size: 1, separation: 5, ..Reception::default() });
        assert_eq!(hear(&mut receiver, 0, &FIRST).1, Some([0x30, 1, 5]));
        assert_eq!(hear(&mut receiver, 0, &SECOND).1, Some([0x30, 1, 5]));
        assert_eq!(hear(&mut receiver, 0, &THIRD).1, None, "not after the last");
    }

    #[test]
    fn a_wrong_sequence_number_ends_the_message() {
        let mut receiver = Receiver::new(Reception::default());
        hear(&mut receiver, 0, &FIRST);
        let problem = Problem::WrongSequence { expected: 1, got: 2, received: 6, length: 20 };
        assert_eq!(hear(&mut receiver, 0, &THIRD), (None, None, vec![problem]));
        assert_eq!(hear(&mut receiver, 0, &SECOND), QUIET);
    }

    #[test]
    fn a_new_message_ends_the_old_one() {
        let mut receiver = Receiver::new(Reception::default());
        hear(&mut receiver, 0, &FIRST);
        hear(&mut receiver, 0, &SECOND);
        let cut = Problem::CutShort { received: 13, length: 20 };
        assert_eq!(hear(&mut receiver, 0, &FIRST), (None, Some([0x30, 0, 0]), vec![cut]));
        let cut = Problem::CutShort { received: 6, length: 20 };
        assert_eq!(hear(&mut receiver, 0, &[0x01, 0x7E]), (Some(vec![0x7E]), None, vec![cut]));
        assert_eq!(hear(&mut receiver, 0, &SECOND), QUIET);
    }

    #[test]
    fn silence_ends_a_message_after_a_second() {
        let mut receiver = Receiver::new(Reception::default());
        hear(&mut receiver, 0, &FIRST);
        hear(&mut receiver, 999, &SECOND);
        assert_eq!(receiver.deadline(), Some(Boot::from_micros(1_999_000)));
        assert_eq!(receiver.pass(Boot::from_micros(1_998_999)), None);
        let silent = Problem::Silent { received: 13, length: 20 };
        assert_eq!(hear(&mut receiver, 1999, &THIRD), (None, None, vec![silent]));
        assert!(!receiver.is_busy());
    }

    #[test]
    fn frames_that_are_too_short_or_too_long_for_their_place_are_passed_over() {
        let mut receiver = Receiver::new(Reception::default());
        hear(&mut receiver, 0, &FIRST);
        assert_eq!(hear(&mut receiver, 0, &SECOND[..7]), QUIET);
        assert_eq!(hear(&mut receiver, 0, &[0x21; 12]), QUIET);
        assert_eq!(hear(&mut receiver, 0, &SECOND), QUIET);
        assert_eq!(hear(&mut receiver, 0, &THIRD).0, Some((0..20).collect()));
    }

    #[test]
    fn what_is_too_long_is_answered_with_overflow() {
        let mut receiver = Receiver::new(Reception { most: 19, ..Reception::default() });
        let problem = Problem::TooLong { length: 20, most: 19 };
        assert_eq!(hear(&mut receiver, 0, &FIRST), (None, Some([0x32, 0, 0]), vec![problem]));
        assert!(!receiver.is_busy() && receiver.capacity() == 0);
        let problem = Problem::TooLong { length: u32::MAX, most: 19 };
        assert_eq!(hear(&mut receiver, 0, &[0x10, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2]).2, [problem]);
    }
}

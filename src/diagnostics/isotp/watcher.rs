//! Every diagnostic conversation of a bus, overheard.

use super::{Heard, Pdu, Problem, Receiver, Reception};
use crate::can::ArbitrationId;
use crate::clock::Boot;
use crate::vehicle::{Frame, FrameKind};

/// Messages that can be under way at once.
const MOST_CONVERSATIONS: usize = 64;
/// Ids whose frames begin with an address.
const MOST_EXTENDED: usize = 64;

/// A whole message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// When its last frame was on the bus.
    pub at: Boot,
    /// The id of its frames.
    pub id: u32,
    /// Whether that has 29 bits.
    pub extended: bool,
    /// The first byte of its frames: the target's address in extended addressing, the extension in mixed.
    pub extension: Option<u8>,
    /// What it says.
    pub payload: &'a [u8],
}

/// What a [`Watcher`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched<'a> {
    /// Somebody said this.
    Message(Message<'a>),
    /// Somebody began to say something that did not come to its end.
    Problem {
        /// When that was clear.
        at: Boot,
        /// The id of its frames.
        id: u32,
        /// Whether that has 29 bits.
        extended: bool,
        /// What befell it.
        problem: Problem,
    },
}

/// Puts together what testers and ECUs say to one another, and sends nothing.
///
/// It needs no configuration: it takes the ids `700` to `7FF` as normally addressed, `18DAxxxx` and `18DBxxxx` as normal
/// fixed, `18CExxxx` and `18CDxxxx` as mixed (of each any priority). Of which ids of 11 bits frames begin with an address
/// (extended and mixed addressing) it has to be [told](Watcher::extend); others are for a [`Receiver`] with an
/// [`Address`](super::Address).
#[derive(Debug)]
pub struct Watcher {
    /// As many as there can be, idle ones among them.
    conversations: Vec<Conversation>,
    given_up: u64,
    /// Ids of 11 bits whose frames begin with an address, or with this one.
    extended: Vec<(u32, Option<u8>)>,
}

#[derive(Debug)]
struct Conversation {
    sender: Key,
    receiver: Receiver,
}

impl Conversation {
    /// Whether a message of that sender is under way here.
    fn is_of(&self, sender: Key) -> bool {
        self.sender == sender && self.receiver.is_busy()
    }
}

/// Whose frames belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    id: ArbitrationId,
    extension: Option<u8>,
}

impl Key {
    /// Whose this frame is, with what follows the address; `None` where it is no diagnostic one.
    fn of<'f>(frame: &'f Frame, prefixed: &[(u32, Option<u8>)]) -> Option<(Key, &'f [u8])> {
        let Frame { id, extended, ref data, .. } = *frame;
        if !matches!(frame.kind, FrameKind::Classical | FrameKind::Fd) {
            return None;
        }
        let begins = |(of, with): &(u32, Option<u8>)| *of == id && with.is_none_or(|with| data.first() == Some(&with));
        let mixed = match (extended, id >> 16 & 0x3FF) {
            (false, _) if prefixed.iter().any(begins) => true,
            (false, _) => ((0x700..=0x7FF).contains(&id)).then_some(false)?,
            (true, 0xDA | 0xDB) => false,
            (true, 0xCE | 0xCD) => true,
            _ => return None,
        };
        let id = ArbitrationId { id, extended };
        if !mixed {
            return Some((Key { id, extension: None }, data));
        }
        data.split_first().map(|(extension, rest)| (Key { id, extension: Some(*extension) }, rest))
    }

    /// Who is told how to go on by this sender's flow control.
    fn other_end(self) -> Key {
        let ArbitrationId { id, extended } = self.id;
        let id = if extended { id & 0x1FFF_0000 | (id & 0xFF) << 8 | id >> 8 & 0xFF } else { id ^ 8 };
        Key { id: ArbitrationId { id, extended }, ..self }
    }

    fn problem<'a>(self, at: Boot, problem: Problem) -> Watched<'a> {
        Watched::Problem { at, id: self.id.id, extended: self.id.extended, problem }
    }
}

impl Watcher {
    /// One that heard nothing yet, for messages of at most `most` bytes.
    pub fn new(most: u16) -> Watcher {
        let settings = Reception { most, ..Reception::listening() };
        let nobody = Key { id: ArbitrationId { id: 0, extended: false }, extension: None };
        let idle = || Conversation { sender: nobody, receiver: Receiver::new(settings) };
        Watcher {
            conversations: std::iter::repeat_with(idle).take(MOST_CONVERSATIONS).collect(),
            given_up: 0,
            extended: Vec::new(),
        }
    }

    /// Takes frames of this 11 bit id from now on as such that begin with an address: with any, or only those with this one.
    pub fn extend(&mut self, id: u32, address: Option<u8>) {
        if self.extended.len() < MOST_EXTENDED && !self.extended.contains(&(id, address)) {
            self.extended.push((id, address));
        }
    }

    /// What this frame says behind its address, and how many bytes that takes; `None` where it is on none of the ids.
    pub fn bytes<'f>(&self, frame: &'f Frame) -> Option<(&'f [u8], usize)> {
        Key::of(frame, &self.extended).map(|(_, bytes)| (bytes, frame.data.len().saturating_sub(bytes.len())))
    }

    /// Messages given up because more than 64 were under way.
    pub const fn given_up(&self) -> u64 {
        self.given_up
    }

    /// Whether messages are under way.
    pub fn is_busy(&self) -> bool {
        self.conversations.iter().any(|conversation| conversation.receiver.is_busy())
    }

    /// Whether this is a consecutive frame of a message of which nothing is known: its first frame was not heard, or what was
    /// wrong with it was told.
    pub fn is_stray(&self, frame: &Frame) -> bool {
        let Some((sender, bytes)) = Key::of(frame, &self.extended) else { return false };
        let part = Pdu::read(bytes, frame.data.len().saturating_sub(bytes.len()));
        matches!(part, Some(Pdu::Consecutive { .. })) && !self.conversations.iter().any(|one| one.is_of(sender))
    }

    /// Takes a frame of the bus, whosever it is.
    pub fn hear(&mut self, frame: &Frame, out: &mut impl FnMut(Watched<'_>)) {
        let at = frame.at;
        let Some((sender, bytes)) = Key::of(frame, &self.extended) else { return };
        let Some(pdu) = Pdu::read(bytes, frame.data.len().saturating_sub(bytes.len())) else { return };
        let message = |payload| {
            Watched::Message(Message { at, id: sender.id.id, extended: sender.id.extended, extension: sender.extension, payload })
        };
        if let Pdu::Flow(_) = pdu {
            let other = sender.other_end();
            self.conversations.iter_mut().filter(|one| one.is_of(other)).for_each(|one| one.receiver.prolong(at));
            return;
        }
        let known = self.conversations.iter().position(|conversation| conversation.is_of(sender));
        let place = match (known, pdu) {
            (Some(place), _) => place,
            (None, Pdu::First { .. }) => self.room(at, sender, out),
            (None, Pdu::Single(payload)) => return out(message(payload)),
            (None, _) => return,
        };
        let Some(conversation) = self.conversations.get_mut(place) else { return };
        let Heard { message: whole, problems, .. } = conversation.receiver.hear(at, pdu);
        for problem in problems {
            out(sender.problem(at, problem));
        }
        if let Some(payload) = whole {
            out(message(payload));
        }
    }

    /// Tells of messages of which nothing more came in time.
    pub fn pass(&mut self, now: Boot, out: &mut impl FnMut(Watched<'_>)) {
        for Conversation { sender, receiver } in &mut self.conversations {
            if let Some(problem) = receiver.pass(now) {
                out(sender.problem(now, problem));
            }
        }
    }

    /// When to [`pass`](Watcher::pass).
    pub fn deadline(&self) -> Option<Boot> {
        self.conversations.iter().filter_map(|conversation| conversation.receiver.deadline()).min()
    }

    /// Tells of messages that are under way still: nothing more comes.
    pub fn end(&mut self, at: Boot, out: &mut impl FnMut(Watched<'_>)) {
        for Conversation { sender, receiver } in &mut self.conversations {
            if let Some(Problem::CutShort { received, length }) = receiver.cut_short() {
                out(sender.problem(at, Problem::Silent { received, length }));
            }
        }
    }

    /// Room for a message of `sender`: where none is under way, else where the one heard of longest ago is.
    fn room(&mut self, at: Boot, sender: Key, out: &mut impl FnMut(Watched<'_>)) -> usize {
        let oldest = self.conversations.iter_mut().enumerate().min_by_key(|(_, conversation)| conversation.receiver.heard());
        let Some((place, conversation)) = oldest else { return 0 };
        if let Some(late) = conversation.receiver.pass(at) {
            out(conversation.sender.problem(at, late));
        } else if conversation.receiver.cut_short().is_some() {
            self.given_up += 1;
            out(conversation.sender.problem(at, Problem::TooMany));
        }
        conversation.sender = sender;
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(ms: i64, id: u32, data: &[u8]) -> Frame {
        let data = heapless::Vec::from_slice(data).unwrap();
        Frame { at: Boot::from_micros(ms * 1000), kind: FrameKind::Classical, id, extended: id > 0x7FF, data }
    }

    fn told(watched: Watched<'_>) -> String {
        match watched {
            Watched::Message(Message { id, payload, extension, .. }) => {
                format!("{id:X} {payload:02X?}{}", extension.map_or("", |_| " mixed"))
            }
            Watched::Problem { id, problem, .. } => format!("{id:X}: {problem}"),
        }
    }

    fn hear(watcher: &mut Watcher, frame: &Frame) -> Vec<String> {
        let mut all = Vec::new();
        watcher.hear(frame, &mut |watched| all.push(told(watched)));
        all
    }

    #[test]
    fn conversations_are_followed_side_by_side() {
        let mut watcher = Watcher::new(4095);
        for (id, data, expected) in [
            (0x7DF, &[2, 9, 2, 0xCC][..], &["7DF [09, 02]"][..]),
            (0x7E8, &[0x10, 9, 1, 2, 3, 4, 5, 6], &[]),
            (0x7E0, &[0x30, 0, 0], &[]),
            (0x18DA_F110, &[0x10, 8, 1, 2, 3, 4, 5, 6], &[]),
            (0x18CE_F110, &[0x55, 0x10, 7, 1, 2, 3, 4, 5], &[]),
            (0x18CE_F110, &[0x56, 0x01, 0x7E], &["18CEF110 [7E] mixed"]),
            (0x7E8, &[0x21, 7, 8, 9], &["7E8 [01, 02, 03, 04, 05, 06, 07, 08, 09]"]),
            (0x18CE_F110, &[0x55, 0x21, 6, 7], &["18CEF110 [01, 02, 03, 04, 05, 06, 07] mixed"]),
            (0x18DA_F110, &[0x21, 7, 8], &["18DAF110 [01, 02, 03, 04, 05, 06, 07, 08]"]),
            (0x123, &[0x01, 1], &[]),
            (0x18FE_F100, &[0x01, 1], &[]),
        ] {
            assert_eq!(hear(&mut watcher, &frame(0, id, data)), expected, "{id:X} {data:02X?}");
        }
    }

    /// As cars with a gateway at 750 have it: the first byte says for whom behind it.
    #[test]
    fn frames_that_begin_with_an_address_are_told_apart_by_it() {
        let mut watcher = Watcher::new(4095);
        watcher.extend(0x758, Some(0x2A));
        watcher.extend(0x6F1, None);
        for (id, data, expected) in [
            (0x758, &[0x2A, 0x10, 7, 1, 2, 3, 4, 5][..], &[][..]),
            (0x758, &[0x03, 0x59, 0x02, 0xFF], &["758 [59, 02, FF]"]),
            (0x758, &[0x2A, 0x21, 6, 7], &["758 [01, 02, 03, 04, 05, 06, 07] mixed"]),
            (0x6F1, &[0x12, 0x02, 0x1A, 0x80], &["6F1 [1A, 80] mixed"]),
            (0x6F2, &[0x12, 0x02, 0x1A, 0x80], &[]),
        ] {
            assert_eq!(hear(&mut watcher, &frame(0, id, data)), expected, "{id:X} {data:02X?}");
        }
    }

    #[test]
    fn a_sender_that_is_told_to_wait_has_more_time() {
        let mut watcher = Watcher::new(4095);
        hear(&mut watcher, &frame(0, 0x18DA_10F1, &[0x10, 8, 1, 2, 3, 4, 5, 6]));
        hear(&mut watcher, &frame(900, 0x18DA_F110, &[0x31, 0, 0]));
        assert_eq!(watcher.deadline(), Some(Boot::from_micros(2_900_000)));
        assert_eq!(hear(&mut watcher, &frame(2899, 0x18DA_10F1, &[0x21, 7, 8])).len(), 1);
        hear(&mut watcher, &frame(3000, 0x7E0, &[0x10, 8, 1, 2, 3, 4, 5, 6]));
        let mut all = Vec::new();
        watcher.pass(Boot::from_micros(5_000_000), &mut |watched| all.push(told(watched)));
        watcher.end(Boot::from_micros(5_000_000), &mut |watched| all.push(told(watched)));
        assert_eq!(all, ["7E0: the rest never came, after 6 of 8 bytes"]);
    }

    #[test]
    fn the_sixty_fifth_ends_the_oldest() {
        let mut watcher = Watcher::new(4095);
        for n in 0..64 {
            assert_eq!(hear(&mut watcher, &frame(i64::from(n), 0x700 + n, &[0x10, 8, 1, 2, 3, 4, 5, 6])), [""; 0]);
        }
        let gone = "700: too many at once: this one is given up";
        assert_eq!(hear(&mut watcher, &frame(64, 0x750, &[0x10, 8, 1, 2, 3, 4, 5, 6])), [gone]);
        assert_eq!((watcher.given_up(), watcher.is_busy()), (1, true));
        assert_eq!(hear(&mut watcher, &frame(65, 0x701, &[0x21, 7, 8])).len(), 1);
        let late = "702: the rest never came, after 6 of 8 bytes";
        assert_eq!(hear(&mut watcher, &frame(9000, 0x760, &[0x10, 8, 1, 2, 3, 4, 5, 6])), [""; 0], "one is free");
        assert_eq!(hear(&mut watcher, &frame(9000, 0x761, &[0x10, 8, 1, 2, 3, 4, 5, 6])), [late], "late is not given up");
    }
}

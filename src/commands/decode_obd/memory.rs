//! What was said before on one interface of a log: it says what a message means.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::diagnostics::isotp::Message;
use crate::diagnostics::show::{self, Before};
use crate::diagnostics::texts::Texts;
use crate::diagnostics::uds;

/// Questions remembered, for their answers.
const MOST_QUESTIONS: usize = 32;
/// ECUs of which it is known how they write codes.
const MOST_FORMATS: usize = 64;
/// From which address on it is a tester's (ISO 15765-4, 6.3; F1 is the usual one).
const TESTERS: u8 = 0xF0;

/// What was said before.
#[derive(Default)]
pub(super) struct Memory {
    /// The last questions; the newest last.
    asked: VecDeque<Question>,
    /// How ECUs write their codes; the one that said so last comes last.
    formats: VecDeque<(Sender, u8)>,
}

/// Whose messages they are: the id, whether it has 29 bits, and the address before each frame.
type Sender = (u32, bool, Option<u8>);

/// A question, and where it went.
struct Question {
    to: u32,
    address: Option<u8>,
    bytes: Vec<u8>,
}

impl Memory {
    /// What a message says, by what was said before.
    pub(super) fn describe(&mut self, message: &Message<'_>, texts: &Texts) -> Map<String, Value> {
        let Message { id, extended, extension, payload, .. } = *message;
        let sender = (id, extended, extension);
        let response = show::is_response(payload);
        let mut before = Before::default();
        if response {
            before.format = self.formats.iter().find(|(whose, _)| *whose == sender).map(|(_, format)| *format);
            before.asked = self.question(sender, payload).map(|question| question.bytes.as_slice());
        }
        let mut object = show::describe(id, extended, payload, before, texts);
        if let Some(address) = extension {
            object.insert("address".into(), format!("{address:02X}").into());
        }
        if let Some(uds::Response::Count { sub: 0x01, format, .. }) = uds::decode(payload, None) {
            keep(&mut self.formats, MOST_FORMATS, |(whose, _)| *whose == sender, (sender, format));
        }
        if !response {
            let question = Question { to: id, address: extension, bytes: payload.to_vec() };
            keep(&mut self.asked, MOST_QUESTIONS, |_| false, question);
        }
        object
    }

    /// The newest question that this may answer.
    fn question(&self, (id, extended, address): Sender, payload: &[u8]) -> Option<&Question> {
        let service = payload.first().map(|first| first & !0x40);
        self.asked.iter().rev().find(|question| {
            let same_way = match (address, question.address) {
                (None, None) => true,
                (Some(here), Some(there)) => here == there || here >= TESTERS,
                _ => false,
            };
            question.bytes.first().copied() == service && same_way && may_answer(id, extended, question.to)
        })
    }

    /// Whether a question in extended addressing was asked that this answers, on the id 8 above.
    pub(super) fn is_answered(&self, id: u32, address: u8, payload: &[u8]) -> bool {
        let service = match payload {
            [0x7F, service, ..] => *service,
            [first, ..] => first & !0x40,
            [] => return false,
        };
        let asked = |question: &Question| {
            let addressed = question.address.is_some_and(|there| there == address || address >= TESTERS);
            addressed && question.to + 8 == id && question.bytes.first() == Some(&service)
        };
        show::is_response(payload) && self.asked.iter().any(asked)
    }
}

/// Puts one more at the end, in place of the one that `is` the same; the first goes where there are too many.
fn keep<T>(all: &mut VecDeque<T>, most: usize, is: impl Fn(&T) -> bool, one: T) {
    all.retain(|other| !is(other));
    all.push_back(one);
    if all.len() > most {
        all.pop_front();
    }
}

/// Whether an answer with this id may be one to a question that went to `to`: the ECU's own id or a functional one. Of
/// manufacturers' 11 bit ids, whose pairs are not known, each may.
fn may_answer(id: u32, extended: bool, to: u32) -> bool {
    match (extended, id) {
        (false, 0x7E8..=0x7EF) => to == id - 8 || to == 0x7DF,
        (false, _) => to < 0x7E0,
        // 18DAF110 answers 18DA10F1, and what went to all.
        (true, _) => to >> 16 & 1 == 1 && to & 0xFF == id >> 8 & 0xFF || to & 0xFFFF == (id & 0xFF) << 8 | id >> 8 & 0xFF,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_an_id_that_goes_with_its_question() {
        assert!(may_answer(0x7E8, false, 0x7DF) && may_answer(0x7E8, false, 0x7E0) && !may_answer(0x7E8, false, 0x7E1));
        assert!(may_answer(0x18DA_F110, true, 0x18DA_10F1) && may_answer(0x18DA_F110, true, 0x18DB_33F1));
        assert!(!may_answer(0x18DA_F110, true, 0x18DA_11F1));
    }
}

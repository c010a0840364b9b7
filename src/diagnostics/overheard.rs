//! What testers ask and ECUs answer on a bus, by whomever, put together: a question is remembered, so that an answer says
//! what it means.
//!
//! Of ids it takes those of ISO 15765-4 (`7DF`, `7E0` to `7EF`; `18DBttss`, `18DAttss`, where addresses from F0 on are
//! testers') and of the ECUs that it is told of. 32 questions are remembered, each until 10 s after it, or after the last
//! frame of an answer that has several.

use std::time::Duration;

use super::isotp::{Message, Pdu, Watched, Watcher};
use super::negative::{Meaning, Negative};
use super::reading::Reader;
use crate::can::profile::Diagnosis;
use crate::can::{ArbitrationId, Filter};
use crate::clock::Boot;
use crate::vehicle::Frame;
use crate::vehicle::trouble::{Ecu, Heard};

/// Questions remembered.
const MOST_QUESTIONS: usize = 32;
/// An answer that comes later answers nothing.
const REMEMBERED: Duration = Duration::from_secs(10);
/// An ECU that said that its answer would follow (78) is waited for as long.
const PUT_OFF: Duration = Duration::from_secs(30);
/// A frame of ours may come back from the interface within this.
const ECHO: Duration = Duration::from_secs(1);
/// Bytes of a question that tell what its answer means.
const LONGEST: usize = 16;
/// Longest message put together.
const MOST_BYTES: u16 = 4095;
/// ECUs that answer one question.
const MOST_ECUS: usize = 16;

/// From which address on it is a tester's (ISO 15765-4, 6.3; F1 is the usual one).
const TESTERS: u8 = 0xF0;

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum To {
    /// All, with 11 bits.
    AllNormal,
    /// All, with 29 bits.
    AllFixed,
    /// This one.
    One(Ecu),
}

impl To {
    /// Whether `ecu` is asked.
    pub fn includes(self, ecu: Ecu) -> bool {
        match (self, ecu) {
            (To::AllNormal, Ecu::Normal(id)) => (0x7E8..=0x7EF).contains(&id),
            (To::AllFixed, Ecu::Fixed(_)) => true,
            (To::One(one), _) => one == ecu,
            _ => false,
        }
    }
}

/// What part a frame has in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A tester's.
    Asks(To),
    /// An ECU's, to a tester.
    Answers(Ecu),
}

/// What was said.
#[derive(Debug, PartialEq)]
pub enum Said<'a> {
    /// A tester asked.
    Question {
        /// Whom.
        to: To,
        /// What.
        payload: &'a [u8],
    },
    /// An ECU answered.
    Answer {
        /// Which.
        from: Ecu,
        /// To what.
        to: Asked,
        /// The bytes.
        payload: &'a [u8],
        /// What that means.
        heard: Vec<Heard>,
    },
}

/// Whose question it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Ours, of this number.
    Ours(u64),
    /// Ours, and it has been answered by this ECU before.
    Again,
    /// Another tester's, or a question that was not heard.
    Others,
}

#[derive(Debug)]
struct Question {
    to: To,
    at: Boot,
    /// The last frame of an answer that had more to come.
    followed: Boot,
    bytes: heapless::Vec<u8, LONGEST>,
    /// Its number, where it is ours.
    ours: Option<u64>,
    answered: heapless::Vec<Ecu, MOST_ECUS>,
    put_off: bool,
    /// Heard back from the interface.
    echoed: bool,
}

impl Question {
    fn is_over(&self, now: Boot) -> bool {
        now.since(self.at) >= if self.put_off { PUT_OFF } else { REMEMBERED } && now.since(self.followed) >= REMEMBERED
    }
}

impl Question {
    fn new(at: Boot, to: To, payload: &[u8], ours: Option<u64>) -> Question {
        let bytes = payload.iter().copied().take(LONGEST).collect();
        Question { to, at, followed: at, bytes, ours, answered: heapless::Vec::new(), put_off: false, echoed: false }
    }
}

/// Which ids are whose.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// ECUs with ids of their own.
    others: Vec<Ecu>,
}

impl Parts {
    /// Those of the standard, and of `others`.
    pub fn new(others: impl IntoIterator<Item = Ecu>) -> Parts {
        let mut others: Vec<Ecu> = others.into_iter().collect();
        others.sort_unstable();
        others.dedup();
        Parts { others }
    }

    /// Those of the standard, and of the ECUs that the profile names.
    pub fn named(diagnosis: &Diagnosis) -> Parts {
        Parts::new(diagnosis.identifiers.iter().map(|identifier| identifier.ecu))
    }

    /// The part that frames with this id have.
    pub fn of(&self, id: u32, extended: bool) -> Option<Part> {
        if extended {
            return fixed(id);
        }
        let id = u16::try_from(id).ok()?;
        match id {
            0x7DF => Some(Part::Asks(To::AllNormal)),
            0x7E0..=0x7E7 => Some(Part::Asks(To::One(Ecu::Normal(id + 8)))),
            0x7E8..=0x7EF => Some(Part::Answers(Ecu::Normal(id))),
            _ if self.others.contains(&Ecu::Normal(id)) => Some(Part::Answers(Ecu::Normal(id))),
            _ if self.others.contains(&Ecu::Normal(id.saturating_add(8))) => {
                Some(Part::Asks(To::One(Ecu::Normal(id.saturating_add(8)))))
            }
            _ => None,
        }
    }

    /// What a kernel filter lets through: ids, and the bits of them that count.
    pub fn filters(&self) -> Vec<Filter> {
        const ALL: u32 = 0x7FF;
        let of = |id: u32, extended| ArbitrationId { id, extended };
        let mut filters = vec![
            (of(0x7DF, false), ALL),
            (of(0x7E0, false), 0x7F0),
            (of(0x00DA_0000, true), 0x03FF_0000),
            (of(0x00DB_0000, true), 0x03FF_0000),
        ];
        for other in &self.others {
            if let Ecu::Normal(id) = other {
                filters.push((of(u32::from(*id), false), ALL));
                filters.push((of(u32::from(id.saturating_sub(8)), false), ALL));
            }
        }
        filters
    }
}

/// Normal fixed addressing (ISO 15765-2, 10.3.4), of any priority: target, source.
fn fixed(id: u32) -> Option<Part> {
    let [_, _, target, source] = id.to_be_bytes();
    match (id >> 16 & 0x3FF, target >= TESTERS, source >= TESTERS) {
        (0xDB, _, true) => Some(Part::Asks(To::AllFixed)),
        (0xDA, true, false) => Some(Part::Answers(Ecu::Fixed(0x18DA_F100 | u32::from(source)))),
        (0xDA, false, true) => Some(Part::Asks(To::One(Ecu::Fixed(0x18DA_F100 | u32::from(target))))),
        _ => None,
    }
}

/// The conversations of a bus.
#[derive(Debug)]
pub struct Overheard {
    parts: Parts,
    watcher: Watcher,
    questions: heapless::Deque<Question, MOST_QUESTIONS>,
    reader: Reader,
}

impl Overheard {
    /// Has heard nothing.
    pub fn new(parts: Parts) -> Overheard {
        Overheard { parts, watcher: Watcher::new(MOST_BYTES), questions: heapless::Deque::new(), reader: Reader::default() }
    }

    /// Which ids are whose.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Takes a frame; what it made whole goes to `out`.
    pub fn hear(&mut self, now: Boot, frame: &Frame, out: &mut impl FnMut(Said<'_>)) {
        let Overheard { parts, watcher, questions, reader } = self;
        let Some(part) = parts.of(frame.id, frame.extended) else { return };
        if let (Part::Answers(from), Some(Pdu::First { .. } | Pdu::Consecutive { .. })) = (part, Pdu::read(&frame.data, 0)) {
            let open = questions.iter_mut().filter(|question| question.to.includes(from) && !question.is_over(now));
            open.for_each(|question| question.followed = now);
        }
        watcher.hear(frame, &mut |watched| {
            let Watched::Message(Message { payload, .. }) = watched else { return };
            match part {
                Part::Asks(to) => {
                    if !is_echo(questions, now, to, payload) {
                        remember(questions, Question::new(now, to, payload, None));
                        out(Said::Question { to, payload });
                    }
                }
                Part::Answers(from) => {
                    let (to, asked) = place(questions, now, from, payload);
                    let heard = if to == Asked::Again { Vec::new() } else { reader.read(from, payload, asked) };
                    out(Said::Answer { from, to, payload, heard });
                }
            }
        });
    }

    /// We ask: the number of the question, by which its answers are known.
    pub fn ask(&mut self, now: Boot, to: To, payload: &[u8], number: u64) {
        remember(&mut self.questions, Question::new(now, to, payload, Some(number)));
    }

    /// Gives up messages of which nothing more came.
    pub fn pass(&mut self, now: Boot) {
        self.watcher.pass(now, &mut |_| {});
    }

    /// When to [`pass`](Overheard::pass).
    pub fn deadline(&self) -> Option<Boot> {
        self.watcher.deadline()
    }
}

fn remember(questions: &mut heapless::Deque<Question, MOST_QUESTIONS>, question: Question) {
    if questions.is_full() {
        questions.pop_front();
    }
    // There is room now.
    let _ = questions.push_back(question);
}

/// Whether this is our own question, which came back to us from the interface: once.
fn is_echo(questions: &mut heapless::Deque<Question, MOST_QUESTIONS>, now: Boot, to: To, payload: &[u8]) -> bool {
    let ours = |question: &&mut Question| {
        question.ours.is_some()
            && !question.echoed
            && question.to == to
            && *question.bytes == *payload
            && now.since(question.at) < ECHO
    };
    let echo = questions.iter_mut().rev().find(ours);
    echo.is_some_and(|question| {
        question.echoed = true;
        true
    })
}

/// Whose question this answers, and its bytes: the newest that it can answer.
fn place<'q>(
    questions: &'q mut heapless::Deque<Question, MOST_QUESTIONS>,
    now: Boot,
    from: Ecu,
    payload: &[u8],
) -> (Asked, Option<&'q [u8]>) {
    let fits =
        |question: &&mut Question| !question.is_over(now) && question.to.includes(from) && answers(&question.bytes, payload);
    let Some(question) = questions.iter_mut().rev().find(fits) else { return (Asked::Others, None) };
    let pending = Negative::decode(payload).is_some_and(|no| no.meaning() == Meaning::Pending);
    let again = question.answered.contains(&from);
    if pending {
        question.put_off = true;
    } else if !again {
        // The seventeenth may answer twice.
        let _ = question.answered.push(from);
    }
    let asked = match question.ours {
        Some(_) if again => Asked::Again,
        Some(number) => Asked::Ours(number),
        None => Asked::Others,
    };
    (asked, Some(&question.bytes))
}

/// Whether an ECU that says `payload` can mean it as the answer to `question`: the service, and what of the question an
/// answer repeats.
pub fn answers(question: &[u8], payload: &[u8]) -> bool {
    let (Some((service, asked)), Some((first, rest))) = (question.split_first(), payload.split_first()) else { return false };
    if *first == 0x7F {
        return rest.first() == Some(service);
    }
    if *first != service | 0x40 {
        return false;
    }
    match service {
        0x01 => rest.first().is_some_and(|pid| asked.contains(pid)),
        0x02 | 0x09 => rest.first() == asked.first(),
        0x10 | 0x19 => {
            let function = asked.first().map(|function| function & 0x7F);
            let about_a_code = matches!(function, Some(0x04 | 0x06));
            rest.first().copied() == function && (!about_a_code || rest.get(1..4) == asked.get(1..4))
        }
        0x22 => asked.chunks_exact(2).any(|identifier| rest.get(..2) == Some(identifier)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_part() {
        let parts = Parts::new([Ecu::Normal(0x72E)]);
        let of = |id| parts.of(id, id > 0x7FF);
        assert_eq!(of(0x7DF), Some(Part::Asks(To::AllNormal)));
        assert_eq!(
            [of(0x7E1), of(0x7E9)],
            [Some(Part::Asks(To::One(Ecu::Normal(0x7E9)))), Some(Part::Answers(Ecu::Normal(0x7E9)))]
        );
        assert_eq!(
            [of(0x726), of(0x72E)],
            [Some(Part::Asks(To::One(Ecu::Normal(0x72E)))), Some(Part::Answers(Ecu::Normal(0x72E)))]
        );
        assert_eq!(of(0x18DB_33F1), Some(Part::Asks(To::AllFixed)));
        assert_eq!(of(0x18DA_10F1), Some(Part::Asks(To::One(Ecu::Fixed(0x18DA_F110)))));
        assert_eq!(of(0x18DA_FA10), Some(Part::Answers(Ecu::Fixed(0x18DA_F110))), "to another tester");
        assert_eq!([of(0x123), of(0x18FE_CA00), of(0x18DA_1011)], [None; 3]);
        for id in [0x7DF, 0x7E0, 0x7EF, 0x726, 0x72E, 0x18DA_10F1, 0x18DB_33F1, 0x0CDA_F110] {
            let passes = |(filter, mask): &Filter| filter.extended == (id > 0x7FF) && id & mask == filter.id & mask;
            assert!(parts.filters().iter().any(passes), "{id:X}");
        }
    }

    #[test]
    fn an_answer_repeats_what_was_asked() {
        for (question, answer, fits) in [
            (&[1, 0x0C, 0x0D][..], &[0x41, 0x0D, 0][..], true),
            (&[1, 0x0C], &[0x41, 0x0D, 0], false),
            (&[3], &[0x43, 0], true),
            (&[3], &[0x47, 0], false),
            (&[3], &[0x7F, 3, 0x78], true),
            (&[9, 2], &[0x49, 4, 1], false),
            (&[0x10, 0x83], &[0x50, 3], true),
            (&[0x19, 2, 8], &[0x59, 2, 0xFF], true),
            (&[0x19, 4, 1, 2, 3, 0xFF], &[0x59, 4, 1, 2, 4, 8], false),
            (&[0x22, 0xF1, 0x90], &[0x62, 0xF1, 0x90, 0x31], true),
            (&[0x22, 0xF1, 0x90], &[0x62, 0xF1, 0x87, 0x31], false),
            (&[], &[0x41], false),
            (&[1], &[], false),
        ] {
            assert_eq!(answers(question, answer), fits, "{question:X?} {answer:X?}");
        }
    }
}

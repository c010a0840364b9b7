//! One fault, and in which lists of which protocol it stands.

use serde::{Deserialize, Serialize};

use super::{LONGEST_RECORD, MOST_RECORDS_OF_ONE, MOST_VALUES};
use crate::clock::Wall;
use crate::vehicle::Value;
use crate::vehicle::trouble::{Classes, Code, CodeRecord, Ecu, Extended, Listed, Protocol};

/// A list has to lack a code so many times running before the code is gone from it.
const ABSENT: u8 = 2;

/// Everything known of one code of one ECU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Fault {
    ecu: Ecu,
    code: Code,
    lists: Vec<Lists>,
    occurrences: Option<u8>,
    mil: Option<bool>,
    first_seen: Wall,
    last_seen: Wall,
    freeze_frame: Vec<(String, Value)>,
    #[serde(default)]
    extended: Vec<(u8, String)>,
    /// Told as set and not yet as cleared.
    told: bool,
}

/// Where one protocol has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Lists {
    protocol: Protocol,
    classes: Classes,
    /// Of the reading at hand.
    #[serde(skip)]
    now: Classes,
    /// How often running each class was read without it, in the order of [`Classes::NAMES`].
    absent: [u8; Classes::NAMES.len()],
}

impl Fault {
    pub(super) fn new(ecu: Ecu, listed: &Listed, protocol: Protocol, now: Wall) -> Fault {
        let mut fault = Fault {
            ecu,
            code: listed.code,
            lists: Vec::new(),
            occurrences: None,
            mil: None,
            first_seen: now,
            last_seen: now,
            freeze_frame: Vec::new(),
            extended: Vec::new(),
            told: false,
        };
        fault.list(now, protocol, listed);
        fault
    }

    pub(super) fn key(&self) -> (Ecu, Code) {
        (self.ecu, self.code)
    }

    pub(super) fn ecu(&self) -> Ecu {
        self.ecu
    }

    pub(super) fn last_seen(&self) -> Wall {
        self.last_seen
    }

    /// Whether `code` of `ecu` means this fault: one without a failure type means each of its base.
    pub(super) fn is(&self, ecu: Ecu, code: Code) -> bool {
        self.ecu == ecu
            && match (self.code, code) {
                (Code::Iso { base, .. }, Code::Iso { base: other, failure: None }) => base == other,
                (this, other) => this == other,
            }
    }

    /// The failure type became known.
    pub(super) fn specify(&mut self, code: Code) {
        self.code = code;
    }

    /// A reading of `protocol` begins.
    pub(super) fn begin(&mut self, protocol: Protocol) {
        if let Some(lists) = self.lists.iter_mut().find(|lists| lists.protocol == protocol) {
            lists.now = Classes::NONE;
        }
    }

    /// It is listed; whether that changes more than when.
    pub(super) fn list(&mut self, now: Wall, protocol: Protocol, listed: &Listed) -> bool {
        let before = (self.classes(), self.lists.len(), self.occurrences, self.mil);
        if !self.lists.iter().any(|lists| lists.protocol == protocol) {
            self.lists.push(Lists { protocol, classes: Classes::NONE, now: Classes::NONE, absent: Default::default() });
            self.lists.sort_by_key(|lists| lists.protocol);
        }
        for lists in self.lists.iter_mut().filter(|lists| lists.protocol == protocol) {
            lists.classes = lists.classes.and(listed.classes);
            lists.now = lists.now.and(listed.classes);
        }
        self.last_seen = now;
        self.occurrences = listed.occurrences.or(self.occurrences);
        self.mil = listed.mil.or(self.mil);
        before != (self.classes(), self.lists.len(), self.occurrences, self.mil)
    }

    /// The reading of `protocol`, whole in `covers`, has ended; whether it stands in fewer lists than before.
    pub(super) fn end(&mut self, protocol: Protocol, covers: Classes) -> bool {
        let before = self.classes();
        for lists in self.lists.iter_mut().filter(|lists| lists.protocol == protocol) {
            for ((class, _), absent) in
                Classes::NAMES.into_iter().zip(&mut lists.absent).filter(|((class, _), _)| covers.any(*class))
            {
                *absent = if lists.now.any(class) { 0 } else { absent.saturating_add(1).min(ABSENT) };
                if *absent == ABSENT {
                    lists.classes = lists.classes.without(class);
                }
            }
        }
        before != self.classes()
    }

    /// A tester was told that it is cleared.
    pub(super) fn clear(&mut self) {
        for lists in &mut self.lists {
            lists.classes = lists.classes.both(Classes::PERMANENT);
        }
    }

    fn classes(&self) -> Classes {
        self.lists.iter().fold(Classes::NONE, |all, lists| all.and(lists.classes))
    }

    /// Whether it is there, as far as its ECU says.
    pub(super) fn is_held(&self) -> bool {
        self.classes().any(Classes::HELD)
    }

    /// Whether another protocol than this one says that it is there.
    pub(super) fn is_held_besides(&self, protocol: Protocol) -> bool {
        self.lists.iter().any(|lists| lists.protocol != protocol && lists.classes.any(Classes::HELD))
    }

    /// Whether no list has it any more, and that was told.
    pub(super) fn is_over(&self) -> bool {
        self.classes() == Classes::NONE && !self.told
    }

    /// Whether it has to be told.
    pub(super) fn turns(&self) -> bool {
        self.is_held() != self.told
    }

    /// It is told, as what it is: set or gone.
    pub(super) fn turn(&mut self) -> bool {
        self.told = self.is_held();
        if self.told {
            // What was measured then was another time.
            self.freeze_frame.clear();
            self.extended.clear();
        }
        self.told
    }

    /// Takes the values of a freeze frame beside those there are; whether that changes any.
    pub(super) fn freeze(&mut self, values: &[(String, Value)]) -> bool {
        let mut news = false;
        for (name, value) in values {
            let is_full = self.freeze_frame.len() >= MOST_VALUES;
            match self.freeze_frame.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) if known == value => continue,
                Some((_, known)) => known.clone_from(value),
                None if is_full => continue,
                None => self.freeze_frame.push((name.clone(), value.clone())),
            }
            news = true;
        }
        news
    }

    /// Takes a record of extended data in the place of what stood under its number; whether that changes any. One that is
    /// longer than what is kept is left out, as a part of it would be another.
    pub(super) fn extend(&mut self, number: u8, bytes: &[u8]) -> bool {
        if bytes.len() > LONGEST_RECORD {
            return false;
        }
        // All of them at once say anew what each of them said, and the other way round.
        let before = self.extended.len();
        self.extended.retain(|(known, _)| (*known == Extended::ALL) == (number == Extended::ALL));
        let shrunk = self.extended.len() != before;
        let bytes: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        match self.extended.binary_search_by_key(&number, |(known, _)| *known) {
            Ok(at) => match self.extended.get_mut(at) {
                Some((_, known)) if *known != bytes => *known = bytes,
                _ => return shrunk,
            },
            Err(at) if self.extended.len() < MOST_RECORDS_OF_ONE => self.extended.insert(at, (number, bytes)),
            Err(_) => return shrunk,
        }
        true
    }

    pub(super) fn protocols(&self) -> Vec<Protocol> {
        self.lists.iter().map(|lists| lists.protocol).collect()
    }

    /// Its record, now that it is gone; what is left of it on some list has neither lamp nor freeze frame any more (SAE J1979,
    /// mode 04).
    pub(super) fn end_of(&mut self) -> CodeRecord {
        let record = self.record();
        self.mil = None;
        self.freeze_frame = Vec::new();
        self.extended = Vec::new();
        record
    }

    pub(super) fn record(&self) -> CodeRecord {
        CodeRecord {
            ecu: self.ecu,
            code: self.code,
            text: None,
            protocols: self.protocols(),
            classes: self.classes(),
            occurrences: self.occurrences,
            mil: self.mil,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            freeze_frame: self.freeze_frame.clone(),
            extended: self.extended.clone(),
        }
    }

    /// Whether `written` says the same but for when it was last listed.
    pub(super) fn is_as(&self, written: &Fault) -> bool {
        let lists =
            |fault: &Fault| fault.lists.iter().map(|lists| (lists.protocol, lists.classes, lists.absent)).collect::<Vec<_>>();
        lists(self) == lists(written)
            && (self.occurrences, self.mil, self.told) == (written.occurrences, written.mil, written.told)
            && (&self.freeze_frame, &self.extended) == (&written.freeze_frame, &written.extended)
    }
}

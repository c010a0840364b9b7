//! Everything of diagnosis that a J1939 bus tells, asked or not, as news.
//!
//! DM1 comes every second from each ECU that has an active code, and at each change. It is told on when lamps or codes are
//! others than before (any bit of the message), and else every 5 s, so that who keeps watch over silence has something to
//! go by; the same holds for each other message and ECU. What is remembered is a fingerprint of 8 bytes a message and ECU:
//! at most 254 × 9 of them, and no more is possible.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::emission::{Emission, Own};
use super::id::{Id, NULL, number};
use super::identification::{Component, component, software, vin};
use super::transport::{Message, Transport};
use super::trouble::{Conversion, Diagnostic, Report};
use super::{Counts, pgn};
use crate::clock::Boot;
use crate::vehicle::Frame;
use crate::vehicle::trouble::{Classes, CodeReading, Ecu, Heard, Lamp, Protocol};

/// What has not changed is told again after so long.
const AGAIN: Duration = Duration::from_secs(5);

/// How a request was answered that is not answered by what it asks for (SAE J1939-21, 5.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledgement {
    /// Done.
    Positive,
    /// It has no such thing.
    Negative,
    /// Not for this asker, or not now.
    Denied,
    /// Busy: ask again later.
    Busy,
}

impl Acknowledgement {
    pub(super) fn of(control: u8) -> Option<Acknowledgement> {
        Some(match control {
            0 => Acknowledgement::Positive,
            1 => Acknowledgement::Negative,
            2 => Acknowledgement::Denied,
            3 => Acknowledgement::Busy,
            _ => return None,
        })
    }

    /// In JSON.
    pub fn word(self) -> &'static str {
        match self {
            Acknowledgement::Positive => "positive",
            Acknowledgement::Negative => "negative",
            Acknowledgement::Denied => "accessDenied",
            Acknowledgement::Busy => "busy",
        }
    }
}

/// News from the bus.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Codes (DM1 active, DM2 previously active, DM6 pending, DM12 stored, DM28 permanent; one ECU's whole list each), or
    /// the malfunction lamp of DM1.
    Heard(Heard),
    /// A VIN that can be one.
    Vin(Ecu, String),
    /// Component identification.
    Component(Ecu, Component),
    /// Software identification.
    Software(Ecu, Vec<String>),
    /// An acknowledgement of a request or command for the group, to whomever.
    Acknowledged(Ecu, u32, Acknowledgement),
    /// Somebody's tester was told that the codes of DM11 (active) or DM3 (previously active) are cleared. Which classes.
    Cleared(Ecu, Classes),
}

/// Listens to one bus.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    conversion: Conversion,
    transport: Transport,
    told: BTreeMap<(u8, u32), (u64, Boot)>,
    malformed: u64,
}

impl Listener {
    /// Has heard nothing. `conversion` is how SPNs are laid out where CM is 1.
    pub fn new(conversion: Conversion) -> Listener {
        Listener { conversion, ..Listener::default() }
    }

    /// What became of messages of several packets.
    pub fn counts(&self) -> Counts {
        self.transport.counts()
    }

    /// Fingerprints remembered.
    pub(super) fn remembered(&self) -> usize {
        self.told.len()
    }

    /// Diagnostic messages of a length that cannot be.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// When [`Listener::pass`] has something to do.
    pub fn deadline(&self) -> Option<Boot> {
        self.transport.deadline()
    }

    /// What the time that passed makes due.
    pub fn pass(&mut self, now: Boot, us: Option<Own>, out: &mut Vec<Emission>) {
        self.transport.pass(now, us, out);
    }

    /// Takes a frame. `us` is the claimed address ([`super::Claim::address`]), `None` where there is none or nothing may be
    /// sent: then `out` stays as it is. News go to `told`.
    pub fn hear(&mut self, now: Boot, us: Option<Own>, frame: &Frame, out: &mut Vec<Emission>, told: &mut Vec<Told>) {
        let Some(id) = Id::of(frame) else { return };
        let Listener { conversion, transport, told: before, malformed } = self;
        let message = match id.pgn {
            pgn::CONNECTION | pgn::TRANSFER => transport.hear(now, us, id, &frame.data, out),
            _ => Some(Message { id, data: &frame.data }),
        };
        let Some(message) = message else { return };
        if message.id.source >= NULL {
            return;
        }
        if message.id.pgn == pgn::ACKNOWLEDGEMENT {
            told.extend(acknowledged(message));
        } else if is_told(message.id.pgn) && is_news(before, now, message) && !tell(message, *conversion, told) {
            *malformed += 1;
        }
    }
}

fn is_told(group: u32) -> bool {
    Diagnostic::of(group).is_some() || matches!(group, pgn::VIN | pgn::COMPONENT | pgn::SOFTWARE)
}

fn is_news(before: &mut BTreeMap<(u8, u32), (u64, Boot)>, now: Boot, message: Message<'_>) -> bool {
    let mut hasher = DefaultHasher::new();
    message.data.hash(&mut hasher);
    let print = hasher.finish();
    let last = before.entry((message.id.source, message.id.pgn));
    let mut news = false;
    let (known, at) = last.or_insert_with(|| {
        news = true;
        (print, now)
    });
    news |= *known != print || now.since(*at) >= AGAIN;
    if news {
        (*known, *at) = (print, now);
    }
    news
}

/// `false` where the message is not of the form that its group has.
fn tell(message: Message<'_>, conversion: Conversion, told: &mut Vec<Told>) -> bool {
    let ecu = Ecu::J1939(message.id.source);
    if let Some(diagnostic) = Diagnostic::of(message.id.pgn) {
        let Some(report) = Report::read(message.data) else { return false };
        let covers = diagnostic.covers();
        if covers != Classes::NONE {
            let codes = report.records(conversion).map(|record| record.listed(covers)).collect();
            let reading = CodeReading { protocol: Protocol::J1939, covers, lists: vec![(ecu, codes)] };
            told.push(Told::Heard(Heard::Codes(reading)));
        }
        let lit = report.lamps.malfunction.lit().filter(|_| diagnostic == Diagnostic::Dm1);
        told.extend(lit.map(|on| Told::Heard(Heard::Lamp(Lamp { ecu, on, count: None }))));
        return true;
    }
    let news = match message.id.pgn {
        pgn::VIN => vin(message.data).map(|vin| Told::Vin(ecu, vin)),
        pgn::COMPONENT => Some(Told::Component(ecu, component(message.data))),
        _ => Some(Told::Software(ecu, software(message.data))),
    };
    let sound = news.is_some();
    told.extend(news);
    sound
}

fn acknowledged(message: Message<'_>) -> Option<Told> {
    let &[control, _, _, _, _, a, b, c] = message.data else { return None };
    let (ecu, group) = (Ecu::J1939(message.id.source), number([a, b, c]));
    let how = Acknowledgement::of(control)?;
    let cleared = match (how, group) {
        (Acknowledgement::Positive, pgn::DM11) => Some(Classes::ACTIVE),
        (Acknowledgement::Positive, pgn::DM3) => Some(Classes::PREVIOUSLY_ACTIVE),
        _ => None,
    };
    Some(match cleared {
        Some(classes) => Told::Cleared(ecu, classes),
        None => Told::Acknowledged(ecu, group, how),
    })
}

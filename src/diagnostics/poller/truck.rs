//! The same for a bus of SAE J1939: what is heard is told, and where sending is allowed a little is asked for.
//!
//! DM2 is asked of all every 60 s, pending (DM6), confirmed (DM12) and permanent codes (DM28) too, one after the other; the
//! VIN until it was told twice alike. It needs an address, which is claimed when the ignition first comes on, and left to
//! whoever contests it with right.
//!
//! **5,000 bits a second over any 10 s are not exceeded, whatever others say** (2,000 beside OBD-II on one bus): what would be answered beyond that to contests
//! of the address, requests for it, or messages that are announced to us stays unsaid and is counted; and who could not
//! defend its address has none until the ignition comes on anew.

use std::time::Duration;

use super::bits;
use super::budget::{BESIDE_OBD, Budget};
use super::{Counts, GAP, LONG_FRAME};
use crate::can::{ArbitrationId, Filter};
use crate::clock::Boot;
use crate::diagnostics::j1939::{Acknowledgement, Claim, Emission, GLOBAL, Id, Listener, Name, Requestable, Told, pgn};
use crate::diagnostics::reading::Numbers;
use crate::vehicle::Frame;
use crate::vehicle::trouble::{Classes, CodeReading, Heard, Protocol};

/// How often each is asked for.
const EVERY: Duration = Duration::from_secs(60);
/// Bits that a question to all may bring: thirty messages of a frame.
const COST: u32 = 30 * 160;
/// What no question takes, so that the address can be defended: ten claims.
const FOR_CLAIMS: u32 = 10 * LONG_FRAME;
/// Of one that says that it is busy, or that nobody answered: so often in vain, and it is not asked for again.
const MOST_VAIN: u32 = 3;

/// What is asked for.
const ASKED: [Requestable; 5] = [Requestable::Dm2, Requestable::Vin, Requestable::Dm6, Requestable::Dm12, Requestable::Dm28];

/// What comes of hearing and asking.
#[derive(Clone, Debug, PartialEq)]
pub enum Spoken {
    /// This is to be put on the bus.
    Send(Emission),
    /// This is told.
    Heard(Heard),
}

/// What a kernel filter must let through: each group of diagnosis, the transport protocol, claims and requests.
pub fn filters() -> Vec<Filter> {
    const TO_ONE: u32 = 0x03FF_0000;
    const TO_ALL: u32 = 0x03FF_FF00;
    let of = |group: u32, mask| (ArbitrationId { id: group << 8, extended: true }, mask);
    let to_one = [pgn::ACKNOWLEDGEMENT, pgn::REQUEST, pgn::TRANSFER, pgn::CONNECTION, pgn::CLAIM];
    let to_all = [pgn::DM1, pgn::DM2, pgn::DM6, pgn::DM12, pgn::DM23, pgn::DM28, pgn::SOFTWARE, pgn::COMPONENT, pgn::VIN];
    to_one.into_iter().map(|group| of(group, TO_ONE)).chain(to_all.into_iter().map(|group| of(group, TO_ALL))).collect()
}

/// Hears a J1939 bus, and asks its ECUs.
#[derive(Debug)]
pub struct Truck {
    listener: Listener,
    /// Only where sending is allowed.
    claim: Option<Claim>,
    numbers: Numbers,
    numbered: bool,
    budget: Budget,
    ignition: bool,
    /// Of each of [`ASKED`] when it is due, and how often nothing came of it.
    due: [(Boot, u32); ASKED.len()],
    /// Of each whether anybody told it since the ignition came on.
    told: [bool; ASKED.len()],
    next: Boot,
    heard: bool,
    counts: Counts,
}

impl Truck {
    /// One that only hears.
    pub fn hearing() -> Truck {
        Truck::with(None, Budget::default())
    }

    /// One that asks as well, under this name.
    pub fn asking(name: Name) -> Truck {
        Truck::with(Some(Claim::new(name)), Budget::default())
    }

    /// The same on a bus where OBD-II is asked as well: what both take is 1 % together.
    pub fn asking_beside_obd(name: Name) -> Truck {
        Truck::with(Some(Claim::new(name)), Budget::of(BESIDE_OBD))
    }

    fn with(claim: Option<Claim>, budget: Budget) -> Truck {
        let never = Boot::from_micros(i64::MIN);
        Truck {
            listener: Listener::default(),
            claim,
            numbers: Numbers::default(),
            numbered: false,
            budget,
            ignition: false,
            due: [(never, 0); ASKED.len()],
            told: [false; ASKED.len()],
            next: never,
            heard: false,
            counts: Counts::default(),
        }
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether any ECU has told anything of diagnosis.
    pub fn heard(&self) -> bool {
        self.heard
    }

    /// Whether an address is to be had no more.
    pub fn without_address(&self) -> bool {
        self.claim.as_ref().is_some_and(Claim::without)
    }

    /// Bits that we and those that answered us put on the bus in the last 10 s.
    pub fn spent(&mut self, now: Boot) -> u32 {
        self.budget.spent(now)
    }

    /// The ignition is known to be on, or is not.
    pub fn set_ignition(&mut self, now: Boot, on: bool, out: &mut Vec<Spoken>) {
        if on && !self.ignition {
            let mut emissions = Vec::new();
            if let Some(claim) = &mut self.claim {
                claim.start(now, &mut emissions);
            }
            self.due = [(now, 0); ASKED.len()];
            self.told = [false; ASKED.len()];
            self.send(now, emissions, out);
        }
        self.ignition = on;
    }

    /// A frame was on the bus.
    pub fn hear(&mut self, now: Boot, frame: &Frame, out: &mut Vec<Spoken>) {
        let Some(id) = Id::of(frame) else { return };
        let (mut emissions, mut told) = (Vec::new(), Vec::new());
        if let Some(claim) = self.claim.as_mut().filter(|_| self.ignition) {
            claim.hear(now, id, &frame.data, &mut emissions);
        }
        let us = self.claim.as_ref().and_then(Claim::address).filter(|_| self.ignition);
        if us.is_some_and(|us| id.destination == us.number()) {
            self.budget.spend(now, bits(frame));
        }
        self.listener.hear(now, us, frame, &mut emissions, &mut told);
        for news in told {
            out.extend(self.tell(news).into_iter().map(Spoken::Heard));
        }
        self.send(now, emissions, out);
    }

    fn tell(&mut self, news: Told) -> Option<Heard> {
        match news {
            Told::Heard(heard) => {
                self.heard = true;
                if let Heard::Codes(CodeReading { covers, .. }) = &heard {
                    self.answered(*covers);
                }
                Some(heard)
            }
            Told::Vin(_, vin) => {
                let news = self.numbers.hear(&vin);
                self.numbered |= news.is_some();
                news
            }
            Told::Cleared(ecu, classes) if classes.any(Classes::ACTIVE) => Some(Heard::Cleared(ecu)),
            Told::Cleared(ecu, covers) => {
                Some(Heard::Codes(CodeReading { protocol: Protocol::J1939, covers, lists: vec![(ecu, Vec::new())] }))
            }
            Told::Acknowledged(_, group, Acknowledgement::Negative) => {
                let asked = ASKED.iter().zip(&mut self.due).zip(&self.told).find(|((what, _), _)| what.pgn() == group);
                // One that does not have it says nothing of another that does.
                if let Some(((_, (_, vain)), false)) = asked {
                    *vain = MOST_VAIN;
                }
                None
            }
            Told::Component(..) | Told::Software(..) | Told::Acknowledged(..) => None,
        }
    }

    fn answered(&mut self, covers: Classes) {
        for ((what, (_, vain)), told) in ASKED.iter().zip(&mut self.due).zip(&mut self.told) {
            let class = match what {
                Requestable::Dm2 => Classes::PREVIOUSLY_ACTIVE,
                Requestable::Dm6 => Classes::PENDING,
                Requestable::Dm12 => Classes::STORED,
                Requestable::Dm28 => Classes::PERMANENT,
                _ => Classes::NONE,
            };
            if class.any(covers) {
                (*vain, *told) = (0, true);
                self.counts.answers += 1;
            }
        }
    }

    /// What is due.
    pub fn pass(&mut self, now: Boot, out: &mut Vec<Spoken>) {
        let mut emissions = Vec::new();
        if let Some(claim) = self.claim.as_mut().filter(|_| self.ignition) {
            claim.pass(now, &mut emissions);
        }
        let us = self.claim.as_ref().and_then(Claim::address).filter(|_| self.ignition);
        self.listener.pass(now, us, &mut emissions);
        if let (Some(from), true) = (us, now >= self.next) {
            if let Some(at) = self.next_due(now) {
                emissions.extend(self.request(now, at).map(|what| Emission::Request { from, to: GLOBAL, what }));
            }
        }
        self.send(now, emissions, out);
    }

    fn next_due(&self, now: Boot) -> Option<usize> {
        let wanted = |(at, (due, vain)): &(usize, &(Boot, u32))| {
            *due <= now && *vain < MOST_VAIN && !(self.numbered && ASKED.get(*at) == Some(&Requestable::Vin))
        };
        self.due.iter().enumerate().find(wanted).map(|(at, _)| at)
    }

    fn request(&mut self, now: Boot, at: usize) -> Option<Requestable> {
        if !self.budget.allows(now, COST + FOR_CLAIMS) {
            self.next = Budget::next(now);
            return None;
        }
        let (due, vain) = self.due.get_mut(at)?;
        let what = *ASKED.get(at)?;
        *due = now + if what == Requestable::Vin { EVERY / 12 } else { EVERY };
        *vain += 1;
        self.next = now + GAP;
        self.counts.requests += 1;
        // What is sent to all comes back as broadcasts, which nobody can tell from unasked ones.
        self.budget.spend(now, COST);
        Some(what)
    }

    /// When to [`pass`](Truck::pass); at once where that is before now.
    pub fn deadline(&self) -> Option<Boot> {
        let claim = self.claim.as_ref().filter(|_| self.ignition);
        let asks = claim.and_then(Claim::address).and_then(|_| {
            let open = ASKED
                .iter()
                .zip(&self.due)
                .filter(|(what, (_, vain))| *vain < MOST_VAIN && !(self.numbered && **what == Requestable::Vin));
            open.map(|(_, (due, _))| (*due).max(self.next)).min()
        });
        [claim.and_then(Claim::deadline), self.listener.deadline(), asks].into_iter().flatten().min()
    }

    fn send(&mut self, now: Boot, emissions: Vec<Emission>, out: &mut Vec<Spoken>) {
        for emission in emissions {
            // A question's share was taken when it was decided.
            let asks = matches!(emission, Emission::Request { .. });
            if !asks && !self.budget.allows(now, LONG_FRAME) {
                self.counts.withheld += 1;
                let claims = matches!(emission, Emission::Claim { .. } | Emission::CannotClaim { .. });
                if let Some(claim) = self.claim.as_mut().filter(|_| claims) {
                    claim.hush();
                }
                continue;
            }
            if !asks {
                self.budget.spend(now, LONG_FRAME);
            }
            out.push(Spoken::Send(emission));
        }
    }
}

//! Having an address (SAE J1939-81, 4.4): claimed aloud, kept for as long as nobody with a better right wants it.
//!
//! | state | heard or due | then |
//! |---|---|---|
//! | silent | `start` | claims 249: *claiming* |
//! | claiming | 250 ms without contest | *claimed* |
//! | claiming, claimed | a claim of this address by a NAME with less right | claims it again: *claiming* or *claimed* as before |
//! | claiming, claimed | a claim of this address by a NAME with more right | claims a free one of 128 to 247: *claiming*; without a free one *retreating* |
//! | claiming, claimed | request for address claimed | claims it again |
//! | retreating | 0 to 153 ms, by the NAME | says that it cannot claim: *without* |
//! | without | request for address claimed | *retreating* |
//! | any | the caller could not say what it was to say | *silent*, until the next `start` |
//!
//! Only who is in *claimed* has an address to send from. A claim under our own NAME is an echo of ours. A commanded address
//! (PGN 65240) is not obeyed: nobody moves a tool about.

use std::time::Duration;

use super::emission::{Emission, Own};
use super::id::{GLOBAL, Id, number};
use super::{Name, pgn};
use crate::clock::Boot;

/// For so long a claim may be contested.
const CONTEST: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Silent,
    Claiming { address: Own, until: Boot },
    Claimed { address: Own },
    Retreating { until: Boot },
    Without,
}

/// An address, or the way to one.
#[derive(Clone, Debug)]
pub struct Claim {
    name: Name,
    state: State,
    /// Claimed by others at some time.
    taken: [bool; 256],
}

impl Claim {
    /// None yet, and nothing said.
    pub fn new(name: Name) -> Claim {
        Claim { name, state: State::Silent, taken: [false; 256] }
    }

    /// The address, once nobody has contested it.
    pub fn address(&self) -> Option<Own> {
        match self.state {
            State::Claimed { address } => Some(address),
            State::Silent | State::Claiming { .. } | State::Retreating { .. } | State::Without => None,
        }
    }

    /// Whether there is no address to be had.
    pub fn without(&self) -> bool {
        matches!(self.state, State::Retreating { .. } | State::Without)
    }

    /// When [`Claim::pass`] has something to do.
    pub fn deadline(&self) -> Option<Boot> {
        match self.state {
            State::Claiming { until, .. } | State::Retreating { until } => Some(until),
            State::Silent | State::Claimed { .. } | State::Without => None,
        }
    }

    /// Claims the tool's address, or another where that is known to be somebody's. Later calls do nothing.
    pub fn start(&mut self, now: Boot, out: &mut Vec<Emission>) {
        if self.state == State::Silent {
            self.claim_next(now, Some(Own::TOOL), out);
        }
    }

    /// A claim was not said: nobody can know of the address, so it is none.
    pub fn hush(&mut self) {
        self.state = State::Silent;
    }

    /// What the time that passed makes due.
    pub fn pass(&mut self, now: Boot, out: &mut Vec<Emission>) {
        match self.state {
            State::Claiming { address, until } if now >= until => self.state = State::Claimed { address },
            State::Retreating { until } if now >= until => {
                out.push(Emission::CannotClaim { name: self.name });
                self.state = State::Without;
            }
            _ => {}
        }
    }

    /// Takes a frame of the bus.
    pub fn hear(&mut self, now: Boot, id: Id, data: &[u8], out: &mut Vec<Emission>) {
        self.pass(now, out);
        match (id.pgn, data) {
            (pgn::CLAIM, &[a, b, c, d, e, f, g, h]) => {
                self.hear_claim(now, id.source, Name(u64::from_le_bytes([a, b, c, d, e, f, g, h])), out);
            }
            (pgn::REQUEST, &[a, b, c, ..]) if number([a, b, c]) == pgn::CLAIM => self.hear_request(now, id.destination, out),
            _ => {}
        }
    }

    fn hear_claim(&mut self, now: Boot, source: u8, theirs: Name, out: &mut Vec<Emission>) {
        if theirs == self.name {
            return;
        }
        let (State::Claiming { address, .. } | State::Claimed { address }) = self.state else { return self.mark(source) };
        if address.number() != source {
            self.mark(source);
        } else if self.name < theirs {
            out.push(Emission::Claim { from: address, name: self.name });
        } else {
            self.mark(source);
            self.claim_next(now, None, out);
        }
    }

    fn hear_request(&mut self, now: Boot, destination: u8, out: &mut Vec<Emission>) {
        match self.state {
            State::Claiming { address, .. } | State::Claimed { address } => {
                if destination == GLOBAL || destination == address.number() {
                    out.push(Emission::Claim { from: address, name: self.name });
                }
            }
            State::Without if destination == GLOBAL => self.state = State::Retreating { until: now + self.pause() },
            State::Silent | State::Retreating { .. } | State::Without => {}
        }
    }

    fn mark(&mut self, source: u8) {
        if let Some(taken) = self.taken.get_mut(usize::from(source)) {
            *taken = true;
        }
    }

    fn is_free(&self, address: Own) -> bool {
        self.taken.get(usize::from(address.number())) == Some(&false)
    }

    fn claim_next(&mut self, now: Boot, first: Option<Own>, out: &mut Vec<Emission>) {
        let others = (128..=247).filter_map(Own::dynamic).filter(|_| self.name.arbitrary_address());
        let free = first.into_iter().chain(others).find(|address| self.is_free(*address));
        self.state = match free {
            Some(address) => {
                out.push(Emission::Claim { from: address, name: self.name });
                State::Claiming { address, until: now + CONTEST }
            }
            None => State::Retreating { until: now + self.pause() },
        };
    }

    /// 0 to 153 ms in steps of 0.6 ms, so that several that cannot claim do not say so at once with one and the same id.
    fn pause(&self) -> Duration {
        let mixed = self.name.0.to_le_bytes().into_iter().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        Duration::from_micros(u64::from(mixed) * 600)
    }
}

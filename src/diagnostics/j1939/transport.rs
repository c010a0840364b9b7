//! Messages of 9 to 1785 bytes in packets of 7 (SAE J1939-21, 5.10), received.
//!
//! | | opened by | packets | ends |
//! |---|---|---|---|
//! | broadcast | BAM, to all | in order; a gap ends it, none can be asked for again | 750 ms without a packet (T1) |
//! | to us | RTS; we answer CTS for to 16 packets at a time | in any order within what CTS allowed; what is missing is asked for again, twice at most | 750 ms after a packet (T1), 1250 ms after a CTS (T2) |
//! | between others | RTS | in any order | 1250 ms of silence (T3) |
//!
//! To us means: to the address that the caller has claimed. Without one everything is only listened to, and nothing is sent.
//!
//! A packet bears no group and no number of its message, so who cannot be sure what a packet belongs to lets it go:
//!
//! - One connection for each pair of sender and receiver, and one broadcast a sender. A new BAM ends the one before. A new
//!   RTS ends the one before if it is for the same group (5.10.3.1); for another one, we answer that we are busy, and
//!   between others neither is followed any further.
//! - The same packet twice is taken once; twice and different ends the connection.
//! - Announced counts that do not fit each other open nothing. Reserved bytes are not looked at.
//! - At most [`MOST_SESSIONS`] at once; one more ends the oldest. Buffers are kept and used again: nothing is allocated
//!   once each has been in use.

use std::time::Duration;

use super::emission::{Emission, Own, Reason};
use super::id::{GLOBAL, Id, NULL, number};
use super::pgn;
use crate::clock::Boot;

/// The longest message: 255 packets of 7 bytes.
pub const MOST_BYTES: usize = 1785;

/// Messages in the making at one time.
pub const MOST_SESSIONS: usize = 32;

/// How many packets we ask for with one CTS.
const WINDOW: u8 = 16;

/// How often packets are asked for again (5.10.2.4).
const RETRANSMISSIONS: u8 = 2;

const T1: Duration = Duration::from_millis(750);
const T2: Duration = Duration::from_millis(1250);
const T3: Duration = Duration::from_millis(1250);

/// A message, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Priority, group, destination and source, as of a single frame.
    pub id: Id,
    /// The bytes.
    pub data: &'a [u8],
}

/// What became of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Whole messages.
    pub completed: u64,
    /// Ended by silence.
    pub timed_out: u64,
    /// Ended by their sender or receiver.
    pub aborted: u64,
    /// Ended by a new one of the same pair.
    pub replaced: u64,
    /// Ended because there were too many.
    pub crowded_out: u64,
    /// Ended or not opened for packets or counts that cannot be.
    pub wrong: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Broadcast,
    ToUs { us: Own, limit: u8, last_of_window: u8, asked_again: u8, heard: bool },
    BetweenOthers,
}

#[derive(Clone, Debug)]
struct Session {
    id: Id,
    way: Way,
    size: u16,
    packets: u8,
    got: [u64; 4],
    missing: u8,
    begun: Boot,
    deadline: Boot,
    open: bool,
    bytes: Vec<u8>,
}

/// An RTS.
#[derive(Clone, Copy)]
struct Opening {
    id: Id,
    size: u16,
    packets: u8,
    /// The most packets that the sender wants to be asked for at a time.
    limit: u8,
}

/// What a packet did.
enum Step {
    On,
    Whole,
    Wrong(Reason),
}

/// Puts packets together.
#[derive(Clone, Debug, Default)]
pub struct Transport {
    sessions: Vec<Session>,
    counts: Counts,
}

impl Transport {
    /// What became of connections so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes of memory that messages have.
    pub(super) fn kept(&self) -> usize {
        self.sessions.iter().map(|session| session.bytes.capacity()).sum()
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.sessions.iter().filter(|session| session.open).count()
    }

    /// When [`Transport::pass`] has something to do.
    pub fn deadline(&self) -> Option<Boot> {
        self.sessions.iter().filter(|session| session.open).map(|session| session.deadline).min()
    }

    /// Takes a frame: TP.CM and TP.DT, any other is none of its business. `us` is our address, where we have one and may
    /// send. Gives the message that this frame made whole.
    pub fn hear(&mut self, now: Boot, us: Option<Own>, id: Id, data: &[u8], out: &mut Vec<Emission>) -> Option<Message<'_>> {
        self.pass(now, us, out);
        match (id.pgn, data) {
            (pgn::CONNECTION, &[control, b, c, d, e, f, g, h]) => {
                self.connect(now, us, id, [control, b, c, d, e], number([f, g, h]), out);
                None
            }
            (pgn::TRANSFER, &[sequence, ref packet @ ..]) => self.transfer(now, id, sequence, packet, out),
            _ => None,
        }
    }

    /// Ends what has been silent for too long, and asks again for what was lost on the way to us.
    pub fn pass(&mut self, now: Boot, us: Option<Own>, out: &mut Vec<Emission>) {
        for session in self.sessions.iter_mut().filter(|session| session.open) {
            if session.is_orphan(us) {
                session.open = false;
                self.counts.aborted += 1;
            } else if now >= session.deadline {
                if let Err(reason) = session.lost(now, out) {
                    session.give_up(reason, out);
                    self.counts.timed_out += 1;
                }
            }
        }
    }

    fn find(&mut self, source: u8, destination: u8) -> Option<&mut Session> {
        let same = |session: &&mut Session| session.id.source == source && session.id.destination == destination;
        self.sessions.iter_mut().filter(|session| session.open).find(same)
    }

    fn connect(&mut self, now: Boot, us: Option<Own>, id: Id, head: [u8; 5], pgn: u32, out: &mut Vec<Emission>) {
        let [control, low, high, packets, limit] = head;
        let size = u16::from_le_bytes([low, high]);
        match control {
            16 if id.destination < NULL => {
                let opening = Opening { id: Id { pgn, ..id }, size, packets, limit };
                self.request_to_send(now, us, opening, out);
            }
            32 if id.destination == GLOBAL => self.announce(now, Id { pgn, ..id }, size, packets, out),
            17 => self.clear_to_send(now, id),
            19 => self.close(id.destination, id.source, pgn),
            255 => {
                self.close(id.destination, id.source, pgn);
                self.close(id.source, id.destination, pgn);
            }
            _ => self.counts.wrong += 1,
        }
    }

    /// CTS between others: the sender may take its time. Our own comes back to us, and says nothing new.
    fn clear_to_send(&mut self, now: Boot, id: Id) {
        if let Some(session) = self.find(id.destination, id.source) {
            if session.way == Way::BetweenOthers {
                session.deadline = now + T3;
            }
        }
    }

    fn close(&mut self, source: u8, destination: u8, pgn: u32) {
        if let Some(session) = self.find(source, destination).filter(|session| session.id.pgn == pgn) {
            session.open = false;
            self.counts.aborted += 1;
        }
    }

    fn announce(&mut self, now: Boot, id: Id, size: u16, packets: u8, out: &mut Vec<Emission>) {
        if let Some(before) = self.find(id.source, GLOBAL) {
            before.open = false;
            self.counts.replaced += 1;
        }
        if fits(size, packets, id.pgn) && id.source < NULL {
            self.begin(now, id, Way::Broadcast, size, packets, out);
        } else {
            self.counts.wrong += 1;
        }
    }

    fn request_to_send(&mut self, now: Boot, us: Option<Own>, opening: Opening, out: &mut Vec<Emission>) {
        let Opening { id, size, packets, limit } = opening;
        let us = us.filter(|us| us.number() == id.destination);
        let refuse = |reason| us.map(|from| Emission::Abort { from, to: id.source, reason, pgn: id.pgn });
        if let Some(before) = self.find(id.source, id.destination) {
            let same = before.id.pgn == id.pgn;
            if !same && us.is_some() {
                return out.extend(refuse(Reason::Busy));
            }
            before.open = false;
            self.counts.replaced += 1;
            if !same {
                return;
            }
        }
        if !fits(size, packets, id.pgn) || id.source >= NULL || id.source == id.destination {
            self.counts.wrong += 1;
            return out.extend(refuse(Reason::Other));
        }
        let way = match us {
            Some(us) => Way::ToUs { us, limit: limit.clamp(1, WINDOW), last_of_window: 0, asked_again: 0, heard: false },
            None => Way::BetweenOthers,
        };
        self.begin(now, id, way, size, packets, out);
    }

    fn begin(&mut self, now: Boot, id: Id, way: Way, size: u16, packets: u8, out: &mut Vec<Emission>) {
        let Some(session) = self.vacancy(out) else { return };
        *session = Session {
            id,
            way,
            size,
            packets,
            got: [0; 4],
            missing: packets,
            begun: now,
            deadline: now + if way == Way::Broadcast { T1 } else { T3 },
            open: true,
            bytes: std::mem::take(&mut session.bytes),
        };
        session.bytes.clear();
        session.bytes.resize(usize::from(size), 0);
        if let Err(reason) = session.ask(now, out) {
            session.give_up(reason, out);
        }
    }

    /// A session that is not open: the oldest where all are.
    fn vacancy(&mut self, out: &mut Vec<Emission>) -> Option<&mut Session> {
        let closed = self.sessions.iter().position(|session| !session.open);
        let at = match closed {
            Some(at) => at,
            None if self.sessions.len() < MOST_SESSIONS => {
                self.sessions.push(Session::closed());
                self.sessions.len() - 1
            }
            None => {
                let (at, oldest) = self.sessions.iter_mut().enumerate().min_by_key(|(_, session)| session.begun)?;
                oldest.give_up(Reason::Resources, out);
                self.counts.crowded_out += 1;
                at
            }
        };
        self.sessions.get_mut(at)
    }

    fn transfer(&mut self, now: Boot, id: Id, sequence: u8, packet: &[u8], out: &mut Vec<Emission>) -> Option<Message<'_>> {
        let pair = |session: &Session| session.open && session.id.source == id.source && session.id.destination == id.destination;
        let at = self.sessions.iter().position(pair)?;
        let session = self.sessions.get_mut(at)?;
        match session.take(now, sequence, packet, out) {
            Step::On => None,
            Step::Wrong(reason) => {
                session.give_up(reason, out);
                self.counts.wrong += 1;
                None
            }
            Step::Whole => {
                self.counts.completed += 1;
                Some(Message { id: session.id, data: &session.bytes })
            }
        }
    }
}

/// Whether the counts of an announcement go with each other. What the transport itself is made of is not transported.
fn fits(size: u16, packets: u8, pgn: u32) -> bool {
    let usual = (9..=MOST_BYTES).contains(&usize::from(size)) && size.div_ceil(7) == u16::from(packets);
    usual && !matches!(pgn, pgn::CONNECTION | pgn::TRANSFER)
}

fn has(got: &[u64; 4], sequence: u8) -> bool {
    got.get(usize::from(sequence >> 6)).is_some_and(|word| word & (1 << (sequence & 63)) != 0)
}

impl Session {
    fn closed() -> Session {
        let id = Id { priority: 7, pgn: 0, destination: NULL, source: NULL };
        let none = Boot::default();
        let way = Way::Broadcast;
        let bytes = Vec::with_capacity(MOST_BYTES);
        Session { id, way, size: 0, packets: 0, got: [0; 4], missing: 0, begun: none, deadline: none, open: false, bytes }
    }

    /// Whether it was to an address that we have no longer.
    fn is_orphan(&self, us: Option<Own>) -> bool {
        matches!(self.way, Way::ToUs { us: was, .. } if us != Some(was))
    }

    fn note(&mut self, sequence: u8) {
        if let Some(word) = self.got.get_mut(usize::from(sequence >> 6)) {
            *word |= 1 << (sequence & 63);
        }
        self.missing = self.missing.saturating_sub(1);
    }

    fn take(&mut self, now: Boot, sequence: u8, packet: &[u8], out: &mut Vec<Emission>) -> Step {
        let from = usize::from(sequence.saturating_sub(1)) * 7;
        let length = usize::from(self.size).saturating_sub(from).min(7);
        let packet = packet.get(..length);
        let place = self.bytes.get_mut(from..from + length);
        let (Some(packet), Some(place)) = (packet.filter(|_| sequence != 0 && sequence <= self.packets), place) else {
            return Step::Wrong(Reason::Other);
        };
        if has(&self.got, sequence) {
            return if place == packet { Step::On } else { Step::Wrong(Reason::Duplicate) };
        }
        let in_order = sequence == self.packets - self.missing + 1;
        match &mut self.way {
            Way::Broadcast if !in_order => return Step::Wrong(Reason::Other),
            Way::Broadcast => self.deadline = now + T1,
            Way::BetweenOthers => self.deadline = now + T3,
            Way::ToUs { last_of_window, .. } if sequence > *last_of_window => return Step::Wrong(Reason::Other),
            Way::ToUs { heard, .. } => {
                *heard = true;
                self.deadline = now + T1;
            }
        }
        place.copy_from_slice(packet);
        self.note(sequence);
        if self.missing == 0 {
            self.finish(out);
            return Step::Whole;
        }
        match self.way {
            Way::ToUs { last_of_window, .. } if sequence == last_of_window => match self.ask(now, out) {
                Ok(()) => Step::On,
                Err(reason) => Step::Wrong(reason),
            },
            _ => Step::On,
        }
    }

    fn finish(&mut self, out: &mut Vec<Emission>) {
        self.open = false;
        if let Way::ToUs { us, .. } = self.way {
            let (to, size, packets, pgn) = (self.id.source, self.size, self.packets, self.id.pgn);
            out.push(Emission::EndOfMessage { from: us, to, size, packets, pgn });
        }
    }

    /// Asks for the first packets that are missing. Fails where some of them have been asked for often enough.
    fn ask(&mut self, now: Boot, out: &mut Vec<Emission>) -> Result<(), Reason> {
        let Way::ToUs { us, limit, last_of_window, asked_again, heard } = &mut self.way else { return Ok(()) };
        let missing = |sequence: &u8| !has(&self.got, *sequence);
        let Some(next) = (1..=self.packets).find(missing) else { return Ok(()) };
        if next <= *last_of_window {
            if *asked_again == RETRANSMISSIONS {
                return Err(Reason::Retransmissions);
            }
            *asked_again += 1;
        }
        let packets = (next..=self.packets).take(usize::from(*limit)).take_while(missing).fold(0, |count, _| count + 1);
        *last_of_window = next + (packets - 1);
        *heard = false;
        self.deadline = now + T2;
        out.push(Emission::ClearToSend { from: *us, to: self.id.source, packets, next, pgn: self.id.pgn });
        Ok(())
    }

    /// Nothing came for too long.
    fn lost(&mut self, now: Boot, out: &mut Vec<Emission>) -> Result<(), Reason> {
        match self.way {
            Way::ToUs { heard: true, .. } => self.ask(now, out),
            Way::ToUs { .. } | Way::Broadcast | Way::BetweenOthers => Err(Reason::Timeout),
        }
    }

    fn give_up(&mut self, reason: Reason, out: &mut Vec<Emission>) {
        self.open = false;
        if let Way::ToUs { us, .. } = self.way {
            out.push(Emission::Abort { from: us, to: self.id.source, reason, pgn: self.id.pgn });
        }
    }
}

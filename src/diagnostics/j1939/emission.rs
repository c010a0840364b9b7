//! All that may ever be sent on a J1939 bus.
//!
//! A message leaves as an [`Emission`] or not at all, and an emission is a claim of an address, a request for what a
//! [`Requestable`] names, or a receiver's part in the transport protocol. Requests that clear codes (DM3, 65228; DM11,
//! 65235) or change anything else have no name among them. Nobody's address can be taken either: an [`Own`] address is
//! that of an off-board tool or one that is given out freely.

use super::id::{GLOBAL, Id, NULL};
use super::{Name, pgn};
use crate::clock::Boot;
use crate::vehicle::{Frame, FrameKind};

/// An address that we may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Own(u8);

impl Own {
    /// Off-board diagnostic-service tool number 1 (SAE J1939, preferred addresses).
    pub const TOOL: Own = Own(249);

    /// One of 128 to 247: for whoever claims it (SAE J1939-81, 4.3).
    pub fn dynamic(address: u8) -> Option<Own> {
        (128..=247).contains(&address).then_some(Own(address))
    }

    /// The number.
    pub fn number(self) -> u8 {
        self.0
    }
}

/// What may be asked for: it is read, and nothing is changed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requestable {
    /// Active codes.
    Dm1,
    /// Previously active codes.
    Dm2,
    /// Pending codes.
    Dm6,
    /// Confirmed codes.
    Dm12,
    /// Permanent codes.
    Dm28,
    /// The VIN.
    Vin,
    /// Make, model, serial and unit number.
    Component,
    /// Names of what it runs.
    Software,
}

impl Requestable {
    /// Each of them.
    pub const ALL: [Requestable; 8] = [
        Requestable::Dm1,
        Requestable::Dm2,
        Requestable::Dm6,
        Requestable::Dm12,
        Requestable::Dm28,
        Requestable::Vin,
        Requestable::Component,
        Requestable::Software,
    ];

    /// Its parameter group.
    pub fn pgn(self) -> u32 {
        match self {
            Requestable::Dm1 => pgn::DM1,
            Requestable::Dm2 => pgn::DM2,
            Requestable::Dm6 => pgn::DM6,
            Requestable::Dm12 => pgn::DM12,
            Requestable::Dm28 => pgn::DM28,
            Requestable::Vin => pgn::VIN,
            Requestable::Component => pgn::COMPONENT,
            Requestable::Software => pgn::SOFTWARE,
        }
    }
}

/// Why a connection is given up (SAE J1939-21, 5.10.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// There is one already with this sender.
    Busy = 1,
    /// Its place was needed.
    Resources = 2,
    /// The sender fell silent.
    Timeout = 3,
    /// Asked for the same packets often enough.
    Retransmissions = 5,
    /// A packet came twice, and differed.
    Duplicate = 8,
    /// What was announced cannot be.
    Other = 250,
}

/// A message of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emission {
    /// This address is mine.
    Claim {
        /// Which.
        from: Own,
        /// Who says so.
        name: Name,
    },
    /// I have none.
    CannotClaim {
        /// Who.
        name: Name,
    },
    /// Tell me.
    Request {
        /// Who asks.
        from: Own,
        /// Who is asked; [`GLOBAL`] for all.
        to: u8,
        /// For what.
        what: Requestable,
    },
    /// TP.CM_CTS: send these packets.
    ClearToSend {
        /// Who receives.
        from: Own,
        /// Who sends.
        to: u8,
        /// How many.
        packets: u8,
        /// From which one on; the first is 1.
        next: u8,
        /// Of which group.
        pgn: u32,
    },
    /// TP.CM_EndOfMsgACK: the message is here.
    EndOfMessage {
        /// Who received.
        from: Own,
        /// Who sent.
        to: u8,
        /// Bytes.
        size: u16,
        /// Packets.
        packets: u8,
        /// Of which group.
        pgn: u32,
    },
    /// TP.Conn_Abort.
    Abort {
        /// Who gives up.
        from: Own,
        /// Who sent.
        to: u8,
        /// Why.
        reason: Reason,
        /// Of which group.
        pgn: u32,
    },
}

/// A frame to be sent: a 29 bit id and to 8 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// 29 bits.
    pub id: u32,
    /// The payload.
    pub data: heapless::Vec<u8, 8>,
}

impl Emission {
    /// As a frame.
    pub fn encode(self) -> Outgoing {
        match self {
            Emission::Claim { from, name } => frame(6, pgn::CLAIM, from.0, GLOBAL, &name.0.to_le_bytes()),
            Emission::CannotClaim { name } => frame(6, pgn::CLAIM, NULL, GLOBAL, &name.0.to_le_bytes()),
            Emission::Request { from, to, what } => frame(6, pgn::REQUEST, from.0, to, &three(what.pgn())),
            Emission::ClearToSend { from, to, packets, next, pgn } => connection(from, to, [17, packets, next, 255, 255], pgn),
            Emission::EndOfMessage { from, to, size, packets, pgn } => {
                let [low, high] = size.to_le_bytes();
                connection(from, to, [19, low, high, packets, 255], pgn)
            }
            Emission::Abort { from, to, reason, pgn } => connection(from, to, [255, reason as u8, 255, 255, 255], pgn),
        }
    }
}

impl Emission {
    /// As a frame that is on the bus `at` some time.
    pub fn frame(self, at: Boot) -> Frame {
        let Outgoing { id, data } = self.encode();
        Frame { at, kind: FrameKind::Classical, id, extended: true, data: data.iter().copied().collect() }
    }
}

fn three(pgn: u32) -> [u8; 3] {
    let [low, middle, high, _] = pgn.to_le_bytes();
    [low, middle, high]
}

fn connection(from: Own, to: u8, head: [u8; 5], of: u32) -> Outgoing {
    let mut outgoing = frame(7, pgn::CONNECTION, from.0, to, &head);
    outgoing.data.extend(three(of));
    outgoing
}

fn frame(priority: u8, pgn: u32, source: u8, destination: u8, data: &[u8]) -> Outgoing {
    let id = Id { priority, pgn, destination, source }.raw();
    Outgoing { id, data: data.iter().copied().take(8).collect() }
}

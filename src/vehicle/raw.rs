//! What the wires deliver, before anybody has made sense of it.

use crate::clock::Boot;

/// Whether a frame is of classical CAN or CAN FD, or reports an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// ISO 11898-1 classical data frame, to 8 bytes.
    Classical,
    /// CAN FD data frame, to 64 bytes.
    Fd,
    /// Remote transmission request: no data.
    Remote,
    /// Linux error frame: `id` holds the class bits, data the details (linux/can/error.h).
    Error,
}

/// A CAN frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// When it was on the bus (the kernel's stamp, or the log's).
    pub at: Boot,
    /// Classical, FD, remote or error.
    pub kind: FrameKind,
    /// The arbitration id, 11 or 29 bits (of an error frame the class bits).
    pub id: u32,
    /// Whether `id` has 29 bits.
    pub extended: bool,
    /// The payload.
    pub data: heapless::Vec<u8, 64>,
}

/// Longest sentence kept, in bytes. NMEA 0183 allows 82; receivers with high precision exceed it.
pub const MAX_SENTENCE: usize = 256;

/// One line of a receiver: no line end, not yet checked in any way.
pub type Sentence = heapless::Vec<u8, MAX_SENTENCE>;

/// How a CAN controller is, as far as the kernel tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BusCondition {
    /// Takes full part.
    Active,
    /// More than 127 errors: takes part with its mouth shut.
    Passive,
    /// More than 255 transmit errors: off the bus.
    Off,
    /// The interface is down or absent.
    Down,
}

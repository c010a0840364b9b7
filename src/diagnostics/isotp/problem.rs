//! What can go wrong between the first frame of a message and its last.

/// What befell a message (ISO 15765-2, 8.3.7, `N_Result`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// `N_WRONG_SN`.
    #[error("consecutive frame {got} came where {expected} was due, after {received} of {length} bytes")]
    WrongSequence {
        /// Sequence number that was due.
        expected: u8,
        /// Sequence number that came.
        got: u8,
        /// Bytes received until then.
        received: usize,
        /// Bytes that the first frame announced.
        length: usize,
    },
    /// `N_UNEXP_PDU`: the same sender began another message.
    #[error("cut short by the next message, after {received} of {length} bytes")]
    CutShort {
        /// Bytes received until then.
        received: usize,
        /// Bytes that the first frame announced.
        length: usize,
    },
    /// `N_TIMEOUT_Cr`.
    #[error("the rest never came, after {received} of {length} bytes")]
    Silent {
        /// Bytes received until then.
        received: usize,
        /// Bytes that the first frame announced.
        length: usize,
    },
    /// The first frame announced more than is taken.
    #[error("a message of {length} bytes is announced, at most {most} are taken")]
    TooLong {
        /// Bytes that the first frame announced.
        length: u32,
        /// Bytes that are taken.
        most: u16,
    },
    /// The bus has no room for what the first frame announced, however slowly it came.
    #[error("there is no room on the bus for the {length} bytes that are announced")]
    NoRoom {
        /// Bytes that the first frame announced.
        length: u32,
    },
    /// More conversations, or more ECUs, than can be followed at once.
    #[error("too many at once: this one is given up")]
    TooMany,
    /// `N_TIMEOUT_Bs`.
    #[error("no flow control came within a second")]
    NoFlowControl,
    /// `N_WFT_OVRN`.
    #[error("the other side asked to wait more than {most} times")]
    TooManyWaits {
        /// So many are granted.
        most: u8,
    },
    /// `N_BUFFER_OVFLW`.
    #[error("the message is too long for the other side")]
    Overflow,
    /// `N_INVALID_FS`.
    #[error("flow status {0} means nothing; 0 to 2 do")]
    InvalidFlow(u8),
}

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// One message at a time.
    #[error("the message before is still under way")]
    Busy,
    /// A message has at least one byte.
    #[error("a message has at least one byte")]
    Empty,
    /// Longer than the settings, or for a functional address than one frame, allow.
    #[error("a message to this address has at most {most} bytes")]
    TooLong {
        /// Bytes that fit.
        most: usize,
    },
}

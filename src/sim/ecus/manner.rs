//! How badly an ECU behaves.

use std::time::Duration;

/// How an ECU answers. The default is as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// From the request's end to the answer's beginning. P2 of OBD-II and UDS is 50 ms.
    pub after: Duration,
    /// Says everything a second time.
    pub twice: bool,
    /// Between two consecutive frames, beside what the other side asks for. N_Cr is 1 s.
    pub gap: Duration,
    /// Says nothing any more.
    pub never: bool,
    /// So many requests more are answered with 21, busyRepeatRequest.
    pub busy: u8,
    /// Each request is answered so often with 78, requestCorrectlyReceived-ResponsePending, before the answer.
    pub pending: u8,
    /// How it receives what has more than one frame.
    pub flow: FlowManner,
}

/// What flow control it gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowManner {
    /// As it should: go on, without a limit.
    #[default]
    Right,
    /// After so many frames anew, so far apart (`STmin` as sent).
    Slow {
        /// Block size.
        block: u8,
        /// `STmin`.
        separation: u8,
    },
    /// None.
    None,
    /// Wait, for ever.
    Wait,
    /// Too long for it.
    Overflow,
    /// A flow status that means nothing.
    Invalid,
}

impl Default for Manner {
    fn default() -> Manner {
        Manner {
            after: Duration::from_millis(10),
            twice: false,
            gap: Duration::ZERO,
            never: false,
            busy: 0,
            pending: 0,
            flow: FlowManner::Right,
        }
    }
}

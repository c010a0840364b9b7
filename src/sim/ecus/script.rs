//! What a tester does.

use std::time::Duration;

/// Rounds of questions.
#[derive(Debug, PartialEq, Eq)]
pub struct Script {
    /// What it is called.
    pub name: &'static str,
    /// One round.
    pub asks: &'static [Ask],
    /// How many rounds there are.
    pub rounds: u8,
    /// From one round's beginning to the next one's.
    pub every: Duration,
}

/// One question.
#[derive(Debug, PartialEq, Eq)]
pub struct Ask {
    /// Since the round's beginning; later where an exchange is still under way.
    pub after: Duration,
    /// The `n` of `7E0 + n`; `None` asks all.
    pub to: Option<u8>,
    /// What is asked.
    pub request: &'static [u8],
}

const fn ask(ms: u64, to: Option<u8>, request: &'static [u8]) -> Ask {
    Ask { after: Duration::from_millis(ms), to, request }
}

/// Reads the codes each second for half a minute.
pub const LOOKS_ON: Script =
    Script { name: "looks-on", asks: &[ask(0, None, &[0x03])], rounds: 30, every: Duration::from_secs(1) };

/// Reads the codes and clears them, as a driver's own reader does (mode 04).
pub const CLEARS: Script = Script {
    name: "clears",
    asks: &[ask(0, None, &[0x01, 0x01]), ask(150, None, &[0x03]), ask(450, None, &[0x04])],
    rounds: 1,
    every: Duration::ZERO,
};

/// A workshop's: opens an extended session with the engine's ECU, reads, clears by UDS, and closes the session.
pub const SESSION_AND_CLEARS: Script = Script {
    name: "session-and-clears",
    asks: &[
        ask(0, Some(0), &[0x10, 0x03]),
        ask(200, Some(0), &[0x22, 0xF1, 0x90, 0xF1, 0x87, 0xF1, 0x8C, 0xF1, 0x95]),
        ask(600, Some(0), &[0x19, 0x02, 0xFF]),
        ask(900, Some(0), &[0x3E, 0x80]),
        ask(1200, None, &[0x14, 0xFF, 0xFF, 0xFF]),
        ask(1500, Some(0), &[0x10, 0x01]),
    ],
    rounds: 1,
    every: Duration::ZERO,
};

impl Script {
    /// Whether it clears codes.
    pub fn clears(&self) -> bool {
        self.asks.iter().any(|ask| matches!(ask.request.first(), Some(0x04 | 0x14)))
    }
}

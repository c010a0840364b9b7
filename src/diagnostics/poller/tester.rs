//! Another tester at the same plug: as long as it is at work, nobody is asked.

use std::time::Duration;

use super::{Output, Poller};
use crate::clock::Boot;

/// The pause after another tester's last frame.
const QUIET: Duration = Duration::from_secs(10);
/// The same after it asked for a session other than the default one.
const QUIET_SESSION: Duration = Duration::from_secs(60);
/// The default session.
const DEFAULT_SESSION: u8 = 0x01;

/// Somebody else's tester.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tester {
    heard: Boot,
    /// It asked for another session than the default one.
    session: bool,
}

impl Tester {
    /// The pause ends then.
    pub(super) fn until(self) -> Boot {
        self.heard + if self.session { QUIET_SESSION } else { QUIET }
    }
}

impl Poller {
    /// Another tester asks.
    pub(super) fn other_tester(&mut self, now: Boot, payload: &[u8], out: &mut Vec<Output>) {
        self.prolong_or_begin(now);
        if let (Some(tester), [0x10, session, ..]) = (&mut self.tester, payload) {
            // Leaving counts once it is answered.
            tester.session |= session & 0x7F != DEFAULT_SESSION;
        }
        self.give_up(out);
    }

    /// An ECU answers another tester.
    pub(super) fn others_answer(&mut self, now: Boot, payload: &[u8]) {
        self.prolong_or_begin(now);
        let Some(tester) = &mut self.tester else { return };
        match payload {
            [0x50, session, ..] => tester.session = *session != DEFAULT_SESSION,
            // A reset ends the session.
            [0x51, ..] => tester.session = false,
            _ => {}
        }
    }

    fn prolong_or_begin(&mut self, now: Boot) {
        let session = self.tester.is_some_and(|tester| now < tester.until() && tester.session);
        if !self.is_paused(now) {
            // What it does may change everything.
            self.plan.refresh();
        }
        self.tester = Some(Tester { heard: now, session });
    }

    /// Another tester goes on with what it began.
    pub(super) fn prolong(&mut self, now: Boot) {
        if self.is_paused(now) {
            self.prolong_or_begin(now);
        }
    }
}

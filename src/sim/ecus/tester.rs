//! Another tester at the same plug.

use std::collections::VecDeque;
use std::time::Duration;

use super::Script;
use super::bus::Speaker;
use crate::clock::Boot;
use crate::diagnostics::isotp::{Address, Event, Links, Settings};
use crate::vehicle::Frame;

/// Questions that are still to be asked.
const MOST: usize = 256;
/// So long it listens for answers to a question; later ones are other people's.
const LISTENS: Duration = Duration::from_millis(500);

/// One that does what a [`Script`] says.
#[derive(Debug)]
pub struct Tester {
    links: Links,
    asks: VecDeque<(Boot, Address, &'static [u8])>,
    frames: VecDeque<Frame>,
    /// When it listens no more.
    ends: Option<Boot>,
}

impl Default for Tester {
    /// One with nothing to do.
    fn default() -> Tester {
        Tester { links: Links::new(Settings::default()), asks: VecDeque::new(), frames: VecDeque::new(), ends: None }
    }
}

impl Tester {
    /// Does this too, from `now` on, after what it was told to do before.
    pub fn play(&mut self, now: Boot, script: &'static Script) {
        for round in 0..u32::from(script.rounds) {
            for ask in script.asks {
                let to = match ask.to {
                    None => Some(Address::obd_functional()),
                    Some(number) => Address::obd(number),
                };
                if let Some(to) = to.filter(|_| self.asks.len() < MOST) {
                    self.asks.push_back((now + script.every * round + ask.after, to, ask.request));
                }
            }
        }
    }

    fn turn(&mut self, now: Boot) {
        let frames = &mut self.frames;
        self.links.pass(now, &mut |event| frames.extend(sent(event)));
        if self.ends.is_some_and(|ends| ends <= now) && !self.links.is_busy() {
            self.links.end();
            self.ends = None;
        }
        if self.links.is_busy() || self.asks.front().is_none_or(|(due, ..)| *due > now) {
            return;
        }
        if let Some((_, to, request)) = self.asks.pop_front() {
            // A script's requests fit, and nothing is under way.
            let _ = self.links.ask(to, request);
            self.ends = Some(now + LISTENS);
            self.links.pass(now, &mut |event| frames.extend(sent(event)));
        }
    }
}

fn sent(event: Event<'_>) -> Option<Frame> {
    match event {
        Event::Send(frame) => Some(frame),
        Event::Sent | Event::Answer { .. } | Event::Problem { .. } => None,
    }
}

impl Speaker for Tester {
    fn hear(&mut self, now: Boot, frame: &Frame) {
        let frames = &mut self.frames;
        let frame = Frame { at: now, ..frame.clone() };
        self.links.hear(&frame, &mut |event| frames.extend(sent(event)));
    }

    fn pass(&mut self, now: Boot) -> Option<Frame> {
        if self.frames.is_empty() {
            self.turn(now);
        }
        self.frames.pop_front().map(|frame| Frame { at: now, ..frame })
    }

    fn deadline(&self) -> Option<Boot> {
        let frames = self.frames.front().map(|frame| frame.at);
        let asks = self.asks.front().filter(|_| !self.links.is_busy()).map(|(due, ..)| *due);
        let ends = self.ends.filter(|_| !self.links.is_busy());
        frames.into_iter().chain(asks).chain(ends).chain(self.links.deadline()).min()
    }
}

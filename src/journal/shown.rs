//! A view of the vehicle as it is now: nothing of it is shown before the step that it came out of is durable.
//!
//! What is live only (a position, a speed) is held with the rest for as long as a step waits for the disk: some
//! milliseconds, and never longer than it takes until the journal counts as degraded. Two views wait at most: the oldest,
//! so that there is one to show even if steps come without end, and the newest.

use std::collections::VecDeque;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Shown<T> {
    now: T,
    /// Each with the last turn that it has to wait for.
    waiting: VecDeque<(u64, T)>,
}

impl<T> Shown<T> {
    /// A view that anybody may see.
    pub fn new(now: T) -> Shown<T> {
        Shown { now, waiting: VecDeque::new() }
    }

    /// What may be seen.
    pub fn now(&self) -> &T {
        &self.now
    }

    /// The newest view, which may be seen once the turn `after` is durable; at once, if there is nothing to wait for.
    pub fn put(&mut self, view: T, after: Option<u64>) {
        match after {
            Some(turn) => {
                self.waiting.truncate(1);
                self.waiting.push_back((turn, view));
            }
            None => {
                self.waiting.clear();
                self.now = view;
            }
        }
    }

    /// The oldest turn that waits for the disk is `oldest`, if any does.
    pub fn settle(&mut self, oldest: Option<u64>) {
        let ready = self.waiting.iter().take_while(|(turn, _)| oldest.is_none_or(|oldest| *turn < oldest)).count();
        if let Some((_, view)) = self.waiting.drain(..ready).next_back() {
            self.now = view;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_seen_once_its_turn_is_durable_and_steps_without_end_hold_none_for_ever() {
        let mut shown = Shown::new("a");
        shown.put("b", Some(1));
        shown.put("c", Some(2));
        shown.put("d", Some(3));
        assert_eq!(*shown.now(), "a");
        shown.settle(Some(1));
        assert_eq!(*shown.now(), "a");
        shown.settle(Some(2));
        assert_eq!(*shown.now(), "b");
        shown.put("e", Some(4));
        shown.settle(Some(4));
        assert_eq!(*shown.now(), "d");
        shown.settle(None);
        assert_eq!(*shown.now(), "e");
        shown.put("f", Some(5));
        shown.put("g", None);
        shown.settle(None);
        assert_eq!(*shown.now(), "g", "never an older one after a newer");
    }
}

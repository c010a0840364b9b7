//! Recorded inputs in the order of their own clocks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::clock::Boot;

/// How far from its place a line of a log may stand: kernels stamp frames of several interfaces a little out of order.
const WINDOW_US: i64 = 1_000_000;

/// An iterator's items in order of time, equal times in the order they came. An item more than a second late comes when
/// it is read, after all that was read before: the clock was set back, and goes on from there.
pub struct InOrder<I: Iterator<Item = (Boot, T)>, T> {
    source: std::iter::Fuse<I>,
    waiting: BinaryHeap<Reverse<(Boot, u64, Held<T>)>>,
    /// One that came late: all that waits goes before it.
    late: Option<(Boot, T)>,
    read: u64,
    latest: Boot,
}

/// Rides along in the heap without taking part in its order.
struct Held<T>(T);

impl<T> PartialEq for Held<T> {
    fn eq(&self, _: &Held<T>) -> bool {
        true
    }
}

impl<T> Eq for Held<T> {}

impl<T> PartialOrd for Held<T> {
    fn partial_cmp(&self, other: &Held<T>) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Held<T> {
    fn cmp(&self, _: &Held<T>) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

impl<I: Iterator<Item = (Boot, T)>, T> InOrder<I, T> {
    /// Puts `source` in order.
    pub fn new(source: I) -> InOrder<I, T> {
        let latest = Boot::from_micros(i64::MIN);
        InOrder { source: source.fuse(), waiting: BinaryHeap::new(), late: None, read: 0, latest }
    }
}

impl<I: Iterator<Item = (Boot, T)>, T> Iterator for InOrder<I, T> {
    type Item = (Boot, T);

    fn next(&mut self) -> Option<(Boot, T)> {
        loop {
            let first = self.waiting.peek().map(|Reverse((at, _, _))| *at);
            if first.is_some_and(|first| self.late.is_some() || first.shifted(WINDOW_US) < self.latest) {
                break;
            }
            let Some((at, item)) = self.late.take().or_else(|| self.source.next()) else { break };
            if first.is_some() && at.shifted(WINDOW_US) < self.latest {
                self.late = Some((at, item));
                continue;
            }
            // Where nothing waits, time begins, or begins anew.
            self.latest = if first.is_some() { self.latest.max(at) } else { at };
            self.waiting.push(Reverse((at, self.read, Held(item))));
            self.read = self.read.wrapping_add(1);
        }
        self.waiting.pop().map(|Reverse((at, _, Held(item)))| (at, item))
    }
}

/// Two ordered sources as one; at the same time the left one first.
pub fn merge<T>(
    left: impl Iterator<Item = (Boot, T)>,
    right: impl Iterator<Item = (Boot, T)>,
) -> impl Iterator<Item = (Boot, T)> {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    std::iter::from_fn(move || match (left.peek(), right.peek()) {
        (Some((l, _)), Some((r, _))) if l > r => right.next(),
        (None, _) => right.next(),
        _ => left.next(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Boot {
        Boot::from_micros(micros)
    }

    #[test]
    fn lines_within_a_second_of_their_place_come_in_order_and_twins_as_they_were() {
        let log = [(185, 'c'), (93, 'a'), (102, 'b'), (185, 'd'), (5_000_000, 'e'), (4_999_999, 'f'), (10, 'g')];
        let ordered: String = InOrder::new(log.into_iter().map(|(t, c)| (at(t), c))).map(|(_, c)| c).collect();
        assert_eq!(ordered, "abcdfeg", "g is five seconds late: it comes as soon as it is read");
    }

    #[test]
    fn a_clock_that_was_set_back_goes_on_and_nothing_from_before_comes_after() {
        let log = [(5_000, 'a'), (5_500, 'b'), (2_500, 'c'), (2_400, 'd'), (1_000, 'e'), (3_000, 'f'), (6_600, 'g')];
        let ordered: String = InOrder::new(log.into_iter().map(|(t, c)| (at(t * 1000), c))).map(|(_, c)| c).collect();
        assert_eq!(ordered, "abdcefg");
    }

    #[test]
    fn two_sources_are_merged_by_their_clocks() {
        let left = [1, 3, 5].map(|t| (at(t), 'l'));
        let right = [2, 3, 9].map(|t| (at(t), 'r'));
        let merged: String = merge(left.into_iter(), right.into_iter()).map(|(_, c)| c).collect();
        assert_eq!(merged, "lrlrlr");
    }
}

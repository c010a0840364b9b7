//! The latest events in memory, in order: what streams that keep up read, and what waits for the file.
//!
//! At most 1,024 events and 1 MiB of them once they are written. Everything above the *floor* is here; what is at or
//! below it is in the file only. An event that is not written yet makes no room for a newer one, unless the journal
//! cannot be written for so long that memory runs out: then the oldest of the least severe goes first.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::clock::Wall;
use crate::event::{Details, Event, EventId, EventType};
use crate::feed::{Filter, Page, Stored};

/// How many events stay in memory.
pub(super) const EVENTS: usize = 1_024;

/// How much memory they may take, bytes.
pub(super) const BYTES: usize = 1 << 20;

/// An event as the journal holds it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// As the file has it, or will.
    pub stored: Arc<Stored>,
    /// As it was told while the file could not have it: with `"durable": false`.
    marked: Option<Arc<Stored>>,
    /// When it was decided.
    pub time: Wall,
    /// Whether it ends its alert.
    pub ends: bool,
}

impl Entry {
    /// An event out of the engine, encoded.
    pub fn of(mut event: Event) -> Entry {
        event.durable = true;
        let alert = event.alert();
        let member = match &event.details {
            Details::Published(published) => Some(Arc::from(published.member.as_str())),
            _ => None,
        };
        let stored = Stored {
            id: event.id,
            kind: event.kind(),
            event_type: Arc::from(event.type_name()),
            severity: event.severity,
            member,
            alert: alert.map(|alert| alert.first),
            ended: None,
            json: Arc::from(event.to_json()),
            encoded: Default::default(),
        };
        let ends = alert.is_some_and(|alert| alert.ends);
        Entry { stored: Arc::new(stored), marked: None, time: event.stamp.wall, ends }
    }

    /// An event out of the file.
    pub fn read(stored: Stored, time: Wall) -> Entry {
        Entry { stored: Arc::new(stored), marked: None, time, ends: false }
    }

    /// Its id.
    pub fn id(&self) -> EventId {
        self.stored.id
    }

    /// As a reader gets it now.
    pub fn told(&self) -> &Arc<Stored> {
        self.marked.as_ref().unwrap_or(&self.stored)
    }

    /// Whether it is one that an alert goes by.
    pub fn is_left_behind(&self) -> bool {
        &*self.stored.event_type == EventType::ChildLeftBehind.name()
    }

    /// It is told although the file does not have it.
    pub fn mark(&mut self) {
        let json = self.stored.json.strip_suffix('}').unwrap_or(&self.stored.json);
        self.marked = Some(Arc::new(Stored { json: format!("{json},\"durable\":false}}").into(), ..copy(&self.stored) }));
    }

    /// The file has it.
    pub fn unmark(&mut self) {
        self.marked = None;
    }

    /// Its alert ended with the event `end`.
    fn end(&mut self, end: EventId) {
        self.stored = with_end(&self.stored, end);
        self.marked = self.marked.take().map(|marked| with_end(&marked, end));
    }

    /// Its JSON, once more for a stream's encoding of it, and what holds them.
    fn bytes(&self) -> usize {
        2 * self.stored.json.len() + 256
    }
}

/// How many bytes of JSON a page has, but for its last event: every stream may hold one that its client does not take.
const PAGE_BYTES: usize = 16 * 1024;

/// Whether a page of these has as much as one may have.
pub(super) fn is_full(events: &[Arc<Stored>]) -> bool {
    events.iter().map(|stored| stored.json.len()).sum::<usize>() >= PAGE_BYTES
}

/// The same event, of an alert that ended with the event `end`.
pub(super) fn with_end(stored: &Stored, end: EventId) -> Arc<Stored> {
    Arc::new(Stored { ended: Some(end), ..copy(stored) })
}

/// The same event, with nothing encoded yet.
fn copy(stored: &Stored) -> Stored {
    Stored {
        id: stored.id,
        kind: stored.kind,
        event_type: stored.event_type.clone(),
        severity: stored.severity,
        member: stored.member.clone(),
        alert: stored.alert,
        ended: stored.ended,
        json: stored.json.clone(),
        encoded: Default::default(),
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
    floor: EventId,
}

impl Ring {
    /// Empty; everything up to `floor` is elsewhere.
    pub fn new(floor: EventId) -> Ring {
        Ring { entries: VecDeque::new(), bytes: 0, floor }
    }

    /// Every event above this id is here, unless retention took it.
    pub fn floor(&self) -> EventId {
        self.floor
    }

    /// The next event; ids rise.
    pub fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
    }

    /// The events above `after`, oldest first.
    pub fn after(&self, after: EventId) -> impl DoubleEndedIterator<Item = &Entry> {
        let begin = self.entries.partition_point(|entry| entry.id() <= after);
        self.entries.range(begin..)
    }

    /// The same, to be changed.
    pub fn after_mut(&mut self, after: EventId) -> impl Iterator<Item = &mut Entry> {
        let begin = self.entries.partition_point(|entry| entry.id() <= after);
        self.entries.range_mut(begin..)
    }

    /// The events above `after` and up to `head` that `filter` shows, `limit` at most, or a full page.
    pub fn page(&self, after: EventId, head: EventId, filter: &Filter, limit: usize) -> Page {
        let mut page = Page { events: Vec::new(), next: after.max(head) };
        for entry in self.after(after).take_while(|entry| entry.id() <= head) {
            if !filter.matches(&entry.stored) {
                continue;
            }
            if page.events.len() == limit || is_full(&page.events) {
                page.next = page.events.last().map_or(after, |last| last.id);
                break;
            }
            page.events.push(entry.told().clone());
        }
        page
    }

    /// The event with this id.
    pub fn get(&self, id: EventId) -> Option<&Entry> {
        let at = self.entries.binary_search_by_key(&id, Entry::id).ok()?;
        self.entries.get(at)
    }

    /// The alert that began with `first` ended with `end`: what is told of it from now on says so.
    pub fn end_alert(&mut self, first: EventId, end: EventId) {
        let before_first = EventId(first.0.saturating_sub(1));
        for entry in self.after_mut(before_first) {
            if entry.stored.alert == Some(first) && entry.is_left_behind() {
                entry.end(end);
            }
        }
    }

    /// The event that ended the alert which began with `first`, if it is here and was told.
    pub fn end_of(&self, first: EventId, head: EventId) -> Option<EventId> {
        let told = self.after(first).take_while(|entry| entry.id() <= head);
        told.filter(|entry| entry.ends && entry.stored.alert == Some(first)).map(Entry::id).next()
    }

    /// These, in the order of their ids, are gone from the file, and with it from here: what counts as forgotten is not told
    /// afterwards, nor written again into a file that is made anew.
    pub fn forget(&mut self, gone: &[EventId]) {
        if gone.last().is_none_or(|last| *last <= self.floor) {
            return;
        }
        let bytes = &mut self.bytes;
        self.entries.retain(|entry| {
            let stays = gone.binary_search(&entry.id()).is_err();
            *bytes -= if stays { 0 } else { entry.bytes() };
            stays
        });
    }

    /// Makes room, given that the file has everything up to `saved` and readers everything up to `head`. What is
    /// returned was told and will never be written.
    pub fn trim(&mut self, saved: EventId, head: EventId) -> Vec<Entry> {
        let mut lost = Vec::new();
        while self.entries.len() > EVENTS || self.bytes > BYTES {
            let gone = match self.entries.front() {
                Some(oldest) if oldest.id() <= saved => {
                    self.floor = oldest.id();
                    self.entries.pop_front()
                }
                Some(_) => {
                    let told = self.entries.iter().take_while(|entry| entry.id() <= head).enumerate();
                    let least = told.min_by_key(|(_, entry)| entry.stored.severity).map(|(at, _)| at);
                    let gone = least.and_then(|at| self.entries.remove(at));
                    lost.extend(gone.clone());
                    gone
                }
                None => None,
            };
            match gone {
                Some(entry) => self.bytes -= entry.bytes(),
                None => break,
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Kind, Severity};
    use crate::journal::tests::{event, left_behind};

    fn ring(ids: impl Iterator<Item = u64>) -> Ring {
        let mut ring = Ring::new(EventId(0));
        ids.for_each(|id| ring.push(Entry::of(event(id, Severity::Info))));
        ring
    }

    fn ids<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<u64> {
        entries.map(|entry| entry.id().0).collect()
    }

    #[test]
    fn a_page_ends_at_its_limit_or_at_the_head_and_says_where_the_next_one_begins() {
        let ring = ring(1..=9);
        let all = Filter::of(&Kind::ALL);
        let page = ring.page(EventId(2), EventId(7), &all, 3);
        assert_eq!((page.events.len(), page.next), (3, EventId(5)));
        let page = ring.page(EventId(5), EventId(7), &all, 3);
        assert_eq!((page.events.len(), page.next), (2, EventId(7)));
        let page = ring.page(EventId(5), EventId(7), &Filter::of(&[Kind::Child]), 3);
        assert_eq!((page.events.len(), page.next), (0, EventId(7)), "looked at, and nothing to show");
        let page = ring.page(EventId(3), EventId(5), &all, 2);
        assert_eq!((page.events.len(), page.next), (2, EventId(5)), "exactly full");
    }

    #[test]
    fn written_events_make_room_and_raise_the_floor() {
        let mut ring = ring(1..=EVENTS as u64 + 3);
        assert!(ring.trim(EventId(2000), EventId(2000)).is_empty());
        assert_eq!((ring.floor(), ids(ring.after(EventId(0))).len()), (EventId(3), EVENTS));
    }

    #[test]
    fn of_unwritten_ones_the_oldest_of_the_least_severe_goes_first() {
        let mut ring = Ring::new(EventId(0));
        for id in 1..=EVENTS as u64 + 2 {
            let severity = if id % 2 == 0 { Severity::Info } else { Severity::Critical };
            ring.push(Entry::of(event(id, severity)));
        }
        let head = EventId(EVENTS as u64 + 2);
        assert_eq!(ids(ring.trim(EventId(0), head).iter()), [2, 4]);
        assert_eq!(ring.floor(), EventId(0), "what is left is still all there is");
        assert_eq!(ids(ring.after(EventId(0)).take(4)), [1, 3, 5, 6]);
    }

    #[test]
    fn what_nobody_was_told_yet_is_not_let_go() {
        let mut ring = ring(1..=EVENTS as u64 + 5);
        assert!(ring.trim(EventId(0), EventId(0)).is_empty());
    }

    #[test]
    fn big_events_count_by_their_bytes() {
        let mut ring = ring(101..=200);
        ring.bytes = BYTES + 3 * ring.bytes / 100 - 1;
        ring.trim(EventId(200), EventId(200));
        assert_eq!(ring.floor(), EventId(103));
    }

    #[test]
    fn a_marked_event_says_so_until_the_file_has_it() {
        let mut entry = Entry::of(event(5, Severity::Info));
        entry.mark();
        let told: serde_json::Value = serde_json::from_str(&entry.told().json).unwrap();
        assert_eq!((&told["durable"], &told["eventId"]), (&false.into(), &5.into()));
        entry.unmark();
        assert!(!entry.told().json.contains("durable"));
    }

    #[test]
    fn after_the_end_of_an_alert_what_was_told_of_it_names_the_end() {
        let mut ring = Ring::new(EventId(0));
        ring.push(Entry::of(left_behind(1, 1)));
        ring.push(Entry::of(left_behind(2, 1)));
        ring.push(Entry::of(left_behind(3, 3)));
        ring.end_alert(EventId(1), EventId(4));
        let ended: Vec<_> = ring.after(EventId(0)).map(|entry| entry.told().ended).collect();
        assert_eq!(ended, [Some(EventId(4)), Some(EventId(4)), None]);
    }
}

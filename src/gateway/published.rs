//! What was published under which name, so that a publisher that asks again, after a power cut too, gets the same event
//! and nobody is told twice.
//!
//! A name (`Idempotency-Key`) is known for a day, with the hash of what was asked under it; at most 16,384 of them, beyond
//! which the oldest 64 go. They are rows that commit with the event itself: either both are there after a power cut or
//! neither is. A row holds 64 names, 64 bytes each: the name's hash, the content's, the event's id, and the wall time in µs, 0
//! where nobody vouched for the clock; such a name goes by the number of those after it, not by a day.

use std::sync::Arc;

use crate::clock::{Stamp, TimeSource};
use crate::event::{EventId, Row};
use crate::request::{Answer, Once, Refusal};

/// What the keys of the rows begin with.
pub(super) const KEYS: &str = "door/once/";

const ENTRY: usize = 16 + 32 + 8 + 8;
const ENTRIES: usize = 64;
const ROWS: usize = 256;
const DAY: u64 = 86_400_000_000;

/// Rows as the journal keeps them, oldest first.
type Kept = [(String, Arc<[u8]>)];

/// What became of the request that had this name before, if one had.
pub(super) fn known(rows: &Kept, once: &Once, now: Stamp) -> Option<Result<Answer, Refusal>> {
    let mut entries = rows.iter().rev().flat_map(|(_, row)| row.chunks_exact(ENTRY).rev());
    let entry = entries.find(|entry| entry.starts_with(&once.key))?;
    let (id, at) = said_by(entry)?;
    if is_old(at, now) {
        return None;
    }
    let same = entry.get(16..48) == Some(once.content.as_slice());
    let refusal = || Refusal::Invalid("that Idempotency-Key was used for another event within a day; take a new one".to_owned());
    Some(if same { Ok(Answer::Already(id)) } else { Err(refusal()) })
}

/// The rows that change when the request with this name has made the event `id`.
pub(super) fn remember(rows: &Kept, once: &Once, id: EventId, now: Stamp) -> Vec<Row> {
    let entry = [once.key.as_slice(), &once.content, &id.0.to_le_bytes(), &known_time(now).to_le_bytes()].concat();
    let last = rows.last();
    let room = last.filter(|(_, row)| row.len() < ENTRIES * ENTRY);
    let changed = match room {
        Some((key, row)) => Row { key: key.clone(), value: Some([row, entry.as_slice()].concat()) },
        None => Row { key: format!("{KEYS}{:016}", last.map_or(0, |(key, _)| number_of(key) + 1)), value: Some(entry) },
    };
    let too_many = (rows.len() + usize::from(room.is_none())).saturating_sub(ROWS);
    let newest = |row: &[u8]| row.chunks_exact(ENTRY).next_back().and_then(said_by);
    let over = |at: usize, row: &[u8]| at < too_many || newest(row).is_none_or(|(_, at)| is_old(at, now));
    let gone = rows.iter().enumerate().filter(|(at, (key, row))| *key != changed.key && over(*at, row));
    let gone = gone.map(|(_, (key, _))| Row { key: key.clone(), value: None });
    gone.chain([changed.clone()]).collect()
}

/// The event's id, and when it was made.
fn said_by(entry: &[u8]) -> Option<(EventId, u64)> {
    let (id, at) = entry.get(48..)?.split_first_chunk()?;
    Some((EventId(u64::from_le_bytes(*id)), u64::from_le_bytes(*at.first_chunk()?)))
}

/// Wall time in µs; 0 while nobody vouches for it.
fn known_time(now: Stamp) -> u64 {
    if now.source == TimeSource::Unset { 0 } else { u64::try_from(now.wall.micros()).unwrap_or(0) }
}

fn number_of(key: &str) -> u64 {
    key.strip_prefix(KEYS).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Whether a day has gone by since `at`, as far as is known.
fn is_old(at: u64, now: Stamp) -> bool {
    at != 0 && at.saturating_add(DAY) < known_time(now)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::clock::{Boot, Wall};

    const BEGIN: u64 = 1_771_546_007_213_000;

    fn at(micros: u64) -> Stamp {
        Stamp { boot: Boot::from_micros(0), wall: Wall::from_micros(micros as i64), source: TimeSource::Gnss }
    }

    fn once(name: u64, content: u8) -> Once {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&name.to_be_bytes());
        Once { key, content: [content; 32] }
    }

    #[derive(Default)]
    struct Store(BTreeMap<String, Arc<[u8]>>);

    impl Store {
        fn rows(&self) -> Vec<(String, Arc<[u8]>)> {
            self.0.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
        }

        fn publish(&mut self, name: u64, id: u64) {
            for Row { key, value } in remember(&self.rows(), &once(name, 1), EventId(id), at(id)) {
                match value {
                    Some(value) => self.0.insert(key, value.into()),
                    None => self.0.remove(&key),
                };
            }
        }

        fn known(&self, name: u64, content: u8, now: u64) -> Option<Result<Answer, Refusal>> {
            known(&self.rows(), &once(name, content), at(now))
        }
    }

    #[test]
    fn a_name_stands_for_one_event_for_a_day() {
        let mut store = Store::default();
        assert_eq!(store.known(1, 1, BEGIN), None);
        store.publish(1, BEGIN);
        assert_eq!(store.known(1, 1, BEGIN + DAY), Some(Ok(Answer::Already(EventId(BEGIN)))));
        assert!(matches!(store.known(1, 2, BEGIN), Some(Err(Refusal::Invalid(_)))));
        assert_eq!(store.known(2, 1, BEGIN), None);
        assert_eq!(store.known(1, 1, BEGIN + DAY + 1), None);
        store.publish(1, BEGIN + DAY + 1);
        assert_eq!(store.known(1, 1, BEGIN + DAY + 2), Some(Ok(Answer::Already(EventId(BEGIN + DAY + 1)))), "the newest");
    }

    #[test]
    fn a_name_from_before_the_clock_was_known_is_not_forgotten_when_it_is() {
        let unset = Stamp { source: TimeSource::Unset, ..at(BEGIN) };
        let rows: Vec<(String, Arc<[u8]>)> =
            remember(&[], &once(1, 1), EventId(5), unset).into_iter().map(|row| (row.key, row.value.unwrap().into())).collect();
        assert_eq!(known(&rows, &once(1, 1), at(BEGIN + 9 * DAY)), Some(Ok(Answer::Already(EventId(5)))));
    }

    #[test]
    fn there_are_so_many_names_and_the_oldest_go() {
        let mut store = Store::default();
        for n in 0..17_000 {
            store.publish(n, BEGIN + n);
        }
        assert_eq!(store.0.len(), ROWS);
        assert!(store.0.values().all(|row| row.len() <= 4096));
        let known = |n| store.known(n, 1, BEGIN).is_some();
        assert!(!known(0) && known(17_000 - 16_000) && known(16_999));
        for n in 0..=ENTRIES as u64 {
            store.publish(20_000 + n, BEGIN + 2 * DAY + n);
        }
        assert_eq!(store.0.len(), 2, "what is a day old is gone");
    }
}

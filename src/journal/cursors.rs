//! How far each reader has come with each kind, and how much it never got.
//!
//! A cursor never goes back, and its counts only rise: so it does not matter in which order memory and a file that comes
//! late are put together, nor whether a transaction of which the disk said that it had failed was written after all.
//!
//! Nobody says that a reader will not come again. So those that are not needed now stay while there is room for those that
//! are, and then the one that came least far goes first: it is the one that has not been there for longest.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::keyed::Keyed;
use crate::event::{EventId, Kind};
use crate::feed::Cursor;

/// A reader's name, and of what it reads.
pub(super) type Whose = (Arc<str>, Kind);

/// So many readers may be remembered,
const READERS: usize = 32;

/// with names so long.
const NAME: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Cursors(Keyed<Whose, Cursor>);

impl Cursors {
    /// Those of `reader`.
    pub fn of(&self, reader: &str) -> Vec<Cursor> {
        self.all().filter(|((name, _), _)| **name == *reader).map(|(_, cursor)| *cursor).collect()
    }

    /// Everybody's.
    pub fn all(&self) -> impl Iterator<Item = (&Whose, &Cursor)> {
        self.0.values().iter()
    }

    /// Whether there may be cursors of `reader`, or why not.
    pub fn admits(&self, reader: &str) -> Result<(), String> {
        if reader.is_empty() || reader.len() > NAME {
            return Err(format!("a reader's name has 1 to {NAME} bytes"));
        }
        let mut names: Vec<&str> = self.all().map(|((name, _), _)| &**name).collect();
        names.dedup();
        if names.len() >= READERS && !names.contains(&reader) {
            return Err(format!("{READERS} readers are remembered, and that is the most"));
        }
        Ok(())
    }

    /// Who has to go so that there is room for `needed`.
    pub fn surplus(&self, needed: &[String]) -> Vec<Arc<str>> {
        let is_needed = |name: &str| needed.iter().any(|needed| needed == name);
        let mut others: BTreeMap<&Arc<str>, EventId> = BTreeMap::new();
        for ((name, _), cursor) in self.all().filter(|((name, _), _)| !is_needed(name)) {
            let furthest = others.entry(name).or_default();
            *furthest = cursor.position.max(*furthest);
        }
        let surplus = (others.len() + needed.len()).saturating_sub(READERS);
        let mut others: Vec<_> = others.into_iter().collect();
        others.sort_by_key(|(_, furthest)| *furthest);
        others.into_iter().take(surplus).map(|(name, _)| name.clone()).collect()
    }

    /// What is known of `reader` is forgotten.
    pub fn forget(&mut self, reader: &Arc<str>, turn: u64) {
        let its: Vec<Whose> = self.all().map(|(whose, _)| whose.clone()).filter(|(name, _)| name == reader).collect();
        for whose in its {
            self.0.set(whose, None, turn);
        }
    }

    /// `whose` reader has got everything up to `position`, and was told of so many that it did not get.
    pub fn advance(&mut self, whose: Whose, position: EventId, told: u64, turn: u64) {
        let kind = whose.1;
        let before = self.0.values().get(&whose).copied();
        let Cursor { position: at, forgotten, told: told_before, .. } =
            before.unwrap_or(Cursor { kind, position, forgotten: 0, told: 0 });
        let told = told.clamp(told_before, forgotten.max(told_before));
        let now = Cursor { kind, position: position.max(at), forgotten, told };
        if before != Some(now) {
            self.0.set(whose, Some(now), turn);
        }
    }

    /// An event that was never written is gone.
    pub fn miss(&mut self, kind: Kind, id: EventId, turn: u64) {
        let missed: Vec<_> =
            self.all().filter(|(_, cursor)| misses(cursor, kind, id)).map(|(whose, now)| (whose.clone(), *now)).collect();
        for (whose, now) in missed {
            self.0.set(whose, Some(Cursor { forgotten: now.forgotten.saturating_add(1), ..now }), turn);
        }
    }

    /// So many of what the file had are gone, each reader's; the file has counted them.
    pub fn missed(&mut self, missed: &[(Whose, u64)]) {
        for (whose, count) in missed {
            self.0.amend(whose, |cursor| cursor.forgotten = cursor.forgotten.saturating_add(*count));
        }
    }

    /// What a file has: of each cursor whatever is further.
    pub fn take_up(&mut self, stored: Vec<(Whose, Cursor)>) {
        for (whose, there) in stored {
            if self.0.values().contains_key(&whose) {
                self.0.amend(&whose, |here| *here = further(here, &there));
            } else if !self.0.knows(&whose) {
                self.0.load([(whose, there)]);
            }
        }
    }

    /// What the next transaction has to write; absent ones have to go.
    pub fn unsaved(&self) -> Vec<(Whose, Option<Cursor>)> {
        self.0.unsaved()
    }

    /// Whether the file has everything.
    pub fn is_saved(&self) -> bool {
        self.0.is_saved()
    }

    /// A transaction with everything up to `turn` is durable.
    pub fn settle(&mut self, turn: u64) {
        self.0.settle(turn);
    }

    /// The file is a new one and has nothing.
    pub fn unsave(&mut self, turn: u64) {
        self.0.unsave(turn);
    }
}

/// Whether the loss of the event `id` is one for this cursor's reader. What is published is between members.
pub(super) fn misses(cursor: &Cursor, kind: Kind, id: EventId) -> bool {
    cursor.kind == kind && kind != Kind::Published && id > cursor.position
}

fn further(one: &Cursor, other: &Cursor) -> Cursor {
    Cursor {
        kind: one.kind,
        position: one.position.max(other.position),
        forgotten: one.forgotten.max(other.forgotten),
        told: one.told.max(other.told),
    }
}

//! How far the receiver is, made durable: at most once a second while there is something to send, and at once when all is
//! sent.
//!
//! It is written beside the loop, which never waits for it: a disk that is broken holds nobody up. What was acknowledged
//! and not written yet is sent again after a power cut, and is a twin.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::event::{EventId, Kind, Row};
use crate::feed::{DOOR, Feed};

/// While there is something to send, it is written no oftener than this.
const EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub struct Ledger {
    feed: Arc<dyn Feed>,
    name: String,
    cursors: BTreeMap<Kind, (EventId, u64)>,
    rows: BTreeMap<&'static str, Vec<u8>>,
    writing: JoinSet<()>,
    next: Instant,
}

impl Ledger {
    /// Of the upstream `name`.
    pub fn new(feed: Arc<dyn Feed>, name: &str) -> Ledger {
        let (cursors, rows) = (BTreeMap::new(), BTreeMap::new());
        Ledger { feed, name: name.to_owned(), cursors, rows, writing: JoinSet::new(), next: Instant::now() }
    }

    /// The name of its cursors.
    pub fn reader(&self) -> String {
        reader(&self.name)
    }

    /// The row `key` as an earlier run left it.
    pub fn row(&self, key: &str) -> Option<Arc<[u8]>> {
        let full = self.full(key);
        self.feed.kept(&full).into_iter().find(|(found, _)| *found == full).map(|(_, value)| value)
    }

    /// The receiver is there with `kind`.
    pub fn note(&mut self, kind: Kind, position: EventId, told: u64) {
        self.cursors.insert(kind, (position, told));
    }

    /// The row `key` has this value.
    pub fn set(&mut self, key: &'static str, value: Vec<u8>) {
        self.rows.insert(key, value);
    }

    /// Begins to write where that is due; `idle`: there is nothing to send.
    pub fn tick(&mut self, idle: bool) {
        while self.writing.try_join_next().is_some() {}
        let now = Instant::now();
        let clean = self.cursors.is_empty() && self.rows.is_empty();
        if clean || !self.writing.is_empty() || !(idle || now >= self.next) {
            return;
        }
        self.next = now + EVERY;
        let reader = self.reader();
        for (kind, (position, told)) in std::mem::take(&mut self.cursors) {
            let (feed, reader) = (self.feed.clone(), reader.clone());
            // What cannot be written now is written by the journal as soon as it can be.
            self.writing.spawn(async move { drop(feed.advance(&reader, kind, position, told).await) });
        }
        let rows = std::mem::take(&mut self.rows).into_iter();
        let rows: Vec<Row> = rows.map(|(key, value)| Row { key: self.full(key), value: Some(value) }).collect();
        if !rows.is_empty() {
            let feed = self.feed.clone();
            self.writing.spawn(async move { drop(feed.keep(rows).await) });
        }
    }

    /// Waits until what is being written is, where something else is to be written after it.
    pub async fn can_go_on(&mut self) {
        if self.cursors.is_empty() && self.rows.is_empty() {
            return std::future::pending().await;
        }
        while self.writing.join_next().await.is_some() {}
    }

    /// Writes what is left.
    pub async fn close(&mut self) {
        while self.writing.join_next().await.is_some() {}
        self.tick(true);
        while self.writing.join_next().await.is_some() {}
    }

    fn full(&self, key: &str) -> String {
        format!("{DOOR}{}/{key}", self.reader())
    }
}

/// The name of the cursors of the upstream `name`; its rows are kept under it.
pub fn reader(name: &str) -> String {
    format!("upstream/{name}")
}

//! What `/healthz` says: each part of the daemon tells here, in one word and one sentence, how it is.
//!
//! A fault of one part degrades that part, never the daemon. Sentences name what is wrong and what would cure it, and
//! hold neither secrets nor positions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// It does its job.
    Ok,
    /// It is there and cannot do all of its job.
    Degraded,
    /// It is not there.
    Absent,
}

/// A part's condition and the sentence that explains it (empty when all is well).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// How it is.
    pub condition: Condition,
    /// Why, and what would cure it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// The board on which all parts write. Cheap to clone; clones are the same board.
#[derive(Clone, Debug)]
pub struct Health(Arc<watch::Sender<BTreeMap<String, Part>>>);

impl Default for Health {
    fn default() -> Health {
        Health(Arc::new(watch::Sender::new(BTreeMap::new())))
    }
}

impl Health {
    /// `part` is `condition`, because of `detail`. Watchers wake only when that is news.
    pub fn set(&self, part: &str, condition: Condition, detail: impl Into<String>) {
        let now = Part { condition, detail: detail.into() };
        self.0.send_if_modified(|parts| {
            if parts.get(part) == Some(&now) {
                return false;
            }
            parts.insert(part.to_owned(), now);
            true
        });
    }

    /// Everything on the board.
    pub fn parts(&self) -> BTreeMap<String, Part> {
        self.0.borrow().clone()
    }

    /// Wakes whenever something on the board changes.
    pub fn watch(&self) -> watch::Receiver<BTreeMap<String, Part>> {
        self.0.subscribe()
    }
}

//! What `/healthz` says: each part of the daemon tells here, in one word and one sentence, how it is.
//!
//! A fault of one part degrades that part, never the daemon. Sentences name what is wrong and what would cure it, and
//! hold neither secrets nor positions.
//!
//! Here each task's [`Pulse`] is taken too, by which the watchdog tells one that hangs.

mod pulse;

pub use pulse::Pulse;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

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
#[derive(Clone, Debug, Default)]
pub struct Health {
    parts: Arc<watch::Sender<BTreeMap<String, Part>>>,
    pulses: Arc<pulse::Pulses>,
}

impl Health {
    /// `part` is `condition`, because of `detail`. Watchers wake only when that is news.
    pub fn set(&self, part: &str, condition: Condition, detail: impl Into<String>) {
        let now = Part { condition, detail: detail.into() };
        self.parts.send_if_modified(|parts| {
            if parts.get(part) == Some(&now) {
                return false;
            }
            parts.insert(part.to_owned(), now);
            true
        });
    }

    /// There is no such part any more.
    pub fn forget(&self, part: &str) {
        self.parts.send_if_modified(|parts| parts.remove(part).is_some());
    }

    /// A pulse for the task or thread of this name.
    pub fn pulse(&self, name: &str) -> Pulse {
        self.pulses.take(name)
    }

    /// The first task or thread that has worked for longer than `longest` without a word, or has died of a panic.
    pub fn hung(&self, longest: Duration) -> Option<Arc<str>> {
        self.pulses.hung(longest)
    }

    /// Lets a task hang, for the tests of the watchdog; the names of all tasks where none is called that.
    #[cfg(debug_assertions)]
    pub fn hang(&self, task: &str) -> Result<(), Vec<String>> {
        if self.pulses.hang(task) { Ok(()) } else { Err(self.pulses.names()) }
    }

    /// Everything on the board.
    pub fn parts(&self) -> BTreeMap<String, Part> {
        self.parts.borrow().clone()
    }

    /// Wakes whenever something on the board changes.
    pub fn watch(&self) -> watch::Receiver<BTreeMap<String, Part>> {
        self.parts.subscribe()
    }
}

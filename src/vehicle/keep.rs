//! What of the state outlives a power cut: each source's last word, the ignition, the last fix.

use serde::{Deserialize, Serialize};

use super::ignition::{Ignition, Watch};
use super::state::State;
use super::{Fix, SourceId, Value};
use crate::clock::Boot;

/// A source's last word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastWord {
    /// What it said.
    pub value: Value,
    /// When it last said so.
    pub at: Boot,
    /// Whether only its age speaks against it.
    pub valid: bool,
}

/// The ignition with its running timers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IgnitionKept {
    ignition: Ignition,
    watch: Watch,
}

impl IgnitionKept {
    /// The same on a time scale that is `micros` further on.
    pub fn shift(&mut self, micros: i64) {
        let IgnitionKept { ignition, watch } = self;
        ignition.shift(micros);
        watch.shift(micros);
    }
}

impl State {
    /// The source's last word, where it ever said one.
    pub fn last_word(&self, id: SourceId) -> Option<LastWord> {
        let source = self.memory.sources.get(usize::from(id.0))?;
        let (value, at) = source.last.clone()?;
        Some(LastWord { value, at, valid: source.valid })
    }

    /// Whether the source's last word changed since this was last asked.
    pub fn take_news(&mut self, id: SourceId) -> bool {
        self.dirty.get_mut(usize::from(id.0)).is_some_and(std::mem::take)
    }

    /// Gives the source back what it said before.
    pub fn restore_word(&mut self, id: SourceId, word: LastWord) {
        let at = usize::from(id.0);
        if let Some(source) = self.memory.sources.get_mut(at) {
            source.restore(word);
            self.mark(at);
        }
    }

    /// The ignition, to be kept.
    pub fn ignition_kept(&self) -> IgnitionKept {
        IgnitionKept { ignition: self.memory.ignition.clone(), watch: self.memory.watch.clone() }
    }

    /// Whether that is still what is to be kept.
    pub fn ignition_is(&self, kept: &IgnitionKept) -> bool {
        (&self.memory.ignition, &self.memory.watch) == (&kept.ignition, &kept.watch)
    }

    /// Gives back the ignition.
    pub fn restore_ignition(&mut self, kept: IgnitionKept) {
        self.memory.ignition = kept.ignition;
        self.memory.watch = kept.watch;
    }

    /// Gives back the last fix: where the vehicle was. Its speed is of then.
    pub fn restore_fix(&mut self, fix: Fix) {
        self.memory.fixes.last = Some(fix);
        self.memory.fixes.heard = Some(fix.at);
    }
}

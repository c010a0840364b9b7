//! Values under keys as they are to be, and which of them the file does not have yet.

use std::collections::BTreeMap;

/// All of it is kept in memory, so that a file that has to be made anew gets everything again.
///
/// Changes carry the number of the *turn* that made them; a transaction that held everything up to some turn settles
/// those up to it, whatever has changed in the meantime.
#[derive(Debug)]
pub(super) struct Keyed<K, V> {
    values: BTreeMap<K, V>,
    unsaved: BTreeMap<K, u64>,
}

impl<K, V> Default for Keyed<K, V> {
    fn default() -> Keyed<K, V> {
        Keyed { values: BTreeMap::new(), unsaved: BTreeMap::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Keyed<K, V> {
    /// What the file has.
    pub fn load(&mut self, stored: impl IntoIterator<Item = (K, V)>) {
        self.values.extend(stored);
    }

    /// `value` under `key` from `turn` on; none takes it away.
    pub fn set(&mut self, key: K, value: Option<V>, turn: u64) {
        self.unsaved.insert(key.clone(), turn);
        match value {
            Some(value) => self.values.insert(key, value),
            None => self.values.remove(&key),
        };
    }

    /// Changes what is there as the file has been changed already.
    pub fn amend(&mut self, key: &K, change: impl FnOnce(&mut V)) {
        if let Some(value) = self.values.get_mut(key) {
            change(value);
        }
    }

    /// Whether it was ever set or taken away, or loaded.
    pub fn knows(&self, key: &K) -> bool {
        self.values.contains_key(key) || self.unsaved.contains_key(key)
    }

    /// Everything.
    pub fn values(&self) -> &BTreeMap<K, V> {
        &self.values
    }

    /// What the next transaction has to write; absent ones have to go.
    pub fn unsaved(&self) -> Vec<(K, Option<V>)> {
        self.unsaved.keys().map(|key| (key.clone(), self.values.get(key).cloned())).collect()
    }

    /// How many changes the file does not have.
    pub fn waiting(&self) -> usize {
        self.unsaved.len()
    }

    /// Whether the file has everything.
    pub fn is_saved(&self) -> bool {
        self.unsaved.is_empty()
    }

    /// A transaction with everything up to `turn` is durable.
    pub fn settle(&mut self, turn: u64) {
        self.unsaved.retain(|_, changed| *changed > turn);
    }

    /// The file is a new one and has nothing.
    pub fn unsave(&mut self, turn: u64) {
        self.unsaved.extend(self.values.keys().map(|key| (key.clone(), turn)));
    }
}

impl<V> Keyed<String, V> {
    /// How many keys begin with `prefix`.
    pub fn count_under(&self, prefix: &str) -> usize {
        self.values.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix)).count()
    }

    /// The keys that begin with `prefix`.
    pub fn keys_under(&self, prefix: &str) -> Vec<String> {
        let from = self.values.range(prefix.to_owned()..);
        from.map(|(key, _)| key).take_while(|key| key.starts_with(prefix)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_while_a_transaction_was_written_waits_for_the_next() {
        let mut rows = Keyed::default();
        rows.set("a", Some(1), 1);
        rows.set("b", Some(1), 1);
        assert_eq!(rows.unsaved(), [("a", Some(1)), ("b", Some(1))]);
        rows.set("a", Some(2), 2);
        rows.set("b", None, 2);
        rows.settle(1);
        assert_eq!(rows.unsaved(), [("a", Some(2)), ("b", None)]);
        rows.settle(2);
        assert!(rows.is_saved());
        rows.unsave(3);
        assert_eq!(rows.unsaved(), [("a", Some(2))]);
    }
}

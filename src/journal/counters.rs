//! What the journal counts.

use crate::metrics::{Counter, Family, Gauge, Histogram, Metrics, Reason};

/// The journal's own metrics, `telltale_journal_…`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Counters {
    /// Transactions that were written.
    pub commits: Counter,
    /// Seconds from the begin of a transaction until the disk had it.
    pub commit_seconds: Histogram,
    /// Events that were written.
    pub events: Counter,
    /// Events that were told before they could be written.
    pub told_unwritten: Counter,
    /// What was let go: `memory` (an event told while the journal could not be written, for which memory had no room),
    /// `track` (a point of the track, for which the writer had no time), `order` (an event whose id did not rise).
    pub dropped: Family<Reason, Counter>,
    /// Events and track points that had to make room for newer ones.
    pub pruned: Counter,
    /// Seconds that taking the write-ahead log into the file took.
    pub checkpoint_seconds: Histogram,
    /// Attempts at the disk that failed.
    pub failures: Counter,
    /// Files that could not be used and were moved aside.
    pub set_aside: Counter,
    /// Bytes of the file that are in use.
    pub file_bytes: Gauge,
    /// 1 while the journal can be written, else 0.
    pub writable: Gauge,
}

impl Counters {
    /// Makes them and puts them on the shelf.
    pub fn register(metrics: &Metrics) -> Counters {
        let seconds = || Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]);
        let counters = Counters {
            commits: Counter::default(),
            commit_seconds: seconds(),
            events: Counter::default(),
            told_unwritten: Counter::default(),
            dropped: Family::default(),
            pruned: Counter::default(),
            checkpoint_seconds: seconds(),
            failures: Counter::default(),
            set_aside: Counter::default(),
            file_bytes: Gauge::default(),
            writable: Gauge::default(),
        };
        let mine = counters.clone();
        metrics.register("journal", |registry| {
            registry.register("commits", "Transactions written", mine.commits);
            registry.register("commit_seconds", "Time until the disk had a transaction", mine.commit_seconds);
            registry.register("events", "Events written", mine.events);
            registry.register("told_unwritten", "Events told before they could be written", mine.told_unwritten);
            registry.register("dropped", "What was let go", mine.dropped);
            registry.register("pruned", "Events and track points that made room", mine.pruned);
            registry.register("checkpoint_seconds", "Time of a checkpoint", mine.checkpoint_seconds);
            registry.register("failures", "Attempts at the disk that failed", mine.failures);
            registry.register("set_aside", "Files that could not be used and were moved aside", mine.set_aside);
            registry.register("file_bytes", "Bytes of the file in use", mine.file_bytes);
            registry.register("writable", "1 while the journal can be written", mine.writable);
        });
        counters
    }

    /// `count` things were let go.
    pub(super) fn drop(&self, reason: &'static str, count: usize) {
        if count > 0 {
            self.dropped.get_or_create(&Reason { reason }).inc_by(count as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_the_names_that_the_documents_give_them() {
        let metrics = Metrics::default();
        Counters::register(&metrics).drop("memory", 3);
        let page = metrics.encode();
        assert!(page.contains("telltale_journal_dropped_total{reason=\"memory\"} 3"), "{page}");
        assert!(page.contains("telltale_journal_checkpoint_seconds_count 0"), "{page}");
        assert!(page.contains("telltale_journal_commits_total 0"), "{page}");
    }
}

//! What is counted of receivers.

use super::fault::Fault;
use crate::metrics::{Counter, Family, Metrics, Reason};

/// `telltale_gnss_sentences_total`, `telltale_gnss_fixes_total`, `telltale_gnss_dropped_total{reason}`.
#[derive(Clone, Debug)]
pub struct Counters {
    /// Sentences with the right checksum, read or not.
    pub sentences: Counter,
    /// Fixes told.
    pub fixes: Counter,
    garbage: Counter,
    overlong: Counter,
    no_checksum: Counter,
    checksum: Counter,
    malformed: Counter,
}

impl Counters {
    /// Puts the counters on the shelf. One set serves all receivers.
    pub fn register(metrics: &Metrics) -> Counters {
        let dropped = Family::<Reason, Counter>::default();
        // Each is made now, so that it shows 0 and nothing is allocated when it is counted.
        let of = |reason| dropped.get_or_create(&Reason { reason }).clone();
        let counters = Counters {
            sentences: Counter::default(),
            fixes: Counter::default(),
            garbage: of("garbage"),
            overlong: of("overlong"),
            no_checksum: of("no_checksum"),
            checksum: of("checksum"),
            malformed: of("malformed"),
        };
        metrics.register("gnss", |registry| {
            registry.register("sentences", "NMEA sentences with the right checksum", counters.sentences.clone());
            registry.register("fixes", "Fixes, one for each epoch that had one", counters.fixes.clone());
            registry.register("dropped", "Lines that are no sentence", dropped.clone());
        });
        counters
    }

    /// A line was let go.
    pub fn dropped(&self, fault: Fault) {
        match fault {
            Fault::Garbage => self.garbage.inc(),
            Fault::Overlong => self.overlong.inc(),
            Fault::NoChecksum => self.no_checksum.inc(),
            Fault::Checksum => self.checksum.inc(),
            Fault::Malformed => self.malformed.inc(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_shows_from_the_start_under_its_name() {
        let metrics = Metrics::default();
        let counters = Counters::register(&metrics);
        counters.sentences.inc();
        counters.dropped(Fault::Checksum);
        let page = metrics.encode();
        for line in [
            "telltale_gnss_sentences_total 1",
            "telltale_gnss_fixes_total 0",
            "telltale_gnss_dropped_total{reason=\"checksum\"} 1",
            "telltale_gnss_dropped_total{reason=\"garbage\"} 0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is missing from\n{page}");
        }
    }
}

//! What an upstream counts.

use crate::metrics::{Counter, EncodeLabelSet, Family, Gauge, Metrics};

/// Which upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Of {
    /// Its name.
    pub upstream: String,
}

/// Which upstream, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OfReason {
    /// Its name.
    pub upstream: String,
    /// One word.
    pub reason: &'static str,
}

/// The metrics of all upstreams, `telltale_upstream_…{upstream}`. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Messages that were acknowledged.
    pub sent: Family<Of, Counter>,
    /// Bytes that went out, acknowledged or not: payloads with the headers of MQTT or HTTP.
    pub sent_bytes: Family<Of, Counter>,
    /// Attempts that failed.
    pub retries: Family<Of, Counter>,
    /// 1 from an acknowledgement on until an attempt fails, else 0.
    pub connected: Family<Of, Gauge>,
    /// 1 while something waits, else 0.
    pub unsent: Family<Of, Gauge>,
    /// Since when the oldest event waits, s.
    pub oldest_unsent_seconds: Family<Of, Gauge>,
    /// Events that the journal forgot before they were sent.
    pub forgotten: Family<Of, Gauge>,
    /// What is left of a metered link's day; absent where there is no limit.
    pub budget_left_bytes: Family<Of, Gauge>,
    /// What was passed over: `rejected`, what the receiver will never take; `document_too_long`, what the fleet set.
    pub dropped: Family<OfReason, Counter>,
}

impl Counters {
    /// Makes them and puts them on the shelf.
    pub fn register(metrics: &Metrics) -> Counters {
        let counters = Counters::default();
        let mine = counters.clone();
        metrics.register("upstream", |registry| {
            registry.register("sent", "Messages acknowledged", mine.sent);
            registry.register("sent_bytes", "Bytes that went out, acknowledged or not", mine.sent_bytes);
            registry.register("retries", "Attempts that failed", mine.retries);
            registry.register("connected", "1 from an acknowledgement on until an attempt fails", mine.connected);
            registry.register("unsent", "1 while something waits", mine.unsent);
            registry.register("oldest_unsent_seconds", "Since when the oldest event waits", mine.oldest_unsent_seconds);
            registry.register("forgotten", "Events that the journal forgot before they were sent", mine.forgotten);
            registry.register("budget_left_bytes", "What is left of a metered link's day", mine.budget_left_bytes);
            registry.register("dropped", "What was passed over", mine.dropped);
        });
        counters
    }

    /// Documents of the fleet that were too long for `name` to take.
    pub fn too_long(&self, name: &str) -> Counter {
        self.dropped.get_or_create_owned(&OfReason { upstream: name.to_owned(), reason: TOO_LONG })
    }

    /// The upstream `name` is no more.
    pub fn forget(&self, name: &str) {
        let of = Of { upstream: name.to_owned() };
        for family in [&self.sent, &self.sent_bytes, &self.retries] {
            family.remove(&of);
        }
        for family in [&self.connected, &self.unsent, &self.oldest_unsent_seconds, &self.forgotten, &self.budget_left_bytes] {
            family.remove(&of);
        }
        for reason in [REJECTED, TOO_LONG] {
            self.dropped.remove(&OfReason { upstream: name.to_owned(), reason });
        }
    }
}

/// Why a message was passed over.
pub const REJECTED: &str = "rejected";

/// Why a document of the fleet was.
const TOO_LONG: &str = "document_too_long";

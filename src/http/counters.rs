//! What is counted here.

use prometheus_client::encoding::EncodeLabelSet;

use crate::metrics::{Counter, Family, Gauge, Metrics, Reason};

/// Of a request: the route's pattern, never the path as sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Asked {
    /// The pattern.
    pub(super) route: &'static str,
    /// The status of the answer.
    pub(super) status: u16,
}

/// The counters of the doors.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    /// Requests answered.
    pub(super) requests: Family<Asked, Counter>,
    /// Connections open now.
    pub(super) connections: Gauge,
    /// Streams open now.
    pub(super) streams: Gauge,
    /// Events written to streams.
    pub(super) events: Counter,
    /// Connections and requests that were let go.
    pub(super) dropped: Family<Reason, Counter>,
}

impl Counters {
    pub(super) fn register(metrics: &Metrics) -> Counters {
        let counters = Counters::default();
        metrics.register("http", |registry| {
            registry.register("requests", "Requests answered, by route and status", counters.requests.clone());
            registry.register("connections", "Connections open now", counters.connections.clone());
            registry.register("streams", "Event streams open now", counters.streams.clone());
            registry.register("events", "Events written to streams", counters.events.clone());
            registry.register("dropped", "Connections and requests let go, by reason", counters.dropped.clone());
        });
        counters
    }

    pub(super) fn dropped(&self, reason: &'static str) {
        self.dropped.get_or_create(&Reason { reason }).inc();
    }
}

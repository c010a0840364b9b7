//! Counters, in the text format of Prometheus (OpenMetrics 1.0), named where they are counted.
//!
//! A module makes its own struct of counters and registers it once under its own name; here is only the shelf they all
//! stand on. Names are `telltale_<module>_<what>[_<unit>][_total]`; what is dropped is `telltale_<module>_dropped_total`
//! with a `reason`.

use std::sync::{Arc, Mutex, PoisonError};

pub use prometheus_client::encoding::EncodeLabelSet;
pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;
pub use prometheus_client::registry::Registry;

/// Why something was let go, as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reason {
    /// One word, `snake_case`.
    pub reason: &'static str,
}

/// Everything counted in one process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Mutex<Registry>>);

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics(Arc::new(Mutex::new(Registry::with_prefix("telltale"))))
    }
}

impl Metrics {
    /// Lets `module` register what it counts; its name stands in every metric's.
    pub fn register(&self, module: &str, fill: impl FnOnce(&mut Registry)) {
        fill(self.0.lock().unwrap_or_else(PoisonError::into_inner).sub_registry_with_prefix(module));
    }

    /// The page of `/metrics`.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing into a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        text
    }
}

//! Names of places for the engine's thread: never waited for, counted, and told of in `/healthz`.

use std::sync::Arc;

use super::core::PlaceNames;
use crate::health::{Condition, Health};
use crate::metrics::{Counter, Family, Gauge, Metrics, Reason};
use crate::places::{Names, Places};

/// Makes names of a file, at the start and at each reload.
pub(super) struct Maker {
    health: Health,
    /// `telltale_places_known`
    known: Gauge,
    /// `telltale_places_dropped_total{reason}`
    dropped: Family<Reason, Counter>,
}

impl Maker {
    pub(super) fn new(metrics: &Metrics, health: Health) -> Maker {
        let (known, dropped) = (Gauge::default(), Family::default());
        metrics.register("places", |registry| {
            registry.register("known", "Named places in places.file (GeoNames, CC BY 4.0)", known.clone());
            registry.register("dropped", "Names that were not there in time (late)", dropped.clone());
        });
        Maker { health, known, dropped }
    }

    /// Names out of this file; none without one.
    pub(super) fn make(&self, places: Option<Arc<Places>>) -> PlaceNames {
        let Some(places) = places else {
            self.known.set(0);
            return PlaceNames::default();
        };
        self.known.set(places.count().into());
        let attribution = places.attribution().to_owned();
        match Names::new(places, self.dropped.clone()) {
            Ok(names) => {
                self.health.set("places", Condition::Ok, attribution);
                let names = Arc::new(names);
                let ahead = names.clone();
                PlaceNames::new(move |point| names.of(point)).with_look_ahead(move |point| ahead.look_ahead(point))
            }
            Err(error) => {
                tracing::warn!(%error, "no names of places");
                self.health.set("places", Condition::Degraded, format!("addresses are fences and coordinates: {error}"));
                PlaceNames::default()
            }
        }
    }
}

//! The live picture: everything as it is now, for those who look.

use std::sync::Arc;

use super::core::Core;
use crate::clock::Stamp;
use crate::event::Location;
use crate::feed::{Picture, Status};
use crate::health::Health;
use crate::vehicle::Vin;

/// The vehicle as `core` knows it at `stamp`.
pub fn of(vin: &Vin, core: &Core, stamp: Stamp, health: &Health) -> Arc<Picture> {
    let engine = core.engine();
    let mut location = Location::of(engine.state().fix().copied());
    core.name(&mut location);
    let sources = health.parts().into_iter().map(|(part, is)| (part, is.condition)).collect();
    Arc::new(Picture {
        stamp,
        vin: vin.clone(),
        signals: engine.signals_now(stamp),
        location,
        fences: engine.geofences().now(),
        child: engine.child_now(stamp),
        status: Status { mil: None, sources },
    })
}

//! The live picture: everything as it is now, for those who look.

use std::sync::Arc;

use super::core::Core;
use crate::clock::Stamp;
use crate::event::Location;
use crate::feed::{FenceNow, Picture, Status};
use crate::health::Health;
use crate::vehicle::Vin;

/// How the vehicle stands to each fence, as it was shown last. To tell that of ten thousand takes milliseconds, and a
/// picture comes with every fix: it is told anew only where it has changed.
#[derive(Default)]
pub struct Shown {
    revision: Option<u64>,
    fences: Arc<Vec<FenceNow>>,
}

impl Shown {
    fn renewed(&mut self, core: &Core) -> Arc<Vec<FenceNow>> {
        let geofences = core.engine().geofences();
        let revision = Some(geofences.revision());
        if self.revision != revision {
            self.fences = Arc::new(geofences.now());
            self.revision = revision;
        }
        self.fences.clone()
    }
}

/// The vehicle as `core` knows it at `stamp`.
pub fn of(vin: &Vin, core: &Core, shown: &mut Shown, stamp: Stamp, health: &Health) -> Arc<Picture> {
    let engine = core.engine();
    let mut location = Location::of(engine.state().fix().copied());
    core.name(&mut location);
    let sources = health.parts().into_iter().map(|(part, is)| (part, is.condition)).collect();
    Arc::new(Picture {
        stamp,
        vin: vin.clone(),
        signals: engine.signals_now(stamp),
        location,
        fences: shown.renewed(core),
        child: engine.child_now(stamp),
        status: Status { mil: None, sources },
    })
}

//! The live picture: everything as it is now, for those who look.

use std::sync::Arc;

use super::core::Core;
use crate::clock::Stamp;
use crate::detect::CodesNow;
use crate::event::Location;
use crate::feed::{Diagnosed, FenceNow, Picture, Status};
use crate::health::Health;
use crate::vehicle::{Fix, Vin};

/// What takes long to draw and seldom changes.
#[derive(Debug, Default)]
pub struct Drawn {
    pub(super) fences: Fences,
    pub(super) codes: Codes,
}

/// What ECUs say is wrong: made anew only when something changed.
#[derive(Debug, Default)]
pub struct Codes(Option<(Option<bool>, Diagnosed)>);

impl Codes {
    /// The lamp, and the rest.
    fn of(&mut self, core: &Core) -> (Option<bool>, Diagnosed) {
        let revision = core.engine().codes_revision();
        match &self.0 {
            Some((mil, diagnosed)) if diagnosed.revision == revision => (*mil, diagnosed.clone()),
            _ => {
                let CodesNow { mil, mut records, readiness, identified } = core.engine().codes_now();
                records.iter_mut().flatten().for_each(|record| core.explain(record));
                let (codes, readiness, identified) = (records.map(Arc::new), Arc::new(readiness), Arc::new(identified));
                let diagnosed = Diagnosed { revision, codes, readiness, identified };
                self.0 = Some((mil, diagnosed.clone()));
                (mil, diagnosed)
            }
        }
    }
}

/// How the vehicle stands to each fence, of which there may be 10,000: made anew only when one of them changed.
#[derive(Debug, Default)]
pub struct Fences(Option<(u64, Arc<Vec<FenceNow>>)>);

impl Fences {
    fn of(&mut self, core: &Core) -> Arc<Vec<FenceNow>> {
        let geofences = core.engine().geofences();
        let revision = geofences.revision();
        match &self.0 {
            Some((of, fences)) if *of == revision => fences.clone(),
            _ => {
                let fences = Arc::new(geofences.now());
                self.0 = Some((revision, fences.clone()));
                fences
            }
        }
    }
}

/// The vehicle as `core` knows it at `stamp`.
pub fn of(vin: &Vin, core: &Core, further: &[Option<Fix>], drawn: &mut Drawn, stamp: Stamp, health: &Health) -> Arc<Picture> {
    let engine = core.engine();
    let mut location = Location::of(engine.state().fix().copied());
    core.name(&mut location);
    let (mil, diagnosis) = drawn.codes.of(core);
    let sources = health.parts().into_iter().map(|(part, is)| (part, is.condition)).collect();
    Arc::new(Picture {
        stamp,
        vin: vin.clone(),
        signals: engine.signals_now(stamp),
        location,
        further: further.to_vec(),
        fences: drawn.fences.of(core),
        child: engine.child_now(stamp),
        status: Status { mil, diagnosis, sources },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Boot;
    use crate::detect::{Engine, Outbox, Settings};
    use crate::event::EventId;
    use crate::gateway::Late;
    use crate::geo::{Fence, FenceSource, Point, Shape};
    use crate::request::Request;
    use crate::vehicle::Layout;

    #[test]
    fn the_fences_are_drawn_anew_when_one_changed_and_only_then() {
        let vin = Vin::try_from("TEST".to_owned()).unwrap();
        let engine = Engine::new(Settings::default(), vin.clone(), Layout::default(), Vec::new());
        let mut core = Core::new(engine, Outbox::new(vin, EventId(0)), Late::Never);
        let mut fences = Fences::default();
        let before = fences.of(&core);
        core.pass(Stamp { boot: Boot::from_micros(1_000_000), ..Stamp::default() });
        assert!(Arc::ptr_eq(&before, &fences.of(&core)), "nothing changed");
        let shape = Shape::circle(Point { latitude: 37.0, longitude: 127.0 }, 100.0).unwrap();
        let fence = Fence::new("a", FenceSource::Phone, shape);
        core.answer(Stamp::default(), &Request::PutFence(Box::new(fence))).0.unwrap();
        assert_eq!((before.len(), fences.of(&core).len()), (0, 1));
    }
}

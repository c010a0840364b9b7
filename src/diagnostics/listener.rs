//! Listening to diagnosis without a word of ours: what testers and ECUs say to one another, and what trucks tell unasked.

use super::overheard::{Overheard, Parts, Said};
use super::poller::{Spoken, Truck, truck_filters};
use crate::can::profile::Diagnosis;
use crate::can::{Filter, Listen, Listeners};
use crate::clock::Boot;
use crate::vehicle::{BusId, Frame, FrameKind, Observation};

/// Listens to one bus.
#[derive(Debug)]
pub struct Listener {
    obd: Option<Overheard>,
    truck: Option<Truck>,
    /// Kept, so that no frame needs an allocation.
    spoken: Vec<Spoken>,
}

impl Listener {
    /// To this bus, where the profile says that ECUs can be heard there.
    pub fn of(diagnosis: &Diagnosis, bus: BusId) -> Option<Listener> {
        let obd = (diagnosis.obd == Some(bus)).then(|| Overheard::new(Parts::named(diagnosis)));
        let truck = (diagnosis.j1939 == Some(bus)).then(Truck::hearing);
        (obd.is_some() || truck.is_some()).then_some(Listener { obd, truck, spoken: Vec::new() })
    }

    /// One for each bus of the profile.
    pub fn all(diagnosis: Diagnosis) -> Listeners {
        Listeners::new(move |bus| Listener::of(&diagnosis, bus).map(|listener| Box::new(listener) as Box<dyn Listen>))
    }
}

impl Listen for Listener {
    fn filters(&self) -> Vec<Filter> {
        let obd = self.obd.iter().flat_map(|overheard| overheard.parts().filters());
        obd.chain(self.truck.iter().flat_map(|_| truck_filters())).collect()
    }

    fn hear(&mut self, now: Boot, frame: &Frame, told: &mut Vec<Observation>) {
        if !matches!(frame.kind, FrameKind::Classical | FrameKind::Fd) {
            return;
        }
        if let Some(overheard) = &mut self.obd {
            overheard.hear(now, frame, &mut |said| {
                if let Said::Answer { heard, .. } = said {
                    told.extend(heard.into_iter().map(Observation::Diagnosis));
                }
            });
        }
        if let Some(truck) = &mut self.truck {
            truck.hear(now, frame, &mut self.spoken);
            let heard = self.spoken.drain(..).filter_map(|spoken| match spoken {
                Spoken::Heard(heard) => Some(Observation::Diagnosis(heard)),
                // One that only hears says nothing.
                Spoken::Send(_) => None,
            });
            told.extend(heard);
        }
    }
}

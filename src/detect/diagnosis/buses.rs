//! `CAN_BUS_FAULT`: a controller that is bus-off, or error-passive for 10 s; a bus that is silent for 10 s while another
//! source says that the ignition is on. It is over when the controller takes full part again, and the bus speaks.

use serde::{Deserialize, Serialize};

use super::Told;
use crate::clock::Boot;
use crate::detect::Outbox;
use crate::detect::settings::DiagnosisSettings;
use crate::event::EventType;
use crate::vehicle::{BusCondition, BusId, State, seconds};

/// Why a bus is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cause {
    BusOff,
    ErrorPassive,
    Silent,
}

impl Cause {
    fn word(self) -> &'static str {
        match self {
            Cause::BusOff => "bus_off",
            Cause::ErrorPassive => "error_passive",
            Cause::Silent => "silent",
        }
    }
}

/// One bus.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Bus {
    /// What was told of it.
    pub(super) fault: Option<Cause>,
    /// Since when another source says that the ignition is on.
    elsewhere_on: Option<Boot>,
}

impl Bus {
    pub(super) fn step(&mut self, now: Boot, id: BusId, state: &State, settings: &DiagnosisSettings, out: &mut Outbox) {
        self.elsewhere_on = if state.ignition_on_besides(now, id) { self.elsewhere_on.or(Some(now)) } else { None };
        let Some((heard, condition)) = state.bus_health(id) else { return };
        let name = state.layout().buses.get(usize::from(id.0)).map_or("", String::as_str);
        let due = self.faults(heard, condition, state, settings).into_iter().flatten();
        let cause = due.filter(|(due, _)| *due <= now).map(|(_, cause)| cause).next();
        match (self.fault, cause) {
            (None, Some(cause)) => {
                self.fault = Some(cause);
                Told { source: name, cause: cause.word(), ..Told::default() }.tell(EventType::CanBusFault, out);
            }
            (Some(fault), None) if recovered(now, fault, heard, condition.0, settings) => {
                self.fault = None;
                Told { source: name, cause: fault.word(), ..Told::default() }.tell(EventType::CanBusRecovered, out);
            }
            _ => {}
        }
    }

    /// What is or will be a fault, should nothing change, and from when; the worst first.
    fn faults(
        &self,
        heard: Option<Boot>,
        (condition, since): (BusCondition, Boot),
        state: &State,
        settings: &DiagnosisSettings,
    ) -> [Option<(Boot, Cause)>; 3] {
        let long = seconds(settings.bus_fault_s);
        let off = (condition == BusCondition::Off).then_some((since, Cause::BusOff));
        let passive = (condition == BusCondition::Passive).then_some((since + long, Cause::ErrorPassive));
        let silent = heard.max(state.listening()).zip(self.elsewhere_on).map(|(heard, on)| heard.max(on) + long);
        [off, passive, silent.map(|due| (due, Cause::Silent))]
    }

    pub(super) fn deadline(&self, id: BusId, state: &State, settings: &DiagnosisSettings) -> impl Iterator<Item = Boot> {
        let health = state.bus_health(id);
        let faults = health.map(|(heard, condition)| self.faults(heard, condition, state, settings));
        faults.into_iter().flatten().flatten().map(|(due, _)| due)
    }
}

/// Whether a bus whose fault does not show now is well again, and not merely asleep or gone.
fn recovered(now: Boot, fault: Cause, heard: Option<Boot>, condition: BusCondition, settings: &DiagnosisSettings) -> bool {
    let speaks = heard.is_some_and(|heard| now < heard + seconds(settings.bus_fault_s));
    condition == BusCondition::Active && (fault != Cause::Silent || speaks)
}

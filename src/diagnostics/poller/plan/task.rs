//! What can be asked, how often, and under which id.

use std::time::Duration;

use crate::can::ArbitrationId;
use crate::diagnostics::isotp::Address;
use crate::diagnostics::overheard::To;
use crate::vehicle::trouble::Ecu;

/// Something to ask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::diagnostics::poller) enum Task {
    /// Who is there: supported PIDs.
    Find(To),
    /// Who is there that speaks OBDonUDS alone.
    FindUds(To),
    /// Lamp, count and readiness.
    Status,
    /// Mode 03.
    Stored,
    /// Mode 07.
    Pending,
    /// 19 42 to those of OBDonUDS.
    EmissionCodes,
    /// 19 01 to an ECU that the profile names: how it writes its codes.
    Format(Ecu),
    /// 19 02 to it.
    Codes(Ecu),
    /// Mode 0A.
    Permanent,
    /// 19 55.
    EmissionPermanent,
    /// 19 0A to an ECU that the profile names and that has no 19 02: every code it can have, with its status.
    Supported(Ecu),
    /// Supported PIDs from this one on.
    Pids(Ecu, u8),
    /// The number, by mode 09.
    Vin,
    /// The number, by UDS.
    VinByUds(Ecu),
    /// Whose freeze frame it is.
    FrozenCode(Ecu),
    /// PIDs of the freeze frame, from this one on.
    FrozenPids(Ecu, u8),
    /// A PID of the freeze frame.
    Frozen(Ecu, u8),
    /// What was measured when this code was set.
    Snapshot(Ecu, [u8; 3]),
    /// What it keeps of it besides.
    Extended(Ecu, [u8; 3]),
    /// What all say of themselves: an info type.
    Identity(u8),
    /// Values.
    Live(Ecu),
    /// An identifier of the profile.
    Identifier(Ecu, u16),
}

impl Task {
    /// How often; `None` for once.
    pub(super) fn every(&self) -> Option<Duration> {
        let seconds = match self {
            Task::Find(_) | Task::FindUds(_) => 60,
            Task::Status => 3,
            Task::Stored | Task::Pending | Task::EmissionCodes | Task::Codes(_) => 4,
            Task::Permanent | Task::EmissionPermanent => 8,
            Task::Live(_) => 1,
            Task::Vin | Task::VinByUds(_) => 2,
            Task::Identifier(..) | Task::Supported(_) => 60,
            Task::Format(_)
            | Task::Pids(..)
            | Task::FrozenCode(_)
            | Task::FrozenPids(..)
            | Task::Frozen(..)
            | Task::Snapshot(..)
            | Task::Extended(..)
            | Task::Identity(_) => return None,
        };
        Some(Duration::from_secs(seconds))
    }

    /// Whether it is for whoever is there.
    pub(super) fn is_functional(&self) -> bool {
        matches!(
            self,
            Task::Status
                | Task::Stored
                | Task::Pending
                | Task::Permanent
                | Task::EmissionCodes
                | Task::EmissionPermanent
                | Task::Vin
                | Task::Identity(_)
        )
    }
}

/// Where requests to them go.
pub(in crate::diagnostics::poller) fn address(to: To) -> Option<Address> {
    match to {
        To::AllNormal => Some(Address::obd_functional()),
        To::AllFixed => Some(Address::fixed_functional(0x33, 0xF1)),
        To::One(ecu) => match (ecu.asked_at()?, ecu) {
            (at, Ecu::Normal(id)) => {
                let of = |id: u32| ArbitrationId { id, extended: false };
                Some(Address::normal(of(at), of(u32::from(id))))
            }
            (_, Ecu::Fixed(id)) => {
                let [.., address] = id.to_be_bytes();
                Some(Address::fixed(address, 0xF1))
            }
            (_, Ecu::J1939(_)) => None,
        },
    }
}

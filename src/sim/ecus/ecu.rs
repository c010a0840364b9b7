//! An ECU and what it answers.

use super::memory::Memory;
use super::{Fault, Live, Manner, obd, uds};
use crate::vehicle::Vin;

/// An ECU.
#[derive(Clone, Debug)]
pub struct Ecu {
    /// The `n` of `7E0 + n` and `7E8 + n`: 0 to 7.
    pub number: u8,
    /// Its address in 29 bit ids: it hears `18DAxxF1` and answers with `18DAF1xx`.
    pub address: u8,
    /// Its name, as mode 09 and identifier F197 say it.
    pub name: &'static str,
    /// The PIDs of mode 01 that it has. Without any it answers no mode of OBD-II at all.
    pub pids: &'static [u8],
    /// The vehicle's, where it knows it.
    pub vin: Option<Vin>,
    /// Calibration ids, with their verification numbers.
    pub calibrations: &'static [(&'static str, u32)],
    /// Identifiers that UDS reads, beside the VIN, the name and the PIDs (F400 and on).
    pub identifiers: &'static [(u16, &'static [u8])],
    /// What it can notice (UDS 19 0A).
    pub knows: &'static [Fault],
    /// How it behaves.
    pub manner: Manner,
    pub(super) memory: Memory,
    pub(super) live: Live,
}

/// Why something is not done (ISO 14229-1, annex A.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Refusal {
    ServiceNotSupported = 0x11,
    SubFunctionNotSupported = 0x12,
    IncorrectLength = 0x13,
    ResponseTooLong = 0x14,
    ConditionsNotCorrect = 0x22,
    OutOfRange = 0x31,
}

/// A positive answer, silence where there is none to give, or a refusal.
pub(super) type Outcome = Result<Option<Vec<u8>>, Refusal>;

/// What one answer may have (ISO 15765-2, 9.6.3.1).
const LONGEST: usize = 4095;
/// Where every car's memory was last cleared, km.
const CLEARED: f64 = 24_000.0;

impl Ecu {
    /// The engine's: everything of OBD-II.
    pub fn engine() -> Ecu {
        Ecu {
            number: 0,
            address: 0x10,
            name: "ECM-EngineControl",
            pids: obd::ENGINE_PIDS,
            vin: Vin::try_from(crate::sim::VIN.to_owned()).ok(),
            calibrations: &[("TT-ENG-CAL-00042", 0x1791_BC82), ("TT-ENG-MAP-00007", 0x0BAD_F00D)],
            identifiers: &[(0xF187, b"TT-03C906-016"), (0xF18C, b"ENG0000042"), (0xF195, b"0420")],
            knows: &[Fault::MISFIRE, Fault::CATALYST, Fault::THERMOSTAT],
            ..Ecu::bare()
        }
    }

    /// The transmission's: what OBD-II wants of one that only matters for emissions.
    pub fn transmission() -> Ecu {
        Ecu {
            number: 1,
            address: 0x18,
            name: "TCM-TransmisCtrl",
            pids: obd::TRANSMISSION_PIDS,
            calibrations: &[("TT-GBX-CAL-00011", 0x00C0_FFEE)],
            identifiers: &[(0xF187, b"TT-09G927-750"), (0xF195, b"0311")],
            knows: &[Fault::CLUTCH],
            ..Ecu::bare()
        }
    }

    /// The body's: UDS alone.
    pub fn body() -> Ecu {
        Ecu {
            number: 2,
            address: 0x40,
            name: "BCM-BodyControl",
            identifiers: &[(0xF187, b"TT-5Q0937-084"), (0xF18C, b"BCM0000007"), (0xF195, b"0207")],
            knows: &[Fault::SPEAKER, Fault::NO_ENGINE],
            ..Ecu::bare()
        }
    }

    fn bare() -> Ecu {
        Ecu {
            number: 0,
            address: 0,
            name: "",
            pids: &[],
            vin: None,
            calibrations: &[],
            identifiers: &[],
            knows: &[],
            manner: Manner::default(),
            memory: Memory::new(CLEARED),
            live: Live::IDLING,
        }
    }

    /// The same one with this manner.
    #[must_use]
    pub fn with_manner(self, manner: Manner) -> Ecu {
        Ecu { manner, ..self }
    }

    /// The same one with these faults.
    #[must_use]
    pub fn with_faults(mut self, faults: &[Fault]) -> Ecu {
        faults.iter().for_each(|fault| self.set(*fault));
        self
    }

    /// It measures this from now on.
    pub fn measure(&mut self, live: Live) {
        self.live = live;
    }

    /// `fault` begins, if it is one of its own.
    pub fn set(&mut self, fault: Fault) {
        if fault.ecu == self.number {
            self.memory.set(fault, &self.live);
        }
    }

    /// `fault` is mended; its code stays until somebody clears it.
    pub fn mend(&mut self, fault: Fault) {
        if fault.ecu == self.number {
            self.memory.mend(fault, &self.live);
        }
    }

    /// Codes are cleared, as by a tester.
    pub fn clear(&mut self) {
        self.memory.clear(None, &self.live);
    }

    /// What it answers; `None` where it keeps silent. At most 4,095 bytes.
    pub fn answer(&mut self, request: &[u8], functional: bool) -> Option<Vec<u8>> {
        let (&service, rest) = request.split_first()?;
        let outcome = self.serve(service, rest).and_then(|answer| match answer {
            Some(answer) if answer.len() > LONGEST => Err(Refusal::ResponseTooLong),
            answer => Ok(answer),
        });
        match outcome {
            Ok(answer) => answer,
            Err(Refusal::ServiceNotSupported | Refusal::SubFunctionNotSupported | Refusal::OutOfRange) if functional => None,
            Err(refusal) => Some(vec![0x7F, service, refusal as u8]),
        }
    }

    fn serve(&mut self, service: u8, rest: &[u8]) -> Outcome {
        match service {
            0x01..=0x0A if self.pids.is_empty() => Err(Refusal::ServiceNotSupported),
            0x01 => obd::current(self, rest),
            0x02 => obd::frozen(self, rest),
            0x03 => obd::codes(0x43, rest, self.memory.stored()),
            0x04 => self.clear_all(rest),
            0x07 => obd::codes(0x47, rest, self.memory.pending()),
            0x09 => obd::vehicle(self, rest),
            0x0A => obd::codes(0x4A, rest, self.memory.permanent(&self.live)),
            0x10 => uds::session(rest),
            0x14 => self.clear_group(rest),
            0x19 => uds::codes(self, rest),
            0x22 => uds::identifiers(self, rest),
            0x3E => uds::present(rest),
            _ => Err(Refusal::ServiceNotSupported),
        }
    }

    /// Mode 04. Not while the car moves.
    fn clear_all(&mut self, rest: &[u8]) -> Outcome {
        if !rest.is_empty() {
            return Err(Refusal::SubFunctionNotSupported);
        }
        self.stands()?;
        self.memory.clear(None, &self.live);
        Ok(Some(vec![0x44]))
    }

    /// Service 14: all groups, or one code that it knows. Not while the car moves.
    fn clear_group(&mut self, rest: &[u8]) -> Outcome {
        let &[high, middle, failure] = rest else { return Err(Refusal::IncorrectLength) };
        let code = u16::from_be_bytes([high, middle]);
        let only = match (code, failure) {
            (0xFFFF, 0xFF) => None,
            _ if self.knows.iter().any(|fault| (fault.code, fault.failure) == (code, failure)) => Some(code),
            _ => return Err(Refusal::OutOfRange),
        };
        self.stands()?;
        self.memory.clear(only, &self.live);
        Ok(Some(vec![0x54]))
    }

    fn stands(&self) -> Result<(), Refusal> {
        if self.live.speed > 0.5 { Err(Refusal::ConditionsNotCorrect) } else { Ok(()) }
    }
}

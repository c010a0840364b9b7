//! What can go wrong.

/// Something that goes wrong, and what the ECU that notices makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which ECU notices: the `n` of its `7E8 + n`.
    pub ecu: u8,
    /// The code's two bytes (SAE J2012).
    pub code: u16,
    /// The failure type, UDS's third byte (SAE J2012-DA).
    pub failure: u8,
    /// Whether it is certain: stored, and permanent where it lights the lamp. Else it is pending.
    pub confirmed: bool,
    /// Whether it lights the malfunction indicator lamp once confirmed.
    pub lamp: bool,
}

impl Fault {
    /// Cylinder 1 misfires: P0301, with the lamp.
    pub const MISFIRE: Fault = Fault { ecu: 0, code: 0x0301, failure: 0x00, confirmed: true, lamp: true };
    /// The catalyst is worn: P0420, with the lamp.
    pub const CATALYST: Fault = Fault { ecu: 0, code: 0x0420, failure: 0x00, confirmed: true, lamp: true };
    /// The thermostat lets the coolant stay cold: P0128, pending.
    pub const THERMOSTAT: Fault = Fault { ecu: 0, code: 0x0128, failure: 0x00, confirmed: false, lamp: false };
    /// The torque converter's clutch slips: P0741, with the lamp.
    pub const CLUTCH: Fault = Fault { ecu: 1, code: 0x0741, failure: 0x00, confirmed: true, lamp: true };
    /// A speaker's wire is open: B1A01, failure type 13, no lamp.
    pub const SPEAKER: Fault = Fault { ecu: 2, code: 0x9A01, failure: 0x13, confirmed: true, lamp: false };
    /// The body's ECU does not hear the engine's: U0100, failure type 87, no lamp.
    pub const NO_ENGINE: Fault = Fault { ecu: 2, code: 0xC100, failure: 0x87, confirmed: true, lamp: false };
}

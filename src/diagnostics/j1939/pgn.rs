//! The parameter groups that diagnosis knows, by their numbers.

/// Acknowledgement (SAE J1939-21, 5.4.4).
pub const ACKNOWLEDGEMENT: u32 = 59_392;
/// Request (SAE J1939-21, 5.4.2).
pub const REQUEST: u32 = 59_904;
/// Transport protocol, data transfer: TP.DT.
pub const TRANSFER: u32 = 60_160;
/// Transport protocol, connection management: TP.CM.
pub const CONNECTION: u32 = 60_416;
/// Address claimed, or none can be (SAE J1939-81, 4.2).
pub const CLAIM: u32 = 60_928;
/// DM1: active codes.
pub const DM1: u32 = 65_226;
/// DM2: previously active codes.
pub const DM2: u32 = 65_227;
/// DM3: clears what DM2 lists. Heard, never sent.
pub const DM3: u32 = 65_228;
/// DM11: clears what DM1 lists. Heard, never sent.
pub const DM11: u32 = 65_235;
/// DM6: pending codes that concern emissions.
pub const DM6: u32 = 65_231;
/// DM12: confirmed codes that concern emissions and light the malfunction lamp.
pub const DM12: u32 = 65_236;
/// DM23: previously of DM12.
pub const DM23: u32 = 64_949;
/// DM28: permanent codes.
pub const DM28: u32 = 64_896;
/// Software identification.
pub const SOFTWARE: u32 = 65_242;
/// Component identification.
pub const COMPONENT: u32 = 65_259;
/// Vehicle identification: the VIN.
pub const VIN: u32 = 65_260;
/// What ISO 15765-2 uses of 29 bit ids, to one ECU.
pub const ISO_TP_PHYSICAL: u32 = 55_808;
/// What ISO 15765-2 uses of 29 bit ids, to all.
pub const ISO_TP_FUNCTIONAL: u32 = 56_064;

/// Its name, of one that is here.
pub fn name(pgn: u32) -> Option<&'static str> {
    Some(match pgn {
        ACKNOWLEDGEMENT => "acknowledgement",
        REQUEST => "request",
        TRANSFER => "TP.DT",
        CONNECTION => "TP.CM",
        CLAIM => "address claimed",
        DM1 => "DM1",
        DM2 => "DM2",
        DM3 => "DM3",
        DM6 => "DM6",
        DM11 => "DM11",
        DM12 => "DM12",
        DM23 => "DM23",
        DM28 => "DM28",
        SOFTWARE => "software identification",
        COMPONENT => "component identification",
        VIN => "vehicle identification",
        _ => return None,
    })
}

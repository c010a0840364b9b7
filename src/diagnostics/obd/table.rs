//! Every PID whose length and formula are public (SAE J1979, J1979-DA), in order. A PID without fields has a known length
//! and is told raw; one that is not here has an unknown length, so what follows it in an answer is told raw too.
//!
//! Names are the paths of VSS 5's `Vehicle.OBD` where it has one, in that path's unit, else plain ones. PID 00, 20 and so on to E0 are
//! bit maps, 01 and 41 monitors, 02 is a code: [`super::item`] reads those.

use super::field::Field;

/// A PID.
#[derive(Debug)]
pub struct Pid {
    /// Its number.
    pub pid: u8,
    /// Least and most data bytes: trims of four banks have a second byte in cars that have the banks.
    pub bytes: (u8, u8),
    /// Its values.
    pub fields: &'static [Field],
}

/// The row of a PID.
pub fn find(pid: u8) -> Option<&'static Pid> {
    PIDS.binary_search_by_key(&pid, |row| row.pid).ok().and_then(|at| PIDS.get(at))
}

const FUEL_STATUS: &[(u32, &str)] = &[
    (0, "off"),
    (1, "openLoopCold"),
    (2, "closedLoop"),
    (4, "openLoopDriving"),
    (8, "openLoopFault"),
    (16, "closedLoopFault"),
    (32, "openLoopColdBank2"),
    (64, "openLoopDrivingBank2"),
    (128, "openLoopFaultBank2"),
];

const AIR_STATUS: &[(u32, &str)] = &[(1, "upstream"), (2, "downstream"), (4, "off"), (8, "diagnosis")];

const OBD_STANDARDS: &[(u32, &str)] = &[
    (1, "OBD II"),
    (2, "OBD"),
    (3, "OBD, OBD II"),
    (4, "OBD I"),
    (5, "none"),
    (6, "EOBD"),
    (7, "EOBD, OBD II"),
    (8, "EOBD, OBD"),
    (9, "EOBD, OBD, OBD II"),
    (10, "JOBD"),
    (11, "JOBD, OBD II"),
    (12, "JOBD, EOBD"),
    (13, "JOBD, EOBD, OBD II"),
    (14, "Euro IV B1"),
    (15, "Euro V B2"),
    (16, "Euro EEV C"),
    (17, "EMD"),
    (18, "EMD+"),
    (19, "HD OBD-C"),
    (20, "HD OBD"),
    (21, "WWH-OBD"),
    (23, "HD EOBD-I"),
    (24, "HD EOBD-I N"),
    (25, "HD EOBD-II"),
    (26, "HD EOBD-II N"),
    (27, "HD ZEV"),
    (28, "OBDBr-1"),
    (29, "OBDBr-2"),
    (30, "KOBD"),
    (31, "IOBD I"),
    (32, "IOBD II"),
    (33, "HD EOBD-VI"),
    (34, "OBD, OBD II, HD OBD"),
    (35, "OBDBr-3"),
    (36, "motorcycle EOBD-I"),
    (37, "motorcycle EOBD-II"),
    (38, "motorcycle COBD-I"),
    (39, "motorcycle TOBD-I"),
    (40, "motorcycle JOBD-I"),
    (41, "CN-OBD-6"),
    (42, "OBDBr-P7"),
    (43, "CN-HDOBD-VI"),
];

const FUEL_TYPES: &[(u32, &str)] = &[
    (0, "none"),
    (1, "petrol"),
    (2, "methanol"),
    (3, "ethanol"),
    (4, "diesel"),
    (5, "LPG"),
    (6, "CNG"),
    (7, "propane"),
    (8, "electric"),
    (9, "bifuel petrol"),
    (10, "bifuel methanol"),
    (11, "bifuel ethanol"),
    (12, "bifuel LPG"),
    (13, "bifuel CNG"),
    (14, "bifuel propane"),
    (15, "bifuel electric"),
    (16, "bifuel electric, engine"),
    (17, "hybrid petrol"),
    (18, "hybrid ethanol"),
    (19, "hybrid diesel"),
    (20, "hybrid electric"),
    (21, "hybrid electric, engine"),
    (22, "hybrid regenerative"),
    (23, "bifuel diesel"),
];

const EMISSIONS: &[(u32, &str)] = &[(14, "Euro IV B1"), (15, "Euro V B2"), (16, "Euro EEV C"), (17, "Euro VI")];

const LOOPS: &[(u32, &str)] = &[(1, "openLoop"), (2, "closedLoop"), (3, "fault")];

static PIDS: &[Pid] = &[
    Pid {
        pid: 0x03,
        bytes: (2, 2),
        fields: &[
            Field::words("Vehicle.OBD.FuelStatus", 0, 8, FUEL_STATUS),
            Field::words("fuelStatusSystem2", 8, 8, FUEL_STATUS),
        ],
    },
    Pid { pid: 0x04, bytes: (1, 1), fields: &[Field::percent("Vehicle.OBD.EngineLoad", 0)] },
    Pid { pid: 0x05, bytes: (1, 1), fields: &[Field::celsius("Vehicle.OBD.CoolantTemperature", 0)] },
    Pid {
        pid: 0x06,
        bytes: (1, 2),
        fields: &[Field::trim("Vehicle.OBD.ShortTermFuelTrim1", 0), Field::trim("shortTermFuelTrim3", 1)],
    },
    Pid {
        pid: 0x07,
        bytes: (1, 2),
        fields: &[Field::trim("Vehicle.OBD.LongTermFuelTrim1", 0), Field::trim("longTermFuelTrim3", 1)],
    },
    Pid {
        pid: 0x08,
        bytes: (1, 2),
        fields: &[Field::trim("Vehicle.OBD.ShortTermFuelTrim2", 0), Field::trim("shortTermFuelTrim4", 1)],
    },
    Pid {
        pid: 0x09,
        bytes: (1, 2),
        fields: &[Field::trim("Vehicle.OBD.LongTermFuelTrim2", 0), Field::trim("longTermFuelTrim4", 1)],
    },
    Pid { pid: 0x0A, bytes: (1, 1), fields: &[Field::number("Vehicle.OBD.FuelPressure", "kPa", 0, 1, 3.0, 1.0, 0.0)] },
    Pid { pid: 0x0B, bytes: (1, 1), fields: &[Field::plain("Vehicle.OBD.MAP", "kPa", 0, 1)] },
    Pid { pid: 0x0C, bytes: (2, 2), fields: &[Field::number("Vehicle.OBD.EngineSpeed", "rpm", 0, 2, 1.0, 4.0, 0.0)] },
    Pid { pid: 0x0D, bytes: (1, 1), fields: &[Field::plain("Vehicle.OBD.Speed", "km/h", 0, 1)] },
    Pid { pid: 0x0E, bytes: (1, 1), fields: &[Field::number("Vehicle.OBD.TimingAdvance", "degrees", 0, 1, 1.0, 2.0, -64.0)] },
    Pid { pid: 0x0F, bytes: (1, 1), fields: &[Field::celsius("Vehicle.OBD.IntakeTemp", 0)] },
    Pid { pid: 0x10, bytes: (2, 2), fields: &[Field::number("Vehicle.OBD.MAF", "g/s", 0, 2, 1.0, 100.0, 0.0)] },
    Pid { pid: 0x11, bytes: (1, 1), fields: &[Field::percent("Vehicle.OBD.ThrottlePosition", 0)] },
    Pid { pid: 0x12, bytes: (1, 1), fields: &[Field::words("Vehicle.OBD.AirStatus", 0, 8, AIR_STATUS)] },
    Pid { pid: 0x13, bytes: (1, 1), fields: &[Field::plain("Vehicle.OBD.OxygenSensorsIn2Banks", "", 0, 1)] },
    Pid {
        pid: 0x14,
        bytes: (2, 2),
        fields: &[
            Field::number("Vehicle.OBD.O2.Sensor1.Voltage", "V", 0, 1, 1.0, 200.0, 0.0),
            Field::trim("Vehicle.OBD.O2.Sensor1.ShortTermFuelTrim", 1),
            Field::not("oxygenSensor1InTrim", 1, 0xFF),
        ],
    },
    Pid {
        pid: 0x15,
        bytes: (2, 2),
        fields: &[
            Field::number("Vehicle.OBD.O2.Sensor2.Voltage", "V", 0, 1, 1.0, 200.0, 0.0),
            Field::trim("Vehicle.OBD.O2.Sensor2.ShortTermFuelTrim", 1),
            Field::not("oxygenSensor2InTrim", 1, 0xFF),
        ],
    },
    Pid {
        pid: 0x16,
        bytes: (2, 2),
        fields: &[
            Field::number("Vehicle.OBD.O2.Sensor3.Voltage", "V", 0, 1, 1.0, 200.0, 0.0),
            Field::trim("Vehicle.OBD.O2.Sensor3.ShortTermFuelTrim", 1),
            Field::not("oxygenSensor3InTrim", 1, 0xFF),
        ],
    },
    Pid {
        pid: 0x17,
        bytes: (2, 2),
        fields: &[
            Field::number("Vehicle.OBD.O2.Sensor4.Voltage", "V", 0, 1, 1.0, 200.0, 0.0),
            Field::trim("Vehicle.OBD.O2.Sensor4.ShortTermFuelTrim", 1),
            Field::not("oxygenSensor4InTrim", 1, 0xFF),
        ],
    },
    Pid {
        pid: 0x18,
        bytes: (2, 2),
        fields: &[
            Field::number("Vehicle.OBD.O2.Sensor5.Voltage", "V", 0, 1, 1.0, 200.0, 0.0),
            Field::trim("Vehicle.OBD.O2.Sensor5.ShortTermFuelTrim", 1),
            Field::not("oxygenSensor5InTrim", 1, 0xFF),
        ],
    },
    Pid {
        pid: 0x19,
        bytes: (2, 2),
        fields: &[
            Field::number("Vehicle.OBD.O2.Sensor6.Voltage", "V", 0, 1, 1.0, 200.0, 0.0),
            Field::trim("Vehicle.OBD.O2.Sensor6.ShortTermFuelTrim", 1),
            Field::not("oxygenSensor6InTrim", 1, 0xFF),
        ],
    },
    Pid {
        pid: 0x1A,
        bytes: (2, 2),
        fields: &[
            Field::number("Vehicle.OBD.O2.Sensor7.Voltage", "V", 0, 1, 1.0, 200.0, 0.0),
            Field::trim("Vehicle.OBD.O2.Sensor7.ShortTermFuelTrim", 1),
            Field::not("oxygenSensor7InTrim", 1, 0xFF),
        ],
    },
    Pid {
        pid: 0x1B,
        bytes: (2, 2),
        fields: &[
            Field::number("Vehicle.OBD.O2.Sensor8.Voltage", "V", 0, 1, 1.0, 200.0, 0.0),
            Field::trim("Vehicle.OBD.O2.Sensor8.ShortTermFuelTrim", 1),
            Field::not("oxygenSensor8InTrim", 1, 0xFF),
        ],
    },
    Pid {
        pid: 0x1C,
        bytes: (1, 1),
        fields: &[Field::plain("Vehicle.OBD.OBDStandards", "", 0, 1), Field::words("obdStandard", 0, 8, OBD_STANDARDS)],
    },
    Pid { pid: 0x1D, bytes: (1, 1), fields: &[Field::plain("Vehicle.OBD.OxygenSensorsIn4Banks", "", 0, 1)] },
    Pid { pid: 0x1E, bytes: (1, 1), fields: &[Field::flag("Vehicle.OBD.IsPTOActive", 7)] },
    Pid { pid: 0x1F, bytes: (2, 2), fields: &[Field::plain("Vehicle.OBD.RunTime", "s", 0, 2)] },
    Pid { pid: 0x21, bytes: (2, 2), fields: &[Field::plain("Vehicle.OBD.DistanceWithMIL", "km", 0, 2)] },
    Pid { pid: 0x22, bytes: (2, 2), fields: &[Field::number("Vehicle.OBD.FuelRailPressureVac", "kPa", 0, 2, 0.079, 1.0, 0.0)] },
    Pid { pid: 0x23, bytes: (2, 2), fields: &[Field::number("Vehicle.OBD.FuelRailPressureDirect", "kPa", 0, 2, 10.0, 1.0, 0.0)] },
    Pid {
        pid: 0x24,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor1.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor1.Voltage", "V", 2, 2, 1.0, 8192.0, 0.0),
        ],
    },
    Pid {
        pid: 0x25,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor2.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor2.Voltage", "V", 2, 2, 1.0, 8192.0, 0.0),
        ],
    },
    Pid {
        pid: 0x26,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor3.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor3.Voltage", "V", 2, 2, 1.0, 8192.0, 0.0),
        ],
    },
    Pid {
        pid: 0x27,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor4.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor4.Voltage", "V", 2, 2, 1.0, 8192.0, 0.0),
        ],
    },
    Pid {
        pid: 0x28,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor5.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor5.Voltage", "V", 2, 2, 1.0, 8192.0, 0.0),
        ],
    },
    Pid {
        pid: 0x29,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor6.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor6.Voltage", "V", 2, 2, 1.0, 8192.0, 0.0),
        ],
    },
    Pid {
        pid: 0x2A,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor7.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor7.Voltage", "V", 2, 2, 1.0, 8192.0, 0.0),
        ],
    },
    Pid {
        pid: 0x2B,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor8.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor8.Voltage", "V", 2, 2, 1.0, 8192.0, 0.0),
        ],
    },
    Pid { pid: 0x2C, bytes: (1, 1), fields: &[Field::percent("Vehicle.OBD.CommandedEGR", 0)] },
    Pid { pid: 0x2D, bytes: (1, 1), fields: &[Field::trim("Vehicle.OBD.EGRError", 0)] },
    Pid { pid: 0x2E, bytes: (1, 1), fields: &[Field::percent("Vehicle.OBD.CommandedEVAP", 0)] },
    Pid { pid: 0x2F, bytes: (1, 1), fields: &[Field::percent("Vehicle.OBD.FuelLevel", 0)] },
    Pid { pid: 0x30, bytes: (1, 1), fields: &[Field::plain("Vehicle.OBD.WarmupsSinceDTCClear", "", 0, 1)] },
    Pid { pid: 0x31, bytes: (2, 2), fields: &[Field::plain("Vehicle.OBD.DistanceSinceDTCClear", "km", 0, 2)] },
    Pid { pid: 0x32, bytes: (2, 2), fields: &[Field::signed("Vehicle.OBD.EVAPVaporPressure", "Pa", 0, 2, 1.0, 4.0)] },
    Pid { pid: 0x33, bytes: (1, 1), fields: &[Field::plain("Vehicle.OBD.BarometricPressure", "kPa", 0, 1)] },
    Pid {
        pid: 0x34,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor1.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor1.Current", "A", 2, 2, 1.0, 256000.0, -0.128),
        ],
    },
    Pid {
        pid: 0x35,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor2.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor2.Current", "A", 2, 2, 1.0, 256000.0, -0.128),
        ],
    },
    Pid {
        pid: 0x36,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor3.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor3.Current", "A", 2, 2, 1.0, 256000.0, -0.128),
        ],
    },
    Pid {
        pid: 0x37,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor4.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor4.Current", "A", 2, 2, 1.0, 256000.0, -0.128),
        ],
    },
    Pid {
        pid: 0x38,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor5.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor5.Current", "A", 2, 2, 1.0, 256000.0, -0.128),
        ],
    },
    Pid {
        pid: 0x39,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor6.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor6.Current", "A", 2, 2, 1.0, 256000.0, -0.128),
        ],
    },
    Pid {
        pid: 0x3A,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor7.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor7.Current", "A", 2, 2, 1.0, 256000.0, -0.128),
        ],
    },
    Pid {
        pid: 0x3B,
        bytes: (4, 4),
        fields: &[
            Field::number("Vehicle.OBD.O2WR.Sensor8.Lambda", "", 0, 2, 1.0, 32768.0, 0.0),
            Field::number("Vehicle.OBD.O2WR.Sensor8.Current", "A", 2, 2, 1.0, 256000.0, -0.128),
        ],
    },
    Pid { pid: 0x3C, bytes: (2, 2), fields: &[Field::fine_celsius("Vehicle.OBD.Catalyst.Bank1.Temperature1", 0)] },
    Pid { pid: 0x3D, bytes: (2, 2), fields: &[Field::fine_celsius("Vehicle.OBD.Catalyst.Bank2.Temperature1", 0)] },
    Pid { pid: 0x3E, bytes: (2, 2), fields: &[Field::fine_celsius("Vehicle.OBD.Catalyst.Bank1.Temperature2", 0)] },
    Pid { pid: 0x3F, bytes: (2, 2), fields: &[Field::fine_celsius("Vehicle.OBD.Catalyst.Bank2.Temperature2", 0)] },
    Pid { pid: 0x42, bytes: (2, 2), fields: &[Field::number("Vehicle.OBD.ControlModuleVoltage", "V", 0, 2, 1.0, 1000.0, 0.0)] },
    Pid { pid: 0x43, bytes: (2, 2), fields: &[Field::number("Vehicle.OBD.AbsoluteLoad", "percent", 0, 2, 100.0, 255.0, 0.0)] },
    Pid {
        pid: 0x44,
        bytes: (2, 2),
        fields: &[Field::number("Vehicle.OBD.CommandedEquivalenceRatio", "ratio", 0, 2, 1.0, 32768.0, 0.0)],
    },
    Pid { pid: 0x45, bytes: (1, 1), fields: &[Field::percent("Vehicle.OBD.RelativeThrottlePosition", 0)] },
    Pid { pid: 0x46, bytes: (1, 1), fields: &[Field::celsius("Vehicle.OBD.AmbientAirTemperature", 0)] },
    Pid { pid: 0x47, bytes: (1, 1), fields: &[Field::percent("Vehicle.OBD.ThrottlePositionB", 0)] },
    Pid { pid: 0x48, bytes: (1, 1), fields: &[Field::percent("Vehicle.OBD.ThrottlePositionC", 0)] },
    Pid { pid: 0x49, bytes: (1, 1), fields: &[Field::percent("Vehicle.OBD.AcceleratorPositionD", 0)] },
    Pid { pid: 0x4A, bytes: (1, 1), fields: &[Field::percent("Vehicle.OBD.AcceleratorPositionE", 0)] },
    Pid { pid: 0x4B, bytes: (1, 1), fields: &[Field::percent("Vehicle.OBD.AcceleratorPositionF", 0)] },
    Pid { pid: 0x4C, bytes: (1, 1), fields: &[Field::percent("Vehicle.OBD.ThrottleActuator", 0)] },
    Pid { pid: 0x4D, bytes: (2, 2), fields: &[Field::plain("Vehicle.OBD.RunTimeMIL", "min", 0, 2)] },
    Pid { pid: 0x4E, bytes: (2, 2), fields: &[Field::plain("Vehicle.OBD.TimeSinceDTCCleared", "min", 0, 2)] },
    Pid {
        pid: 0x4F,
        bytes: (4, 4),
        fields: &[
            Field::plain("maximumEquivalenceRatio", "ratio", 0, 1),
            Field::plain("maximumOxygenSensorVoltage", "V", 1, 1),
            Field::plain("maximumOxygenSensorCurrent", "mA", 2, 1),
            Field::number("maximumIntakeManifoldPressure", "kPa", 3, 1, 10.0, 1.0, 0.0),
        ],
    },
    Pid { pid: 0x50, bytes: (4, 4), fields: &[Field::number("Vehicle.OBD.MaxMAF", "g/s", 0, 1, 10.0, 1.0, 0.0)] },
    Pid {
        pid: 0x51,
        bytes: (1, 1),
        fields: &[Field::plain("Vehicle.OBD.FuelType", "", 0, 1), Field::words("fuelTypeName", 0, 8, FUEL_TYPES)],
    },
    Pid { pid: 0x52, bytes: (1, 1), fields: &[Field::percent("Vehicle.OBD.EthanolPercent", 0)] },
    Pid {
        pid: 0x53,
        bytes: (2, 2),
        fields: &[Field::number("Vehicle.OBD.EVAPVaporPressureAbsolute", "kPa", 0, 2, 1.0, 200.0, 0.0)],
    },
    Pid { pid: 0x54, bytes: (2, 2), fields: &[Field::signed("Vehicle.OBD.EVAPVaporPressureAlternate", "Pa", 0, 2, 1.0, 1.0)] },
    Pid {
        pid: 0x55,
        bytes: (1, 2),
        fields: &[Field::trim("Vehicle.OBD.ShortTermO2Trim1", 0), Field::trim("Vehicle.OBD.ShortTermO2Trim3", 1)],
    },
    Pid {
        pid: 0x56,
        bytes: (1, 2),
        fields: &[Field::trim("Vehicle.OBD.LongTermO2Trim1", 0), Field::trim("Vehicle.OBD.LongTermO2Trim3", 1)],
    },
    Pid {
        pid: 0x57,
        bytes: (1, 2),
        fields: &[Field::trim("Vehicle.OBD.ShortTermO2Trim2", 0), Field::trim("Vehicle.OBD.ShortTermO2Trim4", 1)],
    },
    Pid {
        pid: 0x58,
        bytes: (1, 2),
        fields: &[Field::trim("Vehicle.OBD.LongTermO2Trim2", 0), Field::trim("Vehicle.OBD.LongTermO2Trim4", 1)],
    },
    Pid {
        pid: 0x59,
        bytes: (2, 2),
        fields: &[Field::number("Vehicle.OBD.FuelRailPressureAbsolute", "kPa", 0, 2, 10.0, 1.0, 0.0)],
    },
    Pid { pid: 0x5A, bytes: (1, 1), fields: &[Field::percent("Vehicle.OBD.RelativeAcceleratorPosition", 0)] },
    Pid { pid: 0x5B, bytes: (1, 1), fields: &[Field::percent("Vehicle.OBD.HybridBatteryRemaining", 0)] },
    Pid { pid: 0x5C, bytes: (1, 1), fields: &[Field::celsius("Vehicle.OBD.OilTemperature", 0)] },
    Pid {
        pid: 0x5D,
        bytes: (2, 2),
        fields: &[Field::number("Vehicle.OBD.FuelInjectionTiming", "degrees", 0, 2, 1.0, 128.0, -210.0)],
    },
    Pid { pid: 0x5E, bytes: (2, 2), fields: &[Field::number("Vehicle.OBD.FuelRate", "l/h", 0, 2, 1.0, 20.0, 0.0)] },
    Pid { pid: 0x5F, bytes: (1, 1), fields: &[Field::words("emissionRequirements", 0, 8, EMISSIONS)] },
    Pid { pid: 0x61, bytes: (1, 1), fields: &[Field::number("driverDemandTorque", "percent", 0, 1, 1.0, 1.0, -125.0)] },
    Pid { pid: 0x62, bytes: (1, 1), fields: &[Field::number("actualEngineTorque", "percent", 0, 1, 1.0, 1.0, -125.0)] },
    Pid { pid: 0x63, bytes: (2, 2), fields: &[Field::plain("engineReferenceTorque", "Nm", 0, 2)] },
    Pid {
        pid: 0x64,
        bytes: (5, 5),
        fields: &[
            Field::number("engineTorquePoint1", "percent", 0, 1, 1.0, 1.0, -125.0),
            Field::number("engineTorquePoint2", "percent", 1, 1, 1.0, 1.0, -125.0),
            Field::number("engineTorquePoint3", "percent", 2, 1, 1.0, 1.0, -125.0),
            Field::number("engineTorquePoint4", "percent", 3, 1, 1.0, 1.0, -125.0),
            Field::number("engineTorquePoint5", "percent", 4, 1, 1.0, 1.0, -125.0),
        ],
    },
    Pid {
        pid: 0x65,
        bytes: (2, 2),
        fields: &[
            Field::flag("isPtoActiveAuxiliary", 15).if_bit(0),
            Field::flag("isInDrive", 14).if_bit(1),
            Field::flag("isInGear", 13).if_bit(2),
            Field::flag("isGlowPlugLampOn", 12).if_bit(3),
            Field::bits("recommendedGear", 8, 4).if_bit(4),
        ],
    },
    Pid {
        pid: 0x66,
        bytes: (5, 5),
        fields: &[
            Field::number("massAirFlowA", "g/s", 1, 2, 1.0, 32.0, 0.0).if_bit(0),
            Field::number("massAirFlowB", "g/s", 3, 2, 1.0, 32.0, 0.0).if_bit(1),
        ],
    },
    Pid {
        pid: 0x67,
        bytes: (3, 3),
        fields: &[
            Field::celsius("engineCoolantTemperature1", 1).if_bit(0),
            Field::celsius("engineCoolantTemperature2", 2).if_bit(1),
        ],
    },
    Pid {
        pid: 0x68,
        bytes: (7, 7),
        fields: &[
            Field::celsius("intakeAirTemperatureBank1Sensor1", 1).if_bit(0),
            Field::celsius("intakeAirTemperatureBank1Sensor2", 2).if_bit(1),
            Field::celsius("intakeAirTemperatureBank1Sensor3", 3).if_bit(2),
            Field::celsius("intakeAirTemperatureBank2Sensor1", 4).if_bit(3),
            Field::celsius("intakeAirTemperatureBank2Sensor2", 5).if_bit(4),
            Field::celsius("intakeAirTemperatureBank2Sensor3", 6).if_bit(5),
        ],
    },
    Pid {
        pid: 0x69,
        bytes: (7, 7),
        fields: &[
            Field::percent("commandedEgrA", 1).if_bit(0),
            Field::percent("actualEgrA", 2).if_bit(1),
            Field::trim("egrErrorA", 3).if_bit(2),
            Field::percent("commandedEgrB", 4).if_bit(3),
            Field::percent("actualEgrB", 5).if_bit(4),
            Field::trim("egrErrorB", 6).if_bit(5),
        ],
    },
    Pid {
        pid: 0x6A,
        bytes: (5, 5),
        fields: &[
            Field::percent("commandedIntakeAirFlowA", 1).if_bit(0),
            Field::percent("relativeIntakeAirFlowA", 2).if_bit(1),
            Field::percent("commandedIntakeAirFlowB", 3).if_bit(2),
            Field::percent("relativeIntakeAirFlowB", 4).if_bit(3),
        ],
    },
    Pid {
        pid: 0x6B,
        bytes: (5, 5),
        fields: &[
            Field::celsius("egrTemperatureBank1Sensor1", 1).if_bit(0),
            Field::celsius("egrTemperatureBank1Sensor2", 2).if_bit(1),
            Field::celsius("egrTemperatureBank2Sensor1", 3).if_bit(2),
            Field::celsius("egrTemperatureBank2Sensor2", 4).if_bit(3),
            Field::number("egrTemperatureWideBank1Sensor1", "celsius", 1, 1, 4.0, 1.0, -40.0).if_bit(4),
            Field::number("egrTemperatureWideBank1Sensor2", "celsius", 2, 1, 4.0, 1.0, -40.0).if_bit(5),
            Field::number("egrTemperatureWideBank2Sensor1", "celsius", 3, 1, 4.0, 1.0, -40.0).if_bit(6),
            Field::number("egrTemperatureWideBank2Sensor2", "celsius", 4, 1, 4.0, 1.0, -40.0).if_bit(7),
        ],
    },
    Pid {
        pid: 0x6C,
        bytes: (5, 5),
        fields: &[
            Field::percent("commandedThrottleActuatorA", 1).if_bit(0),
            Field::percent("relativeThrottlePositionA", 2).if_bit(1),
            Field::percent("commandedThrottleActuatorB", 3).if_bit(2),
            Field::percent("relativeThrottlePositionB", 4).if_bit(3),
        ],
    },
    Pid {
        pid: 0x6D,
        bytes: (11, 11),
        fields: &[
            Field::number("commandedFuelRailPressureA", "kPa", 1, 2, 10.0, 1.0, 0.0).if_bit(0),
            Field::number("fuelRailPressureA", "kPa", 3, 2, 10.0, 1.0, 0.0).if_bit(1),
            Field::celsius("fuelRailTemperatureA", 5).if_bit(2),
            Field::number("commandedFuelRailPressureB", "kPa", 6, 2, 10.0, 1.0, 0.0).if_bit(3),
            Field::number("fuelRailPressureB", "kPa", 8, 2, 10.0, 1.0, 0.0).if_bit(4),
            Field::celsius("fuelRailTemperatureB", 10).if_bit(5),
        ],
    },
    Pid {
        pid: 0x6E,
        bytes: (9, 9),
        fields: &[
            Field::number("commandedInjectionControlPressureA", "kPa", 1, 2, 10.0, 1.0, 0.0).if_bit(0),
            Field::number("injectionControlPressureA", "kPa", 3, 2, 10.0, 1.0, 0.0).if_bit(1),
            Field::number("commandedInjectionControlPressureB", "kPa", 5, 2, 10.0, 1.0, 0.0).if_bit(2),
            Field::number("injectionControlPressureB", "kPa", 7, 2, 10.0, 1.0, 0.0).if_bit(3),
        ],
    },
    Pid { pid: 0x6F, bytes: (3, 3), fields: &[] },
    Pid {
        pid: 0x70,
        bytes: (10, 10),
        fields: &[
            Field::number("commandedBoostPressureA", "kPa", 1, 2, 1.0, 32.0, 0.0).if_bit(0),
            Field::number("boostPressureA", "kPa", 3, 2, 1.0, 32.0, 0.0).if_bit(1),
            Field::words("boostControlA", 78, 2, LOOPS).if_bit(2),
            Field::number("commandedBoostPressureB", "kPa", 5, 2, 1.0, 32.0, 0.0).if_bit(3),
            Field::number("boostPressureB", "kPa", 7, 2, 1.0, 32.0, 0.0).if_bit(4),
            Field::words("boostControlB", 76, 2, LOOPS).if_bit(5),
        ],
    },
    Pid {
        pid: 0x71,
        bytes: (6, 6),
        fields: &[
            Field::percent("commandedTurboGeometryA", 1).if_bit(0),
            Field::percent("turboGeometryA", 2).if_bit(1),
            Field::words("turboGeometryControlA", 46, 2, LOOPS).if_bit(2),
            Field::percent("commandedTurboGeometryB", 3).if_bit(3),
            Field::percent("turboGeometryB", 4).if_bit(4),
            Field::words("turboGeometryControlB", 44, 2, LOOPS).if_bit(5),
        ],
    },
    Pid {
        pid: 0x72,
        bytes: (5, 5),
        fields: &[
            Field::percent("commandedWastegateA", 1).if_bit(0),
            Field::percent("wastegateA", 2).if_bit(1),
            Field::percent("commandedWastegateB", 3).if_bit(2),
            Field::percent("wastegateB", 4).if_bit(3),
        ],
    },
    Pid {
        pid: 0x73,
        bytes: (5, 5),
        fields: &[
            Field::number("exhaustPressureBank1", "kPa", 1, 2, 1.0, 100.0, 0.0).if_bit(0),
            Field::number("exhaustPressureBank2", "kPa", 3, 2, 1.0, 100.0, 0.0).if_bit(1),
        ],
    },
    Pid { pid: 0x74, bytes: (5, 5), fields: &[] },
    Pid { pid: 0x75, bytes: (7, 7), fields: &[] },
    Pid { pid: 0x76, bytes: (7, 7), fields: &[] },
    Pid {
        pid: 0x77,
        bytes: (5, 5),
        fields: &[
            Field::celsius("chargeAirTemperatureBank1Sensor1", 1).if_bit(0),
            Field::celsius("chargeAirTemperatureBank1Sensor2", 2).if_bit(1),
            Field::celsius("chargeAirTemperatureBank2Sensor1", 3).if_bit(2),
            Field::celsius("chargeAirTemperatureBank2Sensor2", 4).if_bit(3),
        ],
    },
    Pid {
        pid: 0x78,
        bytes: (9, 9),
        fields: &[
            Field::fine_celsius("exhaustGasTemperatureBank1Sensor1", 1).if_bit(0),
            Field::fine_celsius("exhaustGasTemperatureBank1Sensor2", 3).if_bit(1),
            Field::fine_celsius("exhaustGasTemperatureBank1Sensor3", 5).if_bit(2),
            Field::fine_celsius("exhaustGasTemperatureBank1Sensor4", 7).if_bit(3),
        ],
    },
    Pid {
        pid: 0x79,
        bytes: (9, 9),
        fields: &[
            Field::fine_celsius("exhaustGasTemperatureBank2Sensor1", 1).if_bit(0),
            Field::fine_celsius("exhaustGasTemperatureBank2Sensor2", 3).if_bit(1),
            Field::fine_celsius("exhaustGasTemperatureBank2Sensor3", 5).if_bit(2),
            Field::fine_celsius("exhaustGasTemperatureBank2Sensor4", 7).if_bit(3),
        ],
    },
    Pid {
        pid: 0x7A,
        bytes: (7, 7),
        fields: &[
            Field::signed("particulateFilterDeltaPressureBank1", "kPa", 1, 2, 1.0, 100.0).if_bit(0),
            Field::number("particulateFilterInletPressureBank1", "kPa", 3, 2, 1.0, 100.0, 0.0).if_bit(1),
            Field::number("particulateFilterOutletPressureBank1", "kPa", 5, 2, 1.0, 100.0, 0.0).if_bit(2),
        ],
    },
    Pid {
        pid: 0x7B,
        bytes: (7, 7),
        fields: &[
            Field::signed("particulateFilterDeltaPressureBank2", "kPa", 1, 2, 1.0, 100.0).if_bit(0),
            Field::number("particulateFilterInletPressureBank2", "kPa", 3, 2, 1.0, 100.0, 0.0).if_bit(1),
            Field::number("particulateFilterOutletPressureBank2", "kPa", 5, 2, 1.0, 100.0, 0.0).if_bit(2),
        ],
    },
    Pid {
        pid: 0x7C,
        bytes: (9, 9),
        fields: &[
            Field::fine_celsius("particulateFilterInletTemperatureBank1", 1).if_bit(0),
            Field::fine_celsius("particulateFilterOutletTemperatureBank1", 3).if_bit(1),
            Field::fine_celsius("particulateFilterInletTemperatureBank2", 5).if_bit(2),
            Field::fine_celsius("particulateFilterOutletTemperatureBank2", 7).if_bit(3),
        ],
    },
    Pid { pid: 0x7D, bytes: (1, 1), fields: &[] },
    Pid { pid: 0x7E, bytes: (1, 1), fields: &[] },
    Pid {
        pid: 0x7F,
        bytes: (13, 13),
        fields: &[
            Field::plain("engineRunTime", "s", 1, 4).if_bit(0),
            Field::plain("engineIdleTime", "s", 5, 4).if_bit(1),
            Field::plain("ptoTime", "s", 9, 4).if_bit(2),
        ],
    },
    Pid { pid: 0x81, bytes: (41, 41), fields: &[] },
    Pid { pid: 0x82, bytes: (41, 41), fields: &[] },
    Pid {
        pid: 0x83,
        bytes: (9, 9),
        fields: &[
            Field::plain("noxConcentrationBank1Sensor1", "ppm", 1, 2).if_bit(0),
            Field::plain("noxConcentrationBank1Sensor2", "ppm", 3, 2).if_bit(1),
            Field::plain("noxConcentrationBank2Sensor1", "ppm", 5, 2).if_bit(2),
            Field::plain("noxConcentrationBank2Sensor2", "ppm", 7, 2).if_bit(3),
        ],
    },
    Pid { pid: 0x84, bytes: (1, 1), fields: &[Field::celsius("manifoldSurfaceTemperature", 0)] },
    Pid {
        pid: 0x85,
        bytes: (10, 10),
        fields: &[
            Field::number("reagentRate", "l/h", 1, 2, 1.0, 200.0, 0.0).if_bit(0),
            Field::number("reagentDemand", "l/h", 3, 2, 1.0, 200.0, 0.0).if_bit(1),
            Field::percent("reagentLevel", 5).if_bit(2),
            Field::plain("noxWarningTime", "s", 6, 4).if_bit(3),
        ],
    },
    Pid {
        pid: 0x86,
        bytes: (5, 5),
        fields: &[
            Field::number("particulateMatterBank1", "mg/m^3", 1, 2, 1.0, 80.0, 0.0).if_bit(0),
            Field::number("particulateMatterBank2", "mg/m^3", 3, 2, 1.0, 80.0, 0.0).if_bit(1),
        ],
    },
    Pid {
        pid: 0x87,
        bytes: (5, 5),
        fields: &[
            Field::number("intakeManifoldPressureA", "kPa", 1, 2, 1.0, 32.0, 0.0).if_bit(0),
            Field::number("intakeManifoldPressureB", "kPa", 3, 2, 1.0, 32.0, 0.0).if_bit(1),
        ],
    },
    Pid { pid: 0x88, bytes: (13, 13), fields: &[] },
    Pid { pid: 0x89, bytes: (41, 41), fields: &[] },
    Pid { pid: 0x8A, bytes: (41, 41), fields: &[] },
    Pid { pid: 0x8B, bytes: (7, 7), fields: &[] },
    Pid { pid: 0x8C, bytes: (17, 17), fields: &[] },
    Pid { pid: 0x8D, bytes: (1, 1), fields: &[Field::percent("throttlePositionG", 0)] },
    Pid { pid: 0x8E, bytes: (1, 1), fields: &[Field::number("engineFrictionTorque", "percent", 0, 1, 1.0, 1.0, -125.0)] },
    Pid { pid: 0x8F, bytes: (7, 7), fields: &[] },
    Pid { pid: 0x90, bytes: (3, 3), fields: &[] },
    Pid { pid: 0x91, bytes: (5, 5), fields: &[] },
    Pid { pid: 0x92, bytes: (2, 2), fields: &[] },
    Pid { pid: 0x93, bytes: (3, 3), fields: &[] },
    Pid { pid: 0x94, bytes: (12, 12), fields: &[] },
    Pid {
        pid: 0x98,
        bytes: (9, 9),
        fields: &[
            Field::fine_celsius("exhaustGasTemperatureBank1Sensor5", 1).if_bit(0),
            Field::fine_celsius("exhaustGasTemperatureBank1Sensor6", 3).if_bit(1),
            Field::fine_celsius("exhaustGasTemperatureBank1Sensor7", 5).if_bit(2),
            Field::fine_celsius("exhaustGasTemperatureBank1Sensor8", 7).if_bit(3),
        ],
    },
    Pid {
        pid: 0x99,
        bytes: (9, 9),
        fields: &[
            Field::fine_celsius("exhaustGasTemperatureBank2Sensor5", 1).if_bit(0),
            Field::fine_celsius("exhaustGasTemperatureBank2Sensor6", 3).if_bit(1),
            Field::fine_celsius("exhaustGasTemperatureBank2Sensor7", 5).if_bit(2),
            Field::fine_celsius("exhaustGasTemperatureBank2Sensor8", 7).if_bit(3),
        ],
    },
    Pid {
        pid: 0x9A,
        bytes: (6, 6),
        fields: &[
            Field::number("hybridBatteryVoltage", "V", 2, 2, 1.0, 64.0, 0.0).if_bit(1),
            Field::signed("hybridBatteryCurrent", "A", 4, 2, 1.0, 10.0).if_bit(2),
        ],
    },
    Pid { pid: 0x9B, bytes: (4, 4), fields: &[] },
    Pid { pid: 0x9C, bytes: (17, 17), fields: &[] },
    Pid {
        pid: 0x9D,
        bytes: (4, 4),
        fields: &[
            Field::number("engineFuelRate", "g/s", 0, 2, 1.0, 50.0, 0.0),
            Field::number("vehicleFuelRate", "g/s", 2, 2, 1.0, 50.0, 0.0),
        ],
    },
    Pid { pid: 0x9E, bytes: (2, 2), fields: &[Field::number("exhaustFlowRate", "kg/h", 0, 2, 1.0, 5.0, 0.0)] },
    Pid {
        pid: 0x9F,
        bytes: (9, 9),
        fields: &[
            Field::percent("fuelSystemAUseBank1", 1).if_bit(0),
            Field::percent("fuelSystemBUseBank1", 2).if_bit(1),
            Field::percent("fuelSystemAUseBank2", 3).if_bit(2),
            Field::percent("fuelSystemBUseBank2", 4).if_bit(3),
            Field::percent("fuelSystemAUseBank3", 5).if_bit(4),
            Field::percent("fuelSystemBUseBank3", 6).if_bit(5),
            Field::percent("fuelSystemAUseBank4", 7).if_bit(6),
            Field::percent("fuelSystemBUseBank4", 8).if_bit(7),
        ],
    },
    Pid {
        pid: 0xA1,
        bytes: (9, 9),
        fields: &[
            Field::plain("noxConcentrationCorrectedBank1Sensor1", "ppm", 1, 2).if_bit(0),
            Field::plain("noxConcentrationCorrectedBank1Sensor2", "ppm", 3, 2).if_bit(1),
            Field::plain("noxConcentrationCorrectedBank2Sensor1", "ppm", 5, 2).if_bit(2),
            Field::plain("noxConcentrationCorrectedBank2Sensor2", "ppm", 7, 2).if_bit(3),
        ],
    },
    Pid { pid: 0xA2, bytes: (2, 2), fields: &[Field::number("cylinderFuelRate", "mg/stroke", 0, 2, 1.0, 32.0, 0.0)] },
    Pid { pid: 0xA3, bytes: (9, 9), fields: &[] },
    Pid {
        pid: 0xA4,
        bytes: (4, 4),
        fields: &[
            Field::bits("actualGear", 8, 4).if_bit(0),
            Field::number("actualGearRatio", "ratio", 2, 2, 1.0, 1000.0, 0.0).if_bit(1),
        ],
    },
    Pid { pid: 0xA5, bytes: (4, 4), fields: &[Field::number("commandedDefDosing", "percent", 1, 1, 1.0, 2.0, 0.0).if_bit(0)] },
    Pid { pid: 0xA6, bytes: (4, 4), fields: &[Field::number("odometer", "km", 0, 4, 1.0, 10.0, 0.0)] },
    Pid { pid: 0xA9, bytes: (4, 4), fields: &[Field::flag("isAbsSwitchedOff", 15).if_bit(0)] },
    Pid { pid: 0xAA, bytes: (1, 1), fields: &[Field::plain("speedLimiterSetting", "km/h", 0, 1)] },
    Pid { pid: 0xB2, bytes: (1, 1), fields: &[Field::percent("hybridBatteryHealth", 0)] },
    Pid {
        pid: 0xD2,
        bytes: (3, 3),
        fields: &[Field::percent("certifiedEnergyHealth", 1).if_bit(0), Field::percent("certifiedRangeHealth", 2).if_bit(1)],
    },
    Pid { pid: 0xD3, bytes: (4, 4), fields: &[Field::number("engineOdometer", "km", 0, 4, 1.0, 10.0, 0.0)] },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_every_field_lies_in_its_bytes() {
        assert!(PIDS.windows(2).all(|pair| pair[0].pid < pair[1].pid));
        for row in PIDS {
            let unsound = row.fields.iter().find(|field| !field.is_sound(row.bytes.1.into()));
            assert!(unsound.is_none(), "{:02X}: {unsound:?}", row.pid);
        }
    }
}

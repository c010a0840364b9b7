//! The self-tests of an engine (SAE J1979: PID 01 since the codes were cleared, PID 41 of this driving cycle).

/// The lamp, the number of codes and the monitors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitors {
    /// Whether the lamp is commanded on; PID 01 only.
    pub mil: Option<bool>,
    /// How many confirmed codes there are; PID 01 only.
    pub count: Option<u8>,
    /// Whether the monitors are those of a diesel (compression ignition).
    pub compression: bool,
    /// Each monitor that the car has (PID 41: that runs in this cycle), and whether it is complete.
    pub monitors: Vec<(&'static str, bool)>,
}

const CONTINUOUS: [&str; 3] = ["misfire", "fuelSystem", "components"];

/// Of engines with spark ignition, from bit 0. Bit 4 was the refrigerant of the air conditioning before 2015.
const SPARK: [&str; 8] = [
    "catalyst",
    "heatedCatalyst",
    "evaporativeSystem",
    "secondaryAir",
    "particulateFilterOrRefrigerant",
    "oxygenSensor",
    "oxygenSensorHeater",
    "egrOrVvt",
];

/// Of diesels, from bit 0. Bits 2 and 4 are reserved.
const COMPRESSION: [&str; 8] =
    ["nmhcCatalyst", "noxAftertreatment", "", "boostPressure", "", "exhaustGasSensor", "particulateFilter", "egrOrVvt"];

impl Monitors {
    /// Reads the four bytes of PID 01, or of PID 41.
    pub fn decode([a, b, c, d]: [u8; 4], since_clear: bool) -> Monitors {
        let compression = b & 0x08 != 0;
        let trip = if compression { COMPRESSION } else { SPARK };
        let of = |names: &[&'static str], has: u8, waiting: u8| -> Vec<(&'static str, bool)> {
            let each = names.iter().enumerate().filter(move |(bit, name)| has >> bit & 1 == 1 && !name.is_empty());
            each.map(|(bit, name)| (*name, waiting >> bit & 1 == 0)).collect()
        };
        let mut monitors = of(&CONTINUOUS, b & 0x07, b >> 4);
        monitors.extend(of(&trip, c, d));
        Monitors { mil: since_clear.then_some(a & 0x80 != 0), count: since_clear.then_some(a & 0x7F), compression, monitors }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spark_and_compression_have_different_monitors() {
        let petrol = Monitors::decode([0x83, 0x07, 0x65, 0x04], true);
        assert_eq!((petrol.mil, petrol.count, petrol.compression), (Some(true), Some(3), false));
        let names =
            ["misfire", "fuelSystem", "components", "catalyst", "evaporativeSystem", "oxygenSensor", "oxygenSensorHeater"];
        assert_eq!(petrol.monitors, names.map(|name| (name, name != "evaporativeSystem")));
        let diesel = Monitors::decode([0x00, 0x1C, 0xEF, 0x40], false);
        assert_eq!((diesel.mil, diesel.count, diesel.compression), (None, None, true));
        let names = [
            "components",
            "nmhcCatalyst",
            "noxAftertreatment",
            "boostPressure",
            "exhaustGasSensor",
            "particulateFilter",
            "egrOrVvt",
        ];
        assert_eq!(diesel.monitors, names.map(|name| (name, name != "particulateFilter")));
        assert_eq!(Monitors::decode([0x00, 0x10, 0, 0], true).monitors, [], "a monitor that it has not cannot be waited for");
    }
}

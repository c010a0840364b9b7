//! The signals that Telltale knows, by their paths in the Vehicle Signal Specification (COVESA VSS 5).
//!
//! VSS knows no rear occupant, so three paths are an overlay of our own: `Vehicle.Cabin.RearOccupant.IsDetected` (a
//! direct sensor: radar, UWB, camera, CO2, a child seat's own), `Vehicle.Cabin.RearOccupant.IsMoving`, and
//! `Vehicle.Cabin.IsLocked` where the car tells only of the whole.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What values a signal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datatype {
    /// `true` or `false`.
    Bool,
    /// A number in the signal's unit.
    Number,
    /// One of some words, in capitals.
    Word,
}

macro_rules! signals {
    ($($name:ident = $path:literal, $datatype:ident, $unit:literal;)*) => {
        /// One leaf of the specification. Units are part of the definition: see [`Signal::unit`].
        #[allow(missing_docs, reason = "the path says it")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Signal {
            $($name,)*
        }

        impl Signal {
            /// Every signal, in order of its discriminant.
            pub const ALL: &'static [Signal] = &[$(Signal::$name,)*];

            /// The full path.
            pub const fn path(self) -> &'static str {
                match self { $(Signal::$name => $path,)* }
            }

            /// What values it has.
            pub const fn datatype(self) -> Datatype {
                match self { $(Signal::$name => Datatype::$datatype,)* }
            }

            /// The unit of its numbers as VSS spells it, empty where there is none.
            pub const fn unit(self) -> &'static str {
                match self { $(Signal::$name => $unit,)* }
            }
        }
    };
}

signals! {
    Speed = "Vehicle.Speed", Number, "km/h";
    LowVoltageSystemState = "Vehicle.LowVoltageSystemState", Word, "";
    LowVoltageBatteryCurrentVoltage = "Vehicle.LowVoltageBattery.CurrentVoltage", Number, "V";
    CabinIsLocked = "Vehicle.Cabin.IsLocked", Bool, "";
    CabinDoorRow1DriverSideIsOpen = "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen", Bool, "";
    CabinDoorRow1DriverSideIsLocked = "Vehicle.Cabin.Door.Row1.DriverSide.IsLocked", Bool, "";
    CabinDoorRow1PassengerSideIsOpen = "Vehicle.Cabin.Door.Row1.PassengerSide.IsOpen", Bool, "";
    CabinDoorRow1PassengerSideIsLocked = "Vehicle.Cabin.Door.Row1.PassengerSide.IsLocked", Bool, "";
    CabinDoorRow2DriverSideIsOpen = "Vehicle.Cabin.Door.Row2.DriverSide.IsOpen", Bool, "";
    CabinDoorRow2DriverSideIsLocked = "Vehicle.Cabin.Door.Row2.DriverSide.IsLocked", Bool, "";
    CabinDoorRow2PassengerSideIsOpen = "Vehicle.Cabin.Door.Row2.PassengerSide.IsOpen", Bool, "";
    CabinDoorRow2PassengerSideIsLocked = "Vehicle.Cabin.Door.Row2.PassengerSide.IsLocked", Bool, "";
    CabinDoorRow3DriverSideIsOpen = "Vehicle.Cabin.Door.Row3.DriverSide.IsOpen", Bool, "";
    CabinDoorRow3DriverSideIsLocked = "Vehicle.Cabin.Door.Row3.DriverSide.IsLocked", Bool, "";
    CabinDoorRow3PassengerSideIsOpen = "Vehicle.Cabin.Door.Row3.PassengerSide.IsOpen", Bool, "";
    CabinDoorRow3PassengerSideIsLocked = "Vehicle.Cabin.Door.Row3.PassengerSide.IsLocked", Bool, "";
    CabinSeatRow1DriverSideIsOccupied = "Vehicle.Cabin.Seat.Row1.DriverSide.IsOccupied", Bool, "";
    CabinSeatRow1DriverSideIsBelted = "Vehicle.Cabin.Seat.Row1.DriverSide.IsBelted", Bool, "";
    CabinSeatRow1MiddleIsOccupied = "Vehicle.Cabin.Seat.Row1.Middle.IsOccupied", Bool, "";
    CabinSeatRow1MiddleIsBelted = "Vehicle.Cabin.Seat.Row1.Middle.IsBelted", Bool, "";
    CabinSeatRow1PassengerSideIsOccupied = "Vehicle.Cabin.Seat.Row1.PassengerSide.IsOccupied", Bool, "";
    CabinSeatRow1PassengerSideIsBelted = "Vehicle.Cabin.Seat.Row1.PassengerSide.IsBelted", Bool, "";
    CabinSeatRow2DriverSideIsOccupied = "Vehicle.Cabin.Seat.Row2.DriverSide.IsOccupied", Bool, "";
    CabinSeatRow2DriverSideIsBelted = "Vehicle.Cabin.Seat.Row2.DriverSide.IsBelted", Bool, "";
    CabinSeatRow2MiddleIsOccupied = "Vehicle.Cabin.Seat.Row2.Middle.IsOccupied", Bool, "";
    CabinSeatRow2MiddleIsBelted = "Vehicle.Cabin.Seat.Row2.Middle.IsBelted", Bool, "";
    CabinSeatRow2PassengerSideIsOccupied = "Vehicle.Cabin.Seat.Row2.PassengerSide.IsOccupied", Bool, "";
    CabinSeatRow2PassengerSideIsBelted = "Vehicle.Cabin.Seat.Row2.PassengerSide.IsBelted", Bool, "";
    CabinSeatRow3DriverSideIsOccupied = "Vehicle.Cabin.Seat.Row3.DriverSide.IsOccupied", Bool, "";
    CabinSeatRow3DriverSideIsBelted = "Vehicle.Cabin.Seat.Row3.DriverSide.IsBelted", Bool, "";
    CabinSeatRow3MiddleIsOccupied = "Vehicle.Cabin.Seat.Row3.Middle.IsOccupied", Bool, "";
    CabinSeatRow3MiddleIsBelted = "Vehicle.Cabin.Seat.Row3.Middle.IsBelted", Bool, "";
    CabinSeatRow3PassengerSideIsOccupied = "Vehicle.Cabin.Seat.Row3.PassengerSide.IsOccupied", Bool, "";
    CabinSeatRow3PassengerSideIsBelted = "Vehicle.Cabin.Seat.Row3.PassengerSide.IsBelted", Bool, "";
    CabinRearOccupantIsDetected = "Vehicle.Cabin.RearOccupant.IsDetected", Bool, "";
    CabinRearOccupantIsMoving = "Vehicle.Cabin.RearOccupant.IsMoving", Bool, "";
    CabinHVACAmbientAirTemperature = "Vehicle.Cabin.HVAC.AmbientAirTemperature", Number, "celsius";
    ExteriorAirTemperature = "Vehicle.Exterior.AirTemperature", Number, "celsius";
    BodyTrunkRearIsOpen = "Vehicle.Body.Trunk.Rear.IsOpen", Bool, "";
    BodyHoodIsOpen = "Vehicle.Body.Hood.IsOpen", Bool, "";
    PowertrainCombustionEngineEngineCoolantTemperature = "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature", Number, "celsius";
    PowertrainCombustionEngineSpeed = "Vehicle.Powertrain.CombustionEngine.Speed", Number, "rpm";
    TraveledDistance = "Vehicle.TraveledDistance", Number, "km";
}

impl Signal {
    /// The signal of this VSS 5 path.
    pub fn from_path(path: &str) -> Option<Signal> {
        Signal::ALL.iter().copied().find(|signal| signal.path() == path)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

impl Serialize for Signal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.path())
    }
}

impl<'de> Deserialize<'de> for Signal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Signal, D::Error> {
        let path = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Signal::from_path(&path).ok_or_else(|| serde::de::Error::custom(format!("no such signal: {path}")))
    }
}

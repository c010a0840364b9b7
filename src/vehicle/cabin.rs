//! The doors, seats and belts of a cabin as lists of signals. Trunk and hood are no doors; rows 2 and 3 are the rear.

use super::Signal;
use super::Signal::*;

/// The door that the driver leaves by.
pub const DRIVER_DOOR: Signal = CabinDoorRow1DriverSideIsOpen;

/// Every door.
pub const DOORS: [Signal; 6] = [
    CabinDoorRow1DriverSideIsOpen,
    CabinDoorRow1PassengerSideIsOpen,
    CabinDoorRow2DriverSideIsOpen,
    CabinDoorRow2PassengerSideIsOpen,
    CabinDoorRow3DriverSideIsOpen,
    CabinDoorRow3PassengerSideIsOpen,
];

/// The doors beside which a child sits.
pub const REAR_DOORS: [Signal; 4] = [
    CabinDoorRow2DriverSideIsOpen,
    CabinDoorRow2PassengerSideIsOpen,
    CabinDoorRow3DriverSideIsOpen,
    CabinDoorRow3PassengerSideIsOpen,
];

/// The locks of all doors.
pub const DOOR_LOCKS: [Signal; 6] = [
    CabinDoorRow1DriverSideIsLocked,
    CabinDoorRow1PassengerSideIsLocked,
    CabinDoorRow2DriverSideIsLocked,
    CabinDoorRow2PassengerSideIsLocked,
    CabinDoorRow3DriverSideIsLocked,
    CabinDoorRow3PassengerSideIsLocked,
];

/// Whether somebody sits there, for each rear seat.
pub const REAR_SEATS: [Signal; 6] = [
    CabinSeatRow2DriverSideIsOccupied,
    CabinSeatRow2MiddleIsOccupied,
    CabinSeatRow2PassengerSideIsOccupied,
    CabinSeatRow3DriverSideIsOccupied,
    CabinSeatRow3MiddleIsOccupied,
    CabinSeatRow3PassengerSideIsOccupied,
];

/// Whether the belt is closed, for each rear seat.
pub const REAR_BELTS: [Signal; 6] = [
    CabinSeatRow2DriverSideIsBelted,
    CabinSeatRow2MiddleIsBelted,
    CabinSeatRow2PassengerSideIsBelted,
    CabinSeatRow3DriverSideIsBelted,
    CabinSeatRow3MiddleIsBelted,
    CabinSeatRow3PassengerSideIsBelted,
];

/// Whether `signal` is the opening of a door.
pub fn is_door(signal: Signal) -> bool {
    DOORS.contains(&signal)
}

/// Whether `signal` is a lock, of a door or of the whole.
pub fn is_lock(signal: Signal) -> bool {
    signal == CabinIsLocked || DOOR_LOCKS.contains(&signal)
}

/// Whether `signal` keeps its last value while its bus is asleep: doors, lock, rear seats, belts and ignition.
pub fn keeps_asleep(signal: Signal) -> bool {
    let belts_of_row_1 = [CabinSeatRow1DriverSideIsBelted, CabinSeatRow1MiddleIsBelted, CabinSeatRow1PassengerSideIsBelted];
    signal == LowVoltageSystemState
        || is_door(signal)
        || is_lock(signal)
        || REAR_SEATS.contains(&signal)
        || REAR_BELTS.contains(&signal)
        || belts_of_row_1.contains(&signal)
}

/// Whether `signal` is a rear-occupant sensor's word.
pub fn is_rear_occupant(signal: Signal) -> bool {
    matches!(signal, CabinRearOccupantIsDetected | CabinRearOccupantIsMoving)
}

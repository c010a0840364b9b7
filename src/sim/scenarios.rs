//! The stories. They read from top to bottom; seconds stand beside what happens, and under a step what it makes a
//! gateway tell, with the numbers of `detection.md`.

use super::ecus::{CLEARS, Fault, SESSION_AND_CLEARS, Script};
use super::story::{Act, Climate, Door, Incident, Key, Ordeal, Scenario, Seat, Step, Telling, step};
use super::town;
use crate::event::{ChildStage, Confidence, EventType, Verdict};

use Act::{
    Buckle, Close, CreepIn, CreepOut, Drive, Leave, LightsOff, LightsOn, Lock, Open, Sit, Tow, Turn, Unbuckle, Unlock, Wait,
};
use Telling::{Cleared, Enter, Exit, Left, LeftInHeat};

/// The scenarios; the first is the one that `telltale demo` tells unless asked for another.
pub static SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "school-run-forgotten",
        about: "past the school instead of to it: a child stays in the locked car at the office until the driver comes back",
        climate: MILD,
        sensor_works: true,
        story: &[
            CHILD_IS_PUT_IN,
            DRIVER_GETS_IN,
            START_THE_ENGINE,
            PAST_THE_SCHOOL_MISFIRING,
            STOP,
            DRIVER_IS_REMINDED,
            &[step(Lock, 98.0)
                .tells(&[Left(ChildStage::Initial, Confidence::Direct), Left(ChildStage::Escalated, Confidence::Direct)])],
            COMES_BACK_TO_THE_CHILD,
            DRIVER_GETS_IN,
            START_THE_ENGINE_AND_CLEAR_CODES,
            HOME,
            STOP,
            DRIVER_IS_REMINDED,
            CHILD_IS_TAKEN_OUT,
            LOCKED_AT_HOME,
        ],
        may: &[],
    },
    Scenario {
        name: "all-is-well",
        about: "the same morning as it should be: the child gets out at the school, and nothing is said of it",
        climate: MILD,
        sensor_works: true,
        story: &[
            CHILD_IS_PUT_IN,
            DRIVER_GETS_IN,
            START_THE_ENGINE,
            &[step(Drive(&town::HOME_TO_SCHOOL), 2.0).tells(&[TRIP_START, Exit("home"), Enter("school")])],
            STOP,
            DRIVER_IS_REMINDED,
            CHILD_IS_TAKEN_OUT,
            DRIVER_GETS_IN,
            START_THE_ENGINE,
            &[step(Drive(&town::SCHOOL_TO_OFFICE), 2.0).tells(&[TRIP_START, Exit("school"), Enter("office")])],
            STOP,
            DRIVER_GETS_OUT,
            &[step(Lock, 75.0), step(Unlock, 2.0)],
            DRIVER_GETS_IN,
            START_THE_ENGINE,
            HOME,
            STOP,
            DRIVER_GETS_OUT,
            LOCKED_AT_HOME,
        ],
        // The rear door was open before the drive to the office: a reason to remind, none to warn.
        may: &[REMINDER],
    },
    Scenario {
        name: "sensor-only",
        about: "a child asleep in the footwell: no seat, no belt and no rear door tells of it, only the cabin sensor",
        climate: MILD,
        sensor_works: true,
        story: &[
            &[
                step(Wait, 1.0),
                step(Unlock, 1.0),
                step(Open(Door::Driver), 2.0),
                step(CreepIn, 2.0),
                step(Sit(Seat::Driver), 1.0),
            ],
            &[step(Close(Door::Driver), 1.0), step(Buckle(Seat::Driver), 1.0)],
            START_THE_ENGINE,
            PAST_THE_SCHOOL,
            STOP,
            DRIVER_IS_REMINDED,
            &[
                step(Lock, 98.0)
                    .tells(&[Left(ChildStage::Initial, Confidence::Direct), Left(ChildStage::Escalated, Confidence::Direct)]),
                step(Unlock, 2.0),
                step(Open(Door::Driver), 2.0),
                step(Sit(Seat::Driver), 1.0),
                step(Close(Door::Driver), 1.0),
                step(Buckle(Seat::Driver), 1.0),
                step(Turn(Key::On), 1.0).tells(&[Cleared(Verdict::DriverReturned)]),
                step(Turn(Key::Start), 0.8),
                step(Turn(Key::On), 1.5),
            ],
            HOME,
            STOP,
            &[
                step(Unbuckle(Seat::Driver), 1.0),
                step(Open(Door::Driver), 2.0).tells(&[REMINDER]),
                step(Leave(Seat::Driver), 2.0),
                step(CreepOut, 6.0),
                step(Close(Door::Driver), 2.0),
            ],
            LOCKED_AT_HOME,
        ],
        may: &[],
    },
    Scenario {
        name: "doors-only",
        about: "the cabin sensor is broken and no seat tells: that a rear door was opened is all there is to go by",
        climate: MILD,
        sensor_works: false,
        story: &[
            &[step(Wait, 1.0), step(Unlock, 1.0), step(Open(Door::RearRight), 6.0), step(Close(Door::RearRight), 1.0)],
            DRIVER_GETS_IN,
            START_THE_ENGINE,
            PAST_THE_SCHOOL,
            STOP,
            DRIVER_IS_REMINDED,
            &[
                step(Lock, 98.0).tells(&[Left(ChildStage::Initial, Confidence::Inferred)]),
                step(Unlock, 2.0),
                step(Open(Door::RearRight), 5.0).tells(&[Cleared(Verdict::RearDoorOpened)]),
                step(Close(Door::RearRight), 1.0),
            ],
            DRIVER_GETS_IN,
            START_THE_ENGINE,
            HOME,
            STOP,
            DRIVER_IS_REMINDED,
            &[step(Open(Door::RearRight), 5.0), step(Close(Door::RearRight), 2.0)],
            LOCKED_AT_HOME,
        ],
        may: SENSOR_FAULT,
    },
    Scenario {
        name: "hot-day",
        about: "the same forgotten child at 36 °C in the shade: the first warning is critical already",
        climate: Climate { outside: 36.0, cooled: 30.5 },
        sensor_works: true,
        story: &[
            CHILD_IS_PUT_IN,
            DRIVER_GETS_IN,
            START_THE_ENGINE,
            PAST_THE_SCHOOL,
            STOP,
            DRIVER_IS_REMINDED,
            &[step(Lock, 98.0).tells(&[LeftInHeat(Confidence::Direct), Left(ChildStage::Escalated, Confidence::Direct)])],
            COMES_BACK_TO_THE_CHILD,
            DRIVER_GETS_IN,
            START_THE_ENGINE,
            HOME,
            STOP,
            DRIVER_IS_REMINDED,
            CHILD_IS_TAKEN_OUT,
            LOCKED_AT_HOME,
        ],
        may: &[],
    },
    Scenario {
        name: "towed",
        about: "the locked car leaves home on a tow truck, ignition off and wheels still",
        climate: MILD,
        sensor_works: true,
        story: &[
            // Beyond a fence's border for a minute is what counts for a parked car, so it is told at the pound.
            &[step(Wait, 10.0), step(Tow(&town::HOME_TO_POUND), 45.0).tells(&[Exit("home")]), step(Unlock, 2.0)],
            DRIVER_GETS_IN,
            START_THE_ENGINE,
            &[step(Drive(&town::POUND_TO_HOME), 2.0).tells(&[TRIP_START, Enter("home")])],
            STOP,
            DRIVER_GETS_OUT,
            LOCKED_AT_HOME,
        ],
        // By GNSS the car drives, while its body bus sleeps: to say so is no fault of a gateway.
        may: &[Telling::Plain(EventType::CanBusFault), Telling::Plain(EventType::CanBusRecovered)],
    },
    Scenario {
        name: "battery-low",
        about: "the trunk stays open and the lights stay on at home until the battery is nearly empty; the engine still starts",
        climate: MILD,
        sensor_works: true,
        story: &[
            &[
                step(Unlock, 1.0),
                step(Open(Door::Trunk), 1.0),
                step(LightsOn, 42.0).tells(&[Telling::Plain(EventType::BatteryLow)]),
                step(LightsOff, 1.0),
                step(Close(Door::Trunk), 1.0),
            ],
            DRIVER_GETS_IN,
            START_THE_ENGINE,
            &[step(Drive(&town::HOME_TO_OFFICE), 2.0).tells(&[
                TRIP_START,
                Telling::Plain(EventType::BatteryRecovered),
                Exit("home"),
                Enter("school"),
                Exit("school"),
                Enter("office"),
            ])],
            STOP,
            DRIVER_GETS_OUT,
            &[step(Lock, 60.0), step(Unlock, 2.0)],
            DRIVER_GETS_IN,
            START_THE_ENGINE,
            HOME,
            STOP,
            DRIVER_GETS_OUT,
            LOCKED_AT_HOME,
        ],
        may: &[],
    },
    Scenario {
        name: "receiver-lost",
        about: "the bypass runs underground for longer than a minute: the receiver has no sky, and finds it again",
        climate: MILD,
        sensor_works: true,
        story: &[
            &[step(Wait, 1.0), step(Unlock, 1.0)],
            DRIVER_GETS_IN,
            START_THE_ENGINE,
            &[step(Drive(&town::HOME_TO_OFFICE_UNDERGROUND), 2.0).tells(&[
                TRIP_START,
                Exit("home"),
                Telling::Plain(EventType::GnssLost),
                Telling::Plain(EventType::GnssRecovered),
                Enter("office"),
            ])],
            STOP,
            DRIVER_GETS_OUT,
            &[step(Lock, 45.0), step(Unlock, 2.0)],
            DRIVER_GETS_IN,
            START_THE_ENGINE,
            HOME,
            STOP,
            DRIVER_GETS_OUT,
            LOCKED_AT_HOME,
        ],
        may: &[],
    },
    Scenario {
        name: "engine-fault",
        about: "cylinder 1 misfires on the way to the office: a code is set and the lamp lit, until a workshop has mended it",
        climate: MILD,
        sensor_works: true,
        story: &[
            &[step(Wait, 1.0), step(Unlock, 1.0)],
            DRIVER_GETS_IN,
            START_THE_ENGINE,
            PAST_THE_SCHOOL_MISFIRING,
            STOP,
            DRIVER_GETS_OUT,
            &[step(Lock, 45.0).with(MENDED), step(Unlock, 2.0)],
            DRIVER_GETS_IN,
            &[step(Turn(Key::On), 6.0).with(&[tester(0.5, &SESSION_AND_CLEARS)])],
            START_THE_ENGINE,
            HOME,
            STOP,
            DRIVER_GETS_OUT,
            LOCKED_AT_HOME,
        ],
        may: &[],
    },
];

/// The scenario of that name.
pub fn scenario(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

const MILD: Climate = Climate { outside: 14.0, cooled: 20.0 };

const TRIP_START: Telling = Telling::Plain(EventType::TripStart);
const TRIP_END: Telling = Telling::Plain(EventType::TripEnd);
const REMINDER: Telling = Telling::Plain(EventType::ChildSeatReminder);
const SENSOR_FAULT: &[Telling] = &[Telling::Plain(EventType::SensorStale), Telling::Plain(EventType::SensorRecovered)];

const CHILD_IS_PUT_IN: &[Step] = &[
    step(Wait, 1.0),
    step(Unlock, 1.0),
    step(Open(Door::RearRight), 2.0),
    step(Sit(Seat::RearRight), 2.0),
    step(Buckle(Seat::RearRight), 1.0),
    step(Close(Door::RearRight), 1.0),
];

const DRIVER_GETS_IN: &[Step] = &[
    step(Open(Door::Driver), 1.5),
    step(Sit(Seat::Driver), 1.0),
    step(Close(Door::Driver), 1.0),
    step(Buckle(Seat::Driver), 1.0),
];

const START_THE_ENGINE: &[Step] = &[step(Turn(Key::On), 1.0), step(Turn(Key::Start), 0.8), step(Turn(Key::On), 1.5)];

/// The driver has a reader, too, and clears what has not come again.
const START_THE_ENGINE_AND_CLEAR_CODES: &[Step] =
    &[step(Turn(Key::On), 1.0).with(MENDED), step(Turn(Key::Start), 0.8), step(Turn(Key::On), 1.5).with(&[tester(0.3, &CLEARS)])];

const PAST_THE_SCHOOL: &[Step] = &[TO_THE_OFFICE];

const PAST_THE_SCHOOL_MISFIRING: &[Step] = &[TO_THE_OFFICE.with(&[Incident {
    after: 20.0,
    what: Ordeal::Break(Fault::MISFIRE),
    tells: &[Telling::Plain(EventType::DtcSet), Telling::Plain(EventType::MilOn)],
}])];

const TO_THE_OFFICE: Step =
    step(Drive(&town::HOME_TO_OFFICE), 2.0).tells(&[TRIP_START, Exit("home"), Enter("school"), Exit("school"), Enter("office")]);

const MENDED: &[Incident] = &[Incident { after: 0.0, what: Ordeal::Mend(Fault::MISFIRE), tells: &[] }];

/// A tester that clears the codes.
const fn tester(after: f64, script: &'static Script) -> Incident {
    let tells = &[Telling::Plain(EventType::DtcCleared), Telling::Plain(EventType::MilOff)];
    Incident { after, what: Ordeal::Tester(script), tells }
}

const HOME: &[Step] = &[step(Drive(&town::OFFICE_TO_HOME), 2.0).tells(&[TRIP_START, Exit("office"), Enter("home")])];

const STOP: &[Step] = &[step(Turn(Key::Off), 1.5).tells(&[TRIP_END])];

const DRIVER_GETS_OUT: &[Step] = &[
    step(Unbuckle(Seat::Driver), 1.0),
    step(Open(Door::Driver), 1.5),
    step(Leave(Seat::Driver), 1.5),
    step(Close(Door::Driver), 2.0),
];

/// Somebody is still in the back, or may be.
const DRIVER_IS_REMINDED: &[Step] = &[
    step(Unbuckle(Seat::Driver), 1.0),
    step(Open(Door::Driver), 1.5).tells(&[REMINDER]),
    step(Leave(Seat::Driver), 1.5),
    step(Close(Door::Driver), 2.0),
];

const COMES_BACK_TO_THE_CHILD: &[Step] = &[
    step(Unlock, 2.0),
    step(Open(Door::RearRight), 5.0).tells(&[Cleared(Verdict::RearDoorOpened)]),
    step(Close(Door::RearRight), 1.0),
];

const CHILD_IS_TAKEN_OUT: &[Step] = &[
    step(Open(Door::RearRight), 2.0),
    step(Unbuckle(Seat::RearRight), 2.0),
    step(Leave(Seat::RearRight), 4.0),
    step(Close(Door::RearRight), 2.0),
];

const LOCKED_AT_HOME: &[Step] = &[step(Lock, 15.0)];

//! Trouble codes as stories: what ECUs list, and what is told.

use proptest::prelude::*;

use super::*;
use crate::detect::testcar::*;
use crate::vehicle::trouble::{Classes, Lamp};
use crate::vehicle::{Observation, Signal, Value};

const ENGINE: Ecu = Ecu::Normal(0x7E8);
const GEARBOX: Ecu = Ecu::Normal(0x7E9);
const TRUCK: Ecu = Ecu::J1939(0);

const MISFIRE: Code = Code::Iso { base: 0x0301, failure: None };
const CATALYST: Code = Code::Iso { base: 0x0420, failure: None };
const OIL: Code = Code::J1939 { spn: 100, fmi: 1 };

fn listed(code: Code, classes: Classes) -> Listed {
    Listed { code, classes, mil: None, occurrences: None }
}

fn reading(protocol: Protocol, covers: Classes, lists: &[(Ecu, &[Code])]) -> Heard {
    let list = |codes: &[Code]| codes.iter().map(|code| listed(*code, covers)).collect();
    Heard::Codes(CodeReading { protocol, covers, lists: lists.iter().map(|(ecu, codes)| (*ecu, list(codes))).collect() })
}

fn stored(lists: &[(Ecu, &[Code])]) -> Heard {
    reading(Protocol::Obd, Classes::STORED, lists)
}

fn lamp(ecu: Ecu, on: bool) -> Heard {
    Heard::Lamp(Lamp { ecu, on, count: None })
}

/// A car with ECUs, and how much of what it told was looked at.
struct Workshop(Car, usize);

impl Workshop {
    fn new() -> Workshop {
        Workshop(Car::new(Plan::sensor()), 0)
    }

    /// What is told of this: each event with its source and codes.
    fn hears(&mut self, heard: Heard) -> Vec<String> {
        self.0.wait(1.0);
        self.0.put(Observation::Diagnosis(heard));
        let told = self.0.told.get(self.1..).unwrap_or_default();
        self.1 = self.0.told.len();
        let line = |event: &crate::event::Event| match &event.details {
            Details::Diagnosis(about) => {
                let codes = about.codes.iter().map(|record| format!(" {}@{}", record.code, record.ecu)).collect::<String>();
                Some(format!("{} {}{codes}", event.type_name(), about.source))
            }
            _ => None,
        };
        told.iter().filter_map(line).collect()
    }

    fn records(&self) -> Vec<CodeRecord> {
        self.0.engine.codes_now().records.unwrap_or_default()
    }

    fn record(&self, code: Code) -> CodeRecord {
        self.records().into_iter().find(|record| record.code == code).unwrap()
    }

    fn status(&self, code: Code) -> Vec<&'static str> {
        self.record(code).classes.names().collect()
    }
}

#[test]
fn new_codes_are_told_once_a_reading_and_gone_ones_after_two() {
    let mut car = Workshop::new();
    let both: &[(Ecu, &[Code])] = &[(ENGINE, &[MISFIRE, CATALYST]), (GEARBOX, &[MISFIRE])];
    assert_eq!(car.hears(stored(both)), ["DTC_SET obd P0301@7E8 P0420@7E8 P0301@7E9"]);
    assert!(car.hears(stored(both)).is_empty());
    assert!(car.hears(stored(&[(GEARBOX, &[MISFIRE])])).is_empty(), "silence clears nothing");
    let less: &[(Ecu, &[Code])] = &[(ENGINE, &[CATALYST]), (GEARBOX, &[MISFIRE])];
    assert!(car.hears(stored(less)).is_empty(), "once is a slip");
    assert!(car.hears(stored(both)).is_empty());
    assert!(car.hears(stored(less)).is_empty(), "not twice running");
    assert_eq!(car.hears(stored(less)), ["DTC_CLEARED obd P0301@7E8"]);
    assert_eq!(car.hears(stored(both)), ["DTC_SET obd P0301@7E8"], "back again");
}

#[test]
fn pending_holds_a_fault_and_permanent_alone_does_not() {
    let mut car = Workshop::new();
    let pending = |codes| reading(Protocol::Obd, Classes::PENDING, &[(ENGINE, codes)]);
    let permanent = |codes| reading(Protocol::Obd, Classes::PERMANENT, &[(ENGINE, codes)]);
    assert!(car.hears(permanent(&[CATALYST])).is_empty(), "the rest of a fault that is gone");
    assert_eq!(car.status(CATALYST), ["permanent"]);
    assert_eq!(car.hears(pending(&[MISFIRE])), ["DTC_SET obd P0301@7E8"]);
    assert!(car.hears(stored(&[(ENGINE, &[MISFIRE])])).is_empty(), "confirmed, not new");
    assert!(car.hears(permanent(&[MISFIRE, CATALYST])).is_empty());
    assert_eq!(car.status(MISFIRE), ["stored", "pending", "permanent"]);
    for _ in 0..2 {
        assert!(car.hears(stored(&[(ENGINE, &[])])).is_empty(), "still pending");
    }
    assert!(car.hears(pending(&[])).is_empty());
    assert_eq!(car.hears(pending(&[])), ["DTC_CLEARED obd P0301@7E8"]);
    assert_eq!(car.status(MISFIRE), ["permanent"]);
    for _ in 0..2 {
        assert!(car.hears(permanent(&[])).is_empty());
    }
    assert!(car.records().is_empty());
}

#[test]
fn a_testers_clear_counts_at_once_and_turns_the_lamp_off() {
    let mut car = Workshop::new();
    car.hears(stored(&[(ENGINE, &[MISFIRE, CATALYST]), (GEARBOX, &[MISFIRE])]));
    assert_eq!(car.hears(lamp(ENGINE, true)), ["MIL_ON obd"]);
    assert_eq!(car.hears(Heard::Cleared(ENGINE)), ["DTC_CLEARED obd P0301@7E8 P0420@7E8", "MIL_OFF obd"]);
    assert!(car.hears(Heard::Cleared(ENGINE)).is_empty());
    assert_eq!(car.records().len(), 1, "the gearbox's");
    assert_eq!(car.hears(stored(&[(ENGINE, &[MISFIRE])])), ["DTC_SET obd P0301@7E8"], "it fails again");
}

#[test]
fn the_lamp_is_on_while_any_ecu_says_so() {
    let mut car = Workshop::new();
    assert_eq!((car.0.engine.codes_now().mil, car.0.engine.codes_now().records), (None, None));
    assert!(car.hears(lamp(ENGINE, false)).is_empty());
    assert_eq!(car.0.engine.codes_now().mil, Some(false));
    assert_eq!(car.hears(lamp(ENGINE, true)), ["MIL_ON obd"]);
    assert!(car.hears(lamp(TRUCK, true)).is_empty());
    assert!(car.hears(lamp(ENGINE, false)).is_empty());
    assert_eq!(car.0.engine.codes_now().mil, Some(true));
    assert_eq!(car.hears(lamp(TRUCK, false)), ["MIL_OFF j1939"]);
}

#[test]
fn what_two_protocols_say_of_a_fault_is_one_record() {
    let mut car = Workshop::new();
    let typed = |failure| Code::Iso { base: 0x0301, failure: Some(failure) };
    let uds = Classes::STORED.and(Classes::PENDING).and(Classes::ACTIVE);
    let by_uds = |codes: &[Code]| reading(Protocol::Uds, uds, &[(ENGINE, codes)]);
    assert_eq!(car.hears(stored(&[(ENGINE, &[MISFIRE])])), ["DTC_SET obd P0301@7E8"]);
    let first = car.record(MISFIRE).first_seen;
    assert!(car.hears(by_uds(&[typed(0x11)])).is_empty(), "the same, told more closely");
    let record = car.record(typed(0x11));
    assert_eq!((record.protocols, record.first_seen), (vec![Protocol::Obd, Protocol::Uds], first));
    assert_eq!(car.hears(by_uds(&[typed(0x11), typed(0x1A)])), ["DTC_SET uds P0301@7E8"], "another failure of it");
    for _ in 0..2 {
        assert!(car.hears(stored(&[(ENGINE, &[])])).is_empty(), "no matter of emissions, and UDS has both");
    }
    assert!(car.hears(by_uds(&[typed(0x1A)])).is_empty());
    assert_eq!(car.hears(by_uds(&[typed(0x1A)])), ["DTC_CLEARED uds P0301@7E8"]);
    let json = serde_json::to_value(car.record(typed(0x1A))).unwrap();
    assert_eq!((json["code"].as_str(), json["failureType"].as_str()), (Some("P0301"), Some("1A")));
    assert_eq!(json["status"], serde_json::json!(["stored", "pending", "active"]));
}

#[test]
fn a_code_without_a_failure_type_keeps_none_of_its_failures_that_uds_lets_go() {
    let mut car = Workshop::new();
    let typed = |failure| Code::Iso { base: 0x0301, failure: Some(failure) };
    let by_uds = |codes: &[Code]| reading(Protocol::Uds, Classes::HELD, &[(ENGINE, codes)]);
    let by_obd = || stored(&[(ENGINE, &[MISFIRE])]);
    assert_eq!(car.hears(by_uds(&[typed(0x11), typed(0x1A)])), ["DTC_SET uds P0301@7E8 P0301@7E8"]);
    assert!(car.hears(by_obd()).is_empty());
    for heard in [by_uds(&[typed(0x1A)]), by_uds(&[typed(0x1A)]), by_obd()] {
        assert!(car.hears(heard).is_empty(), "OBD-II has let go of it once");
    }
    assert_eq!(car.hears(by_obd()), ["DTC_CLEARED obd P0301@7E8"]);
    assert_eq!(car.records().len(), 1);
    for _ in 0..3 {
        assert!(car.hears(by_uds(&[])).is_empty() && car.hears(by_obd()).is_empty(), "OBD-II still lists the code");
    }
    assert_eq!(car.record(typed(0x1A)).classes, Classes::STORED);
}

#[test]
fn an_active_code_of_a_truck_is_gone_when_dm1_lacks_it_twice_and_is_shown_as_before() {
    let mut car = Workshop::new();
    let active = |codes| reading(Protocol::J1939, Classes::ACTIVE, &[(TRUCK, codes)]);
    assert_eq!(car.hears(active(&[OIL])), ["DTC_SET j1939 SPN 100 FMI 1@SA 0"]);
    car.hears(reading(Protocol::J1939, Classes::PREVIOUSLY_ACTIVE, &[(TRUCK, &[OIL])]));
    assert!(car.hears(active(&[])).is_empty());
    assert_eq!(car.hears(active(&[])), ["DTC_CLEARED j1939 SPN 100 FMI 1@SA 0"]);
    let json = serde_json::to_value(car.record(OIL)).unwrap();
    assert_eq!((&json["status"], &json["spn"], &json["fmi"]), (&serde_json::json!(["previouslyActive"]), &100.into(), &1.into()));
}

#[test]
fn a_freeze_frame_and_self_tests_are_shown_and_not_told() {
    let mut car = Workshop::new();
    car.hears(stored(&[(ENGINE, &[MISFIRE])]));
    let values = vec![("Vehicle.OBD.CoolantTemperature".to_owned(), Value::Number(92.0))];
    assert!(car.hears(Heard::Freeze(FreezeFrame { ecu: ENGINE, code: MISFIRE, values })).is_empty());
    let json = serde_json::to_value(car.record(MISFIRE)).unwrap();
    assert_eq!(json["freezeFrame"], serde_json::json!({"Vehicle.OBD.CoolantTemperature": 92.0}));
    car.hears(reading(Protocol::Obd, Classes::PERMANENT, &[(ENGINE, &[MISFIRE])]));
    car.hears(Heard::Cleared(ENGINE));
    assert!(serde_json::to_value(car.record(MISFIRE)).unwrap().get("freezeFrame").is_none(), "gone with the clear");
    let monitors = vec![("misfire".to_owned(), true)];
    assert!(car.hears(Heard::Readiness(Readiness { ecu: ENGINE, monitors: monitors.clone() })).is_empty());
    assert_eq!(car.0.engine.codes_now().readiness[0].monitors, monitors);
}

#[test]
fn extended_data_is_that_of_the_last_answer_and_goes_with_the_fault() {
    let mut car = Workshop::new();
    let record = |number, bytes: &[u8]| Heard::Extended(Extended { ecu: ENGINE, code: MISFIRE, number, bytes: bytes.to_vec() });
    let kept = |car: &Workshop| car.record(MISFIRE).extended;
    car.hears(stored(&[(ENGINE, &[MISFIRE])]));
    for heard in [record(2, &[0x17, 0]), record(1, &[5]), record(1, &[6]), record(3, &[0; 65])] {
        assert!(car.hears(heard).is_empty(), "it is no event");
    }
    assert_eq!(kept(&car), [(1, "06".to_owned()), (2, "1700".to_owned())]);
    car.hears(record(Extended::ALL, &[1, 7, 2, 0x17, 0]));
    assert_eq!(kept(&car), [(0xFF, "0107021700".to_owned())]);
    car.hears(Heard::Cleared(ENGINE));
    car.hears(stored(&[(ENGINE, &[MISFIRE])]));
    assert_eq!(kept(&car), []);
}

#[test]
fn a_freeze_frame_is_what_all_its_pieces_tell_until_the_fault_is_set_anew() {
    let mut car = Workshop::new();
    let piece = |name: &str, value: f64| {
        let values = vec![(name.to_owned(), Value::Number(value))];
        Heard::Freeze(FreezeFrame { ecu: ENGINE, code: MISFIRE, values })
    };
    car.hears(stored(&[(ENGINE, &[MISFIRE])]));
    car.hears(reading(Protocol::Obd, Classes::PERMANENT, &[(ENGINE, &[MISFIRE])]));
    for (name, value) in [("Speed", 50.0), ("Fuel", 40.0), ("Speed", 51.0)] {
        car.hears(piece(name, value));
    }
    let shown = |car: &mut Workshop| serde_json::to_value(car.record(MISFIRE)).unwrap()["freezeFrame"].clone();
    assert_eq!(shown(&mut car), serde_json::json!({"Speed": 51.0, "Fuel": 40.0}));
    car.hears(Heard::Cleared(ENGINE));
    assert_eq!(shown(&mut car), serde_json::Value::Null, "permanent, and no longer held: a clear takes its frame");
    car.hears(stored(&[(ENGINE, &[MISFIRE])]));
    car.hears(piece("Fuel", 39.0));
    assert_eq!(shown(&mut car), serde_json::json!({"Fuel": 39.0}));
}

#[test]
fn nothing_is_told_twice_over_a_restart_and_nothing_forgotten() {
    for power_cut in [false, true] {
        let mut car = Workshop::new();
        car.hears(stored(&[(ENGINE, &[MISFIRE, CATALYST])]));
        car.hears(lamp(ENGINE, true));
        let before = car.0.engine.codes_now();
        car.0.restart(30.0, power_cut);
        car.1 = car.0.told.len();
        assert_eq!((car.0.engine.codes_now().records, car.0.engine.codes_now().mil), (before.records, before.mil));
        assert!(car.hears(stored(&[(ENGINE, &[MISFIRE, CATALYST])])).is_empty());
        assert!(car.hears(lamp(ENGINE, true)).is_empty());
        assert!(car.hears(stored(&[(ENGINE, &[MISFIRE])])).is_empty());
        car.0.restart(30.0, power_cut);
        car.1 = car.0.told.len();
        assert_eq!(car.hears(stored(&[(ENGINE, &[MISFIRE])])), ["DTC_CLEARED obd P0420@7E8"], "twice running, over a restart");
        assert!(!car.0.journal.keys().any(|key| key.contains("P0420")), "and no row of it is left");
        assert_eq!(car.hears(lamp(ENGINE, false)), ["MIL_OFF obd"]);
    }
}

#[test]
fn a_list_that_stays_the_same_wears_no_flash() {
    let mut car = Workshop::new();
    car.hears(stored(&[(ENGINE, &[MISFIRE])]));
    let rows = |car: &Workshop| car.0.journal["code/7E8/P0301"].clone();
    let written = rows(&car);
    for _ in 0..50 {
        car.hears(stored(&[(ENGINE, &[MISFIRE])]));
        assert!(rows(&car) == written, "within a minute");
    }
    for _ in 0..20 {
        car.hears(stored(&[(ENGINE, &[MISFIRE])]));
    }
    assert!(rows(&car) != written, "when it was last listed is known to the minute");
}

#[test]
fn there_are_never_more_records_than_are_kept() {
    let mut car = Workshop::new();
    let many: Vec<Code> = (0..400).map(|base| Code::Iso { base, failure: None }).collect();
    car.hears(reading(Protocol::Obd, Classes::PERMANENT, &[(ENGINE, &many)]));
    assert_eq!(car.records().len(), MOST_RECORDS);
    assert_eq!(car.hears(stored(&[(GEARBOX, &[MISFIRE])])), ["DTC_SET obd P0301@7E9"], "what is held goes before");
    let rows = car.0.journal.keys().filter(|key| key.starts_with(RECORD)).count();
    assert_eq!((car.records().len(), rows), (MOST_RECORDS, MOST_RECORDS));
}

#[test]
fn more_faults_than_are_kept_are_left_out_and_told_no_more_than_once() {
    let mut car = Workshop::new();
    let many: Vec<Code> = (0..400).map(|base| Code::Iso { base, failure: None }).collect();
    let told = |car: &mut Workshop| {
        let from = car.0.told.len();
        car.hears(stored(&[(ENGINE, &many)]));
        let codes = car.0.told[from..].iter().map(|event| match &event.details {
            Details::Diagnosis(about) => about.codes.len(),
            _ => 0,
        });
        codes.sum::<usize>()
    };
    assert_eq!(told(&mut car), MOST_RECORDS);
    assert_eq!(car.0.engine.codes_left_out(), 400 - MOST_RECORDS as u64);
    assert_eq!(told(&mut car), 0, "none had to make room for another");
}

#[test]
fn what_an_ecu_measures_counts_where_nothing_else_does_and_its_silence_is_no_fault() {
    const COOLANT: Signal = Signal::PowertrainCombustionEngineEngineCoolantTemperature;
    let layout = crate::vehicle::Layout::default().with_polled(&[COOLANT]);
    let vin = crate::vehicle::Vin::unnamed();
    let mut engine = crate::detect::Engine::new(crate::detect::Settings::default(), vin, layout, Vec::new());
    let stamp = |seconds: i64| Stamp { boot: crate::clock::Boot::from_micros(seconds * 1_000_000), ..Stamp::default() };
    engine.observe(stamp(1), &Observation::Diagnosis(Heard::Measured(COOLANT, 92.0)));
    engine.observe(stamp(1), &Observation::Diagnosis(Heard::Measured(Signal::Speed, 50.0)));
    assert_eq!(engine.state().number(stamp(2).boot, COOLANT), Some(92.0));
    assert_eq!(engine.state().number(stamp(2).boot, Signal::Speed), None, "nothing is mapped to it");
    assert_eq!(engine.state().number(stamp(60).boot, COOLANT), None, "stale");
    let mut out = engine.outbox(crate::event::EventId(0));
    (1..600).for_each(|second| engine.step(stamp(second), &mut out));
    assert!(out.take().is_empty());
}

fn heard() -> impl Strategy<Value = Heard> {
    let ecu = prop_oneof![Just(ENGINE), Just(GEARBOX), Just(TRUCK)];
    let code = prop_oneof![
        (0..4_u16, prop::option::of(0..2_u8)).prop_map(|(base, failure)| Code::Iso { base, failure }),
        (0..2_u32).prop_map(|spn| Code::J1939 { spn, fmi: 1 })
    ];
    let protocol = prop_oneof![Just(Protocol::Obd), Just(Protocol::Uds), Just(Protocol::J1939)];
    let list = (ecu.clone(), prop::collection::vec((code.clone(), 0..32_u8), 0..5));
    let reading = (protocol, 1..32_u8, prop::collection::vec(list, 0..3)).prop_map(|(protocol, covers, lists)| {
        let listed = |(code, classes): (Code, u8)| listed(code, Classes(classes & covers));
        let lists = lists.into_iter().map(|(ecu, codes)| (ecu, codes.into_iter().map(listed).collect())).collect();
        Heard::Codes(CodeReading { protocol, covers: Classes(covers), lists })
    });
    prop_oneof![
        6 => reading,
        1 => ecu.clone().prop_map(Heard::Cleared),
        1 => (ecu, any::<bool>()).prop_map(|(ecu, on)| lamp(ecu, on)),
    ]
}

#[test]
fn what_flickers_is_told_a_few_times_a_minute_and_then_as_it_is() {
    let mut car = Workshop::new();
    let spn = |n| Code::J1939 { spn: n, fmi: 1 };
    let dm1 = |codes: &[Code]| reading(Protocol::J1939, Classes::ACTIVE, &[(TRUCK, codes)]);
    let mut told = Vec::new();
    for n in 0..150 {
        told.extend(car.hears(dm1(&[spn(n)])));
        told.extend(car.hears(lamp(TRUCK, n % 2 == 0)));
    }
    let count = |name: &str| told.iter().filter(|told| told.starts_with(name)).count();
    // Five minutes and a little, at most ten each; a reading tells of both at once.
    assert!((10..=60).contains(&count("DTC_SET")), "{}", count("DTC_SET"));
    assert!(count("DTC_CLEARED") <= 60 && (10..=60).contains(&count("MIL_")), "{}", count("MIL_"));
    assert!(car.0.engine.codes_held_back() > 100);
    assert_eq!(car.hears(stored(&[(ENGINE, &[MISFIRE])])), ["DTC_SET obd P0301@7E8"], "another ECU has its own share");
    car.0.wait(60.0);
    let last = car.hears(dm1(&[spn(149)]));
    assert!(last.iter().all(|told| told.starts_with("DTC_CLEARED") || told.ends_with("SPN 149 FMI 1@SA 0")), "{last:?}");
    assert!(car.hears(dm1(&[spn(149)])).is_empty());
    let held: Vec<_> =
        car.records().into_iter().filter(|record| record.classes.any(Classes::HELD)).map(|record| record.code).collect();
    assert_eq!(held, [MISFIRE, spn(149)]);
    assert!(car.hears(lamp(TRUCK, false)).len() <= 1, "it was told as it is, or is now");
    assert_eq!(car.0.engine.codes_now().mil, Some(false));
}

#[test]
fn a_lamp_of_an_ecu_that_is_not_heard_again_stays_lit() {
    let mut car = Workshop::new();
    assert_eq!(car.hears(lamp(ENGINE, true)), ["MIL_ON obd"]);
    car.0.restart(86_400.0, true);
    car.1 = car.0.told.len();
    assert!(car.hears(lamp(GEARBOX, false)).is_empty(), "one word of another one's lamp");
    assert_eq!(car.0.engine.codes_now().mil, Some(true));
    assert_eq!(car.hears(Heard::Cleared(ENGINE)), ["MIL_OFF obd"]);
}

proptest! {
    /// Whatever is heard: no fault is set twice or cleared twice without the other between, only faults that are there are
    /// cleared, and what is held is what was told; a restart anywhere changes nothing of that.
    #[test]
    fn set_and_cleared_take_turns(all in prop::collection::vec((heard(), prop::bool::weighted(0.1)), 1..40)) {
        let mut car = Workshop::new();
        let mut there = std::collections::BTreeSet::new();
        let mut lit = false;
        // Until too much was told within a minute.
        let mut all_told = true;
        for (heard, restart) in all {
            if restart {
                car.0.restart(5.0, true);
                car.1 = car.0.told.len();
            }
            let from = car.0.told.len();
            car.hears(heard);
            all_told &= car.0.engine.codes_held_back() == 0;
            for event in &car.0.told[from..] {
                let Details::Diagnosis(about) = &event.details else { continue };
                match event.type_name() {
                    "DTC_SET" => for record in &about.codes {
                        prop_assert!(record.classes.any(Classes::HELD));
                        there.insert((record.ecu, record.code));
                    },
                    "DTC_CLEARED" => for record in &about.codes {
                        let Code::Iso { base, .. } = record.code else {
                            prop_assert!(there.remove(&(record.ecu, record.code)));
                            continue;
                        };
                        let bare = (record.ecu, Code::Iso { base, failure: None });
                        prop_assert!(there.remove(&(record.ecu, record.code)) || there.remove(&bare), "{record:?}");
                    },
                    "MIL_ON" => prop_assert!(!std::mem::replace(&mut lit, true)),
                    "MIL_OFF" => prop_assert!(std::mem::replace(&mut lit, false)),
                    _ => {}
                }
            }
            let now = car.0.engine.codes_now();
            let held = now.records.iter().flatten().filter(|record| record.classes.any(Classes::HELD)).count();
            if all_told {
                prop_assert_eq!(held, there.len());
                prop_assert_eq!(now.mil.unwrap_or_default(), lit);
            }
        }
    }
    /// A replay that is cut anywhere goes on as the uncut one.
    #[test]
    fn saved_and_loaded_anywhere_the_events_are_the_same(all in prop::collection::vec((heard(), any::<bool>()), 1..30)) {
        let (mut whole, mut cut) = (Workshop::new(), Workshop::new());
        for (heard, is_cut) in all {
            if is_cut {
                let saved = serde_json::to_vec(&cut.0.engine.save()).unwrap();
                cut.0.engine = Workshop::new().0.engine;
                cut.0.engine.load(serde_json::from_slice(&saved).unwrap()).unwrap();
            }
            whole.hears(heard.clone());
            cut.hears(heard);
        }
        prop_assert_eq!(&whole.0.told, &cut.0.told);
        prop_assert_eq!(whole.0.engine.codes_now(), cut.0.engine.codes_now());
    }
}

//! What is asked and what is answered, byte by byte, by the layouts of the standards; then the same through frames.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::Boot;
use crate::diagnostics::isotp::{Address, Event, Links, Settings};
use crate::vehicle::Frame;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
}

fn bytes(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// A car with the lamp lit: three codes of two ECUs, one more pending; all set at one moment.
fn broken() -> [Ecu; 3] {
    [
        Ecu::engine().with_faults(&[Fault::MISFIRE, Fault::CATALYST, Fault::THERMOSTAT]),
        Ecu::transmission().with_faults(&[Fault::CLUTCH]),
        Ecu::body(),
    ]
}

#[test]
fn each_question_is_answered_as_the_standards_lay_it_out() {
    let [engine, transmission, body] = broken();
    let whole = Ecu::engine();
    let lists = Ecu::body().with_faults(&[Fault::NO_ENGINE]);
    // Of the engine the whole bitmap: 01 05 0C 0D 0F 1C 20; 21 2F 31 40; 41 42 46 51.
    let table: &[(&Ecu, &str, &str)] = &[
        (&engine, "01 00", "41 00 88 1A 00 11"),
        (&engine, "01 20", "41 20 80 02 80 01"),
        (&engine, "01 40", "41 40 C4 00 80 00"),
        (&engine, "01 60", "-"),
        (&engine, "01 01", "41 01 82 07 65 00"),
        (&whole, "01 01", "41 01 00 07 65 00"),
        (&transmission, "01 01", "41 01 81 07 65 00"),
        // Coolant 88 °C, 780 rpm, standing, 25 °C, 50 %, 14.2 V; what is not there is left out, what comes twice too.
        (&engine, "01 05 0C 0D 0F 2F 42", "41 05 80 0C 0C 30 0D 00 0F 41 2F 80 42 37 78"),
        (&engine, "01 0D 0D 11 46", "41 0D 00 46 36"),
        (&engine, "01 11", "-"),
        (&engine, "01", "7F 01 12"),
        (&engine, "01 01 02 03 04 05 06 07", "7F 01 12"),
        (&engine, "02 00 00", "42 00 00 48 1A 00 01"),
        (&engine, "02 02 00", "42 02 00 03 01"),
        (&engine, "02 05 00 0C 00", "42 05 00 80 0C 00 0C 30"),
        (&engine, "02 05 01", "-"),
        (&whole, "02 02 00", "42 02 00 00 00"),
        (&whole, "02 05 00", "-"),
        (&engine, "02 05", "7F 02 12"),
        (&engine, "03", "43 02 03 01 04 20"),
        (&engine, "07", "47 03 03 01 04 20 01 28"),
        (&engine, "0A", "4A 02 03 01 04 20"),
        (&transmission, "03", "43 01 07 41"),
        (&whole, "03", "43 00"),
        (&engine, "03 00", "7F 03 12"),
        (&engine, "09 00", "49 00 54 40 00 00"),
        (&transmission, "09 00", "49 00 14 40 00 00"),
        (&engine, "09 02", "49 02 01 54 45 4C 4C 54 41 4C 45 53 41 4D 50 4C 45 30 30 31"),
        (&transmission, "09 02", "7F 09 12"),
        (&transmission, "09 04", "49 04 01 54 54 2D 47 42 58 2D 43 41 4C 2D 30 30 30 31 31"),
        (&transmission, "09 06", "49 06 01 00 C0 FF EE"),
        (&transmission, "09 0A", "49 0A 01 54 43 4D 2D 54 72 61 6E 73 6D 69 73 43 74 72 6C 00 00 00 00"),
        (&engine, "08 00", "7F 08 11"),
        (&body, "03", "7F 03 11"),
        (&body, "01 00", "7F 01 11"),
        // UDS.
        (&engine, "19 01 FF", "59 01 FF 01 00 03"),
        (&engine, "19 01 08", "59 01 FF 01 00 02"),
        (&engine, "19 02 08", "59 02 FF 03 01 00 AF 04 20 00 AF"),
        (&engine, "19 02 FF", "59 02 FF 03 01 00 AF 04 20 00 AF 01 28 00 27"),
        (&lists, "19 02 FF", "59 02 FF C1 00 87 2F"),
        (&whole, "19 02 FF", "59 02 FF"),
        (&engine, "19 04 03 01 00 FF", "59 04 03 01 00 AF 01 04 F4 05 80 F4 0C 0C 30 F4 0D 00 F4 42 37 78"),
        (&engine, "19 04 03 01 00 02", "7F 19 31"),
        (&engine, "19 04 03 02 00 FF", "7F 19 31"),
        (&engine, "19 06 03 01 00 FF", "59 06 03 01 00 AF 01 01"),
        (&engine, "19 06 03 01 00 05", "7F 19 31"),
        (&lists, "19 0A", "59 0A FF 9A 01 13 00 C1 00 87 2F"),
        (&engine, "19 03", "7F 19 12"),
        (&engine, "19 02", "7F 19 13"),
        (&engine, "19", "7F 19 13"),
        (&engine, "22 F1 90", "62 F1 90 54 45 4C 4C 54 41 4C 45 53 41 4D 50 4C 45 30 30 31"),
        (&body, "22 F1 95 12 34", "62 F1 95 30 32 30 37"),
        (&engine, "22 F4 0D", "62 F4 0D 00"),
        (&body, "22 F4 0D", "7F 22 31"),
        (&body, "22 F1 90", "7F 22 31"),
        (&body, "22 F1", "7F 22 13"),
        (&engine, "3E 00", "7E 00"),
        (&engine, "3E 80", "-"),
        (&engine, "3E 01", "7F 3E 12"),
        (&engine, "10 01", "50 01 00 32 01 F4"),
        (&engine, "10 02", "7F 10 22"),
        (&engine, "10", "7F 10 13"),
        (&engine, "31 01 02 03", "7F 31 11"),
        (&engine, "14 FF FF", "7F 14 13"),
        (&engine, "14 12 34 56", "7F 14 31"),
    ];
    for (ecu, request, answer) in table {
        let said = (*ecu).clone().answer(&bytes(request), false);
        assert_eq!(said.map_or("-".to_owned(), |said| hex(&said)), *answer, "{} {request}", ecu.name);
    }
}

#[test]
fn a_question_to_all_is_not_answered_with_what_the_ecu_does_not_know() {
    let table = [
        ("03", None),
        ("22 FF FF", None),
        ("19 03", None),
        ("19 02", Some("7F 19 13")),
        ("10 02", Some("7F 10 22")),
        ("19 02 FF", Some("59 02 FF")),
    ];
    for (request, answer) in table {
        let said = Ecu::body().answer(&bytes(request), true);
        assert_eq!(said.map(|said| hex(&said)).as_deref(), answer, "{request}");
    }
}

#[test]
fn a_code_is_set_mended_cleared_and_the_permanent_one_goes_last() {
    let mut engine = Ecu::engine();
    let says = |engine: &mut Ecu, request: &str| hex(&engine.answer(&bytes(request), false).unwrap());
    let at = |odometer: f64, speed: f64| Live { odometer, speed, ..Live::IDLING };
    engine.measure(at(25_000.0, 60.0));
    engine.set(Fault::MISFIRE);
    engine.set(Fault::SPEAKER);
    assert_eq!(says(&mut engine, "03"), "43 01 03 01", "the speaker is the body's");
    engine.measure(at(25_012.0, 50.0));
    assert_eq!(says(&mut engine, "01 21"), "41 21 00 0C", "12 km with the lamp lit");
    assert_eq!(says(&mut engine, "02 0D 00"), "42 0D 00 3C", "frozen at 60 km/h");
    assert_eq!(says(&mut engine, "04"), "7F 04 22", "not while it moves");
    assert_eq!(says(&mut engine, "14 FF FF FF"), "7F 14 22");
    engine.measure(at(25_012.0, 0.0));
    assert_eq!(says(&mut engine, "04"), "44");
    assert_eq!([says(&mut engine, "03"), says(&mut engine, "07")], ["43 00", "47 01 03 01"], "it still misfires");
    engine.mend(Fault::MISFIRE);
    assert_eq!(says(&mut engine, "07"), "47 01 03 01", "nobody has cleared it again");
    engine.set(Fault::MISFIRE);
    assert_eq!(says(&mut engine, "19 06 03 01 00 01"), "59 06 03 01 00 AF 01 02");
    engine.mend(Fault::MISFIRE);
    assert_eq!(says(&mut engine, "19 02 FF"), "59 02 FF 03 01 00 A8", "stored, and failing no more");
    assert_eq!(says(&mut engine, "14 03 01 00"), "54");
    assert_eq!(says(&mut engine, "01 01"), "41 01 00 07 65 65", "the lamp is out, the self-tests begin anew");
    assert_eq!([says(&mut engine, "03"), says(&mut engine, "0A")], ["43 00", "4A 01 03 01"]);
    engine.measure(at(25_018.0, 0.0));
    assert_eq!([says(&mut engine, "0A"), says(&mut engine, "01 31")], ["4A 00", "41 31 00 06"]);
    assert_eq!(says(&mut engine, "01 01"), "41 01 00 07 65 00");
}

proptest! {
    #[test]
    fn no_request_makes_an_ecu_panic_or_talk_too_long(
        which in 0..3_usize,
        head in prop::sample::select(vec![0x01_u8, 0x02, 0x03, 0x04, 0x07, 0x09, 0x0A, 0x10, 0x14, 0x19, 0x22, 0x3E, 0xFF]),
        rest in prop::collection::vec(any::<u8>(), 0..40),
        functional: bool,
    ) {
        let mut ecu = broken()[which].clone();
        for request in [rest.clone(), [vec![head], rest].concat()] {
            if let Some(answer) = ecu.answer(&request, functional) {
                prop_assert!((1..=4095).contains(&answer.len()));
                prop_assert!(answer[0] == 0x7F || answer[0] == request[0] | 0x40, "{answer:02X?}");
            }
        }
    }

    #[test]
    fn no_frame_makes_the_bus_panic_or_talk_for_ever(
        frames in prop::collection::vec(
            (
                prop::sample::select(vec![0x7DF_u32, 0x7E0, 0x7E1, 0x18DB_33F1, 0x18DA_10F1, 0x18EA_00F9, 0x18EC_00F9, 0x18EE_FF00]),
                prop::collection::vec(any::<u8>(), 0..9),
                0..400_i64,
            ),
            0..40,
        ),
    ) {
        let truck = Truck::new().with_active(&[TruckFault { spn: 110, fmi: 0, occurrences: 1 }; 3]);
        let mut bus = Bus::new(broken()).with_truck(truck).with_rival(Rival::new(1, 3));
        let mut now = Boot::default();
        for (id, data, ms) in frames {
            now = now + Duration::from_millis(ms as u64);
            bus.hear(now, &super::bus::frame(now, id, id > 0x7FF, &data));
            let mut said = 0;
            while bus.deadline().is_some_and(|due| due <= now) && said < 3000 {
                now = now.max(bus.deadline().unwrap());
                let _ = bus.pass(now);
                said += 1;
            }
            prop_assert!(said < 3000);
        }
    }
}

/// A wire with the daemon's side of it: another implementation's half of the conversation is [`Links`].
struct Plug {
    bus: Bus,
    links: Links,
    now: Boot,
    /// Every frame of the wire, with its moment in ms.
    seen: Vec<(i64, u32, Vec<u8>)>,
}

impl Plug {
    fn into(bus: Bus) -> Plug {
        Plug { bus, links: Links::new(Settings::default()), now: Boot::default(), seen: Vec::new() }
    }

    /// What comes back within `ms`.
    fn ask(&mut self, to: Address, request: &str, ms: u64) -> Vec<String> {
        self.links.end();
        self.links.ask(to, &bytes(request)).unwrap();
        self.run(ms)
    }

    fn run(&mut self, ms: u64) -> Vec<String> {
        let end = self.now + Duration::from_millis(ms);
        let mut said = Vec::new();
        loop {
            let due = self.bus.deadline().into_iter().chain(self.links.deadline()).min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            let (now, mut out) = (self.now, Vec::new());
            if let Some(frame) = self.bus.pass(now) {
                assert!(frame.at == now);
                self.note(&frame);
                self.links.hear(&frame, &mut |event| told(event, &mut said, &mut out));
            }
            self.links.pass(now, &mut |event| told(event, &mut said, &mut out));
            for frame in out {
                self.note(&frame);
                self.bus.hear(now, &frame);
            }
        }
        self.now = end;
        said
    }

    fn note(&mut self, frame: &Frame) {
        self.seen.push((self.now.micros() / 1000, frame.id, frame.data.to_vec()));
    }
}

fn told(event: Event<'_>, said: &mut Vec<String>, out: &mut Vec<Frame>) {
    match event {
        Event::Send(frame) => out.push(frame),
        Event::Sent => {}
        Event::Answer { from, payload } => said.push(format!("{}: {}", from.ecu().unwrap(), hex(payload))),
        Event::Problem { problem, .. } => said.push(problem.to_string()),
    }
}

const ALL: Address = Address::obd_functional();

fn engine_of(manner: Manner) -> Plug {
    Plug::into(Bus::new([Ecu::engine().with_manner(manner)]))
}

#[test]
fn several_ecus_answer_one_question_by_both_kinds_of_ids() {
    let mut plug = Plug::into(Bus::new(broken()));
    assert_eq!(plug.ask(ALL, "03", 50), ["7E8: 43 02 03 01 04 20", "7E9: 43 01 07 41"]);
    let fixed = Address::fixed_functional(0x33, 0xF1);
    assert_eq!(plug.ask(fixed, "03", 50), ["18DAF110: 43 02 03 01 04 20", "18DAF118: 43 01 07 41"]);
    let vin = "49 02 01 54 45 4C 4C 54 41 4C 45 53 41 4D 50 4C 45 30 30 31";
    assert_eq!(plug.ask(ALL, "09 02", 50), [format!("7E8: {vin}")]);
    assert_eq!(plug.ask(Address::fixed(0x10, 0xF1), "09 02", 50), [format!("18DAF110: {vin}")]);
    assert_eq!(plug.ask(Address::fixed(0x40, 0xF1), "19 01 FF", 50), ["18DAF140: 59 01 FF 01 00 00"]);
    // A request of more than one frame.
    let asked = plug.ask(Address::obd(2).unwrap(), "22 F1 87 F1 8C F1 95 F1 97", 50);
    assert!(asked.len() == 1 && asked[0].starts_with("7EA: 62 F1 87 54 54"), "{asked:?}");
}

#[test]
fn with_the_ignition_off_nobody_answers() {
    let mut plug = Plug::into(Bus::car());
    plug.bus.measure(Live { ignition: false, ..Live::IDLING });
    assert_eq!(plug.ask(ALL, "03", 5000), [""; 0]);
    assert_eq!(plug.seen.len(), 1);
}

#[test]
fn each_manner_is_seen_on_the_wire() {
    let late = Manner { after: Duration::from_millis(70), ..Manner::default() };
    let mut plug = engine_of(late);
    assert_eq!(plug.ask(ALL, "03", 69), [""; 0]);
    assert_eq!(plug.run(2), ["7E8: 43 00"]);

    let mut plug = engine_of(Manner { twice: true, ..Manner::default() });
    assert_eq!(plug.ask(ALL, "03", 50), ["7E8: 43 00", "7E8: 43 00"]);

    let mut plug = engine_of(Manner { never: true, ..Manner::default() });
    assert_eq!(plug.ask(ALL, "03", 6000), [""; 0]);

    let mut plug = engine_of(Manner { busy: 2, ..Manner::default() });
    let answers: Vec<_> = (0..3).flat_map(|_| plug.ask(ALL, "03", 50)).collect();
    assert_eq!(answers, ["7E8: 7F 03 21", "7E8: 7F 03 21", "7E8: 43 00"]);

    let mut plug = engine_of(Manner { pending: 2, ..Manner::default() });
    assert_eq!(plug.ask(ALL, "03", 3900), ["7E8: 7F 03 78", "7E8: 7F 03 78"]);
    assert_eq!(plug.run(200), ["7E8: 43 00"]);

    let gap = |ms| Manner { gap: Duration::from_millis(ms), ..Manner::default() };
    let mut plug = engine_of(gap(300));
    assert_eq!(plug.ask(ALL, "09 02", 2000).len(), 1);
    let times: Vec<_> = plug.seen.iter().filter(|(_, id, _)| *id == 0x7E8).map(|(ms, ..)| *ms).collect();
    assert_eq!(times, [10, 310, 610]);
    let mut plug = engine_of(gap(1200));
    assert_eq!(plug.ask(ALL, "09 02", 5000), ["the rest never came, after 6 of 20 bytes"]);
}

#[test]
fn each_flow_control_is_seen_by_who_sends_a_long_request() {
    let table = [
        (FlowManner::Right, "7E8: 62 F1"),
        (FlowManner::Slow { block: 1, separation: 20 }, "7E8: 62 F1"),
        (FlowManner::None, "no flow control came within a second"),
        (FlowManner::Wait, "the other side asked to wait more than 10 times"),
        (FlowManner::Overflow, "the message is too long for the other side"),
        (FlowManner::Invalid, "flow status 7 means nothing; 0 to 2 do"),
    ];
    for (flow, begin) in table {
        let mut plug = engine_of(Manner { flow, ..Manner::default() });
        let said = plug.ask(Address::obd(0).unwrap(), "22 F1 90 F1 87 F1 8C F1 95 F1 97 F4 0C F4 0D", 8000);
        assert!(said.len() == 1 && said[0].starts_with(begin), "{flow:?}: {said:?}");
    }
}

#[test]
fn a_tester_is_heard_by_everybody_and_clears_the_codes() {
    for (script, last) in [(&CLEARS, (0x7E9, "01 44")), (&SESSION_AND_CLEARS, (0x7E8, "06 50 01 00 32 01 F4"))] {
        let mut plug = Plug::into(Bus::new(broken()));
        plug.bus.play(plug.now, script);
        plug.run(3000);
        let (_, id, data) = plug.seen.last().unwrap();
        assert!(*id == last.0 && hex(data).starts_with(last.1), "{id:X} {data:02X?}");
        assert_eq!(plug.ask(Address::obd(0).unwrap(), "03", 50), ["7E8: 43 00"]);
        assert!(script.clears() && !LOOKS_ON.clears());
    }
    let mut plug = Plug::into(Bus::new(broken()));
    plug.bus.play(plug.now, &LOOKS_ON);
    plug.run(40_000);
    assert_eq!(plug.seen.iter().filter(|(_, id, _)| *id == 0x7DF).count(), 30);
}

#[test]
fn each_setup_does_what_it_says() {
    let after = |name: &str, ms: u64, request: &str| {
        let mut plug = Plug::into(setup(name).unwrap().bus(Boot::default()));
        plug.run(ms);
        plug.ask(ALL, request, 3000).join(", ")
    };
    let codes = "7E8: 43 02 03 01 04 20, 7E9: 43 01 07 41";
    let table = [
        ("codes", codes.to_owned()),
        ("whole", "7E8: 43 00, 7E9: 43 00".to_owned()),
        ("body", String::new()),
        ("late", codes.to_owned()),
        ("twice", "7E8: 43 02 03 01 04 20, 7E8: 43 02 03 01 04 20, 7E9: 43 01 07 41, 7E9: 43 01 07 41".to_owned()),
        ("pieces", codes.to_owned()),
        ("cut", codes.to_owned()),
        ("never", String::new()),
        ("busy", "7E8: 7F 03 21, 7E9: 7F 03 21, 7EA: 7F 03 21".to_owned()),
        ("pending", format!("7E8: 7F 03 78, 7E9: 7F 03 78, {codes}")),
        ("overflow", codes.to_owned()),
        ("clears", codes.to_owned()),
        ("mixed", codes.to_owned()),
        ("session-and-clears", codes.to_owned()),
        ("looks-on", codes.to_owned()),
        ("truck", String::new()),
        ("rival", String::new()),
    ];
    for (setup, (name, expected)) in SETUPS.iter().zip(&table) {
        assert_eq!((setup.name, after(name, 0, "03")), (*name, expected.clone()));
    }
    assert_eq!(SETUPS.len(), table.len());
    assert_eq!(after("codes", 0, "07"), "7E8: 47 03 03 01 04 20 01 28, 7E9: 47 01 07 41");
    for name in ["clears", "mixed", "session-and-clears"] {
        assert_eq!(after(name, 0, "07"), "7E8: 47 01 01 28, 7E9: 47 00");
        assert_eq!(after(name, 25_000, "03"), "7E8: 43 00, 7E9: 43 00", "{name}");
        assert_eq!(after(name, 25_000, "07"), "7E8: 47 00, 7E9: 47 00", "{name}");
    }
}

fn ids(plug: &Plug) -> Vec<String> {
    plug.seen.iter().map(|(ms, id, data)| format!("{ms} {id:08X} {}", hex(data))).collect()
}

const OIL: TruckFault = TruckFault { spn: 100, fmi: 1, occurrences: 3 };
const COOLANT: TruckFault = TruckFault { spn: 110, fmi: 0, occurrences: 1 };
const HIGH: TruckFault = TruckFault { spn: 520_192, fmi: 31, occurrences: 126 };

#[test]
fn a_truck_tells_its_active_code_each_second_and_more_of_them_by_broadcast() {
    let mut plug = Plug::into(Bus::default().with_truck(Truck::new().with_active(&[COOLANT])));
    plug.run(2100);
    assert_eq!(
        ids(&plug),
        [
            "0 18EEFF00 01 00 20 00 00 00 00 10",
            "0 18FECA00 44 3F 6E 00 00 01 FF FF",
            "1000 18FECA00 44 3F 6E 00 00 01 FF FF",
            "2000 18FECA00 44 3F 6E 00 00 01 FF FF",
        ]
    );
    let mut plug = Plug::into(Bus::default().with_truck(Truck::new().with_active(&[COOLANT, HIGH])));
    plug.run(900);
    assert_eq!(
        ids(&plug)[1..],
        ["0 1CECFF00 20 0A 00 02 FF CA FE 00", "50 1CEBFF00 01 44 3F 6E 00 00 01 00", "100 1CEBFF00 02 F0 FF 7E FF FF FF FF",]
    );
    let mut plug = Plug::into(Bus::default().with_truck(Truck::new()));
    plug.run(5000);
    assert_eq!(plug.seen.len(), 1, "nothing is active: the claim alone");

    let mut plug = Plug::into(Bus::default().with_truck(Truck::new().with_active(&[COOLANT])));
    plug.run(1500);
    let truck = plug.bus.truck().unwrap();
    (truck.previously, truck.lamps) = (std::mem::take(&mut truck.active), Truck::NO_LAMPS);
    plug.seen.clear();
    plug.run(5000);
    assert_eq!(ids(&plug), ["1500 18FECA00 00 FF 00 00 00 00 FF FF"], "once, that there is none any more");
}

#[test]
fn a_truck_gives_what_is_requested_of_it() {
    let truck = || Truck::new().with_previously(&[OIL, COOLANT]);
    let say = |plug: &mut Plug, id: u32, data: &str, ms: u64| {
        let frame = super::bus::frame(plug.now, id, true, &bytes(data));
        plug.bus.hear(plug.now, &frame);
        plug.seen.clear();
        plug.run(ms);
        ids(plug).into_iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let mut plug = Plug::into(Bus::default().with_truck(truck()));
    plug.run(10);
    // All are asked: a broadcast.
    let told = say(&mut plug, 0x18EA_FFF9, "EC FE 00", 500);
    assert_eq!(told[0], "1CECFF00 20 12 00 03 FF EC FE 00");
    assert_eq!(told[3], "1CEBFF00 03 30 30 31 2A FF FF FF", "{told:?}");
    // It alone is asked: a connection, at the pace of the other side.
    assert_eq!(say(&mut plug, 0x18EA_00F9, "CB FE 00", 100), ["1CECF900 10 0A 00 02 FF CB FE 00"]);
    assert_eq!(say(&mut plug, 0x18EC_00F9, "11 01 01 FF FF CB FE 00", 100), ["1CEBF900 01 00 FF 64 00 01 03 6E"]);
    assert_eq!(say(&mut plug, 0x18EC_00F9, "11 01 02 FF FF CB FE 00", 100), ["1CEBF900 02 00 00 01 FF FF FF FF"]);
    assert_eq!(say(&mut plug, 0x18EC_00F9, "13 0A 00 02 FF CB FE 00", 2000), [""; 0]);
    // Nobody goes on: it gives up.
    say(&mut plug, 0x18EA_00F9, "CB FE 00", 100);
    assert_eq!(plug.run(2000).len(), 0);
    assert_eq!(ids(&plug).last().unwrap().split_once(' ').unwrap().1, "1CECF900 FF 03 FF FF FF CB FE 00");
    // What fits one frame, what it has not, who it is.
    assert_eq!(say(&mut plug, 0x18EA_00F9, "CA FE 00", 100), ["18FECA00 00 FF 00 00 00 00 FF FF"]);
    assert_eq!(say(&mut plug, 0x18EA_00F9, "D3 FE 00", 100), ["18E8FF00 01 FF FF FF F9 D3 FE 00"], "clearing is not for it");
    assert_eq!(say(&mut plug, 0x18EA_FFF9, "D3 FE 00", 100), [""; 0]);
    assert_eq!(say(&mut plug, 0x18EA_FFFE, "00 EE 00", 100), ["18EEFF00 01 00 20 00 00 00 00 10"]);
    // A better NAME takes its address.
    assert_eq!(say(&mut plug, 0x18EE_FF00, "02 00 20 00 00 00 00 10", 100), ["18EEFF00 01 00 20 00 00 00 00 10"]);
    assert_eq!(say(&mut plug, 0x18EE_FF00, "00 00 20 00 00 00 00 10", 100), ["18EEFFFE 01 00 20 00 00 00 00 10"]);
    assert_eq!(say(&mut plug, 0x18EA_00F9, "CA FE 00", 5000), [""; 0]);
}

#[test]
fn a_rival_claims_what_somebody_else_has_claimed() {
    let mut plug = Plug::into(Bus::default().with_rival(Rival::new(7, 1)));
    let claim = |address: u32| super::bus::frame(Boot::default(), 0x18EE_FF00 | address, true, &[0xFF; 8]);
    for address in [0, 254, 249, 128] {
        plug.bus.hear(plug.now, &claim(address));
    }
    plug.run(10);
    assert_eq!(ids(&plug), ["0 18EEFFF9 07 00 00 00 00 00 00 00"]);
}

//! A bus with ECUs that answer by a table, a port, and another tester; stories and laws.

mod long;

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::can::profile::{Addressing, Identifier};
use crate::diagnostics::isotp::{self, Event, Links, Reception};
use crate::vehicle::FrameKind;
use crate::vehicle::trouble::{Classes, Code, Extended, Identified, Protocol};

/// An ECU: what it answers to which request.
#[derive(Clone, Debug, Default)]
struct Ecm {
    /// 7E8, or 18DAF110.
    id: u32,
    says: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What is left of a long answer.
    rest: VecDeque<Vec<u8>>,
    late: Duration,
    twice: bool,
    /// Says 21 to everything.
    busy: bool,
    silent: bool,
}

impl Ecm {
    fn new(id: u32, says: &[(&str, &str)]) -> Ecm {
        let says = says.iter().map(|(question, answer)| (hex(question), hex(answer))).collect();
        Ecm { id, says, ..Ecm::default() }
    }

    fn hears(&self, frame: &Frame) -> bool {
        if self.id > 0x7FF {
            frame.id == 0x18DB_33F1 || frame.id == 0x18DA_00F1 | (self.id & 0xFF) << 8
        } else {
            frame.id == 0x7DF || frame.id + 8 == self.id
        }
    }

    /// What it says, each after a while.
    fn answer(&mut self, frame: &Frame) -> Vec<(Duration, Vec<u8>)> {
        let soon = Duration::from_millis(10);
        match Pdu::read(&frame.data, 0) {
            _ if self.silent || !self.hears(frame) => Vec::new(),
            Some(Pdu::Flow(flow)) if flow.status == Status::Continue => {
                let apart = flow.separation_time();
                self.rest.drain(..).zip(0_u32..).map(|(part, nth)| (soon + apart * nth, part)).collect()
            }
            Some(Pdu::Flow(_)) => {
                self.rest.clear();
                Vec::new()
            }
            Some(Pdu::Single(question)) => {
                let physical = !matches!(frame.id, 0x7DF | 0x18DB_33F1);
                self.begin(question, physical).into_iter().map(|part| (soon + self.late, part)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn begin(&mut self, question: &[u8], physical: bool) -> Vec<Vec<u8>> {
        match if self.busy { Some(vec![0x7F, question[0], 0x21]) } else { self.says(question) } {
            Some(payload) => self.frames(&payload),
            None if physical => vec![vec![3, 0x7F, question[0], 0x12]],
            None => Vec::new(),
        }
    }

    /// Several PIDs are answered as each of them would be.
    fn says(&self, question: &[u8]) -> Option<Vec<u8>> {
        if question[0] != 1 || question.len() <= 2 {
            return self.says.get(question).cloned();
        }
        let each = question[1..].iter().filter_map(|pid| self.says.get(&[1, *pid][..])).flat_map(|answer| &answer[1..]);
        Some([0x41].iter().chain(each).copied().collect())
    }

    fn frames(&mut self, payload: &[u8]) -> Vec<Vec<u8>> {
        if payload.len() < 8 {
            let single = [&[payload.len() as u8], payload].concat();
            return if self.twice { vec![single.clone(), single] } else { vec![single] };
        }
        self.rest =
            payload[6..].chunks(7).zip((0..16_u8).cycle().skip(1)).map(|(part, nth)| [&[0x20 | nth], part].concat()).collect();
        vec![[&[0x10 | (payload.len() >> 8) as u8, payload.len() as u8], &payload[..6]].concat()]
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

fn frame(at: Boot, id: u32, data: &[u8]) -> Frame {
    let mut data: heapless::Vec<u8, 64> = heapless::Vec::from_slice(data).unwrap();
    data.resize(8, 0xCC).unwrap();
    Frame { at, kind: FrameKind::Classical, id, extended: id > 0x7FF, data }
}

/// Everything on the bus, and what was told.
struct Bus {
    poller: Poller,
    links: Links,
    now: Boot,
    ecus: Vec<Ecm>,
    /// Frames that will be on the bus.
    coming: BTreeMap<(Boot, u64), Frame>,
    count: u64,
    log: Vec<(Boot, Frame)>,
    asked: Vec<(Boot, u32, Vec<u8>)>,
    told: Vec<(Boot, Heard)>,
    open: bool,
    /// STmin is chosen before the answer is known, as for the kernel.
    kernel: bool,
}

impl Bus {
    fn new(addressing: Addressing, ecus: Vec<Ecm>) -> Bus {
        let identifiers = Vec::new();
        Bus::with(&Diagnosis { addressing, identifiers, ..Diagnosis::default() }, ecus)
    }

    fn with(diagnosis: &Diagnosis, ecus: Vec<Ecm>) -> Bus {
        let mut bus = Bus {
            poller: Poller::new(diagnosis),
            links: Links::new(isotp::Settings::default()),
            now: Boot::from_micros(1_000_000),
            ecus,
            coming: BTreeMap::new(),
            count: 0,
            log: Vec::new(),
            asked: Vec::new(),
            told: Vec::new(),
            open: false,
            kernel: false,
        };
        bus.ignition(true);
        bus
    }

    fn ignition(&mut self, on: bool) {
        let mut out = Vec::new();
        self.poller.set_ignition(self.now, on, &mut out);
        self.take(out);
    }

    fn put(&mut self, at: Boot, id: u32, data: &[u8]) {
        self.count += 1;
        self.coming.insert((at, self.count), frame(at, id, data));
    }

    /// `ms` from now a tester's frame.
    fn tester(&mut self, ms: u64, id: u32, data: &str) {
        self.put(self.now + Duration::from_millis(ms), id, &hex(data));
    }

    fn take(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Ask(to, request, room) => {
                    assert!(!self.open, "one at a time");
                    self.open = true;
                    let bytes = request.encode();
                    assert!([1, 2, 3, 7, 9, 0x0A, 0x19, 0x22].contains(&bytes[0]), "{request:?}");
                    self.asked.push((self.now, to.transmit().id, bytes.to_vec()));
                    if self.kernel {
                        let separation = room.separation(to.transmit().extended, 8);
                        let reception = Reception { separation, ..Reception::default() };
                        self.links = Links::new(isotp::Settings { reception, ..isotp::Settings::default() });
                        self.links.ask(to, &bytes).unwrap();
                    } else {
                        self.links.end();
                        self.links.ask_within(to, &bytes, room).unwrap();
                    }
                }
                Output::End => {
                    self.open = false;
                    self.links.end();
                }
                Output::Heard(heard) => self.told.push((self.now, heard)),
            }
        }
    }

    fn on_the_bus(&mut self, frame: Frame, ours: bool) {
        self.log.push((self.now, frame.clone()));
        let mut out = Vec::new();
        self.poller.hear(self.now, &frame, &mut out);
        self.take(out);
        if !ours {
            let mut back = Vec::new();
            self.links.hear(&frame, &mut |event| {
                if let Event::Send(frame) = event {
                    back.push(frame);
                }
            });
            back.into_iter().for_each(|frame| self.on_the_bus(frame, true));
        }
        let mut answers = Vec::new();
        for ecu in &mut self.ecus {
            answers.extend(ecu.answer(&frame).into_iter().map(|(wait, data)| (wait, ecu.id, data)));
        }
        for (wait, id, data) in answers {
            self.put(self.now + wait, id, &data);
        }
    }

    /// Lives on for so long.
    fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        for _ in 0..200_000 {
            let coming = self.coming.keys().next().map(|(at, _)| *at);
            let due = [self.poller.deadline(), self.links.deadline(), coming].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(due);
            let mut sent = Vec::new();
            self.links.pass(self.now, &mut |event| {
                if let Event::Send(frame) = event {
                    sent.push(frame);
                }
            });
            if !sent.is_empty() {
                self.poller.sent(self.now);
            }
            sent.into_iter().for_each(|frame| self.on_the_bus(frame, true));
            if coming.is_some_and(|at| at <= self.now) {
                let (_, frame) = self.coming.pop_first().unwrap();
                self.on_the_bus(frame, false);
            }
            let mut out = Vec::new();
            self.poller.pass(self.now, &mut out);
            self.take(out);
        }
        panic!("it never rests");
    }

    fn asked_since(&self, since: Boot) -> usize {
        self.asked.iter().filter(|(at, ..)| *at > since).count()
    }

    /// Seconds after `from` at which such a thing was first told.
    fn first(&self, from: Boot, is: impl Fn(&Heard) -> bool) -> Option<f64> {
        self.told.iter().find(|(at, heard)| *at >= from && is(heard)).map(|(at, _)| at.since(from).as_secs_f64())
    }

    /// Bits in the fullest 10 s.
    fn fullest(&self) -> u32 {
        let (mut within, mut sum, mut most) = (VecDeque::new(), 0, 0);
        for (at, frame) in &self.log {
            while within.front().is_some_and(|(then, _)| at.since(*then) >= Duration::from_secs(10)) {
                sum -= within.pop_front().map_or(0, |(_, bits)| bits);
            }
            within.push_back((*at, bits(frame)));
            sum += bits(frame);
            most = most.max(sum);
        }
        most
    }

    fn holds(&self) {
        for pair in self.asked.windows(2) {
            assert!(pair[1].0.since(pair[0].0) >= GAP, "{pair:?}");
        }
        assert!(self.fullest() <= MOST_BITS, "{} bits", self.fullest());
    }
}

fn codes(class: Classes) -> impl Fn(&Heard) -> bool {
    move |heard| matches!(heard, Heard::Codes(reading) if reading.covers == class && reading.lists.iter().any(|(_, list)| !list.is_empty()))
}

/// An engine with two codes stored and one pending, its lamp lit, its frame frozen.
fn engine() -> Ecm {
    Ecm::new(
        0x7E8,
        &[
            ("0100", "4100BE3FA813"),
            ("0120", "412080018001"),
            ("0140", "414044000000"),
            ("0101", "41018207E504"),
            ("03", "430203010420"),
            ("07", "47010171"),
            ("0A", "4A010301"),
            ("0902", "490201 54454C4C54414C4553414D504C45303031"),
            ("020200", "4202000301"),
            ("020000", "4200005E180000"),
            ("020400", "42040033"),
            ("020500", "4205007B"),
            ("020C00", "420C001AF8"),
            ("020D00", "420D0020"),
            ("010D", "410D20"),
            ("010C", "410C1AF8"),
            ("0105", "41057B"),
            ("010F", "410F50"),
            ("0121", "4121000A"),
            ("0142", "414236B0"),
            ("0146", "41463C"),
        ],
    )
}

fn gearbox() -> Ecm {
    Ecm::new(0x7E9, &[("0100", "410080000000"), ("0101", "410181000000"), ("03", "43010700"), ("07", "4700"), ("0A", "4A00")])
}

#[test]
fn a_lit_lamp_and_three_codes_of_two_ecus_are_told_in_time() {
    told_in_time(false);
    told_in_time(true);
}

fn told_in_time(kernel: bool) {
    let mut bus = Bus::new(Addressing::Either, vec![engine(), gearbox()]);
    bus.kernel = kernel;
    bus.run(60);
    bus.holds();
    let first = bus.told.iter().find(|(_, heard)| matches!(heard, Heard::Answering { yes: true, .. })).unwrap().0;
    let within = |seconds: f64, is: &dyn Fn(&Heard) -> bool| {
        assert!(bus.first(first, is).is_some_and(|after| after <= seconds), "{:?}", bus.first(first, is))
    };
    within(5.0, &|heard| matches!(heard, Heard::Lamp(lamp) if lamp.on && lamp.count == Some(2)));
    within(5.0, &codes(Classes::STORED));
    within(10.0, &codes(Classes::PENDING));
    within(10.0, &codes(Classes::PERMANENT));
    within(
        20.0,
        &|heard| matches!(heard, Heard::Freeze(frame) if frame.values.len() >= 4 && frame.code == Code::Iso { base: 0x0301, failure: None }),
    );
    within(20.0, &|heard| matches!(heard, Heard::Vin(vin) if vin.as_str() == "TELLTALESAMPLE001"));
    within(20.0, &|heard| matches!(heard, Heard::Measured(..)));
    assert!(bus.told.iter().any(|(_, heard)| matches!(heard, Heard::Codes(reading) if reading.lists[0].0 == Ecu::Normal(0x7E9))));
    let measured: std::collections::BTreeSet<String> = bus
        .told
        .iter()
        .filter_map(|(_, heard)| if let Heard::Measured(signal, _) = heard { Some(format!("{signal:?}")) } else { None })
        .collect();
    assert_eq!(measured.len(), 5, "{measured:?}");
    let singly = bus.asked.iter().filter(|(_, _, bytes)| bytes[..] == [0x01, 0x0D]).count();
    assert_eq!(singly, 0, "it takes several at once");
    println!("kernel {kernel}: {} bits in the fullest 10 s, {} requests in a minute", bus.fullest(), bus.asked.len());
    assert_eq!(bus.asked.iter().filter(|(_, _, bytes)| bytes == &hex("0902")).count(), 2, "the number is asked for no more");
}

#[test]
fn what_an_ecu_runs_is_asked_once() {
    let mut ecu = engine();
    let id = "545424454E472D43414C2D3030303432";
    ecu.says.extend([(hex("0904"), hex(&format!("490401{id}"))), (hex("0906"), hex("4906011791BC82"))]);
    let mut bus = Bus::new(Addressing::Either, vec![ecu]);
    bus.run(60);
    bus.holds();
    for (name, value) in [("calibrationIds", "TT$ENG-CAL-00042"), ("calibrationCheckSums", "1791BC82")] {
        let told = Identified { ecu: Ecu::Normal(0x7E8), name: name.to_owned(), value: value.to_owned() };
        assert!(bus.told.iter().any(|(_, heard)| *heard == Heard::Identified(told.clone())), "{name}");
    }
    assert_eq!(bus.asked.iter().filter(|(_, _, bytes)| bytes == &hex("0904")).count(), 1);
}

#[test]
fn what_answers_with_29_bits_is_found() {
    let mut ecu = engine();
    ecu.id = 0x18DA_F110;
    let mut bus = Bus::new(Addressing::Either, vec![ecu]);
    bus.run(20);
    bus.holds();
    assert!(bus.first(Boot::from_micros(1_000_000), codes(Classes::STORED)).is_some_and(|after| after < 5.0));
    let wrong = bus.asked.iter().filter(|(at, id, _)| *id == 0x7DF && *at > Boot::from_micros(5_000_000)).count();
    assert_eq!(wrong, 0, "what answered stays");
}

#[test]
fn what_speaks_obd_on_uds_alone_is_read_so() {
    let ecu = Ecm::new(
        0x7E8,
        &[
            ("22F810", "62F81001"),
            ("194233 0D FF", "594233 FF FF 04 20 030100 88"),
            ("22F401", "62F401 83 076504"),
            ("195533", "595533 FF 04 030100 08"),
            ("22F802", "62F80254454C4C54414C4553414D504C45303031"),
        ],
    );
    let mut bus = Bus::new(Addressing::Either, vec![ecu]);
    bus.run(20);
    bus.holds();
    let uds = |heard: &Heard| matches!(heard, Heard::Codes(reading) if reading.protocol == Protocol::Uds && reading.lists[0].1.len() == 1);
    assert!(bus.first(Boot::from_micros(1_000_000), uds).is_some(), "{:?}", bus.asked);
    assert!(bus.told.iter().any(|(_, heard)| matches!(heard, Heard::Vin(_))));
    assert!(bus.told.iter().any(|(_, heard)| matches!(heard, Heard::Lamp(lamp) if lamp.on)), "its code asks for the lamp");
    assert!(bus.told.iter().any(|(_, heard)| matches!(heard, Heard::Readiness(readiness) if readiness.monitors.len() == 7)));
}

#[test]
fn an_ecu_that_the_profile_names_is_read_by_uds() {
    let ecu = Ecm::new(0x72E, &[("19020D", "5902FF 914A1F 09"), ("22F187", "62F187414243")]);
    let identifiers = vec![Identifier { ecu: Ecu::Normal(0x72E), did: 0xF187, name: "part".into() }];
    let mut bus = Bus::with(&Diagnosis { identifiers, ..Diagnosis::default() }, vec![ecu]);
    bus.run(10);
    let body = Code::Iso { base: 0x914A, failure: Some(0x1F) };
    assert!(bus.told.iter().any(|(_, heard)| matches!(heard, Heard::Codes(reading) if reading.lists[0].1[0].code == body)));
    assert!(bus.asked.iter().any(|(_, id, bytes)| *id == 0x726 && bytes == &hex("22F187")));
    let told = Identified { ecu: Ecu::Normal(0x72E), name: "part".to_owned(), value: "ABC".to_owned() };
    assert!(bus.told.iter().any(|(_, heard)| *heard == Heard::Identified(told.clone())));
}

/// SAE J1939-73's format: SPN 110 FMI 3 is 6E 00 03.
#[test]
fn an_ecu_says_how_its_codes_are_to_be_read_and_what_it_keeps_of_them() {
    let ecu = Ecm::new(
        0x72E,
        &[
            ("19010D", "5901 FF 02 0001"),
            ("190A", "590A FF 6E0003 08 6E0004 00"),
            ("19046E0003FF", "59046E000308 01 01 F40D 20"),
            ("19066E0003FF", "59066E000308 01 05 02 1700"),
        ],
    );
    let identifiers = vec![Identifier { ecu: Ecu::Normal(0x72E), did: 0xF187, name: "part".into() }];
    let mut bus = Bus::with(&Diagnosis { identifiers, ..Diagnosis::default() }, vec![ecu]);
    bus.run(30);
    let code = Code::J1939 { spn: 110, fmi: 3 };
    let listed =
        |heard: &Heard| matches!(heard, Heard::Codes(reading) if matches!(reading.lists[0].1[..], [one] if one.code == code));
    assert!(bus.told.iter().any(|(_, heard)| listed(heard)), "19 02 is refused, 19 0A is not: {:?}", bus.asked);
    assert!(bus.told.iter().any(|(_, heard)| matches!(heard, Heard::Freeze(frame) if frame.code == code)));
    let all = Extended { ecu: Ecu::Normal(0x72E), code, number: Extended::ALL, bytes: hex("0105021700") };
    assert!(bus.told.iter().any(|(_, heard)| *heard == Heard::Extended(all.clone())), "nobody can tell where 01 ends");
    let count = |question: &str| bus.asked.iter().filter(|(_, _, bytes)| bytes == &hex(question)).count();
    assert_eq!(["19010D", "19020D", "190A", "19066E0003FF"].map(count), [1; 4], "once each, 0A every minute");
}

#[test]
fn nothing_is_asked_before_the_ignition_is_on_and_after_it_is_off() {
    let mut bus = Bus::new(Addressing::Either, vec![engine()]);
    bus.ignition(false);
    bus.run(100);
    assert_eq!(bus.asked, []);
    bus.ignition(true);
    bus.run(10);
    bus.ignition(false);
    let since = bus.now;
    bus.run(100);
    assert_eq!(bus.asked_since(since), 0);
}

#[test]
fn another_tester_has_the_bus_for_itself_and_its_clear_is_known() {
    let mut bus = Bus::new(Addressing::Either, vec![engine(), gearbox()]);
    bus.run(20);
    let start = bus.now;
    bus.ecus[0].says.insert(hex("04"), hex("44"));
    for (ms, data) in [(5, "0103"), (2_000, "0104"), (5_000, "0103")] {
        bus.tester(ms, 0x7DF, data);
    }
    bus.run(15);
    assert_eq!(bus.asked_since(start + Duration::from_millis(5)), 0);
    assert!(bus.poller.is_paused(bus.now));
    assert!(bus.first(start, |heard| *heard == Heard::Cleared(Ecu::Normal(0x7E8))).unwrap() < 2.1);
    assert!(bus.first(start, codes(Classes::STORED)).is_some(), "what it reads is a reading");
    bus.run(1);
    assert!(bus.asked_since(start) > 0);
    bus.holds();
}

#[test]
fn a_clear_whose_answer_nobody_heard_is_known_within_30_s() {
    let mut bus = Bus::new(Addressing::Either, vec![engine()]);
    bus.run(20);
    bus.tester(5, 0x7E0, "0104");
    for (question, answer) in [("03", "4300"), ("07", "4700"), ("0A", "4A00"), ("0101", "41010007E504")] {
        bus.ecus[0].says.insert(hex(question), hex(answer));
    }
    let start = bus.now + Duration::from_millis(5);
    bus.run(30);
    let empty = |class| {
        bus.told
            .iter()
            .filter(move |(at, heard)| {
                *at > start && matches!(heard, Heard::Codes(reading) if reading.covers == class && reading.lists[0].1.is_empty())
            })
            .nth(1)
    };
    let (stored, pending) = (empty(Classes::STORED).unwrap().0, empty(Classes::PENDING).unwrap().0);
    assert!(stored.max(pending).since(start) < Duration::from_secs(20), "twice running");
    assert!(bus.first(start, |heard| matches!(heard, Heard::Lamp(lamp) if !lamp.on)).is_some());
}

#[test]
fn a_session_of_its_own_is_left_alone_for_longer() {
    let mut bus = Bus::new(Addressing::Either, vec![engine()]);
    bus.run(5);
    bus.tester(1, 0x7E0, "021003");
    let start = bus.now;
    bus.run(60);
    assert_eq!(bus.asked_since(start + Duration::from_millis(1)), 0);
    bus.run(2);
    assert!(bus.asked_since(start) > 0);
    let start = bus.now;
    bus.ecus[0].says.insert(hex("1001"), hex("5001003201F4"));
    bus.tester(1, 0x7E0, "021003");
    bus.tester(100, 0x7E0, "021001");
    bus.run(12);
    assert!(bus.asked_since(start + Duration::from_millis(1)) > 0, "it has left the session");
}

#[test]
fn who_is_busy_or_silent_is_asked_ever_more_rarely() {
    for busy in [true, false] {
        let mut bus = Bus::new(Addressing::Normal, vec![engine()]);
        bus.run(10);
        bus.ecus[0].busy = busy;
        bus.ecus[0].silent = !busy;
        bus.run(300);
        let since = bus.now;
        bus.run(120);
        let stored = bus.asked.iter().filter(|(at, _, bytes)| *at > since && bytes == &hex("03")).count();
        assert!((1..=3).contains(&stored), "{stored}");
        bus.holds();
    }
}

#[test]
fn an_ecu_that_puts_off_its_answer_is_waited_for() {
    let mut bus = Bus::new(Addressing::Normal, vec![engine()]);
    bus.run(10);
    bus.ecus[0].says.insert(hex("03"), hex("7F0378"));
    let asked = bus.asked.len();
    while !bus.asked[asked..].iter().any(|(_, _, bytes)| bytes == &hex("03")) {
        bus.run(1);
    }
    let at = bus.asked.iter().rev().find(|(_, _, bytes)| bytes == &hex("03")).unwrap().0;
    let answered = at + Duration::from_secs(4);
    bus.put(answered, 0x7E8, &hex("0443010171"));
    bus.run(4);
    assert!(bus.asked.iter().all(|(other, ..)| *other <= at || *other >= answered), "nothing else is asked");
    let late = Code::Iso { base: 0x0171, failure: None };
    assert!(
        bus.told
            .iter()
            .any(|(told, heard)| *told >= at && matches!(heard, Heard::Codes(reading) if reading.lists[0].1[0].code == late))
    );
}

#[test]
fn late_and_double_answers_are_nobody_elses() {
    let mut bus = Bus::new(Addressing::Normal, vec![engine(), gearbox()]);
    bus.ecus[1].late = Duration::from_millis(700);
    bus.ecus[0].twice = true;
    bus.run(60);
    bus.holds();
    let counts = bus.poller.counts();
    assert!(counts.twice > 10 && counts.late > 10, "{counts:?}");
    assert!(!bus.poller.is_paused(bus.now), "they are no other tester's");
    for (_, heard) in &bus.told {
        if let Heard::Codes(reading) = heard {
            let (ecu, list) = &reading.lists[0];
            let expected = match (ecu, reading.covers) {
                (Ecu::Normal(0x7E8), Classes::STORED) => 2,
                (Ecu::Normal(0x7E8), _) | (Ecu::Normal(0x7E9), Classes::STORED) => 1,
                _ => 0,
            };
            assert_eq!(list.len(), expected, "{reading:?}");
        }
    }
}

#[test]
fn eight_talkative_ecus_do_not_break_the_budget() {
    let many = |id| {
        let mut ecu = engine();
        ecu.id = id;
        ecu.says.insert(hex("03"), [&[0x43, 40][..], &(1..=80).collect::<Vec<u8>>()].concat());
        ecu.says.insert(hex("07"), [&[0x47, 40][..], &(1..=80).collect::<Vec<u8>>()].concat());
        ecu
    };
    let mut bus = Bus::new(Addressing::Normal, (0x7E8..=0x7EF).map(many).collect());
    bus.run(120);
    bus.holds();
    assert!(bus.told.iter().any(|(_, heard)| matches!(heard, Heard::Codes(reading) if reading.lists[0].1.len() == 40)));
}

/// What somebody does to the bus.
#[derive(Clone, Debug)]
enum Happens {
    Wait(u64),
    Frame(u32, Vec<u8>),
    Ignition(bool),
    Mood(usize, bool, bool, bool, u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let id = prop_oneof![Just(0x7DF), 0x7E0_u32..0x7F0, Just(0x18DA_F110), Just(0x18DA_10F1), Just(0x18DB_33F1), Just(0x123)];
    let data = proptest::collection::vec(
        prop_oneof![any::<u8>(), Just(0x02), Just(0x41), Just(0x43), Just(0x10), Just(0x21), Just(0x30)],
        1..8,
    );
    prop_oneof![
        (0_u64..4).prop_map(Happens::Wait),
        (id, data).prop_map(|(id, data)| Happens::Frame(id, data)),
        any::<bool>().prop_map(Happens::Ignition),
        (0..2_usize, any::<bool>(), any::<bool>(), any::<bool>(), 0_u64..3000)
            .prop_map(|(at, a, b, c, late)| Happens::Mood(at, a, b, c, late)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_promises_hold(story in proptest::collection::vec(happens(), 1..40)) {
        let mut bus = Bus::new(Addressing::Either, vec![engine(), gearbox()]);
        let (mut on, mut off_at) = (true, None);
        for event in story {
            let before = bus.asked.len();
            match event {
                Happens::Wait(seconds) => bus.run(seconds),
                Happens::Frame(id, data) => {
                    bus.put(bus.now, id, &data);
                    bus.run(0);
                }
                Happens::Ignition(is) => {
                    bus.ignition(is);
                    on = is;
                    off_at = (!is).then_some(bus.now);
                }
                Happens::Mood(at, busy, silent, twice, late) => {
                    let ecu = &mut bus.ecus[at];
                    (ecu.busy, ecu.silent, ecu.twice, ecu.late) = (busy, silent, twice, Duration::from_millis(late));
                }
            }
            if !on {
                prop_assert!(bus.asked[before..].iter().all(|(at, ..)| off_at.is_none_or(|off| *at < off)));
            }
        }
        for pair in bus.asked.windows(2) {
            prop_assert!(pair[1].0.since(pair[0].0) >= GAP, "{pair:?}");
        }
        // Of foreign frames nobody knows whose they are; ours and their answers are well under it.
        prop_assert!(bus.poller.spent(bus.now) <= MOST_BITS);
    }
}

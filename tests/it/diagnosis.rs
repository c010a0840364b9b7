//! Diagnosis against simulated ECUs, by real frames: how long what an ECU knows takes to be told, what that costs the bus,
//! and that nothing else can leave the daemon.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use telltale::can::Listen;
use telltale::can::profile::{Addressing, Diagnosis, Identifier};
use telltale::clock::{Boot, Stamp, TimeSource, Wall};
use telltale::detect::{CodesNow, Engine, Outbox, Settings};
use telltale::diagnostics::poller::{MOST_BITS, bits};
use telltale::diagnostics::request::Request;
use telltale::diagnostics::{Asker, j1939};
use telltale::event::{Details, Event, EventId, EventType};
use telltale::gateway::{Core, Late};
use telltale::sim;
use telltale::sim::ecus::{Bus, CLEARS, Fault, Manner, SESSION_AND_CLEARS, Truck, TruckFault};
use telltale::vehicle::trouble::{Classes, Code, CodeRecord, Ecu, Extended, Heard, Protocol};
use telltale::vehicle::{BusId, Frame, Layout, Observation, Vin};
use tokio::sync::mpsc;

use crate::phone::{Phone, until};
use crate::unit::{Daemon, figure, project};

/// The bus, whoever asks on it, and whoever is told, on a clock of their own.
struct Car {
    bus: Bus,
    asker: Asker,
    ear: Box<dyn Listen>,
    asked: mpsc::Receiver<Frame>,
    now: Boot,
    ignition: bool,
    log: Vec<(Boot, Frame)>,
    ours: Vec<(Boot, Frame)>,
    told: Vec<(Boot, Heard)>,
    core: Core,
    /// What a phone is told, and each picture of the codes that it is shown.
    events: Vec<(Boot, Event)>,
    shown: Vec<(Boot, CodesNow)>,
}

impl Car {
    fn new(bus: Bus, diagnosis: &Diagnosis) -> Car {
        let (out, asked) = mpsc::channel(64);
        let asker = Asker::of(diagnosis, BusId(0), 1).unwrap().on_wire(out);
        let ear = asker.listener();
        let now = Boot::from_micros(60_000_000);
        let vin = Vin::try_from(sim::VIN.to_owned()).unwrap();
        let engine = Engine::new(Settings::default(), vin.clone(), Layout::default(), Vec::new());
        let core = Core::new(engine, Outbox::new(vin, EventId(0)), Late::Never);
        Car {
            bus,
            asker,
            ear,
            asked,
            now,
            ignition: true,
            log: Vec::new(),
            ours: Vec::new(),
            told: Vec::new(),
            core,
            events: Vec::new(),
            shown: Vec::new(),
        }
    }

    fn obd(bus: Bus) -> Car {
        Car::new(bus, &Diagnosis { obd: Some(BusId(0)), addressing: Addressing::Either, ..Diagnosis::default() })
    }

    fn tell(&mut self, told: &mut Vec<Observation>) {
        let now = Stamp { boot: self.now, wall: Wall::from_micros(1_771_545_600_000_000), source: TimeSource::Unset };
        let before = self.core.engine().codes_revision();
        let events = self.core.see(now, told);
        self.events.extend(events.into_iter().map(|event| (self.now, event)));
        if self.core.engine().codes_revision() != before {
            self.shown.push((self.now, self.core.engine().codes_now()));
        }
        for observation in told.drain(..) {
            if let Observation::Diagnosis(heard) = observation {
                self.told.push((self.now, heard));
            }
        }
    }

    /// What was asked goes on the bus.
    fn speak(&mut self) {
        while let Ok(frame) = self.asked.try_recv() {
            self.log.push((self.now, frame.clone()));
            self.ours.push((self.now, frame.clone()));
            self.bus.hear(self.now, &frame);
        }
    }

    fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        let mut told = Vec::new();
        self.asker.pass(self.now, self.ignition, &mut told);
        self.speak();
        loop {
            let due = [self.asker.deadline(), self.bus.deadline()].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due < end) else { break };
            self.now = self.now.max(due) + Duration::from_micros(1);
            while let Some(frame) = self.bus.pass(self.now) {
                self.log.push((self.now, frame.clone()));
                self.ear.hear(self.now, &frame, &mut told);
                self.tell(&mut told);
                self.speak();
            }
            self.asker.pass(self.now, self.ignition, &mut told);
            self.tell(&mut told);
            self.speak();
        }
        self.now = end;
    }

    /// Seconds from `since` until such a thing was told.
    fn after(&self, since: Boot, is: impl Fn(&Heard) -> bool) -> f64 {
        let found = self.told.iter().find(|(at, heard)| *at >= since && is(heard));
        found.map_or(f64::INFINITY, |(at, _)| at.since(since).as_secs_f64())
    }

    /// Seconds from `since` until a phone was told such an event, and until it was shown such codes.
    fn phone_after(&self, since: Boot, is: impl Fn(EventType, &[CodeRecord]) -> bool) -> f64 {
        let tells = |event: &Event| match &event.details {
            Details::Diagnosis(about) => event.event_type.is_some_and(|event| is(event, &about.codes)),
            _ => false,
        };
        let found = self.events.iter().find(|(at, event)| *at >= since && tells(event));
        found.map_or(f64::INFINITY, |(at, _)| at.since(since).as_secs_f64())
    }

    fn shown_after(&self, since: Boot, is: impl Fn(&[CodeRecord]) -> bool) -> f64 {
        let found = self.shown.iter().find(|(at, now)| *at >= since && is(now.records.as_deref().unwrap_or_default()));
        found.map_or(f64::INFINITY, |(at, _)| at.since(since).as_secs_f64())
    }

    /// Bits of all diagnostic frames in the fullest 10 s.
    fn fullest(&self) -> u32 {
        let within = |from: Boot| {
            let frames = self.log.iter().filter(|(at, _)| *at >= from && at.since(from) < Duration::from_secs(10));
            frames.map(|(_, frame)| bits(frame)).sum()
        };
        self.log.iter().map(|(at, _)| within(*at)).max().unwrap_or(0)
    }
}

fn lists(heard: &Heard, ecu: u16, class: Classes, base: u16) -> bool {
    let Heard::Codes(reading) = heard else { return false };
    let has = |code: &Code| matches!(code, Code::Iso { base: found, .. } if *found == base);
    reading.covers.any(class)
        && reading.lists.iter().any(|(whose, list)| {
            *whose == Ecu::Normal(ecu) && list.iter().any(|listed| listed.classes.any(class) && has(&listed.code))
        })
}

/// MIL on, three codes of two ECUs, one pending.
fn in_trouble() -> Bus {
    let mut bus = Bus::car();
    [Fault::MISFIRE, Fault::CATALYST, Fault::CLUTCH, Fault::THERMOSTAT].into_iter().for_each(|fault| bus.set(fault));
    bus
}

#[test]
fn what_is_wrong_is_told_in_time_and_costs_the_bus_less_than_one_percent() {
    let mut car = Car::obd(in_trouble());
    car.run(120);
    let answer = |heard: &Heard| matches!(heard, Heard::Answering { yes: true, .. });
    let first = car.told.iter().find(|(_, heard)| answer(heard)).unwrap().0;
    let within = |name: &str, most: f64, is: &dyn Fn(&Heard) -> bool| {
        let seconds = car.after(first, is);
        figure(&format!("diagnosis_seconds_to_{name}"), seconds);
        assert!(seconds <= most, "{name}: {seconds} s");
    };
    within("lamp", 5.0, &|heard| matches!(heard, Heard::Lamp(lamp) if lamp.on));
    within("stored", 5.0, &|heard| lists(heard, 0x7E8, Classes::STORED, 0x0301));
    within("stored_of_the_other_ecu", 5.0, &|heard| lists(heard, 0x7E9, Classes::STORED, 0x0741));
    within("pending", 10.0, &|heard| lists(heard, 0x7E8, Classes::PENDING, 0x0128));
    within("permanent", 10.0, &|heard| lists(heard, 0x7E8, Classes::PERMANENT, 0x0301));
    within("freeze_frame", 20.0, &|heard| matches!(heard, Heard::Freeze(frame) if frame.values.len() > 5));
    within("vin", 20.0, &|heard| matches!(heard, Heard::Vin(vin) if vin.as_str() == sim::VIN));
    let fullest = car.fullest();
    figure("diagnosis_bits_a_second", f64::from(fullest) / 10.0);
    assert!(fullest <= MOST_BITS, "{fullest}");
}

#[test]
fn a_tester_that_clears_is_left_alone_and_what_it_did_is_known_at_once() {
    for script in [&CLEARS, &SESSION_AND_CLEARS] {
        let mut car = Car::obd(in_trouble());
        car.run(30);
        car.bus.mend(Fault::MISFIRE);
        let begun = car.now;
        car.bus.play(begun, script);
        car.run(60);
        let is_tester = |frame: &Frame| matches!(frame.id, 0x7DF..=0x7E7);
        let last = car.log.iter().rfind(|(at, frame)| is_tester(frame) && *at < begun + Duration::from_secs(3)).unwrap().0;
        let cleared = car.after(begun, |heard| *heard == Heard::Cleared(Ecu::Normal(0x7E8)));
        assert!(begun + Duration::from_secs_f64(cleared) <= last + Duration::from_secs(1), "{}: {cleared} s", script.name);
        let between = |(at, _): &&(Boot, Frame)| *at > begun + Duration::from_millis(20) && *at < last + Duration::from_secs(10);
        assert_eq!(car.ours.iter().filter(between).count(), 0, "{}", script.name);
        let empty = |heard: &Heard| matches!(heard, Heard::Codes(reading) if reading.covers == Classes::STORED && reading.lists.iter().all(|(_, list)| list.is_empty()));
        let again = car.told.iter().filter(|(at, heard)| *at > last && empty(heard)).nth(3).unwrap().0;
        figure(&format!("diagnosis_seconds_to_{}", script.name), again.since(last).as_secs_f64());
        assert!(again.since(last) <= Duration::from_secs(30), "both ECUs, twice running");
    }
}

/// From the first answer of an ECU, and from the last frame of the tester that clears. A picture is shown as it changes.
#[test]
fn a_phone_is_told_what_is_wrong_and_what_a_tester_cleared_in_time() {
    let mut car = Car::obd(in_trouble());
    car.run(60);
    let first = car.log.iter().find(|(_, frame)| (0x7E8..=0x7EF).contains(&frame.id)).unwrap().0;
    let within = |name: &str, most: f64, seconds: f64| {
        figure(&format!("diagnosis_seconds_to_the_phone_{name}"), seconds);
        assert!(seconds <= most, "{name}: {seconds} s");
    };
    let has = |codes: &[CodeRecord], code: &str| codes.iter().any(|record| record.code.to_string() == code);
    let set = |code| car.phone_after(first, |event, codes| event == EventType::DtcSet && has(codes, code));
    within("lamp", 5.0, car.phone_after(first, |event, _| event == EventType::MilOn));
    within("stored", 5.0, ["P0301", "P0420", "P0741"].map(set).into_iter().fold(0.0, f64::max));
    within("pending", 10.0, set("P0128"));
    let permanent = |code: &CodeRecord| code.classes.any(Classes::PERMANENT);
    within("permanent", 10.0, car.shown_after(first, |codes| codes.iter().filter(|code| permanent(code)).count() == 3));
    let frozen = |codes: &[CodeRecord], ecu| {
        codes.iter().any(|code| code.ecu == Ecu::Normal(ecu) && code.freeze_frame.len() >= if ecu == 0x7E8 { 7 } else { 2 })
    };
    within("freeze_frames", 20.0, car.shown_after(first, |codes| frozen(codes, 0x7E8) && frozen(codes, 0x7E9)));

    for fault in [Fault::MISFIRE, Fault::CATALYST, Fault::CLUTCH, Fault::THERMOSTAT] {
        car.bus.mend(fault);
    }
    let begun = car.now;
    car.bus.play(begun, &CLEARS);
    car.run(60);
    let is_tester = |(at, frame): &&(Boot, Frame)| frame.id == 0x7DF && *at >= begun && at.since(begun) < Duration::from_secs(3);
    let last = car.log.iter().rfind(is_tester).unwrap().0;
    let cleared = |code| car.phone_after(last, |event, codes| event == EventType::DtcCleared && has(codes, code));
    within("cleared", 30.0, ["P0301", "P0420", "P0741", "P0128"].map(cleared).into_iter().fold(0.0, f64::max));
    within("lamp_off", 30.0, car.phone_after(last, |event, _| event == EventType::MilOff));
    let told = |event_type| car.events.iter().filter(|(_, event)| event.event_type == Some(event_type)).count();
    assert_eq!([told(EventType::MilOn), told(EventType::MilOff)], [1, 1]);
}

/// Somebody's ECU of the body with 600 codes: 2,403 bytes, which as fast as they can come would be almost all that 10 s may
/// hold. Of so many the record keeps 256.
#[test]
fn a_list_of_600_codes_stays_within_the_share_and_is_told_whole() {
    let faults: Vec<Fault> = (0..600).map(|n| Fault { code: 0x9000 + n, ..Fault::SPEAKER }).collect();
    let engine = sim::ecus::Ecu::engine().with_faults(&[Fault::MISFIRE]);
    let ecu = Ecu::Normal(0x7EA);
    let identifiers = vec![Identifier { ecu, did: 0xF187, name: "part".into() }];
    let diagnosis = Diagnosis { obd: Some(BusId(0)), identifiers, ..Diagnosis::default() };
    let mut car = Car::new(Bus::new([engine, sim::ecus::Ecu::body().with_faults(&faults)]), &diagnosis);
    car.run(100);
    let whole =
        |heard: &Heard| matches!(heard, Heard::Codes(reading) if reading.lists[0].0 == ecu && reading.lists[0].1.len() == 600);
    let times = car.told.iter().filter(|(_, heard)| whole(heard)).count();
    assert!(times >= 3, "{times} times");
    assert!(car.after(car.log[0].0, |heard| lists(heard, 0x7E8, Classes::STORED, 0x0301)) <= 5.0);
    figure("diagnosis_bits_a_second_of_600_codes", f64::from(car.fullest()) / 10.0);
    assert!(car.fullest() <= MOST_BITS, "{}", car.fullest());
    let kept = car.shown.last().and_then(|(_, now)| now.records.as_ref().map(|records| records.len()));
    assert_eq!(kept, Some(256));
}

#[test]
fn ecus_that_behave_badly_are_survived() {
    let manners = [
        Manner { after: Duration::from_millis(900), ..Manner::default() },
        Manner { twice: true, ..Manner::default() },
        Manner { gap: Duration::from_millis(700), ..Manner::default() },
        Manner { busy: 20, ..Manner::default() },
        Manner { pending: 3, ..Manner::default() },
        Manner { never: true, ..Manner::default() },
    ];
    for manner in manners {
        let mut engine = sim::ecus::Ecu::engine();
        engine.manner = manner;
        let mut bus = Bus::new([engine, sim::ecus::Ecu::transmission()]);
        [Fault::MISFIRE, Fault::CLUTCH].into_iter().for_each(|fault| bus.set(fault));
        let mut car = Car::obd(bus);
        car.run(200);
        let known = |ecu, base| car.told.iter().any(|(_, heard)| lists(heard, ecu, Classes::STORED, base));
        assert!(known(0x7E9, 0x0741), "the other one: {manner:?}");
        assert_eq!(known(0x7E8, 0x0301), !manner.never, "{manner:?}");
        let requests: Vec<Boot> = car.ours.iter().filter(|(_, frame)| frame.data[0] >> 4 == 0).map(|(at, _)| *at).collect();
        assert!(requests.windows(2).all(|pair| pair[1].since(pair[0]) >= Duration::from_millis(199)), "{manner:?}");
        assert!(car.fullest() <= MOST_BITS, "{manner:?}");
    }
}

#[test]
fn a_truck_is_asked_under_an_address_of_its_own() {
    let mut truck = Truck::new();
    truck.active = vec![TruckFault { spn: 110, fmi: 0, occurrences: 3 }];
    truck.previously = vec![TruckFault { spn: 100, fmi: 1, occurrences: 1 }, TruckFault { spn: 190, fmi: 2, occurrences: 1 }];
    let mut car = Car::new(Bus::default().with_truck(truck), &Diagnosis { j1939: Some(BusId(0)), ..Diagnosis::default() });
    car.run(200);
    let codes = |class| {
        car.told.iter().any(|(_, heard)| {
            matches!(heard, Heard::Codes(reading) if reading.protocol == Protocol::J1939 && reading.covers.any(class) && !reading.lists[0].1.is_empty())
        })
    };
    assert!(codes(Classes::ACTIVE) && codes(Classes::PREVIOUSLY_ACTIVE), "{:?}", car.told);
    assert!(car.told.iter().any(|(_, heard)| matches!(heard, Heard::Vin(_))), "{:?}", car.told);
    for (_, frame) in &car.ours {
        let id = j1939::Id::from_raw(frame.id);
        assert_eq!(id.source, 249);
        let asked = |group: u32| frame.data[..3] == group.to_le_bytes()[..3];
        let known = j1939::Requestable::ALL.iter().any(|what| asked(what.pgn()));
        assert!(matches!(id.pgn, 60_928 | 60_416) || id.pgn == 59_904 && known, "{frame:?}");
    }
    assert!(car.fullest() <= MOST_BITS, "{}", car.fullest());
}

/// OBD-II and J1939 on one wire: what both pollers take is one budget. The truck's own DM1 is heard unasked.
#[test]
fn both_pollers_of_a_bus_cost_it_less_than_one_percent_together() {
    let mut truck = Truck::new();
    truck.active = vec![TruckFault { spn: 110, fmi: 0, occurrences: 3 }];
    truck.previously = (0..30).map(|nth| TruckFault { spn: 100 + nth, fmi: 1, occurrences: 1 }).collect();
    let many = |ecu: sim::ecus::Ecu| ecu.with_manner(Manner { twice: true, ..Manner::default() });
    let mut bus = Bus::new([many(sim::ecus::Ecu::engine()), many(sim::ecus::Ecu::transmission())]).with_truck(truck);
    [Fault::MISFIRE, Fault::CATALYST, Fault::CLUTCH].into_iter().for_each(|fault| bus.set(fault));
    let mut car = Car::new(bus, &Diagnosis { obd: Some(BusId(0)), j1939: Some(BusId(0)), ..Diagnosis::default() });
    car.run(300);
    let codes = |is: &dyn Fn(&Heard) -> bool| car.told.iter().any(|(_, heard)| is(heard));
    assert!(codes(&|heard| lists(heard, 0x7E8, Classes::STORED, 0x0301)));
    let previously = |heard: &Heard| matches!(heard, Heard::Codes(reading) if reading.covers.any(Classes::PREVIOUSLY_ACTIVE) && reading.lists[0].1.len() == 30);
    assert!(codes(&previously));
    figure("diagnosis_bits_a_second_of_both", f64::from(car.fullest()) / 10.0);
    assert!(car.fullest() <= MOST_BITS, "{}", car.fullest());
}

/// The body's ECU speaks UDS alone, and is asked because the profile names it: 19 01, 02, 04 and 06 by real frames.
#[test]
fn what_an_ecu_of_uds_keeps_of_its_codes_is_read() {
    let body = Ecu::Normal(0x7EA);
    let identifiers = vec![Identifier { ecu: body, did: 0xF187, name: "part".to_owned() }];
    let diagnosis = Diagnosis { obd: Some(BusId(0)), identifiers, ..Diagnosis::default() };
    let mut bus = Bus::car();
    [Fault::SPEAKER, Fault::NO_ENGINE].into_iter().for_each(|fault| bus.set(fault));
    let mut car = Car::new(bus, &diagnosis);
    car.run(60);
    for (base, failure) in [(0x9A01, 0x13), (0xC100, 0x87)] {
        let code = Code::Iso { base, failure: Some(failure) };
        let told = |is: &dyn Fn(&Heard) -> bool| car.told.iter().any(|(_, heard)| is(heard));
        assert!(told(&|heard| lists(heard, 0x7EA, Classes::STORED, base)), "19 02");
        assert!(told(&|heard| matches!(heard, Heard::Freeze(frame) if frame.code == code && frame.values.len() == 4)), "19 04");
        let once = Heard::Extended(Extended { ecu: body, code, number: 1, bytes: vec![1] });
        assert!(told(&|heard| *heard == once), "19 06: it was set once");
    }
    let asked = |request: &[u8]| {
        car.ours.iter().filter(|(_, frame)| frame.id == 0x7E2 && frame.data.get(1..=request.len()) == Some(request)).count()
    };
    assert_eq!([asked(&[0x19, 0x01]), asked(&[0x19, 0x04]), asked(&[0x19, 0x06])], [1, 2, 2]);
    assert!(car.fullest() <= MOST_BITS, "{}", car.fullest());
}

#[test]
fn nothing_is_asked_with_the_ignition_off() {
    let mut car = Car::obd(in_trouble());
    car.ignition = false;
    car.run(600);
    assert_eq!(car.ours, []);
}

/// Says this on a wire, once somebody is there who hears it.
fn say(wire: &mut fs::File, text: &str) {
    until("the wire is read", || wire.write_all(text.as_bytes()).ok());
}

/// What a tester and an engine say to one another of the car's number, as `candump -L` has it.
fn number_asked_for(vin: &str) -> String {
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02X}")).collect::<String>();
    let (first, second, third) = (hex(&vin[..3]), hex(&vin[3..10]), hex(&vin[10..]));
    format!(
        "(1.0) can0 7DF#0209020000000000\n(1.0) can0 7E8#1014490201{first}\n(1.0) can0 7E0#3000000000000000\n\
         (1.0) can0 7E8#21{second}\n(1.0) can0 7E8#22{third}\n"
    )
}

#[test]
fn a_car_that_tells_its_number_is_watched_under_it_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let (fifo, config) = (folder.path().join("fifo"), folder.path().join("telltale.toml"));
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::write(folder.path().join("car.toml"), "[bus.plug]\ninterface = \"can0\"\n[diagnostics]\nobd = \"plug\"\n").unwrap();
    let text = "[vehicle]\nprofile = \"car.toml\"\n[diagnostics]\ntransmit = true\n[bus.plug]\ncandump = \"fifo\"\n\
                [journal]\ndir = \"journal\"\n[http]\nlisten = \"127.0.0.1:0\"\n";
    fs::write(&config, text).unwrap();
    let vin = |daemon: &Daemon| daemon.get("/api/v1/vehicles/self/state").expect(200)["vin"].as_str().unwrap().to_owned();

    let mut daemon = Daemon::site(&config, &folder.path().join("runtime"), None);
    assert_eq!(vin(&daemon), "UNNAMED");
    let mut writer = fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    say(&mut writer, &number_asked_for("TELLTALESAMPLE001"));
    say(&mut writer, &number_asked_for("TELLTALESAMPLE001"));
    daemon.address = until("it listens anew", || {
        let log = daemon.log();
        let addresses = log.lines().filter(|line| line.contains("listening")).filter_map(|line| line.split_once("address="));
        let last: Vec<&str> = addresses.map(|(_, address)| address.trim()).collect();
        last.get(1).map(|address| (*address).to_owned())
    });
    assert_eq!(vin(&daemon), "TELLTALESAMPLE001", "and the phone is still paired");
    let token = daemon.token.clone();
    daemon.kill();

    let daemon = Daemon::site(&config, &folder.path().join("runtime"), Some(&token));
    assert_eq!(vin(&daemon), "TELLTALESAMPLE001", "it is remembered");
    let other = number_asked_for("TELLTALESAMPLE002");
    say(&mut writer, &other);
    say(&mut writer, &other);
    let told = daemon.until_part("vehicle", "degraded");
    assert!(told.contains("TELLTALESAMPLE002") && told.contains("vehicle.vin"), "{told}");
}

fn is(event: &Value, event_type: &str) -> bool {
    event["eventType"] == event_type
}

/// Waits for one event of each type, in any order, and gives the first of the first type.
fn each(phone: &mut Phone, types: &[&str]) -> Value {
    let mut missing = types.to_vec();
    phone.until(&format!("{types:?}"), |event| {
        missing.retain(|wanted| !is(event, wanted));
        missing.is_empty()
    });
    phone.told.iter().rfind(|event| is(event, types[0])).unwrap().clone()
}

#[test]
fn a_misfire_is_told_at_the_phone_and_its_end_when_a_workshop_has_cleared_it() {
    let data = tempfile::tempdir().unwrap();
    let args = ["--scenario", "engine-fault", "--speed", "4"];
    let mut phone = Phone::default();
    let daemon = Daemon::demo(data.path(), &args);
    phone.connect(&daemon);
    let set = each(&mut phone, &["DTC_SET", "MIL_ON"]);
    let code = &set["diagnosis"]["codes"][0];
    assert_eq!((&code["code"], &code["ecu"], &set["severity"]), (&json!("P0301"), &json!("7E8"), &json!("advisory")), "{set}");
    assert!(code["text"].as_str().is_some_and(|text| text.contains("cylinder 1")), "{set}");
    let now = until("the freeze frame", || {
        let now = daemon.get("/api/v1/diagnosis/vehicles/self/auto/dtc").expect(200);
        now["data"]["codes"][0]["freezeFrame"].is_object().then_some(now)
    });
    assert_eq!((&now["data"]["mil"], &now["data"]["codes"][0]["code"]), (&json!(true), &json!("P0301")), "{now}");
    daemon.kill();
    phone.drain();

    let daemon = Daemon::demo(data.path(), &args);
    phone.connect(&daemon);
    let cleared = each(&mut phone, &["DTC_CLEARED", "MIL_OFF"]);
    assert_eq!(cleared["diagnosis"]["codes"][0]["code"], "P0301", "{cleared}");
    for event_type in ["DTC_SET", "MIL_ON", "DTC_CLEARED", "MIL_OFF"] {
        let count = phone.told.iter().filter(|event| is(event, event_type)).count();
        assert_eq!(count, 1, "{event_type}: {:#?}", phone.summary());
    }
    let now = daemon.get("/api/v1/diagnosis/vehicles/self/auto/dtc").expect(200);
    assert_eq!(now["data"]["mil"], false, "{now}");
    phone.agrees_with_history(&daemon);
}

#[test]
fn what_a_workshop_reads_and_clears_is_overheard_without_a_word_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let (fifo, config) = (folder.path().join("fifo"), folder.path().join("telltale.toml"));
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::write(folder.path().join("car.toml"), "[bus.plug]\ninterface = \"can0\"\n[diagnostics]\nobd = \"plug\"\n").unwrap();
    let text = "[vehicle]\nvin = \"A\"\nprofile = \"car.toml\"\n[bus.plug]\ncandump = \"fifo\"\n\
                [journal]\ndir = \"journal\"\n[http]\nlisten = \"127.0.0.1:0\"\n";
    fs::write(&config, text).unwrap();
    let runtime = folder.path().join("runtime");
    let lamp = |on: bool| format!("(1.0) can0 7DF#02010155555555\n(1.0) can0 7E8#064101{}07E504\n", if on { "82" } else { "00" });
    // Two codes are one frame, three are not.
    let stored = "(1.0) can0 7DF#010355\n(1.0) can0 7E8#1008430301010402\n(1.0) can0 7E0#300000\n(1.0) can0 7E8#2104030101\n";
    let clear = "(1.0) can0 7DF#010455\n(1.0) can0 7E8#0144\n";

    let daemon = Daemon::site(&config, &runtime, None);
    let token = daemon.token.clone();
    let mut phone = Phone::default();
    phone.connect(&daemon);
    let mut writer = fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    say(&mut writer, &(lamp(true) + stored));
    let set = each(&mut phone, &["DTC_SET", "MIL_ON"]);
    let codes: Vec<&str> =
        set["diagnosis"]["codes"].as_array().unwrap().iter().filter_map(|code| code["code"].as_str()).collect();
    assert_eq!(codes, ["P0101", "P0402", "P0403"], "{set}");
    daemon.kill();
    phone.drain();

    let daemon = Daemon::site(&config, &runtime, Some(&token));
    phone.connect(&daemon);
    say(&mut writer, &(lamp(true) + stored + clear));
    let cleared = each(&mut phone, &["DTC_CLEARED", "MIL_OFF"]);
    assert_eq!(cleared["diagnosis"]["codes"].as_array().map(Vec::len), Some(3), "{cleared}");
    for event_type in ["DTC_SET", "MIL_ON"] {
        assert_eq!(phone.told.iter().filter(|event| is(event, event_type)).count(), 1, "{:#?}", phone.summary());
    }
}

/// Every Rust source of the project, without its tests.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text.split("#[cfg(test)]").next().unwrap().to_owned()));
        }
    }
}

/// Who can put something on a bus, and what: the sockets that send stand in one place, which only the owner's word opens,
/// and the types that it takes can write down nothing that changes the car.
#[test]
fn what_can_leave_for_a_bus_is_known() {
    let mut all = Vec::new();
    sources(&project("src"), &mut all);
    let uses = |what: &str| {
        let found = all.iter().filter(|(_, text)| text.contains(what));
        let mut files: Vec<String> =
            found.map(|(path, _)| path.strip_prefix(project("src")).unwrap().display().to_string()).collect();
        files.sort();
        files
    };
    assert_eq!(uses("Permission::granted("), ["gateway/sources.rs"], "the owner's word");
    assert_eq!(uses("Permission(())"), ["diagnostics/port/mod.rs"]);
    assert_eq!(uses("Port::open("), ["diagnostics/asker/desk.rs"]);
    assert_eq!(uses("Voice::open("), ["diagnostics/asker/desk.rs"]);
    assert_eq!(uses("CanSocket::open"), ["commands/sim_ecus.rs"], "a debug build's, and no part of the daemon");
    assert_eq!(uses("AF_CAN"), ["diagnostics/port/socket.rs"]);
    assert_eq!(uses("CanFdSocket::open"), ["can/socket.rs"], "which has no way to send");
    assert_eq!(uses("port.ask("), ["diagnostics/asker/desk.rs"], "of a `Request`, encoded");

    // What a request can be is held by its own module; here that the poller's way there takes nothing else.
    let reading = [0x01, 0x02, 0x03, 0x07, 0x09, 0x0A, 0x19, 0x22];
    let each = [
        Request::current(&[4, 8]),
        Request::Freeze(4),
        Request::Stored,
        Request::Pending,
        Request::Permanent,
        Request::Info(2),
        Request::CodeCount(0xFF),
        Request::Codes(0xFF),
        Request::Snapshot { code: [1, 2, 3], record: 0xFF },
        Request::Extended { code: [1, 2, 3], record: 0xFF },
        Request::Supported,
        Request::EmissionCodes(0xFF),
        Request::EmissionPermanent,
        Request::data(&[0xF190]),
    ];
    assert!(each.iter().all(|request| reading.contains(&request.encode()[0])));
    let changing = [65_228, 65_235];
    assert!(j1939::Requestable::ALL.iter().all(|what| !changing.contains(&what.pgn())));
}

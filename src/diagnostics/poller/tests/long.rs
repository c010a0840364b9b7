//! Answers of some thousand bytes: they stay within the share, and nothing times out because they were slowed.

use super::*;

/// So many codes of UDS, 4 bytes each.
fn many(head: &str, count: u16) -> Vec<u8> {
    let codes = (1..=count).flat_map(|code| [&code.to_be_bytes()[..], &[0x1F, 0x09]].concat());
    hex(head).into_iter().chain(codes).collect()
}

/// Lists of so many codes: when each was whole.
fn wholes(bus: &Bus, ecu: Ecu, count: usize) -> Vec<Boot> {
    let is =
        |heard: &Heard| matches!(heard, Heard::Codes(reading) if reading.lists[0].0 == ecu && reading.lists[0].1.len() == count);
    bus.told.iter().filter(|(_, heard)| is(heard)).map(|(at, _)| *at).collect()
}

/// 600 codes are 2,403 bytes, and almost all of what 10 s may hold; 1,000 are more than that.
#[test]
fn an_answer_of_any_length_stays_within_the_share_and_comes_whole() {
    for (kernel, shared, id, count) in [
        (false, false, 0x72E, 600),
        (true, false, 0x72E, 600),
        (false, false, 0x72E, 1000),
        (true, false, 0x72E, 1000),
        (false, true, 0x18DA_F140, 1000),
        (true, true, 0x18DA_F140, 1000),
    ] {
        let ecu = if id > 0x7FF { Ecu::Fixed(id) } else { Ecu::Normal(id as u16) };
        let mut body = Ecm::new(id, &[("22F187", "62F187414243")]);
        body.says.insert(hex("19020D"), many("5902FF", count));
        let (obd, j1939) = (Some(crate::vehicle::BusId(0)), shared.then_some(crate::vehicle::BusId(0)));
        let identifiers = vec![Identifier { ecu, did: 0xF187, name: "part".into() }];
        let mut bus = Bus::with(&Diagnosis { obd, j1939, identifiers, ..Diagnosis::default() }, vec![engine(), gearbox(), body]);
        bus.kernel = kernel;
        bus.run(300);
        bus.holds();
        let most = if shared { BESIDE_J1939 } else { MOST_BITS };
        assert!(bus.fullest() <= most, "{} bits", bus.fullest());
        let (begun, wholes) = (Boot::from_micros(1_000_000), wholes(&bus, ecu, count.into()));
        let counts = bus.poller.counts();
        assert!(wholes.len() >= 3, "{kernel} {shared} {count}: {wholes:?} {counts:?}");
        assert_eq!(
            (counts.timeouts, counts.late, counts.withheld),
            (12, 0, 0),
            "three things that nobody has, four times each: {counts:?}"
        );
        assert!(!bus.poller.is_paused(bus.now), "it is no other tester's answer");
        // Meanwhile the others are not forgotten.
        assert!(bus.first(begun, codes(Classes::STORED)).is_some_and(|after| after <= 5.0));
        let lamps =
            bus.told.iter().filter(|(_, heard)| matches!(heard, Heard::Lamp(lamp) if lamp.ecu == Ecu::Normal(0x7E8))).count();
        println!(
            "kernel {kernel}, shared {shared}, {count} codes: {} bits in the fullest 10 s, whole after {:?} s, lamp {lamps} times in 300 s",
            bus.fullest(),
            wholes.iter().map(|at| at.since(begun).as_secs()).collect::<Vec<_>>()
        );
        assert!(lamps >= 12, "{lamps}");
    }
}

/// One question, and two answers of 3,006 bytes at once.
#[test]
fn long_answers_of_several_ecus_at_once_share_what_there_is() {
    for kernel in [false, true] {
        let speaks = |id| {
            let mut ecu = Ecm::new(id, &[("22F810", "62F81001"), ("22F401", "62F401 83 076504"), ("195533", "595533 FF 04")]);
            let codes = (1..=600_u16).flat_map(|code| [&[0x00], &code.to_be_bytes()[..], &[0x1F, 0x08]].concat());
            ecu.says.insert(hex("1942330DFF"), hex("594233FFFF04").into_iter().chain(codes).collect());
            ecu
        };
        let mut bus = Bus::new(Addressing::Normal, vec![speaks(0x7E8), speaks(0x7E9)]);
        bus.kernel = kernel;
        bus.run(300);
        bus.holds();
        for ecu in [Ecu::Normal(0x7E8), Ecu::Normal(0x7E9)] {
            assert!(wholes(&bus, ecu, 600).len() >= 2, "kernel {kernel}, {ecu}: {:?}", bus.poller.counts());
        }
    }
}

/// An answer that is given up, as another tester asks, still comes from its ECU: what comes of it counts.
#[test]
fn what_still_comes_of_an_answer_that_was_given_up_is_counted_and_let_end() {
    let mut body = Ecm::new(0x72E, &[("22F187", "62F187414243")]);
    body.says.insert(hex("19020D"), many("5902FF", 1000));
    let identifiers = vec![Identifier { ecu: Ecu::Normal(0x72E), did: 0xF187, name: "part".into() }];
    let mut bus = Bus::with(&Diagnosis { identifiers, ..Diagnosis::default() }, vec![engine(), body]);
    bus.run(3);
    let under_way = |bus: &Bus| bus.coming.values().filter(|frame| frame.id == 0x72E).count();
    assert!(under_way(&bus) > 100, "{}", under_way(&bus));
    bus.tester(1, 0x7DF, "0103");
    let since = bus.now + Duration::from_millis(1);
    let before = bus.poller.spent(bus.now);
    bus.run(5);
    let trailed = bus.log.iter().filter(|(at, frame)| frame.id == 0x72E && *at > since).count() as u32;
    let spent = bus.poller.spent(bus.now) - before;
    assert!(trailed > 20 && spent >= trailed * SHORT_FRAME, "{trailed} frames, {spent} bits");
    bus.run(55);
    let asked = bus.asked.iter().find(|(at, ..)| *at > since).unwrap().0;
    let last = bus.log.iter().rfind(|(at, frame)| frame.id == 0x72E && *at < asked).unwrap().0;
    assert!(last.since(since) > Duration::from_secs(10) && asked.since(last) >= Duration::from_secs(1), "{last:?} {asked:?}");
    bus.holds();
}

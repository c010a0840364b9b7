//! Stories by clause. Vectors are facts from the tests of public tools, named where they stand.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::Boot;
use crate::vehicle::trouble::{Classes, Code, Ecu, Heard};
use crate::vehicle::{Frame, FrameKind};

fn ms(millis: i64) -> Boot {
    Boot::from_micros(millis * 1000)
}

fn frame(id: u32, data: &[u8]) -> Frame {
    Frame { at: Boot::default(), kind: FrameKind::Classical, id, extended: true, data: data.iter().copied().collect() }
}

fn codes(data: &[u8], conversion: Conversion) -> Vec<(u32, u8, Option<u8>, bool)> {
    let report = Report::read(data).unwrap();
    report.records(conversion).map(|of| (of.spn, of.fmi, of.occurrences, of.ambiguous)).collect()
}

#[test]
fn an_id_tells_group_destination_and_source() {
    let id = Id::from_raw(0x18FE_CA00);
    assert_eq!(id, Id { priority: 6, pgn: pgn::DM1, destination: GLOBAL, source: 0 });
    let request = Id::from_raw(0x18EA_03F9);
    assert_eq!(request, Id { priority: 6, pgn: pgn::REQUEST, destination: 3, source: 0xF9 });
    for iso_tp in [0x18DA_F110, 0x18DB_33F1, 0x1BFE_CA00] {
        assert_eq!(Id::of(&frame(iso_tp, &[])), None);
    }
}

proptest! {
    #[test]
    fn every_id_is_put_together_as_it_was_taken_apart(raw in 0_u32..1 << 29) {
        prop_assert_eq!(Id::from_raw(raw).raw(), raw);
    }

    #[test]
    fn anything_on_the_bus_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert_eq!(survives(&bytes), Ok(()));
    }
}

/// ETI j1939-84: DM1ActiveDTCsPacketTest, DiagnosticTroubleCodePacketTest, DiagnosticTroubleCodeTest.
#[test]
fn a_message_tells_its_lamps_and_codes() {
    let dm1 = [0x11, 0xCD, 0x61, 0x02, 0x13, 0x00, 0x21, 0x06, 0x1F, 0x00, 0xEE, 0x10, 0x04, 0x00];
    let lamps = Report::read(&dm1).unwrap().lamps;
    assert_eq!(lamps, Lamps { malfunction: Light::Off, stop: Light::SlowFlash, warning: Light::Off, protect: Light::FastFlash });
    let told = codes(&dm1, Conversion::Three);
    assert_eq!(told, [(609, 19, Some(0), false), (1569, 31, Some(0), false), (4334, 4, Some(0), false)]);
    assert_eq!(codes(&[0, 0xFF, 0x21, 0x06, 0x1F, 0x23, 0xFF, 0xFF], Conversion::Three), [(1569, 31, Some(35), false)]);
    assert_eq!(codes(&[0, 0xFF, 0xFF, 0xFF, 0xE0, 0x00], Conversion::Three), [(524_287, 0, Some(0), false)]);
    assert_eq!(codes(&[0, 0xFF, 0x61, 0x02, 0x13, 0x81], Conversion::Three), [(609, 19, Some(1), true)]);
    for none in [&[0, 0, 0, 0, 0, 0, 0xFF, 0xFF][..], &[0xFF; 6], &[0; 6], &[0xFF; 8]] {
        assert_eq!(codes(none, Conversion::Three), [], "{none:?}");
    }
}

/// ETI j1939-84 (DiagnosticTroubleCodePacketTest) and python-can-j1939 (DtcLamp): status in byte 1, flash in byte 2.
#[test]
fn a_lamp_is_dark_lit_or_flashes_fast_or_slowly() {
    for (status, flash, light) in [
        (0, 3, Light::Off),
        (0, 0, Light::Off),
        (1, 3, Light::On),
        (1, 0, Light::SlowFlash),
        (1, 1, Light::FastFlash),
        (3, 3, Light::Unavailable),
        (2, 3, Light::Unavailable),
    ] {
        let lamps = |at: u8| Report::read(&[status << at, flash << at, 0, 0, 0, 0]).unwrap().lamps;
        let seen = [lamps(6).malfunction, lamps(4).stop, lamps(2).warning, lamps(0).protect];
        assert_eq!(seen, [light; 4]);
    }
}

#[test]
fn lengths_that_cannot_be_are_no_message() {
    for length in [0, 1, 2, 3, 5, 7, 9, 11, 13] {
        assert_eq!(Report::read(&vec![1; length]), None, "{length}");
    }
    let most = (2..=MOST_BYTES).rev().find(|length| (length - 2) % 4 == 0).unwrap();
    assert_eq!(codes(&vec![1; most], Conversion::Three).len(), 445);
}

/// SAE J1939-73, 5.7.1.7 as the manuals of DynaGen's GSC400 and HMS' X-gateway repeat it.
#[test]
fn where_cm_is_set_the_version_says_which_spn_it_is() {
    let spn = 0b101_1001_0011_1100_0110;
    let (high, middle, low) = ((spn >> 11) as u8, (spn >> 3) as u8, (spn & 7) as u8);
    let record = |bytes: [u8; 4], conversion| Record::read(bytes, conversion).map(|of| (of.spn & 0x7FFFF, of.fmi, of.ambiguous));
    let fmi = 3;
    assert_eq!(record([high, middle, low << 5 | fmi, 0x81], Conversion::One), Some((spn, fmi, true)));
    assert_eq!(record([middle, high, low << 5 | fmi, 0x81], Conversion::Two), Some((spn, fmi, true)));
    let [a, b, c, _] = u32::to_le_bytes(spn);
    for conversion in [Conversion::One, Conversion::Two, Conversion::Three] {
        assert_eq!(record([a, b, c << 5 | fmi, 0x01], conversion), Some((spn, fmi, false)), "version 4");
    }
    assert_eq!(record([a, b, c << 5 | fmi, 0x81], Conversion::default()), Some((spn, fmi, true)));
}

/// What can be sent, all of it: nothing that changes the vehicle.
#[test]
fn no_emission_changes_the_vehicle() {
    let groups = Requestable::ALL.map(Requestable::pgn);
    assert_eq!(groups, [65_226, 65_227, 65_231, 65_236, 64_896, 65_260, 65_259, 65_242]);
    for clearing in [pgn::DM3, pgn::DM11, 65_228, 65_235] {
        assert!(!groups.contains(&clearing));
    }
    let (from, name) = (Own::TOOL, Name::tool(2047, 1));
    let emissions = Requestable::ALL.map(|what| Emission::Request { from, to: GLOBAL, what }).into_iter().chain([
        Emission::Claim { from, name },
        Emission::CannotClaim { name },
        Emission::ClearToSend { from, to: 0, packets: 3, next: 1, pgn: pgn::DM2 },
        Emission::EndOfMessage { from, to: 0, size: 20, packets: 3, pgn: pgn::DM2 },
        Emission::Abort { from, to: 0, reason: Reason::Timeout, pgn: pgn::DM2 },
    ]);
    for emission in emissions {
        // A new kind of emission has to be thought about here.
        let only = match emission {
            Emission::Claim { .. } | Emission::CannotClaim { .. } => pgn::CLAIM,
            Emission::Request { .. } => pgn::REQUEST,
            Emission::ClearToSend { .. } | Emission::EndOfMessage { .. } | Emission::Abort { .. } => pgn::CONNECTION,
        };
        let sent = emission.encode();
        assert_eq!(Id::from_raw(sent.id).pgn, only);
        if let Emission::Request { what, .. } = emission {
            let asked = u32::from_le_bytes([sent.data[0], sent.data[1], sent.data[2], 0]);
            assert!(asked == what.pgn() && sent.data.len() == 3);
        }
    }
    assert!((0..=255).filter_map(Own::dynamic).all(|own| (128..=247).contains(&own.number())));
    assert_eq!(Emission::Request { from, to: 0, what: Requestable::Dm2 }.encode().id, 0x18EA_00F9);
}

mod packets {
    use super::*;

    const US: Option<Own> = Some(Own::TOOL);

    fn hear(
        transport: &mut Transport,
        at: i64,
        us: Option<Own>,
        id: u32,
        data: &[u8],
        out: &mut Vec<Emission>,
    ) -> Option<Vec<u8>> {
        transport.hear(ms(at), us, Id::from_raw(id), data, out).map(|message| message.data.to_vec())
    }

    const PAYLOAD: [u8; 20] = [1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6];

    /// python-can-j1939, test_ecu: test_broadcast_receive_long.
    #[test]
    fn a_broadcast_is_put_together() {
        let (mut transport, mut out) = (Transport::default(), Vec::new());
        let mut hear = |at, data: &[u8], id| hear(&mut transport, at, None, id, data, &mut out);
        assert_eq!(hear(0, &[32, 20, 0, 3, 255, 0xB0, 0xFE, 0], 0x00EC_FF01), None);
        assert_eq!(hear(50, &[1, 1, 2, 3, 4, 5, 6, 7], 0x00EB_FF01), None);
        assert_eq!(hear(100, &[2, 1, 2, 3, 4, 5, 6, 7], 0x00EB_FF01), None);
        assert_eq!(hear(150, &[3, 1, 2, 3, 4, 5, 6, 255], 0x00EB_FF01), Some(PAYLOAD.to_vec()));
        assert_eq!((transport.open(), out), (0, vec![]));
    }

    /// python-can-j1939, test_ecu: test_peer_to_peer_receive_long, with a limit of one packet.
    #[test]
    fn who_sends_to_us_is_cleared_packet_by_packet() {
        let (mut transport, mut out) = (Transport::default(), Vec::new());
        let mut sent = |at, data: &[u8], id| {
            out.clear();
            let whole = hear(&mut transport, at, US, id, data, &mut out);
            (whole, out.iter().map(|emission| emission.encode()).map(|of| (of.id, of.data.to_vec())).collect::<Vec<_>>())
        };
        let ours = 0x1CEC_01F9;
        let cts = |next| (None, vec![(ours, vec![17, 1, next, 255, 255, 176, 254, 0])]);
        assert_eq!(sent(0, &[16, 20, 0, 3, 1, 176, 254, 0], 0x00EC_F901), cts(1));
        assert_eq!(sent(9, &[1, 1, 2, 3, 4, 5, 6, 7], 0x00EB_F901), cts(2));
        assert_eq!(sent(18, &[2, 1, 2, 3, 4, 5, 6, 7], 0x00EB_F901), cts(3));
        let end = (Some(PAYLOAD.to_vec()), vec![(ours, vec![19, 20, 0, 3, 255, 176, 254, 0])]);
        assert_eq!(sent(27, &[3, 1, 2, 3, 4, 5, 6, 255], 0x00EB_F901), end);
    }

    #[test]
    fn what_others_exchange_is_heard_without_a_word() {
        let (mut transport, mut out) = (Transport::default(), Vec::new());
        let mut hear = |at, us, data: &[u8], id| hear(&mut transport, at, us, id, data, &mut out);
        hear(0, US, &[16, 20, 0, 3, 255, 203, 254, 0], 0x18EC_2100);
        hear(5, US, &[17, 3, 1, 255, 255, 203, 254, 0], 0x18EC_0021);
        hear(1200, US, &[1, 1, 2, 3, 4, 5, 6, 7], 0x18EB_2100);
        hear(1210, US, &[3, 1, 2, 3, 4, 5, 6, 255], 0x18EB_2100);
        assert_eq!(hear(1220, US, &[2, 1, 2, 3, 4, 5, 6, 7], 0x18EB_2100), Some(PAYLOAD.to_vec()), "asked for again");
        assert_eq!(out, []);
    }

    #[test]
    fn a_lost_packet_is_asked_for_again_and_not_for_ever() {
        let (mut transport, mut out) = (Transport::default(), Vec::new());
        let rts = [16, 20, 0, 3, 255, 203, 254, 0];
        hear(&mut transport, 0, US, 0x18EC_F900, &rts, &mut out);
        hear(&mut transport, 10, US, 0x18EB_F900, &[1, 1, 2, 3, 4, 5, 6, 7], &mut out);
        hear(&mut transport, 20, US, 0x18EB_F900, &[3, 1, 2, 3, 4, 5, 6, 255], &mut out);
        let cts = |packets, next| Emission::ClearToSend { from: Own::TOOL, to: 0, packets, next, pgn: pgn::DM2 };
        assert_eq!(out, [cts(3, 1), cts(1, 2)]);
        let mut other = transport.clone();
        let whole = hear(&mut other, 30, US, 0x18EB_F900, &[2, 1, 2, 3, 4, 5, 6, 7], &mut out);
        assert_eq!(whole, Some(PAYLOAD.to_vec()));
        out.clear();
        assert_eq!(transport.deadline(), Some(ms(20 + 1250)), "T2 after a CTS");
        transport.pass(ms(1269), US, &mut out);
        assert_eq!(out, []);
        transport.pass(ms(1270), US, &mut out);
        assert_eq!(out, [Emission::Abort { from: Own::TOOL, to: 0, reason: Reason::Timeout, pgn: pgn::DM2 }]);
        assert_eq!((transport.open(), transport.counts().timed_out), (0, 1));
    }

    #[test]
    fn after_two_retransmissions_the_connection_is_given_up() {
        let (mut transport, mut out) = (Transport::default(), Vec::new());
        hear(&mut transport, 0, US, 0x18EC_F900, &[16, 20, 0, 3, 255, 203, 254, 0], &mut out);
        let mut at = 0;
        for _ in 0..3 {
            hear(&mut transport, at + 10, US, 0x18EB_F900, &[3, 1, 2, 3, 4, 5, 6, 255], &mut out);
            hear(&mut transport, at + 20, US, 0x18EB_F900, &[1, 1, 2, 3, 4, 5, 6, 7], &mut out);
            at += 1000;
            transport.pass(ms(at), US, &mut out);
        }
        at += 5000;
        transport.pass(ms(at), US, &mut out);
        assert!(matches!(out.last(), Some(Emission::Abort { .. })), "{out:?}");
        assert_eq!(transport.open(), 0);
    }

    #[test]
    fn a_broadcast_with_a_gap_or_a_pause_is_none() {
        for (second, at) in [(3, 100), (2, 900)] {
            let (mut transport, mut out) = (Transport::default(), Vec::new());
            hear(&mut transport, 0, None, 0x00EC_FF01, &[32, 20, 0, 3, 255, 0xCA, 0xFE, 0], &mut out);
            hear(&mut transport, 100, None, 0x00EB_FF01, &[1, 1, 2, 3, 4, 5, 6, 7], &mut out);
            let at = at + 50;
            assert_eq!(hear(&mut transport, at, None, 0x00EB_FF01, &[second, 1, 2, 3, 4, 5, 6, 7], &mut out), None);
            assert_eq!((transport.open(), transport.counts().completed), (0, 0));
        }
    }

    #[test]
    fn a_packet_twice_is_taken_once_and_twice_different_ends_it() {
        let (mut transport, mut out) = (Transport::default(), Vec::new());
        hear(&mut transport, 0, None, 0x00EC_FF01, &[32, 9, 0, 2, 255, 0xCA, 0xFE, 0], &mut out);
        for _ in 0..2 {
            hear(&mut transport, 1, None, 0x00EB_FF01, &[1, 1, 2, 3, 4, 5, 6, 7], &mut out);
        }
        assert_eq!(transport.open(), 1);
        hear(&mut transport, 2, None, 0x00EB_FF01, &[1, 9, 2, 3, 4, 5, 6, 7], &mut out);
        assert_eq!((transport.open(), transport.counts().wrong), (0, 1));
    }

    #[test]
    fn announcements_that_cannot_be_open_nothing() {
        let (mut transport, mut out) = (Transport::default(), Vec::new());
        for (size, packets, group) in
            [(8_u16, 2, 0xFECA_u32), (20, 2, 0xFECA), (1786, 255, 0xFECA), (20, 3, 0xEC00), (20, 3, 0xEB00)]
        {
            let ([low, high], [a, b, c, _]) = (size.to_le_bytes(), group.to_le_bytes());
            hear(&mut transport, 0, US, 0x18EC_FF01, &[32, low, high, packets, 255, a, b, c], &mut out);
            hear(&mut transport, 0, US, 0x18EC_F901, &[16, low, high, packets, 255, a, b, c], &mut out);
        }
        assert_eq!((transport.open(), transport.counts().wrong, out.len()), (0, 10, 5));
        assert!(out.iter().all(|emission| matches!(emission, Emission::Abort { reason: Reason::Other, .. })));
    }

    /// SAE J1939-21, 5.10.3.1: the same group again begins again; another one has to wait.
    #[test]
    fn a_second_rts_begins_again_or_is_told_that_we_are_busy() {
        let (mut transport, mut out) = (Transport::default(), Vec::new());
        hear(&mut transport, 0, US, 0x18EC_F900, &[16, 20, 0, 3, 255, 203, 254, 0], &mut out);
        hear(&mut transport, 1, US, 0x18EC_F900, &[16, 9, 0, 2, 255, 203, 254, 0], &mut out);
        hear(&mut transport, 2, US, 0x18EC_F900, &[16, 30, 0, 5, 255, 202, 254, 0], &mut out);
        assert_eq!(out[2..], [Emission::Abort { from: Own::TOOL, to: 0, reason: Reason::Busy, pgn: pgn::DM1 }]);
        hear(&mut transport, 3, US, 0x18EB_F900, &[1, 1, 2, 3, 4, 5, 6, 7], &mut out);
        let whole = hear(&mut transport, 4, US, 0x18EB_F900, &[2, 8, 9, 255, 255, 255, 255, 255], &mut out);
        assert_eq!(whole, Some((1..=9).collect()));
    }

    #[test]
    fn one_too_many_ends_the_oldest() {
        let (mut transport, mut out) = (Transport::default(), Vec::new());
        for source in 0..40 {
            hear(&mut transport, i64::from(source), None, 0x18EC_FF00 | source, &[32, 20, 0, 3, 255, 0xCA, 0xFE, 0], &mut out);
        }
        assert_eq!((transport.open(), transport.counts().crowded_out), (MOST_SESSIONS, 8));
    }

    #[test]
    fn an_address_that_is_lost_ends_what_came_to_it_without_a_word() {
        let (mut transport, mut out) = (Transport::default(), Vec::new());
        hear(&mut transport, 0, US, 0x18EC_F900, &[16, 20, 0, 3, 255, 203, 254, 0], &mut out);
        out.clear();
        transport.pass(ms(1), None, &mut out);
        assert_eq!((transport.open(), out), (0, vec![]));
    }

    /// Somebody else's segmentation: what a sender makes of each message, by the clause.
    #[derive(Clone, Debug)]
    struct Sender {
        source: u8,
        to: u8,
        payload: Vec<u8>,
    }

    impl Sender {
        fn frames(&self) -> Vec<(u32, [u8; 8])> {
            let [low, high] = (self.payload.len() as u16).to_le_bytes();
            let packets = self.payload.len().div_ceil(7) as u8;
            let control = if self.to == GLOBAL { 32 } else { 16 };
            let ends = u32::from(self.to) << 8 | u32::from(self.source);
            let opening = (0x18EC_0000 | ends, [control, low, high, packets, 255, 0xCA, 0xFE, 0]);
            let data = self.payload.chunks(7).zip(1_u8..=255).map(|(chunk, sequence)| {
                let mut packet = [255; 8];
                packet[0] = sequence;
                packet[1..=chunk.len()].copy_from_slice(chunk);
                (0x18EB_0000 | ends, packet)
            });
            std::iter::once(opening).chain(data).collect()
        }
    }

    fn sender() -> impl Strategy<Value = Sender> {
        let to = prop_oneof![Just(GLOBAL), Just(249), 10_u8..14];
        (0_u8..6, to, prop::collection::vec(any::<u8>(), 9..=300)).prop_map(|(source, to, payload)| Sender {
            source,
            to,
            payload,
        })
    }

    proptest! {
        #[test]
        fn what_was_sent_whole_comes_out_whole(payload in prop::collection::vec(any::<u8>(), 9..=1785), to in prop_oneof![Just(255_u8), Just(249), Just(3)]) {
            let (mut transport, mut out) = (Transport::default(), Vec::new());
            let sender = Sender { source: 1, to, payload };
            let mut whole = Vec::new();
            for (id, data) in sender.frames() {
                whole.extend(hear(&mut transport, 0, US, id, &data, &mut out));
            }
            prop_assert_eq!(whole, vec![sender.payload]);
            prop_assert_eq!(out.is_empty(), to != 249);
        }

        /// Frames of several senders in any mixture, some of them lost, some twice, with pauses: what comes out is one that
        /// was sent, or nothing. A pair of addresses sends one message here, as packets bear no name of theirs.
        #[test]
        fn what_comes_out_was_sent(
            senders in prop::collection::vec(sender(), 1..6),
            order in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..20, 0_i64..40), 0..300),
        ) {
            let mut seen = std::collections::BTreeSet::new();
            let senders: Vec<_> = senders.into_iter().filter(|of| seen.insert((of.source, of.to))).collect();
            let mut rest: Vec<_> = senders.iter().map(|of| of.frames().into_iter()).collect();
            let (mut transport, mut out, mut now) = (Transport::default(), Vec::new(), 0);
            for (which, fate, pause) in order {
                let at = which.index(rest.len());
                let Some((id, data)) = rest[at].next() else { continue };
                now += pause;
                for _ in 0..match fate { 0 => 0, 1 => 2, _ => 1 } {
                    if let Some(message) = transport.hear(ms(now), US, Id::from_raw(id), &data, &mut out) {
                        let from = (message.id.source, message.id.destination);
                        let sent = senders.iter().find(|of| (of.source, of.to) == from).unwrap();
                        prop_assert_eq!(&sent.payload[..], message.data);
                    }
                }
            }
        }
    }
}

mod addresses {
    use super::*;

    fn claim_of(address: u8, name: Name) -> (Id, [u8; 8]) {
        let id = Id { priority: 6, pgn: pgn::CLAIM, destination: GLOBAL, source: address };
        (id, name.0.to_le_bytes())
    }

    const OURS: u64 = 0x8000_0000_0000_0100;

    fn claimed() -> (Claim, Vec<Emission>) {
        let (mut claim, mut out) = (Claim::new(Name(OURS)), Vec::new());
        claim.start(ms(0), &mut out);
        assert_eq!(out, [Emission::Claim { from: Own::TOOL, name: Name(OURS) }]);
        assert_eq!((claim.address(), claim.deadline()), (None, Some(ms(250))));
        claim.pass(ms(250), &mut out);
        assert_eq!((claim.address(), claim.deadline()), (Some(Own::TOOL), None));
        out.clear();
        (claim, out)
    }

    #[test]
    fn a_name_has_its_fields() {
        let name = Name::tool(0x2A5, 0x12345);
        assert_eq!((name.manufacturer(), name.identity(), name.function(), name.vehicle_system()), (0x2A5, 0x12345, 129, 127));
        assert!(name.arbitrary_address());
        assert_eq!(
            (name.industry_group(), name.vehicle_system_instance(), name.function_instance(), name.ecu_instance()),
            (0, 0, 0, 0)
        );
    }

    #[test]
    fn who_has_less_right_is_told_so() {
        let (mut claim, mut out) = claimed();
        let (id, data) = claim_of(249, Name(OURS + 1));
        claim.hear(ms(300), id, &data, &mut out);
        assert_eq!(out, [Emission::Claim { from: Own::TOOL, name: Name(OURS) }]);
        assert_eq!(claim.address(), Some(Own::TOOL));
    }

    #[test]
    fn who_has_more_right_gets_it_and_we_take_a_free_one() {
        let (mut claim, mut out) = claimed();
        let (id, data) = claim_of(128, Name(5));
        claim.hear(ms(290), id, &data, &mut out);
        assert_eq!(out, []);
        let (id, data) = claim_of(249, Name(OURS - 1));
        claim.hear(ms(300), id, &data, &mut out);
        assert_eq!((claim.address(), claim.deadline()), (None, Some(ms(550))));
        let next = Own::dynamic(129).unwrap();
        assert_eq!(out, [Emission::Claim { from: next, name: Name(OURS) }]);
        claim.pass(ms(550), &mut out);
        assert_eq!(claim.address(), Some(next));
    }

    #[test]
    fn an_echo_of_our_claim_contests_nothing() {
        let (mut claim, mut out) = claimed();
        let (id, data) = claim_of(249, Name(OURS));
        claim.hear(ms(300), id, &data, &mut out);
        assert_eq!((out, claim.address()), (vec![], Some(Own::TOOL)));
    }

    #[test]
    fn with_every_address_contested_we_are_silent() {
        let (mut claim, mut out) = claimed();
        for address in [249].into_iter().chain(128..=247) {
            let (id, data) = claim_of(address, Name(1));
            claim.hear(ms(300), id, &data, &mut out);
        }
        assert!(claim.without() && claim.address().is_none());
        out.clear();
        let due = claim.deadline().unwrap();
        assert!(due.since(ms(300)) <= Duration::from_millis(153));
        claim.pass(due, &mut out);
        assert_eq!(out, [Emission::CannotClaim { name: Name(OURS) }]);
        assert_eq!(out[0].encode().id, 0x18EE_FFFE);
        assert_eq!(claim.deadline(), None);
    }

    #[test]
    fn who_asks_for_addresses_is_answered() {
        let (mut claim, mut out) = claimed();
        for (to, answered) in [(GLOBAL, 1), (249, 1), (248, 0)] {
            let request = Id { priority: 6, pgn: pgn::REQUEST, destination: to, source: NULL };
            out.clear();
            claim.hear(ms(400), request, &[0x00, 0xEE, 0x00], &mut out);
            assert_eq!(out.len(), answered);
            claim.hear(ms(400), request, &[0xCA, 0xFE, 0x00], &mut out);
            assert_eq!(out.len(), answered, "of other groups nothing is said");
        }
    }

    #[test]
    fn before_the_start_nothing_is_said() {
        let (mut claim, mut out) = (Claim::new(Name(OURS)), Vec::new());
        let request = Id { priority: 6, pgn: pgn::REQUEST, destination: GLOBAL, source: 0 };
        claim.hear(ms(1), request, &[0x00, 0xEE, 0x00], &mut out);
        claim.pass(ms(1000), &mut out);
        assert_eq!((out, claim.address()), (vec![], None));
    }
}

mod news {
    use super::*;

    fn told(listener: &mut Listener, at: i64, id: u32, data: &[u8]) -> Vec<Told> {
        let (mut out, mut told) = (Vec::new(), Vec::new());
        listener.hear(ms(at), None, &frame(id, data), &mut out, &mut told);
        assert_eq!(out, []);
        told
    }

    const DM1: [u8; 8] = [0x40, 0xFF, 110, 0, 0, 3, 0xFF, 0xFF];

    #[test]
    fn dm1_is_told_when_it_changes_and_every_five_seconds() {
        let mut listener = Listener::default();
        let first = told(&mut listener, 0, 0x18FE_CA00, &DM1);
        let [Told::Heard(Heard::Codes(reading)), Told::Heard(Heard::Lamp(lamp))] = &first[..] else { panic!("{first:?}") };
        assert_eq!((reading.covers, reading.lists.len(), lamp.on, lamp.ecu), (Classes::ACTIVE, 1, true, Ecu::J1939(0)));
        let (ecu, codes) = &reading.lists[0];
        assert_eq!((*ecu, codes[0].code, codes[0].occurrences), (Ecu::J1939(0), Code::J1939 { spn: 110, fmi: 0 }, Some(3)));
        assert_eq!((1..5).map(|second| told(&mut listener, second * 1000, 0x18FE_CA00, &DM1).len()).sum::<usize>(), 0);
        assert_eq!(told(&mut listener, 5000, 0x18FE_CA00, &DM1), first);
        let none = told(&mut listener, 5100, 0x18FE_CA00, &[0, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF]);
        let [Told::Heard(Heard::Codes(reading)), Told::Heard(Heard::Lamp(lamp))] = &none[..] else { panic!("{none:?}") };
        assert!(reading.lists[0].1.is_empty() && !lamp.on);
    }

    #[test]
    fn dm2_and_its_like_are_of_their_classes() {
        let mut listener = Listener::default();
        for (id, covers) in [
            (0x18FE_CB00, Classes::PREVIOUSLY_ACTIVE),
            (0x18FE_CF00, Classes::PENDING),
            (0x18FE_D400, Classes::STORED),
            (0x18FD_8000, Classes::PERMANENT),
        ] {
            let told = told(&mut listener, 0, id, &DM1);
            assert!(matches!(&told[..], [Told::Heard(Heard::Codes(reading))] if reading.covers == covers), "{told:?}");
        }
        assert_eq!(told(&mut listener, 0, 0x18FD_B500, &DM1), [], "DM23 is a part of DM2");
    }

    /// ETI j1939-84: VehicleIdentificationPacketTest, ComponentIdentificationPacketTest (their bytes).
    #[test]
    fn identifications_are_read() {
        assert_eq!(vin(b"3HAMKSTN0FL575012*").as_deref(), Some("3HAMKSTN0FL575012"));
        assert_eq!(vin(b"Lorem ipsum*dolor sit amet"), None);
        let real = component(b"INT  *7571031515*124KM2Y4411888\0\0\0*0\0\0\0\0\0\0\0\0\0*");
        let fields = [real.make, real.model, real.serial, real.unit].map(Option::unwrap);
        assert_eq!(fields, ["INT", "7571031515", "124KM2Y4411888", "0"]);
        assert_eq!(component(b"Solid Design****"), Component { make: Some("Solid Design".into()), ..Component::default() });
        assert_eq!(software(b"\x02A 1*B 2*"), ["A 1", "B 2"]);
    }

    #[test]
    fn a_vin_comes_in_packets() {
        let mut listener = Listener::default();
        told(&mut listener, 0, 0x1CEC_FF00, &[32, 18, 0, 3, 255, 0xEC, 0xFE, 0]);
        told(&mut listener, 50, 0x1CEB_FF00, b"\x013HAMKST");
        told(&mut listener, 100, 0x1CEB_FF00, b"\x02N0FL575");
        let vin = told(&mut listener, 150, 0x1CEB_FF00, b"\x03012*\xFF\xFF\xFF");
        assert_eq!(vin, [Told::Vin(Ecu::J1939(0), "3HAMKSTN0FL575012".into())]);
    }

    #[test]
    fn acknowledgements_tell_what_was_refused_and_what_was_cleared() {
        let mut listener = Listener::default();
        let refused = told(&mut listener, 0, 0x18E8_FF00, &[1, 255, 255, 255, 249, 0xCB, 0xFE, 0]);
        assert_eq!(refused, [Told::Acknowledged(Ecu::J1939(0), pgn::DM2, Acknowledgement::Negative)]);
        let cleared = told(&mut listener, 0, 0x18E8_FF00, &[0, 255, 255, 255, 249, 0xD3, 0xFE, 0]);
        assert_eq!(cleared, [Told::Cleared(Ecu::J1939(0), Classes::ACTIVE)]);
    }

    #[test]
    fn what_cannot_be_is_counted_and_what_is_not_ours_passes_by() {
        let mut listener = Listener::default();
        assert_eq!(told(&mut listener, 0, 0x18FE_CA00, &[1, 2, 3]), []);
        assert_eq!(listener.malformed(), 1);
        assert_eq!(told(&mut listener, 0, 0x18DA_F110, &DM1), []);
        assert_eq!(told(&mut listener, 0, 0x18FE_CAFE, &DM1), [], "the null address says nothing of itself");
        assert_eq!(listener.malformed(), 1);
    }
}

mod json {
    use super::*;
    use serde_json::{Value, json};

    fn described(describer: &mut Describer, id: u32, data: &[u8]) -> Option<Value> {
        describer.hear(ms(0), &frame(id, data))
    }

    #[test]
    fn a_dm1_is_told_with_lamps_and_codes() {
        let told = described(&mut Describer::default(), 0x18FE_CA00, &[0x40, 0xFF, 110, 0, 0, 0x83, 0xFF, 0xFF]).unwrap();
        assert_eq!(
            told,
            json!({
                "id": "18FECA00", "protocol": "J1939", "kind": "codes", "pgn": 65226, "name": "DM1",
                "source": 0, "destination": 255, "raw": "40FF6E000083FFFF",
                "lamps": { "malfunction": "on", "stop": "off", "warning": "off", "protect": "off" },
                "codes": [{ "code": "SPN 110 FMI 0", "spn": 110, "fmi": 0, "occurrences": 3, "ambiguous": true }],
            })
        );
    }

    #[test]
    fn packets_are_told_as_their_announcement_and_the_message() {
        let mut describer = Describer::default();
        let bam = described(&mut describer, 0x1CEC_FF00, &[32, 10, 0, 2, 255, 0xCA, 0xFE, 0]).unwrap();
        assert_eq!(bam["transport"], json!({ "is": "BAM", "size": 10, "packets": 2, "of": { "pgn": 65226, "name": "DM1" } }));
        assert_eq!(described(&mut describer, 0x1CEB_FF00, &[1, 0, 0xFF, 0x61, 2, 0x13, 1, 0x21]), None);
        let dm1 = described(&mut describer, 0x1CEB_FF00, &[2, 6, 0x1F, 0x23, 255, 255, 255, 255]).unwrap();
        assert_eq!((&dm1["id"], dm1["codes"].as_array().unwrap().len()), (&json!("1CFECA00"), 2));
    }

    #[test]
    fn requests_claims_and_acknowledgements_are_told_and_nothing_else() {
        let mut describer = Describer::default();
        let request = described(&mut describer, 0x18EA_FFF9, &[0xCB, 0xFE, 0]).unwrap();
        assert_eq!(request["requested"], json!({ "pgn": 65227, "name": "DM2" }));
        let claim = described(&mut describer, 0x18EE_FFF9, &Name::tool(7, 9).0.to_le_bytes()).unwrap();
        assert_eq!((&claim["claim"]["address"], &claim["claim"]["function"]), (&json!(249), &json!(129)));
        let refused = described(&mut describer, 0x18E8_FF00, &[1, 255, 255, 255, 249, 0xCB, 0xFE, 0]).unwrap();
        assert_eq!(refused["acknowledgement"]["is"], "negative");
        let broken = described(&mut describer, 0x18FE_CA00, &[1]).unwrap();
        assert_eq!(broken["malformed"], true);
        for other in [0x0CF0_0400, 0x18DA_F110, 0x18DB_33F1] {
            assert_eq!(described(&mut describer, other, &[0; 8]), None);
        }
    }
}

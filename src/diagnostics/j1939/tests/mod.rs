//! Stories by clause. Vectors are facts from the tests of public tools, named where they stand.

mod addresses;
mod json;
mod news;
mod packets;

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

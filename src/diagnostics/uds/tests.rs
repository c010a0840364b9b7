use proptest::prelude::*;

use super::*;
use crate::diagnostics::request::Request;
use crate::vehicle::Value;
use crate::vehicle::trouble::{Classes, Code, Ecu, Listed};

fn iso(base: u16, failure: u8) -> Code {
    Code::Iso { base, failure: Some(failure) }
}

fn codes(payload: &[u8]) -> Codes {
    match decode(payload, None) {
        Some(Response::Codes(codes)) => codes,
        other => panic!("{payload:02X?}: {other:?}"),
    }
}

/// The example of ISO 14229-1 for 19 02 has two codes with 24 and 2F.
#[test]
fn a_status_puts_a_code_into_its_classes() {
    let answer = codes(&[0x59, 0x02, 0xFF, 0x0A, 0x9B, 0x17, 0x24, 0x08, 0x05, 0x11, 0xAF, 0x12, 0x34, 0x56, 0x50]);
    assert_eq!((answer.available, answer.codes.len()), (Some(0xFF), 3));
    let all = Classes::ACTIVE.and(Classes::PENDING).and(Classes::STORED);
    let listed = |code, classes, mil| Listed { code, classes, mil: Some(mil), occurrences: None };
    let expected = vec![listed(iso(0x0A9B, 0x17), Classes::PENDING, false), listed(iso(0x0805, 0x11), all, true)];
    assert_eq!(answer.listed(), Some(expected), "the third never failed");
    assert_eq!(codes::covers(0x0C, 0xFB), Classes::STORED);
    let bare = codes(&[0x59, 0x02, 0x09, 0x08, 0x05, 0x11, 0xAF]).listed().unwrap();
    assert_eq!((bare[0].classes, bare[0].mil), (Classes::ACTIVE.and(Classes::STORED), None), "only bits that the ECU uses");
}

#[test]
fn filling_is_no_code_and_what_is_cut_short_is_no_list() {
    assert_eq!(codes(&[0x59, 0x0A, 0xFF]).listed(), Some(vec![]));
    let filled = codes(&[0x59, 0x02, 0xFB, 0x12, 0x34, 0x56, 0x20, 0, 0, 0, 0, 0, 0]);
    assert_eq!((filled.codes.len(), filled.rest.len()), (1, 0));
    let short = codes(&[0x59, 0x02, 0xFB, 0x12, 0x34, 0x56, 0x28, 0x12]);
    assert_eq!((short.codes.len(), short.listed()), (1, None));
    assert_eq!(decode(&[0x59, 0x02], None), None);
}

#[test]
fn lists_of_other_shapes_are_read() {
    let severe = codes(&[0x59, 0x42, 0x33, 0xFF, 0xFE, 0x04, 0x22, 0x01, 0x43, 0x00, 0x88]);
    assert_eq!((severe.format, severe.codes[0].severity, severe.codes[0].code), (Some(4), Some(0x22), iso(0x0143, 0)));
    assert_eq!(severe.listed().unwrap()[0].mil, Some(true));
    let permanent = codes(&[0x59, 0x55, 0x33, 0xFF, 0x04, 0x01, 0x43, 0x00, 0x00]);
    assert_eq!(permanent.listed().unwrap()[0].classes, Classes::PERMANENT);
    let truck = codes(&[0x59, 0x55, 0x33, 0xFF, 0x02, 0x6E, 0x00, 0x03, 0x08]);
    assert_eq!(truck.codes[0].code, Code::J1939 { spn: 110, fmi: 3 });
    let count = decode(&[0x59, 0x01, 0xFB, 0x01, 0x12, 0x34], None);
    assert_eq!(count, Some(Response::Count { sub: 1, available: 0xFB, format: 1, count: 0x1234 }));
}

/// The example of ISO 14229-1 for 19 04: record 2 with identifier 4711.
#[test]
fn a_snapshot_of_known_end_is_read() {
    let payload = [0x59, 0x04, 0x12, 0x34, 0x56, 0x24, 0x02, 0x01, 0x47, 0x11, 0xA6, 0x66, 0x07, 0x50, 0x20];
    let asked = Request::Snapshot { code: [0x12, 0x34, 0x56], record: 2 }.encode();
    let Some(Response::Snapshots(snapshots)) = decode(&payload, Some(&asked)) else { panic!("snapshots") };
    assert_eq!((snapshots.of.code, snapshots.records[0].number), (iso(0x1234, 0x56), 2));
    let frame = snapshots.freeze(Ecu::Normal(0x7E8)).unwrap();
    assert_eq!(frame.values, [("4711".to_owned(), Value::Word("A666075020".parse().unwrap()))]);

    let Some(Response::Snapshots(unasked)) = decode(&payload, None) else { panic!("snapshots") };
    assert_eq!((unasked.records.len(), unasked.rest.as_slice()), (0, &payload[6..]), "where it ends is not known");

    let pids =
        [0x59, 0x04, 0x12, 0x34, 0x56, 0x24, 0x01, 0x02, 0xF4, 0x0D, 0x20, 0xF4, 0x05, 0x7B, 0x02, 0x01, 0xF4, 0x0D, 0x21, 0, 0];
    let Some(Response::Snapshots(known)) = decode(&pids, None) else { panic!("snapshots") };
    assert_eq!((known.records.len(), known.records[1].number, known.rest.len()), (2, 2, 0));
    let frame = known.freeze(Ecu::Normal(0x7E8)).unwrap();
    assert_eq!(frame.values[1], ("Vehicle.OBD.CoolantTemperature".to_owned(), Value::Number(83.0)));
}

#[test]
fn extended_data_is_kept_as_bytes() {
    let asked = Request::Extended { code: [0x12, 0x34, 0x56], record: 0x99 }.encode();
    let Some(Response::Extended(extended)) = decode(&[0x59, 0x06, 0x12, 0x34, 0x56, 0x20, 0x99, 1, 2, 3], Some(&asked)) else {
        panic!()
    };
    assert_eq!((&extended.record, extended.single), (&Some((0x99, vec![1, 2, 3])), true));
    let kept = extended.kept(Ecu::Normal(0x7E8)).unwrap();
    assert_eq!((kept.code, kept.number, kept.bytes), (iso(0x1234, 0x56), 0x99, vec![1, 2, 3]));
    // All are asked for, as the standard's example of 19 06 has them: record 05 with 17, record 10 with 79.
    for (rest, number, bytes) in [(&[5, 0x17][..], 5, &[0x17][..]), (&[5, 0x17, 0x10, 0x79], 0xFF, &[5, 0x17, 0x10, 0x79])] {
        let answer = [&[0x59, 0x06, 0x12, 0x34, 0x56, 0x24], rest].concat();
        let Some(Response::Extended(extended)) = decode(&answer, Some(&[0x19, 6, 0x12, 0x34, 0x56, 0xFF])) else { panic!() };
        let kept = extended.kept(Ecu::Normal(0x7E8)).unwrap();
        assert_eq!((kept.number, kept.bytes.as_slice()), (number, bytes));
    }
    let Some(Response::Extended(none)) = decode(&[0x59, 0x06, 0x12, 0x34, 0x56, 0x20, 0, 0], None) else { panic!() };
    assert_eq!((&none.record, none.single, none.kept(Ecu::Normal(0x7E8))), (&None, false, None));
}

#[test]
fn identifiers_are_cut_by_the_question() {
    let data = |payload: &[u8], asked: &[u16]| -> Vec<(u16, usize, bool)> {
        let asked = (!asked.is_empty()).then(|| Request::data(asked).encode());
        let Some(Response::Data(data)) = decode(payload, asked.as_deref()) else { panic!("{payload:02X?}") };
        data.iter().map(|data| (data.identifier, data.bytes.len(), data.content == identifier::Content::Raw)).collect()
    };
    assert_eq!(data(&[0x62, 0xF4, 0x0D, 0x20], &[]), [(0xF40D, 1, false)]);
    assert_eq!(data(&[0x62, 0x12, 0x34, 1, 2, 0x56, 0x78, 3], &[0x1234, 0x5678]), [(0x1234, 2, true), (0x5678, 1, true)]);
    let twice = [0x62, 0x12, 0x34, 0x56, 0x78, 0x56, 0x78, 3];
    assert_eq!(data(&twice, &[0x1234, 0x5678]), [(0x1234, 5, true)], "it may begin at either place");
    let vin = [b"\x62\xF1\x90".as_slice(), b"WP0ZZZ99ZTS392124"].concat();
    let Some(Response::Data(found)) = decode(&vin, None) else { panic!("a VIN") };
    assert_eq!(found[0].content, identifier::Content::Text("vin", "WP0ZZZ99ZTS392124".into()));
    let found = decode(&vin, None).unwrap();
    assert_eq!((found.vin(), found.as_current()), (Some("WP0ZZZ99ZTS392124"), None));
    let speed = decode(&[0x62, 0xF4, 0x0D, 0x20], None).unwrap().as_current().unwrap();
    assert_eq!(speed.signals(), [(crate::vehicle::Signal::Speed, 32.0)]);
    assert_eq!(decode(&[0x62, 0xF1], None), None);
}

proptest! {
    #[test]
    fn no_answer_panics_and_identifiers_keep_every_byte(payload in prop::collection::vec(any::<u8>(), 2..80), asked in prop::collection::vec(any::<u8>(), 0..12)) {
        let mut payload = payload;
        for sub in 0..=0x60 {
            payload[..2].copy_from_slice(&[0x59, sub]);
            for asked in [None, Some([&[0x19, sub], asked.as_slice()].concat())] {
                match decode(&payload, asked.as_deref()) {
                    Some(Response::Codes(codes)) => drop(codes.listed()),
                    Some(Response::Snapshots(snapshots)) => drop(snapshots.freeze(Ecu::Normal(0))),
                    _ => {}
                }
            }
        }
        payload[0] = 0x62;
        for asked in [None, Some([&[0x22], asked.as_slice()].concat())] {
            let Some(Response::Data(data)) = decode(&payload, asked.as_deref()) else { continue };
            let again: Vec<u8> = data.iter().flat_map(|data| data.identifier.to_be_bytes().into_iter().chain(data.bytes.iter().copied())).collect();
            prop_assert_eq!(&again, &payload[1..]);
        }
    }
}

use proptest::prelude::*;

use super::*;
use crate::diagnostics::request::Request;

fn base(base: u16) -> Code {
    Code::Iso { base, failure: None }
}

/// The value of the only PID of an answer.
fn value(hex: &[u8]) -> f64 {
    let Some(Response::Current(items)) = decode(hex, None) else { panic!("{hex:02X?}") };
    assert_eq!(items.len(), 1);
    number(&items[0]).unwrap_or_else(|| panic!("{hex:02X?}: {items:?}"))
}

/// The formulas of SAE J1979, at the examples that its tables and public databases of vehicles give.
#[test]
fn values_are_those_of_the_standard() {
    let near = |hex: &[u8], expected: f64| assert!((value(hex) - expected).abs() < 1e-6, "{hex:02X?}: {}", value(hex));
    near(&[0x41, 0x04, 0xFF], 100.0);
    near(&[0x41, 0x05, 0x7B], 83.0);
    near(&[0x41, 0x06, 0x00], -100.0);
    near(&[0x41, 0x0A, 0x64], 300.0);
    near(&[0x41, 0x0C, 0x1A, 0xF8], 1726.0);
    near(&[0x41, 0x0E, 0x90], 8.0);
    near(&[0x41, 0x10, 0x01, 0x2C], 3.0);
    near(&[0x41, 0x14, 0x96, 0xFF], 0.75);
    near(&[0x41, 0x32, 0xFF, 0xFF], -0.25);
    near(&[0x41, 0x34, 0x80, 0x00, 0x80, 0x00], 1.0);
    near(&[0x41, 0x3C, 0x11, 0x70], 406.4);
    near(&[0x41, 0x42, 0x36, 0xB0], 14.0);
    near(&[0x41, 0x46, 0x28], 0.0);
    near(&[0x41, 0x5D, 0x69, 0x00], 0.0);
    near(&[0x41, 0xA6, 0x00, 0x01, 0x86, 0xA1], 10_000.1);
}

#[test]
fn a_second_value_stands_in_the_same_pid() {
    let Some(Response::Current(items)) = decode(&[0x41, 0x34, 0x80, 0x00, 0x7F, 0x00], None) else { panic!("an answer") };
    let Content::Values(values) = &items[0].content else { panic!("values") };
    assert_eq!(values[1].name, "Vehicle.OBD.O2WR.Sensor1.Current");
    assert!((values[1].value.as_number().unwrap() + 0.001).abs() < 1e-9 && values[1].unit == "A");
}

#[test]
fn codes_come_with_a_count_and_without_padding() {
    let codes = |payload: &[u8]| decode(payload, None).unwrap();
    let three = codes(&[0x43, 3, 0x01, 0x43, 0x01, 0x96, 0xC1, 0x00]);
    let (class, list) = three.listed().unwrap();
    assert_eq!(class, Classes::STORED);
    assert_eq!(list.iter().map(|listed| listed.code).collect::<Vec<_>>(), [base(0x0143), base(0x0196), base(0xC100)]);
    assert_eq!(codes(&[0x43, 0]).listed(), Some((Classes::STORED, vec![])));
    assert_eq!(codes(&[0x47, 0x01, 0x43, 0x00, 0x00]).listed().unwrap().1.len(), 1, "without a count");
    assert_eq!(codes(&[0x4A, 2, 0x01, 0x43]).listed(), None, "one is missing");
    assert_eq!(codes(&[0x43, 2, 0x01, 0x43, 0x01, 0x43]).listed().unwrap().1.len(), 1, "told twice");
}

#[test]
fn a_freeze_frame_is_put_together_of_its_answers() {
    let asked = |pid| Request::Freeze(pid).encode();
    let answer = |payload: &[u8], pid| decode(payload, Some(&asked(pid))).unwrap();
    let answers = [
        answer(&[0x42, 0x02, 0x00, 0x01, 0x30], 0x02),
        answer(&[0x42, 0x05, 0x00, 0x7B], 0x05),
        answer(&[0x42, 0x7D, 0x00, 0x1F], 0x7D),
    ];
    let items: Vec<Item> = answers.iter().flat_map(Response::items).cloned().collect();
    let frame = freeze(Ecu::Normal(0x7E8), &items).unwrap();
    assert_eq!(frame.code, base(0x0130));
    let word = Value::Word("1F".parse().unwrap());
    let expected = [("Vehicle.OBD.CoolantTemperature".to_owned(), Value::Number(83.0)), ("PID 7D".to_owned(), word)];
    assert_eq!(frame.values, expected);
    assert_eq!(freeze(Ecu::Normal(0x7E8), answer(&[0x42, 0x02, 0x00, 0x00, 0x00], 0x02).items()), None, "no frame is stored");
}

#[test]
fn lamp_and_signals_are_found() {
    let ecu = Ecu::Normal(0x7E8);
    let answer = decode(&[0x41, 0x01, 0x82, 0x07, 0x65, 0x00, 0x0D, 0x32], None).unwrap();
    let (lamp, readiness) = answer.monitors(ecu).unwrap();
    assert_eq!(lamp, Lamp { ecu, on: true, count: Some(2) });
    assert!(readiness.monitors.iter().all(|(_, complete)| *complete));
    assert_eq!(answer.signals(), [(Signal::Speed, 50.0)]);
    for pid in 0..=0xFF {
        let of_pid = signal(pid).zip(table::find(pid));
        assert_eq!(signal(pid).is_some(), of_pid.is_some());
        if let Some((signal, row)) = of_pid {
            let unit = row.fields[0].read(&[0; 4]).unwrap().unit;
            assert_eq!(signal.unit(), unit, "{pid:02X}");
        }
    }
}

proptest! {
    #[test]
    fn no_answer_panics_and_every_byte_is_kept(payload in prop::collection::vec(any::<u8>(), 0..80), asked in prop::collection::vec(any::<u8>(), 0..8)) {
        let mut payload = payload;
        for service in [0x41, 0x42, 0x43, 0x44, 0x47, 0x49, 0x4A] {
            if let Some(first) = payload.first_mut() { *first = service }
            for asked in [None, Some(asked.as_slice())] {
                let Some(response) = decode(&payload, asked) else { continue };
                if let Response::Current(items) = &response {
                    let again: Vec<u8> = items.iter().flat_map(|item| [item.pid].into_iter().chain(item.bytes.iter().copied())).collect();
                    prop_assert_eq!(&again, &payload[1..]);
                }
                let _ = (response.listed(), response.monitors(Ecu::Normal(0)), response.signals(), freeze(Ecu::Normal(0), response.items()));
            }
        }
    }
}

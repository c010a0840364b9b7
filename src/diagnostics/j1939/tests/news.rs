//! What is told of what is heard.

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

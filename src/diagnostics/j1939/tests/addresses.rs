//! An address, and who contests it.

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

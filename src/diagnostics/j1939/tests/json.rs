//! Messages as JSON.

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

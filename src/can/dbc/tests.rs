use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn decoded(message: &Message, data: &[u8]) -> Vec<(String, f64)> {
    message.decode(data).map(|(signal, value)| (signal.name().to_owned(), value)).collect()
}

const EXAMPLE: &str = r#"VERSION ""
NS_ :
	CM_
BS_:
BU_: A B

BO_ 100 Plain: 8 A
 SG_ Little : 0|12@1+ (0.5,-40) [0|0] "degC" B
 SG_ Big : 23|16@0- (1,0) [0|0] "" B
 SG_ Real : 32|32@1- (1,0) [0|0] "" B

BO_ 2364540158 Multi: 8 A
 SG_ Sel M : 0|4@1+ (1,0) [0|0] "" B
 SG_ One m1 : 8|8@1+ (1,0) [0|0] "" B
 SG_ Two m2 : 8|8@1+ (2,0) [0|0] "" B

BO_ 3221225472 VECTOR__INDEPENDENT_SIG_MSG: 0 Vector__XXX
 SG_ Homeless : 0|8@1+ (1,0) [0|0] "" Vector__XXX

BO_ 101 Nested: 24 A
 SG_ Outer M : 0|8@1+ (1,0) [0|0] "" B
 SG_ Inner m0M : 8|8@1- (1,0) [0|0] "" B
 SG_ Deep m3 : 16|8@1+ (1,0) [0|0] "" B
 SG_ Far m0 : 152|8@1+ (1,0) [0|0] "" B

CM_ 145 "not of the grammar";
CM_ SG_ 100 Little "a "stray" quote;
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 10000;
BA_DEF_DEF_ "GenMsgCycleTime" 0;
BA_ "GenMsgCycleTime" BO_ 100 20;
BA_ "SystemMessageLongSymbol" BO_ 100 "Plain_as_it_should_be_called";
BA_ "SystemSignalLongSymbol" SG_ 100 Big "Big_as_it_should_be_called";
SIG_VALTYPE_ 100 Real : 1;
SG_MUL_VAL_ 101 Inner Outer 0-0;
SG_MUL_VAL_ 101 Deep Inner 3-4, 7-7;
SG_MUL_VAL_ 101 Far Outer 0-1;
"#;

#[test]
fn values_are_raw_times_factor_plus_offset() {
    let database = Database::parse(EXAMPLE.as_bytes());
    let message = database.message(100, false).unwrap();
    assert_eq!((message.name(), message.period), ("Plain_as_it_should_be_called", Some(Duration::from_millis(20))));
    assert_eq!(database.named("Plain"), Some(message));
    let mut data = [0x34, 0xF2, 0xFF, 0xFE, 0, 0, 0, 0];
    data[4..].copy_from_slice(&1.5_f32.to_le_bytes());
    let expected = [("Little", 242.0), ("Big_as_it_should_be_called", -2.0), ("Real", 1.5)];
    assert_eq!(decoded(message, &data), expected.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(decoded(message, &data[..4]).len(), 2, "a short frame carries what is all there");
}

#[test]
fn a_multiplexed_message_shows_what_its_frame_carries() {
    let database = Database::parse(EXAMPLE.as_bytes());
    let names = |id, extended, data: &[u8]| {
        let message = database.message(id, extended).unwrap();
        decoded(message, data).into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(0xCF0_04FE, true, &[0xF1, 9]), "Sel One");
    assert_eq!(names(0xCF0_04FE, true, &[2, 9]), "Sel Two");
    assert_eq!(names(0xCF0_04FE, true, &[3, 9]), "Sel");
    assert_eq!(names(101, false, &[0, 4, 9]), "Outer Inner Deep");
    assert_eq!(names(101, false, &[0, 7, 9]), "Outer Inner Deep");
    assert_eq!(names(101, false, &[0, 0xFF, 9]), "Outer Inner", "a negative selector selects nothing");
    assert_eq!(names(101, false, &[1, 4, 9]), "Outer", "what stands behind an unselected multiplexer is not there");
    assert_eq!(names(101, false, &[1; 20]), "Outer Far");
}

#[test]
fn what_is_not_needed_is_passed_over_and_named_by_its_line() {
    let database = Database::parse(EXAMPLE.as_bytes());
    assert_eq!(database.messages().len(), 3);
    let faults: Vec<_> = database.faults().iter().map(|fault| (fault.line, &fault.loss)).collect();
    assert_eq!(faults, [(27, &Loss::Nothing)]);
}

#[test]
fn what_is_needed_and_does_not_parse_says_what_is_lost() {
    let text = "BO_ 1 M: 8 A\n SG_ Good : 0|8@1+ (1,0) [0|0] \"\" B\n SG_ Bad : 8@1+ (1,0) [0|0] \"\" B\nBO_ x N: 8 A\n\
                SG_ Orphan : 0|8@1+ (1,0) [0|0] \"\" B\nBO_ 3000 Wide: 8 A\nSIG_VALTYPE_ 1 Good 1;\nSIG_VALTYPE_ 1 Good : 1;\n";
    let database = Database::parse(text.as_bytes());
    let names: Vec<_> = database.messages().iter().map(|m| (m.name(), m.extended, m.signals.len())).collect();
    assert_eq!(names, [("M", false, 1), ("Wide", true, 0)]);
    let signal = |name: &str| Loss::Signal("M".to_owned(), name.to_owned());
    let faults: Vec<_> = database.faults().iter().map(|fault| (fault.line, fault.loss.clone())).collect();
    let expected =
        [(3, signal("Bad")), (4, Loss::Message("N".to_owned())), (6, Loss::Nothing), (7, signal("Good")), (8, signal("Good"))];
    assert_eq!(faults, expected);
}

#[test]
fn multiplexers_that_select_one_another_are_in_no_frame() {
    let text = "BO_ 1 M: 8 A\n SG_ X m0M : 0|8@1+ (1,0) [0|0] \"\" B\n SG_ Y m0M : 8|8@1+ (1,0) [0|0] \"\" B\n\
                SG_MUL_VAL_ 1 X Y 0-0;\nSG_MUL_VAL_ 1 Y X 0-0;\n";
    let database = Database::parse(text.as_bytes());
    assert_eq!(database.messages()[0].decode(&[0; 8]).count(), 0);
    assert_eq!(database.faults().len(), 2);
}

#[test]
fn encodes_what_it_decodes() {
    let database = Database::parse(EXAMPLE.as_bytes());
    let message = database.named("Plain").unwrap();
    let data = message.encode(&[("Little", -3.5), ("Big", -7.0), ("Real", 0.25)]).unwrap();
    assert_eq!(decoded(message, &data).into_iter().map(|(_, value)| value).collect::<Vec<_>>(), [-3.5, -7.0, 0.25]);
    let unfit = message.encode(&[("Little", 3000.0)]).unwrap_err();
    assert_eq!(unfit.to_string(), "Little cannot be 3000: it takes -40 to 2007.5");
    assert!(matches!(message.encode(&[("Nothing", 0.0)]), Err(Unfit::Unknown { .. })));
    assert!(matches!(message.signals[2].put(&mut [0; 7], 0.0), Err(Unfit::Short { needs: 8, .. })));
}

#[test]
fn the_database_of_a_real_car_loads_with_its_malformed_line() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/dbc/hyundai_can.dbc");
    if !path.exists() {
        println!("passed over: no {}", path.display());
        return;
    }
    let database = Database::read(&path).unwrap();
    assert!(database.faults().iter().all(|fault| fault.loss == Loss::Nothing), "{:?}", database.faults());
    let message = database.named("CGW1").unwrap();
    assert_eq!((message.id, message.length, message.signals.len() > 30), (0x541, 8, true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        Database::parse(&bytes);
    }

    #[test]
    fn a_file_with_a_piece_missing_is_still_a_database(at in 0..EXAMPLE.len(), length in 0..60_usize) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        let end = (at + length).min(bytes.len());
        bytes.drain(at..end);
        let database = Database::parse(&bytes);
        let lines = bytes.iter().filter(|b| **b == b'\n').count() as u32 + 1;
        prop_assert!(database.faults().iter().all(|fault| (1..=lines).contains(&fault.line)));
        for message in database.messages() {
            prop_assert!(message.decode(&[0xA5; 64]).count() <= message.signals.len());
        }
    }
}

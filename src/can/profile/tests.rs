use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::can::{ArbitrationId, Outcome};
use crate::clock::Boot;
use crate::vehicle::{BusId, Frame, FrameKind, Reading, Value};

const DBC: &str = r#"
BO_ 1345 CGW1: 8 BCM
 SG_ IGNSw : 0|3@1+ (1,0) [0|5] "" X
 SG_ DrvDr : 3|1@1+ (1,0) [0|1] "" X
 SG_ Level : 8|8@1- (0.5,10) [0|0] "" X
 SG_ Fault : 16|2@1+ (1,0) [0|0] "" X
 SG_ Broken : nonsense
BO_ 2364540158 EEC1: 8 ECM
 SG_ Sel M : 0|8@1+ (1,0) [0|0] "" X
 SG_ Engine_Rpm m1 : 24|16@1+ (0.125,0) [0|8000] "rpm" X
 SG_ Real : 32|32@1- (1,0) [0|0] "" X
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 10000;
BA_DEF_DEF_ "GenMsgCycleTime" 0;
BA_ "GenMsgCycleTime" BO_ 1345 100;
BA_ "GenMsgCycleTime" BO_ 2364540158 20;
BA_ "SystemSignalLongSymbol" SG_ 1345 DrvDr "DriverDoorSwitchStatus";
SIG_VALTYPE_ 2364540158 Real : 1;
"#;

fn profile(text: &str) -> Result<Profile, Vec<Problem>> {
    Profile::parse(Path::new("car.toml"), text, |path| match path.to_str() {
        Some("car.dbc") => Ok(Database::parse(DBC.as_bytes())),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    })
}

fn frame(id: u32, extended: bool, data: &[u8]) -> Frame {
    Frame { at: Boot::default(), kind: FrameKind::Classical, id, extended, data: data.iter().copied().collect() }
}

fn readings(profile: &Profile, frame: &Frame) -> (Vec<(u16, Reading)>, Outcome) {
    let mut readings = Vec::new();
    let outcome = profile.decoder.decode(BusId(0), frame, |source, reading| readings.push((source.0, reading)));
    (readings, outcome)
}

const BUS: &str = "[bus.body]\ndbc = [\"car.dbc\"]\ninterface = \"can0\"\n";

#[test]
fn a_profile_says_what_each_frame_means() {
    let text = format!(
        r#"{BUS}
        [[signals."Vehicle.LowVoltageSystemState"]]
        bus = "body"
        message = "CGW1"
        signal = "IGNSw"
        values = {{ 0 = "OFF", 3 = "READY" }}
        [[signals."Vehicle.Cabin.Door.Row1.DriverSide.IsOpen"]]
        bus = "body"
        message = "CGW1"
        signal = "DriverDoorSwitchStatus"
        values = {{ 0 = false, 1 = true }}
        valid = {{ signal = "Fault", equals = 0 }}
        always = true
        [[signals."Vehicle.Exterior.AirTemperature"]]
        bus = "body"
        message = "CGW1"
        signal = "Level"
        scale = 2
        offset = -1.5
        stale_after = 4
        latched = true
        [[signals."Vehicle.Powertrain.CombustionEngine.Speed"]]
        bus = "body"
        message = "EEC1"
        signal = "Engine_Rpm"
        [[signals."Vehicle.Cabin.Seat.Row2.Middle.OccupancyStatus"]]
        bus = "body"
        message = "CGW1"
        signal = "Level"
        values = {{ -1 = "UNKNOWN", 0 = "EMPTY", 1 = "OCCUPIED", 2 = true }}
        "#
    );
    let profile = profile(&text).unwrap();
    let names: Vec<_> = profile.layout.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["CGW1.IGNSw", "CGW1.DriverDoorSwitchStatus", "CGW1.Level", "EEC1.Engine_Rpm", "CGW1.Level"]);
    let door = &profile.layout.sources[1];
    assert_eq!((door.signal, door.always, door.latched), (Signal::CabinDoorRow1DriverSideIsOpen, true, false));
    assert_eq!((door.period, door.stale_after), (Some(Duration::from_millis(100)), None));
    let level = &profile.layout.sources[2];
    assert_eq!((level.stale_after, level.latched), (Some(Duration::from_secs(4)), true));
    assert_eq!(profile.layout.sources[3].period, None, "a multiplexed signal has no period");
    assert_eq!(profile.buses, [ProfileBus { interface: Some("can0".to_owned()), line: 1 }]);
    let id = |id, extended| ArbitrationId { id, extended };
    assert_eq!(profile.decoder.ids(BusId(0)), [id(1345, false), id(0xCF0_04FE, true)]);
    assert_eq!(profile.warnings.len(), 1, "the broken signal, which nothing maps");

    let word = |word: &str| Reading::Value(Value::Word(word.try_into().unwrap()));
    let number = |number| Reading::Value(Value::Number(number));
    let seen = readings(&profile, &frame(1345, false, &[0b1011, 0xFF, 0]));
    let expected = vec![(0, word("ON")), (1, Reading::Value(Value::Bool(true))), (2, number(17.5)), (4, Reading::Invalid)];
    assert_eq!(seen, (expected, Outcome::Mapped { short: 0 }));
    let seen = readings(&profile, &frame(1345, false, &[0b0101, 3, 1]));
    assert_eq!(seen.0, [(0, Reading::Unlisted), (1, Reading::Invalid), (2, number(21.5)), (4, Reading::Unlisted)]);
    let seen = readings(&profile, &frame(1345, false, &[0b0000]));
    assert_eq!(seen, (vec![(0, word("OFF"))], Outcome::Mapped { short: 3 }), "validity is unknown: no word");
    let rpm = |selector| readings(&profile, &frame(0xCF0_04FE, true, &[selector, 0, 0, 0x40, 0x1F])).0;
    assert_eq!(rpm(1), [(3, number(1000.0))]);
    assert_eq!(rpm(2), []);
    assert_eq!(readings(&profile, &frame(1345, true, &[0; 8])).1, Outcome::Unmapped);
    let remote = Frame { kind: FrameKind::Remote, ..frame(1345, false, &[]) };
    assert_eq!(readings(&profile, &remote).1, Outcome::Unmapped);
}

#[test]
fn a_number_that_is_none_is_invalid() {
    let text = format!("{BUS}[[signals.\"Vehicle.Speed\"]]\nbus = \"body\"\nmessage = \"EEC1\"\nsignal = \"Real\"\n");
    let profile = profile(&text).unwrap();
    let data = [[0; 4], f32::NAN.to_le_bytes()].concat();
    assert_eq!(readings(&profile, &frame(0xCF0_04FE, true, &data)).0, [(0, Reading::Invalid)]);
}

/// A source on lines 4 to 8 with these lines in place of the right ones.
fn broken(path: &str, lines: &str) -> String {
    let problems = profile(&format!("{BUS}[[signals.\"{path}\"]]\n{lines}\n")).unwrap_err();
    problems.iter().map(|problem| problem.to_string()).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_mistake_names_file_line_key_and_cure() {
    const DOOR: &str = "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen";
    let right = "bus = \"body\"\nmessage = \"CGW1\"\nsignal = \"DrvDr\"\nvalues = { 0 = false, 1 = true }";
    assert!(profile(&format!("{BUS}[[signals.\"{DOOR}\"]]\n{right}\n")).is_ok());
    for (path, from, to, said) in [
        (
            DOOR,
            "",
            "\nlached = true",
            "9: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".lached: there is no such key; did you mean `latched`?",
        ),
        (
            "Vehicle.Cabin.Door.Row1.DriverSide.IsOpn",
            "",
            "",
            "4: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpn\": there is no such signal in VSS 5 or its overlay; did you mean `Vehicle.Cabin.Door.Row1.DriverSide.IsOpen`?",
        ),
        (
            DOOR,
            "\"body\"",
            "\"bodi\"",
            "5: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".bus: there is no bus `bodi`; did you mean `body`?",
        ),
        (
            DOOR,
            "CGW1",
            "CWG1",
            "6: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".message: no database of bus `body` has a message `CWG1`; did you mean `CGW1`?",
        ),
        (
            DOOR,
            "DrvDr",
            "DrvrDr",
            "7: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".signal: message `CGW1` has no signal `DrvrDr`; did you mean `DrvDr`?",
        ),
        (
            DOOR,
            "DrvDr",
            "Broken",
            "7: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".signal: Broken cannot be read from car.dbc: line 7: a signal reads `SG_ NAME : 0|8@1+ (1,0) [0|255] \"unit\" NODE`",
        ),
        (
            DOOR,
            "1 = true",
            "1 = 1",
            "8: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".values.1: a value of Vehicle.Cabin.Door.Row1.DriverSide.IsOpen is `true` or `false`",
        ),
        (
            DOOR,
            "1 = true",
            "2 = true",
            "8: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".values.2: DriverDoorSwitchStatus has 1 bits, so its raw value is never 2: it goes from 0 to 1",
        ),
        (
            DOOR,
            "1 = true",
            "open = true",
            "8: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".values.open: a raw value is a whole number, as in `values = { 0 = …, 1 = … }`",
        ),
        (
            DOOR,
            "\nvalues = { 0 = false, 1 = true }",
            "",
            "4: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".values: this is missing: which raw value means what, as in `values = { 0 = false, 1 = true }`",
        ),
        (
            DOOR,
            "",
            "\nscale = 2",
            "9: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".scale: `values` gives the values already: one of the two is too much",
        ),
        (
            DOOR,
            "",
            "\nstale_after = -1",
            "9: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".stale_after: this is in seconds, over 0 and to 86400",
        ),
        (
            DOOR,
            "",
            "\nlatched = 1",
            "9: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".latched: this is `true` or `false`",
        ),
        (
            DOOR,
            "",
            "\ncovers = \"front\"",
            "9: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".covers: `rear` is all that can be covered, not `front`",
        ),
        (
            DOOR,
            "",
            "\nvalid = { signal = \"Fault\" }",
            "9: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".valid.equals: this is missing: the raw value at which the value is valid, as in `equals = 0`",
        ),
        (
            DOOR,
            "",
            "\nvalid = { signal = \"Falt\", equals = 0 }",
            "9: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".valid.signal: message `CGW1` has no signal `Falt`; did you mean `Fault`?",
        ),
        (
            DOOR,
            "",
            "\nvalid = { signal = \"Fault\", equals = 4 }",
            "9: signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\".valid.equals: Fault has 2 bits, so its raw value is never 4: it goes from 0 to 3",
        ),
        (
            "Vehicle.Speed",
            "",
            "",
            "8: signals.\"Vehicle.Speed\".values.0: a value of Vehicle.Speed is a number in km/h\ncar.toml:8: signals.\"Vehicle.Speed\".values.1: a value of Vehicle.Speed is a number in km/h",
        ),
        (
            "Vehicle.LowVoltageSystemState",
            "0 = false, 1 = true",
            "0 = \"OF\"",
            "8: signals.\"Vehicle.LowVoltageSystemState\".values.0: a value of Vehicle.LowVoltageSystemState is one of \"UNDEFINED\", \"LOCK\", \"OFF\", \"ACC\", \"ON\", \"START\", not \"OF\"; did you mean `OFF`?",
        ),
    ] {
        let lines = if from.is_empty() { format!("{right}{to}") } else { right.replace(from, to) };
        assert_eq!(broken(path, &lines), format!("car.toml:{said}"));
    }
}

#[test]
fn mistakes_of_buses_and_of_toml_are_told_too() {
    let said = |text: &str| profile(text).unwrap_err().iter().map(Problem::to_string).collect::<Vec<_>>();
    let missing = "entity not found; paths are relative to the profile";
    assert_eq!(
        said("[bus.body]\ndbc = [\"gone.dbc\"]\n"),
        [format!("car.toml:2: bus.body.dbc: gone.dbc cannot be read: {missing}")]
    );
    assert_eq!(
        said("[bus.body]\n"),
        ["car.toml:1: bus.body.dbc: this is missing: this is a list of files, as in `dbc = [\"car.dbc\"]`"]
    );
    assert_eq!(said("[buss.body]\n"), ["car.toml:1: buss: there is no such key; did you mean `bus`?"]);
    assert_eq!(said("[bus.body\n")[0].split(": ").next(), Some("car.toml:1"));
    assert_eq!(said("x = 1\n[[signals.Vehicle.Speed]]\n").len(), 2);
    let text = format!("{BUS}[signals.\"Vehicle.Speed\"]\nbus = \"body\"\n");
    let expected =
        "car.toml:4: signals.\"Vehicle.Speed\": sources are tables in double brackets, `[[signals.\"Vehicle.Speed\"]]`";
    assert_eq!(said(&text), [expected]);
}

#[test]
fn the_profile_of_the_recorded_drives_loads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/drives/hyundai.toml");
    if !path.exists() {
        println!("passed over: no {}", path.display());
        return;
    }
    let profile = Profile::read(&path).unwrap();
    assert_eq!(profile.layout.buses, ["body", "cabin"]);
    assert_eq!(profile.layout.sources.len(), 13);
    assert!(profile.layout.sources.iter().any(|source| source.covers_rear));
    let ids: Vec<_> = profile.decoder.ids(BusId(0)).iter().map(|id| id.id).collect();
    assert_eq!(ids, [0x386, 0x541, 0x549, 0x553, 0x559]);
    assert_eq!(profile.decoder.ids(BusId(1)), [ArbitrationId { id: 928, extended: false }]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_text_makes_it_panic(
        text in r#"((\[bus\.a\]|\[\[signals\."?Vehicle\.Speed"?\]\]|dbc|bus|message|signal|values|valid|scale)( = (1|"body"|\["car\.dbc"\]|\{ 0 = 1 \}|"CGW1"|true))?\n){0,12}"#,
    ) {
        let _ = profile(&text);
    }

    #[test]
    fn no_piece_missing_makes_it_panic(at in 0..400_usize, length in 0..40_usize) {
        let mut text = format!(
            "{BUS}[[signals.\"Vehicle.Cabin.Door.Row1.DriverSide.IsOpen\"]]\nbus = \"body\"\nmessage = \"CGW1\"\nsignal = \
             \"DrvDr\"\nvalues = {{ 0 = false, 1 = true }}\nvalid = {{ signal = \"Fault\", equals = 0 }}\n"
        );
        let at = at.min(text.len());
        text.drain(at..(at + length).min(text.len()));
        if let Err(problems) = profile(&text) {
            let lines = text.matches('\n').count() + 1;
            prop_assert!(problems.iter().all(|problem| problem.line.is_some_and(|line| (1..=lines).contains(&line))));
        }
    }
}

#[test]
fn a_profile_says_where_ecus_can_be_asked() {
    use crate::vehicle::trouble::Ecu;
    let text = "[bus.obd]\ninterface = \"can0\"\n[bus.truck]\n[diagnostics]\nobd = \"obd\"\naddressing = \"29-bit\"\n\
                j1939 = \"truck\"\nidentifiers = [{ ecu = \"7E8\", did = 0xF187, name = \"part\" }]\n";
    let Diagnosis { obd, addressing, j1939, identifiers } = profile(text).unwrap().diagnosis;
    assert_eq!((obd, addressing, j1939), (Some(BusId(0)), Addressing::Fixed, Some(BusId(1))));
    assert_eq!(identifiers, [Identifier { ecu: Ecu::Normal(0x7E8), did: 0xF187, name: "part".to_owned() }]);
    assert_eq!(profile(BUS).unwrap().diagnosis, Diagnosis::default());
}

#[test]
fn what_is_wrong_with_the_diagnosis_is_told() {
    for (said, key, what) in [
        ("", "diagnostics", "no bus is named"),
        ("obd = \"bdoy\"", "diagnostics.obd", "`body`"),
        ("obd = \"body\"\naddressing = \"12\"", "diagnostics.addressing", "`29-bit`"),
        ("odb = \"body\"\nj1939 = \"body\"", "diagnostics.odb", "`obd`"),
        ("obd = \"body\"\nidentifiers = 4", "diagnostics.identifiers", "a list of tables"),
        ("obd = \"body\"\nidentifiers = [4]", "diagnostics.identifiers", "is a table"),
        ("obd = \"body\"\nidentifiers = [{ ecu = \"7E8\", name = \"a\" }]", "diagnostics.identifiers.did", "missing"),
        (
            "obd = \"body\"\nidentifiers = [{ ecu = \"7E8\", did = 70000, name = \"a\" }]",
            "diagnostics.identifiers.did",
            "two bytes",
        ),
        (
            "obd = \"body\"\nidentifiers = [{ ecu = \"18DB33F1\", did = 1, name = \"a\" }]",
            "diagnostics.identifiers.ecu",
            "18DAF110",
        ),
        (
            "obd = \"body\"\nidentifiers = [{ ecu = \"0A8\", did = 1, name = \"a\" }]",
            "diagnostics.identifiers.ecu",
            "none of diagnosis",
        ),
        ("j1939 = \"body\"\nidentifiers = [{ ecu = \"7E8\", did = 1, name = \"a\" }]", "diagnostics.identifiers", "add `obd"),
    ] {
        let problems = profile(&format!("{BUS}[diagnostics]\n{said}\n")).unwrap_err();
        let found = problems.iter().any(|problem| problem.key == key && problem.what.contains(what));
        assert!(found, "{said}: {problems:?}");
    }
    let twice = "{ ecu = \"7E8\", did = 1, name = \"a\" }";
    let problems = profile(&format!("{BUS}[diagnostics]\nobd = \"body\"\nidentifiers = [{twice}, {twice}]\n")).unwrap_err();
    assert!(problems[0].what.contains("stands here twice"), "{problems:?}");
    assert!(profile("[bus.body]\n").unwrap_err()[0].what.contains("this is missing"), "a bus that is not diagnosed needs a dbc");
}

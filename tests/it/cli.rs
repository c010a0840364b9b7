//! The command line as people meet it: help with examples, exit codes, and mistakes named with their cure.

use std::fs;
use std::process::{Command, Output, Stdio};

use crate::unit::{errors, project, run, telltale};

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn help_of_everything_has_an_example() {
    let commands: [&[&str]; 14] = [
        &[],
        &["run"],
        &["demo"],
        &["replay"],
        &["decode", "nmea"],
        &["decode", "can"],
        &["check"],
        &["pair"],
        &["devices"],
        &["boards"],
        &["places", "build"],
        &["places"],
        &["decode"],
        &["devices", "revoke"],
    ];
    for command in commands {
        let output = run(&[command, &["--help"]].concat());
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        // A mere list of commands leaves the examples to them.
        let leads_on = [["decode"], ["places"]].iter().any(|list| command == list);
        assert!(printed(&output).contains("Example") || leads_on, "{command:?}: {}", printed(&output));
    }
    let version = printed(&run(&["--version"]));
    assert_eq!(version.trim(), concat!("telltale ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_command_called_wrongly_exits_with_64_and_says_why() {
    let wrong: [&[&str]; 8] = [
        &[],
        &["fly"],
        &["demo", "--speed", "0"],
        &["demo", "--scenario", "nowhere"],
        &["demo", "--listen", "0.0.0.0:0"],
        &["demo", "--listen", "localhost"],
        &["decode", "can", "log"],
        &["pair", "--minutes", "0"],
    ];
    for command in wrong {
        let output = run(command);
        assert_eq!(output.status.code(), Some(64), "{command:?}: {}", errors(&output));
        assert!(!errors(&output).is_empty(), "{command:?}");
    }
    assert!(errors(&run(&["demo", "--scenario", "nowhere"])).contains("school-run-forgotten"), "it lists what there is");
    assert!(errors(&run(&["demo", "--listen", "0.0.0.0:0"])).contains("--lan"));
    assert!(errors(&run(&["demo", "--listen", "localhost"])).contains("such as 127.0.0.1:8080"));
    assert!(errors(&run(&["pair", "--minutes", "0"])).contains("1..=60"));
}

#[test]
fn what_is_not_there_exits_with_66() {
    let profile = project("src/sim/car.toml");
    let profile = profile.to_str().unwrap();
    let absent: [&[&str]; 6] = [
        &["replay", "--profile", "absent.toml"],
        &["replay", "--profile", profile, "--candump", "absent.candump"],
        &["replay", "--profile", profile, "--nmea", "absent.nmea"],
        &["decode", "nmea", "absent.nmea"],
        &["check", "--config", "absent.toml"],
        &["run", "--config", "absent.toml"],
    ];
    for command in absent {
        let output = run(command);
        assert_eq!(output.status.code(), Some(66), "{command:?}: {}", errors(&output));
        assert!(errors(&output).contains("absent."), "{command:?}: {}", errors(&output));
    }
    let folder = tempfile::tempdir().unwrap();
    let output = telltale().env("RUNTIME_DIRECTORY", folder.path()).arg("devices").output().unwrap();
    assert_eq!(output.status.code(), Some(69), "no daemon runs there: {}", errors(&output));
    assert!(errors(&output).contains("telltale run"));
}

/// It can be opened, and not read: nothing is mapped at its beginning.
const BROKEN: &str = "/proc/self/mem";

#[test]
fn what_cannot_be_read_or_written_exits_with_74_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let profile = project("src/sim/car.toml");
    let (profile, log) = (profile.to_str().unwrap(), folder.path().join("log"));
    fs::write(&log, "(1771545600.000000) can0 010#00\n").unwrap();
    let (log, nowhere) = (log.to_str().unwrap(), folder.path().join("nowhere/state"));
    let (here, nowhere) = (folder.path().to_str().unwrap(), nowhere.to_str().unwrap());
    let state = folder.path().join("state");
    let kept = state.to_str().unwrap();
    let wrong: [(&str, &[&str]); 7] = [
        (here, &["replay", "--profile", profile, "--candump", here]),
        (here, &["replay", "--profile", profile, "--nmea", here]),
        (nowhere, &["replay", "--profile", profile, "--candump", log, "--state", nowhere]),
        (here, &["decode", "can", "--dbc", here, log]),
        (BROKEN, &["decode", "obd", BROKEN]),
        (BROKEN, &["replay", "--profile", profile, "--candump", BROKEN, "--state", kept]),
        (BROKEN, &["replay", "--profile", profile, "--nmea", BROKEN, "--state", kept]),
    ];
    for (named, command) in wrong {
        let output = run(command);
        assert_eq!(output.status.code(), Some(74), "{command:?}: {}", errors(&output));
        assert!(errors(&output).contains(named), "{command:?}: {}", errors(&output));
    }
    assert!(!state.exists(), "a drive that was read in part is no state to go on from");
    let output = run(&["decode", "can", "--dbc", log, log]);
    assert!(errors(&output).contains("no message stands in it"), "a log is no database: {}", errors(&output));
}

#[test]
fn malformed_lines_are_told_with_their_number_passed_over_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("log"), "(1771545600.000000) can0 010#00\nnonsense\n(1771545600.1) can0 010#0\n").unwrap();
    fs::write(path("nmea"), "$GPGLL,1*00\r\n$GNRMC,000000.00,A,3732.67606,N,12703.34216,E,10.00,182.0,200226,,,A,V*35\r\n")
        .unwrap();
    let output = run(&["decode", "can", "--dbc", project("src/sim/car.dbc").to_str().unwrap(), &path("log")]);
    assert_eq!(output.status.code(), Some(0));
    let said = errors(&output);
    assert!(said.contains("line 2:") && said.contains("line 3:") && said.contains("2 malformed lines"), "{said}");
    let output = run(&["decode", "nmea", &path("nmea")]);
    assert_eq!((output.status.code(), printed(&output).lines().count()), (Some(0), 1));
    assert!(errors(&output).contains("line 1:") && errors(&output).contains("1 malformed line"), "{}", errors(&output));
    let profile = project("src/sim/car.toml");
    let output = run(&["replay", "--profile", profile.to_str().unwrap(), "--candump", &path("log"), "--nmea", &path("nmea")]);
    assert_eq!(output.status.code(), Some(0));
    let said = errors(&output);
    assert!(said.contains("candump: line 2:") && said.contains("nmea: line 1:"), "{said}");
}

#[test]
fn check_names_file_line_key_and_cure_and_a_board_is_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("telltale.toml");
    let check = |text: &str| {
        fs::write(&file, text).unwrap();
        let output = run(&["check", "--config", file.to_str().unwrap()]);
        (output.status.code(), printed(&output))
    };
    let broken = [
        ("[vehicle]\nvin = \"X\"\n[http]\nlistn = \"127.0.0.1:0\"\n", 4, "http.listn", "listen"),
        ("[vehicle]\nvin = \"X\"\n[[gnss]]\ndevice = \"/dev/ttyS0\"\nbaud = 0\n", 5, "gnss.baud", "9600"),
        ("[vehicle]\nvin = \"X\"\nprofile = \"absent.toml\"\n", 3, "vehicle.profile", "absent.toml"),
        ("[vehicle]\nvin = \"lower case\"\n", 2, "vehicle.vin", "17 characters"),
        ("[vehicle]\nvin = \"X\"\n[journal]\nmax_days = \"many\"\n", 4, "journal.max_days", ""),
        ("[vehicle\n", 1, "", ""),
    ];
    for (text, line, key, cure) in broken {
        let (code, said) = check(text);
        assert_eq!(code, Some(78), "{text}: {said}");
        let named = said.lines().find(|told| told.contains(&format!("telltale.toml:{line}:")) && told.contains(key));
        assert!(named.is_some_and(|told| told.contains(cure)), "{text}: {said}");
        let ran = run(&["run", "--config", file.to_str().unwrap()]);
        assert_eq!((ran.status.code(), errors(&ran)), (Some(78), said), "the daemon says the same, where its log is");
    }

    let boards = printed(&run(&["boards"]));
    assert!(boards.lines().any(|line| line.starts_with("sim ")), "{boards}");
    let wrong = [("simm", "the nearest known one is sim;"), ("pineapple", "is called pineapple; telltale boards lists them")];
    for (name, cure) in wrong {
        let output = run(&["boards", name]);
        assert_eq!(output.status.code(), Some(66));
        assert!(errors(&output).contains(cure), "{}", errors(&output));
    }
    let board = printed(&run(&["boards", "sim"]));
    let (code, said) = check(&format!("{board}\n[vehicle]\nvin = \"X\"\n[[gnss]]\ndevice = \"/dev/ttyUSB0\"\n"));
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn who_has_seen_enough_of_the_output_is_no_fault() {
    let Some(data) = crate::unit::shared_data() else { return };
    let log = data.join("drives/school-run.nmea");
    let mut child = telltale().args(["decode", "nmea"]).arg(log).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_log_on_standard_input_is_read_as_a_file_is() {
    let nmea = "$GNRMC,000000.00,A,3732.67606,N,12703.34216,E,10.00,182.0,200226,,,A,V*35\r\n";
    let mut command = Command::new("sh");
    command.args(["-c", "printf '%s' \"$1\" | \"$0\" decode nmea -"]).arg(telltale().get_program()).arg(nmea);
    let output = command.output().unwrap();
    assert!(printed(&output).contains("\"latitude\":37.544601"), "{} {}", printed(&output), errors(&output));
}

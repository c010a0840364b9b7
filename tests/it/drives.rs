//! Recorded drives through `telltale replay`, against what a gateway must make of them.

use std::path::Path;

use serde_json::Value;

use crate::unit::{run, shared_data};

/// One expectation of a drive's `expect.json`: does this event meet it?
fn meets(event: &Value, wanted: &Value) -> bool {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let fields =
        [("stage", "/child/stage"), ("confidence", "/child/confidence"), ("reason", "/child/reason"), ("fence", "/geofence/id")];
    text(&event["eventType"]) == text(&wanted["event"])
        && fields.iter().all(|(key, place)| wanted[*key].is_null() || event.pointer(place) == Some(&wanted[*key]))
}

/// When an event was told, Unix seconds.
pub fn seconds(event: &Value) -> f64 {
    let time: jiff::Timestamp = event["timestamp"].as_str().expect("a timestamp").parse().expect("ISO 8601");
    time.as_microsecond() as f64 / 1e6
}

/// What is wrong with these events of a drive; empty when nothing is.
pub fn faults(events: &[Value], expect: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let list = |key: &str| expect[key].as_array().cloned().unwrap_or_default();
    let (must, may) = (list("must"), list("may"));
    let mut taken = vec![false; events.len()];
    for wanted in &must {
        let (earliest, latest) = (wanted["earliest"].as_f64().unwrap_or(0.0), wanted["latest"].as_f64().unwrap_or(f64::MAX));
        let found: Vec<usize> = (0..events.len())
            .filter(|at| !taken[*at] && meets(&events[*at], wanted) && (earliest..=latest).contains(&seconds(&events[*at])))
            .collect();
        match found.as_slice() {
            [only] => taken[*only] = true,
            [] => faults.push(format!("missing: {wanted}")),
            many => faults.push(format!("{} times: {wanted}", many.len())),
        }
    }
    for (event, _) in events.iter().zip(&taken).filter(|(_, taken)| !**taken) {
        let name = event["eventType"].as_str().unwrap_or_default();
        let judged = name.starts_with("CHILD_") || name.starts_with("GEOFENCE_");
        if judged && !may.iter().any(|wanted| meets(event, wanted)) {
            faults.push(format!("unexpected: {event}"));
        }
    }
    let ids: Vec<u64> = events.iter().filter_map(|event| event["eventId"].as_u64()).collect();
    if ids.len() != events.len() || ids.windows(2).any(|pair| pair[0] >= pair[1]) {
        faults.push(format!("ids do not rise: {ids:?}"));
    }
    faults
}

/// Events that `telltale replay` prints.
pub fn replay(args: &[&str]) -> Vec<Value> {
    let mut all = vec!["replay", "--json"];
    all.extend_from_slice(args);
    let output = run(&all);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn drive(folder: &Path, name: &str, more: &[&str]) -> Vec<Value> {
    let file = |ending: &str| folder.join(format!("{name}.{ending}")).to_string_lossy().into_owned();
    let (profile, fences) = (folder.join("hyundai.toml"), folder.join("fences.geojson"));
    let (candump, nmea) = (file("candump"), file("nmea"));
    let mut args = vec!["--profile", profile.to_str().expect("a path"), "--fences", fences.to_str().expect("a path")];
    args.extend(["--candump", &candump, "--nmea", &nmea]);
    args.extend_from_slice(more);
    replay(&args)
}

#[test]
fn every_drive_tells_what_it_must_and_nothing_else() {
    let Some(data) = shared_data() else { return };
    let folder = data.join("drives");
    let mut judged = 0;
    for entry in std::fs::read_dir(&folder).expect("the drives").flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let Some(name) = file.strip_suffix(".expect.json") else { continue };
        let expect: Value = serde_json::from_str(&std::fs::read_to_string(entry.path()).expect("a file")).expect("JSON");
        let faults = faults(&drive(&folder, name, &[]), &expect);
        assert!(faults.is_empty(), "{name}: {faults:#?}");
        judged += 1;
    }
    assert!(judged > 0, "no drive in {}", folder.display());
}

#[test]
fn a_replay_cut_anywhere_and_resumed_tells_the_same() {
    let Some(data) = shared_data() else { return };
    let folder = data.join("drives");
    let whole = drive(&folder, "child-left-sensor", &[]);
    let temporary = tempfile::tempdir().expect("a folder");
    let state = temporary.path().join("state.json");
    let state = state.to_str().expect("a path");
    let mut told = Vec::new();
    // Cuts where things happen, down to the frame: around starts, doors, locks and alerts, and in between.
    let cuts = [
        0.0, 5.1, 13.7, 18.6, 20.65, 47.3, 180.0, 301.0, 349.9, 353.7, 353.75, 361.2, 363.8, 370.0, 423.9, 424.0, 469.0, 574.4,
        580.0,
    ];
    for cut in cuts {
        let until = format!("{:.6}", 1_771_545_600.0 + cut);
        told.extend(drive(&folder, "child-left-sensor", &["--state", state, "--until", &until]));
    }
    told.extend(drive(&folder, "child-left-sensor", &["--state", state]));
    assert_eq!(told, whole);
}

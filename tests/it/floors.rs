//! The floors of the house: a module uses only what its row names (the table in `src/lib.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const FLOOR_1: &[&str] = &["clock", "metrics", "health", "geo", "vehicle", "event", "request", "feed"];

/// Each module and what it may use beside itself; `floor 1` stands for all of that floor.
const TABLE: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("metrics", &[]),
    ("health", &[]),
    ("geo", &[]),
    ("vehicle", &["clock", "geo"]),
    ("event", &["clock", "vehicle", "geo"]),
    ("request", &["event", "geo"]),
    ("feed", &["event", "request", "vehicle", "clock", "geo", "health"]),
    ("can", &["floor 1"]),
    ("gnss", &["floor 1"]),
    ("places", &["floor 1"]),
    ("diagnostics", &["floor 1", "can"]),
    ("detect", &["floor 1"]),
    ("journal", &["floor 1"]),
    ("http", &["floor 1"]),
    ("upstream", &["floor 1"]),
    ("sim", &["floor 1", "can", "diagnostics"]),
    ("config", &["floor 1", "can", "gnss", "places", "diagnostics", "detect", "journal", "http", "upstream", "sim"]),
    ("gateway", &["floor 1", "can", "gnss", "places", "diagnostics", "detect", "journal", "http", "upstream", "sim", "config"]),
];

fn may_use(module: &str) -> Option<BTreeSet<&'static str>> {
    let (_, row) = TABLE.iter().find(|(name, _)| *name == module)?;
    Some(row.iter().flat_map(|used| if *used == "floor 1" { FLOOR_1 } else { std::slice::from_ref(used) }).copied().collect())
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the source folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(path);
        }
    }
}

/// Every module of the crate that `text` names: after `crate::`, and each first word of `crate::{…}`.
fn used_modules(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0_i32;
            let mut word = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.extend([first_word(&std::mem::take(&mut word))]),
                    _ => {}
                }
                if c != ',' || depth != 0 {
                    word.push(c);
                }
            }
            found.insert(first_word(&word));
        } else {
            found.insert(first_word(rest));
        }
    }
    found.retain(|word| !word.is_empty());
    found
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

#[test]
fn a_module_uses_only_what_its_row_names() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let mut faults = BTreeMap::new();
    for file in files {
        let inside = file.strip_prefix(&source).expect("below src").to_string_lossy().into_owned();
        let module = inside.split('/').next().expect("a first part").trim_end_matches(".rs").to_owned();
        if ["lib", "main", "commands", "build"].contains(&module.as_str()) {
            continue;
        }
        let Some(allowed) = may_use(&module) else {
            faults.insert(inside, format!("`{module}` stands in no row of the table"));
            continue;
        };
        let text = fs::read_to_string(&file).expect("a source file");
        for used in used_modules(&text) {
            if used != module && !allowed.contains(used.as_str()) && TABLE.iter().any(|(name, _)| *name == used) {
                faults.insert(inside.clone(), format!("`{module}` may not use `{used}`"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_check_sees_what_it_should() {
    let text = "use crate::clock::Boot; use crate::{geo::{Fence, Point}, vehicle}; fn f() { crate::http::go() }";
    let seen: Vec<String> = used_modules(text).into_iter().collect();
    assert_eq!(seen, ["clock", "geo", "http", "vehicle"]);
    assert!(may_use("detect").is_some_and(|row| !row.contains("journal")));
}

#[test]
fn no_detector_reads_a_clock_waits_or_logs() {
    let mut files = Vec::new();
    rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/detect"), &mut files);
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        for word in ["tokio", "std::fs", "std::net", "SystemTime", "Instant", "rusqlite", "tracing", "println", "static mut"] {
            assert!(!text.contains(word), "{} mentions {word}", file.display());
        }
    }
}

#[test]
fn unsafe_code_is_in_one_file_at_most() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let with: Vec<_> = files.iter().filter(|file| fs::read_to_string(file).is_ok_and(|text| text.contains("unsafe "))).collect();
    assert!(with.len() <= 1, "{with:?}");
}

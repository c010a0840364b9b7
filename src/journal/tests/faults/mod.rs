//! What the journal promises while its disk does not work, and after. The faults are real: another process's lock, a
//! directory that goes, files that are wrecked, a quota that is reached; and, where the tests may mount one, a small file
//! system that fills up or becomes read-only.

mod absent;
mod hanging;
mod mounted;
mod quota;
mod wrecked;

use std::fs;
use std::os::unix::fs::FileExt;
use std::process::Command;

use super::*;
use crate::feed::{Device, Unavailable};
use crate::request::{Answer, Request};

fn device(id: &str) -> Device {
    let (name, member, paired) = ("phone".to_owned(), "anna".to_owned(), Wall::from_micros(THEN));
    Device { id: id.to_owned(), name, member, scopes: Vec::new(), paired, expires: None }
}

fn durable(event: &Stored) -> bool {
    let json: serde_json::Value = serde_json::from_str(&event.json).unwrap();
    json.get("durable").is_none()
}

fn committed(bench: &Bench, events: impl IntoIterator<Item = Event>) {
    bench.journal().commit(Step { events: events.into_iter().collect(), rows: vec![row("child", Some("alert"))] }, None);
}

fn aside(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("aside") && !name.ends_with("-wal")).collect()
}

/// A journal with `count` events in its file, and nothing in its log.
async fn filled(dir: &Path, count: u64) -> (u64, EventId) {
    let bench = Bench::open(settings(dir));
    let first = bench.id(1);
    bench.journal().add_device([1; 32], device("d")).await.unwrap();
    committed(&bench, (0..count).map(|at| event(first + at, Severity::Info)));
    bench.shown(first + count - 1).await;
    let reserved = bench.journal().reserved();
    bench.close();
    (first, reserved)
}

/// A `CHILD_LEFT_BEHIND` of about 16 kB.
fn big_left_behind(id: u64, first: u64) -> Event {
    let mut event = left_behind(id, first);
    if let Details::Child(child) = &mut event.details {
        child.by = Some("x".repeat(16_000));
    }
    event
}

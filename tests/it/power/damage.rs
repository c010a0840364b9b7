//! The disk does not give a page in the middle of the file any more, which only a replay meets.

use telltale::clock::Stamp;
use telltale::event::{Details, Diagnosis, Location, Severity};
use telltale::health::{Condition, Part};

use super::*;

/// A journal of 4,000 events and some state, which was closed; the ids of the first and the last.
async fn filled(dir: &Path) -> (EventId, EventId) {
    let (running, _) = open(dir, Settings::default(), now());
    let first = EventId(running.opened.last.0 + 1);
    let last = EventId(first.0 + 3_999);
    let rows = vec![Row { key: "child".to_owned(), value: Some(b"calm".to_vec()) }];
    running.opened.journal.commit(Step { events: (first.0..=last.0).map(note).collect(), rows }, None);
    running.shown(last).await;
    assert!(running.opened.journal.close(Duration::from_secs(300)));
    (first, last)
}

fn now() -> Wall {
    Wall::from_micros(Wall::build().micros() + 1_000_000)
}

fn note(id: u64) -> Event {
    let details = Details::Diagnosis(Diagnosis { source: "bus.body".to_owned(), ..Diagnosis::default() });
    let (stamp, location) = (Stamp { wall: now(), ..Stamp::default() }, Location::of(None));
    let (severity, event_type) = (Severity::Info, Some(EventType::GnssLost));
    Event { id: EventId(id), severity, stamp, vin: Drive::vin(), location, event_type, details, durable: true }
}

/// Reads on until the journal is as `condition` says.
async fn reads_until(running: &Running, from: EventId, condition: impl Fn(&Part) -> bool) {
    soon(async {
        while !condition(&running.health.parts()["journal"]) {
            let _ = running.after(from).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

fn set_aside(running: &Running) -> bool {
    !running.metrics.encode().contains("telltale_journal_set_aside_total 0")
}

fn is_degraded(part: &Part) -> bool {
    part.condition == Condition::Degraded && part.detail.contains("cannot be read")
}

#[tokio::test]
async fn a_page_that_the_disk_never_gives_again_is_told_and_holds_up_no_replay_for_ever() {
    let folder = folder();
    let dir = folder.path().canonicalize().unwrap().join("journal");
    let recording = vfs::record(&dir);
    let (first, last) = filled(&dir).await;
    let size = i64::try_from(std::fs::metadata(dir.join("journal.db")).unwrap().len()).unwrap();
    recording.damage(Some(size / 2..size / 2 + 4096));
    let (running, _) = open(&dir, Settings { retry_seconds: 2.0, ..Settings::default() }, now());
    assert_eq!(running.health.parts()["journal"].condition, Condition::Ok, "a start looks at what it needs");
    let new = EventId(running.opened.last.0 + 1);
    running.opened.journal.commit(Step { events: vec![note(new.0)], rows: Vec::new() }, None);
    running.shown(new).await;
    reads_until(&running, first, is_degraded).await;
    assert!(!set_aside(&running), "it may pass");
    reads_until(&running, first, |part| part.condition == Condition::Ok).await;
    assert!(set_aside(&running));
    let gap = running.opened.journal.pruned(&Drive::vin(), &everything()).unwrap();
    assert!(gap >= last, "who replays is told of the gap");
    assert_eq!(running.after(gap).await.unwrap().len(), 1);
    assert!(running.opened.journal.close(Duration::from_secs(300)));
    recording.damage(None);
    let (again, _) = open(&dir, Settings::default(), now());
    assert_eq!(again.opened.rows.len(), 1, "state is kept");
    assert_eq!(again.after(EventId(0)).await.unwrap()[0].id, new);
    again.opened.journal.close(Duration::from_secs(300));
    vfs::forget(&dir);
}

#[tokio::test]
async fn a_page_that_the_disk_gives_again_costs_nothing() {
    let folder = folder();
    let dir = folder.path().canonicalize().unwrap().join("journal");
    let recording = vfs::record(&dir);
    let (first, last) = filled(&dir).await;
    let size = i64::try_from(std::fs::metadata(dir.join("journal.db")).unwrap().len()).unwrap();
    recording.damage(Some(size / 2..size / 2 + 4096));
    let (running, _) = open(&dir, Settings { retry_seconds: 2.0, ..Settings::default() }, now());
    reads_until(&running, first, is_degraded).await;
    recording.damage(None);
    reads_until(&running, first, |part| part.condition == Condition::Ok).await;
    assert!(!set_aside(&running));
    let told = running.after(EventId(0)).await.unwrap();
    assert_eq!((told.len(), told[0].id, told[3_999].id), (4_000, first, last));
    running.opened.journal.close(Duration::from_secs(300));
    vfs::forget(&dir);
}

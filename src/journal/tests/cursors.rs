//! How far readers have come: it outlives what the journal outlives, and never goes back.

use super::*;

/// What is known of the reader `fleet`, as (kind, position).
fn positions(bench: &Bench) -> Vec<(Kind, u64)> {
    bench.journal().cursors("fleet").iter().map(|cursor| (cursor.kind, cursor.position.0)).collect()
}

async fn told(bench: &Bench, count: u64) -> u64 {
    let last = bench.id(count);
    bench.journal().commit(step((bench.id(1)..=last).map(|id| event(id, Severity::Info))), None);
    bench.shown(last).await;
    last
}

#[tokio::test]
async fn a_cursor_that_was_acknowledged_outlives_a_power_cut_and_never_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let last = told(&bench, 9).await;
    assert!(bench.journal().cursors("fleet").is_empty());
    let advance = |kind, to: u64| bench.journal().advance("fleet", kind, EventId(to), 0);
    advance(Kind::Diagnosis, last - 1).await.unwrap();
    advance(Kind::Diagnosis, last - 5).await.unwrap();
    advance(Kind::Trip, last + 1_000_000).await.unwrap();
    bench.journal().advance("other", Kind::Child, EventId(1), 0).await.unwrap();
    let there = [(Kind::Diagnosis, last - 1), (Kind::Trip, last)];
    assert_eq!(positions(&bench), there, "not back, and not beyond the head");
    bench.crash();
    let again = Bench::open(settings(dir.path()));
    assert_eq!(positions(&again), there);
    assert_eq!(again.journal().cursors("other").len(), 1);
}

#[tokio::test]
async fn readers_and_their_names_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let journal = bench.journal();
    for at in 0..32 {
        journal.advance(&format!("reader-{at}"), Kind::Child, EventId(1), 0).await.unwrap();
    }
    let one_more = journal.advance("reader-32", Kind::Child, EventId(1), 0).await.unwrap_err();
    assert!(one_more.to_string().contains("32 readers"), "{one_more}");
    journal.advance("reader-0", Kind::Trip, EventId(1), 0).await.unwrap();
    for name in ["", &"n".repeat(65)] {
        assert!(journal.advance(name, Kind::Child, EventId(1), 0).await.is_err());
    }
}

#[tokio::test]
async fn what_was_acknowledged_while_the_disk_was_away_is_written_when_it_is_back() {
    let parent = tempfile::tempdir().unwrap();
    let dir = movable(parent.path());
    let bench = Bench::open(settings(&dir));
    let last = told(&bench, 3).await;
    take_away(&dir);
    bench.journal().commit(step([event(last + 1, Severity::Info)]), None);
    bench.writable(false).await;
    let unsure = bench.journal().advance("fleet", Kind::Diagnosis, EventId(last), 0).await;
    assert!(unsure.is_err(), "not durable yet");
    assert_eq!(positions(&bench), [(Kind::Diagnosis, last)], "but so it is");
    bring_back(&dir);
    bench.writable(true).await;
    bench.saved().await;
    bench.crash();
    assert_eq!(positions(&Bench::open(settings(&dir))), [(Kind::Diagnosis, last)]);
}

#[tokio::test]
async fn cursors_are_carried_over_into_a_file_that_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let last = told(&bench, 3).await;
    bench.journal().advance("fleet", Kind::Diagnosis, EventId(last), 0).await.unwrap();
    std::fs::remove_file(dir.path().join("journal.db")).unwrap();
    std::fs::remove_file(dir.path().join("journal.db-wal")).unwrap();
    bench.journal().commit(step([event(last + 1, Severity::Info)]), None);
    bench.shown(last + 1).await;
    bench.saved().await;
    bench.crash();
    assert_eq!(positions(&Bench::open(settings(dir.path()))), [(Kind::Diagnosis, last)]);
}

#[tokio::test]
async fn cursors_are_salvaged_out_of_a_file_that_cannot_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let last = told(&bench, 3).await;
    bench.journal().advance("fleet", Kind::Diagnosis, EventId(last), 0).await.unwrap();
    bench.close();
    alter(dir.path(), "PRAGMA user_version = 99");
    let again = Bench::open(settings(dir.path()));
    assert_eq!(again.counters.set_aside.get(), 1);
    assert_eq!(positions(&again), [(Kind::Diagnosis, last)]);
    again.crash();
    assert_eq!(positions(&Bench::open(settings(dir.path()))), [(Kind::Diagnosis, last)]);
}

#[tokio::test]
async fn a_file_of_the_first_version_gets_its_cursors() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let last = told(&bench, 3).await;
    bench.close();
    alter(dir.path(), "DROP TABLE cursors; PRAGMA user_version = 1");
    let again = Bench::open(settings(dir.path()));
    assert_eq!((again.counters.set_aside.get(), again.all(0).await.len()), (0, 3));
    again.journal().advance("fleet", Kind::Diagnosis, EventId(last), 0).await.unwrap();
    again.crash();
    assert_eq!(positions(&Bench::open(settings(dir.path()))), [(Kind::Diagnosis, last)]);
}

#[tokio::test]
async fn a_file_of_the_first_version_that_cannot_be_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    told(&bench, 3).await;
    bench.close();
    alter(dir.path(), "DROP TABLE cursors; PRAGMA user_version = 1");
    let place = Place::new(dir.path());
    let loaded = store::load_read_only(&place, &vin()).unwrap();
    assert!(loaded.cursors.is_empty() && loaded.bound > EventId(0));
}

/// Changes the file while no journal has it.
fn alter(dir: &Path, sql: &str) {
    rusqlite::Connection::open(dir.join("journal.db")).unwrap().execute_batch(sql).unwrap();
}

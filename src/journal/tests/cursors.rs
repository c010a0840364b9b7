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
async fn who_came_least_far_makes_room_for_who_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let last = told(&bench, 40).await;
    let name = |at: u64| format!("upstream/{at}");
    for at in 0..32 {
        // The first is the furthest.
        bench.journal().advance(&name(at), Kind::Child, EventId(last - at), 0).await.unwrap();
        let row = Row { key: format!("door/{}/track", name(at)), value: Some(vec![1]) };
        bench.journal().keep(vec![row]).await.unwrap();
    }
    assert!(bench.journal().make_room(&[name(0), name(31)]).is_empty(), "there is room for those");
    let needed = ["upstream/new".to_owned(), name(31), "upstream/newer".to_owned()];
    assert_eq!(bench.journal().make_room(&needed), [name(30), name(29)]);
    bench.journal().advance("upstream/new", Kind::Child, EventId(1), 0).await.unwrap();
    bench.crash();
    let again = Bench::open(settings(dir.path()));
    let left = |at| (again.journal().cursors(&name(at)).len(), again.journal().kept(&format!("door/{}/", name(at))).len());
    assert_eq!([0, 28, 29, 30, 31].map(left), [(1, 1), (1, 1), (0, 0), (0, 0), (1, 1)]);
    again.journal().advance("upstream/newer", Kind::Child, EventId(1), 0).await.unwrap();
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

/// An event of 16 kB.
fn big(id: u64, severity: Severity) -> Event {
    let mut event = event(id, severity);
    if let Details::Diagnosis(diagnosis) = &mut event.details {
        diagnosis.source = "x".repeat(16_000);
    }
    event
}

/// What `reader` did not get of the events of `kind`, as the journal counts it.
fn forgotten(bench: &Bench, reader: &str, kind: Kind) -> u64 {
    let cursors = bench.journal().cursors(reader);
    cursors.iter().find(|cursor| cursor.kind == kind).map_or(0, |cursor| cursor.forgotten)
}

/// Two readers that have come to different places when a journal of 8 MiB runs over: what goes is counted for each that had
/// not come so far, the least severe goes first, and what is between members counts for neither.
#[tokio::test]
async fn what_goes_before_it_was_sent_is_counted_for_each_reader_and_the_least_severe_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let small = Settings { max_bytes: 16 << 20, ..settings(dir.path()) };
    let bench = Bench::open(small.clone());
    let first = bench.id(1);
    let (mut info, mut grave) = (Vec::new(), Vec::new());
    for at in 0..900 {
        let id = first + at;
        let told = match at % 4 {
            0 => big(id, Severity::Critical),
            1 => published(id, "anna", 16_000),
            _ => big(id, Severity::Info),
        };
        match at % 4 {
            0 => grave.push(id),
            1 => {}
            _ => info.push(id),
        }
        bench.journal().commit(step([told]), None);
        bench.shown(id).await;
        if at == 9 {
            for kind in [Kind::Diagnosis, Kind::Published, Kind::Trip] {
                bench.journal().advance("slow", kind, EventId(first), 0).await.unwrap();
                bench.journal().advance("quick", kind, EventId(id), 0).await.unwrap();
            }
        }
        if at == 200 {
            bench.journal().advance("quick", Kind::Diagnosis, EventId(id), 0).await.unwrap();
        }
    }
    assert!(*bench.opened.writable.borrow());
    let check = async |bench: &Bench| {
        let left = ids(&bench.all(0).await);
        let gone: Vec<_> = info.iter().filter(|id| !left.contains(id)).copied().collect();
        assert!(grave.iter().all(|id| left.contains(id)), "the least severe went first");
        assert_eq!(info[..gone.len()], gone, "and the oldest of those");
        assert!(gone.len() > 150, "{} went", gone.len());
        let above = |position: u64| gone.iter().filter(|id| **id > position).count() as u64;
        assert_ne!(above(first), above(first + 200));
        let counted = forgotten(bench, "slow", Kind::Diagnosis) == above(first)
            && forgotten(bench, "quick", Kind::Diagnosis) == above(first + 200);
        for reader in ["slow", "quick"] {
            assert_eq!((forgotten(bench, reader, Kind::Published), forgotten(bench, reader, Kind::Trip)), (0, 0));
        }
        counted.then(|| above(first))
    };
    // Retention may be at work meanwhile; it rests once there is nothing left to take.
    let settled = async |bench: &Bench| {
        until(async {
            loop {
                if let Some(count) = check(bench).await {
                    return count;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
    };
    bench.close();
    let again = Bench::open(small.clone());
    let count = settled(&again).await;
    let told = again.journal().advance("slow", Kind::Diagnosis, EventId(0), count + 99).await;
    told.unwrap();
    again.crash();
    let third = Bench::open(small);
    settled(&third).await;
    let slow = third.journal().cursors("slow");
    let diagnosis = slow.iter().find(|cursor| cursor.kind == Kind::Diagnosis).unwrap();
    assert_eq!(diagnosis.position, EventId(first));
    assert!((count..=diagnosis.forgotten).contains(&diagnosis.told), "no more can have been told than went: {diagnosis:?}");
}

#[tokio::test]
async fn what_memory_has_to_let_go_while_the_disk_is_away_is_counted_too() {
    let parent = tempfile::tempdir().unwrap();
    let dir = movable(parent.path());
    let bench = Bench::open(settings(&dir));
    let first = told(&bench, 3).await;
    bench.journal().advance("fleet", Kind::Diagnosis, EventId(first), 0).await.unwrap();
    take_away(&dir);
    bench.journal().commit(step((1..=1_500).map(|at| event(first + at, Severity::Info))), None);
    bench.writable(false).await;
    bench.shown(first + 1_500).await;
    bring_back(&dir);
    bench.writable(true).await;
    bench.saved().await;
    let left = bench.all(first).await.len() as u64;
    assert!(left < 1_500);
    assert_eq!((forgotten(&bench, "fleet", Kind::Diagnosis), bench.dropped("memory")), (1_500 - left, 1_500 - left));
    bench.crash();
    assert_eq!(forgotten(&Bench::open(settings(&dir)), "fleet", Kind::Diagnosis), 1_500 - left);
}

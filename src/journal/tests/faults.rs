//! What the journal promises while its disk does not work, and after. The faults are real: another process's lock, a
//! directory that goes, files that are wrecked, a quota that is reached; and, where the tests may mount one, a small file
//! system that fills up or becomes read-only.

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

#[tokio::test]
async fn a_disk_that_hangs_holds_up_no_alert_and_it_is_written_under_its_id_when_the_disk_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(Settings { stall_seconds: 0.3, ..settings(dir.path()) });
    let first = bench.id(1);
    let holder = Holder::of(dir.path());
    committed(&bench, [left_behind(first, first)]);
    bench.shown(first).await;
    bench.writable(false).await;
    assert!(bench.complaint().contains("has not answered for 0.3 s"), "{}", bench.complaint());
    committed(&bench, [left_behind(first + 1, first)]);
    assert_eq!(bench.head().0, first + 1, "told at once");
    let told = bench.all(0).await;
    assert!(told.iter().all(|event| !durable(event)));
    assert_eq!(ids(&bench.journal().active(&vin()).unwrap()), [first + 1]);

    let journal = bench.journal().clone();
    let request = Request::Safe { event: EventId(first), by: "anna".to_owned() };
    let answer = tokio::spawn(async move { journal.submit(&vin(), request).await });
    let asked = until(bench.opened.inbox.recv()).await.unwrap();
    let reply = asked.accept(Answer::Event(EventId(first + 2)));
    bench.journal().commit(step([cleared(first + 2, first)]), Some(reply));
    assert!(!durable(&until(answer).await.unwrap().unwrap().event.unwrap()), "answered at once");
    let paired = bench.journal().add_device([1; 32], device("d")).await;
    assert!(matches!(paired, Err(Unavailable::Journal(_))), "a phone is not paired for the moment only");

    holder.let_go();
    bench.writable(true).await;
    bench.saved().await;
    assert_eq!(bench.complaint(), "");
    let written = bench.all(0).await;
    assert_eq!(ids(&written), [first, first + 1, first + 2]);
    assert!(written.iter().all(|event| durable(event)));
    assert_eq!(written[0].ended, Some(EventId(first + 2)));
    bench.crash();
    let again = Bench::open(settings(dir.path()));
    assert_eq!(ids(&again.all(0).await), [first, first + 1, first + 2]);
    assert_eq!(again.opened.rows, [row("child", Some("alert"))]);
}

#[tokio::test]
async fn a_disk_that_hangs_at_the_start_is_gone_on_without_until_it_answers() {
    let dir = tempfile::tempdir().unwrap();
    let (old, _) = filled(dir.path(), 1).await;
    let lock = dir.path().join("lock");
    fs::remove_file(&lock).unwrap();
    // Who opens a pipe to write waits for somebody who reads.
    nix::unistd::mkfifo(&lock, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let later = Clock::scaled(Wall::from_micros(Wall::build().micros().max(THEN) + 3_600_000_000), 1.0);
    let bench = Bench::open_at(Settings { stall_seconds: 0.2, ..settings(dir.path()) }, later);
    assert!(bench.complaint().contains("did not open the journal within 1 s"), "{}", bench.complaint());
    let new = bench.id(1);
    committed(&bench, [event(new, Severity::Info)]);
    assert_eq!(bench.head().0, new);
    let answers = fs::OpenOptions::new().read(true).write(true).open(&lock).unwrap();
    bench.writable(true).await;
    bench.saved().await;
    assert_eq!(ids(&bench.all(0).await), [old, new]);
    drop(answers);
}

#[tokio::test]
async fn a_phone_is_paired_for_good_or_not_at_all_and_locked_out_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(Settings { stall_seconds: 0.3, ..settings(dir.path()) });
    bench.journal().add_device([1; 32], device("stays")).await.unwrap();
    bench.journal().add_device([2; 32], device("goes")).await.unwrap();
    let holder = Holder::of(dir.path());
    let paired = until(bench.journal().add_device([3; 32], device("comes"))).await;
    assert!(matches!(paired, Err(Unavailable::Journal(_))), "the disk did not take it in time");
    assert!(bench.journal().device(&[3; 32]).is_none());
    let revoked = until(bench.journal().revoke_device("goes")).await;
    assert!(revoked.unwrap_err().to_string().contains("locked out"));
    assert!(bench.journal().device(&[2; 32]).is_none());
    holder.let_go();
    bench.writable(true).await;
    bench.saved().await;
    bench.crash();
    let again = Bench::open(settings(dir.path()));
    assert_eq!(again.journal().devices().iter().map(|device| &*device.id).collect::<Vec<_>>(), ["stays"]);
}

#[tokio::test]
async fn more_than_256_steps_do_not_wait() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let first = bench.id(1);
    let holder = Holder::of(dir.path());
    for at in 0..256 {
        committed(&bench, [event(first + at, Severity::Info)]);
    }
    assert_eq!(bench.head().0, first - 1);
    committed(&bench, [event(first + 256, Severity::Info)]);
    assert_eq!(bench.head().0, first + 256);
    assert!(bench.complaint().contains("256 steps"));
    holder.let_go();
    bench.writable(true).await;
    bench.saved().await;
    assert_eq!(bench.all(0).await.len(), 257);
}

#[tokio::test]
async fn memory_holds_what_it_can_and_lets_the_least_severe_go_first() {
    let parent = tempfile::tempdir().unwrap();
    let dir = movable(parent.path());
    let bench = Bench::open(settings(&dir));
    take_away(&dir);
    let first = bench.id(1);
    committed(&bench, [left_behind(first, first)]);
    bench.writable(false).await;
    for at in 1..=1_100 {
        committed(&bench, [event(first + at, Severity::Info)]);
    }
    let held = bench.all(0).await;
    assert_eq!(held.len(), 1_024);
    assert_eq!((held[0].id.0, held[1].id.0), (first, first + 78), "the alert is still there");
    assert_eq!(bench.dropped("memory"), 77);
    bring_back(&dir);
    bench.writable(true).await;
    bench.saved().await;
    let pruned = |kind| bench.journal().pruned(&vin(), &Filter::of(&[kind])).unwrap().0;
    assert_eq!((pruned(Kind::Diagnosis), pruned(Kind::Geofence)), (first + 77, 0), "a client is told of the gap");
    bench.close();
    let again = Bench::open(settings(&dir));
    assert_eq!(ids(&again.all(0).await), ids(&held));
    let pruned = again.journal().pruned(&vin(), &Filter::of(&[Kind::Diagnosis])).unwrap().0;
    assert_eq!(pruned, first + 77);
}

#[tokio::test]
async fn a_directory_that_goes_and_comes_back_costs_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let dir = movable(parent.path());
    let bench = Bench::open(settings(&dir));
    let first = bench.id(1);
    committed(&bench, (0..2_000).map(|at| event(first + at, Severity::Info)));
    bench.shown(first + 1_999).await;
    take_away(&dir);
    committed(&bench, [event(first + 2_000, Severity::Warning)]);
    bench.shown(first + 2_000).await;
    bench.writable(false).await;
    let gap = bench.journal().pruned(&vin(), &Filter::of(&[Kind::Diagnosis])).unwrap();
    assert!(gap.0 >= first + 900, "what is out of reach for now is told as a gap");
    assert!(!bench.all(gap.0).await.is_empty());
    let middle = bench.journal().events_after(&vin(), EventId(first + 10), &Filter::of(&Kind::ALL), 10).await;
    assert!(matches!(middle, Err(Unavailable::Journal(_))), "who was not told of the gap is not led past it");
    assert_eq!(bench.page(0, &Filter::of(&Kind::ALL), 10).await.events.len(), 10, "the beginning is where there is something");
    bring_back(&dir);
    bench.writable(true).await;
    bench.saved().await;
    let expected: Vec<_> = (first..=first + 2_000).collect();
    assert_eq!(ids(&bench.all(0).await), expected);
    assert_eq!(bench.journal().pruned(&vin(), &Filter::of(&[Kind::Diagnosis])).unwrap().0, 0);
    bench.crash();
    assert_eq!(ids(&Bench::open(settings(&dir)).all(0).await), expected);
}

#[tokio::test]
async fn a_directory_that_was_deleted_is_made_again_with_all_that_memory_holds() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let first = bench.id(1);
    bench.journal().add_device([1; 32], device("d")).await.unwrap();
    committed(&bench, [left_behind(first, first)]);
    committed(&bench, (1..1_500).map(|at| event(first + at, Severity::Info)));
    bench.shown(first + 1_499).await;
    fs::remove_dir_all(dir.path()).unwrap();
    committed(&bench, [event(first + 1_500, Severity::Info)]);
    bench.shown(first + 1_500).await;
    bench.saved().await;
    let floor = bench.journal().core.state().ring.floor();
    bench.crash();
    let again = Bench::open(settings(dir.path()));
    assert_eq!(again.opened.rows, [row("child", Some("alert"))]);
    assert_eq!(again.journal().devices().len(), 1);
    assert_eq!(ids(&again.journal().active(&vin()).unwrap()), [first], "the alert that runs");
    let kept = ids(&again.all(floor.0).await);
    assert_eq!((kept.len(), kept[0], kept.last()), (1_024, floor.0 + 1, Some(&(first + 1_500))));
    assert_eq!(again.journal().pruned(&vin(), &Filter::of(&[Kind::Trip])).unwrap(), floor, "what was before is gone");
}

#[tokio::test]
async fn a_file_deleted_under_the_daemon_is_noticed_before_an_event_counts_as_durable() {
    for victim in ["journal.db", "journal.db-wal"] {
        let dir = tempfile::tempdir().unwrap();
        let bench = Bench::open(settings(dir.path()));
        let first = bench.id(1);
        committed(&bench, [event(first, Severity::Info)]);
        bench.shown(first).await;
        fs::remove_file(dir.path().join(victim)).unwrap();
        committed(&bench, [event(first + 1, Severity::Info)]);
        bench.shown(first + 1).await;
        bench.saved().await;
        bench.crash();
        let again = Bench::open(settings(dir.path()));
        assert_eq!(ids(&again.all(0).await).last(), Some(&(first + 1)), "without its {victim}");
    }
}

#[tokio::test]
async fn without_a_directory_it_tells_from_memory_and_writes_when_there_is_one() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("journal");
    fs::write(&dir, "in the way").unwrap();
    let bench = Bench::open(settings(&dir));
    assert!(!*bench.opened.writable.borrow());
    assert!(bench.complaint().contains("alerts are told from memory"), "{}", bench.complaint());
    let first = bench.id(1);
    committed(&bench, [left_behind(first, first)]);
    assert_eq!(bench.head().0, first);
    assert!(!durable(&bench.all(bench.opened.last.0).await[0]));
    fs::remove_file(&dir).unwrap();
    bench.writable(true).await;
    bench.saved().await;
    bench.crash();
    let again = Bench::open(settings(&dir));
    assert_eq!(ids(&again.all(0).await), [first]);
    assert_eq!(again.opened.rows, [row("child", Some("alert"))]);
    assert!(again.opened.last.0 > first);
}

#[tokio::test]
async fn a_journal_that_comes_late_is_gone_on_with() {
    let parent = tempfile::tempdir().unwrap();
    let dir = movable(parent.path());
    let bench = Bench::open(settings(&dir));
    let old = bench.id(1);
    bench.journal().add_device([1; 32], device("d")).await.unwrap();
    let rows = vec![row("child", Some("before")), row("trip", Some("before"))];
    bench.journal().commit(Step { events: vec![left_behind(old, old)], rows }, None);
    bench.shown(old).await;
    bench.crash();
    take_away(&dir);
    let later = Clock::scaled(Wall::from_micros(Wall::build().micros().max(THEN) + 3_600_000_000), 1.0);
    let bench = Bench::open_at(settings(&dir), later);
    let new = bench.id(1);
    assert!(new > old && bench.opened.rows.is_empty());
    committed(&bench, [event(new, Severity::Info)]);
    bring_back(&dir);
    bench.writable(true).await;
    bench.saved().await;
    assert_eq!(ids(&bench.all(0).await), [old, new], "what was before is there again");
    assert_eq!(bench.journal().devices().len(), 1);
    assert!(bench.journal().active(&vin()).unwrap().is_empty(), "the engine knows of no alert");
    bench.crash();
    let again = Bench::open(settings(&dir));
    assert_eq!(again.opened.rows, [row("child", Some("alert"))], "the engine that ran goes on, not the one before");
    assert!(again.journal().active(&vin()).unwrap().is_empty());
    assert!(aside(&dir).is_empty());
}

#[tokio::test]
async fn a_late_journal_whose_ids_go_further_is_set_aside_and_its_phones_stay_paired() {
    let parent = tempfile::tempdir().unwrap();
    let dir = movable(parent.path());
    let tomorrow = Clock::scaled(Wall::from_micros(Wall::build().micros() + 86_400_000_000), 1.0);
    let bench = Bench::open_at(settings(&dir), tomorrow);
    let old = bench.id(1);
    bench.journal().add_device([1; 32], device("d")).await.unwrap();
    committed(&bench, [event(old, Severity::Info)]);
    bench.shown(old).await;
    bench.crash();
    take_away(&dir);
    let earlier = Clock::scaled(Wall::from_micros(Wall::build().micros() + 1), 1.0);
    let bench = Bench::open_at(settings(&dir), earlier);
    let new = bench.id(1);
    assert!(new < old);
    committed(&bench, [event(new, Severity::Info)]);
    bring_back(&dir);
    bench.writable(true).await;
    bench.saved().await;
    assert_eq!(ids(&bench.all(0).await), [new], "nobody is flooded with what was before");
    assert_eq!((aside(&dir).len(), bench.counters.set_aside.get()), (1, 1));
    assert_eq!(bench.journal().devices().len(), 1);
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

#[tokio::test]
async fn a_wrecked_file_is_kept_aside_and_a_new_one_begun_beyond_all_that_was_told() {
    let garbage = vec![0xA5; 300_000];
    type Wreck = fn(&fs::File, &[u8]);
    let wrecks: [(&str, Wreck); 4] = [
        ("garbage all over", |file, garbage| file.write_all_at(garbage, 0).unwrap()),
        ("its header gone", |file, garbage| file.write_all_at(&garbage[..100], 0).unwrap()),
        ("its schema gone", |file, garbage| file.write_all_at(&garbage[..3_900], 100).unwrap()),
        ("cut short", |file, _| file.set_len(5_000).unwrap()),
    ];
    for (what, wreck) in wrecks {
        let dir = tempfile::tempdir().unwrap();
        let (first, reserved) = filled(dir.path(), 500).await;
        let file = fs::OpenOptions::new().write(true).open(dir.path().join("journal.db")).unwrap();
        wreck(&file, &garbage);
        let bench = Bench::open(settings(dir.path()));
        assert!(*bench.opened.writable.borrow(), "{what}");
        assert!(bench.opened.last >= reserved, "{what}: ids go on");
        assert_eq!((aside(dir.path()).len(), bench.counters.set_aside.get()), (1, 1), "{what}");
        let gap = bench.journal().pruned(&vin(), &Filter::of(&[Kind::Diagnosis])).unwrap();
        assert!(gap.0 > first, "{what}: who was told something of before is told of the gap");
        let next = bench.id(1);
        committed(&bench, [event(next, Severity::Info)]);
        bench.shown(next).await;
        bench.crash();
        assert_eq!(ids(&Bench::open(settings(dir.path())).all(0).await), [next], "{what}");
    }
}

#[tokio::test]
async fn a_wrecked_page_is_found_when_it_is_read_and_nothing_that_memory_holds_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = filled(dir.path(), 5_000).await;
    let db = dir.path().join("journal.db");
    let file = fs::OpenOptions::new().write(true).open(&db).unwrap();
    let middle = file.metadata().unwrap().len() / 2 / 4096 * 4096;
    file.write_all_at(&[0xA5; 4096 * 20], middle).unwrap();
    let bench = Bench::open(settings(dir.path()));
    assert_eq!(bench.counters.set_aside.get(), 0, "a start is quick");
    let new = bench.id(1);
    committed(&bench, [event(new, Severity::Info)]);
    bench.shown(new).await;
    let all = Filter::of(&Kind::ALL);
    let mut at = EventId(first);
    while let Ok(page) = bench.journal().events_after(&vin(), at, &all, 1_000).await {
        assert!(page.next < bench.head(), "a wrecked page was read");
        at = page.next;
    }
    until(async {
        while bench.counters.set_aside.get() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    bench.writable(true).await;
    bench.saved().await;
    assert_eq!(ids(&bench.all(bench.opened.last.0).await), [new]);
    bench.crash();
    let again = Bench::open(settings(dir.path()));
    assert_eq!(again.opened.rows, [row("child", Some("alert"))]);
    assert_eq!(again.journal().devices().len(), 1);
    assert_eq!(ids(&again.all(0).await), [new]);
}

#[tokio::test]
async fn garbage_after_the_end_of_the_log_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let first = bench.id(1);
    committed(&bench, [event(first, Severity::Info)]);
    bench.shown(first).await;
    bench.crash();
    let log = fs::OpenOptions::new().append(true).open(dir.path().join("journal.db-wal")).unwrap();
    std::io::Write::write_all(&mut &log, &[0xA5; 10_000]).unwrap();
    let again = Bench::open(settings(dir.path()));
    assert_eq!(ids(&again.all(0).await), [first]);
    assert_eq!(again.counters.set_aside.get(), 0);
}

#[tokio::test]
async fn a_unit_that_came_out_of_another_car_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (_, reserved) = filled(dir.path(), 5).await;
    let counters = Counters::register(&Metrics::default());
    let other = Vin::try_from("OTHERCAR".to_owned()).unwrap();
    let clock = Clock::scaled(Wall::build(), 1.0);
    let opened = Journal::open(settings(dir.path()), other, clock, Health::default(), counters.clone()).unwrap();
    assert!(opened.rows.is_empty() && opened.journal.devices().is_empty());
    assert!(opened.last >= reserved, "ids rise over that too");
    assert_eq!(counters.set_aside.get(), 1);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_kept_and_what_can_be_read_of_it_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 5).await;
    let conn = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    conn.execute_batch("PRAGMA user_version = 999; ALTER TABLE track RENAME TO path").unwrap();
    drop(conn);
    let bench = Bench::open(settings(dir.path()));
    assert_eq!(bench.opened.rows, [row("child", Some("alert"))]);
    assert_eq!(bench.journal().devices().len(), 1);
    assert_eq!(aside(dir.path()).len(), 1);
    bench.saved().await;
    bench.crash();
    assert_eq!(Bench::open(settings(dir.path())).journal().devices().len(), 1);
}

#[tokio::test]
async fn two_daemons_do_not_write_one_journal() {
    let dir = tempfile::tempdir().unwrap();
    let one = Bench::open(settings(dir.path()));
    let told = one.id(1);
    let two = Bench::open(settings(dir.path()));
    assert!(two.complaint().contains("another process holds the journal"), "{}", two.complaint());
    assert!(two.opened.last >= one.journal().reserved(), "nor tell the same ids");
    committed(&one, [event(told, Severity::Info)]);
    one.shown(told).await;
    one.close();
    two.writable(true).await;
    assert_eq!(ids(&two.all(0).await), [told]);
}

/// A `CHILD_LEFT_BEHIND` of about 16 kB.
fn big_left_behind(id: u64, first: u64) -> Event {
    let mut event = left_behind(id, first);
    if let Details::Child(child) = &mut event.details {
        child.by = Some("x".repeat(16_000));
    }
    event
}

fn small(dir: &Path) -> Settings {
    Settings { max_bytes: 16 << 20, ..settings(dir) }
}

#[tokio::test]
async fn at_its_quota_with_nothing_to_spare_it_tells_from_memory_and_goes_on_once_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(small(dir.path()));
    let first = bench.id(1);
    let mut id = first;
    while *bench.opened.writable.borrow() {
        assert!(id < first + 1_000, "8 MiB hold that much?");
        bench.journal().commit(step([big_left_behind(id, first)]), None);
        bench.shown(id).await;
        id += 1;
    }
    assert!(bench.complaint().contains("journal.max_bytes"), "{}", bench.complaint());
    let size = fs::metadata(dir.path().join("journal.db")).unwrap().len();
    assert!(size <= small(dir.path()).quota());
    assert_eq!(ids(&bench.all(0).await), (first..id).collect::<Vec<_>>(), "an active alert is never pruned");
    bench.journal().settle_alerts(&[]);
    bench.journal().commit(step([event(id, Severity::Critical)]), None);
    assert_eq!(bench.head().0, id);
    bench.close();
    let bench = Bench::open(small(dir.path()));
    let left = ids(&bench.all(0).await);
    assert!(left.len() as u64 > (id - first) * 3 / 4, "no more went than had to: {} of {}", left.len(), id - first);
    assert_eq!(left.last(), Some(&id));
}

#[tokio::test]
async fn published_events_give_way_to_one_another_and_never_an_alert_for_their_sake() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(small(dir.path()));
    let first = bench.id(1);
    committed(&bench, (first..first + 5_000).map(|id| event(id, Severity::Info)));
    for id in first + 5_000..first + 6_000 {
        committed(&bench, [published(id, if id % 2 == 0 { "anna" } else { "ben" }, 16_000)]);
        bench.shown(id).await;
    }
    assert!(*bench.opened.writable.borrow());
    bench.close();
    let bench = Bench::open(small(dir.path()));
    until(async {
        while !(1..7 << 20).contains(&bench.counters.file_bytes.get()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let own = bench.all(0).await.iter().filter(|event| event.kind == Kind::Diagnosis).count();
    assert_eq!(own, 5_000);
    let pruned = |filter: &Filter| bench.journal().pruned(&vin(), filter).unwrap().0;
    assert_eq!(pruned(&Filter::of(&[Kind::Diagnosis, Kind::Published])), 0, "nobody else has a gap");
    let (annas, bens) = (pruned(&shown_to(Some("anna"))), pruned(&shown_to(Some("ben"))));
    assert!(annas > first && bens > first && annas != bens);
    let left = bench.all(0).await;
    let oldest = left.iter().find(|event| event.kind == Kind::Published).unwrap().id.0;
    assert!(oldest > annas && oldest <= annas + 2, "the oldest went first");
}

#[tokio::test]
async fn the_least_severe_goes_first_and_the_oldest_of_those() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(small(dir.path()));
    let first = bench.id(1);
    let big = |id: u64, severity| Event { severity, ..big_left_behind(id, id) };
    let mut critical = Vec::new();
    for at in 0..900 {
        let severity = if at % 4 == 0 { Severity::Critical } else { Severity::Info };
        let id = first + 2 * at;
        critical.extend((at % 4 == 0).then_some(id));
        bench.journal().commit(step([big(id, severity), cleared(id + 1, id)]), None);
        bench.shown(id + 1).await;
    }
    assert!(*bench.opened.writable.borrow());
    let left = bench.all(0).await;
    let left_critical: Vec<_> = left.iter().filter(|event| event.severity == Severity::Critical).collect();
    assert_eq!(left_critical.len(), critical.len());
    assert!(left_critical.iter().all(|event| event.ended == Some(EventId(event.id.0 + 1))), "they still know their end");
    let infos: Vec<_> = left.iter().filter(|event| event.severity == Severity::Info).map(|event| event.id.0).collect();
    assert!(infos.len() < 1_300 && infos.first().unwrap() > &(first + 400), "{} from {:?}", infos.len(), infos.first());
    assert!(bench.counters.pruned.get() > 0);
}

#[tokio::test]
async fn what_is_too_old_goes_but_not_while_nobody_knows_the_time_nor_while_its_alert_runs() {
    let dir = tempfile::tempdir().unwrap();
    let start = Wall::build().micros() + 1_000_000;
    let day = 86_400_000_000;
    let at = |days: i64| Clock::scaled(Wall::from_micros(start + days * day), 1.0);
    let bench = Bench::open_at(settings(dir.path()), at(0));
    let first = bench.id(1);
    let aged = |mut event: Event| {
        event.stamp.wall = Wall::from_micros(start);
        event
    };
    let mut events: Vec<_> = (first..first + 600).map(|id| aged(event(id, Severity::Critical))).collect();
    events.push(aged(left_behind(first + 600, first + 600)));
    committed(&bench, events);
    bench.shown(first + 600).await;
    bench.close();
    let unset = Bench::open_at(settings(dir.path()), Clock::scaled(Wall::from_micros(0), 1.0));
    let new = unset.id(1);
    committed(&unset, [event(new, Severity::Info)]);
    unset.shown(new).await;
    unset.close();
    let bench = Bench::open_at(settings(dir.path()), at(91));
    until(async {
        while bench.counters.pruned.get() < 601 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(ids(&bench.all(0).await), [first + 600], "the alert that runs");
    bench.crash();
    let again = Bench::open_at(settings(dir.path()), at(91));
    assert_eq!(again.journal().pruned(&vin(), &Filter::of(&[Kind::Diagnosis])).unwrap().0, new);
}

/// A small file system of our own; none where the tests may not mount.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(size: &str) -> Option<Mount> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "none"], dir.path());
        if !mounted {
            println!("passed over: these tests may not mount a file system");
        }
        mounted.then(|| Mount(dir))
    }

    fn remount(&self, how: &str) {
        assert!(mount(&["-o", &format!("remount,{how}")], self.0.path()));
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn mount(arguments: &[&str], dir: &Path) -> bool {
    let mount = Command::new("mount").args(arguments).arg(dir).output();
    mount.is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_full_disk_is_given_the_ballast_then_told_of_and_recovers_with_room() {
    let Some(disk) = Mount::new("16m") else { return };
    let dir = disk.0.path().join("journal");
    let bench = Bench::open(settings(&dir));
    let first = bench.id(1);
    until(async {
        while fs::metadata(dir.join("ballast")).map_or(0, |file| file.len()) < 2 << 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let hog = disk.0.path().join("hog");
    let _ = fs::write(&hog, vec![1; 16 << 20]);
    let mut id = first;
    while *bench.opened.writable.borrow() {
        assert!(id < first + 2_000);
        bench.journal().commit(step([big_left_behind(id, first)]), None);
        bench.shown(id).await;
        id += 1;
    }
    assert!(bench.complaint().contains("free some space"), "{}", bench.complaint());
    assert!(!dir.join("ballast").exists(), "it went first");
    assert!(id - first > 60, "and held {} events", id - first);
    assert_eq!(ids(&bench.all(0).await), (first..id).collect::<Vec<_>>());
    fs::remove_file(hog).unwrap();
    bench.writable(true).await;
    bench.saved().await;
    bench.crash();
    assert_eq!(ids(&Bench::open(settings(&dir)).all(0).await), (first..id).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_disk_that_becomes_read_only_is_still_read_and_written_again_when_it_can_be() {
    let Some(disk) = Mount::new("32m") else { return };
    let dir = disk.0.path().join("journal");
    let bench = Bench::open(settings(&dir));
    let first = bench.id(1);
    committed(&bench, (0..2_000).map(|at| event(first + at, Severity::Info)));
    bench.shown(first + 1_999).await;
    bench.crash();
    disk.remount("ro");
    let clock = Clock::scaled(Wall::build().max(Wall::from_micros(THEN)), 1.0);
    let bench = Bench::open_at(settings(&dir), clock.clone());
    assert!(!*bench.opened.writable.borrow());
    assert!(bench.complaint().contains("mount it writable"), "{}", bench.complaint());
    assert_eq!(bench.opened.rows, [row("child", Some("alert"))]);
    assert_eq!(bench.all(0).await.len(), 2_000, "what was is still told");
    let next = bench.id(1);
    committed(&bench, [event(next, Severity::Info)]);
    assert_eq!(bench.head().0, next);
    let again = Bench::open_at(settings(&dir), clock);
    assert!(again.opened.last.0 > next, "not even a second start without a disk tells an id twice");
    drop(again);
    disk.remount("rw");
    bench.writable(true).await;
    bench.saved().await;
    assert_eq!(bench.all(0).await.len(), 2_001);
}

//! A disk that takes its time, or is held by somebody else: what waits, what does not, what memory holds meanwhile.

use super::*;

/// Asks again as long as the disk does not take it in time: a slow one is soon taken for one that hangs here.
async fn in_the_end<T, F: Future<Output = Result<T, Unavailable>>>(ask: impl Fn() -> F) {
    until(async { while ask().await.is_err() {} }).await;
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
    let kept = bench.journal().keep(vec![row("door/a", Some("later"))]).await;
    assert!(matches!(kept, Err(Unavailable::Journal(_))), "it is not durable yet");
    assert_eq!(bench.journal().kept("door/").len(), 1, "it is kept meanwhile");

    holder.let_go();
    until(async {
        // A disk that is busy is late once more, perhaps.
        while bench.complaint() != "" {
            bench.writable(true).await;
            bench.saved().await;
        }
    })
    .await;
    let written = bench.all(0).await;
    assert_eq!(ids(&written), [first, first + 1, first + 2]);
    assert!(written.iter().all(|event| durable(event)));
    assert_eq!(written[0].ended, Some(EventId(first + 2)));
    bench.crash();
    let again = Bench::open(settings(dir.path()));
    assert_eq!(ids(&again.all(0).await), [first, first + 1, first + 2]);
    assert_eq!(again.opened.rows, [row("child", Some("alert"))]);
    assert_eq!(again.journal().kept("door/").len(), 1);
}

#[tokio::test]
async fn what_comes_and_goes_at_a_door_while_the_disk_hangs_fills_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(Settings { stall_seconds: 0.1, ..settings(dir.path()) });
    let holder = Holder::of(dir.path());
    let first = bench.id(1);
    committed(&bench, [left_behind(first, first)]);
    bench.writable(false).await;
    // Never more than 16 at once; but what was taken away has to be told to the file as well.
    let mut refused = 0;
    for at in 0..400 {
        let batch = |value| (0..16).map(|n| row(&format!("door/{at}/{n}"), value)).collect();
        let kept = bench.journal().keep(batch(Some("x"))).await;
        refused += usize::from(matches!(kept, Err(Unavailable::Journal(why)) if why.contains("that is the most")));
        drop(bench.journal().keep(batch(None)).await);
    }
    // The engine's own row waits as well.
    assert_eq!(refused, 400 - (5_120 - 1) / 16);
    assert_eq!(bench.journal().kept("door/").len(), 0);
    holder.let_go();
    bench.writable(true).await;
    bench.saved().await;
    in_the_end(|| bench.journal().keep(vec![row("door/a", Some("x"))])).await;
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
    for (token, id) in [([1; 32], "stays"), ([2; 32], "goes")] {
        in_the_end(|| bench.journal().add_device(token, device(id))).await;
    }
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
async fn a_phone_that_waits_no_longer_is_not_paired_behind_its_back() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let holder = Holder::of(dir.path());
    let paired = bench.journal().add_device([1; 32], device("ghost"));
    assert!(tokio::time::timeout(std::time::Duration::ZERO, paired).await.is_err(), "the disk is held");
    holder.let_go();
    bench.journal().add_device([2; 32], device("stays")).await.unwrap();
    bench.saved().await;
    assert_eq!(bench.journal().devices().iter().map(|device| &*device.id).collect::<Vec<_>>(), ["stays"]);
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

#[tokio::test]
async fn what_was_told_from_memory_is_lost_with_the_power_but_its_id_is_not_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(Settings { stall_seconds: 0.02, ..settings(dir.path()) });
    let (written, told) = (bench.id(1), bench.id(2));
    committed(&bench, [event(written, Severity::Info)]);
    bench.saved().await;
    let holder = Holder::of(dir.path());
    bench.journal().commit(step([left_behind(told, told)]), None);
    bench.shown(told).await;
    assert!(!durable(&bench.all(written).await[0]));
    let copy = tempfile::tempdir().unwrap();
    for name in ["journal.db", "journal.db-wal", "bound"] {
        fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    }
    let again = Bench::open(settings(copy.path()));
    assert!(again.opened.last.0 > told);
    assert_eq!(ids(&again.all(0).await), [written]);
    assert!(again.journal().active(&vin()).unwrap().is_empty(), "state and events are of one moment");
    assert_eq!(again.opened.rows, [row("child", Some("alert"))], "the state that was last written");
    assert_eq!(again.journal().pruned(&vin(), &Filter::of(&[Kind::Child])).unwrap().0, 0, "nobody can know of it");
    holder.let_go();
}

//! The journal's disk fails under a running daemon: alerts are told all the same, marked, and written when it is back.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::phone::{GENEROUS, Phone, history, request, until};
use crate::unit::{Daemon, telltale};

const SPEED: [&str; 2] = ["--speed", "8"];

/// Waits, with `worsen` between one thing told and the next, until events come that no disk holds; then `heal`s. The events
/// told meanwhile.
fn breaks_and_heals(daemon: &Daemon, phone: &mut Phone, mut worsen: impl FnMut(), heal: impl FnOnce()) -> Vec<Value> {
    let before = phone.told.len();
    let begun = std::time::Instant::now();
    // Two of them, of which the alarm about the journal is one.
    let enough = |told: &[Value]| {
        let undurable: Vec<_> = told.iter().filter(|event| event["durable"] == false).collect();
        undurable.len() > 1 && undurable.iter().any(|event| event["eventType"] == "JOURNAL_DEGRADED")
    };
    while !enough(&phone.told[before..]) {
        assert!(begun.elapsed() < GENEROUS, "nothing is told without a disk: {:#?}", phone.summary());
        worsen();
        assert!(phone.next().is_some(), "the daemon goes on");
    }
    let sentence = daemon.until_part("journal", "degraded");
    assert!(sentence.contains(' '), "{sentence}");
    let told = phone.told[before..].to_vec();
    heal();
    daemon.until_part("journal", "ok");
    if !phone.told[before..].iter().any(|event| event["eventType"] == "JOURNAL_RECOVERED") {
        phone.until("the recovery", |event| event["eventType"] == "JOURNAL_RECOVERED");
    }
    phone.agrees_with_history(daemon);
    let marked = history(daemon).into_iter().filter(|event| event["durable"] == false).count();
    assert_eq!(marked, 0, "what is written has no mark");
    told
}

/// After a kill everything that was told in memory is still there.
fn outlives_a_kill(daemon: Daemon, phone: &mut Phone, data: &Path) {
    daemon.kill();
    phone.drain();
    let daemon = Daemon::demo(data, &SPEED);
    phone.connect(&daemon);
    phone.until("an event", |_| true);
    phone.agrees_with_history(&daemon);
}

#[test]
fn a_process_that_may_not_write_tells_alerts_and_writes_them_later() {
    let data = tempfile::tempdir().unwrap();
    // A limit on file size kills a process unless the signal is ignored, which is inherited.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(telltale().get_program());
    let daemon = Daemon::demo_by(command, data.path(), &SPEED);
    let mut phone = Phone::default();
    phone.connect(&daemon);
    phone.until("a trip", |event| event["eventType"] == "TRIP_START");
    let pid = daemon.pid().to_string();
    let limit = |bytes: &str| {
        let done = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")]).status();
        assert!(done.expect("prlimit of util-linux").success());
    };
    let told = breaks_and_heals(&daemon, &mut phone, || limit("0"), || limit("unlimited"));
    assert!(told.len() > 1);
    outlives_a_kill(daemon, &mut phone, data.path());
}

#[test]
fn a_full_disk_tells_alerts_and_writes_them_when_there_is_room() {
    let data = tempfile::tempdir().unwrap();
    let disk = data.path().join("journal");
    std::fs::create_dir(&disk).unwrap();
    let mount =
        |args: &[&str]| Command::new(args[0]).args(&args[1..]).arg(&disk).output().is_ok_and(|done| done.status.success());
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs"]) {
        println!("passed over: nothing can be mounted here");
        return;
    }
    let daemon = Daemon::demo(data.path(), &SPEED);
    let mut phone = Phone::default();
    phone.connect(&daemon);
    phone.until("a trip", |event| event["eventType"] == "TRIP_START");
    let filler = disk.join("filler");
    let fill = || {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&filler).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    };
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        breaks_and_heals(&daemon, &mut phone, fill, || std::fs::remove_file(&filler).unwrap());
        outlives_a_kill(daemon, &mut phone, data.path());
    }));
    // A lazy one: the last daemon may not be quite gone.
    assert!(mount(&["umount", "-l"]));
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed);
    }
}

#[test]
fn a_journal_taken_away_is_made_anew_with_what_memory_holds() {
    let data = tempfile::tempdir().unwrap();
    let daemon = Daemon::demo(data.path(), &SPEED);
    let mut phone = Phone::default();
    phone.connect(&daemon);
    phone.until("a trip", |event| event["eventType"] == "TRIP_START");
    std::fs::remove_dir_all(data.path().join("journal")).unwrap();
    phone.until("an alert", |event| event["eventType"] == "CHILD_LEFT_BEHIND");
    let file = data.path().join("journal/journal.db");
    until("a new journal", || file.exists().then_some(()));
    daemon.until_part("journal", "ok");
    phone.agrees_with_history(&daemon);
    outlives_a_kill(daemon, &mut phone, data.path());
}

#[test]
fn without_a_journal_the_daemon_starts_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (config, journal) = (folder.path().join("telltale.toml"), folder.path().join("journal"));
    let text = "[vehicle]\nvin = \"X\"\n[[gnss]]\ndevice = \"/dev/no-receiver\"\n[journal]\ndir = \"journal\"\n[http]\nlisten = \"127.0.0.1:0\"\n";
    std::fs::write(&config, text).unwrap();
    // Something that nobody can write to stands where the journal wants a file of its own.
    std::fs::create_dir_all(journal.join("lock")).unwrap();
    let daemon = Daemon::site(&config, folder.path(), Some("none yet"));
    let sentence = daemon.until_part("journal", "degraded");
    assert!(sentence.contains("lock") || sentence.contains("disk"), "{sentence}");
    assert_eq!(request(&daemon.address, "GET", "/readyz", &[], b"").status, 503);
    std::fs::remove_dir(journal.join("lock")).unwrap();
    daemon.until_part("journal", "ok");
}

#[test]
fn nobody_sees_a_fence_that_a_power_cut_would_still_undo() {
    let data = tempfile::tempdir().unwrap();
    let daemon = Daemon::demo(data.path(), &[]);
    let fence = json!({ "type": "Feature", "geometry": { "type": "Point", "coordinates": [127.05, 37.54] },
        "properties": { "type": "Circle", "radius": 80, "radius_units": "m" } });
    let path = "/api/v1/geofences/grandma";
    // Whoever looks at the file with a tool and holds it.
    let holder = rusqlite::Connection::open(data.path().join("journal/journal.db")).unwrap();
    holder.busy_timeout(GENEROUS).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|threads| {
        let drawn = threads.spawn(|| daemon.send("PUT", path, &fence).status);
        for _ in 0..100 {
            let seen = daemon.get(path).status;
            // Once the disk counts as out of order everything is told from memory.
            let durable = daemon.get("/readyz").status == 200;
            assert!(seen == 404 || !durable, "it is shown, and nothing has it");
        }
        holder.execute_batch("ROLLBACK").unwrap();
        match drawn.join().unwrap() {
            // By the clock of a machine that was away for so long, nobody answered for five seconds.
            503 => {}
            status => assert_eq!((status, daemon.get(path).status), (201, 200), "whoever has the answer sees it"),
        }
    });
}

#[test]
fn fences_drawn_before_and_during_a_start_without_a_disk_are_all_there_once_it_comes() {
    let data = tempfile::tempdir().unwrap();
    let fence = json!({ "type": "Feature", "geometry": { "type": "Point", "coordinates": [127.05, 37.54] },
        "properties": { "type": "Circle", "radius": 80, "radius_units": "m" } });
    let [before, during] = ["/api/v1/geofences/before", "/api/v1/geofences/during"];
    let daemon = Daemon::demo(data.path(), &[]);
    assert_eq!(daemon.send("PUT", before, &fence).status, 201);
    daemon.kill();
    let (journal, elsewhere) = (data.path().join("journal"), data.path().join("elsewhere"));
    std::fs::rename(&journal, &elsewhere).unwrap();
    std::fs::write(&journal, "no directory").unwrap();
    let daemon = Daemon::demo(data.path(), &[]);
    daemon.until_part("journal", "degraded");
    assert_eq!(daemon.get(before).status, 404, "nobody can know it");
    assert_eq!(daemon.send("PUT", during, &fence).status, 201);
    std::os::unix::fs::symlink(&elsewhere, data.path().join("link")).unwrap();
    std::fs::rename(data.path().join("link"), &journal).unwrap();
    daemon.until_part("journal", "ok");
    until("the fence that was drawn before", || (daemon.get(before).status == 200).then_some(()));
    daemon.kill();
    let daemon = Daemon::demo(data.path(), &[]);
    assert_eq!((daemon.get(before).status, daemon.get(during).status), (200, 200));
}

//! `kill -9` of a process that writes, at moments that nobody chose.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

/// Where the child writes.
const DIR: &str = "TELLTALE_TEST_JOURNAL";

/// The child: writes steps of two events and a row, and says what is shown as soon as it is, and how far a reader has come
/// as soon as that is durable. Does nothing in a test run.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bench = Bench::open_at(settings(Path::new(&dir)), Clock::system());
        let mut head = bench.journal().head(&vin()).unwrap();
        println!("begin {}", bench.opened.last);
        for at in 0.. {
            let id = bench.id(2 * at + 2);
            let rows = vec![row("latest", Some(&id.to_string())), row("other", Some(&"x".repeat(3_000)))];
            let events = vec![event(id - 1, Severity::Info), left_behind(id, id)];
            bench.journal().commit(Step { events, rows }, None);
            if at % 8 == 0 {
                head.wait_for(|head| head.0 >= id).await.unwrap();
                bench.journal().advance("fleet", Kind::Child, EventId(id), 0).await.unwrap();
                println!("acknowledged {id}");
            }
            println!("shown {}", bench.head());
            std::io::stdout().flush().unwrap();
        }
    });
}

#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing_that_was_shown_and_splits_no_step() {
    let dir = tempfile::tempdir().unwrap();
    let (mut highest, mut acknowledged) = (0, 0);
    for round in 0..6_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["journal::tests::kill::child", "--exact", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut shown = 0;
        let mut left = 20 + 37 * round;
        for line in lines {
            if let Some(begin) = line.split("begin ").nth(1) {
                assert!(begin.parse::<u64>().unwrap() >= highest, "an id may be told twice");
            }
            if let Some(position) = line.strip_prefix("acknowledged ") {
                acknowledged = position.parse::<u64>().unwrap_or(0).max(acknowledged);
            }
            if let Some(head) = line.strip_prefix("shown ") {
                // The last line may be cut short.
                shown = head.parse::<u64>().unwrap_or(shown).max(shown);
                left = left.saturating_sub(1);
                if left == 0 {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        assert!(shown > highest, "it ran");
        highest = shown;
        let bench = Bench::open_at(settings(dir.path()), Clock::system());
        assert!(bench.journal().cursors("fleet")[0].position.0 >= acknowledged, "a cursor that was durable went back");
        let kept = ids(&bench.all(0).await);
        assert!(kept.binary_search(&shown).is_ok() || kept.last() > Some(&shown), "{shown} was shown");
        assert!(kept.iter().rev().step_by(2).zip(kept.iter().rev().skip(1).step_by(2)).all(|(two, one)| *two == one + 1));
        let latest = String::from_utf8(bench.opened.rows[0].value.clone().unwrap()).unwrap();
        assert_eq!(latest, kept.last().unwrap().to_string(), "state and events of one step");
        assert_eq!(ids(&bench.journal().active(&vin()).unwrap()).last(), kept.last());
        highest = highest.max(bench.opened.last.0);
        bench.crash();
    }
}

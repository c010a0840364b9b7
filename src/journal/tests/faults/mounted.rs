//! A file system that is full, or read-only.

use super::*;

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

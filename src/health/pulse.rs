//! The pulse of each task and thread: what the watchdog is fed by.
//!
//! A task works or rests. It rests where it waits for what comes from outside (a frame, a step, a request, the disk),
//! however long that takes, and says so; all the rest of its time it works, and has to say again and again that it goes
//! on. One that has worked for too long without a word hangs. So does a thread that panicked.
//!
//! A disk that does not answer is outside too: it degrades the journal, which says so, and a restart would only lose what
//! memory holds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Says `resting` in the place of a time.
const RESTS: u64 = 0;
/// Says that its thread panicked.
const DIED: u64 = u64::MAX;

/// All pulses of a process.
#[derive(Debug)]
pub(super) struct Pulses {
    origin: Instant,
    all: Mutex<Vec<Weak<Beat>>>,
    /// What panicked stays here.
    died: Mutex<Option<Arc<str>>>,
}

impl Default for Pulses {
    fn default() -> Pulses {
        Pulses { origin: Instant::now(), all: Mutex::default(), died: Mutex::default() }
    }
}

#[derive(Debug)]
struct Beat {
    name: Arc<str>,
    /// Milliseconds from the origin at which it last said that it goes on; never 0.
    since: AtomicU64,
    #[cfg(debug_assertions)]
    hangs: std::sync::atomic::AtomicBool,
}

impl Pulses {
    pub(super) fn take(self: &Arc<Pulses>, name: &str) -> Pulse {
        let beat = Arc::new(Beat {
            name: Arc::from(name),
            since: AtomicU64::new(self.now()),
            #[cfg(debug_assertions)]
            hangs: Default::default(),
        });
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&beat));
        Pulse { beat, pulses: self.clone() }
    }

    /// Who has worked for longer than `longest` without a word, or died.
    pub(super) fn hung(&self, longest: Duration) -> Option<Arc<str>> {
        if let Some(name) = self.died.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Some(name);
        }
        let oldest = self.now().saturating_sub(millis(longest));
        let beats = self.beats();
        let hung = |beat: &&Arc<Beat>| {
            let since = beat.since.load(Ordering::Relaxed);
            since != RESTS && since < oldest
        };
        beats.iter().find(hung).map(|beat| beat.name.clone())
    }

    fn beats(&self) -> Vec<Arc<Beat>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|beat| beat.strong_count() > 0);
        all.iter().filter_map(Weak::upgrade).collect()
    }

    fn now(&self) -> u64 {
        // Never what says something else.
        millis(self.origin.elapsed()).clamp(1, DIED - 1)
    }

    /// Names that [`Pulses::hang`] knows.
    #[cfg(debug_assertions)]
    pub(super) fn names(&self) -> Vec<String> {
        self.beats().iter().map(|beat| beat.name.to_string()).collect()
    }

    /// Lets the task of this name hang when it next goes on; whether there is one.
    #[cfg(debug_assertions)]
    pub(super) fn hang(&self, name: &str) -> bool {
        let beats = self.beats();
        let beat = beats.iter().find(|beat| *beat.name == *name);
        beat.inspect(|beat| beat.hangs.store(true, Ordering::Relaxed)).is_some()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// One task's pulse. Dropped with the task, which is no fault unless it panics.
#[derive(Debug)]
pub struct Pulse {
    beat: Arc<Beat>,
    pulses: Arc<Pulses>,
}

impl Pulse {
    /// It goes on.
    pub fn beat(&self) {
        self.beat.since.store(self.pulses.now(), Ordering::Relaxed);
    }

    /// Waits for what comes from outside, as long as that takes.
    pub async fn rest<T>(&self, wait: impl Future<Output = T>) -> T {
        self.beat.since.store(RESTS, Ordering::Relaxed);
        let came = wait.await;
        self.beat();
        #[cfg(debug_assertions)]
        if self.beat.hangs.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        came
    }

    /// The same for a thread.
    pub fn rest_thread<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.beat.since.store(RESTS, Ordering::Relaxed);
        let came = wait();
        self.beat();
        #[cfg(debug_assertions)]
        while self.beat.hangs.load(Ordering::Relaxed) {
            std::thread::park();
        }
        came
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.pulses.died.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.beat.name.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    /// Lets the clock of pulses, which counts milliseconds, go on.
    fn later(pulses: &Pulses) {
        let now = pulses.now();
        while pulses.now() <= now {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn who_works_without_a_word_hangs_and_who_rests_or_has_ended_does_not() {
        let pulses = Arc::new(Pulses::default());
        let (one, other) = (pulses.take("one"), pulses.take("other"));
        later(&pulses);
        assert_eq!(pulses.hung(AT_ONCE).as_deref(), Some("one"));
        assert_eq!(pulses.hung(Duration::from_secs(3600)), None);
        one.rest_thread(|| {
            drop(other);
            later(&pulses);
            assert_eq!(pulses.hung(AT_ONCE), None);
        });
        later(&pulses);
        assert_eq!(pulses.hung(AT_ONCE).as_deref(), Some("one"), "it has worked since");
    }

    #[test]
    fn who_panics_hangs_for_ever() {
        let pulses = Arc::new(Pulses::default());
        let pulse = pulses.take("one");
        let ended = std::thread::spawn(move || {
            pulse.beat();
            panic!("as it should");
        });
        assert!(ended.join().is_err());
        assert_eq!(pulses.hung(Duration::from_secs(3600)).as_deref(), Some("one"));
    }

    #[cfg(debug_assertions)]
    #[tokio::test]
    async fn a_task_told_to_hang_does_when_it_goes_on() {
        let pulses = Arc::new(Pulses::default());
        let pulse = pulses.take("one");
        assert!(!pulses.hang("other") && pulses.hang("one"));
        assert_eq!(pulses.names(), ["one"]);
        let task = tokio::spawn(async move { pulse.rest(async {}).await });
        tokio::task::yield_now().await;
        later(&pulses);
        assert!(!task.is_finished());
        assert_eq!(pulses.hung(AT_ONCE).as_deref(), Some("one"));
    }
}

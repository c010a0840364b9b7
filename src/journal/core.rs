//! What the runtime and the two threads share: the state under a lock that nobody holds while the disk works, and the
//! ways to wake one another.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use tokio::sync::{Notify, mpsc, watch};

use super::counters::Counters;
use super::reader::{self, Job};
use super::retention::{Outlook, Slice};
use super::ring::Entry;
use super::settings::Settings;
use super::state::{Batch, Extent, Found, Freed, Marks, Mode, State, Stop};
use crate::clock::{Clock, Stamp, Wall};
use crate::event::{EventId, Location};
use crate::feed::{ChildNow, Fences, Picture, Status};
use crate::health::{Condition, Health};
use crate::vehicle::Vin;

/// See the module.
#[derive(Debug)]
pub(super) struct Core {
    pub settings: Settings,
    pub vin: Vin,
    pub clock: Clock,
    pub health: Health,
    pub counters: Counters,
    pub head: watch::Sender<EventId>,
    pub writable: watch::Sender<bool>,
    pub devices: watch::Sender<u64>,
    pub picture: watch::Sender<Arc<Picture>>,
    pub fences: watch::Sender<Fences>,
    state: Mutex<State>,
    wake: Condvar,
    /// A step waits: somebody has to look at the time.
    waits: Arc<Notify>,
    announced: Mutex<Option<Mode>>,
}

/// Why the writer woke up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Go,
    Stop(Stop),
}

impl Core {
    pub fn new(settings: Settings, vin: Vin, clock: Clock, health: Health, counters: Counters, found: Found) -> Core {
        let state = State::new(found, nothing(vin.clone()));
        let core = Core {
            settings,
            vin,
            clock,
            health,
            counters,
            head: watch::Sender::new(state.head),
            writable: watch::Sender::new(state.mode == Mode::Writing),
            devices: watch::Sender::new(0),
            picture: watch::Sender::new(state.picture().clone()),
            fences: watch::Sender::default(),
            state: Mutex::new(state),
            wake: Condvar::new(),
            waits: Arc::default(),
            announced: Mutex::default(),
        };
        core.announce_mode();
        core
    }

    /// The state. Held for microseconds, and never while the disk is used.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wall clock and the boot clock, now.
    pub fn now(&self) -> Stamp {
        self.clock.stamp(self.clock.now())
    }

    /// The wall clock, once nobody need doubt it.
    pub fn settled_now(&self) -> Option<Wall> {
        let now = self.clock.now();
        self.clock.is_settled(now).then(|| self.clock.stamp(now).wall)
    }

    /// Changes the state, then lets everybody see what came of it.
    ///
    /// Nobody who holds the state's lock touches a watch: who looks at a watch may ask for the state meanwhile. Watches
    /// take the state as it is when it is their turn, so none goes back.
    pub fn change(&self, reads: &mpsc::WeakSender<Job>, change: impl FnOnce(&mut State) -> Vec<Freed>) {
        let (freed, told, waits) = {
            let mut state = self.state();
            let freed = change(&mut state);
            (freed, std::mem::take(&mut state.told_unwritten), state.waiting_since().is_some())
        };
        // Whoever sees an event sees the vehicle that told it.
        self.show();
        self.head.send_if_modified(|shown| {
            let head = self.state().head;
            std::mem::replace(shown, head) != head
        });
        self.counters.told_unwritten.inc_by(told);
        self.announce_mode();
        if waits {
            self.waits.notify_one();
        }
        for (reply, event) in freed {
            reader::finish(reads, reply, event);
        }
        self.wake.notify_one();
    }

    /// Lets everybody see the vehicle as it may be seen now.
    pub fn show(&self) {
        self.picture.send_if_modified(|shown| {
            let now = self.state().picture().clone();
            !Arc::ptr_eq(&std::mem::replace(shown, now.clone()), &now)
        });
        self.fences.send_if_modified(|shown| {
            let now = self.state().fences().clone();
            !Arc::ptr_eq(&std::mem::replace(shown, now.clone()), &now)
        });
    }

    /// Says whether the journal can be written, and why not, where that is news.
    fn announce_mode(&self) {
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        let mode = self.state().mode.clone();
        if announced.as_ref() == Some(&mode) {
            return;
        }
        match &mode {
            Mode::Writing => self.health.set("journal", Condition::Ok, ""),
            Mode::Degraded(why) => {
                tracing::warn!(why, "the journal is degraded");
                self.health.set("journal", Condition::Degraded, format!("{why}; meanwhile alerts are told from memory"));
            }
        }
        let writing = mode == Mode::Writing;
        self.counters.writable.set(writing.into());
        self.writable.send_if_modified(|writable| std::mem::replace(writable, writing) != writing);
        *announced = Some(mode);
    }

    /// Counts what memory had no room for.
    pub fn count_lost(&self, lost: &[Entry]) {
        self.counters.drop("memory", lost.len());
    }

    /// The next transaction, if there is anything to write.
    pub fn batch(&self, extent: Extent) -> Option<Batch> {
        self.state().batch(self.now(), Instant::now(), extent)
    }

    /// A reader found the file wrecked, or a part of it that the disk does not give.
    pub fn suspect(&self, why: &str) {
        tracing::warn!(why, "the journal cannot be read");
        self.state().suspect = true;
        self.wake.notify_one();
    }

    /// What retention goes by.
    pub fn outlook(&self) -> Outlook {
        let state = self.state();
        let cursors = state.cursors.all().map(|(whose, cursor)| (whose.clone(), *cursor)).collect();
        Outlook { running: state.alerts.keys().copied().collect(), cursors }
    }

    /// Retention took these, and the file says so.
    pub fn took(&self, slice: &Slice) {
        let mut state = self.state();
        state.ring.forget(&slice.events);
        state.cursors.missed(&slice.missed);
    }

    /// These are pruned from the file.
    pub fn pruned(&self, marks: &Marks) {
        let mut state = self.state();
        for ((kind, member), id) in marks {
            state.mark_pruned(kind, member.clone(), *id);
        }
    }

    /// Waits until there is something to write (if `heed_work`), or `until`, or the end.
    pub fn wait(&self, until: Instant, heed_work: bool) -> Signal {
        let mut state = self.state();
        loop {
            if let Some(stop) = state.stop {
                return Signal::Stop(stop);
            }
            let now = Instant::now();
            let due = if heed_work { state.due(now) } else { None };
            let target = due.map_or(until, |due| due.min(until));
            if target <= now {
                return Signal::Go;
            }
            let waited = self.wake.wait_timeout(state, target.saturating_duration_since(now));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The writer is to end.
    pub fn stop(&self, how: Stop) {
        self.state().stop.get_or_insert(how);
        self.wake.notify_one();
    }

    /// When the oldest step that waits has waited for too long.
    fn stalls_at(&self) -> Option<Instant> {
        let state = self.state();
        state.waiting_since().map(|since| since + self.settings.stall())
    }
}

/// The picture before there is one.
pub(super) fn nothing(vin: Vin) -> Arc<Picture> {
    Arc::new(Picture {
        stamp: Stamp::default(),
        vin,
        signals: Vec::new(),
        location: Location::of(None),
        further: Vec::new(),
        fences: Arc::default(),
        child: ChildNow::default(),
        status: Status::default(),
    })
}

/// Watches the disk from the runtime: a step that waits for longer than `stall_seconds` is told from memory, whatever
/// the writer is doing. Ends with the journal.
pub(super) async fn watch_disk(core: Weak<Core>, reads: mpsc::WeakSender<Job>) {
    let Some((waits, pulse)) = core.upgrade().map(|core| (core.waits.clone(), core.health.pulse("journal-disk"))) else { return };
    loop {
        pulse.rest(waits.notified()).await;
        loop {
            let Some(due) = core.upgrade().map(|core| core.stalls_at()) else { return };
            let Some(due) = due else { break };
            pulse.rest(tokio::time::sleep_until(due.into())).await;
            let Some(core) = core.upgrade() else { return };
            if core.stalls_at().is_some_and(|due| due <= Instant::now()) {
                let why = format!("the disk has not answered for {} s", core.settings.stall_seconds);
                core.change(&reads, |state| state.degrade(&why));
            }
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // The watch ends.
        self.waits.notify_one();
    }
}

//! Names for those who may not wait: the engine's thread.
//!
//! A vehicle moves slowly and places stand in the file as they stand in the world, so what was read lately nearly always
//! does: all the more where [`Names::look_ahead`] is told now and then where the vehicle is. When it does not, a thread of its
//! own reads, and the asker waits for it 1 ms; once only when the disk hangs, since while an answer is owed nobody waits for
//! another.

use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Places;
use crate::geo::Point;
use crate::metrics::{Counter, Family, Reason};

/// How long somebody waits for a disk.
const PATIENCE: Duration = Duration::from_millis(1);

/// What names are made of, and the thread that reads.
pub struct Names {
    pub(super) places: Arc<Places>,
    desk: Mutex<Desk>,
    dropped: Family<Reason, Counter>,
}

/// What goes to the thread and comes back.
struct Desk {
    ask: SyncSender<Point>,
    answers: Receiver<Option<String>>,
    /// An answer that nobody has waited for is still to come.
    owed: bool,
}

impl Names {
    /// Starts the thread, which ends with the names. What is not answered in time is counted in `dropped`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(places: Arc<Places>, dropped: Family<Reason, Counter>) -> io::Result<Names> {
        let (ask, asked) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let reader = places.clone();
        let read = move || {
            while let Ok(point) = asked.recv() {
                if answer.send(reader.name(point)).is_err() {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("places".to_owned()).spawn(read)?;
        Ok(Names { places, desk: Mutex::new(Desk { ask, answers, owed: false }), dropped })
    }

    /// The place at `point`, in words. `None` when there is none, or it cannot be known in time.
    pub fn of(&self, point: Point) -> Option<String> {
        if let Ok(found) = self.places.nearest_kept(point) {
            return found.map(|nearest| nearest.to_string());
        }
        let answer = self.desk().ask(point);
        if answer.is_none() {
            self.dropped.get_or_create(&Reason { reason: "late" }).inc();
        }
        answer.flatten()
    }

    /// Somebody may ask about `point` soon: what is needed for it is read, and nobody waits.
    pub fn look_ahead(&self, point: Point) {
        if self.places.nearest_kept(point).is_err() {
            self.desk().send(point);
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    /// Asks the thread, unless it owes an answer.
    fn send(&mut self, point: Point) -> bool {
        if self.owed && matches!(self.answers.try_recv(), Err(TryRecvError::Empty)) {
            return false;
        }
        self.owed = self.ask.try_send(point).is_ok();
        self.owed
    }

    /// The answer of the thread; `None` when it does not come in time.
    fn ask(&mut self, point: Point) -> Option<Option<String>> {
        if !self.send(point) {
            return None;
        }
        let answer = self.answers.recv_timeout(PATIENCE).ok()?;
        self.owed = false;
        Some(answer)
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("places", &self.places).finish_non_exhaustive()
    }
}

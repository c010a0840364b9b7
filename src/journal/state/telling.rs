//! What readers get to see, and who hears that it is so.

use std::sync::Arc;

use super::{Freed, Mode, State, Waiter};
use crate::event::EventId;
use crate::feed::{Fences, Picture, Unavailable};

/// So many alerts may be active at once; the engine knows of one.
const ALERTS: usize = 16;

impl State {
    /// The journal cannot be written: what waits is told at once, from memory, and so is what comes.
    pub fn degrade(&mut self, why: &str) -> Vec<Freed> {
        self.mode = Mode::Degraded(why.to_owned());
        self.tell()
    }

    pub(super) fn tell(&mut self) -> Vec<Freed> {
        self.show(self.issued, false);
        let why = match &self.mode {
            Mode::Degraded(why) => why.clone(),
            Mode::Writing => String::new(),
        };
        self.release(self.turn, Some(why))
    }

    /// The vehicle as it is now, to be seen once every step so far is durable.
    pub fn put_picture(&mut self, picture: Arc<Picture>) {
        let last = self.steps.back().map(|(step, _)| *step);
        self.picture.put(picture, last);
    }

    /// The vehicle as it may be seen.
    pub fn picture(&self) -> &Arc<Picture> {
        self.picture.now()
    }

    /// The fences in force, to be seen once every step so far is durable.
    pub fn put_fences(&mut self, fences: Fences) {
        let last = self.steps.back().map(|(step, _)| *step);
        self.fences.put(fences, last);
    }

    /// The fences as they may be seen.
    pub fn fences(&self) -> &Fences {
        self.fences.now()
    }

    /// Readers may see everything up to `upto`.
    pub(super) fn show(&mut self, upto: EventId, written: bool) {
        let mut ended = Vec::new();
        for entry in self.ring.after_mut(self.head).take_while(|entry| entry.id() <= upto) {
            if !written {
                entry.mark();
                self.told_unwritten += 1;
            }
            match entry.stored.alert {
                Some(first) if entry.ends => {
                    self.alerts.remove(&first);
                    ended.push((first, entry.id()));
                }
                Some(first) if entry.is_left_behind() => {
                    self.alerts.insert(first, entry.clone());
                    if self.alerts.len() > ALERTS {
                        self.alerts.pop_first();
                    }
                }
                _ => {}
            }
        }
        ended.into_iter().for_each(|(first, end)| self.ring.end_alert(first, end));
        self.head = self.head.max(upto);
    }

    /// Lets those go who wait for turns up to `turn`: it is durable, or cannot be, and `failed` says why.
    pub(super) fn release(&mut self, turn: u64, failed: Option<String>) -> Vec<Freed> {
        self.steps.retain(|(step, _)| *step > turn);
        let oldest = self.steps.front().map(|(step, _)| *step);
        self.picture.settle(oldest);
        self.fences.settle(oldest);
        let ready = self.waiters.iter().take_while(|(of, _)| *of <= turn).count();
        let ready: Vec<_> = self.waiters.drain(..ready).collect();
        let mut freed = Vec::new();
        for (_, waiter) in ready {
            match (waiter, &failed) {
                (Waiter::Reply(reply), _) => {
                    let event = reply.event().and_then(|id| self.ring.get(id)).map(|entry| entry.told().clone());
                    freed.push((reply, event));
                }
                (Waiter::Added(token, slot), None) => {
                    // Who waited has gone, and the token with them: nobody has it.
                    if slot.send(Ok(())).is_err() {
                        self.turn += 1;
                        self.devices.set(token, None, self.turn);
                    }
                }
                (Waiter::Added(token, slot), Some(why)) => {
                    // A turn of its own: the one that added it may be on its way to the disk.
                    self.turn += 1;
                    self.devices.set(token, None, self.turn);
                    drop(slot.send(Err(Unavailable::Journal(why.clone()))));
                }
                (Waiter::Kept(slot), None) => drop(slot.send(Ok(()))),
                (Waiter::Kept(slot), Some(why)) => drop(slot.send(Err(Unavailable::Journal(why.clone())))),
                (Waiter::Revoked(slot), None) => drop(slot.send(Ok(true))),
                (Waiter::Revoked(slot), Some(why)) => {
                    let locked_out = format!("the device is locked out, and forgotten once this is mended: {why}");
                    drop(slot.send(Err(Unavailable::Journal(locked_out))));
                }
            }
        }
        freed
    }
}

//! Fences that come and go while the vehicle is on its way.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Geofences;
use super::register::{Id, Slot};
use crate::clock::TimeSource;
use crate::geo::{Fence, FenceSource, MAX_FENCES, MAX_VERTICES_IN_ALL};
use crate::request::{Answer, Refusal, Wrong};

/// So many clashes are told at once.
const TOLD_AT_MOST: usize = 20;

impl Geofences {
    /// Makes a fence, or puts it in the place of the one with its id and source. It is judged from the next believed fix
    /// on, whose side becomes its first state; where only name or rules changed, it goes on as it stood.
    ///
    /// # Errors
    /// When there are too many, or the one that is there was made by somebody else.
    pub fn put(&mut self, fence: Fence) -> Result<Answer, Refusal> {
        let (mut fences, mut vertices) = (self.register.len(), self.register.vertices());
        let there = self.register.find(&fence.id);
        match there.and_then(|id| self.register.get(id)) {
            Some(Slot { fence: old, .. }) if old.source != fence.source => return Err(not_yours(old)),
            Some(Slot { fence: old, .. }) => vertices -= old.shape.vertices(),
            None => fences += 1,
        }
        if fences > MAX_FENCES {
            return Err(Refusal::Invalid(format!("there are {MAX_FENCES} fences already; delete one first")));
        }
        if vertices + fence.shape.vertices() > MAX_VERTICES_IN_ALL {
            let most = "all fences together may have 200000 positions";
            return Err(Refusal::Invalid(format!("{most}, and with this one they have more; simplify or delete some")));
        }
        Ok(self.set(fence))
    }

    /// Makes a fence for which there is room, or puts it in the place of the one with its id.
    fn set(&mut self, fence: Fence) -> Answer {
        let there = self.register.find(&fence.id);
        let old = there.and_then(|id| self.take_away(id));
        self.place(fence, old)
    }

    /// Makes a fence with an id that is free, in the place of the `old` one that had it.
    fn place(&mut self, fence: Fence, old: Option<Slot>) -> Answer {
        let same = old.as_ref().is_some_and(|old| old.fence.shape == fence.shape);
        let id = self.register.add(fence);
        if let (Some(old), Some(slot), true) = (&old, self.register.get_mut(id), same) {
            slot.standing = old.standing.clone();
        }
        self.enlist(id);
        if self.last.source != TimeSource::Unset {
            self.plan_start(id, self.last.wall);
        }
        self.news.drawn(id);
        self.renew(id);
        if old.is_some() { Answer::Changed } else { Answer::Created }
    }

    /// Takes away the fence with this id, which `by` made.
    ///
    /// # Errors
    /// When there is none, or somebody else made it.
    pub fn delete(&mut self, name: &str, by: FenceSource) -> Result<Answer, Refusal> {
        let Some((id, slot)) = self.register.find(name).and_then(|id| Some((id, self.register.get(id)?))) else {
            return Err(Refusal::Missing(format!("there is no fence `{}`", name.escape_debug())));
        };
        if slot.fence.source != by {
            return Err(not_yours(&slot.fence));
        }
        self.take_away(id);
        self.news.gone(name);
        self.revision += 1;
        Ok(Answer::Changed)
    }

    /// Puts `fences` in the place of those of the site's file: those that are no more in it go, and each that is new or
    /// another one is put, before a drawn one with its id. What was refused, because there are too many.
    pub(in crate::detect) fn replace_file(&mut self, fences: Vec<Fence>) -> Vec<Refusal> {
        let wanted: HashSet<&str> = fences.iter().map(|fence| fence.id.as_str()).collect();
        let of_file = self.fences().filter(|fence| fence.source == FenceSource::File && !wanted.contains(fence.id.as_str()));
        let gone: Vec<String> = of_file.map(|fence| fence.id.clone()).collect();
        for name in gone {
            // It is there, and of the file.
            let _ = self.delete(&name, FenceSource::File);
        }
        let mut refused = Vec::new();
        for fence in fences {
            match self.register.find(&fence.id).and_then(|id| Some((id, self.register.get(id)?))) {
                Some((_, there)) if *there.fence == fence => continue,
                Some((id, there)) if there.fence.source != FenceSource::File => {
                    self.take_away(id);
                }
                _ => {}
            }
            refused.extend(self.put(fence).err());
        }
        refused
    }

    /// Lets `fences` be all that the fleet has drawn, or changes nothing. One that is as it was goes on as it stood.
    ///
    /// # Errors
    /// When somebody else made one with the id of one of these, or there are too many.
    pub(in crate::detect) fn replace_fleet(&mut self, fences: &[Fence]) -> Result<Answer, Refusal> {
        self.admit_of_fleet(fences)?;
        let wanted: HashSet<&str> = fences.iter().map(|fence| fence.id.as_str()).collect();
        let of_fleet = fences.iter().map(|fence| Fence { source: FenceSource::Fleet, ..fence.clone() });
        let new: Vec<Fence> = of_fleet.filter(|fence| self.fence(&fence.id) != Some(fence)).collect();
        let gone = self.register.iter().filter(|(_, slot)| slot.fence.source == FenceSource::Fleet);
        let gone = gone.filter(|(_, slot)| !wanted.contains(slot.fence.id.as_str())).map(|(id, _)| id);
        let replaced = new.iter().filter_map(|fence| self.register.find(&fence.id));
        // All at once: there may be thousands, and as many on the lists that they are on.
        let mut old: BTreeMap<String, Slot> = BTreeMap::new();
        for slot in self.take_away_all(&gone.chain(replaced).collect()) {
            old.insert(slot.fence.id.clone(), slot);
        }
        for fence in new {
            let old = old.remove(&fence.id);
            self.place(fence, old);
        }
        for name in old.keys() {
            self.news.gone(name);
            self.revision += 1;
        }
        Ok(Answer::Changed)
    }

    /// Whether these may be the fleet's, beside what others have made.
    fn admit_of_fleet(&self, fences: &[Fence]) -> Result<(), Refusal> {
        let clash = |fence: &Fence| {
            let there = self.fence(&fence.id).filter(|there| there.source != FenceSource::Fleet)?;
            let (at, message) = (format!("fence `{}`", there.id.escape_debug()), format!("was made {}", maker(there)));
            Some(Wrong::new(at, message, "give yours another id"))
        };
        let clashes: Vec<Wrong> = fences.iter().filter_map(clash).take(TOLD_AT_MOST).collect();
        if !clashes.is_empty() {
            return Err(Refusal::Wrong(clashes));
        }
        let others = || self.fences().filter(|fence| fence.source != FenceSource::Fleet);
        let (count, vertices) = (others().count(), others().map(|fence| fence.shape.vertices()).sum::<usize>());
        if count + fences.len() > MAX_FENCES {
            let message = format!("{} fences are too many", fences.len());
            let room = MAX_FENCES.saturating_sub(count);
            return Err(Refusal::Wrong(vec![Wrong::new(
                "",
                message,
                format!("beside those of others there is room for {room}"),
            )]));
        }
        let positions = fences.iter().map(|fence| fence.shape.vertices()).sum::<usize>();
        if vertices + positions > MAX_VERTICES_IN_ALL {
            let message = format!("{positions} positions are too many");
            let room = MAX_VERTICES_IN_ALL.saturating_sub(vertices);
            return Err(Refusal::Wrong(vec![Wrong::new(
                "",
                message,
                format!("beside those of others there is room for {room}"),
            )]));
        }
        Ok(())
    }

    fn take_away(&mut self, id: Id) -> Option<Slot> {
        self.take_away_all(&BTreeSet::from([id])).pop()
    }

    fn take_away_all(&mut self, ids: &BTreeSet<Id>) -> Vec<Slot> {
        self.watched.retain(|watched| !ids.contains(watched));
        self.limited.retain(|limited| !ids.contains(limited));
        self.dwelling.retain(|(_, dwelling)| !ids.contains(dwelling));
        self.starts.retain(|(_, start)| !ids.contains(start));
        self.news.forget(ids);
        ids.iter().filter_map(|id| self.register.remove(*id)).collect()
    }
}

fn not_yours(fence: &Fence) -> Refusal {
    let place = if fence.source == FenceSource::Phone { "from one" } else { "there" };
    let reason = format!("fence `{}` was made {}; change it {place}", fence.id.escape_debug(), maker(fence));
    Refusal::Conflict { reason, running: None }
}

fn maker(fence: &Fence) -> &'static str {
    match fence.source {
        FenceSource::File => "in the unit's own file",
        FenceSource::Phone => "by a phone",
        FenceSource::Fleet => "by the fleet",
    }
}

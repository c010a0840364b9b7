//! What an answer makes worth asking.

use super::{IDENTITIES, Known, LIVE, MOST_ECUS, Plan, Task};
use crate::clock::Boot;
use crate::diagnostics::obd::{self, Response, item};
use crate::diagnostics::overheard::To;
use crate::diagnostics::uds::codes::bytes;
use crate::vehicle::trouble::{Classes, Code, Ecu, Heard};

/// PIDs of a freeze frame that are read.
const MOST_FROZEN: usize = 20;
/// Codes of an ECU of which snapshots are still to be read, and as many of which extended data are.
const MOST_SNAPSHOTS: usize = 8;
/// Codes of an ECU that are known from the reading before; of more none is looked at.
const MOST_CODES: usize = 256;
/// PIDs of a freeze frame, the more telling first; of others those with the smallest numbers.
const TELLING: [u8; 12] = [0x04, 0x05, 0x0C, 0x0D, 0x03, 0x06, 0x07, 0x0B, 0x0F, 0x10, 0x11, 0x1F];

/// What an ECU answered.
pub(in crate::diagnostics::poller) enum Answered<'a> {
    /// That it does not have it.
    NotThere,
    /// That it cannot now.
    NotNow,
    /// What was asked for.
    Yes { payload: &'a [u8], heard: &'a [Heard] },
}
impl Plan {
    /// `ecu` answered.
    pub(in crate::diagnostics::poller) fn answered(&mut self, now: Boot, task: &Task, ecu: Ecu, answered: Answered<'_>) {
        match (task, answered) {
            (Task::Find(way), Answered::Yes { payload, .. }) => self.meet(now, *way, ecu, false, &supported(payload)),
            (Task::FindUds(way), Answered::Yes { .. }) => self.meet(now, *way, ecu, true, &[]),
            (Task::Pids(_, _), Answered::Yes { payload, .. }) => self.learn(now, ecu, &supported(payload)),
            (Task::Stored, Answered::Yes { heard, .. }) => self.look_at(now, ecu, heard),
            (Task::EmissionCodes | Task::Codes(_) | Task::Supported(_), Answered::Yes { heard, .. }) => {
                for code in self.news(ecu, heard) {
                    self.look_at_code(now, ecu, code);
                }
            }
            (Task::Codes(_), Answered::NotThere) => {
                self.drop(task);
                self.add(now, Task::Supported(ecu));
            }
            (Task::FrozenCode(_), Answered::Yes { payload, .. }) if has_frame(payload) => self.add(now, Task::FrozenPids(ecu, 0)),
            (Task::FrozenPids(..), Answered::Yes { payload, .. }) => self.read_frame(now, ecu, &supported(payload)),
            (Task::Live(_), Answered::Yes { payload, .. }) => self.notice_several(ecu, payload),
            (Task::Live(_), Answered::NotThere) => self.singly(ecu),
            (_, Answered::NotThere) if !task.is_functional() => self.drop(task),
            _ => {}
        }
    }

    /// An ECU that answers to all.
    fn meet(&mut self, now: Boot, way: To, ecu: Ecu, uds: bool, pids: &[u8]) {
        if self.way.is_none() {
            self.way = Some(way);
            self.uds = uds;
            self.entries.retain(|entry| !matches!(entry.task, Task::Find(other) | Task::FindUds(other) if other != way));
            let first: &[Task] = if uds {
                &[Task::Status, Task::EmissionCodes, Task::EmissionPermanent]
            } else {
                &[Task::Status, Task::Stored, Task::Pending, Task::Permanent]
            };
            first.iter().for_each(|task| self.add(now, task.clone()));
            if !self.numbered {
                self.add(now, Task::Vin);
            }
            IDENTITIES.into_iter().for_each(|kind| self.add(now, Task::Identity(kind)));
        }
        if !uds {
            self.drop(&Task::FindUds(way));
        }
        if self.known.iter().all(|known| known.ecu != ecu) && self.known.len() < MOST_ECUS {
            self.known.push(Known { ecu, pids: Vec::new(), several: true, turn: 0 });
        }
        self.learn(now, ecu, pids);
    }

    /// The ECU has these PIDs.
    fn learn(&mut self, now: Boot, ecu: Ecu, pids: &[u8]) {
        let elsewhere: Vec<u8> =
            self.known.iter().filter(|known| known.ecu != ecu).flat_map(|known| known.pids.clone()).collect();
        let Some(known) = self.known.iter_mut().find(|known| known.ecu == ecu) else { return };
        // A value that another ECU has is asked of that one.
        let news = pids.iter().filter(|pid| !(known.pids.contains(pid) || LIVE.contains(pid) && elsewhere.contains(pid)));
        let news: Vec<u8> = news.copied().collect();
        known.pids.extend(&news);
        let live = LIVE.iter().any(|pid| known.pids.contains(pid));
        for from in news.into_iter().filter(|pid| pid % 0x20 == 0) {
            self.add(now, Task::Pids(ecu, from));
        }
        if live {
            self.add(now, Task::Live(ecu));
        }
    }

    /// The confirmed codes that this ECU did not list before: each has a freeze frame to look at.
    fn news(&mut self, ecu: Ecu, heard: &[Heard]) -> Vec<Code> {
        let lists = heard.iter().filter_map(|heard| if let Heard::Codes(reading) = heard { Some(&reading.lists) } else { None });
        let confirmed = lists.flatten().flat_map(|(_, list)| list).filter(|listed| listed.classes.any(Classes::STORED));
        let listed: Vec<Code> = confirmed.map(|listed| listed.code).take(MOST_CODES).collect();
        if !self.is_looked_at(ecu) {
            return Vec::new();
        }
        let known = match self.stored.iter_mut().find(|(whose, _)| *whose == ecu) {
            Some((_, known)) => known,
            None => {
                self.stored.push((ecu, Vec::new()));
                let Some((_, known)) = self.stored.last_mut() else { return Vec::new() };
                known
            }
        };
        let news = listed.iter().copied().filter(|code| !known.contains(code)).collect();
        *known = listed;
        news
    }

    /// Whether it is one of those that are asked alone.
    fn is_looked_at(&self, ecu: Ecu) -> bool {
        self.known.iter().any(|known| known.ecu == ecu) || self.identifiers.iter().any(|(named, _)| *named == ecu)
    }

    /// A new code may have a snapshot, and extended data.
    fn look_at_code(&mut self, now: Boot, ecu: Ecu, code: Code) {
        let code = bytes(code);
        let open = |is: fn(&Task) -> Option<Ecu>| self.entries.iter().filter(|entry| is(&entry.task) == Some(ecu)).count();
        let snapshots = open(|task| if let Task::Snapshot(ecu, _) = task { Some(*ecu) } else { None });
        let extended = open(|task| if let Task::Extended(ecu, _) = task { Some(*ecu) } else { None });
        if snapshots < MOST_SNAPSHOTS {
            self.add(now, Task::Snapshot(ecu, code));
        }
        if extended < MOST_SNAPSHOTS {
            self.add(now, Task::Extended(ecu, code));
        }
    }

    /// New codes may have a freeze frame.
    fn look_at(&mut self, now: Boot, ecu: Ecu, heard: &[Heard]) {
        if !self.news(ecu, heard).is_empty() {
            let is_of_frame = |task: &Task| matches!(task, Task::Frozen(other, _) | Task::FrozenPids(other, _) if *other == ecu);
            self.entries.retain(|entry| !is_of_frame(&entry.task));
            self.add(now, Task::FrozenCode(ecu));
        }
    }

    fn read_frame(&mut self, now: Boot, ecu: Ecu, pids: &[u8]) {
        let more = pids.iter().copied().filter(|pid| pid % 0x20 == 0 && *pid <= 0x60).min();
        if let Some(from) = more {
            self.add(now, Task::FrozenPids(ecu, from));
        }
        let mut wanted: Vec<u8> = pids.iter().copied().filter(|pid| pid % 0x20 != 0 && *pid != 0x02).collect();
        wanted.sort_by_key(|pid| (TELLING.iter().position(|telling| telling == pid).unwrap_or(TELLING.len()), *pid));
        for pid in wanted {
            let open = self.entries.iter().filter(|entry| matches!(entry.task, Task::Frozen(other, _) if other == ecu)).count();
            if open < MOST_FROZEN {
                self.add(now, Task::Frozen(ecu, pid));
            }
        }
    }

    /// An answer with fewer PIDs than were asked for: this ECU takes one at a time.
    fn notice_several(&mut self, ecu: Ecu, payload: &[u8]) {
        let told = obd::decode(payload, None).map_or(0, |response| response.items().len());
        let Some(known) = self.known.iter_mut().find(|known| known.ecu == ecu) else { return };
        let wanted = LIVE.iter().filter(|pid| known.pids.contains(pid)).count().min(6);
        if told < wanted {
            known.several = false;
        }
    }

    pub(super) fn singly(&mut self, ecu: Ecu) {
        let Some(known) = self.known.iter_mut().find(|known| known.ecu == ecu) else { return };
        if known.several {
            known.several = false;
        } else {
            self.drop(&Task::Live(ecu));
        }
    }
}

fn supported(payload: &[u8]) -> Vec<u8> {
    obd::decode(payload, None).map(|response| response.supported()).unwrap_or_default()
}

fn has_frame(payload: &[u8]) -> bool {
    let frozen =
        |response: &Response| response.items().iter().any(|item| matches!(item.content, item::Content::FrozenBy(Some(_))));
    obd::decode(payload, None).is_some_and(|response| frozen(&response))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::can::profile::Addressing;
    use crate::vehicle::trouble::{CodeReading, Listed, Protocol};

    #[test]
    fn codes_that_are_others_each_time_are_not_all_looked_at() {
        let ecu = Ecu::Normal(0x72E);
        let mut plan = Plan::new(Addressing::Either, [(ecu, 0xF187)]);
        plan.start(Boot::default());
        let before = plan.remembered();
        for base in 0..1000 {
            let code = Code::Iso { base, failure: Some(1) };
            let list = vec![Listed { code, classes: Classes::STORED, mil: None, occurrences: None }];
            let reading = CodeReading { protocol: Protocol::Uds, covers: Classes::STORED, lists: vec![(ecu, list)] };
            let heard = [Heard::Codes(reading)];
            let answered = Answered::Yes { payload: &[0x59, 0x02], heard: &heard };
            plan.answered(Boot::default(), &Task::Codes(ecu), ecu, answered);
        }
        assert_eq!(plan.remembered(), before + 2 * MOST_SNAPSHOTS);
    }
}

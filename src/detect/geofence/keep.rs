//! What of the fences outlives a power cut, and what goes from one piece of a replay to the next.
//!
//! Two rows a fence: `fence/<id>`, how the vehicle stands to it, and `drawn/<id>`, the fence itself, where it did not come
//! from the site's file.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Geofences;
use super::register::{Id, Slot};
use super::speeding::Speeding;
use super::standing::{Side, Since, Standing, Toward};
use super::track::Track;
use crate::clock::{Boot, Stamp, TimeSource};
use crate::event::{DRAWN, Row};
use crate::geo::{Fence, FenceSource, read_one};

const STANDING: &str = "fence/";

/// At most so many rows leave at once: a first fix among 10,000 fences is not to hold up the engine.
const ROWS_AT_ONCE: usize = 256;

/// Which rows are to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct News {
    changed: Vec<Id>,
    drawn: Vec<Id>,
    /// Keys of rows to take away.
    gone: Vec<String>,
}

impl News {
    pub(super) fn changed(&mut self, id: Id, slot: &mut Slot) {
        if !std::mem::replace(&mut slot.changed, true) {
            self.changed.push(id);
        }
    }

    pub(super) fn drawn(&mut self, id: Id) {
        self.drawn.push(id);
    }

    /// The fence was deleted.
    pub(super) fn gone(&mut self, name: &str) {
        self.gone.extend([STANDING, DRAWN].map(|kind| format!("{kind}{name}")));
    }

    pub(super) fn forget(&mut self, ids: &BTreeSet<Id>) {
        self.changed.retain(|changed| !ids.contains(changed));
        self.drawn.retain(|drawn| !ids.contains(drawn));
    }
}

/// How the vehicle stood to a fence.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    inside: bool,
    since: Stamp,
    #[serde(default, skip_serializing_if = "is_false")]
    long_ago: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    dwelled: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    sped: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    withheld: bool,
}

fn is_false(value: &bool) -> bool {
    !*value
}

impl Kept {
    fn of(standing: &Standing) -> Option<Kept> {
        let kept = |inside, since: &Since| Kept {
            inside,
            since: since.stamp,
            long_ago: since.long_ago,
            dwelled: false,
            sped: false,
            withheld: false,
        };
        match &standing.side {
            Side::Unknown => None,
            Side::Outside { since, withheld, .. } => Some(Kept { withheld: *withheld, ..kept(false, since) }),
            Side::Inside { since, dwelled, speeding, .. } => {
                Some(Kept { dwelled: *dwelled, sped: speeding.told(), ..kept(true, since) })
            }
        }
    }

    /// As it was, but for the next believed fix to confirm.
    fn standing(self, since: Since) -> Standing {
        let side = if self.inside {
            let speeding = if self.sped { Speeding::Told } else { Speeding::No };
            Side::Inside { since, toward: Toward::Nothing, dwelled: self.dwelled, speeding }
        } else {
            Side::Outside { since, toward: Toward::Nothing, last: None, withheld: self.withheld }
        };
        Standing { first: true, side }
    }
}

/// A row that was not understood. What it was about begins anew, as if it had not been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {why}")]
pub struct Unreadable {
    /// The row's key.
    pub key: String,
    /// Why not.
    pub why: String,
}

/// Everything but the fences: what a replay saves when it is cut, and goes on from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Memory {
    track: Track,
    last: Stamp,
    /// By fence.
    standings: BTreeMap<String, Standing>,
}

/// A drawn fence, as it is kept.
#[derive(Deserialize)]
struct Drawn {
    properties: DrawnBy,
}

#[derive(Deserialize)]
struct DrawnBy {
    source: FenceSource,
}

impl Geofences {
    /// The rows that changed since the last call, 256 at most: those of the last step first, what is left with the next
    /// call.
    pub fn rows(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        while rows.len() < ROWS_AT_ONCE {
            let Some(key) = self.news.gone.pop() else { break };
            rows.push(Row { key, value: None });
        }
        while rows.len() < ROWS_AT_ONCE {
            let Some(id) = self.news.drawn.pop() else { break };
            let Some(Slot { fence, .. }) = self.register.get(id).filter(|slot| slot.fence.source != FenceSource::File) else {
                continue;
            };
            rows.push(Row { key: format!("{DRAWN}{}", fence.id), value: serde_json::to_vec(&**fence).ok() });
        }
        while rows.len() < ROWS_AT_ONCE {
            let Some(id) = self.news.changed.pop() else { break };
            let Some(slot) = self.register.get_mut(id) else { continue };
            slot.changed = false;
            let value = Kept::of(&slot.standing).and_then(|kept| serde_json::to_vec(&kept).ok());
            rows.push(Row { key: format!("{STANDING}{}", slot.fence.id), value });
        }
        rows
    }

    /// Takes back what [`Geofences::rows`] gave before a restart; rows of others are passed over. `rebase` says when a
    /// stamp of then was on this boot's scale, where that can be known.
    ///
    /// A fence of the site's file stands before a drawn one with its id. How the vehicle stands to a fence counts until
    /// the next believed fix confirms or changes it.
    pub fn restore(&mut self, rows: &[Row], rebase: impl Fn(Stamp) -> Option<Boot>) -> Vec<Unreadable> {
        let mut unreadable = Vec::new();
        let of = |kind| rows.iter().filter_map(move |row| Some((row, row.key.strip_prefix(kind)?, row.value.as_deref()?)));
        for (row, name, value) in of(DRAWN) {
            if let Err(why) = self.redraw(name, value) {
                unreadable.push(Unreadable { key: row.key.clone(), why });
            }
        }
        for (row, name, value) in of(STANDING) {
            if let Err(why) = self.stand(name, value, &rebase) {
                unreadable.push(Unreadable { key: row.key.clone(), why });
            }
        }
        unreadable
    }

    /// Takes in fences that were drawn before this run, of which it hears only now, out of rows that are kept already. One
    /// that is there under the same id is newer.
    pub fn take_up(&mut self, rows: &[Row]) -> Vec<Unreadable> {
        let mut unreadable = Vec::new();
        for row in rows {
            let (Some(name), Some(value)) = (row.key.strip_prefix(DRAWN), row.value.as_deref()) else { continue };
            if self.register.find(name).is_none() {
                let read = self.redraw(name, value);
                unreadable.extend(read.err().map(|why| Unreadable { key: row.key.clone(), why }));
            }
        }
        unreadable
    }

    fn redraw(&mut self, name: &str, value: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(value).map_err(|error| error.to_string())?;
        let Drawn { properties: DrawnBy { source } } = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let fence: Fence = read_one(text, Some(name), source).map_err(|fault| fault.to_string())?;
        self.put(fence).map_err(|refusal| refusal.to_string())?;
        // What was just read needs no writing.
        self.news.drawn.pop();
        Ok(())
    }

    fn stand(&mut self, name: &str, value: &[u8], rebase: &impl Fn(Stamp) -> Option<Boot>) -> Result<(), String> {
        let Some(id) = self.register.find(name) else {
            // Its fence is no more in the file, or was not understood: then its own row stays.
            self.news.gone.push(format!("{STANDING}{name}"));
            return Ok(());
        };
        let kept: Kept = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        let boot = if kept.long_ago { None } else { rebase(kept.since) };
        let stamp = Stamp { boot: boot.unwrap_or(kept.since.boot), ..kept.since };
        let since = Since { stamp, long_ago: boot.is_none() };
        let moved = since != Since { stamp: kept.since, long_ago: kept.long_ago };
        if let Some(slot) = self.register.get_mut(id) {
            slot.standing = kept.standing(since);
            slot.changed = false;
        }
        self.news.changed.retain(|changed| *changed != id);
        self.enlist(id);
        if moved {
            self.renew(id);
        }
        Ok(())
    }

    /// Everything but the fences themselves.
    pub fn memory(&self) -> Memory {
        let standings = self.register.iter().map(|(_, slot)| (slot.fence.id.clone(), slot.standing.clone()));
        Memory { track: self.track.clone(), last: self.last, standings: standings.collect() }
    }

    /// Goes on from there as if nothing had been between. A fence that was not there then is new.
    pub fn recall(&mut self, memory: Memory) {
        let Memory { track, last, mut standings } = memory;
        self.track = track;
        self.last = last;
        let all: Vec<Id> = self.register.iter().map(|(id, _)| id).collect();
        for id in all {
            let Some(slot) = self.register.get_mut(id) else { continue };
            if let Some(standing) = standings.remove(&slot.fence.id) {
                slot.standing = standing;
            }
            self.enlist(id);
        }
        if last.source != TimeSource::Unset {
            self.plan_starts(last.wall);
        }
    }
}

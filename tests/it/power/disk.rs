//! What a power cut leaves of files. What was synced is there. Of everything since, in whatever order it was done, the disk
//! has some and not the rest, in pieces of 512 bytes: of each sector one of its versions since the sync, of the size and of
//! the names in the directory as well.

use std::collections::BTreeMap;
use std::path::Path;

use super::vfs::Op;

/// A disk writes that much or nothing of it.
const SECTOR: usize = 512;

/// The files that a cut leaves.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Chance that comes again with its seed (Steele et al., SplitMix64).
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

/// Files as the system shows them, and what a disk is sure to have of them.
#[derive(Clone, Default)]
pub struct Disk {
    inodes: Vec<Inode>,
    now: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    /// Names made (of an inode) and removed since the directory was synced.
    pending: Vec<(String, Option<usize>)>,
}

#[derive(Clone, Default)]
struct Inode {
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// Its name may not be durable: the first sync of the file is one of the directory too.
    new: bool,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

/// How much of what was not synced gets through.
#[derive(Clone, Copy)]
enum Manner {
    Nothing,
    /// Each write or not, whole.
    Writes,
    /// Each sector of each write or not.
    Sectors,
    /// What was done first, up to some moment in the middle of a write.
    InOrder,
}

impl Disk {
    /// One that holds these for sure.
    pub fn of(files: &Files) -> Disk {
        let mut disk = Disk::default();
        for (name, bytes) in files {
            let inode = disk.add(Inode { durable: bytes.clone(), ..Inode::default() });
            disk.now.insert(name.clone(), inode);
            disk.durable.insert(name.clone(), inode);
        }
        disk
    }

    fn add(&mut self, inode: Inode) -> usize {
        self.inodes.push(inode);
        self.inodes.len() - 1
    }

    /// What was done to it.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Create(name) => {
                let inode = self.add(Inode { new: true, ..Inode::default() });
                self.now.insert(name.clone(), inode);
                self.pending.push((name.clone(), Some(inode)));
            }
            Op::Write(name, offset, bytes) => self.change(name, Change::Write(*offset, bytes.clone())),
            Op::Truncate(name, size) => self.change(name, Change::Truncate(*size)),
            Op::Sync(name) => {
                let inode = self.inode(name);
                let pending = std::mem::take(&mut inode.pending);
                pending.iter().for_each(|change| change.apply(&mut inode.durable));
                if std::mem::take(&mut inode.new) {
                    self.sync_names();
                }
            }
            Op::Delete(name, synced) => {
                self.now.remove(name);
                self.pending.push((name.clone(), None));
                if *synced {
                    self.sync_names();
                }
            }
        }
    }

    /// A file that somebody else made, and synced with its directory, is taken for empty.
    fn inode(&mut self, name: &str) -> &mut Inode {
        if !self.now.contains_key(name) {
            let inode = self.add(Inode::default());
            self.now.insert(name.to_owned(), inode);
            self.durable.insert(name.to_owned(), inode);
        }
        &mut self.inodes[self.now[name]]
    }

    fn change(&mut self, name: &str, change: Change) {
        self.inode(name).pending.push(change);
    }

    fn sync_names(&mut self) {
        for (name, inode) in std::mem::take(&mut self.pending) {
            set(&mut self.durable, name, inode);
        }
    }

    /// What a cut leaves, if it falls now.
    pub fn cut(&self, chance: &mut Chance) -> Files {
        let manner = [Manner::Nothing, Manner::Writes, Manner::Sectors, Manner::InOrder][chance.below(4)];
        let mut names = self.durable.clone();
        for (name, inode) in &self.pending {
            if chance.coin() {
                set(&mut names, name.clone(), *inode);
            }
        }
        names.into_iter().map(|(name, inode)| (name, self.inodes[inode].torn(manner, chance))).collect()
    }

    /// Everything: what is there when nothing is cut.
    pub fn whole(&self) -> Files {
        let all = |inode: &Inode| {
            let mut bytes = inode.durable.clone();
            inode.pending.iter().for_each(|change| change.apply(&mut bytes));
            bytes
        };
        self.now.iter().map(|(name, inode)| (name.clone(), all(&self.inodes[*inode]))).collect()
    }
}

fn set(names: &mut BTreeMap<String, usize>, name: String, inode: Option<usize>) {
    match inode {
        Some(inode) => drop(names.insert(name, inode)),
        None => drop(names.remove(&name)),
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Truncate(size) => bytes.resize(*size, 0),
            Change::Write(offset, written) => {
                bytes.resize(bytes.len().max(offset + written.len()), 0);
                bytes[*offset..offset + written.len()].copy_from_slice(written);
            }
        }
    }

    fn sectors(&self) -> std::ops::Range<usize> {
        match self {
            Change::Write(offset, written) => offset / SECTOR..(offset + written.len()).div_ceil(SECTOR),
            Change::Truncate(_) => 0..0,
        }
    }
}

impl Inode {
    fn torn(&self, manner: Manner, chance: &mut Chance) -> Vec<u8> {
        let last = chance.below(self.pending.len() + 1);
        // Of each sector: up to which change the disk has it. A later version holds what the earlier ones wrote.
        let mut versions: BTreeMap<usize, usize> = BTreeMap::new();
        let mut cut: Vec<usize> = Vec::new();
        for (at, change) in self.pending.iter().enumerate() {
            let whole = match manner {
                Manner::Nothing => false,
                Manner::Writes => chance.coin(),
                Manner::Sectors => true,
                Manner::InOrder => at <= last,
            };
            let torn = matches!(manner, Manner::Sectors) || matches!(manner, Manner::InOrder) && at == last;
            let kept = change.sectors().filter(|_| whole && (!torn || chance.coin()));
            versions.extend(kept.map(|sector| (sector, at)));
            if matches!(change, Change::Truncate(_)) && whole && !torn {
                cut.push(at);
            }
        }
        let mut bytes = self.durable.clone();
        let (mut size, sizes) = (bytes.len(), if matches!(manner, Manner::Nothing) { 0 } else { last });
        for (at, change) in self.pending.iter().enumerate() {
            match change {
                Change::Truncate(to) => {
                    if cut.contains(&at) && *to < bytes.len() {
                        bytes[*to..].fill(0);
                    }
                    size = if at < sizes { *to } else { size };
                }
                Change::Write(offset, written) => {
                    for sector in change.sectors().filter(|sector| versions.get(sector).is_some_and(|version| at <= *version)) {
                        let (from, to) = ((sector * SECTOR).max(*offset), ((sector + 1) * SECTOR).min(offset + written.len()));
                        Change::Write(from, written[from - offset..to - offset].to_vec()).apply(&mut bytes);
                    }
                    size = if at < sizes { size.max(offset + written.len()) } else { size };
                }
            }
        }
        bytes.resize(size, 0);
        bytes
    }
}

/// Puts these into a directory.
pub fn put(files: &Files, dir: &Path) {
    for (name, bytes) in files {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(offset: usize, byte: u8, count: usize) -> Op {
        Op::Write("file".to_owned(), offset, vec![byte; count])
    }

    #[test]
    fn what_was_synced_stays_and_of_the_rest_whole_sectors_are_lost() {
        let mut disk = Disk::default();
        for op in [Op::Create("file".into()), write(0, 1, 1_500), Op::Sync("file".into()), write(1_000, 2, 1_000)] {
            disk.apply(&op);
        }
        let mut sizes = std::collections::BTreeSet::new();
        let mut middles = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let file = &disk.cut(&mut Chance(seed))["file"];
            assert!(file[..1_000].iter().all(|byte| *byte == 1), "synced, and not written since");
            assert!(file[1_024..1_500].iter().all(|byte| *byte == file[1_024]), "a sector is not torn");
            sizes.insert(file.len());
            middles.insert((file[1_000], file[1_024]));
        }
        assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [1_500, 2_000]);
        assert_eq!(middles.into_iter().collect::<Vec<_>>(), [(1, 1), (1, 2), (2, 1), (2, 2)]);
        assert_eq!(disk.whole()["file"].len(), 2_000);
    }

    #[test]
    fn a_name_is_there_for_sure_once_the_file_or_the_directory_was_synced() {
        let mut disk = Disk::default();
        disk.apply(&Op::Create("file".into()));
        let found = |disk: &Disk| (0..50).filter(|seed| disk.cut(&mut Chance(*seed)).contains_key("file")).count();
        assert!((5..45).contains(&found(&disk)));
        disk.apply(&Op::Sync("file".into()));
        assert_eq!(found(&disk), 50);
        disk.apply(&Op::Delete("file".into(), false));
        assert!((5..45).contains(&found(&disk)));
        disk.apply(&Op::Delete("file".into(), true));
        assert_eq!(found(&disk), 0);
    }
}

//! The units that Telltale knows, each one file of `boards/`, built into the binary.
//!
//! A board's file is written like a site's and holds what is the same on every unit of that make: which receiver is on
//! which port, where data is kept, what to listen on. A site says `board = "NAME"` and then only what is particular to
//! it; printed by `telltale boards NAME`, the file is a site's file to start from, because it names itself as its board.

use std::path::{Path, PathBuf};

use super::fault::Findings;
use super::tree::Node;

/// A known unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// What `board` calls it.
    pub name: &'static str,
    /// Its file.
    pub text: &'static str,
}

/// All of them, by name.
pub const BOARDS: &[Board] = &[Board { name: "sim", text: include_str!("../../boards/sim.toml") }];

impl Board {
    /// The board of this name.
    pub fn named(name: &str) -> Option<Board> {
        BOARDS.iter().copied().find(|board| board.name == name)
    }

    /// What it is: the first line of its file.
    pub fn summary(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches('#').trim()
    }

    /// Its settings. A fault in them is a fault of this build; paths in it are absolute.
    pub fn read(&self, findings: &mut Findings) -> Option<Node> {
        Node::parse(&self.file(), self.text, findings)
    }

    /// What its file is called in findings.
    pub fn file(&self) -> PathBuf {
        Path::new("boards").join(self.name).with_extension("toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::Value;

    #[test]
    fn every_board_reads_names_itself_and_says_what_it_is() {
        for board in BOARDS {
            let mut findings = Findings::default();
            let node = board.read(&mut findings).unwrap();
            assert_eq!(findings, Findings::default(), "{}", board.name);
            assert_eq!(node.find("board").unwrap().value, Value::Text(board.name.to_owned()));
            assert!(board.text.starts_with("# ") && !board.summary().is_empty(), "{}", board.name);
        }
    }

    #[test]
    fn no_board_is_left_out_of_the_list() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("boards");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".toml").map(str::to_owned))
            .collect();
        files.sort();
        assert_eq!(files, BOARDS.iter().map(|board| board.name).collect::<Vec<_>>());
    }
}

//! The units that Telltale knows, each one file of `boards/`, built into the binary.
//!
//! A board's file is written like a site's and holds what is the same on every unit of that make: which receiver is on
//! which port, where data is kept, what to listen on; and last, from the line `[hardware]` on, what the unit is made of
//! ([`Hardware`](super::Hardware)), each fact with its source. A site says `board = "NAME"` and then only what is
//! particular to it; [`Board::start`] is a site's file to start from.

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
pub const BOARDS: &[Board] = &[
    Board { name: "autopi-cm4", text: include_str!("../../boards/autopi-cm4.toml") },
    Board { name: "beaglebone-black", text: include_str!("../../boards/beaglebone-black.toml") },
    Board { name: "nxp-imx6ull-evk", text: include_str!("../../boards/nxp-imx6ull-evk.toml") },
    Board { name: "qemu-virt", text: include_str!("../../boards/qemu-virt.toml") },
    Board { name: "raspberrypi-cm4-mcp2515", text: include_str!("../../boards/raspberrypi-cm4-mcp2515.toml") },
    Board { name: "sim", text: include_str!("../../boards/sim.toml") },
    Board { name: "ti-am62-sk", text: include_str!("../../boards/ti-am62-sk.toml") },
    Board { name: "toradex-verdin-imx8mp", text: include_str!("../../boards/toradex-verdin-imx8mp.toml") },
];

impl Board {
    /// The board of this name.
    pub fn named(name: &str) -> Option<Board> {
        BOARDS.iter().copied().find(|board| board.name == name)
    }

    /// What it is: the first line of its file.
    pub fn summary(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches('#').trim()
    }

    /// A site's file to start from: its own, which names itself as its board. The hardware is commented out: it holds
    /// without being said again, and a site takes the `#` away only before what differs on its unit.
    pub fn start(&self) -> String {
        let mut start = String::new();
        let mut is_hardware = false;
        for line in self.text.lines() {
            is_hardware |= line == "[hardware]";
            start.push_str(if is_hardware && !line.is_empty() && !line.starts_with('#') { "# " } else { "" });
            start.push_str(line);
            start.push('\n');
        }
        start
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
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::Hardware;
    use crate::config::hardware::TARGETS;
    use crate::config::tree::Value;
    use crate::config::typed::checked;
    use crate::gnss;

    fn each(judge: impl Fn(&Board, Node)) {
        for board in BOARDS {
            let mut findings = Findings::default();
            let node = board.read(&mut findings).unwrap();
            assert_eq!(findings, Findings::default(), "{}", board.name);
            judge(board, node);
        }
    }

    fn hardware(board: &Board, node: &Node) -> Hardware {
        let mut findings = Findings::default();
        let hardware = checked(node.find("hardware").unwrap(), "hardware", Hardware::check, &mut findings);
        assert_eq!(findings, Findings::default(), "{}", board.name);
        hardware
    }

    #[test]
    fn every_board_reads_names_itself_and_says_what_it_is() {
        each(|board, node| {
            assert_eq!(node.find("board").unwrap().value, Value::Text(board.name.to_owned()));
            assert!(board.text.starts_with("# ") && !board.summary().is_empty(), "{}", board.name);
        });
    }

    #[test]
    fn every_board_fits_its_type_and_makes_sense() {
        each(|board, node| {
            let hardware = hardware(board, &node);
            assert!(TARGETS.contains(&hardware.target.as_str()), "{}", board.name);
            assert!(!hardware.can.is_empty(), "{}: a unit without a bus", board.name);
            let devices: BTreeSet<_> = hardware.can.values().filter_map(|can| can.device.as_deref()).collect();
            assert_eq!(devices.len(), hardware.can.values().filter(|can| can.device.is_some()).count(), "{}", board.name);
            for (name, can) in hardware.can.iter().filter(|(_, can)| !can.is_virtual()) {
                let at = format!("{}: {name}", board.name);
                assert!(!can.controller.is_empty() && can.restart_ms.is_some(), "{at}");
                assert!([125_000, 250_000, 500_000, 1_000_000].contains(&can.bitrate.unwrap()), "{at}");
                if let (Some(hz), "mcp251x") = (can.oscillator, can.driver.as_str()) {
                    // mcp251x.c: half the crystal's clock, and 2 quanta at least behind the sample point.
                    let quanta = f64::from(hz) / 2.0 / f64::from(can.bitrate.unwrap());
                    assert!(quanta * (1.0 - can.sample_point.unwrap()) >= 2.0, "{at}: the controller cannot sample so late");
                }
                let knows_fd = ["mcp251xfd", "m_can"].contains(&can.driver.as_str()) || can.controller.contains(" FD");
                assert_eq!(can.data_bitrate.is_some(), knows_fd, "{at}");
                assert_eq!(can.data_bitrate.is_some(), can.data_sample_point.is_some(), "{at}");
                assert!(can.data_bitrate.is_none_or(|rate| [1_000_000, 2_000_000, 4_000_000, 5_000_000].contains(&rate)), "{at}");
                assert!(hardware.image.modules.contains(&can.driver), "{at}: its driver is loaded");
            }
            assert!(hardware.image.modules.iter().any(|module| module == "can-raw"), "{}", board.name);
        });
    }

    #[test]
    fn the_receiver_of_a_board_is_on_the_port_of_its_hardware() {
        each(|board, node| {
            let mut findings = Findings::default();
            let Some(Node { value: Value::List(receivers), .. }) = node.find("gnss") else {
                return assert_eq!(hardware(board, &node).gnss, None, "{}", board.name);
            };
            let receiver: gnss::Settings = checked(&receivers[0], "gnss", gnss::Settings::check, &mut findings);
            assert_eq!((receivers.len(), findings), (1, Findings::default()), "{}", board.name);
            assert_eq!(receiver.device, Path::new(crate::config::hardware::image::GNSS), "{}", board.name);
            assert!([4_800, 9_600, 38_400, 115_200].contains(&receiver.baud), "{}", board.name);
            assert!(hardware(board, &node).gnss.is_some(), "{}", board.name);
        });
    }

    /// A paragraph of the hardware names its sources in a comment, or says what was not verified.
    #[test]
    fn every_fact_has_a_source_or_says_that_it_has_none() {
        for board in BOARDS {
            let tables = board.text.split("\n\n").filter(|paragraph| paragraph.contains("[hardware"));
            let mut count = 0;
            for table in tables.filter(|paragraph| paragraph.lines().any(|line| line.starts_with("[hardware"))) {
                let comments: String = table.lines().filter_map(|line| line.strip_prefix("# ")).collect();
                let named = ["https://", "http://", ".dts", ".c", ".rst"].iter().any(|source| comments.contains(source));
                assert!(named, "{}: no source:\n{table}", board.name);
                count += 1;
            }
            let headers = board.text.lines().filter(|line| line.starts_with("[hardware")).count();
            assert_eq!(count, headers, "{}: a paragraph of its own for each table", board.name);
        }
    }

    #[test]
    fn what_a_site_starts_from_is_the_board_without_saying_its_hardware_again() {
        each(|board, node| {
            let mut findings = Findings::default();
            let start = Node::parse(Path::new("start"), &board.start(), &mut findings).unwrap();
            assert_eq!((start.find("hardware"), findings), (None, Findings::default()), "{}", board.name);
            assert_eq!(start.leaves().len(), node.leaves().iter().filter(|(path, _)| path[0] != "hardware").count());
            assert!(board.start().contains("\n# [hardware]\n"), "{}", board.name);
        });
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

//! What an image of each board gets: every file written, a site's file that `check` takes, and nothing of the site's lost.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::unit::{errors, project, run};

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn image(board: &str, root: &Path) -> Output {
    run(&["boards", board, "--image", root.to_str().unwrap()])
}

fn names() -> Vec<String> {
    let names = printed(&run(&["boards"])).lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    assert_ne!(names, Vec::<String>::new());
    names
}

#[test]
fn an_image_of_every_board_is_whole_and_its_site_begins_right() {
    for board in names() {
        let root = tempfile::tempdir().unwrap();
        let output = image(&board, root.path());
        assert_eq!(output.status.code(), Some(0), "{board}: {}", errors(&output));
        let told = printed(&output);
        for line in told.lines().filter_map(|line| line.strip_prefix("  wrote  ")) {
            assert!(root.path().join(line).is_file(), "{board}: {line}");
        }
        for path in ["etc/udev/rules.d/80-telltale.rules", "etc/systemd/system/telltale.service.d/board.conf"] {
            assert!(told.contains(path), "{board}: {told}");
        }
        let networks = fs::read_dir(root.path().join("etc/systemd/network")).unwrap().map(|entry| entry.unwrap().path());
        for network in networks.filter(|path| path.extension().is_some_and(|end| end == "network")) {
            let text = fs::read_to_string(&network).unwrap();
            assert!(text.contains("ListenOnly=yes\n") || text.contains("Name=vcan"), "{board}: {text}");
        }
        // What a site has to add to it, and nothing else, makes it whole.
        let site = root.path().join("etc/telltale/telltale.toml");
        let receiver = if board == "sim" { "[[gnss]]\ndevice = \"/dev/ttyUSB0\"\n" } else { "" };
        let start = fs::read_to_string(&site).unwrap();
        assert_eq!(start, printed(&run(&["boards", &board])), "{board}: what is printed is what is written");
        fs::write(&site, format!("{start}\n{receiver}[vehicle]\nvin = \"X\"\n")).unwrap();
        let checked = run(&["check", "--config", site.to_str().unwrap()]);
        assert_eq!(checked.status.code(), Some(0), "{board}: {}", printed(&checked));
        fs::write(&site, format!("board = {board:?}\nvehicle = {{ vin = \"X\" }}\ngnss = []\n")).unwrap();
        let deaf = printed(&run(&["check", "--config", site.to_str().unwrap()]));
        assert!(deaf.contains("and so is [[gnss]]: nothing would be read"), "{board}: the receiver can be left out: {deaf}");
    }
}

#[test]
fn what_a_site_says_of_its_hardware_counts_and_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let site = root.path().join("etc/telltale/telltale.toml");
    fs::create_dir_all(site.parent().unwrap()).unwrap();
    let text = r#"board = "raspberrypi-cm4-mcp2515"
[hardware.can.can0]
bitrate = 250000
[hardware.gnss]
tty = "ttyACM"
usb_vendor = "1546"
"#;
    fs::write(&site, text).unwrap();
    let output = image("raspberrypi-cm4-mcp2515", root.path());
    assert_eq!(output.status.code(), Some(0), "{}{}", printed(&output), errors(&output));
    assert!(printed(&output).contains("kept   etc/telltale/telltale.toml") && printed(&output).contains("dtoverlay=mcp2515"));
    assert_eq!(fs::read_to_string(&site).unwrap(), text);
    let read = |path: &str| fs::read_to_string(root.path().join(path)).unwrap();
    let network = read("etc/systemd/network/80-telltale-can0.network");
    assert!(network.contains("BitRate=250000\nSamplePoint=87.5%\nListenOnly=yes\nRestartSec=100ms\n"), "{network}");
    assert!(read("etc/systemd/system/telltale.service.d/board.conf").contains("DeviceAllow=char-ttyACM rw\n"));
    assert!(read("etc/modules-load.d/telltale.conf").contains("cdc-acm\n"));
}

#[test]
fn what_cannot_be_made_an_image_of_is_told_with_its_place() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(image("sim", &root.path().join("gone")).status.code(), Some(66));
    assert_eq!(run(&["boards", "--image", "x"]).status.code(), Some(64), "an image is of some board");
    let site = root.path().join("etc/telltale/telltale.toml");
    fs::create_dir_all(site.parent().unwrap()).unwrap();
    for (text, line, told) in [
        ("board = \"sim\"\n", 1, "board: is another one"),
        ("# none named\n", 1, "board: is another one"),
        ("board = \"qemu-virt\"\n[hardware.can.can0]\nbitrate = 5000000\n", 3, "hardware.can.can0.bitrate: is 5000000"),
        ("board = \"qemu-virt\"\n[hardware]\ntraget = \"x\"\n", 3, "nearest known one is `target`"),
        ("board = \"qemu-virt\"\n[hardware.can.can7]\nbitrate = 500000\n", 3, "hardware.can.can7: driver is absent"),
    ] {
        fs::write(&site, text).unwrap();
        let output = image("qemu-virt", root.path());
        assert_eq!(output.status.code(), Some(78), "{text}: {}", errors(&output));
        let said = errors(&output);
        assert!(said.contains(&format!("telltale.toml:{line}: ")) && said.contains(told), "{text}: {said}");
        assert!(!root.path().join("etc/systemd").exists(), "nothing is written of what is wrong");
    }
}

/// Each of the ways to build that the README names knows every ARM target that a board may have.
#[test]
fn every_target_of_a_board_can_be_built() {
    let read = |file: &str| -> toml::Table { fs::read_to_string(project(file)).unwrap().parse().unwrap() };
    let (cross, cargo, readme) =
        (read("cross.toml"), read(".cargo/config.toml"), fs::read_to_string(project("README.md")).unwrap());
    for target in telltale::config::hardware::TARGETS.iter().filter(|target| !target.starts_with("x86_64")) {
        assert!(cross["target"].get(target).and_then(|target| target.get("image")).is_some(), "cross.toml: {target}");
        assert!(readme.contains(target), "README.md: {target}");
        if target.contains("gnu") {
            let keys = cargo["target"].get(target).unwrap_or_else(|| panic!(".cargo/config.toml: {target}"));
            assert!(keys.get("linker").is_some() && keys.get("runner").is_some(), "{target}");
        }
    }
}

//! `telltale boards`: the units that Telltale knows, and what an image of one needs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::Exit;
use crate::can::profile::nearest;
use crate::config::hardware::image::{self, File};
use crate::config::{self, BOARDS, Board, Hardware, LoadError};

/// List the known boards, print one as a site's file to start from, or write what an image of it needs
///
/// With --image: the interfaces for systemd-networkd (listening only), the rule that names the receiver's port, what the
/// service may open, kernel modules and watchdog. What DIR/etc/telltale/telltale.toml says of the hardware counts before
/// the board; that file is written where there is none, and never touched where there is one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  telltale boards\n  telltale boards sim > telltale.toml\n  telltale boards qemu-virt --image rootfs"
)]
pub struct Boards {
    /// Print this board's file
    name: Option<String>,
    /// Write what an image of the board needs below this folder, the root of the image
    #[arg(long, value_name = "DIR", requires = "name")]
    image: Option<PathBuf>,
}

impl Boards {
    /// Prints the list or the file, or writes the image's files and says what is left to do.
    pub fn run(self) -> ExitCode {
        let Some(name) = self.name else { return super::print(&list()) };
        let Some(board) = Board::named(&name) else {
            let near = nearest(&name, BOARDS.iter().map(|board| board.name));
            let meant = near.map_or(String::new(), |near| format!("the nearest known one is {near}; "));
            eprintln!("telltale: no board is called {name}; {meant}telltale boards lists them");
            return Exit::NoInput.into();
        };
        match self.image {
            None => super::print(&board.start()),
            Some(root) => write_image(board, &root),
        }
    }
}

fn list() -> String {
    let width = BOARDS.iter().map(|board| board.name.len()).max().unwrap_or(0);
    BOARDS.iter().map(|board| format!("{:width$}  {}\n", board.name, board.summary())).collect()
}

fn write_image(board: Board, root: &Path) -> ExitCode {
    if !root.is_dir() {
        eprintln!("telltale: {} is no folder; name the root of the image, and make it first", root.display());
        return Exit::NoInput.into();
    }
    let site = root.join(SITE);
    let hardware = match config::load_hardware(board, &site) {
        Ok(hardware) => hardware,
        Err(LoadError::Wrong(findings)) => {
            eprint!("{findings}");
            return Exit::Configuration.into();
        }
        Err(absent @ LoadError::Absent { .. }) => {
            eprintln!("telltale: {absent}");
            return Exit::Io.into();
        }
    };
    match write(board, &hardware, root) {
        Ok(told) => super::print(&(told + &left(&hardware))),
        Err((path, error)) => {
            eprintln!("telltale: {}: {error}; give a folder that you may write to", path.display());
            Exit::Io.into()
        }
    }
}

/// The site's file, from the root of an image.
const SITE: &str = "etc/telltale/telltale.toml";

/// Writes every file, and says which.
fn write(board: Board, hardware: &Hardware, root: &Path) -> Result<String, (PathBuf, io::Error)> {
    let mut told = format!("for {}, below {}:\n", board.name, root.display());
    let mut files = image::files(board.name, hardware);
    if root.join(SITE).exists() {
        told.push_str(&format!("  kept   {SITE}\n"));
    } else {
        files.push(File { path: SITE.to_owned(), text: board.start() });
    }
    for File { path, text } in files {
        let at = root.join(&path);
        let written = at.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&at, text));
        written.map_err(|error| (at, error))?;
        told.push_str(&format!("  wrote  {path}\n"));
    }
    Ok(told)
}

/// What no file below the root can do.
fn left(hardware: &Hardware) -> String {
    let mut text = format!("left to you:\n  the binary or package for {}, which brings telltale.service\n", hardware.target);
    if let Some(file) = &hardware.image.boot_file {
        text.push_str(&format!("  the device tree: in {file}\n"));
        text.extend(hardware.image.boot_lines.iter().map(|line| format!("    {line}\n")));
    }
    text.push_str("  the interfaces: systemctl enable systemd-networkd\n");
    text.push_str("  the car: vehicle.vin and vehicle.profile of telltale.toml (telltale check says what is missing)\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_a_line_a_board() {
        let list = list();
        assert_eq!(list.lines().count(), BOARDS.len());
        assert!(list.contains("sim                      A computer without a car"), "{list}");
    }
}

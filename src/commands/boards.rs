//! `telltale boards`: the units that Telltale knows.

use std::process::ExitCode;

use super::Exit;
use crate::can::profile::nearest;
use crate::config::{BOARDS, Board};

/// List the known boards, or print one as TOML to start from
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  telltale boards\n  telltale boards sim > telltale.toml")]
pub struct Boards {
    /// Print this board's file
    name: Option<String>,
}

impl Boards {
    /// Prints the list or the file.
    pub fn run(self) -> ExitCode {
        let known = BOARDS.iter().map(|board| board.name);
        let text = match self.name.as_deref() {
            None => list(),
            Some(name) => match Board::named(name) {
                Some(board) => board.text.to_owned(),
                None => {
                    let near = nearest(name, known).unwrap_or_default();
                    eprintln!(
                        "telltale: no board is called {name}; the nearest known one is {near} (telltale boards lists them)"
                    );
                    return Exit::NoInput.into();
                }
            },
        };
        super::print(&text)
    }
}

fn list() -> String {
    let width = BOARDS.iter().map(|board| board.name.len()).max().unwrap_or(0);
    BOARDS.iter().map(|board| format!("{:width$}  {}\n", board.name, board.summary())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_a_line_a_board() {
        let list = list();
        assert_eq!(list.lines().count(), BOARDS.len());
        assert!(list.starts_with("sim  A computer without a car"), "{list}");
    }
}

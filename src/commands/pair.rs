//! `telltale pair`: lets one phone in.

use std::process::ExitCode;

use super::{Exit, no_daemon, print};
use crate::feed::Scope;
use crate::gateway::control::{Order, Said, ask};

/// Open pairing for one phone, through the running daemon, and show the QR code
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  telltale pair --member anna --scopes read,control --minutes 5")]
pub struct Pair {
    /// Whose phone it is
    #[arg(long, default_value = "owner")]
    member: String,
    /// What it may do: read, control, publish, admin
    #[arg(long, value_delimiter = ',', default_value = "read,control", value_parser = scope)]
    scopes: Vec<Scope>,
    /// How long pairing stays open, 1 to 60
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=60))]
    minutes: u32,
    /// After how many days the phone's token ends; never when absent
    #[arg(long)]
    days: Option<u32>,
    /// Show a code of 8 digits too, for a phone that cannot scan; five wrong ones close it
    #[arg(long)]
    short_code: bool,
}

fn scope(text: &str) -> Result<Scope, String> {
    match text {
        "read" => Ok(Scope::Read),
        "control" => Ok(Scope::Control),
        "publish" => Ok(Scope::Publish),
        "admin" => Ok(Scope::Admin),
        _ => Err("the scopes are read, control, publish and admin".to_owned()),
    }
}

impl Pair {
    /// Opens pairing and prints the link, as text and as QR code.
    pub fn run(self) -> ExitCode {
        let Pair { member, scopes, minutes, days, short_code } = self;
        match ask(&Order::Pair { member, scopes, minutes, days, short_code }) {
            Ok(Said::Open { code, url, short_code, pin }) => {
                let pin = pin.map(|pin| format!("&pin={pin}")).unwrap_or_default();
                let link = format!("{url}#pair={code}{pin}");
                let typed = short_code.map(|code| format!("Or open {url} and type in {code}\n")).unwrap_or_default();
                print(&format!("{}{link}\n{typed}Open for one phone, for {minutes} minutes.\n", qr(&link)))
            }
            Ok(Said::Refused(reason)) => {
                eprintln!("telltale: {reason}");
                Exit::Usage.into()
            }
            Ok(other) => {
                eprintln!("telltale: the daemon said something else: {other:?}");
                Exit::Unavailable.into()
            }
            Err(error) => no_daemon(&error),
        }
    }
}

/// A link as a QR code of half blocks, for a terminal; empty when it is too long for one.
pub fn qr(link: &str) -> String {
    let Ok(code) = qrcode::QrCode::new(link) else { return String::new() };
    let width = code.width();
    let dark = code.into_colors();
    // Two modules of quiet zone are enough for phones; light modules are drawn, for dark terminals.
    let light = |x: usize, y: usize| {
        let (Some(x), Some(y)) = (x.checked_sub(2), y.checked_sub(2)) else { return true };
        x >= width || y >= width || dark.get(y * width + x).is_none_or(|module| *module == qrcode::Color::Light)
    };
    let mut text = String::new();
    for y in (0..width + 4).step_by(2) {
        for x in 0..width + 4 {
            text.push(match (light(x, y), y + 1 < width + 4 && light(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_becomes_a_square_with_a_quiet_zone() {
        let text = qr("http://127.0.0.1:8080/#pair=00");
        let lines: Vec<&str> = text.lines().collect();
        let width = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width));
        assert_eq!(lines.len(), width.div_ceil(2));
        assert!(lines[0].chars().all(|c| c == '█'), "{text}");
        assert!(qr(&"x".repeat(4000)).is_empty());
    }
}

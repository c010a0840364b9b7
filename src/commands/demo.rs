//! `telltale demo`: the daemon with a simulated car.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::pair::qr;
use super::run::watch;
use super::{Exit, log};
use crate::clock::{Clock, Wall};
use crate::feed::{Device, Scope, TokenHash};
use crate::gateway::{self, Open, Setup, Sources};
use crate::geo::{self, FenceSource};
use crate::http::{self, hash_token, new_token};
use crate::journal;
use crate::sim::{self, Car, Files, PlaceFile, Recording, SCENARIOS};
use crate::vehicle::Vin;
use crate::{detect, diagnostics, upstream};

/// Show it with a simulated car: open the page that is printed
///
/// Real frames and real NMEA sentences go through the real decoders, the engine, the journal and the doors. The car lives
/// through a scenario again and again; killed at any moment, it goes on where it was.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  telltale demo\n  telltale demo --scenario hot-day --speed 1 --listen 127.0.0.1:0\n  \
                  telltale demo --upstream mqtt://localhost --vin CAR2 --listen 127.0.0.1:8082 --data /tmp/car2")]
pub struct Demo {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = address)]
    listen: SocketAddr,
    /// How many times as fast as the world the car's clock runs
    #[arg(long, value_name = "N", default_value = "4", value_parser = speed)]
    speed: f64,
    /// What is remembered, and the token [default: telltale-demo in the user's folder for state]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The story; a name that is none lists them
    #[arg(long, value_name = "NAME", default_value = SCENARIOS[0].name, value_parser = scenario)]
    scenario: &'static sim::Scenario,
    /// Send events and the track to this broker or collector (mqtt://, mqtts://, http://, https://), too; may be given again
    #[arg(long, value_name = "URL", value_parser = upstream)]
    upstream: Vec<upstream::Settings>,
    /// The car's number, so that several can run beside each other, each with its own --listen and --data
    #[arg(long, value_name = "VIN", default_value = sim::VIN, value_parser = vin)]
    vin: Vin,
    /// Write what the car sends to DIR, for `telltale replay`
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Listen beyond this machine: whoever has the token can read along
    #[arg(long)]
    lan: bool,
    /// One line of JSON as soon as it listens, and nothing else on stdout
    #[arg(long)]
    json: bool,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an address and its port, such as 127.0.0.1:8080 or [::1]:0, would be right".to_owned())
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.1..=100.0).contains(&speed) => Ok(speed),
        _ => Err("a speed lies between 0.1 and 100".to_owned()),
    }
}

/// A broker or collector of the fleet. The car is no real one, so who reads along on the way does no harm.
fn upstream(url: &str) -> Result<upstream::Settings, String> {
    let settings = upstream::Settings { url: url.parse()?, clear_text: true, ..upstream::Settings::default() };
    settings.check().map(|()| settings.named())
}

/// Upstreams of one host under names of their own.
fn apart(mut upstreams: Vec<upstream::Settings>) -> Vec<upstream::Settings> {
    for at in 1..upstreams.len() {
        let (before, rest) = upstreams.split_at_mut(at);
        if let Some(this) = rest.first_mut().filter(|this| before.iter().any(|other| other.name == this.name)) {
            this.name = format!("{}-{}", this.name.get(..29).unwrap_or(&this.name), at + 1);
        }
    }
    upstreams
}

fn vin(text: &str) -> Result<Vin, String> {
    Vin::try_from(text.to_owned())
}

fn scenario(name: &str) -> Result<&'static sim::Scenario, String> {
    sim::scenario(name).ok_or_else(|| {
        let known: Vec<String> = SCENARIOS.iter().map(|known| format!("{}: {}", known.name, known.about)).collect();
        format!("the scenarios are\n  {}", known.join("\n  "))
    })
}

impl Demo {
    /// Runs until it is told to stop.
    pub fn run(self) -> ExitCode {
        if !self.listen.ip().is_loopback() && !self.lan {
            eprintln!("telltale: {} can be reached from other machines; add --lan if that is meant", self.listen);
            return Exit::Usage.into();
        }
        log::begin();
        let (folder, is_ours) = match (&self.data, home()) {
            (Some(folder), _) => (folder.clone(), Ok(())),
            (None, Some(home)) => (home.join(FOLDER), Ok(())),
            (None, None) => {
                let folder = std::env::temp_dir().join(FOLDER);
                let is_ours = ours_alone(&folder);
                (folder, is_ours)
            }
        };
        let set = is_ours.and_then(|()| Token::of(&folder)).and_then(|token| Ok((self.setup(&folder, &token)?, token)));
        match set {
            Ok((setup, token)) => {
                let vin = setup.vin.clone();
                watch(async |shutdown| {
                    gateway::run(setup, shutdown, async |open| self.welcome(&token, &vin, &open)).await.map(drop)
                })
            }
            Err(reason) => {
                eprintln!("telltale: {reason}");
                Exit::Io.into()
            }
        }
    }

    fn setup(&self, folder: &Path, token: &Token) -> Result<Setup, String> {
        let (place, place_file) = PlaceFile::resume(folder, self.scenario, Wall::system()).map_err(|error| error.to_string())?;
        let recording = self.record.as_deref().map(|dir| Recording::create(dir, self.scenario.name)).transpose();
        let recording =
            recording.map_err(|error| format!("--record: {error}; name a folder without a recording of that name"))?;
        let profile = sim::profile().map_err(|problems| format!("{problems:?}"))?;
        let fences = geo::read(sim::FENCES, FenceSource::File).map_err(|faults| format!("{faults:?}"))?;
        let car = Car::new(self.scenario, SEED, place).map_err(|error| error.to_string())?.numbered(self.vin.clone());
        let trusted = if self.lan { "*" } else { "lo" };
        Ok(Setup {
            vin: self.vin.clone(),
            clock: Clock::scaled(place.wall, self.speed),
            // The car's boot time is its own, and starts anew with every run.
            boot_id: format!("demo-{}-{}", std::process::id(), Wall::system().micros()),
            sources: Sources::Simulated { profile, car: Box::new(car), files: Files { place: Some(place_file), recording } },
            // Its ECUs are simulated as the rest of it is.
            diagnostics: diagnostics::Settings { transmit: true, ..diagnostics::Settings::default() },
            detect: detect::Settings::default(),
            fences,
            places: None,
            journal: journal::Settings { dir: folder.join("journal"), ..journal::Settings::default() },
            http: http::Settings {
                listen: vec![self.listen],
                trusted: vec![trusted.to_owned()],
                // It is for this machine, and nobody is to find it.
                discovery: false,
                // The demo is for looking at, whether or not its journal can be written.
                guests: vec![token.guest()],
                ..http::Settings::default()
            },
            upstreams: apart(self.upstream.clone()),
            control: None,
            button: None,
            // Nothing is read again.
            changes: tokio::sync::mpsc::channel(1).1,
        })
    }

    /// The doors are open: says where, and with which token.
    fn welcome(&self, token: &Token, vin: &Vin, open: &Open) {
        let Token { token, kept } = token;
        let url = open.addresses.first().map(|address| format!("http://{address}/")).unwrap_or_default();
        let text = if self.json {
            let line = serde_json::json!({ "url": url, "token": token, "vin": vin, "unit": 1, "member": MEMBER });
            format!("{line}\n")
        } else {
            let link = format!("{url}#token={token}");
            format!(
                "{}\n{}\n\n  Page   {link}\n  Token  {token} (scopes read, control, publish; {kept})\n\n\
                 The car's story: {}.\nCtrl-C ends it; the next start goes on where it was.\n",
                qr(&link),
                "A simulated car, and what it tells:",
                self.scenario.about,
            )
        };
        let mut out = io::stdout().lock();
        // Nobody may be reading.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// The same car every time: its noise is part of the story.
const SEED: u64 = 1;

/// Whose phone the demo's token is.
const MEMBER: &str = "demo";

/// The demo's token.
struct Token {
    token: String,
    /// Where it stays, in words.
    kept: String,
}

impl Token {
    /// The one that the demo's folder holds, else a new one, which stays there if it can.
    fn of(folder: &Path) -> Result<Token, String> {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let path = folder.join("demo-token");
        let held = std::fs::read_to_string(&path).map(|text| text.trim().to_owned()).ok().filter(|text| !text.is_empty());
        let token = held.clone().map_or_else(new_token, Ok).map_err(|error| error.to_string())?;
        let kept = match held.map_or_else(|| keep(&path, &token), |_| Ok(())) {
            Ok(()) => format!("kept in {}", path.display()),
            Err(error) => {
                eprintln!("telltale: {}: {error}; the token is another one after the next start", path.display());
                "for this run only".to_owned()
            }
        };
        Ok(Token { token, kept })
    }

    /// Whom it lets in.
    fn guest(&self) -> (TokenHash, Device) {
        let device = Device {
            id: "demo".to_owned(),
            name: "demo".to_owned(),
            member: MEMBER.to_owned(),
            scopes: vec![Scope::Read, Scope::Control, Scope::Publish],
            paired: Wall::system(),
            expires: None,
        };
        (hash_token(&self.token), device)
    }
}

/// Writes a token where only its owner can read it.
fn keep(path: &Path, token: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{token}")?;
    file.sync_all()
}

/// What the demo keeps, where programs keep state for a user, else among temporary things.
const FOLDER: &str = "telltale-demo";

/// Where programs keep state for a user (XDG Base Directory Specification).
fn home() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
}

/// Makes the folder where everybody may make one, or sees that it is ours and nobody else's: it will hold a token.
fn ours_alone(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(format!("{shown} cannot be made: {error}")),
        _ => {}
    }
    let told = |error: io::Error| format!("{shown} cannot be looked at: {error}");
    let (found, me) = (std::fs::symlink_metadata(folder).map_err(told)?, std::fs::metadata("/proc/self").map_err(told)?);
    if found.is_dir() && found.uid() == me.uid() && found.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(format!("{shown} is not a folder that is yours alone; name another one with --data, or chmod 700 it if you made it"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_folder_where_everybody_may_make_one_is_ours_alone_or_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join(FOLDER);
        assert_eq!(ours_alone(&folder), Ok(()), "it is made");
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(ours_alone(&folder), Ok(()), "and found again");
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
        assert!(ours_alone(&folder).unwrap_err().contains("--data"));
        let link = temporary.path().join("link");
        symlink(temporary.path(), &link).unwrap();
        assert!(ours_alone(&link).is_err(), "whoever made it may turn it elsewhere");
    }

    #[test]
    fn upstreams_of_one_host_go_by_names_of_their_own() {
        let urls = ["mqtt://localhost", "http://localhost:9000", "https://fleet.example", "mqtt://broker.example"];
        let named = apart(urls.map(|url| upstream(url).unwrap()).into());
        let names: Vec<&str> = named.iter().map(|upstream| upstream.name.as_str()).collect();
        assert_eq!(names, ["localhost", "localhost-2", "fleet-example", "broker-example"]);
        assert!(upstream("ftp://localhost").is_err_and(|told| told.contains("mqtts://")));
    }
}

//! The unit's own door: a Unix socket through which `telltale pair` and `telltale devices` talk to the running daemon.
//!
//! Who may open the socket may do this: it is made with mode 0660, so root and the group of the daemon. One line of JSON
//! in, one line of JSON out, then the end. A peer has 5 s for its line, which has 4 KiB at most; 8 peers at once.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::feed::{Device, Feed, Scope};
use crate::health::Health;
use crate::http::{Entrance, Invitation, Pairing};

const LINE: u64 = 4096;
const PATIENCE: Duration = Duration::from_secs(5);
const PEERS: usize = 8;

/// What is asked of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Open pairing for one phone.
    Pair {
        /// Whose phone.
        member: String,
        /// What it may do.
        scopes: Vec<Scope>,
        /// For how long pairing is open.
        minutes: u32,
        /// After how many days the token ends.
        days: Option<u32>,
        /// With a short code too.
        #[serde(default)]
        short_code: bool,
    },
    /// List the paired phones.
    Devices,
    /// Forget a phone.
    Revoke {
        /// Its id.
        id: String,
    },
    /// Let a task hang: a test of the watchdog.
    #[cfg(debug_assertions)]
    Hang {
        /// Its pulse's name.
        task: String,
    },
}

/// What the daemon says to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// Pairing is open, under this code.
    Open {
        /// 128 bits in hex.
        code: String,
        /// The address of the page that takes it.
        url: String,
        /// 8 digits that can be typed in instead, where they were asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        short_code: Option<String>,
        /// The SHA-256 of the public key that is shown there, in hex; absent where there is no TLS.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pin: Option<String>,
    },
    /// The paired phones.
    Devices(Vec<Device>),
    /// Whether there was such a phone.
    Revoked(bool),
    /// A task will hang.
    #[cfg(debug_assertions)]
    Hangs,
    /// Not done; why, and what would be right.
    Refused(String),
}

/// Where the socket is: in the folder that systemd makes for the unit (`RuntimeDirectory=`), else `/run/telltale`.
pub fn socket_path() -> PathBuf {
    let folder = std::env::var_os("RUNTIME_DIRECTORY").map_or_else(|| PathBuf::from("/run/telltale"), PathBuf::from);
    folder.join("control.sock")
}

/// The daemon's side.
pub struct Control {
    listener: UnixListener,
    pairing: Pairing,
    feed: Arc<dyn Feed>,
    entrance: Entrance,
    health: Health,
    peers: Arc<Semaphore>,
}

impl Control {
    /// Listens at `path`; a socket that a dead daemon left there is replaced. Phones reach the page by `entrance`.
    ///
    /// # Errors
    /// Those of making a folder and a socket; `AddrInUse` when another daemon answers there.
    pub async fn listen(
        path: &Path,
        pairing: Pairing,
        feed: Arc<dyn Feed>,
        entrance: Entrance,
        health: Health,
    ) -> io::Result<Control> {
        if UnixStream::connect(path).await.is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another telltale answers there"));
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
        Ok(Control { listener, pairing, feed, entrance, health, peers: Arc::new(Semaphore::new(PEERS)) })
    }

    /// Answers whoever comes. Never ends.
    pub async fn run(self) {
        let control = Arc::new(self);
        let pulse = control.health.pulse("control");
        loop {
            let Ok(place) = pulse.rest(Arc::clone(&control.peers).acquire_owned()).await else { return };
            match pulse.rest(control.listener.accept()).await {
                Ok((peer, _)) => {
                    let control = Arc::clone(&control);
                    tokio::spawn(async move {
                        // A peer that goes away has itself to blame.
                        let _ = tokio::time::timeout(PATIENCE * 2, control.serve(peer)).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket accepts nobody for a second");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn serve(&self, mut peer: UnixStream) -> io::Result<()> {
        let (read, mut write) = peer.split();
        let mut line = Vec::new();
        let mut bounded = BufReader::new(read.take(LINE));
        tokio::time::timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await??;
        let said = match serde_json::from_slice(&line) {
            Ok(order) => self.obey(order).await,
            Err(error) => Said::Refused(format!("that is no order of this version: {error}")),
        };
        let mut answer = serde_json::to_vec(&said)?;
        answer.push(b'\n');
        write.write_all(&answer).await
    }

    async fn obey(&self, order: Order) -> Said {
        match order {
            Order::Pair { member, scopes, minutes, days, short_code } => {
                let invitation = Invitation { member, scopes, days };
                let opened = if short_code {
                    self.pairing.open_with_short_code(invitation, minutes).map(|(code, short)| (code, Some(short)))
                } else {
                    self.pairing.open(invitation, minutes).map(|code| (code, None))
                };
                match opened {
                    Ok((code, short_code)) => Said::Open { code, url: self.entrance.url(), short_code, pin: self.entrance.pin() },
                    Err(reason) => Said::Refused(reason),
                }
            }
            Order::Devices => Said::Devices(self.feed.devices().iter().map(|device| Device::clone(device)).collect()),
            Order::Revoke { id } => match self.feed.revoke_device(&id).await {
                Ok(there) => Said::Revoked(there),
                Err(reason) => Said::Refused(reason.to_string()),
            },
            #[cfg(debug_assertions)]
            Order::Hang { task } => match self.health.hang(&task) {
                Ok(()) => Said::Hangs,
                Err(names) => Said::Refused(format!("there is no task {task}; there are {}", names.join(", "))),
            },
        }
    }
}

/// Asks the running daemon; for the command line, which has no runtime.
///
/// # Errors
/// `NotFound` or `ConnectionRefused` where no daemon runs, `PermissionDenied` where the caller may not; `InvalidData` for
/// an answer of another version.
pub fn ask(order: &Order) -> io::Result<Said> {
    use std::io::{BufRead, Read, Write};
    let mut socket = std::os::unix::net::UnixStream::connect(socket_path())?;
    socket.set_read_timeout(Some(PATIENCE * 2))?;
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    socket.write_all(&line)?;
    let mut answer = String::new();
    // A list of devices is short; nothing that answers here sends a megabyte.
    std::io::BufReader::new(socket.take(1 << 20)).read_line(&mut answer)?;
    serde_json::from_str(&answer).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

//! A car beside the daemon: the simulated one, sent at real speed into a FIFO a bus and into a PTY, whoever reads there.
//!
//! As on a wire, what nobody reads is gone: the car does not wait for a daemon, and drives on while none is there.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;
use telltale::can::candump::Line;
use telltale::clock::Wall;
use telltale::sim::{Car, Expected, Output, Place, Telling, Timeline, scenario};

/// The buses with their interfaces, as in `car.toml`.
const BUSES: [(&str, &str); 2] = [("body", "can0"), ("cabin", "can1")];

/// How the car is connected.
#[derive(Default)]
struct Plugs {
    /// Nobody writes to the FIFOs.
    cut: bool,
    receiver: Option<PtyMaster>,
    ended: bool,
}

/// A car that is being driven. Ends when it goes out of scope.
pub struct Feeder {
    folder: PathBuf,
    plugs: Arc<Mutex<Plugs>>,
    thread: Option<JoinHandle<()>>,
}

impl Feeder {
    /// Drives the car of `name` from `ahead` seconds before the first event that `wanted` takes. In `folder` appear
    /// `body.fifo`, `cabin.fifo` and the `receiver`.
    pub fn start(folder: &Path, name: &str, ahead: f64, wanted: impl Fn(Telling) -> bool) -> Feeder {
        let scenario = scenario(name).unwrap();
        let Expected { earliest, .. } = Timeline::new(scenario, 1).expected().into_iter().find(|due| wanted(due.telling)).unwrap();
        let within_us = ((earliest - ahead).max(0.0) * 1e6) as u64;
        let car = Car::new(scenario, 1, Place { loops: 0, within_us, wall: Wall::system() }).unwrap();
        for (bus, _) in BUSES {
            nix::unistd::mkfifo(&fifo(folder, bus), Mode::S_IRWXU).unwrap();
        }
        let plugs = Arc::new(Mutex::new(Plugs::default()));
        let mut feeder = Feeder { folder: folder.to_owned(), plugs: plugs.clone(), thread: None };
        feeder.plug_receiver();
        let folder = feeder.folder.clone();
        feeder.thread = Some(std::thread::spawn(move || drive(car, &folder, &plugs)));
        feeder
    }

    /// The receiver's plug is pulled.
    pub fn unplug_receiver(&self) {
        self.plugs().receiver = None;
    }

    /// And put in again: as another device, under the same name.
    pub fn plug_receiver(&self) {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let link = self.folder.join("receiver");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(ptsname_r(&master).unwrap(), link).unwrap();
        self.plugs().receiver = Some(master);
    }

    /// Nobody writes to the FIFOs until [`Feeder::join`].
    pub fn cut(&self) {
        self.plugs().cut = true;
    }

    /// Somebody does again.
    pub fn join(&self) {
        self.plugs().cut = false;
    }

    fn plugs(&self) -> MutexGuard<'_, Plugs> {
        self.plugs.lock().unwrap()
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.plugs().ended = true;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn fifo(folder: &Path, bus: &str) -> PathBuf {
    folder.join(format!("{bus}.fifo"))
}

/// Sends everything when it is due.
fn drive(car: Car, folder: &Path, plugs: &Mutex<Plugs>) {
    let begun = Instant::now();
    let start = car.start().wall;
    let mut wires: [Option<File>; 2] = [None, None];
    for (after, output) in car {
        // The car's own pace; nothing waits for anything here.
        std::thread::sleep(after.saturating_sub(begun.elapsed()));
        let mut plugs = plugs.lock().unwrap();
        if plugs.ended {
            return;
        }
        if plugs.cut {
            wires = [None, None];
        }
        match output {
            Output::Frame { bus, mut frame } if !plugs.cut => {
                let at = BUSES.iter().position(|(name, _)| *name == bus).unwrap();
                frame.at = telltale::clock::Boot::from_micros(start.micros()) + after;
                let line = format!("{}\n", Line { interface: BUSES[at].1, frame });
                wires[at] = wires[at].take().or_else(|| open(&fifo(folder, bus))).filter(|wire| send(wire, line.as_bytes()));
            }
            Output::Frame { .. } => {}
            Output::Sentence(sentence) => {
                if let Some(receiver) = &mut plugs.receiver {
                    let line = [&*sentence, b"\r\n"].concat();
                    // A full buffer is a reader that has gone.
                    let _ = receiver.write_all(&line);
                }
            }
        }
    }
}

/// The writer's end, where there is a reader.
fn open(path: &Path) -> Option<File> {
    OpenOptions::new().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).ok()
}

/// Whether the reader is still there. A line that a full FIFO does not take is lost, as a frame is.
fn send(mut wire: &File, line: &[u8]) -> bool {
    match wire.write_all(line) {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}

/// A pause that is part of a story: so long nobody was there.
pub fn meanwhile(duration: Duration) {
    std::thread::sleep(duration);
}

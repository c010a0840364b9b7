//! Wakes who waits to try again, as soon as there is a way that was not there before.
//!
//! [`watch()`] moves when the kernel tells (rtnetlink(7), by multicast, which needs no rights) of a new unicast route, of an
//! address that can be used from now on, or of a link that has come up: what stood behind an antenna, a cable or a phone's
//! hotspot may be reached again, and nobody has to wait out a backoff of minutes for it. What comes within 1 s is one move.
//!
//! What an access point repeats every few seconds is no news: an address or a link that is known already moves nothing, nor do
//! link-local addresses, routes to ourselves, or those that the kernel makes for single destinations. Where the kernel's
//! words are not to be had, only the backoff counts.

mod message;

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram as Descriptor;
use std::time::Duration;

use nix::sys::socket::{AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, socket};
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::sync::watch;

use self::message::Known;

pub use self::message::survives;

/// `RTMGRP_LINK`, and `IFADDR` and `ROUTE` of both families.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// What comes within so long is one move: a link, an address and its routes come together.
const TOGETHER: Duration = Duration::from_secs(1);

/// The kernel's messages have up to a page or two.
const LONGEST: usize = 16 << 10;

/// A number that rises whenever there may be a new way out. It stands still for ever if the kernel stops telling.
///
/// # Errors
/// Where there is no such socket (another kernel, a sandbox without `AF_NETLINK`).
pub fn watch() -> io::Result<watch::Receiver<u64>> {
    let socket = open()?;
    let (moved, seen) = watch::channel(0);
    tokio::spawn(async move {
        tokio::select! {
            error = listen(&socket, &moved) => {
                tracing::warn!(%error, "the kernel tells of no new routes any more; upstreams wait out their backoff");
            }
            () = moved.closed() => {}
        }
    });
    Ok(seen)
}

fn open() -> io::Result<UnixDatagram> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let descriptor = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
    bind(descriptor.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
    // To the runtime one datagram socket is as another: it waits for the descriptor, and what is read is read by `receive`.
    UnixDatagram::from_std(Descriptor::from(descriptor))
}

async fn listen(socket: &UnixDatagram, moved: &watch::Sender<u64>) -> io::Error {
    let mut known = Known::default();
    let mut buffer = vec![0; LONGEST];
    loop {
        match socket.async_io(Interest::READABLE, || receive(socket, &mut known, &mut buffer)).await {
            Ok(false) => continue,
            Ok(true) => {}
            Err(error) => return error,
        }
        tokio::time::sleep(TOGETHER).await;
        loop {
            match socket.try_io(Interest::READABLE, || receive(socket, &mut known, &mut buffer)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return error,
            }
        }
        moved.send_modify(|moves| *moves = moves.wrapping_add(1));
    }
}

/// Reads what the kernel says next, and whether that is news.
fn receive(socket: &UnixDatagram, known: &mut Known, buffer: &mut [u8]) -> io::Result<bool> {
    match recvfrom::<NetlinkAddr>(socket.as_raw_fd(), buffer) {
        // Other processes have a port, the kernel has none.
        Ok((length, from)) if from.is_none_or(|from| from.pid() == 0) => Ok(known.hear(buffer.get(..length).unwrap_or_default())),
        Ok(_) => Ok(false),
        // It had more to say than there was room for: something among that may have been news.
        Err(nix::errno::Errno::ENOBUFS) => Ok(true),
        Err(nix::errno::Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use nix::sched::{CloneFlags, unshare};

    use super::*;

    fn ip(arguments: &str) {
        let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
        assert!(status.success(), "ip {arguments}");
    }

    async fn moves(seen: &mut watch::Receiver<u64>) {
        tokio::time::timeout(Duration::from_secs(300), seen.changed()).await.expect("a move").unwrap();
    }

    #[tokio::test]
    async fn a_new_address_or_route_moves_it() {
        if !["/sbin/ip", "/usr/sbin/ip", "/bin/ip"].iter().any(|path| std::path::Path::new(path).exists()) {
            println!("passed over: there is no ip here");
            return;
        }
        // Of this thread alone, which ends with the test.
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
            println!("passed over: no network of its own for this test ({error})");
            return;
        }
        let mut seen = watch().unwrap();
        ip("link set lo up");
        for step in ["address add 192.0.2.7/24 dev lo", "route add 198.51.100.0/24 dev lo", "route add default dev lo"] {
            ip(step);
            moves(&mut seen).await;
        }
        ip("address del 192.0.2.7/24 dev lo");
        ip("route del default");
        ip("route add default dev lo");
        moves(&mut seen).await;
        assert_eq!(*seen.borrow(), 4, "what goes is no move");
    }

    #[tokio::test]
    async fn it_ends_with_who_watches() {
        let Ok(seen) = watch() else {
            println!("passed over: there is no netlink here");
            return;
        };
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        assert_eq!(tasks(), 1);
        drop(seen);
        while tasks() > 0 {
            tokio::task::yield_now().await;
        }
    }
}

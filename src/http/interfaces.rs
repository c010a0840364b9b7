//! Over which network interface a connection runs, and whether plain HTTP may carry a token there.
//!
//! Linux takes a packet for any of its addresses on any of its interfaces (RFC 1122, 3.3.4.2: the weak host model), and
//! does not tell of a TCP connection where it came in. So both of its ends are judged: the unit's by the interface that
//! has that address, the peer's by the interface over which answers to it leave. A neighbour on an untrusted network who
//! asks for the access point's address is so refused; one who gives an address of the access point's network for the own
//! never sees an answer, so no connection comes about.
//!
//! Asked anew for each connection, since an access point comes and goes: an address is looked up among those the kernel
//! says the interfaces have now.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use nix::ifaddrs::getifaddrs;

/// The interfaces of `http.trusted`.
#[derive(Clone, Debug)]
pub(super) struct Trusted(Vec<String>);

impl Trusted {
    pub(super) fn new(names: &[String]) -> Trusted {
        Trusted(names.to_vec())
    }

    /// All of them.
    pub(super) fn everything() -> Trusted {
        Trusted(vec!["*".to_owned()])
    }

    /// Whether the interface that has `local`, an address of the unit's, is trusted.
    pub(super) fn allows(&self, local: IpAddr) -> bool {
        self.everywhere() || carrying(local).is_some_and(|found| self.0.contains(&found))
    }

    /// Whether a connection between these two runs over trusted interfaces only.
    pub(super) fn allows_between(&self, local: IpAddr, peer: SocketAddr) -> bool {
        self.everywhere() || self.allows(local) && toward(peer).is_ok_and(|near| self.allows(near))
    }

    /// An address of a trusted interface by which another machine reaches this one now, IPv4 before IPv6.
    pub(super) fn reachable(&self) -> Option<IpAddr> {
        let trusted = |name: &String| self.everywhere() || self.0.contains(name);
        let interfaces = getifaddrs().ok()?.filter(|interface| trusted(&interface.interface_name));
        let addresses = interfaces.filter_map(|interface| ip(&interface.address?));
        addresses.filter(|address| !address.is_loopback() && !is_link_local(address)).min_by_key(IpAddr::is_ipv6)
    }

    fn everywhere(&self) -> bool {
        self.0.iter().any(|name| name == "*")
    }
}

/// The unit's address nearest to `peer`: the one that the kernel would send from. Nothing is sent.
fn toward(peer: SocketAddr) -> io::Result<IpAddr> {
    let peer = match peer {
        SocketAddr::V6(v6) => v6.ip().to_ipv4_mapped().map_or(peer, |v4| SocketAddr::from((v4, v6.port()))),
        SocketAddr::V4(_) => peer,
    };
    let any = if peer.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { IpAddr::from(Ipv6Addr::UNSPECIFIED) };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(peer)?;
    Ok(socket.local_addr()?.ip())
}

/// The interface that has this address; `None` where none has it now.
pub(super) fn carrying(address: IpAddr) -> Option<String> {
    let address = address.to_canonical();
    if address.is_loopback() {
        return Some("lo".to_owned());
    }
    let found = getifaddrs().ok()?.find(|interface| interface.address.is_some_and(|has| ip(&has) == Some(address)));
    found.map(|interface| interface.interface_name)
}

/// The unit's addresses now, in order, without those of one IPv6 link.
pub(super) fn own_addresses() -> BTreeSet<IpAddr> {
    let addresses = getifaddrs().into_iter().flatten().filter_map(|interface| ip(&interface.address?));
    addresses.filter(|address| address.is_ipv4() || !is_link_local(address)).collect()
}

/// Good on one link only, and an IPv6 one not without its name.
fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn ip(address: &nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_lo_in_every_spelling() {
        let trusted = Trusted::new(&["lo".to_owned()]);
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(trusted.allows(address.parse().unwrap()), "{address}");
        }
        assert!(!trusted.allows("192.0.2.1".parse().unwrap()), "no interface has it");
        assert!(!Trusted::new(&["wlan0".to_owned()]).allows("127.0.0.1".parse().unwrap()));
        assert!(Trusted::new(&["*".to_owned()]).allows("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn loopback_is_no_way_for_a_phone() {
        assert_eq!(Trusted::new(&["lo".to_owned()]).reachable(), None);
        let found = Trusted::new(&["*".to_owned()]).reachable();
        assert!(found.is_none_or(|found| carrying(found).is_some_and(|name| name != "lo")), "{found:?}");
    }

    #[test]
    fn who_asks_a_trusted_address_from_elsewhere_is_refused() {
        let trusted = Trusted::new(&["lo".to_owned()]);
        let lo = |peer: &str| trusted.allows_between(IpAddr::from([127, 0, 0, 1]), peer.parse().unwrap());
        for near in ["127.0.0.1:5000", "127.1.2.3:5000", "[::ffff:127.0.0.1]:5000"] {
            assert!(lo(near), "{near}");
        }
        // Answers to these leave by another interface, or not at all.
        for far in ["192.0.2.1:5000", "[::ffff:192.0.2.1]:5000", "[2001:db8::1]:5000"] {
            assert!(!lo(far), "{far}");
        }
        assert!(Trusted::new(&["*".to_owned()]).allows_between([127, 0, 0, 1].into(), "192.0.2.1:5000".parse().unwrap()));
        assert!(!trusted.allows_between("192.0.2.7".parse().unwrap(), "127.0.0.1:5000".parse().unwrap()));
    }
}

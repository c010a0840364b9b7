//! Where a J1939 emission leaves for the bus.

use tokio::net::UnixDatagram;

use super::{Fault, Permission, send, socket};
use crate::clock::Boot;
use crate::diagnostics::j1939::Emission;

/// A way to a J1939 bus for [`Emission`]s, which cannot change anything in a vehicle. It hears nothing.
#[derive(Debug)]
pub struct Voice {
    interface: String,
    socket: UnixDatagram,
}

impl Voice {
    /// A way out by `interface`.
    ///
    /// # Errors
    /// There is no such CAN interface.
    pub fn open(interface: &str, _: Permission) -> Result<Voice, Fault> {
        let socket = socket::deaf(interface).map_err(|source| Fault::Socket { interface: interface.into(), source })?;
        Ok(Voice { interface: interface.into(), socket })
    }

    /// Sends it.
    ///
    /// # Errors
    /// The interface cannot be used, or had no room for a second.
    pub async fn send(&self, emission: Emission) -> Result<(), Fault> {
        send(&self.socket, &emission.frame(Boot::default()))
            .await
            .map_err(|source| Fault::Socket { interface: self.interface.clone(), source })
    }
}

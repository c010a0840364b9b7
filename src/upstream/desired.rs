//! What the fleet wants of the vehicle: fences and settings.

use bytes::Bytes;
use tokio::sync::oneshot;

/// What the fleet may want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Its fences: all that have `source: fleet`.
    Fences,
    /// Numbers of the detectors.
    Settings,
}

/// A document that the fleet set.
#[derive(Debug)]
pub struct Desired {
    /// What it is of.
    pub what: Wish,
    /// As it came; empty where the fleet took it away.
    pub document: Bytes,
    /// Takes what is reported on it.
    pub reply: oneshot::Sender<Bytes>,
}

//! What a site says of diagnosis: `[diagnostics]` of its file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How ECUs are asked, and whether at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whether the daemon may put a frame on a bus. It then asks the ECUs of the buses that the profile names, gently;
    /// otherwise no socket of the daemon can send, and it hears only what is told unasked or to others.
    pub transmit: bool,
    /// Whose ISO-TP is used.
    pub isotp: IsoTp,
    /// The owner's own texts for codes, JSON.
    pub texts: Option<PathBuf>,
}

/// Whose ISO-TP (ISO 15765-2) is used; both give the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IsoTp {
    /// The kernel's where it has the module `can-isotp`, else our own.
    #[default]
    Auto,
    /// The kernel's; where it has none, nothing is asked.
    Kernel,
    /// Our own.
    Own,
}

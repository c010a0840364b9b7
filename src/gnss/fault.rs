//! What can be wrong with a line.

/// Why a line is no sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Bytes that belong to no sentence: another protocol, a wrong baud rate, a line without its beginning.
    #[error("no NMEA sentence: one begins with `$` and is printable ASCII")]
    Garbage,
    /// Longer than [`MAX_SENTENCE`](crate::vehicle::MAX_SENTENCE) bytes.
    #[error("longer than any NMEA sentence: at most 256 characters are taken")]
    Overlong,
    /// It has no `*` with two hexadecimal digits, so it may be the middle of two.
    #[error("no checksum: a sentence ends with `*` and two hexadecimal digits")]
    NoChecksum,
    /// It is damaged.
    #[error("the checksum is not that of the sentence")]
    Checksum,
    /// Its checksum is right, and what it says cannot be read.
    #[error("the checksum is right, but the fields are not those of this sentence")]
    Malformed,
}

//! What a frame takes of a bus.

use crate::vehicle::Frame;

/// The most bits that this frame can have on the wire: with all that stuffing can add (ISO 11898-1), and the three of
/// interframe space.
pub fn bits(frame: &Frame) -> u32 {
    bits_of(frame.extended, frame.data.len())
}

/// The same of one with so many bytes of data, under an id of 29 bits or of 11.
pub fn bits_of(extended: bool, length: usize) -> u32 {
    let stuffed = (if extended { 54 } else { 34 }) + 8 * u32::try_from(length).unwrap_or(64).min(64);
    stuffed + (stuffed - 1) / 4 + 13
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_with_all_that_stuffing_can_add() {
        assert_eq!([bits_of(false, 8), bits_of(true, 8), bits_of(false, 0)], [135, 160, 55]);
    }
}

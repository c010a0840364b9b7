//! From bytes to sentences: where a line begins and ends on a wire that may carry anything.
//!
//! A sentence begins at `$` (or `!`, encapsulated ones) and ends at CR, LF, or the next `$`: two that run together are
//! two. NUL bytes, which a break on the line leaves, are passed over. Anything else that is not printable ASCII spoils
//! the sentence it stands in. What is before a `$` is garbage, a line that begins with `#` is a comment, and of a
//! sentence longer than [`MAX_SENTENCE`] nothing is kept.

use super::fault::Fault;
use crate::vehicle::{MAX_SENTENCE, Sentence};

/// Where in the stream the next byte falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// At the beginning of a line, or after blanks there.
    #[default]
    LineStart,
    /// In a sentence.
    Sentence,
    /// In a comment, to the end of the line.
    Comment,
    /// In something that is already counted as let go, up to `$` or the end of the line.
    Spoilt,
}

/// Cuts a stream of bytes into sentences. Memory: one sentence.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    at: At,
    sentence: Sentence,
    line: u64,
    started: u64,
    carriage: bool,
}

impl Lines {
    /// Takes the next bytes, however the stream was cut. `take` is called with the number of the line (from 1) on which
    /// each sentence began, and the sentence or what was let go.
    pub fn push(&mut self, bytes: &[u8], mut take: impl FnMut(u64, Result<&Sentence, Fault>)) {
        let mut rest = bytes;
        while let Some((&first, tail)) = rest.split_first() {
            if self.at == At::Sentence {
                let plain = rest.iter().position(|b| !matches!(b, b' '..=b'#' | b'%'..=b'~')).unwrap_or(rest.len());
                if plain > 0 {
                    let (text, after) = rest.split_at(plain);
                    self.extend(text, &mut take);
                    rest = after;
                    continue;
                }
            }
            self.special(first, &mut take);
            rest = tail;
        }
    }

    /// The stream has ended: what stands is a sentence, if it was one.
    pub fn finish(&mut self, mut take: impl FnMut(u64, Result<&Sentence, Fault>)) {
        self.end(&mut take);
        *self = Lines::default();
    }

    /// The number of the line on which the next byte falls, from 1.
    fn number(&self) -> u64 {
        self.line.saturating_add(1)
    }

    fn extend(&mut self, text: &[u8], take: &mut impl FnMut(u64, Result<&Sentence, Fault>)) {
        if self.sentence.extend_from_slice(text).is_err() {
            self.at = At::Spoilt;
            self.sentence.clear();
            take(self.started, Err(Fault::Overlong));
        }
    }

    /// A byte that is not simply more of a sentence.
    fn special(&mut self, byte: u8, take: &mut impl FnMut(u64, Result<&Sentence, Fault>)) {
        match byte {
            b'\n' => {
                self.end(take);
                self.line = self.line.saturating_add(1);
                self.carriage = false;
            }
            // CR CR LF and CR LF are one end of line, CR and something else is one too.
            b'\r' => {
                self.end(take);
                self.carriage = true;
            }
            0 => {}
            _ => {
                if self.carriage {
                    self.carriage = false;
                    self.line = self.line.saturating_add(1);
                }
                self.content(byte, take);
            }
        }
    }

    fn content(&mut self, byte: u8, take: &mut impl FnMut(u64, Result<&Sentence, Fault>)) {
        match (self.at, byte) {
            (At::Comment, _) => {}
            (_, b'$') | (At::LineStart | At::Spoilt, b'!') => {
                self.end(take);
                self.at = At::Sentence;
                self.started = self.number();
                self.extend(&[byte], take);
            }
            (At::LineStart, b' ' | b'\t') | (At::Spoilt, _) => {}
            (At::LineStart, b'#') => self.at = At::Comment,
            (At::LineStart, _) => {
                self.at = At::Spoilt;
                take(self.number(), Err(Fault::Garbage));
            }
            (At::Sentence, _) => {
                self.at = At::Spoilt;
                self.sentence.clear();
                take(self.started, Err(Fault::Garbage));
            }
        }
    }

    fn end(&mut self, take: &mut impl FnMut(u64, Result<&Sentence, Fault>)) {
        if self.at == At::Sentence {
            take(self.started, Ok(&self.sentence));
            self.sentence.clear();
        }
        self.at = At::LineStart;
    }
}

const _: () = assert!(MAX_SENTENCE >= 82, "NMEA 0183 allows 82 bytes a sentence");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(pieces: &[&[u8]]) -> Vec<(u64, Result<String, Fault>)> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        let mut take = |line: u64, got: Result<&Sentence, Fault>| {
            found.push((line, got.map(|text| String::from_utf8_lossy(text).into_owned())));
        };
        for piece in pieces {
            lines.push(piece, &mut take);
        }
        lines.finish(&mut take);
        found
    }

    fn sentences(bytes: &[u8]) -> Vec<(u64, String)> {
        cut(&[bytes]).into_iter().filter_map(|(line, got)| got.ok().map(|text| (line, text))).collect()
    }

    #[test]
    fn every_line_end_ends_a_sentence_and_counts_once() {
        let found = sentences(b"$A\r\n$B\n$C\r$D\r\r\n\r\n$E");
        let lines: Vec<_> = found.iter().map(|(line, text)| (*line, text.as_str())).collect();
        assert_eq!(lines, [(1, "$A"), (2, "$B"), (3, "$C"), (4, "$D"), (6, "$E")]);
    }

    #[test]
    fn sentences_that_run_together_and_junk_before_them_are_told_apart() {
        assert_eq!(sentences(b"junk$A,1*00$B,2*00\n"), [(1, "$A,1*00".to_owned()), (1, "$B,2*00".to_owned())]);
        assert_eq!(sentences(b"\xb5\x62\x01!C\0\0D\r\n"), [(1, "!CD".to_owned())], "a break leaves NULs");
        assert_eq!(cut(&[b"$GP\x80RMC\n$A"]), [(1, Err(Fault::Garbage)), (2, Ok("$A".to_owned()))]);
        assert_eq!(cut(&[b"# $A,in a comment\n  \n\xff\xff\n"]), [(3, Err(Fault::Garbage))]);
    }

    #[test]
    fn what_is_too_long_is_let_go_whole() {
        let long = [b"$".as_slice(), &[b'x'; MAX_SENTENCE], b"\n$A\n"].concat();
        assert_eq!(cut(&[&long]), [(1, Err(Fault::Overlong)), (2, Ok("$A".to_owned()))]);
        let full = [b"$".as_slice(), &[b'x'; MAX_SENTENCE - 1], b"\n"].concat();
        assert_eq!(sentences(&full).len(), 1);
    }

    proptest! {
        #[test]
        fn however_the_stream_is_cut_the_sentences_are_the_same(
            bytes in prop::collection::vec(prop_oneof![Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'!'), Just(b'#'), any::<u8>()], 0..800),
            cuts in prop::collection::vec(0usize..800, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(bytes.len())).collect();
            cuts.push(0);
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(cut(&pieces), cut(&[&bytes]));
        }
    }
}

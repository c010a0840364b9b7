//! A DBC file, cut into statements.
//!
//! Files as people have them hold statements that do not parse: comments with a stray quote, attributes of tools that
//! nobody knows. So a file is cut here, each statement is judged alone, and a broken one costs itself only. A statement
//! begins with its keyword at the beginning of a line (`SG_` after blanks) and ends with its line (`BO_`, `SG_`) or with a
//! semicolon outside of quotes.

use std::borrow::Cow;

/// The statements that matter to a gateway. All others are passed over unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    /// `BO_`: a message.
    Message,
    /// `SG_`: a signal of the message before it.
    Signal,
    /// `SIG_VALTYPE_`: a signal is an IEEE float.
    ValueType,
    /// `SG_MUL_VAL_`: by which signal, at which values, a signal is selected.
    Multiplex,
    /// `BA_`: an attribute's value.
    Attribute,
    /// `BA_DEF_DEF_`: an attribute's value where none is given.
    AttributeDefault,
    /// Anything else.
    Other,
}

/// One statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Statement<'a> {
    pub(super) keyword: Keyword,
    /// The line on which it begins, from 1.
    pub(super) line: u32,
    pub(super) text: &'a str,
}

const KEYWORDS: [(&str, Keyword); 29] = [
    ("BO_", Keyword::Message),
    ("SG_", Keyword::Signal),
    ("SIG_VALTYPE_", Keyword::ValueType),
    ("SG_MUL_VAL_", Keyword::Multiplex),
    ("BA_", Keyword::Attribute),
    ("BA_DEF_DEF_", Keyword::AttributeDefault),
    ("CM_", Keyword::Other),
    ("VAL_", Keyword::Other),
    ("VAL_TABLE_", Keyword::Other),
    ("BA_DEF_", Keyword::Other),
    ("BA_DEF_REL_", Keyword::Other),
    ("BA_DEF_DEF_REL_", Keyword::Other),
    ("BA_DEF_SGTYPE_", Keyword::Other),
    ("BA_REL_", Keyword::Other),
    ("BA_SGTYPE_", Keyword::Other),
    ("BO_TX_BU_", Keyword::Other),
    ("BS_", Keyword::Other),
    ("BU_", Keyword::Other),
    ("CAT_", Keyword::Other),
    ("CAT_DEF_", Keyword::Other),
    ("ENVVAR_DATA_", Keyword::Other),
    ("EV_", Keyword::Other),
    ("EV_DATA_", Keyword::Other),
    ("FILTER", Keyword::Other),
    ("NS_", Keyword::Other),
    ("SGTYPE_", Keyword::Other),
    ("SIG_GROUP_", Keyword::Other),
    ("SIG_TYPE_REF_", Keyword::Other),
    ("VERSION", Keyword::Other),
];

/// The file's characters, whatever they were written in: UTF-8 where it is that, else Windows-1252, which all of Latin-1
/// is; every kind of line end as a line feed.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().copied().map(windows_1252).collect()),
    };
    if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { text }
}

fn windows_1252(byte: u8) -> char {
    const C1: [char; 32] = [
        '€', '\u{FFFD}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{FFFD}', 'Ž', '\u{FFFD}', '\u{FFFD}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{FFFD}', 'ž', 'Ÿ',
    ];
    let special = byte.checked_sub(0x80).and_then(|at| C1.get(usize::from(at)));
    special.copied().unwrap_or(char::from(byte))
}

/// The statements that matter, in order, and the lines of those that begin a text in quotes and do not end it.
pub(super) fn split(text: &str) -> (Vec<Statement<'_>>, Vec<u32>) {
    let (mut statements, mut broken) = (Vec::new(), Vec::new());
    let mut rest = text;
    let mut line = 1;
    while !rest.is_empty() {
        let (first, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let Some(keyword) = keyword_of(first.trim_start()) else {
            (rest, line) = (after, line + 1);
            continue;
        };
        let length = match keyword {
            Keyword::Message | Keyword::Signal => first.len(),
            _ => end(rest).unwrap_or_else(|| {
                broken.push(line);
                0
            }),
        };
        // A broken statement costs its line: the next one that begins with a keyword is tried again.
        let (statement, after) = if length > 0 { rest.split_at(length) } else { ("", after) };
        if keyword != Keyword::Other && length > 0 {
            statements.push(Statement { keyword, line, text: statement.trim() });
        }
        let taken = rest.len() - after.len();
        line += rest.get(..taken).map_or(0, |taken| taken.matches('\n').count()) as u32;
        rest = after;
    }
    (statements, broken)
}

/// The keyword with which a line begins; none where nothing follows it, as in the list after `NS_:`.
fn keyword_of(line: &str) -> Option<Keyword> {
    let word = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next()?;
    if line.len() == word.len() {
        return None;
    }
    KEYWORDS.iter().find(|(name, _)| *name == word).map(|(_, keyword)| *keyword)
}

/// The length of the statement with which `text` begins, its semicolon included. Without one it ends before the next
/// line that begins with a keyword. `None` where a text in quotes does not end as one does.
fn end(text: &str) -> Option<usize> {
    let comment = text.trim_start().starts_with("CM_");
    let bytes = text.as_bytes();
    let begins = |at: usize| text.get(at + 1..).and_then(|rest| keyword_of(rest.split('\n').next()?)).is_some();
    let mut quoted = false;
    for (at, byte) in bytes.iter().enumerate() {
        match (byte, quoted) {
            (b'"', false) => quoted = true,
            (b'"', true) if at > 0 && bytes.get(at - 1) == Some(&b'\\') => {}
            (b'"', true) => {
                quoted = false;
                let next = text.get(at + 1..)?.trim_start();
                // After a comment's text nothing comes but the semicolon, or, where that was forgotten, a statement.
                if comment && !next.starts_with(';') && !next.is_empty() && keyword_of(next).is_none() {
                    return None;
                }
            }
            (b';', false) => return Some(at + 1),
            (b'\n', false) if begins(at) => return Some(at),
            // Comments go over many lines, and may speak of statements. Nothing else does.
            (b'\n', true) if !comment && begins(at) => return None,
            _ => {}
        }
    }
    (!quoted).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str) -> (Vec<u32>, Vec<u32>) {
        let (statements, broken) = split(text);
        (statements.iter().map(|statement| statement.line).collect(), broken)
    }

    #[test]
    fn a_file_is_cut_into_the_statements_that_matter() {
        let text = "VERSION \"\"\n\nNS_ :\n\tCM_\n\tBA_\n\nBU_: A B\n\nBO_ 1 M: 8 A\n SG_ S : 0|8@1+ (1,0) [0|0] \"\" B\n\n\
                    CM_ \"two\nBO_ lines; and more\";\nBA_ \"GenMsgCycleTime\" BO_ 1 100;\nVAL_ 1 S 0 \"a;b\" 1 \"c\";";
        let (statements, broken) = split(text);
        let found: Vec<_> = statements.iter().map(|s| (s.line, s.keyword, s.text)).collect();
        assert_eq!(
            found,
            [
                (9, Keyword::Message, "BO_ 1 M: 8 A"),
                (10, Keyword::Signal, "SG_ S : 0|8@1+ (1,0) [0|0] \"\" B"),
                (14, Keyword::Attribute, "BA_ \"GenMsgCycleTime\" BO_ 1 100;"),
            ]
        );
        assert!(broken.is_empty());
    }

    #[test]
    fn a_stray_quote_costs_its_own_statement_only() {
        assert_eq!(lines("CM_ BO_ 1 \"12\" wheels\";\nBO_ 1 M: 8 A\nBO_ 2 N: 8 A"), (vec![2, 3], vec![1]));
        assert_eq!(lines("CM_ \"open;\nBO_ 1 M: 8 A\nCM_ \"closed\";\nBO_ 2 N: 8 A"), (vec![2, 4], vec![1]));
        assert_eq!(lines("VAL_ 1 S 0 \"a;\nBO_ 1 M: 8 A"), (vec![2], vec![1]));
        assert_eq!(lines("CM_ \"no semicolon\"\nBO_ 1 M: 8 A"), (vec![2], vec![]));
        assert_eq!(lines("CM_ \"an \\\"inner\\\" quote\";\nBO_ 1 M: 8 A"), (vec![2], vec![]));
    }

    #[test]
    fn characters_are_taken_from_utf_8_and_windows_1252() {
        assert_eq!(text("\u{FEFF}°C\r\nx\ry".as_bytes()), "°C\nx\ny");
        assert_eq!(text(b"\xB0C \x80"), "°C €");
    }

    proptest! {
        #[test]
        fn every_byte_is_looked_at_and_none_makes_it_panic(
            text in r#"((BO_|SG_|CM_|BA_|VAL_|NS_ :)? ?[a-z0-9";°\\ ]{0,8}\n?){0,12}"#,
        ) {
            let (statements, broken) = split(&text);
            let lines = text.split('\n').count() as u32;
            for line in statements.iter().map(|s| s.line).chain(broken) {
                prop_assert!((1..=lines).contains(&line));
            }
        }
    }
}

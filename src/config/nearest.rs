//! Which known name somebody probably meant.

/// The name of `known` that is fewest edits away from `given`, case apart: an insertion, a deletion, a replacement, or two
/// neighbours exchanged (restricted Damerau–Levenshtein distance) is one edit. Of equals the first.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given: Vec<char> = given.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
    known.into_iter().min_by_key(|name| {
        let name: Vec<char> = name.chars().take(LONGEST).flat_map(char::to_lowercase).collect();
        distance(&given, &name)
    })
}

/// No known name is as long; what is beyond cannot make a name nearer.
const LONGEST: usize = 128;

fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (row, from) in a.iter().enumerate() {
        let mut now = vec![row + 1];
        for (column, to) in b.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&last, column) + usize::from(from != to);
            let mut least = replaced.min(at(&last, column + 1) + 1).min(at(&now, column) + 1);
            let exchanged = row > 0 && column > 0 && a.get(row - 1) == Some(to) && b.get(column - 1) == Some(from);
            if exchanged {
                least = least.min(at(&before, column - 1) + 1);
            }
            now.push(least);
        }
        before = std::mem::replace(&mut last, now);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_with_the_fewest_slips() {
        let keys = ["listen", "tls", "trusted", "names", "origins"];
        for (given, meant) in [("lisetn", "listen"), ("LISTEN", "listen"), ("truted", "trusted"), ("name", "names"), ("", "tls")]
        {
            assert_eq!(nearest(given, keys), Some(meant), "{given}");
        }
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn distances_are_those_of_the_textbook() {
        let between = |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        for (a, b, edits) in [("kitten", "sitting", 3), ("ab", "ba", 1), ("", "abc", 3), ("abc", "", 3), ("ca", "abc", 3)] {
            assert_eq!(between(a, b), edits, "{a} {b}");
        }
    }
}

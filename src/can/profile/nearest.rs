//! What somebody who misspelt a name most likely meant.

/// The known name nearest to `wanted`; `None` where none is near enough to be meant.
///
/// Distance counts characters that are missing, added, exchanged, or swapped with their neighbour (optimal string
/// alignment), without regard to case; a third of the longer name may be wrong.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 200;
    if wanted.len() > LONGEST {
        return None;
    }
    let letters = |name: &str| name.chars().map(|c| c.to_ascii_lowercase()).collect::<Vec<char>>();
    let wanted = letters(wanted);
    let near = known.into_iter().filter(|name| name.len() <= LONGEST).filter_map(|name| {
        let name_letters = letters(name);
        let distance = distance(&wanted, &name_letters);
        (distance * 3 <= wanted.len().max(name_letters.len())).then_some((distance, name))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

fn distance(a: &[char], b: &[char]) -> usize {
    // Three rows of the table: the one before the last, the last, and the one that is being filled.
    let mut older: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
            let mut least = (at(&last, j + 1) + 1).min(at(&row, j) + 1).min(at(&last, j) + usize::from(x != y));
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                least = least.min(at(&older, j - 1) + 1);
            }
            row.push(least);
        }
        older = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

/// `; did you mean …?`, or nothing.
pub(super) fn meant<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wanted, known).map_or(String::new(), |name| format!("; did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["message", "signal", "values", "valid"];
        assert_eq!(nearest("mesage", known), Some("message"));
        assert_eq!(nearest("singal", known), Some("signal"));
        assert_eq!(nearest("value", known), Some("values"));
        assert_eq!(nearest("Signals", known), Some("signal"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
    }
}

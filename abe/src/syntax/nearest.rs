//! The word that was probably meant.

/// Characters beyond which two words are not compared: a hint is not worth more.
const COMPARED: usize = 64;

/// The nearest of the known words, if it is near: at most two edits, or a third of the word's length.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(COMPARED + 1).collect();
    if word.len() > COMPARED {
        return None;
    }
    let near = (word.len() / 3).max(2).min(word.len().saturating_sub(1).max(1));
    known
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, a change of case counted as nothing.
fn distance(word: &[char], candidate: &str) -> usize {
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (line, letter) in candidate.chars().take(2 * COMPARED).enumerate() {
        let mut corner = line;
        let mut left = line + 1;
        let mut next = vec![left];
        for (own, above) in word.iter().zip(row.iter().skip(1)) {
            let same = own.to_lowercase().eq(letter.to_lowercase());
            left = (corner + usize::from(!same)).min(left + 1).min(above + 1);
            corner = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

//! What titles are sorted by: the letters that a reader looks for, so that "Äpfel" stands with
//! "apples" and "iron" with "Iron".

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Letters without accents, in lower case.
pub fn title_key(title: &str) -> Box<str> {
    if title.is_ascii() {
        return title.trim().to_ascii_lowercase().into();
    }
    let plain = title.trim().nfkd().filter(|letter| !is_combining_mark(*letter));
    let key: String = plain.flat_map(char::to_lowercase).collect();
    key.replace('ß', "ss").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_case_nor_accents_nor_spaces_around_count() {
        for (title, key) in [
            ("Iron", "iron"),
            (" iron ", "iron"),
            ("Äpfel", "apfel"),
            ("Straße", "strasse"),
            ("CRÈME Brûlée", "creme brulee"),
            ("ﬁne", "fine"),
            ("木", "木"),
        ] {
            assert_eq!(&*title_key(title), key);
        }
    }
}

//! Slugs made from titles: readable, lower case, plain letters.

use barrow_engine::catalog::Slug;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The longest slug made from a title, in bytes: room for `-2`, `-3` and so on below the limit
/// of a slug itself.
const MADE_MAX: usize = 100;

/// The slug of a title. A title without any letter or digit that has a Latin form gets one from
/// its hash, so that every title has a slug, and always the same.
pub fn from_title(title: &str) -> Slug {
    let mut out = String::with_capacity(title.len());
    for letter in title.nfc() {
        if let Some(latin) = transliterated(letter) {
            out.push_str(latin);
            continue;
        }
        for part in std::iter::once(letter).nfkd().filter(|c| !is_combining_mark(*c)) {
            match transliterated(part) {
                Some(latin) => out.push_str(latin),
                None if part.is_ascii_alphanumeric() => out.push(part.to_ascii_lowercase()),
                // An apostrophe joins ("women's" is "womens"); all else parts words.
                None if matches!(part, '\'' | '\u{2019}') => {}
                None => out.push('-'),
            }
        }
    }
    let text = shortened(&joined(&out));
    let text = if text.is_empty() {
        format!("t-{:016x}", xxhash_rust::xxh3::xxh3_64(title.as_bytes()))
    } else {
        text
    };
    Slug::new(&text).expect("it holds 1 to 100 of a-z, 0-9 and -")
}

/// The slug with a number behind: `boot` and 2 make `boot-2`.
pub fn numbered(base: &Slug, number: u32) -> Slug {
    let suffix = format!("-{number}");
    let room = 120 - suffix.len();
    let base = base.as_str();
    let text = format!("{}{suffix}", &base[..base.len().min(room)]);
    Slug::new(&text).expect("a slug with a number behind, cut to length")
}

/// A title made from a slug: `hot-drinks` is "Hot drinks".
pub fn to_title(slug: &Slug) -> String {
    capitalized(&slug.as_str().replace('-', " "))
}

/// The text with its first letter in upper case.
pub fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Letters that Unicode does not take apart, or that languages write out.
fn transliterated(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ä' | 'Ä' | 'æ' | 'Æ' => "ae",
        'ö' | 'Ö' | 'ø' | 'Ø' | 'œ' | 'Œ' => "oe",
        'ü' | 'Ü' => "ue",
        'ß' | 'ẞ' => "ss",
        'ł' | 'Ł' => "l",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        'þ' | 'Þ' => "th",
        'ı' => "i",
        'ħ' | 'Ħ' => "h",
        _ => return None,
    })
}

/// One hyphen between words, none at the ends.
fn joined(text: &str) -> String {
    text.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// At most [`MADE_MAX`] bytes, cut between words where there is one.
fn shortened(text: &str) -> String {
    if text.len() <= MADE_MAX {
        return text.to_owned();
    }
    let cut = &text[..MADE_MAX];
    cut.rsplit_once('-').map_or(cut, |(words, _)| words).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(title: &str, slug: &str) {
        assert_eq!(from_title(title).as_str(), slug);
    }

    #[test]
    fn titles_become_readable_slugs() {
        check("Wanderer Black Hiking Boots", "wanderer-black-hiking-boots");
        check("  Heißluftfritteuse 4.2L – groß!  ", "heissluftfritteuse-4-2l-gross");
        check("Machine à Café Crème", "machine-a-cafe-creme");
        check("u\u{308}ber", "ueber");
        check("Women's & Men’s", "womens-mens");
        check("Ski/boarding", "ski-boarding");
        check("Łódź", "lodz");
        check("ﬁne № 5", "fine-no-5");
        check("---a---b---", "a-b");
    }

    #[test]
    fn every_title_has_a_slug_and_always_the_same() {
        assert_eq!(from_title("茶"), from_title("茶"));
        assert_ne!(from_title("茶"), from_title("酒"));
        assert!(from_title("").as_str().starts_with("t-"));
        let long = from_title(&"word ".repeat(100));
        assert!(long.as_str().len() <= MADE_MAX && long.as_str().ends_with("word"));
    }

    #[test]
    fn numbers_fit_behind_the_longest_slug() {
        let base = Slug::new("boot").expect("a slug");
        assert_eq!(numbered(&base, 2).as_str(), "boot-2");
        let long = Slug::new(&"x".repeat(120)).expect("a slug");
        assert_eq!(numbered(&long, 12).as_str().len(), 120);
    }
}

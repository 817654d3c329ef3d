//! `Range` of RFC 9110, as far as a file is asked for it: one range of bytes.

use std::ops::Range;

/// What to send of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Whole,
    Part(Range<u64>),
    /// The range begins behind the end: 416.
    Nothing,
}

/// Reads the header for a file of `length` bytes. What is not understood, and more than one
/// range, asks for the whole file, as the RFC allows.
pub fn wanted(header: Option<&str>, length: u64) -> Wanted {
    let Some(range) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = range.split_once('-') else { return Wanted::Whole };
    match (number(first), number(last)) {
        (Some(Some(first)), Some(last)) => {
            let end = last.map_or(length, |last| last.saturating_add(1).min(length));
            if last.is_some_and(|last| last < first) {
                Wanted::Whole
            } else if first >= length {
                Wanted::Nothing
            } else {
                Wanted::Part(first..end)
            }
        }
        (Some(None), Some(Some(0))) => Wanted::Nothing,
        (Some(None), Some(Some(_))) if length == 0 => Wanted::Nothing,
        (Some(None), Some(Some(count))) => Wanted::Part(length.saturating_sub(count)..length),
        _ => Wanted::Whole,
    }
}

/// `Some(None)` for nothing, `None` for what is no number. One beyond 64 bits is just large.
fn number(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    text.bytes().all(|b| b.is_ascii_digit()).then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_range_and_nothing_else() {
        let part = |range: Range<u64>| Wanted::Part(range);
        for (header, length, expected) in [
            (None, 10, Wanted::Whole),
            (Some("bytes=0-3"), 10, part(0..4)),
            (Some("bytes=0-0"), 10, part(0..1)),
            (Some("bytes=4-"), 10, part(4..10)),
            (Some("bytes=4-99"), 10, part(4..10)),
            (Some("bytes=4-99999999999999999999999"), 10, part(4..10)),
            (Some("bytes=-3"), 10, part(7..10)),
            (Some("bytes=-30"), 10, part(0..10)),
            (Some(" bytes=9-9 "), 10, part(9..10)),
            (Some("bytes=10-"), 10, Wanted::Nothing),
            (Some("bytes=99999999999999999999999-"), 10, Wanted::Nothing),
            (Some("bytes=-0"), 10, Wanted::Nothing),
            (Some("bytes=0-"), 0, Wanted::Nothing),
            (Some("bytes=-5"), 0, Wanted::Nothing),
            (Some("bytes=5-4"), 10, Wanted::Whole),
            (Some("bytes=-"), 10, Wanted::Whole),
            (Some("bytes=a-b"), 10, Wanted::Whole),
            (Some("bytes=0-1,3-4"), 10, Wanted::Whole),
            (Some("bytes=+1-2"), 10, Wanted::Whole),
            (Some("chunks=0-1"), 10, Wanted::Whole),
        ] {
            assert_eq!(wanted(header, length), expected, "{header:?} of {length}");
        }
    }
}

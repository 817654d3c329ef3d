//! Conditional requests: `ETag` and `If-Match` on versions.

use http::{HeaderMap, HeaderValue, header};

/// What a request demands of the version it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing, or `*`: whatever is there.
    None,
    /// One of these. Empty where no tag named a version: then nothing fits.
    OneOf(Vec<u64>),
}

/// The most tags of one `If-Match` that are looked at; a client that keeps more versions of a
/// cart apart does not exist.
const TAGS_MAX: usize = 16;

impl Precondition {
    /// Reads `If-Match`. Weak tags count as strong ones, since proxies that compress weaken
    /// them and a version says all that a tag of ours says; so does a bare number.
    pub fn from_headers(headers: &HeaderMap) -> Precondition {
        let mut versions = None;
        for value in headers.get_all(header::IF_MATCH) {
            let versions = versions.get_or_insert_with(Vec::new);
            for tag in value.to_str().unwrap_or_default().split(',').map(str::trim) {
                if tag == "*" {
                    return Precondition::None;
                }
                if versions.len() < TAGS_MAX {
                    versions.extend(version_of(tag));
                }
            }
        }
        versions.map_or(Precondition::None, Precondition::OneOf)
    }
}

fn version_of(tag: &str) -> Option<u64> {
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
    // `+5` would parse, and is none of ours.
    tag.bytes().all(|b| b.is_ascii_digit()).then(|| tag.parse().ok())?
}

/// `"VERSION"`.
pub fn etag(version: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).expect("digits and quotes are visible ASCII")
}

/// Whether the client asked for the short answer: `Prefer: return=minimal`.
pub fn prefers_minimal(headers: &HeaderMap) -> bool {
    headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').map(str::trim).any(|preference| {
            let preference = preference.split(';').next().unwrap_or_default();
            preference.split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("return")
                    && value.trim().trim_matches('"').eq_ignore_ascii_case("minimal")
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn reads_every_form_of_if_match() {
        for (values, expected) in [
            (&[][..], Precondition::None),
            (&["*"], Precondition::None),
            (&["\"5\""], Precondition::OneOf(vec![5])),
            (&["W/\"5\""], Precondition::OneOf(vec![5])),
            (&["5"], Precondition::OneOf(vec![5])),
            (&["\"5\", W/\"6\""], Precondition::OneOf(vec![5, 6])),
            (&["\"5\"", "\"6\""], Precondition::OneOf(vec![5, 6])),
            (&["\"abc\""], Precondition::OneOf(vec![])),
            (&["\"+5\""], Precondition::OneOf(vec![])),
            (&["\"\""], Precondition::OneOf(vec![])),
            (&["\"99999999999999999999\""], Precondition::OneOf(vec![])),
        ] {
            let found = Precondition::from_headers(&headers("if-match", values));
            assert_eq!(found, expected, "{values:?}");
        }
        assert_eq!(etag(12), "\"12\"");
    }

    #[test]
    fn reads_prefer() {
        for (values, expected) in [
            (&[][..], false),
            (&["return=minimal"], true),
            (&["respond-async, return=\"minimal\"; x=1"], true),
            (&["respond-async", "Return=Minimal"], true),
            (&["return=representation"], false),
            (&["minimal"], false),
        ] {
            assert_eq!(prefers_minimal(&headers("prefer", values)), expected, "{values:?}");
        }
    }
}

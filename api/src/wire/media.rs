//! Where pictures, manuals and videos are fetched.

/// Where files of the media store are fetched.
#[derive(Debug, Clone, Default)]
pub struct MediaUrls {
    base: String,
}

impl MediaUrls {
    /// `base` is what addresses begin with (`https://media.example`); empty for this server.
    pub fn new(base: &str) -> MediaUrls {
        MediaUrls { base: base.trim_end_matches('/').to_owned() }
    }

    /// The address of a key; an address that was never fetched is one already.
    pub fn url(&self, key: &str) -> String {
        if key.starts_with("https://") || key.starts_with("http://") {
            return key.to_owned();
        }
        format!("{}/media/{key}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_the_base_unless_they_are_foreign() {
        for (base, key, url) in [
            ("", "a/b.png", "/media/a/b.png"),
            ("https://cdn.example/", "b.png", "https://cdn.example/media/b.png"),
            ("https://cdn.example", "https://else.example/c.jpg", "https://else.example/c.jpg"),
        ] {
            assert_eq!(MediaUrls::new(base).url(key), url);
        }
    }
}

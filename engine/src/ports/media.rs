//! Pictures, manuals and videos as files. Large files never pass through a command: whoever is to
//! send or fetch one is handed a signed request, which says exactly what may be done with it, for
//! a while.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    #[error("the media store is not available: {0}")]
    Unavailable(String),
    /// Not of the form that [`is_media_key`] demands.
    #[error("'{0}' is not a media key")]
    InvalidKey(String),
    /// Nothing that large is signed for.
    #[error("a file of {bytes} bytes is larger than the {max} that may be uploaded")]
    TooLarge { bytes: u64, max: u64 },
    /// A browser that is told another type than the key's ending shows what was never meant.
    #[error("'{key}' has the type {expected}, not '{given}'")]
    WrongType { key: String, given: String, expected: &'static str },
}

/// The longest key, in bytes: what every file system and object store takes as a name.
pub const MEDIA_KEY_BYTES_MAX: usize = 250;

/// The largest file that is signed for if nothing else is said: a long video in good quality.
pub const UPLOAD_BYTES_MAX: u64 = 100 << 20;

/// The longest that anything is signed for: S3 takes no more.
pub const SIGNED_TTL_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// What keys of files begin with that are fetched by a signed address alone.
const PRIVATE: &str = "private/";

/// A key is one or more segments of `[a-z0-9._-]`, joined by `/`; none is `.` or `..`; at most
/// [`MEDIA_KEY_BYTES_MAX`] bytes in all. So a key never leads out of its folder.
pub fn is_media_key(key: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    key.len() <= MEDIA_KEY_BYTES_MAX
        && key.split('/').all(|s| !s.is_empty() && s != "." && s != ".." && s.bytes().all(is_plain))
}

/// Whether the file is for those alone who were handed a signed address.
pub fn is_private_media(key: &str) -> bool {
    key.starts_with(PRIVATE)
}

/// The type of a file by its key's ending; what is not known is bytes to be saved, never shown.
pub fn media_type(key: &str) -> &'static str {
    let ending = key.rsplit('/').next().unwrap_or(key).rsplit_once('.').map(|(_, end)| end);
    match ending.unwrap_or_default() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "pdf" => "application/pdf",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "txt" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "json" => "application/json",
        "jsonl" => "application/jsonl",
        _ => "application/octet-stream",
    }
}

/// What is known of a stored file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaInfo {
    pub bytes: u64,
    /// Changes with the content; fit for an `ETag`.
    pub etag: String,
}

/// A file that somebody is about to send: this one, and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub key: String,
    /// Has to be that of the key's ending ([`media_type`]); parameters (`charset`) may differ.
    pub content_type: String,
    pub bytes: u64,
    pub sha256: [u8; 32],
}

impl Upload {
    /// What every store refuses to sign.
    pub fn check(&self, bytes_max: u64) -> Result<(), MediaError> {
        if !is_media_key(&self.key) {
            return Err(MediaError::InvalidKey(self.key.clone()));
        }
        if self.bytes > bytes_max {
            return Err(MediaError::TooLarge { bytes: self.bytes, max: bytes_max });
        }
        let expected = media_type(&self.key);
        let is_text = self.content_type.bytes().all(|b| (b' '..=b'~').contains(&b));
        if essence(&self.content_type) != essence(expected) || !is_text {
            let (key, given) = (self.key.clone(), self.content_type.clone());
            return Err(MediaError::WrongType { key, given, expected });
        }
        Ok(())
    }
}

/// A type without its parameters.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A request that whoever holds it may make as it stands, until it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    pub method: &'static str,
    /// Absolute, or beginning with `/`: then on the shop itself.
    pub url: String,
    /// To be sent as they are. `Content-Length` is not among them, as every client sets it by
    /// itself and browsers let nobody else; it has to be the upload's size all the same.
    pub headers: Vec<(String, String)>,
    pub expires_at: Timestamp,
}

/// Files by key. The key's ending tells the content type.
#[async_trait]
pub trait MediaStore: Send + Sync + 'static {
    async fn put(&self, key: &str, content: Bytes) -> Result<(), MediaError>;

    async fn info(&self, key: &str) -> Result<Option<MediaInfo>, MediaError>;

    /// The whole file, or the bytes of `range`, as far as the file has them.
    async fn get(
        &self,
        key: &str,
        range: Option<std::ops::Range<u64>>,
    ) -> Result<Option<Bytes>, MediaError>;

    async fn remove(&self, key: &str) -> Result<(), MediaError>;

    /// A request that puts this one file, for anybody who holds it. Another size, type or
    /// content than was said is refused, and nothing of it is ever read. It may be made more
    /// than once. `ttl` counts in whole seconds, at most [`SIGNED_TTL_MAX`].
    async fn sign_upload(
        &self,
        upload: &Upload,
        ttl: Duration,
    ) -> Result<SignedRequest, MediaError>;

    /// An address at which anybody who holds it reads the file, private or not, for a while.
    /// That the file is there is not looked up.
    async fn sign_download(&self, key: &str, ttl: Duration) -> Result<String, MediaError>;
}

/// What makes an address of the shop itself one that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// Seconds since 1970.
    pub expires: i64,
    pub signature: String,
}

/// Why a signed request is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    #[error("the address was not signed by this shop, or was changed since")]
    NotSigned,
    #[error("the address has expired")]
    Expired,
    /// What came is not what the address was signed for.
    #[error("{0}")]
    Mismatch(String),
    #[error(transparent)]
    Media(#[from] MediaError),
}

/// The way in and out of a store whose signed requests are made to the shop itself. A store that
/// has a web server of its own needs none.
#[async_trait]
pub trait MediaGate: Send + Sync + 'static {
    /// Whether the file of that key may be read.
    fn admit_download(&self, key: &str, seal: &Seal) -> Result<(), GateError>;

    /// Begins to take in a file, if it is the one that the address was signed for.
    async fn admit_upload(
        &self,
        upload: &Upload,
        seal: &Seal,
    ) -> Result<Box<dyn Incoming>, GateError>;
}

/// A file that is coming in. Nobody reads it before it ended well; if it is dropped, nothing
/// stays of it.
#[async_trait]
pub trait Incoming: Send {
    async fn write(&mut self, part: Bytes) -> Result<(), GateError>;

    /// The file is there, if all of it came.
    async fn finish(self: Box<Self>) -> Result<(), GateError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_tells_the_type() {
        for (key, mime) in [
            ("a/b.png", "image/png"),
            ("a.b/c", "application/octet-stream"),
            ("a.html", "application/octet-stream"),
            ("a.svg", "image/svg+xml"),
            ("manual.pdf", "application/pdf"),
            (".png", "image/png"),
            ("png", "application/octet-stream"),
        ] {
            assert_eq!(media_type(key), mime, "{key}");
        }
    }

    #[test]
    fn only_the_folder_of_that_name_is_private() {
        for (key, is) in [
            ("private/a.csv", true),
            ("private", false),
            ("privates/a", false),
            ("a/private/b", false),
        ] {
            assert_eq!(is_private_media(key), is, "{key}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_not_signed() {
        let upload = |key: &str, content_type: &str, bytes| Upload {
            key: key.to_owned(),
            content_type: content_type.to_owned(),
            bytes,
            sha256: [0; 32],
        };
        let check =
            |key: &str, content_type: &str, bytes| upload(key, content_type, bytes).check(100);
        assert_eq!(check("a.png", "image/png", 100), Ok(()));
        assert_eq!(check("a.txt", "Text/plain", 0), Ok(()), "parameters may be left out");
        assert_eq!(check("../a", "image/png", 1), Err(MediaError::InvalidKey("../a".into())));
        assert_eq!(
            check("a.png", "image/png", 101),
            Err(MediaError::TooLarge { bytes: 101, max: 100 })
        );
        for (key, content_type) in
            [("a.png", "text/html"), ("a.html", "text/html"), ("a.png", "image/png;\nx"), ("a", "")]
        {
            let refused = check(key, content_type, 1);
            assert!(matches!(refused, Err(MediaError::WrongType { .. })), "{key} {refused:?}");
        }
    }
}

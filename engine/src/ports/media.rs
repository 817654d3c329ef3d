//! Pictures, manuals and videos as files.

use async_trait::async_trait;
use bytes::Bytes;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    #[error("the media store is not available: {0}")]
    Unavailable(String),
    /// Not of the form that [`is_media_key`] demands.
    #[error("'{0}' is not a media key")]
    InvalidKey(String),
}

/// The longest key, in bytes: what every file system and object store takes as a name.
pub const MEDIA_KEY_BYTES_MAX: usize = 250;

/// A key is one or more segments of `[a-z0-9._-]`, joined by `/`; none is `.` or `..`; at most
/// [`MEDIA_KEY_BYTES_MAX`] bytes in all. So a key never leads out of its folder.
pub fn is_media_key(key: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    key.len() <= MEDIA_KEY_BYTES_MAX
        && key.split('/').all(|s| !s.is_empty() && s != "." && s != ".." && s.bytes().all(is_plain))
}

/// What is known of a stored file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaInfo {
    pub bytes: u64,
    /// Changes with the content; fit for an `ETag`.
    pub etag: String,
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
}

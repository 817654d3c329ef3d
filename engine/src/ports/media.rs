//! Pictures, manuals and videos as files.

use async_trait::async_trait;
use bytes::Bytes;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    #[error("the media store is not available: {0}")]
    Unavailable(String),
    /// A key is one or more segments of `[a-z0-9._-]`, joined by `/`; none is `.` or `..`.
    #[error("'{0}' is not a media key")]
    InvalidKey(String),
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

    /// The whole file, or the bytes of `range`.
    async fn get(
        &self,
        key: &str,
        range: Option<std::ops::Range<u64>>,
    ) -> Result<Option<Bytes>, MediaError>;

    async fn remove(&self, key: &str) -> Result<(), MediaError>;
}

//! Pictures, manuals and videos of a product: what is known of each, not the files themselves.

use serde::{Deserialize, Serialize};

use crate::ids::MediaId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    Image,
    Manual,
    Video,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    pub id: MediaId,
    #[serde(rename = "type")]
    pub kind: MediaKind,
    /// A key of the media store, or an `https://` address that was never fetched.
    pub key: String,
    #[serde(default)]
    pub alt: String,
    pub mime: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Zero where the file was never fetched.
    #[serde(default)]
    pub bytes: u64,
}

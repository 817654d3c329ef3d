//! MEDIA: pictures, manuals and videos of a product.

use barrow_engine::catalog::{self, MediaKind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::wire::media::MediaUrls;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Image,
    Manual,
    Video,
}

/// A picture, manual or video.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Media {
    #[schema(example = "media_01k9x0q6v3f8m2c7h5r4t1w9yb")]
    pub id: String,
    #[serde(rename = "type")]
    #[schema(inline)]
    pub kind: Kind,
    /// Where it is fetched; a path is one of this server.
    #[schema(example = "/media/sample/oak-chair-1.png")]
    pub url: String,
    /// What it shows, for those who cannot see it.
    pub alt: String,
    #[schema(example = "image/png")]
    pub mime: String,
    #[schema(required)]
    pub width: Option<u32>,
    #[schema(required)]
    pub height: Option<u32>,
    /// Zero where the file was never fetched.
    pub bytes: u64,
}

impl Media {
    pub fn new(media: &catalog::Media, urls: &MediaUrls) -> Media {
        Media {
            id: media.id.to_string(),
            kind: match media.kind {
                MediaKind::Image => Kind::Image,
                MediaKind::Manual => Kind::Manual,
                MediaKind::Video => Kind::Video,
            },
            url: urls.url(&media.key),
            alt: media.alt.clone(),
            mime: media.mime.clone(),
            width: media.width,
            height: media.height,
            bytes: media.bytes,
        }
    }
}

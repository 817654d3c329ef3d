//! A merchandised group of products.

use serde::{Deserialize, Serialize};

use super::{Media, Slug};
use crate::ids::CollectionId;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    pub id: CollectionId,
    pub slug: Slug,
    pub title: String,
    /// The collection this one lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Slug>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Media>,
}

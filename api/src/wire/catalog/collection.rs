//! A collection, in the tree and where a product names it.

use barrow_engine::catalog::Collection;
use serde::Serialize;
use utoipa::ToSchema;

use super::Media;
use crate::wire::media::MediaUrls;

/// A merchandised group of products.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Collection)]
pub struct CollectionBody {
    #[schema(example = "coll_01k9x0q6v3f8m2c7h5r4t1w9yb")]
    pub id: String,
    #[schema(example = "chairs")]
    pub slug: String,
    pub title: String,
    /// The collection it lies in.
    #[schema(required)]
    pub parent_id: Option<String>,
    #[schema(required)]
    pub image: Option<Media>,
    /// How many products of the channel lie in it, or in a collection below it.
    pub product_count: u64,
}

impl CollectionBody {
    pub fn new(
        collection: &Collection,
        parent: Option<&Collection>,
        product_count: u64,
        urls: &MediaUrls,
    ) -> CollectionBody {
        CollectionBody {
            id: collection.id.to_string(),
            slug: collection.slug.to_string(),
            title: collection.title.clone(),
            parent_id: parent.map(|parent| parent.id.to_string()),
            image: collection.image.as_ref().map(|image| Media::new(image, urls)),
            product_count,
        }
    }
}

/// A collection that a product lies in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CollectionRef {
    pub id: String,
    pub slug: String,
    pub title: String,
}

impl From<&Collection> for CollectionRef {
    fn from(collection: &Collection) -> CollectionRef {
        CollectionRef {
            id: collection.id.to_string(),
            slug: collection.slug.to_string(),
            title: collection.title.clone(),
        }
    }
}

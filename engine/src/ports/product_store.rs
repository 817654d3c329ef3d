//! The catalog as it is stored: products, collections and reviews.

use async_trait::async_trait;

use crate::catalog::{Collection, Product, Review, Sku, Slug};
use crate::ids::{ProductId, ReviewId};
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProductStoreError {
    #[error("the product store is not available: {0}")]
    Unavailable(String),
    #[error("a stored product is damaged: {0}")]
    Damaged(String),
    /// The product was changed since it was read; this is its version now (0: it is gone).
    #[error("the product is at version {current}")]
    VersionMismatch { current: u64 },
    /// Another product has this slug, now or formerly.
    #[error("the slug '{slug}' belongs to {owner}")]
    SlugTaken { slug: Slug, owner: ProductId },
    /// Another product has a variant of this SKU.
    #[error("the SKU '{sku}' belongs to {owner}")]
    SkuTaken { sku: Sku, owner: ProductId },
    /// The store cannot hold a product of this size; nothing was written.
    #[error("a product of {bytes} bytes is larger than the store's limit of {limit}")]
    TooLarge { bytes: usize, limit: usize },
}

impl ProductStoreError {
    pub fn is_retryable(&self) -> bool {
        matches!(self, ProductStoreError::Unavailable(_))
    }
}

/// Products with their lookups by slug, SKU and foreign id. All lookups are exact.
#[async_trait]
pub trait ProductStore: Send + Sync + 'static {
    async fn get(&self, id: ProductId) -> Result<Option<Product>, ProductStoreError>;

    /// Many at once, in the order asked; `None` for what is missing.
    async fn get_many(&self, ids: &[ProductId]) -> Result<Vec<Option<Product>>, ProductStoreError>;

    /// Which product has the slug, or formerly had it.
    async fn by_slug(&self, slug: &Slug) -> Result<Option<ProductId>, ProductStoreError>;

    async fn by_sku(&self, sku: &Sku) -> Result<Option<ProductId>, ProductStoreError>;

    async fn by_external_id(&self, id: &str) -> Result<Option<ProductId>, ProductStoreError>;

    /// Writes a batch of at most [`crate::catalog::BATCH_MAX`]. A product's `version` is the one
    /// to be stored: 1 where it is new, else one more than the version it was read at. Each
    /// product stands alone: one that is refused leaves the others in force. Durable when it
    /// returns.
    async fn put(
        &self,
        products: Vec<Product>,
    ) -> Result<Vec<Result<(), ProductStoreError>>, ProductStoreError>;

    /// Products in the order of their ids, after `after`, at most `limit`. Paging through it
    /// visits each product that is there throughout exactly once.
    async fn scan(
        &self,
        after: Option<ProductId>,
        limit: usize,
    ) -> Result<Vec<Product>, ProductStoreError>;

    /// All collections; a shop has at most a few thousand.
    async fn collections(&self) -> Result<Vec<Collection>, ProductStoreError>;

    /// Writes collections; one with the same id is replaced.
    async fn put_collections(&self, collections: Vec<Collection>) -> Result<(), ProductStoreError>;

    /// A product's published reviews, newest first, after `after`, at most `limit`.
    async fn reviews(
        &self,
        product: ProductId,
        after: Option<(Timestamp, ReviewId)>,
        limit: usize,
    ) -> Result<Vec<Review>, ProductStoreError>;

    /// Writes reviews; one with the same id is replaced.
    async fn put_reviews(&self, reviews: Vec<Review>) -> Result<(), ProductStoreError>;

    /// How many products there are.
    async fn count(&self) -> Result<u64, ProductStoreError>;
}

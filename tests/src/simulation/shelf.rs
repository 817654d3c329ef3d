//! The catalog of a simulated shop: every SKU that a client may think of is for sale, and
//! nothing else is asked of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_actors::shelf::{Shelf, ShelfError};
use barrow_engine::cart::workload;
use barrow_engine::catalog::{Collection, Location, Product, Review, Sellable, Sku, Slug};
use barrow_engine::ids::{MovementId, OrderId, ProductId, ReviewId};
use barrow_engine::inventory::{Held, Kept, Level, Movement, MovementDraft, StockRefusal, Wish};
use barrow_engine::ports::{
    CommerceError, MediaError, MediaInfo, MediaStore, ProductStore, ProductStoreError,
    SignedRequest, StockLedger, Upload,
};
use barrow_engine::time::Timestamp;
use bytes::Bytes;

/// What a unit of any SKU costs, in cents.
pub const UNIT: i64 = 1_999;

/// The SKU of that index.
pub fn sku(index: u32) -> String {
    format!("CHAIR-{index:05}-OAK")
}

/// The index of a SKU.
pub fn sku_index(sku: &str) -> Option<u32> {
    sku.strip_prefix("CHAIR-")?.strip_suffix("-OAK")?.parse().ok()
}

/// A shelf that has every SKU of that form.
pub struct EndlessShelf;

#[async_trait]
impl Shelf for EndlessShelf {
    fn generation(&self) -> u64 {
        1
    }

    async fn sellables(&self, skus: &[Sku]) -> Result<Vec<Option<Arc<Sellable>>>, ShelfError> {
        Ok(skus.iter().map(|sku| self.cached(sku.as_str())).collect())
    }

    fn cached(&self, sku: &str) -> Option<Arc<Sellable>> {
        sku_index(sku).map(|index| Arc::new(workload::sellable(index, UNIT)))
    }
}

/// Stores of a catalog in which nothing lies, behind the routes that no client here calls.
pub struct Empty;

#[async_trait]
impl ProductStore for Empty {
    async fn get(&self, _: ProductId) -> Result<Option<Product>, ProductStoreError> {
        Ok(None)
    }

    async fn get_many(&self, ids: &[ProductId]) -> Result<Vec<Option<Product>>, ProductStoreError> {
        Ok(vec![None; ids.len()])
    }

    async fn by_slug(&self, _: &Slug) -> Result<Option<ProductId>, ProductStoreError> {
        Ok(None)
    }

    async fn by_sku(&self, _: &Sku) -> Result<Option<ProductId>, ProductStoreError> {
        Ok(None)
    }

    async fn by_external_id(&self, _: &str) -> Result<Option<ProductId>, ProductStoreError> {
        Ok(None)
    }

    async fn put(
        &self,
        products: Vec<Product>,
    ) -> Result<Vec<Result<(), ProductStoreError>>, ProductStoreError> {
        Ok(vec![Ok(()); products.len()])
    }

    async fn scan(
        &self,
        _: Option<ProductId>,
        _: usize,
    ) -> Result<Vec<Product>, ProductStoreError> {
        Ok(Vec::new())
    }

    async fn collections(&self) -> Result<Vec<Collection>, ProductStoreError> {
        Ok(Vec::new())
    }

    async fn put_collections(&self, _: Vec<Collection>) -> Result<(), ProductStoreError> {
        Ok(())
    }

    async fn reviews(
        &self,
        _: ProductId,
        _: Option<(Timestamp, ReviewId)>,
        _: usize,
    ) -> Result<Vec<Review>, ProductStoreError> {
        Ok(Vec::new())
    }

    async fn put_reviews(&self, _: Vec<Review>) -> Result<(), ProductStoreError> {
        Ok(())
    }

    async fn count(&self) -> Result<u64, ProductStoreError> {
        Ok(0)
    }
}

fn nothing_is_sold() -> CommerceError {
    CommerceError::Unavailable("nothing is sold in this simulation".to_owned())
}

#[async_trait]
impl StockLedger for Empty {
    async fn levels(&self, _: &[Sku]) -> Result<Vec<Level>, CommerceError> {
        Ok(Vec::new())
    }

    async fn scan(
        &self,
        _: Option<(Sku, Location)>,
        _: usize,
    ) -> Result<Vec<Level>, CommerceError> {
        Ok(Vec::new())
    }

    async fn book(
        &self,
        _: Vec<MovementDraft>,
    ) -> Result<Vec<Result<Movement, StockRefusal>>, CommerceError> {
        Err(nothing_is_sold())
    }

    async fn movements(
        &self,
        _: &Sku,
        _: Option<(Timestamp, MovementId)>,
        _: usize,
    ) -> Result<Vec<Movement>, CommerceError> {
        Ok(Vec::new())
    }

    async fn reserve(
        &self,
        _: &Sku,
        _: Option<u64>,
        _: &[Wish],
    ) -> Result<Vec<Held>, CommerceError> {
        Err(nothing_is_sold())
    }

    async fn release(&self, _: OrderId) -> Result<Vec<Sku>, CommerceError> {
        Ok(Vec::new())
    }

    async fn keep(
        &self,
        _: OrderId,
        _: &BTreeMap<Sku, u64>,
        _: Timestamp,
    ) -> Result<Kept, CommerceError> {
        Err(nothing_is_sold())
    }

    async fn expire(&self, _: Timestamp, _: usize) -> Result<Vec<Sku>, CommerceError> {
        Ok(Vec::new())
    }
}

/// The simulated clients fetch and send no files.
fn nothing_is_signed() -> MediaError {
    MediaError::Unavailable("there are no files in a simulation".to_owned())
}

#[async_trait]
impl MediaStore for Empty {
    async fn put(&self, _: &str, _: Bytes) -> Result<(), MediaError> {
        Ok(())
    }

    async fn info(&self, _: &str) -> Result<Option<MediaInfo>, MediaError> {
        Ok(None)
    }

    async fn get(
        &self,
        _: &str,
        _: Option<std::ops::Range<u64>>,
    ) -> Result<Option<Bytes>, MediaError> {
        Ok(None)
    }

    async fn remove(&self, _: &str) -> Result<(), MediaError> {
        Ok(())
    }

    async fn sign_upload(&self, _: &Upload, _: Duration) -> Result<SignedRequest, MediaError> {
        Err(nothing_is_signed())
    }

    async fn sign_download(&self, _: &str, _: Duration) -> Result<String, MediaError> {
        Err(nothing_is_signed())
    }
}

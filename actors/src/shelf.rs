//! Where carts look SKUs up: the catalog, seen through the little that a cart needs of it.

use std::sync::Arc;

use async_trait::async_trait;
use barrow_engine::catalog::{Sellable, Sku};

/// The catalog could not answer now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the catalog is not available: {0}")]
pub struct ShelfError(pub String);

/// Snapshots of SKUs, shared by all carts.
#[async_trait]
pub trait Shelf: Send + Sync + 'static {
    /// Changes whenever any snapshot may have changed. Cheap: one atomic load.
    fn generation(&self) -> u64;

    /// The snapshots in the order asked; `None` for a SKU that no product has.
    async fn sellables(&self, skus: &[Sku]) -> Result<Vec<Option<Arc<Sellable>>>, ShelfError>;

    /// Units of these SKUs came or went, or became somebody's or nobody's: from the moment this
    /// returns the snapshots say so. A shelf whose stock never changes has nothing to do.
    async fn stock_changed(&self, _skus: &[Sku]) -> Result<(), ShelfError> {
        Ok(())
    }

    /// The snapshot, if it lies in memory: the hot path asks here first.
    fn cached(&self, sku: &str) -> Option<Arc<Sellable>>;
}

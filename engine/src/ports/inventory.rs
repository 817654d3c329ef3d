//! How many of a SKU can be sold.

use async_trait::async_trait;

use crate::catalog::Sku;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the inventory is not available: {0}")]
pub struct InventoryError(pub String);

/// Stock, one number per SKU: units on hand.
#[async_trait]
pub trait Inventory: Send + Sync + 'static {
    /// Units on hand, in the order asked; `None` where the SKU was never counted.
    async fn on_hand(&self, skus: &[Sku]) -> Result<Vec<Option<u32>>, InventoryError>;

    /// Sets the units on hand, durable when it returns. Setting what is there changes nothing.
    async fn set_on_hand(&self, levels: &[(Sku, u32)]) -> Result<(), InventoryError>;
}

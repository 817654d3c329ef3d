//! An inventory whose changes are announced to all nodes.

use std::sync::Arc;

use async_trait::async_trait;
use barrow_engine::catalog::Sku;
use barrow_engine::ports::{Announcement, Announcements, Inventory, InventoryError};

/// What announcements of stock begin with; the SKU follows.
pub(super) const KEY: &str = "stock:";

/// The inventory, and the channel that hears of its changes.
pub struct AnnouncedStock {
    inner: Arc<dyn Inventory>,
    announcements: Arc<dyn Announcements>,
}

impl AnnouncedStock {
    pub fn new(inner: Arc<dyn Inventory>, announcements: Arc<dyn Announcements>) -> AnnouncedStock {
        AnnouncedStock { inner, announcements }
    }
}

#[async_trait]
impl Inventory for AnnouncedStock {
    async fn on_hand(&self, skus: &[Sku]) -> Result<Vec<Option<u32>>, InventoryError> {
        self.inner.on_hand(skus).await
    }

    async fn set_on_hand(&self, levels: &[(Sku, u32)]) -> Result<(), InventoryError> {
        self.inner.set_on_hand(levels).await?;
        for (sku, _) in levels {
            // Levels have no version: whoever hears of one reads it.
            let news = Announcement { key: format!("{KEY}{sku}"), version: 0 };
            if let Err(error) = self.announcements.announce(news).await {
                tracing::warn!(%sku, %error, "other nodes learn of its stock late");
            }
        }
        Ok(())
    }
}

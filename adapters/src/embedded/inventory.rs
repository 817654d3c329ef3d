//! Units on hand, one number per SKU, in the embedded database. A level is a format number and
//! four bytes, little-endian.

use std::sync::Arc;

use async_trait::async_trait;
use barrow_engine::catalog::Sku;
use barrow_engine::ports::{Inventory, InventoryError};
use parking_lot::Mutex;

use super::{Shared, Tables};

const FORMAT: u8 = 1;

/// The most levels in one batch: a sync each time, and some hundred kilobytes.
const BATCH_LEVELS_MAX: usize = 5_000;

/// Stock levels. Made by [`EmbeddedStore::open`](super::EmbeddedStore::open).
#[derive(Clone)]
pub struct EmbeddedInventory {
    shared: Arc<Shared>,
    /// Held while setting levels, so that what is unchanged is known to be.
    writer: Arc<Mutex<()>>,
}

impl EmbeddedInventory {
    pub(super) fn new(shared: Arc<Shared>) -> EmbeddedInventory {
        EmbeddedInventory { shared, writer: Arc::new(Mutex::new(())) }
    }

    fn check(&self) -> Result<&Tables, InventoryError> {
        let health = self.shared.health.check();
        health.map_err(|reason| InventoryError(reason.to_owned()))?;
        Ok(&self.shared.tables)
    }

    fn set_levels(&self, levels: &[(Sku, u32)]) -> Result<(), InventoryError> {
        let tables = self.check()?;
        let _writer = self.writer.lock();
        // Of several levels of one SKU the last holds.
        let newest: std::collections::HashMap<_, _> =
            levels.iter().map(|(sku, units)| (sku, *units)).collect();
        let mut batch = tables.batch();
        for (sku, units) in newest {
            if read_level(tables, sku)? != Some(units) {
                batch.insert(&tables.stock, sku.as_str(), encode_level(units));
            }
        }
        batch.commit().map_err(|error| {
            InventoryError(self.shared.write_failed("writing stock levels", &error))
        })
    }
}

#[async_trait]
impl Inventory for EmbeddedInventory {
    async fn on_hand(&self, skus: &[Sku]) -> Result<Vec<Option<u32>>, InventoryError> {
        let tables = self.check()?;
        skus.iter().map(|sku| read_level(tables, sku)).collect()
    }

    async fn set_on_hand(&self, levels: &[(Sku, u32)]) -> Result<(), InventoryError> {
        let (inventory, levels) = (self.clone(), levels.to_vec());
        let task = tokio::task::spawn_blocking(move || {
            levels.chunks(BATCH_LEVELS_MAX).try_for_each(|some| inventory.set_levels(some))
        });
        task.await.map_err(|error| InventoryError(error.to_string()))?
    }
}

fn read_level(tables: &Tables, sku: &Sku) -> Result<Option<u32>, InventoryError> {
    let found =
        tables.stock.get(sku.as_str()).map_err(|error| InventoryError(error.to_string()))?;
    found.map(|bytes| decode_level(&bytes, sku)).transpose()
}

pub(super) fn encode_level(units: u32) -> [u8; 5] {
    let [a, b, c, d] = units.to_le_bytes();
    [FORMAT, a, b, c, d]
}

pub(super) fn decode_level(bytes: &[u8], sku: &Sku) -> Result<u32, InventoryError> {
    match bytes {
        [FORMAT, a, b, c, d] => Ok(u32::from_le_bytes([*a, *b, *c, *d])),
        _ => Err(InventoryError(format!("the level of {sku} is damaged"))),
    }
}

//! Units on hand in DynamoDB, one item per SKU.

use std::collections::HashMap;

use async_trait::async_trait;
use barrow_engine::catalog::Sku;
use barrow_engine::ports::{Inventory, InventoryError};

use super::batch::{read_all, write_all};
use super::client::Dynamo;
use super::items::{Item, item, number, number_of, text, text_of};
use super::tables::STOCK;

pub(super) const SKU: &str = "sku";
const UNITS: &str = "units";

/// Stock levels.
#[derive(Debug, Clone)]
pub struct DynamoInventory {
    dynamo: Dynamo,
    table: String,
}

impl DynamoInventory {
    pub fn new(dynamo: Dynamo) -> DynamoInventory {
        let table = dynamo.table(STOCK.name);
        DynamoInventory { dynamo, table }
    }

    async fn levels(&self, skus: &[&Sku]) -> Result<HashMap<Sku, u32>, InventoryError> {
        let mut skus = skus.to_vec();
        skus.sort_unstable();
        skus.dedup();
        let keys = skus.into_iter().map(|sku| item([(SKU, text(sku.as_str()))])).collect();
        let found = read_all(&self.dynamo, &self.table, keys).await?;
        found.iter().map(decode_level).collect()
    }
}

#[async_trait]
impl Inventory for DynamoInventory {
    async fn on_hand(&self, skus: &[Sku]) -> Result<Vec<Option<u32>>, InventoryError> {
        let levels = self.levels(&skus.iter().collect::<Vec<_>>()).await?;
        Ok(skus.iter().map(|sku| levels.get(sku).copied()).collect())
    }

    async fn set_on_hand(&self, levels: &[(Sku, u32)]) -> Result<(), InventoryError> {
        // Of several levels of one SKU the last holds.
        let newest: HashMap<&Sku, u32> = levels.iter().map(|(sku, units)| (sku, *units)).collect();
        // A feed repeats all levels each time, most of them as they were: reading one costs a
        // fifth of writing it.
        let skus: Vec<&Sku> = newest.keys().copied().collect();
        let before = self.levels(&skus).await?;
        let changed = newest.into_iter().filter(|(sku, units)| before.get(*sku) != Some(units));
        let items = changed.map(|(sku, units)| encode_level(sku, units)).collect();
        Ok(write_all(&self.dynamo, &self.table, items).await?)
    }
}

fn encode_level(sku: &Sku, units: u32) -> Item {
    item([(SKU, text(sku.as_str())), (UNITS, number(units))])
}

fn decode_level(item: &Item) -> Result<(Sku, u32), InventoryError> {
    let sku = text_of(item, SKU).and_then(|sku| Sku::new(sku).ok());
    let sku = sku.ok_or_else(|| InventoryError("a level has no SKU".to_owned()))?;
    match number_of(item, UNITS) {
        Some(units) => Ok((sku, units)),
        None => Err(InventoryError(format!("the level of {sku} is damaged"))),
    }
}

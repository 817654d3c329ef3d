//! Stock levels that a file names on their own.

use std::collections::HashSet;

use barrow_engine::catalog::Sku;

use super::{ImportError, Importer, Origin, Outcome};
use crate::record::{Problem, StockRecord};

/// Whether a level is to be set: where the SKU was never counted, so that importing again after
/// sales brings no stock back, or where the caller wants stock set.
pub fn is_to_set(on_hand: Option<u32>, said: u32, set_stock: bool) -> bool {
    match on_hand {
        None => true,
        Some(on_hand) => set_stock && on_hand != said,
    }
}

impl Importer<'_> {
    pub(super) async fn write_stock(
        &mut self,
        batch: Vec<(Origin, StockRecord)>,
    ) -> Result<(), ImportError> {
        let skus: Vec<Sku> = batch.iter().map(|(_, record)| record.sku.clone()).collect();
        let levels = self.stores.inventory.on_hand(&skus).await?;
        let mut seen = HashSet::new();
        let mut changed = Vec::new();
        for ((origin, record), on_hand) in batch.into_iter().zip(levels) {
            if self.view.by_sku(&record.sku).await?.is_none() {
                let detail = format!("no product has a variant of the SKU '{}'", record.sku);
                self.fail(&origin, vec![Problem::new("/sku", "unknown_sku", detail)]);
                continue;
            }
            // What came before in this very batch is not in the store yet.
            if !seen.insert(record.sku.clone()) {
                let detail = format!("the SKU '{}' came before", record.sku);
                self.fail(&origin, vec![Problem::new("/sku", "duplicate", detail)]);
                continue;
            }
            let set = is_to_set(on_hand, record.on_hand, self.options.set_stock);
            let outcome = match (set, on_hand) {
                (false, _) => Outcome::Unchanged,
                (true, None) => Outcome::Created,
                (true, Some(_)) => Outcome::Updated,
            };
            if set {
                changed.push((record.sku, record.on_hand));
            }
            self.count(outcome);
        }
        if !changed.is_empty() && !self.options.dry_run {
            self.stores.inventory.set_on_hand(&changed).await?;
        }
        Ok(())
    }
}

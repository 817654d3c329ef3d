//! Units on hand, a row for each SKU.

use std::collections::BTreeMap;

use async_trait::async_trait;
use barrow_engine::catalog::Sku;
use barrow_engine::ports::{Inventory, InventoryError};

use super::errors::CallError;
use super::primary::Postgres;

/// Levels in one statement at most.
const BATCH_LEVELS_MAX: usize = 5_000;

/// Stock levels.
pub struct PostgresInventory {
    postgres: Postgres,
}

impl PostgresInventory {
    pub fn new(postgres: &Postgres) -> PostgresInventory {
        PostgresInventory { postgres: postgres.clone() }
    }
}

const READ: &str = "SELECT wanted.place, stock.on_hand
    FROM unnest($1::text[]) WITH ORDINALITY AS wanted (sku, place) JOIN stock USING (sku)";

/// In the order of their SKUs, so that two statements that lock the same rows do not lock each
/// other out.
const WRITE: &str = "INSERT INTO stock (sku, on_hand)
    SELECT * FROM unnest($1::text[], $2::int8[]) AS wanted (sku, on_hand)
    ON CONFLICT (sku) DO UPDATE SET on_hand = EXCLUDED.on_hand
        WHERE stock.on_hand <> EXCLUDED.on_hand";

fn unavailable(error: CallError) -> InventoryError {
    InventoryError(error.to_string())
}

#[async_trait]
impl Inventory for PostgresInventory {
    async fn on_hand(&self, skus: &[Sku]) -> Result<Vec<Option<u32>>, InventoryError> {
        let mut levels = vec![None; skus.len()];
        for (chunk, levels) in
            skus.chunks(BATCH_LEVELS_MAX).zip(levels.chunks_mut(BATCH_LEVELS_MAX))
        {
            let skus: Vec<&str> = chunk.iter().map(Sku::as_str).collect();
            let found: Result<Vec<(i64, i64)>, _> = self
                .postgres
                .call(async |connection| {
                    sqlx::query_as(READ).bind(&skus[..]).fetch_all(connection).await
                })
                .await;
            for (place, on_hand) in found.map_err(unavailable)? {
                let place = usize::try_from(place - 1).ok().and_then(|place| levels.get_mut(place));
                let on_hand = u32::try_from(on_hand);
                let (Some(level), Ok(on_hand)) = (place, on_hand) else {
                    return Err(InventoryError(format!("a stored level is {on_hand:?}")));
                };
                *level = Some(on_hand);
            }
        }
        Ok(levels)
    }

    async fn set_on_hand(&self, levels: &[(Sku, u32)]) -> Result<(), InventoryError> {
        // Of several levels of one SKU the last holds.
        let newest: BTreeMap<&str, i64> =
            levels.iter().map(|(sku, units)| (sku.as_str(), i64::from(*units))).collect();
        let newest: Vec<(&str, i64)> = newest.into_iter().collect();
        for chunk in newest.chunks(BATCH_LEVELS_MAX) {
            let (skus, units): (Vec<&str>, Vec<i64>) = chunk.iter().copied().unzip();
            let written = self
                .postgres
                .call(async |connection| {
                    sqlx::query(WRITE).bind(&skus[..]).bind(&units[..]).execute(connection).await
                })
                .await;
            written.map_err(unavailable)?;
        }
        Ok(())
    }
}

//! Levels, claims and movements.

use std::collections::BTreeMap;

use async_trait::async_trait;
use barrow_engine::catalog::{Location, Sku};
use barrow_engine::ids::{MovementId, OrderId};
use barrow_engine::inventory::{Held, Kept, Level, Movement, MovementDraft, StockRefusal, Wish};
use barrow_engine::ports::{CommerceError, STOCK_BATCH_MAX, StockLedger};
use barrow_engine::time::Timestamp;

use super::database::Sqlite;
use crate::commerce::rows::{LevelRow, MovementRow, in_order, levels, limit, movements};
use crate::commerce::{flow, keeping};

type Result<T> = std::result::Result<T, CommerceError>;

/// Where stock is kept.
pub struct SqliteStockLedger {
    sqlite: Sqlite,
}

impl SqliteStockLedger {
    pub fn new(sqlite: &Sqlite) -> SqliteStockLedger {
        SqliteStockLedger { sqlite: sqlite.clone() }
    }
}

pub(super) const READ_LEVELS: &str =
    "SELECT sku, location, on_hand, reserved, allocated, allowance FROM stock_level
    WHERE sku IN (SELECT value FROM json_each(?1)) ORDER BY sku, location";

const SCAN: &str = "SELECT sku, location, on_hand, reserved, allocated, allowance FROM stock_level
    WHERE (sku, location) > (?1, ?2) ORDER BY sku, location LIMIT ?3";

const NEWEST: &str = "SELECT id, sku, location, quantity, level, reason, actor, order_id, at
    FROM stock_movement WHERE sku = ?1 AND (at, id) < (?2, ?3) ORDER BY at DESC, id DESC LIMIT ?4";

pub(super) fn skus_json<'a>(skus: impl IntoIterator<Item = &'a Sku>) -> String {
    serde_json::Value::from_iter(skus.into_iter().map(Sku::as_str)).to_string()
}

#[async_trait]
impl StockLedger for SqliteStockLedger {
    async fn levels(&self, skus: &[Sku]) -> Result<Vec<Level>> {
        let mut found = BTreeMap::new();
        for some in skus.chunks(STOCK_BATCH_MAX) {
            let skus = skus_json(some);
            let rows: Vec<LevelRow> = self
                .sqlite
                .read(async |connection| {
                    sqlx::query_as(READ_LEVELS).bind(skus).fetch_all(connection).await
                })
                .await?;
            in_order(levels(rows)?, &mut found);
        }
        Ok(skus.iter().flat_map(|sku| found.remove(sku).unwrap_or_default()).collect())
    }

    async fn scan(&self, after: Option<(Sku, Location)>, most: usize) -> Result<Vec<Level>> {
        // Nothing is empty: all come after that.
        let (sku, location) = after.as_ref().map_or(("", ""), |it| (it.0.as_str(), it.1.as_str()));
        let rows: Vec<LevelRow> = self
            .sqlite
            .read(async |connection| {
                let query = sqlx::query_as(SCAN).bind(sku).bind(location).bind(limit(most));
                query.fetch_all(connection).await
            })
            .await?;
        Ok(levels(rows)?)
    }

    async fn book(
        &self,
        drafts: Vec<MovementDraft>,
    ) -> Result<Vec<std::result::Result<Movement, StockRefusal>>> {
        self.sqlite.write(async |transaction| flow::book(transaction, &drafts).await).await
    }

    async fn movements(
        &self,
        sku: &Sku,
        after: Option<(Timestamp, MovementId)>,
        most: usize,
    ) -> Result<Vec<Movement>> {
        let (at, id) = after.unwrap_or((Timestamp::MAX, MovementId(u128::MAX)));
        let rows: Vec<MovementRow> = self
            .sqlite
            .read(async |connection| {
                let query = sqlx::query_as(NEWEST).bind(sku.as_str()).bind(at.as_millis());
                let query = query.bind(id.0.to_be_bytes().to_vec()).bind(limit(most));
                query.fetch_all(connection).await
            })
            .await?;
        Ok(movements(rows)?)
    }

    async fn reserve(
        &self,
        sku: &Sku,
        allowance: Option<u64>,
        wishes: &[Wish],
    ) -> Result<Vec<Held>> {
        self.sqlite.writes().reserve(sku, allowance, wishes).await
    }

    async fn release(&self, order: OrderId) -> Result<Vec<Sku>> {
        self.sqlite.write(async |transaction| flow::release(transaction, order).await).await
    }

    async fn keep(
        &self,
        order: OrderId,
        keep: &BTreeMap<Sku, u64>,
        until: Timestamp,
    ) -> Result<Kept> {
        let keep = async |transaction: &mut _| keeping::keep(transaction, order, keep, until).await;
        self.sqlite.write(keep).await
    }

    async fn expire(&self, now: Timestamp, most: usize) -> Result<Vec<Sku>> {
        // Nobody comes between, so there always is an answer.
        let expire = async |transaction: &mut _| flow::expire(transaction, now, most).await;
        Ok(self.sqlite.write(expire).await?.unwrap_or_default())
    }
}

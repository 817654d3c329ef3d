//! Levels, claims and movements.

use std::collections::BTreeMap;

use async_trait::async_trait;
use barrow_engine::catalog::{Location, Sku};
use barrow_engine::ids::{MovementId, OrderId};
use barrow_engine::inventory::{Held, Kept, Level, Movement, MovementDraft, StockRefusal, Wish};
use barrow_engine::ports::{CommerceError, STOCK_BATCH_MAX, StockLedger};
use barrow_engine::time::Timestamp;
use sqlx::postgres::PgConnection;

use super::primary::Postgres;
use super::transaction::TRIES_MAX;
use crate::commerce::rows::{LevelRow, MovementRow, in_order, levels, limit, movements};
use crate::commerce::{flow, keeping};

type Result<T> = std::result::Result<T, CommerceError>;

/// Where stock is kept.
pub struct PostgresStockLedger {
    postgres: Postgres,
}

impl PostgresStockLedger {
    pub fn new(postgres: &Postgres) -> PostgresStockLedger {
        PostgresStockLedger { postgres: postgres.clone() }
    }
}

const READ_LEVELS: &str =
    "SELECT sku, location, on_hand, reserved, allocated, allowance FROM stock_level
    WHERE sku = ANY($1) ORDER BY sku, location";

const SCAN: &str = "SELECT sku, location, on_hand, reserved, allocated, allowance FROM stock_level
    WHERE (sku, location) > ($1, $2) ORDER BY sku, location LIMIT $3";

const NEWEST: &str = "SELECT id, sku, location, quantity, level, reason, actor, order_id, at
    FROM stock_movement WHERE sku = $1 AND (at, id) < ($2, $3) ORDER BY at DESC, id DESC LIMIT $4";

#[async_trait]
impl StockLedger for PostgresStockLedger {
    async fn levels(&self, skus: &[Sku]) -> Result<Vec<Level>> {
        let mut found = BTreeMap::new();
        for some in skus.chunks(STOCK_BATCH_MAX) {
            let skus: Vec<&str> = some.iter().map(Sku::as_str).collect();
            let rows: std::result::Result<Vec<LevelRow>, _> = self
                .postgres
                .call(async |connection| {
                    sqlx::query_as(READ_LEVELS).bind(&skus[..]).fetch_all(connection).await
                })
                .await;
            in_order(levels(rows.map_err(|error| error.of_no_commit())?)?, &mut found);
        }
        Ok(skus.iter().flat_map(|sku| found.remove(sku).unwrap_or_default()).collect())
    }

    async fn scan(&self, after: Option<(Sku, Location)>, most: usize) -> Result<Vec<Level>> {
        // Nothing is empty: all come after that.
        let (sku, location) = after.as_ref().map_or(("", ""), |it| (it.0.as_str(), it.1.as_str()));
        let rows: std::result::Result<Vec<LevelRow>, _> = self
            .postgres
            .call(async |connection| {
                let query = sqlx::query_as(SCAN).bind(sku).bind(location).bind(limit(most));
                query.fetch_all(connection).await
            })
            .await;
        Ok(levels(rows.map_err(|error| error.of_no_commit())?)?)
    }

    async fn book(
        &self,
        drafts: Vec<MovementDraft>,
    ) -> Result<Vec<std::result::Result<Movement, StockRefusal>>> {
        let drafts = &drafts;
        let book =
            || async move |transaction: &mut PgConnection| flow::book(transaction, drafts).await;
        self.postgres.transact(book).await
    }

    async fn movements(
        &self,
        sku: &Sku,
        after: Option<(Timestamp, MovementId)>,
        most: usize,
    ) -> Result<Vec<Movement>> {
        let (at, id) = after.unwrap_or((Timestamp::MAX, MovementId(u128::MAX)));
        let rows: std::result::Result<Vec<MovementRow>, _> = self
            .postgres
            .call(async |connection| {
                let query = sqlx::query_as(NEWEST).bind(sku.as_str()).bind(at.as_millis());
                let query = query.bind(id.0.to_be_bytes()).bind(limit(most));
                query.fetch_all(connection).await
            })
            .await;
        Ok(movements(rows.map_err(|error| error.of_no_commit())?)?)
    }

    async fn reserve(
        &self,
        sku: &Sku,
        allowance: Option<u64>,
        wishes: &[Wish],
    ) -> Result<Vec<Held>> {
        self.postgres.writes().reserve(sku, allowance, wishes).await
    }

    async fn release(&self, order: OrderId) -> Result<Vec<Sku>> {
        let release =
            || async move |transaction: &mut PgConnection| flow::release(transaction, order).await;
        self.postgres.transact(release).await
    }

    async fn keep(
        &self,
        order: OrderId,
        keep: &BTreeMap<Sku, u64>,
        until: Timestamp,
    ) -> Result<Kept> {
        let keep = || {
            async move |transaction: &mut PgConnection| {
                keeping::keep(transaction, order, keep, until).await
            }
        };
        self.postgres.transact(keep).await
    }

    async fn expire(&self, now: Timestamp, most: usize) -> Result<Vec<Sku>> {
        for _ in 0..TRIES_MAX {
            let expire = || {
                async move |transaction: &mut PgConnection| {
                    flow::expire(transaction, now, most).await
                }
            };
            if let Some(freed) = self.postgres.transact(expire).await? {
                return Ok(freed);
            }
        }
        Err(CommerceError::Unavailable("others let go the same".to_owned()))
    }
}

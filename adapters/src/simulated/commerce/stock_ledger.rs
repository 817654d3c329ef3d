//! Levels, claims and movements.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use barrow_engine::catalog::{Location, Sku};
use barrow_engine::ids::{MovementId, OrderId};
use barrow_engine::inventory::{Held, Kept, Level, Movement, MovementDraft, StockRefusal, Wish};
use barrow_engine::ports::{CommerceError, StockLedger};
use barrow_engine::time::Timestamp;

use super::{SimulatedCommerce, Tables};
use crate::commerce::write_queue::mixed_up;
use crate::commerce::writes::{Outcome, Write};
use crate::commerce::{flow, keeping};

type Result<T> = std::result::Result<T, CommerceError>;

#[async_trait]
impl StockLedger for SimulatedCommerce {
    async fn levels(&self, skus: &[Sku]) -> Result<Vec<Level>> {
        let tables = self.tables();
        let (mut asked, mut found) = (BTreeSet::new(), Vec::new());
        for sku in skus.iter().filter(|sku| asked.insert(*sku)) {
            found.extend(tables.levels.values().filter(|level| level.sku == *sku).cloned());
        }
        Ok(found)
    }

    async fn scan(&self, after: Option<(Sku, Location)>, limit: usize) -> Result<Vec<Level>> {
        let tables = self.tables();
        let all = tables.levels.iter();
        let behind = all.filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after));
        Ok(behind.take(limit).map(|(_, level)| level.clone()).collect())
    }

    async fn book(
        &self,
        movements: Vec<MovementDraft>,
    ) -> Result<Vec<std::result::Result<Movement, StockRefusal>>> {
        self.write(async |tables: &mut Tables| flow::book(tables, &movements).await)
    }

    async fn movements(
        &self,
        sku: &Sku,
        after: Option<(Timestamp, MovementId)>,
        limit: usize,
    ) -> Result<Vec<Movement>> {
        let tables = self.tables();
        let place = |movement: &Movement| (movement.draft.at, movement.draft.id);
        let own = tables.movements.values().filter(|movement| movement.draft.sku == *sku);
        let older = own.filter(|movement| after.is_none_or(|after| place(movement) < after));
        let mut found: Vec<Movement> = older.cloned().collect();
        found.sort_by_key(|movement| Reverse(place(movement)));
        found.truncate(limit);
        Ok(found)
    }

    async fn reserve(
        &self,
        sku: &Sku,
        allowance: Option<u64>,
        wishes: &[Wish],
    ) -> Result<Vec<Held>> {
        let wish = Write::Reserve { sku: sku.clone(), allowance, wishes: wishes.to_vec() };
        match self.write_alone(wish)? {
            Outcome::Held(held) => Ok(held),
            other => Err(mixed_up(&other)),
        }
    }

    async fn release(&self, order: OrderId) -> Result<Vec<Sku>> {
        self.write(async |tables: &mut Tables| flow::release(tables, order).await)
    }

    async fn keep(
        &self,
        order: OrderId,
        units: &BTreeMap<Sku, u64>,
        until: Timestamp,
    ) -> Result<Kept> {
        self.write(async |tables: &mut Tables| keeping::keep(tables, order, units, until).await)
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<Vec<Sku>> {
        // Nobody comes between, so there always is an answer.
        let expire = async |tables: &mut Tables| flow::expire(tables, now, limit).await;
        Ok(self.write(expire)?.unwrap_or_default())
    }
}

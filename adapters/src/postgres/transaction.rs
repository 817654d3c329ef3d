//! What a change of stock and orders asks of Postgres: rows are locked in one order, and many are
//! written by one statement.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use barrow_engine::catalog::{Location, Sku};
use barrow_engine::events::{EVENTS_OF_A_CHANGE_MAX, Event, stock_aggregate, stock_data};
use barrow_engine::ids::{CartId, MovementId, OrderId};
use barrow_engine::inventory::{Claim, LedgerChanges, Level, Movement, StockNews};
use barrow_engine::orders::Order;
use barrow_engine::ports::CommerceError;
use barrow_engine::time::Timestamp;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::errors::CallError;
use super::limits;
use super::order_rows;
use super::order_store::{READ, READ_OF_CART};
use super::primary::Postgres;
use crate::commerce::limits::Buyer;
use crate::commerce::order_row::{DocumentRow, OrderRow, order};
use crate::commerce::rows::{
    self, ClaimRow, LevelRow, MovementRow, claims, levels, limit, movements, stored, version_of,
};
use crate::commerce::transaction::{Locked, Transaction};
use crate::commerce::write_queue::WritesTogether;
use crate::commerce::writes::{self, Outcome, Write};
use crate::commerce::{End, Fault, refused};

/// The most tries of a call that met another one.
pub(super) const TRIES_MAX: usize = 5;

type Result<T> = std::result::Result<T, Fault>;

/// How often levels that are not there are made before they are locked: somebody may take away
/// what we just saw, once.
const LOCKS_MAX: usize = 3;

impl Postgres {
    /// Runs a change in a transaction, again where it met another one.
    pub(super) async fn transact<T, C>(
        &self,
        change: impl Fn() -> C,
    ) -> std::result::Result<T, CommerceError>
    where
        C: AsyncFnOnce(&mut PgConnection) -> Result<End<T>>,
    {
        let mut met = String::new();
        for _ in 0..TRIES_MAX {
            let is_committing = AtomicBool::new(false);
            let change = change();
            let ran = self
                .call(async |connection| {
                    let mut transaction = connection.begin().await?;
                    Ok(match change(&mut transaction).await {
                        Ok(end @ (End::Commit(_) | End::Announce(_))) => {
                            is_committing.store(true, Ordering::Relaxed);
                            transaction.commit().await?;
                            Ok(self.announced(end))
                        }
                        Ok(End::Rollback(answer)) => {
                            transaction.rollback().await?;
                            Ok(answer)
                        }
                        Err(Fault::Database(error)) => return Err(error),
                        Err(fault) => {
                            transaction.rollback().await?;
                            Err(fault)
                        }
                    })
                })
                .await;
            match ran {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(Fault::Damaged(what))) => return Err(CommerceError::Damaged(what)),
                Ok(Err(Fault::Again)) => "another change came between".clone_into(&mut met),
                Ok(Err(Fault::Database(error))) => return Err(refused(&error)),
                Err(error) if error.has_met_another() => met = error.to_string(),
                // What was never told to commit never does.
                Err(error) if is_committing.into_inner() => return Err(error.of_commit()),
                Err(error) => return Err(error.of_no_commit()),
            }
        }
        Err(CommerceError::Unavailable(met))
    }

    fn announced<T>(&self, end: End<T>) -> T {
        match end {
            End::Announce(answer) => {
                self.written().bump();
                answer
            }
            End::Commit(answer) | End::Rollback(answer) => answer,
        }
    }
}

impl WritesTogether for Postgres {
    async fn write_all(
        &self,
        writes: &[Write],
    ) -> std::result::Result<Option<Vec<Outcome>>, CommerceError> {
        let all = || {
            async move |transaction: &mut PgConnection| writes::write_all(transaction, writes).await
        };
        self.transact(all).await
    }
}

/// As a table and not as `= ANY($1)`, which compares each row of a small table with each key.
const LOCK: &str = "SELECT sku, location, on_hand, reserved, allocated, allowance FROM stock_level
    WHERE sku IN (SELECT unnest($1::text[])) ORDER BY sku, location FOR UPDATE";

const MAKE: &str =
    "INSERT INTO stock_level (sku, location, on_hand, reserved, allocated, allowance)
    SELECT sku, location, 0, 0, 0, 0 FROM unnest($1::text[], $2::text[]) AS made (sku, location)
    ON CONFLICT (sku, location) DO NOTHING RETURNING sku, location";

const UNMAKE: &str = "DELETE FROM stock_level
    WHERE (sku, location) IN (SELECT * FROM unnest($1::text[], $2::text[]))";

const CLAIMS: &str = "SELECT order_id, sku, location, quantity, expires_at FROM stock_claim
    WHERE order_id = ANY($1) AND sku = ANY($2)";

const RESERVED: &str = "SELECT order_id, sku, location, quantity, expires_at FROM stock_claim
    WHERE order_id = $1 AND expires_at IS NOT NULL";

const EXPIRED: &str = "SELECT order_id, sku, location, quantity, expires_at FROM stock_claim
    WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2";

const BOOKED: &str = "SELECT id, sku, location, quantity, level, reason, actor, order_id, at
    FROM stock_movement WHERE id = ANY($1)";

const WRITE_LEVELS: &str = "UPDATE stock_level SET on_hand = wanted.on_hand,
        reserved = wanted.reserved, allocated = wanted.allocated, allowance = wanted.allowance
    FROM unnest($1::text[], $2::text[], $3::int8[], $4::int8[], $5::int8[], $6::int8[])
        AS wanted (sku, location, on_hand, reserved, allocated, allowance)
    WHERE stock_level.sku = wanted.sku AND stock_level.location = wanted.location";

const WRITE_CLAIMS: &str = "INSERT INTO stock_claim (order_id, sku, location, quantity, expires_at)
    SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::int8[], $5::int8[])
    ON CONFLICT (order_id, sku, location) DO UPDATE SET quantity = EXCLUDED.quantity,
        expires_at = EXCLUDED.expires_at";

const DELETE_CLAIMS: &str = "DELETE FROM stock_claim
    USING unnest($1::bytea[], $2::text[], $3::text[]) AS gone (order_id, sku, location)
    WHERE stock_claim.order_id = gone.order_id AND stock_claim.sku = gone.sku
        AND stock_claim.location = gone.location";

const WRITE_MOVEMENTS: &str =
    "INSERT INTO stock_movement (id, sku, location, quantity, level, reason, actor, order_id, at)
    SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::int8[], $5::int8[], $6::text[],
        $7::text[], $8::bytea[], $9::int8[])";

/// Whoever tells of a SKU waits for whoever told of it before, and comes after them.
const TELL_STOCK: &str = "WITH made AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
        AS made (sku, aggregate, kind, data)
        WHERE EXISTS (SELECT FROM event_consumer)
), counted AS (
    INSERT INTO stock_news (sku, version) SELECT sku, 1 FROM made ORDER BY sku
        ON CONFLICT (sku) DO UPDATE SET version = stock_news.version + 1
        RETURNING sku, version
), placed AS (
    SELECT made.*, version * $5::int8 AS position,
            (extract(epoch FROM statement_timestamp()) * 1000)::int8 AS at
        FROM made JOIN counted USING (sku)
), told AS (
    INSERT INTO event (aggregate, position, kind, at, data)
        SELECT aggregate, position, kind, at, data FROM placed
) INSERT INTO event_lane (consumer, aggregate, position, last, due_at)
    SELECT name, aggregate, position, position, at FROM placed, event_consumer
        ORDER BY aggregate, name
    ON CONFLICT (consumer, aggregate) DO UPDATE SET last = EXCLUDED.last";

pub(super) fn texts<'a, T: 'a>(
    all: impl Iterator<Item = &'a T>,
    text: impl Fn(&'a T) -> &'a str,
) -> Vec<&'a str> {
    all.map(text).collect()
}

/// SKUs and locations, each as a column.
fn places(keys: &BTreeSet<(Sku, Location)>) -> (Vec<&str>, Vec<&str>) {
    keys.iter().map(|(sku, location)| (sku.as_str(), location.as_str())).unzip()
}

impl Transaction for PgConnection {
    async fn lock_levels(
        &mut self,
        skus: &BTreeSet<Sku>,
        needed: &BTreeSet<(Sku, Location)>,
    ) -> Result<Locked> {
        let skus = texts(skus.iter(), Sku::as_str);
        let mut made = BTreeSet::new();
        for _ in 0..LOCKS_MAX {
            let found: Vec<LevelRow> =
                sqlx::query_as(LOCK).bind(&skus[..]).fetch_all(&mut *self).await?;
            let levels = levels(found)?;
            let key = |level: &Level| (level.sku.clone(), level.location.clone());
            let there: BTreeSet<_> = levels.iter().map(key).collect();
            let missing: BTreeSet<_> = needed.difference(&there).cloned().collect();
            if missing.is_empty() {
                return Ok(Locked { levels, made });
            }
            // Who makes the same at this moment is waited for.
            let (skus, locations) = places(&missing);
            let query = sqlx::query_as(MAKE).bind(&skus[..]).bind(&locations[..]);
            let rows: Vec<(String, String)> = query.fetch_all(&mut *self).await?;
            for (sku, location) in rows {
                made.insert((rows::sku(&sku)?, rows::location(&location)?));
            }
        }
        Err(Fault::Again)
    }

    async fn claims(
        &mut self,
        orders: &BTreeSet<OrderId>,
        skus: &BTreeSet<Sku>,
    ) -> Result<Vec<Claim>> {
        let orders: Vec<_> = orders.iter().map(|order| order.0.to_be_bytes()).collect();
        let skus = texts(skus.iter(), Sku::as_str);
        let query = sqlx::query_as(CLAIMS).bind(&orders[..]).bind(&skus[..]);
        let found: Vec<ClaimRow> = query.fetch_all(self).await?;
        Ok(claims(found)?)
    }

    async fn reserved(&mut self, order: OrderId) -> Result<Vec<Claim>> {
        let query = sqlx::query_as(RESERVED).bind(order.0.to_be_bytes());
        let found: Vec<ClaimRow> = query.fetch_all(self).await?;
        Ok(claims(found)?)
    }

    async fn expired(&mut self, now: Timestamp, most: usize) -> Result<Vec<Claim>> {
        let query = sqlx::query_as(EXPIRED).bind(now.as_millis()).bind(limit(most));
        let found: Vec<ClaimRow> = query.fetch_all(self).await?;
        Ok(claims(found)?)
    }

    async fn booked(&mut self, ids: &BTreeSet<MovementId>) -> Result<Vec<Movement>> {
        let ids: Vec<_> = ids.iter().map(|id| id.0.to_be_bytes()).collect();
        let found: Vec<MovementRow> = sqlx::query_as(BOOKED).bind(&ids[..]).fetch_all(self).await?;
        Ok(movements(found)?)
    }

    async fn write_stock(
        &mut self,
        changes: &LedgerChanges,
        unused: &BTreeSet<(Sku, Location)>,
    ) -> Result<()> {
        let LedgerChanges { levels, claims, released, movements, news } = changes;
        if !levels.is_empty() {
            write_levels(self, levels).await?;
        }
        if !released.is_empty() {
            let orders: Vec<_> = released.iter().map(|it| it.0.0.to_be_bytes()).collect();
            let skus = texts(released.iter(), |it| it.1.as_str());
            let locations = texts(released.iter(), |it| it.2.as_str());
            let query = sqlx::query(DELETE_CLAIMS).bind(&orders[..]).bind(&skus[..]);
            query.bind(&locations[..]).execute(&mut *self).await?;
        }
        if !claims.is_empty() {
            write_claims(self, claims).await?;
        }
        if !movements.is_empty() {
            write_movements(self, movements).await?;
        }
        if !unused.is_empty() {
            let (skus, locations) = places(unused);
            sqlx::query(UNMAKE).bind(&skus[..]).bind(&locations[..]).execute(&mut *self).await?;
        }
        if !news.is_empty() {
            tell_stock(self, news).await?;
        }
        Ok(())
    }

    async fn lock_buyers(&mut self, buyers: &[Buyer]) -> Result<()> {
        limits::lock(self, buyers).await
    }

    async fn bought(&mut self, buyer: &Buyer, skus: &BTreeSet<Sku>) -> Result<BTreeMap<Sku, u64>> {
        limits::bought(self, buyer, &texts(skus.iter(), Sku::as_str)).await
    }

    async fn insert_orders(&mut self, rows: &[&OrderRow]) -> Result<BTreeSet<OrderId>> {
        let inserted = order_rows::insert(self, rows).await?;
        let ids = inserted.iter().map(|bytes| rows::id(bytes).map(OrderId));
        Ok(ids.collect::<std::result::Result<_, _>>()?)
    }

    async fn lock_orders(&mut self, ids: &BTreeSet<OrderId>) -> Result<BTreeMap<OrderId, u64>> {
        let ids: Vec<_> = ids.iter().map(|id| id.0.to_be_bytes()).collect();
        let mut locked = BTreeMap::new();
        for (bytes, version) in order_rows::lock(self, &ids).await? {
            locked.insert(rows::id(&bytes).map(OrderId)?, version_of(version));
        }
        Ok(locked)
    }

    async fn order(&mut self, id: OrderId) -> Result<Option<Order>> {
        let query = sqlx::query_as(READ).bind(id.0.to_be_bytes());
        let found: Option<DocumentRow> = query.fetch_optional(self).await?;
        Ok(found.map(order).transpose()?)
    }

    async fn order_of_cart(&mut self, cart: CartId) -> Result<Option<Order>> {
        let query = sqlx::query_as(READ_OF_CART).bind(cart.0.to_be_bytes());
        let found: Option<DocumentRow> = query.fetch_optional(self).await?;
        Ok(found.map(order).transpose()?)
    }

    async fn write_orders(&mut self, changed: &[(&OrderRow, Vec<Event>)]) -> Result<()> {
        let parts = changed.iter().map(|(row, _)| 1 + row.payments.len() + row.returns.len());
        let expected: usize = parts.sum();
        let written = order_rows::update(self, changed).await?;
        match usize::try_from(written).is_ok_and(|written| written == expected) {
            true => Ok(()),
            false => Err(Fault::Damaged("an order, a payment or a return is another's".to_owned())),
        }
    }
}

async fn tell_stock(connection: &mut PgConnection, news: &[StockNews]) -> Result<()> {
    let skus = texts(news.iter(), |it| it.sku.as_str());
    let aggregates: Vec<String> =
        news.iter().map(|it| stock_aggregate(&it.sku).to_string()).collect();
    let kinds = texts(news.iter(), |it| it.kind.as_str());
    let data: Vec<String> = news.iter().map(|it| stock_data(it).to_string()).collect();
    let query = sqlx::query(TELL_STOCK).bind(&skus[..]).bind(&aggregates[..]).bind(&kinds[..]);
    query.bind(&data[..]).bind(i64::from(EVENTS_OF_A_CHANGE_MAX)).execute(connection).await?;
    Ok(())
}

async fn write_levels(connection: &mut PgConnection, levels: &[Level]) -> Result<()> {
    let skus = texts(levels.iter(), |level| level.sku.as_str());
    let locations = texts(levels.iter(), |level| level.location.as_str());
    let column =
        |part: fn(&Level) -> u64| levels.iter().map(|it| stored(part(it))).collect::<Vec<i64>>();
    let (on_hand, reserved) = (column(|it| it.on_hand), column(|it| it.reserved));
    let (allocated, allowance) = (column(|it| it.allocated), column(|it| it.allowance));
    let query = sqlx::query(WRITE_LEVELS).bind(&skus[..]).bind(&locations[..]);
    let query = query.bind(&on_hand[..]).bind(&reserved[..]).bind(&allocated[..]);
    query.bind(&allowance[..]).execute(connection).await?;
    Ok(())
}

async fn write_claims(connection: &mut PgConnection, claims: &[Claim]) -> Result<()> {
    let orders: Vec<_> = claims.iter().map(|claim| claim.order.0.to_be_bytes()).collect();
    let skus = texts(claims.iter(), |claim| claim.sku.as_str());
    let locations = texts(claims.iter(), |claim| claim.location.as_str());
    let quantities: Vec<i64> = claims.iter().map(|claim| stored(claim.quantity)).collect();
    let expires: Vec<Option<i64>> =
        claims.iter().map(|claim| claim.expires_at.map(Timestamp::as_millis)).collect();
    let query = sqlx::query(WRITE_CLAIMS).bind(&orders[..]).bind(&skus[..]);
    let query = query.bind(&locations[..]).bind(&quantities[..]).bind(&expires[..]);
    query.execute(connection).await?;
    Ok(())
}

async fn write_movements(connection: &mut PgConnection, movements: &[Movement]) -> Result<()> {
    let drafts = || movements.iter().map(|movement| &movement.draft);
    let ids: Vec<_> = drafts().map(|draft| draft.id.0.to_be_bytes()).collect();
    let skus = texts(drafts(), |draft| draft.sku.as_str());
    let locations = texts(drafts(), |draft| draft.location.as_str());
    let quantities: Vec<i64> = drafts().map(|draft| draft.quantity).collect();
    let levels: Vec<i64> = movements.iter().map(|movement| stored(movement.level)).collect();
    let reasons = texts(drafts(), |draft| draft.reason.as_str());
    let actors = texts(drafts(), |draft| draft.actor.as_str());
    let orders: Vec<Option<[u8; 16]>> =
        drafts().map(|draft| draft.order.map(|order| order.0.to_be_bytes())).collect();
    let times: Vec<i64> = drafts().map(|draft| draft.at.as_millis()).collect();
    let query = sqlx::query(WRITE_MOVEMENTS).bind(&ids[..]).bind(&skus[..]);
    let query = query.bind(&locations[..]).bind(&quantities[..]).bind(&levels[..]);
    let query = query.bind(&reasons[..]).bind(&actors[..]).bind(&orders[..]);
    query.bind(&times[..]).execute(connection).await?;
    Ok(())
}

impl CallError {
    /// Of a transaction that was told to commit.
    fn of_commit(&self) -> CommerceError {
        match self {
            CallError::Failed(error) if self.was_rolled_back() => refused(error),
            _ => CommerceError::OutcomeUnknown(self.to_string()),
        }
    }

    /// Of one that was not, or of what changes nothing.
    pub(super) fn of_no_commit(&self) -> CommerceError {
        match self {
            CallError::Failed(error) => refused(error),
            _ => CommerceError::Unavailable(self.to_string()),
        }
    }
}

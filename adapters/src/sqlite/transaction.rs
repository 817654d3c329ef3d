//! What a change asks of SQLite. It has the whole database for itself, so there is nothing to
//! lock; many rows are written by one statement, which takes them as JSON.

use std::collections::{BTreeMap, BTreeSet};

use barrow_engine::catalog::{Location, Sku};
use barrow_engine::events::{EVENTS_OF_A_CHANGE_MAX, Event, stock_aggregate, stock_data};
use barrow_engine::ids::{CartId, MovementId, OrderId};
use barrow_engine::inventory::{Claim, LedgerChanges, Movement, StockNews};
use barrow_engine::orders::Order;
use barrow_engine::ports::CommerceError;
use barrow_engine::time::Timestamp;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;

use super::database::Sqlite;
use super::limits;
use super::order_store::{READ, READ_OF_CART};
use super::stock_ledger::{READ_LEVELS, skus_json};
use crate::commerce::Fault;
use crate::commerce::events::stored as position;
use crate::commerce::limits::Buyer;
use crate::commerce::order_row::{DocumentRow, FORMAT, OrderRow, PaymentRow, ReturnRow, order};
use crate::commerce::rows::{
    ClaimRow, LevelRow, MovementRow, claims, levels, limit, movements, stored, version_of,
};
use crate::commerce::transaction::{Locked, Transaction};
use crate::commerce::write_queue::WritesTogether;
use crate::commerce::writes::{self, Outcome, Write};

type Result<T> = std::result::Result<T, Fault>;

const CLAIMS: &str = "SELECT order_id, sku, location, quantity, expires_at FROM stock_claim
    WHERE order_id IN (SELECT unhex(value) FROM json_each(?1))
        AND sku IN (SELECT value FROM json_each(?2))";

const RESERVED: &str = "SELECT order_id, sku, location, quantity, expires_at FROM stock_claim
    WHERE order_id = ?1 AND expires_at IS NOT NULL";

const EXPIRED: &str = "SELECT order_id, sku, location, quantity, expires_at FROM stock_claim
    WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2";

const BOOKED: &str = "SELECT id, sku, location, quantity, level, reason, actor, order_id, at
    FROM stock_movement WHERE id IN (SELECT unhex(value) FROM json_each(?1))";

const WRITE_LEVELS: &str =
    "INSERT INTO stock_level (sku, location, on_hand, reserved, allocated, allowance)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
        FROM json_each(?1) WHERE true
    ON CONFLICT (sku, location) DO UPDATE SET on_hand = excluded.on_hand,
        reserved = excluded.reserved, allocated = excluded.allocated,
        allowance = excluded.allowance";

const WRITE_CLAIMS: &str = "INSERT INTO stock_claim (order_id, sku, location, quantity, expires_at)
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4
        FROM json_each(?1) WHERE true
    ON CONFLICT (order_id, sku, location) DO UPDATE SET quantity = excluded.quantity,
        expires_at = excluded.expires_at";

const DELETE_CLAIMS: &str = "DELETE FROM stock_claim WHERE (order_id, sku, location) IN
    (SELECT unhex(value ->> 0), value ->> 1, value ->> 2 FROM json_each(?1))";

const WRITE_MOVEMENTS: &str =
    "INSERT INTO stock_movement (id, sku, location, quantity, level, reason, actor, order_id, at)
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
        value ->> 6, unhex(value ->> 7), value ->> 8 FROM json_each(?1)";

const INSERT_ORDER: &str = "INSERT INTO customer_order (id, version, cart, number, status, payment,
        fulfilment, email, last_name, created_at, placed_at, changed_at, settled, format, document,
        owner)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
    ON CONFLICT DO NOTHING";

const UPDATE_ORDER: &str = "UPDATE customer_order SET version = ?2, number = ?4, status = ?5,
        payment = ?6, fulfilment = ?7, email = ?8, last_name = ?9, placed_at = ?11,
        changed_at = ?12, settled = ?13, format = ?14, document = ?15, owner = ?16
    WHERE id = ?1 AND cart = ?3 AND created_at = ?10";

/// A payment never changes its order: the row of another one is met, and refused.
const WRITE_PAYMENTS: &str =
    "INSERT INTO order_payment (id, order_id, authorized, captured, refunded)
    SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4
        FROM json_each(?1) WHERE true
    ON CONFLICT (id) DO UPDATE SET authorized = excluded.authorized,
        captured = excluded.captured, refunded = excluded.refunded
        WHERE order_payment.order_id = excluded.order_id";

/// A return neither.
const WRITE_RETURNS: &str = "INSERT INTO order_return (id, order_id, status, created_at)
    SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3
        FROM json_each(?1) WHERE true
    ON CONFLICT (id) DO UPDATE SET status = excluded.status
        WHERE order_return.order_id = excluded.order_id";

const TELL: &str = "INSERT INTO event (aggregate, position, kind, at, data)
    SELECT value ->> 0, value ->> 1, value ->> 2,
        coalesce(value ->> 3, CAST(unixepoch('subsec') * 1000 AS INTEGER)), value ->> 4
        FROM json_each(?1) WHERE EXISTS (SELECT 1 FROM event_consumer)";

const MAKE_LANES: &str = "INSERT INTO event_lane (consumer, aggregate, position, last, due_at)
    SELECT name, value ->> 0, min(value ->> 1), max(value ->> 1),
        CAST(unixepoch('subsec') * 1000 AS INTEGER)
        FROM json_each(?1), event_consumer GROUP BY name, value ->> 0
    ON CONFLICT (consumer, aggregate) DO UPDATE SET last = excluded.last";

const COUNT_NEWS: &str = "INSERT INTO stock_news (sku, version)
    SELECT value, 1 FROM json_each(?1) WHERE EXISTS (SELECT 1 FROM event_consumer)
    ON CONFLICT (sku) DO UPDATE SET version = version + 1 RETURNING sku, version";

fn hex(id: u128) -> String {
    format!("{id:032x}")
}

fn hex_of(id: &[u8; 16]) -> String {
    hex(u128::from_be_bytes(*id))
}

/// Rows as a statement takes them.
fn rows(rows: impl Iterator<Item = Value>) -> String {
    Value::Array(rows.collect()).to_string()
}

impl Transaction for SqliteConnection {
    async fn lock_levels(
        &mut self,
        skus: &BTreeSet<Sku>,
        _needed: &BTreeSet<(Sku, Location)>,
    ) -> Result<Locked> {
        let query = sqlx::query_as(READ_LEVELS).bind(skus_json(skus));
        let found: Vec<LevelRow> = query.fetch_all(self).await?;
        Ok(Locked { levels: levels(found)?, made: BTreeSet::new() })
    }

    async fn claims(
        &mut self,
        orders: &BTreeSet<OrderId>,
        skus: &BTreeSet<Sku>,
    ) -> Result<Vec<Claim>> {
        let orders = rows(orders.iter().map(|order| json!(hex(order.0))));
        let query = sqlx::query_as(CLAIMS).bind(orders).bind(skus_json(skus));
        let found: Vec<ClaimRow> = query.fetch_all(self).await?;
        Ok(claims(found)?)
    }

    async fn reserved(&mut self, order: OrderId) -> Result<Vec<Claim>> {
        let query = sqlx::query_as(RESERVED).bind(order.0.to_be_bytes().to_vec());
        let found: Vec<ClaimRow> = query.fetch_all(self).await?;
        Ok(claims(found)?)
    }

    async fn expired(&mut self, now: Timestamp, most: usize) -> Result<Vec<Claim>> {
        let query = sqlx::query_as(EXPIRED).bind(now.as_millis()).bind(limit(most));
        let found: Vec<ClaimRow> = query.fetch_all(self).await?;
        Ok(claims(found)?)
    }

    async fn booked(&mut self, ids: &BTreeSet<MovementId>) -> Result<Vec<Movement>> {
        let ids = rows(ids.iter().map(|id| json!(hex(id.0))));
        let found: Vec<MovementRow> = sqlx::query_as(BOOKED).bind(ids).fetch_all(self).await?;
        Ok(movements(found)?)
    }

    async fn write_stock(
        &mut self,
        changes: &LedgerChanges,
        _unused: &BTreeSet<(Sku, Location)>,
    ) -> Result<()> {
        let LedgerChanges { levels, claims, released, movements, news } = changes;
        let written = [
            (
                WRITE_LEVELS,
                rows(levels.iter().map(|it| {
                    let (on_hand, allowance) = (stored(it.on_hand), stored(it.allowance));
                    let (reserved, allocated) = (stored(it.reserved), stored(it.allocated));
                    json!([it.sku, it.location, on_hand, reserved, allocated, allowance])
                })),
            ),
            (
                DELETE_CLAIMS,
                rows(
                    released
                        .iter()
                        .map(|(order, sku, location)| json!([hex(order.0), sku, location])),
                ),
            ),
            (
                WRITE_CLAIMS,
                rows(claims.iter().map(|it| {
                    let expires_at = it.expires_at.map(Timestamp::as_millis);
                    json!([hex(it.order.0), it.sku, it.location, stored(it.quantity), expires_at])
                })),
            ),
            (
                WRITE_MOVEMENTS,
                rows(movements.iter().map(|Movement { draft: it, level }| {
                    let order = it.order.map(|order| hex(order.0));
                    let (id, level, at) = (hex(it.id.0), stored(*level), it.at.as_millis());
                    let (reason, actor) = (&it.reason, &it.actor);
                    json!([id, it.sku, it.location, it.quantity, level, reason, actor, order, at])
                })),
            ),
        ];
        for (sql, rows) in written {
            if rows != "[]" {
                sqlx::query(sql).bind(rows).execute(&mut *self).await?;
            }
        }
        if news.is_empty() { Ok(()) } else { tell_stock(self, news).await }
    }

    async fn lock_buyers(&mut self, _buyers: &[Buyer]) -> Result<()> {
        Ok(())
    }

    async fn bought(&mut self, buyer: &Buyer, skus: &BTreeSet<Sku>) -> Result<BTreeMap<Sku, u64>> {
        limits::bought(self, buyer, skus_json(skus)).await
    }

    async fn insert_orders(&mut self, rows: &[&OrderRow]) -> Result<BTreeSet<OrderId>> {
        let mut inserted = BTreeSet::new();
        for row in rows {
            if write(INSERT_ORDER, row, self).await? == 1 {
                inserted.insert(OrderId(u128::from_be_bytes(row.id)));
            }
        }
        Ok(inserted)
    }

    async fn lock_orders(&mut self, ids: &BTreeSet<OrderId>) -> Result<BTreeMap<OrderId, u64>> {
        const READ: &str = "SELECT version FROM customer_order WHERE id = ?1";
        let mut locked = BTreeMap::new();
        for id in ids {
            let query = sqlx::query_scalar(READ).bind(id.0.to_be_bytes().to_vec());
            let found: Option<i64> = query.fetch_optional(&mut *self).await?;
            locked.extend(found.map(|version| (*id, version_of(version))));
        }
        Ok(locked)
    }

    async fn order(&mut self, id: OrderId) -> Result<Option<Order>> {
        let query = sqlx::query_as(READ).bind(id.0.to_be_bytes().to_vec());
        let found: Option<DocumentRow> = query.fetch_optional(self).await?;
        Ok(found.map(order).transpose()?)
    }

    async fn order_of_cart(&mut self, cart: CartId) -> Result<Option<Order>> {
        let query = sqlx::query_as(READ_OF_CART).bind(cart.0.to_be_bytes().to_vec());
        let found: Option<DocumentRow> = query.fetch_optional(self).await?;
        Ok(found.map(order).transpose()?)
    }

    async fn write_orders(&mut self, changed: &[(&OrderRow, Vec<Event>)]) -> Result<()> {
        for (row, _) in changed {
            if write(UPDATE_ORDER, row, self).await? != 1 {
                return Err(Fault::Damaged("an order has changed its cart".to_owned()));
            }
        }
        let payments = changed.iter().flat_map(|(row, _)| {
            let order = hex_of(&row.id);
            let one = move |it: &PaymentRow| {
                json!([hex_of(&it.id), order, it.authorized, it.captured, it.refunded])
            };
            row.payments.iter().map(one)
        });
        let returns = changed.iter().flat_map(|(row, _)| {
            let order = hex_of(&row.id);
            let one =
                move |it: &ReturnRow| json!([hex_of(&it.id), order, it.status, it.created_at]);
            row.returns.iter().map(one)
        });
        write_parts((WRITE_PAYMENTS, "a payment"), payments.collect(), self).await?;
        write_parts((WRITE_RETURNS, "a return"), returns.collect(), self).await?;
        let told = changed.iter().flat_map(|(_, events)| events).map(|it| {
            let (position, at) = (position(it.position), it.at.as_millis());
            json!([it.aggregate.to_string(), position, it.kind.as_str(), at, it.data.to_string()])
        });
        let told = rows(told);
        if told == "[]" { Ok(()) } else { tell(self, told).await }
    }
}

/// Writes the rows of orders' parts; what they are is for people.
async fn write_parts(
    (sql, what): (&'static str, &str),
    parts: Vec<Value>,
    connection: &mut SqliteConnection,
) -> Result<()> {
    if parts.is_empty() {
        return Ok(());
    }
    let count = parts.len();
    let query = sqlx::query(sql).bind(rows(parts.into_iter()));
    let written = query.execute(connection).await?.rows_affected();
    match usize::try_from(written).is_ok_and(|written| written == count) {
        true => Ok(()),
        false => Err(Fault::Damaged(format!("{what} is of another order"))),
    }
}

/// Events of any number of aggregates, as rows.
async fn tell(connection: &mut SqliteConnection, events: String) -> Result<()> {
    sqlx::query(TELL).bind(&events).execute(&mut *connection).await?;
    sqlx::query(MAKE_LANES).bind(&events).execute(connection).await?;
    Ok(())
}

async fn tell_stock(connection: &mut SqliteConnection, news: &[StockNews]) -> Result<()> {
    let skus = skus_json(news.iter().map(|it| &it.sku));
    let counted: Vec<(String, i64)> =
        sqlx::query_as(COUNT_NEWS).bind(skus).fetch_all(&mut *connection).await?;
    let versions: BTreeMap<String, i64> = counted.into_iter().collect();
    let told = news.iter().filter_map(|it| {
        // Nobody wants to know where nothing was counted.
        let version = versions.get(it.sku.as_str())?;
        let position = version * i64::from(EVENTS_OF_A_CHANGE_MAX);
        let (aggregate, data) = (stock_aggregate(&it.sku).to_string(), stock_data(it).to_string());
        Some(json!([aggregate, position, it.kind.as_str(), null, data]))
    });
    tell(connection, rows(told)).await
}

async fn write(
    sql: &'static str,
    row: &OrderRow,
    connection: &mut SqliteConnection,
) -> std::result::Result<u64, sqlx::Error> {
    let query = sqlx::query(sql).bind(row.id.to_vec()).bind(row.version).bind(row.cart.to_vec());
    let query = query.bind(&row.number).bind(row.status).bind(row.payment).bind(row.fulfilment);
    let query = query.bind(&row.email).bind(&row.last_name).bind(row.created_at);
    let query = query.bind(row.placed_at).bind(row.changed_at).bind(row.settled);
    let query = query.bind(FORMAT).bind(&row.document).bind(&row.owner);
    Ok(query.execute(connection).await?.rows_affected())
}

impl WritesTogether for Sqlite {
    async fn write_all(
        &self,
        writes: &[Write],
    ) -> std::result::Result<Option<Vec<Outcome>>, CommerceError> {
        self.write(async |transaction| writes::write_all(transaction, writes).await).await
    }
}

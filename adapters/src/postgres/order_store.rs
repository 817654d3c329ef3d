//! Orders.

use async_trait::async_trait;
use barrow_engine::ids::{CartId, OrderId, ReturnId};
use barrow_engine::orders::{Order, OrderNumber};
use barrow_engine::ports::{
    CommerceError, ORDER_PAGE_MAX, Opened, OrderChange, OrderQuery, OrderStore, ReturnQuery, Saved,
};
use barrow_engine::time::Timestamp;
use sqlx::QueryBuilder;
use sqlx::postgres::PgConnection;

use super::primary::Postgres;
use crate::commerce::conditions::{Conditions, NARROW_MAX, conditions, merge, push};
use crate::commerce::numbers::{NUMBERS_DRAWN, Numbers};
use crate::commerce::order_row::{DocumentRow, ReturnedRow, order, order_ids, orders, returned};
use crate::commerce::rows::limit;
use crate::commerce::{End, Fault};

type Result<T> = std::result::Result<T, CommerceError>;

/// Where orders are kept.
pub struct PostgresOrderStore {
    postgres: Postgres,
    numbers: Numbers,
}

impl PostgresOrderStore {
    pub fn new(postgres: &Postgres) -> PostgresOrderStore {
        PostgresOrderStore { postgres: postgres.clone(), numbers: Numbers::default() }
    }

    async fn one(&self, sql: &'static str, key: Key) -> Result<Option<Order>> {
        let found: std::result::Result<Option<DocumentRow>, _> = self
            .postgres
            .call(async |connection| {
                let query = match key {
                    Key::Id(id) => sqlx::query_as(sql).bind(id.to_be_bytes()),
                    Key::Number(number) => sqlx::query_as(sql).bind(number.to_string()),
                };
                query.fetch_optional(connection).await
            })
            .await;
        Ok(found.map_err(|error| error.of_no_commit())?.map(order).transpose()?)
    }
}

enum Key {
    Id(u128),
    Number(OrderNumber),
}

pub(super) const READ: &str = "SELECT format, document::text FROM customer_order WHERE id = $1";

pub(super) const READ_OF_CART: &str =
    "SELECT format, document::text FROM customer_order WHERE cart = $1";

const READ_OF_NUMBER: &str = "SELECT format, document::text FROM customer_order WHERE number = $1";

const READ_OF_RETURN: &str = "SELECT format, document::text FROM customer_order
    WHERE id = (SELECT order_id FROM order_return WHERE id = $1)";

const RETURNS: &str = "SELECT order_return.id, format, document::text
    FROM order_return JOIN customer_order ON customer_order.id = order_id
    WHERE (order_return.created_at, order_return.id) < ($1, $2)
    ORDER BY order_return.created_at DESC, order_return.id DESC LIMIT $3";

const RETURNS_OF_STATUS: &str = "SELECT order_return.id, format, document::text
    FROM order_return JOIN customer_order ON customer_order.id = order_id
    WHERE (order_return.created_at, order_return.id) < ($1, $2) AND order_return.status = $4
    ORDER BY order_return.created_at DESC, order_return.id DESC LIMIT $3";

const DRAW_NUMBERS: &str = "SELECT nextval('order_number') FROM generate_series(1, $1)";

const UNSETTLED: &str = "SELECT id FROM customer_order WHERE NOT settled AND changed_at < $1
    ORDER BY changed_at, id LIMIT $2";

#[async_trait]
impl OrderStore for PostgresOrderStore {
    async fn open(&self, draft: &Order) -> Result<Opened> {
        self.postgres.writes().open(draft).await
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>> {
        self.one(READ, Key::Id(id.0)).await
    }

    async fn of_cart(&self, cart: CartId) -> Result<Option<Order>> {
        self.one(READ_OF_CART, Key::Id(cart.0)).await
    }

    async fn of_number(&self, number: OrderNumber) -> Result<Option<Order>> {
        self.one(READ_OF_NUMBER, Key::Number(number)).await
    }

    async fn next_number(&self) -> Result<OrderNumber> {
        let draw = || {
            async move |transaction: &mut PgConnection| {
                let query = sqlx::query_scalar(DRAW_NUMBERS).bind(NUMBERS_DRAWN);
                Ok::<_, Fault>(End::Commit(query.fetch_all(transaction).await?))
            }
        };
        self.numbers.next(async || self.postgres.transact(draw).await).await
    }

    async fn save(&self, change: &OrderChange) -> Result<Saved> {
        self.postgres.writes().save(change).await
    }

    async fn list(&self, query: &OrderQuery) -> Result<Vec<Order>> {
        let lists = conditions(query);
        let found = self
            .postgres
            .call(async |connection| {
                let mut found: Vec<DocumentRow> = Vec::new();
                for conditions in &lists {
                    // Planned for these values: a plan for any would not know which of them are
                    // rare.
                    let is_narrow = is_narrow(connection, conditions).await?;
                    let mut statement = statement(conditions, is_narrow);
                    let query = statement.build_query_as().persistent(false);
                    found.extend(query.fetch_all(&mut *connection).await?);
                }
                Ok(found)
            })
            .await;
        Ok(merge(query, orders(found.map_err(|error| error.of_no_commit())?)?))
    }

    async fn of_return(&self, id: ReturnId) -> Result<Option<Order>> {
        self.one(READ_OF_RETURN, Key::Id(id.0)).await
    }

    async fn returns(&self, query: &ReturnQuery) -> Result<Vec<(ReturnId, Order)>> {
        let (at, id) = query.after.unwrap_or((Timestamp::MAX, ReturnId(u128::MAX)));
        let most = limit(query.limit.min(ORDER_PAGE_MAX));
        let found: std::result::Result<Vec<ReturnedRow>, _> = self
            .postgres
            .call(async |connection| {
                let sql = if query.status.is_some() { RETURNS_OF_STATUS } else { RETURNS };
                let rows = sqlx::query_as(sql).bind(at.as_millis()).bind(id.0.to_be_bytes());
                let rows = rows.bind(most);
                match query.status {
                    Some(status) => rows.bind(status.as_str()).fetch_all(connection).await,
                    None => rows.fetch_all(connection).await,
                }
            })
            .await;
        returned(found.map_err(|error| error.of_no_commit())?)
    }

    async fn unsettled(&self, before: Timestamp, most: usize) -> Result<Vec<OrderId>> {
        let found = self
            .postgres
            .call(async |connection| {
                let query = sqlx::query_as(UNSETTLED).bind(before.as_millis()).bind(limit(most));
                query.fetch_all(connection).await
            })
            .await;
        order_ids(found.map_err(|error| error.of_no_commit())?)
    }
}

/// Whether few orders have a text. What a planner believes of the beginning of a name is a guess
/// from a hundred samples: where it takes a rare one for a common one, it walks along all orders.
async fn is_narrow(
    connection: &mut PgConnection,
    conditions: &Conditions,
) -> std::result::Result<bool, sqlx::Error> {
    let Some(text) = &conditions.text else { return Ok(false) };
    let mut count = QueryBuilder::new("SELECT count(*) FROM (SELECT FROM customer_order WHERE ");
    push(&mut count, text, true);
    count.push(" LIMIT ").push_bind(limit(NARROW_MAX + 1)).push(") AS few");
    let found: i64 = count.build_query_scalar().persistent(false).fetch_one(connection).await?;
    Ok(found <= limit(NARROW_MAX))
}

fn statement(conditions: &Conditions, is_narrow: bool) -> QueryBuilder<sqlx::Postgres> {
    let Conditions { text, placed, others, from, direction, limit } = conditions;
    let mut statement =
        QueryBuilder::new("SELECT format, document::text FROM customer_order WHERE true");
    for condition in text.iter().chain(placed).chain(others).chain(from) {
        statement.push(" AND ");
        push(&mut statement, condition, true);
    }
    // A sum is in the order of no index.
    let first = if is_narrow { "created_at + 0" } else { "created_at" };
    let order = format!(" ORDER BY {first}{direction}, id{direction} LIMIT ");
    statement.push(order).push_bind(*limit);
    statement
}

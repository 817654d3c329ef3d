//! Orders.

use async_trait::async_trait;
use barrow_engine::ids::{CartId, OrderId, ReturnId};
use barrow_engine::orders::{Order, OrderNumber};
use barrow_engine::ports::{
    CommerceError, ORDER_PAGE_MAX, Opened, OrderChange, OrderQuery, OrderStore, ReturnQuery, Saved,
};
use barrow_engine::time::Timestamp;
use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteConnection;

use super::database::Sqlite;
use crate::commerce::conditions::{Condition, Conditions, NARROW_MAX, conditions, merge, push};
use crate::commerce::numbers::{NUMBERS_DRAWN, Numbers};
use crate::commerce::order_row::{DocumentRow, ReturnedRow, order, order_ids, orders, returned};
use crate::commerce::rows::limit;
use crate::commerce::{End, Fault};

type Result<T> = std::result::Result<T, CommerceError>;

/// Where orders are kept.
pub struct SqliteOrderStore {
    sqlite: Sqlite,
    numbers: Numbers,
}

impl SqliteOrderStore {
    pub fn new(sqlite: &Sqlite) -> SqliteOrderStore {
        SqliteOrderStore { sqlite: sqlite.clone(), numbers: Numbers::default() }
    }

    async fn one(&self, sql: &'static str, key: Key) -> Result<Option<Order>> {
        let found: Option<DocumentRow> = self
            .sqlite
            .read(async |connection| {
                let query = match key {
                    Key::Id(id) => sqlx::query_as(sql).bind(id.to_be_bytes().to_vec()),
                    Key::Number(number) => sqlx::query_as(sql).bind(number.to_string()),
                };
                query.fetch_optional(connection).await
            })
            .await?;
        Ok(found.map(order).transpose()?)
    }
}

enum Key {
    Id(u128),
    Number(OrderNumber),
}

pub(super) const READ: &str = "SELECT format, document FROM customer_order WHERE id = ?1";

pub(super) const READ_OF_CART: &str = "SELECT format, document FROM customer_order WHERE cart = ?1";

const READ_OF_NUMBER: &str = "SELECT format, document FROM customer_order WHERE number = ?1";

const READ_OF_RETURN: &str = "SELECT format, document FROM customer_order
    WHERE id = (SELECT order_id FROM order_return WHERE id = ?1)";

const RETURNS: &str = "SELECT order_return.id, format, document
    FROM order_return JOIN customer_order ON customer_order.id = order_id
    WHERE (order_return.created_at, order_return.id) < (?1, ?2)
    ORDER BY order_return.created_at DESC, order_return.id DESC LIMIT ?3";

const RETURNS_OF_STATUS: &str = "SELECT order_return.id, format, document
    FROM order_return JOIN customer_order ON customer_order.id = order_id
    WHERE (order_return.created_at, order_return.id) < (?1, ?2) AND order_return.status = ?4
    ORDER BY order_return.created_at DESC, order_return.id DESC LIMIT ?3";

const DRAW_NUMBERS: &str = "UPDATE order_number SET next = next + ?1 RETURNING next - ?1";

const UNSETTLED: &str = "SELECT id FROM customer_order WHERE NOT settled AND changed_at < ?1
    ORDER BY changed_at, id LIMIT ?2";

#[async_trait]
impl OrderStore for SqliteOrderStore {
    async fn open(&self, draft: &Order) -> Result<Opened> {
        self.sqlite.writes().open(draft).await
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
        let draw = async |transaction: &mut SqliteConnection| {
            let query = sqlx::query_scalar(DRAW_NUMBERS).bind(NUMBERS_DRAWN);
            let first: i64 = query.fetch_one(transaction).await?;
            Ok::<_, Fault>(End::Commit((first..first + NUMBERS_DRAWN).collect()))
        };
        self.numbers.next(async || self.sqlite.write(draw).await).await
    }

    async fn save(&self, change: &OrderChange) -> Result<Saved> {
        self.sqlite.writes().save(change).await
    }

    async fn list(&self, query: &OrderQuery) -> Result<Vec<Order>> {
        let lists = conditions(query);
        let list = async |connection: &mut SqliteConnection| {
            let mut found = Vec::new();
            for conditions in &lists {
                found.extend(list(connection, conditions).await?);
            }
            Ok(found)
        };
        Ok(merge(query, orders(self.sqlite.read(list).await?)?))
    }

    async fn of_return(&self, id: ReturnId) -> Result<Option<Order>> {
        self.one(READ_OF_RETURN, Key::Id(id.0)).await
    }

    async fn returns(&self, query: &ReturnQuery) -> Result<Vec<(ReturnId, Order)>> {
        let (at, id) = query.after.unwrap_or((Timestamp::MAX, ReturnId(u128::MAX)));
        let most = limit(query.limit.min(ORDER_PAGE_MAX));
        let found: Vec<ReturnedRow> = self
            .sqlite
            .read(async |connection| {
                let sql = if query.status.is_some() { RETURNS_OF_STATUS } else { RETURNS };
                let rows = sqlx::query_as(sql).bind(at.as_millis());
                let rows = rows.bind(id.0.to_be_bytes().to_vec()).bind(most);
                match query.status {
                    Some(status) => rows.bind(status.as_str()).fetch_all(connection).await,
                    None => rows.fetch_all(connection).await,
                }
            })
            .await?;
        returned(found)
    }

    async fn unsettled(&self, before: Timestamp, most: usize) -> Result<Vec<OrderId>> {
        let found = self
            .sqlite
            .read(async |connection| {
                let query = sqlx::query_as(UNSETTLED).bind(before.as_millis()).bind(limit(most));
                query.fetch_all(connection).await
            })
            .await?;
        order_ids(found)
    }
}

async fn list(
    connection: &mut SqliteConnection,
    conditions: &Conditions,
) -> std::result::Result<Vec<DocumentRow>, sqlx::Error> {
    let narrow = narrow(connection, conditions).await?;
    let mut statement = QueryBuilder::new("SELECT format, document FROM customer_order WHERE true");
    let Conditions { text, placed, others, from, direction, limit } = conditions;
    if let Some(narrow) = narrow {
        statement.push(" AND id IN (SELECT id FROM customer_order WHERE ");
        push(&mut statement, narrow, true);
        statement.push(")");
    }
    // Along the newest, or along the newest of one kind.
    let leading = if narrow.is_none() { others.first() } else { None };
    for condition in text.iter().chain(placed).chain(others).chain(from) {
        let is_searched =
            narrow.is_none() && (Some(condition) == leading || Some(condition) == from.as_ref());
        statement.push(" AND ");
        push(&mut statement, condition, is_searched);
    }
    let sorted = if narrow.is_some() { "+" } else { "" };
    let order = format!(" ORDER BY {sorted}created_at{direction}, {sorted}id{direction} LIMIT ");
    statement.push(order);
    statement.push_bind(*limit);
    statement.build_query_as().fetch_all(connection).await
}

/// A condition that few orders meet.
async fn narrow<'a>(
    connection: &mut SqliteConnection,
    conditions: &'a Conditions,
) -> std::result::Result<Option<&'a Condition>, sqlx::Error> {
    let Conditions { text, placed, others, .. } = conditions;
    // An index has a single one of the others in front of the order of lists.
    let is_alone = text.is_none() && placed.is_none() && others.len() == 1;
    let others = if is_alone { &[][..] } else { &others[..] };
    for condition in text.iter().chain(placed).chain(others) {
        let mut count =
            QueryBuilder::new("SELECT count(*) FROM (SELECT 1 FROM customer_order WHERE ");
        push(&mut count, condition, true);
        count.push(" LIMIT ").push_bind(limit(NARROW_MAX + 1)).push(")");
        let found: i64 = count.build_query_scalar().fetch_one(&mut *connection).await?;
        if found <= limit(NARROW_MAX) {
            return Ok(Some(condition));
        }
    }
    Ok(None)
}

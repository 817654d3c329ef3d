//! The rows of orders, any number of them in one statement.

use barrow_engine::events::Event;
use sqlx::postgres::PgConnection;

use super::transaction::texts;
use crate::commerce::events::stored as position;
use crate::commerce::order_row::{FORMAT, OrderRow, PaymentRow, ReturnRow};

type Result<T> = std::result::Result<T, sqlx::Error>;

const INSERT: &str = "INSERT INTO customer_order (id, version, cart, number, status, payment,
        fulfilment, email, last_name, created_at, placed_at, changed_at, settled, format, document,
        owner)
    SELECT id, version, cart, number, status, payment, fulfilment, email, last_name, created_at,
            placed_at, changed_at, settled, $14, document::json, owner
        FROM unnest($1::bytea[], $2::int8[], $3::bytea[], $4::text[], $5::text[], $6::text[],
            $7::text[], $8::text[], $9::text[], $10::int8[], $11::int8[], $12::int8[],
            $13::bool[], $15::text[], $16::text[])
        AS made (id, version, cart, number, status, payment, fulfilment, email, last_name,
            created_at, placed_at, changed_at, settled, document, owner)
    ON CONFLICT DO NOTHING RETURNING id";

const LOCK: &str =
    "SELECT id, version FROM customer_order WHERE id = ANY($1) ORDER BY id FOR UPDATE";

/// Orders, their payments, returns and events in one statement. A payment never changes its
/// order, nor does a return: the row of another one is met, and not counted.
const UPDATE: &str = "WITH changed AS (
    UPDATE customer_order SET version = wanted.version, number = wanted.number,
            status = wanted.status, payment = wanted.payment, fulfilment = wanted.fulfilment,
            email = wanted.email, last_name = wanted.last_name, placed_at = wanted.placed_at,
            changed_at = wanted.changed_at, settled = wanted.settled, format = $14,
            document = wanted.document::json, owner = wanted.owner
        FROM unnest($1::bytea[], $2::int8[], $3::bytea[], $4::text[], $5::text[], $6::text[],
            $7::text[], $8::text[], $9::text[], $10::int8[], $11::int8[], $12::int8[],
            $13::bool[], $15::text[], $16::text[])
        AS wanted (id, version, cart, number, status, payment, fulfilment, email, last_name,
            created_at, placed_at, changed_at, settled, document, owner)
        WHERE customer_order.id = wanted.id AND customer_order.cart = wanted.cart
            AND customer_order.created_at = wanted.created_at RETURNING 1
), paid AS (
    INSERT INTO order_payment (id, order_id, authorized, captured, refunded)
        SELECT * FROM unnest($17::bytea[], $18::bytea[], $19::int8[], $20::int8[], $21::int8[])
        ON CONFLICT (id) DO UPDATE SET authorized = EXCLUDED.authorized,
            captured = EXCLUDED.captured, refunded = EXCLUDED.refunded
            WHERE order_payment.order_id = EXCLUDED.order_id RETURNING 1
), returned AS (
    INSERT INTO order_return (id, order_id, status, created_at)
        SELECT * FROM unnest($22::bytea[], $23::bytea[], $24::text[], $25::int8[])
        ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status
            WHERE order_return.order_id = EXCLUDED.order_id RETURNING 1
), made AS (
    SELECT * FROM unnest($26::text[], $27::int8[], $28::text[], $29::int8[], $30::text[])
        AS made (aggregate, position, kind, at, data)
        WHERE EXISTS (SELECT FROM event_consumer)
), told AS (
    INSERT INTO event (aggregate, position, kind, at, data) SELECT * FROM made
), laned AS (
    INSERT INTO event_lane (consumer, aggregate, position, last, due_at)
        SELECT name, aggregate, min(position), max(position),
                (extract(epoch FROM statement_timestamp()) * 1000)::int8
            FROM made, event_consumer GROUP BY aggregate, name ORDER BY aggregate, name
        ON CONFLICT (consumer, aggregate) DO UPDATE SET last = EXCLUDED.last
) SELECT (SELECT count(*) FROM changed) + (SELECT count(*) FROM paid)
    + (SELECT count(*) FROM returned)";

/// Binds the columns of orders, as both statements number them.
macro_rules! bind_orders {
    ($query:expr, $rows:expr) => {{
        let rows = $rows;
        let query = $query;
        let query = query.bind(column(rows, |row| row.id)).bind(column(rows, |row| row.version));
        let query = query.bind(column(rows, |row| row.cart));
        let query = query.bind(column(rows, |row| row.number.as_deref()));
        let query = query.bind(column(rows, |row| row.status));
        let query = query.bind(column(rows, |row| row.payment));
        let query = query.bind(column(rows, |row| row.fulfilment));
        let query = query.bind(column(rows, |row| row.email.as_str()));
        let query = query.bind(column(rows, |row| row.last_name.as_str()));
        let query = query.bind(column(rows, |row| row.created_at));
        let query = query.bind(column(rows, |row| row.placed_at));
        let query = query.bind(column(rows, |row| row.changed_at));
        let query = query.bind(column(rows, |row| row.settled)).bind(FORMAT);
        let query = query.bind(column(rows, |row| row.document.as_str()));
        query.bind(column(rows, |row| row.owner.as_str()))
    }};
}

fn column<'a, T>(rows: &[&'a OrderRow], part: impl Fn(&'a OrderRow) -> T) -> Vec<T> {
    rows.iter().map(|row| part(row)).collect()
}

/// Inserts those of whose carts there are none; their ids.
pub(super) async fn insert(
    connection: &mut PgConnection,
    rows: &[&OrderRow],
) -> Result<Vec<Vec<u8>>> {
    bind_orders!(sqlx::query_scalar(INSERT), rows).fetch_all(connection).await
}

/// Locks them in the order of their ids; their versions.
pub(super) async fn lock(
    connection: &mut PgConnection,
    ids: &[[u8; 16]],
) -> Result<Vec<(Vec<u8>, i64)>> {
    sqlx::query_as(LOCK).bind(ids).fetch_all(connection).await
}

/// How many rows of orders, payments and returns were written.
pub(super) async fn update(
    connection: &mut PgConnection,
    changed: &[(&OrderRow, Vec<Event>)],
) -> Result<i64> {
    let rows: Vec<&OrderRow> = changed.iter().map(|(row, _)| *row).collect();
    let payments = || rows.iter().flat_map(|row| row.payments.iter().map(|it| (row.id, it)));
    let paid =
        |part: fn(&PaymentRow) -> i64| payments().map(|(_, it)| part(it)).collect::<Vec<_>>();
    let returns = || rows.iter().flat_map(|row| row.returns.iter().map(|it| (row.id, it)));
    let events = || changed.iter().flat_map(|(_, events)| events);
    let query = bind_orders!(sqlx::query_scalar(UPDATE), &rows);
    let query = query.bind(payments().map(|(_, it)| it.id).collect::<Vec<_>>());
    let query = query.bind(payments().map(|(order, _)| order).collect::<Vec<_>>());
    let query = query.bind(paid(|it| it.authorized)).bind(paid(|it| it.captured));
    let query = query.bind(paid(|it| it.refunded));
    let query = query.bind(returns().map(|(_, it)| it.id).collect::<Vec<_>>());
    let query = query.bind(returns().map(|(order, _)| order).collect::<Vec<_>>());
    let query = query.bind(returns().map(|(_, it): (_, &ReturnRow)| it.status).collect::<Vec<_>>());
    let query = query.bind(returns().map(|(_, it)| it.created_at).collect::<Vec<_>>());
    let query = query.bind(events().map(|it| it.aggregate.to_string()).collect::<Vec<_>>());
    let query = query.bind(events().map(|it| position(it.position)).collect::<Vec<_>>());
    let query = query.bind(texts(events(), |it| it.kind.as_str()));
    let query = query.bind(events().map(|it| it.at.as_millis()).collect::<Vec<_>>());
    let query = query.bind(events().map(|it| it.data.to_string()).collect::<Vec<_>>());
    query.fetch_one(connection).await
}

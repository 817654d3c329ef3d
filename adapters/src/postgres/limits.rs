//! What a customer has bought, in Postgres.

use std::collections::BTreeMap;

use barrow_engine::catalog::Sku;
use barrow_engine::ids::MovementId;
use sqlx::postgres::PgConnection;

use crate::commerce::Fault;
use crate::commerce::limits::{BoughtRow, Buyer, bought as read};

/// Until the transaction ends. A statement of its own: the next one sees what was committed while
/// this one waited.
const LOCK: &str =
    "SELECT pg_advisory_xact_lock(name) FROM (SELECT unnest($1::int8[]) AS name) AS names";

const BOUGHT: &str = "SELECT line ->> 'sku',
        sum((line ->> 'quantity')::int8 - coalesce((line ->> 'returned')::int8, 0))::int8
    FROM customer_order, json_array_elements(document -> 'lines') AS line
    WHERE (owner = $1 OR email = $2)
        AND id <> $3 AND status IN ('draft', 'placed', 'completed') AND line ->> 'sku' = ANY($4)
    GROUP BY line ->> 'sku'";

/// What is locked for a buyer. Two customers of one number wait for each other, and no more than
/// that.
fn locks(buyer: &Buyer) -> [i64; 2] {
    // 64 of the bits of a hash.
    let lock = |name: &str| MovementId::derived(name).0 as i64;
    [lock(&format!("owner {}", buyer.owner)), lock(&format!("email {}", buyer.email))]
}

pub(super) async fn lock(connection: &mut PgConnection, buyers: &[Buyer]) -> Result<(), Fault> {
    let mut names: Vec<i64> = buyers.iter().flat_map(locks).collect();
    names.sort_unstable();
    sqlx::query(LOCK).bind(&names[..]).execute(connection).await?;
    Ok(())
}

pub(super) async fn bought(
    connection: &mut PgConnection,
    buyer: &Buyer,
    skus: &[&str],
) -> Result<BTreeMap<Sku, u64>, Fault> {
    let query = sqlx::query_as(BOUGHT).bind(&buyer.owner).bind(&buyer.email);
    let found: Vec<BoughtRow> = query.bind(buyer.order).bind(skus).fetch_all(connection).await?;
    Ok(read(found)?)
}

//! What a customer has bought, in SQLite: whoever opens a draft has the database for itself.

use std::collections::BTreeMap;

use barrow_engine::catalog::Sku;
use sqlx::sqlite::SqliteConnection;

use crate::commerce::Fault;
use crate::commerce::limits::{BoughtRow, Buyer, bought as read};

const BOUGHT: &str = "SELECT line.value ->> '$.sku',
        sum((line.value ->> '$.quantity') - coalesce(line.value ->> '$.returned', 0))
    FROM customer_order, json_each(document, '$.lines') AS line
    WHERE (owner = ?1 OR email = ?2)
        AND customer_order.id <> ?3 AND status IN ('draft', 'placed', 'completed')
        AND line.value ->> '$.sku' IN (SELECT value FROM json_each(?4))
    GROUP BY line.value ->> '$.sku'";

pub(super) async fn bought(
    connection: &mut SqliteConnection,
    buyer: &Buyer,
    skus: String,
) -> Result<BTreeMap<Sku, u64>, Fault> {
    let query = sqlx::query_as(BOUGHT).bind(&buyer.owner).bind(&buyer.email);
    let query = query.bind(buyer.order.to_vec()).bind(skus);
    let found: Vec<BoughtRow> = query.fetch_all(connection).await?;
    Ok(read(found)?)
}

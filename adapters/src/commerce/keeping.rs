//! How what an order has reserved is renewed: as in [`super::flow`], which has the other changes.

use std::collections::{BTreeMap, BTreeSet};

use barrow_engine::catalog::Sku;
use barrow_engine::ids::OrderId;
use barrow_engine::inventory::Kept;
use barrow_engine::time::Timestamp;

use super::flow::{Opening, committed};
use super::transaction::Transaction;
use super::{End, Fault};

pub(crate) async fn keep(
    transaction: &mut impl Transaction,
    order: OrderId,
    keep: &BTreeMap<Sku, u64>,
    until: Timestamp,
) -> Result<End<Kept>, Fault> {
    let reserved = transaction.reserved(order).await?;
    let skus: BTreeSet<Sku> = reserved.into_iter().map(|claim| claim.sku).collect();
    if skus.is_empty() {
        return Ok(End::Rollback(Kept::default()));
    }
    // Others may be letting go what has run out: only under its level's lock a claim stays.
    let locked = transaction.lock_levels(&skus, &BTreeSet::new()).await?;
    let mut claims = transaction.claims(&BTreeSet::from([order]), &skus).await?;
    claims.retain(|claim| !claim.is_allocated());
    let mut opening = Opening::new(locked, claims)?;
    let kept = opening.ledger.keep(order, keep, until);
    let changes = opening.write(transaction).await?;
    Ok(committed(changes.has_news(), kept))
}

//! How stock changes, whatever the database: lock, read, let the ledger decide, write.

use std::collections::{BTreeMap, BTreeSet};

use barrow_engine::catalog::{Location, Sku};
use barrow_engine::ids::{MovementId, OrderId};
use barrow_engine::inventory::{
    Claim, Ledger, LedgerChanges, Movement, MovementDraft, StockRefusal,
};
use barrow_engine::time::Timestamp;

use super::transaction::{Locked, Transaction};
use super::{End, Fault};

type Result<T> = std::result::Result<T, Fault>;

/// A ledger of what is locked, and the levels that were made for that.
pub(super) struct Opening {
    pub(super) ledger: Ledger,
    made: BTreeSet<(Sku, Location)>,
}

impl Opening {
    /// Of a claim at a level that came while others were locked nothing may be decided.
    pub(super) fn new(locked: Locked, claims: Vec<Claim>) -> Result<Opening> {
        let levels: BTreeSet<_> =
            locked.levels.iter().map(|level| (&level.sku, &level.location)).collect();
        if claims.iter().any(|claim| !levels.contains(&(&claim.sku, &claim.location))) {
            return Err(Fault::Again);
        }
        Ok(Opening { ledger: Ledger::new(locked.levels, claims), made: locked.made })
    }

    /// Writes what has changed; it is answered.
    pub(super) async fn write(self, transaction: &mut impl Transaction) -> Result<LedgerChanges> {
        let changes = self.ledger.into_changes();
        let used = |key: &(Sku, Location)| {
            changes.levels.iter().any(|level| level.sku == key.0 && level.location == key.1)
        };
        let unused = self.made.into_iter().filter(|key| !used(key)).collect();
        transaction.write_stock(&changes, &unused).await?;
        Ok(changes)
    }
}

/// The SKUs of which something was let go, each once.
fn freed(claims: &[Claim]) -> Vec<Sku> {
    let skus: BTreeSet<&Sku> = claims.iter().map(|claim| &claim.sku).collect();
    skus.into_iter().cloned().collect()
}

pub(crate) async fn book(
    transaction: &mut impl Transaction,
    drafts: &[MovementDraft],
) -> Result<End<Vec<std::result::Result<Movement, StockRefusal>>>> {
    let needed: BTreeSet<_> =
        drafts.iter().map(|draft| (draft.sku.clone(), draft.location.clone())).collect();
    let skus = needed.iter().map(|(sku, _)| sku.clone()).collect();
    let locked = transaction.lock_levels(&skus, &needed).await?;
    let ids: BTreeSet<MovementId> = drafts.iter().map(|draft| draft.id).collect();
    let booked = transaction.booked(&ids).await?;
    let mut booked: BTreeMap<MovementId, Movement> =
        booked.into_iter().map(|movement| (movement.draft.id, movement)).collect();
    let mut opening = Opening::new(locked, Vec::new())?;
    let mut outcomes = Vec::with_capacity(drafts.len());
    for draft in drafts {
        if let Some(before) = booked.get(&draft.id) {
            outcomes.push(Ok(before.clone()));
            continue;
        }
        let outcome = opening.ledger.book(draft.clone());
        if let Ok(movement) = &outcome {
            booked.insert(draft.id, movement.clone());
        }
        outcomes.push(outcome);
    }
    let changes = opening.write(transaction).await?;
    match changes.levels.is_empty() {
        true => Ok(End::Rollback(outcomes)),
        false => Ok(committed(changes.has_news(), outcomes)),
    }
}

pub(super) fn committed<T>(has_news: bool, answer: T) -> End<T> {
    if has_news { End::Announce(answer) } else { End::Commit(answer) }
}

pub(crate) async fn release(
    transaction: &mut impl Transaction,
    order: OrderId,
) -> Result<End<Vec<Sku>>> {
    let reserved = transaction.reserved(order).await?;
    let skus: BTreeSet<Sku> = freed(&reserved).into_iter().collect();
    if skus.is_empty() {
        return Ok(End::Rollback(Vec::new()));
    }
    let locked = transaction.lock_levels(&skus, &BTreeSet::new()).await?;
    let mut claims = transaction.claims(&BTreeSet::from([order]), &skus).await?;
    claims.retain(|claim| !claim.is_allocated());
    let freed = freed(&claims);
    let mut opening = Opening::new(locked, claims)?;
    opening.ledger.release(order);
    let changes = opening.write(transaction).await?;
    Ok(committed(changes.has_news(), freed))
}

/// `None` where others have taken away all that had run out: there may be more.
pub(crate) async fn expire(
    transaction: &mut impl Transaction,
    now: Timestamp,
    limit: usize,
) -> Result<End<Option<Vec<Sku>>>> {
    let expired = transaction.expired(now, limit).await?;
    if expired.is_empty() {
        return Ok(End::Rollback(Some(Vec::new())));
    }
    let skus: BTreeSet<Sku> = freed(&expired).into_iter().collect();
    let locked = transaction.lock_levels(&skus, &BTreeSet::new()).await?;
    let key = |claim: &Claim| (claim.order, claim.sku.clone(), claim.location.clone());
    let chosen: BTreeSet<_> = expired.iter().map(key).collect();
    let orders = expired.iter().map(|claim| claim.order).collect();
    let mut claims = transaction.claims(&orders, &skus).await?;
    claims.retain(|claim| claim.has_expired(now) && chosen.contains(&key(claim)));
    let freed = freed(&claims);
    if freed.is_empty() {
        return Ok(End::Rollback(None));
    }
    let mut opening = Opening::new(locked, claims)?;
    opening.ledger.expire(now);
    let changes = opening.write(transaction).await?;
    Ok(committed(changes.has_news(), Some(freed)))
}

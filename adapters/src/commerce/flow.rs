//! How stock and orders change, whatever the database: lock, read, let the ledger decide, write.

use std::collections::{BTreeMap, BTreeSet};

use barrow_engine::catalog::{Location, Sku};
use barrow_engine::events::order_events;
use barrow_engine::ids::{MovementId, OrderId};
use barrow_engine::inventory::{
    Claim, Held, Ledger, LedgerChanges, Movement, MovementDraft, StockRefusal, Wish,
    default_location,
};
use barrow_engine::orders::{Order, StockChange};
use barrow_engine::ports::{Opened, OrderChange, Saved};
use barrow_engine::time::Timestamp;

use super::limits::over_limit;
use super::order_row::OrderRow;
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
        false => Ok(committed(!changes.news.is_empty(), outcomes)),
    }
}

pub(super) fn committed<T>(has_news: bool, answer: T) -> End<T> {
    if has_news { End::Announce(answer) } else { End::Commit(answer) }
}

pub(crate) async fn reserve(
    transaction: &mut impl Transaction,
    sku: &Sku,
    allowance: Option<u64>,
    wishes: &[Wish],
) -> Result<End<Vec<Held>>> {
    let skus = BTreeSet::from([sku.clone()]);
    let needed = BTreeSet::from([(sku.clone(), default_location())]);
    let locked = transaction.lock_levels(&skus, &needed).await?;
    let orders = wishes.iter().map(|wish| wish.order).collect();
    let claims = transaction.claims(&orders, &skus).await?;
    let mut opening = Opening::new(locked, claims)?;
    let held = opening.ledger.reserve(sku, allowance, wishes);
    if !held.contains(&Held::All) {
        return Ok(End::Rollback(held));
    }
    let changes = opening.write(transaction).await?;
    Ok(committed(!changes.news.is_empty(), held))
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
    Ok(committed(!changes.news.is_empty(), freed))
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
    Ok(committed(!changes.news.is_empty(), Some(freed)))
}

pub(crate) async fn open(
    transaction: &mut impl Transaction,
    draft: &Order,
    row: &OrderRow,
) -> Result<End<Opened>> {
    if transaction.insert_order(row).await? {
        if let Some(over) = over_limit(transaction, draft).await? {
            return Ok(End::Rollback(Opened::OverLimit(over)));
        }
        return Ok(End::Commit(Opened::New));
    }
    match transaction.order_of_cart(draft.cart).await? {
        Some(order) => Ok(End::Rollback(Opened::Existing(order))),
        None => Err(Fault::Damaged(format!("{} is the order of another cart", draft.id))),
    }
}

pub(crate) async fn save(
    transaction: &mut impl Transaction,
    change: &OrderChange,
    row: &OrderRow,
) -> Result<End<Saved>> {
    let order = &change.order;
    let locked = transaction.lock_order(order.id).await?.unwrap_or_default();
    let current = locked.version;
    if current == 0 || current + 1 != order.version {
        let is_same =
            current == order.version && transaction.order(order.id).await?.as_ref() == Some(order);
        let saved = if is_same { Saved::Done } else { Saved::Stale { current } };
        return Ok(End::Rollback(saved));
    }
    if order.takes_limits_up(locked.timeline)
        && let Some(over) = over_limit(transaction, order).await?
    {
        return Ok(End::Rollback(Saved::Refused(StockRefusal::OverLimit(over))));
    }
    let mut has_news = false;
    if !change.stock.is_empty() {
        match change_stock(transaction, change).await? {
            Ok(changes) => has_news = !changes.news.is_empty(),
            Err(refusal) => return Ok(End::Rollback(Saved::Refused(refusal))),
        }
    }
    let events = order_events(order, locked.timeline);
    transaction.write_order(row, &events).await?;
    Ok(committed(has_news || !events.is_empty(), Saved::Done))
}

async fn change_stock(
    transaction: &mut impl Transaction,
    change: &OrderChange,
) -> Result<std::result::Result<LedgerChanges, StockRefusal>> {
    let OrderChange { order, stock, actor, at } = change;
    let (skus, needed) = concerned(order, stock);
    let locked = transaction.lock_levels(&skus, &needed).await?;
    let claims = transaction.claims(&BTreeSet::from([order.id]), &skus).await?;
    let mut opening = Opening::new(locked, claims)?;
    if let Err(refusal) = opening.ledger.change(order, stock, (actor, *at)) {
        return Ok(Err(refusal));
    }
    Ok(Ok(opening.write(transaction).await?))
}

/// The SKUs that a change is about, and the levels that units come to, there or not.
fn concerned(order: &Order, stock: &[StockChange]) -> (BTreeSet<Sku>, BTreeSet<(Sku, Location)>) {
    let (mut skus, mut needed) = (BTreeSet::new(), BTreeSet::new());
    for change in stock {
        match change {
            StockChange::Allocate => {
                let tracked = order.lines.iter().filter(|line| line.tracked);
                skus.extend(tracked.map(|line| line.sku.clone()));
            }
            StockChange::Ship { sku, .. } | StockChange::Release { sku, .. } => {
                skus.insert(sku.clone());
            }
            StockChange::AllocateMore { sku, .. } | StockChange::Unship { sku, .. } => {
                skus.insert(sku.clone());
                needed.insert((sku.clone(), default_location()));
            }
            StockChange::Restock { sku, location, .. } => {
                skus.insert(sku.clone());
                let location = location.clone().unwrap_or_else(default_location);
                needed.insert((sku.clone(), location));
            }
        }
    }
    (skus, needed)
}

//! Drafts, orders and reservations, any number of them in one transaction: each stands alone, as
//! if it had been made by itself, but they share their statements and their commit.

use std::collections::BTreeSet;

use barrow_engine::catalog::{Location, Sku};
use barrow_engine::events::order_events;
use barrow_engine::ids::OrderId;
use barrow_engine::inventory::{Held, StockRefusal, Wish, default_location};
use barrow_engine::orders::{Order, OverLimit, StockChange};
use barrow_engine::ports::{CommerceError, Opened, OrderChange, Saved};

use super::flow::{Opening, committed};
use super::limits::first_over;
use super::order_row::OrderRow;
use super::transaction::Transaction;
use super::{End, Fault};

type Result<T> = std::result::Result<T, Fault>;

/// One of them. An order is large, and moves from the queue to the batch and on with dozens more.
pub(crate) enum Write {
    Open { draft: Box<Order>, row: Box<OrderRow> },
    Save { change: Box<OrderChange>, row: Box<OrderRow> },
    Reserve { sku: Sku, allowance: Option<u64>, wishes: Vec<Wish> },
}

impl Write {
    pub fn open(draft: &Order) -> std::result::Result<Write, CommerceError> {
        let row = Box::new(OrderRow::new(draft, draft.created_at)?);
        Ok(Write::Open { draft: Box::new(draft.clone()), row })
    }

    pub fn save(change: &OrderChange) -> std::result::Result<Write, CommerceError> {
        let row = Box::new(OrderRow::new(&change.order, change.at)?);
        Ok(Write::Save { change: Box::new(change.clone()), row })
    }

    /// The order whose row it changes. No two of one order go into one transaction.
    pub fn order(&self) -> Option<OrderId> {
        match self {
            Write::Open { draft, .. } => Some(draft.id),
            Write::Save { change, .. } => Some(change.order.id),
            Write::Reserve { .. } => None,
        }
    }

    fn opened(&self) -> Option<&OrderRow> {
        match self {
            Write::Open { row, .. } => Some(row),
            Write::Save { .. } | Write::Reserve { .. } => None,
        }
    }

    fn saved(&self) -> Option<&Order> {
        match self {
            Write::Save { change, .. } => Some(&change.order),
            Write::Open { .. } | Write::Reserve { .. } => None,
        }
    }
}

/// What came of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Opened(Opened),
    Saved(Saved),
    Held(Vec<Held>),
}

/// What came of each, in their order; `None` where one of several is refused by the stock, which
/// undoes what the others did: each has to go alone then.
pub(crate) async fn write_all(
    transaction: &mut impl Transaction,
    writes: &[Write],
) -> Result<End<Option<Vec<Outcome>>>> {
    let mut outcomes = open(transaction, writes).await?;
    lock_orders(transaction, writes, &mut outcomes).await?;
    if let Some(over) = first_over(transaction, &limited(writes, &outcomes)).await? {
        // Of several, those of one customer have counted each other.
        return Ok(End::Rollback(match writes {
            [one] => Some(vec![over_limit(one, over)]),
            _ => None,
        }));
    }
    let mut has_news = false;
    if let Some(mut opening) = open_stock(transaction, writes, &outcomes).await? {
        for (write, outcome) in writes.iter().zip(&mut outcomes) {
            if outcome.is_some() {
                continue;
            }
            match write {
                Write::Reserve { sku, allowance, wishes } => {
                    let held = opening.ledger.reserve(sku, *allowance, wishes);
                    *outcome = Some(Outcome::Held(held));
                }
                Write::Save { change, .. } => {
                    let OrderChange { order, stock, actor, at, .. } = &**change;
                    if let Err(refusal) = opening.ledger.change(order, stock, (actor, *at)) {
                        let alone = vec![Outcome::Saved(Saved::Refused(refusal))];
                        return Ok(End::Rollback((writes.len() == 1).then_some(alone)));
                    }
                }
                Write::Open { .. } => {}
            }
        }
        has_news = opening.write(transaction).await?.has_news();
    }
    let mut changed = Vec::new();
    for (write, outcome) in writes.iter().zip(&mut outcomes) {
        if let (Write::Save { change, row }, None) = (write, &outcome) {
            let events = order_events(&change.order, change.known);
            has_news |= !events.is_empty();
            changed.push((&**row, events));
            *outcome = Some(Outcome::Saved(Saved::Done));
        }
    }
    if !changed.is_empty() {
        transaction.write_orders(&changed).await?;
    }
    let outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();
    match outcomes.iter().any(has_written) {
        true => Ok(committed(has_news, Some(outcomes))),
        false => Ok(End::Rollback(Some(outcomes))),
    }
}

/// Saying so of a save that was made before costs an empty commit, and is rare.
fn has_written(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Opened(opened) => *opened == Opened::New,
        Outcome::Saved(saved) => *saved == Saved::Done,
        Outcome::Held(held) => held.contains(&Held::All),
    }
}

/// Inserts what is opened; the outcomes of that.
async fn open(
    transaction: &mut impl Transaction,
    writes: &[Write],
) -> Result<Vec<Option<Outcome>>> {
    let mut rows: Vec<&OrderRow> = writes.iter().filter_map(Write::opened).collect();
    // Two transactions that open the same do it in the same order.
    rows.sort_unstable_by_key(|row| row.id);
    let inserted = match rows.is_empty() {
        true => BTreeSet::new(),
        false => transaction.insert_orders(&rows).await?,
    };
    let mut outcomes = Vec::with_capacity(writes.len());
    for write in writes {
        outcomes.push(match write {
            Write::Open { draft, .. } if inserted.contains(&draft.id) => {
                Some(Outcome::Opened(Opened::New))
            }
            Write::Open { draft, .. } => match transaction.order_of_cart(draft.cart).await? {
                Some(order) => Some(Outcome::Opened(Opened::Existing(Box::new(order)))),
                None => {
                    let what = format!("{} is the order of another cart", draft.id);
                    return Err(Fault::Damaged(what));
                }
            },
            _ => None,
        });
    }
    Ok(outcomes)
}

/// Locks the orders that are saved; the outcomes of those that are not at the version before.
async fn lock_orders(
    transaction: &mut impl Transaction,
    writes: &[Write],
    outcomes: &mut [Option<Outcome>],
) -> Result<()> {
    let saved = writes.iter().filter_map(Write::saved);
    let ids: BTreeSet<OrderId> = saved.map(|order| order.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let locked = transaction.lock_orders(&ids).await?;
    for (write, outcome) in writes.iter().zip(outcomes) {
        let Some(order) = write.saved() else { continue };
        let current = locked.get(&order.id).copied().unwrap_or(0);
        if current == 0 || current + 1 != order.version {
            let is_same = current == order.version
                && transaction.order(order.id).await?.as_ref() == Some(order);
            let saved = if is_same { Saved::Done } else { Saved::Stale { current } };
            *outcome = Some(Outcome::Saved(saved));
        }
    }
    Ok(())
}

/// The drafts that are opened now, or opened again.
fn limited<'a>(writes: &'a [Write], outcomes: &[Option<Outcome>]) -> Vec<&'a Order> {
    let of_write = |(write, outcome): (&'a Write, &Option<Outcome>)| match (write, outcome) {
        (Write::Open { draft, .. }, Some(Outcome::Opened(Opened::New))) => Some(&**draft),
        (Write::Save { change, .. }, None) => {
            Some(&change.order).filter(|order| order.takes_limits_up(change.known))
        }
        _ => None,
    };
    writes.iter().zip(outcomes).filter_map(of_write).collect()
}

fn over_limit(write: &Write, over: OverLimit) -> Outcome {
    match write {
        Write::Open { .. } => Outcome::Opened(Opened::OverLimit(over)),
        _ => Outcome::Saved(Saved::Refused(StockRefusal::OverLimit(over))),
    }
}

/// A ledger of all that is concerned, where something is.
async fn open_stock(
    transaction: &mut impl Transaction,
    writes: &[Write],
    outcomes: &[Option<Outcome>],
) -> Result<Option<Opening>> {
    let (mut skus, mut needed, mut orders) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let undecided = writes.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_none());
    for (write, _) in undecided {
        match write {
            Write::Reserve { sku, wishes, .. } => {
                skus.insert(sku.clone());
                needed.insert((sku.clone(), default_location()));
                orders.extend(wishes.iter().map(|wish| wish.order));
            }
            Write::Save { change, .. } if !change.stock.is_empty() => {
                concerned(&change.order, &change.stock, &mut skus, &mut needed);
                orders.insert(change.order.id);
            }
            Write::Open { .. } | Write::Save { .. } => {}
        }
    }
    if skus.is_empty() {
        return Ok(None);
    }
    let locked = transaction.lock_levels(&skus, &needed).await?;
    let claims = transaction.claims(&orders, &skus).await?;
    Opening::new(locked, claims).map(Some)
}

/// The SKUs that a change is about, and the levels that units come to, there or not.
fn concerned(
    order: &Order,
    stock: &[StockChange],
    skus: &mut BTreeSet<Sku>,
    needed: &mut BTreeSet<(Sku, Location)>,
) {
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
}

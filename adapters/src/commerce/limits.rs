//! How many units one customer has bought: asked by the transaction that opens a draft, so that of
//! two checkouts of one customer the later one sees the earlier one's.

use std::collections::{BTreeMap, BTreeSet};

use barrow_engine::catalog::Sku;
use barrow_engine::orders::{Order, OrderStatus, OverLimit};

use super::Fault;
use super::order_row::owner_of;
use super::rows::{Damage, sku};
use super::transaction::Transaction;

/// By what a customer is known: whose the session is, and the e-mail address.
#[derive(Debug)]
pub(crate) struct Buyer {
    /// The id of the session or of the customer.
    pub owner: String,
    /// In small letters, as in the row of an order.
    pub email: String,
    pub order: [u8; 16],
}

impl Buyer {
    fn of(order: &Order) -> Buyer {
        Buyer {
            owner: owner_of(order),
            email: order.contact.email.to_lowercase(),
            order: order.id.0.to_be_bytes(),
        }
    }

    /// Whether an order is another one of theirs, which counts.
    pub fn has_bought(&self, order: &Order) -> bool {
        let other = Buyer::of(order);
        let is_theirs = self.owner == other.owner || self.email == other.email;
        is_theirs && self.order != other.order && order.is_wanted()
    }
}

/// A SKU, and the units of it in other orders that were not cancelled, without what came back.
pub(crate) type BoughtRow = (String, i64);

pub(crate) fn bought(rows: Vec<BoughtRow>) -> Result<BTreeMap<Sku, u64>, Damage> {
    let read = |(name, units): BoughtRow| Ok((sku(&name)?, u64::try_from(units).unwrap_or(0)));
    rows.into_iter().map(read).collect()
}

/// The first of these drafts that wants more than its customer may have. No statement where they
/// want nothing that has a limit.
pub(super) async fn first_over(
    transaction: &mut impl Transaction,
    drafts: &[&Order],
) -> Result<Option<OverLimit>, Fault> {
    let limited = drafts.iter().filter(|draft| draft.status == OrderStatus::Draft);
    let limited = limited.map(|draft| (*draft, draft.limited().into_keys().collect()));
    let limited: Vec<(&Order, BTreeSet<Sku>)> =
        limited.filter(|(_, skus): &(_, BTreeSet<Sku>)| !skus.is_empty()).collect();
    if limited.is_empty() {
        return Ok(None);
    }
    let buyers: Vec<Buyer> = limited.iter().map(|(draft, _)| Buyer::of(draft)).collect();
    transaction.lock_buyers(&buyers).await?;
    for ((draft, skus), buyer) in limited.iter().zip(&buyers) {
        let bought = transaction.bought(buyer, skus).await?;
        if let Some(over) = draft.over_limit(&bought) {
            return Ok(Some(over));
        }
    }
    Ok(None)
}

//! What becomes of two carts when a guest signs in and turns out to have one already.
//!
//! Pure: it says what the merged cart holds, and why something of the two is not in it. The
//! customer's lines come first, in their order, then those that only the guest had. What a
//! limit takes away is named; nothing vanishes silently.

use std::str::FromStr;

use crate::cart::{LINES_MAX, SkuIndex};
use crate::catalog::Sku;
use crate::quantity::{QUANTITY_MAX, Quantity};

/// How the quantities of the two carts become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MergePolicy {
    /// The sum of both. The default: a shopper who put something in twice sees it and can take
    /// it out again, whereas what was dropped is forgotten.
    #[default]
    Sum,
    /// The larger of both.
    Max,
    /// The guest's cart replaces the customer's.
    KeepGuest,
    /// The customer's cart stays as it was.
    KeepCustomer,
}

/// One SKU of either cart, and what the merged cart holds of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedLine {
    pub sku: Sku,
    /// 0 where the guest had none.
    pub guest_quantity: u32,
    /// 0 where the customer had none.
    pub customer_quantity: u32,
    /// 0 where the policy or a limit kept it out.
    pub quantity: u32,
}

/// A limit took units of this SKU away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    pub sku: Sku,
    pub code: DroppedCode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DroppedCode {
    /// The line holds as many as a line may; the rest is dropped.
    QuantityLimit,
    /// The cart holds as many lines as a cart may; this one is dropped.
    LineLimit,
}

/// The outcome. Every SKU of either cart is in `lines` exactly once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    pub policy: MergePolicy,
    pub lines: Vec<MergedLine>,
    pub dropped: Vec<Dropped>,
}

impl MergePolicy {
    pub fn as_str(self) -> &'static str {
        match self {
            MergePolicy::Sum => "sum",
            MergePolicy::Max => "max",
            MergePolicy::KeepGuest => "keep_guest",
            MergePolicy::KeepCustomer => "keep_customer",
        }
    }

    fn wanted(self, guest: u32, customer: u32) -> u32 {
        match self {
            MergePolicy::Sum => guest + customer,
            MergePolicy::Max => guest.max(customer),
            MergePolicy::KeepGuest => guest,
            MergePolicy::KeepCustomer => customer,
        }
    }
}

/// A name that is no merge policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a merge policy is one of sum, max, keep_guest, keep_customer")]
pub struct UnknownMergePolicy;

impl FromStr for MergePolicy {
    type Err = UnknownMergePolicy;
    fn from_str(text: &str) -> Result<Self, UnknownMergePolicy> {
        use MergePolicy::{KeepCustomer, KeepGuest, Max, Sum};
        let all = [Sum, Max, KeepGuest, KeepCustomer];
        all.into_iter().find(|policy| policy.as_str() == text).ok_or(UnknownMergePolicy)
    }
}

impl DroppedCode {
    pub fn as_str(self) -> &'static str {
        match self {
            DroppedCode::QuantityLimit => "quantity_limit",
            DroppedCode::LineLimit => "line_limit",
        }
    }
}

/// Merges the guest's lines into the customer's. A SKU is in each of the two at most once.
pub fn merge(
    policy: MergePolicy,
    guest: &[(Sku, Quantity)],
    customer: &[(Sku, Quantity)],
) -> Merge {
    let mut lines: Vec<MergedLine> = Vec::with_capacity(guest.len() + customer.len());
    let mut place: SkuIndex<usize> = SkuIndex::default();
    for (sku, quantity) in customer {
        place.insert(sku.clone(), lines.len());
        lines.push(MergedLine {
            sku: sku.clone(),
            guest_quantity: 0,
            customer_quantity: quantity.get(),
            quantity: 0,
        });
    }
    for (sku, quantity) in guest {
        match place.get(sku) {
            Some(index) => lines[*index].guest_quantity = quantity.get(),
            None => lines.push(MergedLine {
                sku: sku.clone(),
                guest_quantity: quantity.get(),
                customer_quantity: 0,
                quantity: 0,
            }),
        }
    }
    let dropped = fill(policy, &mut lines);
    Merge { policy, lines, dropped }
}

/// Sets each line's quantity within the limits; answers what they took away.
fn fill(policy: MergePolicy, lines: &mut [MergedLine]) -> Vec<Dropped> {
    let mut dropped = Vec::new();
    let mut held = 0;
    for line in lines {
        let wanted = policy.wanted(line.guest_quantity, line.customer_quantity);
        if wanted == 0 {
            continue;
        }
        if held == LINES_MAX {
            dropped.push(Dropped { sku: line.sku.clone(), code: DroppedCode::LineLimit });
            continue;
        }
        if wanted > QUANTITY_MAX {
            dropped.push(Dropped { sku: line.sku.clone(), code: DroppedCode::QuantityLimit });
        }
        line.quantity = wanted.min(QUANTITY_MAX);
        held += 1;
    }
    dropped
}

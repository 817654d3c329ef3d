//! What a cart will want after a change, worked out before the cart decides. What it then refuses
//! was planned in vain, and is put right.

use std::collections::BTreeMap;

use barrow_engine::cart::{CartStep, Holdable, HoldableStatus, LineId};
use barrow_engine::catalog::Sku;
use barrow_engine::time::Timestamp;

/// A SKU of which stock is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Want {
    /// Units that the hold has of it now, as the cart knows.
    held: u32,
    /// In the cart now, and after the change.
    before: u32,
    after: u32,
    allowance: Option<u64>,
}

/// What has to be reserved of a SKU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needed {
    pub quantity: u32,
    pub allowance: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Plan {
    wants: BTreeMap<Sku, Want>,
}

/// What the hold of an open cart has, and until when; `None` where it has none any more.
pub(super) fn held_of(cart: &Holdable, now: Timestamp) -> Option<(BTreeMap<Sku, u64>, Timestamp)> {
    let until = cart.until.filter(|until| now < *until)?;
    if cart.status != HoldableStatus::Open {
        return None;
    }
    let held = cart.lines.iter().filter(|line| line.tracked && line.held);
    Some((held.map(|line| (line.sku.clone(), u64::from(line.quantity))).collect(), until))
}

impl Plan {
    pub fn new(cart: &Holdable, steps: &[CartStep], now: Timestamp) -> Plan {
        let lasts = cart.until.is_some_and(|until| now < until);
        let mut wants = BTreeMap::new();
        let mut lines: BTreeMap<LineId, Sku> = BTreeMap::new();
        for line in cart.lines.iter().filter(|line| line.tracked) {
            let held = if lasts && line.held { line.quantity } else { 0 };
            let (before, allowance) = (line.quantity, line.allowance);
            wants.insert(line.sku.clone(), Want { held, before, after: before, allowance });
            lines.insert(line.id, line.sku.clone());
        }
        let mut plan = Plan { wants };
        let mut next = cart.next_line;
        for step in steps {
            match step {
                CartStep::AddLine { sellable, quantity } => {
                    let has_line = lines.values().any(|sku| *sku == sellable.sku)
                        || cart.lines.iter().any(|line| line.sku == sellable.sku);
                    if !has_line {
                        lines.insert(next, sellable.sku.clone());
                        next = next.next().unwrap_or(next);
                    }
                    if !sellable.stock.track {
                        continue;
                    }
                    let allowance = sellable.stock.allowance();
                    let none = Want { held: 0, before: 0, after: 0, allowance };
                    let want = plan.wants.entry(sellable.sku.clone()).or_insert(none);
                    want.after = want.after.saturating_add(quantity.get());
                    want.allowance = allowance;
                }
                CartStep::SetQuantity { line, quantity } => plan.set(&mut lines, *line, *quantity),
                CartStep::RemoveLine { line } => plan.set(&mut lines, *line, 0),
                CartStep::SetContact(_)
                | CartStep::SetAddresses(_)
                | CartStep::SetShippingMethod { .. }
                | CartStep::AcceptPrices
                | CartStep::Hold(_) => {}
            }
        }
        plan
    }

    fn set(&mut self, lines: &mut BTreeMap<LineId, Sku>, line: LineId, quantity: u32) {
        let Some(want) = lines.get(&line).and_then(|sku| self.wants.get_mut(sku)) else { return };
        want.after = quantity;
        if quantity == 0 {
            lines.remove(&line);
        }
    }

    /// Whether the cart is to have more of something.
    pub fn grows(&self) -> bool {
        self.wants.values().any(|want| want.after > want.before)
    }

    /// What is wanted and not held.
    pub fn to_reserve(&self) -> BTreeMap<Sku, Needed> {
        let missing = self.wants.iter().filter(|(_, want)| want.after > want.held);
        missing.map(|(sku, want)| (sku.clone(), want.needed())).collect()
    }

    /// Whether something is held that is not reserved anew anyway.
    pub fn has_to_renew(&self) -> bool {
        self.wants.values().any(|want| want.held > 0 && want.after <= want.held)
    }

    /// What is held, until the cart has decided: it may refuse to give any of it back.
    pub fn kept_meanwhile(&self) -> BTreeMap<Sku, u64> {
        let held = self.wants.iter().filter(|(_, want)| want.held > 0);
        held.map(|(sku, want)| (sku.clone(), u64::from(want.held))).collect()
    }

    /// What is wanted still and was taken for held, and is not.
    pub fn lost(&self, held: &BTreeMap<Sku, u64>) -> BTreeMap<Sku, Needed> {
        let is_there =
            |sku, want: &Want| held.get(sku).is_some_and(|held| *held >= u64::from(want.after));
        let lost = self.wants.iter().filter(|(sku, want)| want.after > 0 && !is_there(*sku, want));
        lost.map(|(sku, want)| (sku.clone(), want.needed())).collect()
    }

    /// What the cart holds after the change, where there is too little of these.
    pub fn wanted(&self, short: &[(Sku, u64)]) -> BTreeMap<Sku, u64> {
        let is_held = |sku: &Sku| !short.iter().any(|(other, _)| other == sku);
        let wanted = self.wants.iter().filter(|(sku, want)| want.after > 0 && is_held(sku));
        wanted.map(|(sku, want)| (sku.clone(), u64::from(want.after))).collect()
    }

    /// Whether something that is held is wanted no more, or cannot be had as a whole.
    pub fn gives_back(&self, wanted: &BTreeMap<Sku, u64>) -> bool {
        let is_left =
            |sku: &Sku, held: u32| wanted.get(sku).is_none_or(|wanted| *wanted < u64::from(held));
        self.wants.iter().any(|(sku, want)| want.held > 0 && is_left(sku, want.held))
    }
}

impl Want {
    fn needed(&self) -> Needed {
        Needed { quantity: self.after, allowance: self.allowance }
    }
}

//! How many units of a SKU one customer may have, over all their orders.

use std::collections::BTreeMap;

use super::{Order, OrderEvent};
use crate::cart::LineId;
use crate::catalog::Sku;

/// More than one customer may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverLimit {
    pub sku: Sku,
    /// The first line that wants it.
    pub line: LineId,
    pub maximum: u32,
    /// Units in the customer's other orders.
    pub bought: u64,
}

/// Units that an order wants of a SKU, and how many its customer may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitedUnits {
    pub line: LineId,
    pub quantity: u64,
    pub maximum: u32,
}

impl Order {
    /// What it wants of SKUs that have a limit. An exchange is the shop's own decision.
    pub fn limited(&self) -> BTreeMap<Sku, LimitedUnits> {
        let mut limited: BTreeMap<Sku, LimitedUnits> = BTreeMap::new();
        for line in self.lines.iter().filter(|_| self.exchange_of.is_none()) {
            let Some(maximum) = line.max_per_customer else { continue };
            let none = LimitedUnits { line: line.id, quantity: 0, maximum };
            limited.entry(line.sku.clone()).or_insert(none).quantity += u64::from(line.quantity);
        }
        limited
    }

    /// Whether it takes up its customer's limits, after its timeline had so many lines: a draft
    /// does once it is opened, and once it is opened again.
    pub fn takes_limits_up(&self, timeline: usize) -> bool {
        let mut new = self.timeline.iter().skip(timeline).map(|recorded| &recorded.event);
        new.any(|event| matches!(event, OrderEvent::Reopened))
    }

    /// The first SKU of which it wants more than its customer may have, beside what they have
    /// bought.
    pub fn over_limit(&self, bought: &BTreeMap<Sku, u64>) -> Option<OverLimit> {
        self.limited().into_iter().find_map(|(sku, wanted)| {
            let bought = bought.get(&sku).copied().unwrap_or(0);
            let LimitedUnits { line, quantity, maximum } = wanted;
            let is_over = bought.saturating_add(quantity) > u64::from(maximum);
            is_over.then_some(OverLimit { sku, line, maximum, bought })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::OrderLine;
    use crate::orders::sample::{line, new_order};
    use crate::time::Timestamp;

    fn of_lines(lines: Vec<OrderLine>) -> Order {
        Order::draft(new_order(lines, 0, true), Timestamp(1))
    }

    #[test]
    fn all_lines_of_a_sku_count_with_what_was_bought_before() {
        let limited = |id, sku: &str, quantity, maximum| OrderLine {
            sku: Sku::new(sku).unwrap(),
            max_per_customer: maximum,
            ..line(id, quantity, 100, 0, 0)
        };
        let order = of_lines(vec![
            limited(1, "FREE", 90, None),
            limited(2, "TWO", 1, Some(2)),
            limited(3, "TWO", 1, Some(2)),
        ]);
        let two = Sku::new("TWO").unwrap();
        let with = |sku: &Sku, units| BTreeMap::from([(sku.clone(), units)]);
        assert_eq!(order.over_limit(&BTreeMap::new()), None);
        assert_eq!(order.over_limit(&with(&Sku::new("FREE").unwrap(), 1_000)), None);
        let over = OverLimit { sku: two.clone(), line: LineId(2), maximum: 2, bought: 1 };
        assert_eq!(order.over_limit(&with(&two, 1)), Some(over));
    }
}

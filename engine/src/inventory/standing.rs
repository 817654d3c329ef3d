//! What there is to tell of a SKU's stock: that it runs low, that it has run out, that it is back.

use crate::catalog::{LOW_STOCK_MAX, Sku};
use crate::events::EventKind;

/// Where a SKU stands, by the units that are on hand over all its locations and not promised.
/// What may be sold before it comes does not count: nobody can have that now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Out,
    Low,
    Plenty,
}

/// A line that a SKU's available units have crossed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockNews {
    pub sku: Sku,
    pub kind: EventKind,
    pub available: i64,
}

impl Standing {
    pub fn of(available: i64) -> Standing {
        match available {
            ..1 => Standing::Out,
            1.. if available <= i64::from(LOW_STOCK_MAX) => Standing::Low,
            _ => Standing::Plenty,
        }
    }

    /// As shoppers read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Out => "out_of_stock",
            Standing::Low => "low_stock",
            Standing::Plenty => "in_stock",
        }
    }

    /// What to tell of a change, one thing at most: who is back, though with few units, is back;
    /// who sells the last ones at once has run out.
    pub fn news(before: i64, after: i64) -> Option<EventKind> {
        match (Standing::of(before), Standing::of(after)) {
            (Standing::Low | Standing::Plenty, Standing::Out) => Some(EventKind::StockOut),
            (Standing::Out, Standing::Low | Standing::Plenty) => Some(EventKind::StockBack),
            (Standing::Plenty, Standing::Low) => Some(EventKind::StockLow),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Location;
    use crate::ids::{MovementId, OrderId};
    use crate::inventory::{DEFAULT_LOCATION, Held, Ledger, Level, MovementDraft, Wish};
    use crate::time::Timestamp;

    #[test]
    fn a_crossed_line_is_told_once() {
        use EventKind::{StockBack, StockLow, StockOut};
        let check = |before, after, expected| {
            assert_eq!(Standing::news(before, after), expected, "{before} {after}");
        };
        check(6, 5, Some(StockLow));
        check(5, 4, None);
        check(5, 6, None);
        check(1, 0, Some(StockOut));
        check(9, -3, Some(StockOut));
        check(0, 1, Some(StockBack));
        check(-2, 60, Some(StockBack));
        check(0, -1, None);
        check(7, 8, None);
    }

    #[test]
    fn stock_is_told_over_all_locations() {
        let sku = Sku::new("SKU-1").unwrap();
        let level = |name: &str, on_hand| Level {
            on_hand,
            ..Level::empty(sku.clone(), Location::new(name).unwrap())
        };
        let ledger = Ledger::new([level(DEFAULT_LOCATION, 4), level("attic", 3)], []);
        let news = |available, kind| vec![StockNews { sku: sku.clone(), kind, available }];
        let reserved = |quantity| {
            let mut ledger = ledger.clone();
            let wish = Wish { order: OrderId(1), quantity, expires_at: Timestamp(9) };
            assert_eq!(ledger.reserve(&sku, Some(0), &[wish]), [Held::All]);
            ledger.into_changes().news
        };
        assert_eq!(reserved(1), []);
        assert_eq!(reserved(2), news(5, EventKind::StockLow));
        assert_eq!(reserved(7), news(0, EventKind::StockOut));

        // What was never there is back when it comes: somebody may have waited for it.
        let mut empty = Ledger::default();
        let came = MovementDraft {
            id: MovementId(1),
            sku: sku.clone(),
            location: Location::new("attic").unwrap(),
            quantity: 2,
            reason: "counted".into(),
            actor: "staff".into(),
            order: None,
            at: Timestamp(1),
        };
        empty.book(came).unwrap();
        assert_eq!(empty.into_changes().news, news(2, EventKind::StockBack));
    }
}

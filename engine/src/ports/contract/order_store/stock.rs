//! Orders and stock change together, or not at all.

use super::*;
use crate::inventory::StockRefusal;

impl Suite<'_> {
    pub(super) async fn placing_takes_what_was_reserved(&self) {
        let chair = self.sku("chair");
        self.stock(100, &chair, 5).await;
        // Two lines of one SKU.
        let lines = vec![self.line_of(1, &chair, 2), self.line_of(2, &chair, 1)];
        let (placed, place) = self.paid(self.draft_of(100, lines, NOW)).await;
        assert_eq!(self.reserve(&placed, &chair, 3).await, Held::All);
        assert_eq!(self.save(&place).await, Saved::Done, "it is placed");
        assert_eq!(self.level(&chair).await, (5, 0, 3), "what was reserved is the order's own");
        assert_eq!(self.save(&place).await, Saved::Done, "placed again it is placed already");
        assert_eq!(self.level(&chair).await, (5, 0, 3), "and takes its stock once");
        assert_eq!(self.reserve(&placed, &chair, 1).await, Held::All, "it holds what it needs");
        let freed = self.ledger.release(placed.id).await;
        assert_eq!(freed, Ok(vec![]), "what is allocated is not let go");
        self.ledger.expire(LATER, 1_000).await.expect("reservations run out");
        assert_eq!(self.level(&chair).await, (5, 0, 3), "nor does it run out");
        assert_eq!(self.get(placed.id).await, Some(placed), "the order is as it was placed");
    }

    pub(super) async fn without_its_reservation_nothing_is_placed(&self) {
        let (table, lamp) = (self.sku("table"), self.sku("lamp"));
        for (index, sku) in [(110, &table), (111, &lamp)] {
            self.stock(index, sku, 4).await;
        }
        let lines = vec![self.line_of(1, &lamp, 1), self.line_of(2, &table, 2)];
        let (order, place) = self.paid(self.draft_of(110, lines, NOW)).await;
        let refused = async |promise: &str, level| {
            let gone = Saved::Refused(StockRefusal::ReservationGone { sku: table.clone() });
            assert_eq!(self.save(&place).await, gone, "{promise}");
            let found = self.get(order.id).await.expect("it was opened");
            assert_eq!(found.version, order.version - 1, "{promise}, and nothing is written");
            assert_eq!(self.level(&table).await, level, "nor changed of its stock");
            assert_eq!(self.level(&lamp).await, (4, 1, 0), "also where there was enough");
        };
        assert_eq!(self.reserve(&order, &lamp, 1).await, Held::All);
        refused("what was never reserved is not allocated", (4, 0, 0)).await;
        assert_eq!(self.reserve(&order, &table, 1).await, Held::All);
        refused("nor is a part of it", (4, 1, 0)).await;
        let wish = Wish { order: order.id, quantity: 2, expires_at: Timestamp(-1) };
        let held = self.ledger.reserve(&table, Some(0), &[wish]).await;
        assert_eq!(held, Ok(vec![Held::All]));
        refused("nor what has run out, while nobody has let it go", (4, 2, 0)).await;
        while !self.ledger.expire(Timestamp(-1), 100).await.expect("they run out").is_empty() {}
        refused("nor what has run out", (4, 0, 0)).await;
        assert_eq!(self.reserve(&order, &table, 2).await, Held::All);
        assert_eq!(self.save(&place).await, Saved::Done, "reserved again it is placed");
        assert_eq!(self.level(&table).await, (4, 0, 2));
    }

    /// A change of the order alone, as a decision about it might be.
    fn with_stock(&self, order: &Order, stock: Vec<StockChange>) -> (Order, OrderChange) {
        let text = format!("{stock:?}").chars().take(100).collect();
        let (order, change) = after(order, OrderCommand::Note { text }, NOW);
        (order, OrderChange { stock, ..change })
    }

    pub(super) async fn stock_follows_the_order(&self) {
        let bed = self.sku("bed");
        self.stock(120, &bed, 10).await;
        let draft = self.draft_of(120, vec![self.line_of(1, &bed, 6)], NOW);
        let (placed, place) = self.paid(draft).await;
        assert_eq!(self.reserve(&placed, &bed, 6).await, Held::All);
        assert_eq!(self.save(&place).await, Saved::Done, "it is placed");
        let (sku, mut order) = (|| bed.clone(), placed.clone());
        let attic: crate::catalog::Location = "attic".parse().expect("a location");
        for (change, level) in [
            (StockChange::Ship { sku: sku(), quantity: 3 }, (7, 0, 3)),
            (StockChange::Release { sku: sku(), quantity: 1 }, (7, 0, 2)),
            (StockChange::Ship { sku: sku(), quantity: 2 }, (5, 0, 0)),
            (StockChange::Unship { sku: sku(), quantity: 2 }, (7, 0, 2)),
            (StockChange::Restock { sku: sku(), location: None, quantity: 1 }, (8, 0, 2)),
            (StockChange::Restock { sku: sku(), location: Some(attic), quantity: 1 }, (9, 0, 2)),
        ] {
            let (next, saving) = self.with_stock(&order, vec![change.clone()]);
            for _ in 0..2 {
                assert_eq!(self.save(&saving).await, Saved::Done, "{change:?} is written");
                assert_eq!(self.level(&bed).await, level, "{change:?}, once");
            }
            order = next;
        }
        let ship = |quantity| vec![StockChange::Ship { sku: bed.clone(), quantity }];
        let (_, too_much) = self.with_stock(&order, ship(3));
        let refusal = StockRefusal::NotAllocated { sku: bed.clone(), allocated: 2 };
        let refused = self.save(&too_much).await;
        assert_eq!(refused, Saved::Refused(refusal), "no more is shipped than is the order's own");
        assert_eq!(self.get(order.id).await.as_ref(), Some(&order), "nothing is written of it");
        assert_eq!(self.level(&bed).await, (9, 0, 2), "nor changed");

        let moved = self.ledger.movements(&bed, None, 100).await.expect("movements are read");
        let sum: i64 = moved.iter().map(|movement| movement.draft.quantity).sum();
        assert_eq!(sum, 9, "I7: movements sum to the level");
        let mut of_order: Vec<i64> = moved
            .iter()
            .filter(|movement| movement.draft.order == Some(order.id))
            .map(|movement| movement.draft.quantity)
            .collect();
        of_order.sort_unstable();
        assert_eq!(of_order, [-3, -2, 1, 1, 2], "what an order moves is told with its id");
        assert!(moved.iter().any(|movement| movement.draft.actor == "suite"), "and by whom");
    }

    pub(super) async fn an_edit_takes_what_is_available(&self) {
        let (bench, vase) = (self.sku("bench"), self.sku("vase"));
        self.stock(125, &bench, 3).await;
        let lines = vec![self.line_of(1, &bench, 2)];
        let (placed, place) = self.paid(self.draft_of(125, lines, NOW)).await;
        assert_eq!(self.reserve(&placed, &bench, 2).await, Held::All);
        assert_eq!(self.save(&place).await, Saved::Done, "it is placed");
        let more = |sku: &Sku, quantity, allowance| StockChange::AllocateMore {
            sku: sku.clone(),
            quantity,
            allowance,
        };
        let (_, beyond) = self.with_stock(&placed, vec![more(&bench, 2, 0)]);
        let too_few = StockRefusal::TooFew { sku: bench.clone(), requested: 2, available: 1 };
        assert_eq!(self.save(&beyond).await, Saved::Refused(too_few), "there is one left");
        assert_eq!(self.level(&bench).await, (3, 0, 2), "nothing has changed");
        let release = StockChange::Release { sku: bench.clone(), quantity: 1 };
        let changes = vec![release, more(&bench, 2, 0), more(&vase, 4, 4)];
        let (edited, edit) = self.with_stock(&placed, changes);
        assert_eq!(self.save(&edit).await, Saved::Done, "what is let go is there to be taken");
        assert_eq!(self.level(&bench).await, (3, 0, 3));
        assert_eq!(self.level(&vase).await, (0, 0, 4), "what may be sold before it comes is");
        assert_eq!(self.save(&edit).await, Saved::Done, "edited again it is edited already");
        assert_eq!(self.level(&bench).await, (3, 0, 3), "and takes its stock once");
        let (_, none_left) = self.with_stock(&edited, vec![more(&vase, 1, 4)]);
        let too_few = StockRefusal::TooFew { sku: vase, requested: 1, available: 0 };
        assert_eq!(self.save(&none_left).await, Saved::Refused(too_few), "but no more than that");
    }

    /// A driver of an earlier try may come late: a draft keeps what it holds until it is given up.
    async fn give_up_and_release(&self, id: OrderId) {
        let release = async || self.ledger.release(id).await.expect("it is let go");
        assert_eq!(release().await, [], "a draft keeps what it holds");
        let order = self.get(id).await.expect("it was opened");
        self.done(&order, OrderCommand::Abandon { reason: "too little".into() }).await;
        release().await;
    }

    /// Twelve buyers of two SKUs that there are five of, in either order; some give up.
    pub(super) async fn a_race_of_buyers_sells_what_there_is(&self) {
        let (pot, pan) = (self.sku("pot"), self.sku("pan"));
        for (index, sku) in [(130, &pot), (131, &pan)] {
            self.stock(index, sku, 5).await;
        }
        let buyers = (0..12).map(|n| {
            let skus = if n % 2 == 0 { [&pot, &pan] } else { [&pan, &pot] };
            async move {
                let lines = vec![self.line_of(1, skus[0], 1), self.line_of(2, skus[1], 1)];
                let (order, place) = self.paid(self.draft_of(130 + n, lines, NOW)).await;
                for sku in skus {
                    if self.reserve(&order, sku, 1).await != Held::All {
                        let refused = self.save(&place).await;
                        assert!(matches!(refused, Saved::Refused(_)), "not all is held for it");
                        self.give_up_and_release(order.id).await;
                        return 0;
                    }
                }
                // As a caller does that did not hear the answer.
                let twice = vec![self.save(&place), self.save(&place)];
                assert_eq!(concurrently(twice).await, [Saved::Done, Saved::Done]);
                1
            }
        });
        let sold: u64 = concurrently(buyers.collect()).await.into_iter().sum();
        assert!(sold <= 5, "I7: {sold} of 5 are sold");
        for sku in [&pot, &pan] {
            assert_eq!(self.level(sku).await, (5, 0, sold), "each that was sold is allocated");
        }
    }
}

//! Writes that are made at the same time may share what they cost, and nothing else.

use std::pin::Pin;

use super::*;
use crate::inventory::StockRefusal;

/// What one of them is answered.
#[derive(Debug, PartialEq)]
enum Answer {
    Opened(Opened),
    Saved(Saved),
    Held(Held),
    Damaged,
}

type Asked<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

impl Suite<'_> {
    fn opening<'a>(&'a self, draft: &'a Order) -> Asked<'a> {
        Box::pin(async { Answer::Opened(self.open(draft).await) })
    }

    fn saving<'a>(&'a self, change: &'a OrderChange) -> Asked<'a> {
        Box::pin(async {
            match self.store.save(change).await {
                Err(CommerceError::Damaged(_)) => Answer::Damaged,
                saved => Answer::Saved(saved.expect("an order is written")),
            }
        })
    }

    fn reserving<'a>(&'a self, order: &'a Order, sku: &'a Sku, quantity: u32) -> Asked<'a> {
        Box::pin(async move { Answer::Held(self.reserve(order, sku, quantity).await) })
    }

    /// The orders of two buyers of a tray, one more that holds none, and what places them.
    async fn buyers_of(&self, tray: &Sku) -> Vec<(Order, OrderChange)> {
        let mut buyers = Vec::new();
        for n in 0..3 {
            let lines = vec![self.line_of(1, tray, 1)];
            let (order, place) = self.paid(self.draft_of(160 + n, lines, NOW)).await;
            if n < 2 {
                assert_eq!(self.reserve(&order, tray, 1).await, Held::All);
            }
            buyers.push((order, place));
        }
        buyers
    }

    pub(super) async fn writes_that_share_a_transaction_stand_alone(&self) {
        let (tray, platter) = (self.sku("tray"), self.sku("platter"));
        self.stock(160, &tray, 3).await;
        let buyers = self.buyers_of(&tray).await;
        let [(first, _), (second, _), (without, _)] = &buyers[..] else { unreachable!() };
        let [fresh, other] = [163, 164].map(|index| self.draft(index));
        let known = self.opened(self.draft(165)).await;
        let (_, stale) = after(&known, start_payment(), NOW);
        self.done(&known, OrderCommand::Note { text: "sooner".into() }).await;
        let changed = self.get(known.id).await.expect("it was opened");
        let (twin, mut twice) = self.paid(self.draft(166)).await;
        let (before, place) = self.paid(self.draft(169)).await;
        assert_eq!(self.save(&place).await, Saved::Done, "it is placed");
        twice.order.number = before.number;
        let [wants, greedy] = [167, 168].map(|index| self.draft(index));
        let asked = vec![
            (self.opening(&fresh), Answer::Opened(Opened::New)),
            (self.saving(&buyers[0].1), Answer::Saved(Saved::Done)),
            (self.saving(&stale), Answer::Saved(Saved::Stale { current: 2 })),
            (self.reserving(&wants, &tray, 1), Answer::Held(Held::All)),
            (
                self.saving(&buyers[2].1),
                Answer::Saved(Saved::Refused(StockRefusal::ReservationGone { sku: tray.clone() })),
            ),
            (self.opening(&known), Answer::Opened(Opened::Existing(Box::new(changed)))),
            (self.saving(&twice), Answer::Damaged),
            (self.reserving(&greedy, &platter, 1), Answer::Held(Held::Short { available: 0 })),
            (self.saving(&buyers[1].1), Answer::Saved(Saved::Done)),
            (self.opening(&other), Answer::Opened(Opened::New)),
        ];
        let (asked, expected): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        assert_eq!(concurrently(asked).await, expected, "each is answered as if it were alone");
        assert_eq!(self.level(&tray).await, (3, 1, 2), "two are sold, and one is held");
        for order in [first, second, &fresh, &other] {
            assert_eq!(self.get(order.id).await.as_ref(), Some(order), "what was done is there");
        }
        for order in [without, &twin] {
            let found = self.get(order.id).await.expect("it was opened");
            assert_eq!(found.version, order.version - 1, "what was not is as it was");
        }
    }
}

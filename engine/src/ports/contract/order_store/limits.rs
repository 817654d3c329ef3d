//! What one customer may have of a SKU counts over all their orders.

use super::*;
use crate::cart::Owner;
use crate::ids::{CustomerId, SessionId};
use crate::inventory::StockRefusal;
use crate::orders::OverLimit;

impl Suite<'_> {
    /// A draft of so many units of a SKU that a customer may have three of.
    fn limited(&self, index: u64, owner: Owner, email: &str, quantity: u32) -> Order {
        let sku = self.sku("rarity");
        let line = OrderLine { tracked: false, ..self.line_of(1, &sku, quantity) };
        let lines = vec![OrderLine { max_per_customer: Some(3), ..line }];
        let email = contact(&format!("{email}-{}@example.com", self.names.text(3)));
        Order { owner, contact: email, ..self.draft_of(index, lines, NOW) }
    }

    fn session(&self, index: u64) -> Owner {
        Owner::Session(SessionId(self.names.number(index)))
    }

    /// How many were counted for a draft that is refused.
    async fn counted(&self, draft: &Order) -> u64 {
        match self.open(draft).await {
            Opened::OverLimit(OverLimit { sku, maximum: 3, bought, .. }) => {
                assert_eq!(sku, self.sku("rarity"));
                assert_eq!(self.get(draft.id).await, None, "nothing is written of it");
                bought
            }
            other => panic!("{other:?} is over the limit"),
        }
    }

    pub(super) async fn a_customers_orders_count_together(&self) {
        let (ada, bob) = (self.session(300), self.session(301));
        let first = self.opened(self.limited(310, ada, "Ada", 2)).await;
        let existing = Opened::Existing(Box::new(first.clone()));
        assert_eq!(self.open(&first).await, existing, "it is no other");
        let too_many = self.limited(311, ada, "other", 2);
        assert_eq!(self.counted(&too_many).await, 2, "a session's drafts count");
        let too_many = self.limited(311, bob, "aDA", 2);
        assert_eq!(self.counted(&too_many).await, 2, "and those of an address, in any case");
        let customer = Owner::Customer(CustomerId(self.names.number(300)));
        self.opened(self.limited(312, customer, "customer", 3)).await;
        let again = self.limited(313, customer, "third", 1);
        assert_eq!(self.counted(&again).await, 3, "a customer is one wherever they come from");
        self.opened(self.limited(314, bob, "Bob", 3)).await;
        let rest = self.opened(self.limited(311, ada, "other", 1)).await;
        assert_eq!(self.counted(&self.limited(315, ada, "Ada", 1)).await, 3);

        let abandon = OrderCommand::Abandon { reason: "given up".into() };
        self.done(&rest, abandon).await;
        assert_eq!(self.counted(&self.limited(315, ada, "Ada", 2)).await, 2, "what is given up");
        let started = self.done(&first, start_payment()).await;
        let paid = self.answered(&started).await;
        let number = self.store.next_number().await.expect("a number is given");
        let placed = self.done(&paid, OrderCommand::Place { number }).await;
        assert_eq!(self.counted(&self.limited(315, ada, "Ada", 2)).await, 2, "what is placed");
        // One unit came back.
        let mut returned = placed.clone();
        returned.version += 1;
        returned.lines[0].fulfilled = 2;
        returned.lines[0].returned = 1;
        let change = OrderChange {
            order: returned.clone(),
            known: placed.timeline.len(),
            stock: Vec::new(),
            actor: "suite".into(),
            at: NOW,
        };
        assert_eq!(self.save(&change).await, Saved::Done);
        let third = self.opened(self.limited(315, ada, "Ada", 2)).await;
        assert_eq!(self.counted(&self.limited(316, ada, "Ada", 1)).await, 3, "what came back");
        self.done(&third, OrderCommand::Abandon { reason: "given up".into() }).await;
        let unlimited = {
            let mut draft = self.limited(316, ada, "Ada", 99);
            draft.lines[0].max_per_customer = None;
            draft
        };
        self.opened(unlimited).await;
    }

    pub(super) async fn a_draft_that_is_opened_again_is_counted_anew(&self) {
        let owner = self.session(320);
        let draft = self.opened(self.limited(320, owner, "Eve", 2)).await;
        let abandon = OrderCommand::Abandon { reason: "given up".into() };
        let abandoned = self.done(&draft, abandon).await;
        let other = self.opened(self.limited(321, owner, "Eve", 2)).await;
        let new = NewOrder {
            id: draft.id,
            cart: draft.cart,
            freeze: 2,
            owner,
            contact: draft.contact.clone(),
            ..new_order(draft.lines.clone(), 490, true)
        };
        let (_, reopen) = after(&abandoned, OrderCommand::Reopen(new), NOW);
        let sku = self.sku("rarity");
        let over = OverLimit { sku, line: draft.lines[0].id, maximum: 3, bought: 2 };
        let refused = Saved::Refused(StockRefusal::OverLimit(over));
        assert_eq!(self.save(&reopen).await, refused, "somebody else's checkout came between");
        assert_eq!(self.get(draft.id).await, Some(abandoned), "nothing is written");
        self.done(&other, OrderCommand::Abandon { reason: "given up".into() }).await;
        assert_eq!(self.save(&reopen).await, Saved::Done);
        assert_eq!(self.save(&reopen).await, Saved::Done, "the same once more is done already");
    }

    /// Twelve carts of one session, and twelve of one address.
    pub(super) async fn of_checkouts_at_once_only_so_many_pass(&self) {
        let of_session = (0..12).map(|n| (330 + n, self.session(330), format!("each{n}")));
        let of_address = (0..12).map(|n| (350 + n, self.session(350 + n), "Kim".to_owned()));
        for drafts in [of_session.collect::<Vec<_>>(), of_address.collect()] {
            let tries = drafts.iter().map(|(index, owner, email)| async move {
                self.open(&self.limited(*index, *owner, email, 1)).await == Opened::New
            });
            let passed = concurrently(tries.collect()).await.into_iter().filter(|it| *it).count();
            assert_eq!(passed, 3, "of twelve at once three pass");
        }
    }
}

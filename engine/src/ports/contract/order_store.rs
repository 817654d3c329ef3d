//! The promises of an order store, together with those of the stock ledger beside it.

mod finding;
mod limits;
mod stock;
mod together;

use super::{Names, concurrently};
use crate::catalog::Sku;
use crate::ids::{CartId, MovementId, OrderId, PaymentId};
use crate::inventory::{DEFAULT_LOCATION, Held, MovementDraft, Wish};
use crate::orders::sample::{addresses, contact, line, new_order, start_payment};
use crate::orders::{
    Actor, CapturePolicy, NewOrder, OperationKind, OperationState, Order, OrderCommand, OrderLine,
    OrderNumber, PaymentOutcome, StockChange, decide,
};
use crate::ports::{CommerceError, Opened, OrderChange, OrderStore, Saved, StockLedger};
use crate::time::Timestamp;

/// When orders are opened and changed in here, unless a suite says otherwise.
const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// When reservations run out.
const LATER: Timestamp = Timestamp(4_102_444_800_000);

struct Suite<'a> {
    store: &'a dyn OrderStore,
    ledger: &'a dyn StockLedger,
    names: Names,
}

/// The ledger is the one that the store's orders take their stock from.
pub async fn order_store(store: &dyn OrderStore, ledger: &dyn StockLedger, seed: u64) {
    let suite = Suite { store, ledger, names: Names { seed } };
    suite.an_order_is_kept_as_it_was_opened().await;
    suite.i9_a_cart_has_one_order_for_ever().await;
    suite.a_race_for_a_cart_opens_one_order().await;
    suite.a_change_needs_its_version().await;
    suite.a_race_of_changes_has_one_winner().await;
    suite.the_same_change_is_done_already().await;
    suite.numbers_are_given_once().await;
    suite.i9_no_more_is_captured_than_was_authorized().await;
    suite.placing_takes_what_was_reserved().await;
    suite.without_its_reservation_nothing_is_placed().await;
    suite.stock_follows_the_order().await;
    suite.an_edit_takes_what_is_available().await;
    suite.a_race_of_buyers_sells_what_there_is().await;
    suite.writes_that_share_a_transaction_stand_alone().await;
    suite.a_customers_orders_count_together().await;
    suite.a_draft_that_is_opened_again_is_counted_anew().await;
    suite.of_checkouts_at_once_only_so_many_pass().await;
    suite.orders_are_found_by_what_they_are().await;
    suite.orders_are_found_by_their_buyer().await;
    suite.pages_visit_each_once().await;
    suite.returns_are_found().await;
    suite.what_is_not_settled_is_found().await;
}

/// An order after a command, with the change that writes it.
fn after(order: &Order, command: OrderCommand, at: Timestamp) -> (Order, OrderChange) {
    let decision = decide(order, command, Actor::System, at, CapturePolicy::Manual);
    let decision = decision.expect("the order allows the command");
    let (known, stock) = (order.timeline.len(), decision.stock);
    let order = decision.order;
    (order.clone(), OrderChange { order, known, stock, actor: "suite".into(), at })
}

impl Suite<'_> {
    fn sku(&self, name: &str) -> Sku {
        Sku::new(&format!("{name} {}", self.names.text(1))).expect("a SKU")
    }

    fn last_name(&self) -> String {
        format!("Lovelace-{}", self.names.text(2))
    }

    fn line_of(&self, id: u32, sku: &Sku, quantity: u32) -> OrderLine {
        OrderLine { sku: sku.clone(), ..line(id, quantity, 1_000, 0, 160) }
    }

    /// The draft of a cart of its own.
    fn draft_of(&self, index: u64, lines: Vec<OrderLine>, now: Timestamp) -> Order {
        let new = NewOrder {
            id: OrderId(self.names.number(index)),
            cart: CartId(self.names.number(1_000_000 + index)),
            contact: contact(&format!("{}@example.com", self.names.text(index))),
            addresses: addresses(&self.last_name()),
            ..new_order(lines, 490, true)
        };
        Order::draft(new, now)
    }

    /// A draft of something that no stock is kept of.
    fn draft(&self, index: u64) -> Order {
        let advice = OrderLine { tracked: false, ..self.line_of(1, &self.sku("advice"), 1) };
        self.draft_of(index, vec![advice], NOW)
    }

    async fn open(&self, draft: &Order) -> Opened {
        self.store.open(draft).await.expect("an order is opened")
    }

    async fn opened(&self, draft: Order) -> Order {
        assert_eq!(self.open(&draft).await, Opened::New, "a new cart gets a new order");
        draft
    }

    async fn get(&self, id: OrderId) -> Option<Order> {
        self.store.get(id).await.expect("an order is read")
    }

    async fn save(&self, change: &OrderChange) -> Saved {
        self.store.save(change).await.expect("an order is written")
    }

    /// The order after a command that is written.
    async fn done(&self, order: &Order, command: OrderCommand) -> Order {
        self.done_at(order, command, NOW).await
    }

    async fn done_at(&self, order: &Order, command: OrderCommand, at: Timestamp) -> Order {
        let (order, change) = after(order, command, at);
        assert_eq!(self.save(&change).await, Saved::Done, "the next version is written");
        order
    }

    /// A draft that is paid for, and what places it.
    async fn paid(&self, draft: Order) -> (Order, OrderChange) {
        let order = self.opened(draft).await;
        let pay = start_payment();
        let order = self.done(&order, pay).await;
        let order = self.answered(&order).await;
        let number = self.store.next_number().await.expect("a number is given");
        after(&order, OrderCommand::Place { number }, Timestamp(order.created_at.0 + 60_000))
    }

    /// The gateway has done what it was asked.
    async fn answered(&self, order: &Order) -> Order {
        let (key, ..) = order.pending_operations().next().expect("a gateway is asked");
        let outcome = PaymentOutcome::Succeeded { reference: None };
        self.done(order, OrderCommand::RecordOutcome { key, outcome }).await
    }

    async fn stock(&self, index: u64, sku: &Sku, quantity: i64) {
        let draft = MovementDraft {
            id: MovementId(self.names.number(2_000_000 + index)),
            sku: sku.clone(),
            location: DEFAULT_LOCATION.parse().expect("a location"),
            quantity,
            reason: "counted".into(),
            actor: "staff".into(),
            order: None,
            at: NOW,
        };
        let booked = self.ledger.book(vec![draft]).await.expect("movements are booked");
        assert!(booked[0].is_ok(), "units come");
    }

    async fn reserve(&self, order: &Order, sku: &Sku, quantity: u32) -> Held {
        let wish = Wish { order: order.id, quantity, expires_at: LATER };
        let held = self.ledger.reserve(sku, Some(0), &[wish]).await;
        held.expect("units are reserved").remove(0)
    }

    /// On hand, reserved and allocated, over all locations.
    async fn level(&self, sku: &Sku) -> (u64, u64, u64) {
        let levels = self.ledger.levels(std::slice::from_ref(sku)).await;
        let levels = levels.expect("levels are read");
        let sum = |part: fn(&crate::inventory::Level) -> u64| levels.iter().map(part).sum();
        (sum(|it| it.on_hand), sum(|it| it.reserved), sum(|it| it.allocated))
    }

    async fn an_order_is_kept_as_it_was_opened(&self) {
        let draft = self.draft(1);
        assert_eq!(self.get(draft.id).await, None, "what was never opened is not there");
        let of_cart = async || self.store.of_cart(draft.cart).await.expect("a cart is looked up");
        assert_eq!(of_cart().await, None, "a cart that was never bought has no order");
        assert_eq!(self.open(&draft).await, Opened::New, "a new cart gets a new order");
        assert_eq!(self.get(draft.id).await, Some(draft.clone()), "it is kept as it was opened");
        assert_eq!(of_cart().await, Some(draft.clone()), "and found by its cart");
    }

    async fn i9_a_cart_has_one_order_for_ever(&self) {
        let draft = self.opened(self.draft(10)).await;
        let existing = Opened::Existing(Box::new(draft.clone()));
        assert_eq!(self.open(&draft).await, existing, "opened again it is there already");
        let other = Order { cart: draft.cart, ..self.draft(11) };
        assert_eq!(self.open(&other).await, existing, "I9: a cart has one order for ever");
        assert_eq!(self.get(other.id).await, None, "a draft that was refused is not there");
        let abandoned = self.done(&draft, OrderCommand::Abandon { reason: "late".into() }).await;
        let existing = Opened::Existing(Box::new(abandoned));
        assert_eq!(self.open(&other).await, existing, "also when it was given up");
    }

    async fn a_race_for_a_cart_opens_one_order(&self) {
        let cart = self.draft(20).cart;
        let drafts = (21..29).map(|index| Order { cart, ..self.draft(index) });
        let tries = drafts.map(|draft| async move { (self.open(&draft).await, draft) });
        let opened = concurrently(tries.collect()).await;
        let new: Vec<&Order> =
            opened.iter().filter(|(it, _)| *it == Opened::New).map(|(_, draft)| draft).collect();
        assert_eq!(new.len(), 1, "I9: of those who open the order of one cart one succeeds");
        for (found, _) in &opened {
            let Opened::Existing(found) = found else { continue };
            assert_eq!(**found, *new[0], "the others are shown the one that is there");
        }
    }

    async fn a_change_needs_its_version(&self) {
        let draft = self.draft(30);
        let (second, to_second) = after(&draft, OrderCommand::Note { text: "a".into() }, NOW);
        let stale = |current| Saved::Stale { current };
        assert_eq!(self.save(&to_second).await, stale(0), "what was never opened has no version");
        assert_eq!(self.get(draft.id).await, None, "and is not made by a change");
        self.opened(draft.clone()).await;
        let (third, to_third) = after(&second, OrderCommand::Note { text: "b".into() }, NOW);
        assert_eq!(self.save(&to_third).await, stale(1), "no version is left out");
        assert_eq!(self.save(&to_second).await, Saved::Done, "the next version is written");
        assert_eq!(self.get(draft.id).await, Some(second), "and read");
        let (_, other) = after(&draft, OrderCommand::Note { text: "c".into() }, NOW);
        assert_eq!(self.save(&other).await, stale(2), "a version is written once");
        assert_eq!(self.save(&to_third).await, Saved::Done, "a stale change leaves nothing behind");
        assert_eq!(self.get(draft.id).await, Some(third), "the right versions are written");
    }

    async fn a_race_of_changes_has_one_winner(&self) {
        let draft = self.opened(self.draft(40)).await;
        let tries = (0..8).map(|n| {
            let (order, change) =
                after(&draft, OrderCommand::Note { text: format!("note {n}") }, NOW);
            async move { (self.save(&change).await, order) }
        });
        let saved = concurrently(tries.collect()).await;
        let won: Vec<_> = saved.iter().filter(|(it, _)| *it == Saved::Done).collect();
        assert_eq!(won.len(), 1, "of those who write one version one succeeds");
        let stale = saved.iter().filter(|(it, _)| *it == Saved::Stale { current: 2 }).count();
        assert_eq!(stale, 7, "the others are told which version is there");
        let found = self.get(draft.id).await;
        assert_eq!(found.as_ref(), Some(&won[0].1), "the winner's is stored");
    }

    async fn the_same_change_is_done_already(&self) {
        let draft = self.opened(self.draft(50)).await;
        let (order, change) = after(&draft, OrderCommand::Note { text: "once".into() }, NOW);
        let tries = (0..4).map(|_| async { self.save(&change).await });
        let saved = concurrently(tries.collect()).await;
        assert!(saved.iter().all(|it| *it == Saved::Done), "the same change is done: {saved:?}");
        assert_eq!(self.save(&change).await, Saved::Done, "whenever it comes again");
        assert_eq!(self.get(draft.id).await, Some(order), "and once");
    }

    async fn numbers_are_given_once(&self) {
        let tries = (0..30).map(|_| async { self.store.next_number().await });
        let given = concurrently(tries.collect()).await;
        let mut given: Vec<OrderNumber> =
            given.into_iter().map(|number| number.expect("a number is given")).collect();
        given.sort();
        given.dedup();
        assert_eq!(given.len(), 30, "no number is given twice");

        let (placed, place) = self.paid(self.draft(60)).await;
        let number = placed.number.expect("it has one from placing on");
        let of_number = async || self.store.of_number(number).await.expect("a number is looked up");
        assert_eq!(of_number().await, None, "the number of no order finds none");
        assert_eq!(self.save(&place).await, Saved::Done, "it is placed");
        assert_eq!(of_number().await, Some(placed), "an order is found by its number");
        let (_, mut twin) = self.paid(self.draft(61)).await;
        twin.order.number = Some(number);
        self.refused_as_damage(&twin, "no two orders have one number").await;
    }

    /// The store stands behind what the business has decided: this would be a bug of the latter.
    async fn refused_as_damage(&self, change: &OrderChange, promise: &str) {
        let before = self.get(change.order.id).await;
        let outcome = self.store.save(change).await;
        assert!(matches!(outcome, Err(CommerceError::Damaged(_))), "{promise}: {outcome:?}");
        assert_eq!(self.get(change.order.id).await, before, "nothing of it is written");
    }

    async fn i9_no_more_is_captured_than_was_authorized(&self) {
        let (placed, place) = self.paid(self.draft(70)).await;
        assert_eq!(self.save(&place).await, Saved::Done, "it is placed");
        let capture = |amount| OrderCommand::Capture { amount };
        let asked = self.done(&placed, capture(Some(1_000))).await;
        let part = self.answered(&asked).await;
        let (_, mut beyond) = after(&part, capture(None), NOW);
        let operation = beyond.order.payments[0].operations.last_mut().expect("the capture");
        operation.state = OperationState::Succeeded;
        operation.amount += 1;
        self.refused_as_damage(&beyond, "I9: no more is captured than was authorized").await;
        let operation = beyond.order.payments[0].operations.last_mut().expect("the capture");
        (operation.kind, operation.amount) = (OperationKind::Refund, 1_001);
        self.refused_as_damage(&beyond, "I9: no more is refunded than was captured").await;
        // Nor is a payment counted for two orders.
        let other = self.opened(self.draft(71)).await;
        let pay = start_payment();
        let (_, mut stolen) = after(&other, pay, NOW);
        assert_ne!(stolen.order.payments[0].id, PaymentId(0));
        stolen.order.payments[0].id = placed.payments[0].id;
        self.refused_as_damage(&stolen, "a payment is of one order").await;
    }
}

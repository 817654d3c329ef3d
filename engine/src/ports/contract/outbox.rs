//! The promises of an outbox, together with the stores whose transactions fill it.

mod dead;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Names, Wait, concurrently, eventually};
use crate::catalog::Sku;
use crate::events::{Aggregate, EventKind, Position, stock_aggregate};
use crate::ids::{CartId, MovementId, OrderId};
use crate::inventory::{DEFAULT_LOCATION, MovementDraft};
use crate::orders::sample::{line, new_order, start_payment};
use crate::orders::{
    Actor, CapturePolicy, NewOrder, Order, OrderCommand, OrderLine, PaymentOutcome, decide,
};
use crate::ports::{
    ClaimAsk, ClaimToken, Lane, Opened, OrderChange, OrderStore, Outbox, Saved, Settled,
    StockLedger, Then,
};
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// Longer than any step of the suite takes.
const LONG: Duration = Duration::from_secs(600);

/// Over within a look or two.
const SHORT: Duration = Duration::from_millis(50);

struct Suite<'a> {
    outbox: &'a dyn Outbox,
    orders: &'a dyn OrderStore,
    ledger: &'a dyn StockLedger,
    wait: Wait<'a>,
    names: Names,
    next: AtomicU64,
}

/// The stores are those whose events the outbox has.
pub async fn outbox(
    outbox: &dyn Outbox,
    orders: &dyn OrderStore,
    ledger: &dyn StockLedger,
    wait: Wait<'_>,
    seed: u64,
) {
    let (names, next) = (Names { seed }, AtomicU64::new(1));
    let suite = Suite { outbox, orders, ledger, wait, names, next };
    suite.stock_is_told_as_it_crosses_a_line().await;
    suite.an_order_is_told_with_what_made_it().await;
    suite.a_consumer_begins_at_now().await;
    suite.a_lane_is_given_to_one_at_a_time().await;
    suite.a_lease_that_ran_out_is_given_to_another().await;
    suite.claimers_at_once_are_given_different_lanes().await;
    suite.what_failed_comes_again_after_its_time().await;
    suite.what_is_written_while_a_lane_is_held_is_not_forgotten().await;
    suite.who_waits_is_woken().await;
    suite.a_dead_letter_holds_up_its_aggregate().await;
    suite.a_dead_letter_that_is_discarded_lets_the_others_go_on().await;
    suite.dead_letters_are_listed_page_by_page().await;
    suite.a_sweep_takes_nothing_that_is_wanted().await;
}

impl Suite<'_> {
    fn number(&self) -> u128 {
        self.names.number(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A consumer that nobody else has, from now on.
    async fn consumer(&self, name: &str) -> String {
        let name = format!("{name}-{}", self.names.text(1));
        self.outbox.register(&[&name]).await.expect("a consumer is registered");
        name
    }

    fn sku(&self, name: &str) -> Sku {
        Sku::new(&format!("{name} {}", self.names.text(2))).expect("a SKU")
    }

    async fn book(&self, sku: &Sku, quantity: i64) {
        let draft = MovementDraft {
            id: MovementId(self.number()),
            sku: sku.clone(),
            location: DEFAULT_LOCATION.parse().expect("a location"),
            quantity,
            reason: "counted".into(),
            actor: "suite".into(),
            order: None,
            at: NOW,
        };
        let booked = self.ledger.book(vec![draft]).await.expect("movements are booked");
        booked[0].as_ref().expect("there is enough of it");
    }

    /// So many events of a SKU that has none: it comes, goes, comes back.
    async fn told(&self, sku: &Sku, count: usize) {
        for n in 0..count {
            self.book(sku, if n % 2 == 0 { 1 } else { -1 }).await;
        }
    }

    fn token(&self) -> ClaimToken {
        ClaimToken(self.number())
    }

    async fn claim(&self, consumer: &str, token: ClaimToken, lease: Duration) -> Vec<Lane> {
        let ask = ClaimAsk { consumer, token, lease, lanes: 100, events: 100 };
        self.outbox.claim(&ask).await.expect("lanes are claimed")
    }

    async fn settle(&self, consumer: &str, token: ClaimToken, settled: Settled) -> bool {
        let aggregate = settled.aggregate.clone();
        let done = self.outbox.settle(consumer, token, &[settled]).await;
        done.expect("lanes are settled").contains(&aggregate)
    }

    /// Claims all there is and settles it.
    async fn drained(&self, consumer: &str) -> Vec<Lane> {
        let token = self.token();
        let lanes = self.claim(consumer, token, LONG).await;
        for lane in &lanes {
            let settled = handled(lane);
            assert!(self.settle(consumer, token, settled).await, "what is held is settled");
        }
        lanes
    }
}

/// All of a lane.
fn handled(lane: &Lane) -> Settled {
    let handled = lane.events.last().map(|event| event.position);
    Settled { aggregate: lane.aggregate.clone(), handled, then: Then::Next }
}

fn kinds(lane: &Lane) -> Vec<EventKind> {
    lane.events.iter().map(|event| event.kind).collect()
}

fn positions(lane: &Lane) -> Vec<Position> {
    lane.events.iter().map(|event| event.position).collect()
}

impl Suite<'_> {
    async fn stock_is_told_as_it_crosses_a_line(&self) {
        use EventKind::{StockBack, StockLow, StockOut};
        let consumer = self.consumer("stock").await;
        let chair = self.sku("chair");
        for quantity in [10, -1, -4, -1, -4, 2] {
            self.book(&chair, quantity).await;
        }
        let lanes = self.drained(&consumer).await;
        assert_eq!(lanes.len(), 1, "a SKU has one lane");
        assert_eq!(lanes[0].aggregate, stock_aggregate(&chair));
        assert_eq!(kinds(&lanes[0]), [StockBack, StockLow, StockOut, StockBack]);
        let available: Vec<_> =
            lanes[0].events.iter().map(|event| event.data["available"].as_i64()).collect();
        assert_eq!(available, [Some(10), Some(5), Some(0), Some(2)], "and says how many there are");
        let versions = positions(&lanes[0]);
        assert!(versions.is_sorted_by(|a, b| a < b), "in order: {versions:?}");
        assert_eq!(self.drained(&consumer).await, [], "what is settled does not come again");
    }

    fn draft(&self) -> Order {
        let lines = vec![OrderLine { tracked: false, ..line(1, 1, 1_000, 0, 160) }];
        let (id, cart) = (OrderId(self.number()), CartId(self.number()));
        Order::draft(NewOrder { id, cart, ..new_order(lines, 490, true) }, NOW)
    }

    async fn changed(&self, order: &Order, command: OrderCommand) -> (Order, OrderChange) {
        let decided = decide(order, command, Actor::System, NOW, CapturePolicy::AtOnce);
        let decided = decided.expect("the order allows the command");
        let (known, stock, actor) = (order.timeline.len(), decided.stock, "suite".into());
        let change = OrderChange { order: decided.order.clone(), known, stock, actor, at: NOW };
        (decided.order, change)
    }

    async fn save(&self, change: &OrderChange) -> Saved {
        self.orders.save(change).await.expect("an order is written")
    }

    async fn done(&self, order: &Order, command: OrderCommand) -> Order {
        let (order, change) = self.changed(order, command).await;
        assert_eq!(self.save(&change).await, Saved::Done);
        order
    }

    async fn an_order_is_told_with_what_made_it(&self) {
        use EventKind::{OrderPlaced, PaymentAuthorized, PaymentCaptured};
        let consumer = self.consumer("orders").await;
        let draft = self.draft();
        assert_eq!(self.orders.open(&draft).await, Ok(Opened::New));
        let order = self.done(&draft, start_payment()).await;
        let answer = |order: &Order| {
            let (key, ..) = order.pending_operations().next().expect("the gateway is asked");
            let outcome = PaymentOutcome::Succeeded { reference: None };
            OrderCommand::RecordOutcome { key, outcome }
        };
        let (paid, pay) = self.changed(&order, answer(&order)).await;
        for _ in 0..2 {
            assert_eq!(self.save(&pay).await, Saved::Done, "the same change is done already");
        }
        let number = self.orders.next_number().await.expect("a number is given");
        let (placed, place) = self.changed(&paid, OrderCommand::Place { number }).await;
        let (_, late) = self.changed(&paid, OrderCommand::Abandon { reason: "late".into() }).await;
        assert_eq!(self.save(&place).await, Saved::Done);
        let stale = Saved::Stale { current: placed.version };
        assert_eq!(self.save(&late).await, stale, "what is not written is not told");
        self.done(&placed, answer(&placed)).await;
        let lanes = self.drained(&consumer).await;
        assert_eq!(lanes.len(), 1, "an order has one lane");
        assert_eq!(kinds(&lanes[0]), [PaymentAuthorized, OrderPlaced, PaymentCaptured]);
        let event = &lanes[0].events[1];
        assert_eq!(event.position.version(), placed.version, "with the version that it made");
        assert_eq!(event.at, NOW, "and when that was");
        assert_eq!(event.data["order_id"], serde_json::json!(placed.id));
    }

    async fn a_consumer_begins_at_now(&self) {
        let first = self.consumer("first").await;
        let lamp = self.sku("lamp");
        self.told(&lamp, 2).await;
        let second = self.consumer("second").await;
        assert_eq!(self.drained(&second).await, [], "what was before is not told");
        self.told(&lamp, 1).await;
        assert_eq!(self.drained(&second).await[0].events.len(), 1, "what comes after is");
        self.outbox.register(&[&first]).await.expect("it is known");
        let lanes = self.drained(&first).await;
        assert_eq!(lanes[0].events.len(), 3, "who is registered again keeps what waits");
    }

    async fn a_lane_is_given_to_one_at_a_time(&self) {
        let consumer = self.consumer("one").await;
        let (bed, cup) = (self.sku("bed"), self.sku("cup"));
        self.told(&bed, 3).await;
        let (mine, theirs) = (self.token(), self.token());
        let lanes = self.claim(&consumer, mine, LONG).await;
        assert_eq!((lanes.len(), lanes[0].events.len(), lanes[0].attempts), (1, 3, 1));
        self.told(&cup, 1).await;
        let others = self.claim(&consumer, theirs, LONG).await;
        assert_eq!(others.len(), 1, "what is held is nobody else's");
        assert_eq!(others[0].aggregate, stock_aggregate(&cup), "what is not, is");
        let part = Settled { handled: Some(positions(&lanes[0])[1]), ..handled(&lanes[0]) };
        assert!(!self.settle(&consumer, theirs, part.clone()).await, "nor settled by another");
        assert!(self.settle(&consumer, mine, part.clone()).await, "it is by who holds it");
        assert!(!self.settle(&consumer, mine, part).await, "once");
        let rest = self.claim(&consumer, theirs, LONG).await;
        assert_eq!(positions(&rest[0]), positions(&lanes[0])[2..], "the next ones come next");
        assert_eq!(rest[0].attempts, 1, "and were not tried before");
    }

    async fn a_lease_that_ran_out_is_given_to_another(&self) {
        let consumer = self.consumer("lease").await;
        let pen = self.sku("pen");
        self.told(&pen, 3).await;
        let dead = self.token();
        let first = self.claim(&consumer, dead, SHORT).await;
        let alive = self.token();
        let found = std::cell::RefCell::new(Vec::new());
        eventually(self.wait, "a lease that ran out is given to another", async || {
            let lanes = self.claim(&consumer, alive, LONG).await;
            let is_any = !lanes.is_empty();
            found.replace(lanes);
            is_any
        })
        .await;
        let again = found.into_inner();
        assert_eq!(again[0].attempts, 2, "it is known to be tried again");
        let one = &positions(&first[0])[..1];
        assert_eq!(positions(&again[0]), one, "alone, to know which one is at fault");
        let late = handled(&first[0]);
        assert!(!self.settle(&consumer, dead, late).await, "who lost it settles nothing");
        assert!(self.settle(&consumer, alive, handled(&again[0])).await);
        assert_eq!(self.drained(&consumer).await[0].events.len(), 2, "the others come after");
    }

    async fn claimers_at_once_are_given_different_lanes(&self) {
        let consumer = self.consumer("race").await;
        let skus: Vec<Sku> = (0..30).map(|n| self.sku(&format!("race-{n}"))).collect();
        for sku in &skus {
            self.told(sku, 1).await;
        }
        let claims = (0..6).map(|_| async {
            let (token, lanes, events) = (self.token(), 10, 1);
            let ask = ClaimAsk { consumer: &consumer, token, lease: LONG, lanes, events };
            self.outbox.claim(&ask).await.expect("lanes are claimed")
        });
        let claimed = concurrently(claims.collect()).await;
        let mut given: Vec<Aggregate> =
            claimed.into_iter().flatten().map(|lane| lane.aggregate).collect();
        let rest = self.claim(&consumer, self.token(), LONG).await;
        given.extend(rest.into_iter().map(|lane| lane.aggregate));
        given.sort();
        let mut expected: Vec<Aggregate> = skus.iter().map(stock_aggregate).collect();
        expected.sort();
        assert_eq!(given, expected, "each lane is given to one");
    }

    async fn what_failed_comes_again_after_its_time(&self) {
        let consumer = self.consumer("retry").await;
        let (mug, jug) = (self.sku("mug"), self.sku("jug"));
        self.told(&mug, 2).await;
        self.told(&jug, 2).await;
        let token = self.token();
        let lanes = self.claim(&consumer, token, LONG).await;
        for (lane, after) in lanes.iter().zip([SHORT, LONG]) {
            let then = Then::Retry { after, error: "no answer".into() };
            let aggregate = lane.aggregate.clone();
            let settled = Settled { aggregate, handled: None, then };
            assert!(self.settle(&consumer, token, settled).await);
        }
        let found = std::cell::RefCell::new(Vec::new());
        eventually(self.wait, "what failed comes again", async || {
            let lanes = self.claim(&consumer, token, LONG).await;
            let is_any = !lanes.is_empty();
            found.replace(lanes);
            is_any
        })
        .await;
        let again = found.into_inner();
        assert_eq!(again.len(), 1, "not before its time");
        assert_eq!(again[0].aggregate, lanes[0].aggregate);
        assert_eq!((again[0].attempts, again[0].events.len()), (2, 1));
    }

    async fn what_is_written_while_a_lane_is_held_is_not_forgotten(&self) {
        let consumer = self.consumer("held").await;
        let hat = self.sku("hat");
        for _ in 0..5 {
            self.told(&hat, 1).await;
            let token = self.token();
            let lanes = self.claim(&consumer, token, LONG).await;
            let settle = self.settle(&consumer, token, handled(&lanes[0]));
            let ((), is_settled) = futures_of(self.book(&hat, -1), settle).await;
            assert!(is_settled, "it is settled");
            let rest = self.drained(&consumer).await;
            assert_eq!(rest.len(), 1, "what came meanwhile comes next");
            assert_eq!(kinds(&rest[0]), [EventKind::StockOut]);
        }
    }

    async fn who_waits_is_woken(&self) {
        let consumer = self.consumer("woken").await;
        let seen = self.outbox.written();
        let waits = self.outbox.written_since(seen);
        let writes = async {
            self.told(&self.sku("sofa"), 1).await;
        };
        let (woken, ()) = futures_of(waits, writes).await;
        assert!(woken > seen, "who waits hears that there is something");
        assert_eq!(self.drained(&consumer).await.len(), 1, "and finds it");
    }

    async fn a_sweep_takes_nothing_that_is_wanted(&self) {
        let consumer = self.consumer("swept").await;
        self.told(&self.sku("rug"), 2).await;
        self.outbox.sweep(LONG).await.expect("it is swept");
        let figures = self.outbox.figures().await.expect("figures are read");
        let own = figures.iter().find(|it| it.consumer == consumer).expect("it is known");
        assert_eq!((own.lanes, own.dead_letters), (1, 0));
        assert_eq!(self.drained(&consumer).await[0].events.len(), 2, "what waits is kept");
        let figures = self.outbox.figures().await.expect("figures are read");
        let own = figures.iter().find(|it| it.consumer == consumer).expect("it is known");
        assert_eq!(own.lanes, 0, "nothing waits any more");
    }
}

/// Two of different kinds at once.
async fn futures_of<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (first, second) = (std::cell::RefCell::new(None), std::cell::RefCell::new(None));
    {
        let a: std::pin::Pin<Box<dyn Future<Output = ()>>> = Box::pin(async {
            first.replace(Some(a.await));
        });
        let b: std::pin::Pin<Box<dyn Future<Output = ()>>> = Box::pin(async {
            second.replace(Some(b.await));
        });
        concurrently(vec![a, b]).await;
    }
    let done = "both have run to their end";
    (first.into_inner().expect(done), second.into_inner().expect(done))
}

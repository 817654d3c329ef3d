//! Orders are found by what they are, page by page.

use super::*;
use crate::ids::ReturnId;
use crate::orders::{
    FulfilmentProgress, LineUnits, OrderStatus, PaymentProgress, ReturnRequestLine, ReturnStatus,
};
use crate::ports::{OrderQuery, OrderSort, ReturnQuery};

/// After anything else that may be returned.
const LATE: i64 = 8_000_000_000_000;

/// Before anything else that may not be settled.
const LONG_AGO: i64 = -8_000_000_000_000;

impl Suite<'_> {
    async fn found(&self, query: &OrderQuery) -> Vec<OrderId> {
        let found = self.store.list(query).await.expect("orders are listed");
        found.iter().map(|order| order.id).collect()
    }

    /// Opened so many minutes after all others of this run, for a buyer of this name.
    fn late_draft(&self, index: u64, minutes: i64, buyer: &str) -> Order {
        let created_at = Timestamp(NOW.0 + 86_400_000 + minutes * 60_000);
        Order { created_at, addresses: addresses(buyer), ..self.draft(index) }
    }

    pub(super) async fn orders_are_found_by_what_they_are(&self) {
        let buyer = format!("Hopper-{}", self.names.text(200));
        let draft = self.opened(self.late_draft(200, 0, &buyer)).await;
        let (authorized, place) = self.paid(self.late_draft(201, 10, &buyer)).await;
        assert_eq!(self.save(&place).await, Saved::Done);
        let (placed, place) = self.paid(self.late_draft(202, 20, &buyer)).await;
        assert_eq!(self.save(&place).await, Saved::Done);
        let captured = self.done(&placed, OrderCommand::Capture { amount: None }).await;
        let captured = self.answered(&captured).await;
        let lines = vec![LineUnits { line: captured.lines[0].id, quantity: 1 }];
        let fulfil = OrderCommand::Fulfil { lines, tracking: None };
        // No stock is kept of it, so none is taken.
        let completed = self.done(&captured, fulfil).await;
        assert_eq!(completed.status, OrderStatus::Completed);

        let base = || OrderQuery { text: Some(buyer.clone()), limit: 3, ..OrderQuery::default() };
        let check = async |promise: &str, query: OrderQuery, expected: &[&Order]| {
            let expected: Vec<OrderId> = expected.iter().map(|order| order.id).collect();
            assert_eq!(self.found(&query).await, expected, "{promise}");
        };
        let all = [&completed, &authorized, &draft];
        check("those opened last come first", base(), &all).await;
        let oldest = OrderQuery { sort: OrderSort::Oldest, ..base() };
        check("or those opened first", oldest, &[&draft, &authorized, &completed]).await;
        let of_status = |status| OrderQuery { statuses: vec![status], ..base() };
        check("by their status", of_status(OrderStatus::Placed), &[&authorized]).await;
        check("by their status", of_status(OrderStatus::Completed), &[&completed]).await;
        let statuses = vec![OrderStatus::Completed, OrderStatus::Abandoned, OrderStatus::Draft];
        let of_any = |sort| OrderQuery { statuses: statuses.clone(), sort, ..base() };
        check("by any of several", of_any(OrderSort::Newest), &[&completed, &draft]).await;
        check("by any of several", of_any(OrderSort::Oldest), &[&draft, &completed]).await;
        let first = OrderQuery { limit: 1, ..of_any(OrderSort::Newest) };
        check("as many as a page has", first.clone(), &[&completed]).await;
        let after = Some((completed.created_at, completed.id));
        check("page by page", OrderQuery { after, ..first }, &[&draft]).await;
        let of_payment = |payment| OrderQuery {
            payment: Some(payment),
            placed_after: Some(Timestamp(NOW.0 + 86_400_000)),
            ..base()
        };
        check("by their payment", of_payment(PaymentProgress::Captured), &[&completed]).await;
        check("by their payment", of_payment(PaymentProgress::Refunded), &[]).await;
        let of_fulfilment = |fulfilment| OrderQuery { fulfilment: Some(fulfilment), ..base() };
        check("by parcels", of_fulfilment(FulfilmentProgress::Fulfilled), &[&completed]).await;
        let both = OrderQuery {
            statuses: vec![OrderStatus::Placed],
            ..of_fulfilment(FulfilmentProgress::Fulfilled)
        };
        check("all that is named has to hold", both, &[]).await;
        let at = |order: &Order| order.placed_at.expect("it was placed");
        let window = |from, to| OrderQuery { placed_after: from, placed_before: to, ..base() };
        let from = Some(Timestamp(at(&authorized).0 + 1));
        check("by when they were placed", window(from, None), &[&completed]).await;
        let (from, to) = (Some(at(&authorized)), Some(at(&completed)));
        check("from then on, and before", window(from, to), &[&authorized]).await;
        check("a draft was not placed", window(Some(Timestamp(0)), None), &all[..2]).await;
        let number = completed.number.expect("it was placed");
        let any = |text| OrderQuery { text, limit: 3, ..OrderQuery::default() };
        let (found, any) = (self.found(&any(Some(" ".into()))).await, any(None));
        assert_eq!(found, self.found(&any).await, "no text is any text");
        for text in [number.to_string(), number.to_string().replace('-', " ")] {
            let query = OrderQuery { text: Some(text), ..base() };
            check("by a number, as it is said", query, &[&completed]).await;
        }
    }

    pub(super) async fn orders_are_found_by_their_buyer(&self) {
        let name = format!("Ångström_100% {}", self.names.text(300));
        let draft = Order { addresses: addresses(&name), ..self.draft(300) };
        let email = draft.contact.email.clone();
        let order = self.opened(draft).await;
        let found = async |text: &str| {
            let text = Some(text.to_owned());
            self.found(&OrderQuery { text, limit: 100, ..OrderQuery::default() }).await
        };
        for text in [&email, &email.to_uppercase(), &email[..email.len() - 7], &name] {
            assert_eq!(found(text).await, [order.id], "{text} begins a name or an address");
        }
        let begin = name.to_uppercase();
        let begin = &begin[..begin.len() - 1];
        assert!(found(begin).await.contains(&order.id), "{begin} in capitals, without its end");
        let wild = name.replace(['_', '%'], "x");
        for text in [&email[1..], &format!("%{}", &email[1..]), &wild, &format!("{email}x")] {
            assert_eq!(found(text).await, [], "{text} begins nothing");
        }
        let billed = addresses(&format!("Payer {}", self.names.text(301)));
        let mut draft = self.draft(301);
        draft.addresses.billing = Some(billed.shipping.clone());
        let order = self.opened(draft).await;
        let found = found(&billed.shipping.last_name).await;
        assert_eq!(found, [order.id], "who is billed is the buyer");
    }

    pub(super) async fn pages_visit_each_once(&self) {
        let name = format!("Paged-{}", self.names.text(400));
        for index in 400..411 {
            let mut draft = self.draft(index);
            draft.addresses = addresses(&name);
            // Some are opened in one millisecond.
            draft.created_at = Timestamp(NOW.0 + index as i64 / 3);
            self.opened(draft).await;
        }
        let key = |order: &Order| (order.created_at, order.id);
        for sort in [OrderSort::Newest, OrderSort::Oldest] {
            let mut seen: Vec<(Timestamp, OrderId)> = Vec::new();
            loop {
                let (text, after) = (Some(name.clone()), seen.last().copied());
                let query = OrderQuery { text, after, sort, limit: 3, ..OrderQuery::default() };
                let page = self.store.list(&query).await.expect("orders are listed");
                assert!(page.len() <= 3, "a page has its limit");
                if page.is_empty() {
                    break;
                }
                seen.extend(page.iter().map(key));
            }
            assert_eq!(seen.len(), 11, "pages visit each");
            let is_sorted = |two: &[(Timestamp, OrderId)]| match sort {
                OrderSort::Newest => two[0] > two[1],
                OrderSort::Oldest => two[0] < two[1],
            };
            assert!(seen.windows(2).all(is_sorted), "once, in the order of the sort");
        }
        let none = OrderQuery { text: Some(name), limit: 0, ..OrderQuery::default() };
        assert_eq!(self.found(&none).await, [], "a limit of none finds none");
    }

    pub(super) async fn returns_are_found(&self) {
        let (placed, place) = self.paid(self.draft(450)).await;
        assert_eq!(self.save(&place).await, Saved::Done);
        let captured = self.done(&placed, OrderCommand::Capture { amount: None }).await;
        let captured = self.answered(&captured).await;
        let line = captured.lines[0].id;
        let lines = vec![LineUnits { line, quantity: 1 }];
        let fulfilled = self.done(&captured, OrderCommand::Fulfil { lines, tracking: None }).await;
        let unknown = ReturnId(self.names.number(451));
        assert_eq!(self.store.of_return(unknown).await, Ok(None), "nobody has asked for it");
        let lines = vec![ReturnRequestLine { line, quantity: 1, reason: "too small".into() }];
        let ask = OrderCommand::RequestReturn { lines };
        // Later than all others, so that it is found first.
        let at = Timestamp(LATE + (self.names.number(452) % 1_000_000_000) as i64);
        let asked = self.done_at(&fulfilled, ask, at).await;
        let id = asked.returns[0].id;
        let found = async |status| {
            let query = ReturnQuery { status, after: None, limit: 1 };
            self.store.returns(&query).await.expect("returns are listed")
        };
        let (requested, approved) = (ReturnStatus::Requested, ReturnStatus::Approved);
        assert_eq!(self.store.of_return(id).await, Ok(Some(asked.clone())), "its order is found");
        assert_eq!(found(None).await, [(id, asked.clone())], "it is listed");
        assert_eq!(found(Some(requested)).await, [(id, asked.clone())], "by its status");
        let approve = OrderCommand::ApproveReturn { id };
        let order = self.done_at(&asked, approve, Timestamp(at.0 + 1)).await;
        assert_eq!(found(Some(approved)).await, [(id, order.clone())], "which changes");
        assert_ne!(found(Some(requested)).await.first().map(|(id, _)| *id), Some(id));
        let after = Some((at, id));
        let query = ReturnQuery { status: None, after, limit: 10 };
        let behind = self.store.returns(&query).await.expect("returns are listed");
        assert!(behind.iter().all(|(other, _)| *other != id), "a page begins behind the last");
    }

    pub(super) async fn what_is_not_settled_is_found(&self) {
        let at = |time: i64| Timestamp(LONG_AGO + time);
        let unsettled = async |before: i64, limit| {
            let found = self.store.unsettled(at(before), limit).await;
            found.expect("what is not settled is found")
        };
        let open = async |index, time| {
            let draft = Order { created_at: at(time), ..self.draft(index) };
            self.opened(draft).await
        };
        let (second, first) = (open(500, 20).await, open(501, 10).await);
        assert_eq!(unsettled(10, 10).await, [], "somebody has changed it since");
        assert_eq!(unsettled(11, 10).await, [first.id], "a draft is not settled");
        assert_eq!(unsettled(30, 10).await, [first.id, second.id], "the oldest comes first");
        assert_eq!(unsettled(30, 1).await, [first.id], "a limit keeps the oldest");

        let pay = start_payment();
        let first = self.done_at(&first, pay, at(30)).await;
        assert_eq!(unsettled(31, 10).await, [second.id, first.id], "a change makes it younger");
        let (key, ..) = first.pending_operations().next().expect("a gateway is asked");
        let outcome = PaymentOutcome::Succeeded { reference: None };
        let paid = OrderCommand::RecordOutcome { key, outcome };
        let first = self.done_at(&first, paid, at(31)).await;
        let number = self.store.next_number().await.expect("a number is given");
        let first = self.done_at(&first, OrderCommand::Place { number }, at(32)).await;
        let second =
            self.done_at(&second, OrderCommand::Abandon { reason: "gone".into() }, at(33)).await;
        assert_eq!(unsettled(40, 10).await, [], "what is placed or given up is settled");
        let cancel = OrderCommand::Cancel { reason: "wrong".into() };
        let first = self.done_at(&first, cancel, at(34)).await;
        assert_eq!(unsettled(40, 10).await, [first.id], "but not while a gateway has to answer");
        let (key, ..) = first.pending_operations().next().expect("its money goes back");
        let outcome = PaymentOutcome::Succeeded { reference: None };
        self.done_at(&first, OrderCommand::RecordOutcome { key, outcome }, at(35)).await;
        assert_eq!(unsettled(40, 10).await, [], "then it is settled");
        assert_eq!(second.status, OrderStatus::Abandoned);
    }
}

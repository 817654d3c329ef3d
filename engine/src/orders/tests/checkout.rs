//! From a draft to an order, or back.

use super::*;

#[test]
fn totals_are_the_sums_of_the_parts() {
    let totals = draft().totals();
    assert_eq!((totals.subtotal, totals.discount, totals.shipping), (6200, 200, 490));
    assert_eq!((totals.tax, totals.total), (160 + 798 + 98, 6490));
    let on_top = Order { tax_included: false, ..draft() };
    assert_eq!(on_top.totals().total, 6490 + 1056);
}

#[test]
fn a_paid_draft_is_placed_with_its_stock() {
    let mut tried = Tried::new(draft());
    assert_eq!(tried.order.payment_progress(), PaymentProgress::Pending);
    tried.refused(OrderCommand::Place { number: number() }, OrderRejection::NotPaid);
    tried.pay();
    let key = OperationKey { order: OrderId(1), attempt: 1, operation: 1 };
    assert_eq!(tried.pending(), [(key, OperationKind::Authorize, 6490)]);
    tried.refused(OrderCommand::Place { number: number() }, OrderRejection::NotPaid);
    tried.succeed(key);
    tried.done(OrderCommand::Place { number: number() });
    assert_eq!(tried.order.status, OrderStatus::Placed);
    assert_eq!(tried.order.number, Some(number()));
    assert_eq!(tried.stock, [StockChange::Allocate]);
    assert_eq!(tried.order.payment_progress(), PaymentProgress::Authorized);
    assert_eq!(tried.pending(), []);
    assert_eq!(tried.order.version, 4);
    tried.refused(
        OrderCommand::Abandon { reason: "late".into() },
        OrderRejection::State(OrderStatus::Placed),
    );
}

#[test]
fn a_gateway_that_repeats_itself_changes_nothing() {
    let mut tried = Tried::new(draft());
    tried.pay();
    let (key, ..) = tried.pending()[0];
    tried.succeed(key);
    let before = tried.order.clone();
    tried.succeed(key);
    tried.fail(key);
    assert_eq!(tried.order, before);
    assert_eq!(tried.events, []);
    let unknown = OperationKey { operation: 2, ..key };
    let outcome = PaymentOutcome::Failed { code: "declined".into() };
    tried.refused(
        OrderCommand::RecordOutcome { key: unknown, outcome },
        OrderRejection::UnknownOperation,
    );
}

#[test]
fn the_next_attempt_waits_for_the_end_of_the_last() {
    let start = start_payment;
    let mut tried = Tried::new(draft());
    tried.pay();
    tried.refused(start(), OrderRejection::PaymentOpen);
    let (key, ..) = tried.pending()[0];
    tried.fail(key);
    assert_eq!(tried.order.payment_progress(), PaymentProgress::Failed);
    tried.pay();
    let (key, ..) = tried.pending()[0];
    assert_eq!(key.to_string(), format!("{}/2/1", OrderId(1)));
    assert_eq!(key.to_string().parse(), Ok(key));
    for text in ["", "/1/1", "ord_1/1/1", &format!("{key}/1"), &format!("{}/02/1", OrderId(1))] {
        assert_eq!(text.parse::<OperationKey>(), Err(InvalidOperationKey), "{text}");
    }
    tried.succeed(key);
    tried.refused(start(), OrderRejection::PaymentOpen);
}

#[test]
fn who_has_to_act_is_told_where_until_it_is_done() {
    let mut tried = Tried::new(draft());
    tried.pay();
    let (key, ..) = tried.pending()[0];
    let url = "https://pay.example/1".to_owned();
    let outcome = PaymentOutcome::ActionRequired { reference: "gw-1".into(), url: url.clone() };
    tried.outcome(key, outcome.clone());
    let payment = &tried.order.payments[0];
    assert_eq!((payment.status(), &payment.redirect), (PaymentStatus::RequiresAction, &Some(url)));
    tried.outcome(key, outcome);
    assert_eq!(tried.events, [], "told again it is no news");
    tried.succeed(key);
    let payment = &tried.order.payments[0];
    assert_eq!((payment.status(), &payment.redirect), (PaymentStatus::Authorized, &None));
}

#[test]
fn a_draft_that_is_given_up_lets_its_money_go_and_can_be_tried_again() {
    let mut tried = Tried::new(draft());
    tried.pay();
    tried.succeed_all();
    tried.done(OrderCommand::Abandon { reason: "changed my mind".into() });
    let pending = tried.pending();
    assert_eq!((pending[0].1, pending[0].2), (OperationKind::Void, 6490));
    let again = || {
        let lines = vec![line(1, 1, 400, 0, 64)];
        OrderCommand::Reopen(NewOrder { cart_version: 12, ..new_order(lines, 0, true) })
    };
    tried.refused(again(), OrderRejection::PaymentOpen);
    tried.succeed_all();
    assert_eq!(tried.order.payment_progress(), PaymentProgress::Voided);
    tried.done(again());
    assert_eq!((tried.order.status, tried.order.totals().total), (OrderStatus::Draft, 400));
    assert_eq!((tried.order.cart_version, tried.order.payments.len()), (12, 1));
    tried.pay();
    assert_eq!(tried.pending()[0].0.attempt, 2);
    tried.succeed_all();
    tried.done(OrderCommand::Place { number: number() });
}

/// Who was sent elsewhere and comes back to pay otherwise need not wait for the page to run out.
#[test]
fn a_page_that_is_given_up_is_closed_and_money_that_was_paid_there_goes_back() {
    let mut tried = Tried::new(draft());
    tried.pay();
    let (key, ..) = tried.pending()[0];
    let url = "https://pay.example/1".to_owned();
    tried.outcome(key, PaymentOutcome::ActionRequired { reference: "gw-1".into(), url });
    tried.done(OrderCommand::Abandon { reason: "changed my mind".into() });
    let (close, kind, amount) = tried.pending()[1];
    assert_eq!((kind, amount), (OperationKind::Void, 0));
    tried.succeed(close);
    assert_eq!((tried.pending().len(), tried.order.live_payment()), (0, None));
    assert_eq!(tried.order.payments[0].status(), PaymentStatus::Failed);
    // They had paid in the last moment after all.
    tried.succeed(key);
    let (_, kind, amount) = tried.pending()[0];
    assert_eq!((kind, amount), (OperationKind::Void, 6490));
    assert!(tried.order.live_payment().is_some());
    tried.succeed_all();
    assert_eq!(tried.order.live_payment(), None);

    // And where the gateway does not close it, since it was paid.
    let mut tried = Tried::new(draft());
    tried.pay();
    let (key, ..) = tried.pending()[0];
    let url = "https://pay.example/2".to_owned();
    tried.outcome(key, PaymentOutcome::ActionRequired { reference: "gw-2".into(), url });
    tried.done(OrderCommand::Abandon { reason: "changed my mind".into() });
    let (close, ..) = tried.pending()[1];
    tried.fail(close);
    tried.succeed(key);
    tried.succeed_all();
    assert_eq!(tried.order.live_payment(), None);
    assert_eq!(tried.order.payment_progress(), PaymentProgress::Voided);
}

#[test]
fn money_that_comes_after_giving_up_goes_back() {
    let mut tried = Tried::new(draft());
    tried.pay();
    let (key, ..) = tried.pending()[0];
    tried.done(OrderCommand::Abandon { reason: "too slow".into() });
    assert_eq!(tried.pending().len(), 1, "nothing can be let go that may not be held");
    tried.succeed(key);
    assert_eq!(tried.pending()[0].1, OperationKind::Void);
    tried.succeed_all();
    assert_eq!(tried.order.live_payment(), None);
}

#[test]
fn what_costs_nothing_is_placed_without_a_payment() {
    let free = Order::draft(new_order(vec![line(1, 2, 500, 1000, 0)], 0, true), NOW);
    let mut tried = Tried::new(free);
    tried.done(OrderCommand::Place { number: number() });
    assert_eq!(tried.order.payment_progress(), PaymentProgress::Captured);
    tried.fulfil(&[(1, 2)]);
    assert_eq!(tried.order.status, OrderStatus::Completed);
}

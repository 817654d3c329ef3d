//! What becomes of an order after it was placed.

use super::*;

#[test]
fn money_is_taken_as_units_leave_the_house() {
    let mut tried = Tried::placed(draft());
    tried.fulfil(&[(1, 1)]);
    let captures = |tried: &Tried| -> Vec<i64> {
        tried.pending().iter().map(|(_, _, amount)| *amount).collect()
    };
    assert_eq!(captures(&tried), [333 + 490], "shipping goes with the first parcel");
    tried.succeed_all();
    assert_eq!(tried.order.payment_progress(), PaymentProgress::PartiallyCaptured);
    assert_eq!(tried.order.fulfilment_progress(), FulfilmentProgress::PartiallyFulfilled);
    tried.fulfil(&[(1, 2), (2, 1)]);
    assert_eq!(captures(&tried), [667 + 5000]);
    assert_eq!(tried.order.status, OrderStatus::Placed, "it is not paid yet");
    tried.succeed_all();
    assert_eq!(tried.order.status, OrderStatus::Completed);
    assert_eq!(tried.order.payment_progress(), PaymentProgress::Captured);
    let shipped = |line: u32, quantity| StockChange::Ship {
        sku: format!("SKU-{line}").parse().unwrap(),
        quantity,
    };
    assert_eq!(tried.stock[1..], [shipped(1, 1), shipped(1, 2), shipped(2, 1)]);
}

#[test]
fn staff_takes_money_when_the_shop_says_so_and_never_more_than_there_is() {
    let mut tried = Tried::new(draft());
    tried.capture = CapturePolicy::Manual;
    tried.pay();
    tried.succeed_all();
    tried.done(OrderCommand::Place { number: number() });
    tried.fulfil(&[(2, 1)]);
    assert_eq!(tried.pending(), []);
    let capture = |amount| OrderCommand::Capture { amount };
    tried.refused(capture(Some(0)), OrderRejection::InvalidAmount);
    tried.refused(capture(Some(6491)), OrderRejection::CaptureExceedsAuthorized { left: 6490 });
    tried.done(capture(Some(1000)));
    tried.refused(capture(Some(5491)), OrderRejection::CaptureExceedsAuthorized { left: 5490 });
    let (key, ..) = tried.pending()[0];
    tried.fail(key);
    tried.done(capture(None));
    tried.succeed_all();
    assert_eq!(tried.order.captured(), 6490);
    tried.refused(capture(None), OrderRejection::CaptureExceedsAuthorized { left: 0 });
}

#[test]
fn all_is_taken_at_once_where_the_shop_says_so() {
    let mut tried = Tried::new(draft());
    tried.capture = CapturePolicy::AtOnce;
    tried.pay();
    tried.succeed_all();
    tried.done(OrderCommand::Place { number: number() });
    assert_eq!(tried.pending()[0].1, OperationKind::Capture);
    tried.succeed_all();
    assert_eq!(tried.order.payment_progress(), PaymentProgress::Captured);
}

#[test]
fn nothing_leaves_the_house_while_the_order_is_held() {
    let mut tried = Tried::placed(draft());
    tried.done(OrderCommand::Hold);
    let parcel = || OrderCommand::Fulfil { lines: line_units(&[(1, 1)]), tracking: None };
    tried.refused(parcel(), OrderRejection::OnHold);
    tried.done(OrderCommand::Hold);
    assert_eq!(tried.events, [], "it is held already");
    tried.done(OrderCommand::Release);
    tried.done(parcel());
}

#[test]
fn a_parcel_holds_units_that_are_left_each_line_once() {
    let mut tried = Tried::placed(draft());
    let mut check = |units: &[(u32, u32)], expected| {
        let lines = line_units(units);
        tried.refused(OrderCommand::Fulfil { lines, tracking: None }, expected);
    };
    check(&[], OrderRejection::InvalidLines);
    check(&[(1, 0)], OrderRejection::InvalidLines);
    check(&[(1, 1), (1, 1)], OrderRejection::InvalidLines);
    check(&[(9, 1)], OrderRejection::UnknownLine(LineId(9)));
    check(&[(2, 1), (1, 4)], OrderRejection::QuantityExceedsLeft { line: LineId(1), left: 3 });
}

#[test]
fn a_parcel_that_never_left_is_packed_again() {
    let mut tried = Tried::placed(draft());
    tried.fulfil(&[(1, 3), (2, 1)]);
    tried.succeed_all();
    assert_eq!(tried.order.status, OrderStatus::Completed);
    let fulfilment = tried.order.fulfilments[0].id;
    tried.done(OrderCommand::CancelFulfilment { fulfilment });
    assert_eq!(tried.order.status, OrderStatus::Placed);
    assert_eq!(tried.order.fulfilment_progress(), FulfilmentProgress::Unfulfilled);
    tried.refused(OrderCommand::MarkDelivered { fulfilment }, OrderRejection::WrongStep);
    tried.fulfil(&[(1, 3), (2, 1)]);
    assert_eq!(tried.pending(), [], "it was paid for the first time already");
    assert_eq!(tried.order.status, OrderStatus::Completed);
    let fulfilment = tried.order.fulfilments[1].id;
    tried.done(OrderCommand::MarkDelivered { fulfilment });
    tried.refused(OrderCommand::CancelFulfilment { fulfilment }, OrderRejection::WrongStep);
}

#[test]
fn cancelling_lets_stock_and_money_go() {
    let cancel = || OrderCommand::Cancel { reason: "not wanted".into() };
    let mut tried = Tried::placed(draft());
    tried.done(cancel());
    assert_eq!(tried.pending()[0].1, OperationKind::Void);
    tried.succeed_all();
    assert_eq!(tried.order.payment_progress(), PaymentProgress::Voided);
    let released: u32 = tried.stock.iter().map(released_units).sum();
    assert_eq!(released, 4);
    tried.refused(cancel(), OrderRejection::State(OrderStatus::Cancelled));

    let mut taken = Tried::placed(draft());
    taken.done(OrderCommand::Capture { amount: Some(1000) });
    taken.done(cancel());
    assert_eq!(taken.pending().len(), 1, "what is being taken cannot be let go");
    taken.succeed_all();
    assert_eq!(taken.order.payment_progress(), PaymentProgress::Refunded);

    let mut shipped = Tried::placed(draft());
    shipped.fulfil(&[(1, 1)]);
    let progress = FulfilmentProgress::PartiallyFulfilled;
    shipped.refused(cancel(), OrderRejection::AlreadyFulfilled(progress));
}

fn released_units(change: &StockChange) -> u32 {
    match change {
        StockChange::Release { quantity, .. } => *quantity,
        _ => 0,
    }
}

#[test]
fn refunds_of_units_come_to_what_was_paid_for_them() {
    let mut tried = Tried::paid(draft());
    for _ in 0..3 {
        tried.refund_lines(&[(1, 1)]);
    }
    let amounts: Vec<i64> = tried.order.refunds.iter().map(|refund| refund.amount).collect();
    assert_eq!(amounts, [333, 334, 333]);
    let of = RefundOf::Lines(line_units(&[(1, 1)]));
    let left = OrderRejection::QuantityExceedsLeft { line: LineId(1), left: 0 };
    tried.refused(OrderCommand::Refund { of, reason: String::new() }, left);
    let all = OrderCommand::Refund { of: RefundOf::Amount(5491), reason: String::new() };
    tried.refused(all, OrderRejection::RefundExceedsCaptured { left: 5490 });
    tried.done(OrderCommand::Refund { of: RefundOf::Amount(5490), reason: String::new() });
    tried.succeed_all();
    assert_eq!(tried.order.payment_progress(), PaymentProgress::Refunded);
}

#[test]
fn a_refund_that_fails_can_be_made_again_for_the_same_amount() {
    let mut tried = Tried::paid(draft());
    tried.refund_lines(&[(1, 1)]);
    tried.refund_lines(&[(1, 1)]);
    let (first, ..) = tried.pending()[0];
    tried.fail(first);
    assert_eq!(tried.order.refunds[0].status, RefundStatus::Failed);
    tried.refund_lines(&[(1, 2)]);
    let standing = tried.order.refunds.iter().filter(|one| one.status != RefundStatus::Failed);
    assert_eq!(standing.map(|one| one.amount).sum::<i64>(), 1000);
}

#[test]
fn what_comes_back_is_paid_back_and_can_be_sold_again() {
    let mut tried = Tried::placed(draft());
    tried.fulfil(&[(1, 3), (2, 1)]);
    tried.succeed_all();
    let wish = |quantity| {
        let lines = vec![ReturnRequestLine { line: LineId(1), quantity, reason: "red".into() }];
        OrderCommand::RequestReturn { lines }
    };
    let exceeds = |left| OrderRejection::ReturnExceedsFulfilled { line: LineId(1), left };
    tried.refused(wish(4), exceeds(3));
    tried.done(wish(2));
    tried.refused(wish(2), exceeds(1));
    let fulfilment = tried.order.fulfilments[0].id;
    tried.refused(OrderCommand::CancelFulfilment { fulfilment }, exceeds(1));
    let id = tried.order.returns[0].id;
    let came = |quantity, restock| {
        let line = ReturnedLine { line: LineId(1), quantity, restock, location: None };
        OrderCommand::ReceiveReturn { id, lines: vec![line], for_exchange: false }
    };
    tried.refused(came(2, true), OrderRejection::WrongStep);
    tried.done(OrderCommand::ApproveReturn { id });
    tried.refused(came(3, true), exceeds(2));
    tried.done(came(2, true));
    let sku = "SKU-1".parse().unwrap();
    let restock = StockChange::Restock { sku, location: None, quantity: 2 };
    assert_eq!(tried.stock.last(), Some(&restock));
    assert_eq!(tried.order.returns[0].status, ReturnStatus::Received);
    assert_eq!(tried.pending()[0].2, 667);
    tried.succeed_all();
    assert_eq!(tried.order.returns[0].status, ReturnStatus::Refunded);
    assert_eq!(tried.order.line(LineId(1)).unwrap().returned, 2);
    tried.done(wish(1));
    let id = tried.order.returns[1].id;
    tried.done(OrderCommand::RejectReturn { id });
    tried.done(wish(1));
}

#[test]
fn what_was_paid_back_before_is_not_paid_back_when_it_comes() {
    let mut tried = Tried::placed(draft());
    tried.fulfil(&[(1, 3), (2, 1)]);
    tried.succeed_all();
    tried.refund_lines(&[(2, 1)]);
    tried.succeed_all();
    let lines = vec![ReturnRequestLine { line: LineId(2), quantity: 1, reason: String::new() }];
    tried.done(OrderCommand::RequestReturn { lines });
    let id = tried.order.returns[0].id;
    tried.done(OrderCommand::ApproveReturn { id });
    let line = ReturnedLine { line: LineId(2), quantity: 1, restock: false, location: None };
    tried.done(OrderCommand::ReceiveReturn { id, lines: vec![line], for_exchange: false });
    assert_eq!(tried.pending(), []);
    assert_eq!(tried.stock.len(), 3, "what is broken is not put back on the shelf");
}

#[test]
fn everything_is_in_the_timeline_with_who_and_when() {
    let mut tried = Tried::placed(draft());
    tried.done(OrderCommand::Note { text: "call first".into() });
    let last = tried.order.timeline.last().unwrap();
    let expected = serde_json::json!({
        "at": "2026-09-21T14:13:20.000Z",
        "by": {"type": "staff", "id": "staff_1", "name": "Grace"},
        "event": {"type": "order.noted", "data": {"text": "call first"}},
    });
    assert_eq!(serde_json::to_value(last).unwrap(), expected);
    let long = OrderCommand::Note { text: "x".repeat(2_001) };
    tried.refused(long, OrderRejection::TooMany("characters"));
}

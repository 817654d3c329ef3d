//! The stored form of orders. What was stored once is read for ever: a golden file is never
//! changed, a new form gets a new one.

use super::*;
use crate::cart::Owner;
use crate::catalog::SelectedOption;
use crate::ids::CustomerId;

/// All that an order can hold, and most of what can happen to one.
fn full() -> Order {
    let mut order = draft();
    order.owner = Owner::Customer(CustomerId(4));
    order.lines[0].options = vec![SelectedOption { name: "Color".into(), value: "Grün".into() }];
    order.lines[0].image = Some("chair/front.png".into());
    let mut tried = Tried::new(order);
    tried.pay();
    let (key, ..) = tried.pending()[0];
    let url = "https://pay.example/3ds".to_owned();
    tried.outcome(key, PaymentOutcome::ActionRequired { reference: "gw-0".into(), url });
    tried.fail(key);
    tried.pay();
    tried.succeed_all();
    tried.done(OrderCommand::Place { number: number() });
    tried.done(OrderCommand::Hold);
    tried.done(OrderCommand::Note { text: "Rings twice".into() });
    tried.done(OrderCommand::Release);
    let tracking = Tracking {
        carrier: Some("DHL".into()),
        number: "JJD01".into(),
        url: Some("https://track.example/JJD01".into()),
    };
    let lines = line_units(&[(1, 2), (2, 1)]);
    tried.done(OrderCommand::Fulfil { lines, tracking: Some(tracking) });
    tried.succeed_all();
    let fulfilment = tried.order.fulfilments[0].id;
    tried.done(OrderCommand::MarkDelivered { fulfilment });
    let wish = ReturnRequestLine { line: LineId(1), quantity: 1, reason: "too low".into() };
    tried.done(OrderCommand::RequestReturn { lines: vec![wish] });
    let id = tried.order.returns[0].id;
    tried.done(OrderCommand::ApproveReturn { id });
    let came = ReturnedLine { line: LineId(1), quantity: 1, restock: true, location: None };
    tried.done(OrderCommand::ReceiveReturn { id, lines: vec![came], for_exchange: false });
    tried.succeed_all();
    tried.done(OrderCommand::Refund { of: RefundOf::Amount(100), reason: "late".into() });
    tried.order
}

fn check(golden: &str, expected: &Order) {
    let written = serde_json::to_string_pretty(expected).unwrap();
    assert_eq!(written, golden.trim_end(), "the stored form has changed");
    assert_eq!(serde_json::from_str::<Order>(golden).unwrap(), *expected);
}

#[test]
fn stored_orders_are_golden() {
    check(include_str!("../golden/v1_draft.json"), &draft());
    check(include_str!("../golden/v1_full.json"), &full());
}

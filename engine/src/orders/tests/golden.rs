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

/// What orders can hold since they are edited and exchanged, and remember keys.
fn edited() -> Order {
    let mut tried = Tried::paid(draft());
    let added = Box::new(line(0, 1, 900, 0, 144));
    let changes = vec![
        EditChange::SetQuantity { line: LineId(1), quantity: 2, allowance: 0 },
        EditChange::SetQuantity { line: LineId(2), quantity: 0, allowance: 0 },
        EditChange::AddLine { line: added, allowance: 7 },
    ];
    tried.done(OrderCommand::ProposeEdit { changes });
    let id = tried.order.edits[0].id;
    tried.done(OrderCommand::CommitEdit { id });
    tried.succeed_all();
    tried.fulfil(&[(1, 2), (3, 1)]);
    let wish = ReturnRequestLine { line: LineId(3), quantity: 1, reason: "red".into() };
    tried.done(OrderCommand::RequestReturn { lines: vec![wish] });
    let id = tried.order.returns[0].id;
    tried.done(OrderCommand::ApproveReturn { id });
    let came = ReturnedLine { line: LineId(3), quantity: 1, restock: false, location: None };
    tried.done(OrderCommand::ReceiveReturn { id, lines: vec![came], for_exchange: true });
    let key = OperationKey { order: OrderId(77), attempt: 1, operation: 1 };
    tried.done(OrderCommand::GiveCredit { id, key, amount: 800 });
    let key = OperationKey { operation: 2, ..key };
    tried.done(OrderCommand::TakeCreditBack { key, amount: 300 });
    tried.succeed_all();
    let key = CommandKey { caller: "staff_1".into(), key_hash: u64::MAX, payload_hash: u32::MAX };
    let made = tried.order.refunds.last().map(|refund| refund.id.to_string());
    tried.order.remember(key, made, NOW);
    let exchange_of = Some(ExchangeOf { order: OrderId(5), of_return: id });
    Order { exchange_of, ..tried.order }
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
    check(include_str!("../golden/v1_edited.json"), &edited());
}

//! What came back, set against another order.

use super::*;
use crate::ids::ReturnId;

const OTHER: OperationKey = OperationKey { order: OrderId(77), attempt: 1, operation: 1 };

/// An order of which two of three chairs came back, worth 6.67.
fn returned() -> (Tried, ReturnId) {
    let mut tried = Tried::placed(draft());
    tried.fulfil(&[(1, 3), (2, 1)]);
    tried.succeed_all();
    let lines = vec![ReturnRequestLine { line: LineId(1), quantity: 2, reason: "red".into() }];
    tried.done(OrderCommand::RequestReturn { lines });
    let id = tried.order.returns[0].id;
    assert_eq!(tried.order.exchange_value(id), Err(OrderRejection::WrongStep));
    tried.done(OrderCommand::ApproveReturn { id });
    let line = ReturnedLine { line: LineId(1), quantity: 2, restock: true, location: None };
    tried.done(OrderCommand::ReceiveReturn { id, lines: vec![line], for_exchange: true });
    assert_eq!((tried.pending(), tried.order.exchange_value(id)), (vec![], Ok(667)));
    (tried, id)
}

fn give(id: ReturnId, amount: i64) -> OrderCommand {
    OrderCommand::GiveCredit { id, key: OTHER, amount }
}

#[test]
fn what_the_other_order_does_not_cost_is_paid_back() {
    let (mut tried, id) = returned();
    tried.refused(give(id, 668), OrderRejection::RefundExceedsCaptured { left: 667 });
    tried.refused(give(id, 0), OrderRejection::InvalidAmount);
    tried.done(give(id, 500));
    assert_eq!((tried.pending()[0].1, tried.pending()[0].2), (OperationKind::Refund, 167));
    tried.succeed_all();
    assert_eq!(tried.order.returns[0].status, ReturnStatus::Refunded);
    assert_eq!((tried.order.credited(), tried.order.refundable()), (500, 6490 - 667));
    let before = tried.order.clone();
    tried.done(give(id, 500));
    assert_eq!(tried.order, before, "asked again it is given already");
    let other = OperationKey { order: OrderId(78), ..OTHER };
    let twice = OrderCommand::GiveCredit { id, key: other, amount: 1 };
    tried.refused(twice, OrderRejection::WrongStep);
    let all = OrderCommand::Refund { of: RefundOf::Amount(5824), reason: String::new() };
    tried.refused(all, OrderRejection::RefundExceedsCaptured { left: 5823 });
}

#[test]
fn what_the_other_order_gives_back_is_paid_back_here() {
    let (mut tried, id) = returned();
    tried.done(give(id, 667));
    assert_eq!(tried.order.returns[0].status, ReturnStatus::Refunded);
    let back = |operation, amount| {
        let key = OperationKey { operation, ..OTHER };
        OrderCommand::TakeCreditBack { key, amount }
    };
    tried.refused(back(2, 668), OrderRejection::RefundExceedsCaptured { left: 667 });
    tried.done(back(2, 600));
    tried.refused(back(3, 68), OrderRejection::RefundExceedsCaptured { left: 67 });
    tried.done(back(2, 600));
    assert_eq!(tried.pending().len(), 1, "asked again it is under way");
    let (key, ..) = tried.pending()[0];
    tried.fail(key);
    assert_eq!(tried.order.credited(), 667, "what was refused can be asked for again");
    tried.done(back(3, 667));
    tried.succeed_all();
    assert_eq!((tried.order.credited(), tried.order.refundable()), (0, 6490 - 667));
}

//! What staff changes in a placed order.

use super::*;

fn set(id: u32, quantity: u32) -> EditChange {
    EditChange::SetQuantity { line: LineId(id), quantity, allowance: 0 }
}

fn add(id: u32, quantity: u32, unit_price: i64) -> EditChange {
    let line = Box::new(line(id, quantity, unit_price, 0, 100));
    EditChange::AddLine { line, allowance: 5 }
}

fn propose(tried: &mut Tried, changes: &[EditChange]) -> Edit {
    tried.done(OrderCommand::ProposeEdit { changes: changes.to_vec() });
    tried.order.edits.last().unwrap().clone()
}

fn edit(tried: &mut Tried, changes: &[EditChange]) -> Edit {
    let edit = propose(tried, changes);
    tried.done(OrderCommand::CommitEdit { id: edit.id });
    edit
}

#[test]
fn an_edit_is_looked_at_before_it_is_committed() {
    let mut tried = Tried::placed(draft());
    let before = tried.order.clone();
    // Of 1200 off 200 for three, two cost 800 less 133.
    let edit = propose(&mut tried, &[set(1, 2)]);
    assert_eq!(edit.difference, -333);
    assert_eq!(tried.order.lines, before.lines, "nothing is changed yet");
    let preview = tried.order.preview(edit.id).unwrap();
    assert_eq!(preview.totals().total, before.totals().total - 333);
    tried.done(OrderCommand::CommitEdit { id: edit.id });
    assert_eq!(tried.order.lines, preview.lines, "it is what was looked at");
    let line = tried.order.line(LineId(1)).unwrap();
    assert_eq!((line.quantity, line.discount, line.tax), (2, 133, 106));
    let sku = line.sku.clone();
    assert_eq!(tried.stock.last(), Some(&StockChange::Release { sku, quantity: 1 }));
    let after = tried.order.clone();
    tried.done(OrderCommand::CommitEdit { id: edit.id });
    assert_eq!(tried.order, after, "committed again it is committed already");
}

#[test]
fn an_order_that_has_changed_meanwhile_is_not_edited() {
    let mut tried = Tried::placed(draft());
    let edit = propose(&mut tried, &[set(1, 2)]);
    tried.done(OrderCommand::Note { text: String::new() });
    let current = tried.order.version;
    let outdated = OrderRejection::EditOutdated { current };
    tried.refused(OrderCommand::CommitEdit { id: edit.id }, outdated);
    let newer = propose(&mut tried, &[set(1, 1)]);
    tried.refused(OrderCommand::CommitEdit { id: edit.id }, OrderRejection::UnknownEdit);
    tried.done(OrderCommand::CommitEdit { id: newer.id });
}

#[test]
fn what_was_taken_for_less_goes_back_and_nothing_else() {
    let mut tried = Tried::paid(draft());
    edit(&mut tried, &[set(2, 0)]);
    let pending = tried.pending();
    assert_eq!((pending[0].1, pending[0].2), (OperationKind::Refund, 5000));
    tried.succeed_all();
    assert_eq!(tried.order.totals().total, 1490);
    assert!(tried.order.is_paid() && tried.order.lines.len() == 1);
    let more = OrderCommand::Capture { amount: None };
    tried.refused(more, OrderRejection::CaptureExceedsAuthorized { left: 0 });
    tried.fulfil(&[(1, 3)]);
    assert_eq!((tried.pending(), tried.order.status), (vec![], OrderStatus::Completed));
}

#[test]
fn less_is_taken_of_what_was_only_authorized() {
    let mut tried = Tried::placed(draft());
    edit(&mut tried, &[set(2, 0)]);
    assert_eq!(tried.pending(), []);
    let capture = |amount| OrderCommand::Capture { amount };
    tried.refused(capture(Some(1491)), OrderRejection::CaptureExceedsAuthorized { left: 1490 });
    tried.fulfil(&[(1, 3)]);
    tried.succeed_all();
    assert_eq!((tried.order.captured(), tried.order.status), (1490, OrderStatus::Completed));
}

#[test]
fn what_costs_more_is_taken_of_what_is_authorized_or_refused() {
    let mut tried = Tried::placed(draft());
    let dearer = propose(&mut tried, &[add(0, 1, 1)]);
    assert_eq!(dearer.difference, 1);
    let exceeds = OrderRejection::CaptureExceedsAuthorized { left: 6490 };
    tried.refused(OrderCommand::CommitEdit { id: dearer.id }, exceeds);
    // Instead of a table for 50.00 two lamps for 20.00.
    edit(&mut tried, &[set(2, 0), add(0, 2, 2000)]);
    let sku = "SKU-0".parse().unwrap();
    let more = StockChange::AllocateMore { sku, quantity: 2, allowance: 5 };
    assert_eq!(tried.stock.last(), Some(&more));
    assert_eq!(tried.order.lines[1].id, LineId(4), "an id is given once, also in vain");
    edit(&mut tried, &[set(1, 4)]);
    assert_eq!(tried.order.totals().total, 1490 + 4000 + 400);
    tried.fulfil(&[(1, 4), (4, 2)]);
    tried.succeed_all();
    assert_eq!((tried.order.captured(), tried.order.status), (5890, OrderStatus::Completed));
}

#[test]
fn what_has_left_the_house_or_was_paid_back_stays() {
    let mut tried = Tried::placed(draft());
    tried.fulfil(&[(1, 2)]);
    let mut check = |changes: Vec<EditChange>, expected| {
        tried.refused(OrderCommand::ProposeEdit { changes }, expected);
    };
    check(vec![set(1, 1)], OrderRejection::QuantityExceedsLeft { line: LineId(1), left: 1 });
    check(vec![set(9, 1)], OrderRejection::UnknownLine(LineId(9)));
    check(vec![set(2, 1), set(2, 2)], OrderRejection::InvalidLines);
    check(vec![], OrderRejection::InvalidLines);
    check(vec![set(2, 100_000)], OrderRejection::InvalidAmount);
    check(vec![add(0, 3, i64::MAX / 4)], OrderRejection::InvalidAmount);
    check(vec![add(0, 1, -1)], OrderRejection::InvalidAmount);
    let edit = propose(&mut tried, &[set(1, 2)]);
    let open = OrderRejection::PaymentOpen;
    tried.refused(OrderCommand::CommitEdit { id: edit.id }, open);
    tried.succeed_all();
    tried.refund_lines(&[(1, 1)]);
    tried.succeed_all();
    let changes = vec![set(1, 3)];
    tried.refused(OrderCommand::ProposeEdit { changes }, OrderRejection::WrongStep);
    let mut cancelled = Tried::placed(draft());
    cancelled.done(OrderCommand::Cancel { reason: String::new() });
    let state = OrderRejection::State(OrderStatus::Cancelled);
    cancelled.refused(OrderCommand::ProposeEdit { changes: vec![set(1, 1)] }, state);
    let mut all = Tried::placed(draft());
    let changes = vec![set(1, 0), set(2, 0)];
    all.refused(OrderCommand::ProposeEdit { changes }, OrderRejection::InvalidLines);
}

/// What went back before as a favour is not there to go back again.
#[test]
fn after_a_favour_an_edit_gives_back_what_is_left() {
    let mut tried = Tried::paid(draft());
    let favour = tried.order.totals().total - 1;
    tried.done(OrderCommand::Refund { of: RefundOf::Amount(favour), reason: "late".into() });
    tried.succeed_all();
    let change = EditChange::SetQuantity { line: LineId(2), quantity: 0, allowance: 0 };
    tried.done(OrderCommand::ProposeEdit { changes: vec![change] });
    let edit = tried.order.edits[0].clone();
    assert!(edit.difference < -1, "the order costs less by {}", -edit.difference);
    tried.done(OrderCommand::CommitEdit { id: edit.id });
    let amounts: Vec<i64> = tried.order.refunds.iter().map(|refund| refund.amount).collect();
    assert_eq!(amounts, [favour, 1]);
    tried.succeed_all();
    assert_eq!((tried.order.refundable(), tried.order.captured()), (0, favour + 1));
}

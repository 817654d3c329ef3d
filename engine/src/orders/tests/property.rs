//! Whatever is asked of an order, and whatever gateways answer: the sums hold.

use proptest::prelude::*;

use super::*;

/// What may be tried next; most of it is refused.
#[derive(Debug, Clone)]
enum Step {
    Pay,
    Answer { which: usize, succeeds: bool },
    Place,
    Abandon,
    Reopen,
    Fulfil(Vec<(u32, u32)>),
    Unpack { which: usize },
    Capture(Option<i64>),
    RefundLines(Vec<(u32, u32)>),
    RefundAmount(i64),
    Cancel,
    Return(Vec<(u32, u32)>),
    Approve { which: usize },
    Receive { which: usize, restock: bool, for_exchange: bool },
    Propose(Vec<(u32, u32)>),
    Commit,
    Exchange { which: usize, amount: i64 },
    ExchangeBack { amount: i64 },
}

fn units() -> impl Strategy<Value = Vec<(u32, u32)>> {
    proptest::collection::vec((1_u32..4, 1_u32..4), 1..3)
}

/// New quantities of lines; of those that are not there, something else.
fn edit() -> impl Strategy<Value = Vec<(u32, u32)>> {
    proptest::collection::vec((1_u32..6, 0_u32..6), 1..3)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Pay),
        12 => (0_usize..3, proptest::bool::weighted(0.8))
            .prop_map(|(which, succeeds)| Step::Answer { which, succeeds }),
        4 => Just(Step::Place),
        1 => Just(Step::Abandon),
        2 => Just(Step::Reopen),
        5 => units().prop_map(Step::Fulfil),
        1 => (0_usize..3).prop_map(|which| Step::Unpack { which }),
        2 => proptest::option::of(0_i64..9_000).prop_map(Step::Capture),
        5 => units().prop_map(Step::RefundLines),
        1 => (0_i64..2_000).prop_map(Step::RefundAmount),
        1 => Just(Step::Cancel),
        3 => units().prop_map(Step::Return),
        3 => (0_usize..3).prop_map(|which| Step::Approve { which }),
        3 => (0_usize..3, any::<bool>(), any::<bool>()).prop_map(
            |(which, restock, for_exchange)| Step::Receive { which, restock, for_exchange }
        ),
        4 => edit().prop_map(Step::Propose),
        4 => Just(Step::Commit),
        2 => (0_usize..3, 0_i64..3_000)
            .prop_map(|(which, amount)| Step::Exchange { which, amount }),
        1 => (0_i64..2_000).prop_map(|amount| Step::ExchangeBack { amount }),
    ]
}

fn new_order_strategy() -> impl Strategy<Value = NewOrder> {
    let line = (1_u32..6, 0_i64..3_000, 0_u8..=100, 0_i64..700);
    let lines = proptest::collection::vec(line, 1..4);
    (lines, 0_i64..900, any::<bool>()).prop_map(|(lines, shipping, tax_included)| {
        let lines = lines.into_iter().zip(1..).map(|((quantity, unit, percent, tax), id)| {
            let discount = unit * i64::from(quantity) * i64::from(percent) / 100;
            line_of(id, quantity, unit, discount, tax)
        });
        new_order(lines.collect(), shipping, tax_included)
    })
}

fn line_of(id: u32, quantity: u32, unit: i64, discount: i64, tax: i64) -> OrderLine {
    line(id, quantity, unit, discount, tax.min(unit * i64::from(quantity) - discount))
}

fn change_of(order: &Order, id: u32, quantity: u32) -> EditChange {
    let allowance = 0;
    match order.line(LineId(id)) {
        Some(line) => EditChange::SetQuantity { line: line.id, quantity, allowance },
        None => {
            let line = Box::new(line_of(id, quantity, 700, 0, 30));
            EditChange::AddLine { line, allowance }
        }
    }
}

fn command(order: &Order, new: &NewOrder, step: Step) -> Option<OrderCommand> {
    let return_of = |which: usize| order.returns.get(which);
    Some(match step {
        Step::Pay => start_payment(),
        Step::Answer { which, succeeds } => {
            let count = order.pending_operations().count().max(1);
            let (key, ..) = order.pending_operations().nth(which % count)?;
            let outcome = match succeeds {
                true => PaymentOutcome::Succeeded { reference: None },
                false => PaymentOutcome::Failed { code: "declined".into() },
            };
            OrderCommand::RecordOutcome { key, outcome }
        }
        Step::Place => OrderCommand::Place { number: number() },
        Step::Abandon => OrderCommand::Abandon { reason: String::new() },
        Step::Reopen => OrderCommand::Reopen(new.clone()),
        Step::Fulfil(units) => OrderCommand::Fulfil { lines: line_units(&units), tracking: None },
        Step::Unpack { which } => {
            OrderCommand::CancelFulfilment { fulfilment: order.fulfilments.get(which)?.id }
        }
        Step::Capture(amount) => OrderCommand::Capture { amount },
        Step::RefundLines(units) => {
            let of = RefundOf::Lines(line_units(&units));
            OrderCommand::Refund { of, reason: String::new() }
        }
        Step::RefundAmount(amount) => {
            OrderCommand::Refund { of: RefundOf::Amount(amount), reason: String::new() }
        }
        Step::Cancel => OrderCommand::Cancel { reason: String::new() },
        Step::Return(units) => {
            let lines = units.into_iter().map(|(line, quantity)| ReturnRequestLine {
                line: LineId(line),
                quantity,
                reason: String::new(),
            });
            OrderCommand::RequestReturn { lines: lines.collect() }
        }
        Step::Approve { which } => OrderCommand::ApproveReturn { id: return_of(which)?.id },
        Step::Propose(changes) => {
            let changes = changes.into_iter().map(|(id, quantity)| change_of(order, id, quantity));
            OrderCommand::ProposeEdit { changes: changes.collect() }
        }
        Step::Commit => OrderCommand::CommitEdit { id: order.edits.last()?.id },
        Step::Exchange { which, amount } => {
            let key = OperationKey { order: OrderId(77), attempt: 1, operation: 1 };
            let id = return_of(which)?.id;
            OrderCommand::GiveCredit { id, key, amount }
        }
        Step::ExchangeBack { amount } => {
            let operation = u32::try_from(order.refunds.len()).unwrap() + 2;
            let key = OperationKey { order: OrderId(77), attempt: 1, operation };
            OrderCommand::TakeCreditBack { key, amount }
        }
        Step::Receive { which, restock, for_exchange } => {
            let found = return_of(which)?;
            let lines = found.lines.iter().map(|promised| ReturnedLine {
                line: promised.line,
                quantity: promised.quantity,
                restock,
                location: None,
            });
            OrderCommand::ReceiveReturn { id: found.id, lines: lines.collect(), for_exchange }
        }
    })
}

/// Sum of the amounts of operations of a kind that were not refused.
fn asked(payment: &Payment, kind: OperationKind) -> i64 {
    let standing = payment
        .operations
        .iter()
        .filter(|one| one.kind == kind && !matches!(one.state, OperationState::Failed { .. }));
    standing.map(|one| one.amount).sum()
}

fn check_sums(order: &Order) {
    let totals = order.totals();
    let on_top = if order.tax_included { 0 } else { totals.tax };
    assert_eq!(totals.total, totals.subtotal - totals.discount + totals.shipping + on_top);
    for payment in &order.payments {
        let captured = asked(payment, OperationKind::Capture);
        assert!(captured <= payment.authorized(), "captured is at most the authorized: I9");
        let refunded = asked(payment, OperationKind::Refund);
        assert!(refunded <= payment.captured(), "refunded is at most the captured: I9");
        assert!(payment.capturable() >= 0 && payment.refundable() >= 0);
        let is_let_go = asked(payment, OperationKind::Void) > 0;
        assert!(!(is_let_go && captured > 0), "what was let go is not taken");
    }
    assert!(order.payments.iter().filter(|one| one.may_hold_money()).count() <= 1);
    assert!(order.credited() >= 0 && order.refundable() >= 0, "what pays for others is there");
    if order.placed_at.is_some() && order.is_wanted() {
        let asked = |kind| order.payments.iter().map(|one| asked(one, kind)).sum::<i64>();
        assert!(
            asked(OperationKind::Capture) <= order.payments.iter().map(Payment::authorized).sum()
        );
        assert!(asked(OperationKind::Refund) + order.credited() <= order.captured());
        let mut operations = order.payments.iter().flat_map(|payment| &payment.operations);
        let is_refused = |one: &Operation| matches!(one.state, OperationState::Failed { .. });
        if !operations.any(is_refused) {
            // An amount that went back before, as a favour, is not there to go back again.
            let is_all_back = order.refundable() == 0;
            assert!(order.taken() <= totals.total || is_all_back, "no more is kept than it costs");
        }
    }
    for line in &order.lines {
        assert!(line.fulfilled <= line.quantity && line.refunded <= line.quantity);
        let paid_back: i64 = standing_refunds(order)
            .flat_map(|refund| &refund.lines)
            .chain(order.credits.iter().flat_map(|credit| &credit.lines))
            .filter(|units| units.line == line.id)
            .map(|units| units.amount)
            .sum();
        assert!(paid_back <= line.paid(order.tax_included));
        if line.refunded == line.quantity {
            assert_eq!(paid_back, line.paid(order.tax_included), "all units are the whole line");
        }
    }
}

fn standing_refunds(order: &Order) -> impl Iterator<Item = &Refund> {
    order.refunds.iter().filter(|refund| refund.status != RefundStatus::Failed)
}

/// What is allocated is what is still to be shipped, and nothing of what has ended.
fn check_stock(tried: &Tried) {
    let mut expected: BTreeMap<Sku, i64> = BTreeMap::new();
    let is_sold = matches!(tried.order.status, OrderStatus::Placed | OrderStatus::Completed);
    for line in tried.order.lines.iter().filter(|_| is_sold) {
        *expected.entry(line.sku.clone()).or_default() += i64::from(line.unfulfilled());
    }
    for sku in tried.allocated.keys().chain(expected.keys()) {
        let (found, wanted) = (tried.allocated.get(sku), expected.get(sku));
        assert_eq!(found.unwrap_or(&0), wanted.unwrap_or(&0), "{sku}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn i8_i9_whatever_happens_the_sums_hold(
        new in new_order_strategy(),
        is_paid: bool,
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let draft = Order::draft(new.clone(), NOW);
        let mut tried = if is_paid { Tried::paid(draft) } else { Tried::new(draft) };
        for step in steps {
            let Some(command) = command(&tried.order, &new, step) else { continue };
            let _ = tried.try_it(command);
            check_sums(&tried.order);
            check_stock(&tried);
        }
        // Once gateways have answered, what was given up holds no money of the buyer's.
        tried.succeed_all();
        let _ = tried.try_it(OrderCommand::Settle);
        tried.succeed_all();
        check_sums(&tried.order);
        if matches!(tried.order.status, OrderStatus::Cancelled | OrderStatus::Abandoned) {
            prop_assert_eq!(tried.order.live_payment(), None);
        }
        let stored = serde_json::to_string(&tried.order).unwrap();
        prop_assert_eq!(serde_json::from_str::<Order>(&stored).unwrap(), tried.order);
    }
}

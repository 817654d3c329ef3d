//! Orders, command by command, and whatever may happen in whatever order.

mod checkout;
mod edits;
mod exchanges;
mod golden;
mod keys;
mod life;
mod property;

pub(crate) use super::sample::{line, new_order, start_payment};
use std::collections::BTreeMap;

use super::*;
use crate::cart::LineId;
use crate::catalog::Sku;
use crate::ids::OrderId;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn number() -> OrderNumber {
    OrderNumber::of(7).unwrap()
}

fn staff() -> Actor {
    Actor::Staff { id: "staff_1".into(), name: "Grace".into() }
}

/// Three chairs for 10.00 and a table for 50.00, with taxes included, and 4.90 of shipping.
pub(crate) fn draft() -> Order {
    let lines = vec![line(1, 3, 400, 200, 160), line(2, 1, 5000, 0, 798)];
    Order::draft(new_order(lines, 490, true), NOW)
}

/// An order on which commands are tried out.
struct Tried {
    order: Order,
    capture: CapturePolicy,
    stock: Vec<StockChange>,
    events: Vec<OrderEvent>,
    /// Units of each SKU that the stock holds for it.
    allocated: BTreeMap<Sku, i64>,
}

impl Tried {
    fn new(order: Order) -> Tried {
        let (stock, events) = (Vec::new(), Vec::new());
        let (capture, allocated) = (CapturePolicy::AtFulfilment, BTreeMap::new());
        Tried { order, capture, stock, events, allocated }
    }

    /// A placed order, authorized in full.
    fn placed(order: Order) -> Tried {
        let mut tried = Tried::new(order);
        tried.pay();
        tried.succeed_all();
        tried.done(OrderCommand::Place { number: number() });
        tried
    }

    /// A placed order of which all the money was taken.
    fn paid(order: Order) -> Tried {
        let mut tried = Tried::placed(order);
        let _ = tried.try_it(OrderCommand::Capture { amount: None });
        tried.succeed_all();
        tried
    }

    fn try_it(&mut self, command: OrderCommand) -> Result<(), OrderRejection> {
        let decision = decide(&self.order, command, staff(), NOW, self.capture)?;
        for change in &decision.stock {
            self.allocate(&decision.order, change);
        }
        self.order = decision.order;
        self.stock.extend(decision.stock);
        self.events = decision.events;
        Ok(())
    }

    fn allocate(&mut self, order: &Order, change: &StockChange) {
        let mut add = |sku: &Sku, units: i64| {
            *self.allocated.entry(sku.clone()).or_default() += units;
        };
        match change {
            StockChange::Allocate => {
                order.tracked_lines().for_each(|line| add(&line.sku, i64::from(line.quantity)));
            }
            StockChange::Ship { sku, quantity } | StockChange::Release { sku, quantity } => {
                add(sku, -i64::from(*quantity));
            }
            StockChange::AllocateMore { sku, quantity, .. }
            | StockChange::Unship { sku, quantity } => add(sku, i64::from(*quantity)),
            StockChange::Restock { .. } => {}
        }
    }

    fn done(&mut self, command: OrderCommand) {
        self.try_it(command).unwrap();
    }

    fn refused(&mut self, command: OrderCommand, expected: OrderRejection) {
        let before = self.order.clone();
        assert_eq!(self.try_it(command), Err(expected));
        assert_eq!(self.order, before);
    }

    fn pay(&mut self) {
        self.done(start_payment());
    }

    fn pending(&self) -> Vec<(OperationKey, OperationKind, i64)> {
        let pending = self.order.pending_operations();
        pending.map(|(key, _, one)| (key, one.kind, one.amount)).collect()
    }

    fn outcome(&mut self, key: OperationKey, outcome: PaymentOutcome) {
        self.done(OrderCommand::RecordOutcome { key, outcome });
    }

    fn succeed(&mut self, key: OperationKey) {
        self.outcome(key, PaymentOutcome::Succeeded { reference: Some("gw-1".into()) });
    }

    fn fail(&mut self, key: OperationKey) {
        self.outcome(key, PaymentOutcome::Failed { code: "declined".into() });
    }

    /// Whatever gateways are asked succeeds, also what comes of that.
    fn succeed_all(&mut self) {
        while let Some((key, ..)) = self.pending().first() {
            self.succeed(*key);
        }
    }

    fn fulfil(&mut self, units: &[(u32, u32)]) {
        self.done(OrderCommand::Fulfil { lines: line_units(units), tracking: None });
    }

    fn refund_lines(&mut self, units: &[(u32, u32)]) {
        let of = RefundOf::Lines(line_units(units));
        self.done(OrderCommand::Refund { of, reason: "broken".into() });
    }
}

fn line_units(units: &[(u32, u32)]) -> Vec<LineUnits> {
    let units = units.iter().map(|(line, quantity)| (LineId(*line), *quantity));
    units.map(|(line, quantity)| LineUnits { line, quantity }).collect()
}

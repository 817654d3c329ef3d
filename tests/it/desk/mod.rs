//! What happens to an order after its checkout, on a real SQLite and a gateway that keeps books;
//! with crashes at every step.

mod commands;
mod crashes;
mod notices;
mod reconciling;

use barrow_actors::checkout::Progress;
use barrow_actors::orders::{Executed, OrderCaller, OrderDeskError, OrderTerms, Orders};
use barrow_actors::runtime::IdempotencyKey;
use barrow_engine::cart::LineId;
use barrow_engine::orders::{LineUnits, Order, OrderCommand, RefundOf, ReturnRequestLine};

use super::checkout::shop::{BUYER, Process, Shop};

/// A shop with an order of three units of SKU 1 and one of SKU 2.
async fn sold() -> (Shop, Process, Orders, Order) {
    let shop = Shop::new();
    let process = shop.start().await;
    let order = place(&process).await;
    let desk = process.desk();
    (shop, process, desk, order)
}

/// Stocks both and sells some of them.
async fn place(process: &Process) -> Order {
    process.stock(1, 10).await;
    process.stock(2, 10).await;
    let cart = process.full_cart(1, &[(1, 3), (2, 1)]).await;
    let progress = process.buy(cart, "ok").await.unwrap();
    let Progress::Placed { order, .. } = progress else { panic!("{progress:?}") };
    order
}

fn staff() -> OrderCaller {
    OrderCaller::Staff { id: "staff_1".into(), name: "Grace".into() }
}

fn buyer() -> OrderCaller {
    OrderCaller::Buyer(BUYER)
}

async fn tell(
    desk: &Orders,
    order: &Order,
    command: OrderCommand,
) -> Result<Executed, OrderDeskError> {
    desk.execute(order.id, command, staff(), OrderTerms::default()).await
}

/// The order after a command that is allowed.
async fn done(desk: &Orders, order: &Order, command: OrderCommand) -> Order {
    tell(desk, order, command).await.expect("the order allows it").order
}

fn key(name: &str, payload: &str) -> OrderTerms {
    let key = IdempotencyKey::new(name.as_bytes(), payload.as_bytes());
    OrderTerms { key: Some(key), expected_version: None }
}

fn units(lines: &[(u32, u32)]) -> Vec<LineUnits> {
    let units = lines.iter().map(|(line, quantity)| (LineId(*line), *quantity));
    units.map(|(line, quantity)| LineUnits { line, quantity }).collect()
}

fn fulfil(lines: &[(u32, u32)]) -> OrderCommand {
    OrderCommand::Fulfil { lines: units(lines), tracking: None }
}

fn refund(amount: i64) -> OrderCommand {
    OrderCommand::Refund { of: RefundOf::Amount(amount), reason: "late".into() }
}

fn cancel() -> OrderCommand {
    OrderCommand::Cancel { reason: "not wanted".into() }
}

fn capture() -> OrderCommand {
    OrderCommand::Capture { amount: None }
}

fn wish(line: u32, quantity: u32) -> OrderCommand {
    let lines = vec![ReturnRequestLine { line: LineId(line), quantity, reason: "red".into() }];
    OrderCommand::RequestReturn { lines }
}

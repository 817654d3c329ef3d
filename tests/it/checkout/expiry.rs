//! Reservations that nobody lets go.

use std::sync::Arc;
use std::time::Duration;

use barrow_actors::stock::sweep;
use barrow_engine::ids::OrderId;
use barrow_engine::inventory::{Held, Wish};
use barrow_engine::ports::{Clock, StockLedger};

use super::shop::{Shop, sku_of};
use crate::support::until;

/// More of them than one transaction takes.
const MANY: u32 = 1_200;

#[tokio::test]
async fn reservations_run_out_by_themselves_and_no_other_does() {
    let shop = Shop::new();
    let process = shop.start().await;
    process.stock(1, i64::from(MANY)).await;
    process.stock(2, 10).await;
    let now = shop.clock.now();
    let wish = |order: u32, seconds| Wish {
        order: OrderId(order.into()),
        quantity: 1,
        expires_at: now.plus(Duration::from_secs(seconds)),
    };
    let wishes: Vec<Wish> = (0..MANY).map(|order| wish(order, 60)).collect();
    for some in wishes.chunks(500) {
        let held = process.ledger.reserve(&sku_of(1), Some(0), some).await.unwrap();
        assert!(held.iter().all(|held| *held == Held::All));
    }
    process.ledger.reserve(&sku_of(2), Some(0), &[wish(1, 600)]).await.unwrap();
    let ledger: Arc<dyn StockLedger> = process.ledger.clone();
    sweep(&ledger, shop.clock.clone());
    shop.wait(Duration::from_secs(60));
    until("all have run out", async || process.level(1).await.reserved == 0).await;
    assert_eq!(process.level(2).await.reserved, 1, "what has not run out is held");
    shop.wait(Duration::from_secs(600));
    until("the last has run out", async || process.level(2).await.reserved == 0).await;
    assert_eq!(process.level(2).await.on_hand, 10, "nothing has come or gone");
}

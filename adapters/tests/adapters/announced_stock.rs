//! Who hears of which units: all that become somebody's or nobody's, whoever does it.

use std::sync::Arc;
use std::time::Duration;

use barrow_adapters::decorators::{AnnouncedStock, Faults, Faulty, Rate, StockNews, stock_news};
use barrow_adapters::embedded::EmbeddedAnnouncements;
use barrow_adapters::host::{SystemClock, TokioSleeper};
use barrow_adapters::sqlite::SqliteStockLedger;
use barrow_engine::catalog::Sku;
use barrow_engine::ids::{MovementId, OrderId};
use barrow_engine::inventory::{Held, MovementDraft, Wish};
use barrow_engine::ports::{Announcements, CommerceError, Heard, Listener, StockLedger};
use barrow_engine::time::Timestamp;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn sku(text: &str) -> Sku {
    Sku::new(text).unwrap()
}

fn units(id: u128, sku: &Sku, quantity: i64) -> MovementDraft {
    MovementDraft {
        id: MovementId(id),
        sku: sku.clone(),
        location: "default".parse().unwrap(),
        quantity,
        reason: "counted".into(),
        actor: "staff".into(),
        order: None,
        at: NOW,
    }
}

struct Ear(Box<dyn Listener>);

impl Ear {
    /// All that was announced until now.
    async fn heard(&mut self) -> Vec<StockNews> {
        let mut news = Vec::new();
        while let Ok(heard) = tokio::time::timeout(Duration::ZERO, self.0.next()).await {
            match heard.expect("the channel is open") {
                Heard::Announced(one) => news.extend(stock_news(&one)),
                Heard::Missed => {}
            }
        }
        news
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_are_announced_when_they_become_somebodys_or_nobodys() {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = crate::sqlite::open(&dir.path().join("commerce.db")).await;
    let (clock, sleeper) = (Arc::new(SystemClock), Arc::new(TokioSleeper));
    let ledger: Arc<dyn StockLedger> = Arc::new(SqliteStockLedger::new(&sqlite));
    let faulty = Arc::new(Faulty::new(ledger, clock, sleeper, 1, Faults::default()));
    let announcements = Arc::new(EmbeddedAnnouncements::default());
    let ledger = AnnouncedStock::new(faulty.clone(), announcements.clone());
    let mut ear = Ear(announcements.listen());
    let (chair, table) = (sku("chair"), sku("table"));
    let of = |skus: &[&Sku]| -> Vec<StockNews> {
        skus.iter().map(|sku| StockNews::Sku((*sku).clone())).collect()
    };

    let drafts = vec![units(1, &chair, 5), units(2, &table, -1), units(3, &chair, 2)];
    ledger.book(drafts).await.unwrap();
    assert_eq!(ear.heard().await, of(&[&chair]), "each SKU once, and none that was refused");
    let wish = |order, quantity, expires_at| Wish { order: OrderId(order), quantity, expires_at };
    let held = ledger.reserve(&chair, Some(0), &[wish(1, 3, NOW), wish(2, 2, NOW)]).await;
    assert_eq!(held, Ok(vec![Held::All, Held::All]));
    assert_eq!(ear.heard().await, of(&[&chair]));
    ledger.reserve(&chair, Some(0), &[wish(3, 9, NOW)]).await.unwrap();
    assert_eq!(ear.heard().await, [], "nothing was held");
    ledger.release(OrderId(1)).await.unwrap();
    assert_eq!(ear.heard().await, of(&[&chair]));
    ledger.release(OrderId(1)).await.unwrap();
    assert_eq!(ear.heard().await, [], "nothing was left to let go");
    assert_eq!(ledger.expire(NOW, 10).await, Ok(vec![chair.clone()]));
    assert_eq!(ear.heard().await, of(&[&chair]));

    // Of what nobody knows all is told that may have happened.
    faulty.set_faults(Faults { reply_lost: Rate::ALWAYS, ..Faults::default() });
    assert!(matches!(
        ledger.book(vec![units(4, &table, 1)]).await,
        Err(CommerceError::OutcomeUnknown(_))
    ));
    assert_eq!(ear.heard().await, of(&[&table]));
    ledger.release(OrderId(1)).await.expect_err("the answer is lost");
    assert_eq!(ear.heard().await, [StockNews::Missed], "it may have been of any SKU");
    faulty.set_faults(Faults { unavailable: Rate::ALWAYS, ..Faults::default() });
    ledger.expire(NOW, 10).await.expect_err("it is away");
    assert_eq!(ear.heard().await, [], "certainly nothing happened");
}

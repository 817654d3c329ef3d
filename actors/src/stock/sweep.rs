//! Reservations that run out are let go, whoever made them and whatever became of that node.

use std::sync::Arc;
use std::time::Duration;

use barrow_engine::ports::{Clock, StockLedger};

use crate::runtime::spawn_background;

/// How often each node looks: a reservation is gone within a second, with time to let it go. A
/// look at nothing is one search of an index.
const INTERVAL: Duration = Duration::from_millis(500);

/// Reservations of one transaction: it has their levels locked, and buyers wait for those.
const BATCH_MAX: usize = 500;

/// Lets go what has run out, from now on and for as long as somebody else holds the ledger.
pub fn sweep(ledger: &Arc<dyn StockLedger>, clock: Arc<dyn Clock>) {
    let ledger = Arc::downgrade(ledger);
    spawn_background(INTERVAL, move || {
        let (ledger, clock) = (ledger.clone(), Arc::clone(&clock));
        async move {
            let Some(ledger) = ledger.upgrade() else { return false };
            // While there is more it goes on at once. Other nodes do the same, so one that meets
            // them fails now and then, and looks again.
            loop {
                match ledger.expire(clock.now(), BATCH_MAX).await {
                    Ok(freed) if freed.is_empty() => return true,
                    Ok(freed) => tracing::debug!(skus = freed.len(), "reservations have run out"),
                    Err(error) => {
                        tracing::warn!(%error, "reservations could not be let go yet");
                        return true;
                    }
                }
            }
        }
    });
}

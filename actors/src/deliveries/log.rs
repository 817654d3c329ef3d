//! Writes a line to the log for each order that is placed.

use async_trait::async_trait;
use barrow_engine::events::{Event, EventKind};

use super::{Consumer, ConsumerError};

/// Says what is sold, without saying to whom.
#[derive(Debug, Default)]
pub struct OrderLog;

#[async_trait]
impl Consumer for OrderLog {
    fn name(&self) -> &'static str {
        "order-log"
    }

    fn handles(&self, kind: EventKind) -> bool {
        kind == EventKind::OrderPlaced
    }

    async fn handle(&self, event: &Event) -> Result<(), ConsumerError> {
        let total = &event.data["total"];
        tracing::info!(
            event.id = %event.id(),
            order.id = event.aggregate.id,
            order.number = event.data["number"].as_str(),
            order.total = total["amount"].as_i64(),
            order.currency = total["currency"].as_str(),
            "an order is placed"
        );
        Ok(())
    }
}

//! Counts what happened, for whoever watches the figures.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use barrow_engine::events::{Event, EventKind};

use super::{Consumer, ConsumerError};

/// What this node has handled of each kind: the sum over all nodes is what happened, but that one
/// that comes again after a crash is counted again.
#[derive(Debug, Default)]
pub struct EventCounter {
    counts: [AtomicU64; EventKind::ALL.len()],
}

impl EventCounter {
    pub fn counts(&self) -> impl Iterator<Item = (EventKind, u64)> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        EventKind::ALL.into_iter().zip(counts)
    }
}

#[async_trait]
impl Consumer for EventCounter {
    fn name(&self) -> &'static str {
        "metrics"
    }

    fn handles(&self, _kind: EventKind) -> bool {
        true
    }

    async fn handle(&self, event: &Event) -> Result<(), ConsumerError> {
        let mut kinds = EventKind::ALL.iter().zip(&self.counts);
        if let Some((_, count)) = kinds.find(|(kind, _)| **kind == event.kind) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

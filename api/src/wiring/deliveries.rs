//! Who is told of what happens to orders and stock, and the figures of that.

use std::sync::Arc;

use barrow_actors::deliveries::{
    Consumer, ConsumerObservation, Deliveries, DeliveryParts, DeliverySettings, EventCounter,
    OrderLog,
};
use barrow_engine::ports::{Clock, CommerceError, Entropy, Outbox};

use crate::edge::metrics::{Exposition, Kind};

/// Deliveries that run, with what they count.
pub(super) struct Running {
    pub deliveries: Arc<Deliveries>,
    counter: Arc<EventCounter>,
}

/// Starts them. From then on consumers miss nothing.
pub(super) async fn start(
    outbox: Arc<dyn Outbox>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<Running, CommerceError> {
    let counter = Arc::new(EventCounter::default());
    let consumers: Vec<Arc<dyn Consumer>> = vec![counter.clone(), Arc::new(OrderLog)];
    let settings = DeliverySettings::default();
    let parts = DeliveryParts { outbox, consumers, clock, entropy, settings };
    Ok(Running { deliveries: Arc::new(Deliveries::start(parts).await?), counter })
}

impl Running {
    /// Writes its figures, for whoever reads them.
    pub fn figures(&self) -> impl Fn(&mut Exposition) + Send + Sync + use<> {
        let (observe, counter) = (self.deliveries.observer(), Arc::clone(&self.counter));
        move |out| {
            let help = "Events of orders and stock that this node has handled.";
            out.family("barrow_events_total", Kind::Counter, help);
            for (kind, count) in counter.counts() {
                out.sample(&[("type", kind.as_str())], count);
            }
            collect(out, &observe());
        }
    }
}

type Figure = (&'static str, Kind, &'static str, fn(&ConsumerObservation) -> u64);

const FIGURES: [Figure; 6] = [
    (
        "barrow_outbox_dead_letters",
        Kind::Gauge,
        "Events that a consumer could not be told, on any node.",
        |it| it.dead_letters,
    ),
    (
        "barrow_outbox_lanes",
        Kind::Gauge,
        "Orders and SKUs with events that a consumer has not handled, on any node.",
        |it| it.lanes,
    ),
    ("barrow_outbox_handled_total", Kind::Counter, "Events handled here.", |it| it.handled),
    ("barrow_outbox_failed_total", Kind::Counter, "Tries that failed here.", |it| it.failed),
    ("barrow_outbox_buried_total", Kind::Counter, "Dead letters made here.", |it| it.buried),
    (
        "barrow_outbox_lost_total",
        Kind::Counter,
        "Leases that ran out here before what was handled was settled.",
        |it| it.lost,
    ),
];

fn collect(out: &mut Exposition, consumers: &[ConsumerObservation]) {
    for (name, kind, help, figure) in FIGURES {
        out.family(name, kind, help);
        for consumer in consumers {
            out.sample(&[("consumer", consumer.consumer)], figure(consumer));
        }
    }
}

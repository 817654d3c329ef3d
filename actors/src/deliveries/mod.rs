//! Deliveries: what happened to orders and stock reaches whoever wants to know.
//!
//! Events wait in an [`Outbox`], one lane for each consumer and aggregate. Every node drives every
//! consumer: it claims lanes for a while, hands their events over one by one, and settles them.
//! So each consumer gets each event of an aggregate in order, from one node at a time, at least
//! once over crashes; the event's id is the key under which it acts, so that it has one effect.
//! What cannot be handed over is tried again, later and later, and becomes a dead letter in the
//! end. Those behind it wait, since their order is what is promised; other aggregates do not.

mod consumer;
mod count;
mod drive;
mod log;
mod retry;

use std::sync::Arc;
use std::time::Duration;

use barrow_engine::ids::DeadLetterId;
use barrow_engine::ports::{
    Clock, CommerceError, DeadLetter, DeadLetterQuery, Entropy, LANES_MAX, Outbox,
};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use consumer::{Consumer, ConsumerError};
pub use count::EventCounter;
pub use drive::{ConsumerObservation, DriveStats};
pub use log::OrderLog;
pub use retry::RetrySettings;

use crate::runtime::{Tasks, spawn_background};
use drive::Drive;

/// How events are handed over.
#[derive(Debug, Clone, Copy)]
pub struct DeliverySettings {
    /// Aggregates that one consumer is handling at once, on this node; at most 100.
    pub lanes_max: usize,
    /// Events of one of them in a claim: so many are told again after a crash, at most.
    pub events_max: usize,
    /// For so long a node may keep a lane. That of one that died is taken over after that.
    pub lease: Duration,
    /// How long handling one event may take; at most half a lease.
    pub handle_max: Duration,
    /// How often a node looks for what others have written. Its own it hears of at once.
    pub poll_interval: Duration,
    pub retry: RetrySettings,
    /// How long nobody has asked on behalf of a consumer before it is forgotten. Longer than any
    /// deployment is down or taken back to a build that does not have it.
    pub forget_after: Duration,
}

impl Default for DeliverySettings {
    fn default() -> DeliverySettings {
        DeliverySettings {
            lanes_max: 16,
            events_max: 16,
            lease: Duration::from_secs(60),
            handle_max: Duration::from_secs(15),
            poll_interval: Duration::from_secs(1),
            retry: RetrySettings::default(),
            forget_after: Duration::from_secs(30 * 86_400),
        }
    }
}

/// What deliveries are made of.
pub struct DeliveryParts {
    pub outbox: Arc<dyn Outbox>,
    /// Each under a name of its own.
    pub consumers: Vec<Arc<dyn Consumer>>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub settings: DeliverySettings,
}

/// How often it is said that consumers are still here, and what nobody wants is swept up.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// How often dead letters are counted.
const COUNT_INTERVAL: Duration = Duration::from_secs(10);

/// All deliveries of this node.
pub struct Deliveries {
    outbox: Arc<dyn Outbox>,
    stats: Arc<[Arc<DriveStats>]>,
    is_stopping: watch::Sender<bool>,
    drives: Mutex<Vec<JoinHandle<()>>>,
}

impl Deliveries {
    /// Registers the consumers, who are told what happens from then on, and drives them on the
    /// current tokio runtime until this is stopped or dropped.
    ///
    /// # Errors
    /// Where they cannot be registered: they would miss what happens now.
    pub async fn start(parts: DeliveryParts) -> Result<Deliveries, CommerceError> {
        let DeliveryParts { outbox, consumers, clock, entropy, settings } = parts;
        let names: Vec<&'static str> = consumers.iter().map(|it| it.name()).collect();
        outbox.register(&names).await?;
        let (is_stopping, stopping) = watch::channel(false);
        let tasks = Tasks::here();
        let (mut stats, mut drives) = (Vec::new(), Vec::new());
        for consumer in consumers {
            let own = Arc::new(DriveStats::new(consumer.name()));
            stats.push(Arc::clone(&own));
            let drive = Arc::new(Drive {
                consumer,
                outbox: Arc::clone(&outbox),
                clock: Arc::clone(&clock),
                entropy: Arc::clone(&entropy),
                settings,
                stats: own,
            });
            drives.push(tasks.spawn(drive.run(tasks.clone(), stopping.clone())));
        }
        let stats: Arc<[Arc<DriveStats>]> = stats.into();
        keep_house(&outbox, &stats, stopping, settings.forget_after);
        Ok(Deliveries { outbox, stats, is_stopping, drives: Mutex::new(drives) })
    }

    /// Takes nothing more, and finishes what is under way; false if it did not in time. What is
    /// left another node takes over, or this one when it starts again.
    pub async fn stop(&self, deadline: Duration) -> bool {
        self.is_stopping.send_replace(true);
        let drives = std::mem::take(&mut *self.drives.lock());
        let all = futures::future::join_all(drives);
        tokio::time::timeout(deadline, all).await.is_ok()
    }

    /// How each consumer is doing, on this node.
    pub fn observe(&self) -> Vec<ConsumerObservation> {
        self.stats.iter().map(|stats| stats.observe()).collect()
    }

    /// The same for as long as anybody wants to know, whether or not this is still there.
    pub fn observer(&self) -> impl Fn() -> Vec<ConsumerObservation> + Send + Sync + use<> {
        let stats = Arc::clone(&self.stats);
        move || stats.iter().map(|stats| stats.observe()).collect()
    }

    /// What nobody could be told, the newest first, at most a page of it.
    pub async fn dead_letters(
        &self,
        query: DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, CommerceError> {
        let limit = query.limit.min(LANES_MAX);
        self.outbox.dead_letters(&DeadLetterQuery { limit, ..query }).await
    }

    /// Has a dead letter told again, and then what waits behind it; whether there was one.
    pub async fn replay(&self, id: DeadLetterId) -> Result<bool, CommerceError> {
        self.outbox.replay(id).await
    }

    /// Gives a dead letter up; what waits behind it goes on. Whether there was one.
    pub async fn discard(&self, id: DeadLetterId) -> Result<bool, CommerceError> {
        self.outbox.discard(id).await
    }
}

fn keep_house(
    outbox: &Arc<dyn Outbox>,
    stats: &Arc<[Arc<DriveStats>]>,
    stopping: watch::Receiver<bool>,
    forget_after: Duration,
) {
    let (swept, stopped) = (Arc::clone(outbox), stopping.clone());
    let names: Arc<[&'static str]> = stats.iter().map(|stats| stats.name).collect();
    spawn_background(SWEEP_INTERVAL, move || {
        let (outbox, names, stopping) = (swept.clone(), names.clone(), stopped.clone());
        async move {
            if is_over(&stopping) {
                return false;
            }
            let swept = match outbox.register(&names).await {
                Ok(()) => outbox.sweep(forget_after).await,
                Err(error) => Err(error),
            };
            if let Err(error) = swept {
                tracing::warn!(%error, "the outbox could not be swept");
            }
            true
        }
    });
    let (counted, stats) = (Arc::clone(outbox), Arc::clone(stats));
    spawn_background(COUNT_INTERVAL, move || {
        let (outbox, stats, stopping) = (counted.clone(), stats.clone(), stopping.clone());
        async move {
            match outbox.figures().await {
                Ok(figures) => stats.iter().for_each(|stats| stats.count(&figures)),
                Err(error) => tracing::debug!(%error, "dead letters could not be counted"),
            }
            !is_over(&stopping)
        }
    });
}

/// Stopped, or nobody is left who could.
fn is_over(stopping: &watch::Receiver<bool>) -> bool {
    *stopping.borrow() || stopping.has_changed().is_err()
}

//! Drives one consumer: claims lanes, hands their events over, settles them.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use barrow_engine::events::{Event, Position};
use barrow_engine::ids::DeadLetterId;
use barrow_engine::ports::{
    ClaimAsk, ClaimToken, Clock, CommerceError, ConsumerFigures, Entropy, LANES_MAX, Lane, Outbox,
    Settled, Then,
};
use futures::FutureExt;
use tokio::sync::{mpsc, watch};

use super::{Consumer, ConsumerError, DeliverySettings};
use crate::runtime::Tasks;

/// How often settling is tried before the lanes are left to run out, and how soon again.
const SETTLE_TRIES_MAX: u32 = 5;
const SETTLE_PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Drive {
    pub consumer: Arc<dyn Consumer>,
    pub outbox: Arc<dyn Outbox>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub settings: DeliverySettings,
    pub stats: Arc<DriveStats>,
}

/// What a consumer's drive has counted.
#[derive(Debug)]
pub struct DriveStats {
    pub(super) name: &'static str,
    handled: AtomicU64,
    failed: AtomicU64,
    buried: AtomicU64,
    lost: AtomicU64,
    dead_letters: AtomicU64,
    lanes: AtomicU64,
}

/// How a consumer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerObservation {
    pub consumer: &'static str,
    /// Events that it has handled here.
    pub handled: u64,
    /// Tries that failed here.
    pub failed: u64,
    /// Events that became dead letters here.
    pub buried: u64,
    /// Lanes whose lease ran out before they were settled.
    pub lost: u64,
    /// Of all nodes, when they were last counted.
    pub dead_letters: u64,
    /// Aggregates with events that it has not handled, on any node.
    pub lanes: u64,
}

impl DriveStats {
    pub(super) fn new(name: &'static str) -> DriveStats {
        let zero = AtomicU64::default;
        DriveStats {
            name,
            handled: zero(),
            failed: zero(),
            buried: zero(),
            lost: zero(),
            dead_letters: zero(),
            lanes: zero(),
        }
    }

    pub(super) fn count(&self, figures: &[ConsumerFigures]) {
        if let Some(own) = figures.iter().find(|it| it.consumer == self.name) {
            self.dead_letters.store(own.dead_letters, Ordering::Relaxed);
            self.lanes.store(own.lanes, Ordering::Relaxed);
        }
    }

    pub(super) fn observe(&self) -> ConsumerObservation {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ConsumerObservation {
            consumer: self.name,
            handled: get(&self.handled),
            failed: get(&self.failed),
            buried: get(&self.buried),
            lost: get(&self.lost),
            dead_letters: get(&self.dead_letters),
            lanes: get(&self.lanes),
        }
    }
}

/// A lane that was gone through, with the claim it was had by.
type Done = (ClaimToken, Settled);

impl Drive {
    /// Each lane is a task of its own, so that none is kept waiting by another, or by the outbox.
    pub async fn run(self: Arc<Self>, tasks: Tasks, mut stopping: watch::Receiver<bool>) {
        let lanes_max = self.settings.lanes_max.clamp(1, LANES_MAX);
        let (to, mut from) = mpsc::channel(lanes_max);
        let mut running = 0;
        loop {
            let is_over = super::is_over(&stopping);
            // Before the claim: what is written after it is heard of.
            let seen = self.outbox.written();
            if !is_over && running < lanes_max {
                running += self.claim(lanes_max - running, &tasks, &to).await;
            }
            if is_over && running == 0 {
                return;
            }
            let has_room = running < lanes_max && !is_over;
            tokio::select! {
                done = from.recv(), if running > 0 => {
                    let mut done: Vec<Done> = done.into_iter().collect();
                    while let Ok(more) = from.try_recv() {
                        done.push(more);
                    }
                    running -= done.len();
                    self.settle(done).await;
                }
                _ = self.outbox.written_since(seen), if has_room => {}
                () = tokio::time::sleep(self.settings.poll_interval), if has_room => {}
                _ = stopping.changed(), if !is_over => {}
            }
        }
    }

    async fn claim(self: &Arc<Self>, free: usize, tasks: &Tasks, to: &mpsc::Sender<Done>) -> usize {
        let token = ClaimToken(self.entropy.next_u128());
        // Before it is asked for: the lease is over for us before it is for others.
        let ends = self.clock.uptime() + self.settings.lease;
        let ask = ClaimAsk {
            consumer: self.consumer.name(),
            token,
            lease: self.settings.lease,
            lanes: free,
            events: self.settings.events_max,
        };
        let lanes = match self.outbox.claim(&ask).await {
            Ok(lanes) => lanes,
            Err(error) => {
                let consumer = self.consumer.name();
                tracing::warn!(%error, consumer, "events could not be claimed");
                return 0;
            }
        };
        let count = lanes.len();
        for lane in lanes {
            let (drive, to) = (Arc::clone(self), to.clone());
            tasks.spawn(async move {
                // There is room for each; who is gone settles nothing.
                drop(to.send((token, drive.go_through(lane, ends).await)).await);
            });
        }
        count
    }

    /// Hands over the events of a lane until one fails, or the lease nears its end.
    async fn go_through(&self, lane: Lane, ends: Duration) -> Settled {
        let Lane { aggregate, attempts, events } = lane;
        let mut handled = None;
        let mut then = Then::Next;
        for event in &events {
            // With time to settle.
            let left = ends.saturating_sub(self.clock.uptime());
            if left < self.handle_max() + self.settings.lease / 10 {
                break;
            }
            // Of those behind the first it is the first try.
            let attempts = if handled.is_none() { attempts } else { 1 };
            match self.hand_over(event, attempts).await {
                Ok(()) => handled = Some(event.position),
                Err(failed) => {
                    then = failed;
                    break;
                }
            }
        }
        let handled: Option<Position> = handled;
        Settled { aggregate, handled, then }
    }

    /// So much less than a lease that there is always time for one event.
    fn handle_max(&self) -> Duration {
        self.settings.handle_max.min(self.settings.lease / 2)
    }

    async fn hand_over(&self, event: &Event, attempts: u32) -> Result<(), Then> {
        // Whatever it is that ends the process each time, it is not begun once more.
        if attempts > self.settings.retry.attempts_max {
            return Err(self.bury(event, "it did not come to an end".to_owned()));
        }
        let handling = async {
            if self.consumer.handles(event.kind) {
                self.consumer.handle(event).await?;
                self.stats.handled.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        };
        let handling = AssertUnwindSafe(handling).catch_unwind();
        let error = match tokio::time::timeout(self.handle_max(), handling).await {
            Ok(Ok(Ok(()))) => return Ok(()),
            Ok(Ok(Err(error))) => error,
            Ok(Err(_)) => ConsumerError::Later("the consumer has panicked".to_owned()),
            Err(_) => ConsumerError::Later("it took too long".to_owned()),
        };
        self.stats.failed.fetch_add(1, Ordering::Relaxed);
        let again = self.settings.retry.after(attempts, self.entropy.next_u64());
        match (error, again) {
            (ConsumerError::Later(error), Some(after)) => {
                let (consumer, event) = (self.consumer.name(), event.id());
                tracing::debug!(%error, consumer, event.id = %event, attempts, "tried again later");
                Err(Then::Retry { after, error })
            }
            (ConsumerError::Later(error) | ConsumerError::Never(error), _) => {
                Err(self.bury(event, error))
            }
        }
    }

    fn bury(&self, event: &Event, error: String) -> Then {
        let consumer = self.consumer.name();
        let id = DeadLetterId::derived(&format!("{consumer}/{}", event.id()));
        self.stats.buried.fetch_add(1, Ordering::Relaxed);
        tracing::error!(
            %error, consumer, event.id = %event.id(), dead_letter.id = %id,
            "an event is a dead letter; those behind it wait until it is replayed or discarded"
        );
        Then::Bury { id, error }
    }

    /// Under the claim that each was had by.
    async fn settle(&self, done: Vec<Done>) {
        let mut claims: BTreeMap<u128, Vec<Settled>> = BTreeMap::new();
        for (token, settled) in done {
            claims.entry(token.0).or_default().push(settled);
        }
        for (token, settled) in claims {
            match self.settle_claim(ClaimToken(token), &settled).await {
                Ok(count) if count == settled.len() => {}
                Ok(count) => {
                    let lost = settled.len() - count;
                    self.stats.lost.fetch_add(lost as u64, Ordering::Relaxed);
                    let consumer = self.consumer.name();
                    tracing::info!(consumer, lost, "a lease ran out before it was settled");
                }
                // It comes again when its lease is over.
                Err(error) => {
                    self.stats.lost.fetch_add(settled.len() as u64, Ordering::Relaxed);
                    let consumer = self.consumer.name();
                    tracing::warn!(%error, consumer, "what was handled could not be settled");
                }
            }
        }
    }

    /// What was settled by a try of unknown outcome is not settled again, and not counted.
    async fn settle_claim(
        &self,
        token: ClaimToken,
        settled: &[Settled],
    ) -> Result<usize, CommerceError> {
        let mut tries = 1;
        loop {
            match self.outbox.settle(self.consumer.name(), token, settled).await {
                Ok(done) => return Ok(done.len()),
                Err(error) if tries >= SETTLE_TRIES_MAX || !error.is_retryable() => {
                    return Err(error);
                }
                Err(_) => tries += 1,
            }
            tokio::time::sleep(SETTLE_PAUSE).await;
        }
    }
}

//! What other nodes ask of the entities whose shards are here.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_cluster::Router;
use barrow_cluster::transport::{Call, Feed, Refusal, Service};
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::remote::Request;
use super::router::{EffectRouter, Receiver};

/// How long a call waits for a node that has just joined to be ready.
const READY_PATIENCE: Duration = Duration::from_secs(2);

/// Answers other nodes, once this one is ready to.
pub struct PeerService {
    router: Arc<Router>,
    receivers: Arc<EffectRouter>,
    /// Closed once it is ready. It wakes those who wait in their order.
    starting: Semaphore,
}

impl PeerService {
    pub fn new(router: Arc<Router>, receivers: Arc<EffectRouter>) -> PeerService {
        PeerService { router, receivers, starting: Semaphore::new(0) }
    }

    /// Every kind of entity that this node hosts is registered.
    pub fn set_ready(&self) {
        self.starting.close();
    }

    async fn find(&self, call: &Call) -> Result<(Request, Arc<dyn Receiver>), Refusal> {
        // It never hands out a permit: it closes.
        let ready = tokio::time::timeout(READY_PATIENCE, self.starting.acquire());
        if ready.await.is_err() {
            return Err(Refusal::Unavailable);
        }
        let request = Request::decode(&call.payload)?;
        if request.key.shard().index() != call.shard {
            return Err(Refusal::Unreadable);
        }
        self.router.take(call.shard, call.view).await?;
        let receiver = self.receivers.receiver(request.key.kind);
        Ok((request, receiver.map_err(|_| Refusal::Unavailable)?))
    }
}

#[async_trait]
impl Service for PeerService {
    async fn call(&self, call: Call) -> Result<Bytes, Refusal> {
        let (request, receiver) = self.find(&call).await?;
        receiver.answer(request).await
    }

    async fn open(&self, call: Call) -> Result<Feed, Refusal> {
        let (request, receiver) = self.find(&call).await?;
        receiver.follow(request).await
    }
}

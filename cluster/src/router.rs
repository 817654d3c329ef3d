//! Finds the owner of a shard, wherever it is, and gets a call to it: parks what is asked of a
//! shard that moves, follows one that has moved, and gives up in time.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::transport::{Call, CallError, Feed, Refusal, Transport};
use crate::{Grant, MemberId, Ownership, Peer, Place, Shards};

/// Limits and times of a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterSettings {
    /// Requests that wait for a shard to be anywhere, or for word of where a node that does not
    /// answer may have left it; one more is refused. Else a dead node that many ask for would
    /// take the places of those who ask for something else.
    pub parked_max: usize,
    /// For how long each of them waits: several times what a handoff takes. The shards of a node
    /// that died are nobody's for longer; their callers are told to come again.
    pub park: Duration,
    /// For how long the owner may take to answer.
    pub patience: Duration,
    /// How often a call is sent on, after its first owner turned out not to be it.
    pub hops_max: u32,
}

impl Default for RouterSettings {
    fn default() -> Self {
        RouterSettings {
            parked_max: 4_096,
            park: Duration::from_secs(1),
            patience: Duration::from_secs(10),
            hops_max: 2,
        }
    }
}

/// Why a call has no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Nothing was done; it may be tried again soon.
    #[error("the shard's owner cannot be reached now")]
    Unavailable,
    /// Nothing was done: too much is under way, here or there.
    #[error("too much is under way")]
    Overloaded,
    /// It may or may not have been done.
    #[error("the owner did not answer")]
    Unknown,
}

/// What became of a call.
#[derive(Debug)]
pub enum Routed<T> {
    /// The owner's reply.
    There(T),
    /// The shard is on this node now: nothing was sent.
    Here,
}

/// What a router did, since its start.
#[derive(Debug, Default)]
pub struct RouterStats {
    pub forwarded: AtomicU64,
    pub parked: AtomicU64,
    pub moved: AtomicU64,
    pub failed: AtomicU64,
    /// Calls that were refused for load: too much is under way to a peer or waits here, or the
    /// peer said so.
    pub crowded: AtomicU64,
    /// Calls of other nodes that were answered here.
    pub served: AtomicU64,
}

/// One of the two ways in which a transport sends a call.
type Way<T> = for<'a> fn(
    &'a dyn Transport,
    &'a Peer,
    Call,
) -> Pin<Box<dyn Future<Output = Result<T, CallError>> + Send + 'a>>;

/// Sends calls to the owners of shards.
pub struct Router {
    shards: Arc<Shards>,
    transport: Arc<dyn Transport>,
    settings: RouterSettings,
    parking: Semaphore,
    pub stats: RouterStats,
    /// Members that the last call to them did not reach.
    unreached: Mutex<HashMap<MemberId, String>>,
}

impl Router {
    pub fn new(
        shards: Arc<Shards>,
        transport: Arc<dyn Transport>,
        settings: RouterSettings,
    ) -> Router {
        let parking = Semaphore::new(settings.parked_max);
        let unreached = Mutex::default();
        Router { shards, transport, settings, parking, stats: RouterStats::default(), unreached }
    }

    pub fn shards(&self) -> &Arc<Shards> {
        &self.shards
    }

    /// Names of the members of the view that the last call to them did not reach.
    pub fn unreached(&self) -> Vec<String> {
        let view = self.shards.view();
        let mut unreached = self.unreached.lock();
        unreached.retain(|id, _| view.member(*id).is_some());
        let mut names: Vec<String> = unreached.values().cloned().collect();
        names.sort_unstable();
        names
    }

    /// Where a shard is, once it is anywhere.
    ///
    /// # Errors
    /// If that takes too long, or too many wait already.
    pub async fn place(&self, shard: u16) -> Result<Place, RouteError> {
        match self.shards.place(shard) {
            Place::Moving => {}
            place => return Ok(place),
        }
        let Ok(_parked) = self.parking.try_acquire() else {
            count(&self.stats.crowded);
            return Err(RouteError::Overloaded);
        };
        count(&self.stats.parked);
        self.shards.settled(shard, self.settings.park).await.ok_or(RouteError::Unavailable)
    }

    /// Calls the owner of a shard on another node. A call that may be done twice (`repeatable`) is
    /// sent again where no answer came; any other never is, once it may have arrived.
    pub async fn call(
        &self,
        shard: u16,
        payload: Bytes,
        repeatable: bool,
    ) -> Result<Routed<Bytes>, RouteError> {
        self.route(shard, payload, repeatable, |by, peer, call| by.call(peer, call)).await
    }

    /// Opens a feed at the owner of a shard on another node.
    pub async fn open(&self, shard: u16, payload: Bytes) -> Result<Routed<Feed>, RouteError> {
        self.route(shard, payload, true, |by, peer, call| by.open(peer, call)).await
    }

    async fn route<T>(
        &self,
        shard: u16,
        payload: Bytes,
        repeatable: bool,
        send: Way<T>,
    ) -> Result<Routed<T>, RouteError> {
        let mut hops = 0;
        loop {
            let peer = match self.place(shard).await? {
                Place::There(peer) => peer,
                _ => return Ok(Routed::Here),
            };
            count(&self.stats.forwarded);
            let view = self.shards.view().version;
            let patience = self.settings.patience;
            let call = Call { shard, view, patience, payload: payload.clone() };
            let error = match send(&*self.transport, &peer, call).await {
                Ok(reply) => {
                    self.reached(&peer);
                    return Ok(Routed::There(reply));
                }
                Err(error) => error,
            };
            let failed = self.failed(&peer, &error);
            let may_go_on = match &error {
                CallError::Refused(Refusal::Moved { view: theirs }) => {
                    // They know a later view than we do, or the other way round.
                    self.catch_up((*theirs).max(view), self.settings.park).await
                }
                CallError::Unknown(_) if !repeatable => false,
                CallError::NotSent(_) | CallError::Unknown(_) => self.has_left(shard, &peer).await,
                CallError::Refused(_) | CallError::Full(_) => false,
            };
            if !may_go_on || hops == self.settings.hops_max {
                return Err(failed);
            }
            hops += 1;
        }
    }

    fn reached(&self, peer: &Peer) {
        let mut unreached = self.unreached.lock();
        if !unreached.is_empty() {
            unreached.remove(&peer.id);
        }
    }

    fn failed(&self, peer: &Peer, error: &CallError) -> RouteError {
        let (counter, failed) = match error {
            CallError::Refused(Refusal::Moved { .. }) => {
                (&self.stats.moved, RouteError::Unavailable)
            }
            CallError::Refused(Refusal::Overloaded) | CallError::Full(_) => {
                (&self.stats.crowded, RouteError::Overloaded)
            }
            CallError::Refused(_) => (&self.stats.failed, RouteError::Unavailable),
            CallError::NotSent(_) => (&self.stats.failed, RouteError::Unavailable),
            CallError::Unknown(_) => (&self.stats.failed, RouteError::Unknown),
        };
        count(counter);
        match error {
            CallError::NotSent(why) | CallError::Unknown(why) => {
                let name = peer.name.clone();
                if self.unreached.lock().insert(peer.id, name).is_none() {
                    tracing::warn!(peer = peer.name, why, "a node is not reached");
                }
            }
            CallError::Refused(_) => self.reached(peer),
            CallError::Full(_) => {}
        }
        failed
    }

    /// Whether the shard is with somebody else by now, or soon: a node that was asked to end may
    /// have handed it over just before.
    async fn has_left(&self, shard: u16, peer: &Peer) -> bool {
        let version = self.shards.view().version;
        let still_there =
            || matches!(self.shards.place(shard), Place::There(at) if at.id == peer.id);
        if still_there() {
            self.catch_up(version + 1, self.settings.park / 4).await;
        }
        !still_there()
    }

    /// Waits until this node knows that view; `false` if it does not in time, or too many wait.
    async fn catch_up(&self, version: u64, patience: Duration) -> bool {
        if self.shards.view().version >= version {
            return true;
        }
        let Ok(_parked) = self.parking.try_acquire() else { return false };
        self.shards.catch_up(version, patience).await
    }

    /// For a call of another node, by a view of that version: the grant under which it is to be
    /// answered here.
    ///
    /// # Errors
    /// If the shard is not here, even after this node has read the view that the caller knows.
    pub async fn take(&self, shard: u16, view: u64) -> Result<Grant, Refusal> {
        if usize::from(shard) >= crate::SHARDS {
            return Err(Refusal::Unreadable);
        }
        if let Some(grant) = self.shards.grant(shard) {
            count(&self.stats.served);
            return Ok(grant);
        }
        if self.shards.view().version < view {
            let _parked = self.parking.try_acquire().map_err(|_| Refusal::Overloaded)?;
            self.shards.catch_up(view, self.settings.park).await;
        }
        match self.shards.grant(shard) {
            Some(grant) => {
                count(&self.stats.served);
                Ok(grant)
            }
            // A shard that is just being handed over will be elsewhere in the next view.
            None => {
                let known = self.shards.view();
                let is_ours = known.owner(shard) == Some(self.shards.me());
                Err(Refusal::Moved { view: known.version + u64::from(is_ours) })
            }
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Ownership for Router {
    fn grant(&self, shard: u16) -> Option<Grant> {
        self.shards.grant(shard)
    }

    fn form(&self) -> Option<u8> {
        self.shards.form()
    }

    fn elsewhere(&self) -> Option<&Router> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::loopback::Loopback;
    use crate::{Lease, Member, View};

    const ME: MemberId = MemberId(1);
    const DEAD: MemberId = MemberId(2);

    fn member(id: MemberId) -> Member {
        let (name, build) = (format!("node {id}"), String::new());
        Member { id, name, weight: 1, build, reads: 1, draining: false }
    }

    /// A node of which shard 7 is another's, and shard 8 nobody's. Nobody reaches the other.
    fn router(parked_max: usize) -> Router {
        let shards = Arc::new(Shards::new(ME, Lease::endless()));
        let mut view =
            View { version: 1, members: vec![member(ME), member(DEAD)], ..View::default() };
        view.give(7, Some(DEAD));
        let (address, certificate, unreachable) = ("h:1".to_owned(), vec![], vec![]);
        let dead = Peer { id: DEAD, name: String::new(), address, certificate, unreachable };
        shards.install(Arc::new(view), [dead]);
        let settings = RouterSettings { parked_max, ..RouterSettings::default() };
        Router::new(shards, Arc::new(Loopback::new()), settings)
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_owner_holds_up_no_more_calls_than_may_wait() {
        let router = router(2);
        let call = || Box::pin(router.call(7, Bytes::new(), true));
        let mut waiting = [call(), call()];
        for one in &mut waiting {
            assert!(futures::poll!(one.as_mut()).is_pending());
        }
        let refused = futures::poll!(call().as_mut());
        assert!(matches!(refused, std::task::Poll::Ready(Err(RouteError::Unavailable))));
        for one in waiting {
            assert!(matches!(one.await, Err(RouteError::Unavailable)));
        }
        assert!(futures::poll!(call().as_mut()).is_pending(), "there is room again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_shard_that_is_nowhere_holds_up_no_more_calls_than_may_wait() {
        let router = router(1);
        let mut waits = Box::pin(router.place(8));
        assert!(futures::poll!(waits.as_mut()).is_pending());
        assert!(matches!(router.place(8).await, Err(RouteError::Overloaded)));
        assert_eq!(router.stats.crowded.load(Ordering::Relaxed), 1);
        assert!(matches!(waits.await, Err(RouteError::Unavailable)));
    }
}

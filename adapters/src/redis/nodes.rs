//! The servers that hold the keys: the one, or the primaries of a cluster, each with its own
//! link. While one of them is away the others serve on; the library's own cluster client would
//! hold up the calls to all of them until it has found the successor.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand, Value};
use parking_lot::RwLock;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::client::{Address, RedisError, RedisServers};
use super::link::{CallError, Link};
use super::slots::{SLOTS, SlotRange, read_slots};

/// How often the map is asked for while a primary is away: its successor is chosen within
/// seconds, and is to be found soon after.
const ASK_HURRY: Duration = Duration::from_millis(200);

/// How often it is asked for anyhow.
const ASK_CALM: Duration = Duration::from_secs(30);

/// The least time between two questions, however many errors ask for one.
const ASK_PAUSE: Duration = Duration::from_millis(50);

const ASK_TIMEOUT: Duration = Duration::from_millis(500);

const NO_NODE: u16 = u16::MAX;

/// What is kept for a primary, beside its link.
type Make<N> = Box<dyn Fn(Address) -> N + Send + Sync>;

/// The primaries, by slot.
struct Map<N> {
    nodes: Vec<(Address, Arc<N>)>,
    by_slot: Box<[u16]>,
}

/// Something that stands for one primary.
pub(super) trait Node: Send + Sync + 'static {
    fn link(&self) -> &Link;
}

impl Node for Link {
    fn link(&self) -> &Link {
        self
    }
}

struct Shared<N> {
    servers: Arc<RedisServers>,
    make: Make<N>,
    map: RwLock<Arc<Map<N>>>,
    /// Counts the maps that were put up, for those that wait for a newer one.
    version: watch::Sender<u64>,
    /// Told by whoever finds that keys may be elsewhere now.
    ask: Arc<Notify>,
}

/// See the module.
pub(super) struct Nodes<N> {
    shared: Arc<Shared<N>>,
    task: Option<AbortHandle>,
}

impl<N: Node> Nodes<N> {
    /// Begins to connect. To be called within a runtime.
    pub(super) fn start(
        servers: Arc<RedisServers>,
        ask: Arc<Notify>,
        make: impl Fn(Address) -> N + Send + Sync + 'static,
    ) -> Nodes<N> {
        let by_slot = vec![NO_NODE; SLOTS].into_boxed_slice();
        let shared = Arc::new(Shared {
            make: Box::new(make),
            map: RwLock::new(Arc::new(Map { nodes: Vec::new(), by_slot })),
            version: watch::Sender::new(0),
            ask,
            servers,
        });
        if !shared.servers.is_cluster {
            let primary = shared.servers.addresses[0].clone();
            shared.put_up(&[SlotRange { first: 0, last: SLOTS as u16 - 1, primary }]);
            return Nodes { shared, task: None };
        }
        let task = tokio::spawn(keep_map(Arc::clone(&shared)));
        Nodes { shared, task: Some(task.abort_handle()) }
    }

    pub(super) fn of_slot(&self, slot: u16) -> Result<Arc<N>, CallError> {
        let map = self.shared.map.read();
        match map.nodes.get(usize::from(map.by_slot[usize::from(slot)])) {
            Some((_, node)) => Ok(Arc::clone(node)),
            None => {
                let reason = "no node of the cluster is known to hold the key".to_owned();
                Err(CallError::Away(reason))
            }
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<N>> {
        let map = self.shared.map.read();
        map.nodes.iter().map(|(_, node)| Arc::clone(node)).collect()
    }

    /// A call failed: keys may be elsewhere now.
    pub(super) fn note(&self, error: &CallError) {
        if error.is_about_the_map() {
            self.shared.ask.notify_one();
        }
    }

    /// Waits for a newer map than there is now, for at most so long.
    pub(super) async fn newer_map(&self, within: Duration) {
        let mut version = self.shared.version.subscribe();
        self.shared.ask.notify_one();
        // A standalone server has one map for ever.
        if self.task.is_some() {
            // Who gets none tries with the one there is.
            let _ = tokio::time::timeout(within, version.changed()).await;
        }
    }

    /// Waits until every slot has a primary, and each of these a connection.
    pub(super) async fn up(&self, within: Duration) -> Result<(), RedisError> {
        let mut version = self.shared.version.subscribe();
        let is_known = |version: &u64| *version > 0;
        if tokio::time::timeout(within, version.wait_for(is_known)).await.is_err() {
            let seeds = self.shared.servers.addresses.iter();
            return Err(RedisError::Unreachable {
                address: seeds.map(ToString::to_string).collect::<Vec<_>>().join(", "),
                reason: "no node tells which slots are where".to_owned(),
            });
        }
        for node in self.all() {
            node.link().up(within).await?;
        }
        Ok(())
    }
}

impl<N> Drop for Nodes<N> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn keep_map<N: Node>(shared: Arc<Shared<N>>) {
    loop {
        if let Some(ranges) = shared.ask_for_map().await {
            shared.put_up(&ranges);
        }
        tokio::time::sleep(ASK_PAUSE).await;
        let pause = if shared.is_whole() { ASK_CALM } else { ASK_HURRY };
        tokio::select! {
            () = shared.ask.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl<N: Node> Shared<N> {
    /// Whether every primary of the map has a connection.
    fn is_whole(&self) -> bool {
        let map = self.map.read();
        !map.nodes.is_empty() && map.nodes.iter().all(|(_, node)| node.link().is_up())
    }

    /// Takes over a map; the links to primaries that stay are kept.
    fn put_up(&self, ranges: &[SlotRange]) {
        let old = Arc::clone(&self.map.read());
        let known: HashMap<&Address, &Arc<N>> = old.nodes.iter().map(|(a, n)| (a, n)).collect();
        let mut nodes: Vec<(Address, Arc<N>)> = Vec::new();
        let mut by_slot = vec![NO_NODE; SLOTS].into_boxed_slice();
        for range in ranges {
            let place = nodes.iter().position(|(address, _)| *address == range.primary);
            let place = place.unwrap_or_else(|| {
                let address = range.primary.clone();
                let node = match known.get(&address) {
                    Some(node) => Arc::clone(node),
                    None => Arc::new((self.make)(address.clone())),
                };
                nodes.push((address, node));
                nodes.len() - 1
            });
            let slots = usize::from(range.first)..=usize::from(range.last);
            if let Some(slots) = by_slot.get_mut(slots) {
                slots.fill(place as u16);
            }
        }
        *self.map.write() = Arc::new(Map { nodes, by_slot });
        self.version.send_modify(|version| *version += 1);
    }

    /// Asks those that we are connected to, then those of the configuration.
    async fn ask_for_map(&self) -> Option<Vec<SlotRange>> {
        let mut nodes: Vec<Arc<N>> =
            self.map.read().nodes.iter().map(|(_, node)| Arc::clone(node)).collect();
        // Another one first each time: one that is cut off from the others has an old map.
        let turns = *self.version.borrow() as usize % nodes.len().max(1);
        nodes.rotate_left(turns);
        for node in nodes {
            let Ok(connection) = node.link().connection() else { continue };
            let question = connection.client().custom(cluster_slots(), vec!["SLOTS"]);
            let answer: Result<Value, CallError> = connection.call(ASK_TIMEOUT, question).await;
            if let Some(ranges) = answer.ok().and_then(|it| usable(&it, node.link().address())) {
                return Some(ranges);
            }
        }
        for address in &self.servers.addresses {
            let Ok((client, task)) = self.servers.connect(address).await else { continue };
            let question = client.custom::<Value, _>(cluster_slots(), vec!["SLOTS"]);
            let answer = tokio::time::timeout(ASK_TIMEOUT, question).await;
            task.abort();
            if let Ok(Ok(answer)) = answer
                && let Some(ranges) = usable(&answer, address)
            {
                return Some(ranges);
            }
        }
        None
    }
}

fn cluster_slots() -> CustomCommand {
    CustomCommand::new_static("CLUSTER", ClusterHash::FirstKey, false)
}

/// A node that has just been started knows of no slots yet.
fn usable(answer: &Value, asked: &Address) -> Option<Vec<SlotRange>> {
    read_slots(answer, asked).filter(|ranges| !ranges.is_empty())
}

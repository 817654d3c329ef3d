//! The network between the nodes, at the transport's port: calls take their time, are lost with
//! the connection they are on, are held back and released, and do not get through a partition,
//! which may let one direction pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_cluster::transport::{Call, CallError, Feed, Service, Transport};
use barrow_cluster::{MemberId, Peer};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::ground::Ground;
use super::node::Run;

const LATENCY_MS_MAX: u64 = 30;
/// How often held packets look whether they may go on.
const HELD_LOOK: Duration = Duration::from_millis(20);

/// What befalls the packets from one machine to another.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    #[default]
    Up,
    Cut,
    Held,
}

#[derive(Default)]
pub struct Network {
    runs: Mutex<BTreeMap<MemberId, Arc<Run>>>,
    links: Mutex<BTreeMap<(usize, usize), Link>>,
    /// Connections that break, of a hundred packets.
    loss: Mutex<u64>,
}

impl Network {
    /// From now on the process is reached, for as long as it runs.
    pub fn join(&self, run: Arc<Run>) {
        let mut runs = self.runs.lock();
        runs.retain(|_, known| !known.has_ended() && known.machine != run.machine);
        runs.insert(run.id, run);
    }

    pub fn set(&self, from: usize, to: usize, link: Link) {
        self.links.lock().insert((from, to), link);
    }

    pub fn set_loss(&self, percent: u64) {
        *self.loss.lock() = percent;
    }

    pub fn heal(&self) {
        self.links.lock().clear();
        self.set_loss(0);
    }

    /// The world ends: what is left of the processes is let go.
    pub fn clear(&self) {
        self.runs.lock().clear();
    }

    fn link(&self, from: usize, to: usize) -> Link {
        self.links.lock().get(&(from, to)).copied().unwrap_or_default()
    }

    fn run(&self, id: MemberId) -> Option<Arc<Run>> {
        self.runs.lock().get(&id).cloned()
    }
}

fn unknown<T>(reason: &str) -> Result<T, CallError> {
    Err(CallError::Unknown(reason.to_owned()))
}

/// One packet's way; false if its connection broke.
async fn travel(ground: &Ground, from: usize, to: usize) -> bool {
    tokio::time::sleep(ground.up_to_ms(LATENCY_MS_MAX)).await;
    while ground.network.link(from, to) == Link::Held {
        tokio::time::sleep(HELD_LOOK).await;
    }
    let loss = *ground.network.loss.lock();
    ground.network.link(from, to) == Link::Up && !ground.dice.chance(loss)
}

/// The way of a call to its peer, if there is one.
async fn reach(ground: &Ground, from: usize, to: MemberId) -> Result<Arc<Run>, CallError> {
    let not_sent = || CallError::NotSent("no connection".to_owned());
    let run = ground.network.run(to).ok_or_else(not_sent)?;
    let is_cut = ground.network.link(from, run.machine) == Link::Cut
        || ground.network.link(run.machine, from) == Link::Cut;
    if is_cut && ground.dice.chance(50) {
        // It is known to be broken.
        return Err(not_sent());
    }
    match travel(ground, from, run.machine).await {
        true => Ok(run),
        false if ground.dice.chance(50) => unknown("the connection broke"),
        // It is not known for long: the caller's patience ends first.
        false => std::future::pending().await,
    }
}

/// What a service makes of a call, there and back.
async fn carry<T, F>(
    ground: Arc<Ground>,
    from: usize,
    to: MemberId,
    patience: Duration,
    serve: impl FnOnce(Arc<dyn Service>) -> F,
) -> Result<(T, usize), CallError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, barrow_cluster::transport::Refusal>> + Send + 'static,
{
    let run = reach(&ground, from, to).await?;
    let work = serve(run.service.clone());
    let served = run.handle.spawn(async move { timeout(patience, work).await }).await;
    let Ok(Ok(answer)) = served else { return unknown("it ended, or its time was over") };
    match travel(&ground, run.machine, from).await {
        true => Ok((answer.map_err(CallError::Refused)?, run.machine)),
        false if ground.dice.chance(50) => unknown("the connection broke"),
        false => std::future::pending().await,
    }
}

/// The transport of one process.
pub struct Wire {
    pub ground: Arc<Ground>,
    pub machine: usize,
}

#[async_trait]
impl Transport for Wire {
    async fn call(&self, to: &Peer, call: Call) -> Result<Bytes, CallError> {
        let patience = call.patience;
        let serve = |service: Arc<dyn Service>| async move { service.call(call).await };
        let carried = carry(self.ground.clone(), self.machine, to.id, patience, serve);
        let answer = timeout(patience, self.ground.beyond(carried)).await;
        answer.unwrap_or_else(|_| unknown("its time is over")).map(|(reply, _)| reply)
    }

    async fn open(&self, to: &Peer, call: Call) -> Result<Feed, CallError> {
        let patience = call.patience;
        let serve = |service: Arc<dyn Service>| async move { service.open(call).await };
        let carried = carry(self.ground.clone(), self.machine, to.id, patience, serve);
        let answer = timeout(patience, self.ground.beyond(carried)).await;
        let (mut feed, there) = answer.unwrap_or_else(|_| unknown("its time is over"))?;
        let (to, messages) = mpsc::channel(1);
        let (ground, here) = (self.ground.clone(), self.machine);
        self.ground.outside.spawn(async move {
            loop {
                let message = tokio::select! {
                    biased;
                    () = to.closed() => return,
                    message = feed.recv() => message,
                };
                let Some(message) = message else { return };
                if !travel(&ground, there, here).await || to.send(message).await.is_err() {
                    return;
                }
            }
        });
        Ok(messages)
    }
}

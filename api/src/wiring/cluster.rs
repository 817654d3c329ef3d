//! This process as a node of its cluster: it joins before anybody is let in, keeps its place by a
//! beat each second, takes calls of the others, and hands everything over before it leaves.
//!
//! The membership has a thread, a runtime and a connection of its own: requests that press on the
//! others do not keep a beat from leaving.

use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use barrow_actors::carts::Carts;
use barrow_actors::runtime::{EffectRouter, PeerService, newest_form};
use barrow_actors::sessions::Sessions;
use barrow_adapters::host::{SystemClock, SystemEntropy};
use barrow_cluster::node::{Ended, NodeSettings};
use barrow_cluster::transport::grpc::{Peers, Server, Settings};
use barrow_cluster::transport::stream::TcpConnect;
use barrow_cluster::transport::tls::{Identity, IdentityError, Trust};
use barrow_cluster::{
    ControlTable, Lease, Member, MemberId, Membership, MembershipParts, Peer, Router,
    RouterSettings, ShardHost, Shards,
};
use barrow_engine::ports::{Clock, Entropy};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::place::{self, Location};
use super::servers::{ServerError, Servers};
use crate::config::{Config, Service};

/// How long entities have to finish and be stored before their shards are handed over. A write is
/// repeated for six seconds at most.
const DRAIN_MAX: Duration = Duration::from_secs(8);

/// How often the row of this node is told whom it does not reach.
const UNREACHED_INTERVAL: Duration = Duration::from_secs(1);

/// Why this process is no node of its cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error("cluster.listen: {0}")]
    Listen(std::io::Error),
    #[error("cluster.advertise: {0}")]
    Advertise(String),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("the peers cannot be served: {0}")]
    Peers(String),
    #[error(transparent)]
    Table(#[from] ServerError),
    #[error("the thread of the membership does not start: {0}")]
    Thread(String),
    #[error("this node did not become a member within {0:?}: is the control table there?")]
    NotJoined(Duration),
    #[error("the shop is stored in form {form}; the newest that this build reads is {reads}")]
    TooOld { form: u8, reads: u8 },
}

/// A node of a cluster. It leaves when it is told to, or loses its place when it is dropped.
pub struct Node {
    router: Arc<Router>,
    service: Arc<PeerService>,
    entities: Arc<Entities>,
    membership: Membership,
    thread: Option<JoinHandle<()>>,
    peers: Arc<Peers>,
    server: Arc<Server>,
    /// Ends what this node does for the others.
    stop: CancellationToken,
}

impl Node {
    /// Becomes a member. `on_lost` is called when the others have given this node up, and has to
    /// end the process: nothing of it is revived.
    pub async fn join(
        config: &Config,
        effects: Arc<EffectRouter>,
        on_lost: impl FnOnce() + Send + 'static,
    ) -> Result<Node, ClusterError> {
        let listener = listen(&config.cluster.listen).await?;
        let bound = listener.local_addr().map_err(ClusterError::Listen)?;
        let location = place::locate(&config.cluster, bound).await;
        let location = location.map_err(ClusterError::Advertise)?;
        let identity = Identity::generate()?;
        let me = MemberId(SystemEntropy.next_u128());
        let shards = Arc::new(Shards::new(me, Lease::until(Duration::ZERO)));
        // Requests that wait for a slow peer, or for the shards of a dead one, keep others from
        // being admitted here: so each peer may hold up a quarter of them, and so may all shards
        // that are nobody's.
        let held_max = (config.limits.requests / 4).max(1);
        let settings = Settings { calls_max: held_max, ..Settings::default() };
        let peers = Arc::new(Peers::new(identity.clone(), Arc::new(TcpConnect), settings));
        let settings = RouterSettings { parked_max: held_max, ..RouterSettings::default() };
        let router = Arc::new(Router::new(shards.clone(), peers.clone(), settings));
        let service = Arc::new(PeerService::new(router.clone(), effects));
        let trust = Arc::new(Members(shards.clone()));
        let server = Server::new(&identity, service.clone(), trust, Settings::default());
        let server = Arc::new(server.map_err(|error| ClusterError::Peers(error.to_string()))?);
        let stop = CancellationToken::new();
        let entities = Arc::new(Entities::default());
        let parts = Parts {
            shards: shards.clone(),
            host: entities.clone(),
            member: member(config, me, &location),
            peer: peer(me, &location, &identity),
        };
        let (membership, thread) = begin(config.clone(), parts, on_lost).await?;
        tokio::spawn({
            let (server, stop) = (server.clone(), stop.clone());
            async move { server.serve(listener, stop).await }
        });
        tell_unreached(&membership, &router, &stop);
        let patience = config.cluster.join_timeout.get();
        let node = Node {
            router,
            service,
            entities,
            membership,
            thread: Some(thread),
            peers,
            server,
            stop,
        };
        tokio::select! {
            biased;
            joined = shards.joined(patience) => match joined {
                true => Ok(node),
                false => Err(ClusterError::NotJoined(patience)),
            },
            ended = node.membership.ended() => Err(match ended {
                Ended::TooOld { form } => ClusterError::TooOld { form, reads: newest_form() },
                _ => ClusterError::NotJoined(patience),
            }),
        }
    }

    /// Where the shards are.
    pub fn router(&self) -> &Arc<Router> {
        &self.router
    }

    /// What every grant of this node rests on.
    pub fn lease(&self) -> Lease {
        self.router.shards().lease().clone()
    }

    /// The entities are up: other nodes may ask them, and a handoff drains them.
    pub fn host(&self, carts: Carts, sessions: Sessions) {
        // Only once: the house is put together once.
        let _ = self.entities.0.set((carts, sessions, tokio::runtime::Handle::current()));
        self.service.set_ready();
    }

    /// Hands its shards to the other nodes and leaves them, within `patience`; what they ask of it
    /// meanwhile is answered.
    pub async fn leave(&self, patience: Duration) {
        self.membership.leave(patience);
        if self.membership.ended().await != Ended::Left {
            tracing::warn!("not all shards were handed over; the others wait for the lease to end");
        }
    }

    pub fn figures(&self) -> Figures {
        Figures {
            router: self.router.clone(),
            peers: self.peers.clone(),
            server: self.server.clone(),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
        // A membership that has not ended is told to; without time for it, it ends at once.
        self.membership.leave(Duration::ZERO);
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// What a node tells of itself.
#[derive(Clone)]
pub struct Figures {
    pub router: Arc<Router>,
    pub peers: Arc<Peers>,
    pub server: Arc<Server>,
}

/// The certificates of the members.
struct Members(Arc<Shards>);

impl Trust for Members {
    fn knows(&self, certificate: &[u8]) -> bool {
        let knows = self.0.peers().iter().any(|peer| peer.certificate == certificate);
        if !knows {
            // A node that has just joined: its row is read before it comes again.
            self.0.want();
        }
        knows
    }
}

/// The entities of this process, once there are any.
#[derive(Default)]
struct Entities(OnceLock<(Carts, Sessions, tokio::runtime::Handle)>);

#[async_trait]
impl ShardHost for Entities {
    async fn drain(&self, shards: &[u16]) -> bool {
        let Some((carts, sessions, runtime)) = self.0.get().cloned() else { return true };
        let shards = shards.to_vec();
        // Their timers and tasks are those of the runtime that they live on.
        let drained = runtime.spawn(async move {
            let (carts, sessions) = tokio::join!(
                carts.drain_shards(&shards, DRAIN_MAX),
                sessions.drain_shards(&shards, DRAIN_MAX),
            );
            carts && sessions
        });
        drained.await.unwrap_or(false)
    }
}

async fn listen(address: &crate::config::Address) -> Result<TcpListener, ClusterError> {
    TcpListener::bind((address.host(), address.port())).await.map_err(ClusterError::Listen)
}

fn member(config: &Config, id: MemberId, location: &Location) -> Member {
    let weight = match config.hosts(Service::Cart) {
        true => config.cluster.weight,
        false => 0,
    };
    Member {
        id,
        name: location.name.clone(),
        weight,
        build: env!("CARGO_PKG_VERSION").to_owned(),
        reads: newest_form(),
        draining: false,
    }
}

fn peer(id: MemberId, location: &Location, identity: &Identity) -> Peer {
    Peer {
        id,
        name: location.name.clone(),
        address: location.address.clone(),
        certificate: identity.certificate().to_vec(),
        unreachable: Vec::new(),
    }
}

struct Parts {
    shards: Arc<Shards>,
    host: Arc<dyn ShardHost>,
    member: Member,
    peer: Peer,
}

/// Begins the membership on a thread of its own.
async fn begin(
    config: Config,
    parts: Parts,
    on_lost: impl FnOnce() + Send + 'static,
) -> Result<(Membership, JoinHandle<()>), ClusterError> {
    let (tell, told) = oneshot::channel();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(be_member(&config, parts, tell, on_lost)),
            // Who waits for it is told by its silence.
            Err(error) => tracing::error!(%error, "the membership has no runtime"),
        }
    };
    let thread = std::thread::Builder::new().name("barrow-member".to_owned()).spawn(work);
    let thread = thread.map_err(|error| ClusterError::Thread(error.to_string()))?;
    let begun = told.await.map_err(|_| ClusterError::Thread("it ended at once".to_owned()))?;
    Ok((begun?, thread))
}

async fn be_member(
    config: &Config,
    parts: Parts,
    tell: oneshot::Sender<Result<Membership, ClusterError>>,
    on_lost: impl FnOnce(),
) {
    let mut servers = Servers::new(config);
    let table = match open_table(config, &mut servers).await {
        Ok(table) => table,
        Err(error) => return drop(tell.send(Err(error.into()))),
    };
    let (membership, run) = Membership::new(MembershipParts {
        table,
        shards: parts.shards,
        host: parts.host,
        uptime: Arc::new(|| SystemClock.uptime()),
        member: parts.member,
        peer: parts.peer,
        settings: NodeSettings {
            form_wait: config.cluster.form_wait.get(),
            ..NodeSettings::default()
        },
    });
    drop(tell.send(Ok(membership)));
    if run.await == Ended::Evicted {
        on_lost();
    }
}

/// The table that the nodes of this configuration agree in.
pub async fn open_table(
    config: &Config,
    #[allow(unused_variables, reason = "a build without servers asks for none")]
    servers: &mut Servers<'_>,
) -> Result<Arc<dyn ControlTable>, ServerError> {
    match config.control() {
        #[cfg(feature = "postgres")]
        crate::config::Control::Postgres => {
            use barrow_adapters::postgres::PostgresControlTable;
            Ok(Arc::new(PostgresControlTable::new(&servers.postgres().await?)))
        }
        #[cfg(feature = "dynamodb")]
        crate::config::Control::Dynamodb => {
            use barrow_adapters::dynamodb::DynamoControlTable;
            Ok(Arc::new(DynamoControlTable::new(servers.dynamodb().await)))
        }
        _ => Err(ServerError::new("cluster.control", "it is none, or this build lacks it")),
    }
}

/// The same for whoever looks at it from outside: it is asked at once or not at all, and nothing
/// is made in it.
pub async fn look_at_table(config: &Config) -> Result<Arc<dyn ControlTable>, ServerError> {
    open_table(config, &mut Servers::at_once(config)).await
}

fn tell_unreached(membership: &Membership, router: &Arc<Router>, stop: &CancellationToken) {
    let (membership, router, stop) = (membership.clone(), router.clone(), stop.clone());
    tokio::spawn(async move {
        let mut told = Vec::new();
        while tokio::time::timeout(UNREACHED_INTERVAL, stop.cancelled()).await.is_err() {
            let unreached = router.unreached();
            if unreached != told {
                membership.note_unreachable(unreached.clone());
                told = unreached;
            }
        }
    });
}

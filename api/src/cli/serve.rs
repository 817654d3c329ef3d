//! `barrow serve`: from the lock on the data directory to the last drained actor.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use crate::config::{Address, Config, Loaded, LogFormat, ProductBackend};
use crate::wiring::{self, ClusterError, Running, StartError, Stores};

use super::data_dir::DataDir;
use super::failure::{Exit, Failure};
use super::output;
use super::progress::Progress;
use super::steward::Steward;
use super::stop::Signals;

/// Connections that wait to be taken; the system caps it lower if it wants.
const BACKLOG: u32 = 1_024;

/// A process that was told to stop is gone after this, come what may: 25 seconds is promised,
/// and the rest is for the system to take the process apart.
const END_AT_LATEST: Duration = Duration::from_secs(24);

/// How long the shards may take to go to other nodes.
const LEAVE_MAX: Duration = Duration::from_secs(8);

/// What is left for actors and stores after the requests have ended.
const ACTORS_DRAIN_MIN: Duration = Duration::from_secs(3);

/// How long a backup that nobody can finish any more may hold up the end.
const THREADS_END: Duration = Duration::from_millis(500);

/// Serves until it is told to stop.
pub fn serve(loaded: &Loaded) -> Result<Exit, Failure> {
    raise_open_files();
    let runtime = super::runtime()?;
    let ended = runtime.block_on(async {
        // From here on a signal is not lost, however early it comes.
        let mut signals = Signals::listen()?;
        let house = tokio::select! {
            signal = signals.next() => {
                tracing::info!(signal, "ended before it served");
                return Ok(Exit::Done);
            }
            house = House::open(loaded) => house?,
        };
        house.serve(signals).await
    });
    runtime.shutdown_timeout(THREADS_END);
    ended
}

/// Each connection is an open file. The soft limit is low on many systems, for programs of old
/// that break above it; what the administrator allows is the hard one.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused the doctor tells what the limit is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Everything a serving process holds.
struct House<'a> {
    loaded: &'a Loaded,
    api: Door,
    ops: Option<Door>,
    running: Running,
    steward: Steward,
    stores: Arc<Stores>,
    /// Given up last.
    data: DataDir,
}

impl House<'_> {
    async fn open(loaded: &Loaded) -> Result<House<'_>, Failure> {
        let config = &loaded.config;
        let data = DataDir::lock(config.data_dir(), "serve")?;
        // The ports go before the stores: whoever has no port should not wait for a journal.
        let api = Door::open(&config.server.listen, "server.listen").await?;
        let ops = match &config.ops.listen {
            Some(listen) => Some(Door::open(listen, "ops.listen").await?),
            None => None,
        };
        let stores = Arc::new(super::open_stores(config, &data).await?);
        // Tables of DynamoDB may be anybody's: they are filled on request only.
        if config.stores.products != ProductBackend::Dynamodb {
            super::seed::if_empty(&stores, &data).await?;
        }
        let ops_address = ops.as_ref().map(|door| door.address);
        let running = start(config, &stores, ops_address).await?;
        let steward = Steward::start(config, &data, Arc::clone(&stores), api.address, ops_address);
        Ok(House { loaded, api, ops, running, steward, stores, data })
    }

    async fn serve(self, mut signals: Signals) -> Result<Exit, Failure> {
        self.tell();
        let House { loaded, api, ops, running, steward, stores, data } = self;
        let config = &loaded.config;
        let address = shown(&config.server.listen, api.address);
        let stop = CancellationToken::new();
        let mut serving = tokio::task::JoinSet::new();
        let shop = crate::routes::shop(running.app());
        serving.spawn(crate::edge::serve(api.listen()?, shop, stop.clone()));
        if let Some(ops) = ops {
            let operators = crate::routes::operators(running.app());
            let listener = ops.listen()?;
            serving.spawn(crate::edge::serve(listener, operators, stop.clone()));
        }
        output::line(&format!("listening on http://{address}"))?;
        let signal = signals.next().await;
        tracing::info!(signal, "ending: requests under way are answered first");
        end_in_time(signals);
        // A load balancer sends nothing new from here on; what comes all the same is answered.
        running.app().leaving.store(true, Ordering::Release);
        running.leave(LEAVE_MAX).await;
        running.app().draining.cancel();
        stop.cancel();
        while serving.join_next().await.is_some() {}
        drain(config, &running).await;
        drop((steward, running, stores, data));
        tracing::info!("ended");
        Ok(Exit::Done)
    }

    /// Tells people (or, where the log is for machines, the log) what runs here and what it
    /// promises.
    fn tell(&self) {
        let config = &self.loaded.config;
        let api = shown(&config.server.listen, self.api.address);
        let metrics = match (&config.ops.listen, &self.ops) {
            (Some(listen), Some(door)) => shown(listen, door.address),
            _ => api.clone(),
        };
        let durability = self.stores.entities().durability();
        let path = self.data.path().display();
        match config.log.format {
            LogFormat::Json => tracing::info!(
                version = env!("CARGO_PKG_VERSION"),
                %durability,
                data = %path,
                api = format!("http://{api}/v1"),
                docs = format!("http://{api}/docs"),
                metrics = format!("http://{metrics}/metrics"),
                "barrow is ready"
            ),
            LogFormat::Text => output::complain(&format!(
                "Barrow {}\n  durable  {durability}\n  data     {path}\n  shop API \
                 http://{api}/v1\n  docs     http://{api}/docs\n  metrics  \
                 http://{metrics}/metrics",
                env!("CARGO_PKG_VERSION"),
            )),
        }
        tracing::debug!(config = %serde_json::json!(config), "the effective configuration");
    }
}

async fn start(
    config: &Config,
    stores: &Stores,
    ops: Option<SocketAddr>,
) -> Result<Running, Failure> {
    let mut progress = Progress::start("reading the catalog", "products", None);
    let total = stores.products().count().await.ok();
    let loaded = |done| progress.set(done, total);
    let running = wiring::start(config, stores, ops, loaded, end_as_lost).await;
    progress.finish();
    running.map_err(|error| match error {
        StartError::Cluster(ClusterError::Listen(_)) => Failure::refused(error),
        StartError::Configuration { .. } | StartError::Cluster(ClusterError::Advertise(_)) => {
            Failure::configuration(error)
        }
        StartError::Cluster(ClusterError::TooOld { .. }) => Failure::too_old(error),
        error => Failure::unreachable(error),
    })
}

/// The other nodes have given this one up. What was answered is durable, and they have it.
fn end_as_lost() {
    output::complain("error: the other nodes have taken this one's place: ended at once");
    std::process::exit(Exit::Refused as i32);
}

async fn drain(config: &Config, running: &Running) {
    let requests = config.server.shutdown_timeout.get();
    let patience = END_AT_LATEST.saturating_sub(requests).max(ACTORS_DRAIN_MIN);
    if !running.drain(patience).await {
        tracing::warn!("some carts did not end in time; what was answered is durable");
    }
}

/// Ends the process when the time is over, or at the second signal.
fn end_in_time(mut signals: Signals) {
    std::thread::spawn(|| {
        std::thread::sleep(END_AT_LATEST);
        output::complain("error: the end took too long; what was answered is durable");
        std::process::exit(Exit::Refused as i32);
    });
    tokio::spawn(async move {
        let signal = signals.next().await;
        output::complain(&format!("{signal} again: ended at once; what was answered is durable"));
        std::process::exit(Exit::Refused as i32);
    });
}

/// A port that is ours, but where nobody is let in yet.
struct Door {
    socket: TcpSocket,
    address: SocketAddr,
}

impl Door {
    async fn open(listen: &Address, key: &str) -> Result<Door, Failure> {
        let wrong = |error: std::io::Error| refusal(listen, key, &error);
        let mut addresses =
            tokio::net::lookup_host((listen.host(), listen.port())).await.map_err(wrong)?;
        let address = addresses.next().ok_or_else(|| {
            wrong(std::io::Error::new(ErrorKind::NotFound, "the name has no address"))
        })?;
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }
        .map_err(wrong)?;
        // A port that an ended process left behind in the system's memory is free for us.
        socket.set_reuseaddr(true).map_err(wrong)?;
        socket.bind(address).map_err(wrong)?;
        let address = socket.local_addr().map_err(wrong)?;
        Ok(Door { socket, address })
    }

    fn listen(self) -> Result<TcpListener, Failure> {
        let Door { socket, address } = self;
        let listener = socket.listen(BACKLOG);
        listener.map_err(|error| Failure::refused(format!("cannot listen on {address}: {error}")))
    }
}

fn refusal(listen: &Address, key: &str, error: &std::io::Error) -> Failure {
    let hint = match error.kind() {
        ErrorKind::AddrInUse => format!(
            "another process listens there: stop it, or choose another port ({key}; port 0 takes \
             any free one)"
        ),
        ErrorKind::PermissionDenied => {
            format!("choose a port from 1024 on ({key}), or grant CAP_NET_BIND_SERVICE")
        }
        _ => format!("choose an address of this machine ({key})"),
    };
    Failure::refused(format!("cannot listen on {listen}: {error}")).hint(hint)
}

/// The address with the host as it was configured, and the port as it is.
fn shown(listen: &Address, bound: SocketAddr) -> String {
    listen.with_port(bound.port()).to_string()
}

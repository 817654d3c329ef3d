//! The promises of the simulated node, on real servers behind a network that breaks: while it
//! does, clients change carts' stand-ins under load, repeat what is unknown to them under the
//! same key, and a second node takes over in the middle. Nothing acknowledged is lost, nothing is
//! there twice, and once the network is well again everything is answered.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use barrow_actors::runtime::{
    CommandError, DueScanner, EffectRouter, IdempotencyKey, Runtime, RuntimeParts, RuntimeSettings,
};
use barrow_adapters::dynamodb::{Dynamo, DynamoEndpoint, DynamoEntityStore, tables};
use barrow_adapters::host::{SystemClock, SystemEntropy};
use barrow_adapters::postgres::{Postgres, PostgresEntityStore, PostgresOptions};
use barrow_adapters::redis::{RedisEntityOptions, RedisEntityStore, RedisServers};
use barrow_cluster::{Lease, SoleOwner};
use barrow_engine::entity::EntityKind;
use barrow_engine::ports::EntityStore;
use barrow_servers::{
    ACCESS_KEY, BlackHole, DynamoDb, Each, Fault, FaultProxy, REGION, Redis, SECRET_KEY, Sync,
    or_skip,
};
use barrow_tests::probe::{ProbeCommand, ProbeHost};

use crate::support::times;

/// Entities that the clients of a round change, and as many that hear of it.
const PROBES: u128 = 4;
const CLIENTS: usize = 8;

/// How long a fault lasts.
const FAULT: Duration = Duration::from_millis(400);

/// A client's pause after each answer. Without one a quick machine sends a probe more keys in a
/// round than it remembers, and has to wait for minutes.
const PAUSE: Duration = Duration::from_millis(3);

/// What is not answered this long after the network is well again hangs.
const CONVERGENCE_MAX: Duration = Duration::from_secs(30);

fn fault_of(round: usize) -> Fault {
    let ms = Duration::from_millis;
    let seed = round as u64;
    match round % 8 {
        0 => Fault::Cut,
        1 => Fault::BlackHole(BlackHole::Replies),
        2 => Fault::HalfFail { each: Each::Chunk, seed },
        3 => Fault::Latency { each: ms(30), jitter: ms(60) },
        4 => Fault::BlackHole(BlackHole::All),
        5 => Fault::HalfFail { each: Each::Connection, seed },
        6 => Fault::ResetAfter { bytes: 4_000 },
        _ => Fault::SlowClose(ms(200)),
    }
}

/// A node with probes on it.
struct Node {
    runtime: Runtime<ProbeHost>,
    lease: Lease,
}

impl Node {
    fn start(store: Arc<dyn EntityStore>, epoch: u64) -> Node {
        let clock = Arc::new(SystemClock);
        let lease = Lease::endless();
        let ownership = Arc::new(SoleOwner::new(epoch, lease.clone()));
        let effects = Arc::new(EffectRouter::default());
        let runtime = Runtime::start(RuntimeParts {
            host: ProbeHost,
            store: store.clone(),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
            ownership: ownership.clone(),
            effects,
            // Short, so that outcomes stay unknown too.
            settings: RuntimeSettings {
                write_deadline: Duration::from_millis(700),
                failure_backoff_max: Duration::from_millis(200),
                ..RuntimeSettings::default()
            },
        });
        let targets = HashMap::from([(EntityKind::Probe, runtime.wakeable())]);
        DueScanner::new(store, clock, ownership, targets).start();
        Node { runtime, lease }
    }
}

/// The node that clients ask, which changes in the middle of a round.
type Front = Arc<parking_lot::RwLock<Arc<Node>>>;

/// What a client has sent.
#[derive(Default)]
struct Sent {
    /// By probe: items that were acknowledged, and that were told to the probe's neighbour.
    own: HashMap<u128, Vec<u64>>,
    told: HashMap<u128, Vec<u64>>,
}

/// Sends until told to stop, each command under its key until it is acknowledged.
async fn client(
    front: Front,
    place: usize,
    first: u128,
    stop: tokio_util::sync::CancellationToken,
    answered: Arc<AtomicUsize>,
) -> Sent {
    let mut sent = Sent::default();
    for count in 0u64.. {
        if stop.is_cancelled() {
            break;
        }
        let id = first + u128::from(count + place as u64) % PROBES;
        let item = 10_000 + (place as u64) * 1_000_000 + count;
        let neighbour = id + PROBES;
        let tells = count % 5 == 0;
        let command = match tells {
            true => ProbeCommand::Tell { target: neighbour, item },
            false => ProbeCommand::Append(item),
        };
        let key = IdempotencyKey { key_hash: item, payload_hash: 1 };
        let began = Instant::now();
        loop {
            let node = Arc::clone(&front.read());
            let answer = node.runtime.execute(id, command.clone(), (), Some(key), None).await;
            match answer {
                Ok(reply) => {
                    assert!(reply.view.contains(&item), "{item} was acknowledged and is not seen");
                    break;
                }
                Err(
                    CommandError::Unavailable { .. }
                    | CommandError::OutcomeUnknown
                    | CommandError::Overloaded { .. },
                ) => tokio::time::sleep(Duration::from_millis(10)).await,
                // The key memory or the effects of a probe are full: others write as well.
                Err(CommandError::KeyMemoryFull) => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => panic!("{item}: {error}"),
            }
            assert!(began.elapsed() < CONVERGENCE_MAX, "{item} of probe {id} hangs: {answer:?}");
        }
        answered.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(PAUSE).await;
        let to = if tells {
            sent.told.entry(neighbour).or_default()
        } else {
            sent.own.entry(id).or_default()
        };
        to.push(item);
        if tells {
            sent.own.entry(id).or_default().push(item);
        }
    }
    sent
}

fn each_once(id: u128, found: &[u64], acknowledged: &[u64]) {
    let mut seen = HashSet::new();
    for item in found {
        assert!(seen.insert(item), "{item} is twice in probe {id}");
    }
    for item in acknowledged {
        assert!(seen.contains(item), "{item} was acknowledged and is not in probe {id}");
    }
    assert_eq!(found.len(), acknowledged.len(), "probe {id} holds what nobody sent");
}

/// One round: load, a fault, another node, health; then every list is compared.
async fn round(
    round: usize,
    proxy: &FaultProxy,
    broken: &Arc<dyn EntityStore>,
    direct: &Arc<dyn EntityStore>,
) {
    let first = 1_000 * (round as u128 + 1);
    let node = |epoch| Arc::new(Node::start(Arc::clone(broken), epoch));
    let front: Front = Arc::new(parking_lot::RwLock::new(node(1)));
    let (stop, answered) =
        (tokio_util::sync::CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|place| {
            tokio::spawn(client(front.clone(), place, first, stop.clone(), answered.clone()))
        })
        .collect();
    let until_answered = async |count: usize| {
        let began = Instant::now();
        while answered.load(Ordering::Relaxed) < count {
            assert!(began.elapsed() < CONVERGENCE_MAX, "round {round}: it does not go on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    until_answered(CLIENTS * 3).await;
    proxy.set(fault_of(round));
    tokio::time::sleep(FAULT / 2).await;
    let mut nodes = Vec::new();
    if round % 2 == 1 {
        // Another node takes over while the former still writes: it learns too late that its
        // lease has ended.
        let former = std::mem::replace(&mut *front.write(), node(2));
        tokio::time::sleep(FAULT / 4).await;
        former.lease.renew(Duration::ZERO);
        nodes.push(former);
    }
    tokio::time::sleep(FAULT / 2).await;
    proxy.set(Fault::None);
    until_answered(answered.load(Ordering::Relaxed) + CLIENTS * 3).await;
    stop.cancel();
    let (mut own, mut told): (HashMap<_, Vec<u64>>, HashMap<_, Vec<u64>>) = Default::default();
    for client in clients {
        let sent = client.await.expect("a client keeps what it was promised");
        sent.own.into_iter().for_each(|(id, items)| own.entry(id).or_default().extend(items));
        sent.told.into_iter().for_each(|(id, items)| told.entry(id).or_default().extend(items));
    }
    // A node of its own, past the broken network, sees what is stored.
    let witness = Arc::new(Node::start(Arc::clone(direct), 3));
    front.read().lease.renew(Duration::ZERO);
    nodes.extend([Arc::clone(&front.read()), Arc::clone(&witness)]);
    for (id, items) in own.iter().chain(&told) {
        let began = Instant::now();
        loop {
            // The former nodes may still be delivering what they had promised, and overtake it.
            let found = witness.runtime.read(*id, ()).await.map(|reply| reply.view);
            if let Ok(found) = &found
                && found.len() >= items.len()
            {
                break each_once(*id, found, items);
            }
            assert!(began.elapsed() < CONVERGENCE_MAX, "probe {id} lacks something: {found:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    for node in nodes {
        // Else its scans of what is due would go on beside all later rounds.
        assert!(node.runtime.drain(CONVERGENCE_MAX).await, "a node ends");
    }
    println!("round {round}, {:?}: {} answered", fault_of(round), answered.load(Ordering::Relaxed));
}

async fn rounds(proxy: &FaultProxy, broken: Arc<dyn EntityStore>, direct: Arc<dyn EntityStore>) {
    for number in 0..times(20, 100) {
        round(number, proxy, &broken, &direct).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_behind_a_broken_network() {
    let started = barrow_servers::Postgres::start(Sync::Memory);
    let Some(server) = or_skip("Postgres", started) else { return };
    let proxy = FaultProxy::start(server.address());
    let store = async |url: String| {
        let postgres = Postgres::connect(&url, PostgresOptions::default()).await.unwrap();
        Arc::new(PostgresEntityStore::start(&postgres)) as Arc<dyn EntityStore>
    };
    let direct = store(server.url()).await;
    let url = server.url().replace(&server.address().to_string(), &proxy.address().to_string());
    rounds(&proxy, store(url).await, direct).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_behind_a_broken_network() {
    let Some(server) = or_skip("Redis", Redis::start()) else { return };
    let proxy = FaultProxy::start(SocketAddr::from(([127, 0, 0, 1], server.port())));
    let store = async |url: String| {
        let servers = RedisServers::from_url(&url, None).unwrap();
        let options = RedisEntityOptions::new("rounds");
        Arc::new(RedisEntityStore::connect(&servers, options).await.unwrap())
            as Arc<dyn EntityStore>
    };
    let direct = store(server.url()).await;
    rounds(&proxy, store(format!("redis://{}", proxy.address())).await, direct).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dynamodb_behind_a_broken_network() {
    let Some(server) = or_skip("the DynamoDB API", DynamoDb::start()) else { return };
    let address: SocketAddr = server.endpoint().trim_start_matches("http://").parse().unwrap();
    let proxy = FaultProxy::start(address);
    let dynamo = async |address: SocketAddr| {
        let url = format!("http://{address}");
        let (access_key, secret_key) = (ACCESS_KEY, SECRET_KEY);
        let endpoint = DynamoEndpoint { url: &url, region: REGION, access_key, secret_key };
        Dynamo::at(endpoint, "rounds-").await
    };
    let direct = dynamo(address).await;
    tables::create(&direct).await.unwrap();
    let broken = Arc::new(DynamoEntityStore::new(dynamo(proxy.address()).await));
    rounds(&proxy, broken, Arc::new(DynamoEntityStore::new(direct))).await;
}

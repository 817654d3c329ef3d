//! Three processes of one shop on the same stores, each behind a network of its own that can be
//! broken: the others reach it through a proxy, and it reaches the stores through another.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::id;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use barrow_actors::runtime::NEXT_FORM;
use barrow_adapters::dynamodb::{Dynamo, DynamoControlTable, DynamoEndpoint};
use barrow_adapters::postgres::{PostgresControlTable, PostgresOptions};
use barrow_cluster::{ControlTable, Member, SHARDS, VIEW_KEY, View};
use barrow_engine::cart;
use barrow_engine::ids::CartId;
use barrow_servers::or_skip;
use barrow_servers::{
    ACCESS_KEY, DynamoDb, FaultProxy, Namespaces, Postgres, REGION, SECRET_KEY, Sync,
};
use barrow_tests::server::{Ended, Launch, Server, binary};
use parking_lot::RwLock;
use rustix::process::Signal;

use crate::servers::ground::{Ground, address};
use crate::support::until;

pub const NODES: usize = 3;

/// No node has fewer shards than this once all is at rest: the plan does not move the last few.
const SHARDS_MIN: usize = SHARDS / NODES * 4 / 5;

/// Where the shop's stores and its control table lie.
#[derive(Debug, Clone, Copy)]
pub enum On {
    Postgres,
    DynamoDb,
    /// The stores in DynamoDB, the control table in Postgres: each is broken without the other.
    Apart,
}

/// Where clients find each node. One that was started again listens elsewhere.
#[derive(Debug, Default)]
pub struct Doors(RwLock<Vec<String>>);

impl Doors {
    pub fn url(&self, node: usize) -> String {
        self.0.read()[node].clone()
    }
}

/// The nodes of a shop. They end with it.
pub struct Fleet {
    nodes: Vec<Node>,
    table: Arc<dyn ControlTable>,
    doors: Arc<Doors>,
    ground: Ground,
}

pub struct Node {
    server: Option<Server>,
    /// The build that its next process is of.
    pub program: PathBuf,
    /// Its data directory.
    name: String,
    settings: Vec<String>,
    variables: Vec<(String, String)>,
    /// The process whose network it lives in, and where it listens there.
    network: Option<(u32, Ipv4Addr)>,
    /// From the other nodes to this one, where they do not reach it by themselves.
    inbound: Option<FaultProxy>,
    /// From this node to the stores.
    pub stores: FaultProxy,
    /// From this node to the control table, where that is not in the stores.
    control: Option<FaultProxy>,
}

impl Node {
    /// Through proxies of its own to what listens at `stores`.
    fn behind_proxies(place: usize, stores: SocketAddr) -> Node {
        let port = port_for_good();
        let inbound = FaultProxy::start((Ipv4Addr::LOCALHOST, port).into());
        let settings = vec![
            format!("cluster.listen=127.0.0.1:{port}"),
            format!("cluster.advertise={}", inbound.address()),
        ];
        let node = Node::of(place, FaultProxy::start(stores), settings);
        Node { inbound: Some(inbound), ..node }
    }

    /// In a network of its own.
    fn within(networks: &Namespaces, place: usize, stores: SocketAddr) -> Node {
        let network = u8::try_from(place).expect("there are few nodes");
        let settings = vec![format!("cluster.listen={}:0", networks.peer(network))];
        let stores = FaultProxy::start_at(networks.host(network), stores);
        let node = Node::of(place, stores, settings);
        Node { network: Some((networks.holder(network), networks.guest(network))), ..node }
    }

    fn of(place: usize, stores: FaultProxy, settings: Vec<String>) -> Node {
        let (name, variables) = (format!("node-{place}"), Vec::new());
        let (server, program) = (None, binary());
        let (network, inbound, control) = (None, None, None);
        Node { server, program, name, settings, variables, network, inbound, stores, control }
    }

    /// From the other nodes to this one.
    pub fn inbound(&self) -> &FaultProxy {
        self.inbound.as_ref().expect("the others reach it through a proxy")
    }

    /// From this node to the control table.
    pub fn control(&self) -> &FaultProxy {
        self.control.as_ref().unwrap_or(&self.stores)
    }

    /// The same for one whose stores are in DynamoDB.
    fn on_dynamodb(place: usize, stores: SocketAddr) -> Node {
        let mut node = Node::behind_proxies(place, stores);
        let proxied = format!("http://{}", node.stores.address());
        node.variables.push(("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), proxied));
        node
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs")
    }

    /// Ends without a word.
    pub async fn kill(&mut self) {
        let server = self.server.take().expect("it runs");
        blocking(|| server.kill()).await;
    }

    /// SIGTERM, and its orderly end.
    pub async fn stop(&mut self) {
        let server = self.server.take().expect("it runs");
        let ended = blocking(|| server.stop()).await;
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(!ended.err.contains("panicked"), "{ended:#?}");
    }

    /// Waits until it has ended by itself, since the others gave it up.
    pub async fn gives_up(&mut self) -> Ended {
        let mut server = self.server.take().expect("it runs");
        let ended = blocking(move || server.wait()).await;
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        assert!(ended.err.contains("have taken this one's place"), "{ended:#?}");
        assert!(!ended.err.contains("panicked"), "{ended:#?}");
        ended
    }

    /// Whether it still runs, as far as it knows by now.
    pub fn is_alive(&mut self) -> bool {
        self.server.as_mut().expect("it was started").is_alive()
    }
}

impl Fleet {
    /// Starts all nodes, and waits until each has its share.
    pub async fn open(on: On) -> Option<Fleet> {
        Fleet::open_with(on, &[]).await
    }

    /// The same, with more keys of the configuration: `limits.requests=64`.
    pub async fn open_with(on: On, settings: &[&str]) -> Option<Fleet> {
        let mut fleet = match on {
            On::Postgres => Fleet::on_postgres().await?,
            On::DynamoDb => Fleet::on_dynamodb().await?,
            On::Apart => Fleet::apart().await?,
        };
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        fleet.nodes.iter_mut().for_each(|node| node.settings.extend(settings.clone()));
        Some(fleet.started().await)
    }

    /// Starts all nodes in networks of their own.
    pub async fn open_in(networks: &Namespaces) -> Option<Fleet> {
        let node = |place, stores| Node::within(networks, place, stores);
        Some(Fleet::on_postgres_with(node).await?.started().await)
    }

    async fn started(mut self) -> Fleet {
        self.ground.stock();
        for node in 0..NODES {
            self.start(node).await;
        }
        self.is_at_rest().await;
        self
    }

    async fn on_postgres() -> Option<Fleet> {
        Fleet::on_postgres_with(Node::behind_proxies).await
    }

    async fn on_postgres_with(make: impl Fn(usize, SocketAddr) -> Node) -> Option<Fleet> {
        let server = or_skip("Postgres", Postgres::start(Sync::Memory))?;
        let (url, at) = (server.url(), server.address());
        let ground = Ground::new().set(format!("commerce.url={url}"));
        let ground = ground.set("stores.entities=postgres").set("stores.products=postgres");
        let nodes = (0..NODES).map(|place| {
            let mut node = make(place, at);
            let proxied = url.replace(&at.to_string(), &node.stores.address().to_string());
            node.settings.push(format!("commerce.url={proxied}"));
            node
        });
        let nodes = nodes.collect();
        let table = Arc::new(postgres_table(&url).await);
        Some(Fleet { nodes, table, doors: Arc::default(), ground: ground.keeping(server) })
    }

    async fn on_dynamodb() -> Option<Fleet> {
        let server = or_skip("the DynamoDB API", DynamoDb::start())?;
        let orders = or_skip("Postgres", Postgres::start(Sync::Memory))?;
        let url = server.endpoint();
        let at = address(&url);
        let ground =
            Ground::new().with_dynamodb(&url).set(format!("commerce.url={}", orders.url()));
        let ground = ground.keeping(orders);
        let ground = ground.set("stores.entities=dynamodb").set("stores.products=dynamodb");
        ground.done(&["setup", "aws"]);
        let nodes = (0..NODES).map(|place| Node::on_dynamodb(place, at)).collect();
        let (access_key, secret_key) = (ACCESS_KEY, SECRET_KEY);
        let endpoint = DynamoEndpoint { url: &url, region: REGION, access_key, secret_key };
        let table = Arc::new(DynamoControlTable::new(Dynamo::at(endpoint, "barrow-").await));
        Some(Fleet { nodes, table, doors: Arc::default(), ground: ground.keeping(server) })
    }

    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    async fn apart() -> Option<Fleet> {
        let stores = or_skip("the DynamoDB API", DynamoDb::start())?;
        let server = or_skip("Postgres", Postgres::start(Sync::Memory))?;
        let (endpoint, url, at) = (stores.endpoint(), server.url(), server.address());
        let ground = Ground::new().with_dynamodb(&endpoint).set(format!("commerce.url={url}"));
        let ground = ground.set("stores.entities=dynamodb").set("stores.products=dynamodb");
        let ground = ground.set("cluster.control=postgres");
        ground.done(&["setup", "aws"]);
        let nodes = (0..NODES).map(|place| {
            let mut node = Node::on_dynamodb(place, address(&endpoint));
            let control = FaultProxy::start(at);
            let proxied = url.replace(&at.to_string(), &control.address().to_string());
            node.settings.push(format!("commerce.url={proxied}"));
            Node { control: Some(control), ..node }
        });
        let nodes = nodes.collect();
        let table = Arc::new(postgres_table(&url).await);
        let ground = ground.keeping(stores).keeping(server);
        Some(Fleet { nodes, table, doors: Arc::default(), ground })
    }

    pub fn doors(&self) -> Arc<Doors> {
        Arc::clone(&self.doors)
    }

    pub fn node(&mut self, node: usize) -> &mut Node {
        &mut self.nodes[node]
    }

    pub fn nodes(&mut self) -> impl Iterator<Item = &mut Node> {
        self.nodes.iter_mut()
    }

    fn launch(&self, place: usize) -> Launch {
        let node = &self.nodes[place];
        assert!(node.server.is_none(), "it runs");
        let launch = self.ground.launch(&node.name).with_variables(&node.variables);
        let launch = launch.running(&node.program);
        let launch = node.settings.iter().fold(launch, |launch, setting| launch.set(setting));
        match node.network {
            Some((process, address)) => launch.in_the_network_of(process, address),
            None => launch,
        }
    }

    /// Starts a node that does not come up, and answers how it ended.
    pub async fn start_in_vain(&mut self, place: usize) -> Ended {
        let launch = self.launch(place);
        blocking(|| launch.try_start()).await.expect_err("it does not come up")
    }

    /// Starts a node, for the first time or again, and waits until it takes requests.
    pub async fn start(&mut self, place: usize) {
        let launch = self.launch(place);
        let server = blocking(|| launch.start()).await;
        let mut doors = self.doors.0.write();
        match doors.get_mut(place) {
            Some(door) => door.clone_from(&server.url),
            None => doors.push(server.url.clone()),
        }
        drop(doors);
        self.nodes[place].server = Some(server);
    }

    /// The view in the control table.
    pub async fn view(&self) -> View {
        match self.table.load(VIEW_KEY).await.unwrap() {
            Some(row) => View::decode(row.version, &row.value, NEXT_FORM).unwrap(),
            None => View::default(),
        }
    }

    fn member_of<'a>(&self, node: &Node, view: &'a View) -> Option<&'a Member> {
        let name = format!("process {} on ", node.server.as_ref()?.process());
        view.members.iter().find(|member| member.name.starts_with(&name))
    }

    /// Which node has that cart by now.
    pub fn owner(&self, cart: &str, view: &View) -> Option<usize> {
        let id: CartId = cart.rsplit('/').next()?.parse().ok()?;
        let owner = view.owner(cart::key(id).shard().index())?;
        let owns = |node: &Node| self.member_of(node, view).is_some_and(|one| one.id == owner);
        self.nodes.iter().position(owns)
    }

    /// Waits until the nodes that run are the members, and each has its share.
    pub async fn is_at_rest(&self) {
        let mut seen = View::default();
        until("each node has its share", async || {
            seen = self.view().await;
            let has_share = |node: &Node| {
                self.member_of(node, &seen).is_some_and(|member| {
                    !member.draining && seen.shards_of(member.id).count() >= SHARDS_MIN
                })
            };
            seen.members.len() == NODES && self.nodes.iter().all(has_share)
        })
        .await;
    }

    /// Ends all nodes in order, and leaves one alone that reads all from the stores.
    pub async fn begin_anew(&mut self) {
        for node in &mut self.nodes {
            node.stop().await;
        }
        self.start(0).await;
        let url = self.doors.url(0);
        self.doors.0.write().fill(url);
    }

    pub fn signal(&self, node: usize, signal: Signal) {
        self.nodes[node].server().signal(signal);
    }
}

async fn postgres_table(url: &str) -> PostgresControlTable {
    let connecting = barrow_adapters::postgres::Postgres::connect(url, PostgresOptions::default());
    PostgresControlTable::new(&connecting.await.unwrap())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// A port for a node that is started again and again behind the same proxy: below those that the
/// system hands out, so that no connection takes it while the node is away.
fn port_for_good() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 12_000 + (id() % 1_000) as u16 * 16;
    let mut ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed) % 512);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports.by_ref().take(512).find(is_free).expect("a port is free on this machine")
}

//! The sections of the configuration, one struct each. The doc comments are the manual.

use std::path::{Path, PathBuf};

use barrow_engine::pricing::Shop;
use serde::{Deserialize, Serialize};

use super::inventory::Inventory;
use super::legal::Legal;
use super::payments::Payments;
use super::section::section;
use super::units::{Address, Network, Secret, ServerUrl, Size, Span};

section! {
    /// Everything that can be set: in a file, in the environment, by flags.
    pub struct Config {
        /// Sets the stores together: `embedded` (one process, no server beside it) or `aws`.
        /// Keys that are given explicitly beat it.
        pub profile: Profile = Profile::Embedded,
        /// The directory that holds everything the embedded stores keep. Made if it is missing.
        pub data: String = "./data".to_owned(),
        /// What this process answers for: `cart` (carts and sessions) and `catalog` (products,
        /// collections, media). A load balancer leads each path to a process that has it. Without
        /// `cart` a node takes no shards.
        pub services: Vec<Service> = Service::ALL.to_vec(),
        /// How requests come in.
        pub server: Server = Server::default(),
        /// How much one request, one cart or all together may ask for.
        pub limits: Limits = Limits::default(),
        /// Who is who.
        pub auth: Auth = Auth::default(),
        /// Which adapter stands behind which port.
        pub stores: Stores = Stores::default(),
        /// Postgres, for every port that is set to it.
        pub commerce: Commerce = Commerce::default(),
        /// Redis or ElastiCache: the cache, and every port that is set to it.
        pub cache: Cache = Cache::default(),
        /// DynamoDB, for every port that is set to it.
        pub dynamodb: Dynamodb = Dynamodb::default(),
        /// Pictures, manuals and videos.
        pub media: Media = Media::default(),
        /// When units are reserved for a shopper, and for how long.
        pub inventory: Inventory = Inventory::default(),
        /// Who moves the money, and when it is taken.
        pub payments: Payments = Payments::default(),
        /// Who sells, as it has to stand on an invoice.
        pub legal: Legal = Legal::default(),
        /// Entities in memory: one actor for each cart in use.
        pub actors: Actors = Actors::default(),
        /// Nodes that work together: each owns a part of the carts and sessions, and any of them
        /// answers for all.
        pub cluster: Cluster = Cluster::default(),
        /// What operators look at.
        pub ops: Ops = Ops::default(),
        /// What the process tells of itself, on standard error.
        pub log: Log = Log::default(),
        /// What is sold by: channels, currencies, taxes, shipping.
        pub shop: Shop = Shop::sample(),
    }
}

/// Settings that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    Embedded,
    Aws,
}

section! {
    /// How requests come in.
    pub struct Server {
        /// HOST:PORT of the shop's API. Port 0 takes any free one.
        pub listen: Address = Address::new("127.0.0.1", 8080),
        /// The frontends that a browser may call from: `https://shop.example`, or `*` for any.
        /// Empty: pages of other origins are not let in.
        pub cors_origins: Vec<String> = Vec::new(),
        /// The balancers whose `X-Forwarded-For` is believed: `10.0.0.0/8`, `10.0.0.7`.
        pub trusted_proxies: Vec<Network> = Vec::new(),
        /// Connections held at once; more wait in the system's queue.
        pub max_connections: usize = 10_000,
        /// How long a connection may be idle between requests, or take to send one's head.
        pub header_timeout: Span = Span::seconds(30),
        /// How long a client may take to send a body.
        pub body_timeout: Span = Span::seconds(30),
        /// How long requests in flight may take once the process was told to stop; at most 20 s,
        /// so that it is gone within 25.
        pub shutdown_timeout: Span = Span::seconds(10),
    }
}

section! {
    /// How much one request, one cart or all together may ask for.
    pub struct Limits {
        /// The largest body of a request.
        pub body: Size = Size::mib(1),
        /// Requests being answered at once; one more is refused with 429.
        pub requests: usize = 2_048,
        /// Event streams of one cart: a shopper's tabs and devices.
        pub event_streams_per_cart: usize = 8,
        /// Event streams of all carts together.
        pub event_streams: usize = 5_000,
    }
}

section! {
    /// Who is who.
    pub struct Auth {
        /// Signs the shop's tokens: at least 32 characters that nobody can guess. Unset: a key
        /// is made at the first start and kept in the entity store.
        pub signing_key: Option<Secret> = None,
        /// How long a shop's token is good.
        pub token_ttl: Span = Span::days(30),
    }
}

section! {
    /// Which adapter stands behind which port.
    pub struct Stores {
        /// Carts and sessions: `embedded`, `dynamodb`, `postgres` or `redis`.
        pub entities: EntityBackend = EntityBackend::Embedded,
        /// The catalog: `embedded`, `dynamodb` or `postgres`.
        pub products: ProductBackend = ProductBackend::Embedded,
        /// Stock and orders: `sqlite` (a file in the data directory, for a shop of one process)
        /// or `postgres`. Unset: `sqlite` where carts and catalog are embedded, else `postgres`.
        pub commerce: Option<CommerceBackend> = None,
    }
}

/// Where the rows of entities lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntityBackend {
    Embedded,
    Dynamodb,
    Postgres,
    Redis,
}

/// Where products lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProductBackend {
    Embedded,
    Dynamodb,
    Postgres,
}

/// Where stock and orders lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommerceBackend {
    Sqlite,
    Postgres,
}

section! {
    /// Postgres, for every port that is set to it.
    pub struct Commerce {
        /// `postgres://user:password@host1,host2/database?sslmode=verify-full`: of several hosts
        /// the primary is found, and followed when another takes over.
        pub url: Option<ServerUrl> = None,
        /// Connections at most.
        pub connections: u32 = 16,
    }
}

section! {
    /// Redis or ElastiCache: the cache, and every port that is set to it.
    pub struct Cache {
        /// `redis://user:password@host:6379`, `rediss://` with TLS, `redis-cluster://` and
        /// `rediss-cluster://` for a cluster. Unset: the cache is the process' own memory.
        pub url: Option<ServerUrl> = None,
        /// Replicas that must have a change before it is acknowledged, where entities lie here.
        pub replicas: u32 = 1,
    }
}

section! {
    /// DynamoDB, for every port that is set to it. Region, credentials and endpoint are those of
    /// the SDK: `AWS_REGION`, `AWS_ENDPOINT_URL_DYNAMODB` and so on.
    pub struct Dynamodb {
        /// What the names of its tables begin with.
        pub table_prefix: String = "barrow-".to_owned(),
    }
}

section! {
    /// Pictures, manuals and videos.
    pub struct Media {
        /// `file:///a/directory` or `s3://bucket`. Unset: `media` in the data directory.
        pub url: Option<String> = None,
    }
}

section! {
    /// Entities in memory: one actor for each cart in use.
    pub struct Actors {
        /// Commands and reads under way at once; one more is refused with 429.
        pub max_in_flight: usize = 10_000,
        /// Commands and reads that wait at one entity; one more is refused with 429.
        pub max_queue: usize = 256,
        /// Entities held in memory at once, about 10 KB each; beyond it those that nobody asked
        /// for the longest are put away.
        pub max_hot: usize = 100_000,
        /// An entity that nobody asked for so long is put away.
        pub idle_timeout: Span = Span::seconds(300),
        /// Memory for the stored form of entities that were put away; they come back faster.
        pub warm_memory: Size = Size::mib(64),
    }
}

section! {
    /// Nodes that work together: each owns a part of the carts and sessions, and any of them
    /// answers for all.
    pub struct Cluster {
        /// The table that nodes agree in: `none` (one node, whose entities are embedded),
        /// `dynamodb` or `postgres`. Unset: where the entities lie.
        pub control: Option<Control> = None,
        /// HOST:PORT where the other nodes reach this one, with TLS. On 127.0.0.1 only nodes of
        /// this machine do; 0.0.0.0 takes them from everywhere. Port 0 takes any free one, which
        /// the others find in the control table; name one where a firewall has to know it.
        pub listen: Address = Address::new("127.0.0.1", 0),
        /// HOST:PORT that the others are told, if it is not `cluster.listen`; with port 0 the port
        /// of `cluster.listen`. Unset in a task of ECS that listens on 0.0.0.0: the task's own
        /// address.
        pub advertise: Option<Address> = None,
        /// How many shards this node takes, in proportion to the others': 1 to 1000.
        pub weight: u32 = 1,
        /// How long a start waits until this node is a member and the entities that it needs
        /// answer: after a crash, until it may take the place of the dead.
        pub join_timeout: Span = Span::seconds(30),
        /// After an upgrade, for how long all nodes have to read a later form of what is stored
        /// before they write it. Until then the build before can come back. 0s: at once.
        pub form_wait: Span = Span::days(1),
    }
}

/// A part of the shop that a process may answer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Service {
    Cart,
    Catalog,
}

impl Service {
    pub const ALL: [Service; 2] = [Service::Cart, Service::Catalog];

    /// Parts of the shop that have a name already, and are not built in.
    const NOT_BUILT_IN: [&str; 5] = ["orders", "users", "search", "recommendations", "messaging"];
}

impl TryFrom<String> for Service {
    type Error = String;

    fn try_from(name: String) -> Result<Service, String> {
        match name.as_str() {
            "cart" => Ok(Service::Cart),
            "catalog" => Ok(Service::Catalog),
            known if Service::NOT_BUILT_IN.contains(&known) => {
                Err(format!("'{known}' is not built in; there are cart and catalog"))
            }
            unknown => Err(format!("'{unknown}' is no service; there are cart and catalog")),
        }
    }
}

/// Where nodes agree on who owns what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Control {
    None,
    Dynamodb,
    Postgres,
}

section! {
    /// What operators look at.
    pub struct Ops {
        /// HOST:PORT that `/metrics` moves to. Unset: it is served beside the shop's API.
        pub listen: Option<Address> = None,
    }
}

section! {
    /// What the process tells of itself, on standard error.
    pub struct Log {
        /// `error`, `warn`, `info`, `debug` or `trace`; or for each part: `info,barrow=debug`.
        pub level: String = "info".to_owned(),
        /// `text` for people, `json` for machines: one object a line.
        pub format: LogFormat = LogFormat::Text,
    }
}

/// The form of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Config {
    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        Path::new(&self.data)
    }

    /// Whether this process answers for a service.
    pub fn hosts(&self, service: Service) -> bool {
        self.services.contains(&service)
    }

    /// The table that nodes agree in, as it was set or as the entities' store implies it.
    pub fn control(&self) -> Control {
        self.cluster.control.unwrap_or(match self.stores.entities {
            EntityBackend::Embedded | EntityBackend::Redis => Control::None,
            EntityBackend::Dynamodb => Control::Dynamodb,
            EntityBackend::Postgres => Control::Postgres,
        })
    }

    /// Where stock and orders lie, as it was set or as the other stores imply it.
    pub fn commerce_backend(&self) -> CommerceBackend {
        let is_alone = self.stores.entities == EntityBackend::Embedded
            && self.stores.products == ProductBackend::Embedded
            && self.control() == Control::None;
        self.stores.commerce.unwrap_or(match is_alone {
            true => CommerceBackend::Sqlite,
            false => CommerceBackend::Postgres,
        })
    }

    /// Whether a port stands on Postgres.
    pub fn wants_postgres(&self) -> bool {
        self.commerce_backend() == CommerceBackend::Postgres
            || self.stores.entities == EntityBackend::Postgres
            || self.stores.products == ProductBackend::Postgres
            || self.control() == Control::Postgres
    }

    /// Whether a port stands on DynamoDB.
    pub fn wants_dynamodb(&self) -> bool {
        self.stores.entities == EntityBackend::Dynamodb
            || self.stores.products == ProductBackend::Dynamodb
            || self.control() == Control::Dynamodb
    }

    /// The bucket of media files, if they lie in one: `s3://bucket/prefix`.
    pub fn media_bucket(&self) -> Option<&str> {
        self.media.url.as_deref().filter(|url| url.starts_with("s3://"))
    }

    /// Where media files lie, if they lie in a directory.
    pub fn media_dir(&self) -> PathBuf {
        match self.media.url.as_deref().and_then(|url| url.strip_prefix("file://")) {
            Some(path) => PathBuf::from(path),
            None => self.data_dir().join("media"),
        }
    }
}

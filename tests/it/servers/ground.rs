//! The servers that a shop stands on, and the ways to its commands and processes: all of them of
//! one configuration, each process with a data directory of its own.

use std::net::SocketAddr;
use std::path::Path;

use barrow_servers::{
    ACCESS_KEY, DynamoDb, Postgres, REGION, Redis, RedisCluster, SECRET_KEY, Sync, or_skip,
};
use barrow_tests::server::{Ended, Launch, binary, run_of};
use tempfile::TempDir;

use crate::support::goods;

/// A configuration, and the servers that it names.
pub struct Ground {
    folder: TempDir,
    settings: Vec<String>,
    variables: Vec<(String, String)>,
    /// Ended with it.
    servers: Vec<Box<dyn Send>>,
}

impl Ground {
    pub fn new() -> Ground {
        let folder = tempfile::tempdir().unwrap();
        Ground { folder, settings: Vec::new(), variables: Vec::new(), servers: Vec::new() }
    }

    /// Sets a key of the configuration: `stores.entities=postgres`.
    pub fn set(mut self, setting: impl Into<String>) -> Ground {
        self.settings.push(setting.into());
        self
    }

    /// Where DynamoDB is, with the credentials that it takes here.
    pub fn with_dynamodb(mut self, endpoint: &str) -> Ground {
        let variables = [
            ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ];
        self.variables.extend(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        self
    }

    /// Keeps a server for as long as this.
    pub fn keeping(mut self, server: impl Send + 'static) -> Ground {
        self.servers.push(Box::new(server));
        self
    }

    /// Ends all servers that were given to it.
    pub fn end_servers(&mut self) {
        self.servers.clear();
    }

    /// Runs a command beside whatever serves.
    pub fn run(&self, args: &[&str]) -> Ended {
        self.run_on("commands", args)
    }

    /// Runs a command on a data directory.
    pub fn run_on(&self, data: &str, args: &[&str]) -> Ended {
        self.run_of(&binary(), data, args)
    }

    /// Runs a command of another build on a data directory.
    pub fn run_of(&self, program: &Path, data: &str, args: &[&str]) -> Ended {
        let mut all: Vec<&str> = args.to_vec();
        all.extend(["--data", data, "--listen", "127.0.0.1:0"]);
        for setting in &self.settings {
            all.extend(["--set", setting]);
        }
        run_of(program, self.folder.path(), &all, &self.variables)
    }

    /// What a key is set to.
    pub fn setting(&self, key: &str) -> Option<&str> {
        let mut settings = self.settings.iter().rev();
        settings.find_map(|setting| setting.strip_prefix(key)?.strip_prefix('='))
    }

    /// Runs a command that has to end well, and answers what it said.
    pub fn done(&self, args: &[&str]) -> String {
        let ended = self.run(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:#?}");
        ended.out
    }

    /// Imports records, beside whatever serves.
    pub fn import(&self, records: &str) {
        self.import_into("commands", records);
    }

    /// Imports records into a data directory.
    pub fn import_into(&self, data: &str, records: &str) {
        std::fs::write(self.folder.path().join("records.jsonl"), records).unwrap();
        let ended = self.run_on(data, &["import", "records.jsonl"]);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
    }

    /// Imports the goods that many lines need.
    pub fn stock(&self) {
        self.import(&goods::lines(&goods::bulk()));
    }

    /// A process of the shop, with that data directory.
    pub fn launch(&self, data: &str) -> Launch {
        let launch = Launch::at(self.folder.path()).with_variables(&self.variables);
        let launch = launch.set(&format!("data={data}"));
        self.settings.iter().fold(launch, |launch, setting| launch.set(setting))
    }
}

/// Where a server of this machine listens: behind the last `@` or `//`, up to a path.
pub fn address(url: &str) -> SocketAddr {
    let behind = url.rsplit(['@', '/']).find(|part| part.contains(':')).unwrap_or_default();
    behind.parse().unwrap_or_else(|_| panic!("{url} has no address"))
}

/// Entities, products and control in Postgres.
pub fn on_postgres() -> Option<Ground> {
    let server = or_skip("Postgres", Postgres::start(Sync::Memory))?;
    let ground = Ground::new().set(format!("commerce.url={}", server.url()));
    let ground = ground.set("stores.entities=postgres").set("stores.products=postgres");
    Some(ground.keeping(server))
}

/// The profile for AWS: entities, products and control in DynamoDB, orders in Postgres, Redis
/// Cluster as the cache.
pub fn on_aws() -> Option<Ground> {
    let dynamodb = or_skip("the DynamoDB API", DynamoDb::start())?;
    let postgres = or_skip("Postgres", Postgres::start(Sync::Memory))?;
    let cluster = or_skip("Redis Cluster", RedisCluster::start())?;
    let ground = Ground::new().set("profile=aws").set(format!("cache.url={}", cluster.url()));
    let ground = ground.set(format!("commerce.url={}", postgres.url())).keeping(postgres);
    Some(ground.with_dynamodb(&dynamodb.endpoint()).keeping(dynamodb).keeping(cluster))
}

/// Entities in Redis, products and control in Postgres.
pub fn on_redis() -> Option<Ground> {
    let redis = or_skip("Redis", Redis::start())?;
    let postgres = or_skip("Postgres", Postgres::start(Sync::Memory))?;
    let ground = Ground::new().set(format!("commerce.url={}", postgres.url()));
    let ground = ground.set(format!("cache.url={}", redis.url())).set("cache.replicas=0");
    let ground = ground.set("stores.entities=redis").set("stores.products=postgres");
    Some(ground.set("cluster.control=postgres").keeping(redis).keeping(postgres))
}

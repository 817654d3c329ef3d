//! Each store with its server, and the rounds in pairs: each of ours stands between two of the
//! bare client's.

use std::sync::Arc;
use std::time::Duration;

use barrow_adapters::dynamodb::{
    Dynamo, DynamoEndpoint, DynamoEntityStore, DynamoProductStore, tables,
};
use barrow_adapters::embedded::{EmbeddedOptions, EmbeddedStore};
use barrow_adapters::postgres::{
    Postgres, PostgresEntityStore, PostgresOptions, PostgresProductStore,
};
use barrow_adapters::redis::{RedisEntityOptions, RedisEntityStore, RedisServers};
use barrow_engine::ports::EntityStore;
use barrow_servers::{ACCESS_KEY, REGION, SECRET_KEY};
use tokio::runtime::Runtime;

use super::bare::{BareDynamo, BarePostgres, BareRedis};
use super::catalog;
use super::crowd::{self, Ours, Round, Writes};
use super::disk;
use super::skip;
use crate::load::Target as _;
use crate::options::Options;
use crate::peers::PEER;
use crate::report::{Report, Target, median};
use crate::role;
use crate::server::Server;

/// As many writes in flight, each of another entity.
const ENTITIES: [usize; 2] = [64, 256];

/// Of the bare client's changes a second: what a store may cost at most.
const RATIO: Target = Target::AtLeast(0.85);

/// A round, at most: there are many of them.
const ROUND_MAX: Duration = Duration::from_secs(1);
const ROUND_QUICK: Duration = Duration::from_millis(400);

pub fn time(options: &Options) -> Duration {
    options.round().min(if options.quick { ROUND_QUICK } else { ROUND_MAX })
}

/// One of our rounds, and the bare one's right before and right after.
pub struct Pair {
    ours: Round,
    bare: [Round; 2],
}

impl Pair {
    fn bare(&self, figure: fn(&Round) -> f64) -> f64 {
        f64::midpoint(figure(&self.bare[0]), figure(&self.bare[1]))
    }

    fn ratio(&self, figure: fn(&Round) -> f64) -> f64 {
        figure(&self.ours) / self.bare(figure)
    }
}

pub fn pairs(
    options: &Options,
    ours: impl Fn() -> anyhow::Result<Round>,
    bare: impl Fn() -> anyhow::Result<Round>,
) -> anyhow::Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    // What is done the first time is done by both.
    ours()?;
    let mut before = bare()?;
    for _ in 0..options.rounds() {
        let ours = ours()?;
        let after = bare()?;
        pairs.push(Pair { ours, bare: [before, after] });
        before = after;
    }
    Ok(pairs)
}

/// What is counted, of ours and of the other's.
pub type Rates = [&'static str; 2];

const CHANGES: Rates = ["changes_per_s", "other_changes_per_s"];
pub const READS: Rates = ["reads_per_s", "other_reads_per_s"];

pub fn report(
    options: &Options,
    case: String,
    target: Option<Target>,
    rates: Rates,
    pairs: &[Pair],
) {
    let changes: fn(&Round) -> f64 = |round| round.changes_per_s;
    let cpu: fn(&Round) -> f64 = |round| round.cpu_ms_per_1000;
    let ratios = || pairs.iter().map(|pair| pair.ratio(changes));
    let report = Report::new(case);
    let report = match target {
        Some(target) => report.target("ratio", median(ratios()), target),
        None => report.figure("ratio", median(ratios())),
    };
    report
        .figure("cpu_ratio", median(pairs.iter().map(|pair| pair.ratio(cpu))))
        .figure("ratio_lowest", ratios().fold(f64::INFINITY, f64::min))
        .figure("ratio_highest", ratios().fold(0.0, f64::max))
        .figure(rates[0], median(pairs.iter().map(|pair| pair.ours.changes_per_s)))
        .figure(rates[1], median(pairs.iter().map(|pair| pair.bare(changes))))
        .figure("cpu_ms_per_1000", median(pairs.iter().map(|pair| pair.ours.cpu_ms_per_1000)))
        .figure("other_cpu_ms_per_1000", median(pairs.iter().map(|pair| pair.bare(cpu))))
        .print(options.form());
}

/// At each number of entities.
fn beside<W: Writes>(
    options: &Options,
    runtime: &Runtime,
    case: &str,
    ours: Arc<dyn EntityStore>,
    bare: W,
) -> anyhow::Result<()> {
    let (ours, bare, time) = (Arc::new(Ours(ours)), Arc::new(bare), time(options));
    for entities in ENTITIES {
        let ours = || runtime.block_on(crowd::round(&ours, entities, time));
        let bare = || runtime.block_on(crowd::round(&bare, entities, time));
        let pairs = pairs(options, ours, bare)?;
        report(options, format!("{case}, {entities} entities"), Some(RATIO), CHANGES, &pairs);
    }
    Ok(())
}

pub fn embedded(options: &Options, runtime: &Runtime) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(options.dir())?;
    let on_fatal = Box::new(|reason: &str| panic!("the store failed: {reason}"));
    let store = EmbeddedStore::open(&folder.path().join("store"), EmbeddedOptions::new(on_fatal))?;
    let (ours, time) = (Arc::new(Ours(store.entities())), time(options));
    for entities in ENTITIES {
        let bare = || disk::round(folder.path(), entities, time);
        let ours = || runtime.block_on(crowd::round(&ours, entities, time));
        let case = format!("embedded store / rows written and synced by one thread, {entities}");
        report(options, case, None, CHANGES, &pairs(options, ours, bare)?);
    }
    Ok(())
}

pub fn postgres(options: &Options, runtime: &Runtime) -> anyhow::Result<()> {
    let case = "Postgres store / sqlx, a statement a change";
    let server = match barrow_servers::Postgres::start_large(&options.dir()) {
        Ok(server) => server,
        Err(error) => {
            skip(options, case, &format!("{error:#}"));
            return Ok(());
        }
    };
    let defaults = PostgresOptions::default();
    let (ours, products, bare) = runtime.block_on(async {
        let ours = Postgres::connect(&server.url(), defaults).await?;
        let bare = BarePostgres::connect(&server.url(), defaults.connections_max).await?;
        anyhow::Ok((PostgresEntityStore::start(&ours), PostgresProductStore::new(&ours), bare))
    })?;
    let reads = BarePostgres(bare.0.clone());
    beside(options, runtime, case, Arc::new(ours), bare)?;
    let case = "product in Postgres / sqlx, a SELECT of its row";
    catalog::stored(options, runtime, case, Arc::new(products), reads)
}

pub fn redis(options: &Options, runtime: &Runtime) -> anyhow::Result<()> {
    let case = "Redis store / fred, an EVALSHA a change";
    let server = match barrow_servers::Redis::start() {
        Ok(server) => server,
        Err(error) => {
            skip(options, case, &format!("{error:#}"));
            return Ok(());
        }
    };
    let servers = RedisServers::from_url(&server.url(), None)?;
    let (ours, bare) = runtime.block_on(async {
        let ours = RedisEntityStore::connect(&servers, RedisEntityOptions::new("ours")).await?;
        anyhow::Ok((ours, BareRedis::connect(&server.url()).await?))
    })?;
    beside(options, runtime, case, Arc::new(ours), bare)?;
    catalog::cached(options, runtime, &server.url())
}

pub fn dynamodb(options: &Options, runtime: &Runtime) -> anyhow::Result<()> {
    let case = "DynamoDB store / the SDK, a PutItem a change (dynoxide)";
    // A process of its own: what it takes is not the client's.
    let mut command = role("peer")?;
    command.env(PEER, "dynamodb");
    let server = Server::start(command)?;
    let url = format!("http://{}", server.address());
    let (ours, products, bare) = runtime.block_on(async {
        let endpoint = DynamoEndpoint {
            url: &url,
            region: REGION,
            access_key: ACCESS_KEY,
            secret_key: SECRET_KEY,
        };
        let dynamo = Dynamo::at(endpoint, "bench-").await;
        tables::create(&dynamo).await?;
        let bare = BareDynamo::new(&url, "bench-entities".to_owned());
        let products = DynamoProductStore::new(dynamo.clone());
        anyhow::Ok((DynamoEntityStore::new(dynamo), products, bare))
    })?;
    let reads = catalog::bare_item(&bare, "bench-products");
    beside(options, runtime, case, Arc::new(ours), bare)?;
    let case = "product in DynamoDB / the SDK, a GetItem (dynoxide)";
    catalog::stored(options, runtime, case, Arc::new(products), reads)
}

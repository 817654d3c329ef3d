//! What a shopper can still do while something that the shop stands on is away, slow or half
//! broken: each cell of the table in `docs/operations/degraded-modes.md`, as it stands there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use barrow_servers::{
    BlackHole, DynamoDb, Each, Fault, FaultProxy, Postgres, Redis, Sync, or_skip,
};
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use rustix::process::Signal;
use serde_json::json;

use super::ground::{Ground, address};
use super::shoppers::tells_when_to_come_back;
use crate::support::client::{Call, Client, list, number};
use crate::support::goods;

const PAGE: &str = "docs/operations/degraded-modes.md";

/// Nobody waits longer for an answer, whatever it is: a write is repeated for six seconds, and its
/// last try may take some more.
const ANSWER_MAX: Duration = Duration::from_secs(12);

/// From a fault to what the table says of it: a lease runs out meanwhile.
const SETTLES_MAX: Duration = Duration::from_secs(20);

/// Rounds that have to be as the table says, one after the other.
const ROUNDS: usize = 3;

const ROUND_PAUSE: Duration = Duration::from_millis(200);

/// How each of them is broken: down, hung, slow, half.
const WAYS: usize = 4;

const SKU: &str = "BULK-0001";

/// A row of the table.
struct Row {
    /// `Entity store: Postgres`.
    what: String,
    /// `down`, `hung`, `slow` or `half`.
    how: String,
    /// What may be answered, by the head of the column: `200`, `503 unavailable`.
    allowed: BTreeMap<String, BTreeSet<String>>,
    well_within: Duration,
}

fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_matches('|');
    line.split('|').map(|cell| cell.trim().replace('`', "")).collect()
}

/// The rows of the page's table.
fn table() -> Vec<Row> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join(PAGE)).unwrap();
    let mut lines = page.lines().skip_while(|line| !line.starts_with("| What |"));
    let heads = cells(lines.next().expect("there is a table"));
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|line| {
        let cells = cells(line);
        assert_eq!(cells.len(), heads.len(), "{line}");
        let (first, last) = (cells[..2].to_vec(), cells.last().unwrap());
        let well_within = Duration::from_secs(last.trim_end_matches(" s").parse().unwrap());
        let [what, how] = first.try_into().unwrap();
        let middle = heads.iter().zip(&cells).skip(2).take(cells.len() - 3);
        let allowed = middle
            .map(|(head, cell)| (head.clone(), cell.split(" or ").map(str::to_owned).collect()))
            .collect();
        Row { what, how, allowed, well_within }
    })
    .collect()
}

fn fault(how: &str) -> Fault {
    match how {
        "down" => Fault::Cut,
        "hung" => Fault::BlackHole(BlackHole::All),
        "slow" => {
            Fault::Latency { each: Duration::from_millis(100), jitter: Duration::from_millis(50) }
        }
        "half" => Fault::HalfFail { each: Each::Connection, seed: 7 },
        _ => panic!("{how} is no fault"),
    }
}

/// A running shop, and the network before what it stands on.
struct Shop {
    url: String,
    server: barrow_tests::server::Server,
    proxies: Vec<(&'static str, FaultProxy)>,
    /// Who comes all the time: what he asks for is in memory.
    regular: Client,
    cart: String,
    /// Who came before the process was started, and has not been seen since.
    others: Vec<(Client, String)>,
    /// Units that the regular sent for, and those he was told he has.
    sent: u64,
    acknowledged: u64,
    _ground: Ground,
}

impl Shop {
    async fn open(ground: Ground, proxies: Vec<(&'static str, FaultProxy)>) -> Shop {
        let folder = "first";
        ground.import_into(folder, &goods::lines(&goods::bulk()));
        let start = |ground: &Ground| {
            let launch = ground.launch(folder);
            tokio::task::spawn_blocking(|| launch.start())
        };
        let server = start(&ground).await.unwrap();
        let mut carts = Vec::new();
        for _ in 0..=proxies.len() * WAYS {
            let guest = Client::of(&server.url).guest().await;
            let cart = guest.cart().await;
            cart.add(SKU, 1).ok().await;
            carts.push((guest, cart.path));
        }
        let ended = tokio::task::spawn_blocking(|| server.stop()).await.unwrap();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let server = start(&ground).await.unwrap();
        let url = server.url.clone();
        let mut others: Vec<(Client, String)> = carts
            .into_iter()
            .map(|(guest, cart)| (Client::of(&url).with_token(&guest.token.unwrap()), cart))
            .collect();
        let (regular, cart) = others.pop().unwrap();
        let (sent, acknowledged, _ground) = (1, 1, ground);
        Shop { url, server, proxies, regular, cart, others, sent, acknowledged, _ground }
    }

    /// One of each thing that shoppers do, all at once; answers by the heads of the columns.
    async fn round(&mut self, cell: usize, other: &(Client, String)) -> BTreeMap<String, String> {
        let regular = &self.regular;
        let anonymous = Client::of(&self.url);
        let add = json!({"sku": SKU, "quantity": 1});
        let unseen = format!("/v1/products/bulk-{:02}", cell + 2);
        let calls: [(&str, Call); 10] = [
            ("Shop, lists", regular.get("/v1/products?limit=5")),
            ("Product seen", regular.get("/v1/products/bulk-00")),
            ("Product unseen", regular.get(&unseen)),
            ("Cart in use", regular.get(&self.cart)),
            ("Cart of before", other.0.get(&other.1)),
            ("Change a cart", regular.post(&format!("{}/lines", self.cart), add)),
            ("Open a session", anonymous.post("/v1/sessions", json!({}))),
            ("Open a cart", regular.post("/v1/carts", json!({}))),
            ("Resume", other.0.get("/v1/sessions/current")),
            ("/readyz", anonymous.get("/readyz")),
        ];
        let calls = calls.map(|(head, call)| answer(head, call));
        let mut answers: BTreeMap<String, String> =
            join_all(calls).await.into_iter().flatten().collect();
        self.sent += 1;
        self.acknowledged += u64::from(answers["Change a cart"] == "200");
        answers.entry("X-Degraded".to_owned()).or_insert_with(|| "no".to_owned());
        answers
    }

    /// One row of the table.
    async fn suffer(&mut self, cell: usize, row: &Row) {
        let name = format!("{} {}", row.what, row.how);
        let other = self.others.pop().expect("there is one for each row");
        let proxy = self.proxies.iter().position(|(what, _)| *what == row.what).unwrap();
        // All is well, and what the regular asks for is in memory.
        self.until_well(&name, cell, Duration::from_secs(20), None).await;
        self.proxies[proxy].1.set(fault(&row.how));
        let began = Instant::now();
        let mut fitting = 0;
        let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        while fitting < ROUNDS {
            let answers = self.round(cell, &other).await;
            let fits = |(head, answer): (&String, &String)| row.allowed[head].contains(answer);
            fitting = if answers.iter().all(fits) { fitting + 1 } else { 0 };
            for (head, answer) in &answers {
                // A write that was under way when the lease ran out is told to ask again.
                let caught = row.what.starts_with("Control table")
                    && answer.as_str() == "503 outcome_unknown";
                let on_the_way = is_well(answer) || row.allowed[head].contains(answer) || caught;
                assert!(on_the_way, "{name}: {head}: {answer} is not in the table");
                seen.entry(head.clone()).or_default().insert(answer.clone());
            }
            let late = began.elapsed() > SETTLES_MAX;
            assert!(!late || fitting > 0, "{name}: not as the table says: {seen:#?} {answers:#?}");
            tokio::time::sleep(ROUND_PAUSE).await;
        }
        let settled = began.elapsed();
        self.proxies[proxy].1.set(Fault::None);
        let well = self.until_well(&name, cell, row.well_within, Some(&other)).await;
        println!("{name}: as in the table after {settled:.1?}, well again after {well:.1?}");
        assert!(self.server.is_alive(), "{name}: {}", self.server.said());
        assert!(!self.server.said().contains("panicked"), "{name}: {}", self.server.said());
    }

    /// Waits until everything is answered as on any day.
    async fn until_well(
        &mut self,
        name: &str,
        cell: usize,
        within: Duration,
        other: Option<&(Client, String)>,
    ) -> Duration {
        let own = (self.regular.clone(), self.cart.clone());
        let began = Instant::now();
        loop {
            // Before a fault nobody looks at what has to be unseen.
            let (cell, other) = match other {
                Some(other) => (cell, other),
                None => (0, &own),
            };
            let answers = self.round(cell, other).await;
            if answers.values().all(|answer| is_well(answer)) {
                return began.elapsed();
            }
            assert!(began.elapsed() < within, "{name}: not well again: {answers:#?}");
            tokio::time::sleep(ROUND_PAUSE).await;
        }
    }

    /// What was acknowledged is there, and nothing that was never sent.
    async fn close(self) {
        let cart = self.regular.read(&self.cart).await;
        let units = number(&list(&cart["lines"])[0]["quantity"]) as u64;
        let range = self.acknowledged..=self.sent;
        assert!(range.contains(&units), "{units} units of {range:?}");
        self.server.signal(Signal::TERM);
    }
}

fn is_well(answer: &str) -> bool {
    matches!(answer, "200" | "201" | "no")
}

/// The status and the problem's code, and what `X-Degraded` says if anything.
async fn answer(head: &'static str, call: Call) -> Vec<(String, String)> {
    let began = Instant::now();
    let reply = call.send_unchecked().await;
    let took = began.elapsed();
    assert!(took < ANSWER_MAX, "{head}: an answer after {took:?}: {reply:#?}");
    let status = reply.status.to_string();
    let answer = match reply.status {
        200 | 201 => status,
        _ => {
            tells_when_to_come_back(&reply);
            format!("{status} {}", reply.json()["code"].as_str().unwrap())
        }
    };
    let mut answers = vec![(head.to_owned(), answer)];
    let degraded = reply.header("x-degraded");
    if !degraded.is_empty() {
        answers.push(("X-Degraded".to_owned(), degraded.to_owned()));
    }
    answers
}

/// All rows of what lies behind the shop's proxies.
async fn suffer_all(mut shop: Shop, rows: &[Row]) -> usize {
    let names: Vec<&str> = shop.proxies.iter().map(|(name, _)| *name).collect();
    let mut cell = 0;
    for row in rows.iter().filter(|row| names.contains(&&*row.what)) {
        cell += 1;
        shop.suffer(cell, row).await;
    }
    assert_eq!(cell, names.len() * WAYS, "each in each way: {names:?}");
    shop.close().await;
    cell
}

fn through(what: &'static str, url: &str) -> (String, (&'static str, FaultProxy)) {
    let server = address(url);
    let proxy = FaultProxy::start(server);
    (url.replace(&server.to_string(), &proxy.address().to_string()), (what, proxy))
}

/// Shops whose parts lie on servers of different kinds, so that one part fails and no other.
fn shops(postgres: &str, dynamodb: &str, redis: &str) -> Vec<BoxFuture<'static, Shop>> {
    let (at, entities_pg) = through("Entity store: Postgres", postgres);
    let (endpoint, control_dynamo) = through("Control table: DynamoDB", dynamodb);
    let first = Ground::new()
        .set(format!("commerce.url={}", at.replace("/postgres", "/first")))
        .set("stores.entities=postgres")
        .set("cluster.control=dynamodb")
        .set("dynamodb.table_prefix=first-")
        .with_dynamodb(&endpoint);
    first.done(&["setup", "aws"]);
    let (at, control_pg) = through("Control table: Postgres", postgres);
    let (endpoint, entities_dynamo) = through("Entity store: DynamoDB", dynamodb);
    let second = Ground::new()
        .set(format!("commerce.url={}", at.replace("/postgres", "/second")))
        .set("stores.entities=dynamodb")
        .set("cluster.control=postgres")
        .set("dynamodb.table_prefix=second-")
        .with_dynamodb(&endpoint);
    second.done(&["setup", "aws"]);
    let (at, entities_redis) = through("Entity store: Redis", redis);
    let third = Ground::new()
        .set(format!("commerce.url={}", postgres.replace("/postgres", "/third")))
        .set(format!("cache.url={at}"))
        .set("cache.replicas=0")
        .set("stores.entities=redis")
        .set("cluster.control=postgres");
    let (at, products_pg) = through("Product store: Postgres", postgres);
    let (cached, cache) = through("Cache: Redis", redis);
    let fourth = Ground::new()
        .set(format!("commerce.url={}", at.replace("/postgres", "/fourth")))
        .set(format!("cache.url={cached}"))
        .set("stores.products=postgres");
    let (endpoint, products_dynamo) = through("Product store: DynamoDB", dynamodb);
    let fifth = Ground::new()
        .set("stores.products=dynamodb")
        .set("stores.commerce=sqlite")
        .set("dynamodb.table_prefix=fifth-")
        .with_dynamodb(&endpoint);
    fifth.done(&["setup", "aws"]);
    vec![
        Shop::open(first, vec![entities_pg, control_dynamo]).boxed(),
        Shop::open(second, vec![entities_dynamo, control_pg]).boxed(),
        Shop::open(third, vec![entities_redis]).boxed(),
        Shop::open(fourth, vec![products_pg, cache]).boxed(),
        Shop::open(fifth, vec![products_dynamo]).boxed(),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cell_of_the_table_of_degraded_modes() {
    let Some(postgres) = or_skip("Postgres", Postgres::start(Sync::Memory)) else { return };
    let Some(dynamodb) = or_skip("the DynamoDB API", DynamoDb::start()) else { return };
    let Some(redis) = or_skip("Redis", Redis::start()) else { return };
    for name in ["first", "second", "third", "fourth"] {
        postgres.sql(&format!("CREATE DATABASE {name}")).unwrap();
    }
    let rows = table();
    let (at, endpoint, cache) = (postgres.url(), dynamodb.endpoint(), redis.url());
    let shops = tokio::task::spawn_blocking(move || shops(&at, &endpoint, &cache)).await.unwrap();
    let suffering = shops.into_iter().map(async |shop| suffer_all(shop.await, &rows).await);
    let proven: usize = join_all(suffering).await.into_iter().sum();
    assert_eq!(proven, rows.len(), "each row of the table belongs to a shop");
}

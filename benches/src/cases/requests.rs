//! Requests to the shop, beside the same requests to the limit.

use crate::limit;
use crate::load::{Figures, Requests, Target};
use crate::options::{Case, Options};
use crate::process::written_bytes;
use crate::report::{Report, Target as Bound, median};
use crate::server::Server;
use crate::shop::Shop;

use super::paired::{Pairs, Side};

/// At a rate there are always enough connections: what waits shall wait in the server.
const OPEN_CONNECTIONS: usize = 256;

pub fn run(options: &Options, runtime: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    let cases = [Case::Add64, Case::Add256, Case::Hot, Case::Get, Case::Page, Case::Half];
    if !options.wants_any(&cases) {
        return Ok(());
    }
    let shop = runtime.block_on(Shop::start(&options.dir(), options.rounds()))?;
    let limit = limit::start(&runtime.block_on(shop.samples())?)?;
    let cases = Cases { options, shop, limit };
    cases.add(Case::Add64, 64)?;
    cases.add(Case::Add256, 256)?;
    cases.hot()?;
    cases.get()?;
    cases.page()?;
    cases.half()
}

struct Cases<'a> {
    options: &'a Options,
    shop: Shop,
    limit: Server,
}

type Sent<'a> = &'a dyn Fn(usize) -> anyhow::Result<Requests>;

impl Cases<'_> {
    fn add(&self, case: Case, connections: usize) -> anyhow::Result<()> {
        if !self.options.wants(case) {
            return Ok(());
        }
        let before = self.writes()?;
        let pairs = self.beside_limit(connections, &|round| self.shop.adds(round))?;
        let (bytes, syncs) = before.each_until(&self.writes()?);
        let name = format!("add to 10,000 carts / bare axum, {connections} connections");
        pairs
            .report(&name, Bound::AtLeast(0.70), Some(Bound::AtMost(1.5)))
            .figure("written_bytes_per_change", bytes)
            .figure("syncs_per_change", syncs)
            .print(self.options.form());
        Ok(())
    }

    fn hot(&self) -> anyhow::Result<()> {
        if !self.options.wants(Case::Hot) {
            return Ok(());
        }
        let (hot, distinct) = (|round| self.shop.hot_adds(round), |round| self.shop.adds(round));
        let ours = Side { server: &self.shop, requests: &hot, connections: 64 };
        let theirs = Side { server: &self.shop, requests: &distinct, connections: 64 };
        let pairs = self.measure(&ours, &theirs)?;
        let name = "add to one cart without keys / add to 10,000 carts, 64 connections";
        pairs.report(name, Bound::AtLeast(0.7), None).print(self.options.form());
        Ok(())
    }

    fn get(&self) -> anyhow::Result<()> {
        if !self.options.wants(Case::Get) {
            return Ok(());
        }
        let pairs = self.beside_limit(64, &|round| self.shop.gets(round))?;
        let name = "get cart / bare axum GET, 64 connections";
        pairs.report(name, Bound::AtLeast(0.85), None).print(self.options.form());
        Ok(())
    }

    fn page(&self) -> anyhow::Result<()> {
        if !self.options.wants(Case::Page) {
            return Ok(());
        }
        let pairs = self.beside_limit(64, &|_| self.shop.pages())?;
        let name = "product page / bare axum GET, 64 connections";
        pairs.report(name, Bound::AtLeast(0.8), None).print(self.options.form());
        Ok(())
    }

    /// The peak is measured right before each round at half of it. The limit at the same rate
    /// shows how much of it is the machine's and the generator's.
    fn half(&self) -> anyhow::Result<()> {
        if !self.options.wants(Case::Half) {
            return Ok(());
        }
        let (mut rounds, mut limits) = (Vec::new(), Vec::new());
        for round in 0..self.options.rounds() {
            let adds = self.shop.adds(round)?;
            let peak = adds.closed(&self.shop, 64, self.options.round())?.rate();
            let time = self.options.round();
            rounds.push(adds.open(&self.shop, OPEN_CONNECTIONS, time, peak / 2.0)?);
            limits.push(adds.open(&self.limit, OPEN_CONNECTIONS, time, peak / 2.0)?);
        }
        let middle = |figure: fn(&Figures) -> f64| median(rounds.iter().map(figure));
        Report::new("add to 10,000 carts at half of the peak, open loop")
            .target("p99_ms", middle(|f| f.p99_us) / 1_000.0, Bound::AtMost(3.0))
            .figure("p50_ms", middle(|f| f.p50_us) / 1_000.0)
            .figure("p999_ms", middle(|f| f.p999_us) / 1_000.0)
            .figure("requests_per_s", middle(Figures::rate))
            .figure("cpu_ms_per_1000", middle(Figures::cpu_ms_per_1000))
            .figure("generator_cores", middle(Figures::generator_cores))
            .figure("other_p99_ms", median(limits.iter().map(|f| f.p99_us)) / 1_000.0)
            .print(self.options.form());
        Ok(())
    }

    fn beside_limit(&self, connections: usize, requests: Sent<'_>) -> anyhow::Result<Pairs> {
        let ours = Side { server: &self.shop, requests, connections };
        let theirs = Side { server: &self.limit, requests, connections };
        self.measure(&ours, &theirs)
    }

    fn writes(&self) -> anyhow::Result<Writes> {
        Ok(Writes {
            bytes: written_bytes(&self.options.dir())?,
            syncs: self.shop.metric("barrow_entity_store_commits_total")?,
            changes: self.shop.metric("barrow_cart_commands_total")?,
        })
    }

    fn measure<A: Target, B: Target>(
        &self,
        ours: &Side<'_, A>,
        theirs: &Side<'_, B>,
    ) -> anyhow::Result<Pairs> {
        Pairs::measure(ours, theirs, self.options.rounds(), self.options.round())
    }
}

/// What has been written so far.
struct Writes {
    bytes: f64,
    syncs: f64,
    changes: f64,
}

impl Writes {
    /// Bytes and syncs per change since then.
    fn each_until(&self, later: &Writes) -> (f64, f64) {
        let changes = later.changes - self.changes;
        ((later.bytes - self.bytes) / changes, (later.syncs - self.syncs) / changes)
    }
}

//! Requests to the shop, beside the same requests to the limit.

use crate::limit;
use crate::options::{Case, Options};
use crate::report::Target;
use crate::server::Server;
use crate::shop::Shop;

use super::paired::{Pairs, Side};

pub fn run(options: &Options, runtime: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    let cases = [Case::Add64, Case::Add256, Case::Hot, Case::Get];
    if !cases.iter().any(|case| options.wants(*case)) {
        return Ok(());
    }
    let shop = runtime.block_on(Shop::start(&options.dir(), options.rounds()))?;
    let limit = limit::start(&runtime.block_on(shop.samples())?)?;
    let cases = Cases { options, shop, limit };
    cases.add(Case::Add64, 64)?;
    cases.add(Case::Add256, 256)?;
    cases.hot()?;
    cases.get()
}

struct Cases<'a> {
    options: &'a Options,
    shop: Shop,
    limit: Server,
}

impl Cases<'_> {
    fn add(&self, case: Case, connections: usize) -> anyhow::Result<()> {
        if !self.options.wants(case) {
            return Ok(());
        }
        let requests = |round| self.shop.adds(round);
        let ours = Side { server: &self.shop, requests: &requests, connections };
        let theirs = Side { server: &self.limit, requests: &requests, connections };
        let pairs = self.measure(&ours, &theirs)?;
        let name = format!("add to 10,000 carts / bare axum, {connections} connections");
        let cpu = Some(Target::AtMost(1.5));
        pairs.report(&name, Target::AtLeast(0.70), cpu).print(self.options.json);
        Ok(())
    }

    fn hot(&self) -> anyhow::Result<()> {
        if !self.options.wants(Case::Hot) {
            return Ok(());
        }
        let hot = |round| self.shop.hot_adds(round);
        let distinct = |round| self.shop.adds(round);
        let ours = Side { server: &self.shop, requests: &hot, connections: 64 };
        let theirs = Side { server: &self.shop, requests: &distinct, connections: 64 };
        let pairs = self.measure(&ours, &theirs)?;
        let name = "add to one cart without keys / add to 10,000 carts, 64 connections";
        pairs.report(name, Target::AtLeast(0.7), None).print(self.options.json);
        Ok(())
    }

    fn get(&self) -> anyhow::Result<()> {
        if !self.options.wants(Case::Get) {
            return Ok(());
        }
        let requests = |round| self.shop.gets(round);
        let ours = Side { server: &self.shop, requests: &requests, connections: 64 };
        let theirs = Side { server: &self.limit, requests: &requests, connections: 64 };
        let pairs = self.measure(&ours, &theirs)?;
        let name = "get cart / bare axum GET, 64 connections";
        pairs.report(name, Target::AtLeast(0.85), None).print(self.options.json);
        Ok(())
    }

    fn measure<A, B>(&self, ours: &Side<'_, A>, theirs: &Side<'_, B>) -> anyhow::Result<Pairs>
    where
        A: crate::load::Target,
        B: crate::load::Target,
    {
        Pairs::measure(ours, theirs, self.options.rounds(), self.options.round())
    }
}

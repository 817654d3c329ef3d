//! Overload in figures, each beside its target.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;
use tempfile::TempDir;

use super::carts::Carts;
use super::client::{Connection, stall};
use super::rounds::{self, Pick, Round, next_key};
use super::shop::{BREAKING, Slowness, UNREADABLE};
use super::watch::watch;
use crate::server::{Launch, Server};

/// About 3,000 writes a second: a write holds one of the permits for 10 ms, and a bit.
const SLOWNESS: Slowness = Slowness { permits: 34, delay: Duration::from_millis(10) };
const CARTS: usize = 10_000;
const SKUS: usize = 50;
/// Clients that find the peak: enough that a permit is never free.
const PEAK_CLIENTS: usize = 128;
const FACTORS: [f64; 3] = [2.0, 5.0, 10.0];
/// What everyday load is, of the peak.
const EVERYDAY: f64 = 0.4;

const GOODPUT_MIN: f64 = 0.9;
const REFUSED_MS_MAX: f64 = 10.0;
/// What the limits allow: the tables that the store fills in memory before it writes them, 100 MiB;
/// 4,000 connections and 2,048 requests of 20 KiB each, 120 MiB.
const GROWTH_MIB_MAX: f64 = 220.0;
const RECOVERED_S_MAX: f64 = 10.0;
const ISOLATION_MAX: f64 = 1.2;
/// Normal is within this of the 99th percentile before.
const NORMAL_MAX: f64 = 1.5;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Whole,
    Quick,
    /// What one cart's trouble does to others, and that often enough to tell it from noise.
    Isolation,
}

/// How long, and how often.
struct Plan {
    overload: Duration,
    recovery: Duration,
    isolation: Duration,
    pairs: usize,
}

impl Plan {
    fn of(extent: Extent) -> Plan {
        let (overload, recovery, isolation, pairs) = match extent {
            Extent::Whole => (10, 8, 5, 5),
            Extent::Quick => (5, 5, 3, 3),
            Extent::Isolation => (0, 0, 4, 15),
        };
        let seconds = Duration::from_secs;
        let (overload, recovery, isolation) =
            (seconds(overload), seconds(recovery), seconds(isolation));
        Plan { overload, recovery, isolation, pairs }
    }
}

/// Measures it, and fails where a target is missed.
pub fn measure(extent: Extent) -> anyhow::Result<()> {
    let plan = Plan::of(extent);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut report = Report::default();
    runtime.block_on(async {
        let shop = Shop::start().await?;
        if extent != Extent::Isolation {
            overload(&shop, &plan, &mut report).await?;
        }
        isolation(&shop, &plan, &mut report).await
    })?;
    ensure!(report.missed == 0, "{} targets were missed", report.missed);
    Ok(())
}

#[derive(Default)]
struct Report {
    missed: usize,
}

impl Report {
    fn figure(&self, name: &str, value: f64, unit: &str) {
        println!("{name:52} {value:10.2} {unit}");
    }

    fn target(&mut self, name: &str, value: f64, unit: &str, target: &str, is_met: bool) {
        let verdict = if is_met { "" } else { "   MISSED" };
        println!("{name:52} {value:10.2} {unit:6} target {target}{verdict}");
        self.missed += usize::from(!is_met);
    }

    fn at_most(&mut self, name: &str, value: f64, unit: &str, max: f64) {
        self.target(name, value, unit, &format!("<= {max}"), value <= max);
    }

    fn at_least(&mut self, name: &str, value: f64, unit: &str, min: f64) {
        self.target(name, value, unit, &format!(">= {min}"), value >= min);
    }
}

struct Shop {
    server: Server,
    carts: Carts,
    _folder: TempDir,
}

impl Shop {
    async fn start() -> anyhow::Result<Shop> {
        let folder = tempfile::tempdir()?;
        let program = std::env::current_exe()?;
        stock_up(&program, folder.path())?;
        let launch = Launch::of(&program, folder.path(), SLOWNESS.args());
        let server = launch.without_backtraces().start();
        let skus: Vec<String> = (0..SKUS).map(sku).collect();
        let carts = Carts::open(server.address().parse()?, CARTS, &skus).await?;
        Ok(Shop { server, carts, _folder: folder })
    }

    /// An add to each cart from `from` on in turn.
    fn adds(&self, from: usize) -> Box<Pick> {
        let carts = self.carts.clone();
        Box::new(move |due| {
            let cart = from + due as usize % (carts.len() - from);
            (cart, carts.get(cart).add(Some(next_key())))
        })
    }

    async fn send(&self, request: Vec<u8>) -> anyhow::Result<u16> {
        let mut connection = Connection::open(self.carts.address).await?;
        Ok(connection.send(&request).await?.status)
    }
}

fn sku(n: usize) -> String {
    format!("SKU-{n:03}")
}

fn stock_up(program: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut records = String::new();
    for n in 0..SKUS {
        let price = json!({"amount": {"amount": 500 + n, "currency": "EUR"}});
        let product = json!({
            "type": "product", "slug": format!("product-{n}"), "title": format!("Product {n}"),
            "status": "active",
            "variants": [{"sku": sku(n), "prices": [price], "on_hand": 1_000_000}],
        });
        writeln!(records, "{product}")?;
    }
    std::fs::write(folder.join("catalog.jsonl"), records)?;
    let mut import = Command::new(program);
    let status = import.args(["import", "catalog.jsonl"]).current_dir(folder).status()?;
    ensure!(status.success(), "the catalog could not be imported");
    Ok(())
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn p99(round: &Round) -> f64 {
    round.percentile_ms(99.0, |sent| sent.status == 200)
}

fn ensure_sound(round: &Round) -> anyhow::Result<()> {
    let wrong = round.wrong.first();
    ensure!(wrong.is_none(), "{} wrong replies: {wrong:?}", round.wrong.len());
    Ok(())
}

async fn overload(shop: &Shop, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    // The first round wakes the carts and grows what has to grow.
    rounds::closed(&shop.carts, PEAK_CLIENTS, plan.overload / 2).await?;
    let peak = rounds::closed(&shop.carts, PEAK_CLIENTS, plan.overload).await?;
    ensure_sound(&peak)?;
    let everyday = peak.goodput() * EVERYDAY;
    let before = rounds::open(&shop.carts, everyday, plan.overload / 2, &*shop.adds(0)).await;
    ensure_sound(&before)?;
    report.figure("peak", peak.goodput(), "/s");
    report.figure("p99 at the peak", p99(&peak), "ms");
    report.figure("p99 at 40 % of the peak", p99(&before), "ms");
    let resident = shop.server.resident_bytes();
    report.figure("resident before", mib(resident), "MiB");
    for factor in FACTORS {
        let rate = peak.goodput() * factor;
        let adds = shop.adds(0);
        let round = rounds::open(&shop.carts, rate, plan.overload, &*adds);
        let (seen, round) = watch(&shop.server, round).await;
        let after = rounds::open(&shop.carts, everyday, plan.recovery, &*adds).await;
        ensure_sound(&round)?;
        println!("-- {factor} times the peak");
        let name = |what: &str| format!("{factor}x: {what}");
        report.figure(&name("sent"), round.sent.len() as f64 / round.lasted.as_secs_f64(), "/s");
        report.figure(&name("due, and no connection free"), round.unsent as f64, "");
        let share = round.goodput() / peak.goodput();
        report.at_least(&name("goodput / peak"), share, "", GOODPUT_MIN);
        report.figure(&name("accepted, p99"), p99(&round), "ms");
        for ((status, code), count) in &round.refusals {
            report.figure(&name(&format!("refused: {status} {code}")), *count as f64, "");
        }
        let refused = |at| round.percentile_ms(at, |sent| matches!(sent.status, 429 | 503));
        report.figure(&name("refused within, p50"), refused(50.0), "ms");
        report.at_most(&name("refused within, p99"), refused(99.0), "ms", REFUSED_MS_MAX);
        report.figure(&name("in flight at most"), seen.in_flight as f64, "");
        let growth = mib(seen.resident_bytes.saturating_sub(resident));
        report.at_most(&name("resident more than before"), growth, "MiB", GROWTH_MIB_MAX);
        let recovered = recovery(&after, p99(&before)).unwrap_or(f64::INFINITY);
        let recovered = round.end().as_secs_f64() + recovered;
        report.at_most(&name("normal again after"), recovered, "s", RECOVERED_S_MAX);
    }
    let wrong = shop.carts.wrong(0).await?;
    report.figure("adds acknowledged so far", shop.carts.acknowledged() as f64, "");
    report.at_most("carts that are not as was told", wrong.len() as f64, "", 0.0);
    Ok(())
}

/// When everything is as before, for a second from then on, in seconds since the round began.
fn recovery(after: &Round, p99_ms: f64) -> Option<f64> {
    const STEP: Duration = Duration::from_millis(250);
    let is_normal = |from: Duration| {
        let window = from..from + Duration::from_secs(1);
        let inside = || after.sent.iter().filter(|sent| window.contains(&sent.at));
        let within = |sent: &rounds::Sent| window.contains(&sent.at);
        inside().all(|sent| sent.status == 200)
            && after.percentile_ms(99.0, within) <= p99_ms * NORMAL_MAX
    };
    let steps = (0..).map(|step| STEP * step);
    let mut steps = steps.take_while(|from| *from + Duration::from_secs(1) <= after.lasted);
    steps.find(|from| is_normal(*from)).map(|from| from.as_secs_f64())
}

/// Carts that make trouble; the others come after them.
const TROUBLED: usize = 3;
const HOT: usize = 0;
/// Requests a second to a cart that makes trouble.
const TROUBLE_RATE: f64 = 1_000.0;
const STALLED_READERS: usize = 8;

async fn isolation(shop: &Shop, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    println!("-- one cart's trouble, at 40 % of the peak; p99 of the others");
    let peak = rounds::closed(&shop.carts, PEAK_CLIENTS, plan.isolation).await?;
    let everyday = peak.goodput() * EVERYDAY;
    let mut stalled = Vec::new();
    let hot = |carts: &Carts, _| (HOT, carts.get(HOT).add(None));
    compare(shop, plan, report, "hot cart", everyday, TROUBLE_RATE, hot).await?;
    for (cart, mark) in [(1, UNREADABLE), (2, BREAKING)] {
        let status = shop.send(shop.carts.get(cart).set_contact(mark)).await?;
        ensure!(status == 503, "the mark was answered by {status}");
    }
    let poisoned = |carts: &Carts, due| {
        let cart = 1 + due as usize % 2;
        (cart, carts.get(cart).add(None))
    };
    compare(shop, plan, report, "poisoned carts", everyday, TROUBLE_RATE, poisoned).await?;
    for _ in 0..STALLED_READERS {
        let events = shop.carts.get(HOT).events();
        stalled.push(stall(shop.carts.address, &events).await.context("a stream")?);
    }
    compare(shop, plan, report, "stalled readers", everyday, TROUBLE_RATE / 5.0, hot).await?;
    let wrong = shop.carts.wrong(TROUBLED).await?;
    report.at_most("carts that are not as was told", wrong.len() as f64, "", 0.0);
    Ok(())
}

/// The others' 99th percentile with trouble beside that without, in turns.
async fn compare(
    shop: &Shop,
    plan: &Plan,
    report: &mut Report,
    name: &str,
    everyday: f64,
    trouble: f64,
    asks: impl Fn(&Carts, u64) -> (usize, Vec<u8>) + Send + Sync + Copy + 'static,
) -> anyhow::Result<()> {
    let (mut ratios, mut alone, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    let total = everyday + trouble;
    for _ in 0..plan.pairs {
        let others = shop.adds(TROUBLED);
        let calm = rounds::open(&shop.carts, everyday, plan.isolation, &*others).await;
        let carts = shop.carts.clone();
        // Evenly mixed: the share of the others goes up by one at each of their turns.
        let turn = move |due: u64| (due as f64 * everyday / total) as u64;
        let mixed = move |due: u64| match turn(due) > turn(due - 1) {
            true => others(turn(due)),
            false => asks(&carts, due),
        };
        let troubled = rounds::open(&shop.carts, total, plan.isolation, &mixed).await;
        ensure_sound(&calm)?;
        ensure_sound(&troubled)?;
        let of_others = |round: &Round| round.percentile_ms(99.0, |sent| sent.cart >= TROUBLED);
        let refused = troubled.sent.iter().filter(|s| s.cart >= TROUBLED && s.status != 200);
        ensure!(refused.count() == 0, "{name}: others were refused, too");
        alone.push(of_others(&calm));
        beside.push(of_others(&troubled));
        ratios.push(of_others(&troubled) / of_others(&calm));
    }
    let (lowest, highest) = ratios
        .iter()
        .fold((f64::MAX, 0.0_f64), |(low, high), ratio| (low.min(*ratio), high.max(*ratio)));
    report.figure(&format!("{name}: p99 of the others without"), middle(alone), "ms");
    report.figure(&format!("{name}: p99 of the others with"), middle(beside), "ms");
    report.figure(&format!("{name}: with / without, lowest"), lowest, "");
    report.figure(&format!("{name}: with / without, highest"), highest, "");
    report.at_most(&format!("{name}: with / without"), middle(ratios), "", ISOLATION_MAX);
    Ok(())
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

//! What it costs, beside a limit measured in the same run: `./dev bench [--quick] [--json]`.
//!
//! The load comes from this process; the shop and the limit are processes of their own, started
//! from the same program under another role. All share the machine's cores, so only the ratios
//! mean anything.

mod limit;
mod load;
mod quote;
mod server;
mod shop;

use std::process::ExitCode;
use std::time::Duration;

use load::Figures;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Says what this process is to be, if not the load.
const ROLE: &str = "BENCH_ROLE";

/// How many alternating rounds a ratio is the median of.
const ROUNDS: usize = 5;

struct Settings {
    round: Duration,
    rounds: usize,
    json: bool,
}

fn main() -> ExitCode {
    match std::env::var(ROLE).as_deref() {
        Ok("shop") => return barrow_api::cli::run(),
        Ok("limit") => return limit::run(),
        _ => {}
    }
    let mut settings = Settings { round: Duration::from_secs(4), rounds: ROUNDS, json: false };
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => (settings.round, settings.rounds) = (Duration::from_secs(2), 3),
            "--json" => settings.json = true,
            _ => {
                eprintln!("usage: bench [--quick] [--json]");
                return ExitCode::from(2);
            }
        }
    }
    match measure(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(settings: &Settings) -> anyhow::Result<()> {
    let quote = quote::measure();
    report(
        settings,
        "decide and quote, 1,000-line cart / 10-line cart",
        quote.ratio(),
        &[("small_ns", quote.small_ns), ("large_ns", quote.large_ns)],
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure_http(settings))
}

async fn measure_http(settings: &Settings) -> anyhow::Result<()> {
    let shop = shop::Shop::start().await?;
    let sample = shop.sample_reply().await?;
    let limit = server::Server::limit(sample.len())?;
    for connections in [64, 256] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..settings.rounds {
            let bare = limit.requests(&shop);
            theirs.push(load::run(limit.address, connections, settings.round, &bare).await?);
            let adds = shop.adds();
            ours.push(load::run(shop.address(), connections, settings.round, &adds).await?);
        }
        let name = format!("add to 10,000 carts / bare axum, {connections} connections");
        report_pair(settings, &name, &ours, &theirs);
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..settings.rounds {
        theirs.push(load::run(limit.address, 64, settings.round, &limit.gets()).await?);
        ours.push(load::run(shop.address(), 64, settings.round, &shop.gets()).await?);
    }
    report_pair(settings, "get cart / bare axum, 64 connections", &ours, &theirs);
    Ok(())
}

fn report_pair(settings: &Settings, name: &str, ours: &[Figures], theirs: &[Figures]) {
    let mut ratios: Vec<f64> =
        ours.iter().zip(theirs).map(|(ours, theirs)| ours.rate() / theirs.rate()).collect();
    ratios.sort_by(f64::total_cmp);
    let middle = |pick: fn(&Figures) -> f64, all: &[Figures]| {
        let mut values: Vec<f64> = all.iter().map(pick).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    report(
        settings,
        name,
        ratios[ratios.len() / 2],
        &[
            ("requests_per_s", middle(Figures::rate, ours)),
            ("limit_requests_per_s", middle(Figures::rate, theirs)),
            ("p50_us", middle(|f| f.percentile_us(50.0), ours)),
            ("p99_us", middle(|f| f.percentile_us(99.0), ours)),
            ("p999_us", middle(|f| f.percentile_us(99.9), ours)),
        ],
    );
}

fn report(settings: &Settings, name: &str, ratio: f64, figures: &[(&str, f64)]) {
    if settings.json {
        let mut line = serde_json::json!({ "case": name, "ratio": ratio });
        for (figure, value) in figures {
            line[*figure] = serde_json::json!(value);
        }
        println!("{line}");
        return;
    }
    println!("{name}: {ratio:.2}");
    for (figure, value) in figures {
        println!("    {figure:22} {value:.0}");
    }
}

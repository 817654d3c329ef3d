//! Many who want the same thing done at once, each again as soon as it was done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::task::JoinSet;

use crate::load::latencies::Latencies;
use crate::options::Options;
use crate::report::{Report, Target, median};

/// Something that can be done any number of times at once.
pub trait Work: Send + Sync + 'static {
    /// Does it for the one of that number.
    fn work(&self, n: u64) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// When a round is over: whichever comes first.
#[derive(Clone, Copy)]
pub struct Limit {
    pub times: u64,
    pub time: Duration,
}

/// What a round came to.
#[derive(Clone, Copy)]
pub struct Round {
    per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// A round of `callers` at once, from number `first` on.
pub async fn round<W: Work>(
    work: &Arc<W>,
    callers: usize,
    first: u64,
    limit: Limit,
) -> anyhow::Result<Round> {
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut crowd = JoinSet::new();
    for _ in 0..callers {
        let (work, next) = (Arc::clone(work), Arc::clone(&next));
        crowd.spawn(async move {
            let mut took = Vec::new();
            while began.elapsed() < limit.time {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= limit.times {
                    break;
                }
                let asked = Instant::now();
                work.work(first + n).await?;
                took.push(asked.elapsed());
            }
            anyhow::Ok(took)
        });
    }
    let mut latencies = Latencies::default();
    while let Some(took) = crowd.join_next().await {
        took??.into_iter().for_each(|took| latencies.add(took));
    }
    let (count, seconds) = (latencies.count(), began.elapsed().as_secs_f64());
    ensure!(count > 0, "nothing was done");
    let sorted = latencies.sorted();
    let ms = |percentile| sorted.percentile_us(percentile) / 1_000.0;
    Ok(Round { per_s: count as f64 / seconds, p50_ms: ms(50.0), p99_ms: ms(99.0) })
}

/// Rounds of ours, each between two of the other's, and what they came to; the names are those of
/// how often a second it was done.
pub fn beside(
    options: &Options,
    case: String,
    target: Target,
    names: [&'static str; 2],
    mut ours: impl FnMut() -> anyhow::Result<Round>,
    mut other: impl FnMut() -> anyhow::Result<Round>,
) -> anyhow::Result<()> {
    // What is done the first time is done by both.
    ours()?;
    let mut before = other()?;
    let mut pairs = Vec::new();
    for _ in 0..options.rounds() {
        let round = ours()?;
        let after = other()?;
        pairs.push((round, [before, after]));
        before = after;
    }
    let own = |figure: fn(&Round) -> f64| median(pairs.iter().map(|(ours, _)| figure(ours)));
    let mean = |others: &[Round; 2], figure: fn(&Round) -> f64| {
        f64::midpoint(figure(&others[0]), figure(&others[1]))
    };
    let others =
        |figure: fn(&Round) -> f64| median(pairs.iter().map(|(_, others)| mean(others, figure)));
    let ratios = || pairs.iter().map(|(ours, others)| ours.per_s / mean(others, |it| it.per_s));
    Report::new(case)
        .target("ratio", median(ratios()), target)
        .figure("ratio_lowest", ratios().fold(f64::INFINITY, f64::min))
        .figure("ratio_highest", ratios().fold(0.0, f64::max))
        .figure(names[0], own(|round| round.per_s))
        .figure(names[1], others(|round| round.per_s))
        .figure("p50_ms", own(|round| round.p50_ms))
        .figure("p99_ms", own(|round| round.p99_ms))
        .figure("other_p50_ms", others(|round| round.p50_ms))
        .figure("other_p99_ms", others(|round| round.p99_ms))
        .print(options.form());
    Ok(())
}

//! What the parts of the runtime do alone, beside the barest thing that does the same: a call
//! of an actor beside a channel, a command through the gate beside a call, the group commit
//! beside the disk's own sync.

mod commit;
mod counter;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use barrow_actors::runtime::{EffectRouter, PlainHost, Runtime, RuntimeParts, RuntimeSettings};
use barrow_adapters::host::{SystemClock, SystemEntropy};
use barrow_cluster::{Lease, SoleOwner};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::options::{Case, Options};
use crate::report::{Report, median};
use counter::{Counter, Raise, ReadyStore};

const CALLERS: usize = 64;
const ENTITIES: u128 = 10_000;
/// What one round of one part takes at most.
const ROUND_MAX: Duration = Duration::from_secs(1);

pub fn run(options: &Options, runtime: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    if !options.wants(Case::Micro) {
        return Ok(());
    }
    let time = options.round().min(ROUND_MAX);
    runtime.block_on(calls(options, time))?;
    commit::run(options, runtime, time)
}

async fn calls(options: &Options, time: Duration) -> anyhow::Result<()> {
    let (actors, channels) = (actors(), channels());
    let (mut bare, mut reads, mut commands) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds() {
        let to = channels.clone();
        bare.push(rate(time, move |n| ask(to.clone(), n)).await?);
        let to = actors.clone();
        reads.push(rate(time, move |n| read(to.clone(), n)).await?);
        let to = actors.clone();
        commands.push(rate(time, move |n| raise(to.clone(), n)).await?);
    }
    let ratio = |of: &[f64], to: &[f64]| median(of.iter().zip(to).map(|(of, to)| of / to));
    Report::new("call of an actor / channel there and back, 64 callers, 10,000 each")
        .figure("ratio", ratio(&reads, &bare))
        .figure("calls_per_s", median(reads.iter().copied()))
        .figure("other_calls_per_s", median(bare.iter().copied()))
        .print(options.form());
    Report::new("command through the gate, store ready at once / call of an actor")
        .figure("ratio", ratio(&commands, &reads))
        .figure("commands_per_s", median(commands.iter().copied()))
        .print(options.form());
    Ok(())
}

/// How often `call` was answered in a second, with so many callers at once. Each caller calls
/// entities of its own choice, in turn.
async fn rate<F>(
    time: Duration,
    call: impl Fn(u128) -> F + Clone + Send + 'static,
) -> anyhow::Result<f64>
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let over = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    let began = Instant::now();
    for caller in 0..CALLERS as u128 {
        let (over, call) = (Arc::clone(&over), call.clone());
        callers.spawn(async move {
            let mut calls = 0u128;
            while !over.load(Ordering::Relaxed) {
                call((caller + calls * CALLERS as u128) % ENTITIES).await?;
                calls += 1;
            }
            anyhow::Ok(calls)
        });
    }
    tokio::time::sleep(time).await;
    over.store(true, Ordering::Relaxed);
    let mut calls = 0;
    while let Some(caller) = callers.join_next().await {
        calls += caller??;
    }
    Ok(calls as f64 / began.elapsed().as_secs_f64())
}

type Actors = Runtime<PlainHost<Counter>>;

fn actors() -> Actors {
    Runtime::start(RuntimeParts {
        host: PlainHost::default(),
        store: Arc::new(ReadyStore),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        ownership: Arc::new(SoleOwner::new(1, Lease::endless())),
        effects: Arc::new(EffectRouter::default()),
        settings: RuntimeSettings::default(),
    })
}

async fn read(actors: Actors, n: u128) -> anyhow::Result<()> {
    Ok(actors.read(n, ()).await.map(drop)?)
}

async fn raise(actors: Actors, n: u128) -> anyhow::Result<()> {
    Ok(actors.execute(n, Raise, (), None, None).await.map(drop)?)
}

type Channels = Arc<[mpsc::UnboundedSender<oneshot::Sender<u64>>]>;

/// Tasks that count, each behind a channel: an actor with nothing around it.
fn channels() -> Channels {
    let channel = |_| {
        let (sender, mut receiver) = mpsc::unbounded_channel::<oneshot::Sender<u64>>();
        tokio::spawn(async move {
            let mut count = 0;
            while let Some(reply) = receiver.recv().await {
                count += 1;
                let _ = reply.send(count);
            }
        });
        sender
    };
    (0..ENTITIES).map(channel).collect()
}

async fn ask(channels: Channels, n: u128) -> anyhow::Result<()> {
    let (reply, answer) = oneshot::channel();
    channels[n as usize].send(reply)?;
    answer.await?;
    Ok(())
}

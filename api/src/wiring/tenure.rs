//! This process' right to serve: won in the control table before anybody is let in, kept by a
//! beat each second, given back at the end.
//!
//! It has a thread, a runtime and a connection of its own: requests that press on the others do
//! not keep a beat from leaving.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use barrow_adapters::host::{SystemClock, SystemEntropy};
use barrow_cluster::{
    BEAT_INTERVAL, Beat, Candidate, ControlError, ControlOutcome, ControlTable, Holder, Lease,
    Step, Tenure,
};
use barrow_engine::ports::{Clock, Entropy};
use tokio::sync::oneshot;

use super::servers::{ServerError, Servers};
use crate::config::Config;

/// The row that names who serves.
const ROW: &str = "serves";

/// How often a candidate looks, and a beat that failed is repeated.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Why this process may not serve.
#[derive(Debug, thiserror::Error)]
pub enum TenureError {
    #[error("another process serves on these stores: {0}")]
    Held(String),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("the control table cannot be used: {0}")]
    Table(ControlError),
    #[error("the thread of the lease does not start: {0}")]
    Thread(String),
}

/// The right to serve. Given back when it is dropped.
pub struct Keeper {
    pub lease: Lease,
    pub epoch: u64,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Waits until this process may serve, for as long as the configuration lets it. `on_lost` is
    /// called when another one has taken its place, and has to end the process.
    pub async fn win(
        config: &Config,
        on_lost: impl FnOnce() + Send + 'static,
    ) -> Result<Keeper, TenureError> {
        let config = config.clone();
        let (tell, told) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(keep(&config, tell, stopped, on_lost)),
                // Who waits for it is told by its silence.
                Err(error) => tracing::error!(%error, "the lease has no runtime"),
            }
        };
        let thread = std::thread::Builder::new().name("barrow-lease".to_owned()).spawn(work);
        let thread = thread.map_err(|error| TenureError::Thread(error.to_string()))?;
        let won = told.await.map_err(|_| TenureError::Thread("it ended at once".to_owned()))?;
        let (lease, epoch) = won?;
        Ok(Keeper { lease, epoch, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

type Won = Result<(Lease, u64), TenureError>;

async fn keep(
    config: &Config,
    tell: oneshot::Sender<Won>,
    stopped: oneshot::Receiver<()>,
    on_lost: impl FnOnce(),
) {
    let mut servers = Servers::new(config);
    let won = async {
        let table = open(config, &mut servers).await?;
        let tenure = win(&*table, config.cluster.takeover_timeout.get()).await?;
        Ok((table, tenure))
    };
    let (table, tenure) = match won.await {
        Ok(won) => won,
        Err(error) => return drop(tell.send(Err(error))),
    };
    if tell.send(Ok((tenure.lease(), tenure.epoch()))).is_ok() {
        serve(&*table, tenure, stopped, on_lost).await;
    }
}

async fn open(
    config: &Config,
    #[allow(unused_variables, reason = "a build without servers asks for none")]
    servers: &mut Servers<'_>,
) -> Result<Arc<dyn ControlTable>, TenureError> {
    match config.control() {
        #[cfg(feature = "postgres")]
        crate::config::Control::Postgres => {
            use barrow_adapters::postgres::PostgresControlTable;
            Ok(Arc::new(PostgresControlTable::new(&servers.postgres().await?)))
        }
        #[cfg(feature = "dynamodb")]
        crate::config::Control::Dynamodb => {
            use barrow_adapters::dynamodb::DynamoControlTable;
            Ok(Arc::new(DynamoControlTable::new(servers.dynamodb().await)))
        }
        _ => Err(ServerError::new("cluster.control", "this build lacks it").into()),
    }
}

fn uptime() -> Duration {
    SystemClock.uptime()
}

fn this_process() -> Candidate {
    let incarnation = format!("{:032x}", SystemEntropy.next_u128());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Candidate::new(incarnation, format!("process {} on {host}", std::process::id()))
}

async fn win(table: &dyn ControlTable, patience: Duration) -> Result<Tenure, TenureError> {
    let mut candidate = this_process();
    let began = uptime();
    let mut told: Option<Holder> = None;
    loop {
        let held = match table.load(ROW).await {
            Ok(row) => match candidate.observe(row.as_ref(), uptime()) {
                Step::Take(bid) => {
                    let sent = uptime();
                    if is_written(table, &bid).await? {
                        return Ok(candidate.won(&bid, sent));
                    }
                    None
                }
                Step::Wait(holder) => Some(holder),
            },
            Err(error) if uptime().saturating_sub(began) >= patience => {
                return Err(TenureError::Table(error));
            }
            Err(_) => {
                candidate.missed();
                None
            }
        };
        if let Some(holder) = held {
            if uptime().saturating_sub(began) >= patience {
                return Err(TenureError::Held(holder.name));
            }
            if told.as_ref() != Some(&holder) {
                tracing::warn!(holder = holder.name, "another process serves: waiting");
                told = Some(holder);
            }
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// Makes the outcome of a bid definite (R8).
async fn is_written(table: &dyn ControlTable, bid: &Beat) -> Result<bool, TenureError> {
    let mut outcome = table.cas(ROW, bid.expected, bid.value.clone()).await;
    loop {
        match outcome {
            Ok(ControlOutcome::Written) => return Ok(true),
            Ok(ControlOutcome::Conflict(found)) => {
                let ours = |value: &[u8]| value == bid.value;
                return Ok(found.is_some_and(|row| ours(&row.value)));
            }
            Err(ControlError::Unavailable(_)) => return Ok(false),
            Err(ControlError::OutcomeUnknown(_)) => {
                tokio::time::sleep(LOOK_INTERVAL).await;
                outcome = table.cas(ROW, bid.expected, bid.value.clone()).await;
            }
        }
    }
}

/// Beats until it is told to stop, or has lost its place.
async fn serve(
    table: &dyn ControlTable,
    mut tenure: Tenure,
    mut stopped: oneshot::Receiver<()>,
    on_lost: impl FnOnce(),
) {
    let mut pause = BEAT_INTERVAL;
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            () = tokio::time::sleep(pause) => {}
        }
        let (beat, sent) = (tenure.beat(), uptime());
        pause = match table.cas(ROW, beat.expected, beat.value).await {
            Ok(ControlOutcome::Written) => {
                tenure.beaten(sent);
                BEAT_INTERVAL
            }
            Ok(ControlOutcome::Conflict(row)) => {
                if !tenure.met(row.as_ref(), sent) {
                    return on_lost();
                }
                BEAT_INTERVAL
            }
            Err(error) => {
                tracing::warn!(%error, "a beat was not taken; without one the lease runs out");
                LOOK_INTERVAL
            }
        };
    }
    let last = tenure.release();
    if let Err(error) = table.cas(ROW, last.expected, last.value).await {
        tracing::warn!(%error, "the place was not given back; whoever wants it waits a lease");
    }
}

//! What a running server does for the other commands on its data directory: it tells its state,
//! and writes backups while it serves.

use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::wiring::Stores;

use super::control::{self, Answer, Request, Status};
use super::data_dir::DataDir;

/// How often whoever waits for a backup hears of it.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Requests answered at once: a backup, and someone who asks how it is.
const REQUESTS_MAX: usize = 4;

/// Answers until it is dropped.
pub struct Steward {
    data: PathBuf,
    task: Option<JoinHandle<()>>,
}

struct Household {
    stores: Arc<Stores>,
    media: PathBuf,
    status: Status,
}

impl Steward {
    /// Opens the way in. Without it the shop serves all the same, so a failure is only logged.
    pub fn start(
        config: &Config,
        data: &DataDir,
        stores: Arc<Stores>,
        listen: SocketAddr,
        ops_listen: Option<SocketAddr>,
    ) -> Steward {
        let status = Status {
            process: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            listen: listen.to_string(),
            ops_listen: ops_listen.map(|address| address.to_string()),
            products: 0,
        };
        let household = Arc::new(Household { stores, media: config.media_dir(), status });
        let path = data.path().to_owned();
        let listener = control::listen(&path).and_then(|listener| {
            listener.set_nonblocking(true)?;
            UnixListener::from_std(listener)
        });
        let task = match listener {
            Ok(listener) => Some(tokio::spawn(answer_all(listener, household))),
            Err(error) => {
                tracing::warn!(%error, "no control socket: no backup can be taken while serving");
                None
            }
        };
        Steward { data: path, task }
    }
}

impl Drop for Steward {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            control::unlisten(&self.data);
        }
    }
}

async fn answer_all(listener: UnixListener, household: Arc<Household>) {
    let permits = Arc::new(tokio::sync::Semaphore::new(REQUESTS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream.into_std(),
            Err(error) => Err(error),
        };
        let household = Arc::clone(&household);
        match stream {
            Ok(stream) => {
                let runtime = tokio::runtime::Handle::current();
                tokio::task::spawn_blocking(move || {
                    if let Err(error) = household.answer(stream, &runtime) {
                        tracing::debug!(%error, "who asked the control socket went away");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket failed");
                tokio::time::sleep(PROGRESS_INTERVAL).await;
            }
        }
    }
}

impl Household {
    /// Answers one request, on a thread that may block.
    fn answer(
        &self,
        mut stream: UnixStream,
        runtime: &tokio::runtime::Handle,
    ) -> std::io::Result<()> {
        match control::read_request(&stream)? {
            Request::Status => {
                let answer = match runtime.block_on(self.stores.products().count()) {
                    Ok(products) => Answer::Done(Status { products, ..self.status.clone() }),
                    Err(error) => Answer::Failed(error.to_string()),
                };
                control::answer(&mut stream, &answer)
            }
            Request::Backup { to } => self.back_up(&mut stream, &to),
        }
    }

    fn back_up(&self, stream: &mut UnixStream, to: &Path) -> std::io::Result<()> {
        tracing::info!(backup.to = %to.display(), "a backup begins");
        let mut told = Instant::now();
        let mut tell = |done: u64| {
            if told.elapsed() >= PROGRESS_INTERVAL {
                told = Instant::now();
                // A backup that was asked for is finished even if nobody waits for it any more.
                let _ = control::answer::<u64>(stream, &Answer::Progress(done));
            }
        };
        let written = super::copies::write(&self.stores, &self.media, to, &mut tell);
        match &written {
            Ok(written) => tracing::info!(backup.rows = written.rows, "the backup is written"),
            Err(error) => tracing::warn!(%error, "the backup failed"),
        }
        let answer = match written {
            Ok(written) => Answer::Done(written),
            Err(what) => Answer::Failed(what),
        };
        control::answer(stream, &answer)
    }
}

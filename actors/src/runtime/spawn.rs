//! The only place that starts tasks, so that a simulation of a node sees all of them.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub(super) fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(task)
}

/// Starts tasks from any thread, on the tokio runtime it was made on.
#[derive(Clone)]
pub(crate) struct Tasks(Handle);

impl Tasks {
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn here() -> Tasks {
        Tasks(Handle::current())
    }

    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.0.spawn(task)
    }
}

/// Runs it to its end, even if that is a panic: then `broken` says what it came to. An actor waits
/// for what runs beside it, and would wait for ever.
pub(super) async fn or_broken<T>(task: impl Future<Output = T>, broken: impl FnOnce() -> T) -> T {
    AssertUnwindSafe(task).catch_unwind().await.unwrap_or_else(|_| broken())
}

/// Runs `step` at once and then every `interval`, until it answers `false`.
pub fn spawn_background<F>(interval: Duration, mut step: impl FnMut() -> F + Send + 'static)
where
    F: Future<Output = bool> + Send,
{
    spawn(async move {
        let mut interval = tokio::time::interval(interval);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if !step().await {
                return;
            }
        }
    });
}

//! The only place that starts tasks, so that a simulation of a node sees all of them.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;

#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub(super) fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(task)
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

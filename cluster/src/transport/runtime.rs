//! Tasks and timers of connections. Sockets run on the runtime's own time; whoever simulates a
//! cluster puts another transport in this one's place.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

#[expect(clippy::disallowed_methods, reason = "the one place of the transport that may")]
pub(super) fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(task)
}

/// Tells how long ago it was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "for backoff and idleness alone, no decision")]
    pub(super) fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

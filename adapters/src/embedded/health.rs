//! Whether the store may still be believed.
//!
//! After a write or a sync has failed, nobody can tell any more what is on the disk: the kernel
//! may have dropped the pages and will report success the next time. So the first such failure
//! ends the store's life. It fails everything from then on, and tells the process to end itself;
//! the next start reads what really is on the disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// What to do when the store can no longer be believed. It is called once, with the reason.
/// The process ends itself in it.
pub type OnFatal = Box<dyn Fn(&str) + Send + Sync>;

/// The longest a commit may take before the disk counts as lost: far beyond any sync of a disk
/// that works, and short enough that callers do not wait for ever on one that does not.
const COMMIT_PATIENCE: Duration = Duration::from_secs(30);

/// What an overdue commit is given from when it was noticed. A process that was stopped for long,
/// or a machine, finds that much time has passed in which nothing could end.
const OVERDUE_GRACE: Duration = Duration::from_secs(2);

pub(super) struct Health {
    failure: OnceLock<String>,
    on_fatal: OnFatal,
    opened: Instant,
    /// When the running commit began, in milliseconds since `opened` plus one; 0 for none.
    commit_began_ms: AtomicU64,
    /// When somebody first noticed that the running commit takes too long, likewise.
    overdue_since_ms: AtomicU64,
}

impl Health {
    pub fn new(on_fatal: OnFatal) -> Health {
        Health {
            failure: OnceLock::new(),
            on_fatal,
            opened: Instant::now(),
            commit_began_ms: AtomicU64::new(0),
            overdue_since_ms: AtomicU64::new(0),
        }
    }

    /// Ends the store's life.
    pub fn fail(&self, reason: String) {
        let mut is_first = false;
        let reason = self.failure.get_or_init(|| {
            is_first = true;
            reason
        });
        if is_first {
            tracing::error!(error = %reason, "the store has failed and serves nothing any more");
            (self.on_fatal)(reason);
        }
    }

    /// The reason why nothing is served any more, if so. It also notices a commit that hangs:
    /// a disk that went away often does not fail but never answers.
    pub fn check(&self) -> Result<(), &str> {
        self.check_at(self.now_ms())
    }

    fn check_at(&self, now_ms: u64) -> Result<(), &str> {
        if self.failure.get().is_none() {
            let began_ms = self.commit_began_ms.load(Ordering::Relaxed);
            let patience_ms = COMMIT_PATIENCE.as_millis() as u64;
            let is_overdue = began_ms > 0 && now_ms.saturating_sub(began_ms) > patience_ms;
            if is_overdue && self.overdue_for_ms(now_ms) > OVERDUE_GRACE.as_millis() as u64 {
                self.fail(format!("a write did not end within {COMMIT_PATIENCE:?}"));
            }
        }
        self.failure.get().map_or(Ok(()), |reason| Err(reason))
    }

    /// For how long it has been known that the running commit takes too long.
    fn overdue_for_ms(&self, now_ms: u64) -> u64 {
        let noticed =
            self.overdue_since_ms.compare_exchange(0, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        noticed.err().map_or(0, |since_ms| now_ms.saturating_sub(since_ms))
    }

    pub fn commit_begins(&self) {
        self.commit_began_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    pub fn commit_ended(&self) {
        self.commit_began_ms.store(0, Ordering::Relaxed);
        self.overdue_since_ms.store(0, Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        self.opened.elapsed().as_millis() as u64 + 1
    }
}

/// Ends the store's life if the thread that holds it ends by a panic.
pub(super) struct TellOfPanic {
    health: Arc<Health>,
    what: &'static str,
}

impl TellOfPanic {
    pub fn new(health: &Arc<Health>, what: &'static str) -> TellOfPanic {
        TellOfPanic { health: Arc::clone(health), what }
    }
}

impl Drop for TellOfPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.health.fail(self.what.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn counted() -> (Health, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let hook = move |_: &str| {
            counter.fetch_add(1, Ordering::SeqCst);
        };
        (Health::new(Box::new(hook)), calls)
    }

    #[test]
    fn the_first_failure_is_told_once_and_stays() {
        let (health, calls) = counted();
        assert_eq!(health.check(), Ok(()));
        health.fail("disk full".to_owned());
        health.fail("something else".to_owned());
        assert_eq!(health.check(), Err("disk full"));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_commit_that_hangs_is_a_failure() {
        let (health, calls) = counted();
        let much_later = health.now_ms() + 10 * COMMIT_PATIENCE.as_millis() as u64;
        assert_eq!(health.check_at(much_later), Ok(()), "nothing is being written");
        health.commit_begins();
        assert_eq!(health.check(), Ok(()), "a commit may take its time");
        health.commit_ended();
        assert_eq!(health.check_at(much_later), Ok(()), "it has ended");
        health.commit_begins();
        assert_eq!(health.check_at(much_later), Ok(()), "the process may have been stopped");
        let grace = OVERDUE_GRACE.as_millis() as u64;
        assert_eq!(health.check_at(much_later + grace), Ok(()));
        assert!(health.check_at(much_later + grace + 1).is_err());
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}

//! The machine's own clocks, its randomness and its way to let time pass.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use barrow_engine::ports::{Clock, Entropy};
use barrow_engine::time::Timestamp;

/// The host's clocks: the wall clock, and the boot-time clock, which counts on while the
/// machine sleeps, so that a lease held by a laptop that was closed is over when it is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = SystemTime::now();
        let millis = match now.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            // A clock set before 1970: count backwards rather than stop.
            Err(before) => {
                i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis)
            }
        };
        Timestamp(millis)
    }

    fn uptime(&self) -> Duration {
        let time = boot_time();
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn boot_time() -> rustix::time::Timespec {
    rustix::time::clock_gettime(rustix::time::ClockId::Boottime)
}

/// Elsewhere the monotonic clock is the closest there is.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn boot_time() -> rustix::time::Timespec {
    rustix::time::clock_gettime(rustix::time::ClockId::Monotonic)
}

/// The operating system's source of randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// # Panics
    /// If the system has no source of randomness: no secret can be made then, so none may be.
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system has a source of randomness");
    }
}

/// Lets time pass. A simulation hands in its own.
#[async_trait]
pub trait Sleeper: Send + Sync + 'static {
    async fn sleep(&self, duration: Duration);
}

/// Sleeps on the timer of the runtime; its time can be paused in tests and simulations.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioSleeper;

#[async_trait]
impl Sleeper for TokioSleeper {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_in_this_age() {
        let year_2020 = Timestamp(1_577_836_800_000);
        let year_2100 = Timestamp(4_102_444_800_000);
        assert!((year_2020..year_2100).contains(&SystemClock.now()));
    }

    #[test]
    fn the_boot_time_clock_goes_forward() {
        let before = SystemClock.uptime();
        while SystemClock.uptime() == before {}
        assert!(SystemClock.uptime() > before);
    }

    #[test]
    fn two_draws_differ() {
        assert_ne!(SystemEntropy.next_u128(), SystemEntropy.next_u128());
        let mut large = [0; 4_096];
        SystemEntropy.fill(&mut large);
        assert!(large.chunks(64).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
    }
}

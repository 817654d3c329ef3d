//! When an event that failed is tried again, and when no more.

use std::time::Duration;

/// Twice as long after each try, up to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrySettings {
    /// Tries until it is a dead letter.
    pub attempts_max: u32,
    pub first: Duration,
    pub longest: Duration,
}

impl Default for RetrySettings {
    /// Over five to ten hours: whoever repairs what is broken during that has no dead letters.
    fn default() -> RetrySettings {
        RetrySettings {
            attempts_max: 22,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(3_600),
        }
    }
}

impl RetrySettings {
    /// How long to wait after so many tries; `None` for no more. Between a half and the whole of
    /// the time, by `dice`, so that what failed together does not come again together.
    pub fn after(&self, attempts: u32, dice: u64) -> Option<Duration> {
        if attempts >= self.attempts_max {
            return None;
        }
        let doublings = attempts.saturating_sub(1).min(31);
        let whole = self.first.saturating_mul(1 << doublings).min(self.longest);
        let half = whole / 2;
        let more = u128::from(dice) * half.as_millis() / u128::from(u64::MAX);
        Some(half + Duration::from_millis(u64::try_from(more).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_longer_until_there_is_no_other() {
        let settings = RetrySettings::default();
        let check = |attempts, dice, expected: Option<u64>| {
            let found = settings.after(attempts, dice).map(|it| it.as_millis() as u64);
            assert_eq!(found, expected, "{attempts} {dice}");
        };
        check(1, 0, Some(500));
        check(1, u64::MAX, Some(1_000));
        check(2, u64::MAX, Some(2_000));
        check(5, 0, Some(8_000));
        check(21, u64::MAX, Some(3_600_000));
        check(22, 0, None);
        check(u32::MAX, 0, None);
        let whole: Duration = (1..22).filter_map(|n| settings.after(n, u64::MAX)).sum();
        assert_eq!(whole.as_secs() / 3_600, 10, "it is tried for ten hours at most: {whole:?}");
    }
}

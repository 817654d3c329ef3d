//! How often something happened and how long it took, counted without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper ends of the buckets, in microseconds: from a read out of memory to the patience
/// of a shopper. What took longer is in one more bucket without an end.
pub const BUCKET_ENDS_US: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 10_000_000,
];

const BUCKETS: usize = BUCKET_ENDS_US.len() + 1;

/// A histogram of durations. Counting costs two additions to memory.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

/// What a histogram had counted at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HistogramSnapshot {
    /// For each of [`BUCKET_ENDS_US`], how many took at most that long and longer than the end
    /// before it; then how many took longer than all.
    pub buckets: [u64; BUCKETS],
    pub sum_us: u64,
}

impl Histogram {
    pub fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKET_ENDS_US.partition_point(|end| *end < micros);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    pub fn snapshot(&self) -> HistogramSnapshot {
        HistogramSnapshot {
            buckets: std::array::from_fn(|index| self.buckets[index].load(Ordering::Relaxed)),
            sum_us: self.sum_us.load(Ordering::Relaxed),
        }
    }
}

impl HistogramSnapshot {
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The end of the bucket in which that share of all (in hundredths) has passed: an upper
    /// estimate of the percentile. `None` if nothing was counted.
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let wanted = (self.count() * percent).div_ceil(100);
        let mut passed = 0;
        let bucket = self.buckets.iter().position(|count| {
            passed += count;
            passed >= wanted && passed > 0
        })?;
        let end_us = BUCKET_ENDS_US.get(bucket).copied().unwrap_or(u64::MAX);
        Some(Duration::from_micros(end_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_their_buckets() {
        let histogram = Histogram::default();
        for micros in [0, 50, 51, 1_000, 1_001, 10_000_000, 10_000_001] {
            histogram.record(Duration::from_micros(micros));
        }
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.count(), 7);
        assert_eq!(snapshot.sum_us, 20_002_103);
        assert_eq!(snapshot.buckets[..6], [2, 1, 0, 0, 1, 1]);
        assert_eq!(snapshot.buckets[15..], [1, 1]);
    }

    #[test]
    fn a_percentile_is_the_end_of_its_bucket() {
        let histogram = Histogram::default();
        assert_eq!(histogram.snapshot().percentile(99), None);
        for _ in 0..99 {
            histogram.record(Duration::from_micros(40));
        }
        histogram.record(Duration::from_micros(2_000));
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.percentile(99), Some(Duration::from_micros(50)));
        assert_eq!(snapshot.percentile(100), Some(Duration::from_micros(2_500)));
    }
}

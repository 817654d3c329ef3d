//! How long replies took.

/// In microseconds, each kept: a round has some hundred thousands.
#[derive(Default)]
pub struct Latencies {
    us: Vec<u32>,
}

impl Latencies {
    pub fn with_room() -> Latencies {
        Latencies { us: Vec::with_capacity(1 << 20) }
    }

    pub fn add(&mut self, latency: std::time::Duration) {
        self.us.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    pub fn count(&self) -> u64 {
        self.us.len() as u64
    }

    /// Sorted, for the percentiles.
    pub fn sorted(mut self) -> Sorted {
        self.us.sort_unstable();
        Sorted(self.us)
    }
}

pub struct Sorted(Vec<u32>);

impl Sorted {
    pub fn percentile_us(&self, percentile: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let at = (last as f64 * percentile / 100.0).round() as usize;
        self.0.get(at).copied().unwrap_or(0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted() {
        let mut latencies = Latencies::default();
        for us in (0..=100).rev() {
            latencies.add(std::time::Duration::from_micros(us));
        }
        assert_eq!(latencies.count(), 101);
        let sorted = latencies.sorted();
        let found = [0.0, 50.0, 99.0, 100.0].map(|percentile| sorted.percentile_us(percentile));
        assert_eq!(found, [0.0, 50.0, 99.0, 100.0]);
        assert_eq!(Latencies::default().sorted().percentile_us(50.0), 0.0);
    }
}

//! Rounds in pairs: each of ours stands between two of what it is compared with, since a shared
//! machine drifts by a fifth within minutes.

use std::time::Duration;

use crate::load::{Figures, Requests, Target};
use crate::report::{Report, Target as Bound, median};

/// A server and what it is sent in each round.
pub struct Side<'a, T> {
    pub server: &'a T,
    pub requests: &'a dyn Fn(usize) -> anyhow::Result<Requests>,
    pub connections: usize,
}

impl<T: Target> Side<'_, T> {
    fn round(&self, round: usize, time: Duration) -> anyhow::Result<Figures> {
        (self.requests)(round)?.closed(self.server, self.connections, time)
    }
}

/// One of our rounds, and what it is compared with right before and right after.
struct Pair {
    ours: Figures,
    theirs: [Figures; 2],
}

impl Pair {
    fn theirs(&self, figure: fn(&Figures) -> f64) -> f64 {
        let [before, after] = &self.theirs;
        f64::midpoint(figure(before), figure(after))
    }

    fn ratio(&self, figure: fn(&Figures) -> f64) -> f64 {
        figure(&self.ours) / self.theirs(figure)
    }
}

pub struct Pairs(Vec<Pair>);

impl Pairs {
    pub fn measure<A: Target, B: Target>(
        ours: &Side<'_, A>,
        theirs: &Side<'_, B>,
        rounds: usize,
        time: Duration,
    ) -> anyhow::Result<Pairs> {
        let mut pairs = Vec::with_capacity(rounds);
        let mut before = theirs.round(0, time)?;
        for round in 0..rounds {
            let our = ours.round(round, time)?;
            let after = theirs.round(round, time)?;
            pairs.push(Pair { ours: our, theirs: [before, after.clone()] });
            before = after;
        }
        Ok(Pairs(pairs))
    }

    /// Replies a second of ours to those of the other.
    pub fn ratio(&self) -> f64 {
        median(self.0.iter().map(|pair| pair.ratio(Figures::rate)))
    }

    /// Processor time for a request of ours to that of the other.
    pub fn cpu_ratio(&self) -> f64 {
        median(self.0.iter().map(|pair| pair.ratio(Figures::cpu_ms_per_1000)))
    }

    fn ours(&self, figure: fn(&Figures) -> f64) -> f64 {
        median(self.0.iter().map(|pair| figure(&pair.ours)))
    }

    fn theirs(&self, figure: fn(&Figures) -> f64) -> f64 {
        median(self.0.iter().map(|pair| pair.theirs(figure)))
    }

    /// With what the ratios should be.
    pub fn report(&self, case: &str, ratio: Bound, cpu: Option<Bound>) -> Report {
        let report = Report::new(case).target("ratio", self.ratio(), ratio);
        let report = match cpu {
            Some(bound) => report.target("cpu_ratio", self.cpu_ratio(), bound),
            None => report.figure("cpu_ratio", self.cpu_ratio()),
        };
        self.figures(report)
    }

    /// Without: what is compared is no limit.
    #[cfg(feature = "peers")]
    pub fn report_plain(&self, case: &str) -> Report {
        let report = Report::new(case).figure("ratio", self.ratio());
        self.figures(report.figure("cpu_ratio", self.cpu_ratio()))
    }

    fn figures(&self, report: Report) -> Report {
        let ratios = || self.0.iter().map(|pair| pair.ratio(Figures::rate));
        report
            .figure("ratio_lowest", ratios().fold(f64::INFINITY, f64::min))
            .figure("ratio_highest", ratios().fold(0.0, f64::max))
            .figure("requests_per_s", self.ours(Figures::rate))
            .figure("other_requests_per_s", self.theirs(Figures::rate))
            .figure("cpu_ms_per_1000", self.ours(Figures::cpu_ms_per_1000))
            .figure("other_cpu_ms_per_1000", self.theirs(Figures::cpu_ms_per_1000))
            .figure("p50_us", self.ours(|f| f.p50_us))
            .figure("p99_us", self.ours(|f| f.p99_us))
            .figure("p999_us", self.ours(|f| f.p999_us))
            .figure("other_p50_us", self.theirs(|f| f.p50_us))
            .figure("other_p99_us", self.theirs(|f| f.p99_us))
            .figure("generator_cores", self.ours(Figures::generator_cores))
            .figure("other_generator_cores", self.theirs(Figures::generator_cores))
    }
}

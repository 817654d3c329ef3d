//! What clients wrote down: which changes were acknowledged when and by whom, and what failed
//! before; and what can be told of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A change that was acknowledged.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    pub cart: String,
    /// The first time.
    pub sent: Instant,
    /// The last time, to the node that answered.
    pub asked: Instant,
    pub told: Instant,
    pub node: usize,
    /// How often it had failed before.
    pub failures: usize,
}

/// A request that got no answer, or was told to come back.
#[derive(Debug, Clone)]
pub struct Failed {
    /// Empty for a read.
    pub cart: String,
    pub asked: Instant,
    pub node: usize,
    pub why: String,
}

/// All of them. Some of it is dropped where nobody asks for it any more: [`Log::forget`].
#[derive(Debug, Default)]
pub struct Log {
    acknowledged: Mutex<Vec<Acknowledged>>,
    failed: Mutex<Vec<Failed>>,
    forgotten: AtomicUsize,
    looks: AtomicUsize,
}

/// From one moment to another.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub from: Instant,
    pub to: Instant,
}

impl Span {
    /// As long, and just before.
    pub fn before(self) -> Span {
        Span { from: self.from - (self.to - self.from), to: self.from }
    }

    pub fn has(self, moment: Instant) -> bool {
        (self.from..self.to).contains(&moment)
    }
}

impl Log {
    pub fn acknowledged(&self, acknowledged: Acknowledged) {
        self.acknowledged.lock().push(acknowledged);
    }

    pub fn failed(&self, failed: Failed) {
        self.failed.lock().push(failed);
    }

    pub fn looked(&self) {
        self.looks.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads beside the changes.
    pub fn looks(&self) -> usize {
        self.looks.load(Ordering::Relaxed)
    }

    /// Changes that were acknowledged, ever.
    pub fn count(&self) -> usize {
        self.forgotten.load(Ordering::Relaxed) + self.acknowledged.lock().len()
    }

    /// Drops what was written down so far.
    pub fn forget(&self) {
        let mut acknowledged = self.acknowledged.lock();
        self.forgotten.fetch_add(acknowledged.len(), Ordering::Relaxed);
        acknowledged.clear();
        self.failed.lock().clear();
    }

    /// Carts of which something that was asked since was acknowledged.
    pub fn served_since(&self, moment: Instant) -> HashSet<String> {
        let acknowledged = self.acknowledged.lock();
        let since = acknowledged.iter().filter(|one| one.asked > moment);
        since.map(|one| one.cart.clone()).collect()
    }

    /// Of each of these carts, how long after a moment anything that was asked since was
    /// acknowledged for the first time.
    pub fn resumed(&self, carts: &HashSet<String>, moment: Instant) -> Durations {
        let mut first = HashMap::<String, Duration>::new();
        for one in self.acknowledged.lock().iter().filter(|one| one.asked > moment) {
            if carts.contains(&one.cart) {
                let after = one.told - moment;
                let known = first.entry(one.cart.clone()).or_insert(after);
                *known = after.min(*known);
            }
        }
        Durations::of(first.into_values())
    }

    /// How long changes of these carts took by other nodes than that one, failures included, if
    /// they were sent in that span.
    pub fn took(&self, carts: &HashSet<String>, span: Span, without: usize) -> Durations {
        let acknowledged = self.acknowledged.lock();
        let of = acknowledged
            .iter()
            .filter(|one| carts.contains(&one.cart) && span.has(one.sent) && one.node != without);
        Durations::of(of.map(|one| one.told - one.sent))
    }

    /// The longest that each of these carts was waited for, by changes that were under way in
    /// that span.
    pub fn longest(&self, carts: &HashSet<String>, span: Span) -> Durations {
        let mut longest = HashMap::<String, Duration>::new();
        for one in self.acknowledged.lock().iter() {
            if carts.contains(&one.cart) && one.sent < span.to && one.told > span.from {
                let known = longest.entry(one.cart.clone()).or_default();
                *known = (*known).max(one.told - one.sent);
            }
        }
        Durations::of(longest.into_values())
    }

    /// Changes that failed more than once before they were acknowledged.
    pub fn beyond_one_retry(&self) -> Vec<Acknowledged> {
        let acknowledged = self.acknowledged.lock();
        acknowledged.iter().filter(|one| one.failures > 1).cloned().collect()
    }

    /// What failed of these carts at other nodes than that one in a span, by reason.
    pub fn failures_of(&self, carts: &HashSet<String>, span: Span, without: usize) -> Reasons {
        let failed = self.failed.lock();
        Reasons::of(
            failed.iter().filter(|one| {
                carts.contains(&one.cart) && span.has(one.asked) && one.node != without
            }),
        )
    }

    /// What failed in a span, by reason; reads too.
    pub fn failures(&self, span: Span) -> Reasons {
        Reasons::of(self.failed.lock().iter().filter(|one| span.has(one.asked)))
    }

    /// How often changes of a cart failed, and why.
    pub fn story(&self, cart: &str, from: Instant) -> Vec<(Duration, usize, String)> {
        let failed = self.failed.lock();
        let of = failed.iter().filter(|one| one.cart == cart && one.asked >= from);
        of.map(|one| (one.asked - from, one.node, one.why.clone())).collect()
    }
}

/// How often what happened.
#[derive(Debug, Default)]
pub struct Reasons(BTreeMap<String, usize>);

impl Reasons {
    fn of<'a>(failed: impl Iterator<Item = &'a Failed>) -> Reasons {
        let mut reasons = Reasons::default();
        failed.for_each(|one| *reasons.0.entry(one.why.clone()).or_default() += 1);
        reasons
    }
}

impl std::fmt::Display for Reasons {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        let told = self.0.iter().map(|(why, count)| format!("{count} times: {why}"));
        f.write_str(&told.collect::<Vec<_>>().join("; "))
    }
}

/// How long many things took.
pub struct Durations(Vec<Duration>);

impl Durations {
    pub fn of(durations: impl IntoIterator<Item = Duration>) -> Durations {
        let mut sorted: Vec<Duration> = durations.into_iter().collect();
        sorted.sort_unstable();
        Durations(sorted)
    }

    /// Several of them as one.
    pub fn all(many: impl IntoIterator<Item = Durations>) -> Durations {
        Durations::of(many.into_iter().flat_map(|one| one.0))
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The one that so many percent do not exceed.
    pub fn percent(&self, percent: usize) -> Duration {
        let place = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(place).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Durations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [median, most, max] = [50, 99, 100].map(|percent| self.percent(percent));
        write!(f, "median {median:.1?}, p99 {most:.1?}, max {max:.1?} of {}", self.count())
    }
}

//! Figures for operators, counted by atomics and written as Prometheus text. Requests are
//! counted by route template, never by address, so that their number is bounded by the code.

mod exposition;
mod process;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use parking_lot::RwLock;

pub use exposition::{Exposition, Kind};
pub use process::ProcessFigures;

/// Upper bounds in microseconds: from a cart read out of memory to a checkout's patience.
const BOUNDS_MICROS: [u64; 14] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000,
];

/// The methods that are told apart; the first stands for all that nobody routes.
const METHODS: [&str; 8] = ["other", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Times, by size.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS_MICROS.len() + 1],
    sum_micros: AtomicU64,
}

impl Histogram {
    pub fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Writes it as a histogram of the open family.
    pub fn collect(&self, labels: &[(&str, &str)], out: &mut Exposition) {
        let mut below = 0;
        let mut buckets = Vec::with_capacity(BOUNDS_MICROS.len());
        for (bound, bucket) in BOUNDS_MICROS.iter().zip(&self.buckets) {
            below += bucket.load(Ordering::Relaxed);
            buckets.push((*bound as f64 / 1e6, below));
        }
        let count = below + self.buckets[BOUNDS_MICROS.len()].load(Ordering::Relaxed);
        let sum = self.sum_micros.load(Ordering::Relaxed) as f64 / 1e6;
        out.histogram(labels, buckets, count, sum);
    }
}

/// The requests of one method on one route.
#[derive(Debug, Default)]
struct RouteFigures {
    /// By class of status: 1xx to 5xx.
    by_class: [AtomicU64; 5],
    took: Histogram,
}

/// A way to add figures of other parts: the actors, the stores.
type Source = Box<dyn Fn(&mut Exposition) + Send + Sync>;

/// All figures of the edge.
#[derive(Default)]
pub struct Metrics {
    /// One table a method, in the order of [`METHODS`].
    routes: [RwLock<HashMap<Arc<str>, Arc<RouteFigures>>>; METHODS.len()],
    commands: RwLock<HashMap<(&'static str, &'static str), Arc<AtomicU64>>>,
    sources: RwLock<Vec<Source>>,
    pub connections: AtomicI64,
    pub in_flight: AtomicI64,
    pub streams: AtomicI64,
    /// Requests refused for load.
    pub shed: AtomicU64,
    /// Handlers that broke: each is a defect.
    pub panics: AtomicU64,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Adds figures to the page; `source` opens its own families.
    pub fn add_source(&self, source: impl Fn(&mut Exposition) + Send + Sync + 'static) {
        self.sources.write().push(Box::new(source));
    }

    /// Counts an answered request. Methods nobody routes are counted as one.
    pub fn request(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let figures = self.route(method, route);
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        figures.by_class[class].fetch_add(1, Ordering::Relaxed);
        figures.took.record(took);
    }

    fn route(&self, method: &Method, route: &str) -> Arc<RouteFigures> {
        let method = method.as_str();
        let table = METHODS.iter().position(|known| *known == method).unwrap_or(0);
        if let Some(figures) = self.routes[table].read().get(route) {
            return Arc::clone(figures);
        }
        Arc::clone(self.routes[table].write().entry(route.into()).or_default())
    }

    /// Counts a cart command by what became of it; both names are the code's own.
    pub fn cart_command(&self, command: &'static str, outcome: &'static str) {
        let key = (command, outcome);
        if let Some(count) = self.commands.read().get(&key) {
            count.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.commands.write().entry(key).or_default().fetch_add(1, Ordering::Relaxed);
    }

    /// The whole page.
    pub fn render(&self) -> String {
        let mut out = Exposition::new();
        self.collect_requests(&mut out);
        self.collect_edge(&mut out);
        for source in self.sources.read().iter() {
            source(&mut out);
        }
        ProcessFigures::read().collect(&mut out);
        out.finish()
    }

    fn collect_requests(&self, out: &mut Exposition) {
        let mut routes: Vec<(Arc<str>, &str, Arc<RouteFigures>)> = Vec::new();
        for (method, table) in METHODS.iter().zip(&self.routes) {
            let table = table.read();
            routes.extend(table.iter().map(|(r, f)| (Arc::clone(r), *method, Arc::clone(f))));
        }
        routes.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        out.family(
            "barrow_http_requests_total",
            Kind::Counter,
            "Requests answered, by route and class of status.",
        );
        for (route, method, figures) in &routes {
            for (class, count) in CLASSES.iter().zip(&figures.by_class) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    out.sample(&[("method", method), ("route", route), ("status", class)], count);
                }
            }
        }
        out.family(
            "barrow_http_request_duration_seconds",
            Kind::Histogram,
            "Time from a request's head to its reply's head.",
        );
        for (route, method, figures) in &routes {
            figures.took.collect(&[("method", method), ("route", route)], out);
        }
    }

    fn collect_edge(&self, out: &mut Exposition) {
        use Kind::{Counter, Gauge};

        let commands = self.commands.read();
        let mut commands: Vec<_> = commands.iter().collect();
        commands.sort_by_key(|(key, _)| **key);
        out.family(
            "barrow_cart_commands_total",
            Counter,
            "Cart commands, by kind and by what became of them.",
        );
        for ((command, outcome), count) in commands {
            let count = count.load(Ordering::Relaxed);
            out.sample(&[("command", command), ("outcome", outcome)], count);
        }
        let gauge = |value: &AtomicI64| value.load(Ordering::Relaxed);
        out.single(
            "barrow_http_connections",
            Gauge,
            "Connections open now.",
            gauge(&self.connections),
        );
        out.single(
            "barrow_http_requests_in_flight",
            Gauge,
            "Requests being answered now.",
            gauge(&self.in_flight),
        );
        out.single("barrow_event_streams", Gauge, "Event streams open now.", gauge(&self.streams));
        let count = |value: &AtomicU64| value.load(Ordering::Relaxed);
        out.single(
            "barrow_http_requests_shed_total",
            Counter,
            "Requests refused for load.",
            count(&self.shed),
        );
        out.single(
            "barrow_http_panics_total",
            Counter,
            "Requests whose handler broke; each is a defect.",
            count(&self.panics),
        );
    }
}

/// Counts something for as long as it is held.
#[derive(Debug)]
pub struct Gauged {
    metrics: Arc<Metrics>,
    gauge: fn(&Metrics) -> &AtomicI64,
}

impl Gauged {
    pub fn hold(metrics: &Arc<Metrics>, gauge: fn(&Metrics) -> &AtomicI64) -> Gauged {
        gauge(metrics).fetch_add(1, Ordering::Relaxed);
        Gauged { metrics: Arc::clone(metrics), gauge }
    }

    /// The same, unless so many are counted already.
    pub fn hold_below(
        metrics: &Arc<Metrics>,
        gauge: fn(&Metrics) -> &AtomicI64,
        max: usize,
    ) -> Option<Gauged> {
        let more = |held: i64| (held < max as i64).then_some(held + 1);
        gauge(metrics).fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Gauged { metrics: Arc::clone(metrics), gauge })
    }
}

impl Drop for Gauged {
    fn drop(&mut self) {
        (self.gauge)(&self.metrics).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_and_class() {
        let metrics = Metrics::default();
        let route = "/v1/carts/{id}";
        metrics.request(&Method::GET, route, StatusCode::OK, Duration::from_micros(250));
        metrics.request(&Method::GET, route, StatusCode::OK, Duration::from_micros(251));
        metrics.request(&Method::GET, route, StatusCode::NOT_FOUND, Duration::from_secs(60));
        metrics.cart_command("add_line", "accepted");
        metrics.add_source(|out| out.single("x_total", Kind::Counter, "X.", 1));
        let page = metrics.render();
        for line in [
            "barrow_http_requests_total{method=\"GET\",route=\"/v1/carts/{id}\",status=\"2xx\"} 2",
            "barrow_http_requests_total{method=\"GET\",route=\"/v1/carts/{id}\",status=\"4xx\"} 1",
            "barrow_cart_commands_total{command=\"add_line\",outcome=\"accepted\"} 1",
            "x_total 1",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
        let bucket = |bound: &str| {
            let start = format!(
                "barrow_http_request_duration_seconds_bucket{{method=\"GET\",route=\"{route}\",\
                 le=\"{bound}\"}} "
            );
            page.lines().find_map(|line| line.strip_prefix(&start).map(str::to_owned))
        };
        assert_eq!(bucket("0.00025").as_deref(), Some("1"));
        assert_eq!(bucket("0.0005").as_deref(), Some("2"));
        assert_eq!(bucket("10").as_deref(), Some("2"));
        assert_eq!(bucket("+Inf").as_deref(), Some("3"));
    }

    #[test]
    fn what_is_held_is_gauged() {
        let metrics = Arc::new(Metrics::default());
        let held = Gauged::hold(&metrics, |metrics| &metrics.streams);
        assert_eq!(metrics.streams.load(Ordering::Relaxed), 1);
        drop(held);
        assert_eq!(metrics.streams.load(Ordering::Relaxed), 0);
    }
}

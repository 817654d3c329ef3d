//! What the meters on the ports have counted, for whoever reads the figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use barrow_adapters::decorators::{BUCKET_ENDS_US, Meter, OperationSnapshot};

use crate::edge::metrics::{Exposition, Kind};

/// Something that writes its own figures.
pub(super) type Figures = Arc<dyn Fn(&mut Exposition) + Send + Sync>;

/// Writes what changes of entities cost at DynamoDB.
#[cfg(feature = "dynamodb")]
pub fn collect_dynamodb(out: &mut Exposition, figures: &barrow_adapters::dynamodb::DynamoFigures) {
    let counters = [
        ("barrow_dynamodb_write_requests_total", "Requests that write.", figures.write_requests),
        ("barrow_dynamodb_writes_total", "Changes of entities that were sent.", figures.writes),
        ("barrow_dynamodb_throttled_total", "Of them refused for load.", figures.throttled),
        ("barrow_dynamodb_item_bytes_total", "Bytes of their items.", figures.item_bytes),
    ];
    for (name, help, count) in counters {
        out.single(name, Kind::Counter, help, count);
    }
    let help = "Write units that DynamoDB bills for them, the index included.";
    out.single("barrow_dynamodb_write_units_total", Kind::Counter, help, figures.write_units);
    let help = "Requests that write and are not yet answered.";
    out.single("barrow_dynamodb_requests_in_flight", Kind::Gauge, help, figures.in_flight);
}

/// Writes how often the store was synced for changes of entities.
pub fn collect_commits(out: &mut Exposition, commits: &AtomicU64) {
    let commits = commits.load(Ordering::Relaxed);
    let help = "Batches of changed entities made durable, with one sync each.";
    out.single("barrow_entity_store_commits_total", Kind::Counter, help, commits);
}

/// Writes counts and times of every operation of every port.
pub fn collect_ports(out: &mut Exposition, meters: &[Arc<Meter>]) {
    let operations: Vec<OperationSnapshot> =
        meters.iter().flat_map(|meter| meter.snapshot()).collect();
    out.family(
        "barrow_port_operations_total",
        Kind::Counter,
        "Operations of the ports that ended.",
    );
    for operation in &operations {
        let outcomes = [
            ("ok", operation.ok),
            ("refused", operation.refused),
            ("failed", operation.failed),
            ("unknown", operation.unknown),
        ];
        for (outcome, count) in outcomes {
            let labels = [
                ("port", operation.port),
                ("operation", operation.operation),
                ("outcome", outcome),
            ];
            out.sample(&labels, count);
        }
    }
    out.family("barrow_port_operation_seconds", Kind::Histogram, "How long they took.");
    for operation in &operations {
        let labels = [("port", operation.port), ("operation", operation.operation)];
        let mut below = 0;
        let buckets = BUCKET_ENDS_US.iter().zip(operation.latency.buckets).map(|(end, count)| {
            below += count;
            (*end as f64 / 1e6, below)
        });
        let buckets: Vec<(f64, u64)> = buckets.collect();
        let seconds = operation.latency.sum_us as f64 / 1e6;
        out.histogram(&labels, buckets, operation.latency.count(), seconds);
    }
}

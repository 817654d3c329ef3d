//! What the meters on the ports have counted, for whoever reads the figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use barrow_adapters::decorators::{BUCKET_ENDS_US, Meter, OperationSnapshot};

use crate::edge::metrics::{Exposition, Kind};

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

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

/// Writes what this node has to do with the others.
pub fn collect_cluster(out: &mut Exposition, figures: &super::cluster::Figures) {
    let shards = figures.router.shards();
    let view = shards.view();
    let owned = view.shards_of(shards.me()).count() as u64;
    let gauges = [
        ("barrow_cluster_members", "Members of the view.", view.members.len() as u64),
        ("barrow_cluster_shards_owned", "Shards of this node.", owned),
        ("barrow_cluster_view_version", "The view that this node knows.", view.version),
        ("barrow_cluster_form", "The form that rows are written in.", u64::from(view.form)),
        (
            "barrow_cluster_peers_unreached",
            "Members that the last call to them did not reach.",
            figures.router.unreached().len() as u64,
        ),
    ];
    for (name, help, value) in gauges {
        out.single(name, Kind::Gauge, help, value);
    }
    let stats = &figures.router.stats;
    let (sent, served) = (figures.peers.stats(), figures.server.stats());
    let counters = [
        ("barrow_cluster_forwarded_total", "Calls sent to other nodes.", get(&stats.forwarded)),
        ("barrow_cluster_parked_total", "Calls that waited for a shard.", get(&stats.parked)),
        ("barrow_cluster_moved_total", "Calls whose shard was elsewhere.", get(&stats.moved)),
        ("barrow_cluster_failed_total", "Calls that got no answer.", get(&stats.failed)),
        ("barrow_cluster_crowded_total", "Calls refused for load.", get(&stats.crowded)),
        ("barrow_cluster_served_total", "Calls of other nodes answered.", get(&stats.served)),
        ("barrow_cluster_call_frames_total", "Frames of calls sent.", sent.call_frames),
        ("barrow_cluster_answer_frames_total", "Frames of answers sent.", served.answer_frames),
        ("barrow_cluster_connections_total", "Connections made to nodes.", sent.connections),
    ];
    for (name, help, count) in counters {
        out.single(name, Kind::Counter, help, count);
    }
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

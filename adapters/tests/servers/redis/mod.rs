//! Redis, alone and as a cluster.

mod announcements;
mod contracts;
mod failover;
mod failures;
mod line;
mod support;

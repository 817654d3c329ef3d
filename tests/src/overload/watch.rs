//! What a shop takes of the machine while it is asked for too much.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;

use super::client::{Connection, request};
use crate::server::Server;

/// The most that was seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    pub resident_bytes: u64,
    /// Requests being answered.
    pub in_flight: u64,
    pub looks: u64,
}

const INTERVAL: Duration = Duration::from_millis(100);

/// Looks at the shop until `until` has come, and answers the most it saw beside what came.
pub async fn watch<T>(server: &Server, until: impl Future<Output = T>) -> (Seen, T) {
    let address = server.address().parse().expect("the shop said where it listens");
    let mut seen = Seen::default();
    let looks = async {
        loop {
            seen.resident_bytes = seen.resident_bytes.max(server.resident_bytes());
            let found = in_flight(address).await.expect("the figures can be read under any load");
            seen.in_flight = seen.in_flight.max(found);
            seen.looks += 1;
            tokio::time::sleep(INTERVAL).await;
        }
    };
    let came = tokio::select! {
        came = until => came,
        never = looks => never,
    };
    (seen, came)
}

/// Requests that the shop says it is answering.
pub async fn in_flight(address: SocketAddr) -> anyhow::Result<u64> {
    let mut connection = Connection::open(address).await?;
    let answer = connection.send(&request("GET", "/metrics", "", "", "")).await?;
    let page = String::from_utf8(answer.body)?;
    let line = page.lines().find_map(|line| line.strip_prefix("barrow_http_requests_in_flight "));
    Ok(line.context("the figure is there")?.parse()?)
}

//! What an operator may set about the edge. Each default stands here with its reason.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

/// The edge's limits and habits.
#[derive(Debug, Clone)]
pub struct EdgeSettings {
    /// Whether sessions and carts are answered here.
    pub answers_carts: bool,
    /// Whether products, collections and media are.
    pub answers_catalog: bool,
    /// Where other origins may call from (`https://shop.example`); `*` for any; empty: none.
    pub cors_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Metrics listen on a port of their own, and are absent from the public one.
    pub ops_listen: Option<SocketAddr>,
    /// What image addresses begin with; empty: the server's own paths.
    pub media_base_url: String,
    /// 1 MiB: the largest body of the contract, 100 actions, is below 64 KiB.
    pub body_bytes_max: usize,
    /// A body of 1 MiB at 35 KiB/s, a bad mobile line.
    pub body_timeout: Duration,
    /// How long a connection may be idle between requests, or take to send one's head.
    pub header_timeout: Duration,
    /// How long a client may leave sent bytes unread before its connection is given up.
    pub write_stall_timeout: Duration,
    /// Open connections; more wait in the listen queue. Each costs about 20 KiB.
    pub connections_max: usize,
    /// Requests being answered at once; more are refused at once with 429. About ten times
    /// what two cores have in progress at full load.
    pub requests_in_flight_max: usize,
    /// Event streams of one cart: a shopper's tabs and devices.
    pub streams_per_cart_max: usize,
    /// Event streams in all.
    pub streams_max: usize,
    /// The silence after which an event stream says that it is alive.
    pub stream_ping: Duration,
    /// How long open requests may take to end at shutdown. A container has 30 s from SIGTERM
    /// to the end, and the actors need some of it.
    pub drain_timeout: Duration,
    /// How long a session lives that nobody refreshes.
    pub session_ttl: Duration,
}

impl Default for EdgeSettings {
    fn default() -> Self {
        EdgeSettings {
            answers_carts: true,
            answers_catalog: true,
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            ops_listen: None,
            media_base_url: String::new(),
            body_bytes_max: 1 << 20,
            body_timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(30),
            write_stall_timeout: Duration::from_secs(60),
            connections_max: 10_000,
            requests_in_flight_max: 2_048,
            streams_per_cart_max: 8,
            streams_max: 5_000,
            stream_ping: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(10),
            session_ttl: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

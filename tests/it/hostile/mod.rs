//! Clients that mean no good, or know no better: whatever they send is answered with a clear
//! refusal in bounded time, and leaves nothing behind.

mod bodies;
mod raw;
mod sockets;

use std::sync::OnceLock;

use barrow_tests::server::{Launch, Server, kill_at_the_end};

use crate::support::{Client, small_shop};

/// How long a client may take over a head or a body here, in milliseconds.
pub const TIMEOUT_MS: u64 = 1_500;

/// A server whose patience is short.
pub fn impatient(launch: Launch) -> Launch {
    launch
        .set(&format!("server.header_timeout={TIMEOUT_MS}ms"))
        .set(&format!("server.body_timeout={TIMEOUT_MS}ms"))
}

/// A shop of that kind, which all hostile clients share.
pub fn shop() -> &'static Server {
    static SHOP: OnceLock<Server> = OnceLock::new();
    SHOP.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap().keep();
        let server = impatient(small_shop(&folder))
            .set("limits.body=256KiB")
            .set("limits.event_streams_per_cart=10")
            .start();
        kill_at_the_end(&server, &folder);
        server
    })
}

pub fn visitor() -> Client {
    Client::of(&shop().url)
}

pub async fn guest() -> Client {
    visitor().guest().await
}

//! The peers with their servers, each on a folder of its own.

use std::net::SocketAddr;
use std::path::Path;

use barrow_servers::{Postgres, Redis};

use super::{PEER, STORE};
use crate::load::Target;
use crate::process::tree;
use crate::role;
use crate::server::Server;

/// An axum server with its store.
pub struct Peer {
    server: Server,
    store: Store,
}

enum Store {
    Redis(Redis),
    Postgres(Postgres),
}

impl Peer {
    pub fn redis(dir: &Path) -> anyhow::Result<Peer> {
        let redis = Redis::start_durable(dir)?;
        let socket = redis.socket();
        Peer::start("redis", socket.as_os_str(), Store::Redis(redis))
    }

    pub fn postgres(dir: &Path) -> anyhow::Result<Peer> {
        let postgres = Postgres::start_large(dir)?;
        let url = postgres.socket_url()?;
        Peer::start("postgres", url.as_ref(), Store::Postgres(postgres))
    }

    fn start(peer: &str, listens: &std::ffi::OsStr, store: Store) -> anyhow::Result<Peer> {
        let mut command = role("peer")?;
        command.env(PEER, peer).env(STORE, listens);
        Ok(Peer { server: Server::start(command)?, store })
    }
}

impl Target for Peer {
    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn processes(&self) -> Vec<u32> {
        let store = match &self.store {
            Store::Redis(redis) => redis.process(),
            Store::Postgres(postgres) => postgres.process(),
        };
        let mut all = self.server.processes();
        all.extend(tree(store.pid()).unwrap_or_default());
        all
    }
}

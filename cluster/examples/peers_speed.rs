//! How many calls a second one node answers another, over one connection on this machine, TLS
//! included: `cargo run --release -p barrow-cluster --example peers_speed -- [SECONDS]
//! [CALLERS]`.

#![expect(clippy::disallowed_methods, reason = "it measures, and simulates nothing")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use barrow_cluster::transport::grpc::{Peers, Server, Settings};
use barrow_cluster::transport::stream::TcpConnect;
use barrow_cluster::transport::tls::{Identity, Trust};
use barrow_cluster::transport::{Call, Feed, Refusal, Service, Transport};
use barrow_cluster::{MemberId, Peer};
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

struct Echo;

#[async_trait]
impl Service for Echo {
    async fn call(&self, call: Call) -> Result<Bytes, Refusal> {
        Ok(call.payload)
    }

    async fn open(&self, _call: Call) -> Result<Feed, Refusal> {
        Err(Refusal::Unavailable)
    }
}

/// Lets one node in.
struct Only(Vec<u8>);

impl Trust for Only {
    fn knows(&self, certificate: &[u8]) -> bool {
        certificate == self.0
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let callers: usize = arguments.next().map_or(Ok(256), |text| text.parse())?;
    let (caller, callee) = (Identity::generate()?, Identity::generate()?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let peer = Peer {
        id: MemberId(1),
        name: "callee".to_owned(),
        address: listener.local_addr()?.to_string(),
        certificate: callee.certificate().to_vec(),
        unreachable: Vec::new(),
    };
    let trust = Arc::new(Only(caller.certificate().to_vec()));
    let server = Server::new(&callee, Arc::new(Echo), trust, Settings::default())?;
    let stop = CancellationToken::new();
    let until = stop.clone();
    let serving = tokio::spawn(async move { server.serve(listener, until).await });

    let peers = Arc::new(Peers::new(caller, Arc::new(TcpConnect), Settings::default()));
    let (began, time) = (Instant::now(), Duration::from_secs(seconds));
    let mut tasks: JoinSet<Vec<Duration>> = JoinSet::new();
    for _ in 0..callers {
        let (peers, peer) = (Arc::clone(&peers), peer.clone());
        tasks.spawn(async move {
            let mut took = Vec::new();
            while began.elapsed() < time {
                let patience = Duration::from_secs(5);
                let payload = Bytes::from_static(&[7; 64]);
                let sent = Instant::now();
                let reply = peers.call(&peer, Call { shard: 1, view: 1, patience, payload });
                reply.await.expect("the peer is there");
                took.push(sent.elapsed());
            }
            took
        });
    }
    let mut took = tasks.join_all().await.concat();
    let elapsed = began.elapsed().as_secs_f64();
    took.sort_unstable();
    let quantile = |of: usize| took[(took.len() * of / 1_000).min(took.len() - 1)];
    let stats = peers.stats();
    println!("{} callers, 64-byte payloads, {seconds} s", callers);
    println!("{:.0} calls/s", took.len() as f64 / elapsed);
    println!("p50 {:?}, p99 {:?}, p99.9 {:?}", quantile(500), quantile(990), quantile(999));
    println!(
        "{:.1} calls and {:.1} answers in a frame",
        stats.calls as f64 / stats.call_frames as f64,
        stats.answers as f64 / stats.answer_frames as f64,
    );
    stop.cancel();
    Ok(serving.await?)
}

//! Nodes on real sockets of this machine. What they answer is written in the calls themselves.

mod bounds;
mod calls;
mod feeds;
mod hostile;
mod links;
mod trust;

use std::collections::HashSet;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::transport::runtime;
use crate::transport::stream::{BoxStream, TcpConnect};
use crate::transport::tls::Trust;
use crate::transport::{PAYLOAD_BYTES_MAX, Refusal, Service};

/// Longer than any test takes: what is waited for happens, or the test fails.
const LONG: Duration = Duration::from_secs(60);

/// Polls until it is so.
async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let polling = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, polling).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn call(payload: impl Into<Bytes>) -> Call {
    Call { shard: 3, view: 1, patience: LONG, payload: payload.into() }
}

fn with_patience(patience_ms: u64, payload: impl Into<Bytes>) -> Call {
    Call { patience: Duration::from_millis(patience_ms), ..call(payload) }
}

/// Answers by the first byte of the payload: `e` echoes, `w` echoes once the gate is open, `s`
/// never answers, `m` says that the shard has moved, `l` replies with more than may be.
struct Scripted {
    begun: AtomicUsize,
    /// Calls whose futures are still there.
    under_way: AtomicUsize,
    gate: watch::Sender<bool>,
    /// The writing ends of the feeds that were opened.
    feeds: Mutex<Vec<mpsc::Sender<Bytes>>>,
}

struct Present<'a>(&'a AtomicUsize);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Scripted {
    fn new() -> Arc<Scripted> {
        Arc::new(Scripted {
            begun: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            gate: watch::Sender::new(false),
            feeds: Mutex::default(),
        })
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }

    fn enter(&self) -> Present<'_> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.under_way.fetch_add(1, Ordering::SeqCst);
        Present(&self.under_way)
    }
}

#[async_trait]
impl Service for Scripted {
    async fn call(&self, call: Call) -> Result<Bytes, Refusal> {
        let _present = self.enter();
        match call.payload.first() {
            Some(b'w') => {
                self.gate.subscribe().wait_for(|is_open| *is_open).await.unwrap();
            }
            Some(b's') => std::future::pending().await,
            Some(b'm') => return Err(Refusal::Moved { view: call.view + 1 }),
            Some(b'l') => return Ok(Bytes::from(vec![0; PAYLOAD_BYTES_MAX + 1])),
            _ => {}
        }
        Ok(call.payload)
    }

    async fn open(&self, call: Call) -> Result<Feed, Refusal> {
        let _present = self.enter();
        match call.payload.first() {
            Some(b's') => std::future::pending().await,
            Some(b'm') => return Err(Refusal::Unavailable),
            _ => {}
        }
        let (sender, feed) = mpsc::channel(1);
        self.feeds.lock().push(sender);
        Ok(feed)
    }
}

/// Who is a member.
#[derive(Default)]
struct Known {
    certificates: Mutex<HashSet<Vec<u8>>>,
    /// How often somebody else came.
    refused: AtomicUsize,
}

impl Known {
    fn learn(&self, identity: &Identity) {
        self.certificates.lock().insert(identity.certificate().to_vec());
    }
}

impl Trust for Known {
    fn knows(&self, certificate: &[u8]) -> bool {
        let knows = self.certificates.lock().contains(certificate);
        self.refused.fetch_add(usize::from(!knows), Ordering::SeqCst);
        knows
    }
}

/// A node that answers.
struct Node {
    service: Arc<Scripted>,
    server: Arc<Server>,
    known: Arc<Known>,
    peer: Peer,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn identity() -> Identity {
    Identity::generate().unwrap()
}

fn peer(id: u128, address: String, certificate: &[u8]) -> Peer {
    let (name, certificate) = (format!("node {id}"), certificate.to_vec());
    Peer { id: MemberId(id), name, address, certificate, unreachable: Vec::new() }
}

impl Node {
    async fn start(id: u128, trusted: &[&Identity], settings: Settings) -> Node {
        Node::start_at("127.0.0.1:0", id, identity(), trusted, settings).await
    }

    async fn start_at(
        address: &str,
        id: u128,
        own: Identity,
        trusted: &[&Identity],
        settings: Settings,
    ) -> Node {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let known = Arc::new(Known::default());
        trusted.iter().for_each(|identity| known.learn(identity));
        let service = Scripted::new();
        let dynamic = Arc::clone(&service) as Arc<dyn Service>;
        let trust = Arc::clone(&known) as Arc<dyn Trust>;
        let server = Arc::new(Server::new(&own, dynamic, trust, settings).unwrap());
        let stop = CancellationToken::new();
        let (serving, until) = (Arc::clone(&server), stop.clone());
        let task = runtime::spawn(async move { serving.serve(listener, until).await });
        let peer = peer(id, address, own.certificate());
        Node { service, server, known, peer, stop, task }
    }
}

fn peers(own: &Identity, settings: Settings) -> Peers {
    Peers::new(own.clone(), Arc::new(TcpConnect), settings)
}

/// A node, and another one that calls it.
async fn pair(settings: Settings) -> (Node, Peers) {
    let caller = identity();
    let node = Node::start(1, &[&caller], settings.clone()).await;
    (node, peers(&caller, settings))
}

/// What may be done to connections from outside, after they were made.
#[derive(Default)]
struct Weather {
    made: AtomicUsize,
    /// Nothing arrives any more, in either direction, and nobody is told.
    is_dark: AtomicBool,
    /// Nothing can be written any more.
    is_stuck: AtomicBool,
}

#[async_trait]
impl Connect for Arc<Weather> {
    async fn connect(&self, address: &str) -> io::Result<BoxStream> {
        self.made.fetch_add(1, Ordering::SeqCst);
        let inner = TcpConnect.connect(address).await?;
        Ok(Box::new(Weathered { inner, weather: Arc::clone(self) }))
    }
}

struct Weathered {
    inner: BoxStream,
    weather: Arc<Weather>,
}

impl AsyncRead for Weathered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        if !self.weather.is_dark.load(Ordering::SeqCst) || polled.is_pending() {
            return polled;
        }
        // What arrived is lost, and nothing will wake the reader.
        buffer.set_filled(before);
        Poll::Pending
    }
}

impl AsyncWrite for Weathered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.weather.is_stuck.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        match self.weather.is_dark.load(Ordering::SeqCst) {
            true => Poll::Ready(Ok(bytes.len())),
            false => Pin::new(&mut self.inner).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

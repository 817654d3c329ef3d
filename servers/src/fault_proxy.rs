//! A network that can be broken on purpose: a TCP proxy in front of a server, with faults that
//! are switched while it is used.
//!
//! A fault holds for the connections there are and those to come. A connection whose bytes were
//! swallowed is never healed, since some are missing: it is reset when the fault ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::http::Served;

/// What is read at once, and all that a direction of a connection holds.
const CHUNK_BYTES: usize = 16 * 1024;

/// Connections at once; more wait to be taken.
const CONNECTIONS_MAX: usize = 1_024;

/// What is wrong with the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Whatever passes takes this long each way, and up to `jitter` more.
    Latency {
        each: Duration,
        jitter: Duration,
    },
    /// So few bytes pass at once, and so long after those before.
    Trickle {
        bytes: usize,
        each: Duration,
    },
    /// Connections are reset, new ones as soon as they are taken.
    Cut,
    /// Connections are taken, and nothing comes of it.
    BlackHole(BlackHole),
    /// That one side has closed is told to the other only so much later.
    SlowClose(Duration),
    /// A connection is reset after so many bytes of both directions.
    ResetAfter {
        bytes: u64,
    },
    /// One half of them is reset; which, is the same for the same seed.
    HalfFail {
        each: Each,
        seed: u64,
    },
}

/// What a black hole swallows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlackHole {
    All,
    /// The server does as it is told, and nobody learns of it.
    Replies,
}

/// Of what one half fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Each {
    Connection,
    /// What is read of the client at once: mostly a request.
    Chunk,
}

/// A proxy to one server, with threads of its own, until it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    served: Served,
    fault: watch::Sender<Fault>,
    accepted: Arc<AtomicU64>,
}

impl FaultProxy {
    /// # Panics
    /// If the machine has no port left.
    pub fn start(upstream: SocketAddr) -> FaultProxy {
        FaultProxy::start_at(Ipv4Addr::LOCALHOST, upstream)
    }

    /// The same at another address of this machine.
    ///
    /// # Panics
    /// If the machine does not have it.
    pub fn start_at(address: Ipv4Addr, upstream: SocketAddr) -> FaultProxy {
        let (fault, faults) = watch::channel(Fault::None);
        let accepted = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&accepted);
        let address = (address, 0).into();
        let serve = move |listener| serve(listener, upstream, faults, counted);
        let served = Served::start_at(address, serve);
        let served = served.expect("a port is free on this machine");
        FaultProxy { served, fault, accepted }
    }

    /// Where to connect instead of the server.
    pub fn address(&self) -> SocketAddr {
        self.served.address
    }

    /// From now on this is wrong.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How many connections were taken so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }
}

async fn serve(
    listener: TcpListener,
    upstream: SocketAddr,
    faults: watch::Receiver<Fault>,
    accepted: Arc<AtomicU64>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((client, _)) = listener.accept().await else { continue };
        let number = accepted.fetch_add(1, Ordering::SeqCst);
        let connection = Connection { number, faults: faults.clone(), passed: AtomicU64::new(0) };
        tokio::spawn(async move {
            connection.run(client, upstream).await;
            drop(place);
        });
    }
}

/// Why a connection is reset.
struct Reset;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Requests,
    Replies,
}

struct Connection {
    number: u64,
    faults: watch::Receiver<Fault>,
    /// Bytes of both directions.
    passed: AtomicU64,
}

impl Connection {
    async fn run(self, mut client: TcpStream, upstream: SocketAddr) {
        let Ok(mut server) = TcpStream::connect(upstream).await else { return reset(&client) };
        // What is passed on is passed on at once.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let ended = tokio::select! {
            both = async {
                tokio::try_join!(
                    self.pass(Direction::Requests, from_client, to_server),
                    self.pass(Direction::Replies, from_server, to_client),
                )
            } => both.map(drop),
            () = self.is_reset_from_the_start() => Err(Reset),
        };
        if ended.is_err() {
            reset(&client);
            reset(&server);
        }
    }

    /// Waits for a fault that ends connections whether anything passes or not.
    async fn is_reset_from_the_start(&self) {
        let mut faults = self.faults.clone();
        let ends = |fault: &Fault| match *fault {
            Fault::Cut => true,
            Fault::HalfFail { each: Each::Connection, seed } => coin(seed, self.number, 0),
            _ => false,
        };
        if faults.wait_for(ends).await.is_err() {
            // The proxy goes, and its runtime with it.
            std::future::pending::<()>().await;
        }
    }

    async fn pass(
        &self,
        direction: Direction,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
    ) -> Result<(), Reset> {
        let mut faults = self.faults.clone();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut chunks = 0;
        let mut has_swallowed = false;
        loop {
            let length = tokio::select! {
                length = from.read(&mut chunk) => length.map_err(|_| Reset)?,
                _ = faults.changed() => {
                    if has_swallowed && !swallows(*faults.borrow_and_update(), direction) {
                        return Err(Reset);
                    }
                    continue;
                }
            };
            let fault = *faults.borrow_and_update();
            if swallows(fault, direction) {
                has_swallowed = true;
                if length == 0 {
                    // The end is swallowed, too.
                    faults.changed().await.map_err(|_| Reset)?;
                    return Err(Reset);
                }
                continue;
            }
            if has_swallowed {
                return Err(Reset);
            }
            if length == 0 {
                if let Fault::SlowClose(late) = fault {
                    tokio::time::sleep(late).await;
                }
                // The other side may be gone already.
                let _ = to.shutdown().await;
                return Ok(());
            }
            chunks += 1;
            if let Fault::Trickle { bytes, each } = fault {
                for few in chunk[..length].chunks(bytes.max(1)) {
                    tokio::time::sleep(each).await;
                    to.write_all(few).await.map_err(|_| Reset)?;
                }
                continue;
            }
            let passing = self.suffer(fault, direction, chunks, length).await;
            to.write_all(&chunk[..passing]).await.map_err(|_| Reset)?;
            if passing < length {
                return Err(Reset);
            }
        }
    }

    /// How much of a chunk passes; all of it, or the connection is reset behind it.
    async fn suffer(&self, fault: Fault, side: Direction, chunks: u64, length: usize) -> usize {
        match fault {
            Fault::Latency { each, jitter } => {
                let most_us = u64::try_from(jitter.as_micros()).unwrap_or(u64::MAX - 1);
                let more_us = mix(self.number, chunks) % (most_us + 1);
                tokio::time::sleep(each + Duration::from_micros(more_us)).await;
                length
            }
            Fault::ResetAfter { bytes } => {
                let before = self.passed.fetch_add(length as u64, Ordering::SeqCst);
                let left = usize::try_from(bytes.saturating_sub(before)).unwrap_or(usize::MAX);
                left.min(length)
            }
            Fault::HalfFail { each: Each::Chunk, seed } if side == Direction::Requests => {
                if coin(seed, self.number, chunks) { 0 } else { length }
            }
            _ => length,
        }
    }
}

fn swallows(fault: Fault, direction: Direction) -> bool {
    match fault {
        Fault::BlackHole(BlackHole::All) => true,
        Fault::BlackHole(BlackHole::Replies) => direction == Direction::Replies,
        _ => false,
    }
}

/// The other side learns of it at once, and that it was no orderly end.
fn reset(stream: &TcpStream) {
    // What cannot be reset is closed.
    let _ = stream.set_zero_linger();
}

fn coin(seed: u64, connection: u64, chunk: u64) -> bool {
    mix(seed, mix(connection, chunk)) & 1 == 1
}

/// SplitMix64: every seed is a good one.
fn mix(seed: u64, number: u64) -> u64 {
    let mut mixed = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

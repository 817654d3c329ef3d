//! The listening side: takes connections of peers, lets members in, and hands each one's stream
//! to an [`Exchange`].

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic_prost::ProstCodec;

use super::exchange::Exchange;
use super::wire::{AnswerFrame, CallFrame, FRAME_BYTES_MAX, PATH};
use super::{Counters, Settings, TransportStats};
use crate::MEMBERS_MAX;
use crate::transport::Service;
use crate::transport::stream::{Accept, BoxStream};
use crate::transport::tls::{Identity, Trust};

/// One for each member, and as many for those that are about to end.
const CONNECTIONS_MAX: usize = 2 * MEMBERS_MAX;

/// How long it rests when the system has no connection to give, for want of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// No server can be made of this identity.
#[derive(Debug, thiserror::Error)]
#[error("the certificate of this node does not fit its key: {0}")]
pub struct ServerError(#[from] rustls::Error);

/// Answers peers over HTTP/2.
pub struct Server {
    tls: TlsAcceptor,
    service: Arc<dyn Service>,
    settings: Arc<Settings>,
    counters: Arc<Counters>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Server {
    pub fn new(
        identity: &Identity,
        service: Arc<dyn Service>,
        trust: Arc<dyn Trust>,
        settings: Settings,
    ) -> Result<Server, ServerError> {
        let tls = TlsAcceptor::from(Arc::new(identity.server(trust)?));
        let settings = Arc::new(settings);
        Ok(Server { tls, service, settings, counters: Arc::default() })
    }

    /// What it received and sent.
    pub fn stats(&self) -> TransportStats {
        self.counters.read()
    }

    /// Serves until it is told to stop; then calls that are under way may end, and new ones are
    /// refused as unavailable. If the future is dropped, everything ends at once.
    pub async fn serve(&self, listener: TcpListener, stop: CancellationToken) {
        self.serve_with(Box::new(listener), stop).await;
    }

    /// The same, over whatever connections come.
    pub async fn serve_with(&self, listener: Box<dyn Accept>, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        let mut handshakes = Handshakes::new(&self.settings);
        loop {
            tokio::select! {
                accepted = listener.accept(), if handshakes.has_room() => match accepted {
                    Ok(stream) => handshakes.begin(self.tls.clone(), stream),
                    Err(error) => {
                        tracing::warn!(%error, "a connection of a peer was not taken");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(stream) = handshakes.next(), if connections.len() < CONNECTIONS_MAX => {
                    if let Some(stream) = stream {
                        connections.spawn(self.connection(stream, &stop));
                    }
                }
                Some(_) = connections.join_next() => {}
                () = stop.cancelled() => break,
            }
        }
        drop((listener, handshakes));
        let ending = async { while connections.join_next().await.is_some() {} };
        if timeout(self.settings.stop_within, ending).await.is_err() {
            tracing::warn!("calls of peers were still under way at the end");
        }
    }

    fn connection(
        &self,
        stream: TlsStream<BoxStream>,
        stop: &CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        let exchange = Exchange {
            service: Arc::clone(&self.service),
            settings: Arc::clone(&self.settings),
            counters: Arc::clone(&self.counters),
            stop: stop.clone(),
        };
        async move {
            if let Err(error) = talk(stream, exchange).await {
                tracing::debug!(%error, "a connection of a peer has failed");
            }
        }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Connections that are at TLS. They are counted apart from those that are through: who stalls
/// there takes no member's place.
struct Handshakes {
    tasks: JoinSet<Option<TlsStream<BoxStream>>>,
    /// The oldest first.
    under_way: VecDeque<AbortHandle>,
    settings: Arc<Settings>,
}

impl Handshakes {
    fn new(settings: &Arc<Settings>) -> Handshakes {
        let (tasks, under_way) = (JoinSet::new(), VecDeque::new());
        Handshakes { tasks, under_way, settings: Arc::clone(settings) }
    }

    /// Those that are over and were not looked at yet are bounded, too.
    fn has_room(&self) -> bool {
        self.tasks.len() < 2 * self.settings.handshakes_max
    }

    fn begin(&mut self, tls: TlsAcceptor, stream: BoxStream) {
        self.under_way.retain(|handshake| !handshake.is_finished());
        if self.under_way.len() >= self.settings.handshakes_max
            && let Some(oldest) = self.under_way.pop_front()
        {
            tracing::debug!("a connection of a peer took too long at TLS: others come");
            oldest.abort();
        }
        let within = self.settings.connect_within;
        self.under_way.push_back(self.tasks.spawn(async move {
            match timeout(within, tls.accept(stream)).await {
                Ok(Ok(stream)) => return Some(stream),
                Ok(Err(error)) => tracing::debug!(%error, "a connection of a peer has failed"),
                Err(_) => tracing::debug!("a connection of a peer took too long at TLS"),
            }
            None
        }));
    }

    /// The next that is over, with its connection if it came to one; `None` if there is none.
    async fn next(&mut self) -> Option<Option<TlsStream<BoxStream>>> {
        // One that was ended has none.
        Some(self.tasks.join_next().await?.ok().flatten())
    }
}

/// One connection, to its end.
async fn talk(stream: TlsStream<BoxStream>, exchange: Exchange) -> Result<(), Failure> {
    let (stop, settings) = (exchange.stop.clone(), Arc::clone(&exchange.settings));
    exchange.counters.connections.add(1);
    let service = hyper::service::service_fn(move |request| respond(exchange.clone(), request));
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(settings.window_bytes)
        .initial_connection_window_size(settings.window_bytes)
        .keep_alive_interval(settings.ping_interval)
        .keep_alive_timeout(settings.ping_patience)
        // A peer has one stream, and a second only while the first is ending.
        .max_concurrent_streams(2)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    Ok(connection.await?)
}

async fn respond(
    exchange: Exchange,
    request: Request<Incoming>,
) -> Result<Response<tonic::body::Body>, Infallible> {
    if request.uri().path() != PATH {
        return Ok(Status::unimplemented("there is no such method").into_http());
    }
    let mut grpc = tonic::server::Grpc::new(ProstCodec::<AnswerFrame, CallFrame>::new())
        .max_decoding_message_size(FRAME_BYTES_MAX);
    Ok(grpc.streaming(exchange, request).await)
}

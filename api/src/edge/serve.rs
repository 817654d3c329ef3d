//! The server loop: connections, their limits in number and time, and a graceful end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Front;
use super::metrics::Gauged;

/// A head beyond this is refused with 431: a token, a trace and cookies fit ten times over.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Browsers and proxies send some thirty.
const HEADERS_MAX: usize = 100;
/// How much of a refused body is read and dropped after the reply was written. A connection
/// closed on unread bytes is reset, and takes the reply with it before the client read it.
const LINGER_BYTES_MAX: usize = 64 << 20;
const LINGER_TIME_MAX: Duration = Duration::from_secs(3);
/// A client that sends nothing for so long is not in the middle of a body.
const LINGER_SILENCE_MAX: Duration = Duration::from_millis(500);
/// The same while the process ends, when idle connections are many.
const LINGER_SILENCE_AT_END: Duration = Duration::from_millis(100);
/// What a client is told whose request's head did not come in time.
const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// The pause after the system refused a connection: it is out of something, and trying again
/// at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves on the listener until `shutdown`, then lets open requests end, for as long as the
/// settings allow.
pub async fn serve(listener: TcpListener, front: Front, shutdown: CancellationToken) {
    let app = Arc::clone(front.app());
    let permits = Arc::new(Semaphore::new(app.settings.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        while connections.try_join_next().is_some() {}
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (front, shutdown) = (front.clone(), shutdown.clone());
        connections.spawn(async move {
            let gauge = Gauged::hold(&front.app().metrics, |metrics| &metrics.connections);
            connection(stream, peer, front, &shutdown).await;
            drop((gauge, permit));
        });
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(app.settings.drain_timeout, ended).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections were cut off at the end");
    }
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

/// Takes a connection once there is room for it; until then it waits in the listen queue.
async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> io::Result<Accepted> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    front: Front,
    shutdown: &CancellationToken,
) {
    let settings = &front.app().settings;
    if let Err(error) = prepare(&stream, settings.write_stall_timeout) {
        tracing::debug!(%error, "a socket did not take its options");
    }
    let service = service_fn(|request| {
        let answer = front.clone().answer(request, Some(peer));
        Box::pin(async { Ok::<_, Infallible>(answer.await) })
    });
    let mut serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut ending = false;
    let result = loop {
        tokio::select! {
            biased;
            result = std::future::poll_fn(|cx| serving.poll_without_shutdown(cx)) => break result,
            () = shutdown.cancelled(), if !ending => {
                ending = true;
                std::pin::Pin::new(&mut serving).graceful_shutdown();
            }
        }
    };
    let was_slow = result.as_ref().is_err_and(hyper::Error::is_timeout);
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
    let parts = serving.into_parts();
    let mut stream = parts.io.into_inner();
    // Who began a request and did not get on with it is told so; who was idle is not.
    if was_slow && !parts.read_buf.is_empty() {
        let _ = stream.try_write(REQUEST_TIMEOUT);
    }
    let patience = if ending { LINGER_SILENCE_AT_END } else { LINGER_SILENCE_MAX };
    linger(&mut stream, patience).await;
}

fn prepare(stream: &TcpStream, stall: Duration) -> io::Result<()> {
    // A reply is one write; waiting to fill a packet would only delay it.
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(stall))?;
    #[cfg(not(target_os = "linux"))]
    let _ = stall;
    Ok(())
}

/// Ends a connection so that the client can still read the last reply, even while it is sending
/// what nobody reads.
async fn linger(stream: &mut TcpStream, silence_max: Duration) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut dropped = 0;
    let mut buffer = vec![0; 16 << 10];
    let ends_at = tokio::time::Instant::now() + LINGER_TIME_MAX;
    while dropped < LINGER_BYTES_MAX && tokio::time::Instant::now() < ends_at {
        match tokio::time::timeout(silence_max, stream.read(&mut buffer)).await {
            Ok(Ok(read @ 1..)) => dropped += read,
            _ => return,
        }
    }
}

//! The way to one peer: a connection that is made when there is something to send, kept while it
//! is used, and made anew after it was lost, not more often than the backoff allows.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use http::Uri;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tonic::Streaming;
use tonic_prost::ProstCodec;

use super::queue::{Bounds, Outcome, Queue, Waiter};
use super::wire::{AnswerFrame, CallFrame, FRAME_BYTES_MAX, PATH};
use super::{Counters, Settings};
use crate::Peer;
use crate::transport::newest::newest;
use crate::transport::runtime::{self, Stopwatch};
use crate::transport::stream::Connect;
use crate::transport::tls::{self, Identity};
use crate::transport::{Call, CallError, Feed};

/// How often it is looked after connections that nobody uses, at most.
const CHECK_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// What all links of a node have in common.
pub(super) struct Common {
    pub identity: Identity,
    pub connect: Arc<dyn Connect>,
    pub settings: Settings,
    pub counters: Counters,
}

pub(super) struct Link {
    common: Arc<Common>,
    peer: Peer,
    /// Where its clock begins.
    began: Stopwatch,
    state: Mutex<State>,
}

struct State {
    queue: Queue,
    phase: Phase,
    /// Which connection it is: the frames of an earlier one must not take what is meant for this.
    connection: u64,
    /// Waits for something to send.
    writer: Option<Waker>,
    task: Option<AbortHandle>,
    used_at: Duration,
}

enum Phase {
    Closed { failures: u32, retry_at: Duration, reason: String },
    Connecting { failures: u32 },
    Open { at: Duration },
}

/// A call that waits. Whoever drops it has given up.
struct Ticket<'a> {
    link: &'a Link,
    id: u64,
    is_settled: bool,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if !self.is_settled {
            self.link.give_up(self.id);
        }
    }
}

impl Ticket<'_> {
    async fn wait<T>(
        &mut self,
        answer: oneshot::Receiver<Outcome<T>>,
        patience: Duration,
    ) -> Outcome<T> {
        let answer = timeout(patience, answer).await;
        self.is_settled = true;
        match answer {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(CallError::Unknown("the connection is not there any more".into())),
            Err(_) if self.link.give_up(self.id) => {
                Err(CallError::Unknown("its time is over".into()))
            }
            Err(_) => Err(CallError::NotSent("its time was over before it was sent".into())),
        }
    }
}

impl Link {
    pub(super) fn new(common: Arc<Common>, peer: Peer) -> Arc<Link> {
        let settings = &common.settings;
        let queue = Queue::new(Bounds {
            calls_max: settings.calls_max,
            feeds_max: settings.feeds_max,
            queued_bytes_max: settings.queued_bytes_max,
        });
        let phase = Phase::Closed { failures: 0, retry_at: Duration::ZERO, reason: String::new() };
        let state = State {
            queue,
            phase,
            connection: 0,
            writer: None,
            task: None,
            used_at: Duration::ZERO,
        };
        Arc::new(Link { common, peer, began: Stopwatch::start(), state: Mutex::new(state) })
    }

    /// Whether it leads to that peer, as its row shows it now.
    pub(super) fn leads_to(&self, peer: &Peer) -> bool {
        self.peer.address == peer.address && self.peer.certificate == peer.certificate
    }

    /// Whether it is closed, and was not used for as long as an open one may be.
    pub(super) fn is_over(&self) -> bool {
        let now = self.began.elapsed();
        let state = self.state.lock();
        let rested = now.saturating_sub(state.used_at);
        match state.phase {
            Phase::Closed { retry_at, .. } => {
                now >= retry_at && rested >= self.common.settings.idle_for
            }
            _ => false,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Closed { .. })
    }

    /// Whether nothing is under way.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.state.lock().queue.is_idle()
    }

    pub(super) async fn call(self: &Arc<Link>, call: Call) -> Outcome<Bytes> {
        let patience = call.patience;
        let (waiter, answer) = oneshot::channel();
        let mut ticket = self.submit(call, Waiter::Reply(waiter))?;
        ticket.wait(answer, patience).await
    }

    pub(super) async fn open(self: &Arc<Link>, call: Call) -> Outcome<Feed> {
        let patience = call.patience;
        let (waiter, answer) = oneshot::channel();
        let (slot, source) = newest();
        let mut ticket = self.submit(call, Waiter::Opened(waiter, slot))?;
        ticket.wait(answer, patience).await?;
        let (link, id) = (Arc::downgrade(self), ticket.id);
        Ok(source.feed(move || {
            if let Some(link) = link.upgrade() {
                link.give_up(id);
            }
        }))
    }

    fn submit(self: &Arc<Link>, call: Call, waiter: Waiter) -> Result<Ticket<'_>, CallError> {
        let now = self.began.elapsed();
        let mut state = self.state.lock();
        if let Phase::Closed { retry_at, reason, .. } = &state.phase
            && now < *retry_at
        {
            return Err(CallError::NotSent(format!(
                "no connection to {}: {reason}",
                self.peer.name
            )));
        }
        let deadline = now.saturating_add(call.patience);
        let id = state.queue.push(call, deadline, waiter)?;
        state.used_at = now;
        if let Phase::Closed { failures, .. } = state.phase {
            state.phase = Phase::Connecting { failures };
            state.connection += 1;
            let run = Arc::clone(self).run(state.connection);
            state.task = Some(runtime::spawn(run).abort_handle());
        }
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
        Ok(Ticket { link: self, id, is_settled: false })
    }

    /// Answers whether the call had been sent.
    fn give_up(&self, id: u64) -> bool {
        let mut state = self.state.lock();
        let was_sent = state.queue.give_up(id);
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
        was_sent
    }

    /// Ends the connection, and what is under way on it.
    pub(super) fn shut(&self) {
        let (task, connection) = {
            let mut state = self.state.lock();
            (state.task.take(), state.connection)
        };
        if let Some(task) = task {
            task.abort();
        }
        self.closed(connection, "this node closes its connections");
    }

    /// One connection, from its beginning to its end.
    async fn run(self: Arc<Link>, mut connection: u64) {
        let reason = match self.exchange(&mut connection).await {
            Ok(()) => "the peer closed the connection".to_owned(),
            Err(reason) => reason,
        };
        tracing::debug!(peer.name = self.peer.name, reason, "a connection to a peer has ended");
        self.closed(connection, &reason);
    }

    async fn exchange(self: &Arc<Link>, connection: &mut u64) -> Result<(), String> {
        let settings = &self.common.settings;
        // Dropped with this future: the connection ends with it, whatever ends it.
        let mut io = JoinSet::new();
        let opening = timeout(settings.connect_within, self.introduce(connection, &mut io)).await;
        let mut answers = opening.map_err(|_| "it does not answer".to_owned())??;
        self.opened();
        let mut checks = tokio::time::interval((settings.idle_for / 4).max(CHECK_INTERVAL_MIN));
        loop {
            tokio::select! {
                frame = answers.message() => match frame {
                    Ok(Some(frame)) => self.take(frame),
                    Ok(None) => return Ok(()),
                    Err(status) => return Err(told(&status)),
                },
                _ = checks.tick() => if self.is_unused() { return Ok(()) },
            }
        }
    }

    /// Connects, and comes again when the peer does not know this node: one that has just joined
    /// is not known until its row is read, which being called has the peer do. So its first calls
    /// wait for that, and nobody takes it for a fault.
    async fn introduce(
        self: &Arc<Link>,
        connection: &mut u64,
        io: &mut JoinSet<hyper::Result<()>>,
    ) -> Result<Streaming<AnswerFrame>, String> {
        let settings = &self.common.settings;
        let since = Stopwatch::start();
        loop {
            let is_stranger = Arc::new(AtomicBool::new(false));
            let connected = self.connect(*connection, io, &is_stranger).await;
            let comes_again = is_stranger.load(Ordering::Acquire)
                && since.elapsed() + settings.backoff_min < settings.connect_within / 2;
            if connected.is_ok() || !comes_again {
                return connected;
            }
            tokio::time::sleep(settings.backoff_min).await;
            self.renumber(connection);
        }
    }

    /// What is left of the connection before must not take what is meant for the next. One that
    /// was shut keeps its number: by that it is closed.
    fn renumber(&self, connection: &mut u64) {
        let mut state = self.state.lock();
        if state.connection == *connection && state.task.is_some() {
            state.connection += 1;
            *connection = state.connection;
        }
    }

    /// Connects, up to the peer's word that it takes calls: none is sent before. (In TLS 1.3 a
    /// client that is refused learns it only after its own side of the handshake.)
    async fn connect(
        self: &Arc<Link>,
        connection: u64,
        io: &mut JoinSet<hyper::Result<()>>,
        is_stranger: &Arc<AtomicBool>,
    ) -> Result<Streaming<AnswerFrame>, String> {
        let common = &self.common;
        let config = common.identity.client(&self.peer.certificate).map_err(|e| told(&e))?;
        let stream = common.connect.connect(&self.peer.address).await.map_err(|e| told(&e))?;
        let stream = tls::connect(Arc::new(config), stream).await.map_err(|e| told(&e))?;
        let stream = tls::Caller::new(stream, Arc::clone(is_stranger));
        let settings = &common.settings;
        let (sender, task) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(settings.window_bytes)
            .initial_connection_window_size(settings.window_bytes)
            .keep_alive_interval(settings.ping_interval)
            .keep_alive_timeout(settings.ping_patience)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|e| told(&e))?;
        io.spawn(task);
        let service = tower::service_fn(move |request| sender.clone().send_request(request));
        let origin = Uri::from_static("https://barrow");
        let mut grpc = tonic::client::Grpc::with_origin(service, origin)
            .max_decoding_message_size(FRAME_BYTES_MAX);
        let frames = tonic::Request::new(Frames { link: Arc::clone(self), connection });
        let path = http::uri::PathAndQuery::from_static(PATH);
        let codec = ProstCodec::<CallFrame, AnswerFrame>::new();
        let response = grpc.streaming(frames, path, codec).await.map_err(|e| told(&e))?;
        Ok(response.into_inner())
    }

    fn opened(&self) {
        let mut state = self.state.lock();
        // It may just have been shut: then it stays so, and this task ends at its next pause.
        if !matches!(state.phase, Phase::Connecting { .. }) {
            return;
        }
        state.phase = Phase::Open { at: self.began.elapsed() };
        let writer = state.writer.take();
        drop(state);
        self.common.counters.connections.add(1);
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    fn take(&self, frame: AnswerFrame) {
        let counters = &self.common.counters;
        counters.answer_frames.add(1);
        counters.answers.add(frame.answers.len() as u64);
        let mut state = self.state.lock();
        for answer in frame.answers {
            state.queue.answer(answer);
        }
    }

    /// Whether nobody has asked for this peer for long. It is closed then, at once: who comes now
    /// makes a new connection.
    fn is_unused(&self) -> bool {
        let now = self.began.elapsed();
        let mut state = self.state.lock();
        let rested = now.saturating_sub(state.used_at);
        let is_unused = state.queue.is_idle() && rested >= self.common.settings.idle_for;
        if is_unused {
            let reason = "it was not used".to_owned();
            state.phase = Phase::Closed { failures: 0, retry_at: now, reason };
        }
        is_unused
    }

    fn closed(&self, connection: u64, reason: &str) {
        let settings = &self.common.settings;
        let now = self.began.elapsed();
        let mut state = self.state.lock();
        if state.connection != connection {
            return;
        }
        let backoff = |failures: u32| {
            settings.backoff_min.saturating_mul(1 << failures.min(16)).min(settings.backoff_max)
        };
        let (failures, retry_at) = match state.phase {
            // An idle one was closed before.
            Phase::Closed { .. } => return,
            Phase::Connecting { failures } => (failures + 1, now + backoff(failures)),
            // One that was fine is made anew at once, unless it was so for a moment only.
            Phase::Open { at } => (0, at + backoff(0)),
        };
        state.phase = Phase::Closed { failures, retry_at, reason: reason.to_owned() };
        state.queue.fail(reason);
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}

/// An error with its causes: the outermost alone often says only that there was one.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// The frames of one connection. It is asked for the next one when there is room to send it; what
/// came meanwhile leaves together.
struct Frames {
    link: Arc<Link>,
    connection: u64,
}

impl Stream for Frames {
    type Item = CallFrame;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<CallFrame>> {
        let link = &self.link;
        let mut state = link.state.lock();
        if state.connection != self.connection {
            return Poll::Ready(None);
        }
        let frame = match state.phase {
            Phase::Closed { .. } => return Poll::Ready(None),
            Phase::Connecting { .. } => None,
            Phase::Open { .. } => state.queue.pop(link.began.elapsed()),
        };
        let Some(frame) = frame else {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        };
        drop(state);
        let counters = &link.common.counters;
        counters.call_frames.add(1);
        counters.calls.add(frame.calls.len() as u64);
        Poll::Ready(Some(frame))
    }
}

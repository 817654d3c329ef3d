//! The writes to one primary: those that wait are sent together, and one `WAIT` behind them
//! speaks of them all.
//!
//! A few batches are under way at a time, on one connection and in order: while the server is at
//! one, the next is on its way to it. What comes meanwhile makes the batch after that. A `WAIT`
//! holds up what is behind it on the same connection, and speaks of all that is before it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use barrow_engine::entity::EntityKey;
use barrow_engine::ports::{CasOutcome, CasReply, CasResult, Expected, Row, StoreError};
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand, Value};
use futures::future::{BoxFuture, FutureExt, MaybeDone, maybe_done};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;

use super::client::Address;
use super::link::{CallError, Connection, Link, is_broken, word};
use super::nodes::Node;
use super::script::{EncodedWrite, Keys, Script};
use crate::embedded::row_codec::decode_row;

/// Writes that wait for one primary. More would wait longer than a shopper.
const QUEUE_WRITES_MAX: usize = 4_096;

/// What they take of memory, with those under way.
const QUEUE_KIB_MAX: usize = 64 * 1024;

/// Writes of one batch: some milliseconds of the server's time.
const BATCH_WRITES_MAX: usize = 256;

/// Batches under way at once. Of 1, 2, 4 and 8 in a row, twice, 64 writers came to 0.62 and 0.66
/// of the bare client's rate, 0.81 and 0.64, 1.05 and 0.95, 1.04 and 0.98. Later runs with 8 came
/// to 0.81 to 0.84: the order holds, the heights depend on the machine's day.
const BATCHES_MAX: usize = 8;

/// With a `WAIT` behind each: the next is there when that is over, and more would only wait.
const BATCHES_WITH_WAIT_MAX: usize = 2;

/// A batch that has no answer by then, beyond the time that its `WAIT` may take, has an unknown
/// outcome, and the connection is given up.
const BATCH_TIMEOUT: Duration = Duration::from_millis(1_500);

/// How many replicas have to have a write, and how long they may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replication {
    pub(super) replicas: u32,
    pub(super) wait_max: Duration,
}

/// A primary: a link for what is read, and the writer with a link of its own, since reads would
/// wait behind its `WAIT`.
pub(super) struct Primary {
    pub(super) reads: Link,
    pub(super) writer: Writer,
}

impl Node for Primary {
    fn link(&self) -> &Link {
        &self.reads
    }
}

/// See the module.
pub(super) struct Writer {
    link: Arc<Link>,
    queue: mpsc::Sender<Write>,
    room: Arc<Semaphore>,
    task: AbortHandle,
}

struct Write {
    encoded: EncodedWrite,
    reply: CasReply,
    _room: OwnedSemaphorePermit,
}

impl Writer {
    pub(super) fn start(link: Link, replication: Replication, ask: Arc<Notify>) -> Writer {
        let link = Arc::new(link);
        let (queue, waiting) = mpsc::channel(QUEUE_WRITES_MAX);
        let batches = Batches { link: Arc::clone(&link), replication, ask, script: Script::new() };
        let task = tokio::spawn(batches.run(waiting)).abort_handle();
        Writer { link, queue, room: Arc::new(Semaphore::new(QUEUE_KIB_MAX)), task }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) fn submit(
        &self,
        keys: &Keys,
        key: EntityKey,
        expected: Expected,
        row: &Row,
        reply: CasReply,
    ) {
        if let Err(error) = self.link.connection() {
            return reply.send(Err(StoreError::Unavailable(error.to_string())));
        }
        let encoded = EncodedWrite::new(keys, key, expected, row);
        let kib = u32::try_from(encoded.bytes().div_ceil(1024)).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(kib) else {
            return reply.send(Err(StoreError::Throttled));
        };
        match self.queue.try_send(Write { encoded, reply, _room: room }) {
            Ok(()) => {}
            Err(TrySendError::Full(write)) => write.reply.send(Err(StoreError::Throttled)),
            Err(TrySendError::Closed(write)) => {
                let reason = "the store is being closed".to_owned();
                write.reply.send(Err(StoreError::Unavailable(reason)));
            }
        }
    }
}

impl Drop for Writer {
    /// What is under way has an unknown outcome: its replies are dropped.
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Batches {
    link: Arc<Link>,
    replication: Replication,
    ask: Arc<Notify>,
    script: Script,
}

/// A command that the client has been handed, and its answer.
type Call = MaybeDone<BoxFuture<'static, Result<Value, Error>>>;

/// A batch that is on its way.
struct Sent {
    connection: Arc<Connection>,
    writes: VecDeque<(Write, Call)>,
    /// The `WAIT` behind them, where one is wanted.
    wait: Option<Call>,
}

/// How a write is put to the server.
type Form = fn(&Script, &EncodedWrite) -> (&'static str, Vec<Value>);

impl Batches {
    fn batches_max(&self) -> usize {
        if self.replication.replicas == 0 { BATCHES_MAX } else { BATCHES_WITH_WAIT_MAX }
    }

    async fn run(self, mut waiting: mpsc::Receiver<Write>) {
        let mut under_way = FuturesUnordered::new();
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                Some(()) = under_way.next() => {}
                count = waiting.recv_many(&mut batch, BATCH_WRITES_MAX),
                    if under_way.len() < self.batches_max() =>
                {
                    if count == 0 {
                        return;
                    }
                    // Whoever was just told of a batch may have the next write ready: those go
                    // in the same one.
                    tokio::task::yield_now().await;
                    while batch.len() < BATCH_WRITES_MAX && let Ok(write) = waiting.try_recv() {
                        batch.push(write);
                    }
                    if let Some(sent) = self.begin(std::mem::take(&mut batch)).await {
                        under_way.push(self.end(sent));
                    }
                }
            }
        }
    }

    async fn begin(&self, batch: Vec<Write>) -> Option<Sent> {
        match self.link.connection() {
            Ok(connection) => Some(self.send(connection, batch, Script::by_hash).await),
            Err(error) => {
                self.fail(batch, &error);
                None
            }
        }
    }

    async fn end(&self, sent: Sent) {
        let connection = Arc::clone(&sent.connection);
        let unknown = self.answers(sent).await;
        if !unknown.is_empty() {
            // The server has lost the script, and so has not run it.
            let again = self.send(connection, unknown, Script::by_source).await;
            let still = self.answers(again).await;
            let reason = "the server does not keep the script".to_owned();
            self.fail(still, &CallError::Away(reason));
        }
    }

    /// Hands all of it to the client at once, in this order, and waits for nothing. It stays on
    /// one connection from the first to the last, which is never made anew.
    ///
    /// Each write is a command of its own, not part of a pipeline of the library: so each is told
    /// of as soon as it is answered, where no `WAIT` is behind it.
    async fn send(&self, connection: Arc<Connection>, batch: Vec<Write>, form: Form) -> Sent {
        let mut writes = VecDeque::with_capacity(batch.len());
        for write in batch {
            let (command, args) = form(&self.script, &write.encoded);
            let call = begin(&connection, command, args).await;
            writes.push_back((write, call));
        }
        let Replication { replicas, wait_max } = self.replication;
        let wait = match replicas {
            0 => None,
            replicas => {
                let wait_ms = i64::try_from(wait_max.as_millis()).unwrap_or(i64::MAX);
                let args = vec![i64::from(replicas).into(), wait_ms.into()];
                Some(begin(&connection, "WAIT", args).await)
            }
        };
        Sent { connection, writes, wait }
    }

    /// Waits for the answers and tells those that wait for them; those that the server does not
    /// know the script of are handed back.
    async fn answers(&self, mut sent: Sent) -> Vec<Write> {
        let Sent { connection, writes, wait } = &mut sent;
        let (mut answered, mut unscripted) = (Vec::new(), Vec::new());
        let all_answered = async {
            while let Some((_, call)) = writes.front_mut() {
                let answer = answer_of(call).await?;
                let Some((write, _)) = writes.pop_front() else { break };
                match wait {
                    None => unscripted.extend(self.tell(connection, write, answer, &Ok(()))),
                    // What it comes to is known once the replicas have it.
                    Some(_) => answered.push((write, answer)),
                }
            }
            match wait {
                None => Ok(Ok(())),
                Some(wait) => Ok(enough(answer_of(wait).await?, self.replication.replicas)),
            }
        };
        match connection.answered(self.timeout(), all_answered).await {
            Ok(replicated) => {
                for (write, answer) in answered {
                    unscripted.extend(self.tell(connection, write, answer, &replicated));
                }
            }
            Err(error) => {
                if error == CallError::TimedOut {
                    // What is behind it would only wait as well.
                    connection.sever();
                }
                let untold = answered.into_iter().map(|(write, _)| write);
                let unanswered = sent.writes.into_iter().map(|(write, _)| write);
                self.fail(untold.chain(unanswered).collect(), &error);
            }
        }
        unscripted
    }

    /// The batches before it may each wait for as long as this one.
    fn timeout(&self) -> Duration {
        match self.replication.replicas {
            0 => BATCH_TIMEOUT,
            _ => BATCH_TIMEOUT + self.replication.wait_max * BATCHES_WITH_WAIT_MAX as u32,
        }
    }

    /// Tells what became of a write, unless the server does not know the script: then it is
    /// handed back.
    fn tell(
        &self,
        connection: &Connection,
        write: Write,
        answer: Answer,
        replicated: &Result<(), String>,
    ) -> Option<Write> {
        match answer {
            Ok(answer) => write.reply.send(outcome(&answer, replicated)),
            Err(reason) if word(&reason) == "NOSCRIPT" => return Some(write),
            Err(reason) => {
                if word(&reason) == "READONLY" {
                    // It was made a replica. The name may lead to its successor by now.
                    connection.sever();
                }
                self.fail(vec![write], &CallError::Refused(reason));
            }
        }
        None
    }

    fn fail(&self, batch: Vec<Write>, error: &CallError) {
        if error.is_about_the_map() {
            self.ask.notify_one();
        }
        for write in batch {
            write.reply.send(Err(write_error(error)));
        }
    }
}

/// Hands a command to the client, before whatever comes next.
async fn begin(connection: &Connection, command: &'static str, args: Vec<Value>) -> Call {
    let client = connection.client().clone();
    let call = async move { client.custom(plain(command), args).await }.boxed();
    let mut call = maybe_done(call);
    // The client takes it over when it is first polled.
    let _ = futures::poll!(&mut call);
    call
}

/// What the server said to a command: its answer, or why it refused.
type Answer = Result<Value, String>;

/// The error is one of the connection, and all that is under way there has it.
async fn answer_of(call: &mut Call) -> Result<Answer, Error> {
    (&mut *call).await;
    match Pin::new(call).take_output() {
        Some(Ok(answer)) => Ok(Ok(answer)),
        Some(Err(error)) if is_broken(&error) => Err(error),
        Some(Err(error)) => Ok(Err(error.details().to_owned())),
        None => Err(Error::new_canceled()),
    }
}

fn plain(command: &'static str) -> CustomCommand {
    CustomCommand::new_static(command, ClusterHash::FirstKey, false)
}

fn enough(answer: Answer, replicas: u32) -> Result<(), String> {
    match answer?.as_i64() {
        Some(have) if have >= i64::from(replicas) => Ok(()),
        _ => Err(format!("{replicas} replicas were to have it")),
    }
}

/// What the script answered.
fn outcome(answer: &Value, replicated: &Result<(), String>) -> CasResult {
    match answer {
        Value::Integer(1) => match replicated {
            Ok(()) => Ok(CasOutcome::Written),
            // It may be lost with its primary. A repeat writes it again and waits anew.
            Err(reason) => Err(StoreError::OutcomeUnknown(reason.clone())),
        },
        Value::Null => Ok(CasOutcome::Conflict(None)),
        found => match found.as_bytes() {
            Some(bytes) => Ok(CasOutcome::Conflict(Some(decode_row(bytes)?))),
            None => Err(StoreError::OutcomeUnknown("the answer makes no sense".to_owned())),
        },
    }
}

/// What is known of a write that failed so. The server's own refusals come before it changed
/// anything; of all else nothing is known.
fn write_error(error: &CallError) -> StoreError {
    let reason = error.to_string();
    match error {
        CallError::Away(_) => StoreError::Unavailable(reason),
        CallError::Busy => StoreError::Throttled,
        CallError::TimedOut | CallError::Broken => StoreError::OutcomeUnknown(reason),
        // Before version 7 a script's error is told with some words around it.
        CallError::Refused(text) if word(text) == "OOM" || text.contains("-OOM ") => {
            StoreError::Throttled
        }
        CallError::Refused(text) => match word(text) {
            "MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "READONLY" | "LOADING" | "BUSY"
            | "MASTERDOWN" | "NOAUTH" | "NOREPLICAS" | "MISCONF" | "NOSCRIPT" => {
                StoreError::Unavailable(reason)
            }
            _ => StoreError::OutcomeUnknown(reason),
        },
    }
}

/// The two links of a primary, and its writer.
pub(super) fn primary(
    connect: &impl Fn(Address) -> Link,
    address: Address,
    replication: Replication,
    ask: &Arc<Notify>,
) -> Primary {
    let writer = Writer::start(connect(address.clone()), replication, Arc::clone(ask));
    Primary { reads: connect(address), writer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_certainly_not_written_is_said_to_be_so() {
        let refused = |text: &str| write_error(&CallError::Refused(text.to_owned()));
        let unavailable = [
            "MOVED 1 127.0.0.1:7000",
            "CLUSTERDOWN The cluster is down",
            "READONLY You can't write against a read only replica. script: 1, on @user_script:1.",
            "LOADING Redis is loading the dataset in memory",
        ];
        for text in unavailable {
            assert!(matches!(refused(text), StoreError::Unavailable(_)), "{text}");
        }
        assert_eq!(refused("OOM command not allowed"), StoreError::Throttled);
        let old = "ERR Error running script: @user_script:1: -OOM command not allowed";
        assert_eq!(refused(old), StoreError::Throttled);
        let unknown = "WRONGTYPE Operation against a key holding the wrong kind of value";
        assert!(matches!(refused(unknown), StoreError::OutcomeUnknown(_)));
        for error in [CallError::TimedOut, CallError::Broken] {
            assert!(matches!(write_error(&error), StoreError::OutcomeUnknown(_)));
        }
        let away = CallError::Away("no".to_owned());
        assert!(matches!(write_error(&away), StoreError::Unavailable(_)));
        assert_eq!(write_error(&CallError::Busy), StoreError::Throttled);
    }

    #[test]
    fn too_few_replicas_leave_the_outcome_open() {
        assert_eq!(enough(Ok(1.into()), 1), Ok(()));
        let few = enough(Ok(0.into()), 1);
        let answer = outcome(&1.into(), &few);
        assert!(matches!(answer, Err(StoreError::OutcomeUnknown(_))), "{answer:?}");
        // A refusal has changed nothing, whoever has it.
        assert_eq!(outcome(&Value::Null, &few), Ok(CasOutcome::Conflict(None)));
    }
}

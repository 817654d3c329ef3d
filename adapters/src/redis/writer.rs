//! The writes to one primary: those that wait are sent together, and one `WAIT` behind them
//! speaks of them all.
//!
//! One batch is under way at a time, on one connection. `WAIT` holds up what is behind it on the
//! same connection anyway, and what comes meanwhile makes the next batch.

use std::sync::Arc;
use std::time::Duration;

use barrow_engine::entity::EntityKey;
use barrow_engine::ports::{CasOutcome, CasReply, CasResult, Expected, Row, StoreError};
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand, Value};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;

use super::client::Address;
use super::link::{CallError, Connection, Link, word};
use super::nodes::Node;
use super::script::{EncodedWrite, Keys, Script};
use crate::embedded::row_codec::decode_row;

/// Writes that wait for one primary. More would wait longer than a shopper.
const QUEUE_WRITES_MAX: usize = 4_096;

/// What they take of memory, with those under way.
const QUEUE_KIB_MAX: usize = 64 * 1024;

/// Writes of one batch: some milliseconds of the server's time.
const BATCH_WRITES_MAX: usize = 256;

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

/// What a batch came to: an answer for each write, and whether enough replicas have all of it.
struct Answers {
    answers: Vec<Result<Value, Error>>,
    replicated: Result<(), String>,
}

impl Batches {
    async fn run(self, mut waiting: mpsc::Receiver<Write>) {
        let mut batch = Vec::new();
        while waiting.recv_many(&mut batch, BATCH_WRITES_MAX).await > 0 {
            self.write(std::mem::take(&mut batch)).await;
        }
    }

    async fn write(&self, batch: Vec<Write>) {
        let connection = match self.link.connection() {
            Ok(connection) => connection,
            Err(error) => return self.fail(batch, &error),
        };
        let unknown = self.attempt(&connection, batch, Script::by_hash).await;
        if !unknown.is_empty() {
            // The server has lost the script, and so has not run it.
            let still = self.attempt(&connection, unknown, Script::by_source).await;
            let reason = "the server does not keep the script".to_owned();
            self.fail(still, &CallError::Away(reason));
        }
    }

    /// Sends a batch and tells those that wait; those that the server does not know the script
    /// of are handed back.
    async fn attempt(
        &self,
        connection: &Connection,
        batch: Vec<Write>,
        form: fn(&Script, &EncodedWrite) -> (&'static str, Vec<Value>),
    ) -> Vec<Write> {
        let commands = batch.iter().map(|write| form(&self.script, &write.encoded)).collect();
        let Answers { answers, replicated } = match self.send(connection, commands).await {
            Ok(answers) => answers,
            Err(error) => {
                self.fail(batch, &error);
                return Vec::new();
            }
        };
        let mut unscripted = Vec::new();
        for (write, answer) in batch.into_iter().zip(answers) {
            match answer {
                Ok(answer) => write.reply.send(outcome(&answer, &replicated)),
                Err(error) if word(error.details()) == "NOSCRIPT" => unscripted.push(write),
                Err(error) => {
                    let error = CallError::Refused(error.details().to_owned());
                    if word(&error.to_string()) == "READONLY" {
                        // It was made a replica. The name may lead to its successor by now.
                        connection.sever();
                    }
                    self.fail(vec![write], &error);
                }
            }
        }
        unscripted
    }

    /// All of it on one connection in this order, or an error that leaves the outcome open. The
    /// connection is the same from the first to the last: it is never made anew.
    async fn send(
        &self,
        connection: &Connection,
        commands: Vec<(&'static str, Vec<Value>)>,
    ) -> Result<Answers, CallError> {
        let count = commands.len();
        let Replication { replicas, wait_max } = self.replication;
        let pipeline = connection.client().pipeline();
        let queued = async {
            for (command, args) in commands {
                let _: Value = pipeline.custom(plain(command), args).await?;
            }
            if replicas > 0 {
                let wait_ms = i64::try_from(wait_max.as_millis()).unwrap_or(i64::MAX);
                let args = vec![i64::from(replicas), wait_ms];
                let _: Value = pipeline.custom(plain("WAIT"), args).await?;
            }
            Ok::<(), Error>(())
        };
        queued.await.map_err(|error| CallError::Away(error.details().to_owned()))?;
        let timeout = BATCH_TIMEOUT + if replicas > 0 { wait_max } else { Duration::ZERO };
        let call = connection.call(timeout, async { Ok(pipeline.try_all::<Value>().await) });
        let mut answers = match call.await {
            Err(CallError::TimedOut) => {
                // What is behind it would only wait as well.
                connection.sever();
                return Err(CallError::TimedOut);
            }
            answers => answers?,
        };
        let expected = count + usize::from(replicas > 0);
        if answers.len() != expected {
            // One error for all of them; those before the one that it is about were carried out.
            let reason = answers.pop().and_then(Result::err);
            return Err(match reason {
                Some(error) if count == 1 => CallError::Refused(error.details().to_owned()),
                _ => CallError::Broken,
            });
        }
        let replicated = if replicas > 0 { enough(answers.pop(), replicas) } else { Ok(()) };
        Ok(Answers { answers, replicated })
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

fn plain(command: &'static str) -> CustomCommand {
    CustomCommand::new_static(command, ClusterHash::FirstKey, false)
}

fn enough(answer: Option<Result<Value, Error>>, replicas: u32) -> Result<(), String> {
    match answer {
        Some(Ok(have)) => match have.as_i64() {
            Some(have) if have >= i64::from(replicas) => Ok(()),
            _ => Err(format!("{replicas} replicas were to have it")),
        },
        Some(Err(error)) => Err(error.details().to_owned()),
        None => Err("nothing was said of replicas".to_owned()),
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
        assert_eq!(enough(Some(Ok(1.into())), 1), Ok(()));
        let few = enough(Some(Ok(0.into())), 1);
        let answer = outcome(&1.into(), &few);
        assert!(matches!(answer, Err(StoreError::OutcomeUnknown(_))), "{answer:?}");
        // A refusal has changed nothing, whoever has it.
        assert_eq!(outcome(&Value::Null, &few), Ok(CasOutcome::Conflict(None)));
    }
}

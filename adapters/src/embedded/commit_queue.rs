//! What waits for the commit thread: it takes all of it at once.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use barrow_engine::entity::EntityKey;
use barrow_engine::ports::{CasReply, Expected, Row, StoreError};

/// The most writes in one batch: beyond a thousand the sync is no longer what a write costs.
pub(super) const BATCH_WRITES_MAX: usize = 1_024;

/// The most bytes in one batch: what a plain disk takes in a hundredth of a second. A batch with
/// one more row of the largest size has to fit into a file of the log.
const BATCH_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The most writes that wait; more means seconds of waiting, so they are refused at once.
pub(super) const QUEUE_WRITES_MAX: usize = 8_192;

/// The most bytes that wait.
const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

pub(super) struct Request {
    pub key: EntityKey,
    pub expected: Expected,
    pub row: Row,
    pub reply: CasReply,
}

impl Request {
    /// What it weighs in a batch and in the queue: its blob, and the rest roughly.
    fn bytes(&self) -> usize {
        self.row.blob.len() + 128
    }
}

// The standard library's lock: a thread that finds it taken sleeps at once, where others give
// up their turn on the processor first.
#[derive(Default)]
pub(super) struct CommitQueue {
    state: Mutex<State>,
    wanted: Condvar,
}

#[derive(Default)]
struct State {
    requests: VecDeque<Request>,
    bytes: usize,
    /// The commit thread sleeps until there is something.
    is_awaited: bool,
    is_closed: bool,
}

impl CommitQueue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request into the queue, or tells it why not.
    pub fn push(&self, request: Request) {
        let mut state = self.state();
        let is_full = state.requests.len() >= QUEUE_WRITES_MAX || state.bytes > QUEUE_BYTES_MAX;
        if is_full || state.is_closed {
            let why = "the commit thread has ended".to_owned();
            let error =
                if state.is_closed { StoreError::Unavailable(why) } else { StoreError::Throttled };
            drop(state);
            return request.reply.send(Err(error));
        }
        state.bytes += request.bytes();
        state.requests.push_back(request);
        let is_awaited = std::mem::take(&mut state.is_awaited);
        drop(state);
        if is_awaited {
            self.wanted.notify_one();
        }
    }

    /// Waits until there is something and takes a batch of it, in the order in which it came;
    /// nothing once the queue is closed and empty.
    pub fn take(&self, batch: &mut Vec<Request>) {
        let mut state = self.state();
        while state.requests.is_empty() && !state.is_closed {
            state.is_awaited = true;
            state = self.wanted.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut bytes = 0;
        while batch.len() < BATCH_WRITES_MAX && bytes < BATCH_BYTES_MAX {
            let Some(request) = state.requests.pop_front() else { break };
            bytes += request.bytes();
            batch.push(request);
        }
        state.bytes -= bytes;
    }

    /// No more is taken in; what waits is still handed out.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.wanted.notify_one();
    }

    /// Nobody takes from it any more: what waits will never be written by this process.
    pub fn abandon(&self) {
        let left = {
            let mut state = self.state();
            state.is_closed = true;
            std::mem::take(&mut state.requests)
        };
        // Each tells its caller as it is dropped, not under the lock.
        drop(left);
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.state().requests.len()
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.state().bytes
    }
}

//! Writes that wait for a request to go with. A lone write goes at once; under load those that
//! wait meanwhile share the next request, which costs the processor a seventh.

use barrow_engine::entity::EntityKey;
use barrow_engine::ports::{CasResult, Expected, Row};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// What one request of several writes may hold; DynamoDB's limit.
const WRITES_MAX: usize = 25;

/// A larger row goes alone: many of them would make a request too long to send within its time.
const SHARED_BLOB_BYTES_MAX: usize = 32 * 1024;

/// A write and who waits for its outcome.
pub(super) struct Waiting {
    ticket: u64,
    pub key: EntityKey,
    pub expected: Expected,
    pub row: Row,
    pub reply: oneshot::Sender<CasResult>,
}

impl Waiting {
    /// Where it creates a row it goes alone: among several DynamoDB does not show the row that
    /// was there already.
    fn may_share(&self) -> bool {
        self.expected != Expected::Absent && self.row.blob.len() <= SHARED_BLOB_BYTES_MAX
    }
}

#[derive(Default)]
pub(super) struct WriteQueue(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    next_ticket: u64,
    waiting: Vec<Waiting>,
}

impl WriteQueue {
    /// Puts a write in the queue and answers its ticket.
    pub fn push(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
        reply: oneshot::Sender<CasResult>,
    ) -> u64 {
        let mut inner = self.0.lock();
        let ticket = inner.next_ticket;
        inner.next_ticket += 1;
        inner.waiting.push(Waiting { ticket, key, expected, row, reply });
        ticket
    }

    /// Takes the write of the ticket and those that may share its request, the oldest first;
    /// none if it went with another one.
    pub fn take(&self, ticket: u64) -> Vec<Waiting> {
        let mut inner = self.0.lock();
        // Nobody waits for these any more.
        inner.waiting.retain(|write| !write.reply.is_closed());
        let place = inner.waiting.iter().position(|write| write.ticket == ticket);
        let Some(place) = place else { return Vec::new() };
        let first = inner.waiting.remove(place);
        if !first.may_share() {
            return vec![first];
        }
        let mut taken = vec![first];
        let mut place = 0;
        while place < inner.waiting.len() && taken.len() < WRITES_MAX {
            let write = &inner.waiting[place];
            // A request names each row once.
            if write.may_share() && taken.iter().all(|other| other.key != write.key) {
                taken.push(inner.waiting.remove(place));
            } else {
                place += 1;
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrow_engine::entity::EntityKind;
    use barrow_engine::ports::WriteId;
    use bytes::Bytes;

    type Answer = oneshot::Receiver<CasResult>;

    fn push(queue: &WriteQueue, id: u128, expected: Expected, bytes: usize) -> (u64, Answer) {
        let key = EntityKey::new(EntityKind::Probe, id);
        let blob = Bytes::from(vec![0; bytes]);
        let row = Row { version: 2, write_id: WriteId(2), due: None, expires: None, blob };
        let (reply, answer) = oneshot::channel();
        (queue.push(key, expected, row, reply), answer)
    }

    fn ids(taken: Vec<Waiting>) -> Vec<u128> {
        taken.iter().map(|write| write.key.id).collect()
    }

    const PRESENT: Expected = Expected::Present { version: 1, write_id: WriteId(1) };

    #[test]
    fn writes_that_may_share_a_request_go_together() {
        let queue = WriteQueue::default();
        let (first, _a) = push(&queue, 1, PRESENT, 10);
        let (new, _b) = push(&queue, 2, Expected::Absent, 10);
        let (large, _c) = push(&queue, 3, PRESENT, SHARED_BLOB_BYTES_MAX + 1);
        let (same, _d) = push(&queue, 1, PRESENT, 10);
        let (given_up, answer) = push(&queue, 4, PRESENT, 10);
        let (last, _e) = push(&queue, 5, PRESENT, SHARED_BLOB_BYTES_MAX);
        drop(answer);
        assert_eq!(ids(queue.take(last)), [5, 1], "its own first, then the oldest");
        assert_eq!(ids(queue.take(first)), [0; 0], "it went with another one");
        assert_eq!(ids(queue.take(given_up)), [0; 0]);
        assert_eq!(ids(queue.take(new)), [2]);
        assert_eq!(ids(queue.take(large)), [3]);
        assert_eq!(ids(queue.take(same)), [1], "a row goes once in a request");
    }

    #[test]
    fn a_request_is_full_at_the_limit() {
        let queue = WriteQueue::default();
        let all: Vec<_> = (0..30).map(|id| push(&queue, id, PRESENT, 10)).collect();
        assert_eq!(ids(queue.take(all[0].0)), (0..25).collect::<Vec<_>>());
        assert_eq!(ids(queue.take(all[29].0)), [29, 25, 26, 27, 28]);
    }
}

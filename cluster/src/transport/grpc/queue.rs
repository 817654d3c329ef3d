//! What one node asks of another: calls that wait to be sent, and calls that wait for an answer.
//! It knows which of the two a call is, and so whether a call without an answer was certainly not
//! done. No I/O and no clock: both are the link's.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::wire::{self, AnswerItem, CallFrame, CallItem, FRAME_BYTES_MAX, FRAME_ITEMS_MAX, Kind};
use crate::transport::newest::Newest;
use crate::transport::{Call, CallError, PAYLOAD_BYTES_MAX, Refusal};

/// What a call led to.
pub(super) type Outcome<T> = Result<T, CallError>;

/// Who waits for the answer to a call.
pub(super) enum Waiter {
    Reply(oneshot::Sender<Outcome<Bytes>>),
    Opened(oneshot::Sender<Outcome<()>>, Newest),
}

enum State {
    Waiting(Waiter),
    Reading(Newest),
    /// Nobody reads the feed any more, and the peer has yet to be told. It keeps its place until
    /// then, so that a peer that does not read cannot make a heap of these.
    Closing,
}

struct Entry {
    state: State,
    is_feed: bool,
}

struct Queued {
    item: CallItem,
    /// On the link's clock.
    deadline: Duration,
}

/// How much of each there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub calls_max: usize,
    pub feeds_max: usize,
    pub queued_bytes_max: usize,
}

/// The calls of one link.
pub(super) struct Queue {
    bounds: Bounds,
    last_id: u64,
    /// In the order of their ids, which is that in which they came; any of them may leave early.
    queued: BTreeMap<u64, Queued>,
    queued_bytes: usize,
    closing: VecDeque<u64>,
    entries: HashMap<u64, Entry>,
    feeds: usize,
}

fn not_sent<T>(reason: &str) -> Outcome<T> {
    Err(CallError::NotSent(reason.to_owned()))
}

fn full<T>(reason: &str) -> Outcome<T> {
    Err(CallError::Full(reason.to_owned()))
}

impl Waiter {
    /// Nobody may be waiting any more; then there is nobody to tell.
    fn fail(self, error: CallError) {
        match self {
            Waiter::Reply(waiter) => drop(waiter.send(Err(error))),
            Waiter::Opened(waiter, _) => drop(waiter.send(Err(error))),
        }
    }
}

impl Queue {
    pub(super) fn new(bounds: Bounds) -> Queue {
        Queue {
            bounds,
            last_id: 0,
            queued: BTreeMap::new(),
            queued_bytes: 0,
            closing: VecDeque::new(),
            entries: HashMap::new(),
            feeds: 0,
        }
    }

    /// Whether nothing is under way and no feed is open.
    pub(super) fn is_idle(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes a call; answers its id.
    pub(super) fn push(
        &mut self,
        call: Call,
        deadline: Duration,
        waiter: Waiter,
    ) -> Result<u64, CallError> {
        let is_feed = matches!(waiter, Waiter::Opened(..));
        let calls = self.entries.len() - self.feeds;
        let weight = wire::weight(&call.payload);
        if call.payload.len() > PAYLOAD_BYTES_MAX {
            return not_sent("the payload is longer than a call may be");
        }
        if is_feed && self.feeds >= self.bounds.feeds_max {
            return full("too many feeds are open");
        }
        if !is_feed && calls >= self.bounds.calls_max {
            return full("too many calls under way");
        }
        if self.queued_bytes + weight > self.bounds.queued_bytes_max {
            return full("too much waits to be sent");
        }
        self.last_id += 1;
        let id = self.last_id;
        self.queued.insert(id, Queued { item: CallItem::new(id, call, is_feed), deadline });
        self.queued_bytes += weight;
        self.entries.insert(id, Entry { state: State::Waiting(waiter), is_feed });
        self.feeds += usize::from(is_feed);
        Ok(id)
    }

    /// The next frame: as much as is there, and fits. From here on its calls count as sent.
    pub(super) fn pop(&mut self, now: Duration) -> Option<CallFrame> {
        let mut frame = CallFrame::default();
        while frame.closed.len() < FRAME_ITEMS_MAX
            && let Some(id) = self.closing.pop_front()
        {
            self.forget(id);
            frame.closed.push(id);
        }
        // An id takes at most ten bytes.
        let mut bytes = frame.closed.len() * 10;
        while frame.calls.len() < FRAME_ITEMS_MAX
            && let Some(first) = self.queued.first_entry()
        {
            let weight = wire::weight(&first.get().item.payload);
            if bytes > 0 && bytes + weight > FRAME_BYTES_MAX {
                break;
            }
            let Queued { mut item, deadline } = first.remove();
            self.queued_bytes -= weight;
            bytes += weight;
            item.is_to_be_answered_within(deadline.saturating_sub(now));
            frame.calls.push(item);
        }
        let is_empty = frame.calls.is_empty() && frame.closed.is_empty();
        (!is_empty).then_some(frame)
    }

    /// Takes an answer to the one who waits for it. Whoever has given up is not there any more.
    pub(super) fn answer(&mut self, answer: AnswerItem) {
        let id = answer.id;
        if self.queued.contains_key(&id) {
            // It answers what it was not asked. The call is still to be sent.
            return;
        }
        let kind = Kind::try_from(answer.kind).unwrap_or(Kind::Unspecified);
        match (kind, self.entries.get_mut(&id).map(|entry| &mut entry.state)) {
            (Kind::Next, Some(State::Reading(newest))) => {
                // A copy: the rest of the frame must not stay for as long as this is not read.
                newest.put(Bytes::copy_from_slice(&answer.payload));
            }
            (Kind::Opened, Some(state @ State::Waiting(Waiter::Opened(..)))) => {
                let State::Waiting(Waiter::Opened(waiter, newest)) =
                    std::mem::replace(state, State::Closing)
                else {
                    return;
                };
                match waiter.send(Ok(())) {
                    Ok(()) => *state = State::Reading(newest),
                    // It has just given up: its place is kept until the peer is told.
                    Err(_) => self.closing.push_back(id),
                }
            }
            (_, Some(State::Closing)) => {}
            (kind, Some(_)) => {
                if let Some(State::Waiting(waiter)) = self.forget(id) {
                    settle(waiter, kind, answer);
                }
            }
            (_, None) => {}
        }
    }

    /// The caller waits no longer. Answers whether the call had been sent.
    pub(super) fn give_up(&mut self, id: u64) -> bool {
        if let Some(queued) = self.queued.remove(&id) {
            self.queued_bytes -= wire::weight(&queued.item.payload);
            self.forget(id);
            return false;
        }
        match self.entries.get_mut(&id) {
            Some(Entry { is_feed: true, state }) => {
                if !matches!(std::mem::replace(state, State::Closing), State::Closing) {
                    self.closing.push_back(id);
                }
            }
            _ => drop(self.forget(id)),
        }
        true
    }

    /// The connection is gone, and with it all that was sent and not answered.
    pub(super) fn fail(&mut self, reason: &str) {
        self.closing.clear();
        self.feeds = 0;
        for (id, entry) in self.entries.drain() {
            let State::Waiting(waiter) = entry.state else { continue };
            match self.queued.contains_key(&id) {
                true => waiter.fail(CallError::NotSent(reason.to_owned())),
                false => waiter.fail(CallError::Unknown(reason.to_owned())),
            }
        }
        self.queued.clear();
        self.queued_bytes = 0;
    }

    fn forget(&mut self, id: u64) -> Option<State> {
        let entry = self.entries.remove(&id)?;
        self.feeds -= usize::from(entry.is_feed);
        Some(entry.state)
    }
}

/// Ends the wait for an answer.
fn settle(waiter: Waiter, kind: Kind, answer: AnswerItem) {
    let refusal = match kind {
        Kind::Moved => Refusal::Moved { view: answer.view },
        Kind::Overloaded => Refusal::Overloaded,
        Kind::Unavailable => Refusal::Unavailable,
        Kind::Unreadable => Refusal::Unreadable,
        _ => return conclude(waiter, kind, answer.payload),
    };
    waiter.fail(CallError::Refused(refusal));
}

fn conclude(waiter: Waiter, kind: Kind, payload: Bytes) {
    let reason = match (waiter, kind) {
        (Waiter::Reply(waiter), Kind::Reply) => return drop(waiter.send(Ok(payload))),
        (waiter, Kind::Oversize) => (waiter, "the reply is longer than an answer may be"),
        (waiter, _) => (waiter, "the answer could not be read: it is of a later build"),
    };
    reason.0.fail(CallError::Unknown(reason.1.to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::newest::newest;

    const FAR: Duration = Duration::from_secs(9);

    fn queue() -> Queue {
        Queue::new(Bounds { calls_max: 2, feeds_max: 1, queued_bytes_max: 4 << 20 })
    }

    fn call(length: usize) -> Call {
        Call { shard: 1, view: 1, patience: FAR, payload: vec![0; length].into() }
    }

    fn push(queue: &mut Queue) -> (u64, oneshot::Receiver<Outcome<Bytes>>) {
        let (waiter, answer) = oneshot::channel();
        (queue.push(call(1), FAR, Waiter::Reply(waiter)).unwrap(), answer)
    }

    fn open(queue: &mut Queue) -> Result<u64, CallError> {
        let (waiter, _) = oneshot::channel();
        queue.push(call(1), FAR, Waiter::Opened(waiter, newest().0))
    }

    #[test]
    fn when_the_connection_goes_what_was_sent_is_unknown_and_what_waits_was_not_sent() {
        let mut queue = queue();
        let (_, mut sent) = push(&mut queue);
        assert_eq!(queue.pop(Duration::ZERO).unwrap().calls.len(), 1);
        let (_, mut waits) = push(&mut queue);
        queue.fail("gone");
        assert_eq!(sent.try_recv(), Ok(Err(CallError::Unknown("gone".to_owned()))));
        assert_eq!(waits.try_recv(), Ok(Err(CallError::NotSent("gone".to_owned()))));
        assert!(queue.is_idle() && queue.pop(Duration::ZERO).is_none());
    }

    #[test]
    fn who_gives_up_is_told_whether_it_was_sent_and_what_was_not_sent_never_is() {
        let mut queue = queue();
        let (first, _answer) = push(&mut queue);
        assert!(!queue.give_up(first));
        assert_eq!(queue.pop(Duration::ZERO), None);
        let (second, _answer) = push(&mut queue);
        let frame = queue.pop(Duration::from_secs(4)).unwrap();
        assert_eq!(frame.calls[0].patience_us, 5_000_000, "what is left of it");
        assert!(queue.give_up(second));
        assert!(queue.is_idle());
    }

    #[test]
    fn a_feed_keeps_its_place_until_the_peer_is_told_that_nobody_reads_it() {
        let mut queue = queue();
        let id = open(&mut queue).unwrap();
        queue.pop(Duration::ZERO);
        assert!(queue.give_up(id));
        assert!(queue.give_up(id), "once is enough");
        assert!(matches!(open(&mut queue), Err(CallError::Full(_))));
        queue.answer(AnswerItem::new(id, Kind::Opened, Bytes::new()));
        assert_eq!(queue.pop(Duration::ZERO).unwrap().closed, [id]);
        assert!(open(&mut queue).is_ok());
    }

    #[test]
    fn frames_are_cut_by_bytes_and_by_number() {
        let bounds = Bounds { calls_max: 9_000, feeds_max: 0, queued_bytes_max: 8 << 20 };
        let mut queue = Queue::new(bounds);
        let mut push = |length| {
            let (waiter, _) = oneshot::channel();
            queue.push(call(length), FAR, Waiter::Reply(waiter)).unwrap();
        };
        (0..2).for_each(|_| push(PAYLOAD_BYTES_MAX));
        (0..2_000).for_each(|_| push(1));
        let lengths: Vec<usize> =
            std::iter::from_fn(|| queue.pop(FAR)).map(|frame| frame.calls.len()).collect();
        assert!(lengths.iter().all(|length| *length <= FRAME_ITEMS_MAX), "{lengths:?}");
        assert_eq!((lengths[0], lengths.iter().sum::<usize>()), (1, 2_002));
    }
}

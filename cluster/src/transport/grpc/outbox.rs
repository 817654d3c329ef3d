//! What one connection of a server has to answer: how many calls are under way, which answers
//! wait to be sent, and the newest unsent message of each feed.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures::Stream;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::Settings;
use super::wire::{self, AnswerFrame, AnswerItem, FRAME_BYTES_MAX, FRAME_ITEMS_MAX, Kind};

enum Entry {
    /// The answer to a call, which is under way until it is sent.
    Answer(AnswerItem),
    /// The answer to a call that was never begun.
    Refusal(AnswerItem),
    /// This feed has something to say.
    Feed(u64),
}

#[derive(Default)]
struct Spoken {
    newest: Option<Bytes>,
    has_ended: bool,
    is_queued: bool,
    /// Opens it, and reads it from the service.
    task: Option<AbortHandle>,
}

#[derive(Default)]
struct State {
    entries: VecDeque<Entry>,
    /// Of the answers among them.
    bytes: usize,
    under_way: usize,
    /// Of the calls that are under way and not answered.
    call_bytes: usize,
    feeds: HashMap<u64, Spoken>,
    writer: Option<Waker>,
    is_stopping: bool,
    has_ended: bool,
}

impl State {
    fn is_done(&self) -> bool {
        self.entries.is_empty() && self.under_way == 0
    }

    /// Queues what the feed has to say, unless it is queued.
    fn speak(&mut self, id: u64, change: impl FnOnce(&mut Spoken)) {
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        change(feed);
        if !std::mem::replace(&mut feed.is_queued, true) {
            self.entries.push_back(Entry::Feed(id));
        }
    }
}

/// Shared by all who answer, and by the one who sends.
pub(super) struct Outbox {
    state: Mutex<State>,
    /// Something was sent, or has ended.
    progress: Notify,
    served_max: usize,
    served_bytes_max: usize,
    answer_bytes_max: usize,
}

/// A call that is under way. It ends with its answer, or without one.
pub(super) struct UnderWay {
    outbox: Arc<Outbox>,
    id: u64,
    bytes: usize,
    /// Its feed is still to be opened.
    is_opening: bool,
    is_answered: bool,
}

impl UnderWay {
    pub(super) fn answer(mut self, answer: AnswerItem) {
        self.is_answered = true;
        self.outbox.push(Entry::Answer(answer));
    }

    /// The answer to it is a feed. `None` if nobody wants it any more.
    pub(super) fn opened(mut self) -> Option<Speaker> {
        let (outbox, id) = (Arc::clone(&self.outbox), self.id);
        let is_wanted = outbox.state.lock().feeds.contains_key(&id);
        if !is_wanted {
            return None;
        }
        self.is_opening = false;
        self.answer(AnswerItem::new(id, Kind::Opened, Bytes::new()));
        Some(Speaker { outbox, id })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.outbox.state.lock();
        state.call_bytes -= self.bytes;
        if self.is_answered && !self.is_opening {
            return;
        }
        if self.is_opening {
            state.feeds.remove(&self.id);
        }
        state.under_way -= usize::from(!self.is_answered);
        drop(state);
        self.outbox.progress.notify_one();
    }
}

/// The server's end of a feed. The feed ends when it is dropped.
pub(super) struct Speaker {
    outbox: Arc<Outbox>,
    id: u64,
}

impl Speaker {
    /// Replaces what was not sent yet.
    pub(super) fn put(&self, message: Bytes) {
        self.outbox.speak(self.id, |feed| feed.newest = Some(message));
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.outbox.speak(self.id, |feed| feed.has_ended = true);
    }
}

impl Outbox {
    pub(super) fn new(settings: &Settings) -> Arc<Outbox> {
        Arc::new(Outbox {
            state: Mutex::default(),
            progress: Notify::new(),
            served_max: settings.served_max,
            served_bytes_max: settings.served_bytes_max,
            answer_bytes_max: settings.answer_bytes_max,
        })
    }

    /// Counts a call of so many bytes in, if there is room for it.
    pub(super) fn begin(
        self: &Arc<Outbox>,
        id: u64,
        is_feed: bool,
        bytes: usize,
    ) -> Option<UnderWay> {
        let mut state = self.state.lock();
        let has_room = match is_feed {
            true => state.feeds.len() < self.served_max && !state.feeds.contains_key(&id),
            false => true,
        };
        if !has_room
            || state.under_way >= self.served_max
            || state.call_bytes + bytes > self.served_bytes_max
        {
            return None;
        }
        state.under_way += 1;
        state.call_bytes += bytes;
        if is_feed {
            state.feeds.insert(id, Spoken::default());
        }
        let (outbox, is_opening) = (Arc::clone(self), is_feed);
        Some(UnderWay { outbox, id, bytes, is_opening, is_answered: false })
    }

    /// The task that opens a feed and reads it ends with the feed.
    pub(super) fn belongs(&self, id: u64, task: AbortHandle) {
        match self.state.lock().feeds.get_mut(&id) {
            Some(feed) => feed.task = Some(task),
            // It has ended already.
            None => task.abort(),
        }
    }

    pub(super) fn refuse(&self, answer: AnswerItem) {
        self.push(Entry::Refusal(answer));
    }

    /// The peer does not read the feed any more.
    pub(super) fn close(&self, id: u64) {
        let feed = self.state.lock().feeds.remove(&id);
        if let Some(task) = feed.and_then(|feed| feed.task) {
            task.abort();
        }
    }

    /// Answers what is under way, ends the feeds, and takes nothing new.
    pub(super) fn stop(&self) {
        let mut state = self.state.lock();
        state.is_stopping = true;
        let ids: Vec<u64> = state.feeds.keys().copied().collect();
        let mut tasks = Vec::new();
        for id in ids {
            state.speak(id, |feed| {
                feed.has_ended = true;
                tasks.extend(feed.task.take());
            });
        }
        let writer = state.writer.take();
        drop(state);
        tasks.iter().for_each(AbortHandle::abort);
        wake(writer);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.state.lock().is_stopping
    }

    /// Waits until more may be taken in.
    pub(super) async fn has_room(&self) {
        self.until(|state| {
            state.entries.len() <= self.served_max && state.bytes <= self.answer_bytes_max
        })
        .await;
    }

    /// Waits until everything was answered and sent.
    pub(super) async fn is_done(&self) {
        self.until(State::is_done).await;
    }

    /// Only one waits at a time: the one who reads calls.
    async fn until(&self, condition: impl Fn(&State) -> bool) {
        loop {
            let progress = self.progress.notified();
            if condition(&self.state.lock()) {
                return;
            }
            progress.await;
        }
    }

    /// Nothing is sent after what waits now.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.has_ended = true;
        let writer = state.writer.take();
        drop(state);
        wake(writer);
    }

    fn push(&self, entry: Entry) {
        let mut state = self.state.lock();
        if let Entry::Answer(answer) | Entry::Refusal(answer) = &entry {
            state.bytes += wire::weight(&answer.payload);
        }
        state.entries.push_back(entry);
        let writer = state.writer.take();
        drop(state);
        wake(writer);
    }

    fn speak(&self, id: u64, change: impl FnOnce(&mut Spoken)) {
        let mut state = self.state.lock();
        state.speak(id, change);
        let writer = state.writer.take();
        drop(state);
        wake(writer);
    }

    fn pop(&self, state: &mut State) -> Option<AnswerFrame> {
        let mut frame = AnswerFrame::default();
        let mut bytes = 0;
        // A feed may add two: its last message, and its end.
        while frame.answers.len() < FRAME_ITEMS_MAX - 1
            && let Some(entry) = state.entries.front()
        {
            let weight = match entry {
                Entry::Answer(answer) | Entry::Refusal(answer) => wire::weight(&answer.payload),
                Entry::Feed(id) => {
                    let newest = state.feeds.get(id).and_then(|feed| feed.newest.as_ref());
                    wire::weight(&[]) + newest.map_or(0, |newest| wire::weight(newest))
                }
            };
            if bytes > 0 && bytes + weight > FRAME_BYTES_MAX {
                break;
            }
            bytes += weight;
            match state.entries.pop_front() {
                Some(Entry::Answer(answer)) => {
                    state.under_way -= 1;
                    state.bytes -= weight;
                    frame.answers.push(answer);
                }
                Some(Entry::Refusal(answer)) => {
                    state.bytes -= weight;
                    frame.answers.push(answer);
                }
                Some(Entry::Feed(id)) => spoken(state, id, &mut frame),
                None => break,
            }
        }
        self.progress.notify_one();
        (!frame.answers.is_empty()).then_some(frame)
    }
}

/// Takes what the feed has to say.
fn spoken(state: &mut State, id: u64, frame: &mut AnswerFrame) {
    let Some(feed) = state.feeds.get_mut(&id) else { return };
    feed.is_queued = false;
    if let Some(newest) = feed.newest.take() {
        frame.answers.push(AnswerItem::new(id, Kind::Next, newest));
    }
    if feed.has_ended {
        frame.answers.push(AnswerItem::new(id, Kind::Ended, Bytes::new()));
        state.feeds.remove(&id);
    }
}

fn wake(writer: Option<Waker>) {
    if let Some(writer) = writer {
        writer.wake();
    }
}

/// The frames of one connection, as there is room to send them.
pub(super) struct Frames(pub Arc<Outbox>);

impl Stream for Frames {
    type Item = AnswerFrame;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<AnswerFrame>> {
        let mut state = self.0.state.lock();
        match self.0.pop(&mut state) {
            Some(frame) => Poll::Ready(Some(frame)),
            None if state.has_ended => Poll::Ready(None),
            None => {
                state.writer = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn outbox(served_max: usize) -> Arc<Outbox> {
        Outbox::new(&Settings { served_max, answer_bytes_max: 1_000, ..Settings::default() })
    }

    fn reply(id: u64, length: usize) -> AnswerItem {
        AnswerItem::of(id, Ok(Bytes::from(vec![0; length])))
    }

    fn pop(outbox: &Outbox) -> Vec<(u64, Option<Kind>)> {
        let frame = outbox.pop(&mut outbox.state.lock()).unwrap_or_default();
        frame.answers.iter().map(|item| (item.id, Kind::try_from(item.kind).ok())).collect()
    }

    #[test]
    fn a_call_is_under_way_until_its_answer_is_sent() {
        let outbox = outbox(1);
        let first = outbox.begin(1, false, 0).unwrap();
        assert!(outbox.begin(2, false, 0).is_none());
        first.answer(reply(1, 1));
        assert!(outbox.begin(2, false, 0).is_none(), "its answer waits");
        assert_eq!(pop(&outbox), [(1, Some(Kind::Reply))]);
        drop(outbox.begin(2, false, 0).unwrap());
        assert!(outbox.begin(3, false, 0).is_some(), "without an answer it has ended too");
    }

    #[test]
    fn calls_are_bounded_by_their_bytes_until_they_are_answered() {
        let outbox = Outbox::new(&Settings { served_bytes_max: 100, ..Settings::default() });
        let (first, second) = (outbox.begin(1, false, 60), outbox.begin(2, true, 40));
        assert!(outbox.begin(3, false, 1).is_none());
        first.unwrap().answer(reply(1, 1));
        let third = outbox.begin(3, false, 60).unwrap();
        drop(second);
        assert!(outbox.begin(4, true, 41).is_none());
        let speaker = outbox.begin(4, true, 40).unwrap().opened().unwrap();
        assert!(outbox.begin(5, false, 40).is_some(), "an open feed is none of them");
        drop((third, speaker));
        assert_eq!(outbox.state.lock().call_bytes, 0);
    }

    #[test]
    fn nothing_more_is_read_while_the_peer_does_not_read() {
        let outbox = outbox(2);
        for id in 0..3 {
            assert!(outbox.has_room().now_or_never().is_some(), "{id}");
            outbox.refuse(AnswerItem::refusal(id, crate::transport::Refusal::Overloaded));
        }
        let mut room = Box::pin(outbox.has_room());
        assert!(room.as_mut().now_or_never().is_none());
        assert_eq!(pop(&outbox).len(), 3);
        assert!(room.now_or_never().is_some());
        outbox.begin(4, false, 0).unwrap().answer(reply(4, 2_000));
        assert!(outbox.has_room().now_or_never().is_none(), "too many bytes");
    }

    #[test]
    fn of_a_feed_the_newest_message_is_sent_and_the_end_once() {
        let outbox = outbox(1);
        let speaker = outbox.begin(7, true, 0).unwrap().opened().unwrap();
        assert!(outbox.begin(8, true, 0).is_none(), "a feed more than may be");
        (0..9u8).for_each(|n| speaker.put(Bytes::from(vec![n])));
        let frame = outbox.pop(&mut outbox.state.lock()).unwrap();
        assert_eq!(frame.answers.len(), 2);
        assert_eq!(frame.answers[1].payload, vec![8]);
        speaker.put(Bytes::from_static(b"last"));
        drop(speaker);
        assert_eq!(pop(&outbox), [(7, Some(Kind::Next)), (7, Some(Kind::Ended))]);
        assert_eq!(pop(&outbox), []);
        assert!(outbox.begin(8, true, 0).is_some());
    }

    #[test]
    fn a_feed_that_was_closed_before_it_was_open_is_not_opened() {
        let outbox = outbox(1);
        let opening = outbox.begin(7, true, 0).unwrap();
        outbox.close(7);
        assert!(opening.opened().is_none());
        assert_eq!(pop(&outbox), []);
        assert!(outbox.begin(8, true, 0).is_some());
    }

    #[test]
    fn frames_are_cut_by_bytes_and_by_number() {
        let outbox = Outbox::new(&Settings::default());
        for id in 0..3 {
            outbox.begin(id, false, 0).unwrap().answer(reply(id, FRAME_BYTES_MAX / 2 - 100));
        }
        assert_eq!(pop(&outbox).len(), 2);
        assert_eq!(pop(&outbox).len(), 1);
        for id in 0..2_000 {
            outbox.begin(id, false, 0).unwrap().answer(reply(id, 1));
        }
        assert!(pop(&outbox).len() <= FRAME_ITEMS_MAX);
    }
}

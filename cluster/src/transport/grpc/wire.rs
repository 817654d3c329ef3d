//! What is written between nodes: frames of calls one way, frames of answers the other. Nodes of
//! two builds talk during a deploy, so a field keeps its number and its meaning, and what a reader
//! does not know it passes over.

use std::time::Duration;

use bytes::Bytes;

use crate::transport::{Call, PAYLOAD_BYTES_MAX, Refusal};

/// The one method: a stream of [`CallFrame`] up, a stream of [`AnswerFrame`] down.
pub(super) const PATH: &str = "/barrow.cluster.v1.Peers/Exchange";

/// The longest frame. One call of the longest payload fits with all its fields.
pub(super) const FRAME_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 1_024;

/// The most calls, or answers, of one frame: what a reader takes up at a time.
pub(super) const FRAME_ITEMS_MAX: usize = 1_024;

/// The most that one item takes beside its payload: its fields, their tags and lengths.
const ITEM_OVERHEAD_MAX: usize = 64;

/// How much of a frame's room an item takes.
pub(super) fn weight(payload: &[u8]) -> usize {
    payload.len() + ITEM_OVERHEAD_MAX
}

/// Calls that leave together.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CallFrame {
    #[prost(message, repeated, tag = "1")]
    pub calls: Vec<CallItem>,
    /// The ids of calls whose feeds are not read any more.
    #[prost(uint64, repeated, tag = "2")]
    pub closed: Vec<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CallItem {
    /// Unique on its connection; the answer carries it.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    #[prost(uint32, tag = "2")]
    pub shard: u32,
    #[prost(uint64, tag = "3")]
    pub view: u64,
    /// What is left of the caller's patience as the frame is made, in microseconds.
    #[prost(uint64, tag = "4")]
    pub patience_us: u64,
    /// Whether it asks for a feed.
    #[prost(bool, tag = "5")]
    pub feed: bool,
    #[prost(bytes = "bytes", tag = "6")]
    pub payload: Bytes,
}

impl CallItem {
    pub(super) fn new(id: u64, call: Call, feed: bool) -> CallItem {
        let (shard, view) = (u32::from(call.shard), call.view);
        CallItem { id, shard, view, patience_us: 0, feed, payload: call.payload }
    }

    pub(super) fn is_to_be_answered_within(&mut self, patience: Duration) {
        self.patience_us = u64::try_from(patience.as_micros()).unwrap_or(u64::MAX);
    }

    /// The call, as its receiver sees it; `None` if there cannot be such a shard.
    pub(super) fn into_call(self) -> Option<Call> {
        let shard = u16::try_from(self.shard).ok()?;
        let patience = Duration::from_micros(self.patience_us);
        Some(Call { shard, view: self.view, patience, payload: self.payload })
    }
}

/// Answers that leave together.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AnswerFrame {
    #[prost(message, repeated, tag = "1")]
    pub answers: Vec<AnswerItem>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AnswerItem {
    #[prost(uint64, tag = "1")]
    pub id: u64,
    #[prost(enumeration = "Kind", tag = "2")]
    pub kind: i32,
    /// With `Moved`: the version of the view by which it is so.
    #[prost(uint64, tag = "3")]
    pub view: u64,
    /// With `Reply` and `Next`.
    #[prost(bytes = "bytes", tag = "4")]
    pub payload: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
pub(super) enum Kind {
    /// What a later build may say, and this one does not know.
    Unspecified = 0,
    Reply = 1,
    /// The feed is open; its messages follow.
    Opened = 2,
    /// A message of a feed.
    Next = 3,
    /// The feed has ended.
    Ended = 4,
    Moved = 5,
    Overloaded = 6,
    Unavailable = 7,
    Unreadable = 8,
    /// It was done, but the reply is longer than a frame.
    Oversize = 9,
}

impl AnswerItem {
    pub(super) fn new(id: u64, kind: Kind, payload: Bytes) -> AnswerItem {
        AnswerItem { id, kind: kind as i32, view: 0, payload }
    }

    pub(super) fn of(id: u64, result: Result<Bytes, Refusal>) -> AnswerItem {
        match result {
            Ok(reply) if reply.len() > PAYLOAD_BYTES_MAX => {
                AnswerItem::new(id, Kind::Oversize, Bytes::new())
            }
            Ok(reply) => AnswerItem::new(id, Kind::Reply, reply),
            Err(refusal) => AnswerItem::refusal(id, refusal),
        }
    }

    pub(super) fn refusal(id: u64, refusal: Refusal) -> AnswerItem {
        let (kind, view) = match refusal {
            Refusal::Moved { view } => (Kind::Moved, view),
            Refusal::Overloaded => (Kind::Overloaded, 0),
            Refusal::Unavailable => (Kind::Unavailable, 0),
            Refusal::Unreadable => (Kind::Unreadable, 0),
        };
        AnswerItem { view, ..AnswerItem::new(id, kind, Bytes::new()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    fn call() -> Call {
        let payload = Bytes::from_static(b"ab");
        Call { shard: 1_023, view: 7, patience: Duration::from_secs(1), payload }
    }

    /// Nodes of other builds read these bytes: they change for ever, or not at all.
    #[test]
    fn frames_are_written_as_they_always_were() {
        let mut item = CallItem::new(300, call(), true);
        item.is_to_be_answered_within(Duration::from_micros(5));
        let frame = CallFrame { calls: vec![item], closed: vec![9] };
        let written = frame.encode_to_vec();
        let expected = b"\x0a\x10\x08\xac\x02\x10\xff\x07\x18\x07\x20\x05\x28\x01\x32\x02ab\
            \x12\x01\x09";
        assert_eq!(written, expected);
        assert_eq!(CallFrame::decode(&written[..]), Ok(frame));

        let moved = AnswerItem::refusal(2, Refusal::Moved { view: 8 });
        let reply = AnswerItem::of(1, Ok(Bytes::from_static(b"c")));
        let frame = AnswerFrame { answers: vec![moved, reply] };
        let written = frame.encode_to_vec();
        let expected = b"\x0a\x06\x08\x02\x10\x05\x18\x08\x0a\x07\x08\x01\x10\x01\x22\x01c";
        assert_eq!(written, expected);
        assert_eq!(AnswerFrame::decode(&written[..]), Ok(frame));
    }

    #[test]
    fn an_item_never_takes_more_than_is_counted_for_it() {
        let payload = Bytes::from(vec![1; PAYLOAD_BYTES_MAX]);
        let call = Call { shard: u16::MAX, view: u64::MAX, patience: Duration::MAX, payload };
        let weight = weight(&call.payload);
        assert!(weight <= FRAME_BYTES_MAX);
        let mut item = CallItem::new(u64::MAX, call.clone(), true);
        item.is_to_be_answered_within(Duration::MAX);
        let answer = AnswerItem { view: u64::MAX, ..AnswerItem::of(u64::MAX, Ok(call.payload)) };
        let frame = CallFrame { calls: vec![item], closed: vec![] };
        assert!(frame.encoded_len() <= weight, "{}", frame.encoded_len());
        let frame = AnswerFrame { answers: vec![answer] };
        assert!(frame.encoded_len() <= weight, "{}", frame.encoded_len());
    }

    #[test]
    fn a_shard_that_cannot_be_is_told_from_one_that_can() {
        let mut item = CallItem::new(1, call(), false);
        assert_eq!(item.clone().into_call().map(|call| call.shard), Some(1_023));
        item.shard = 70_000;
        assert_eq!(item.into_call(), None);
    }
}

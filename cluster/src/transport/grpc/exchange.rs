//! What a server does with the stream of one peer: it begins each call as it comes, all of them
//! beside each other, and sends the answers as they come.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::server::StreamingService;
use tonic::{Request, Response, Status, Streaming};

use super::outbox::{Frames, Outbox, UnderWay};
use super::wire::{self, AnswerFrame, AnswerItem, CallFrame, CallItem, FRAME_ITEMS_MAX};
use super::{Counters, Settings};
use crate::transport::{Call, PAYLOAD_BYTES_MAX, Refusal, Service};

/// Begins the exchange with a peer when it asks for it.
#[derive(Clone)]
pub(super) struct Exchange {
    pub service: Arc<dyn Service>,
    pub settings: Arc<Settings>,
    pub counters: Arc<Counters>,
    pub stop: CancellationToken,
}

impl StreamingService<CallFrame> for Exchange {
    type Response = AnswerFrame;
    type ResponseStream = Answers;
    type Future = Ready<Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Streaming<CallFrame>>) -> Self::Future {
        let outbox = Outbox::new(&self.settings);
        let reader =
            Reader { exchange: self.clone(), outbox: Arc::clone(&outbox), tasks: JoinSet::new() };
        let mut task = JoinSet::new();
        task.spawn(reader.run(request.into_inner()));
        let counters = Arc::clone(&self.counters);
        ready(Ok(Response::new(Answers { frames: Frames(outbox), counters, _reader: task })))
    }
}

/// The answers, as a stream. When it is dropped, because the connection has ended, the reader
/// ends, and with it all that is under way for this peer.
pub(super) struct Answers {
    frames: Frames,
    counters: Arc<Counters>,
    _reader: JoinSet<()>,
}

impl Stream for Answers {
    type Item = Result<AnswerFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let frame = Pin::new(&mut self.frames).poll_next(context);
        if let Poll::Ready(Some(frame)) = &frame {
            self.counters.answer_frames.add(1);
            self.counters.answers.add(frame.answers.len() as u64);
        }
        frame.map(|frame| frame.map(Ok))
    }
}

struct Reader {
    exchange: Exchange,
    outbox: Arc<Outbox>,
    tasks: JoinSet<()>,
}

impl Reader {
    async fn run(mut self, calls: Streaming<CallFrame>) {
        if let Err(reason) = self.read(calls).await {
            tracing::debug!(reason, "a connection of a peer has ended");
        }
        self.outbox.end();
    }

    async fn read(&mut self, mut calls: Streaming<CallFrame>) -> Result<(), String> {
        let stop = self.exchange.stop.clone();
        let outbox = Arc::clone(&self.outbox);
        let mut is_stopping = false;
        loop {
            // A peer that does not read its answers is not read either.
            outbox.has_room().await;
            tokio::select! {
                frame = calls.message() => match frame {
                    Ok(Some(frame)) => self.take(frame)?,
                    Ok(None) => return Ok(()),
                    Err(status) => return Err(status.to_string()),
                },
                () = stop.cancelled(), if !is_stopping => {
                    outbox.stop();
                    is_stopping = true;
                }
                () = outbox.is_done(), if is_stopping => return Ok(()),
            }
            while self.tasks.try_join_next().is_some() {}
        }
    }

    fn take(&mut self, frame: CallFrame) -> Result<(), String> {
        if frame.calls.len() > FRAME_ITEMS_MAX || frame.closed.len() > FRAME_ITEMS_MAX {
            return Err("a frame holds more than it may".to_owned());
        }
        let counters = &self.exchange.counters;
        counters.call_frames.add(1);
        counters.calls.add(frame.calls.len() as u64);
        frame.closed.into_iter().for_each(|id| self.outbox.close(id));
        frame.calls.into_iter().for_each(|item| self.begin(item));
        Ok(())
    }

    fn begin(&mut self, item: CallItem) {
        let (id, is_feed) = (item.id, item.feed);
        let refuse = |refusal| self.outbox.refuse(AnswerItem::refusal(id, refusal));
        let Some(call) = item.into_call() else { return refuse(Refusal::Unreadable) };
        if self.outbox.is_stopping() {
            return refuse(Refusal::Unavailable);
        }
        let bytes = wire::weight(&call.payload);
        let Some(under_way) = self.outbox.begin(id, is_feed, bytes) else {
            return refuse(Refusal::Overloaded);
        };
        let service = Arc::clone(&self.exchange.service);
        if is_feed {
            let task = self.tasks.spawn(speak(service, id, call, under_way));
            self.outbox.belongs(id, task);
        } else {
            self.tasks.spawn(answer(service, id, call, under_way));
        }
    }
}

async fn answer(service: Arc<dyn Service>, id: u64, call: Call, under_way: UnderWay) {
    // Later than that, nobody waits for the answer.
    if let Ok(result) = timeout(call.patience, service.call(call)).await {
        under_way.answer(AnswerItem::of(id, result));
    }
}

async fn speak(service: Arc<dyn Service>, id: u64, call: Call, under_way: UnderWay) {
    let mut feed = match timeout(call.patience, service.open(call)).await {
        Err(_) => return,
        Ok(Err(refusal)) => return under_way.answer(AnswerItem::refusal(id, refusal)),
        Ok(Ok(feed)) => feed,
    };
    let Some(speaker) = under_way.opened() else { return };
    while let Some(message) = feed.recv().await {
        if message.len() > PAYLOAD_BYTES_MAX {
            tracing::error!(message.bytes = message.len(), "a message of a feed is too long");
            return;
        }
        speaker.put(message);
    }
}

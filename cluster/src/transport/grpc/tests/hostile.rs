//! Peers that are members, and mad.

use std::convert::Infallible;

use futures::StreamExt;
use http::Uri;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tonic::server::StreamingService;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::*;
use crate::transport::grpc::wire::{
    AnswerFrame, AnswerItem, CallFrame, CallItem, FRAME_ITEMS_MAX, Kind, PATH,
};
use crate::transport::tls;

/// Where a frame has messages, it has a number.
#[derive(Clone, PartialEq, prost::Message)]
struct Garbage {
    #[prost(uint64, tag = "1")]
    number: u64,
}

async fn connected(own: &Identity, to: &Peer) -> impl AsyncRead + AsyncWrite + Unpin + 'static {
    let config = Arc::new(own.client(&to.certificate).unwrap());
    let stream = TcpConnect.connect(&to.address).await.unwrap();
    tls::connect(config, stream).await.unwrap()
}

/// Sends these frames, properly in all else; answers how often it was answered before the end.
async fn send<F: prost::Message + 'static>(own: &Identity, to: &Peer, frames: Vec<F>) -> usize {
    let stream = TokioIo::new(connected(own, to).await);
    let (sender, task) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    runtime::spawn(task);
    let service = tower::service_fn(move |request| sender.clone().send_request(request));
    let mut grpc = tonic::client::Grpc::with_origin(service, Uri::from_static("https://barrow"));
    let frames = futures::stream::iter(frames).chain(futures::stream::pending());
    let codec = ProstCodec::<F, AnswerFrame>::new();
    let path = http::uri::PathAndQuery::from_static(PATH);
    let response = grpc.streaming(Request::new(frames), path, codec).await.unwrap();
    let mut answers = response.into_inner();
    let mut count = 0;
    // That it ends at all is the point: the sender's own side stays open for ever.
    let reading = async {
        while let Ok(Some(frame)) = answers.message().await {
            count += frame.answers.len();
        }
    };
    tokio::time::timeout(LONG, reading).await.unwrap();
    count
}

fn item(id: u64, payload: impl Into<Bytes>) -> CallItem {
    let mut item = CallItem::new(id, call(payload), false);
    item.is_to_be_answered_within(LONG);
    item
}

#[tokio::test]
async fn a_caller_that_sends_nonsense_loses_its_connection_and_nobody_else_does() {
    let (honest, mad) = (identity(), identity());
    let node = Node::start(1, &[&honest, &mad], Settings::default()).await;
    let peers = peers(&honest, Settings::default());
    assert!(peers.call(&node.peer, call("e")).await.is_ok());

    let mut stream = connected(&mad, &node.peer).await;
    stream.write_all(&[0xff; 4_096]).await.unwrap();
    let mut heard = Vec::new();
    let _ended = tokio::time::timeout(LONG, stream.read_to_end(&mut heard)).await.unwrap();

    assert_eq!(send(&mad, &node.peer, vec![Garbage { number: 7 }]).await, 0);
    let oversize =
        CallFrame { calls: vec![item(1, vec![b'e'; PAYLOAD_BYTES_MAX + 10_000])], closed: vec![] };
    assert_eq!(send(&mad, &node.peer, vec![oversize]).await, 0);
    let calls = (0..=FRAME_ITEMS_MAX as u64).map(|id| item(id, "e"));
    let crowd = CallFrame { calls: calls.collect(), closed: vec![] };
    assert_eq!(send(&mad, &node.peer, vec![crowd]).await, 0);

    assert!(peers.call(&node.peer, call("e")).await.is_ok());
    assert_eq!(peers.stats().connections, 1, "it is the same connection");
    assert_eq!(node.service.begun(), 2);
}

/// Answers each frame of calls with what it is made to.
#[derive(Clone)]
struct Mad<F>(Arc<dyn Fn(CallFrame) -> F + Send + Sync>);

impl<F: prost::Message + 'static> StreamingService<CallFrame> for Mad<F> {
    type Response = F;
    type ResponseStream = futures::stream::BoxStream<'static, Result<F, Status>>;
    type Future = std::future::Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<CallFrame>>) -> Self::Future {
        let answer = Arc::clone(&self.0);
        let frames = request.into_inner().map(move |frame| frame.map(|frame| answer(frame)));
        std::future::ready(Ok(Response::new(frames.boxed())))
    }
}

/// A node that is mad in what it answers.
async fn mad_node<F: prost::Message + Clone + 'static>(
    trusted: &Identity,
    answer: impl Fn(CallFrame) -> F + Send + Sync + 'static,
) -> Peer {
    let own = identity();
    let known = Known::default();
    known.learn(trusted);
    let tls = TlsAcceptor::from(Arc::new(own.server(Arc::new(known)).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mad = Mad(Arc::new(answer));
    runtime::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, mad) = (tls.clone(), mad.clone());
            let stream = TokioIo::new(tls.accept(stream).await.unwrap());
            let service = hyper::service::service_fn(move |request| {
                let mad = mad.clone();
                async move {
                    let codec = ProstCodec::<F, CallFrame>::new();
                    let mut grpc = tonic::server::Grpc::new(codec);
                    Ok::<_, Infallible>(grpc.streaming(mad, request).await)
                }
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            runtime::spawn(builder.serve_connection(stream, service));
        }
    });
    peer(66, address, own.certificate())
}

#[tokio::test]
async fn a_peer_that_answers_nonsense_costs_the_calls_to_it() {
    let caller = identity();
    let node = Node::start(1, &[&caller], Settings::default()).await;
    let settings = Settings { backoff_min: Duration::ZERO, ..Settings::default() };
    let peers = peers(&caller, settings);
    assert!(peers.call(&node.peer, call("e")).await.is_ok());

    let garbage = mad_node(&caller, |_| Garbage { number: 7 }).await;
    let oversize = mad_node(&caller, |frame| {
        let payload = Bytes::from(vec![0; PAYLOAD_BYTES_MAX + 10_000]);
        let answers = vec![AnswerItem::new(frame.calls[0].id, Kind::Reply, payload)];
        AnswerFrame { answers }
    });
    for mad in [garbage, oversize.await] {
        let outcome = peers.call(&mad, call("e")).await;
        assert!(matches!(outcome, Err(CallError::Unknown(_))), "{outcome:?}");
    }
    assert!(peers.call(&node.peer, call("e")).await.is_ok());
    assert_eq!(node.server.stats().connections, 1);
}

#[tokio::test]
async fn answers_to_what_was_not_asked_are_passed_over_and_unknown_ones_end_the_call() {
    let caller = identity();
    let mad = mad_node(&caller, |frame: CallFrame| {
        let id = frame.calls[0].id;
        let of = |id, kind| AnswerItem::new(id, kind, Bytes::from("x"));
        let later = AnswerItem { kind: 99, ..of(id, Kind::Reply) };
        let last = match frame.calls[0].payload.as_ref() {
            b"later" => later,
            b"wrong" => of(id, Kind::Opened),
            _ => of(id, Kind::Reply),
        };
        let answers =
            vec![of(id + 1, Kind::Reply), of(id + 2, Kind::Ended), of(id, Kind::Next), last];
        AnswerFrame { answers: answers.into_iter().skip(usize::from(id != 1)).collect() }
    });
    let mad = mad.await;
    let peers = peers(&caller, Settings::default());
    for strange in ["later", "wrong"] {
        let outcome = peers.call(&mad, call(strange)).await;
        assert!(matches!(outcome, Err(CallError::Unknown(_))), "{outcome:?}");
    }
    assert_eq!(peers.stats().connections, 1);
}

//! `GET /v1/carts/{id}/events`: a cart as it changes, as server-sent events.
//!
//! A stream sends the newest durable cart and skips what a slow reader missed; it never queues.
//! Between changes it says that it is alive, and looks whether the catalog changed the cart
//! underneath: prices and stock are told as events of their own, without an id, since the
//! cart's version is as before.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use barrow_actors::carts::{CartError, CartFeed, CartReply};
use barrow_actors::runtime::CommandError;
use barrow_engine::cart::Owner;
use barrow_engine::ids::CartId;
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::change::CartAddress;
use super::held::HoldWatch;
use super::refusal;
use super::streams::{NoRoom, Place};
use crate::app::SharedApp;
use crate::auth::Shopper;
use crate::edge::metrics::Gauged;
use crate::edge::{Code, NoParams, Problem};

/// When a client that was cut off comes back, in its own hands: `retry: 1000`.
const RETRY_MS: u32 = 1_000;
/// How often a stream looks whether its session was ended elsewhere.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// When to come back after there was no room.
const NO_ROOM_RETRY: Duration = Duration::from_secs(5);
/// How often a stream tries to find its cart again, after its actor ended under it, and how
/// long it waits in between. Together longer than an actor takes to come back.
const RESUBSCRIBE_MAX: u32 = 20;
const RESUBSCRIBE_PAUSE: Duration = Duration::from_millis(250);

pub async fn stream(
    State(app): State<SharedApp>,
    shopper: Shopper,
    _: NoParams,
    address: CartAddress,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let cart = address.cart;
    let feed = app.carts.subscribe(cart, Owner::Session(shopper.session)).await;
    let feed =
        feed.map_err(|error| refusal::problem(address.cart, error, refusal::Place::Body).0)?;
    let place = app.streams.open(cart).map_err(no_room)?;
    let seen = last_event_id(&headers);
    let stream = EventStream {
        gauge: Gauged::hold(&app.metrics, |metrics| &metrics.streams),
        pings: every(app.settings.stream_ping),
        checks: every(CHECK_INTERVAL),
        ends_at: Instant::now() + shopper.expires_at.since(app.clock.now()),
        hold: app.carts.hold_expiring().map(HoldWatch::new),
        known: None,
        sent: seen,
        phase: Phase::Greeting,
        app,
        cart,
        shopper,
        feed,
        place,
    };
    let chunks = stream::unfold(stream, |mut stream| async move {
        stream.chunk().await.map(|chunk| (Ok::<Bytes, Infallible>(chunk), stream))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Some proxies hold replies back until they are complete; this one never is.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// The version that a client says it has. One that is not ours tells nothing, so the stream begins
/// with the cart as it is.
pub(super) fn last_event_id(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

fn no_room(full: NoRoom) -> Problem {
    let detail = match full {
        NoRoom::Cart => "this cart has as many event streams as a cart may have",
        NoRoom::Server => "as many event streams are open as may be",
    };
    Problem::new(Code::Overloaded, detail).retry_after(NO_ROOM_RETRY)
}

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was sent yet.
    Greeting,
    Open,
    /// The last event was sent.
    Ended,
}

/// Why a stream ends.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    /// The cart was bought.
    Ordered { order: String, next: String },
    /// The cart was given up.
    Expired,
    /// The token was, or the session.
    Unauthorized,
    /// The cart is, or will be, somewhere else; come again.
    Moved,
}

struct EventStream {
    app: SharedApp,
    cart: CartId,
    shopper: Shopper,
    feed: CartFeed,
    pings: Interval,
    checks: Interval,
    ends_at: Instant,
    /// Where carts hold units: what is told of that.
    hold: Option<HoldWatch>,
    /// What the catalog does to the cart, as it was told last.
    known: Option<Seen>,
    /// The version that the reader has.
    sent: Option<u64>,
    phase: Phase,
    #[expect(dead_code, reason = "held for as long as the stream is open")]
    place: Place,
    #[expect(dead_code, reason = "held for as long as the stream is open")]
    gauge: Gauged,
}

/// What may happen to an open stream.
enum Happening {
    Changed(Option<CartReply>),
    Ping,
    /// The time of a hold has come.
    HoldDue,
    End(End),
}

impl EventStream {
    /// The next bytes for the reader; `None` once it ended.
    async fn chunk(&mut self) -> Option<Bytes> {
        match self.phase {
            Phase::Greeting => {
                self.phase = Phase::Open;
                return Some(Bytes::from(format!("retry: {RETRY_MS}\n\n")));
            }
            Phase::Open => {}
            Phase::Ended => return None,
        }
        loop {
            let happening = self.happening().await;
            let chunk = match happening {
                Happening::Changed(Some(reply)) => self.changed(&reply).await,
                Happening::Changed(None) => self.resubscribe().await,
                Happening::Ping => self.ping().await,
                Happening::HoldDue => self.tell_hold(),
                Happening::End(end) => self.end(end),
            };
            if !chunk.is_empty() {
                return Some(Bytes::from(chunk));
            }
        }
    }

    async fn happening(&mut self) -> Happening {
        let hold_due = self.hold.as_ref().and_then(HoldWatch::due);
        let hold_due = hold_due.map(|at| Instant::now() + at.since(self.app.clock.now()));
        loop {
            tokio::select! {
                biased;
                () = self.app.draining.cancelled() => return Happening::End(End::Moved),
                () = tokio::time::sleep_until(self.ends_at) => {
                    return Happening::End(End::Unauthorized);
                }
                reply = self.feed.next() => return Happening::Changed(reply),
                _ = self.checks.tick() => {
                    if self.app.is_revoked(self.shopper.session) {
                        return Happening::End(End::Unauthorized);
                    }
                }
                () = at(hold_due) => return Happening::HoldDue,
                _ = self.pings.tick() => return Happening::Ping,
            }
        }
    }

    /// The events of a change; empty if the reader has that version.
    async fn changed(&mut self, reply: &CartReply) -> Vec<u8> {
        let mut out = Vec::new();
        let seen = Seen::read(&reply.body);
        if self.sent != Some(reply.version) {
            self.sent = Some(reply.version);
            self.pings.reset();
            let body = std::str::from_utf8(&reply.body).expect("JSON is UTF-8");
            write_event(&mut out, "cart", Some(reply.version), body);
        }
        let end = seen.as_ref().and_then(Seen::end);
        self.tell_news(seen, &mut out);
        match end {
            Some(end) => out.extend(self.end(end)),
            None => out.extend(self.look_at_hold().await),
        }
        out
    }

    /// Looks how long the cart's units are held now.
    async fn look_at_hold(&mut self) -> Vec<u8> {
        let Some(watch) = &mut self.hold else { return Vec::new() };
        let owner = Owner::Session(self.shopper.session);
        // One that cannot be read now is looked at again with the next change.
        if let Ok(state) = self.app.carts.hold(self.cart, owner).await {
            watch.set(state);
        }
        self.tell_hold()
    }

    fn tell_hold(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let now = self.app.clock.now();
        if let Some(watch) = &mut self.hold {
            while let Some(data) = watch.next(now) {
                write_event(&mut out, "hold", None, &data);
            }
        }
        out
    }

    /// Tells what the catalog did since the last look.
    fn tell_news(&mut self, seen: Option<Seen>, out: &mut Vec<u8>) {
        let Some(seen) = seen else { return };
        if let Some(known) = &self.known {
            for news in seen.news_since(known) {
                write_event(out, news.event, None, &news.data);
            }
        }
        self.known = Some(seen);
    }

    /// Says that the stream is alive, and looks what the catalog did.
    async fn ping(&mut self) -> Vec<u8> {
        let mut out = b": ping\n\n".to_vec();
        let owner = Owner::Session(self.shopper.session);
        // A cart that cannot be read now is looked at again with the next ping.
        if let Ok(reply) = self.app.carts.get(self.cart, owner).await
            && self.sent == Some(reply.version)
        {
            self.tell_news(Seen::read(&reply.body), &mut out);
        }
        out
    }

    /// The cart's actor ended: it was put away, or lives elsewhere now.
    async fn resubscribe(&mut self) -> Vec<u8> {
        let owner = Owner::Session(self.shopper.session);
        for _ in 0..RESUBSCRIBE_MAX {
            match self.app.carts.subscribe(self.cart, owner).await {
                Ok(feed) => {
                    self.feed = feed;
                    return Vec::new();
                }
                Err(error) if is_for_good(&error) => break,
                Err(_) => {}
            }
            tokio::select! {
                () = self.app.draining.cancelled() => break,
                () = tokio::time::sleep(RESUBSCRIBE_PAUSE) => {}
            }
        }
        self.end(End::Moved)
    }

    fn end(&mut self, end: End) -> Vec<u8> {
        self.phase = Phase::Ended;
        let (reason, order, next) = match end {
            End::Ordered { order, next } => ("ordered", Some(order), Some(next)),
            End::Expired => ("expired", None, None),
            End::Unauthorized => ("unauthorized", None, None),
            End::Moved => ("moved", None, None),
        };
        let mut out = Vec::new();
        let data = json!({"reason": reason, "order_id": order, "next_cart_id": next});
        write_event(&mut out, "end", None, &data.to_string());
        out
    }
}

/// When that time has come; never, where there is none.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn is_for_good(error: &CartError) -> bool {
    matches!(error, CommandError::Rejected(_) | CommandError::Unreadable)
}

/// Writes an event. The data is JSON as we write it, on one line.
fn write_event(out: &mut Vec<u8>, event: &str, id: Option<u64>, data: &str) {
    debug_assert!(!data.contains('\n'), "data is one line");
    out.extend_from_slice(format!("event: {event}\n").as_bytes());
    if let Some(id) = id {
        out.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// The little of a cart's body that tells what the catalog does to it.
#[derive(Debug, Deserialize)]
struct Seen {
    status: String,
    order_id: Option<String>,
    next_cart_id: Option<String>,
    lines: Vec<SeenLine>,
    problems: Vec<SeenProblem>,
}

#[derive(Debug, Deserialize)]
struct SeenLine {
    id: String,
    sku: String,
}

#[derive(Debug, Deserialize)]
struct SeenProblem {
    code: String,
    line_id: Option<String>,
    #[serde(default)]
    available: Option<u64>,
    #[serde(default)]
    old_price: Option<Value>,
    #[serde(default)]
    new_price: Option<Value>,
}

/// An event about a line.
#[derive(Debug, PartialEq, Eq, Hash, Clone)]
struct News {
    event: &'static str,
    data: String,
}

impl Seen {
    fn read(body: &[u8]) -> Option<Seen> {
        serde_json::from_slice(body).ok()
    }

    /// Whether nothing will happen to the cart any more.
    fn end(&self) -> Option<End> {
        match self.status.as_str() {
            "expired" => Some(End::Expired),
            "ordered" => Some(End::Ordered {
                order: self.order_id.clone()?,
                next: self.next_cart_id.clone()?,
            }),
            _ => None,
        }
    }

    /// What is the case now and was not before.
    fn news_since(&self, before: &Seen) -> Vec<News> {
        let known: HashSet<News> = before.news().collect();
        self.news().filter(|news| !known.contains(news)).collect()
    }

    fn news(&self) -> impl Iterator<Item = News> {
        self.problems.iter().filter_map(|problem| {
            let line_id = problem.line_id.as_deref()?;
            let line = self.lines.iter().find(|line| line.id == line_id)?;
            let sku = serde_json::to_string(&line.sku).expect("a text always serialises");
            let (event, rest) = match problem.code.as_str() {
                "price_changed" => {
                    let (old, new) = (problem.old_price.as_ref()?, problem.new_price.as_ref()?);
                    ("price_changed", format!(r#""old_price":{old},"new_price":{new}"#))
                }
                "insufficient_stock" => {
                    ("low_stock", format!(r#""available":{}"#, problem.available?))
                }
                _ => return None,
            };
            let data = format!(r#"{{"sku":{sku},"line_id":"{line_id}",{rest}}}"#);
            Some(News { event, data })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(problems: &str) -> Seen {
        let body = format!(
            r#"{{"id": "cart_x", "status": "open", "problems": [{problems}],
                "lines": [{{"id": "line_1", "sku": "A\"1"}}, {{"id": "line_2", "sku": "B"}}]}}"#
        );
        Seen::read(body.as_bytes()).unwrap()
    }

    #[test]
    fn only_what_is_new_is_told() {
        let none = seen(r#"{"code": "contact_missing", "line_id": null, "detail": "x"}"#);
        let price = r#"{"code": "price_changed", "line_id": "line_1", "detail": "x",
            "old_price": {"amount": 1, "currency": "EUR"},
            "new_price": {"amount": 2, "currency": "EUR"}}"#;
        let stock = |available: u32| {
            format!(
                r#"{{"code": "insufficient_stock", "line_id": "line_2", "detail": "x",
                    "requested": 5, "available": {available}}}"#
            )
        };
        let first = seen(&format!("{price}, {}", stock(3)));
        let news = first.news_since(&none);
        let told: Vec<(&str, serde_json::Value)> = news
            .iter()
            .map(|news| (news.event, serde_json::from_str(&news.data).unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                (
                    "price_changed",
                    serde_json::json!({
                        "sku": "A\"1",
                        "line_id": "line_1",
                        "old_price": {"amount": 1, "currency": "EUR"},
                        "new_price": {"amount": 2, "currency": "EUR"},
                    })
                ),
                ("low_stock", serde_json::json!({"sku": "B", "line_id": "line_2", "available": 3})),
            ]
        );
        assert_eq!(first.news_since(&first), []);
        assert_eq!(none.news_since(&first), []);
        assert_eq!(seen(&stock(2)).news_since(&first).len(), 1);
    }

    #[test]
    fn events_are_framed() {
        let mut out = Vec::new();
        write_event(&mut out, "cart", Some(7), "{}");
        write_event(&mut out, "end", None, "[]");
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "event: cart\nid: 7\ndata: {}\n\nevent: end\ndata: []\n\n");
    }
}

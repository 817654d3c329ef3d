//! `/v1/orders`: what a buyer sees of what they bought, and does about it.

mod head;
pub mod refusal;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use barrow_actors::orders::{Executed, OrderCaller, Orders};
use barrow_engine::cart::Owner;
use barrow_engine::orders::{Order, OrderCommand, ReturnRequestLine};
use http::{HeaderValue, StatusCode, header};

use super::reply::json_bytes;
use crate::app::{App, SharedApp};
use crate::auth::Shopper;
use crate::edge::{Json, NoParams, OptionalJson, Origin, Problem, etag};
use crate::wire::order::{OrderBody, OrderView, Reader, ReturnBody};
use crate::wire::order_requests::{CancelOrder, RequestReturn};

pub use head::OrderHead;
use refusal::{desk_problem, no_order};

/// What a buyer who says nothing is taken to mean.
const NO_REASON: &str = "cancelled by the buyer";

pub fn routes() -> Router<SharedApp> {
    Router::new()
        .route("/v1/orders/{id}", get(read))
        .route("/v1/orders/{id}/invoice.pdf", get(invoice))
        .route("/v1/orders/{id}/cancel", post(cancel))
        .route("/v1/orders/{id}/returns", post(request_return))
}

/// The desk, where something is sold.
pub fn desk(app: &App) -> Result<&Orders, Problem> {
    app.orders.as_ref().ok_or_else(no_order)
}

fn buyer(shopper: Shopper) -> OrderCaller {
    OrderCaller::Buyer(Owner::Session(shopper.session))
}

async fn read(
    State(app): State<SharedApp>,
    shopper: Shopper,
    _: NoParams,
    origin: Origin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id.parse().map_err(|_| no_order())?;
    let order = desk(&app)?.get(id, &buyer(shopper)).await.map_err(desk_problem)?;
    Ok(order_response(&app, &order, Reader::Buyer, &origin))
}

async fn invoice(
    State(app): State<SharedApp>,
    shopper: Shopper,
    _: NoParams,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id.parse().map_err(|_| no_order())?;
    let order = desk(&app)?.get(id, &buyer(shopper)).await.map_err(desk_problem)?;
    app.papers.invoice(order).await
}

async fn cancel(
    State(app): State<SharedApp>,
    shopper: Shopper,
    head: OrderHead,
    origin: Origin,
    OptionalJson { parsed, body }: OptionalJson<CancelOrder>,
) -> Result<Response, Problem> {
    let reason = body.reason.unwrap_or_else(|| NO_REASON.to_owned());
    let (terms, command) = (head.terms(&parsed), OrderCommand::Cancel { reason });
    let done = desk(&app)?.execute(head.order, command, buyer(shopper), terms).await;
    Ok(executed(&app, &done.map_err(desk_problem)?, Reader::Buyer, &origin))
}

async fn request_return(
    State(app): State<SharedApp>,
    shopper: Shopper,
    head: OrderHead,
    Json { parsed, body }: Json<RequestReturn>,
) -> Result<Response, Problem> {
    let lines: Result<Vec<ReturnRequestLine>, Problem> =
        body.lines.into_iter().zip(0..).map(|(line, index)| line.units(index)).collect();
    let command = OrderCommand::RequestReturn { lines: lines? };
    let terms = head.terms(&parsed);
    let done = desk(&app)?.execute(head.order, command, buyer(shopper), terms).await;
    let done = done.map_err(desk_problem)?;
    let order = &done.order;
    let is_it = |one: &&barrow_engine::orders::Return| {
        done.made.as_deref() == Some(one.id.to_string().as_str())
    };
    let made = order.returns.iter().find(is_it).ok_or_else(refusal::outcome_unknown)?;
    let body = serde_json::to_vec(&ReturnBody::new(made, order)).expect("it is plain data");
    let mut response = json_bytes(body.into());
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    let location = HeaderValue::try_from(format!("/v1/orders/{}", order.id));
    headers.insert(header::LOCATION, location.expect("an id is visible ASCII"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    mark_replayed(&mut response, &done);
    Ok(response)
}

/// 200 with an order as a command left it.
pub fn executed(app: &App, done: &Executed, reader: Reader, origin: &Origin) -> Response {
    let mut response = order_response(app, &done.order, reader, origin);
    mark_replayed(&mut response, done);
    response
}

/// Says that it was done before, if it was.
pub fn mark_replayed(response: &mut Response, done: &Executed) {
    if let Some(version) = done.replayed {
        let headers = response.headers_mut();
        headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
        headers.insert("idempotent-version", HeaderValue::from(version));
    }
}

/// 200 with an order.
pub fn order_response(app: &App, order: &Order, reader: Reader, origin: &Origin) -> Response {
    let view = OrderView { reader, urls: &app.media_urls, origin: &origin.0 };
    let body = serde_json::to_vec(&OrderBody::new(order, view));
    let mut response = json_bytes(body.expect("an order is plain data").into());
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag(order.version));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

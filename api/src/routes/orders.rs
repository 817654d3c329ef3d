//! `/v1/orders`: what a buyer sees of what they bought.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use barrow_actors::checkout::CheckoutError;
use barrow_engine::cart::Owner;
use barrow_engine::orders::Order;
use http::{HeaderValue, header};

use super::carts::store_problem;
use super::reply::json_bytes;
use crate::app::{App, SharedApp};
use crate::auth::Shopper;
use crate::edge::{NoParams, Origin, Problem, etag};
use crate::wire::order::{OrderBody, OrderView, Reader};

pub fn routes() -> Router<SharedApp> {
    Router::new().route("/v1/orders/{id}", get(read))
}

async fn read(
    State(app): State<SharedApp>,
    shopper: Shopper,
    _: NoParams,
    origin: Origin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let order = of_buyer(&app, shopper, &id).await?;
    Ok(order_response(&app, &order, Reader::Buyer, &origin))
}

/// An order of the one who asks. Somebody else's is not there.
async fn of_buyer(app: &App, shopper: Shopper, id: &str) -> Result<Order, Problem> {
    let no_order = || Problem::not_found("There is no such order.");
    let checkouts = app.checkouts.as_ref().ok_or_else(no_order)?;
    let id = id.parse().map_err(|_| no_order())?;
    let order = checkouts.order(id, Owner::Session(shopper.session)).await;
    order.map_err(|error| unreadable(&error))?.ok_or_else(no_order)
}

fn unreadable(error: &CheckoutError) -> Problem {
    match error {
        CheckoutError::Store(error) => store_problem(error),
        error => {
            tracing::error!(%error, "an order cannot be read");
            Problem::unavailable("the order cannot be read now", std::time::Duration::from_secs(1))
        }
    }
}

/// 200 with an order.
pub(super) fn order_response(
    app: &App,
    order: &Order,
    reader: Reader,
    origin: &Origin,
) -> Response {
    let view = OrderView { reader, urls: &app.media_urls, origin: &origin.0 };
    let body = serde_json::to_vec(&OrderBody::new(order, view));
    let mut response = json_bytes(body.expect("an order is plain data").into());
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag(order.version));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

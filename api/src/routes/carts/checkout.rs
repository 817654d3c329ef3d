//! `/v1/carts/{id}/checkout`: buying a cart, and giving that up.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use barrow_actors::carts::Shape;
use barrow_actors::checkout::{CheckoutAsk, CheckoutError, Checkouts, Progress, Shortage};
use barrow_actors::stock::StockError;
use barrow_engine::cart::{CartRejectionCode, Owner};
use barrow_engine::ids::CartId;
use barrow_engine::orders::{Order, OrderRejection, OverLimit, PaymentChoice, RequestKey};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::change::{CartAddress, Change, cart_response};
use super::refusal::{Place, invalid, ordered, problem};
use crate::app::{App, SharedApp};
use crate::auth::Shopper;
use crate::edge::{Code, Json, More, NoParams, Origin, Problem};
use crate::routes::orders::order_response;
use crate::routes::orders::refusal::{outcome_unknown, store_problem};
use crate::wire::order::Reader;
use crate::wire::order_requests::{BuyCart, PaymentInput};

/// When to ask again for a payment that is not settled.
const PENDING_RETRY: Duration = Duration::from_secs(1);

/// When to come again while a store does not answer.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// The longest address to come back to.
const RETURN_URL_MAX: usize = 2_000;

pub(super) async fn buy(
    State(app): State<SharedApp>,
    change: Change,
    origin: Origin,
    Json { parsed, body }: Json<BuyCart>,
) -> Result<Response, Problem> {
    let checkouts = checkouts(&app)?;
    let cart = change.address.cart;
    let owner = Owner::Session(change.shopper.session);
    let key = change.required_key(&parsed)?;
    let request = RequestKey { key: key.key_hash, payload: key.payload_hash };
    let ask = CheckoutAsk {
        payment: payment(checkouts, body.payment, request)?,
        expected_total: body.expected_total.money("/expected_total")?,
        expected_version: change.expected_version(),
    };
    let progress = checkouts.checkout(cart, owner, ask).await;
    let answer = match progress {
        Ok(progress) => answer(&app, cart, progress, &origin),
        Err(error) => Err(refused(&app, cart, owner, error).await),
    };
    let outcome = match &answer {
        Ok(response) if response.status() == StatusCode::CREATED => "placed",
        Ok(response) if response.status() == StatusCode::ACCEPTED => "pending",
        Ok(_) => "replayed",
        Err(problem) => problem.code().as_str(),
    };
    app.metrics.cart_command("checkout", outcome);
    answer
}

pub(super) async fn give_up(
    State(app): State<SharedApp>,
    shopper: Shopper,
    _: NoParams,
    address: CartAddress,
) -> Result<Response, Problem> {
    let cart = address.cart;
    let owner = Owner::Session(shopper.session);
    let given_up = checkouts(&app)?.give_up(cart, owner).await;
    if let Err(error) = given_up {
        return Err(refused(&app, cart, owner, error).await);
    }
    let reply = app.carts.get(cart, owner).await;
    let reply = reply.map_err(|error| problem(cart, error, Place::Body).0)?;
    let is_over = status_of(&reply.body) == "ordered";
    if is_over {
        return Err(ordered(cart));
    }
    Ok(cart_response(reply, Shape::Full))
}

fn status_of(cart: &[u8]) -> String {
    let cart: Value = serde_json::from_slice(cart).unwrap_or_default();
    cart["status"].as_str().unwrap_or_default().to_owned()
}

fn checkouts(app: &App) -> Result<&Checkouts, Problem> {
    app.checkouts.as_ref().ok_or_else(|| Problem::not_found("Nothing is sold here."))
}

fn payment(
    checkouts: &Checkouts,
    input: PaymentInput,
    request: RequestKey,
) -> Result<PaymentChoice, Problem> {
    let PaymentInput { gateway, method, return_url } = input;
    let methods = checkouts.methods(&gateway).ok_or_else(|| {
        let detail = "there is no such payment gateway";
        invalid("/payment/gateway".to_owned(), "unknown_gateway", detail)
    })?;
    let method = match method {
        None => methods.first().map_or_else(String::new, |first| (*first).to_owned()),
        Some(method) if methods.contains(&method.as_str()) => method,
        Some(_) => {
            let detail = "the gateway has no such method";
            return Err(invalid("/payment/method".to_owned(), "unknown_method", detail));
        }
    };
    if return_url.as_deref().is_some_and(|url| !is_web_address(url)) {
        let detail = "an address to come back to begins with https:// or http://";
        return Err(invalid("/payment/return_url".to_owned(), "invalid_url", detail));
    }
    Ok(PaymentChoice { gateway, method, return_url, request: Some(request) })
}

/// What a browser may be sent to, and nothing that it would run.
fn is_web_address(url: &str) -> bool {
    let is_web = url.parse::<http::Uri>().is_ok_and(|url| {
        matches!(url.scheme_str(), Some("https" | "http")) && url.host().is_some()
    });
    is_web && url.len() <= RETURN_URL_MAX
}

fn answer(
    app: &App,
    cart: CartId,
    progress: Progress,
    origin: &Origin,
) -> Result<Response, Problem> {
    let shown = |order: &Order| order_response(app, order, Reader::Buyer, origin);
    match progress {
        Progress::Placed { order, before: true } => Ok(replayed(shown(&order))),
        Progress::Placed { order, before: false } => {
            let mut response = shown(&order);
            *response.status_mut() = StatusCode::CREATED;
            let location = HeaderValue::try_from(format!("/v1/orders/{}", order.id));
            let location = location.expect("an id is visible ASCII");
            response.headers_mut().insert(header::LOCATION, location);
            Ok(response)
        }
        Progress::Pending(order) => {
            let mut response = shown(&order);
            *response.status_mut() = StatusCode::ACCEPTED;
            let seconds = HeaderValue::from(PENDING_RETRY.as_secs());
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
            Ok(response)
        }
        Progress::Declined { code, before, .. } => {
            let detail = "the payment was declined; the cart is open again";
            let more = More { decline_code: Some(code), ..More::default() };
            let problem = Problem::new(Code::PaymentDeclined, detail).with(more);
            Err(if before { problem.replayed() } else { problem })
        }
        Progress::Short(shortages) => Err(short(&shortages)),
        Progress::GivenUp(_) => {
            tracing::debug!(%cart, "a checkout was given up while it was asked for");
            Err(Problem::new(Code::OrderState, "the checkout was given up; the cart is open again"))
        }
    }
}

fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    response
}

fn short(shortages: &[Shortage]) -> Problem {
    let problems = shortages.iter().map(|shortage| {
        let Shortage { line, requested, available, .. } = shortage;
        let detail = format!("Only {available} of {requested} are available.");
        json!({"code": "insufficient_stock", "line_id": line.to_string(), "detail": detail,
            "requested": requested, "available": available})
    });
    let more = More { problems: Some(problems.collect()), ..More::default() };
    let detail = "there is too little of something; the cart is open again";
    Problem::new(Code::InsufficientStock, detail).with(more)
}

async fn refused(app: &App, cart: CartId, owner: Owner, error: CheckoutError) -> Problem {
    use barrow_actors::runtime::CommandError::Rejected;

    match error {
        CheckoutError::Cart(error) => {
            let why = match &error {
                Rejected(rejection) => Some(rejection.code),
                _ => None,
            };
            let problem = problem(cart, error, Place::Body).0;
            match why {
                Some(CartRejectionCode::NotReady) => not_ready(app, cart, owner, problem).await,
                Some(CartRejectionCode::TotalChanged) => changed(app, cart, owner, problem).await,
                _ => problem,
            }
        }
        CheckoutError::UnknownPayment => {
            let detail = "there is no such way to pay";
            invalid("/payment".to_owned(), "unknown_payment", detail)
        }
        CheckoutError::KeyReused => {
            let detail = "the idempotency key was used for another checkout of this cart";
            Problem::new(Code::IdempotencyKeyReused, detail)
        }
        CheckoutError::OverLimit(over) => over_limit(&over),
        CheckoutError::Order(OrderRejection::PaymentOpen) => {
            let detail = "an earlier payment of this cart is still being given back; come again";
            Problem::new(Code::CheckoutInProgress, detail).retry_after(PENDING_RETRY)
        }
        CheckoutError::Order(why) => {
            tracing::warn!(%cart, ?why, "an order refuses its checkout");
            Problem::new(Code::OrderState, "the order of this cart does not allow it")
        }
        CheckoutError::Stock(StockError::Overloaded) => {
            let detail = "too many want the same thing now";
            Problem::new(Code::Overloaded, detail).retry_after(STORE_RETRY)
        }
        CheckoutError::Stock(StockError::Ledger(error)) | CheckoutError::Store(error) => {
            store_problem(&error)
        }
        CheckoutError::Catalog(error) => {
            tracing::error!(%error, "the catalog could not be read");
            Problem::unavailable("the catalog cannot be read now", STORE_RETRY)
        }
        CheckoutError::Busy => outcome_unknown(),
    }
}

/// As a cart that by itself holds more than one customer may have.
fn over_limit(over: &OverLimit) -> Problem {
    let OverLimit { line, maximum, bought, .. } = over;
    let detail = format!("At most {maximum} can be ordered, and {bought} were before.");
    let problem = json!({"code": "quantity_limit", "line_id": line.to_string(), "detail": detail});
    let more = More { problems: Some(json!([problem])), ..More::default() };
    let detail = "one customer may not have that many of something; the cart is open again";
    Problem::new(Code::CartNotReady, detail).with(more)
}

/// The cart as its owner sees it, to say more about a refusal.
async fn seen(app: &App, cart: CartId, owner: Owner) -> Option<Value> {
    let reply = app.carts.get(cart, owner).await.ok()?;
    serde_json::from_slice(&reply.body).ok()
}

async fn not_ready(app: &App, cart: CartId, owner: Owner, problem: Problem) -> Problem {
    let Some(seen) = seen(app, cart, owner).await else { return problem };
    let problems = seen["problems"].as_array().cloned().unwrap_or_default();
    let is_short = |problem: &Value| problem["code"] == "insufficient_stock";
    let is_short = !problems.is_empty() && problems.iter().all(is_short);
    let more = More { problems: Some(Value::Array(problems)), ..More::default() };
    match is_short {
        true => Problem::new(Code::InsufficientStock, "there is too little of something"),
        false => problem,
    }
    .with(more)
}

async fn changed(app: &App, cart: CartId, owner: Owner, problem: Problem) -> Problem {
    let Some(seen) = seen(app, cart, owner).await else { return problem };
    let more = More { current_total: Some(seen["totals"]["total"].clone()), ..More::default() };
    problem.with(more)
}

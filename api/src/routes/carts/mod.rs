//! `/v1/carts`: what a shopper does to a cart. A handler reads the request, the cart's actor
//! decides, and the reply leaves once the change is durable.

mod change;
mod checkout;
mod events;
#[cfg(test)]
mod fuzz;
mod held;
mod refusal;
mod steps;
mod streams;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::response::Response;
use axum::routing::{get, patch, post, put};
use barrow_actors::carts::{CartError, CommandOptions, Shape};
use barrow_actors::runtime::IdempotencyKey;
use barrow_engine::cart::{By, CartAction, CartCommand, CartStep, Owner};
use barrow_engine::ids::{CartId, SessionId};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::Value;

use crate::app::{App, SharedApp};
use crate::auth::Shopper;
use crate::edge::idempotency::payload;
use crate::edge::{ClientKey, Json, MaybeKey, NoParams, OptionalJson, Params, Problem, Selling};
use crate::wire::cart::{ShippingMethodBody, ShippingMethodList};
use crate::wire::cart_requests::{
    Actions, AddLine, OpenCart, SetAddresses, SetContact, SetQuantity, SetShippingMethod,
};
use change::{CartAddress, Change, shape_of};
use refusal::{Place, invalid};

pub use change::{cart_response, sellables};
pub use streams::Streams;

/// When to come back after an answer that could not be read.
const READ_AGAIN: Duration = Duration::from_secs(1);

pub fn routes() -> Router<SharedApp> {
    Router::new()
        .route("/v1/carts", post(open))
        .route("/v1/carts/{id}", get(read))
        .route("/v1/carts/{id}/lines", post(add_line))
        .route("/v1/carts/{id}/lines/{line_id}", patch(set_quantity).delete(remove_line))
        .route("/v1/carts/{id}/actions", post(actions))
        .route("/v1/carts/{id}/contact", put(set_contact))
        .route("/v1/carts/{id}/addresses", put(set_addresses))
        .route("/v1/carts/{id}/shipping_methods", get(shipping_methods))
        .route("/v1/carts/{id}/shipping_method", put(set_shipping_method))
        .route("/v1/carts/{id}/events", get(events::stream))
        .route("/v1/carts/{id}/checkout", post(checkout::buy).delete(checkout::give_up))
}

#[expect(clippy::too_many_arguments, reason = "each is one thing that the request says")]
async fn open(
    State(app): State<SharedApp>,
    shopper: Shopper,
    _: NoParams,
    MaybeKey(key): MaybeKey,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    OptionalJson { parsed, body }: OptionalJson<OpenCart>,
) -> Result<Response, Problem> {
    let OpenCart { currency, channel, locale } = body;
    let selling = Selling::resolve(
        &app.shop,
        channel.as_deref(),
        currency.as_deref(),
        locale.as_deref(),
        &headers,
    )
    .map_err(|error| invalid(format!("/{}", error.field()), error.code(), &error.to_string()))?;
    let id = match &key {
        Some(key) => derived_id(shopper.session, key),
        None => app.carts.new_id(),
    };
    let key = key.map(|key| {
        IdempotencyKey::new(key.as_bytes(), &payload(&method, uri.path(), Some(&parsed)))
    });
    let command = CartCommand {
        by: By::Shopper(Owner::Session(shopper.session)),
        action: CartAction::Create {
            currency: selling.currency,
            channel: selling.channel,
            locale: selling.locale,
            shop: app.shop.clone(),
        },
    };
    let shape = shape_of(&headers);
    let options = CommandOptions { key, expected_version: None, shape };
    let mut reply = app.carts.execute(id, command, options).await.map_err(|error| {
        let (problem, outcome) = refusal::problem(id, error, Place::Body);
        app.metrics.cart_command("create", outcome);
        problem
    })?;
    // A cart that has changed since was made before, though its key may be forgotten by now.
    if reply.replayed.is_none() && reply.version > 1 {
        reply.replayed = Some(1);
    }
    let outcome = if reply.replayed.is_some() { "replayed" } else { "accepted" };
    app.metrics.cart_command("create", outcome);
    if reply.replayed.is_none() {
        app.opened.insert(shopper.session, id);
    }
    let mut response = cart_response(reply, shape);
    *response.status_mut() = StatusCode::CREATED;
    let location = HeaderValue::try_from(format!("/v1/carts/{id}"));
    let location = location.expect("an id is visible ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// The same caller with the same key means the same cart, whoever remembers the key.
fn derived_id(session: SessionId, key: &ClientKey) -> CartId {
    let mut hasher = blake3::Hasher::new_derive_key("barrow 2026-11-22 cart id of a key v1");
    hasher.update(&session.0.to_be_bytes());
    hasher.update(key.as_bytes());
    let hash = hasher.finalize();
    CartId(u128::from_be_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes")))
}

async fn read(
    State(app): State<SharedApp>,
    shopper: Shopper,
    _: NoParams,
    address: CartAddress,
) -> Result<Response, Problem> {
    reply_of(&app, address.cart, shopper).await
}

/// The problem of a cart that was asked for by its address.
pub fn cart_problem(cart: CartId, error: CartError) -> Problem {
    refusal::problem(cart, error, Place::Body).0
}

async fn reply_of(app: &App, cart: CartId, shopper: Shopper) -> Result<Response, Problem> {
    match app.carts.get(cart, Owner::Session(shopper.session)).await {
        Ok(reply) => Ok(cart_response(reply, Shape::Full)),
        Err(error) => Err(refusal::problem(cart, error, Place::Body).0),
    }
}

/// As [`read`], of a cart that is known already.
pub(super) async fn read_at(
    app: &SharedApp,
    cart: CartId,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let shopper = Shopper::from_request_parts(&mut parts, app).await?;
    NoParams::from_request_parts(&mut parts, app).await?;
    reply_of(app, cart, shopper).await
}

async fn add_line(
    State(app): State<SharedApp>,
    change: Change,
    Json { parsed, body }: Json<AddLine>,
) -> Result<Response, Problem> {
    add(&app, &change, &parsed, &body).await
}

async fn add(
    app: &App,
    change: &Change,
    parsed: &Value,
    body: &AddLine,
) -> Result<Response, Problem> {
    let quantity = steps::units(body.quantity, "/quantity".to_owned())?;
    let sellable = match app.shelf.cached(&body.sku) {
        Some(sellable) => sellable,
        None => {
            let wanted = [(&*body.sku, "/sku".to_owned())];
            Box::pin(sellables(app, &wanted)).await?.swap_remove(0)
        }
    };
    let steps = vec![CartStep::AddLine { sellable, quantity }];
    change.send(app, "add_line", steps, Some(parsed), Place::Body).await
}

/// As [`add_line`], to a cart that is known already.
pub(super) async fn add_line_at(
    app: &SharedApp,
    cart: CartId,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let shopper = Shopper::from_request_parts(&mut parts, app).await?;
    NoParams::from_request_parts(&mut parts, app).await?;
    let change = Change::read(&parts, shopper, CartAddress { cart, line: None })?;
    let request = Request::from_parts(parts, body);
    let Json { parsed, body } = Json::from_request(request, app).await?;
    add(app, &change, &parsed, &body).await
}

async fn set_quantity(
    State(app): State<SharedApp>,
    change: Change,
    Json { parsed, body }: Json<SetQuantity>,
) -> Result<Response, Problem> {
    let quantity = steps::units_or_none(body.quantity, "/quantity".to_owned())?;
    let steps = vec![CartStep::SetQuantity { line: change.line(), quantity }];
    change.send(&app, "set_quantity", steps, Some(&parsed), Place::Address).await
}

async fn remove_line(State(app): State<SharedApp>, change: Change) -> Result<Response, Problem> {
    let steps = vec![CartStep::RemoveLine { line: change.line() }];
    change.send(&app, "remove_line", steps, None, Place::Address).await
}

async fn actions(
    State(app): State<SharedApp>,
    change: Change,
    Json { parsed, body }: Json<Actions>,
) -> Result<Response, Problem> {
    let steps = steps::batch(&app, &body.actions).await?;
    change.send(&app, "actions", steps, Some(&parsed), Place::Actions).await
}

async fn set_contact(
    State(app): State<SharedApp>,
    change: Change,
    Json { parsed, body }: Json<SetContact>,
) -> Result<Response, Problem> {
    let steps = vec![steps::contact(&body, "")?];
    change.send(&app, "set_contact", steps, Some(&parsed), Place::Body).await
}

async fn set_addresses(
    State(app): State<SharedApp>,
    change: Change,
    Json { parsed, body }: Json<SetAddresses>,
) -> Result<Response, Problem> {
    let steps = vec![steps::addresses(body, "")?];
    change.send(&app, "set_addresses", steps, Some(&parsed), Place::Body).await
}

async fn set_shipping_method(
    State(app): State<SharedApp>,
    change: Change,
    Json { parsed, body }: Json<SetShippingMethod>,
) -> Result<Response, Problem> {
    let steps = vec![CartStep::SetShippingMethod { id: body.id }];
    change.send(&app, "set_shipping_method", steps, Some(&parsed), Place::Body).await
}

async fn shipping_methods(
    State(app): State<SharedApp>,
    shopper: Shopper,
    address: CartAddress,
    mut params: Params,
) -> Result<Response, Problem> {
    const QUESTION: &str = "shipping_methods";

    let limit = params.limit()?;
    let after = match params.one("cursor")? {
        Some(text) => Some(app.cursors.open(QUESTION, &text)?),
        None => None,
    };
    params.finish()?;
    let mut methods = options_of(&app, shopper, address.cart).await?;
    if let Some(after) = after {
        let last = methods.iter().position(|method| method.id.as_bytes() == after);
        methods.drain(..last.map_or(0, |last| last + 1));
    }
    let more = methods.len() > limit;
    methods.truncate(limit);
    let last = methods.last().filter(|_| more);
    let next_cursor = last.map(|last| app.cursors.seal(QUESTION, last.id.as_bytes()));
    let list = ShippingMethodList { items: methods, next_cursor };
    let body = serde_json::to_vec(&list).expect("texts and numbers always serialise");
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn options_of(
    app: &App,
    shopper: Shopper,
    cart: CartId,
) -> Result<Vec<ShippingMethodBody>, Problem> {
    let owner = Owner::Session(shopper.session);
    let written = app.carts.shipping_methods(cart, owner).await;
    let written = written.map_err(|error| refusal::problem(cart, error, Place::Body).0)?;
    serde_json::from_slice(&written).map_err(|error| {
        tracing::error!(%error, "shipping methods of another build cannot be read");
        Problem::unavailable("the shipping methods cannot be read now", READ_AGAIN)
    })
}

//! How a change reaches its cart: who asks, under which key, at which version, and how the
//! answer is wanted. One change is one command of one or more steps, all of them or none.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::response::Response;
use barrow_actors::carts::{CartReply, CommandOptions, Shape};
use barrow_actors::runtime::{CommandError, IdempotencyKey};
use barrow_engine::cart::{By, CartAction, CartCommand, CartStep, LineId, Owner};
use barrow_engine::catalog::{Sellable, Sku};
use barrow_engine::ids::CartId;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Uri, header};
use serde_json::Value;

use super::refusal::{self, Place, invalid};
use crate::app::{App, SharedApp};
use crate::auth::Shopper;
use crate::edge::idempotency::payload;
use crate::edge::{ClientKey, Code, NoParams, Precondition, Problem, etag, prefers_minimal};

/// A client that lists versions it would accept, and loses the race for each of them, is told
/// so after this many.
const RACES_MAX: usize = 3;

/// The ids in the address of a cart route.
#[derive(Debug, Clone, Copy)]
pub struct CartAddress {
    pub cart: CartId,
    /// Only where the route has a line.
    pub line: Option<LineId>,
}

impl FromRequestParts<SharedApp> for CartAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let no_cart = || Problem::not_found("There is no such cart.");
        let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| no_cart())?;
        let mut address = CartAddress { cart: CartId(0), line: None };
        for (name, value) in &params {
            match name {
                "id" => address.cart = value.parse().map_err(|_| no_cart())?,
                _ => {
                    let line = value.parse().ok();
                    address.line =
                        Some(line.ok_or(Problem::not_found("The cart has no such line."))?);
                }
            }
        }
        Ok(address)
    }
}

/// A request to change a cart, but for its body.
#[derive(Debug)]
pub struct Change {
    pub address: CartAddress,
    pub shopper: Shopper,
    key: Option<ClientKey>,
    precondition: Precondition,
    shape: Shape,
    method: Method,
    uri: Uri,
}

impl FromRequestParts<SharedApp> for Change {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let shopper = Shopper::from_request_parts(parts, app).await?;
        NoParams::from_request_parts(parts, app).await?;
        let address = CartAddress::from_request_parts(parts, app).await?;
        Change::read(parts, shopper, address)
    }
}

pub fn shape_of(headers: &http::HeaderMap) -> Shape {
    if prefers_minimal(headers) { Shape::Minimal } else { Shape::Full }
}

impl Change {
    /// Reads what the head of a request says of a change.
    pub fn read(parts: &Parts, shopper: Shopper, address: CartAddress) -> Result<Change, Problem> {
        Ok(Change {
            address,
            shopper,
            key: ClientKey::from_headers(&parts.headers)?,
            precondition: Precondition::from_headers(&parts.headers),
            shape: shape_of(&parts.headers),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
        })
    }

    /// The line that the address names.
    pub fn line(&self) -> LineId {
        self.address.line.expect("the route has a line, or its address was refused")
    }

    /// The key that the request has to have, with what it stands for.
    pub fn required_key(&self, body: &Value) -> Result<IdempotencyKey, Problem> {
        let detail = "send an Idempotency-Key, new for each purchase and kept for its repeats";
        let key = self.key.as_ref();
        let key = key.ok_or_else(|| Problem::new(Code::IdempotencyKeyRequired, detail))?;
        let payload = payload(&self.method, self.uri.path(), Some(body));
        Ok(IdempotencyKey::new(key.as_bytes(), &payload))
    }

    /// The version that the client saw, where it insists on one.
    pub fn expected_version(&self) -> Option<u64> {
        match &self.precondition {
            Precondition::None => None,
            // Versions begin at 1: 0 stands for a tag that can never fit.
            Precondition::OneOf(accepted) => Some(accepted.first().copied().unwrap_or(0)),
        }
    }

    /// Sends the steps and answers the cart. `body` is what the key stands for besides the
    /// address; `name` is how the command is counted.
    pub async fn send(
        &self,
        app: &App,
        name: &'static str,
        steps: Vec<CartStep>,
        body: Option<&Value>,
        place: Place,
    ) -> Result<Response, Problem> {
        let key = self.key.as_ref().map(|key| {
            IdempotencyKey::new(key.as_bytes(), &payload(&self.method, self.uri.path(), body))
        });
        match self.execute(app, key, steps).await {
            Ok(reply) => {
                let outcome = if reply.replayed.is_some() { "replayed" } else { "accepted" };
                app.metrics.cart_command(name, outcome);
                Ok(cart_response(reply, self.shape))
            }
            Err(error) => {
                let (problem, outcome) = refusal::problem(self.address.cart, error, place);
                app.metrics.cart_command(name, outcome);
                Err(problem)
            }
        }
    }

    async fn execute(
        &self,
        app: &App,
        key: Option<IdempotencyKey>,
        steps: Vec<CartStep>,
    ) -> Result<CartReply, barrow_actors::carts::CartError> {
        let by = By::Shopper(Owner::Session(self.shopper.session));
        let options = CommandOptions { key, expected_version: None, shape: self.shape };
        let Precondition::OneOf(accepted) = &self.precondition else {
            let command = CartCommand { by, action: CartAction::Change(steps) };
            return app.carts.execute(self.address.cart, command, options).await;
        };
        Box::pin(self.execute_at(app, accepted, by, options, steps)).await
    }

    /// The same, on the condition that the cart is at one of these versions.
    async fn execute_at(
        &self,
        app: &App,
        accepted: &[u64],
        by: By,
        mut options: CommandOptions,
        steps: Vec<CartStep>,
    ) -> Result<CartReply, barrow_actors::carts::CartError> {
        // Versions begin at 1: 0 stands for a tag that can never fit, and the refusal tells
        // which version would have.
        options.expected_version = Some(accepted.first().copied().unwrap_or(0));
        for _ in 1..RACES_MAX {
            let command = CartCommand { by, action: CartAction::Change(steps.clone()) };
            match app.carts.execute(self.address.cart, command, options).await {
                Err(CommandError::VersionMismatch { current })
                    if accepted.contains(&current) && options.expected_version != Some(current) =>
                {
                    options.expected_version = Some(current);
                }
                result => return result,
            }
        }
        let command = CartCommand { by, action: CartAction::Change(steps) };
        app.carts.execute(self.address.cart, command, options).await
    }
}

/// 200 with the cart, as it is now.
pub fn cart_response(reply: CartReply, shape: Shape) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::ETAG, etag(reply.version));
    if let Some(version) = reply.replayed {
        let name = HeaderName::from_static("idempotent-replayed");
        headers.insert(name, HeaderValue::from_static("true"));
        headers.insert(HeaderName::from_static("idempotent-version"), HeaderValue::from(version));
    }
    if shape == Shape::Minimal {
        let name = HeaderName::from_static("preference-applied");
        headers.insert(name, HeaderValue::from_static("return=minimal"));
    }
    response
}

/// The snapshots of SKUs, each named with the pointer to where it stands in the body.
pub async fn sellables(
    app: &App,
    wanted: &[(&str, String)],
) -> Result<Vec<Arc<Sellable>>, Problem> {
    let mut found: Vec<Option<Arc<Sellable>>> =
        wanted.iter().map(|(sku, _)| app.shelf.cached(sku)).collect();
    let missing: Vec<(usize, Sku)> = (0..wanted.len())
        .filter(|index| found[*index].is_none())
        .filter_map(|index| Some((index, Sku::new(wanted[index].0).ok()?)))
        .collect();
    if !missing.is_empty() {
        let skus: Vec<Sku> = missing.iter().map(|(_, sku)| sku.clone()).collect();
        let loaded = app.shelf.sellables(&skus).await.map_err(|error| {
            tracing::error!(%error, "a SKU could not be looked up");
            let wait = std::time::Duration::from_secs(1);
            Problem::unavailable("the catalog cannot be read now", wait)
        })?;
        for ((index, _), sellable) in missing.iter().zip(loaded) {
            found[*index] = sellable;
        }
    }
    found
        .into_iter()
        .zip(wanted)
        .map(|(sellable, (_, pointer))| {
            sellable.ok_or_else(|| {
                invalid(pointer.clone(), "unknown_sku", "the catalog has no such SKU")
            })
        })
        .collect()
}

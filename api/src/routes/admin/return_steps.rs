//! What staff do with a return: each step answers the return, an exchange the new order.

use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::response::Response;
use barrow_actors::orders::{Executed, OrderTerms};
use barrow_actors::runtime::IdempotencyKey;
use barrow_engine::ids::{OrderId, ReturnId};
use barrow_engine::orders::OrderCommand;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Uri, header};
use serde_json::Value;

use super::commands::caller;
use super::{office, private_json};
use crate::app::{App, SharedApp};
use crate::auth::Staff;
use crate::edge::idempotency::payload;
use crate::edge::{ClientKey, Json, NoParams, Origin, Problem};
use crate::routes::orders::refusal::{desk_problem, outcome_unknown, store_problem};
use crate::routes::orders::{desk, mark_replayed, order_response};
use crate::wire::order::{Reader, ReturnBody};
use crate::wire::order_commands::{Exchange, ReceiveReturn};

/// A request about a return, but for who asks and its body.
pub struct ReturnHead {
    id: ReturnId,
    order: OrderId,
    key: Option<ClientKey>,
    method: Method,
    uri: Uri,
}

impl FromRequestParts<SharedApp> for ReturnHead {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let no_return = || Problem::not_found("There is no such return.");
        NoParams::from_request_parts(parts, app).await?;
        let params = RawPathParams::from_request_parts(parts, app).await;
        let params = params.map_err(|_| no_return())?;
        let id = params.iter().find(|(name, _)| *name == "id").and_then(|(_, id)| id.parse().ok());
        let id: ReturnId = id.ok_or_else(no_return)?;
        let order = office(app)?.orders.of_return(id).await;
        let order = order.map_err(|error| store_problem(&error))?.ok_or_else(no_return)?;
        let key = ClientKey::from_headers(&parts.headers)?;
        let (method, uri) = (parts.method.clone(), parts.uri.clone());
        Ok(ReturnHead { id, order: order.id, key, method, uri })
    }
}

impl ReturnHead {
    fn terms(&self, body: &Value) -> OrderTerms {
        let key = self.key.as_ref().map(|key| {
            IdempotencyKey::new(key.as_bytes(), &payload(&self.method, self.uri.path(), Some(body)))
        });
        OrderTerms { expected_version: None, key }
    }
}

async fn give(
    app: &App,
    staff: &Staff,
    head: &ReturnHead,
    body: &Value,
    command: OrderCommand,
) -> Result<Response, Problem> {
    let done = desk(app)?.execute(head.order, command, caller(&staff.0), head.terms(body)).await;
    let done: Executed = done.map_err(desk_problem)?;
    let order = &done.order;
    let one = order.returns.iter().find(|one| one.id == head.id).ok_or_else(outcome_unknown)?;
    let mut response = private_json(&ReturnBody::new(one, order));
    mark_replayed(&mut response, &done);
    Ok(response)
}

pub async fn approve(
    State(app): State<SharedApp>,
    staff: Staff,
    head: ReturnHead,
) -> Result<Response, Problem> {
    give(&app, &staff, &head, &Value::Null, OrderCommand::ApproveReturn { id: head.id }).await
}

pub async fn reject(
    State(app): State<SharedApp>,
    staff: Staff,
    head: ReturnHead,
) -> Result<Response, Problem> {
    give(&app, &staff, &head, &Value::Null, OrderCommand::RejectReturn { id: head.id }).await
}

pub async fn receive(
    State(app): State<SharedApp>,
    staff: Staff,
    head: ReturnHead,
    Json { parsed, body }: Json<ReceiveReturn>,
) -> Result<Response, Problem> {
    let command = OrderCommand::ReceiveReturn {
        id: head.id,
        lines: body.lines()?,
        for_exchange: body.for_exchange,
    };
    give(&app, &staff, &head, &parsed, command).await
}

pub async fn exchange(
    State(app): State<SharedApp>,
    staff: Staff,
    head: ReturnHead,
    origin: Origin,
    Json { parsed, body }: Json<Exchange>,
) -> Result<Response, Problem> {
    let (wanted, terms) = (body.wanted()?, head.terms(&parsed));
    let done = desk(&app)?.exchange(head.order, head.id, &wanted, caller(&staff.0), terms).await;
    let done = done.map_err(desk_problem)?;
    let mut response = order_response(&app, &done.order, Reader::Staff, &origin);
    *response.status_mut() = StatusCode::CREATED;
    let location = HeaderValue::try_from(format!("/admin/v1/orders/{}", done.order.id));
    let location = location.expect("an id is visible ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    mark_replayed(&mut response, &done);
    Ok(response)
}

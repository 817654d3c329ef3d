//! What staff do with an order: money, parcels, holds, notes. Each answers the order.

use axum::extract::{RawPathParams, State};
use axum::response::Response;
use barrow_actors::orders::{OrderCaller, OrderTerms};
use barrow_engine::ids::FulfilmentId;
use barrow_engine::orders::OrderCommand;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::app::{App, SharedApp};
use crate::auth::{Principal, Staff};
use crate::edge::{FieldError, Json, OptionalJson, Origin, Problem};
use crate::routes::orders::refusal::desk_problem;
use crate::routes::orders::{OrderHead, desk, executed};
use crate::wire::order::Reader;
use crate::wire::order_commands::{Capture, Command, Refund};
use crate::wire::order_requests::MoneyInput;

/// Somebody of the house, to the desk.
pub fn caller(principal: &Principal) -> OrderCaller {
    OrderCaller::Staff { id: principal.id(), name: principal.name().to_owned() }
}

async fn give(
    app: &App,
    staff: &Staff,
    head: &OrderHead,
    terms: OrderTerms,
    command: OrderCommand,
    origin: &Origin,
) -> Result<Response, Problem> {
    let done = desk(app)?.execute(head.order, command, caller(&staff.0), terms).await;
    Ok(executed(app, &done.map_err(desk_problem)?, Reader::Staff, origin))
}

pub async fn capture(
    State(app): State<SharedApp>,
    staff: Staff,
    head: OrderHead,
    origin: Origin,
    OptionalJson { parsed, body }: OptionalJson<Capture>,
) -> Result<Response, Problem> {
    let terms = head.terms_with_key(&parsed)?;
    check_currency(&app, &staff, &head, body.amount.as_ref()).await?;
    give(&app, &staff, &head, terms, body.command()?, &origin).await
}

/// An order has one currency, and an amount of another one is none of its.
async fn check_currency(
    app: &App,
    staff: &Staff,
    head: &OrderHead,
    amount: Option<&MoneyInput>,
) -> Result<(), Problem> {
    let Some(amount) = amount else { return Ok(()) };
    let order = desk(app)?.get(head.order, &caller(&staff.0)).await.map_err(desk_problem)?;
    if amount.money("/amount")?.currency == order.currency {
        return Ok(());
    }
    let detail = format!("the order is in {}", order.currency.code());
    let error = FieldError::new("/amount/currency", "other_currency", detail);
    Err(Problem::invalid(vec![error]))
}

pub async fn refund(
    State(app): State<SharedApp>,
    staff: Staff,
    head: OrderHead,
    origin: Origin,
    Json { parsed, body }: Json<Refund>,
) -> Result<Response, Problem> {
    let terms = head.terms_with_key(&parsed)?;
    check_currency(&app, &staff, &head, body.amount.as_ref()).await?;
    give(&app, &staff, &head, terms, body.command()?, &origin).await
}

/// A command that its body tells whole. Those that take or give money have checks of their own.
pub async fn as_sent<T: Command + DeserializeOwned>(
    State(app): State<SharedApp>,
    staff: Staff,
    head: OrderHead,
    origin: Origin,
    Json { parsed, body }: Json<T>,
) -> Result<Response, Problem> {
    give(&app, &staff, &head, head.terms(&parsed), body.command()?, &origin).await
}

pub async fn hold(
    State(app): State<SharedApp>,
    staff: Staff,
    head: OrderHead,
    origin: Origin,
) -> Result<Response, Problem> {
    give(&app, &staff, &head, head.terms(&Value::Null), OrderCommand::Hold, &origin).await
}

pub async fn release(
    State(app): State<SharedApp>,
    staff: Staff,
    head: OrderHead,
    origin: Origin,
) -> Result<Response, Problem> {
    give(&app, &staff, &head, head.terms(&Value::Null), OrderCommand::Release, &origin).await
}

pub async fn deliver(
    State(app): State<SharedApp>,
    staff: Staff,
    head: OrderHead,
    origin: Origin,
    params: RawPathParams,
) -> Result<Response, Problem> {
    let command = OrderCommand::MarkDelivered { fulfilment: parcel(&params)? };
    give(&app, &staff, &head, head.terms(&Value::Null), command, &origin).await
}

pub async fn take_back(
    State(app): State<SharedApp>,
    staff: Staff,
    head: OrderHead,
    origin: Origin,
    params: RawPathParams,
) -> Result<Response, Problem> {
    let command = OrderCommand::CancelFulfilment { fulfilment: parcel(&params)? };
    give(&app, &staff, &head, head.terms(&Value::Null), command, &origin).await
}

/// The parcel that the address names.
fn parcel(params: &RawPathParams) -> Result<FulfilmentId, Problem> {
    let id = params.iter().find(|(name, _)| *name == "fulfilment_id");
    let id = id.and_then(|(_, id)| id.parse().ok());
    id.ok_or_else(|| Problem::not_found("There is no such parcel."))
}

//! Edits of an order: proposed with what they come to, and committed if nothing has changed since.

use axum::extract::{RawPathParams, State};
use axum::response::Response;
use barrow_actors::orders::EditWish;
use barrow_engine::catalog::Sku;
use barrow_engine::ids::EditId;
use barrow_engine::money::Money;
use barrow_engine::orders::OrderCommand;
use barrow_engine::quantity::QUANTITY_MAX;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

use super::commands::caller;
use crate::app::SharedApp;
use crate::auth::Staff;
use crate::edge::{Code, FieldError, Json, Origin, Problem, etag};
use crate::routes::orders::refusal::{desk_problem, no_order};
use crate::routes::orders::{OrderHead, desk, executed, mark_replayed};
use crate::routes::reply::json_bytes;
use crate::wire::order::{OrderBody, OrderView, Reader};
use crate::wire::order_edits::{ChangeInput, EditBody, ProposeEdit};

pub async fn propose(
    State(app): State<SharedApp>,
    staff: Staff,
    head: OrderHead,
    origin: Origin,
    Json { parsed, body }: Json<ProposeEdit>,
) -> Result<Response, Problem> {
    let wishes: Result<Vec<EditWish>, Problem> =
        body.changes.iter().enumerate().map(|(index, change)| wish(change, index)).collect();
    let (wishes, terms) = (wishes?, head.terms(&parsed));
    let done = desk(&app)?.propose_edit(head.order, &wishes, caller(&staff.0), terms).await;
    let done = done.map_err(desk_problem)?;
    let id: Option<EditId> = done.made.as_deref().and_then(|id| id.parse().ok());
    let order = &done.order;
    let edit = order.edits.iter().find(|edit| Some(edit.id) == id).ok_or_else(no_order)?;
    // One that was committed since shows the order as it is.
    let preview = order.preview(edit.id).unwrap_or_else(|| order.clone());
    let view = OrderView { reader: Reader::Staff, urls: &app.media_urls, origin: &origin.0 };
    let body = EditBody {
        id: edit.id,
        difference: Money::new(edit.difference, order.currency),
        preview: OrderBody::new(&preview, view),
    };
    let mut response = json_bytes(serde_json::to_vec(&body).expect("it is plain data").into());
    *response.status_mut() = StatusCode::CREATED;
    let location = format!("/admin/v1/orders/{}/edits/{}/commit", order.id, edit.id);
    let location = HeaderValue::try_from(location).expect("ids are visible ASCII");
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::ETAG, etag(order.version));
    mark_replayed(&mut response, &done);
    Ok(response)
}

fn wish(change: &ChangeInput, index: usize) -> Result<EditWish, Problem> {
    let invalid = |field: &str, code, detail: String| {
        let pointer = format!("/changes/{index}/{field}");
        Problem::invalid(vec![FieldError::new(pointer, code, detail)])
    };
    let units = |found: i64, least: u32| {
        let units = u32::try_from(found).ok().filter(|it| (least..=QUANTITY_MAX).contains(it));
        let detail = format!("it must be {least} to {QUANTITY_MAX}");
        units.ok_or_else(|| invalid("quantity", "out_of_range", detail))
    };
    Ok(match change {
        ChangeInput::SetQuantity { line_id, quantity } => EditWish::SetQuantity {
            line: line_id.parse().map_err(|_| {
                invalid("line_id", "unknown_line", "it is the id of no line".to_owned())
            })?,
            quantity: units(quantity.0, 0)?,
        },
        ChangeInput::AddLine { sku, quantity } => EditWish::AddLine {
            sku: Sku::new(sku).map_err(|_| {
                invalid("sku", "unknown_sku", "the catalog has no such SKU".to_owned())
            })?,
            quantity: units(quantity.0, 1)?,
        },
    })
}

pub async fn commit(
    State(app): State<SharedApp>,
    staff: Staff,
    head: OrderHead,
    origin: Origin,
    params: RawPathParams,
) -> Result<Response, Problem> {
    let id = params.iter().find(|(name, _)| *name == "edit_id").and_then(|(_, id)| id.parse().ok());
    let id: EditId = id.ok_or_else(|| Problem::not_found("There is no such edit."))?;
    let terms = head.terms(&Value::Null);
    if terms.expected_version.is_none() {
        let detail = "send If-Match with the ETag that the edit came with";
        return Err(Problem::new(Code::IfMatchRequired, detail));
    }
    let command = OrderCommand::CommitEdit { id };
    let done = desk(&app)?.execute(head.order, command, caller(&staff.0), terms).await;
    Ok(executed(&app, &done.map_err(desk_problem)?, Reader::Staff, &origin))
}

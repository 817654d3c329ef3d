//! `POST /admin/v1/orders/bulk`: the same kind of thing done to many orders, each on its own, with
//! a result for each.

use axum::extract::State;
use axum::response::Response;
use barrow_actors::orders::OrderTerms;
use barrow_actors::runtime::IdempotencyKey;
use barrow_engine::access::Scope;
use barrow_engine::ids::OrderId;
use barrow_engine::orders::OrderCommand;
use futures::stream::{self, StreamExt};
use http::{Method, Uri};

use super::commands::caller;
use super::private_json;
use crate::app::{App, SharedApp};
use crate::auth::Staff;
use crate::edge::idempotency::payload;
use crate::edge::{Code, FieldError, Json, MaybeKey, NoParams, Problem};
use crate::routes::orders::desk;
use crate::routes::orders::refusal::{desk_problem, no_order};
use crate::wire::bulk::{BulkAction, BulkItem, BulkOrders, BulkReply, BulkStatus};

/// The most orders of one request.
pub const ORDERS_MAX: usize = 100;

/// Orders that are changed at once.
const AT_ONCE: usize = 8;

pub async fn orders(
    State(app): State<SharedApp>,
    staff: Staff,
    _: NoParams,
    MaybeKey(key): MaybeKey,
    method: Method,
    uri: Uri,
    Json { parsed, body }: Json<BulkOrders>,
) -> Result<Response, Problem> {
    if body.orders.is_empty() || body.orders.len() > ORDERS_MAX {
        let detail = format!("name 1 to {ORDERS_MAX} orders");
        return Err(Problem::invalid(vec![FieldError::new("/orders", "out_of_range", detail)]));
    }
    if matches!(body.action, BulkAction::Capture) {
        staff.0.needs(Scope::PaymentsWrite)?;
    }
    let key = key.ok_or_else(|| {
        let detail = "send an Idempotency-Key, new for each change and kept for its repeats";
        Problem::new(Code::IdempotencyKeyRequired, detail)
    })?;
    let payload = payload(&method, uri.path(), Some(&parsed));
    let terms = OrderTerms {
        expected_version: None,
        // Each order remembers it for itself.
        key: Some(IdempotencyKey::new(key.as_bytes(), &payload)),
    };
    let BulkOrders { orders, action } = body;
    let items = orders.into_iter().enumerate().map(|(index, id)| {
        let (app, staff, action) = (app.clone(), staff.clone(), action.clone());
        async move { item(&app, &staff, &action, terms, index, id).await }
    });
    let items: Vec<BulkItem> = stream::iter(items).buffered(AT_ONCE).collect().await;
    Ok(private_json(&BulkReply { items }))
}

async fn item(
    app: &App,
    staff: &Staff,
    action: &BulkAction,
    terms: OrderTerms,
    index: usize,
    id: String,
) -> BulkItem {
    let done = async {
        let id: OrderId = id.parse().map_err(|_| no_order())?;
        let desk = desk(app)?;
        let by = caller(&staff.0);
        let command = match action {
            BulkAction::Fulfil => {
                let order = desk.get(id, &by).await.map_err(desk_problem)?;
                OrderCommand::Fulfil { lines: order.unfulfilled(), tracking: None }
            }
            BulkAction::Capture => OrderCommand::Capture { amount: None },
            BulkAction::Cancel { reason } => OrderCommand::Cancel { reason: reason.clone() },
            BulkAction::Hold => OrderCommand::Hold,
            BulkAction::Release => OrderCommand::Release,
            BulkAction::Note { text } => OrderCommand::Note { text: text.clone() },
        };
        desk.execute(id, command, by, terms).await.map_err(desk_problem)
    };
    let (status, errors) = match done.await {
        Ok(done) if done.replayed.is_some() => (BulkStatus::Unchanged, Vec::new()),
        Ok(_) => (BulkStatus::Updated, Vec::new()),
        Err(problem) => (BulkStatus::Error, vec![row_error(&problem)]),
    };
    BulkItem { index, id, status, errors }
}

/// What is wrong with one row, in the words that a call of its own would get.
fn row_error(problem: &Problem) -> FieldError {
    FieldError::new("", problem.code().as_str(), problem.detail().to_owned())
}

//! `/admin/v1/returns`: what buyers send back, of all orders.

use axum::extract::State;
use axum::response::Response;
use barrow_engine::ids::ReturnId;
use barrow_engine::orders::{Order, ReturnStatus};
use barrow_engine::ports::ReturnQuery;

use super::{choice, office, place, private_json, read_place};
use crate::app::SharedApp;
use crate::auth::Staff;
use crate::edge::{Params, Problem};
use crate::routes::orders::refusal::store_problem;
use crate::wire::order::{ReturnBody, ReturnList};

pub const STATUSES: [(&str, ReturnStatus); 6] = [
    ("requested", ReturnStatus::Requested),
    ("approved", ReturnStatus::Approved),
    ("rejected", ReturnStatus::Rejected),
    ("received", ReturnStatus::Received),
    ("refunded", ReturnStatus::Refunded),
    ("cancelled", ReturnStatus::Cancelled),
];

pub async fn list(
    State(app): State<SharedApp>,
    _: Staff,
    mut params: Params,
) -> Result<Response, Problem> {
    let limit = params.limit()?;
    let cursor = params.one("cursor")?;
    let status = choice(&mut params, "status", &STATUSES)?;
    params.finish()?;
    let question = format!("returns {status:?}");
    let after = match cursor {
        None => None,
        Some(text) => {
            let (at, id) = read_place(&app.cursors.open(&question, &text)?)?;
            Some((at, ReturnId(id)))
        }
    };
    let orders = &office(&app)?.orders;
    let query = ReturnQuery { status, after, limit };
    let found = orders.returns(&query).await.map_err(|error| store_problem(&error))?;
    let items: Vec<ReturnBody<'_>> = found.iter().filter_map(body).collect();
    let mut next_cursor = None;
    if let Some(last) = items.last().filter(|_| found.len() == limit) {
        let after = Some((last.created_at, last.id));
        let more = orders.returns(&ReturnQuery { status, after, limit: 1 }).await;
        if !more.map_err(|error| store_problem(&error))?.is_empty() {
            next_cursor = Some(app.cursors.seal(&question, &place(last.created_at, last.id.0)));
        }
    }
    Ok(private_json(&ReturnList { items, next_cursor }))
}

/// The order was read with the return, so it has it.
fn body((id, order): &(ReturnId, Order)) -> Option<ReturnBody<'_>> {
    let one = order.returns.iter().find(|one| one.id == *id)?;
    Some(ReturnBody::new(one, order))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_what_clients_are_told() {
        assert!(STATUSES.iter().all(|(name, it)| *name == it.as_str()));
    }
}

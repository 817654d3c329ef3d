//! `/admin/v1/orders`: every order, found by what it is.

use axum::extract::State;
use axum::response::Response;
use barrow_engine::ids::OrderId;
use barrow_engine::orders::{FulfilmentProgress, Order, OrderNumber, OrderStatus, PaymentProgress};
use barrow_engine::ports::{CommerceError, OrderQuery, OrderSort, OrderStore};
use barrow_engine::time::Timestamp;

use super::{Id, choice, office, place, private_json, read_place};
use crate::app::{App, SharedApp};
use crate::auth::Staff;
use crate::edge::params::invalid;
use crate::edge::{NoParams, Origin, Params, Problem};
use crate::routes::orders::order_response;
use crate::routes::orders::refusal::store_problem;
use crate::wire::order::{OrderBody, OrderList, OrderView, Reader};

/// The longest text that is searched for: an address of mail has no more.
const TEXT_CHARS_MAX: usize = 254;

/// What clients are told of a status, and which ones are told so.
pub const STATUSES: [(&str, &[OrderStatus]); 4] = [
    ("pending", &[OrderStatus::Draft, OrderStatus::Abandoned]),
    ("placed", &[OrderStatus::Placed]),
    ("cancelled", &[OrderStatus::Cancelled]),
    ("completed", &[OrderStatus::Completed]),
];

pub const PAYMENTS: [(&str, PaymentProgress); 8] = [
    ("pending", PaymentProgress::Pending),
    ("authorized", PaymentProgress::Authorized),
    ("partially_captured", PaymentProgress::PartiallyCaptured),
    ("captured", PaymentProgress::Captured),
    ("partially_refunded", PaymentProgress::PartiallyRefunded),
    ("refunded", PaymentProgress::Refunded),
    ("voided", PaymentProgress::Voided),
    ("failed", PaymentProgress::Failed),
];

pub const FULFILMENTS: [(&str, FulfilmentProgress); 3] = [
    ("unfulfilled", FulfilmentProgress::Unfulfilled),
    ("partially_fulfilled", FulfilmentProgress::PartiallyFulfilled),
    ("fulfilled", FulfilmentProgress::Fulfilled),
];

pub const SORTS: [(&str, OrderSort); 2] =
    [("newest", OrderSort::Newest), ("oldest", OrderSort::Oldest)];

pub async fn list(
    State(app): State<SharedApp>,
    _: Staff,
    origin: Origin,
    mut params: Params,
) -> Result<Response, Problem> {
    let limit = params.limit()?;
    let cursor = params.one("cursor")?;
    let mut query = query(&mut params)?;
    params.finish()?;
    let question = format!("orders {query:?}");
    if let Some(text) = cursor {
        let (at, id) = read_place(&app.cursors.open(&question, &text)?)?;
        query.after = Some((at, OrderId(id)));
    }
    let (found, is_last) = page(&*office(&app)?.orders, query, limit).await?;
    let next_cursor = found
        .last()
        .filter(|_| !is_last)
        .map(|last| app.cursors.seal(&question, &place(last.created_at, last.id.0)));
    let view = OrderView { reader: Reader::Staff, urls: &app.media_urls, origin: &origin.0 };
    let items = found.iter().map(|order| OrderBody::new(order, view)).collect();
    Ok(private_json(&OrderList { items, next_cursor }))
}

pub(super) fn query(params: &mut Params) -> Result<OrderQuery, Problem> {
    let status = choice(params, "status", &STATUSES)?;
    let text = params.one("q")?;
    if text.as_ref().is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX) {
        return Err(invalid("q", &format!("it has more than {TEXT_CHARS_MAX} characters")));
    }
    let mut time = |name| params.parsed::<Timestamp>(name, "a time as 2026-11-23T10:00:00Z");
    let (placed_after, placed_before) = (time("placed_after")?, time("placed_before")?);
    Ok(OrderQuery {
        statuses: status.map(<[_]>::to_vec).unwrap_or_default(),
        payment: choice(params, "payment_status", &PAYMENTS)?,
        fulfilment: choice(params, "fulfilment_status", &FULFILMENTS)?,
        text,
        placed_after,
        placed_before,
        sort: choice(params, "sort", &SORTS)?.unwrap_or_default(),
        after: None,
        limit: 0,
    })
}

/// A page, and whether it is the last. A store answers no more than the largest page, so that
/// whether another one follows is asked for by itself.
async fn page(
    orders: &dyn OrderStore,
    mut query: OrderQuery,
    limit: usize,
) -> Result<(Vec<Order>, bool), Problem> {
    let failed = |error: CommerceError| store_problem(&error);
    query.limit = limit;
    let found = orders.list(&query).await.map_err(failed)?;
    let Some(last) = found.last().filter(|_| found.len() == limit) else {
        return Ok((found, true));
    };
    query.after = Some((last.created_at, last.id));
    query.limit = 1;
    let is_last = orders.list(&query).await.map_err(failed)?.is_empty();
    Ok((found, is_last))
}

/// An order's id, or the number that people call it by.
#[derive(Debug, Clone, Copy)]
pub enum Named {
    Id(OrderId),
    Number(OrderNumber),
}

impl std::str::FromStr for Named {
    type Err = ();

    fn from_str(text: &str) -> Result<Named, ()> {
        let id = text.parse().map(Named::Id);
        id.or_else(|_| text.parse().map(Named::Number)).map_err(|_| ())
    }
}

pub async fn read(
    State(app): State<SharedApp>,
    _: Staff,
    Id(name): Id<Named>,
    _: NoParams,
    origin: Origin,
) -> Result<Response, Problem> {
    let order = find(&app, name).await?;
    Ok(order_response(&app, &order, Reader::Staff, &origin))
}

pub(super) async fn find(app: &App, name: Named) -> Result<Order, Problem> {
    let orders = &office(app)?.orders;
    let found = match name {
        Named::Id(id) => orders.get(id).await,
        Named::Number(number) => orders.of_number(number).await,
    };
    let found = found.map_err(|error| store_problem(&error))?;
    found.ok_or_else(|| Problem::not_found("There is no such order."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_what_clients_are_told() {
        let told: Vec<_> = STATUSES
            .iter()
            .flat_map(|(name, all)| all.iter().map(move |status| (*name, status.as_str())))
            .collect();
        assert!(told.iter().all(|(name, told)| name == told) && told.len() == 5, "{told:?}");
        assert!(PAYMENTS.iter().all(|(name, it)| *name == it.as_str()));
        assert!(FULFILMENTS.iter().all(|(name, it)| *name == it.as_str()));
        let parse = |text: &str| query(&mut Params::parse(Some(text)).unwrap());
        let pending = parse("status=pending&q=ada&sort=oldest").unwrap();
        assert_eq!(pending.statuses, [OrderStatus::Draft, OrderStatus::Abandoned]);
        assert_eq!((pending.text.as_deref(), pending.sort), (Some("ada"), OrderSort::Oldest));
        for bad in ["status=draft", "payment_status=x", "placed_after=now", "sort=-total"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&format!("q={}", "x".repeat(TEXT_CHARS_MAX + 1))).is_err());
    }
}

//! The stored form of an order: JSON with a format number, and beside it the columns that guard
//! it and find it.

use barrow_engine::cart::Owner;
use barrow_engine::ids::{OrderId, ReturnId};
use barrow_engine::orders::{Order, OrderNumber, OrderStatus};
use barrow_engine::ports::CommerceError;
use barrow_engine::time::Timestamp;

use super::rows::{Damage, id};

/// The form in which orders are written today. `engine/src/orders/golden` holds one.
pub(crate) const FORMAT: i16 = 1;

/// An order's row, and those of its payments.
#[derive(Debug)]
pub(crate) struct OrderRow {
    pub id: [u8; 16],
    pub version: i64,
    pub cart: [u8; 16],
    pub number: Option<String>,
    pub status: &'static str,
    pub payment: &'static str,
    pub fulfilment: &'static str,
    /// The id of the session or of the customer.
    pub owner: String,
    pub email: String,
    pub last_name: String,
    pub created_at: i64,
    pub placed_at: Option<i64>,
    pub changed_at: i64,
    /// Whether nothing is left to do for it until somebody changes it.
    pub settled: bool,
    pub document: String,
    pub payments: Vec<PaymentRow>,
    pub returns: Vec<ReturnRow>,
}

#[derive(Debug)]
pub(crate) struct PaymentRow {
    pub id: [u8; 16],
    pub authorized: i64,
    pub captured: i64,
    pub refunded: i64,
}

#[derive(Debug)]
pub(crate) struct ReturnRow {
    pub id: [u8; 16],
    pub status: &'static str,
    pub created_at: i64,
}

impl OrderRow {
    pub fn new(order: &Order, changed_at: Timestamp) -> Result<OrderRow, CommerceError> {
        let document = serde_json::to_string(order)
            .map_err(|error| CommerceError::Damaged(format!("it cannot be written: {error}")))?;
        let billed = order.addresses.billing.as_ref().unwrap_or(&order.addresses.shipping);
        let payments = order.payments.iter().map(|payment| PaymentRow {
            id: payment.id.0.to_be_bytes(),
            authorized: payment.authorized(),
            captured: payment.captured(),
            refunded: payment.refunded(),
        });
        let returns = order.returns.iter().map(|it| ReturnRow {
            id: it.id.0.to_be_bytes(),
            status: it.status.as_str(),
            created_at: it.at.as_millis(),
        });
        Ok(OrderRow {
            id: order.id.0.to_be_bytes(),
            version: i64::try_from(order.version).unwrap_or(i64::MAX),
            cart: order.cart.0.to_be_bytes(),
            number: order.number.map(|number| number.to_string()),
            status: status_name(order.status),
            payment: order.payment_progress().as_str(),
            fulfilment: order.fulfilment_progress().as_str(),
            owner: owner_of(order),
            email: order.contact.email.to_lowercase(),
            last_name: billed.last_name.to_lowercase(),
            created_at: order.created_at.as_millis(),
            placed_at: order.placed_at.map(Timestamp::as_millis),
            changed_at: changed_at.as_millis(),
            settled: order.is_settled(),
            document,
            payments: payments.collect(),
            returns: returns.collect(),
        })
    }
}

/// The id of whose it is.
pub(crate) fn owner_of(order: &Order) -> String {
    match order.owner {
        Owner::Session(id) => id.to_string(),
        Owner::Customer(id) => id.to_string(),
    }
}

/// Unlike what clients are told it tells drafts from what was given up.
pub(crate) fn status_name(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Draft => "draft",
        OrderStatus::Abandoned => "abandoned",
        OrderStatus::Placed => "placed",
        OrderStatus::Cancelled => "cancelled",
        OrderStatus::Completed => "completed",
    }
}

/// A return's id before its order.
pub(crate) type ReturnedRow = (Vec<u8>, i16, String);

pub(crate) fn returned(rows: Vec<ReturnedRow>) -> Result<Vec<(ReturnId, Order)>, CommerceError> {
    let read = |(bytes, format, document): ReturnedRow| {
        Ok((ReturnId(id(&bytes)?), order((format, document))?))
    };
    Ok(rows.into_iter().map(read).collect::<Result<_, Damage>>()?)
}

/// A format and a document.
pub(crate) type DocumentRow = (i16, String);

pub(crate) fn order((format, json): DocumentRow) -> Result<Order, Damage> {
    if format != FORMAT {
        return Err(Damage(format!(
            "an order has format {format}, which is newer than {FORMAT}, the newest of this build"
        )));
    }
    serde_json::from_str(&json).map_err(|error| Damage(format!("an order: {error}")))
}

pub(crate) fn orders(rows: Vec<DocumentRow>) -> Result<Vec<Order>, CommerceError> {
    Ok(rows.into_iter().map(order).collect::<Result<_, _>>()?)
}

pub(crate) fn order_ids(rows: Vec<(Vec<u8>,)>) -> Result<Vec<OrderId>, CommerceError> {
    let ids = rows.iter().map(|(bytes,)| id(bytes).map(OrderId));
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The number of what a sequence has given.
pub(crate) fn number_of(next: i64) -> Result<OrderNumber, CommerceError> {
    let number = u64::try_from(next).ok().and_then(OrderNumber::of);
    number.ok_or_else(|| CommerceError::Damaged(format!("{next} is no order's place")))
}

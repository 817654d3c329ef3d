//! ORDER and what it is made of, as clients read it. Every field is present in every reply; what
//! is not known is `null`.

mod lines;
mod money;
mod timeline;

use barrow_engine::cart::Owner;
use barrow_engine::ids::{CartId, CustomerId, OrderId};
use barrow_engine::money::{Currency, Money};
use barrow_engine::orders::{Order, OrderNumber, OrderStatus, OrderTotals, PaymentStatus};
use barrow_engine::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::cart::{AddressesBody, ChosenShipping, ContactBody, TotalsBody};
use super::media::MediaUrls;

pub use lines::{FulfilmentBody, OrderLineBody, ReturnBody};
pub use money::{PaymentBody, RefundBody};
pub use timeline::TimelineEntry;

/// Who reads an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Learns nothing of what staff write to each other, nor who they are.
    Buyer,
    Staff,
}

/// An order as clients read it.
#[derive(Serialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderBody<'a> {
    #[schema(value_type = String, example = "ord_06d3r8v2k9m5w1x7q4t0c3f8hn")]
    pub id: OrderId,
    /// From placing on: for people, with a check digit.
    #[schema(required, value_type = Option<String>)]
    pub number: Option<OrderNumber>,
    #[schema(value_type = String)]
    pub cart_id: CartId,
    #[schema(required, value_type = Option<String>)]
    pub customer_id: Option<CustomerId>,
    #[schema(value_type = OrderStatusName)]
    pub status: &'static str,
    /// `pending`, `authorized`, `partially_captured`, `captured`, `partially_refunded`,
    /// `refunded`, `voided` or `failed`.
    #[schema(value_type = String, example = "authorized")]
    pub payment_status: &'static str,
    /// `unfulfilled`, `partially_fulfilled` or `fulfilled`.
    #[schema(value_type = String, example = "unfulfilled")]
    pub fulfilment_status: &'static str,
    /// Nothing of it is shipped meanwhile.
    pub on_hold: bool,
    /// What the buyer has to do before it can be placed.
    #[schema(required)]
    pub next_action: Option<NextAction>,
    pub contact: ContactBody<'a>,
    pub addresses: AddressesBody<'a>,
    pub shipping_method: ChosenShipping<'a>,
    pub lines: Vec<OrderLineBody<'a>>,
    pub totals: TotalsBody,
    pub payments: Vec<PaymentBody<'a>>,
    pub fulfilments: Vec<FulfilmentBody<'a>>,
    pub refunds: Vec<RefundBody<'a>>,
    pub returns: Vec<ReturnBody<'a>>,
    /// All that happened to it, oldest first.
    pub timeline: Vec<TimelineEntry<'a>>,
    /// Counts the changes; also in `ETag`.
    pub version: u64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub placed_at: Option<Timestamp>,
}

/// Orders of a query.
#[derive(Serialize, ToSchema)]
pub struct OrderList<'a> {
    pub items: Vec<OrderBody<'a>>,
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// Returns, those asked for last first.
#[derive(Serialize, ToSchema)]
pub struct ReturnList<'a> {
    pub items: Vec<ReturnBody<'a>>,
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// Where an order is in its life.
#[derive(ToSchema)]
#[schema(as = OrderStatus, rename_all = "snake_case")]
pub enum OrderStatusName {
    Pending,
    Placed,
    Cancelled,
    Completed,
}

/// Something that the buyer has to do.
#[derive(Serialize, ToSchema)]
pub struct NextAction {
    /// `redirect`: to go there, and come back.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "redirect")]
    pub kind: &'static str,
    pub url: String,
}

/// What a reply about orders is written with.
#[derive(Clone, Copy)]
pub struct OrderView<'a> {
    pub reader: Reader,
    pub urls: &'a MediaUrls,
    /// Where this server is, `https://shop.example`: what addresses of its own begin with.
    pub origin: &'a str,
}

impl<'a> OrderBody<'a> {
    pub fn new(order: &'a Order, view: OrderView<'a>) -> OrderBody<'a> {
        let money = |amount| Money::new(amount, order.currency);
        let shipping = &order.shipping;
        OrderBody {
            id: order.id,
            number: order.number,
            cart_id: order.cart,
            customer_id: match order.owner {
                Owner::Customer(id) => Some(id),
                Owner::Session(_) => None,
            },
            status: order.status.as_str(),
            payment_status: order.payment_progress().as_str(),
            fulfilment_status: order.fulfilment_progress().as_str(),
            on_hold: order.on_hold,
            next_action: next_action(order, view.origin),
            contact: ContactBody::from(&order.contact),
            addresses: AddressesBody::from(&order.addresses),
            shipping_method: ChosenShipping {
                id: &shipping.method,
                name: &shipping.name,
                price: money(shipping.price),
            },
            lines: order.lines.iter().map(|line| OrderLineBody::new(line, order, view)).collect(),
            totals: totals(order.totals(), order.tax_included, order.currency),
            payments: order.payments.iter().map(|one| PaymentBody::new(one, order)).collect(),
            fulfilments: order.fulfilments.iter().map(FulfilmentBody::from).collect(),
            refunds: order.refunds.iter().map(|one| RefundBody::new(one, order)).collect(),
            returns: order.returns.iter().map(|one| ReturnBody::new(one, order)).collect(),
            timeline: timeline::of(order, view.reader),
            version: order.version,
            created_at: order.created_at,
            placed_at: order.placed_at,
        }
    }
}

fn next_action(order: &Order, origin: &str) -> Option<NextAction> {
    let payment = order.live_payment().filter(|_| order.status == OrderStatus::Draft)?;
    let url = payment.redirect.as_deref()?;
    if payment.status() != PaymentStatus::RequiresAction {
        return None;
    }
    let is_ours = url.starts_with('/');
    let url = if is_ours { format!("{origin}{url}") } else { url.to_owned() };
    Some(NextAction { kind: "redirect", url })
}

fn totals(totals: OrderTotals, tax_included: bool, currency: Currency) -> TotalsBody {
    let money = |amount| Money::new(amount, currency);
    TotalsBody {
        subtotal: money(totals.subtotal),
        discount: money(totals.discount),
        shipping: money(totals.shipping),
        tax: money(totals.tax),
        total: money(totals.total),
        tax_included,
        gift_cards: money(0),
        due: money(totals.total),
    }
}

//! What was bought, and how far each piece of it has come.

use barrow_engine::cart::LineId;
use barrow_engine::catalog::{SelectedOption, Sku};
use barrow_engine::ids::{FulfilmentId, OrderId, ProductId, RefundId, ReturnId};
use barrow_engine::money::Money;
use barrow_engine::orders::{Fulfilment, LineUnits, Order, OrderLine, Return, ReturnLine};
use barrow_engine::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::OrderView;
use crate::wire::cart::as_text;
use crate::wire::money::MoneySchema;

/// A line of an order, frozen as it was bought.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderLine)]
pub struct OrderLineBody<'a> {
    #[schema(value_type = String, example = "line_1")]
    #[serde(serialize_with = "as_text")]
    pub id: LineId,
    #[schema(value_type = String, example = "OAK-CHAIR-NAT")]
    pub sku: &'a Sku,
    #[schema(value_type = String)]
    pub product_id: ProductId,
    pub title: &'a str,
    #[schema(value_type = Vec<crate::wire::cart::ChosenOption>)]
    pub options: &'a [SelectedOption],
    #[schema(required)]
    pub image: Option<String>,
    #[schema(minimum = 1, maximum = 99_999)]
    pub quantity: u32,
    #[schema(value_type = MoneySchema)]
    pub unit_price: Money,
    /// What all its units got off; not negative.
    #[schema(value_type = MoneySchema)]
    pub discount: Money,
    #[schema(value_type = MoneySchema)]
    pub tax: Money,
    /// Unit price times quantity.
    #[schema(value_type = MoneySchema)]
    pub line_total: Money,
    /// Units that have left the house.
    pub fulfilled: u32,
    /// Units that came back.
    pub returned: u32,
}

impl<'a> OrderLineBody<'a> {
    pub fn new(line: &'a OrderLine, order: &Order, view: OrderView<'_>) -> OrderLineBody<'a> {
        let money = |amount| Money::new(amount, order.currency);
        OrderLineBody {
            id: line.id,
            sku: &line.sku,
            product_id: line.product,
            title: &line.title,
            options: &line.options,
            image: line.image.as_deref().map(|key| view.urls.url(key)),
            quantity: line.quantity,
            unit_price: money(line.unit_price),
            discount: money(line.discount),
            tax: money(line.tax),
            line_total: money(line.total()),
            fulfilled: line.fulfilled,
            returned: line.returned,
        }
    }
}

/// Units of a line.
#[derive(Serialize, ToSchema)]
#[schema(as = LineUnits)]
pub struct LineUnitsBody {
    #[schema(value_type = String, example = "line_1")]
    #[serde(serialize_with = "as_text")]
    pub line_id: LineId,
    pub quantity: u32,
}

impl From<&LineUnits> for LineUnitsBody {
    fn from(units: &LineUnits) -> LineUnitsBody {
        LineUnitsBody { line_id: units.line, quantity: units.quantity }
    }
}

/// A parcel.
#[derive(Serialize, ToSchema)]
#[schema(as = Fulfilment)]
pub struct FulfilmentBody<'a> {
    #[schema(value_type = String)]
    pub id: FulfilmentId,
    /// `shipped`, `delivered` or `cancelled`.
    #[schema(value_type = String, example = "shipped")]
    pub status: &'static str,
    pub lines: Vec<LineUnitsBody>,
    #[schema(required)]
    pub tracking: Option<TrackingBody<'a>>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// How a parcel is followed on its way.
#[derive(Serialize, ToSchema)]
#[schema(as = Tracking)]
pub struct TrackingBody<'a> {
    #[schema(required)]
    pub carrier: Option<&'a str>,
    pub number: &'a str,
    #[schema(required)]
    pub url: Option<&'a str>,
}

impl<'a> From<&'a Fulfilment> for FulfilmentBody<'a> {
    fn from(fulfilment: &'a Fulfilment) -> FulfilmentBody<'a> {
        FulfilmentBody {
            id: fulfilment.id,
            status: fulfilment.status.as_str(),
            lines: fulfilment.lines.iter().map(LineUnitsBody::from).collect(),
            tracking: fulfilment.tracking.as_ref().map(|tracking| TrackingBody {
                carrier: tracking.carrier.as_deref(),
                number: &tracking.number,
                url: tracking.url.as_deref(),
            }),
            created_at: fulfilment.at,
        }
    }
}

/// What a buyer sends back.
#[derive(Serialize, ToSchema)]
#[schema(as = Return)]
pub struct ReturnBody<'a> {
    #[schema(value_type = String)]
    pub id: ReturnId,
    #[schema(value_type = String)]
    pub order_id: OrderId,
    /// `requested`, `approved`, `rejected`, `received`, `refunded` or `cancelled`.
    #[schema(value_type = String, example = "requested")]
    pub status: &'static str,
    pub lines: Vec<ReturnLineBody<'a>>,
    #[schema(required, value_type = Option<String>)]
    pub refund_id: Option<RefundId>,
    /// Counts its changes.
    pub version: u64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// Units of a line that are sent back, and why.
#[derive(Serialize, ToSchema)]
#[schema(as = ReturnLine)]
pub struct ReturnLineBody<'a> {
    #[schema(value_type = String, example = "line_1")]
    #[serde(serialize_with = "as_text")]
    pub line_id: LineId,
    pub quantity: u32,
    pub reason: &'a str,
    /// How many of them came.
    pub received: u32,
}

impl<'a> From<&'a ReturnLine> for ReturnLineBody<'a> {
    fn from(line: &'a ReturnLine) -> ReturnLineBody<'a> {
        let ReturnLine { line, quantity, ref reason, received } = *line;
        ReturnLineBody { line_id: line, quantity, reason, received }
    }
}

impl<'a> ReturnBody<'a> {
    pub fn new(one: &'a Return, order: &Order) -> ReturnBody<'a> {
        let refund = order.refunds.iter().find(|refund| refund.for_return == Some(one.id));
        ReturnBody {
            id: one.id,
            order_id: order.id,
            status: one.status.as_str(),
            lines: one.lines.iter().map(ReturnLineBody::from).collect(),
            refund_id: refund.map(|refund| refund.id),
            version: one.version,
            created_at: one.at,
        }
    }
}

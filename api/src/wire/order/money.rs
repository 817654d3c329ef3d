//! Payments of an order, and what went back.

use barrow_engine::cart::LineId;
use barrow_engine::ids::{PaymentId, RefundId};
use barrow_engine::money::Money;
use barrow_engine::orders::{Order, Payment, Refund};
use barrow_engine::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::wire::cart::as_text;
use crate::wire::money::MoneySchema;

/// One attempt to pay.
#[derive(Serialize, ToSchema)]
#[schema(as = Payment)]
pub struct PaymentBody<'a> {
    #[schema(value_type = String)]
    pub id: PaymentId,
    #[schema(example = "test")]
    pub gateway: &'a str,
    #[schema(example = "ok")]
    pub method: &'a str,
    /// `requires_action`, `pending`, `authorized`, `partially_captured`, `captured`,
    /// `partially_refunded`, `refunded`, `voided` or `failed`.
    #[schema(value_type = String, example = "authorized")]
    pub status: &'static str,
    #[schema(value_type = MoneySchema)]
    pub authorized: Money,
    #[schema(value_type = MoneySchema)]
    pub captured: Money,
    #[schema(value_type = MoneySchema)]
    pub refunded: Money,
}

impl<'a> PaymentBody<'a> {
    pub fn new(payment: &'a Payment, order: &Order) -> PaymentBody<'a> {
        let money = |amount| Money::new(amount, order.currency);
        PaymentBody {
            id: payment.id,
            gateway: &payment.gateway,
            method: &payment.method,
            status: payment.status().as_str(),
            authorized: money(payment.authorized()),
            captured: money(payment.captured()),
            refunded: money(payment.refunded()),
        }
    }
}

/// Money that goes back, for units or as an amount.
#[derive(Serialize, ToSchema)]
#[schema(as = Refund)]
pub struct RefundBody<'a> {
    #[schema(value_type = String)]
    pub id: RefundId,
    #[schema(value_type = String)]
    pub payment_id: PaymentId,
    #[schema(value_type = MoneySchema)]
    pub amount: Money,
    /// The units it pays back; none where it is a bare amount.
    pub lines: Vec<RefundLineBody>,
    pub reason: &'a str,
    /// `pending`, `succeeded` or `failed`.
    #[schema(value_type = String, example = "succeeded")]
    pub status: &'static str,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// Units that are paid back.
#[derive(Serialize, ToSchema)]
#[schema(as = RefundLine)]
pub struct RefundLineBody {
    #[schema(value_type = String, example = "line_1")]
    #[serde(serialize_with = "as_text")]
    pub line_id: LineId,
    pub quantity: u32,
    #[schema(value_type = MoneySchema)]
    pub amount: Money,
}

impl<'a> RefundBody<'a> {
    pub fn new(refund: &'a Refund, order: &Order) -> RefundBody<'a> {
        let money = |amount| Money::new(amount, order.currency);
        let lines = refund.lines.iter().map(|line| RefundLineBody {
            line_id: line.line,
            quantity: line.quantity,
            amount: money(line.amount),
        });
        RefundBody {
            id: refund.id,
            payment_id: refund.payment,
            amount: money(refund.amount),
            lines: lines.collect(),
            reason: &refund.reason,
            status: refund.status.as_str(),
            created_at: refund.at,
        }
    }
}

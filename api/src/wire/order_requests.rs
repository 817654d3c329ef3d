//! What clients send to buy. Shapes only; what they mean is the engine's affair.

use barrow_engine::cart::LineId;
use barrow_engine::money::{AMOUNT_MAX, Currency, Money};
use barrow_engine::orders::ReturnRequestLine;
use barrow_engine::quantity::QUANTITY_MAX;
use serde::Deserialize;
use utoipa::ToSchema;

use super::money::MoneySchema;
use crate::edge::json::{WholeNumber, object};
use crate::edge::{FieldError, Problem};

/// `POST /v1/carts/{id}/checkout`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BuyCart {
    #[serde(deserialize_with = "object")]
    pub payment: PaymentInput,
    /// What the buyer was shown, and agrees to pay: the cart's `totals.total`.
    #[serde(deserialize_with = "object")]
    #[schema(value_type = MoneySchema)]
    pub expected_total: MoneyInput,
}

/// How it is paid.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentInput {
    #[schema(example = "test")]
    pub gateway: String,
    /// One of the gateway's; left out: its first.
    #[serde(default)]
    #[schema(example = "ok")]
    pub method: Option<String>,
    /// Where the buyer comes back to after paying elsewhere.
    #[serde(default)]
    #[schema(example = "https://shop.example/thanks")]
    pub return_url: Option<String>,
}

/// `POST /v1/orders/{id}/cancel`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelOrder {
    #[serde(default)]
    #[schema(example = "ordered twice")]
    pub reason: Option<String>,
}

/// `POST /v1/orders/{id}/returns`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestReturn {
    /// Each line once, at most as many as an order has.
    pub lines: Vec<ReturnLineInput>,
}

/// Units that are sent back, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnLineInput {
    #[schema(example = "line_1")]
    pub line_id: String,
    #[schema(value_type = u32, minimum = 1, maximum = 99_999, example = 1)]
    pub quantity: WholeNumber,
    #[serde(default)]
    #[schema(example = "too small")]
    pub reason: String,
}

impl ReturnLineInput {
    /// `index` is its place in the body.
    ///
    /// # Errors
    /// Points at the field that is wrong.
    pub fn units(self, index: usize) -> Result<ReturnRequestLine, Problem> {
        let (line, quantity) = (line_id(&self.line_id, index)?, units(self.quantity, index)?);
        Ok(ReturnRequestLine { line, quantity, reason: self.reason })
    }
}

/// The line of `/lines/N/line_id`.
///
/// # Errors
/// Points there.
pub fn line_id(text: &str, index: usize) -> Result<LineId, Problem> {
    let detail = "it is the id of no line";
    let error = || FieldError::new(format!("/lines/{index}/line_id"), "unknown_line", detail);
    text.parse().map_err(|_| Problem::invalid(vec![error()]))
}

/// The units of `/lines/N/quantity`, at least one.
///
/// # Errors
/// Points there.
pub fn units(quantity: WholeNumber, index: usize) -> Result<u32, Problem> {
    let found = u32::try_from(quantity.0).ok().filter(|units| (1..=QUANTITY_MAX).contains(units));
    found.ok_or_else(|| {
        let pointer = format!("/lines/{index}/quantity");
        let detail = format!("it must be 1 to {QUANTITY_MAX}");
        Problem::invalid(vec![FieldError::new(pointer, "out_of_range", detail)])
    })
}

/// MONEY, as it is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoneyInput {
    pub amount: WholeNumber,
    pub currency: String,
}

impl MoneyInput {
    /// Never negative.
    ///
    /// # Errors
    /// Points below `pointer`.
    pub fn money(&self, pointer: &str) -> Result<Money, Problem> {
        let invalid = |field: &str, code, detail: &str| {
            Problem::invalid(vec![FieldError::new(format!("{pointer}/{field}"), code, detail)])
        };
        let amount = Some(self.amount.0).filter(|amount| (0..=AMOUNT_MAX).contains(amount));
        let amount = amount.ok_or_else(|| {
            invalid("amount", "out_of_range", "it must be a whole number of minor units from 0")
        })?;
        let currency = Currency::from_code(&self.currency).map_err(|_| {
            invalid("currency", "unknown_currency", "it is no currency of ISO 4217")
        })?;
        Ok(Money::new(amount, currency))
    }
}

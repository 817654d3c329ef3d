//! What clients send to buy. Shapes only; what they mean is the engine's affair.

use barrow_engine::money::{AMOUNT_MAX, Currency, Money};
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

//! MONEY.

use utoipa::ToSchema;

/// An amount of one currency. The engine's type serialises itself; this describes its form.
#[derive(ToSchema)]
#[schema(as = Money)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct MoneySchema {
    /// In minor units: 1299 is 12.99 EUR. Only adjustments and differences may be negative.
    #[schema(minimum = -9_007_199_254_740_991_i64, maximum = 9_007_199_254_740_991_i64)]
    #[schema(example = 1299)]
    amount: i64,
    /// ISO 4217.
    #[schema(example = "EUR", min_length = 3, max_length = 3)]
    currency: String,
}

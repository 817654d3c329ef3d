//! What keeps a cart from being bought as it is. A problem blocks checkout, never the cart.

use std::borrow::Cow;

use super::LineId;
use crate::money::Money;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Less can be sold than the line wants.
    InsufficientStock {
        line: LineId,
        requested: u32,
        available: u64,
    },
    /// The unit price is no longer the one the shopper agreed to.
    PriceChanged {
        line: LineId,
        old_price: Money,
        new_price: Money,
    },
    /// The SKU is not for sale, or has no price, in the cart's channel and currency.
    VariantUnavailable {
        line: LineId,
    },
    /// The line holds more than one customer may have of the SKU, or, after a rise in price,
    /// more than a line may be worth.
    QuantityLimit {
        line: LineId,
        maximum: u32,
    },
    CartEmpty,
    ContactMissing,
    ShippingAddressMissing,
    ShippingMethodMissing,
    /// The chosen method no longer serves this cart's place, channel or subtotal.
    ShippingMethodUnavailable,
}

impl Problem {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Problem::InsufficientStock { .. } => "insufficient_stock",
            Problem::PriceChanged { .. } => "price_changed",
            Problem::VariantUnavailable { .. } => "variant_unavailable",
            Problem::QuantityLimit { .. } => "quantity_limit",
            Problem::CartEmpty => "cart_empty",
            Problem::ContactMissing => "contact_missing",
            Problem::ShippingAddressMissing => "shipping_address_missing",
            Problem::ShippingMethodMissing => "shipping_method_missing",
            Problem::ShippingMethodUnavailable => "shipping_method_unavailable",
        }
    }

    /// The line it is about; `None` where it is about the cart.
    pub fn line(&self) -> Option<LineId> {
        match self {
            Problem::InsufficientStock { line, .. }
            | Problem::PriceChanged { line, .. }
            | Problem::VariantUnavailable { line }
            | Problem::QuantityLimit { line, .. } => Some(*line),
            Problem::CartEmpty
            | Problem::ContactMissing
            | Problem::ShippingAddressMissing
            | Problem::ShippingMethodMissing
            | Problem::ShippingMethodUnavailable => None,
        }
    }

    /// What is told to a person.
    pub fn detail(&self) -> Cow<'static, str> {
        match self {
            Problem::InsufficientStock { available: 0, .. } => "It is out of stock.".into(),
            Problem::InsufficientStock { requested, available, .. } => {
                format!("Only {available} of {requested} are available.").into()
            }
            Problem::PriceChanged { .. } => "The price has changed since it was added.".into(),
            Problem::VariantUnavailable { .. } => "It is no longer for sale here.".into(),
            Problem::QuantityLimit { maximum, .. } => {
                format!("At most {maximum} can be ordered.").into()
            }
            Problem::CartEmpty => "The cart is empty.".into(),
            Problem::ContactMissing => "An e-mail address is needed.".into(),
            Problem::ShippingAddressMissing => "A shipping address is needed.".into(),
            Problem::ShippingMethodMissing => "A shipping method has to be chosen.".into(),
            Problem::ShippingMethodUnavailable => {
                "The chosen shipping method is not available for this cart.".into()
            }
        }
    }
}

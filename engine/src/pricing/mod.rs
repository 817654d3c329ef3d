//! What something costs: prices by channel, currency, customer group and quantity; taxes by
//! zone; shipping; and the quote that puts them together.

mod channel;
mod price_book;
mod sample;
mod shipping;
mod shown;
mod tax;
mod validate;

pub use channel::{Channel, Shop};
pub use price_book::{Price, PriceBook, PriceQuery};
pub use shipping::{ShippingMethod, ShippingRate};
pub use shown::{PriceRange, PriceTier, ShownPrice};
pub use tax::{
    TAX_RATE_BP_MAX, TAX_SHIPPING, TAX_STANDARD, TaxRate, TaxTable, TaxZone, tax_amount,
};
pub use validate::{CHANNELS_MAX, SHIPPING_METHODS_MAX, SHOP_TEXT_MAX, ShopError, TAX_ZONES_MAX};

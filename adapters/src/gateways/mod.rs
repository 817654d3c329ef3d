//! Payment gateways: [`TestGateway`], which answers as one wants it to, [`ManualPayment`], an
//! invoice that staff books as paid, and `StripeGateway` behind the cargo feature `stripe`.

mod manual;
mod signature;
#[cfg(feature = "stripe")]
mod stripe;
mod test_gateway;

pub use manual::ManualPayment;
#[cfg(feature = "stripe")]
pub use stripe::{STRIPE_API, STRIPE_VERSION, StripeGateway, StripeSettings, StripeSettingsError};
pub use test_gateway::TestGateway;

//! Who is asking. Every credential comes as `Authorization: Bearer`, never in an address. A
//! shop token proves itself: no store is asked, so it stays good while any of them is away. Who is
//! of the house shows a key, which is looked up, and ends when it is revoked.

mod api_keys;
#[cfg(test)]
mod fuzz;
mod principal;
mod secret;
mod shopper;
mod token;

pub use api_keys::{ApiKeys, KeyError};
pub use principal::{Principal, Staff};
pub use secret::KeySecret;
pub use shopper::{Identity, Shopper, identify};
pub use token::{Subject, TokenClaims, TokenError, TokenKeys};

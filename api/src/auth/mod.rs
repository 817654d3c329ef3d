//! Who is asking. Every credential comes as `Authorization: Bearer`, never in an address. A
//! shop token proves itself: no store is asked, so it stays good while any of them is away.

#[cfg(test)]
mod fuzz;
mod shopper;
mod token;

pub use shopper::{Identity, Shopper, identify};
pub use token::{Subject, TokenClaims, TokenError, TokenKeys};

//! What is bought: checkouts from a full cart to a placed order, and a SKU that everybody wants,
//! each beside what somebody would write by hand on the same database.

#[cfg(feature = "peers")]
mod checkout;
#[cfg(feature = "peers")]
mod crowd;
#[cfg(feature = "peers")]
mod hot_sku;
#[cfg(feature = "peers")]
mod plain;
#[cfg(feature = "peers")]
mod shop;

use crate::options::{Case, Options};

#[cfg(not(feature = "peers"))]
pub fn run(options: &Options, _: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    if options.wants_any(&[Case::Checkout, Case::HotSku]) {
        super::peers::skip(options, "checkout, hot SKU", "built without the feature `peers`");
    }
    Ok(())
}

#[cfg(feature = "peers")]
pub fn run(options: &Options, runtime: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    if options.wants(Case::Checkout) {
        checkout::run(options, runtime)?;
    }
    if options.wants(Case::HotSku) {
        hot_sku::run(options, runtime)?;
    }
    Ok(())
}

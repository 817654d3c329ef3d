//! The one place that names adapters: it reads the configuration and puts the parts together.

mod cache;
mod checkout;
mod cluster;
mod commerce;
mod deliveries;
mod figures;
mod migrations;
mod news;
mod place;
mod remote;
mod servers;
mod start;
mod stores;

pub use cluster::{ClusterError, look_at_table};
pub use commerce::{Commerce, dead_letters, load_commerce, open_commerce};
pub use migrations::{Migration, Migrations, migrate};
pub use place::is_task;
pub use remote::{Found, Health, look, setup};
pub use servers::ServerError;
pub use start::{Running, StartError, start};
pub use stores::{OnFatal, OpenError, Stores, load, open_embedded};

use barrow_adapters::host::{SystemClock, SystemEntropy};
use barrow_engine::money::Currency;
use barrow_engine::ports::{Clock, Entropy};
use barrow_engine::pricing::Shop;
use barrow_engine::time::Timestamp;

/// The host's wall clock.
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// The host's randomness.
pub fn entropy() -> impl Entropy {
    SystemEntropy
}

/// The currency of the shop's default channel: what a price that names none is in.
pub fn default_currency(shop: &Shop) -> Currency {
    let channel = shop.channel(&shop.default_channel).expect("the shop was validated");
    *channel.currencies.first().expect("the shop was validated")
}

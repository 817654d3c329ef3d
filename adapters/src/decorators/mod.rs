//! Behaviour that can be put around any adapter: it is measured, what failed is tried again, or
//! it is broken on purpose. The adapter knows nothing of it, and they can be stacked.

mod announced_stock;
mod cached_products;
mod faulty;
mod guarded_cache;
mod histogram;
mod measured;
mod meter;
mod retrying;

pub use announced_stock::{AnnouncedOrders, AnnouncedStock, StockNews, stock_doubted, stock_news};
pub use cached_products::{CachedProducts, CatalogNews};
pub use faulty::{Faults, Faulty, Rate};
pub use guarded_cache::{CacheHealth, GuardedCache};
pub use histogram::{BUCKET_ENDS_US, Histogram, HistogramSnapshot};
pub use measured::Measured;
pub use meter::{Meter, OperationSnapshot, Outcome};
pub use retrying::{Retries, Retrying};

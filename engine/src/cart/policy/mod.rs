//! One small policy per business question, each with its default beside it.

mod merge_on_login;
mod price_change;

pub use merge_on_login::{Dropped, DroppedCode, Merge, MergePolicy, MergedLine, merge};
pub use price_change::PriceChangePolicy;

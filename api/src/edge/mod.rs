//! The edge: how requests come in and replies go out, alike for all routes. Limits in size,
//! depth, number and time; request ids; refusals as problems; conditional and idempotent
//! requests; figures. No input may end in a 5xx, a hang or a leak.

mod body;
mod client_ip;
mod compression;
mod conditional;
mod context;
mod conventions;
mod cors;
mod front;
#[cfg(test)]
pub(crate) mod fuzz;
pub mod idempotency;
pub mod json;
pub mod metrics;
mod origin;
pub mod params;
mod problem;
mod selling;
mod serve;
mod settings;

pub use body::read_body;
pub use conditional::{Precondition, etag, prefers_minimal};
pub use context::{Names, RequestContext};
pub use conventions::{admit, catch, guard, net, turn_away, unrouted, wrong_method};
pub use front::Front;
pub use idempotency::{ClientKey, MaybeKey};
pub use json::{Json, OptionalJson};
pub use origin::Origin;
pub use params::{NoParams, Params};
pub use problem::{Code, FieldError, More, Problem, ProblemBody};
pub use selling::{Selling, SellingError};
pub use serve::serve;
pub use settings::EdgeSettings;

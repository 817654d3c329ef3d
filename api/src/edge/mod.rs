//! The edge: how requests come in and replies go out, alike for all routes. Limits in size,
//! depth, number and time; request ids; refusals as problems; conditional and idempotent
//! requests; figures. No input may end in a 5xx, a hang or a leak.

mod body;
mod client_ip;
mod conditional;
mod context;
mod conventions;
pub mod idempotency;
pub mod json;
pub mod metrics;
pub mod params;
mod problem;
mod selling;
mod serve;
mod settings;

pub use conditional::{Precondition, etag, prefers_minimal};
pub use context::{Names, Peer, RequestContext};
pub use conventions::{compression, cors, guard, net, stamp, unrouted, wrong_method};
pub use idempotency::{ClientKey, MaybeKey};
pub use json::{Json, OptionalJson};
pub use params::{NoParams, Params};
pub use problem::{Code, FieldError, Problem, ProblemBody};
pub use selling::{Selling, SellingError};
pub use serve::{serve, serve_router};
pub use settings::EdgeSettings;

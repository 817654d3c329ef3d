//! The calls about sessions.

use utoipa::openapi::HttpMethod;

use super::examples;
use super::operation::{Needs, Operation, Param};
use crate::edge::Code;
use crate::routes::{CurrentSession, SessionToken};
use crate::wire::cart_requests::Nothing;

const TAG: &str = "Sessions";

pub(super) fn operations() -> Vec<Operation> {
    vec![start(), current(), end(), refresh()]
}

fn call(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Operation {
    Operation::new(method, path, id, TAG, summary).refuses([
        Code::UnknownParameter,
        Code::Overloaded,
        Code::Unavailable,
    ])
}

fn start() -> Operation {
    call(HttpMethod::Post, "/v1/sessions", "startSession", "A token for a guest")
        .about(
            "The token proves itself: it stays good over restarts and outages until it expires \
             or is revoked. Keep it secret. An `Idempotency-Key` is ignored here.",
        )
        .needs(Needs::MaybeToken)
        .body::<Nothing>(false, &[("empty", serde_json::json!({}))])
        .replies::<SessionToken>(201, "The new session.", examples::token())
        .with_header(201, "Location", "`/v1/sessions/current`")
}

fn current() -> Operation {
    call(HttpMethod::Get, "/v1/sessions/current", "getSession", "What goes with the token")
        .needs(Needs::Token)
        .takes([
            Param::query("currency", "The currency of `recently_viewed`."),
            Param::query("channel", "The channel of `recently_viewed`."),
            Param::query("locale", "The language of `recently_viewed`."),
        ])
        .replies::<CurrentSession>(200, "The session.", examples::session())
        .refuses([Code::InvalidParameter])
}

fn end() -> Operation {
    call(HttpMethod::Delete, "/v1/sessions/current", "endSession", "End the session")
        .about("All its tokens are revoked, within two seconds on every node.")
        .needs(Needs::Token)
        .replies_empty(204, "It is ended.")
}

fn refresh() -> Operation {
    call(HttpMethod::Post, "/v1/sessions/current/refresh", "refreshSession", "A new token")
        .about("For the same session, with a new expiry. The old token stays good until its own.")
        .needs(Needs::Token)
        .body::<Nothing>(false, &[("empty", serde_json::json!({}))])
        .replies::<SessionToken>(200, "The new token.", examples::token())
}

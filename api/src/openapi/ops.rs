//! What operators, balancers and readers of this document call.

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::HttpMethod;

use super::operation::{Needs, Operation, Param};
use crate::edge::Code;

const TAG: &str = "Operations";

/// Whether the server is well.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `alive` or `ready`.
    #[schema(example = "ready")]
    status: String,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![alive(), ready(), figures(), document(), browser(), error_page()]
}

fn read(path: &'static str, id: &str, summary: &str) -> Operation {
    Operation::new(HttpMethod::Get, path, id, TAG, summary).needs(Needs::Nothing)
}

fn alive() -> Operation {
    read("/healthz", "isAlive", "Whether the process lives").replies::<Health>(
        200,
        "It does.",
        json!({"status": "alive"}),
    )
}

fn ready() -> Operation {
    read("/readyz", "isReady", "Whether it may take traffic")
        .about("503 while it starts, ends, or cannot reach its store.")
        .replies::<Health>(200, "It may.", json!({"status": "ready"}))
        .refuses([Code::Unavailable])
}

fn figures() -> Operation {
    read("/metrics", "getMetrics", "Figures, as Prometheus reads them")
        .about("On the operators' own port where `ops.listen` names one.")
        .replies_as(
            200,
            "The figures.",
            "text/plain; version=0.0.4",
            "# TYPE barrow_entities_hot gauge\nbarrow_entities_hot{entity=\"cart\"} 12\n",
        )
}

fn document() -> Operation {
    read("/openapi.json", "getDocument", "This document").replies_as(
        200,
        "OpenAPI 3.1.",
        "application/json",
        "",
    )
}

fn browser() -> Operation {
    read("/docs", "browseDocument", "This document, to be read and tried in a browser").replies_as(
        200,
        "A page.",
        "text/html",
        "",
    )
}

fn error_page() -> Operation {
    read("/docs/errors/{code}", "explainError", "What an error code means, and what to do")
        .takes([Param::path("code", "The `code` of a refusal.").example("version_mismatch")])
        .replies_as(200, "A page.", "text/html", "")
        .refuses([Code::NotFound])
}

//! The limit: a bare axum handler that parses the same JSON body and answers an equally large
//! one through `axum::Json`. No store, no token, no price: what the HTTP stack alone costs.

use std::process::ExitCode;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde_json::Value;

/// The size of the reply, in bytes.
pub const REPLY_BYTES: &str = "BENCH_REPLY_BYTES";

pub fn run() -> ExitCode {
    let bytes = std::env::var(REPLY_BYTES).ok().and_then(|bytes| bytes.parse().ok());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(serve(bytes.unwrap_or(1_000)));
    ExitCode::SUCCESS
}

async fn serve(reply_bytes: usize) {
    // As many members as a cart has, so that writing it costs about the same.
    let members = reply_bytes / 40;
    let reply: Value = (0..members)
        .map(|member| (format!("member_{member:04}"), Value::from("x".repeat(24))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let app = axum::Router::new()
        .route(
            "/add",
            get(|State(reply): State<&'static Value>| async move { Json(reply) }).post(
                |State(reply): State<&'static Value>, Json(_body): Json<Value>| async move {
                    Json(reply)
                },
            ),
        )
        .with_state(&*Box::leak(Box::new(reply)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("listening on http://{}", listener.local_addr().expect("it is bound"));
    axum::serve(listener, app).await.expect("it serves until it is killed");
}

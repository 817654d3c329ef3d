//! The routes, in the order of the contract.

mod cursor;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;

use crate::app::SharedApp;
use crate::edge;

pub use cursor::Cursors;

/// Everything that is served on the public port.
pub fn router(app: SharedApp) -> Router {
    let api = Router::new()
        .fallback(edge::unrouted)
        .method_not_allowed_fallback(edge::wrong_method)
        .layer(from_fn_with_state(Arc::clone(&app), edge::guard));
    finish(api, app)
}

/// The layers that all ports share, from the inside out.
fn finish(router: Router<SharedApp>, app: SharedApp) -> Router {
    let mut router = router.layer(edge::compression());
    if let Some(cors) = edge::cors(&app.settings.cors_origins) {
        router = router.layer(cors);
    }
    router.layer(from_fn_with_state(Arc::clone(&app), edge::stamp)).with_state(app)
}

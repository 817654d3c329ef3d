//! The routes, in the order of the contract.

pub mod admin;
mod carts;
mod catalog;
mod collections;
mod cursor;
mod docs;
mod express;
#[cfg(test)]
mod fuzz;
mod media;
mod name;
mod ops;
mod orders;
mod papers;
mod payments;
mod products;
mod range;
mod reply;
mod reviews;
mod sessions;
mod shop;
mod uploads;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;

use crate::app::SharedApp;
use crate::edge::{self, Front};

pub use carts::Streams;
pub use cursor::Cursors;
pub use express::Express;
pub use papers::Papers;
pub use products::WrittenPages;
pub use sessions::{CurrentSession, SessionToken};

/// Everything that is served on the public port.
pub fn shop(app: SharedApp) -> Front {
    let mut api = Router::new();
    if app.settings.answers_catalog {
        api = api.merge(catalog::routes());
    }
    if app.settings.answers_carts {
        api = api.merge(sessions::routes()).merge(carts::routes());
        api = api.merge(orders::routes()).merge(payments::routes(&app));
    }
    if app.settings.answers_carts && app.office.is_some() {
        api = api.merge(admin::routes());
    }
    let api = api
        .fallback(edge::unrouted)
        .method_not_allowed_fallback(edge::wrong_method)
        .layer(from_fn_with_state(Arc::clone(&app), edge::guard));
    let mut open = Router::new().merge(ops::health()).merge(docs::routes());
    if app.settings.ops_listen.is_none() {
        open = open.merge(ops::metrics());
    }
    let router = api.merge(with_net(open, &app)).with_state(Arc::clone(&app));
    Front::of_shop(app, router)
}

/// What is served on the operators' own port, where there is one.
pub fn operators(app: SharedApp) -> Front {
    let open = Router::new().merge(ops::health()).merge(ops::metrics()).fallback(edge::unrouted);
    let router = with_net(open, &app).with_state(Arc::clone(&app));
    Front::of_operators(app, router)
}

/// Open to operators: no token is read, nothing is refused for load.
fn with_net(router: Router<SharedApp>, app: &SharedApp) -> Router<SharedApp> {
    router
        .method_not_allowed_fallback(edge::wrong_method)
        .layer(from_fn_with_state(Arc::clone(app), edge::net))
}

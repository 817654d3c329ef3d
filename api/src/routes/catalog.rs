//! The routes of the catalog: all of them public. All of them read, but for the files that are
//! sent to where somebody was given leave to.

use axum::Router;
use axum::routing::get;

use super::{collections, media, products, reviews, shop, uploads};
use crate::app::SharedApp;

pub fn routes() -> Router<SharedApp> {
    Router::new()
        .route("/v1/shop", get(shop::shop))
        .route("/v1/collections", get(collections::list))
        .route("/v1/collections/{name}", get(collections::one))
        .route("/v1/products", get(products::list))
        .route("/v1/products/{name}", get(products::page))
        .route("/v1/products/{name}/reviews", get(reviews::list))
        .route("/media/{*key}", get(media::file).put(uploads::upload))
}

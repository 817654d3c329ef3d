//! The routes of the catalog: all of them read, all of them public.

use axum::Router;
use axum::routing::get;

use super::{collections, media, products, reviews, shop};
use crate::app::SharedApp;

pub fn routes() -> Router<SharedApp> {
    Router::new()
        .route("/v1/shop", get(shop::shop))
        .route("/v1/collections", get(collections::list))
        .route("/v1/collections/{name}", get(collections::one))
        .route("/v1/products", get(products::list))
        .route("/v1/products/{name}", get(products::page))
        .route("/v1/products/{name}/reviews", get(reviews::list))
        .route("/media/{*key}", get(media::file))
}

//! `GET /v1/shop`: what a client has to know before anything else.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::reply;
use crate::app::SharedApp;
use crate::edge::NoParams;
use crate::wire::catalog::ShopBody;

pub async fn shop(State(app): State<SharedApp>, _: NoParams, headers: HeaderMap) -> Response {
    reply::cacheable(&ShopBody::from(&*app.shop), &headers)
}

//! axum and Redis: a cart is a hash of quantities by SKU.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use fred::prelude::*;
use fred::types::config::ServerConfig;

use super::reply::{AddLine, Products, failure, first_lines, listen};
use crate::shop::{CARTS, LINES};

/// More do not make it faster: each connection carries many commands at once.
const CONNECTIONS: usize = 2;

#[derive(Clone)]
struct Peer {
    redis: Pool,
    products: Products,
}

pub async fn serve(socket: &str) -> anyhow::Result<()> {
    let server = ServerConfig::Unix { path: socket.into() };
    let config = Config { server, ..Config::default() };
    let redis = Builder::from_config(config).build_pool(CONNECTIONS)?;
    redis.init().await?;
    for cart in 0..CARTS {
        let lines: Vec<(String, i64)> = first_lines(cart, LINES).map(|sku| (sku, 2)).collect();
        let () = redis.hset(key(&cart.to_string()), lines).await?;
    }
    let peer = Peer { redis, products: Products::new() };
    let route = axum::routing::post(add).with_state(peer);
    listen(Router::new().route("/v1/carts/{id}/lines", route)).await
}

fn key(cart: &str) -> String {
    format!("cart:{cart}")
}

async fn add(
    State(peer): State<Peer>,
    Path(id): Path<String>,
    Json(line): Json<AddLine>,
) -> Response {
    if !peer.products.has(&line.sku) {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    match raise(&peer.redis, &key(&id), &line).await {
        Ok(quantities) => peer.products.cart(&id, quantities),
        Err(error) => failure(error),
    }
}

/// Both in one round trip.
async fn raise(redis: &Pool, key: &str, line: &AddLine) -> Result<Vec<(String, i64)>, Error> {
    let pipeline = redis.next().pipeline();
    let () = pipeline.hincrby(key, line.sku.as_str(), line.quantity.into()).await?;
    let () = pipeline.hgetall(key).await?;
    let (_, quantities): (i64, Vec<(String, i64)>) = pipeline.all().await?;
    Ok(quantities)
}

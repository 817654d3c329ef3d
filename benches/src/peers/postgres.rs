//! axum, sqlx and Postgres: a row for each line, changed and read back by one statement.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::reply::{AddLine, Products, failure, first_lines, listen};
use crate::shop::{CARTS, LINES};

/// What was fastest of 8, 16 and 32.
const CONNECTIONS: u32 = 16;

const TABLE: &str = "CREATE TABLE cart_line (
    cart bigint NOT NULL, sku text NOT NULL, quantity int NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (cart, sku))";

const ADD: &str = "WITH added AS (
        INSERT INTO cart_line VALUES ($1, $2, $3)
        ON CONFLICT (cart, sku) DO UPDATE SET quantity = cart_line.quantity + EXCLUDED.quantity
        RETURNING sku, quantity)
    SELECT sku, quantity::bigint FROM cart_line WHERE cart = $1 AND sku <> $2
    UNION ALL SELECT sku, quantity::bigint FROM added";

#[derive(Clone)]
struct Peer {
    postgres: PgPool,
    products: Products,
}

pub async fn serve(url: &str) -> anyhow::Result<()> {
    let options: PgConnectOptions = url.parse()?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).min_connections(CONNECTIONS);
    let postgres = pool.test_before_acquire(false).connect_with(options).await?;
    sqlx::query(TABLE).execute(&postgres).await?;
    let (mut carts, mut skus) = (Vec::new(), Vec::new());
    for cart in 0..CARTS {
        skus.extend(first_lines(cart, LINES));
        carts.resize(skus.len(), cart as i64);
    }
    let fill = "INSERT INTO cart_line SELECT c, s, 2 FROM unnest($1::bigint[], $2::text[]) t(c, s)";
    sqlx::query(fill).bind(carts).bind(skus).execute(&postgres).await?;
    // Else the plans are those of an empty table.
    sqlx::query("VACUUM ANALYZE").execute(&postgres).await?;
    let peer = Peer { postgres, products: Products::new() };
    let route = axum::routing::post(add).with_state(peer);
    listen(Router::new().route("/v1/carts/{id}/lines", route)).await
}

async fn add(
    State(peer): State<Peer>,
    Path(id): Path<String>,
    Json(line): Json<AddLine>,
) -> Response {
    let Ok(cart) = id.parse::<i64>() else { return StatusCode::NOT_FOUND.into_response() };
    if !peer.products.has(&line.sku) {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    let query = sqlx::query_as(ADD).bind(cart).bind(&line.sku).bind(line.quantity);
    match query.fetch_all(&peer.postgres).await {
        Ok(quantities) => peer.products.cart(&id, quantities),
        Err(error) => failure(error),
    }
}

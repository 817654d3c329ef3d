//! `/admin/v1/carts`: any cart, as its shopper sees it.

use axum::extract::State;
use axum::response::Response;
use barrow_actors::carts::Shape;
use barrow_engine::ids::CartId;

use super::Id;
use crate::app::SharedApp;
use crate::auth::Staff;
use crate::edge::{NoParams, Problem};
use crate::routes::carts::{cart_problem, cart_response};

pub async fn read(
    State(app): State<SharedApp>,
    _: Staff,
    Id(id): Id<CartId>,
    _: NoParams,
) -> Result<Response, Problem> {
    let reply = app.carts.look_at(id).await.map_err(|error| cart_problem(id, error))?;
    Ok(cart_response(reply, Shape::Full))
}

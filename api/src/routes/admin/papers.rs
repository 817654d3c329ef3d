//! The papers of an order, as the house prints them.

use axum::extract::State;
use axum::response::Response;
use barrow_engine::ids::FulfilmentId;

use super::Id;
use super::orders::{Named, find};
use crate::app::SharedApp;
use crate::auth::Staff;
use crate::edge::{NoParams, Params, Problem};

pub async fn invoice(
    State(app): State<SharedApp>,
    _: Staff,
    Id(name): Id<Named>,
    _: NoParams,
) -> Result<Response, Problem> {
    app.papers.invoice(find(&app, name).await?).await
}

/// Of a parcel where one is named, else of what has not left the house yet.
pub async fn packing_slip(
    State(app): State<SharedApp>,
    _: Staff,
    Id(name): Id<Named>,
    mut params: Params,
) -> Result<Response, Problem> {
    let named = params.one("fulfilment_id")?;
    params.finish()?;
    let order = find(&app, name).await?;
    let nothing = || Problem::not_found("There is no such parcel.");
    let parcel = match named {
        None => None,
        Some(text) => {
            let id: FulfilmentId = text.parse().map_err(|_| nothing())?;
            let parcel = order.fulfilments.iter().find(|parcel| parcel.id == id);
            Some(parcel.cloned().ok_or_else(nothing)?)
        }
    };
    app.papers.packing_slip(order, parcel).await
}

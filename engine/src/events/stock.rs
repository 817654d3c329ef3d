//! The events of stock, one aggregate for each SKU.

use serde_json::{Value, json};

use super::{Aggregate, AggregateKind};
use crate::catalog::{LOW_STOCK_MAX, Sku};
use crate::inventory::{Standing, StockNews};

pub fn stock_aggregate(sku: &Sku) -> Aggregate {
    Aggregate { kind: AggregateKind::Sku, id: sku.as_str().to_owned() }
}

pub fn stock_data(news: &StockNews) -> Value {
    json!({
        "sku": news.sku,
        "available": news.available,
        "status": Standing::of(news.available).as_str(),
        "low_at": LOW_STOCK_MAX,
    })
}

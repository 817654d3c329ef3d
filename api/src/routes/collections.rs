//! `GET /v1/collections` and `/v1/collections/{id or slug}`: what the shop's shelves are called
//! and how much lies on them.

use axum::extract::State;
use axum::response::Response;
use barrow_engine::catalog::{Collection, Slug};
use barrow_engine::ids::CollectionId;
use http::HeaderMap;

use super::name::Name;
use super::view::catalog_view;
use super::{cursor, reply};
use crate::app::SharedApp;
use crate::edge::{Params, Problem};
use crate::wire::catalog::{CollectionBody, CollectionList};

/// What the cursors of the list are bound to; it has no filters.
const QUESTION: &str = "collections";

pub async fn list(
    State(app): State<SharedApp>,
    mut params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = catalog_view(&app, &mut params, &headers)?;
    let limit = params.limit()?;
    let after = match params.one("cursor")? {
        None => None,
        Some(text) => Some(position(&app.cursors.open(QUESTION, &text)?)?),
    };
    params.finish()?;
    let tree = app.catalog.collections();
    // One more than asked tells whether there is a next page.
    let mut found: Vec<&Collection> = tree.after(after.as_ref()).take(limit + 1).collect();
    let is_last = found.len() <= limit;
    found.truncate(limit);
    let next_cursor = found
        .last()
        .filter(|_| !is_last)
        .map(|last| app.cursors.seal(QUESTION, last.slug.as_str().as_bytes()));
    let items = found.into_iter().map(|collection| {
        let count = app.catalog.count_in(&collection.slug, &view.channel);
        CollectionBody::new(collection, tree.parent(collection), count, &app.media_urls)
    });
    Ok(reply::cacheable(&CollectionList { items: items.collect(), next_cursor }, &headers))
}

fn position(bytes: &[u8]) -> Result<Slug, Problem> {
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(|text| Slug::new(text).ok()).ok_or_else(cursor::refused)
}

pub async fn one(
    State(app): State<SharedApp>,
    name: Name<CollectionId>,
    mut params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = catalog_view(&app, &mut params, &headers)?;
    params.finish()?;
    let tree = app.catalog.collections();
    let found = match &name {
        Name::Id(id) => tree.get_by_id(*id),
        Name::Slug(slug) => tree.get(slug),
    };
    let collection = found.ok_or_else(|| Problem::not_found("there is no such collection"))?;
    let count = app.catalog.count_in(&collection.slug, &view.channel);
    let body = CollectionBody::new(collection, tree.parent(collection), count, &app.media_urls);
    Ok(reply::cacheable(&body, &headers))
}

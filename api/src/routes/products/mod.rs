//! `GET /v1/products` and `/v1/products/{id or slug}`: the shop window.

pub(super) mod query;
mod written;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use barrow_actors::catalog::{Found, Listed, Offer, Viewpoint};
use barrow_engine::catalog::Slug;
use barrow_engine::catalog::listing::Position;
use barrow_engine::ids::ProductId;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use super::name::Name;
use super::view::catalog_view;
use super::{cursor, reply};
use crate::app::{App, SharedApp};
use crate::auth::Identity;
use crate::edge::{Params, Problem, etag};
use crate::wire::catalog::{Facet, Item, Page, ProductList, Sources};

/// How many similar products a page shows: two rows on a wide screen, one to scroll on a phone.
const SIMILAR_MAX: usize = 8;

pub use written::WrittenPages;

pub async fn list(
    State(app): State<SharedApp>,
    mut params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = catalog_view(&app, &mut params, &headers)?;
    let mut question = query::question(&mut params, &view)?;
    let text = question.text();
    if let Some(cursor) = params.one("cursor")? {
        question.query.after = Some(position(&app.cursors.open(&text, &cursor)?)?);
    }
    params.finish()?;
    question.query.collections =
        question.collection.map(|slug| app.catalog.collections().within(&slug));
    let listed = app.catalog.list(&question.query, view.now).await?;
    let is_stock_known = listed.offers.iter().all(|offer| offer.stock_known);
    let body = product_list(&app, listed, &view, &text);
    let response = reply::in_language(reply::cacheable(&body, &headers), &view);
    let response = without_cache(&app, response);
    Ok(if is_stock_known { response } else { reply::degraded(response, "availability") })
}

fn position(bytes: &[u8]) -> Result<Position, Problem> {
    serde_json::from_slice(bytes).map_err(|_| cursor::refused())
}

fn product_list(app: &App, listed: Listed, view: &Viewpoint, question: &str) -> ProductList {
    let seal = |position: Position| {
        let bytes = serde_json::to_vec(&position).expect("a position is plain data");
        app.cursors.seal(question, &bytes)
    };
    ProductList {
        items: listed.offers.iter().map(|one| Item::new(one, view, &app.media_urls)).collect(),
        next_cursor: listed.next.map(seal),
        total: listed.total.map(Into::into),
        facets: listed.facets.map(|facets| facets.into_iter().map(Facet::from).collect()),
    }
}

pub async fn page(
    State(app): State<SharedApp>,
    name: Name<ProductId>,
    identity: Identity,
    uri: Uri,
    mut params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = catalog_view(&app, &mut params, &headers)?;
    params.finish()?;
    let offer = match shown(&app, &name, &view).await? {
        Shown::Here(offer) => offer,
        Shown::At(slug) => return Ok(moved(&slug, "", &uri)),
    };
    let generation = app.shelf.generation();
    let (body, missing) = match app.pages.get(&offer, &view, generation) {
        Some(body) => (body, Vec::new()),
        None => written(&app, &offer, &view, generation).await,
    };
    if let Some(shopper) = identity.shopper() {
        app.sessions.viewed(shopper.session, offer.product.id).await;
    }
    let mut response = reply::in_language(reply::json_bytes(body), &view);
    response = without_cache(&app, response);
    for section in missing {
        response = reply::degraded(response, section);
    }
    // The version is what a change of the product is conditional on. It tells nothing of stock
    // and prices, so caches have to ask each time, and always get the whole page.
    response.headers_mut().insert(header::ETAG, etag(offer.product.version));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// Says so where the cache is away: what is shown is right, but slower, and what the session
/// looked at is not remembered.
fn without_cache(app: &App, response: Response) -> Response {
    if (app.is_cache_down)() { reply::degraded(response, "cache") } else { response }
}

/// Writes a page, and keeps it if nothing is missing: the sections that are, by name.
async fn written(
    app: &App,
    offer: &Arc<Offer>,
    view: &Viewpoint,
    generation: u64,
) -> (Bytes, Vec<&'static str>) {
    let tree = app.catalog.collections();
    let similar = app.catalog.similar(offer, view, SIMILAR_MAX).await;
    let similar = similar
        .inspect_err(|error| tracing::warn!(%error, "a page is shown without similar products"))
        .ok()
        .map(|offers| offers.iter().map(|one| Item::new(one, view, &app.media_urls)).collect());
    let collections = offer.product.collections.iter().filter_map(|slug| tree.get(slug));
    let sources = Sources { offer, collections: collections.collect(), similar };
    let page = Page::new(sources, view, &app.media_urls);
    let missing: Vec<_> = page.sections.unavailable().collect();
    let body = serde_json::to_vec(&page).expect("replies have text keys and finite numbers");
    let body = Bytes::from(body);
    if missing.is_empty() {
        app.pages.put(offer, view, generation, body.clone());
    }
    (body, missing)
}

/// Where a product is shown.
pub(super) enum Shown {
    Here(Arc<Offer>),
    At(Slug),
}

/// The product of a name, if shoppers of the channel may see it; 404 else.
pub(super) async fn shown(
    app: &App,
    name: &Name<ProductId>,
    view: &Viewpoint,
) -> Result<Shown, Problem> {
    let found = match name {
        Name::Id(id) => app.catalog.product(*id).await?.map_or(Found::Nothing, Found::Product),
        Name::Slug(slug) => app.catalog.product_at(slug).await?,
    };
    let nothing = || Problem::not_found("there is no such product");
    let offer = match &found {
        Found::Product(offer) | Found::Moved(offer) => offer,
        Found::Nothing => return Err(nothing()),
    };
    if !offer.is_shown(view) {
        return Err(nothing());
    }
    Ok(match &found {
        Found::Moved(offer) => Shown::At(offer.slug(&view.locale).clone()),
        _ => Shown::Here(Arc::clone(offer)),
    })
}

/// 301 to where the product is now, with the same question.
pub(super) fn moved(slug: &Slug, below: &str, uri: &Uri) -> Response {
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let location = HeaderValue::try_from(format!("/v1/products/{slug}{below}{query}"));
    let mut response = StatusCode::MOVED_PERMANENTLY.into_response();
    let location = location.expect("a query was part of a valid address");
    response.headers_mut().insert(header::LOCATION, location);
    // A slug may come back into use; a redirect kept for ever would then never be mended.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    response
}

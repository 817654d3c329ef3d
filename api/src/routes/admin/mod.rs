//! `/admin/v1`: what the house does. Each call is declared once, in [`table()`], with the scope
//! that it needs; the router, the API's description and the test of who gets in where are made of
//! that. A call cannot be declared without a scope, nor its handler be reached without it.

mod bulk;
mod carts;
mod commands;
mod dead_letters;
mod edits;
pub mod export;
pub mod orders;
mod papers;
mod return_steps;
pub mod returns;
mod stock;
mod table;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use barrow_engine::access::Scope;
use barrow_engine::time::Timestamp;
use http::request::Parts;
use http::{HeaderValue, Method, header};
use serde::Serialize;

pub use table::table;

use super::cursor;
use super::reply::json_bytes;
use crate::app::{App, Office, SharedApp};
use crate::auth::{Identity, Principal, Staff};
use crate::edge::params::invalid;
use crate::edge::{Code, Params, Problem};
use crate::openapi::admin as about;

/// When to come back while the store of stock and orders does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// One call of the house.
pub struct AdminRoute {
    pub method: Method,
    pub path: &'static str,
    pub scope: Scope,
    /// What the API's description says of it.
    pub about: fn(about::Call) -> about::Described,
    handler: MethodRouter<SharedApp>,
}

impl AdminRoute {
    fn new<H, T>(
        method: Method,
        path: &'static str,
        scope: Scope,
        about: fn(about::Call) -> about::Described,
        handler: H,
    ) -> AdminRoute
    where
        H: Handler<T, SharedApp>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("the method is a usual one");
        AdminRoute { method, path, scope, about, handler: on(filter, handler) }
    }

    fn get<H: Handler<T, SharedApp>, T: 'static>(
        path: &'static str,
        scope: Scope,
        about: fn(about::Call) -> about::Described,
        handler: H,
    ) -> AdminRoute {
        AdminRoute::new(Method::GET, path, scope, about, handler)
    }

    fn post<H: Handler<T, SharedApp>, T: 'static>(
        path: &'static str,
        scope: Scope,
        about: fn(about::Call) -> about::Described,
        handler: H,
    ) -> AdminRoute {
        AdminRoute::new(Method::POST, path, scope, about, handler)
    }
}

pub fn routes() -> Router<SharedApp> {
    table().into_iter().fold(Router::new(), |router, AdminRoute { path, scope, handler, .. }| {
        let guard = from_fn(move |request, next| permit(scope, request, next));
        router.route(path, handler.route_layer(guard))
    })
}

/// Lets a request in whose caller has the scope.
async fn permit(scope: Scope, mut request: Request, next: Next) -> Response {
    let identity = request.extensions().get::<Identity>();
    match permitted(scope, identity) {
        Ok(principal) => {
            request.extensions_mut().insert(Staff(principal));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn permitted(scope: Scope, identity: Option<&Identity>) -> Result<Arc<Principal>, Problem> {
    match identity {
        Some(Identity::House(principal)) => {
            principal.needs(scope)?;
            Ok(Arc::clone(principal))
        }
        Some(Identity::Known(_) | Identity::Unchecked(_)) => {
            Err(Problem::new(Code::Unauthenticated, "this needs an API key, not a shop token"))
        }
        Some(Identity::Anonymous) | None => {
            Err(Problem::new(Code::Unauthenticated, "this needs an API key"))
        }
    }
}

/// The `{id}` of an address: 404 where it is none of its kind.
pub struct Id<T>(T);

impl<T: FromStr + Send> FromRequestParts<SharedApp> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Id<T>, Problem> {
        let params = RawPathParams::from_request_parts(parts, app).await.ok();
        let id = params.as_ref().and_then(|params| params.iter().find(|(name, _)| *name == "id"));
        let id = id.and_then(|(_, text)| text.parse().ok());
        id.map(Id).ok_or_else(|| Problem::not_found("There is nothing of this id."))
    }
}

/// What the house works with; somebody of it was let in, so it is there.
fn office(app: &App) -> Result<&Office, Problem> {
    app.office.as_ref().ok_or_else(|| Problem::unavailable("nothing is kept here", RETRY))
}

/// Takes a parameter that is one of a few names; what the name means.
fn choice<T: Copy>(
    params: &mut Params,
    name: &str,
    choices: &[(&str, T)],
) -> Result<Option<T>, Problem> {
    let Some(text) = params.one(name)? else { return Ok(None) };
    let found = choices.iter().find(|(known, _)| *known == text);
    found.map(|(_, meant)| Some(*meant)).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        invalid(name, &format!("it must be one of {}", names.join(", ")))
    })
}

/// A place in a list that goes by a time and an id, as cursors hold it.
fn place(at: Timestamp, id: u128) -> Vec<u8> {
    [&at.as_millis().to_be_bytes()[..], &id.to_be_bytes()].concat()
}

fn read_place(bytes: &[u8]) -> Result<(Timestamp, u128), Problem> {
    let read = || {
        let (at, id) = bytes.split_first_chunk::<8>()?;
        Some((Timestamp(i64::from_be_bytes(*at)), u128::from_be_bytes(id.try_into().ok()?)))
    };
    read().ok_or_else(cursor::refused)
}

/// JSON that nobody may keep.
fn private_json(body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("replies have text keys and finite numbers");
    let mut response = json_bytes(body.into());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A page of a list: as many as were asked for, and where the next one begins.
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Of one more than was asked for, which tells whether there is a next page.
    fn new(mut found: Vec<T>, limit: usize, cursor: impl FnOnce(&T) -> String) -> Page<T> {
        let is_last = found.len() <= limit;
        found.truncate(limit);
        let next_cursor = found.last().filter(|_| !is_last).map(cursor);
        Page { items: found, next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use barrow_engine::ids::{ApiKeyId, SessionId};

    use super::*;
    use crate::auth::Shopper;

    #[test]
    fn only_who_has_the_scope_is_let_in() {
        let check = |identity: Option<Identity>, expected: Option<Code>| {
            let found = permitted(Scope::StockWrite, identity.as_ref());
            assert_eq!(found.err().map(|problem| problem.code()), expected, "{identity:?}");
        };
        let shopper = Shopper { session: SessionId(1), expires_at: Timestamp(1) };
        let house = |scope: Scope| {
            Some(Identity::House(Arc::new(Principal::ApiKey {
                id: ApiKeyId(1),
                name: "till".into(),
                scopes: [scope].into_iter().collect(),
            })))
        };
        check(None, Some(Code::Unauthenticated));
        check(Some(Identity::Anonymous), Some(Code::Unauthenticated));
        check(Some(Identity::Known(shopper)), Some(Code::Unauthenticated));
        check(Some(Identity::Unchecked(shopper)), Some(Code::Unauthenticated));
        check(house(Scope::StockRead), Some(Code::Forbidden));
        check(house(Scope::OrdersWrite), Some(Code::Forbidden));
        check(house(Scope::StockWrite), None);
        check(house(Scope::Everything), None);
    }

    #[test]
    fn a_page_knows_whether_there_is_another() {
        for (found, items, next) in [(0, 0, None), (2, 2, None), (3, 2, Some("1".to_owned()))] {
            let page = Page::new((0..found).collect(), 2, |last: &i32| last.to_string());
            assert_eq!((page.items.len(), page.next_cursor), (items, next));
        }
    }
}

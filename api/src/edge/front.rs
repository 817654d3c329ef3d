//! The front: what all replies have in common, whatever answers. A request gets a name and a
//! trace, refusals are written as problems, the reply is compressed if that was asked for, and
//! all is counted.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tower::{Layer, Service, ServiceExt};
use tower_http::cors::CorsLayer;

use super::body::ReadToEnd;
use super::compression::{compress, uncompressed};
use super::context::{REQUEST_ID, RequestContext, TRACEPARENT};
use super::cors::cors;
use super::{Problem, client_ip};
use crate::app::{App, SharedApp};
use crate::routes::Express;

/// Where the access log is told.
const ACCESS: &str = "barrow::access";

/// Stands before the routes of one port. Clones are the same front.
#[derive(Clone)]
pub struct Front(Arc<Inner>);

struct Inner {
    app: SharedApp,
    router: Router,
    cors: Option<CorsLayer>,
    /// Whether the routes include those that have a short way.
    has_express: bool,
}

impl Front {
    /// Before the routes of the shop.
    pub fn of_shop(app: SharedApp, router: Router) -> Front {
        let cors = cors(&app.settings.cors_origins);
        let has_express = app.settings.answers_carts;
        Front(Arc::new(Inner { app, router, cors, has_express }))
    }

    /// Before the operators' own routes.
    pub fn of_operators(app: SharedApp, router: Router) -> Front {
        let cors = cors(&app.settings.cors_origins);
        Front(Arc::new(Inner { app, router, cors, has_express: false }))
    }

    pub fn app(&self) -> &SharedApp {
        &self.0.app
    }

    /// Answers a request from `peer`.
    pub async fn answer<B>(self, request: http::Request<B>, peer: Option<SocketAddr>) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let app = self.app();
        let started = Instant::now();
        let (request, body) = ReadToEnd::watch(request);
        let client = tracing::enabled!(target: ACCESS, tracing::Level::DEBUG)
            .then(|| client_of(app, peer, request.headers()))
            .flatten();
        let context = RequestContext::read(request.headers(), &app.names);
        let method = request.method().clone();
        let (route, mut response) = match &self.0.cors {
            Some(cors) if !is_plain_options(&request) => {
                Box::pin(self.across_origins(cors, request)).await
            }
            _ => self.compressed(request).await,
        };
        if method == Method::OPTIONS && response.status() == StatusCode::METHOD_NOT_ALLOWED {
            response = options(response);
        }
        let RequestContext { request_id, traceparent } = context;
        let mut response = Problem::render(response, as_text(&request_id));
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, request_id.clone());
        headers.insert(TRACEPARENT, traceparent);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if !body.is_so() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let took = started.elapsed();
        app.metrics.request(&method, route.as_str(), response.status(), took);
        let client = client.map(tracing::field::display);
        tracing::debug!(
            target: ACCESS,
            {
                request.id = as_text(&request_id),
                http.method = method.as_str(),
                http.route = route.as_str(),
                http.status = response.status().as_u16(),
                client.ip = client,
                took_us = took.as_micros() as u64,
            },
            "request answered"
        );
        response
    }

    /// Answers the questions of browsers on pages of other origins.
    async fn across_origins(&self, cors: &CorsLayer, request: Request) -> (Route, Response) {
        let inner = tower::service_fn(|request| {
            let front = self.clone();
            async move {
                let (route, mut response) = front.compressed(request).await;
                response.extensions_mut().insert(route);
                Ok::<_, Infallible>(response)
            }
        });
        let Ok(mut response) = cors.layer(inner).oneshot(request).await;
        let route = response.extensions_mut().remove::<Route>();
        (route.unwrap_or(Route::Unknown), response)
    }

    async fn compressed(&self, request: Request) -> (Route, Response) {
        let accepted = request.headers().get(header::ACCEPT_ENCODING).cloned();
        let (route, response) = self.routed(request).await;
        let response = match accepted {
            None => uncompressed(response),
            Some(accepted) => Box::pin(compress(response, accepted)).await,
        };
        (route, response)
    }

    async fn routed(&self, request: Request) -> (Route, Response) {
        if self.0.has_express
            && let Some(express) = Express::of(&request)
        {
            return (Route::Known(express.route()), express.answer(self.app(), request).await);
        }
        // Boxed, as whatever is not on the short way: a request's future is as large as the
        // largest way through it, and is moved before it runs.
        let Ok(mut response) = Box::pin(self.0.router.clone().call(request)).await;
        let route = response.extensions_mut().remove::<MatchedPath>();
        (route.map_or(Route::Unknown, Route::Matched), response)
    }
}

/// The template of the address that answered.
#[derive(Clone)]
enum Route {
    Known(&'static str),
    Matched(MatchedPath),
    Unknown,
}

impl Route {
    fn as_str(&self) -> &str {
        match self {
            Route::Known(route) => route,
            Route::Matched(route) => route.as_str(),
            Route::Unknown => "none",
        }
    }
}

fn as_text(request_id: &HeaderValue) -> &str {
    request_id.to_str().expect("ids are checked or made to be visible ASCII")
}

fn client_of(app: &App, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<IpAddr> {
    Some(client_ip::client_ip(peer?.ip(), headers, &app.settings.trusted_proxies))
}

/// Whether it asks for the methods of a route, and not for what a page of another origin may do.
fn is_plain_options(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && !request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The methods of a route, asked for by `OPTIONS`.
fn options(refused: Response) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(allowed) = refused.headers().get(header::ALLOW) {
        response.headers_mut().insert(header::ALLOW, allowed.clone());
    }
    response
}

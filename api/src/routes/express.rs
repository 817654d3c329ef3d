//! The short way of the requests that carry a shop's load: reading a cart and adding to it.
//!
//! It leads to the same handlers as the router does. What it leaves out is the router's own
//! cost, which is that of half a cart: a table of patterns, and a chain of services that are
//! cloned and boxed for each request. Whatever is unusual about a request goes the long way.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use barrow_engine::ids::CartId;
use futures::FutureExt;
use http::Method;

use super::carts;
use crate::app::SharedApp;
use crate::edge::{Problem, admit, catch, turn_away};

/// A request that has a short way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Express {
    ReadCart(CartId),
    AddLine(CartId),
}

impl Express {
    /// Whether a request has a short way: by its method and address alone.
    pub fn of<B>(request: &http::Request<B>) -> Option<Express> {
        let below = request.uri().path().strip_prefix("/v1/carts/")?;
        let (id, rest) = below.split_once('/').unwrap_or((below, ""));
        match (request.method(), rest) {
            (&Method::GET, "") if below.len() == id.len() => id.parse().ok().map(Self::ReadCart),
            (&Method::POST, "lines") => id.parse().ok().map(Self::AddLine),
            _ => None,
        }
    }

    /// The template of its address, as the router names it.
    pub fn route(self) -> &'static str {
        match self {
            Express::ReadCart(_) => "/v1/carts/{id}",
            Express::AddLine(_) => "/v1/carts/{id}/lines",
        }
    }

    pub fn answer(self, app: &SharedApp, request: Request) -> impl Future<Output = Response> {
        let answer = self.handle(app, request);
        catch(app, answer.map(|answer| answer.unwrap_or_else(Problem::into_response)))
    }

    async fn handle(self, app: &SharedApp, request: Request) -> Result<Response, Problem> {
        let _admitted = match admit(app) {
            Ok(admitted) => admitted,
            Err(problem) => return Ok(turn_away(request, problem).await),
        };
        match self {
            Express::ReadCart(cart) => carts::read_at(app, cart, request).await,
            Express::AddLine(cart) => carts::add_line_at(app, cart, request).await,
        }
    }
}

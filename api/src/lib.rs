//! How the shop is asked: the HTTP edge, who is asking, the routes and their JSON; and how it
//! is started: configuration, wiring and the command line.

pub mod app;
pub mod auth;
pub mod edge;
pub mod openapi;
pub mod routes;
pub mod wire;

pub mod cli;
pub mod config;
pub mod wiring;

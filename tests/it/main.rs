//! Everything that is proven from outside, in one program: it is linked once.

mod api_keys;
mod catalogs;
mod checkout;
mod cluster_simulation;
mod desk;
mod hostile;
mod http;
mod kill;
mod overload;
mod runtime;
mod servers;
mod simulation;
mod support;
mod tidy;

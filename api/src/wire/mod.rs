//! The JSON that routes share, as the contract names it. The structs here are the truth: the
//! OpenAPI document is made of them.

pub mod bulk;
pub mod cart;
pub mod cart_json;
pub mod cart_requests;
pub mod catalog;
pub mod dead_letters;
pub mod media;
pub mod money;
pub mod order;
pub mod order_commands;
pub mod order_edits;
pub mod order_requests;
pub mod stock;

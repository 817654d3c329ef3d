//! `/admin/v1`: what the house sees and does, by its keys.

mod dead_letters;
mod orders;
mod papers;
mod stock;

use std::path::Path;

use barrow_tests::server::run;

use crate::support::Client;

/// Makes a key in the data directory of a folder; its secret.
pub fn api_key(folder: &Path, scopes: &[&str]) -> String {
    let ended = run(folder, &[&["api-key", "create", "--scope"], scopes].concat());
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.out.trim_end().to_owned()
}

/// Somebody of the house.
pub fn staff(folder: &Path, url: &str, scopes: &[&str]) -> Client {
    Client::of(url).with_token(&api_key(folder, scopes))
}

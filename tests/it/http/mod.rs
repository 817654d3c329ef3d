//! The HTTP contract, from outside: the folders and files mirror the addresses.

mod access;
mod admin;
mod carts;
pub mod checkout;
mod collections;
mod conventions;
mod document;
mod fuzzer;
mod media;
mod ops;
mod products;
mod services;
mod sessions;
mod shop;
mod uploads;

use insta::Settings;

/// Snapshots lie beside the tests, one file each, named by what they show.
pub fn snapshots() -> Settings {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

/// Compares a reply, without what differs from run to run, with its snapshot.
#[macro_export]
macro_rules! assert_reply {
    ($name:literal, $reply:expr) => {
        let reply = $crate::support::redact::redact($reply);
        $crate::http::snapshots().bind(|| insta::assert_json_snapshot!($name, reply));
    };
}

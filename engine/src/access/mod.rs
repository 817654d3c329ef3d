//! Who of the house may do what: scopes, and the keys that programs of the house show.
//!
//! What may be done with an order or with stock is their own rooms' affair. In here is only who
//! may ask for it at all.

mod api_key;
mod scope;

pub use api_key::{
    API_KEY_NAME_CHARS_MAX, ApiKey, ApiKeyDraft, InvalidApiKeyName, KeyHash, check_api_key_name,
};
pub use scope::{Scope, ScopeSet, UnknownScope};

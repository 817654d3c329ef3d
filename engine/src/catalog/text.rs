//! The short texts that name things in a catalog, each checked once, where it comes in.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::country::is_country;

/// A text that does not have the form its type demands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a {what}: {rule}")]
pub struct InvalidText {
    pub what: &'static str,
    pub rule: &'static str,
    pub text: String,
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: &str) -> Result<Self, InvalidText> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.into()))
                } else {
                    let text = text.chars().take(80).collect();
                    Err(InvalidText { what: $what, rule: $rule, text })
                }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidText;
            fn from_str(text: &str) -> Result<Self, InvalidText> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

fn is_slug(text: &str) -> bool {
    (1..=120).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_sku(text: &str) -> bool {
    // Real catalogs carry spaces and slashes in SKUs; control characters never.
    (1..=64).contains(&text.len()) && text.trim() == text && text.chars().all(|c| !c.is_control())
}

fn is_channel(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

fn is_locale(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_lowercase())
        && text.len() <= 16
        && parts.all(|p| (2..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric()))
}

text_type!(
    /// The readable name of a product or collection in an address: `[a-z0-9-]+`.
    Slug, "slug", "1 to 120 of a-z, 0-9 and -", is_slug);
text_type!(
    /// A stock keeping unit: what a variant is called in the warehouse.
    Sku, "SKU", "1 to 64 bytes, no control characters, no space around", is_sku);
text_type!(
    /// A place where stock lies: a warehouse, a shop.
    Location, "location", "1 to 64 bytes, no control characters, no space around", is_sku);
text_type!(
    /// A selling context: currency, prices, assortment.
    ChannelId, "channel", "1 to 40 of a-z, 0-9, - and _", is_channel);
text_type!(
    /// A language, with a region where that matters: `de`, `pt-BR`.
    Locale, "locale", "a language of two or three letters, then -REGION", is_locale);
text_type!(
    /// A country of ISO 3166-1 alpha-2.
    CountryCode, "country", "two capital letters of ISO 3166-1 alpha-2", is_country);

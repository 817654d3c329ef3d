//! Typed ids. Each has its own type, so a cart id can never be passed for a product id, and a
//! readable prefix in its text form: `cart_` and 26 characters of Crockford's base 32.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}XXXXXXXXXXXXXXXXXXXXXXXXXX")]
pub struct InvalidId {
    pub prefix: &'static str,
}

/// Writes 128 bits as 26 base-32 characters, most significant first.
pub fn encode_base32(mut value: u128) -> [u8; 26] {
    let mut out = [b'0'; 26];
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[(value & 31) as usize];
        value >>= 5;
    }
    out
}

/// Reads what [`encode_base32`] wrote; upper case and any other length are refused, so that an
/// id has exactly one text form.
pub fn decode_base32(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    // 26 characters hold 130 bits: the first may only use three of its five.
    if bytes.len() != 26 || !(b'0'..=b'7').contains(&bytes[0]) {
        return None;
    }
    bytes.iter().try_fold(0u128, |value, byte| {
        let digit = ALPHABET.iter().position(|letter| letter == byte)?;
        Some(value << 5 | digit as u128)
    })
}

/// Declares an id type: 128 bits with a prefix of its own.
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u128);

        impl $name {
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let digits = encode_base32(self.0);
                f.write_str($prefix)?;
                f.write_str(std::str::from_utf8(&digits).expect("the alphabet is ASCII"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix($prefix)
                    .and_then(decode_base32)
                    .map(Self)
                    .ok_or(InvalidId { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id_type!(
    /// A shopper's cart.
    CartId, "cart_");
id_type!(
    /// A shop session, guest or signed in.
    SessionId, "sess_");
id_type!(
    /// A customer's account.
    CustomerId, "cust_");
id_type!(
    /// A product.
    ProductId, "prod_");
id_type!(
    /// One sellable form of a product; it has one SKU.
    VariantId, "var_");
id_type!(
    /// A merchandised group of products.
    CollectionId, "coll_");
id_type!(
    /// A picture, manual or video.
    MediaId, "media_");
id_type!(
    /// A product review.
    ReviewId, "rev_");
id_type!(
    /// A price in a price book.
    PriceId, "price_");
id_type!(
    /// An order.
    OrderId, "ord_");

//! Typed ids. Each has its own type, so a cart id can never be passed for a product id, and a
//! readable prefix in its text form: `cart_` and 26 characters of Crockford's base 32.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What each byte stands for as a digit; [`NO_DIGIT`] where it is none.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        digits[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    digits
};
const NO_DIGIT: u8 = u8::MAX;

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
        let digit = DIGITS[usize::from(*byte)];
        (digit != NO_DIGIT).then(|| value << 5 | u128::from(digit))
    })
}

/// Where derived ids begin. Stored ids rest on it: it never changes.
const DERIVED_SEED: u64 = 0x6261_7272_6f77_0001;

fn derive(prefix: &str, name: &str) -> u128 {
    // No prefix is the start of another, so no two kinds of ids hash the same bytes.
    let bytes = [prefix.as_bytes(), name.as_bytes()].concat();
    xxhash_rust::xxh3::xxh3_128_with_seed(&bytes, DERIVED_SEED)
}

/// Declares an id type: 128 bits with a prefix of its own.
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u128);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// The id of the thing that bears this name elsewhere: the same name gives the
            /// same id, on every machine and for ever, so that importing again finds what was
            /// imported before. Ids of different types never coincide.
            pub fn derived(name: &str) -> Self {
                Self(derive($prefix, name))
            }
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
id_type!(
    /// A line of the stock's ledger.
    MovementId, "mov_");
id_type!(
    /// An attempt to pay for an order.
    PaymentId, "pay_");
id_type!(
    /// A parcel of an order.
    FulfilmentId, "ful_");
id_type!(
    /// Money that goes back for an order.
    RefundId, "ref_");
id_type!(
    /// Units that a buyer sends back.
    ReturnId, "ret_");
id_type!(
    /// What staff changes in an order.
    EditId, "edit_");
id_type!(
    /// A key that a program of the house shows.
    ApiKeyId, "key_");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn derived_ids_are_fixed_for_ever() {
        let found = [
            ProductId::derived("").to_string(),
            ProductId::derived("oak-table").to_string(),
            VariantId::derived("oak-table").to_string(),
            PriceId::derived("Tisch, Größe 2").to_string(),
        ];
        let golden = [
            "prod_5s7y8w15af44ktmqzgy3wddxzm",
            "prod_7y6cq65hr8n3zfq6xjxrgnqp7t",
            "var_5rdqj1zg13r4vgy2szzwkqmaps",
            "price_5xkdc3perbp60wnfatf4qf9xwk",
        ];
        assert_eq!(found, golden);
    }

    #[test]
    fn an_id_has_exactly_one_text_form() {
        let text = CartId(u128::MAX).to_string();
        assert_eq!(text, "cart_7zzzzzzzzzzzzzzzzzzzzzzzzz");
        assert_eq!(text.parse(), Ok(CartId(u128::MAX)));
        let refused = [
            "",
            "cart_",
            "cart_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "cart_7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "cart_7zzzzzzzzzzzzzzzzzzzzzzzz",
            "cart_7zzzzzzzzzzzzzzzzzzzzzzzzzz",
            "cart_7zzzzzzzzzzzzzzzzzzzzzzzzl",
            "prod_7zzzzzzzzzzzzzzzzzzzzzzzzz",
            "7zzzzzzzzzzzzzzzzzzzzzzzzz",
        ];
        for text in refused {
            assert_eq!(text.parse::<CartId>(), Err(InvalidId { prefix: "cart_" }), "{text}");
        }
    }

    proptest! {
        #[test]
        fn ids_read_back_and_sort_as_their_texts_do(a: u128, b: u128) {
            let (a, b) = (OrderId(a), OrderId(b));
            prop_assert_eq!(a.to_string().parse(), Ok(a));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}

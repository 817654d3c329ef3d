//! Fuzz targets: whatever the business reads from outside, be it stored or sent.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use barrow_fuzz::{INPUTS, Verdict, fuzz};

use crate::cart::{AddressForm, Addresses, CartEntity, Contact, FieldError, LineId, SessionNews};
use crate::catalog::listing::{Position, Sort, SortKey};
use crate::catalog::testing::product;
use crate::catalog::{ChannelId, CountryCode, Locale, Product, Sku, Slug};
use crate::entity::{Entity, EntityKey, EntityKind};
use crate::ids::{CartId, ProductId};
use crate::money::{AMOUNT_MAX, Currency, Money};
use crate::ports::{MEDIA_KEY_BYTES_MAX, is_media_key};
use crate::session::tests::from_hex;
use crate::session::{Revocations, SessionEntity, SigningKeys};
use crate::time::Timestamp;

/// What decodes is written again in one form, which decodes to the same, and is no longer than
/// what was read: a blob with longer integers than it needs is the only one that is not that form.
fn check_blob<E: Entity>(name: &str, samples: &[&str]) {
    let samples: Vec<Vec<u8>> = samples.iter().map(|hex| from_hex(hex)).collect();
    let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
    let written = |state: &E::State| {
        let mut blob = Vec::new();
        E::encode(state, &mut blob);
        blob
    };
    fuzz(name, INPUTS, &samples, |bytes| {
        let Ok(state) = E::decode(1, bytes) else { return Verdict::Refused };
        let blob = written(&state);
        assert!(blob.len() <= bytes.len(), "{} bytes became {}", bytes.len(), blob.len());
        let again = E::decode(1, &blob).expect("what was written is read");
        assert_eq!(written(&again), blob);
        let _ = E::due(&again);
        Verdict::Taken
    });
}

#[test]
fn fuzz_cart_blobs() {
    let samples = [
        include_str!("cart/golden/v1_absent.hex"),
        include_str!("cart/golden/v1_empty.hex"),
        include_str!("cart/golden/v1_customer.hex"),
        include_str!("cart/golden/v1_ordinary.hex"),
        include_str!("cart/golden/v1_full.hex"),
        include_str!("cart/golden/v1_expired.hex"),
    ];
    check_blob::<CartEntity>("cart_blobs", &samples);
}

#[test]
fn fuzz_session_blobs() {
    let session = [
        include_str!("session/golden/session_v1_cart.hex"),
        include_str!("session/golden/session_v1_empty.hex"),
    ];
    check_blob::<SessionEntity>("session_blobs", &session);
    let revocations = [include_str!("session/golden/revocations_v1.hex")];
    check_blob::<Revocations>("revocation_blobs", &revocations);
    let keys = [include_str!("session/golden/signing_keys_v1.hex")];
    check_blob::<SigningKeys>("signing_key_blobs", &keys);
}

#[test]
fn fuzz_effects_of_carts() {
    let opened = SessionNews::CartOpened { at: Timestamp(1_763_800_000_000) }.encode();
    let ended = SessionNews::CartEnded.encode();
    fuzz("cart_effects", INPUTS, &[&opened, &ended], |bytes| {
        let news = SessionNews::decode(bytes);
        if let Ok(news) = news {
            assert_eq!(SessionNews::decode(&news.encode()), Ok(news));
        }
        Verdict::of(&news)
    });
}

#[test]
fn fuzz_entity_keys() {
    let key = EntityKey::new(EntityKind::Cart, 7).to_bytes();
    fuzz("entity_keys", INPUTS, &[&key], |bytes| {
        let key = EntityKey::from_bytes(bytes);
        if let Some(key) = key {
            assert_eq!(key.to_bytes(), bytes);
        }
        key.is_some().into()
    });
}

/// A text has one form only: what is read is written as it was.
fn check_text<T: FromStr<Err: Debug> + Display>(name: &str, bytes_max: usize, samples: &[&str]) {
    let samples: Vec<&[u8]> = samples.iter().map(|text| text.as_bytes()).collect();
    fuzz(name, INPUTS / 4, &samples, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        let read = text.parse::<T>();
        if let Ok(value) = &read {
            assert!(text.len() <= bytes_max, "{} bytes", text.len());
            assert_eq!(value.to_string(), text);
        }
        Verdict::of(&read)
    });
}

#[test]
fn fuzz_names_and_ids() {
    check_text::<CartId>("cart_ids", 31, &["cart_7zzzzzzzzzzzzzzzzzzzzzzzzz"]);
    check_text::<ProductId>("product_ids", 31, &["prod_5s7y8w15af44ktmqzgy3wddxzm"]);
    check_text::<LineId>("line_ids", 15, &["line_1", "line_4294967295"]);
    check_text::<Slug>("slugs", 120, &["oak-table-2"]);
    check_text::<Sku>("skus", 64, &["OAK-CHAIR-NAT", "Größe 2/3"]);
    check_text::<ChannelId>("channels", 40, &["web_de-1"]);
    check_text::<Locale>("locales", 16, &["de", "pt-BR", "zh-Hant-TW"]);
    check_text::<CountryCode>("countries", 2, &["DE"]);
}

#[test]
fn fuzz_media_keys() {
    fuzz("media_keys", INPUTS, &[b"import/0a1b-2.c_d.png", b"p/a/b/c.webp"], |bytes| {
        let Ok(key) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        let taken = is_media_key(key);
        if taken {
            assert!(key.len() <= MEDIA_KEY_BYTES_MAX);
            // It stays in its folder, whoever joins it to one.
            let mut parts = key.split('/');
            assert!(parts.all(|part| !["", ".", ".."].contains(&part) && !part.contains('\\')));
        }
        taken.into()
    });
}

#[test]
fn fuzz_amounts_and_times() {
    let samples: [&[u8]; 4] = [b"EUR 12.99", b"JPY -1299", b"KWD 1.234", b"EUR 90071992547409.91"];
    fuzz("amounts", INPUTS, &samples, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        let Some((code, amount)) = text.split_once(' ') else { return Verdict::Refused };
        let Ok(currency) = Currency::from_code(code) else { return Verdict::Refused };
        assert_eq!(currency.code(), code);
        let money = Money::parse_decimal(amount, currency);
        if let Ok(money) = &money {
            assert!(money.amount.abs() <= AMOUNT_MAX);
            assert_eq!(Money::parse_decimal(&money.to_decimal(), currency), Ok(*money));
        }
        Verdict::of(&money)
    });
    let times: [&[u8]; 3] =
        [b"2026-11-22T10:00:00.123Z", b"1969-12-31T23:59:59+14:00", b"9999-12-30T22:00:00Z"];
    fuzz("times", INPUTS, &times, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        let time = text.parse::<Timestamp>();
        if let Ok(time) = &time {
            assert_eq!(time.to_string().parse::<Timestamp>().ok(), Some(*time));
        }
        Verdict::of(&time)
    });
}

/// Each complaint has a code and says at which of the fields it is.
fn check_complaints(errors: &[FieldError], fields: &[&str]) {
    assert!(!errors.is_empty());
    for error in errors {
        assert!(fields.iter().any(|field| error.pointer.ends_with(field)), "{}", error.pointer);
        assert!(!error.code.as_str().is_empty() && !error.detail.is_empty());
    }
}

#[test]
fn fuzz_contacts() {
    fuzz("contacts", INPUTS, &[b"ada@example.com\n+49 30 1234567", b"a.b@c.de"], |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let (email, phone) = text.split_once('\n').map_or((&*text, None), |(e, p)| (e, Some(p)));
        let contact = Contact::new(email, phone);
        match &contact {
            Ok(read) => {
                let again = Contact::new(&read.email, read.phone.as_deref());
                assert_eq!(again.as_ref(), Ok(read), "checked once is checked for ever");
            }
            Err(errors) => check_complaints(errors, &["/email", "/phone"]),
        }
        Verdict::of(&contact)
    });
}

#[test]
fn fuzz_addresses() {
    let sample =
        "Ada\nLovelace\nEngines\nUnter den Linden 1\nc/o B\nBerlin\nBE\n10117\nDE\n+49 30 123456";
    fuzz("addresses", INPUTS, &[sample.as_bytes()], |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let mut fields = text.split('\n').map(str::to_owned);
        let mut next = || fields.next().unwrap_or_default();
        let form = AddressForm {
            first_name: next(),
            last_name: next(),
            company: Some(next()),
            line1: next(),
            line2: Some(next()),
            city: next(),
            region: Some(next()),
            postal_code: next(),
            country: next(),
            phone: Some(next()),
        };
        let addresses = Addresses::new(&form, Some(&form));
        match &addresses {
            Ok(read) => {
                let read = &read.shipping;
                let again = AddressForm {
                    first_name: read.first_name.clone(),
                    last_name: read.last_name.clone(),
                    company: read.company.clone(),
                    line1: read.line1.clone(),
                    line2: read.line2.clone(),
                    city: read.city.clone(),
                    region: read.region.clone(),
                    postal_code: read.postal_code.clone(),
                    country: read.country.to_string(),
                    phone: read.phone.clone(),
                };
                let again = Addresses::new(&again, None).expect("it was checked before");
                assert_eq!(&again.shipping, read);
            }
            Err(errors) => check_complaints(
                errors,
                &[
                    "/first_name",
                    "/last_name",
                    "/company",
                    "/line1",
                    "/line2",
                    "/city",
                    "/region",
                    "/postal_code",
                    "/country",
                    "/phone",
                ],
            ),
        }
        Verdict::of(&addresses)
    });
}

#[test]
fn fuzz_stored_products() {
    let sample = serde_json::to_vec(&product()).unwrap();
    fuzz("stored_products", INPUTS, &[&sample], |bytes| {
        let Ok(product) = serde_json::from_slice::<Product>(bytes) else {
            return Verdict::Refused;
        };
        let written = serde_json::to_vec(&product).unwrap();
        let again: Product = serde_json::from_slice(&written).unwrap();
        assert_eq!(again, product);
        for problem in product.validate() {
            assert!(!problem.code.is_empty() && problem.path.starts_with('/'), "{problem:?}");
        }
        Verdict::Taken
    });
}

#[test]
fn fuzz_places_in_lists() {
    let place = |sort, key| {
        let id = ProductId::derived("oak-table");
        serde_json::to_vec(&Position { sort, key, id }).unwrap()
    };
    let samples = [
        place(Sort::Price, SortKey::Number(1299)),
        place(Sort::Title, SortKey::Title("oak table".into())),
        place(Sort::PriceDesc, SortKey::Unpriced),
    ];
    let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
    fuzz("places_in_lists", INPUTS, &samples, |bytes| {
        let place = serde_json::from_slice::<Position>(bytes);
        if let Ok(place) = &place {
            let written = serde_json::to_vec(place).unwrap();
            assert_eq!(&serde_json::from_slice::<Position>(&written).unwrap(), place);
        }
        Verdict::of(&place)
    });
}

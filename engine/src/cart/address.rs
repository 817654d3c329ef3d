//! Where an order goes, and to whom its invoice is made out.

use serde::{Deserialize, Serialize};

use super::contact::read_phone;
use super::form::{FieldError, FieldErrorCode, FormReader};
use crate::catalog::CountryCode;

/// The longest name of a person, company, city or region: beyond what any label prints.
pub const ADDRESS_NAME_CHARS_MAX: usize = 100;

/// The longest street line.
pub const ADDRESS_LINE_CHARS_MAX: usize = 200;

/// The longest postal code of any country has ten characters; some write spaces between.
pub const POSTAL_CODE_CHARS_MAX: usize = 20;

/// An address as a shopper filled it in, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressForm {
    pub first_name: String,
    pub last_name: String,
    pub company: Option<String>,
    pub line1: String,
    pub line2: Option<String>,
    pub city: String,
    pub region: Option<String>,
    pub postal_code: String,
    pub country: String,
    pub phone: Option<String>,
}

/// A checked address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Address {
    pub first_name: String,
    pub last_name: String,
    pub company: Option<String>,
    pub line1: String,
    pub line2: Option<String>,
    pub city: String,
    pub region: Option<String>,
    pub postal_code: String,
    pub country: CountryCode,
    pub phone: Option<String>,
}

/// The addresses of a cart; without a billing address the shipping address is billed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Addresses {
    pub shipping: Address,
    pub billing: Option<Address>,
}

impl Addresses {
    /// Checks what a shopper filled in. Whether the cart's channel ships to the country is
    /// decided by the cart, which knows its channel; bills may go anywhere.
    ///
    /// # Errors
    /// Every complaint, with pointers such as `/shipping/city`.
    pub fn new(
        shipping: &AddressForm,
        billing: Option<&AddressForm>,
    ) -> Result<Addresses, Vec<FieldError>> {
        let mut form = FormReader::default();
        let shipping = read_address(&mut form, "/shipping", shipping);
        let billing = billing.map(|billing| read_address(&mut form, "/billing", billing));
        form.finish((shipping, billing)).map(|(shipping, billing)| Addresses {
            shipping: shipping.expect("an address without complaints has a country"),
            billing: billing.map(|it| it.expect("an address without complaints has a country")),
        })
    }
}

/// `None` only together with a complaint.
fn read_address(form: &mut FormReader, at: &str, sent: &AddressForm) -> Option<Address> {
    let pointer = |field: &str| format!("{at}/{field}");
    let name_max = ADDRESS_NAME_CHARS_MAX;
    let line_max = ADDRESS_LINE_CHARS_MAX;
    let first_name = form.required(&pointer("first_name"), &sent.first_name, name_max);
    let last_name = form.required(&pointer("last_name"), &sent.last_name, name_max);
    let company = form.optional(&pointer("company"), sent.company.as_deref(), name_max);
    let line1 = form.required(&pointer("line1"), &sent.line1, line_max);
    let line2 = form.optional(&pointer("line2"), sent.line2.as_deref(), line_max);
    let city = form.required(&pointer("city"), &sent.city, name_max);
    let region = form.optional(&pointer("region"), sent.region.as_deref(), name_max);
    let postal_max = POSTAL_CODE_CHARS_MAX;
    let postal_code = form.required(&pointer("postal_code"), &sent.postal_code, postal_max);
    let country = read_country(form, &pointer("country"), &sent.country);
    let phone = read_phone(form, &pointer("phone"), sent.phone.as_deref());
    Some(Address {
        first_name,
        last_name,
        company,
        line1,
        line2,
        city,
        region,
        postal_code,
        country: country?,
        phone,
    })
}

fn read_country(form: &mut FormReader, pointer: &str, text: &str) -> Option<CountryCode> {
    if text.trim().is_empty() {
        form.complain(pointer, FieldErrorCode::Required, "It may not be empty.");
        return None;
    }
    let country = CountryCode::new(text.trim()).ok();
    if country.is_none() {
        let detail = "It is not two capital letters of ISO 3166-1, like DE.";
        form.complain(pointer, FieldErrorCode::UnknownCountry, detail);
    }
    country
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> AddressForm {
        AddressForm {
            first_name: "Ada".into(),
            last_name: "Lovelace".into(),
            line1: "12 St James's Square".into(),
            city: "London".into(),
            postal_code: "SW1Y 4JH".into(),
            country: "GB".into(),
            ..AddressForm::default()
        }
    }

    fn check(change: impl Fn(&mut AddressForm), expected: &[(&str, &str)]) {
        let mut form = good();
        change(&mut form);
        let errors = Addresses::new(&good(), Some(&form)).err().unwrap_or_default();
        let found: Vec<_> = errors.iter().map(|e| (e.pointer.as_str(), e.code.as_str())).collect();
        assert_eq!(found, expected, "{form:?}");
    }

    #[test]
    fn a_good_address_is_taken_without_the_space_around() {
        check(|_| {}, &[]);
        check(|form| form.company = Some(String::new()), &[]);
        let spaced = AddressForm { city: " London ".into(), region: Some(" ".into()), ..good() };
        let address = Addresses::new(&spaced, None).unwrap().shipping;
        assert_eq!((address.city.as_str(), address.region), ("London", None));
    }

    #[test]
    fn every_complaint_is_named() {
        check(|form| form.city = " ".into(), &[("/billing/city", "required")]);
        check(|form| form.city = "x".repeat(101), &[("/billing/city", "out_of_range")]);
        check(|form| form.line2 = Some("a\nb".into()), &[("/billing/line2", "invalid_format")]);
        check(|form| form.country = "Germany".into(), &[("/billing/country", "unknown_country")]);
        check(|form| form.country = "de".into(), &[("/billing/country", "unknown_country")]);
        check(|form| form.country = String::new(), &[("/billing/country", "required")]);
        check(|form| form.phone = Some("none".into()), &[("/billing/phone", "invalid_format")]);
        let nothing = AddressForm::default();
        assert_eq!(Addresses::new(&nothing, None).unwrap_err().len(), 6);
    }
}

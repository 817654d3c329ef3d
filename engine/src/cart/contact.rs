//! How a shopper is reached about an order.

use serde::{Deserialize, Serialize};

use super::form::{FieldError, FieldErrorCode, FormReader};

/// The longest e-mail address that mail can be sent to (RFC 5321, 4.5.3.1.3, less the brackets).
pub const EMAIL_CHARS_MAX: usize = 254;

/// The longest part before the `@` (RFC 5321, 4.5.3.1.1).
pub const EMAIL_LOCAL_CHARS_MAX: usize = 64;

/// Fifteen digits of E.164 with an extension, and the spaces and brackets people write.
pub const PHONE_CHARS_MAX: usize = 40;

/// The shortest number anybody can be called on.
const PHONE_DIGITS_MIN: usize = 5;

/// An e-mail address and, if given, a telephone number, both checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Contact {
    pub email: String,
    pub phone: Option<String>,
}

impl Contact {
    /// Checks what a shopper filled in. Whether mail arrives is not known before it is sent.
    ///
    /// # Errors
    /// Every complaint, with pointers `/email` and `/phone`.
    pub fn new(email: &str, phone: Option<&str>) -> Result<Contact, Vec<FieldError>> {
        let mut form = FormReader::default();
        let email = form.required("/email", email, EMAIL_CHARS_MAX);
        if form.errors.is_empty() && !is_email(&email) {
            let detail = "It is not an e-mail address like ada@example.com.";
            form.complain("/email", FieldErrorCode::InvalidFormat, detail);
        }
        let phone = read_phone(&mut form, "/phone", phone);
        form.finish(Contact { email, phone })
    }
}

/// A telephone number that may be left out.
pub(super) fn read_phone(
    form: &mut FormReader,
    pointer: &str,
    phone: Option<&str>,
) -> Option<String> {
    let complaints = form.errors.len();
    let phone = form.optional(pointer, phone, PHONE_CHARS_MAX)?;
    if form.errors.len() == complaints && !is_phone(&phone) {
        let detail = "It is not a telephone number like +49 30 1234567.";
        form.complain(pointer, FieldErrorCode::InvalidFormat, detail);
    }
    Some(phone)
}

/// The shape only: something, an `@`, and a domain with a dot. Stricter rules refuse addresses
/// that work; only a mail that arrives proves one.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let labels = || domain.split('.');
    !local.is_empty()
        && local.chars().count() <= EMAIL_LOCAL_CHARS_MAX
        && !local.contains('@')
        && !text.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';'))
        && labels().count() >= 2
        && labels().all(|label| !label.is_empty() && !label.starts_with('-'))
}

fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let allowed = |c: char| c.is_ascii_digit() || " +-()./x".contains(c);
    digits >= PHONE_DIGITS_MIN && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(email: &str, phone: Option<&str>, expected: &[(&str, &str)]) {
        let errors = Contact::new(email, phone).err().unwrap_or_default();
        let found: Vec<_> = errors.iter().map(|e| (e.pointer.as_str(), e.code.as_str())).collect();
        assert_eq!(found, expected, "{email} {phone:?}");
    }

    #[test]
    fn what_can_be_reached_is_taken() {
        check("ada@example.com", None, &[]);
        check(" ada+cart@mail.example.co.uk ", Some("+49 (30) 1234-567"), &[]);
        check("ädä@bücher.example", Some(""), &[]);
    }

    #[test]
    fn every_complaint_is_named() {
        let bad = [("/email", "invalid_format")];
        for email in ["ada", "@example.com", "ada@", "ada@localhost", "a b@example.com", "a@b@c.d"]
        {
            check(email, None, &bad);
        }
        check("ada@example..com", None, &bad);
        check("ada\n@example.com", None, &bad);
        check("", Some("call me"), &[("/email", "required"), ("/phone", "invalid_format")]);
        check(&format!("a@{}.com", "b".repeat(300)), None, &[("/email", "out_of_range")]);
        check(&format!("{}@b.com", "a".repeat(65)), None, &bad);
        check("a@b.c", Some(&"1".repeat(41)), &[("/phone", "out_of_range")]);
    }

    #[test]
    fn space_around_is_dropped() {
        let contact = Contact::new(" ada@example.com ", Some("  ")).unwrap();
        assert_eq!((contact.email.as_str(), contact.phone), ("ada@example.com", None));
    }
}

//! What is wrong with a field that a shopper filled in.

/// One complaint about one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// A JSON pointer into the body that was sent: `/shipping/city`.
    pub pointer: String,
    pub code: FieldErrorCode,
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldErrorCode {
    /// It is empty.
    Required,
    /// It is too long.
    OutOfRange,
    /// It does not have the form that its meaning demands.
    InvalidFormat,
    /// It does not name a country.
    UnknownCountry,
}

impl FieldErrorCode {
    pub fn as_str(self) -> &'static str {
        match self {
            FieldErrorCode::Required => "required",
            FieldErrorCode::OutOfRange => "out_of_range",
            FieldErrorCode::InvalidFormat => "invalid_format",
            FieldErrorCode::UnknownCountry => "unknown_country",
        }
    }
}

/// Reads the fields of a form one by one and collects every complaint, so that a shopper is
/// told all of them at once.
#[derive(Debug, Default)]
pub(super) struct FormReader {
    pub errors: Vec<FieldError>,
}

impl FormReader {
    pub fn complain(&mut self, pointer: &str, code: FieldErrorCode, detail: impl Into<String>) {
        self.errors.push(FieldError { pointer: pointer.to_owned(), code, detail: detail.into() });
    }

    /// A text that has to be there: without the space around it, of at most `chars_max`.
    pub fn required(&mut self, pointer: &str, text: &str, chars_max: usize) -> String {
        if text.trim().is_empty() {
            self.complain(pointer, FieldErrorCode::Required, "It may not be empty.");
            return String::new();
        }
        self.checked(pointer, text.trim(), chars_max)
    }

    /// A text that may be left out; one of nothing but space counts as left out.
    pub fn optional(
        &mut self,
        pointer: &str,
        text: Option<&str>,
        chars_max: usize,
    ) -> Option<String> {
        let text = text.map(str::trim).filter(|text| !text.is_empty())?;
        Some(self.checked(pointer, text, chars_max))
    }

    fn checked(&mut self, pointer: &str, text: &str, chars_max: usize) -> String {
        if text.chars().nth(chars_max).is_some() {
            let detail = format!("It may hold at most {chars_max} characters.");
            self.complain(pointer, FieldErrorCode::OutOfRange, detail);
        } else if text.chars().any(char::is_control) {
            let detail = "It may not hold control characters or line breaks.";
            self.complain(pointer, FieldErrorCode::InvalidFormat, detail);
        }
        text.to_owned()
    }

    pub fn finish<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.errors.is_empty() { Ok(value) } else { Err(self.errors) }
    }
}

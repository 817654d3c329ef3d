//! Whether attributes are what their types say.

use std::collections::BTreeMap;

use super::{Problems, escaped};
use crate::catalog::AttributeValue;
use crate::catalog::limits::{
    ATTRIBUTE_CHARS_MAX, ATTRIBUTE_LIST_MAX, ATTRIBUTES_MAX, LABEL_CHARS_MAX,
};

/// A number of more digits says nothing about a product.
const NUMBER_BYTES_MAX: usize = 40;

pub(super) fn check(
    found: &mut Problems,
    path: &str,
    attributes: &BTreeMap<String, AttributeValue>,
) {
    found.count(path, attributes.len(), ATTRIBUTES_MAX);
    for (key, value) in attributes {
        let path = format!("{path}/{}", escaped(key));
        found.code(&path, key);
        check_value(found, &path, value);
    }
}

fn check_value(found: &mut Problems, path: &str, value: &AttributeValue) {
    match value {
        AttributeValue::Text { value } | AttributeValue::Choice { value } => {
            check_text(found, path, value);
        }
        AttributeValue::Number { value, unit } => {
            if !is_decimal(value) {
                found.add(path, "invalid", "is not a decimal number".into());
            }
            found.optional_label(&format!("{path}/unit"), unit.as_deref(), LABEL_CHARS_MAX);
        }
        AttributeValue::Boolean { .. } => {}
        AttributeValue::Date { value } => {
            let is_day = value.len() == 10 && value.parse::<jiff::civil::Date>().is_ok();
            if !is_day {
                found.add(path, "invalid", "is not a day as in 2026-11-22".into());
            }
        }
        AttributeValue::List { value } => {
            found.count(path, value.len(), ATTRIBUTE_LIST_MAX);
            for (index, text) in value.iter().enumerate().take(ATTRIBUTE_LIST_MAX) {
                check_text(found, &format!("{path}/{index}"), text);
            }
        }
    }
}

fn check_text(found: &mut Problems, path: &str, text: &str) {
    if text.chars().count() > ATTRIBUTE_CHARS_MAX {
        found.too_long(path, ATTRIBUTE_CHARS_MAX);
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        found.add(path, "invalid", "holds a control character".into());
    }
}

fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.len() <= NUMBER_BYTES_MAX && is_digits(whole) && is_digits(fraction)
}

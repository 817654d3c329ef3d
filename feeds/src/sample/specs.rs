//! Attributes of the sample goods: short notes turned into typed values with their units.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use barrow_engine::catalog::AttributeValue;
use serde::Deserialize;

use super::source;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Notes {
    endings: BTreeMap<String, String>,
    units: BTreeMap<String, String>,
    choices: Vec<String>,
    names: BTreeMap<String, String>,
}

fn notes() -> &'static Notes {
    static NOTES: OnceLock<Notes> = OnceLock::new();
    NOTES.get_or_init(|| source::read(include_str!("data/attributes.yaml")))
}

/// The typed attributes of notes such as `("capacity", "350")`.
pub fn attributes(notes: &[(&str, &str)]) -> BTreeMap<String, AttributeValue> {
    notes.iter().map(|(name, value)| attribute(name, value)).collect()
}

fn attribute(name: &str, value: &str) -> (String, AttributeValue) {
    let notes = notes();
    // The longest ending: `_mm` before `_m`.
    let ending = notes.endings.iter().filter(|(ending, _)| name.ends_with(*ending));
    let ending = ending.max_by_key(|(ending, _)| ending.len()).filter(|_| is_number(value));
    let (stem, unit) = match ending {
        Some((ending, unit)) => (name.trim_end_matches(ending.as_str()), Some(unit.clone())),
        None => (name, notes.units.get(name).cloned()),
    };
    let known = notes.names.get(name).or_else(|| notes.names.get(stem));
    let key = known.map_or(stem, String::as_str).to_owned();
    let own = value.to_owned();
    let value = match value {
        "yes" | "no" => AttributeValue::Boolean { value: value == "yes" },
        _ if value.contains(" | ") => {
            AttributeValue::List { value: value.split(" | ").map(str::to_owned).collect() }
        }
        _ if name == "care" => AttributeValue::List { value: vec![own] },
        _ if is_date(value) => AttributeValue::Date { value: own },
        _ if ending.is_some() => AttributeValue::Number { value: own, unit },
        _ if notes.choices.iter().any(|choice| choice == stem) => {
            AttributeValue::Choice { value: own }
        }
        _ if is_number(value) => AttributeValue::Number { value: own, unit },
        _ => AttributeValue::Text { value: own },
    };
    (key, value)
}

fn is_number(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    digits > 0 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// An attribute as a person reads it.
pub fn readable(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Text { value }
        | AttributeValue::Choice { value }
        | AttributeValue::Date { value } => value.clone(),
        AttributeValue::Number { value, unit: Some(unit) } => format!("{value} {unit}"),
        AttributeValue::Number { value, unit: None } => value.clone(),
        AttributeValue::Boolean { value: true } => "Yes".to_owned(),
        AttributeValue::Boolean { value: false } => "No".to_owned(),
        AttributeValue::List { value } => value.join(", "),
    }
}

/// A key as a person reads it: `battery_life` is "Battery life".
pub fn label(key: &str) -> String {
    let text = key.replace('_', " ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_become_typed_values() {
        let check = |name, value, key: &str, expected: &str| {
            let (found, value) = attribute(name, value);
            assert_eq!((found.as_str(), format!("{value:?}").as_str()), (key, expected));
        };
        check("capacity_l", "1.8", "capacity", r#"Number { value: "1.8", unit: Some("l") }"#);
        check("battery_hours", "40", "battery_life", r#"Number { value: "40", unit: Some("h") }"#);
        check("waterproof_mm", "600", "waterproof", r#"Number { value: "600", unit: Some("mm") }"#);
        check("waterproof", "IPX6", "waterproof", r#"Choice { value: "IPX6" }"#);
        check("pieces", "3", "pieces", r#"Number { value: "3", unit: None }"#);
        check("vegan", "no", "vegan", "Boolean { value: false }");
        check("best_before", "2028-06-30", "best_before", r#"Date { value: "2028-06-30" }"#);
        check("season", "3", "season", r#"Choice { value: "3" }"#);
        check("care", "Dust | Oil", "care", r#"List { value: ["Dust", "Oil"] }"#);
        check("paper", "100 g", "paper", r#"Text { value: "100 g" }"#);
        check("min_max", "yes", "keeps_min_and_max", "Boolean { value: true }");
    }
}

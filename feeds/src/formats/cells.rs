//! How values are written into the cells of our CSV, and read back exactly.
//!
//! - A list is parted by `|`; a `|` or `\` inside an element has a `\` before it.
//! - An attribute is a text, unless the cell begins with another type: `number:1400 W`,
//!   `boolean:true`, `date:2026-11-22`, `choice:oak`, `list:a|b`, and `text:` before a text that
//!   would read as one of these.
//! - A cell that a spreadsheet would run as a formula has a `'` before it.

use barrow_engine::catalog::AttributeValue;

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

fn is_guarded_form(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA_STARTS)
}

/// The cell of a text: guarded, where a spreadsheet would run it.
pub fn guarded(text: &str) -> String {
    if is_guarded_form(text) { format!("'{text}") } else { text.to_owned() }
}

/// The text of a cell, as it was before [`guarded`].
pub fn unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if is_guarded_form(text) => text,
        _ => cell,
    }
}

/// Joins a list into one cell.
pub fn join_list<T: AsRef<str>>(elements: &[T]) -> String {
    let escaped = |element: &T| element.as_ref().replace('\\', "\\\\").replace('|', "\\|");
    elements.iter().map(escaped).collect::<Vec<_>>().join("|")
}

/// Parts a cell into its list; an empty cell is an empty list.
pub fn split_list(cell: &str) -> Vec<String> {
    if cell.is_empty() {
        return Vec::new();
    }
    let mut elements = vec![String::new()];
    let mut letters = cell.chars().peekable();
    while let Some(letter) = letters.next() {
        let last = elements.last_mut().expect("there is one from the start");
        match letter {
            '|' => elements.push(String::new()),
            '\\' => match letters.next_if(|next| matches!(next, '|' | '\\')) {
                Some(escaped) => last.push(escaped),
                None => last.push('\\'),
            },
            letter => last.push(letter),
        }
    }
    elements
}

/// The cell of an attribute.
pub fn attribute_cell(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Text { value } if value.is_empty() || has_type(value) => {
            format!("text:{value}")
        }
        AttributeValue::Text { value } => value.clone(),
        AttributeValue::Number { value, unit: None } => format!("number:{value}"),
        AttributeValue::Number { value, unit: Some(unit) } => format!("number:{value} {unit}"),
        AttributeValue::Boolean { value } => format!("boolean:{value}"),
        AttributeValue::Date { value } => format!("date:{value}"),
        AttributeValue::Choice { value } => format!("choice:{value}"),
        AttributeValue::List { value } => format!("list:{}", join_list(value)),
    }
}

/// The attribute of a cell that is not empty.
///
/// # Errors
/// What is wrong, for a person to read.
pub fn attribute_of_cell(cell: &str) -> Result<AttributeValue, String> {
    let Some((kind, value)) = cell.split_once(':').filter(|_| has_type(cell)) else {
        return Ok(AttributeValue::Text { value: cell.to_owned() });
    };
    let text = value.to_owned();
    Ok(match kind {
        "text" => AttributeValue::Text { value: text },
        "number" => match value.split_once(' ') {
            Some((number, unit)) => {
                AttributeValue::Number { value: number.to_owned(), unit: Some(unit.to_owned()) }
            }
            None => AttributeValue::Number { value: text, unit: None },
        },
        "boolean" => match value {
            "true" => AttributeValue::Boolean { value: true },
            "false" => AttributeValue::Boolean { value: false },
            _ => return Err("boolean:true or boolean:false is wanted".to_owned()),
        },
        "date" => AttributeValue::Date { value: text },
        "choice" => AttributeValue::Choice { value: text },
        _ => AttributeValue::List { value: split_list(value) },
    })
}

fn has_type(cell: &str) -> bool {
    ["text:", "number:", "boolean:", "date:", "choice:", "list:"]
        .iter()
        .any(|prefix| cell.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_guarded_and_read_back() {
        for (text, cell) in [
            ("plain", "plain"),
            ("=SUM(A1)", "'=SUM(A1)"),
            ("-20 degrees", "'-20 degrees"),
            ("'=x", "''=x"),
            ("'quoted'", "'quoted'"),
            ("@handle", "'@handle"),
        ] {
            assert_eq!(guarded(text), cell);
            assert_eq!(unguarded(cell), text);
        }
    }

    #[test]
    fn a_cell_says_its_attribute_type() {
        let check = |cell: &str, value: AttributeValue| {
            assert_eq!(attribute_of_cell(cell), Ok(value.clone()), "{cell}");
            assert_eq!(attribute_cell(&value), cell);
        };
        check("Oak", AttributeValue::Text { value: "Oak".into() });
        check("Size: large", AttributeValue::Text { value: "Size: large".into() });
        check("text:number:7", AttributeValue::Text { value: "number:7".into() });
        let unit = Some("W".to_owned());
        check("number:1400 W", AttributeValue::Number { value: "1400".into(), unit });
        check("boolean:true", AttributeValue::Boolean { value: true });
        check("list:a|b\\|c", AttributeValue::List { value: vec!["a".into(), "b|c".into()] });
        assert!(attribute_of_cell("boolean:yes").is_err());
    }

    proptest! {
        #[test]
        fn any_text_survives_the_guard(text in "['=+@\t\r-]{0,3}.{0,8}") {
            let cell = guarded(&text);
            prop_assert_eq!(unguarded(&cell), &text);
            prop_assert!(!cell.starts_with(FORMULA_STARTS));
        }

        #[test]
        fn any_list_survives_its_cell(list in prop::collection::vec("[a|\\\\]{1,5}", 0..5)) {
            prop_assert_eq!(split_list(&join_list(&list)), list);
        }

        #[test]
        fn any_text_attribute_survives_its_cell(value in "(text:|number:|list:)?.{0,8}") {
            let value = AttributeValue::Text { value };
            prop_assert_eq!(attribute_of_cell(&attribute_cell(&value)), Ok(value));
        }
    }
}

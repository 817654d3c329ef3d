//! Replies without what differs from run to run: made ids, times, tokens, cursors.

use serde_json::Value;

/// Letters and digits of an id behind its prefix.
const ID_LENGTH: usize = 26;

/// The same reply with words in place of what nobody can foresee.
pub fn redact(mut value: Value) -> Value {
    walk(&mut value);
    value
}

fn walk(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(word) = word_for(text) {
                *text = word;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(walk),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match (name.as_str(), value.is_string()) {
                    ("number", true) => *value = "[number]".into(),
                    ("next_cursor", true) => *value = "[cursor]".into(),
                    ("request_id", true) => *value = "[request id]".into(),
                    _ => walk(value),
                }
            }
        }
        _ => {}
    }
}

fn word_for(text: &str) -> Option<String> {
    if is_time(text) {
        return Some("[time]".to_owned());
    }
    let (prefix, rest) = text.split_once('_')?;
    if prefix == "shop" && rest.len() > ID_LENGTH {
        return Some("[token]".to_owned());
    }
    let is_id = rest.len() == ID_LENGTH
        && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    is_id.then(|| format!("[{prefix}]"))
}

/// `2026-11-22T10:15:30.000Z`.
fn is_time(text: &str) -> bool {
    let form: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    form == "0000-00-00T00:00:00.000Z" || form == "0000-00-00T00:00:00Z"
}

//! The layers a configuration is made of, from the lightest to the heaviest: defaults, profile,
//! file, environment, flags. Each value remembers where it came from, so that an error can say.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::{Origin, Problem};

/// Keys that belong to parts of Barrow that this build has not got. They are known, so that the
/// answer is not "unknown key" but what is missing.
const NOT_BUILT_IN: &[(&str, &str)] = &[("search.url", "search is not built in")];

/// The merged values so far, and where each came from.
pub struct Layers {
    values: Value,
    /// Every key there is, with a value of its type; null where the default is "not set".
    schema: Value,
    origins: BTreeMap<String, Origin>,
    problems: Vec<Problem>,
}

impl Layers {
    /// Begins with the defaults, which are also what is known of keys and their types.
    pub fn new(defaults: Value) -> Layers {
        Layers {
            values: defaults.clone(),
            schema: defaults,
            origins: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// Lays a tree of values over those so far. Tables are merged, all else is replaced.
    pub fn lay(&mut self, tree: Map<String, Value>, origin: &Origin) {
        for (key, value) in tree {
            self.lay_at(&mut vec![key], value, origin);
        }
    }

    fn lay_at(&mut self, path: &mut Vec<String>, value: Value, origin: &Origin) {
        let Some(known) = find(&self.schema, path) else {
            return self.unknown(path, origin);
        };
        match value {
            Value::Object(table) if known.is_object() => {
                for (key, value) in table {
                    path.push(key);
                    self.lay_at(path, value, origin);
                    path.pop();
                }
            }
            value => self.set(path, value, origin),
        }
    }

    /// Sets one key from a text, as the environment and `--set` give it. The type of the default
    /// tells how the text is read.
    pub fn lay_text(&mut self, path: &[String], text: &str, origin: &Origin) {
        let Some(known) = find(&self.schema, path) else {
            return self.unknown(path, origin);
        };
        match from_text(known, text) {
            Ok(value) => self.lay_at(&mut path.to_vec(), value, origin),
            Err(what) => self.problem(&path.join("."), origin, what, None),
        }
    }

    fn set(&mut self, path: &[String], value: Value, origin: &Origin) {
        let (last, parents) = path.split_last().expect("a path has at least one key");
        let mut at = &mut self.values;
        for key in parents {
            at = at.get_mut(key).expect("the values hold every table of the schema");
        }
        let table = at.as_object_mut().expect("parents of a known key are tables");
        table.insert(last.clone(), value);
        self.origins.insert(path.join("."), origin.clone());
    }

    fn unknown(&mut self, path: &[String], origin: &Origin) {
        let key = path.join(".");
        let missing = NOT_BUILT_IN.iter().find(|(name, _)| *name == key || is_below(name, &key));
        let (what, hint) = match missing {
            Some((_, what)) => ((*what).to_owned(), Some("leave the key out".to_owned())),
            None => ("there is no such key".to_owned(), self.did_you_mean(&key)),
        };
        self.problem(&key, origin, what, hint);
    }

    /// The known key that is nearest, if any is near.
    fn did_you_mean(&self, key: &str) -> Option<String> {
        let mut keys = Vec::new();
        collect_keys(&self.schema, "", &mut keys);
        keys.into_iter()
            .map(|known| (strsim::damerau_levenshtein(&known, key), known))
            .filter(|(distance, known)| *distance <= 2 + known.len() / 6)
            .min()
            .map(|(_, known)| format!("did you mean {known}?"))
            .or_else(|| Some("`barrow config --manual` lists them all".to_owned()))
    }

    pub fn problem(&mut self, key: &str, origin: &Origin, what: String, hint: Option<String>) {
        let origin = origin.clone();
        self.problems.push(Problem { key: key.to_owned(), origin, what, hint });
    }

    /// The values, where they came from, and what was wrong with them so far.
    pub fn finish(self) -> (Value, Origins, Vec<Problem>) {
        (self.values, Origins(self.origins), self.problems)
    }
}

/// Where each value came from.
#[derive(Debug, Clone, Default)]
pub struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// The origin of a key, or of the nearest table around it.
    pub fn of(&self, key: &str) -> Origin {
        let mut key = key;
        loop {
            if let Some(origin) = self.0.get(key) {
                return origin.clone();
            }
            match key.rfind(['.', '[']) {
                Some(end) => key = &key[..end],
                None => return Origin::Default,
            }
        }
    }
}

fn is_below(name: &str, table: &str) -> bool {
    name.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'))
}

fn find<'a>(tree: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(tree, |at, key| at.as_object()?.get(key))
}

fn collect_keys(tree: &Value, prefix: &str, into: &mut Vec<String>) {
    let Some(table) = tree.as_object() else { return into.push(prefix.to_owned()) };
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        collect_keys(value, &path, into);
    }
}

/// Reads a text as a value of the same type as `known`.
fn from_text(known: &Value, text: &str) -> Result<Value, String> {
    let text = text.trim();
    match known {
        Value::Bool(_) => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(format!("'{text}' is neither true nor false")),
        },
        Value::Number(_) => text
            .replace('_', "")
            .parse::<u64>()
            .map(Value::from)
            .map_err(|_| format!("'{text}' is not a whole number")),
        Value::Array(_) if !text.starts_with('[') => Ok(text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(Value::from)
            .collect()),
        Value::Array(_) | Value::Object(_) => {
            let table: toml::Table = format!("value = {text}")
                .parse()
                .map_err(|_| "it is not a list or table as TOML writes it".to_owned())?;
            Ok(from_toml(table.into_iter().next().expect("one key was written").1))
        }
        Value::String(_) | Value::Null => Ok(Value::from(text)),
    }
}

/// The same value in the other tree. A date stays the text it is.
pub fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(flag) => Value::from(flag),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(items) => items.into_iter().map(from_toml).collect(),
        toml::Value::Table(table) => {
            table.into_iter().map(|(key, value)| (key, from_toml(value))).collect()
        }
    }
}

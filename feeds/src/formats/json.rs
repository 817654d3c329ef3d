//! Walks a JSON object field by field, and notes all that is wrong with it, each with the
//! pointer to its place. A field that nobody asked for is unknown, and an error.

use std::cell::RefCell;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::record::{Field, Problem};

/// The most problems that are told of one row; the first ones are what helps.
const PROBLEMS_MAX: usize = 20;

/// What is wrong with a row, as it is being found.
#[derive(Default)]
pub struct Problems {
    found: RefCell<Vec<Problem>>,
}

impl Problems {
    pub fn add(&self, pointer: &str, code: &'static str, detail: impl Into<String>) {
        let mut found = self.found.borrow_mut();
        if found.len() < PROBLEMS_MAX {
            found.push(Problem::new(pointer, code, detail));
        }
    }

    pub fn into_vec(self) -> Vec<Problem> {
        self.found.into_inner()
    }
}

/// A value and the place it stands at.
pub struct Node<'p> {
    pub value: Value,
    pub pointer: String,
    problems: &'p Problems,
}

impl<'p> Node<'p> {
    pub fn root(value: Value, problems: &'p Problems) -> Node<'p> {
        Node { value, pointer: String::new(), problems }
    }

    /// Notes a problem at this place; answers `None`, for callers to pass on.
    pub fn refuse<T>(&self, code: &'static str, detail: impl Into<String>) -> Option<T> {
        self.problems.add(&self.pointer, code, detail);
        None
    }

    /// The same place without its value, to note a problem there once the value is used up.
    pub fn place(&self) -> Node<'p> {
        Node { value: Value::Null, pointer: self.pointer.clone(), problems: self.problems }
    }

    fn wrong_type<T>(&self, wanted: &str) -> Option<T> {
        let found = match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.refuse("wrong_type", format!("{wanted} is wanted, {found} was found"))
    }

    pub fn text(self) -> Option<String> {
        match self.value {
            Value::String(text) => Some(text),
            _ => self.wrong_type("a text"),
        }
    }

    /// A text of a form that its type checks.
    pub fn parsed<T: FromStr<Err: std::fmt::Display>>(self) -> Option<T> {
        let Value::String(text) = &self.value else { return self.wrong_type("a text") };
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => self.refuse("out_of_range", error.to_string()),
        }
    }

    /// A value that serde knows how to read: the catalog's words, such as `active`.
    pub fn word<T: serde::de::DeserializeOwned>(self) -> Option<T> {
        if !self.value.is_string() {
            return self.wrong_type("a text");
        }
        match serde_json::from_value(self.value.clone()) {
            Ok(value) => Some(value),
            Err(error) => self.refuse("out_of_range", error.to_string()),
        }
    }

    pub fn boolean(self) -> Option<bool> {
        self.value.as_bool().or_else(|| self.wrong_type("true or false"))
    }

    pub fn integer<T: TryFrom<i64>>(self) -> Option<T> {
        let Value::Number(number) = &self.value else { return self.wrong_type("an integer") };
        let integer = number.as_i64().and_then(|number| T::try_from(number).ok());
        integer.or_else(|| {
            self.refuse("out_of_range", format!("{number} is not a whole number in range"))
        })
    }

    /// A list of at most `max`, each read by `read`; those it refuses are left out (and noted).
    pub fn list<T>(self, max: usize, read: impl Fn(Node<'p>) -> Option<T>) -> Option<Vec<T>> {
        let Value::Array(values) = self.value else { return self.wrong_type("a list") };
        if values.len() > max {
            self.problems.add(&self.pointer, "out_of_range", format!("at most {max} are taken"));
            return None;
        }
        let nodes = values.into_iter().enumerate().map(|(index, value)| Node {
            value,
            pointer: format!("{}/{index}", self.pointer),
            problems: self.problems,
        });
        Some(nodes.filter_map(read).collect())
    }

    /// The members of an object whose names are data, at most `max`.
    pub fn entries(self, max: usize) -> Option<Vec<(String, Node<'p>)>> {
        let Value::Object(map) = self.value else { return self.wrong_type("an object") };
        if map.len() > max {
            self.problems.add(&self.pointer, "out_of_range", format!("at most {max} are taken"));
            return None;
        }
        let entries = map.into_iter().map(|(name, value)| {
            let pointer = child(&self.pointer, &name);
            (name, Node { value, pointer, problems: self.problems })
        });
        Some(entries.collect())
    }

    pub fn object(self) -> Option<Object<'p>> {
        match self.value {
            Value::Object(map) => {
                Some(Object { map, pointer: self.pointer, problems: self.problems })
            }
            _ => self.wrong_type("an object"),
        }
    }
}

/// An object whose fields are taken one by one.
pub struct Object<'p> {
    map: Map<String, Value>,
    pub pointer: String,
    problems: &'p Problems,
}

impl<'p> Object<'p> {
    pub fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Takes the field out, if it is there.
    pub fn take(&mut self, name: &str) -> Option<Node<'p>> {
        let value = self.map.shift_remove(name)?;
        Some(Node { value, pointer: child(&self.pointer, name), problems: self.problems })
    }

    /// Kept where it is missing; `null` is no value.
    pub fn field<T>(&mut self, name: &str, read: impl Fn(Node<'p>) -> Option<T>) -> Field<T> {
        self.take(name).and_then(read).map_or(Field::Keep, Field::Set)
    }

    /// Kept where it is missing, cleared where it is `null`.
    pub fn nullable<T>(
        &mut self,
        name: &str,
        read: impl Fn(Node<'p>) -> Option<T>,
    ) -> Field<Option<T>> {
        match self.take(name) {
            None => Field::Keep,
            Some(node) if node.value.is_null() => Field::Set(None),
            Some(node) => read(node).map_or(Field::Keep, |value| Field::Set(Some(value))),
        }
    }

    /// `None` where it is missing or `null`.
    pub fn optional<T>(&mut self, name: &str, read: impl Fn(Node<'p>) -> Option<T>) -> Option<T> {
        let node = self.take(name)?;
        if node.value.is_null() { None } else { read(node) }
    }

    /// A problem where it is missing.
    pub fn required<T>(&mut self, name: &str, read: impl Fn(Node<'p>) -> Option<T>) -> Option<T> {
        let Some(node) = self.take(name) else {
            self.problems.add(&child(&self.pointer, name), "required", "is missing");
            return None;
        };
        read(node)
    }

    pub fn refuse<T>(&self, name: &str, code: &'static str, detail: &str) -> Option<T> {
        self.problems.add(&child(&self.pointer, name), code, detail);
        None
    }

    /// Whatever was not taken is unknown.
    pub fn finish(self) {
        for name in self.map.keys() {
            let pointer = child(&self.pointer, name);
            self.problems.add(&pointer, "unknown_field", "there is no such field");
        }
    }
}

/// The pointer to a member, escaped as RFC 6901 asks.
pub fn child(pointer: &str, name: &str) -> String {
    let name: String = name.chars().take(120).collect();
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

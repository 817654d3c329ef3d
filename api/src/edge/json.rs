//! JSON bodies, read strictly: UTF-8, at most [`DEPTH_MAX`] deep, no key twice, no unknown
//! field. What cannot be parsed is 400; what can be parsed but does not fit is 422 and says
//! where. The parsed form is kept beside the typed one, for an idempotency key stands for the
//! body as parsed, not for its spaces.

use std::fmt;
use std::marker::PhantomData;

use axum::extract::{FromRequest, Request};
use http::{HeaderMap, header};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};
use serde_path_to_error::Segment;

use super::body::read_body;
use super::{Code, FieldError, Problem};
use crate::app::SharedApp;

/// How deep a body may be nested. The deepest body of the contract is five levels deep.
pub const DEPTH_MAX: usize = 32;

/// How much of serde's words is passed on.
const DETAIL_CHARS_MAX: usize = 300;

/// A JSON body: as parsed, and as the type the route wants.
#[derive(Debug)]
pub struct Json<T> {
    pub parsed: Value,
    pub body: T,
}

/// As [`Json`], for routes whose body may be left out: no body is `{}`.
#[derive(Debug)]
pub struct OptionalJson<T> {
    pub parsed: Value,
    pub body: T,
}

impl<T: DeserializeOwned> FromRequest<SharedApp> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &SharedApp) -> Result<Json<T>, Problem> {
        let is_json = has_json_type(request.headers());
        if !is_json {
            return Err(unsupported());
        }
        let parsed = parse(&read_body(request, &app.settings).await?)?;
        Ok(Json { body: typed(&parsed, "")?, parsed })
    }
}

impl<T: DeserializeOwned> FromRequest<SharedApp> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &SharedApp) -> Result<OptionalJson<T>, Problem> {
        let is_json = has_json_type(request.headers());
        let bytes = read_body(request, &app.settings).await?;
        let parsed = match (bytes.is_empty(), is_json) {
            (true, _) => Value::Object(Map::new()),
            (false, true) => parse(&bytes)?,
            (false, false) => return Err(unsupported()),
        };
        Ok(OptionalJson { body: typed(&parsed, "")?, parsed })
    }
}

fn unsupported() -> Problem {
    Problem::new(Code::UnsupportedMediaType, "send the body as 'content-type: application/json'")
}

/// `application/json`, `application/merge-patch+json` and their like; a charset, if any, UTF-8;
/// not compressed, since the size of what it becomes is not known before.
fn has_json_type(headers: &HeaderMap) -> bool {
    let is_plain = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get(header::CONTENT_ENCODING).is_none_or(is_plain) {
        return false;
    }
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_json = essence.eq_ignore_ascii_case("application/json")
        || (essence.len() > 17
            && essence.as_bytes()[..12].eq_ignore_ascii_case(b"application/")
            && essence.as_bytes()[essence.len() - 5..].eq_ignore_ascii_case(b"+json"));
    is_json
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

/// Parses strictly.
pub fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    let malformed = |detail: String| Problem::new(Code::MalformedJson, detail);
    let text = std::str::from_utf8(bytes)
        .map_err(|error| malformed(format!("not UTF-8 at byte {}", error.valid_up_to())))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Strict { room: DEPTH_MAX }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| {
            // Grammatical JSON, but beyond what a double can hold.
            if error.to_string().starts_with("number out of range") {
                let error = FieldError::new("", "out_of_range", "a number is out of range");
                return Problem::invalid(vec![error]);
            }
            malformed(error.to_string())
        })
}

/// Builds a [`Value`], counting the levels that are left and refusing a key given twice.
struct Strict {
    room: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(&self) -> Result<Strict, E> {
        match self.room.checked_sub(1) {
            Some(room) => Ok(Strict { room }),
            None => Err(E::custom(format_args!("nested deeper than {DEPTH_MAX} levels"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let inner = self.deeper::<A::Error>()?;
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(Strict { room: inner.room })? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        use serde::de::Error;

        let inner = self.deeper::<A::Error>()?;
        let mut values = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if values.contains_key(&key) {
                let key: String = key.chars().take(80).collect();
                return Err(A::Error::custom(format_args!("the key '{key}' is given twice")));
            }
            let value = map.next_value_seed(Strict { room: inner.room })?;
            values.insert(key, value);
        }
        Ok(Value::Object(values))
    }
}

/// Reads a parsed object as a type; errors point below `pointer`.
pub fn typed<T: DeserializeOwned>(value: &Value, pointer: &str) -> Result<T, Problem> {
    // A derived struct would also read a list, field by field.
    if !value.is_object() {
        let error = FieldError::new(pointer, "wrong_type", "this must be an object");
        return Err(Problem::invalid(vec![error]));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut place = pointer.to_owned();
        for segment in error.path() {
            match segment {
                Segment::Seq { index } => push_segment(&mut place, &index.to_string()),
                Segment::Map { key: name } | Segment::Enum { variant: name } => {
                    push_segment(&mut place, name);
                }
                Segment::Unknown => {}
            }
        }
        Problem::invalid(vec![field_error(place, &error.into_inner().to_string())])
    })
}

/// For a nested struct (`deserialize_with`): reads an object and nothing else.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct ObjectOnly<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectOnly<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_any(ObjectOnly(PhantomData))
}

/// As [`object`], where `null` stands for nothing.
pub fn optional_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    struct Wrapped<T>(T);

    impl<'de, T: Deserialize<'de>> Deserialize<'de> for Wrapped<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            object(deserializer).map(Wrapped)
        }
    }

    Ok(Option::<Wrapped<T>>::deserialize(deserializer)?.map(|wrapped| wrapped.0))
}

/// A whole number, however it is written (`2`, `2.0`, `2e0`). Beyond 64 bits it is the nearest
/// that fits, so that a range check refuses it as what it is: out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeNumber(pub i64);

impl<'de> Deserialize<'de> for WholeNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;

        impl Visitor<'_> for Whole {
            type Value = WholeNumber;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E>(self, value: i64) -> Result<WholeNumber, E> {
                Ok(WholeNumber(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<WholeNumber, E> {
                Ok(WholeNumber(i64::try_from(value).unwrap_or(i64::MAX)))
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<WholeNumber, E> {
                if value.fract() != 0.0 {
                    return Err(E::invalid_type(serde::de::Unexpected::Float(value), &self));
                }
                Ok(WholeNumber(value as i64))
            }
        }

        deserializer.deserialize_any(Whole)
    }
}

fn push_segment(pointer: &mut String, segment: &str) {
    pointer.push('/');
    pointer.push_str(&segment.replace('~', "~0").replace('/', "~1"));
}

/// Turns serde's words into the contract's. Its sentences are stable enough to build on, and
/// the tests below hold them.
fn field_error(mut pointer: String, message: &str) -> FieldError {
    let named = |prefix: &str| {
        let rest = message.strip_prefix(prefix)?;
        rest.split('`').nth(1).map(str::to_owned)
    };
    if let Some(field) = named("unknown field ") {
        // The path already ends in the field, but for a type that reads its fields itself.
        let mut last = String::new();
        push_segment(&mut last, &field);
        if !pointer.ends_with(&last) {
            pointer.push_str(&last);
        }
        return FieldError::new(pointer, "unknown_field", "this field is not known here");
    }
    if let Some(field) = named("missing field ") {
        push_segment(&mut pointer, &field);
        return FieldError::new(pointer, "required", "this field is needed");
    }
    let code = match message {
        m if m.starts_with("invalid value") => "out_of_range",
        m if m.starts_with("unknown variant") => "unknown_value",
        _ => "wrong_type",
    };
    // It may quote what was sent, and that may be as long as a body.
    let detail: String = message.chars().take(DETAIL_CHARS_MAX).collect();
    FieldError::new(pointer, code, detail)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Outer {
        inner: Vec<Inner>,
        #[serde(default)]
        note: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Inner {
        count: u8,
        #[serde(default)]
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Nested {
        #[serde(deserialize_with = "object")]
        inner: Inner,
        #[serde(default, deserialize_with = "optional_object")]
        other: Option<Inner>,
        #[serde(default)]
        whole: Option<WholeNumber>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Known,
    }

    fn check(body: &str, pointer: &str, code: &str) {
        check_as::<Outer>(body, pointer, code);
    }

    fn check_as<T: DeserializeOwned + fmt::Debug>(body: &str, pointer: &str, code: &str) {
        let problem = parse(body.as_bytes())
            .and_then(|value| typed::<T>(&value, ""))
            .expect_err("the body must be refused");
        assert_eq!(problem.code(), Code::ValidationFailed, "{body}: {}", problem.detail());
        let error = &problem.errors()[0];
        assert_eq!((error.pointer.as_str(), error.code), (pointer, code), "{body}: {error:?}");
    }

    #[test]
    fn what_does_not_fit_says_where_and_why() {
        check(r#"{"inner": [{"count": 1}, {"count": "2"}]}"#, "/inner/1/count", "wrong_type");
        check(r#"{"inner": [{"count": 1.5}]}"#, "/inner/0/count", "wrong_type");
        check(r#"{"inner": [{"count": null}]}"#, "/inner/0/count", "wrong_type");
        check(r#"{"inner": [{"count": 256}]}"#, "/inner/0/count", "out_of_range");
        check(r#"{"inner": [{"count": -1}]}"#, "/inner/0/count", "out_of_range");
        check(r#"{"inner": [{"count": 1e999}]}"#, "", "out_of_range");
        check(r#"{"inner": [{}]}"#, "/inner/0/count", "required");
        check(r#"{"inner": [{"count": 1, "a/b": 1}]}"#, "/inner/0/a~1b", "unknown_field");
        check(r#"{"inner": [{"count": 1, "kind": "x"}]}"#, "/inner/0/kind", "unknown_value");
        check(r#"{"inner": {}}"#, "/inner", "wrong_type");
        check(r#"{}"#, "/inner", "required");
        check(r#"{"inner": [], "x": 1}"#, "/x", "unknown_field");
        check(r#"{"inner": [], "[0]": 1}"#, "/[0]", "unknown_field");
        check(r#"{"inner": [], "?": 1}"#, "/?", "unknown_field");
        check("[1]", "", "wrong_type");
        check("null", "", "wrong_type");
    }

    #[test]
    fn nested_objects_are_objects() {
        check_as::<Nested>(r#"{"inner": [1]}"#, "/inner", "wrong_type");
        check_as::<Nested>(r#"{"inner": null}"#, "/inner", "wrong_type");
        check_as::<Nested>(r#"{"inner": {"count": "1"}}"#, "/inner/count", "wrong_type");
        check_as::<Nested>(r#"{"inner": {"count": 1, "x": 1}}"#, "/inner/x", "unknown_field");
        let with = |rest: &str| format!(r#"{{"inner": {{"count": 1}}, {rest}}}"#);
        check_as::<Nested>(&with(r#""other": [1]"#), "/other", "wrong_type");
        check_as::<Nested>(&with(r#""other": {}"#), "/other/count", "required");
        check_as::<Nested>(&with(r#""whole": 1.5"#), "/whole", "wrong_type");
        check_as::<Nested>(&with(r#""whole": true"#), "/whole", "wrong_type");
        for (text, number) in [("2.0", 2), ("-3", -3), ("99999999999999999999", i64::MAX)] {
            let value = parse(with(&format!("\"whole\": {text}")).as_bytes()).unwrap();
            let nested: Nested = typed(&value, "").unwrap();
            assert_eq!(nested.whole, Some(WholeNumber(number)));
        }
    }

    #[test]
    fn what_cannot_be_parsed_is_malformed() {
        let deep = format!("{}{}", "[".repeat(33), "]".repeat(33));
        let very_deep = "[".repeat(100_000);
        let cases: [&[u8]; 11] = [
            b"",
            b"{",
            b"{} x",
            b"{\"a\": 1, \"a\": 2}",
            b"{\"a\": \xff}",
            b"\"\xc3\x28\"",
            b"{'a': 1}",
            b"{\"inner\": 5, ",
            b"NaN",
            deep.as_bytes(),
            very_deep.as_bytes(),
        ];
        for case in cases {
            let problem = parse(case).expect_err("must be refused");
            let start = String::from_utf8_lossy(&case[..case.len().min(40)]).into_owned();
            assert_eq!(problem.code(), Code::MalformedJson, "{start}");
        }
        let allowed = format!("{}{}", "[".repeat(32), "]".repeat(32));
        parse(allowed.as_bytes()).expect("32 levels are allowed");
    }

    #[test]
    fn knows_json_by_its_type() {
        for (value, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=UTF-8", true),
            ("application/merge-patch+json", true),
            ("application/json; charset=latin1", false),
            ("text/json", false),
            ("application/x-www-form-urlencoded", false),
            ("+json", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            assert_eq!(has_json_type(&headers), expected, "{value}");
        }
        assert!(!has_json_type(&HeaderMap::new()));
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        headers.insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        assert!(!has_json_type(&headers));
    }
}

//! The document against the shapes it promises and the routes there are.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

fn document() -> Value {
    serde_json::from_str(document_json()).unwrap()
}

/// Follows a reference.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(path) => document.pointer(path.trim_start_matches('#')).expect("a dangling $ref"),
        None => schema,
    }
}

/// What is wrong with a value, by its schema: as much of JSON Schema as the document uses.
fn check(document: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    check_part(document, schema, value, at, wrong);
    let Some(fields) = value.as_object() else { return };
    let Some(known) = properties(document, schema, value) else { return };
    for name in fields.keys().filter(|name| !known.contains(*name)) {
        wrong.push(format!("{at}: {name} is not described"));
    }
}

/// All names that a schema and its parts know; `None` where it is open to any.
fn properties(document: &Value, schema: &Value, value: &Value) -> Option<BTreeSet<String>> {
    let schema = resolve(document, schema);
    if schema.get("additionalProperties").is_some_and(|allowed| *allowed != false) {
        return None;
    }
    let own = schema.get("properties").and_then(Value::as_object);
    let mut names: BTreeSet<String> = own.into_iter().flat_map(|map| map.keys().cloned()).collect();
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        names.extend(properties(document, part, value)?);
    }
    let either = ["oneOf", "anyOf"].into_iter().filter_map(|name| schema.get(name));
    for part in either.filter_map(Value::as_array).flatten() {
        if fits(document, part, value) {
            names.extend(properties(document, part, value)?);
        }
    }
    Some(names)
}

fn fits(document: &Value, schema: &Value, value: &Value) -> bool {
    let mut wrong = Vec::new();
    check_part(document, schema, value, "", &mut wrong);
    wrong.is_empty()
}

/// The same, but for names that nobody described: those a sibling may know.
fn check_part(document: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let schema = resolve(document, schema);
    let parts = |name: &str| schema.get(name).and_then(Value::as_array);
    for options in ["oneOf", "anyOf"].into_iter().filter_map(parts) {
        if !options.iter().any(|option| fits(document, option, value)) {
            wrong.push(format!("{at}: {value} is none of its choices"));
        }
    }
    for part in parts("allOf").into_iter().flatten() {
        check_part(document, part, value, at, wrong);
    }
    if !has_type(schema, value) {
        wrong.push(format!("{at}: {value} is not {}", schema["type"]));
    }
    if let Some(values) = parts("enum")
        && !values.contains(value)
    {
        wrong.push(format!("{at}: {value} is none of {values:?}"));
    }
    for name in parts("required").into_iter().flatten() {
        if value.is_object() && value.get(name.as_str().unwrap()).is_none() {
            wrong.push(format!("{at}: {name} is missing"));
        }
    }
    for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten()
    {
        if let Some(value) = value.get(name) {
            check(document, schema, value, &format!("{at}/{name}"), wrong);
        }
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (index, value) in values.iter().enumerate() {
            check(document, items, value, &format!("{at}/{index}"), wrong);
        }
    }
}

fn has_type(schema: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("{other} is not a type of JSON Schema"),
    };
    match schema.get("type") {
        None => true,
        Some(Value::String(name)) => is(name),
        Some(Value::Array(names)) => names.iter().any(|name| is(name.as_str().unwrap())),
        Some(other) => panic!("{other} is not a type of JSON Schema"),
    }
}

/// Every body in the document: where it is, its media type, and what is said of it.
fn bodies(document: &Value) -> Vec<(String, String, Value)> {
    let mut bodies = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let replies = operation["responses"].as_object().unwrap();
            let all = replies
                .iter()
                .map(|(status, reply)| (status.as_str(), reply))
                .chain(operation.get("requestBody").map(|body| ("request", body)));
            for (what, body) in all {
                let content = body.get("content").and_then(Value::as_object);
                for (mime, content) in content.into_iter().flatten() {
                    bodies.push((format!("{method} {path} {what}"), mime.clone(), content.clone()));
                }
            }
        }
    }
    bodies
}

#[test]
fn it_is_openapi_3_1_with_a_server_and_a_bearer_token() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(document["servers"][0]["url"], "/");
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[test]
fn every_json_body_has_an_example_of_its_shape() {
    let document = document();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (place, mime, content) in bodies(&document) {
        if !mime.ends_with("json") || place.starts_with("get /openapi.json") {
            continue;
        }
        let one = content.get("example").into_iter();
        let many = content.get("examples").and_then(Value::as_object);
        let many = many.into_iter().flat_map(|examples| examples.values().map(|e| &e["value"]));
        let examples: Vec<&Value> = one.chain(many).collect();
        assert!(!examples.is_empty(), "{place} has no example");
        for example in examples {
            check(&document, &content["schema"], example, &place, &mut wrong);
            seen += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 100, "only {seen} examples were found");
}

#[test]
fn every_reference_leads_somewhere_and_every_shape_is_used() {
    let document = document();
    let text = document_json();
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("\"#/components/schemas/{name}\"")), "{name} is not used");
    }
    for reference in text.split("\"$ref\":\"").skip(1) {
        let path = reference.split('"').next().unwrap();
        let found = document.pointer(path.trim_start_matches('#'));
        assert!(found.is_some(), "{path} leads nowhere");
    }
}

#[test]
fn operations_have_ids_of_their_own_a_tag_a_summary_and_their_refusals() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} appears twice");
            assert!(operation["tags"][0].is_string() && operation["summary"].is_string());
            if path.starts_with("/v1") || path.starts_with("/admin") {
                let replies = operation["responses"].as_object().unwrap();
                assert!(replies.contains_key("400"), "{method} {path} refuses nothing");
                assert!(replies.contains_key("503"), "{method} {path} is always there");
            }
        }
    }
}

#[test]
fn what_may_be_left_out_is_not_sent_by_whoever_tries_a_call() {
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation.get("parameters").and_then(Value::as_array);
            for parameter in parameters.into_iter().flatten() {
                let name = &parameter["name"];
                let is_required = parameter["required"] == true;
                let has_example = parameter.get("example").is_some();
                assert_eq!(is_required, has_example, "{name} of {method} {path}");
            }
        }
    }
}

#[test]
fn every_call_says_who_may_make_it() {
    for operation in operations() {
        let path = operation.path;
        let needs = operation.needs.unwrap_or_else(|| panic!("{path} does not say who may call"));
        let is_of_the_house = matches!(needs, Needs::Scope(_));
        assert_eq!(is_of_the_house, path.starts_with("/admin/"), "{path}: {needs:?}");
    }
    assert_eq!(access().len(), operations().len());
}

/// Each route that the code names, as `get /path`.
fn routes() -> BTreeSet<String> {
    let mut open = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/routes")];
    let mut found = BTreeSet::new();
    while let Some(place) = open.pop() {
        if place.is_dir() {
            open.extend(std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let source = std::fs::read_to_string(&place).unwrap();
        for route in source.split(".route(\"").skip(1) {
            let (path, rest) = route.split_once('"').unwrap();
            // Up to the next route or the end of the statement.
            let rest = rest.split([';', '}']).next().unwrap();
            for method in ["get", "post", "put", "patch", "delete"] {
                if [' ', '.'].iter().any(|before| rest.contains(&format!("{before}{method}("))) {
                    found.insert(format!("{method} {path}"));
                }
            }
        }
    }
    found
}

#[test]
fn every_route_is_described_and_no_other() {
    // Files of the document's own browser, other spellings of its address, and the list of the
    // error pages.
    let unlisted = ["get /docs/", "get /docs/{file}", "get /docs/errors"];
    let routes: BTreeSet<String> = routes()
        .into_iter()
        .filter(|route| !unlisted.contains(&route.as_str()))
        .map(|route| route.replace("{*key}", "{key}"))
        .collect();
    let is_by_hand = routes.iter().find(|route| route.contains(" /admin"));
    assert_eq!(is_by_hand, None, "calls of the house are declared in their table");
    let table = crate::routes::admin::table()
        .into_iter()
        .map(|route| format!("{} {}", route.method.as_str().to_ascii_lowercase(), route.path));
    let routes: BTreeSet<String> = routes.into_iter().chain(table).collect();
    let document = document();
    let described = document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        item.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
    });
    assert_eq!(described.collect::<BTreeSet<_>>(), routes);
}

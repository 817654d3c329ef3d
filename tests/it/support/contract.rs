//! Replies against the API's own description: every status, content type and body that a test
//! sees has to be one that `/openapi.json` promises, with no field more and none less.

use std::collections::HashMap;
use std::sync::Arc;

use jsonschema::Validator;
use parking_lot::Mutex;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::client::Reply;

/// The description, read once.
pub struct Contract {
    pub document: Value,
    /// The same with objects closed to what is not described; bodies are held to this.
    closed: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

pub async fn contract(url: &str) -> &'static Contract {
    static CONTRACT: OnceCell<Contract> = OnceCell::const_new();
    let read = async || {
        let reply = reqwest::get(format!("{url}/openapi.json")).await.unwrap();
        let document: Value = reply.json().await.unwrap();
        let mut closed = document.clone();
        close(&mut closed["components"]["schemas"]);
        Contract { document, closed, validators: Mutex::default() }
    };
    CONTRACT.get_or_init(read).await
}

/// Nothing but the described fields may be there.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            // Parts of a composition cannot know the other parts' fields.
            if fields.contains_key("properties")
                && fields.get("type") == Some(&json!("object"))
                && !fields.contains_key("additionalProperties")
            {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}

/// What is wrong with a reply, by the description.
pub async fn check(url: &str, method: &Method, path: &str, reply: &Reply) -> Result<(), String> {
    let contract = contract(url).await;
    let Some(template) = contract.template(path) else { return Ok(()) };
    let method = method.as_str().to_lowercase();
    let Some(operation) = contract.document["paths"][&template].get(&method) else {
        return match (method.as_str(), reply.status) {
            ("head" | "options", _) | (_, 401 | 405) => Ok(()),
            _ => Err(format!("{template} does not describe {method}")),
        };
    };
    let status = reply.status.to_string();
    let Some(promised) = operation["responses"].get(&status) else {
        return Err(format!("{template} {method} does not describe {status}"));
    };
    let Some(content) = promised.get("content") else {
        return match reply.body.is_empty() {
            true => Ok(()),
            false => Err("the description promises no body".to_owned()),
        };
    };
    let kind = reply.header("content-type");
    let bare = kind.split(';').next().unwrap_or_default();
    let kinds = content.as_object().ok_or("content is an object")?;
    if kinds.contains_key("application/octet-stream") {
        return Ok(());
    }
    let Some(mime) = kinds.keys().find(|mime| mime.split(';').next() == Some(bare)) else {
        return Err(format!("the content type {kind} is not described"));
    };
    // A compressed body, and one that is not JSON, is looked at elsewhere.
    if !bare.ends_with("json") || !reply.header("content-encoding").is_empty() {
        return Ok(());
    }
    let place = [template.as_str(), &method, "responses", &status, "content", mime, "schema"];
    contract.validate(&place, reply)
}

impl Contract {
    /// The path of the description that an address fits to.
    pub fn template(&self, path: &str) -> Option<String> {
        let path = path.split('?').next().unwrap_or_default();
        let paths = self.document["paths"].as_object()?;
        let mut fitting = paths.keys().filter(|template| fits(template, path));
        // One that names the part beats one that takes any.
        let first = fitting.next()?;
        let best = fitting.fold(first, |best, next| {
            if next.matches('{').count() < best.matches('{').count() { next } else { best }
        });
        Some(best.clone())
    }

    fn validate(&self, place: &[&str], reply: &Reply) -> Result<(), String> {
        let schema = place.iter().try_fold(&self.closed["paths"], |found, part| found.get(part));
        let Some(schema) = schema else { return Ok(()) };
        let validator = self.validator(&place.join(" "), schema)?;
        let body = reply.json();
        let wrong: Vec<String> = validator
            .iter_errors(&body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    fn validator(&self, place: &str, schema: &Value) -> Result<Arc<Validator>, String> {
        if let Some(known) = self.validators.lock().get(place) {
            return Ok(Arc::clone(known));
        }
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": self.closed["components"],
        });
        let made = jsonschema::validator_for(&schema).map_err(|e| format!("{place}: {e}"))?;
        let made = Arc::new(made);
        self.validators.lock().insert(place.to_owned(), Arc::clone(&made));
        Ok(made)
    }
}

fn fits(template: &str, path: &str) -> bool {
    // The key of a file may hold slashes.
    if let Some(prefix) = template.strip_suffix("{key}") {
        return path.starts_with(prefix) && path.len() > prefix.len();
    }
    let (wanted, given) = (template.split('/'), path.split('/'));
    wanted.clone().count() == given.clone().count()
        && wanted.zip(given).all(|(wanted, given)| {
            if wanted.starts_with('{') { !given.is_empty() } else { wanted == given }
        })
}

//! `barrow api-key`: made, listed and revoked, beside a running server and before there is one.

use reqwest::Method;
use serde_json::{Value, json};

use crate::command::{Home, Server, until};

/// Makes a key; its secret and its id.
fn make(home: &Home, args: &[&str]) -> (String, String) {
    let ended = home.run(&[&["api-key", "create"], args].concat()).check(0);
    let secret = ended.out.strip_suffix('\n').unwrap().to_owned();
    assert!(secret.starts_with("barrow_key_") && !secret.contains(char::is_whitespace));
    let id = ended.err.split_whitespace().find(|word| word.starts_with("key_")).unwrap();
    assert!(!ended.err.contains(&secret), "{ended:?}");
    (secret, id.to_owned())
}

fn levels(server: &Server, secret: &str) -> u16 {
    server.send(Method::GET, "/admin/v1/stock/levels", Some(secret), None).0
}

#[test]
fn keys_come_and_go_beside_a_running_server() {
    let home = Home::new();
    home.import_small_catalog();
    let (before, _) = make(&home, &["--scope", "stock:write"]);
    let server = home.serve_with(&["--log-level", "trace"]);
    assert_eq!(levels(&server, &before), 200, "it was made before the server was started");
    let (secret, id) = make(&home, &["--scope", "stock:read", "orders:read", "--name", "till"]);
    assert_eq!(levels(&server, &secret), 200, "a new key is good at once");
    let body = json!({"sku": "MUG-1", "quantity": 1, "reason": "found"});
    let movements = "/admin/v1/stock/movements";
    let (status, refusal) = server.send(Method::POST, movements, Some(&secret), Some(body.clone()));
    assert_eq!((status, refusal["code"].as_str()), (403, Some("forbidden")), "{refusal}");
    assert!(refusal["detail"].as_str().unwrap().contains("stock:write"), "{refusal}");
    let (status, movement) = server.send(Method::POST, movements, Some(&before), Some(body));
    assert_eq!(status, 201, "{movement}");

    let used = || home.run(&["api-key", "list", "--json"]).check(0).json();
    let of = |keys: &Value| -> Value {
        let mut keys = keys.as_array().unwrap().iter();
        keys.find(|key| key["id"] == id.as_str()).cloned().unwrap_or_default()
    };
    until("the use is seen", || !of(&used())["last_used_at"].is_null());
    let key = of(&used());
    assert_eq!(
        (&key["name"], &key["scopes"]),
        (&json!("till"), &json!(["stock:read", "orders:read"]))
    );
    assert_eq!(key["revoked_at"], Value::Null);

    home.run(&["api-key", "revoke", &id]).check(0).says(&[&id, "till"]);
    until("the key is refused", || levels(&server, &secret) == 401);
    assert_eq!(levels(&server, &before), 200, "the other is as good as before");
    assert_eq!(of(&used()), Value::Null, "what was revoked is shown only if asked for");
    let all = home.run(&["api-key", "list", "--all"]).check(0);
    assert!(all.out.contains(&format!("{id}  revoked ")), "{all:?}");
    let log = server.stop().check(0).err;
    for secret in [&before, &secret] {
        assert!(!log.contains(&secret["barrow_key_".len()..]), "a secret is in the log");
    }
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the log was as loud as it gets");
}

#[test]
fn a_key_ends_when_it_was_told_to() {
    let home = Home::new();
    home.import_small_catalog();
    let (secret, _) = make(&home, &["--scope", "*", "--expires-in", "2s"]);
    let server = home.serve();
    until("the key expires", || levels(&server, &secret) == 401);
    let (_, refusal) = server.send(Method::GET, "/admin/v1/stock/levels", Some(&secret), None);
    assert_eq!(refusal["code"], "token_expired", "{refusal}");
}

#[test]
fn what_cannot_be_is_said() {
    let home = Home::new();
    let usage = home.run(&["api-key", "create", "--scope", "orders:burn"]).check(2);
    let usage = usage.says(&["orders:burn", "orders:read", "catalog:write", "audit:read", "*"]);
    assert_eq!(usage.out, "");
    home.run(&["api-key", "create"]).check(2).says(&["--scope"]);
    home.run(&["api-key", "create", "--scope", "*", "--name", ""]).check(2).says(&["--name"]);
    home.run(&["api-key", "revoke", "key_1"]).check(2).says(&["key_1"]);
    let unknown = "key_00000000000000000000000001";
    home.run(&["api-key", "revoke", unknown]).check(1).says(&[unknown, "api-key list"]);
    let none = home.run(&["api-key", "list"]).check(0);
    assert_eq!(none.out, "");
}

//! A backup is proven by restoring it: taken while the shop serves and carts change.

use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Method;
use serde_json::{Value, json};

use crate::command::{Home, Server, text};

/// A session with a cart of its own: its token and the cart's path.
fn open_cart(server: &Server) -> (String, String) {
    let (status, session) = server.send(Method::POST, "/v1/sessions", None, Some(json!({})));
    assert_eq!(status, 201, "{session}");
    let token = session["token"].as_str().unwrap().to_owned();
    let (status, cart) = server.send(Method::POST, "/v1/carts", Some(&token), Some(json!({})));
    assert_eq!(status, 201, "{cart}");
    (token, format!("/v1/carts/{}", cart["id"].as_str().unwrap()))
}

fn add(server: &Server, token: &str, cart: &str, sku: &str) -> Value {
    let body = json!({"sku": sku, "quantity": 1});
    let (status, cart) =
        server.send(Method::POST, &format!("{cart}/lines"), Some(token), Some(body));
    assert_eq!(status, 200, "{cart}");
    cart
}

fn cart(server: &Server, token: &str, path: &str) -> Value {
    let (status, cart) = server.send(Method::GET, path, Some(token), None);
    assert_eq!(status, 200, "{cart}");
    cart
}

fn check(name: &str) {
    let home = Home::new();
    home.import_small_catalog();
    let server = home.serve();
    std::fs::create_dir_all(home.path("data/media/p")).unwrap();
    std::fs::write(home.path("data/media/p/mug.webp"), b"a picture").unwrap();
    let (token, quiet) = open_cart(&server);
    let before = add(&server, &token, &quiet, "MUG-1");
    // Another cart changes all the while.
    let (other, busy) = open_cart(&server);
    let ended = AtomicBool::new(false);
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                add(&server, &other, &busy, "BOWL-1");
            }
        });
        let report = home.run(&["backup", name, "--json"]);
        ended.store(true, Ordering::Relaxed);
        report.check(0).json()
    });
    assert_eq!(report["while_serving"], true);
    assert_eq!(report["media_files"], 1);
    let at_the_end = cart(&server, &other, &busy);
    server.stop().check(0);

    let restored = home.run(&["restore", name, "--data", "restored", "--json"]).check(0).json();
    assert_eq!(restored["rows"], report["rows"]);
    let picture = std::fs::read(home.path("restored/media/p/mug.webp")).unwrap();
    assert_eq!(picture, b"a picture");
    // The tokens are good still, and the carts are as they were at one instant.
    let server = home.serve_with(&["--data", "restored"]);
    assert_eq!(cart(&server, &token, &quiet), before);
    let version = |cart: &Value| cart["version"].as_u64().unwrap();
    assert!(version(&cart(&server, &other, &busy)) <= version(&at_the_end));
    add(&server, &token, &quiet, "MUG-1");
    server.stop().check(0);
    let exported = |data| home.run(&["export", "--data", data]).check(0).out;
    assert_eq!(exported("restored"), exported("data"));
}

#[test]
fn a_backup_taken_while_serving_restores_to_what_was_there() {
    check("backup");
}

#[test]
fn a_tar_file_restores_to_what_was_there() {
    check("backup.tar");
}

#[test]
fn a_backup_of_a_shop_at_rest_is_the_same() {
    let home = Home::new();
    home.import_small_catalog();
    let written = home.run(&["backup", "backup", "--json"]).check(0).json();
    assert_eq!(written["while_serving"], false);
    home.run(&["backup", "backup"]).check(1).says(&["backup is there already"]);
    home.run(&["restore", "backup", "--data", "restored"]).check(0);
    // What was restored makes the same backup again, to the last bit.
    home.run(&["backup", "again", "--data", "restored"]).check(0);
    let rows = |name| std::fs::read(home.path(name).join("store.backup")).unwrap();
    assert_eq!(rows("again"), rows("backup"));
}

#[test]
fn a_restore_wants_an_empty_directory_and_a_whole_backup() {
    let home = Home::new();
    home.import_small_catalog();
    home.run(&["backup", "backup"]).check(0);
    home.run(&["restore", "backup"]).check(1).says(&["data is not empty", "--data"]);
    home.run(&["restore", "missing", "--data", "new"]).check(1).says(&["missing"]);
    let file = home.path("backup/store.backup");
    let mut content = std::fs::read(&file).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    std::fs::write(&file, content).unwrap();
    home.run(&["restore", "backup", "--data", "new"]).check(1).says(&["store.backup", "damaged"]);
    assert!(!home.path("new").exists(), "nothing is left of it");
    home.run(&["backup", text(&home.path("x")), "--data", "nowhere"])
        .check(1)
        .says(&["nothing to save"]);
}

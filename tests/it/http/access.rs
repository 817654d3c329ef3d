//! Who gets in where: every call of the shop and of the house, asked by everybody. What is
//! expected follows from what the call is declared to need, so a call that is added is tried too.

use std::path::Path;

use barrow_api::openapi::{Needs, access};
use barrow_engine::access::{Scope, ScopeSet};
use barrow_tests::server::run;
use reqwest::Method;
use serde_json::{Value, json};

use super::admin::api_key;
use super::checkout::{buy, fill};
use crate::support::client::text;
use crate::support::{Client, small_shop, until};

const NO_CART: &str = "cart_0tpg4j1rg8jb145zt13dgk2bkn";
const NO_ORDER: &str = "ord_0tpg4j1rg8jb145zt13dgk2bkn";

/// The status of an answer, and its code where it is a refusal.
type Answer = (u16, String);

/// Asks without a word too many: an empty object is what every call can read.
async fn ask(client: &Client, method: &Method, path: &str) -> Answer {
    let call = client.call(method.clone(), path);
    let has_body = [Method::POST, Method::PUT, Method::PATCH].contains(method);
    let call = if has_body { call.json(&json!({})) } else { call };
    // An event stream does not end.
    let response = call.stream().await;
    let status = response.status().as_u16();
    let mut code = String::new();
    if status >= 400 {
        let problem: Value = response.json().await.unwrap_or_default();
        code = problem["code"].as_str().unwrap_or_default().to_owned();
    }
    (status, code)
}

/// An address with its parts filled in.
fn filled(template: &str, cart: &str, order: &str) -> String {
    let id = if template.contains("/orders/") { order } else { cart };
    let parts = template.split('/').map(|part| match part {
        "{id}" => id,
        "{line_id}" => "line_1",
        "{code}" => "not_found",
        part if part.starts_with('{') => "nothing",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Somebody with a cart, and an order where the call is about one.
async fn owner(visitor: &Client, template: &str, place: usize) -> (Client, String, String) {
    let guest = visitor.guest().await;
    let cart = fill(&guest, &[(0, 1)]).await;
    let id = cart.path.rsplit('/').next().unwrap().to_owned();
    if !template.contains("/orders/") {
        return (guest, id, NO_ORDER.to_owned());
    }
    let bought = buy(&cart, "ok", &format!("an-order-to-be-asked-for-{place}")).await.made().await;
    (guest, id, text(&bought["id"]).to_owned())
}

fn is_let_in(answer: &Answer) -> bool {
    let refused = ["unauthenticated", "token_expired", "forbidden"];
    answer.0 != 401 && !refused.contains(&answer.1.as_str())
}

fn is_turned_away(answer: &Answer) -> bool {
    *answer == (401, "unauthenticated".to_owned())
}

/// A key of each scope alone.
fn keys(folder: &Path, url: &str) -> Vec<(Scope, Client)> {
    let client = |scope: Scope| Client::of(url).with_token(&api_key(folder, &[scope.as_str()]));
    Scope::ALL.iter().map(|scope| (*scope, client(*scope))).collect()
}

async fn revoked(folder: &Path, url: &str) -> Client {
    let made = run(folder, &["api-key", "create", "--scope", "*"]);
    let client = Client::of(url).with_token(made.out.trim_end());
    let id = made.err.split_whitespace().find(|word| word.starts_with("key_")).unwrap();
    assert_eq!(run(folder, &["api-key", "revoke", id]).code, Some(0));
    until("the key is refused", async || {
        is_turned_away(&ask(&client, &Method::GET, "/admin/v1/orders").await)
    })
    .await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_in_where_they_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).start();
    let visitor = Client::of(&server.url);
    let (keys, ended) =
        (keys(folder.path(), &server.url), revoked(folder.path(), &server.url).await);
    let (mut leaks, mut asked) = (Vec::new(), 0);
    for (place, (method, template, needs)) in access().into_iter().enumerate() {
        let (owner, cart, order) = owner(&visitor, template, place).await;
        let (path, nowhere) =
            (filled(template, &cart, &order), filled(template, NO_CART, NO_ORDER));
        let mut expect = |who: &str, answer: &Answer, is_right: bool| {
            asked += 1;
            if !is_right {
                leaks.push(format!("{method} {template} ({needs:?}): {who} got {answer:?}"));
            }
        };
        let answer = ask(&visitor, &method, &path).await;
        let is_open = matches!(needs, Needs::Nothing | Needs::MaybeToken);
        let is_right = if is_open { is_let_in(&answer) } else { is_turned_away(&answer) };
        expect("nobody", &answer, is_right);
        let answer = ask(&ended, &method, &path).await;
        let is_right = match needs {
            // Where no credential is needed, a bad one is refused or not looked at.
            Needs::Nothing => is_let_in(&answer) || is_turned_away(&answer),
            _ => is_turned_away(&answer),
        };
        expect("a revoked key", &answer, is_right);
        for (scope, key) in &keys {
            let answer = ask(key, &method, &path).await;
            let given: ScopeSet = [*scope].into_iter().collect();
            let is_right = match needs {
                Needs::Nothing | Needs::MaybeToken => is_let_in(&answer),
                Needs::Token => is_turned_away(&answer),
                Needs::Scope(needed) if given.allows(needed) => is_let_in(&answer),
                Needs::Scope(_) => answer == (403, "forbidden".to_owned()),
            };
            expect(scope.as_str(), &answer, is_right);
        }
        // A stranger learns as much of what is there as of what is not.
        let other = visitor.guest().await;
        let answer = ask(&other, &method, &path).await;
        let is_right = match needs {
            Needs::Scope(_) => is_turned_away(&answer),
            Needs::Token if path != nowhere => {
                answer.0 >= 400 && answer == ask(&other, &method, &nowhere).await
            }
            _ => is_let_in(&answer),
        };
        expect("a stranger", &answer, is_right);
        // The owner comes last: what is theirs may be gone afterwards.
        let answer = ask(&owner, &method, &path).await;
        let is_right = match needs {
            Needs::Scope(_) => is_turned_away(&answer),
            Needs::Token => is_let_in(&answer) && answer.0 != 404,
            _ => is_let_in(&answer),
        };
        expect("the owner", &answer, is_right);
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    assert!(asked > 1_000, "only {asked} were tried");
    println!("{asked} requests, each answered as its call is declared");
}

//! The shop under load: a catalog of its own, and 10,000 carts with five lines each.

use std::fmt::Write;
use std::net::SocketAddr;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::load::{Connection, KEY_DIGITS, Request, find};
use crate::server::{Server, role};

const PRODUCTS: usize = 1_000;
const CARTS: usize = 10_000;
/// Carts of one session.
const CARTS_PER_SESSION: usize = 100;

pub struct Shop {
    server: Server,
    _data: tempfile::TempDir,
    carts: Vec<(String, String)>,
}

impl Shop {
    pub async fn start() -> anyhow::Result<Shop> {
        let data = tempfile::tempdir()?;
        import_catalog(data.path())?;
        let mut command = role("shop")?;
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data.path().join("data"));
        let server = Server::start(command)?;
        let carts = fill(server.address).await?;
        Ok(Shop { server, _data: data, carts })
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// What the limit has to answer as large a body as.
    pub async fn sample_reply(&self) -> anyhow::Result<Vec<u8>> {
        let (cart, token) = &self.carts[0];
        let mut connection = Connection::open(self.address()).await?;
        let (status, body) =
            connection.send(&get(&format!("/v1/carts/{cart}"), &bearer(token))).await?;
        ensure!(status == 200, "a cart cannot be read: {status}");
        Ok(body)
    }

    pub fn bodies(&self) -> impl Iterator<Item = String> {
        (0..CARTS).map(|n| add_body(n * 7))
    }

    /// An add for every cart.
    pub fn adds(&self) -> Vec<Request> {
        let adds = self.carts.iter().zip(self.bodies()).map(|((cart, token), body)| {
            keyed_post(&format!("/v1/carts/{cart}/lines"), &bearer(token), &body)
        });
        adds.collect()
    }

    pub fn gets(&self) -> Vec<Request> {
        let gets = self.carts.iter().map(|(cart, token)| {
            let bytes = get(&format!("/v1/carts/{cart}"), &bearer(token));
            Request { bytes, key_at: None }
        });
        gets.collect()
    }
}

fn import_catalog(folder: &std::path::Path) -> anyhow::Result<()> {
    let mut lines = String::new();
    for n in 0..PRODUCTS {
        let price = json!({"amount": {"amount": 500 + n as i64, "currency": "EUR"}});
        let product = json!({
            "type": "product", "slug": format!("product-{n}"), "external_id": format!("p{n}"),
            "title": format!("A believable product name {n}"), "status": "active",
            "variants": [{"sku": sku(n), "prices": [price]}],
        });
        writeln!(lines, "{product}")?;
        writeln!(lines, "{}", json!({"type": "stock", "sku": sku(n), "on_hand": 1_000_000}))?;
    }
    let file = folder.join("catalog.jsonl");
    std::fs::write(&file, lines)?;
    let data = folder.join("data");
    let status = role("shop")?.arg("import").arg(&file).arg("--data").arg(data).status()?;
    ensure!(status.success(), "the catalog could not be imported");
    Ok(())
}

fn sku(n: usize) -> String {
    format!("SKU-{:07}", n % PRODUCTS)
}

fn add_body(n: usize) -> String {
    json!({"sku": sku(n), "quantity": 1}).to_string()
}

async fn fill(address: SocketAddr) -> anyhow::Result<Vec<(String, String)>> {
    let mut connection = Connection::open(address).await?;
    let mut carts = Vec::with_capacity(CARTS);
    while carts.len() < CARTS {
        let session = made(&mut connection, &post("/v1/sessions", "", "{}"), "token").await?;
        for _ in 0..CARTS_PER_SESSION {
            let open = post("/v1/carts", &bearer(&session), "{}");
            let cart = made(&mut connection, &open, "id").await?;
            let actions: Vec<Value> = (1..=5)
                .map(
                    |k| json!({"type": "add_line", "sku": sku(carts.len() * 7 + k), "quantity": 2}),
                )
                .collect();
            let body = json!({ "actions": actions }).to_string();
            let path = format!("/v1/carts/{cart}/actions");
            made(&mut connection, &post(&path, &bearer(&session), &body), "id").await?;
            carts.push((cart, session.clone()));
        }
    }
    Ok(carts)
}

/// Sends, and answers a member of the reply.
async fn made(connection: &mut Connection, request: &[u8], member: &str) -> anyhow::Result<String> {
    let (status, body) = connection.send(request).await?;
    let reply: Value = serde_json::from_slice(&body)?;
    ensure!(status < 300, "{status}: {reply}");
    let text = reply[member].as_str().with_context(|| format!("no {member} in {reply}"))?;
    Ok(text.to_owned())
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

pub fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub fn keyed_post(path: &str, headers: &str, body: &str) -> Request {
    let name = "idempotency-key: bench-";
    let headers = format!("{name}{}\r\n{headers}", "0".repeat(KEY_DIGITS));
    let bytes = post(path, &headers, body);
    let key_at = find(&bytes, name.as_bytes()).map(|at| at + name.len());
    Request { bytes, key_at }
}

pub fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{headers}\r\n").into_bytes()
}

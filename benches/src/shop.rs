//! The shop under load: carts with five lines each.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::catalog::{self, sku};
use crate::client::{Client, Reply};
use crate::limit::{Replies, Sample};
use crate::load::requests::Request;
use crate::load::{Requests, Target};
use crate::metrics;
use crate::server::Server;

/// What one round of adds is spread over.
pub const CARTS: usize = 10_000;
/// A cart remembers the keys of five minutes, and no shopper clicks six times a second for so
/// long: rounds take turns on so many sets of carts.
const SETS: usize = 5;
pub const LINES: usize = 5;
/// Carts of one session.
const CARTS_PER_SESSION: usize = 100;
/// Connections that fill it.
const FILLERS: usize = 32;

pub struct Shop {
    server: Server,
    _data: tempfile::TempDir,
    sets: Vec<Vec<ShopCart>>,
}

pub struct ShopCart {
    pub id: String,
    pub bearer: String,
    /// Which products it has.
    first_product: usize,
}

impl Shop {
    pub async fn start(dir: &Path, sets: usize) -> anyhow::Result<Shop> {
        let data = tempfile::tempdir_in(dir)?;
        catalog::import(data.path())?;
        let server = Server::shop(data.path(), &[])?;
        let mut carts = fill(server.address(), sets.min(SETS) * CARTS).await?;
        let mut sets = Vec::new();
        while !carts.is_empty() {
            sets.push(carts.split_off(carts.len() - CARTS));
        }
        Ok(Shop { server, _data: data, sets })
    }

    /// What the limit has to answer.
    pub async fn samples(&self) -> anyhow::Result<Replies> {
        let mut client = Client::open(self.address()).await?;
        let cart = &self.sets[0][0];
        Ok(Replies {
            add: sample(&client.send(&cart.add(0)).await?)?,
            get: sample(&client.send(&cart.get()).await?)?,
            page: sample(&client.send(&catalog::page(0)).await?)?,
        })
    }

    /// An add for every cart of the set; each raises the quantity of a line that is there, so
    /// that carts and replies keep their size.
    pub fn adds(&self, round: usize) -> anyhow::Result<Requests> {
        Requests::new(&self.set(round).iter().map(|cart| cart.add(0)).collect::<Vec<_>>())
    }

    pub fn gets(&self, round: usize) -> anyhow::Result<Requests> {
        Requests::new(&self.set(round).iter().map(ShopCart::get).collect::<Vec<_>>())
    }

    /// Pages of all products.
    pub fn pages(&self) -> anyhow::Result<Requests> {
        Requests::new(&(0..catalog::PRODUCTS).map(catalog::page).collect::<Vec<_>>())
    }

    /// What its metrics page says of a figure.
    pub fn metric(&self, name: &str) -> anyhow::Result<f64> {
        metrics::value(self.address(), name)
    }

    /// Adds without keys to one cart, another in each round. A line takes 99,999 units, so they
    /// go to all of its lines.
    pub fn hot_adds(&self, round: usize) -> anyhow::Result<Requests> {
        let cart = &self.sets[0][round];
        Requests::new(&(0..LINES).map(|line| cart.add_without_key(line)).collect::<Vec<_>>())
    }

    fn set(&self, round: usize) -> &[ShopCart] {
        &self.sets[round % self.sets.len()]
    }
}

impl Target for Shop {
    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn processes(&self) -> Vec<u32> {
        self.server.processes()
    }
}

impl ShopCart {
    pub fn add(&self, line: usize) -> Request {
        Request::keyed_post(&self.lines_path(), &self.bearer, &self.add_body(line))
    }

    fn add_without_key(&self, line: usize) -> Request {
        Request::post(&self.lines_path(), &self.bearer, &self.add_body(line))
    }

    pub fn get(&self) -> Request {
        Request::get(&format!("/v1/carts/{}", self.id), &self.bearer)
    }

    fn lines_path(&self) -> String {
        format!("/v1/carts/{}/lines", self.id)
    }

    fn add_body(&self, line: usize) -> String {
        json!({"sku": sku(self.first_product + line), "quantity": 1}).to_string()
    }
}

fn sample(reply: &Reply) -> anyhow::Result<Sample> {
    ensure!(reply.status == 200, "a sample reply of status {}", reply.status);
    Sample::of(reply)
}

pub async fn fill(address: SocketAddr, carts: usize) -> anyhow::Result<Vec<ShopCart>> {
    let mut fillers = JoinSet::new();
    let sessions = carts / CARTS_PER_SESSION;
    for filler in 0..FILLERS {
        fillers.spawn(async move {
            let mut client = Client::open(address).await?;
            let mut carts = Vec::new();
            for session in (filler..sessions).step_by(FILLERS) {
                fill_session(&mut client, session * CARTS_PER_SESSION, &mut carts).await?;
            }
            anyhow::Ok(carts)
        });
    }
    let mut all = Vec::with_capacity(carts);
    while let Some(carts) = fillers.join_next().await {
        all.extend(carts??);
    }
    Ok(all)
}

pub async fn fill_session(
    client: &mut Client,
    first: usize,
    carts: &mut Vec<ShopCart>,
) -> anyhow::Result<()> {
    let token = made(client, &Request::post("/v1/sessions", "", "{}"), "token").await?;
    let bearer = format!("authorization: Bearer {token}\r\n");
    for n in first..first + CARTS_PER_SESSION {
        let id = made(client, &Request::post("/v1/carts", &bearer, "{}"), "id").await?;
        let first_product = n * 7;
        let add =
            |line| json!({"type": "add_line", "sku": sku(first_product + line), "quantity": 2});
        let body = json!({ "actions": (0..LINES).map(add).collect::<Vec<Value>>() }).to_string();
        client.json(&Request::post(&format!("/v1/carts/{id}/actions"), &bearer, &body)).await?;
        carts.push(ShopCart { id, bearer: bearer.clone(), first_product });
    }
    Ok(())
}

/// Sends, and answers a member of the reply.
async fn made(client: &mut Client, request: &Request, member: &str) -> anyhow::Result<String> {
    let reply = client.json(request).await?;
    let text = reply[member].as_str().with_context(|| format!("no {member} in {reply}"))?;
    Ok(text.to_owned())
}

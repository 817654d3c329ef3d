//! The carts of the clients under overload, and what each of them was told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::client::{Answer, Connection, request};

/// Carts of one session.
const CARTS_PER_SESSION: usize = 50;

/// A cart, and how often an add of one unit was sent to it and acknowledged.
pub struct Account {
    path: String,
    token: String,
    sku: String,
    /// Adds whose outcome is not known.
    open: AtomicU64,
    acknowledged: AtomicU64,
}

impl Account {
    /// An add of one unit under a key that nobody else uses, or under none.
    pub fn add(&self, key: Option<u64>) -> Vec<u8> {
        let body = format!(r#"{{"sku":"{}","quantity":1}}"#, self.sku);
        let key = match key {
            Some(key) => format!("idempotency-key: overload-{key:020}\r\n"),
            None => String::new(),
        };
        let headers = format!("prefer: return=minimal\r\n{key}");
        request("POST", &format!("{}/lines", self.path), &self.token, &headers, &body)
    }

    pub fn read(&self) -> Vec<u8> {
        request("GET", &self.path, &self.token, "", "")
    }

    pub fn events(&self) -> Vec<u8> {
        request("GET", &format!("{}/events", self.path), &self.token, "", "")
    }

    pub fn set_contact(&self, email: &str) -> Vec<u8> {
        let body = format!(r#"{{"email":"{email}"}}"#);
        request("PUT", &format!("{}/contact", self.path), &self.token, "", &body)
    }

    /// Adds that were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Remembers what an add came to; `None` where nobody answered.
    pub fn told(&self, answer: Option<&Answer>) {
        match answer {
            Some(answer) if answer.status == 200 => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Some(answer) if answer.status == 503 && answer.code() == "outcome_unknown" => {
                self.open.fetch_add(1, Ordering::Relaxed);
            }
            // Refused: nothing of it may be found.
            Some(_) => {}
            None => {
                self.open.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// The carts of all clients.
#[derive(Clone)]
pub struct Carts {
    pub address: SocketAddr,
    accounts: Arc<[Account]>,
}

impl Carts {
    /// Opens carts of the shop at `address`, each for one of the SKUs.
    pub async fn open(address: SocketAddr, carts: usize, skus: &[String]) -> anyhow::Result<Carts> {
        let mut sessions = tokio::task::JoinSet::new();
        for first in (0..carts).step_by(CARTS_PER_SESSION) {
            let last = (first + CARTS_PER_SESSION).min(carts);
            let skus: Vec<String> =
                (first..last).map(|cart| skus[cart % skus.len()].clone()).collect();
            sessions.spawn(open_session(address, skus));
        }
        let mut accounts = Vec::new();
        while let Some(opened) = sessions.join_next().await {
            accounts.extend(opened??);
        }
        Ok(Carts { address, accounts: accounts.into() })
    }

    pub fn get(&self, cart: usize) -> &Account {
        &self.accounts[cart]
    }

    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    pub fn acknowledged(&self) -> u64 {
        self.accounts.iter().map(Account::acknowledged).sum()
    }

    /// Reads the carts from `from` on: what was acknowledged is there once, what was refused is
    /// not. Answers what is wrong.
    pub async fn wrong(&self, from: usize) -> anyhow::Result<Vec<String>> {
        let mut connection = Connection::open(self.address).await?;
        let mut wrong = Vec::new();
        for account in &self.accounts[from..] {
            let answer = connection.send(&account.read()).await?;
            ensure!(answer.status == 200, "{} cannot be read: {}", account.path, answer.status);
            let cart = answer.json();
            let lines = cart["lines"].as_array().context("a cart has lines")?;
            let found: u64 = lines.iter().filter_map(|line| line["quantity"].as_u64()).sum();
            let acknowledged = account.acknowledged();
            let open = account.open.load(Ordering::Relaxed);
            if !(acknowledged..=acknowledged + open).contains(&found) {
                let path = &account.path;
                wrong.push(format!("{path}: {found} units, {acknowledged} told, {open} open"));
            }
        }
        Ok(wrong)
    }
}

async fn open_session(address: SocketAddr, skus: Vec<String>) -> anyhow::Result<Vec<Account>> {
    let mut connection = Connection::open(address).await?;
    let session = made(&mut connection, "/v1/sessions", "", "token").await?;
    let mut accounts = Vec::new();
    for sku in skus {
        let id = made(&mut connection, "/v1/carts", &session, "id").await?;
        accounts.push(Account {
            path: format!("/v1/carts/{id}"),
            token: session.clone(),
            sku,
            open: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
        });
    }
    Ok(accounts)
}

/// Posts, and answers a member of the reply.
async fn made(
    connection: &mut Connection,
    path: &str,
    token: &str,
    member: &str,
) -> anyhow::Result<String> {
    let answer = connection.send(&request("POST", path, token, "", "{}")).await?;
    let reply: Value = answer.json();
    ensure!(answer.status == 201, "{path}: {}: {reply}", answer.status);
    Ok(reply[member].as_str().with_context(|| format!("no {member} in {reply}"))?.to_owned())
}

//! A server as a process of its own, from this same program under another role.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use crate::load::Request;
use crate::{ROLE, limit, shop};

pub struct Server {
    process: Child,
    pub address: SocketAddr,
}

impl Server {
    pub fn limit(reply_bytes: usize) -> anyhow::Result<Server> {
        let mut command = role("limit")?;
        command.env(limit::REPLY_BYTES, reply_bytes.to_string());
        Server::start(command)
    }

    /// Starts it, and waits until it says where it listens.
    pub fn start(mut command: Command) -> anyhow::Result<Server> {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let output = process.stdout.take().context("its output is piped")?;
        for line in BufReader::new(output).lines() {
            if let Some(address) = line?.strip_prefix("listening on http://") {
                return Ok(Server { process, address: address.parse()? });
            }
        }
        bail!("the server ended before it listened: {}", process.wait()?);
    }

    /// The same bodies that the shop gets.
    pub fn requests(&self, shop: &shop::Shop) -> Vec<Request> {
        // With a key, so that both are sent the same headers.
        shop.bodies().map(|body| shop::keyed_post("/add", "", &body)).collect()
    }

    pub fn gets(&self) -> Vec<Request> {
        vec![Request { bytes: shop::get("/add", ""), key_at: None }]
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

pub fn role(role: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(ROLE, role);
    Ok(command)
}

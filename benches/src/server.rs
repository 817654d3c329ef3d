//! A server as a process of its own, from this same program under another role.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};

use crate::load::Target;

pub struct Server {
    process: Child,
    address: SocketAddr,
    /// Kept open, so that it may go on to print.
    _output: BufReader<ChildStdout>,
}

impl Server {
    /// Starts it, and waits until it says where it listens.
    pub fn start(mut command: Command) -> anyhow::Result<Server> {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let output = process.stdout.take().context("its output is piped")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while output.read_line(&mut line)? > 0 {
            if let Some(address) = line.trim_end().strip_prefix("listening on http://") {
                let address = address.parse()?;
                return Ok(Server { process, address, _output: output });
            }
            line.clear();
        }
        bail!("the server ended before it listened: {}", process.wait()?);
    }
}

impl Target for Server {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn processes(&self) -> Vec<u32> {
        vec![self.process.id()]
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

//! A server as a process of its own, from this same program under another role.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal};

use crate::load::Target;
use crate::role;

pub struct Server {
    process: Child,
    address: SocketAddr,
    /// Kept open, so that it may go on to print.
    _output: BufReader<ChildStdout>,
    /// What it says of itself is of interest only if it fails.
    log: tempfile::NamedTempFile,
}

impl Server {
    /// The shop on the data directory `data` in that folder.
    pub fn shop(folder: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Server> {
        let mut command = role("shop")?;
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.join("data"));
        command.envs(settings.iter().copied());
        Server::start(command)
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Tells it to end, and waits until it has.
    pub fn end(mut self) -> anyhow::Result<()> {
        let pid = Pid::from_child(&self.process);
        rustix::process::kill_process(pid, Signal::TERM)?;
        let ended = self.process.wait()?;
        let said = std::fs::read_to_string(self.log.path())?;
        ensure!(ended.success(), "the server did not end in order: {ended}\n{said}");
        Ok(())
    }

    /// Starts it, and waits until it says where it listens.
    pub fn start(mut command: Command) -> anyhow::Result<Server> {
        let log = tempfile::NamedTempFile::new()?;
        let mut process = command.stdout(Stdio::piped()).stderr(log.reopen()?).spawn()?;
        let output = process.stdout.take().context("its output is piped")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while output.read_line(&mut line)? > 0 {
            if let Some(address) = line.trim_end().strip_prefix("listening on http://") {
                let address = address.parse()?;
                return Ok(Server { process, address, _output: output, log });
            }
            line.clear();
        }
        let said = std::fs::read_to_string(log.path())?;
        bail!("the server ended before it listened: {}\n{said}", process.wait()?);
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

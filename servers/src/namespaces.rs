//! Networks of their own for processes of this machine, joined by cables that can be pulled: what
//! was sent into one is lost, and nobody is told. A process in one of them reaches this machine by
//! its uplink, and the others through a switch.
//!
//! Each lives as long as a process that waits for the end of its input: with the program that
//! started them all is gone, cables too, however that ends.

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio, id};

use anyhow::{Context, ensure};

/// Several networks, a switch between them, and a cable from each to this machine.
#[derive(Debug)]
pub struct Namespaces {
    all: Vec<Namespace>,
    _switch: Namespace,
}

/// Which cable of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cable {
    /// To this machine.
    Uplink,
    /// To the others.
    Switch,
}

impl Cable {
    fn name(self) -> &'static str {
        match self {
            Cable::Uplink => "uplink",
            Cable::Switch => "switch",
        }
    }
}

impl Namespaces {
    /// So many of them, or `None` with a loud word where this user may not make them.
    ///
    /// # Panics
    /// If they may be made, and cannot be joined.
    pub fn start(count: u8) -> Option<Namespaces> {
        match Namespace::start() {
            Ok(switch) => {
                let joined = Namespaces::join(switch, count);
                Some(joined.unwrap_or_else(|error| panic!("the networks are not up: {error:#}")))
            }
            Err(error) => {
                let line = format!("\nSKIP: network namespaces may not be made here: {error:#}\n");
                // A closed error stream hears nothing.
                let _ = std::io::stderr().write_all(line.as_bytes());
                None
            }
        }
    }

    fn join(switch: Namespace, count: u8) -> anyhow::Result<Namespaces> {
        switch.ip("link add bridge type bridge")?;
        switch.ip("link set bridge up")?;
        let mut all = Vec::new();
        for place in 0..count {
            let one = Namespace::start()?;
            one.ip("link set lo up")?;
            let port = format!("port{place}");
            let holder = one.process();
            switch.ip(&format!("link add {port} type veth peer name switch netns {holder}"))?;
            switch.ip(&format!("link set {port} master bridge up"))?;
            one.ip(&format!("addr add {}/24 dev switch", peer_address(place)))?;
            one.ip("link set switch up")?;
            let (host, guest) = uplink(place);
            let name = format!("barrow{}n{place}", id() % 100_000);
            ip(&format!("link add {name} type veth peer name uplink netns {holder}"))?;
            ip(&format!("addr add {host}/30 dev {name}"))?;
            ip(&format!("link set {name} up"))?;
            one.ip(&format!("addr add {guest}/30 dev uplink"))?;
            one.ip("link set uplink up")?;
            all.push(one);
        }
        Ok(Namespaces { all, _switch: switch })
    }

    /// The process that holds a network: programs enter by it.
    pub fn holder(&self, place: u8) -> u32 {
        self.all[usize::from(place)].process()
    }

    /// Where a process in that network listens for this machine.
    pub fn guest(&self, place: u8) -> Ipv4Addr {
        uplink(place).1
    }

    /// Where this machine listens for processes in that network.
    pub fn host(&self, place: u8) -> Ipv4Addr {
        uplink(place).0
    }

    /// Where a process in that network listens for those in the others.
    pub fn peer(&self, place: u8) -> Ipv4Addr {
        peer_address(place)
    }

    /// Pulls a cable, or plugs it in again.
    ///
    /// # Panics
    /// If the network is gone.
    pub fn set(&self, place: u8, cable: Cable, is_plugged: bool) {
        let state = if is_plugged { "up" } else { "down" };
        let set = self.all[usize::from(place)].ip(&format!("link set {} {state}", cable.name()));
        set.expect("the network is there");
    }
}

/// The two ends of an uplink, in the block that is kept for benchmarks of networks (RFC 2544).
fn uplink(place: u8) -> (Ipv4Addr, Ipv4Addr) {
    let third = id().to_le_bytes()[0];
    (Ipv4Addr::new(198, 18, third, place * 4 + 1), Ipv4Addr::new(198, 18, third, place * 4 + 2))
}

fn peer_address(place: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 19, 0, place + 1)
}

/// One network.
#[derive(Debug)]
struct Namespace(Child);

impl Namespace {
    fn start() -> anyhow::Result<Namespace> {
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("unshare is not there")?;
        let mut line = String::new();
        let out = holder.stdout.take().context("it is piped")?;
        BufReader::new(out).read_line(&mut line)?;
        let namespace = Namespace(holder);
        ensure!(!line.is_empty(), "unshare was refused");
        namespace.ip("link show lo").context("they cannot be entered")?;
        Ok(namespace)
    }

    fn process(&self) -> u32 {
        self.0.id()
    }

    /// Runs `ip` inside.
    fn ip(&self, args: &str) -> anyhow::Result<()> {
        let net = format!("--net=/proc/{}/ns/net", self.process());
        run(Command::new("nsenter").arg(net).arg("ip").args(args.split(' ')))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `ip` on this machine's own network.
fn ip(args: &str) -> anyhow::Result<()> {
    run(Command::new("ip").args(args.split(' ')))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output().context("a program is missing")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}

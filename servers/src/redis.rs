//! Redis, alone or as a cluster of three primaries with a replica each.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Process, Start, free_port, installed, run};

/// In its folder.
const SOCKET: &str = "redis.socket";

/// One Redis server. It keeps its promises in memory only, as ElastiCache does.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    port: u16,
    args: Vec<String>,
    folder: TempDir,
}

impl Redis {
    pub fn start() -> anyhow::Result<Redis> {
        Redis::start_on(free_port()?)
    }

    pub fn start_on(port: u16) -> anyhow::Result<Redis> {
        Redis::start_so(port, vec![])
    }

    /// With more arguments, which count before ours: `["--requirepass", "secret"]`.
    pub fn start_with(args: &[&str]) -> anyhow::Result<Redis> {
        Redis::start_so(free_port()?, args.iter().map(ToString::to_string).collect())
    }

    /// One that speaks TLS only, with this certificate and key (PEM).
    pub fn start_tls(certificate: &Path, key: &Path) -> anyhow::Result<Redis> {
        let port = free_port()?;
        let path = |path: &Path| path.display().to_string();
        let args = [
            ["--port", "0"].map(str::to_owned),
            ["--tls-port".to_owned(), port.to_string()],
            ["--tls-cert-file".to_owned(), path(certificate)],
            ["--tls-key-file".to_owned(), path(key)],
            ["--tls-auth-clients", "no"].map(str::to_owned),
        ];
        Redis::start_so(port, args.concat())
    }

    /// One that has every change on the disk before it answers, and listens on
    /// [`Redis::socket`] as well. Its folder is made in `dir`.
    pub fn start_durable(dir: &Path) -> anyhow::Result<Redis> {
        let disk = ["--appendonly", "yes", "--appendfsync", "always", "--unixsocket", SOCKET];
        let folder = tempfile::tempdir_in(dir)?;
        Redis::start_at(folder, free_port()?, disk.map(str::to_owned).into())
    }

    fn start_so(port: u16, args: Vec<String>) -> anyhow::Result<Redis> {
        Redis::start_at(tempfile::tempdir()?, port, args)
    }

    fn start_at(folder: TempDir, port: u16, args: Vec<String>) -> anyhow::Result<Redis> {
        let process = node(folder.path(), port, &args)?;
        Ok(Redis { process, port, args, folder })
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where a durable one listens as well.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }

    /// Ends it at once; everything that it held is gone.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again, empty, on the same port.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        self.process = node(self.folder.path(), self.port, &self.args)?;
        Ok(())
    }

    pub fn process(&self) -> &Process {
        &self.process
    }
}

fn node(folder: &Path, port: u16, more: &[String]) -> anyhow::Result<Process> {
    let program = installed("redis-server")?;
    let mut args: Vec<String> = ["--port", &port.to_string(), "--bind", "127.0.0.1"]
        .into_iter()
        .chain(["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"])
        .chain(["--dir", "."])
        .map(str::to_owned)
        .collect();
    // What comes last counts.
    args.extend(more.iter().cloned());
    let log = folder.join("log");
    let start = Start { program: &program, args, dir: folder, log, unprivileged: false };
    let mut process = Process::start(start)?;
    process.wait_until_it_listens(port)?;
    Ok(process)
}

/// A server that has not answered by then will not.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// The fewest that can agree on the successor of one of them.
const PRIMARIES: usize = 3;

/// Three primaries, each with a replica or more. A primary that is gone is replaced in about 2
/// seconds.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<ClusterNode>,
    replicas: usize,
}

#[derive(Debug)]
struct ClusterNode {
    process: Process,
    port: u16,
    _folder: TempDir,
}

impl RedisCluster {
    pub fn start() -> anyhow::Result<RedisCluster> {
        RedisCluster::start_with_replicas(1)
    }

    /// With so many replicas for each primary.
    pub fn start_with_replicas(replicas: usize) -> anyhow::Result<RedisCluster> {
        let cli = installed("redis-cli")?;
        let nodes = (0..PRIMARIES * (1 + replicas)).map(|_| ClusterNode::start());
        let nodes = nodes.collect::<anyhow::Result<Vec<_>>>()?;
        let mut args = vec!["--cluster".to_owned(), "create".to_owned()];
        args.extend(nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)));
        let replicas_text = replicas.to_string();
        args.extend(["--cluster-replicas", &replicas_text, "--cluster-yes"].map(str::to_owned));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        run(&cli, &args, Path::new("/"), false)?;
        let mut cluster = RedisCluster { nodes, replicas };
        cluster.wait_until_usable()?;
        Ok(cluster)
    }

    fn wait_until_usable(&mut self) -> anyhow::Result<()> {
        let all_replicas = format!("connected_slaves:{}", self.replicas);
        for node in &mut self.nodes {
            let port = node.port;
            node.process.wait_until("it saw its cluster", || {
                let state = ask(port, "CLUSTER INFO");
                let role = ask(port, "INFO replication");
                state.contains("cluster_state:ok")
                    && (role.contains("role:master") && role.contains(&all_replicas)
                        || role.contains("master_link_status:up"))
            })?;
        }
        Ok(())
    }

    /// `redis-cluster://127.0.0.1:PORT?node=127.0.0.1:PORT...`.
    pub fn url(&self) -> String {
        let address = |node: &ClusterNode| format!("127.0.0.1:{}", node.port);
        let others: Vec<String> =
            self.nodes[1..].iter().map(|node| format!("node={}", address(node))).collect();
        format!("redis-cluster://{}?{}", address(&self.nodes[0]), others.join("&"))
    }

    /// Kills the primary of that port.
    pub fn kill(&mut self, port: u16) {
        self.nodes.retain(|node| node.port != port);
    }

    /// Stops a node where it stands, or lets it go on: `SIGSTOP`, `SIGCONT`.
    pub fn signal(&self, port: u16, signal: Signal) -> anyhow::Result<()> {
        let node = self.nodes.iter().find(|node| node.port == port);
        node.context("there is no such node")?.process.signal(signal)
    }

    /// The ports of those that are primaries now.
    pub fn primaries(&self) -> Vec<u16> {
        let ports = self.nodes.iter().map(|node| node.port);
        ports.filter(|port| ask(*port, "INFO replication").contains("role:master")).collect()
    }
}

impl ClusterNode {
    fn start() -> anyhow::Result<ClusterNode> {
        // The nodes talk to each other on a port of 10,000 more.
        let port = loop {
            let port = free_port()?;
            if port < 55_000 && std::net::TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
                break port;
            }
        };
        let folder = tempfile::tempdir()?;
        let more = [
            ["--cluster-enabled", "yes"],
            ["--cluster-config-file", "nodes.conf"],
            ["--cluster-node-timeout", "1500"],
            // Else a replica is not in step for five seconds, and cannot take over.
            ["--repl-diskless-sync-delay", "0"],
        ];
        let more: Vec<String> = more.as_flattened().iter().map(ToString::to_string).collect();
        let process = node(folder.path(), port, &more)?;
        Ok(ClusterNode { process, port, _folder: folder })
    }
}

/// What a server answers to a command; nothing where it does not answer. Asked by ourselves: not
/// every `redis-cli` knows how to give up.
fn ask(port: u16, command: &str) -> String {
    try_ask(port, command).unwrap_or_default()
}

fn try_ask(port: u16, command: &str) -> std::io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut reader = BufReader::new(stream);
    // `$LENGTH`, and so many bytes; or a line.
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let length = line.trim_end().strip_prefix('$').and_then(|length| length.parse::<usize>().ok());
    let Some(length) = length else { return Ok(line) };
    let mut answer = vec![0; length];
    reader.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

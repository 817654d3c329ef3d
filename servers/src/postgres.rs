//! Postgres: a primary, alone or with a synchronous standby.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Process, Start, free_port, hand_over, installed, listens, run};

/// Who all databases belong to. Only this machine is let in, without a password.
const USER: &str = "barrow";

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// As in production.
    Disk,
    /// For tests that kill processes, not machines.
    Memory,
}

/// A primary.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: u16,
    folder: Folder,
}

/// Where a server's data lies: for a test, or for good.
#[derive(Debug)]
enum Folder {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Folder::Temporary(folder) => folder.path(),
            Folder::Kept(folder) => folder,
        }
    }
}

impl Postgres {
    pub fn start(sync: Sync) -> anyhow::Result<Postgres> {
        Postgres::open(Folder::Temporary(tempfile::tempdir()?), free_port()?, sync, &[])
    }

    /// With the memory and the log of a server that has work to do, on the disk; it listens on
    /// a socket as well. Its folder is made in `dir`.
    pub fn start_large(dir: &Path) -> anyhow::Result<Postgres> {
        let folder = tempfile::tempdir_in(dir)?;
        let socket = format!("unix_socket_directories={}", text(folder.path())?);
        let more = ["shared_buffers=512MB", "max_wal_size=4GB", &socket];
        Postgres::open(Folder::Temporary(folder), free_port()?, Sync::Disk, &more)
    }

    /// On a folder that is kept; made if it is empty.
    pub fn start_in(folder: &Path, port: u16) -> anyhow::Result<Postgres> {
        std::fs::create_dir_all(folder)?;
        Postgres::open(Folder::Kept(folder.to_owned()), port, Sync::Disk, &[])
    }

    fn open(folder: Folder, port: u16, sync: Sync, more: &[&str]) -> anyhow::Result<Postgres> {
        hand_over(folder.path())?;
        let data = folder.path().join("data");
        if !data.exists() {
            let args = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
            let (user, data) = (format!("--username={USER}"), text(&data)?);
            let args = [&args[..], &[&user, "--pgdata", data]].concat();
            run(&installed("initdb")?, &args, Path::new("/"), true)?;
        }
        Ok(Postgres { process: serve(folder.path(), port, sync, more)?, port, folder })
    }

    /// `postgres://barrow@127.0.0.1:PORT/postgres`.
    pub fn url(&self) -> String {
        url(&[self.port])
    }

    /// The way through the socket of a large one.
    pub fn socket_url(&self) -> anyhow::Result<String> {
        let folder = text(self.folder.path())?;
        Ok(format!("postgres://{USER}@localhost:{}/postgres?host={folder}", self.port))
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    /// HOST:PORT.
    pub fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Runs SQL in a session of its own.
    pub fn sql(&self, sql: &str) -> anyhow::Result<String> {
        psql(self.port, sql)
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        self.process.stop(Signal::QUIT);
    }

    /// Starts it again on what it had.
    pub fn restart(&mut self, sync: Sync) -> anyhow::Result<()> {
        self.kill();
        self.process = serve(self.folder.path(), self.port, sync, &[])?;
        Ok(())
    }
}

/// A primary whose commits wait for a standby.
#[derive(Debug)]
pub struct PostgresPair {
    pub primary: Postgres,
    pub standby: Postgres,
}

impl PostgresPair {
    pub fn start(sync: Sync) -> anyhow::Result<PostgresPair> {
        let primary = Postgres::start(sync)?;
        let folder = Folder::Temporary(tempfile::tempdir()?);
        PostgresPair::join(primary, folder, free_port()?, sync)
    }

    /// On folders that are kept.
    pub fn start_in(folder: &Path, ports: [u16; 2]) -> anyhow::Result<PostgresPair> {
        let primary = Postgres::start_in(&folder.join("primary"), ports[0])?;
        let standby = folder.join("standby");
        std::fs::create_dir_all(&standby)?;
        PostgresPair::join(primary, Folder::Kept(standby), ports[1], Sync::Disk)
    }

    fn join(
        primary: Postgres,
        folder: Folder,
        port: u16,
        sync: Sync,
    ) -> anyhow::Result<PostgresPair> {
        hand_over(folder.path())?;
        let data = folder.path().join("data");
        if !data.exists() {
            let from = primary.port.to_string();
            let connection = ["-h", "127.0.0.1", "-p", &from, "-U", USER, "-D", text(&data)?];
            let how = ["-R", "-X", "stream", "-c", "fast", "-C", "-S", "standby", "--no-sync"];
            let args = [&connection[..], &how].concat();
            run(&installed("pg_basebackup")?, &args, Path::new("/"), true)?;
        }
        // Its folder may be older than the primary's port.
        let follow = format!("primary_conninfo=host=127.0.0.1 port={} user={USER}", primary.port);
        let process = serve(folder.path(), port, sync, &[&follow])?;
        let mut standby = Postgres { process, port, folder };
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")?;
        primary.sql("SELECT pg_reload_conf()")?;
        let state = "SELECT sync_state FROM pg_stat_replication";
        standby.process.wait_until("it followed its primary", || {
            primary.sql(state).is_ok_and(|state| state.trim() == "sync")
        })?;
        Ok(PostgresPair { primary, standby })
    }

    /// `postgres://barrow@127.0.0.1:PORT,127.0.0.1:PORT/postgres`.
    pub fn url(&self) -> String {
        url(&[self.primary.port, self.standby.port])
    }

    /// Makes the standby the primary, with nobody to wait for.
    pub fn promote(&self) -> anyhow::Result<()> {
        self.standby.sql("ALTER SYSTEM SET synchronous_standby_names = ''")?;
        self.standby.sql("SELECT pg_reload_conf()")?;
        self.standby.sql("SELECT pg_promote(true, 10)").map(drop)
    }

    /// After a promotion: a new standby of what was promoted, where the former primary was.
    pub fn rejoin(self, sync: Sync) -> anyhow::Result<PostgresPair> {
        let PostgresPair { primary: former, standby: primary } = self;
        let port = former.port;
        drop(former);
        PostgresPair::join(primary, Folder::Temporary(tempfile::tempdir()?), port, sync)
    }
}

fn url(ports: &[u16]) -> String {
    let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    format!("postgres://{USER}@{}/postgres", hosts.join(","))
}

fn serve(folder: &Path, port: u16, sync: Sync, more: &[&str]) -> anyhow::Result<Process> {
    let fsync = if sync == Sync::Disk { "on" } else { "off" };
    let data = folder.join("data");
    // Left by one that was killed; the port is ours.
    let _ = std::fs::remove_file(data.join("postmaster.pid"));
    let mut args = vec!["-D".to_owned(), text(&data)?.to_owned(), "-p".to_owned()];
    args.push(port.to_string());
    let settings = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=200",
        "max_wal_senders=8",
        "shared_buffers=128MB",
        "wal_level=replica",
        &format!("fsync={fsync}"),
    ];
    for setting in settings.iter().chain(more) {
        args.extend(["-c".to_owned(), (*setting).to_owned()]);
    }
    let program = installed("postgres")?;
    let log = folder.join("log");
    let start = Start { program: &program, args, dir: Path::new("/"), log, unprivileged: true };
    let mut process = Process::start(start)?;
    // It listens before it lets anybody in.
    process.wait_until("it answered", || listens(port) && psql(port, "SELECT 1").is_ok())?;
    Ok(process)
}

fn psql(port: u16, sql: &str) -> anyhow::Result<String> {
    let mut command = Command::new(installed("psql")?);
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", USER, "-d", "postgres"]);
    command.env("PGCONNECT_TIMEOUT", "5").args(["-X", "-A", "-t", "-q", "-c", sql]);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "psql refused {sql}: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("the path is no text")
}

//! The servers of the peers, as they are installed on this machine, each on a folder of its own.

use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal};

use super::{PEER, SOCKET};
use crate::load::Target;
use crate::process::tree;
use crate::role;
use crate::server::Server;

/// A store that does not listen by then will not.
const START_MAX: Duration = Duration::from_secs(30);

/// An axum server with its store.
pub struct Peer {
    server: Server,
    store: Child,
    _folder: tempfile::TempDir,
}

impl Peer {
    /// Redis, if it is installed.
    pub fn redis(dir: &Path) -> anyhow::Result<Option<Peer>> {
        let Some(program) = installed("redis-server") else { return Ok(None) };
        let folder = tempfile::tempdir_in(dir)?;
        let socket = folder.path().join("redis.socket");
        let mut command = Command::new(program);
        command.args(["--port", "0", "--save", "", "--appendonly", "yes"]);
        command.args(["--appendfsync", "always", "--unixsocket"]).arg(&socket);
        command.arg("--dir").arg(folder.path());
        let store = start(command, &socket)?;
        Peer::start("redis", &socket, store, folder).map(Some)
    }

    /// Postgres, if it is installed.
    pub fn postgres(dir: &Path) -> anyhow::Result<Option<Peer>> {
        let (Some(initdb), Some(postgres)) = (installed("initdb"), installed("postgres")) else {
            return Ok(None);
        };
        let folder = tempfile::tempdir_in(dir)?;
        let user = Unprivileged::find()?;
        if let Some(user) = &user {
            chown(folder.path(), Some(user.uid), Some(user.gid))?;
        }
        let mut command = Command::new(initdb);
        command.args(["--auth=trust", "--username=barrow", "--encoding=UTF8", "--locale=C.UTF-8"]);
        command.arg("--pgdata").arg(folder.path().join("data"));
        let made = prepared(command, user.as_ref()).output()?;
        let said = String::from_utf8_lossy(&made.stderr);
        ensure!(made.status.success(), "Postgres makes no database: {said}");
        let mut command = Command::new(postgres);
        command.arg("-D").arg(folder.path().join("data")).arg("-k").arg(folder.path());
        for setting in ["listen_addresses=", "shared_buffers=512MB", "max_wal_size=4GB"] {
            command.args(["-c", setting]);
        }
        let socket = folder.path().join(".s.PGSQL.5432");
        let store = start(prepared(command, user.as_ref()), &socket)?;
        let listens_in = folder.path().to_owned();
        Peer::start("postgres", &listens_in, store, folder).map(Some)
    }

    fn start(
        peer: &str,
        socket: &Path,
        store: Child,
        folder: tempfile::TempDir,
    ) -> anyhow::Result<Peer> {
        let mut command = role("peer")?;
        command.env(PEER, peer).env(SOCKET, socket);
        Ok(Peer { server: Server::start(command)?, store, _folder: folder })
    }
}

impl Target for Peer {
    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn processes(&self) -> Vec<u32> {
        let mut all = self.server.processes();
        all.extend(tree(self.store.id()).unwrap_or_default());
        all
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Postgres takes its own processes with it if it is asked to end.
        let _ = rustix::process::kill_process(Pid::from_child(&self.store), Signal::INT);
        drop(self.store.wait());
    }
}

/// The program, on the path or where Debian puts Postgres.
fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian =
        (12..=18).rev().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let mut folders = std::env::split_paths(&path).chain(debian);
    folders.find_map(|folder| Some(folder.join(program)).filter(|program| program.is_file()))
}

fn start(mut command: Command, socket: &Path) -> anyhow::Result<Child> {
    let mut store = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let began = Instant::now();
    while std::os::unix::net::UnixStream::connect(socket).is_err() {
        let ended = store.try_wait()?;
        ensure!(ended.is_none(), "the store of a peer ended as it started: {command:?}");
        ensure!(began.elapsed() < START_MAX, "the store of a peer does not listen: {command:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(store)
}

/// Postgres refuses to run as root; the user that its package made can.
struct Unprivileged {
    uid: u32,
    gid: u32,
}

impl Unprivileged {
    fn find() -> anyhow::Result<Option<Unprivileged>> {
        if !rustix::process::getuid().is_root() {
            return Ok(None);
        }
        let users = std::fs::read_to_string("/etc/passwd")?;
        let user = users.lines().find(|line| line.starts_with("postgres:"));
        let fields: Vec<&str> = user.context("there is no user postgres")?.split(':').collect();
        Ok(Some(Unprivileged { uid: fields[2].parse()?, gid: fields[3].parse()? }))
    }
}

fn prepared(mut command: Command, user: Option<&Unprivileged>) -> Command {
    if let Some(user) = user {
        // A folder that the user may stand in.
        command.uid(user.uid).gid(user.gid).current_dir("/");
    }
    command
}

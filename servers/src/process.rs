//! Processes that end with us, run by a user that the servers accept.

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal};

/// A server that does not listen by then will not.
const START_MAX: Duration = Duration::from_secs(60);

/// A server that was told to stop and has not by then is killed.
const STOP_MAX: Duration = Duration::from_secs(10);

/// A running server. Killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

/// What may be started: a program and its arguments.
pub struct Start<'a> {
    pub program: &'a Path,
    pub args: Vec<String>,
    /// Where it stands.
    pub dir: &'a Path,
    pub log: PathBuf,
    /// It refuses to run as root.
    pub unprivileged: bool,
}

impl Process {
    pub fn start(start: Start<'_>) -> anyhow::Result<Process> {
        let mut command = command(start.program, start.unprivileged);
        let log = File::create(&start.log).context("its log cannot be made")?;
        command.args(&start.args).current_dir(start.dir).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        let child = spawn_for_life(command)
            .with_context(|| format!("{} does not start", start.program.display()))?;
        Ok(Process { child, log: start.log })
    }

    /// Waits until `ready` answers true; fails with the end of its log if it ends before.
    pub fn wait_until(&mut self, what: &str, ready: impl FnMut() -> bool) -> anyhow::Result<()> {
        let mut ready = ready;
        let began = Instant::now();
        while !ready() {
            if self.child.try_wait()?.is_some() {
                bail!("it ended before {what}: {}", self.last_words());
            }
            let late = began.elapsed() > START_MAX;
            ensure!(!late, "{what} took too long: {}", self.last_words());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Waits until the port takes a connection.
    pub fn wait_until_it_listens(&mut self, port: u16) -> anyhow::Result<()> {
        self.wait_until("it listened", || listens(port))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = Pid::from_child(&self.child);
        Ok(rustix::process::kill_process(pid, signal)?)
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, and waits.
    pub fn stop(&mut self, signal: Signal) {
        let _ = self.signal(signal);
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && began.elapsed() < STOP_MAX {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }

    fn last_words(&self) -> String {
        let mut text = String::new();
        if let Ok(mut log) = File::open(&self.log) {
            // What is no text is no help.
            let _ = log.read_to_string(&mut text);
        }
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program by its name, in `PATH` or where Debian keeps those of Postgres.
pub fn installed(program: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian =
        (12..=18).rev().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let mut folders = std::env::split_paths(&path).chain(debian);
    let found = folders.find_map(|folder| Some(folder.join(program)).filter(|path| path.is_file()));
    found.with_context(|| format!("{program} is not installed"))
}

/// Runs a program to its end.
pub fn run(program: &Path, args: &[&str], dir: &Path, unprivileged: bool) -> anyhow::Result<()> {
    let mut command = command(program, unprivileged);
    let output = command.args(args).current_dir(dir).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {said}", program.display());
    Ok(())
}

/// A port that nobody uses at the moment. The server that gets it takes it a moment later; the
/// system hands out others meanwhile.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

pub fn listens(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok()
}

/// Hands a folder to the user that unprivileged servers run as.
pub fn hand_over(folder: &Path) -> anyhow::Result<()> {
    if let Some(user) = user()? {
        std::os::unix::fs::chown(folder, Some(user.uid), Some(user.gid))?;
    }
    Ok(())
}

/// The user that the package of Postgres made; `None` where we are not root ourselves.
fn user() -> anyhow::Result<Option<User>> {
    if !rustix::process::getuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let user = users.lines().find(|line| line.starts_with("postgres:"));
    let fields: Vec<&str> = user.context("there is no user postgres")?.split(':').collect();
    Ok(Some(User { uid: fields[2].parse()?, gid: fields[3].parse()? }))
}

struct User {
    uid: u32,
    gid: u32,
}

/// `setpriv` sees to it that the system kills the program when we end.
fn command(program: &Path, unprivileged: bool) -> Command {
    let mut command = Command::new("setpriv");
    if unprivileged && let Ok(Some(User { uid, gid })) = user() {
        command.args([format!("--reuid={uid}"), format!("--regid={gid}")]).arg("--clear-groups");
    }
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

type Spawned = (Command, Sender<std::io::Result<Child>>);

/// The system takes the end of the *thread* that started a process for the end of its parent, and
/// a test's thread ends with the test. So one thread that never ends starts them all.
static SPAWNER: LazyLock<Mutex<Sender<Spawned>>> = LazyLock::new(|| {
    let (sender, receiver) = channel::<Spawned>();
    std::thread::spawn(move || {
        while let Ok((mut command, reply)) = receiver.recv() {
            // Who asked waits for it.
            let _ = reply.send(command.spawn());
        }
    });
    Mutex::new(sender)
});

fn spawn_for_life(command: Command) -> anyhow::Result<Child> {
    let (reply, answer) = channel();
    let spawner = SPAWNER.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    spawner.send((command, reply)).context("the spawner has ended")?;
    Ok(answer.recv().context("the spawner has ended")??)
}

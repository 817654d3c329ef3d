//! The real binary, started as its users start it: on a free port, in a directory of its own.
//! It is killed when the test that started it ends, however that ends.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

/// Nothing in here takes a tenth of this on a slow machine; what takes longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How a process ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// The binary `barrow`, beside the folder of this test program.
///
/// # Panics
/// If it was not built.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the system tells where this program is");
    let folder = test.parent().and_then(Path::parent).expect("tests lie in target/PROFILE/deps");
    let binary = folder.join("barrow");
    let shown = binary.display();
    assert!(binary.is_file(), "{shown} is missing: run `cargo build -p barrow-api` first");
    binary
}

/// The command with none of our variables from outside. `before` is what starts it, if it is not
/// started alone: a program that ends by becoming the one that it is given.
fn command(before: &[String], program: &Path, args: &[String], folder: &Path) -> Command {
    let mut command = match before {
        [] => Command::new(program),
        [starter, rest @ ..] => {
            let mut command = Command::new(starter);
            command.args(rest).arg(program);
            command
        }
    };
    command.args(args).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BARROW_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command of the binary in a folder, to its end.
pub fn run(folder: &Path, args: &[&str]) -> Ended {
    run_with(folder, args, &[])
}

/// As [`run`], with variables of the environment.
pub fn run_with(folder: &Path, args: &[&str], variables: &[(String, String)]) -> Ended {
    run_of(&binary(), folder, args, variables)
}

/// As [`run_with`], of another build.
pub fn run_of(
    program: &Path,
    folder: &Path,
    args: &[&str],
    variables: &[(String, String)],
) -> Ended {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let mut command = command(&[], program, &args, folder);
    command.envs(variables.iter().cloned());
    let output = command.output().expect("the binary can be run");
    Ended {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs a command of the binary in a folder, and kills it after a while, unless it has ended.
pub fn run_and_kill(folder: &Path, args: &[&str], wait: Duration) {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let mut command = command(&[], &binary(), &args, folder);
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = quiet.spawn().expect("the binary can be run");
    std::thread::sleep(wait);
    let _ = child.kill();
    let _ = child.wait();
}

/// A server about to be started: its data lies in `data` of a folder.
#[derive(Debug, Clone)]
pub struct Launch {
    program: PathBuf,
    folder: PathBuf,
    before: Vec<String>,
    args: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Launch {
    pub fn at(folder: &Path) -> Launch {
        let args = ["serve", "--listen", "127.0.0.1:0"].map(str::to_owned);
        Launch::of(&binary(), folder, args.to_vec())
    }

    /// Another program that serves a shop, and says where as `barrow` does.
    pub fn of(program: &Path, folder: &Path, args: Vec<String>) -> Launch {
        let (program, folder) = (program.to_owned(), folder.to_owned());
        Launch { program, folder, before: Vec::new(), args, variables: Vec::new() }
    }

    /// Another build of it.
    pub fn running(mut self, program: &Path) -> Launch {
        program.clone_into(&mut self.program);
        self
    }

    /// Sets variables of its environment.
    pub fn with_variables(mut self, variables: &[(String, String)]) -> Launch {
        self.variables.extend_from_slice(variables);
        self
    }

    /// A write beyond a limit is refused to it, instead of ending it by a signal: see
    /// [`Server::limit_files`].
    pub fn refusing_large_files(mut self) -> Launch {
        self.before = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""].map(str::to_owned).to_vec();
        self
    }

    /// A panic of it is told in one line. A backtrace reads all that is known of the program into
    /// memory, which matters where that is measured.
    pub fn without_backtraces(mut self) -> Launch {
        self.before = ["env", "RUST_BACKTRACE=0"].map(str::to_owned).to_vec();
        self
    }

    /// The rights of files hold for it, even where the tests run as root.
    pub fn bound_by_rights(mut self) -> Launch {
        if rustix::process::geteuid().is_root() {
            self.before = ["setpriv", "--bounding-set=-all"].map(str::to_owned).to_vec();
        }
        self
    }

    /// It lives in the network that a process has, and listens there. `nsenter` becomes it.
    pub fn in_the_network_of(mut self, process: u32, address: std::net::Ipv4Addr) -> Launch {
        self.before = vec!["nsenter".to_owned(), format!("--net=/proc/{process}/ns/net")];
        let flag = self.args.iter().position(|arg| arg == "--listen").expect("it is told where");
        self.args[flag + 1] = format!("{address}:0");
        self
    }

    /// Sets a key of the configuration: `server.body_timeout=1s`.
    pub fn set(mut self, key: &str) -> Launch {
        self.args.extend(["--set".to_owned(), key.to_owned()]);
        self
    }

    /// Starts it and waits until it takes requests.
    ///
    /// # Panics
    /// If it ends before.
    pub fn start(self) -> Server {
        let refused = |ended: Ended| -> Server { panic!("the server did not start: {ended:#?}") };
        self.try_start().unwrap_or_else(refused)
    }

    /// Starts it; answers how it ended if it takes no requests.
    pub fn try_start(self) -> Result<Server, Ended> {
        self.begin().finish()
    }

    /// Starts it, and does not wait until it takes requests.
    pub fn begin(self) -> Starting {
        let mut command = command(&self.before, &self.program, &self.args, &self.folder);
        let mut child = command
            .envs(self.variables)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be run");
        // Somebody has to read it, or the server would wait for room.
        let said: Arc<Mutex<String>> = Arc::default();
        let err = child.stderr.take().expect("it is piped");
        let listening = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                let _ = writeln!(listening.lock(), "{line}");
            }
        });
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        let url = String::new();
        Starting(Server { child, url, out, said, reader: Some(reader) })
    }
}

/// A server that does not take requests yet, and may never.
#[derive(Debug)]
pub struct Starting(Server);

impl Starting {
    /// What it wrote to standard error so far.
    pub fn said(&self) -> String {
        self.0.said()
    }

    /// Waits until it takes requests; answers how it ended if it does not.
    pub fn finish(self) -> Result<Server, Ended> {
        let mut server = self.0;
        let mut line = String::new();
        server.out.read_line(&mut line).expect("it speaks UTF-8");
        match line.strip_prefix("listening on ") {
            Some(url) => {
                url.trim_end().clone_into(&mut server.url);
                Ok(server)
            }
            None => {
                let mut ended = server.wait();
                ended.out.insert_str(0, &line);
                Err(ended)
            }
        }
    }
}

/// A server that takes requests.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// `http://HOST:PORT`.
    pub url: String,
    out: BufReader<std::process::ChildStdout>,
    said: Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// `HOST:PORT`.
    pub fn address(&self) -> &str {
        self.url.strip_prefix("http://").expect("the server said so")
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().clone()
    }

    pub fn signal(&self, signal: Signal) {
        let process = Pid::from_child(&self.child);
        kill_process(process, signal).expect("it is our child");
    }

    /// `kill -9`, and waits for the end.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(mut self) -> Ended {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// From now on no file can be written beyond so many bytes: what a disk without room does to
    /// a write, in its middle too. Only for one that is [`Launch::refusing_large_files`].
    pub fn limit_files(&self, bytes: u64) {
        let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Fsize, limit)
            .expect("it is our child");
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// If it does not come in [`PATIENCE`].
    pub fn wait(&mut self) -> Ended {
        let code = wait(&mut self.child).code();
        if let Some(reader) = self.reader.take() {
            reader.join().expect("it only reads");
        }
        let mut out = String::new();
        self.out.read_to_string(&mut out).expect("it speaks UTF-8");
        Ended { code, out, err: self.said() }
    }

    /// Bytes of memory that the process has in use.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process()));
        let status = status.expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        kib.and_then(|kib| kib.parse::<u64>().ok()).expect("the kernel counts it") * 1024
    }

    /// Files and sockets that the process has open.
    pub fn open_files(&self) -> usize {
        let folder = std::fs::read_dir(format!("/proc/{}/fd", self.process()));
        folder.expect("the process lives").count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server said:\n{}", self.said());
        }
    }
}

fn wait(child: &mut Child) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return status;
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("the process did not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Kills a process and removes a folder once this program has ended, however it ends: a shell
/// waits at a pipe of which this program holds the other end.
pub fn kill_at_the_end(server: &Server, folder: &Path) {
    let script = r#"cat >/dev/null; kill -9 "$1" 2>/dev/null; rm -rf "$2""#;
    let watch = Command::new("sh")
        .args(["-c", script, "sh", &server.process().to_string()])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("every Unix has a shell");
    // Its end of the pipe must stay open as long as this program lives.
    std::mem::forget(watch);
}

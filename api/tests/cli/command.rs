//! Runs the real binary in a directory of its own, and talks to the server it becomes.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Nothing in here takes a tenth of this; a test that waits longer has hung.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A directory for a test: the data directory is `data` in it.
pub struct Home(tempfile::TempDir);

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Home {
    pub fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The command, in this directory, with none of our variables from outside.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_barrow"));
        command.args(args).current_dir(self.0.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BARROW_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs it to its end.
    pub fn run(&self, args: &[&str]) -> Ended {
        self.run_with(args, &[])
    }

    pub fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Ended {
        let output = self.command(args).envs(variables.iter().copied()).output().unwrap();
        Ended {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Serves `data` on a free port.
    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    pub fn serve_with(&self, args: &[&str]) -> Server {
        let listen = ["serve", "--listen", "127.0.0.1:0"];
        Server::start(self.command(&[&listen, args].concat()))
    }

    /// A small catalog in the data directory, so that the server needs no sample.
    pub fn import_small_catalog(&self) {
        let file = self.write("small.jsonl", SMALL_CATALOG);
        let ended = self.run(&["import", file.to_str().unwrap()]);
        ended.check(0);
    }
}

/// Two products in JSON Lines, and the stock of both.
pub const SMALL_CATALOG: &str = concat!(
    r#"{"type":"collection","slug":"cups","title":"Cups"}"#,
    "\n",
    r#"{"type":"product","slug":"mug","title":"Mug","collections":["cups"],"variants":"#,
    r#"[{"sku":"MUG-1","prices":[{"amount":{"amount":1250,"currency":"EUR"}}]}]}"#,
    "\n",
    r#"{"type":"product","slug":"bowl","title":"Bowl","variants":"#,
    r#"[{"sku":"BOWL-1","prices":[{"amount":{"amount":900,"currency":"EUR"}}]}]}"#,
    "\n",
    r#"{"type":"stock","sku":"MUG-1","on_hand":100}"#,
    "\n",
    r#"{"type":"stock","sku":"BOWL-1","on_hand":100}"#,
    "\n",
);

impl Ended {
    /// It ended with this code; answers itself for more.
    #[track_caller]
    pub fn check(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub fn says(self, words: &[&str]) -> Ended {
        for word in words {
            assert!(self.err.contains(word), "no '{word}' in {self:#?}");
        }
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// A server that runs. It is killed when the test ends, however it ends.
pub struct Server {
    child: Option<Child>,
    pub url: String,
    out: BufReader<std::process::ChildStdout>,
    err: Option<std::thread::JoinHandle<String>>,
}

impl Server {
    fn start(mut command: Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Somebody has to read it, or the server would wait for room.
        let mut err = child.stderr.take().unwrap();
        let err = std::thread::spawn(move || {
            let mut text = String::new();
            err.read_to_string(&mut text).unwrap();
            text
        });
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let Some(url) = line.strip_prefix("listening on ") else {
            let status = child.wait().unwrap();
            panic!("said '{line}', ended with {status}: {}", err.join().unwrap());
        };
        Server { url: url.trim_end().to_owned(), child: Some(child), out, err: Some(err) }
    }

    pub fn process(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    /// Waits for the end; answers what else it said on standard output, and on standard error.
    pub fn ended(mut self) -> Ended {
        let mut child = self.child.take().unwrap();
        let code = wait(&mut child).code();
        let mut out = String::new();
        self.out.read_to_string(&mut out).unwrap();
        Ended { code, out, err: self.err.take().unwrap().join().unwrap() }
    }

    pub fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.ended()
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        self.send(reqwest::Method::GET, path, None, None)
    }

    pub fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> (u16, Value) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // The HTTP client of S3 leaves that choice to the process, and tests share its build.
        #[cfg(feature = "s3")]
        barrow_adapters::s3::install_cryptography();
        runtime.block_on(async {
            let mut request = reqwest::Client::new().request(method, format!("{}{path}", self.url));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            if let Some(body) = body {
                request = request.json(&body);
            }
            let response = request.timeout(PATIENCE).send().await.unwrap();
            let status = response.status().as_u16();
            let text = response.text().await.unwrap();
            (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits for a process to end, and kills one that does not.
pub fn wait(child: &mut Child) -> std::process::ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("it did not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

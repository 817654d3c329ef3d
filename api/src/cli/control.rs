//! The way to a running server from the same machine: a socket in its data directory that only
//! its own user may open. A request is one line of JSON, the answer one or more lines: progress,
//! then the result or what went wrong.

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The socket's name in the data directory.
const SOCKET: &str = "control.sock";

/// What fits into a socket's address on Linux, with its closing zero.
const SOCKET_PATH_MAX: usize = 107;

/// How long a request may be: a path, at most.
const REQUEST_BYTES_MAX: u64 = 64 * 1024;

/// How long either side waits for the other's next line. A backup tells its progress each
/// second, so a minute of silence means that nobody is there.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// What a running server can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    Status,
    /// Write a backup to this absolute path.
    Backup {
        to: PathBuf,
    },
}

/// One line of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<T> {
    /// How many rows and files are done.
    Progress(u64),
    Done(T),
    /// What went wrong.
    Failed(String),
}

/// What a running server tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub process: u32,
    pub version: String,
    /// HOST:PORT as it is bound.
    pub listen: String,
    pub ops_listen: Option<String>,
    pub products: u64,
}

/// Opens the socket of this data directory. One that is left of a dead server is replaced: the
/// caller holds the directory's lock, so nobody alive can own it.
pub fn listen(data: &Path) -> io::Result<UnixListener> {
    let socket = data.join(SOCKET);
    match std::fs::remove_file(&socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = at_short_path(data, |path| UnixListener::bind(path))?;
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Takes the socket away.
pub fn unlisten(data: &Path) {
    // If it cannot be removed, the next server replaces it.
    let _ = std::fs::remove_file(data.join(SOCKET));
}

/// Asks the server that runs on this data directory; `None` if none does.
pub fn ask<T: for<'de> Deserialize<'de>>(
    data: &Path,
    request: &Request,
    mut progress: impl FnMut(u64),
) -> io::Result<Option<Result<T, String>>> {
    let mut stream = match at_short_path(data, |path| UnixStream::connect(path)) {
        Ok(stream) => stream,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    write_line(&mut stream, request)?;
    for line in BufReader::new(stream).lines() {
        match serde_json::from_str(&line?).map_err(io::Error::other)? {
            Answer::Progress(done) => progress(done),
            Answer::Done(result) => return Ok(Some(Ok(result))),
            Answer::Failed(what) => return Ok(Some(Err(what))),
        }
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server ended before its answer"))
}

/// Reads the one request of a connection.
pub fn read_request(stream: &UnixStream) -> io::Result<Request> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    let mut line = String::new();
    BufReader::new(io::Read::take(stream, REQUEST_BYTES_MAX)).read_line(&mut line)?;
    parse_request(&line).map_err(io::Error::other)
}

fn parse_request(line: &str) -> serde_json::Result<Request> {
    serde_json::from_str(line)
}

/// Writes one line of an answer.
pub fn answer<T: Serialize>(stream: &mut UnixStream, answer: &Answer<T>) -> io::Result<()> {
    write_line(stream, answer)
}

fn write_line(stream: &mut UnixStream, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_string(value).expect("requests and answers are plain data");
    line.push('\n');
    stream.write_all(line.as_bytes())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// A socket's address holds a hundred bytes, a path may hold thousands. Where it is too long,
/// Linux finds the directory under the number of an open file.
fn at_short_path<T>(data: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let socket = data.join(SOCKET);
    if socket.as_os_str().len() <= SOCKET_PATH_MAX {
        return act(&socket);
    }
    let directory = std::fs::File::open(data)?;
    act(&Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(SOCKET))
}

#[cfg(test)]
mod tests {
    use barrow_fuzz::{INPUTS, Verdict, fuzz};

    use super::*;

    #[test]
    fn fuzz_control_requests() {
        let samples: [&[u8]; 2] =
            [br#"{"request": "status"}"#, br#"{"request": "backup", "to": "/var/a.backup"}"#];
        fuzz("control_requests", INPUTS, &samples, |bytes| {
            // What is no text is refused while the line is read.
            let Ok(line) = str::from_utf8(bytes) else { return Verdict::Refused };
            let request = parse_request(line);
            if let Ok(request) = &request {
                let again = serde_json::to_string(request).unwrap();
                assert_eq!(&parse_request(&again).unwrap(), request);
            }
            Verdict::of(&request)
        });
    }

    fn check(data: &Path) {
        assert_eq!(ask::<Status>(data, &Request::Status, |_| {}).unwrap(), None);
        let listener = listen(data).unwrap();
        let mode = data.join(SOCKET).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let request = read_request(&stream).unwrap();
            answer::<u64>(&mut stream, &Answer::Progress(7)).unwrap();
            answer(&mut stream, &Answer::Done(42u64)).unwrap();
            request
        });
        let request = Request::Backup { to: "/somewhere".into() };
        let mut seen = Vec::new();
        let result = ask::<u64>(data, &request, |done| seen.push(done)).unwrap();
        assert_eq!((result, seen), (Some(Ok(42)), vec![7]));
        assert_eq!(server.join().unwrap(), request);
        // The listener is gone and its file is left: as after a crash.
        assert_eq!(ask::<Status>(data, &Request::Status, |_| {}).unwrap(), None);
        listen(data).unwrap();
        unlisten(data);
        assert!(!data.join(SOCKET).exists());
    }

    #[test]
    fn a_request_is_answered_through_the_socket() {
        check(tempfile::tempdir().unwrap().path());
    }

    #[test]
    fn a_long_path_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(90)).join("e".repeat(90));
        std::fs::create_dir_all(&deep).unwrap();
        check(&deep);
    }
}

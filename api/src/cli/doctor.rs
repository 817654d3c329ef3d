//! `barrow doctor`: whether it can run here. Each check says what it found, and where that is
//! not well, what to do. It works beside a running server, whom it asks, and changes nothing.

mod cluster;
mod servers;

use std::io::ErrorKind;
use std::net::{TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use barrow_engine::ports::ProductStore;
use serde::Serialize;

use crate::config::{Address, Config, ConfigError, EntityBackend, Loaded, ProductBackend};
use crate::wiring;

use super::args::ReportArgs;
use super::control::{self, Request, Status};
use super::data_dir::{self, DataDir, LockState};
use super::failure::{Exit, Failure, colours};
use super::output;

/// Below this a day of orders may not fit any more.
const FREE_BYTES_LOW: u64 = 1 << 30;

/// Below this the store may fail at any moment.
const FREE_BYTES_MIN: u64 = 100 << 20;

/// No machine with a right clock runs this version before 2026.
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);

/// How far ahead of the clock a file of ours may seem: other clocks write to shared disks.
const AHEAD_MAX: Duration = Duration::from_secs(60);

/// Files that the stores and the process itself hold open, beside one for each connection.
const OWN_FILES: u64 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    found: String,
    /// What to do, unless it is well.
    advice: Option<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    verdict: Verdict,
    checks: Vec<Check>,
}

fn ok(name: &'static str, found: String) -> Check {
    Check { name, verdict: Verdict::Ok, found, advice: None }
}

fn warn(name: &'static str, found: String, advice: &str) -> Check {
    Check { name, verdict: Verdict::Warn, found, advice: Some(advice.to_owned()) }
}

fn fail(name: &'static str, found: String, advice: &str) -> Check {
    Check { name, verdict: Verdict::Fail, found, advice: Some(advice.to_owned()) }
}

/// Runs every check that can be run.
pub fn run(args: &ReportArgs, loaded: Result<Loaded, ConfigError>) -> Result<Exit, Failure> {
    let checks = match loaded {
        Err(error) => vec![fail("configuration", error.to_string(), "mend what is named")],
        Ok(loaded) => all_checks(&loaded.config),
    };
    let verdict = match () {
        () if checks.iter().any(|check| check.verdict == Verdict::Fail) => Verdict::Fail,
        () if checks.iter().any(|check| check.verdict == Verdict::Warn) => Verdict::Warn,
        () => Verdict::Ok,
    };
    let exit = if verdict == Verdict::Fail { Exit::Refused } else { Exit::Done };
    let report = Report { verdict, checks };
    if args.json {
        output::json(&report)?
    } else {
        print(&report)?
    }
    Ok(exit)
}

fn all_checks(config: &Config) -> Vec<Check> {
    let data = Path::new(&config.data);
    let lock = data_dir::lock_state(data);
    let server = control::ask::<Status>(data, &Request::Status, |_| {});
    let server = server.ok().flatten().and_then(Result::ok);
    let mut checks = vec![ok("configuration", "every key and value is good".to_owned())];
    checks.push(check_writable("data directory", data));
    checks.push(check_space(data));
    checks.push(check_lock(&lock, server.as_ref()));
    let servers = servers::checks(config);
    checks.push(check_stores(config, &lock, server.as_ref()));
    if config.media_bucket().is_none() {
        checks.push(check_writable("media", &config.media_dir()));
    }
    let bound = server.as_ref().map(|server| server.listen.as_str());
    checks.push(check_port("port", &config.server.listen, bound));
    if let Some(ops) = &config.ops.listen {
        let bound = server.as_ref().and_then(|server| server.ops_listen.as_deref());
        checks.push(check_port("ops port", ops, bound));
    }
    checks.extend(cluster::check(config, server.is_some()));
    checks.push(check_clock(SystemTime::now(), newest(data)));
    checks.extend(servers);
    checks.extend(check_dead_letters(config, data));
    checks.push(check_open_files(config));
    checks
}

fn check_dead_letters(config: &Config, data: &Path) -> Option<Check> {
    const NAME: &str = "dead letters";
    let counted = super::runtime().ok()?.block_on(wiring::dead_letters(config, data))?;
    Some(match counted {
        Ok(0) => ok(NAME, "none: all was told that happened to orders and stock".to_owned()),
        Ok(count) => warn(
            NAME,
            format!("{count} events could not be told; what comes behind them waits"),
            "see what they say (GET /admin/v1/dead_letters), mend it, and replay or discard them",
        ),
        Err(reason) => fail(NAME, reason, "look at the file or the server that orders lie in"),
    })
}

fn check_writable(name: &'static str, path: &Path) -> Check {
    let shown = path.display();
    let existing = existing_part(path);
    let access =
        rustix::fs::access(&existing, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    match access {
        _ if !existing.is_dir() => fail(
            name,
            format!("{} is not a directory", existing.display()),
            "name another in the configuration",
        ),
        Err(error) => fail(
            name,
            format!("{} cannot be written: {error}", existing.display()),
            "give this user the right to write there, or name another directory",
        ),
        Ok(()) if existing == path => ok(name, format!("{shown} can be written")),
        Ok(()) => ok(name, format!("{shown} will be made at the first start")),
    }
}

/// The directory itself, or the nearest above it that is there.
fn existing_part(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let existing = absolute.ancestors().find(|part| part.exists());
    match existing {
        Some(part) if part == absolute => path.to_owned(),
        Some(part) => part.to_owned(),
        None => absolute,
    }
}

fn check_space(path: &Path) -> Check {
    let name = "disk";
    let existing = existing_part(path);
    let space = match rustix::fs::statvfs(&existing) {
        Ok(space) => space,
        Err(error) => {
            let found = format!("the free space cannot be told: {error}");
            return warn(name, found, "look at it by other means");
        }
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let found = format!("{} free", bytesize::ByteSize(free).display().iec());
    match free {
        free if free < FREE_BYTES_MIN => fail(name, found, "free at least 1 GiB"),
        free if free < FREE_BYTES_LOW => warn(name, found, "free at least 1 GiB"),
        _ => ok(name, found),
    }
}

fn check_lock(lock: &std::io::Result<LockState>, server: Option<&Status>) -> Check {
    let name = "lock";
    match (lock, server) {
        (Ok(LockState::Unused), _) => ok(name, "nobody has used the directory yet".to_owned()),
        (Ok(LockState::Free), _) => ok(name, "nobody uses the directory now".to_owned()),
        (Ok(LockState::Held(holder)), None) if holder.starts_with("barrow serve") => warn(
            name,
            format!("held by {holder}, which does not answer"),
            "it may be starting or ending; if it stays so, look at its log",
        ),
        (Ok(LockState::Held(holder)), _) => ok(name, format!("held by {holder}")),
        (Err(error), _) => fail(
            name,
            format!("it cannot be told: {error}"),
            "give this user the right to read the data directory",
        ),
    }
}

fn check_stores(
    config: &Config,
    lock: &std::io::Result<LockState>,
    server: Option<&Status>,
) -> Check {
    let name = "stores";
    let embedded = config.stores.entities == EntityBackend::Embedded
        || config.stores.products == ProductBackend::Embedded;
    match (lock, server) {
        // Each server has a check of its own.
        _ if !embedded => ok(name, "all lie on servers beside the process".to_owned()),
        (_, Some(server)) => {
            ok(name, format!("open in process {}, {} products", server.process, server.products))
        }
        (Ok(LockState::Unused), None) => ok(name, "will be made at the first start".to_owned()),
        (Ok(LockState::Free), None) => match inspect(config) {
            Ok(None) => ok(name, "will be made at the first start".to_owned()),
            Ok(Some(products)) => ok(name, format!("they open well, {products} products")),
            Err(failure) => fail(
                name,
                failure.what,
                failure.hint.as_deref().unwrap_or("restore a backup into an empty directory"),
            ),
        },
        _ => warn(name, "in use, so not looked at".to_owned(), "ask again when nobody uses them"),
    }
}

/// Opens the embedded stores, which nobody has open, and counts their products. `None` where
/// there are none yet. Those on servers stay closed: opening them would make their tables.
fn inspect(config: &Config) -> Result<Option<u64>, Failure> {
    let data = DataDir::lock(config.data_dir(), "doctor")?;
    let opened = wiring::open_embedded(data.path(), super::on_fatal());
    let Some(store) = opened.map_err(super::open_failure)? else { return Ok(None) };
    let count = super::runtime()?.block_on(store.products().count());
    count.map(Some).map_err(Failure::refused)
}

fn check_port(name: &'static str, listen: &Address, bound: Option<&str>) -> Check {
    let address = match resolve(listen) {
        Ok(address) => address,
        Err(error) => {
            let found = format!("{listen} is no address of this machine: {error}");
            return fail(name, found, "choose another host");
        }
    };
    if bound.is_some_and(|bound| bound == address.to_string()) {
        return ok(name, format!("{address} is served by the running barrow"));
    }
    match TcpListener::bind(address) {
        Ok(_) if listen.port() == 0 => ok(name, "any free port will do".to_owned()),
        Ok(_) => ok(name, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => fail(
            name,
            format!("{address} is in use by another process"),
            "stop that process, or choose another port (0 takes any free one)",
        ),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => fail(
            name,
            format!("{address} may not be opened by this user"),
            "choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE",
        ),
        Err(error) => {
            fail(name, format!("{address} cannot be opened: {error}"), "choose another host")
        }
    }
}

fn resolve(listen: &Address) -> std::io::Result<std::net::SocketAddr> {
    (listen.host(), listen.port())
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| std::io::Error::new(ErrorKind::NotFound, "the name has no address"))
}

/// A clock that is wrong makes tokens and prices expire at the wrong time.
fn check_clock(now: SystemTime, newest: Option<SystemTime>) -> Check {
    let name = "clock";
    let earliest = SystemTime::UNIX_EPOCH + EARLIEST;
    let shown = humantime::format_rfc3339_seconds(now);
    if now < earliest {
        let found = format!("it says {shown}, before this version was made");
        return fail(name, found, "set the clock; use NTP");
    }
    match newest.and_then(|newest| newest.duration_since(now).ok()) {
        Some(ahead) if ahead > AHEAD_MAX => warn(
            name,
            format!(
                "it says {shown}, but data was written {} later",
                humantime::format_duration(Duration::from_secs(ahead.as_secs()))
            ),
            "it was set back; look whether NTP runs",
        ),
        _ => ok(name, format!("it says {shown}")),
    }
}

/// When the newest file directly in the data directory was written.
fn newest(data: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(data).ok()?;
    entries.filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok()).max()
}

fn check_open_files(config: &Config) -> Check {
    let name = "open files";
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let wanted = config.server.max_connections as u64 + OWN_FILES;
    match limit {
        Some(limit) if limit < wanted => warn(
            name,
            format!("at most {limit}, but {wanted} are wanted for server.max_connections"),
            "raise the limit (ulimit -Hn, LimitNOFILE) or lower server.max_connections",
        ),
        Some(limit) => ok(name, format!("at most {limit}")),
        None => ok(name, "no limit".to_owned()),
    }
}

fn print(report: &Report) -> Result<(), Failure> {
    let coloured = colours(&std::io::stdout());
    let mut text = String::new();
    for check in &report.checks {
        let (word, colour) = match check.verdict {
            Verdict::Ok => ("ok  ", "\x1b[32m"),
            Verdict::Warn => ("warn", "\x1b[33m"),
            Verdict::Fail => ("FAIL", "\x1b[31m"),
        };
        let (colour, plain) = if coloured { (colour, "\x1b[0m") } else { ("", "") };
        text.push_str(&format!("{colour}{word}{plain}  {:<15} {}\n", check.name, check.found));
        if let Some(advice) = &check.advice {
            text.push_str(&format!("{:<22}-> {advice}\n", ""));
        }
    }
    let count = |verdict| report.checks.iter().filter(|check| check.verdict == verdict).count();
    text.push_str(&format!(
        "{} ok, {} to look at, {} failed\n",
        count(Verdict::Ok),
        count(Verdict::Warn),
        count(Verdict::Fail)
    ));
    output::text(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_fails_unless_it_is_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let bound = listener.local_addr().unwrap();
        let listen = Address::new("127.0.0.1", bound.port());
        assert_eq!(check_port("port", &listen, None).verdict, Verdict::Fail);
        let ours = bound.to_string();
        assert_eq!(check_port("port", &listen, Some(&ours)).verdict, Verdict::Ok);
        drop(listener);
        assert_eq!(check_port("port", &listen, None).verdict, Verdict::Ok);
    }

    #[test]
    fn a_clock_that_is_wrong_is_noticed() {
        let sane = SystemTime::UNIX_EPOCH + EARLIEST + Duration::from_secs(1_000);
        let hour = Duration::from_secs(3_600);
        assert_eq!(check_clock(sane, None).verdict, Verdict::Ok);
        assert_eq!(check_clock(sane, Some(sane - hour)).verdict, Verdict::Ok);
        assert_eq!(check_clock(sane, Some(sane + hour)).verdict, Verdict::Warn);
        assert_eq!(check_clock(SystemTime::UNIX_EPOCH, None).verdict, Verdict::Fail);
    }

    #[test]
    fn a_file_is_no_data_directory() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(check_writable("data", &file).verdict, Verdict::Fail);
        assert_eq!(check_writable("data", &file.join("below")).verdict, Verdict::Fail);
        assert_eq!(check_writable("data", &dir.path().join("a/b")).verdict, Verdict::Ok);
        assert_eq!(check_writable("data", dir.path()).verdict, Verdict::Ok);
    }
}

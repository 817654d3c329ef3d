//! MiniStack: a second server of S3's language. It looks at what is sent before it keeps it, which
//! the one in this process does not. It is a program for Python, fetched once and kept in the
//! target folder.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

use crate::dynamodb_local::target;
use crate::http::{ACCESS_KEY, SECRET_KEY};
use crate::process::{Process, Start, free_port, installed, run};

const VERSION: &str = "1.5.33";

/// MiniStack, with all it keeps in memory.
#[derive(Debug)]
pub struct MiniStack {
    _process: Process,
    port: u16,
    _folder: TempDir,
}

impl MiniStack {
    pub fn start() -> anyhow::Result<MiniStack> {
        let program = program()?;
        let program = program.to_str().context("the path is no text")?;
        let (port, folder) = (free_port()?, tempfile::tempdir()?);
        let args = vec![
            format!("GATEWAY_PORT={port}"),
            "BIND_HOST=127.0.0.1".to_owned(),
            format!("AWS_ACCESS_KEY_ID={ACCESS_KEY}"),
            format!("AWS_SECRET_ACCESS_KEY={SECRET_KEY}"),
            program.to_owned(),
        ];
        let start = Start {
            program: &installed("env")?,
            args,
            dir: folder.path(),
            log: folder.path().join("log"),
            unprivileged: false,
        };
        let mut process = Process::start(start)?;
        process.wait_until_it_listens(port)?;
        Ok(MiniStack { _process: process, port, _folder: folder })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// The program, fetched if it is not there. Of several processes one fetches, and the others wait
/// for it; a fetch that was cut off leaves nothing that looks complete.
fn program() -> anyhow::Result<PathBuf> {
    let folder = target().join("servers").join(format!("ministack-{VERSION}"));
    let (complete, program) = (folder.join("complete"), folder.join("venv/bin/ministack"));
    if complete.is_file() {
        return Ok(program);
    }
    let python = installed("python3")?;
    std::fs::create_dir_all(&folder)?;
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    if !complete.is_file() {
        // It cannot be moved once it is made: its programs hold the path.
        run(&python, &["-m", "venv", "--clear", "venv"], &folder, false)?;
        let wanted = format!("ministack=={VERSION}");
        let args = ["install", "--quiet", "--disable-pip-version-check", &wanted];
        let pip: &Path = &folder.join("venv/bin/pip");
        run(pip, &args, &folder, false).context("pip fetches MiniStack")?;
        File::create(complete)?;
    }
    Ok(program)
}

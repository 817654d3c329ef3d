//! MiniStack: a second server of S3's language. It looks at what is sent before it keeps it, which
//! the one in this process does not. It is a program for Python, fetched once and kept in the
//! target folder.

use anyhow::Context;
use tempfile::TempDir;

use crate::http::{ACCESS_KEY, SECRET_KEY};
use crate::process::{Process, Start, free_port, installed};
use crate::python;

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
        let program = python::program("ministack", VERSION)?;
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

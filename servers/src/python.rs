//! Programs for Python, each fetched once in one version and kept in the target folder.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::dynamodb_local::target;
use crate::process::{installed, run};

/// The program of a package that has its name, fetched if it is not there. Of several processes
/// one fetches, and the others wait for it; a fetch that was cut off leaves nothing that looks
/// complete.
pub fn program(package: &str, version: &str) -> anyhow::Result<PathBuf> {
    let folder = target().join("servers").join(format!("{package}-{version}"));
    let (complete, program) = (folder.join("complete"), folder.join("venv/bin").join(package));
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
        let wanted = format!("{package}=={version}");
        let args = ["install", "--quiet", "--disable-pip-version-check", &wanted];
        let pip: &Path = &folder.join("venv/bin/pip");
        run(pip, &args, &folder, false).with_context(|| format!("pip fetches {package}"))?;
        File::create(complete)?;
    }
    Ok(program)
}

//! AWS's own DynamoDB Local: what it refuses, DynamoDB refuses. It is a program for Java, fetched
//! with Maven once and kept in the target folder.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

use crate::process::{Process, Start, free_port, installed, run};

const VERSION: &str = "2.6.1";

/// DynamoDB Local in memory. Takes some seconds to start.
#[derive(Debug)]
pub struct DynamoDbLocal {
    _process: Process,
    port: u16,
    _folder: TempDir,
}

impl DynamoDbLocal {
    pub fn start() -> anyhow::Result<DynamoDbLocal> {
        DynamoDbLocal::start_on(free_port()?)
    }

    pub fn start_on(port: u16) -> anyhow::Result<DynamoDbLocal> {
        let java = installed("java")?;
        let jars = jars()?;
        let folder = tempfile::tempdir()?;
        let jars = jars.to_str().context("the path is no text")?;
        let args = [
            "-Xmx512m".to_owned(),
            format!("-Djava.library.path={jars}"),
            "-cp".to_owned(),
            format!("{jars}/*"),
            "com.amazonaws.services.dynamodbv2.local.main.ServerRunner".to_owned(),
            "-inMemory".to_owned(),
            "-disableTelemetry".to_owned(),
            "-port".to_owned(),
            port.to_string(),
        ];
        let log = folder.path().join("log");
        let start = Start {
            program: &java,
            args: args.into(),
            dir: folder.path(),
            log,
            unprivileged: false,
        };
        let mut process = Process::start(start)?;
        process.wait_until_it_listens(port)?;
        Ok(DynamoDbLocal { _process: process, port, _folder: folder })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// The folder of its jars, fetched if it is not there. Of several processes one fetches, and the
/// others wait for it; a fetch that was cut off leaves nothing that looks complete.
fn jars() -> anyhow::Result<PathBuf> {
    let folder = target().join("servers").join(format!("dynamodb-local-{VERSION}"));
    let jars = folder.join("jars");
    if jars.is_dir() {
        return Ok(jars);
    }
    let maven = installed("mvn")?;
    std::fs::create_dir_all(&folder)?;
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    if !jars.is_dir() {
        std::fs::write(folder.join("pom.xml"), project())?;
        let args = ["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars.part"];
        run(&maven, &args, &folder, false).context("Maven fetches DynamoDB Local")?;
        std::fs::rename(folder.join("jars.part"), &jars)?;
    }
    Ok(jars)
}

fn project() -> String {
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n\
         <modelVersion>4.0.0</modelVersion>\n\
         <groupId>test</groupId><artifactId>dynamodb-local</artifactId><version>1</version>\n\
         <dependencies><dependency>\n\
         <groupId>com.amazonaws</groupId><artifactId>DynamoDBLocal</artifactId>\n\
         <version>{VERSION}</version>\n\
         </dependency></dependencies>\n\
         </project>\n"
    )
}

/// The target folder that this program was built into; cargo marks it.
pub(crate) fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let mut folders = program.ancestors();
    let built_into = folders.find(|folder| folder.join("CACHEDIR.TAG").is_file());
    built_into
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), Path::to_path_buf)
}

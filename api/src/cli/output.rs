//! Standard output and standard error. A reader that went away (`barrow export | head`) is no
//! error: what is left is not written, and the command ends quietly.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use super::failure::Failure;

/// Writes a line on standard output.
pub fn line(text: &str) -> Result<(), Failure> {
    quiet(writeln!(io::stdout().lock(), "{text}").and_then(|()| io::stdout().flush()))
}

/// Writes text that ends in its own line end.
pub fn text(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    quiet(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes one JSON document, indented.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).expect("reports are plain data");
    line(&text)
}

/// Writes a line on standard error. If nobody can hear it, nothing can be done.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn quiet(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::refused(format!("standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

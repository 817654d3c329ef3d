//! What the disk alone makes of as many rows at a time, written and synced by one thread that
//! does nothing else. It keeps no row that could be found again.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::crowd::{ROW_BYTES, Round};

pub fn round(folder: &Path, rows: usize, time: Duration) -> anyhow::Result<Round> {
    let mut file = File::create(folder.join("raw"))?;
    let block = vec![7; rows * ROW_BYTES];
    let running = Round::begin()?;
    let (began, mut changes) = (Instant::now(), 0);
    while began.elapsed() < time {
        file.write_all(&block)?;
        file.sync_data()?;
        changes += rows as u64;
    }
    running.end(changes)
}

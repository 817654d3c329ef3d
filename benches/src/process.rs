//! What the system says of a process: processor time and memory; and of its disk.

use std::fs::read_to_string;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Context;

/// Linux counts processor time for user space in hundredths of a second on every platform.
const TICKS_PER_S: f64 = 100.0;

/// What a process holds in memory that is in RAM, in bytes.
pub fn resident_bytes(pid: u32) -> anyhow::Result<f64> {
    let status = read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<f64>().ok());
    Ok(kib.context("no memory is told")? * 1024.0)
}

/// What the disk that a folder lies on has written since the system started, in bytes. What a
/// process is charged with says less: it counts pages, and pages of a large file are large.
pub fn written_bytes(folder: &Path) -> anyhow::Result<f64> {
    /// Of `/proc/diskstats`, whatever the disk's own are.
    const SECTOR_BYTES: f64 = 512.0;
    let device = std::fs::metadata(folder)?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let disks = read_to_string("/proc/diskstats")?;
    let fields = disks.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let sectors = fields
        .filter(|fields| fields.len() > 9)
        .find(|fields| fields[0] == major.to_string() && fields[1] == minor.to_string())
        .and_then(|fields| fields[9].parse::<f64>().ok());
    Ok(sectors.context("the disk of the folder is not told")? * SECTOR_BYTES)
}

/// A process and all that it started, and they.
#[cfg(feature = "peers")]
pub fn tree(root: u32) -> anyhow::Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // A process that has ended meanwhile is nobody's child.
        let Ok(stat) = read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(1)?.parse::<u32>().ok());
        parents.extend(parent.map(|parent| (pid, parent)));
    }
    let mut tree = vec![root];
    let mut at = 0;
    while at < tree.len() {
        let parent = tree[at];
        tree.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    Ok(tree)
}

/// User and system time of a process and its threads, in seconds.
pub fn cpu_s(pid: u32) -> anyhow::Result<f64> {
    let stat = read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the command in brackets, and may itself hold spaces and brackets.
    let (_, rest) = stat.rsplit_once(')').context("a stat line without a command")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    Ok((ticks(11).context("no utime")? + ticks(12).context("no stime")?) / TICKS_PER_S)
}

//! What the system says of a process: processor time, memory, what it wrote.

use std::fs::read_to_string;

use anyhow::Context;

/// Linux counts processor time for user space in hundredths of a second on every platform.
const TICKS_PER_S: f64 = 100.0;

/// User and system time of a process and its threads, in seconds.
pub fn cpu_s(pid: u32) -> anyhow::Result<f64> {
    let stat = read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the command in brackets, and may itself hold spaces and brackets.
    let (_, rest) = stat.rsplit_once(')').context("a stat line without a command")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    Ok((ticks(11).context("no utime")? + ticks(12).context("no stime")?) / TICKS_PER_S)
}

//! What the operating system says of this process: memory, processor time, open files.

use super::{Exposition, Kind};

/// Linux counts processor time for user space in hundredths of a second on every platform.
const TICKS_PER_S: f64 = 100.0;
/// The page size of `/proc/self/statm` on the platforms we build for, if the auxiliary vector
/// does not say otherwise.
const PAGE_BYTES: u64 = 4096;

/// A process at one instant; zero where the system does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessFigures {
    pub resident_bytes: u64,
    pub cpu_seconds: f64,
    pub open_files: u64,
    pub threads: u64,
}

impl ProcessFigures {
    pub fn read() -> ProcessFigures {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mut figures = parse_stat(&stat);
        // The status page tells bytes whatever the page size is.
        figures.resident_bytes = resident_kib(&status).map_or(figures.resident_bytes, |k| k << 10);
        figures.open_files =
            std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64);
        figures
    }

    pub fn collect(&self, out: &mut Exposition) {
        use Kind::{Counter, Gauge};

        out.single("process_resident_memory_bytes", Gauge, "Memory in use.", self.resident_bytes);
        out.single(
            "process_cpu_seconds_total",
            Counter,
            "Processor time, user and system.",
            self.cpu_seconds,
        );
        out.single("process_open_fds", Gauge, "Open files and sockets.", self.open_files);
        out.single("process_threads", Gauge, "Threads.", self.threads);
    }
}

fn parse_stat(stat: &str) -> ProcessFigures {
    // The second field is the command in brackets, and may itself hold spaces and brackets.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    ProcessFigures {
        cpu_seconds: (number(11) + number(12)) as f64 / TICKS_PER_S,
        threads: number(17),
        resident_bytes: number(21) * PAGE_BYTES,
        open_files: 0,
    }
}

fn resident_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_stat_line() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 7 0 99 1000 \
                    25 18446744073709551615";
        let expected = ProcessFigures {
            resident_bytes: 25 * 4096,
            cpu_seconds: 2.0,
            open_files: 0,
            threads: 7,
        };
        assert_eq!(parse_stat(stat), expected);
        assert_eq!(parse_stat("rubbish"), ProcessFigures::default());
        assert_eq!(resident_kib("Name:\tx\nVmRSS:\t  123 kB\n"), Some(123));
    }
}

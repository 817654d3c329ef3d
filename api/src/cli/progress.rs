//! How far a long command has come: a bar on a terminal, else a plain line now and then. On
//! standard error, so that standard output holds nothing but data.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::output::complain;

/// Where nobody watches a bar, a line so often is enough to see that it lives.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// The progress of one step.
pub struct Progress {
    label: String,
    unit: &'static str,
    total: Option<u64>,
    done: u64,
    started: Instant,
    lined: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// `total` is `None` where it is not known beforehand.
    pub fn start(label: &str, unit: &'static str, total: Option<u64>) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = match total {
                Some(total) => ProgressBar::new(total),
                None => ProgressBar::no_length(),
            };
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            bar.set_style(style(total.is_some(), unit));
            bar.set_prefix(label.to_owned());
            bar
        });
        let now = Instant::now();
        Progress { label: label.to_owned(), unit, total, done: 0, started: now, lined: now, bar }
    }

    /// So many are done in all.
    pub fn set(&mut self, done: u64, total: Option<u64>) {
        self.done = done;
        if total.is_some() {
            if self.total.is_none()
                && let Some(bar) = &self.bar
            {
                bar.set_style(style(true, self.unit));
            }
            self.total = total;
        }
        match &self.bar {
            Some(bar) => bar.update(|state| {
                state.set_pos(done);
                if let Some(total) = total {
                    state.set_len(total);
                }
            }),
            None if self.lined.elapsed() >= LINE_INTERVAL => {
                self.lined = Instant::now();
                complain(&self.describe());
            }
            None => {}
        }
    }

    /// Tells something beside the progress.
    pub fn aside(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| complain(text)),
            None => complain(text),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn describe(&self) -> String {
        let rate = self.done as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        let Progress { label, unit, done, .. } = self;
        match self.total.filter(|total| total >= done && rate > 0.0) {
            Some(total) => {
                let left = ((total - done) as f64 / rate).round();
                format!("{label}: {done} of {total} {unit}, {rate:.0}/s, {left:.0} s left")
            }
            None => format!("{label}: {done} {unit}, {rate:.0}/s"),
        }
    }
}

fn style(has_total: bool, unit: &str) -> ProgressStyle {
    let template = match has_total {
        true => format!(
            "{{prefix}} {{wide_bar}} {{human_pos}}/{{human_len}} {unit} {{rate}} {{eta}} left"
        ),
        false => format!("{{prefix}} {{spinner}} {{human_pos}} {unit} {{rate}}"),
    };
    let rate = |state: &ProgressState, out: &mut dyn Write| {
        // If it cannot be written there is nobody to tell.
        let _ = write!(out, "{:.0}/s", state.per_sec());
    };
    let style = ProgressStyle::with_template(&template).expect("the template is well formed");
    style.with_key("rate", rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_rate_and_what_is_left() {
        let now = Instant::now();
        let started = now.checked_sub(Duration::from_secs(10)).unwrap();
        let mut progress = Progress {
            label: "importing".to_owned(),
            unit: "rows",
            total: Some(3_000),
            done: 1_000,
            started,
            lined: now,
            bar: None,
        };
        assert_eq!(progress.describe(), "importing: 1000 of 3000 rows, 100/s, 20 s left");
        progress.total = None;
        assert_eq!(progress.describe(), "importing: 1000 rows, 100/s");
    }
}

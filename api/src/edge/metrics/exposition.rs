//! The Prometheus text format: families with their help and type, samples with escaped labels.

use std::fmt::{Display, Write};

/// What a family's samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A page of metrics in the making. A family is opened once, then gets its samples.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    family: &'static str,
}

impl Exposition {
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    pub fn new() -> Exposition {
        Exposition::default()
    }

    /// Opens a family; `name` ends in its unit, and in `_total` for a counter.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> &mut Exposition {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.text.push_str("# HELP ");
        self.text.push_str(name);
        self.text.push(' ');
        escape(help, false, &mut self.text);
        let _ = write!(self.text, "\n# TYPE {name} {kind}\n");
        self.family = name;
        self
    }

    /// A sample of the open family.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Exposition {
        self.line("", labels, None, value)
    }

    /// A family of one sample without labels.
    pub fn single(&mut self, name: &'static str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help).sample(&[], value);
    }

    /// A histogram of the open family: `(upper bound, count at or below it)`, ascending; the
    /// count of all; their sum.
    pub fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        buckets: impl IntoIterator<Item = (f64, u64)>,
        count: u64,
        sum: f64,
    ) -> &mut Exposition {
        for (bound, below) in buckets {
            self.line("_bucket", labels, Some(&bound.to_string()), below);
        }
        self.line("_bucket", labels, Some("+Inf"), count);
        self.line("_sum", labels, None, sum);
        self.line("_count", labels, None, count)
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        bound: Option<&str>,
        value: impl Display,
    ) -> &mut Exposition {
        self.text.push_str(self.family);
        self.text.push_str(suffix);
        let all = labels.iter().copied().chain(bound.map(|bound| ("le", bound)));
        for (index, (name, label)) in all.enumerate() {
            let _ = write!(self.text, "{}{name}=\"", if index == 0 { '{' } else { ',' });
            escape(label, true, &mut self.text);
            self.text.push('"');
        }
        if !labels.is_empty() || bound.is_some() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
        self
    }

    pub fn finish(self) -> String {
        self.text
    }
}

fn escape(text: &str, is_label: bool, out: &mut String) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if is_label => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_text_format() {
        let mut page = Exposition::new();
        page.family("a_total", Kind::Counter, "Counts \"a\"\nand \\.")
            .sample(&[("x", "q\"\\\n"), ("y", "1")], 3)
            .sample(&[], 4);
        page.family("b_seconds", Kind::Histogram, "Times b.").histogram(
            &[("x", "1")],
            [(0.5, 1), (1.0, 2)],
            3,
            4.5,
        );
        assert_eq!(
            page.finish(),
            "# HELP a_total Counts \"a\"\\nand \\\\.\n\
             # TYPE a_total counter\n\
             a_total{x=\"q\\\"\\\\\\n\",y=\"1\"} 3\n\
             a_total 4\n\
             # HELP b_seconds Times b.\n\
             # TYPE b_seconds histogram\n\
             b_seconds_bucket{x=\"1\",le=\"0.5\"} 1\n\
             b_seconds_bucket{x=\"1\",le=\"1\"} 2\n\
             b_seconds_bucket{x=\"1\",le=\"+Inf\"} 3\n\
             b_seconds_sum{x=\"1\"} 4.5\n\
             b_seconds_count{x=\"1\"} 3\n"
        );
    }
}

//! How results are told: each figure with what it should be, and whether it is.

use serde_json::json;

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Target::AtLeast(bound) => value >= bound,
            Target::AtMost(bound) => value <= bound,
        }
    }

    fn verdict(self, value: f64) -> String {
        let (word, bound) = match self {
            Target::AtLeast(bound) => (">=", bound),
            Target::AtMost(bound) => ("<=", bound),
        };
        let mark = if self.is_met(value) { "met" } else { "MISSED" };
        format!("{word} {} {mark}", shown(bound))
    }
}

/// How reports are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    Json,
    Markdown,
}

struct Figure {
    name: &'static str,
    value: f64,
    target: Option<Target>,
}

/// What was measured of one case.
pub struct Report {
    case: String,
    figures: Vec<Figure>,
}

impl Report {
    pub fn new(case: impl Into<String>) -> Report {
        Report { case: case.into(), figures: Vec::new() }
    }

    pub fn figure(mut self, name: &'static str, value: f64) -> Report {
        self.figures.push(Figure { name, value, target: None });
        self
    }

    pub fn target(mut self, name: &'static str, value: f64, target: Target) -> Report {
        self.figures.push(Figure { name, value, target: Some(target) });
        self
    }

    pub fn print(&self, form: Form) {
        match form {
            Form::Json => println!("{}", self.json()),
            Form::Markdown => println!("{}", self.markdown()),
            Form::Text => self.print_text(),
        }
    }

    fn print_text(&self) {
        println!("{}", self.case);
        for Figure { name, value, target } in &self.figures {
            let line = format!("    {name:28} {:>10}", shown(*value));
            match target {
                None => println!("{line}"),
                Some(target) => println!("{line}   {}", target.verdict(*value)),
            }
        }
    }

    /// The case, its figures that have a target, and the others.
    fn markdown(&self) -> String {
        let (wanted, others): (Vec<&Figure>, Vec<&Figure>) =
            self.figures.iter().partition(|figure| figure.target.is_some());
        let wanted = wanted.iter().filter_map(|Figure { name, value, target }| {
            Some(format!("{name} **{}** ({})", shown(*value), (*target)?.verdict(*value)))
        });
        let others = others.iter().map(|figure| format!("{} {}", figure.name, shown(figure.value)));
        let joined = |texts: Vec<String>| texts.join("; ").replace('_', " ");
        format!("| {} | {} | {} |", self.case, joined(wanted.collect()), joined(others.collect()))
    }

    fn json(&self) -> serde_json::Value {
        let mut line = json!({ "case": self.case });
        let mut targets = json!({});
        for Figure { name, value, target } in &self.figures {
            line[*name] = json!(value);
            if let Some(target) = target {
                let (word, bound) = match target {
                    Target::AtLeast(bound) => ("at_least", bound),
                    Target::AtMost(bound) => ("at_most", bound),
                };
                targets[*name] = json!({ word: bound, "met": target.is_met(*value) });
            }
        }
        line["targets"] = targets;
        line
    }
}

/// Ratios and small figures with their fraction, large ones without.
fn shown(value: f64) -> String {
    if value.abs() < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

/// The middle one; of an even number the larger of both.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        for (values, expected) in [(&[3.0, 1.0, 2.0][..], 2.0), (&[1.0, 9.0], 9.0), (&[4.0], 4.0)] {
            assert_eq!(median(values.iter().copied()), expected, "{values:?}");
        }
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_report_says_what_was_wanted_and_whether_it_is_met() {
        let report = Report::new("a case")
            .target("ratio", 0.7, Target::AtLeast(0.7))
            .target("seconds", 2.5, Target::AtMost(2.0))
            .figure("rate", 12.0);
        let expected = json!({
            "case": "a case", "ratio": 0.7, "seconds": 2.5, "rate": 12.0,
            "targets": {
                "ratio": {"at_least": 0.7, "met": true},
                "seconds": {"at_most": 2.0, "met": false},
            },
        });
        assert_eq!(report.json(), expected);
        let row = "| a case | ratio **0.70** (>= 0.70 met); seconds **2.50** (<= 2.00 MISSED) \
                   | rate 12.00 |";
        assert_eq!(report.markdown(), row);
    }
}

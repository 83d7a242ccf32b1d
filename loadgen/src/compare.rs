//! Two reports side by side: what differs in settings, what became of each figure, and whether the
//! second is worse.

use crate::page::number::short;
use crate::report::Report;
use crate::report::marks::Verdict;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Settings that differ between any two runs and change nothing.
const OF_NO_WEIGHT: &[&str] =
    &["flow.expiry_unix_s", "metrics", "pid", "progress", "started_unix_s", "target"];

/// One figure of both.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// In the first report.
    pub first: Option<f64>,
    /// In the second.
    pub second: Option<f64>,
    /// True when a larger figure is worse and counts.
    pub judged: bool,
}

impl Figure {
    /// The second by the first; `None` where there is none.
    pub fn ratio(&self) -> Option<f64> {
        let (first, second) = self.first.zip(self.second)?;
        (first > 0.0).then(|| second / first)
    }
}

/// What two reports differ in.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// By how much a judged figure may grow, 0.1 for a tenth.
    pub worse: f64,
    /// Settings and versions that differ.
    pub settings: Vec<(String, String, String)>,
    /// All figures.
    pub figures: Vec<Figure>,
    /// Marks with another verdict.
    pub marks: Vec<(String, Verdict, Verdict)>,
}

impl Comparison {
    /// Of two reports.
    pub fn new(first: &Report, second: &Report, worse: f64) -> Comparison {
        Comparison {
            worse,
            settings: settings(first, second),
            figures: figures(first, second),
            marks: marks(first, second),
        }
    }

    /// The judged figures that grew by more than they may.
    pub fn worsened(&self) -> impl Iterator<Item = &Figure> {
        let most = 1.0 + self.worse;
        let judged = self.figures.iter().filter(|figure| figure.judged);
        judged.filter(move |figure| figure.ratio().is_some_and(|ratio| ratio > most))
    }
}

fn settings(first: &Report, second: &Report) -> Vec<(String, String, String)> {
    let version = |report: &Report| {
        let server = report.server.as_ref().and_then(|server| server.version.clone());
        server.map_or(Value::Null, Value::from)
    };
    let with = |report: &Report| -> BTreeMap<String, Value> {
        let mut all = report.settings.clone();
        all.retain(|name, _| !OF_NO_WEIGHT.contains(&name.as_str()));
        all.insert("version of the generator".into(), report.version.clone().into());
        all.insert("version of the server".into(), version(report));
        all.insert("processor".into(), report.machine.cpu.clone().into());
        all
    };
    let (first, second) = (with(first), with(second));
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    let text = |value: Option<&Value>| value.map_or("-".to_owned(), Value::to_string);
    let both = names.into_iter().map(|name| (name, first.get(name), second.get(name)));
    both.filter(|(_, first, second)| first != second)
        .map(|(name, first, second)| (name.clone(), text(first), text(second)))
        .collect()
}

fn figures(first: &Report, second: &Report) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut figure = |name: String, judged: bool, of: &dyn Fn(&Report) -> Option<f64>| {
        let (first, second) = (of(first), of(second));
        if first.is_some() || second.is_some() {
            figures.push(Figure { name, first, second, judged });
        }
    };
    let server = |report: &Report, read: fn(&crate::report::Server) -> Option<f64>| {
        report.server.as_ref().and_then(read)
    };
    figure("users signed in".into(), false, &|report| Some(report.signed_in as f64));
    let each = "server CPU an operation, us";
    figure(each.into(), true, &|report| server(report, |s| s.cpu_us_per_operation));
    figure("server cores busy".into(), false, &|report| server(report, |s| Some(s.cores)));
    figure("server memory, MiB".into(), false, &|report| {
        server(report, |s| Some(s.resident_after as f64 / 1_048_576.0))
    });
    figure("server memory a user, KiB".into(), false, &|report| {
        server(report, |s| Some(s.resident_per_user? / 1024.0))
    });
    figure("server processing a message, us".into(), false, &|report| {
        server(report, |s| Some(s.processing_s? * 1e6))
    });
    figure("server holding a message, ms".into(), false, &|report| {
        server(report, |s| Some(s.holding_s? * 1e3))
    });
    figure("generator busy, %".into(), false, &|report| Some(report.generator.busy * 100.0));
    let names: BTreeSet<&String> =
        first.operations.keys().chain(second.operations.keys()).collect();
    for name in names {
        let row = |report: &Report| report.operations.get(name).cloned();
        // Of the others there are few, at the beginning and at the end.
        let in_window = [first, second]
            .iter()
            .all(|report| report.operations.get(name).is_some_and(|row| row.per_second.is_some()));
        figure(format!("{name} a second"), false, &|report| row(report)?.per_second);
        figure(format!("{name} failed"), false, &|report| {
            row(report).map(|row| row.failed as f64).filter(|failed| *failed > 0.0)
        });
        figure(format!("{name} p50, ms"), false, &|report| Some(row(report)?.latency_ms?.p50));
        figure(format!("{name} p99, ms"), in_window, &|report| Some(row(report)?.latency_ms?.p99));
    }
    figures
}

fn marks(first: &Report, second: &Report) -> Vec<(String, Verdict, Verdict)> {
    let of = |report: &Report, name: &str| {
        let mark = report.marks.iter().find(|mark| mark.name == name);
        mark.map_or(Verdict::NotMeasured, |mark| mark.verdict)
    };
    let names: BTreeSet<&str> =
        first.marks.iter().chain(&second.marks).map(|mark| mark.name.as_str()).collect();
    let both = names.into_iter().map(|name| (name, of(first, name), of(second, name)));
    both.filter(|(_, first, second)| first != second)
        .map(|(name, first, second)| (name.to_owned(), first, second))
        .collect()
}

impl fmt::Display for Comparison {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, first, second) in &self.settings {
            writeln!(out, "differs: {name}: {first} and {second}")?;
        }
        writeln!(out, "{:<30}{:>12}{:>12}{:>9}", "figure", "first", "second", "ratio")?;
        let cell = |value: Option<f64>| value.map_or("-".to_owned(), short);
        for figure in &self.figures {
            let ratio = figure.ratio().map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
            let (first, second) = (cell(figure.first), cell(figure.second));
            writeln!(out, "{:<30}{first:>12}{second:>12}{ratio:>9}", figure.name)?;
        }
        for (name, first, second) in &self.marks {
            writeln!(out, "mark {name}: {} and {}", word(*first), word(*second))?;
        }
        for figure in self.worsened() {
            writeln!(out, "worse by more than {} %: {}", short(self.worse * 100.0), figure.name)?;
        }
        let worse = self.worsened().next().is_some();
        out.write_str(if worse { "the second is WORSE" } else { "the second is no worse" })
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "met",
        Verdict::Fail => "missed",
        Verdict::NotMeasured => "not measured",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::report;

    #[test]
    fn a_report_is_no_worse_than_itself() {
        let same = Comparison::new(&report(100), &report(100), 0.0);
        assert!(same.settings.is_empty() && same.marks.is_empty());
        assert_eq!(same.worsened().count(), 0);
        assert!(same.to_string().ends_with("the second is no worse"));
    }

    #[test]
    fn more_cpu_an_operation_or_a_larger_p99_is_worse_beyond_what_is_allowed() {
        let first = report(100);
        let mut second = report(100);
        second.server.as_mut().unwrap().cpu_us_per_operation = Some(10.9);
        second.settings.insert("users".into(), 200.into());
        second.settings.insert("pid".into(), 5.into());
        let worse = |second: &Report, by: f64| Comparison::new(&first, second, by);
        let found = worse(&second, 0.1);
        assert_eq!(found.worsened().count(), 0);
        assert_eq!(found.settings, [("users".to_owned(), "100".to_owned(), "200".to_owned())]);
        assert_eq!(worse(&second, 0.05).worsened().count(), 1);
        let row = second.operations.get_mut("message").unwrap();
        row.latency_ms.as_mut().unwrap().p99 *= 2.0;
        second.marks[0].verdict = Verdict::Fail;
        let found = worse(&second, 0.1);
        let names: Vec<_> = found.worsened().map(|figure| figure.name.as_str()).collect();
        assert_eq!(names, ["message p99, ms"]);
        let text = found.to_string();
        assert!(text.contains("mark ended_early: met and missed"), "{text}");
        assert!(text.ends_with("WORSE"), "{text}");
    }
}

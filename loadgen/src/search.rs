//! Looks for the largest load that holds the pass marks, by bisection. Each step is a whole run.

use crate::report::marks::Verdict;
use crate::report::{Ending, Report};
use anyhow::Result;

/// Where is looked, and how finely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Smallest load.
    pub min: f64,
    /// Largest load.
    pub max: f64,
    /// How far the largest that passed and the smallest that failed may be apart at the end, as a
    /// share of the former.
    pub precision: f64,
    /// Runs at most.
    pub steps_max: u32,
    /// Loads are multiples of this.
    pub unit: f64,
}

/// What one run showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The load.
    pub load: f64,
    /// Whether it held the marks.
    pub held: bool,
    /// Marks that it missed.
    pub missed: Vec<String>,
    /// True when the generator rather than the server was the limit.
    pub generator: bool,
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Every run, in order.
    pub steps: Vec<Step>,
    /// The largest load that held, with its report.
    pub best: Option<(f64, Report)>,
    /// The smallest load that did not, with its report.
    pub limit: Option<(f64, Report)>,
    /// True when somebody ended it early.
    pub interrupted: bool,
}

/// Runs at `range.min`, at `range.max` and then between what held and what did not; `tell` hears of
/// each step.
///
/// # Errors
/// When a run could not begin.
pub fn search(
    range: &Range,
    mut run: impl FnMut(f64) -> Result<Report>,
    mut tell: impl FnMut(&Step),
) -> Result<Found> {
    let mut found = Found { steps: Vec::new(), best: None, limit: None, interrupted: false };
    let mut next = Some(range.min);
    while let Some(load) = next.filter(|_| found.steps.len() < range.steps_max as usize) {
        let report = run(load)?;
        if report.ending == Ending::Interrupted {
            found.interrupted = true;
            break;
        }
        let step = Step::new(load, &report);
        tell(&step);
        let held = step.held;
        found.steps.push(step);
        let place = if held { &mut found.best } else { &mut found.limit };
        *place = Some((load, report));
        next = range.next(&found);
    }
    Ok(found)
}

impl Range {
    fn next(&self, found: &Found) -> Option<f64> {
        match (&found.best, &found.limit) {
            (Some((best, _)), None) if *best < self.max => Some(self.max),
            (Some((best, _)), Some((limit, _))) => {
                // In the middle by ratio: half and double are equally far.
                let middle = (best * limit).sqrt();
                let middle = (middle / self.unit).round() * self.unit;
                let fine = limit / best <= 1.0 + self.precision;
                (!fine && middle > *best && middle < *limit).then_some(middle)
            }
            _ => None,
        }
    }
}

impl Step {
    fn new(load: f64, report: &Report) -> Step {
        let missed = report.marks.iter().filter(|mark| mark.verdict == Verdict::Fail);
        Step {
            load,
            held: report.passed,
            missed: missed.map(|mark| mark.name.clone()).collect(),
            generator: report.generator_was_the_limit(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::report;

    fn looked(range: Range, most: f64) -> Found {
        let run = |load: f64| {
            let mut report = report(load as u32);
            report.passed = load <= most;
            if !report.passed {
                report.marks[0].verdict = Verdict::Fail;
            }
            Ok(report)
        };
        search(&range, run, |_| {}).unwrap()
    }

    const RANGE: Range =
        Range { min: 100.0, max: 100_000.0, precision: 0.02, steps_max: 20, unit: 2.0 };

    #[test]
    fn the_largest_load_that_holds_is_found_to_the_precision() {
        for most in [100.0, 101.0, 777.0, 5432.0, 99_998.0] {
            let found = looked(RANGE, most);
            let (best, report) = found.best.unwrap();
            assert!(best <= most && best * 1.03 >= most - 2.0, "{most}: {best}");
            assert!(best % 2.0 == 0.0 && report.users == best as u32);
            assert!(found.limit.is_some_and(|(limit, _)| limit > most));
            assert!(found.steps.len() <= 14, "{}", found.steps.len());
        }
    }

    #[test]
    fn ends_of_the_range_and_the_bound_on_steps_hold() {
        let all = looked(RANGE, 1e9);
        assert_eq!((all.steps.len(), all.best.unwrap().0), (2, 100_000.0));
        assert!(all.limit.is_none());
        let none = looked(RANGE, 1.0);
        assert_eq!((none.steps.len(), none.best.is_none()), (1, true));
        assert_eq!(none.steps[0].missed, ["ended_early"]);
        let few = looked(Range { steps_max: 4, ..RANGE }, 5000.0);
        assert_eq!(few.steps.len(), 4);
    }

    #[test]
    fn an_interrupted_run_ends_the_search_and_counts_for_nothing() {
        let mut runs = 0;
        let run = |load: f64| {
            runs += 1;
            let mut report = report(load as u32);
            report.ending = if runs == 2 { Ending::Interrupted } else { Ending::Complete };
            Ok(report)
        };
        let found = search(&RANGE, run, |_| {}).unwrap();
        assert!(found.interrupted && found.steps.len() == 1);
        assert_eq!(found.best.unwrap().0, 100.0);
    }
}

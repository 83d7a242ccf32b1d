//! A report as one page of HTML.

use super::marks::{Mark, Verdict};
use super::{Ending, Report, Second};
use crate::page::chart::{Chart, Line, chart, histogram};
use crate::page::number::{bits, count, octets, short};
use crate::page::{page, table, tile};
use crate::stats::Operation;
use maud::{Markup, html};

/// Histograms that are drawn at most.
const HISTOGRAMS_MAX: usize = 4;

impl Report {
    /// The report as a page that needs nothing else.
    pub fn to_html(&self) -> String {
        let title = format!("{}, {} users", self.flow, count(u64::from(self.users)));
        let body = html! {
            (self.head(&title))
            (self.tiles())
            h2 { "Pass marks" }
            (self.marks_table())
            p.soft {
                "Limits from a health indicator are those of Lync Server 2013. A mark that was not \
                 measured has no say."
            }
            h2 { "Operations" }
            (self.operations_table())
            (self.failures())
            h2 { "Over time" }
            p.soft {
                "Seconds of the run; the measured time begins at 0."
                @if self.timeline_step_s > 1 {
                    " A point is " (self.timeline_step_s) " seconds long."
                }
            }
            (self.plots())
            h2 { "The run" }
            (self.origin())
        };
        page(&format!("{title}: Mynah load report"), &body)
    }

    fn head(&self, title: &str) -> Markup {
        let ending = match self.ending {
            Ending::Complete => "",
            Ending::Aborted => "ended by --abort",
            Ending::Interrupted => "interrupted",
            Ending::NoSignIn => "ended because no user could sign in",
            Ending::FewSignIns => "ended because most of the first sign-ins failed",
        };
        html! {
            div.head {
                h1 { (title) }
                @if self.passed { span.pill.good { "passed" } } @else { span.pill.bad { "failed" } }
                @if !ending.is_empty() { span.soft { (ending) } }
            }
            p.soft {
                (self.started) ", " (short(self.window_s)) " s measured, "
                (count(self.signed_in)) " users signed in"
            }
            @if self.generator_was_the_limit() {
                div.warn {
                    "The generator kept " (short(self.generator.busy * 100.0))
                    " % of its threads' time busy: this run shows the limit of the generator, not \
                     of the server."
                }
            }
        }
    }

    fn tiles(&self) -> Markup {
        let main = self.operations.get(&self.operation);
        let failed: u64 = self.operations.values().map(|row| row.failed).sum();
        let latency = main.and_then(|row| row.latency_ms);
        html! {
            div.tiles {
                @if let Some(rate) = main.and_then(|row| row.per_second) {
                    (tile(&format!("{}/s", short(rate)), &words(&self.operation)))
                }
                @if let Some(latency) = latency {
                    (tile(&format!("{} ms", short(latency.p50)), "median latency"))
                    (tile(&format!("{} ms", short(latency.p99)), "99th percentile"))
                }
                (tile(&count(failed), "operations failed"))
                @if let Some(server) = &self.server {
                    @if let Some(each) = server.cpu_us_per_operation {
                        (tile(&format!("{} µs", short(each)), &format!("server CPU for each {}", self.operation_text)))
                    }
                    (tile(&short(server.cores), "server cores busy"))
                    (tile(&octets(server.resident_after as f64), "server memory"))
                    @if let Some(each) = server.resident_per_user {
                        (tile(&octets(each), "server memory for each user"))
                    }
                    @if let Some(rate) = server.wire_received_per_s.or(server.received_per_s) {
                        (tile(&bits(rate), "to the server"))
                    }
                    @if let Some(rate) = server.wire_sent_per_s.or(server.sent_per_s) {
                        (tile(&bits(rate), "from the server"))
                    }
                    @if let Some(mean) = server.processing_s {
                        (tile(&format!("{} µs", short(mean * 1e6)), "server's mean processing of a message"))
                    }
                    @if let Some(mean) = server.holding_s {
                        (tile(&format!("{} ms", short(mean * 1e3)), "server's mean holding of a message"))
                    }
                }
                (tile(&format!("{} %", short(self.generator.busy * 100.0)), "generator busy"))
            }
        }
    }

    fn marks_table(&self) -> Markup {
        let rows: Vec<_> = self
            .marks
            .iter()
            .map(|mark| {
                let Mark { name, limit, measured, verdict, reason, source } = mark;
                let verdict = match verdict {
                    Verdict::Pass => html! { span.good { "✓ met" } },
                    Verdict::Fail => html! { b.bad { "✗ missed" } },
                    Verdict::NotMeasured => html! { span.soft { "not measured" } },
                };
                vec![
                    html! { (name) },
                    verdict,
                    html! { @if let Some(value) = measured { (short(*value)) } },
                    html! { (limit) },
                    html! { (reason) },
                    html! { span.soft { (source) } },
                ]
            })
            .collect();
        table(&["mark", "", "#measured", "#limit", "measured by", "limit from"], &rows)
    }

    fn operations_table(&self) -> Markup {
        let heads = [
            "operation",
            "#ok",
            "#failed",
            "#a second",
            "#p50 ms",
            "#p90",
            "#p99",
            "#p99.9",
            "#max",
        ];
        let rows: Vec<_> = self
            .ordered()
            .map(|(name, row)| {
                let latency = row.latency_ms;
                let cell = |value: Option<f64>| html! { @if let Some(v) = value { (short(v)) } };
                vec![
                    html! { (words(name)) },
                    html! { (count(row.succeeded)) },
                    html! { @if row.failed > 0 { b.bad { (count(row.failed)) } } @else { "0" } },
                    cell(row.per_second),
                    cell(latency.map(|l| l.p50)),
                    cell(latency.map(|l| l.p90)),
                    cell(latency.map(|l| l.p99)),
                    cell(latency.map(|l| l.p999)),
                    cell(latency.map(|l| l.max)),
                ]
            })
            .collect();
        let from = if self.open_loop {
            "Latency counts from the moment at which an operation was due."
        } else {
            "Closed loop: latency counts from the sending."
        };
        html! { (table(&heads, &rows)) p.soft { (from) " What failed has no latency." } }
    }

    fn failures(&self) -> Markup {
        let rows: Vec<_> = self
            .operations
            .iter()
            .flat_map(|(name, row)| row.failures.iter().map(move |cause| (name, cause)))
            .map(|(name, (cause, number))| {
                let example = self.examples.get(cause);
                vec![
                    html! { (words(name)) },
                    html! { (cause) },
                    html! { (count(*number)) },
                    html! { @if let Some(text) = example { code { (text) } } },
                ]
            })
            .collect();
        html! {
            @if !rows.is_empty() {
                h2 { "Failures" }
                (table(&["operation", "cause", "#how many", "first one seen"], &rows))
            }
        }
    }

    fn plots(&self) -> Markup {
        let plot = |title, unit, logarithmic, lines: Vec<Line>| {
            let lines = lines.into_iter().filter(Line::has_points).collect();
            chart(&Chart { title, unit, x_unit: "s", logarithmic, lines })
        };
        let main = self.operation.as_str();
        let failed = self.operations.values().any(|row| row.failed > 0);
        html! {
            div.plots {
                (plot("Operations", "a second", false, self.each(|point| Some(point.per_second))))
                (plot("Latency of the flow", "ms", true, vec![
                    self.of(main, "p50", |point| point.p50_ms),
                    self.of(main, "p90", |point| point.p90_ms),
                    self.of(main, "p99", |point| point.p99_ms),
                ]))
                (plot("99th percentile", "ms", true, self.each(|point| point.p99_ms)))
                @if failed {
                    (plot("Failures", "a second", false, self.each(|point| {
                        Some(point.failed as f64 / self.timeline_step_s.max(1) as f64)
                    })))
                }
                (plot("CPU", "cores busy", false, vec![
                    self.line("server", |second| second.server.map(|server| server.cores)),
                    self.line("generator", |second| second.generator_cores),
                ]))
                (plot("Server memory", "MiB", false, vec![
                    self.line("resident", |second| {
                        second.server.map(|server| server.resident as f64 / 1_048_576.0)
                    }),
                ]))
                (plot("Server, mean for a message", "ms", true, vec![
                    self.line("processing", |second| Some(second.server?.processing_s? * 1e3)),
                    self.line("holding", |second| Some(second.server?.holding_s? * 1e3)),
                ]))
                (plot("Server network", "Mbit/s", false, vec![
                    self.line("received", |second| Some(second.server?.received_per_s? * 8e-6)),
                    self.line("sent", |second| Some(second.server?.sent_per_s? * 8e-6)),
                ]))
                (plot("Server disk", "MiB written a second", false, vec![
                    self.line("written", |second| Some(second.server?.written_per_s? / 1_048_576.0)),
                ]))
                @for (name, row) in self.histograms() {
                    (histogram(&words(name), &row.histogram))
                }
            }
        }
    }

    fn origin(&self) -> Markup {
        let machine = &self.machine;
        let server = self.server.as_ref().and_then(|server| server.version.as_deref());
        let rows = [
            ("command", html! { code { (self.command.join(" ")) } }),
            ("seed", html! { (self.seed) }),
            ("generator", html! { "loadgen " (self.version) }),
            (
                "server",
                html! { @if let Some(version) = server { "Mynah " (version) } @else { "its version is not known (needs --metrics)" } },
            ),
            (
                "machine of the generator",
                html! {
                    (machine.cpu) ", " (machine.cores) " cores, " (octets(machine.memory as f64)) ", " (machine.kernel)
                },
            ),
        ];
        let rows: Vec<_> =
            rows.into_iter().map(|(name, value)| vec![html! { (name) }, value]).collect();
        let settings: Vec<_> = self
            .settings
            .iter()
            .map(|(name, value)| vec![html! { (name) }, html! { code { (value) } }])
            .collect();
        html! {
            (table(&["", ""], &rows))
            h2 { "Settings" }
            details.card { summary { "all " (settings.len()) } (table(&["name", "value"], &settings)) }
        }
    }

    /// Rows in the order of their operations.
    fn ordered(&self) -> impl Iterator<Item = (&str, &super::Row)> {
        let known = Operation::ALL.iter().map(|operation| operation.name());
        known.filter_map(|name| Some((name, self.operations.get(name)?)))
    }

    /// The flow's own operation first, then those with the most.
    fn histograms(&self) -> Vec<(&str, &super::Row)> {
        let mut rows: Vec<_> = self.ordered().filter(|(_, row)| row.histogram.len() > 1).collect();
        rows.sort_by_key(|(name, row)| (*name != self.operation, u64::MAX - row.succeeded));
        rows.truncate(HISTOGRAMS_MAX);
        rows
    }

    fn line(&self, name: &str, value: impl Fn(&Second) -> Option<f64>) -> Line {
        let points = self.timeline.iter().map(|second| (second.at_s, value(second))).collect();
        Line { name: name.to_owned(), points }
    }

    fn of(&self, operation: &str, name: &str, value: fn(&super::Point) -> Option<f64>) -> Line {
        self.line(name, |second| second.operations.get(operation).and_then(value))
    }

    /// A line for each operation that took time.
    fn each(&self, value: impl Fn(&super::Point) -> Option<f64>) -> Vec<Line> {
        let timed = self.ordered().filter(|(_, row)| row.latency_ms.is_some() || row.failed > 0);
        timed
            .map(|(name, _)| {
                self.line(&words(name), |second| second.operations.get(name).and_then(&value))
            })
            .collect()
    }
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

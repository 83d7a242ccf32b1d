//! Plots as SVG: lines over time and bars of a histogram.

use super::number::short;
use crate::report::Bar;
use maud::{Markup, html};

/// Width of a plot in its own units; it is shown as wide as there is room.
const WIDTH: f64 = 480.0;
/// Height of a plot.
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 22.0;
/// Colours of the style.
const COLOURS: usize = 8;
/// Decades of a logarithmic plot at most: what is smaller lies on its floor.
const DECADES_MAX: i32 = 7;

/// One line of a plot.
#[derive(Clone, Debug)]
pub struct Line {
    /// Name in the legend.
    pub name: String,
    /// Seconds and values, in the order of time; a gap where there was none.
    pub points: Vec<(f64, Option<f64>)>,
}

impl Line {
    /// True when there is anything to draw.
    pub fn has_points(&self) -> bool {
        self.points.iter().any(|(_, value)| value.is_some())
    }
}

/// A plot of lines, over the seconds of a run or over something else.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// What it shows.
    pub title: &'a str,
    /// In which unit.
    pub unit: &'a str,
    /// What its lines run over: seconds or users.
    pub x_unit: &'a str,
    /// Whether each step upwards is ten times the one before.
    pub logarithmic: bool,
    /// The lines.
    pub lines: Vec<Line>,
}

/// From values to heights.
struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
    ticks: Vec<f64>,
}

impl Scale {
    fn new(values: &[f64], logarithmic: bool) -> Scale {
        let high = values.iter().copied().fold(0.0, f64::max);
        if logarithmic {
            let low = values.iter().copied().filter(|v| *v > 0.0).fold(f64::INFINITY, f64::min);
            let (low, high) = if high > 0.0 { (low, high) } else { (1.0, 10.0) };
            let top = high.log10().ceil() as i32;
            let floor = (low.log10().floor() as i32).clamp(top - DECADES_MAX, top - 1);
            let ticks = (floor..=top).map(|power| 10f64.powi(power)).collect();
            return Scale { low: f64::from(floor), high: f64::from(top), logarithmic, ticks };
        }
        let step = nice(if high > 0.0 { high / 4.0 } else { 0.25 });
        let steps = (high / step).ceil().max(1.0);
        let ticks = (0..=steps as u32).map(|at| f64::from(at) * step).collect();
        Scale { low: 0.0, high: steps * step, logarithmic, ticks }
    }

    fn y(&self, value: f64) -> f64 {
        let value = match self.logarithmic {
            true => value.max(f64::MIN_POSITIVE).log10(),
            false => value,
        };
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
    }
}

/// 1, 2 or 5 with as many zeros as make it no less than `step`.
fn nice(step: f64) -> f64 {
    let unit = 10f64.powf(step.log10().floor());
    let found = [1.0, 2.0, 5.0].into_iter().find(|times| times * unit >= step * 0.999);
    found.unwrap_or(10.0) * unit
}

/// Draws a plot; nothing when no line has a point.
pub fn chart(chart: &Chart<'_>) -> Markup {
    let points = || chart.lines.iter().flat_map(|line| &line.points);
    let values: Vec<f64> = points().filter_map(|(_, value)| *value).collect();
    if values.is_empty() {
        return html! {};
    }
    let (first, last) = points().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (x, _)| {
        (low.min(*x), high.max(*x))
    });
    let last = if last > first { last } else { first + 1.0 };
    let x = |at: f64| LEFT + (at - first) / (last - first) * (WIDTH - LEFT - RIGHT);
    let scale = Scale::new(&values, chart.logarithmic);
    let step = nice((last - first) / 6.0);
    let from = (first / step).ceil() as i64;
    let until = (last / step).floor() as i64;
    html! {
        figure.card {
            figcaption { (chart.title) " " span { (chart.unit) } }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(chart.title) {
                (levels(&scale))
                @for at in (from..=until).map(|at| at as f64 * step) {
                    text x=(near(x(at))) y=(HEIGHT - 5.0) text-anchor="middle" {
                        (short(at)) @if at == 0.0 { " " (chart.x_unit) }
                    }
                }
                @if first < 0.0 {
                    line.zero x1=(near(x(0.0))) x2=(near(x(0.0))) y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                }
                @for (number, line) in chart.lines.iter().enumerate() {
                    path.line stroke=(colour(number)) d=(path(&line.points, x, &scale)) {}
                }
            }
            @if chart.lines.len() > 1 {
                div.legend {
                    @for (number, line) in chart.lines.iter().enumerate() {
                        span { i style=(format!("background:{}", colour(number))) {} (line.name) }
                    }
                }
            }
        }
    }
}

/// Draws a histogram of latencies; nothing when there is none.
pub fn histogram(title: &str, bars: &[Bar]) -> Markup {
    if bars.is_empty() {
        return html! {};
    }
    let counts: Vec<f64> = bars.iter().map(|Bar(_, count)| *count as f64).collect();
    let scale = Scale::new(&counts, false);
    let wide = (WIDTH - LEFT - RIGHT) / bars.len() as f64;
    let every = bars.len().div_ceil(6);
    html! {
        figure.card {
            figcaption { (title) " " span { "operations by latency, each bar up to … ms" } }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(title) {
                (levels(&scale))
                @for (at, Bar(upto_ms, count)) in bars.iter().enumerate() {
                    @let x = LEFT + at as f64 * wide;
                    @let y = scale.y(*count as f64);
                    rect fill="var(--c0)" x=(near(x + 1.0)) y=(near(y)) width=(near((wide - 2.0).max(1.0)))
                        height=(near(HEIGHT - BOTTOM - y)) {
                        title { (count) " up to " (short(*upto_ms)) " ms" }
                    }
                    @if at % every == every / 2 {
                        text x=(near(x + wide / 2.0)) y=(HEIGHT - 5.0) text-anchor="middle" {
                            (short(*upto_ms))
                        }
                    }
                }
            }
        }
    }
}

fn levels(scale: &Scale) -> Markup {
    html! {
        @for tick in &scale.ticks {
            @let y = near(scale.y(*tick));
            line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y) y2=(y) {}
            text x=(LEFT - 6.0) y=(near(y + 4.0)) text-anchor="end" { (short(*tick)) }
        }
    }
}

fn path(points: &[(f64, Option<f64>)], x: impl Fn(f64) -> f64, scale: &Scale) -> String {
    let mut path = String::new();
    let mut gap = true;
    for (at, value) in points {
        let Some(value) = value else {
            gap = true;
            continue;
        };
        let command = if gap { 'M' } else { 'L' };
        let (x, y) = (near(x(*at)), near(scale.y(*value)));
        path += &format!("{command}{x} {y}");
        if gap {
            // A point alone between gaps shows as a dot.
            path += &format!("L{x} {y}");
        }
        gap = false;
    }
    path
}

fn colour(number: usize) -> String {
    format!("var(--c{})", number % COLOURS)
}

/// To a tenth: more cannot be seen.
fn near(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(values: &[Option<f64>], logarithmic: bool) -> String {
        let points = values.iter().enumerate().map(|(at, value)| (at as f64 - 1.0, *value));
        let lines = vec![Line { name: "<a>".into(), points: points.collect() }];
        let shown = Chart { title: "rates", unit: "1/s", x_unit: "s", logarithmic, lines };
        chart(&shown).into_string()
    }

    #[test]
    fn a_gap_stays_a_gap() {
        let text = drawn(&[Some(1.0), Some(2.0), None, Some(4.0)], false);
        let path = text.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert!(text.contains("stroke=\"var(--c0)\""), "{text}");
    }

    #[test]
    fn odd_values_make_no_odd_numbers() {
        for values in [vec![Some(0.0)], vec![Some(5.0)], vec![Some(0.0), Some(1e-9), Some(1e9)]] {
            for logarithmic in [false, true] {
                let text = drawn(&values, logarithmic);
                assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
            }
        }
        assert_eq!(drawn(&[None], false), "");
        assert_eq!(histogram("x", &[]).into_string(), "");
    }

    #[test]
    fn the_highest_value_is_within_the_plot_and_ticks_are_round() {
        let scale = Scale::new(&[730.0, 12.0], false);
        assert_eq!(scale.ticks, [0.0, 200.0, 400.0, 600.0, 800.0]);
        assert!(scale.y(730.0) > TOP && scale.y(0.0) == HEIGHT - BOTTOM);
        let scale = Scale::new(&[0.3, 420.0], true);
        assert_eq!(scale.ticks, [0.1, 1.0, 10.0, 100.0, 1000.0]);
        assert_eq!([1.0, 3.0, 20.0, 0.06].map(nice), [1.0, 5.0, 20.0, 0.1]);
    }
}

//! Live progress on standard error: a line that is redrawn on a terminal, a line every ten
//! seconds elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often a line is written when there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows where a run stands.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    lines: bool,
    last_line: Instant,
}

impl Progress {
    /// Shows nothing when `wanted` is false.
    pub fn new(wanted: bool) -> Progress {
        let terminal = std::io::stderr().is_terminal();
        let bar = (wanted && terminal).then(|| {
            let bar = ProgressBar::new(1000);
            let style = ProgressStyle::with_template("{bar:24} {elapsed_precise} {msg}");
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar
        });
        Progress { bar, lines: wanted && !terminal, last_line: Instant::now() }
    }

    /// Shows `text` at `share` (0 to 1) of the way.
    pub fn show(&mut self, share: f64, text: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_position((share.clamp(0.0, 1.0) * 1000.0) as u64);
            bar.set_message(text());
        } else if self.lines && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            eprintln!("{}", text());
        }
    }

    /// Takes the line away.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

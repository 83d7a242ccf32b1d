//! A line of the last minutes, as SVG in the page.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

/// Units of the drawing, which scales with the page.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 48.0;

/// What `values` were, oldest first; `title` is read out in the place of the drawing. Nothing is
/// drawn where a value is missing.
pub fn line(values: &[Option<f64>], title: &str) -> Markup {
    let highest = values.iter().flatten().copied().fold(1.0, f64::max);
    let step = WIDTH / (values.len().max(2) - 1) as f64;
    let mut path = String::new();
    let mut is_drawing = false;
    for (index, value) in values.iter().enumerate() {
        let Some(value) = value else {
            is_drawing = false;
            continue;
        };
        let (x, y) = (index as f64 * step, (HEIGHT - 1.0) - value / highest * (HEIGHT - 2.0));
        let word = if is_drawing { 'L' } else { 'M' };
        // Writing to a String cannot fail.
        let _ = write!(path, "{word}{x:.1} {y:.1}");
        is_drawing = true;
    }
    let view = format!("0 0 {WIDTH} {HEIGHT}");
    html! {
        svg.line role="img" viewBox=(view) preserveAspectRatio="none" aria-label=(title) {
            title { (title) }
            path d=(PreEscaped(path)) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_begins_a_new_line() {
        let drawn = line(&[Some(0.0), Some(2.0), None, Some(1.0)], "messages <a second>");
        let drawn = drawn.into_string();
        assert!(drawn.contains(r#"d="M0.0 47.0L80.0 1.0M240.0 24.0""#), "{drawn}");
        assert!(drawn.contains("<title>messages &lt;a second&gt;</title>"), "{drawn}");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert!(line(&[], "messages").into_string().contains(r#"d="""#));
    }
}

//! Pages for people: one file of HTML, with its style and its plots in it, that needs no network
//! and no script. What comes from outside is escaped by the template.

pub mod chart;
pub mod number;

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page/style.css");

/// A whole page.
pub fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    };
    page.into_string()
}

/// A figure with what it is.
pub fn tile(figure: &str, what: &str) -> Markup {
    html! { div.tile { b { (figure) } span { (what) } } }
}

/// A table in a frame that scrolls when the screen is narrow. Columns whose head begins with `#`
/// hold numbers.
pub fn table(heads: &[&str], rows: &[Vec<Markup>]) -> Markup {
    let numbers: Vec<bool> = heads.iter().map(|head| head.starts_with('#')).collect();
    html! {
        div.card.scroll {
            table {
                thead {
                    tr {
                        @for head in heads {
                            th class=[head.starts_with('#').then_some("n")] { (head.trim_start_matches('#')) }
                        }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            @for (cell, number) in row.iter().zip(&numbers) {
                                td class=[number.then_some("n")] { (cell) }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let evil = "<script>&\"";
        let rows = [vec![html! { (evil) }, html! { "1" }]];
        let text = page(evil, &html! { (tile(evil, evil)) (table(&["what", "#n"], &rows)) });
        assert!(!text.contains("<script>"), "{text}");
        assert_eq!(text.matches("&lt;script&gt;&amp;").count(), 4);
        assert!(
            text.contains("<th class=\"n\">n</th>") && text.contains("<th>what</th>"),
            "{text}"
        );
    }
}

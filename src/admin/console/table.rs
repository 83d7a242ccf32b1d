//! Tables, which scroll by themselves where the window is narrow.

use maud::{Markup, html};

/// What stands above a column.
#[derive(Clone, Copy, Debug)]
pub enum Head {
    /// Of numbers.
    Number(&'static str),
    /// Of text.
    Text(&'static str),
}

/// A table of `rows`, which `label` names to those who do not see it. With no rows it says so.
pub fn table(label: &str, heads: &[Head], rows: &[Markup]) -> Markup {
    if rows.is_empty() {
        return html! { p.small { "None." } };
    }
    html! {
        div.wide tabindex="0" role="region" aria-label=(label) {
            table {
                thead {
                    tr {
                        @for head in heads {
                            @match head {
                                Head::Number(text) => { th.number scope="col" { (text) } }
                                Head::Text(text) => { th scope="col" { (text) } }
                            }
                        }
                    }
                }
                tbody { @for row in rows { tr { (row) } } }
            }
        }
    }
}

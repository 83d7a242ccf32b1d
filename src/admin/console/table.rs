//! Tables. Where the window is narrow each row stands by itself, its cells one below the other with
//! what is above their column; the roles say then that it is a table all the same.

use maud::{Markup, html};

/// What stands above a column.
#[derive(Clone, Copy, Debug)]
pub enum Head {
    /// Of numbers.
    Number(&'static str),
    /// Of text.
    Text(&'static str),
}

/// The cells of a row; the first one says what it is about.
pub type Cells = Vec<Markup>;

impl Head {
    const fn text(self) -> &'static str {
        match self {
            Head::Number(text) | Head::Text(text) => text,
        }
    }

    const fn class(self) -> Option<&'static str> {
        match self {
            Head::Number(_) => Some("number"),
            Head::Text(_) => None,
        }
    }
}

/// A table of `rows`, which `label` names to those who do not see it. With no rows it says so.
pub fn table(label: &str, heads: &[Head], rows: &[Cells]) -> Markup {
    if rows.is_empty() {
        return html! { p.small { "None." } };
    }
    html! {
        div.wide tabindex="0" role="region" aria-label=(label) {
            table role="table" {
                thead {
                    tr role="row" {
                        @for head in heads {
                            th role="columnheader" scope="col" class=[head.class()] { (head.text()) }
                        }
                    }
                }
                tbody { @for row in rows { tr role="row" { (cells(heads, row)) } } }
            }
        }
    }
}

fn cells(heads: &[Head], row: &Cells) -> Markup {
    let cells = heads.iter().zip(row).enumerate();
    html! {
        @for (index, (head, cell)) in cells {
            @if index == 0 {
                th role="rowheader" scope="row" { (cell) }
            } @else {
                td role="cell" class=[head.class()] data-label=(head.text()) { (cell) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_says_what_is_above_it() {
        let heads = [Head::Text("User"), Head::Number("Devices")];
        let row = vec![html! { "<alice>" }, html! { (3) }];
        let table = table("Users", &heads, &[row]).into_string();
        let head = "<th role=\"columnheader\" scope=\"col\" class=\"number\">Devices</th>";
        assert!(table.contains(head), "{table}");
        let row = "<th role=\"rowheader\" scope=\"row\">&lt;alice&gt;</th>\
                   <td role=\"cell\" class=\"number\" data-label=\"Devices\">3</td>";
        assert!(table.contains(row), "{table}");
        assert!(super::table("Users", &heads, &[]).into_string().contains("None."));
    }
}

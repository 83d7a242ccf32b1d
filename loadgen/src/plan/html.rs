//! A plan as one page of HTML.

use super::runs::Resource;
use super::{Plan, part};
use crate::page::chart::{Chart, Line as Curve, chart};
use crate::page::number::{count, short};
use crate::page::{page, table, tile};
use maud::{Markup, html};

impl Plan {
    /// The plan as a page that needs nothing else.
    pub fn to_html(&self) -> String {
        let users = count(u64::from(self.wish.users));
        let title = format!("Capacity for {users} users of {}", self.wish.profile);
        let figures: Vec<_> = self
            .figures
            .iter()
            .map(|figure| {
                vec![html! { (figure.name) }, html! { b { (figure.text) } }, html! { (figure.how) }]
            })
            .collect();
        let body = html! {
            div.head { h1 { (title) } }
            div.tiles {
                @for figure in &self.figures { (tile(&figure.text, &figure.name)) }
            }
            h2 { "How each figure was derived" }
            (table(&["what", "#figure", "derived from"], &figures))
            @for note in &self.notes { p.soft { "Note: " (note) "." } }
            (self.predicted())
            h2 { "Measured runs and the lines through them" }
            div.plots { @for (resource, _) in &self.lines { (self.plot(*resource)) } }
        };
        page(&format!("{title}: Mynah capacity plan"), &body)
    }

    fn predicted(&self) -> Markup {
        let Some(check) = &self.check else { return html! {} };
        let rows: Vec<_> = check
            .predictions
            .iter()
            .map(|(resource, [predicted, measured, error])| {
                vec![
                    html! { (resource.name()) },
                    html! { (part(*resource, *predicted)) },
                    html! { (part(*resource, *measured)) },
                    html! { (format!("{:+.1} %", error * 100.0)) },
                ]
            })
            .collect();
        html! {
            h2 {
                "A run of " (short(check.users)) " users that was not fitted "
                @if check.met { span.pill.good { "met" } } @else { span.pill.bad { "missed" } }
            }
            (table(&["what", "#predicted", "#measured", "#error"], &rows))
        }
    }

    fn plot(&self, resource: Resource) -> Markup {
        let Some(line) = self.lines.get(&resource) else { return html! {} };
        let (unit, times) = match resource {
            Resource::Cpu => ("cores busy", 1.0),
            Resource::Memory => ("MiB", 1.0 / 1_048_576.0),
            Resource::Received | Resource::Sent => ("Mbit/s", 8e-6),
            Resource::Written | Resource::Stored => ("KiB/s", 1.0 / 1024.0),
        };
        let mut points = line.points.clone();
        points.sort_by(|one, two| one.users.total_cmp(&two.users));
        let last = points.last().map_or(0.0, |point| point.users);
        let fitted = [0.0, last].map(|users| (users, Some(line.at(users) * times)));
        let measured = points.iter().map(|point| (point.users, Some(point.measured * times)));
        let lines = vec![
            Curve { name: "fitted".into(), points: fitted.to_vec() },
            Curve { name: "measured".into(), points: measured.collect() },
        ];
        let title = resource.name();
        chart(&Chart { title, unit, x_unit: "users", logarithmic: false, lines })
    }
}

//! From measured runs to servers: how many front ends, and how much CPU, memory, network and disk.

pub mod fit;
mod html;
pub mod runs;

use crate::page::number::{bits, octets, short};
use crate::report::Report;
use fit::{Line, error};
use runs::{Refusal, Resource, Runs};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Error up to which a prediction counts as met.
const ERROR_MAX: f64 = 0.15;
/// Share of a server's memory that may be used: the health indicator wants a fifth free.
const MEMORY_MAX: f64 = 0.8;
/// How far beyond the largest measured run a server may be filled before the plan says so.
const STRETCH_MAX: f64 = 1.5;

/// What is planned for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wish {
    /// Users signed in at once.
    pub users: u32,
    /// The profile that they follow.
    pub profile: String,
    /// Cores of a server.
    pub cores_per_server: f64,
    /// Memory of a server in octets.
    pub memory_per_server: f64,
    /// Share of its cores that a server may keep busy.
    pub cpu_max: f64,
    /// Hours a day with the load of the profile.
    pub busy_hours: f64,
}

/// One figure of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// The figure in `unit`.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// The figure for people.
    pub text: String,
    /// How it was derived.
    pub how: String,
}

/// What a run that was not fitted shows of the lines.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Users of the run.
    pub users: f64,
    /// By resource: predicted, measured, and how far the former is from the latter as a share.
    pub predictions: BTreeMap<Resource, [f64; 3]>,
    /// True when CPU, memory and network are predicted well enough.
    pub met: bool,
}

/// The plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// What it is for.
    pub wish: Wish,
    /// Servers that must be up, and one to spare.
    pub servers: u64,
    /// All figures.
    pub figures: Vec<Figure>,
    /// The lines it rests on.
    pub lines: BTreeMap<Resource, Line>,
    /// What must be known of it.
    pub notes: Vec<String>,
    /// A run that was predicted.
    pub check: Option<Check>,
}

impl Plan {
    /// From runs of the profile at several sizes; `check` is one to be predicted.
    ///
    /// # Errors
    /// When the runs do not make a plan.
    pub fn new(wish: Wish, reports: &[Report], check: Option<&Report>) -> Result<Plan, Refusal> {
        let runs = Runs::new(reports, &wish.profile)?;
        let lines = runs.lines();
        let check = match check {
            Some(report) => Some(Check::new(report, &runs, &lines, &wish.profile)?),
            None => None,
        };
        let room = Room::new(&wish, &lines)?;
        let figures = figures(&wish, &lines, &room);
        let notes = notes(&lines, &room, runs.tls, reports);
        let servers = room.active as u64 + 1;
        Ok(Plan { wish, servers, figures, lines, notes, check })
    }
}

/// How many servers there must be.
struct Room {
    /// Users that a server has room for.
    users: f64,
    /// What ends first.
    bound: Resource,
    /// Servers that must be up.
    active: f64,
}

impl Room {
    fn new(wish: &Wish, lines: &BTreeMap<Resource, Line>) -> Result<Room, Refusal> {
        let within = |resource: Resource, most: f64| {
            let users = lines.get(&resource).map_or(f64::INFINITY, |line| line.users_within(most));
            (users, resource)
        };
        let cpu = within(Resource::Cpu, wish.cores_per_server * wish.cpu_max);
        let memory = within(Resource::Memory, wish.memory_per_server * MEMORY_MAX);
        let (users, bound) = if cpu.0 <= memory.0 { cpu } else { memory };
        if users < 1.0 {
            return Err(Refusal::NoRoom {
                cores: wish.cores_per_server.to_string(),
                memory: wish.memory_per_server.to_string(),
            });
        }
        let active = (f64::from(wish.users) / users.floor()).ceil().max(1.0);
        Ok(Room { users, bound, active })
    }
}

fn figures(wish: &Wish, lines: &BTreeMap<Resource, Line>, room: &Room) -> Vec<Figure> {
    let users = f64::from(wish.users);
    let active = room.active;
    let mut figures = vec![
        Figure {
            name: "front ends".into(),
            value: active + 1.0,
            unit: "servers",
            text: format!("{} + 1 to spare", short(active)),
            how: format!(
                "{} users by {} for each server, which its {} allows at {} % of {} and {} % of {}",
                wish.users,
                short(room.users.floor()),
                room.bound.name(),
                short(wish.cpu_max * 100.0),
                counted(wish.cores_per_server, "core"),
                short(MEMORY_MAX * 100.0),
                octets(wish.memory_per_server),
            ),
        },
        Figure {
            name: "users on a server when one is lost".into(),
            value: users / active,
            unit: "users",
            text: short(users / active),
            how: format!("{} users on {}", wish.users, counted(active, "server")),
        },
    ];
    for (resource, line) in lines {
        let all = line.shared(users, active);
        let (unit, value, show): (_, _, fn(f64) -> String) = match resource {
            Resource::Cpu => ("cores", all, |value| format!("{} busy", counted(value, "core"))),
            Resource::Memory => ("octets", all, octets),
            Resource::Received | Resource::Sent => ("octets a second", all, bits),
            Resource::Written | Resource::Stored => {
                let day = all * 3600.0 * wish.busy_hours;
                ("octets a day", day, |value| format!("{} a day", octets(value)))
            }
        };
        let times = match resource {
            Resource::Written | Resource::Stored => {
                format!(", in {} busy hours", short(wish.busy_hours))
            }
            _ => String::new(),
        };
        figures.push(Figure {
            name: resource.name().into(),
            value,
            unit,
            text: show(value),
            how: format!(
                "{} for each server and {} for each user{times}; {}, largest residual {:.1} %",
                part(*resource, line.fixed),
                part(*resource, line.per_user),
                of_runs(line),
                line.residual * 100.0,
            ),
        });
    }
    figures
}

/// A number of things, with their name as it goes with one or with several.
fn counted(number: f64, noun: &str) -> String {
    let number = short(number);
    let ending = if number == "1" { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// What a server or a user needs of a resource, in its own unit.
fn part(resource: Resource, value: f64) -> String {
    match resource {
        Resource::Cpu => format!("{} ms of CPU a second", short(value * 1000.0)),
        Resource::Memory => octets(value),
        Resource::Received | Resource::Sent => bits(value),
        Resource::Written | Resource::Stored => format!("{} a second", octets(value)),
    }
}

fn of_runs(line: &Line) -> String {
    let sizes: Vec<_> = line.points.iter().map(|point| short(point.users)).collect();
    format!("fitted to runs of {} users", sizes.join(" / "))
}

fn notes(
    lines: &BTreeMap<Resource, Line>,
    room: &Room,
    tls: bool,
    reports: &[Report],
) -> Vec<String> {
    let mut notes = Vec::new();
    let largest = reports.iter().map(|report| report.signed_in as f64).fold(0.0, f64::max);
    if room.users > largest * STRETCH_MAX {
        notes.push(format!(
            "a server is filled with up to {} users but the largest run had {}: beyond that the \
             lines were not measured",
            short(room.users.floor()),
            short(largest)
        ));
    }
    let scale = reports.first().and_then(|report| {
        let named = report.settings.iter().find(|(name, _)| name.ends_with("scale"));
        named.and_then(|(_, value)| value.as_f64())
    });
    if let Some(scale) = scale.filter(|scale| *scale != 1.0) {
        notes.push(format!(
            "in the runs users lived {} times as fast as the profile says (--scale): so do those of \
             this plan",
            short(scale)
        ));
    }
    let cores = reports.first().and_then(|report| report.server.as_ref()?.cores_max);
    if let Some(cores) = cores {
        notes.push(format!(
            "measured with {} cores: what more cores cost each other is not in the lines",
            short(cores)
        ));
    }
    notes.push("memory is that of the process: the kernel keeps more for each connection".into());
    notes.push(if tls {
        "network is what goes through the sockets: headers of TCP and IP come on top".into()
    } else {
        "network is SIP without TLS, TCP and IP: the server did not tell more".into()
    });
    let missing = Resource::ALL.into_iter().filter(|resource| !lines.contains_key(resource));
    for resource in missing {
        notes.push(format!("{} was not measured: it needs --metrics or --pid", resource.name()));
    }
    notes
}

impl Check {
    fn new(
        report: &Report,
        runs: &Runs<'_>,
        lines: &BTreeMap<Resource, Line>,
        profile: &str,
    ) -> Result<Check, Refusal> {
        let users = report.signed_in as f64;
        let measured = runs.measured(report, profile)?;
        let predicted = lines.iter().filter_map(|(resource, line)| {
            let (predicted, measured) = (line.at(users), *measured.get(resource)?);
            Some((*resource, [predicted, measured, error(predicted, measured)]))
        });
        let predictions: BTreeMap<_, _> = predicted.collect();
        let judged = predictions
            .iter()
            .filter(|(resource, _)| !matches!(resource, Resource::Written | Resource::Stored));
        let met = judged.map(|(_, [.., error])| error.abs()).fold(0.0, f64::max) <= ERROR_MAX;
        Ok(Check { users, predictions, met })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wish { users, profile, .. } = &self.wish;
        writeln!(out, "{users} users of {profile}")?;
        for figure in &self.figures {
            writeln!(out, "{:<36}{:>20}  {}", figure.name, figure.text, figure.how)?;
        }
        for note in &self.notes {
            writeln!(out, "note: {note}")?;
        }
        let Some(check) = &self.check else { return Ok(()) };
        writeln!(out, "predicted for a run of {} users that was not fitted:", short(check.users))?;
        for (resource, [predicted, measured, error]) in &check.predictions {
            let [predicted, measured] = [predicted, measured].map(|each| part(*resource, *each));
            let error = error * 100.0;
            let name = resource.name();
            writeln!(out, "{name:<20}{predicted:>24}, measured {measured}: {error:+.1} %")?;
        }
        let most = short(ERROR_MAX * 100.0);
        match check.met {
            true => writeln!(out, "CPU, memory and network are within {most} %"),
            false => writeln!(out, "NOT all of CPU, memory and network are within {most} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::report;

    fn wish(users: u32) -> Wish {
        Wish {
            users,
            profile: "lync2013".into(),
            cores_per_server: 8.0,
            memory_per_server: 1e9,
            cpu_max: 0.8,
            busy_hours: 10.0,
        }
    }

    fn runs() -> [Report; 3] {
        [100, 200, 400].map(report)
    }

    fn value(plan: &Plan, name: &str) -> f64 {
        plan.figures.iter().find(|figure| figure.name == name).unwrap().value
    }

    #[test]
    fn servers_are_as_many_as_the_scarcest_resource_asks_for_and_one_more() {
        // 6.4 cores less half a core, by a hundredth of a core: 590 users a server.
        let plan = Plan::new(wish(2000), &runs(), None).unwrap();
        assert_eq!(plan.servers, 5);
        assert!((value(&plan, "CPU") - (4.0 * 0.5 + 20.0)).abs() < 1e-6);
        assert!((value(&plan, "memory") - (4.0 * 50e6 + 2000.0 * 20e3)).abs() < 10.0);
        let day = (4.0 * 4096.0 + 2000.0 * 10.0) * 36_000.0;
        assert!((value(&plan, "disk, written") / day - 1.0).abs() < 1e-6);
        let text = plan.to_string();
        assert!(text.contains("4 + 1 to spare") && text.contains("which its CPU allows"), "{text}");
        assert!(text.contains("without TLS") && text.contains("100 / 200 / 400"), "{text}");
        // Now 56 MB of memory allow for 300 users only.
        let small = Wish { memory_per_server: 70e6, ..wish(2000) };
        let plan = Plan::new(small, &runs(), None).unwrap();
        assert_eq!(plan.servers, 8);
        assert!(plan.to_string().contains("which its memory allows"));
    }

    #[test]
    fn a_server_without_room_is_refused() {
        let tiny = Wish { memory_per_server: 1e6, ..wish(10) };
        let error = Plan::new(tiny, &runs(), None).unwrap_err();
        assert!(matches!(error, Refusal::NoRoom { .. }), "{error}");
    }

    #[test]
    fn a_run_that_was_not_fitted_is_predicted() {
        let mut other = report(300);
        other.started = "2026-01-02T00:00:00Z".into();
        let check = |other: &Report| Plan::new(wish(2000), &runs(), Some(other));
        let plan = check(&other).unwrap();
        let found = plan.check.as_ref().unwrap();
        assert!(found.met && found.predictions.len() == 6);
        assert!(found.predictions.values().all(|[.., error]| error.abs() < 1e-6));
        other.server.as_mut().unwrap().cores *= 1.3;
        let plan = check(&other).unwrap();
        assert!(!plan.check.as_ref().unwrap().met);
        assert!(plan.to_string().contains("NOT all of"), "{plan}");
        assert_eq!(check(&runs()[0]).unwrap_err(), Refusal::Circular);
    }

    #[test]
    fn the_page_and_the_json_hold_the_plan() {
        let mut runs = runs();
        for (number, report) in runs.iter_mut().enumerate() {
            report.started = format!("2026-01-0{}T00:00:00Z", number + 2);
        }
        let plan = Plan::new(wish(2000), &runs, Some(&report(300))).unwrap();
        let page = plan.to_html();
        assert!(page.contains("4 + 1 to spare") && page.contains("<svg"), "{page}");
        let json = serde_json::to_value(&plan).unwrap();
        assert_eq!(json["servers"], 5);
        assert!(json["lines"]["cpu"]["per_user"].as_f64().is_some());
    }
}

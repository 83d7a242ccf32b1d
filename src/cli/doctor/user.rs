//! Why a user cannot sign in.

use anyhow::{Result, bail};

use super::finding::Findings;
use crate::admin::diagnosis::{DiagnosisReport, RefusalReport};
use crate::cli::http::{self, NothingAnswers};
use crate::cli::inquiry;
use crate::cli::server_address::ServerAddress;
use crate::cli::text::one_line;
use crate::directory::Address;

/// Checks an address that may lack its domain.
pub fn address(text: &str) -> Result<String, String> {
    let text = text.strip_prefix("sip:").unwrap_or(text);
    let whole = if text.contains('@') { text.to_owned() } else { format!("{text}@example.test") };
    Address::parse(&whole).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// What the running server knows of the user; without one, what its database does.
pub fn ask(server: &ServerAddress, user: &str) -> Result<DiagnosisReport> {
    let path = format!("/doctor/{user}");
    let given = server.is_given();
    let address = match server.find() {
        Ok(address) => address,
        Err(error) if given => return Err(error),
        Err(_) => return stored(server, user),
    };
    match http::get(address, &path) {
        Err(error) if !given && error.is::<NothingAnswers>() => stored(server, user),
        answer => {
            let (status, body) = answer?;
            inquiry::read(address, &path, status, &body)
        }
    }
}

fn stored(server: &ServerAddress, user: &str) -> Result<DiagnosisReport> {
    let Ok(address) = Address::parse(user) else {
        bail!("no server answers: give the whole address of the user");
    };
    let place = &server.place;
    let database = place.open(place.settings()?.as_ref(), false)?;
    let user = database.user(address.as_str())?;
    eprintln!("mynah: no server answers: this is what the database keeps");
    Ok(DiagnosisReport {
        address: address.as_str().to_owned(),
        known: user.is_some(),
        disabled: user.as_ref().is_some_and(|user| user.disabled),
        locked_s: None,
        policy: user.map(|user| user.policy).unwrap_or_default(),
        endpoints: Vec::new(),
        refusals: Vec::new(),
    })
}

/// What it means.
pub fn judge(report: &DiagnosisReport) -> Findings {
    let mut findings = Findings::default();
    let DiagnosisReport { address, known, disabled, locked_s, policy, endpoints, .. } = report;
    let policy = if policy.is_empty() { "default" } else { policy };
    if !known {
        findings.fault("account", format!("{address} is not in the directory: `mynah user add`"));
    } else if *disabled {
        findings.fault("account", format!("{address} is disabled: `mynah user enable`"));
    } else {
        findings.good("account", format!("{address}, policy {policy}"));
    }
    if let Some(seconds) = locked_s {
        findings.fault(
            "lock-out",
            format!("after too many wrong passwords, for {seconds} s more: look for a device with an old one"),
        );
    }
    for endpoint in endpoints {
        let client = endpoint.user_agent.as_deref().unwrap_or("a client without a name");
        let (transport, dialect) = (&endpoint.transport, &endpoint.dialect);
        let text =
            format!("{client} over {transport}, {dialect}, for {} s more", endpoint.expires_s);
        findings.good("signed in", text);
    }
    findings
}

/// A report for people.
pub fn table(report: &DiagnosisReport) -> String {
    let mut text = judge(report).table();
    if report.refusals.is_empty() {
        text += "no request of this user was refused lately\n";
    } else {
        text += "refused, newest first\n";
        text.extend(report.refusals.iter().map(line));
    }
    text
}

fn line(refusal: &RefusalReport) -> String {
    let RefusalReport { time, method, reason, cause, client, .. } = refusal;
    let to = refusal.to.as_deref().map(|to| format!(" to {to}")).unwrap_or_default();
    let from = refusal.peer.as_deref().map(|peer| format!(" from {peer}")).unwrap_or_default();
    let status = refusal.status.map(|status| format!("{status} ")).unwrap_or_default();
    let client = if client.is_empty() { String::new() } else { format!(", {client}") };
    let head = one_line(&format!("{time}  {method}{to}{from}{client}"));
    let mut text = format!("  {head}\n    {status}{reason} ({cause})\n");
    if let Some(advice) = &refusal.advice {
        text += &format!("    -> {}\n", one_line(advice));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_is_wrong_and_what_to_do() {
        let report = DiagnosisReport {
            address: "alice@example.test".to_owned(),
            known: true,
            disabled: false,
            locked_s: Some(30),
            policy: String::new(),
            endpoints: Vec::new(),
            refusals: vec![RefusalReport {
                time: "2027-01-15T08:00:00Z".to_owned(),
                user: "alice@example.test".to_owned(),
                method: "MESSAGE".to_owned(),
                to: Some("bob@example.test".to_owned()),
                status: None,
                cause: "wrong_password".to_owned(),
                reason: "The password is wrong".to_owned(),
                advice: Some("let the user type it again".to_owned()),
                peer: Some("192.0.2.7:40000".to_owned()),
                origin: None,
                transport: Some("tls".to_owned()),
                client: "UCCAPI\u{1b}".to_owned(),
            }],
        };
        assert_eq!(
            table(&report),
            "good   account       alice@example.test, policy default\n\
             FAULT  lock-out      after too many wrong passwords, for 30 s more: look for a device \
             with an old one\n\
             refused, newest first\n\
             \x20 2027-01-15T08:00:00Z  MESSAGE to bob@example.test from 192.0.2.7:40000, UCCAPI\u{fffd}\n\
             \x20   The password is wrong (wrong_password)\n\
             \x20   -> let the user type it again\n"
        );
        let unknown = DiagnosisReport { known: false, locked_s: None, ..report };
        assert_eq!(judge(&unknown).faults(), 1);
    }
}

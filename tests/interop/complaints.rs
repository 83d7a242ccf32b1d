//! What pidgin-sipe complains of in its debug log, which has every SIP message in it.

/// What it writes of a message that it cannot read, does not take, or did not ask for.
const COMPLAINTS: [&str; 9] = [
    "Content-Length header not found",
    "Corrupted message",
    "Invalid message signature",
    "error parsing xml string",
    "failed to parse ISO8601 string",
    "message without authentication data",
    "received a unknown sip message",
    "received response to unknown transaction",
    "signature of incoming message is invalid",
];

/// Invites the room service of the domain, which the client looks for at each sign-in.
const LOOK_FOR_ROOMS: &str = "INVITE sip:ocschat@";

/// All that is wrong in the log of a client that signed in `sign_ins` times by NTLM: complaints,
/// and refusals beside the two challenges of each sign-in, the look for a room service, which is not
/// there, and one of each status that is `expected`.
pub fn complaints(log: &str, sign_ins: usize, expected: &[u16]) -> Vec<String> {
    let mut wrong: Vec<_> = log
        .lines()
        .filter(|line| COMPLAINTS.iter().any(|complaint| line.contains(complaint)))
        .map(str::to_owned)
        .collect();
    let refusals: Vec<_> = log.lines().filter(|line| is_refusal(line)).collect();
    let challenges = refusals.iter().filter(|line| line.contains("SIP/2.0 401 ")).count();
    if challenges != 2 * sign_ins {
        wrong.push(format!("{challenges} challenges in {sign_ins} sign-ins"));
    }
    let not_found = refusals.iter().filter(|line| line.contains("SIP/2.0 404 ")).count();
    if not_found != log.matches(LOOK_FOR_ROOMS).count() {
        wrong.push(format!("not found: {not_found}"));
    }
    let mut expected: Vec<_> = expected.iter().map(|code| format!("SIP/2.0 {code} ")).collect();
    for refusal in refusals {
        let is_expected = |status: &String| refusal.contains(status.as_str());
        if ["SIP/2.0 401 ", "SIP/2.0 404 "].iter().any(|status| refusal.contains(status)) {
            continue;
        }
        match expected.iter().position(is_expected) {
            Some(at) => drop(expected.swap_remove(at)),
            None => wrong.push(refusal.to_owned()),
        }
    }
    wrong.extend(expected.into_iter().map(|status| format!("no {status}")));
    if sign_ins > 0 && !log.contains("signature of incoming message validated") {
        wrong.push("no signature was validated".to_owned());
    }
    wrong
}

fn is_refusal(line: &str) -> bool {
    ["SIP/2.0 4", "SIP/2.0 5", "SIP/2.0 6"].iter().any(|status| line.contains(status))
}

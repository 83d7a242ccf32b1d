//! What a client does about a message that came.

use mynah::base::seed::Seed;

use crate::endpoint::{Endpoint, Online, Owed, Ringing, State};
use crate::harness::{PASSWORD, Text};
use crate::ledger::Ledger;

/// Reads one message.
pub fn react(endpoint: &mut Endpoint, received: &Text, ledger: &mut Ledger, seed: &mut Seed) {
    let user = endpoint.user;
    let Some(online) = endpoint.online.as_mut() else { return };
    if received.is_response() {
        ledger.answered(online.client.conn, received);
        return answered(online, received, ledger);
    }
    Ledger::check_received(received);
    match received.method() {
        "INVITE" => invited(online, received, ledger, seed),
        "CANCEL" => cancelled(online, received),
        "MESSAGE" => messaged(online, user, received, ledger, seed),
        "BYE" => {
            if let Some(dialog) = online.dialog_of(received) {
                online.dialogs.swap_remove(dialog);
            }
            online.send(&received.answer(200, ""));
        }
        "ACK" => {
            if let Some(dialog) = online.dialog_of(received) {
                online.acknowledged.insert(online.dialogs[dialog].local_tag.clone());
            }
        }
        _ => online.send(&received.answer(200, "")),
    }
}

fn answered(online: &mut Online, answer: &Text, ledger: &mut Ledger) {
    match answer.method() {
        "REGISTER" => registered(online, answer),
        "INVITE" if answer.status() >= 200 => accepted(online, answer, ledger),
        // What the Lync client does: the dialog is given up.
        "MESSAGE" if matches!(answer.status(), 408 | 480 | 481) => {
            let call_id = answer.header("Call-ID");
            let place = online.dialogs.iter().position(|dialog| dialog.call_id == call_id);
            if let Some(place) = place {
                let mut dialog = online.dialogs.swap_remove(place);
                let bye = online.client.within(&mut dialog, "BYE");
                ledger.ask(online.client.conn, &bye, None);
                online.send(&bye);
            }
        }
        _ => {}
    }
}

fn registered(online: &mut Online, answer: &Text) {
    let Some(request) = online.registering.take() else { return };
    match answer.status() {
        401 | 407 => {
            let proof = online.client.prove(request, answer, PASSWORD);
            online.send(&proof);
            online.registering = Some(proof);
        }
        200 if online.state == State::SigningIn => {
            online.client.note_gruu(answer);
            online.state = State::SignedIn;
        }
        200 => {}
        _ => online.state = State::Leaving,
    }
}

/// The final answer to an invitation of its own.
fn accepted(online: &mut Online, answer: &Text, ledger: &mut Ledger) {
    let call_id = answer.header("Call-ID");
    let place = online.inviting.iter().position(|i| i.invite.value("Call-ID") == call_id);
    let Some(place) = place else { return };
    let inviting = online.inviting.swap_remove(place);
    if answer.status() >= 300 {
        let ack = online.client.acknowledge(&inviting.invite, answer);
        return online.send(&ack);
    }
    let mut dialog = online.client.dialog(&inviting.invite, answer);
    let ack = online.client.ack(&dialog);
    online.send(&ack);
    if inviting.cancelled {
        let bye = online.client.within(&mut dialog, "BYE");
        ledger.ask(online.client.conn, &bye, None);
        return online.send(&bye);
    }
    online.acknowledged.insert(dialog.local_tag.clone());
    online.dialogs.push(dialog);
}

fn invited(online: &mut Online, received: &Text, ledger: &mut Ledger, seed: &mut Seed) {
    ledger.rang(online.client.conn, received);
    let tag = online.client.token();
    match seed.below(10) {
        0..5 => {
            let (answer, dialog) = online.client.accept(received);
            online.send(&answer);
            online.dialogs.push(dialog);
            return;
        }
        5 => {
            return online
                .send(&received.answer([480, 486, 488, 603][seed.below(4) as usize], &tag));
        }
        6..8 => online.send(&received.answer(180, &tag)),
        8 => online.send(&received.answer(100, "")),
        _ => {}
    }
    let deaf = seed.below(3) == 0;
    online.ringing.push(Ringing { invite: received.clone(), tag, deaf });
}

/// Answers an invitation that rang for a while.
pub fn decide(online: &mut Online, seed: &mut Seed) {
    let Some(ringing) = online.ringing.pop() else { return };
    if seed.below(3) > 0 {
        let (answer, dialog) = online.client.accept(&ringing.invite);
        online.send(&answer);
        online.dialogs.push(dialog);
    } else {
        online.send(&ringing.invite.answer(486, &ringing.tag));
    }
}

fn cancelled(online: &mut Online, received: &Text) {
    let call_id = received.header("Call-ID");
    let place = online.ringing.iter().position(|r| r.invite.header("Call-ID") == call_id);
    let Some(place) = place else { return online.send(&received.answer(481, "")) };
    online.send(&received.answer(200, &online.ringing[place].tag.clone()));
    if !online.ringing[place].deaf {
        let ringing = online.ringing.swap_remove(place);
        online.send(&ringing.invite.answer(487, &ringing.tag));
    }
}

fn messaged(
    online: &mut Online,
    user: &str,
    received: &Text,
    ledger: &mut Ledger,
    seed: &mut Seed,
) {
    let message = ledger.arrived(online.client.conn, user, received);
    let outside = received.to_tag().is_empty();
    if !outside && online.dialog_of(received).is_none() {
        return online.send(&received.answer(481, ""));
    }
    let status = match seed.below(20) {
        0 => 486,
        1 => 500,
        2 => 202,
        _ => 200,
    };
    let owed = Owed { request: received.clone(), status, message };
    match seed.below(10) {
        0 => {}
        1..3 => online.owed.push(owed),
        _ => give(online, owed, ledger),
    }
}

/// Gives an answer.
pub fn give(online: &mut Online, owed: Owed, ledger: &mut Ledger) {
    if owed.status < 300 {
        ledger.written[owed.message].accepted = true;
    }
    let tag = online.client.token();
    online.send(&owed.request.answer(owed.status, &tag));
}

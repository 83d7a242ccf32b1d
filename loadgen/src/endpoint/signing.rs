//! How an endpoint that signed in by NTLM signs what it writes and checks what it reads.

use super::{Endpoint, Env};
use crate::link::Link;
use crate::ntlm::{Chance, Offer, SIGNS_REGISTER, windows_time};
use crate::population::mix;
use crate::scan::{Index, Message, Scanner, Step};
use crate::signature::{Association, SignatureError};

/// New keys that the server has not confirmed yet. It may take the ones or the others for what comes
/// now, so what is to be signed waits: no longer than an answer may take.
#[derive(Debug)]
pub(super) struct Proving {
    /// The keys before them, which stay when the new ones are refused.
    old: Option<Box<Association>>,
    /// Messages, one behind the other, not signed.
    held: Vec<u8>,
}

/// Buffers for one signature.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    index: Index,
    covered: Vec<u8>,
    line: Vec<u8>,
}

impl Endpoint {
    /// Signs the message that was written last, from octet `from` on, if there are keys, or holds it
    /// back until the server has confirmed them.
    pub(super) fn sign(&mut self, env: &mut Env, link: &mut Link, from: usize) {
        match &mut self.proving {
            Some(proving) => proving.held.extend(link.out.drain(from.min(link.out.len())..)),
            None => self.sign_with(env, link, from, &[]),
        }
    }

    /// The same with more parameters in front of the signature.
    pub(super) fn sign_with(&mut self, env: &mut Env, link: &mut Link, from: usize, more: &[u8]) {
        let Some(association) = &mut self.association else { return };
        let Buffers { index, covered, line } = &mut env.signing;
        let out = &mut link.out;
        let written = out.get(from..).unwrap_or_default();
        if written.is_empty() {
            return;
        }
        let Ok(Step::Message(length)) = Scanner::default().next(written, index) else { return };
        debug_assert_eq!(length, written.len(), "one message at a time");
        let message = Message::new(written, index);
        let blank_line = from + written.len() - message.body().len() - 2;
        line.clear();
        line.extend_from_slice(b"Authorization: ");
        line.extend_from_slice(association.credentials());
        line.extend_from_slice(more);
        association.sign(message, covered, line);
        line.extend_from_slice(b"\r\n");
        let end = out.len();
        out.resize(end + line.len(), 0);
        out.copy_within(blank_line..end, blank_line + line.len());
        if let Some(place) = out.get_mut(blank_line..blank_line + line.len()) {
            place.copy_from_slice(line);
        }
    }

    /// Checks the signature of a message that came, if there are keys.
    pub(super) fn verify(
        &mut self,
        env: &mut Env,
        message: Message<'_>,
    ) -> Result<(), SignatureError> {
        match &mut self.association {
            Some(association) => association.verify(message, &mut env.signing.covered),
            None => Ok(()),
        }
    }

    /// The server has confirmed the new keys, or refused them: with those in force now, what was held
    /// back is signed.
    pub(super) fn settle_keys(&mut self, env: &mut Env, link: &mut Link, confirmed: bool) {
        let Some(Proving { old, held }) = self.proving.take().map(|proving| *proving) else {
            return;
        };
        if !confirmed {
            self.association = old;
        }
        let mut rest = held.as_slice();
        while let Ok(Step::Message(length)) = Scanner::default().next(rest, &mut env.signing.index)
            && let Some((message, more)) = rest.split_at_checked(length)
        {
            let from = link.out.len();
            link.out.extend_from_slice(message);
            self.sign_with(env, link, from, &[]);
            rest = more;
        }
    }

    /// Nobody says whether the server has the new keys: those before them stay, and what was held
    /// back is not sent any more.
    pub(super) fn abandon_keys(&mut self) {
        if let Some(proving) = self.proving.take() {
            self.association = proving.old;
        }
    }

    /// Answers a challenge: the new keys are in force from here on, as the Lync client has it. Returns
    /// what stands in the credentials beside the signature.
    pub(super) fn prove(&mut self, env: &Env, offer: &Offer) -> Option<Vec<u8>> {
        let challenge = offer.challenge.as_ref()?;
        let seed = env.run ^ mix(u64::from(self.registration.cseq));
        let mut state = self.stem.iter().fold(seed, |seed, octet| mix(seed ^ u64::from(*octet)));
        let mut next = || {
            state = mix(state);
            state.to_le_bytes()
        };
        let client_challenge = next();
        let mut session_key = [0; 16];
        for (place, octet) in session_key.iter_mut().zip([next(), next()].concat()) {
            *place = octet;
        }
        let time = windows_time(env.settings.started_unix_s);
        let chance = Chance { client_challenge, session_key, time };
        let token = challenge.answer(&self.identity.user, &env.settings.password, &chance);
        let Offer { realm, target, .. } = offer;
        let seed = u64::from_le_bytes(next());
        let association = Association::new(&session_key, &challenge.opaque, realm, target, seed);
        let old = self.association.replace(Box::new(association));
        self.proving.get_or_insert_with(|| Box::new(Proving { old, held: Vec::new() }));
        let mut more = [b", gssapi-data=\"", token.as_bytes(), b"\""].concat();
        offer.push_version(&mut more);
        Some(more)
    }

    /// Writes the credentials of a step of the handshake. Where this REGISTER is to be signed itself,
    /// they are returned instead: the parameters to stand beside its signature.
    pub(super) fn write_ntlm(
        &mut self,
        env: &Env,
        offer: &Offer,
        lines: &mut Vec<u8>,
    ) -> Option<Vec<u8>> {
        let proof = self.prove(env, offer);
        if proof.is_some() && offer.version >= SIGNS_REGISTER {
            return proof;
        }
        lines.extend_from_slice(b"Authorization: ");
        match (&self.association, proof) {
            (Some(association), Some(proof)) => {
                lines.extend_from_slice(association.credentials());
                lines.extend_from_slice(&proof);
            }
            _ => offer.ask(lines),
        }
        lines.extend_from_slice(b"\r\n");
        None
    }
}

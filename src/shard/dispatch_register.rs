//! Sign-in: REGISTER and the proof of identity, at the edge and at the user's home.

use bytes::Bytes;

use super::Shard;
use super::challenge::offered;
use super::credentials::Presented;
use super::frame::{Frame, Registered, SignIn, SignInError, SignedIn};
use crate::auth::digest::{DigestPolicy, Ha1};
use crate::auth::gate::{Refusal, Terms};
use crate::auth::judge::{Account, judge};
use crate::auth::lockout::network;
use crate::auth::proof::{Proof, Scheme, Secrets};
use crate::auth::security_association::SecurityAssociation;
use crate::base::aor::{Aor, home};
use crate::base::ids::{ConnId, Dialect, ShardId};
use crate::base::limits::{Limit, Limits};
use crate::base::time::Now;
use crate::base::transport::Transport;
use crate::config::AuthMethod;
use crate::dialect::reject::Reject;
use crate::dialect::{ms, simple};
use crate::metrics::counters::{AuthFailure, CloseReason};
use crate::registrar::{Binding, Contact, Contacts, Register, RegisterError};
use crate::wire::sip::{HeaderName, Message, Method, Uri};

impl Shard {
    /// Takes a REGISTER.
    pub(super) fn register(&mut self, now: Now, conn: ConnId, message: Message<'_>) {
        let aor = match self.registering_user(message) {
            Ok(aor) => aor,
            Err(reject) => return self.reject(conn, message, reject),
        };
        let limits = self.settings.limits.clone();
        let Some(connection) = self.connections.get_mut(conn) else { return };
        if ms::is_spoken_by(message) {
            connection.dialect = Dialect::Ms;
        }
        let user = connection.user.clone();
        let makes_new_keys = connection.makes_new_keys(message);
        let register = match asked(conn, connection.dialect, connection.transport, message) {
            Ok(register) => register,
            Err(reject) => return self.reject(conn, message, reject),
        };
        if self.draining {
            return self.reject(conn, message, Reject::GoingDown);
        }
        if user.is_none() && !self.may_sign_in(now, conn, message) {
            return;
        }
        if user.as_ref() == Some(&aor) && !register.takes_back() && self.redirect(conn, message) {
            return;
        }
        let proof = match user {
            Some(user) if user != aor => {
                return self.reject(conn, message, Reject::AnotherUser);
            }
            Some(_) if !makes_new_keys => None,
            Some(_) | None => match self.examine(now, conn, &aor, message, &limits) {
                Some(proof) => Some(proof),
                None => return,
            },
        };
        self.ask_home(conn, aor, proof, Some(register), message);
    }

    /// Takes any other request from a connection that is nobody's yet: it may prove whose it is
    /// (RFC 3261 section 22.3). Nothing is kept beyond the connection's own counts.
    pub(super) fn authenticate(&mut self, now: Now, conn: ConnId, message: Message<'_>) {
        if message.method() == Method::Ack {
            return;
        }
        let from = message.from().ok().and_then(|from| self.local_user(from.uri).ok());
        let Some(aor) = from else {
            return self.reject(conn, message, Reject::NotYourIdentity);
        };
        if !self.may_sign_in(now, conn, message) {
            return;
        }
        let limits = self.settings.limits.clone();
        if let Some(proof) = self.examine(now, conn, &aor, message, &limits) {
            self.ask_home(conn, aor, Some(proof), None, message);
        }
    }

    /// Lets a connection that is nobody's yet begin to sign in, or answers it: before anything is
    /// computed for it.
    fn may_sign_in(&mut self, now: Now, conn: ConnId, message: Message<'_>) -> bool {
        if self.leaving.is_some() {
            self.turn_away(now, conn, message);
            return false;
        }
        let Some(connection) = self.connections.get_mut(conn) else { return false };
        if connection.admitted {
            return true;
        }
        match self.admission.admit(now, &mut self.seed) {
            Ok(()) => {
                connection.admitted = true;
                true
            }
            Err(wait_s) => {
                self.counters.hit(Limit::SignIns);
                self.reject_until(conn, message, Reject::TooManySignIns, wait_s);
                false
            }
        }
    }

    /// Looks at the credentials of a request; `None` means it was answered.
    fn examine(
        &mut self,
        now: Now,
        conn: ConnId,
        aor: &Aor,
        message: Message<'_>,
        limits: &Limits,
    ) -> Option<Proof> {
        let connection = self.connections.get_mut(conn)?;
        let origin = connection.origin.map(network);
        if origin.is_some_and(|ip| self.locked_addresses.locked(now, ip).is_some()) {
            self.counters.hit(Limit::AuthFailuresPerAddress);
            self.counters.auth_failure(AuthFailure::AddressLocked);
            self.forbid(conn, message, AuthFailure::AddressLocked);
            return None;
        }
        if let Some(cause) = connection.gate.closed() {
            // Counted when it was closed: asking on is no further guess.
            self.forbid(conn, message, cause);
            return None;
        }
        let methods = match connection.dialect {
            Dialect::Ms => &self.settings.lync_auth,
            Dialect::Simple => &self.settings.standard_auth,
        };
        if methods.is_empty() {
            self.reject(conn, message, Reject::NoSignIn);
            return None;
        }
        let takes_digest = methods.contains(&AuthMethod::Digest) && !connection.signs();
        let takes_ntlm =
            methods.contains(&AuthMethod::Ntlm) && message.method() == Method::Register;
        let Some(presented) = Presented::read(message, aor.domain()) else {
            self.counters.auth_failure(AuthFailure::Malformed);
            self.reject(conn, message, Reject::BadCredentials);
            return None;
        };
        let response = presented.digest.filter(|_| takes_digest);
        if let Some(credentials) = presented.ntlm.filter(|_| takes_ntlm) {
            return self.examine_ntlm(now, conn, aor, message, &credentials);
        }
        let terms = Terms {
            key: &self.nonces,
            conn,
            policy: DigestPolicy {
                realm: aor.domain(),
                algorithms: offered(connection.dialect, message, &self.algorithms),
                legacy: false,
            },
            limits,
        };
        match connection.gate.examine(now, message.method_text(), response.as_ref(), &terms) {
            Ok(proof) => Some(Proof::Digest(proof)),
            Err(refusal) => {
                self.refuse_sign_in(now, conn, message, aor, Scheme::Digest, refusal);
                None
            }
        }
    }

    /// Sends a sign-in to the user's home.
    fn ask_home(
        &mut self,
        conn: ConnId,
        aor: Aor,
        proof: Option<Proof>,
        register: Option<Register>,
        message: Message<'_>,
    ) {
        let request = self.keep(message);
        let home = aor.home(self.shards);
        let sign_in = SignIn { aor, conn, proof, register, request };
        self.send_frame(home, Frame::SignIn(Box::new(sign_in)));
    }

    /// Judges a sign-in of a user whose home this is.
    pub(super) fn sign_in(&mut self, now: Now, sign_in: SignIn) {
        let SignIn { aor, conn, proof, register, request } = sign_in;
        let mut association = None;
        let outcome = self.judged(now, &aor, proof.as_ref(), &request).and_then(|made| {
            association = made;
            self.welcome(&aor, conn, &request)?;
            self.admit(&aor, conn)?;
            let Some(register) = register else { return Ok(Registered { bindings: None }) };
            self.bind(now, &aor, &register).map_err(SignInError::Register)
        });
        let proof = proof.map(|proof| proof.scheme());
        let user = self.users.slot(&aor).and_then(|slot| self.users.get(slot));
        let policy = user.map(|entry| entry.user.policy.as_str()).unwrap_or_default().into();
        let signed_in = SignedIn { aor, conn, request, policy, proof, association, outcome };
        self.send_frame(conn.shard, Frame::SignedIn(Box::new(signed_in)));
    }

    /// The verdict on a proof, and the security association it makes.
    fn judged(
        &mut self,
        now: Now,
        aor: &Aor,
        proof: Option<&Proof>,
        request: &Bytes,
    ) -> Result<Option<Box<SecurityAssociation>>, SignInError> {
        let user = self.users.slot(aor).and_then(|slot| self.users.get(slot));
        let user = user.map(|entry| &entry.user);
        let Some(proof) = proof else {
            // The connection is his already; he may have been disabled or removed since.
            return match user {
                Some(user) if !user.disabled => Ok(None),
                Some(_) => Err(SignInError::Auth(AuthFailure::Disabled)),
                None => Err(SignInError::Auth(AuthFailure::UnknownUser)),
            };
        };
        // A name that is not this user's login is as good as no account.
        let account = user.filter(|user| proof.names(&user.login, &user.aor)).map(|user| Account {
            secrets: Secrets {
                ha1: Ha1 { md5: &user.ha1_md5, sha256: &user.ha1_sha256 },
                nt_hash: &user.nt_hash,
            },
            disabled: user.disabled,
        });
        let session_key = judge(now, proof, aor.as_str(), account, &mut self.failed_users)
            .map_err(SignInError::Auth)?;
        let (Proof::Ntlm(proof), Some(session_key)) = (proof, session_key) else {
            return Ok(None);
        };
        let association = SecurityAssociation::new(&session_key, proof.opaque());
        self.confirmed(association, request).map(|association| Some(Box::new(association)))
    }

    /// Takes note of a connection whose identity holds.
    fn admit(&mut self, aor: &Aor, conn: ConnId) -> Result<(), SignInError> {
        let max = self.settings.limits.connections_per_user_max;
        match self.users.slot(aor) {
            Some(slot) if !self.users.connected(slot, conn, max) => {
                self.counters.hit(Limit::ConnectionsPerUser);
                Err(SignInError::TooManyConnections)
            }
            _ => Ok(()),
        }
    }

    fn bind(
        &mut self,
        now: Now,
        aor: &Aor,
        register: &Register,
    ) -> Result<Registered, RegisterError> {
        let Some(slot) = self.users.slot(aor) else { return Ok(Registered { bindings: None }) };
        let limits = &self.settings.limits;
        let Some(entry) = self.users.get_mut(slot) else {
            return Ok(Registered { bindings: None });
        };
        let before = entry.registrar.len();
        let outcome = entry.registrar.register(now, register, limits);
        let after = entry.registrar.len();
        let bindings = entry.registrar.bindings(now).cloned().collect();
        match outcome {
            Ok(changes) => {
                self.registered(before, after, &changes);
                self.endpoints_of_presence(now, slot);
                self.watch_endpoints(slot);
                Ok(Registered { bindings: Some(bindings) })
            }
            Err(error) => {
                error.limit().into_iter().for_each(|limit| self.counters.hit(limit));
                Err(error)
            }
        }
    }

    /// Takes the home's word on a sign-in.
    pub(super) fn signed_in(&mut self, now: Now, signed_in: SignedIn) {
        let SignedIn { aor, conn, request, policy, proof, association, outcome } = signed_in;
        let limits = self.settings.limits.clone();
        let filter = self.filter_of(&policy);
        let mut refusal = None;
        self.note_failure(conn, &outcome);
        let Some(connection) = self.connections.get_mut(conn) else {
            // Gone meanwhile: what was bound must not stay.
            return self.send_frame(aor.home(self.shards), Frame::SignedOff { aor, conn });
        };
        if proof.is_some() {
            let verdict = match &outcome {
                Err(SignInError::Auth(cause)) => Err(*cause),
                Ok(_)
                | Err(
                    SignInError::ClientBlocked
                    | SignInError::Register(_)
                    | SignInError::TooManyConnections,
                ) => Ok(()),
            };
            refusal = connection.gate.settle(verdict, &limits).err();
        } else if let Err(SignInError::Auth(cause)) = &outcome {
            refusal = Some(Refusal::Forbid(*cause));
        }
        if connection.user.as_ref().is_some_and(|user| *user != aor) {
            // Two sign-ins raced and the other one won: what this one bound must not stay.
            self.send_frame(aor.home(self.shards), Frame::SignedOff { aor, conn });
            self.settle_keys(conn, None);
            self.with_message(&request, |shard, message| {
                shard.reject(conn, message, Reject::AnotherUser);
            });
            return self.release(conn);
        }
        let turned_away =
            matches!(outcome, Err(SignInError::ClientBlocked | SignInError::TooManyConnections));
        if refusal.is_none() && !turned_away {
            connection.user = Some(aor.clone());
            connection.filter = filter;
        }
        if proof.is_some() {
            self.settle_keys(conn, association.map(|association| *association));
        }
        let scheme = proof.unwrap_or(Scheme::Digest);
        self.with_message(&request, |shard, message| match (refusal, outcome) {
            (Some(refusal), _) => shard.refuse_sign_in(now, conn, message, &aor, scheme, refusal),
            (None, Ok(Registered { bindings: Some(bindings) })) => {
                let words = shard.words_to_client(&policy, message);
                shard.accept_registration(now, conn, &aor, message, &bindings, words.as_deref());
                shard.end_lane_without_endpoint(now, conn, message, &bindings);
            }
            (None, Ok(Registered { bindings: None })) => shard.request(now, conn, message),
            (None, Err(SignInError::Register(error))) => {
                shard.reject(conn, message, refused_registration(error));
            }
            (None, Err(SignInError::ClientBlocked)) => {
                shard.refuse_client(conn, message, &policy);
            }
            (None, Err(SignInError::TooManyConnections)) => {
                shard.reject(conn, message, Reject::TooManyConnections);
            }
            (None, Err(SignInError::Auth(_))) => {}
        });
        if proof.is_some() {
            self.release(conn);
        }
    }

    /// Reports a wrong guess at a password to the shard that watches the address it came from.
    fn note_failure(&mut self, conn: ConnId, outcome: &Result<Registered, SignInError>) {
        let guess = matches!(
            outcome,
            Err(SignInError::Auth(AuthFailure::UnknownUser | AuthFailure::WrongPassword))
        );
        if guess
            && let Some(connection) = self.connections.get(conn)
            && let Some(ip) = connection.origin.map(network)
        {
            self.send_frame(home(ip, self.shards), Frame::AddressFailed { ip });
        }
    }

    /// Answers a successful REGISTER in the client's dialect, with `words` to the client.
    fn accept_registration(
        &mut self,
        now: Now,
        conn: ConnId,
        aor: &Aor,
        message: Message<'_>,
        bindings: &[Binding],
        words: Option<&str>,
    ) {
        let source = self.settings.name.clone();
        let dialect = self.connections.get(conn).map_or(Dialect::Simple, |c| c.dialect);
        let keep_alive = self.settings.limits.idle_timeout;
        self.respond(conn, message, 200, |writer| {
            let writer =
                words.into_iter().fold(writer, |w, text| simple::warning(w, text, &source));
            match dialect {
                Dialect::Ms => {
                    let own = bindings.iter().find(|binding| binding.conn == conn);
                    ms::register::accept(writer, now, aor.as_str(), own, bindings, keep_alive);
                }
                Dialect::Simple => simple::register::accept(writer, now, aor.as_str(), bindings),
            }
        });
    }

    /// Ends a lane whose user has taken his endpoint back: no end of a stream will.
    fn end_lane_without_endpoint(
        &mut self,
        now: Now,
        conn: ConnId,
        message: Message<'_>,
        bindings: &[Binding],
    ) {
        let asked = message.header(HeaderName::Contact).is_some();
        let lane = self.connections.get(conn).is_some_and(|connection| connection.lane);
        if lane && asked && bindings.iter().all(|binding| binding.conn != conn) {
            self.close(now, conn, CloseReason::Peer);
        }
    }

    /// Counts a failed sign-in from an address this shard watches.
    pub(super) fn address_failed(&mut self, now: Now, ip: std::net::IpAddr) {
        if self.failed_addresses.failure(now, ip).is_some() {
            for shard in 0..self.shards {
                let to = ShardId(shard);
                self.send_frame(to, Frame::AddressLocked { ip });
            }
        }
    }

    /// Who registers: To and From must name the same user of ours, as nobody registers for
    /// another (threat 35).
    fn registering_user(&self, message: Message<'_>) -> Result<Aor, Reject> {
        let (to, from) = (message.to().ok(), message.from().ok());
        let (Some(to), Some(from)) = (to, from) else { return Err(Reject::BadContact) };
        let aor = self.local_user(to.uri)?;
        let same = Uri::parse(from.uri).is_ok_and(|from| from.is_aor(aor.as_str()));
        if same { Ok(aor) } else { Err(Reject::ThirdParty) }
    }
}

/// What a REGISTER asks for.
fn asked(
    conn: ConnId,
    dialect: Dialect,
    transport: Transport,
    message: Message<'_>,
) -> Result<Register, Reject> {
    let text = |octets: &[u8]| std::str::from_utf8(octets).ok().map(Box::<str>::from);
    let expires = message.expires().map_err(|_| Reject::BadContact)?;
    let contacts = if message.is_contact_star() {
        Contacts::Star
    } else {
        let mut list = Vec::new();
        for contact in message.contacts() {
            let contact = contact.map_err(|_| Reject::BadContact)?;
            // Routing goes by the connection; the text must still be a URI (threat: `Contact: %`).
            Uri::parse(contact.uri).map_err(|_| Reject::BadContact)?;
            let number = |name| {
                contact
                    .params
                    .get(name)
                    .map(|value| std::str::from_utf8(value).ok()?.parse::<u32>().ok())
            };
            let expires = match number("expires") {
                Some(Some(seconds)) => Some(seconds),
                // RFC 3261 section 20.10: a malformed value is 3600.
                Some(None) => Some(3600),
                None => None,
            };
            let instance = contact
                .params
                .get("+sip.instance")
                .and_then(|value| text(value.strip_prefix(b"<")?.strip_suffix(b">")?));
            list.push(Contact {
                uri: Bytes::copy_from_slice(contact.uri),
                instance,
                reg_id: number("reg-id").flatten(),
                expires,
            });
        }
        Contacts::List(list)
    };
    let cseq = message.cseq().map_err(|_| Reject::BadContact)?.number;
    let from = message.from().map_err(|_| Reject::BadContact)?;
    Ok(Register {
        conn,
        transport,
        dialect,
        call_id: message.call_id().map_err(|_| Reject::BadContact)?.into(),
        cseq,
        epid: from.params.get("epid").and_then(text),
        user_agent: message.header(HeaderName::UserAgent).and_then(text),
        expires,
        contacts,
    })
}

fn refused_registration(error: RegisterError) -> Reject {
    match error {
        RegisterError::IntervalTooBrief { .. } => Reject::IntervalTooBrief,
        RegisterError::TooManyEndpoints => Reject::TooManyEndpoints,
        RegisterError::OutOfOrder => Reject::OutOfOrder,
        RegisterError::StarWithoutZero | RegisterError::TooLong => Reject::BadContact,
    }
}

//! The client's side of REGISTER with Digest or NTLM: sign-in, refresh, sign-out.

use crate::digest::{Algorithm, Challenge};
use crate::ntlm::Offer;
use crate::number::read_number;
use crate::scan::{Message, Name, param_of};
use crate::settings::{Auth, Dialect, Settings};
use crate::stats::Cause;
use crate::transactions::Pending;
use std::time::Duration;

/// How often credentials are sent for one REGISTER before the password counts as refused.
const ATTEMPTS_MAX: u32 = 3;

/// One endpoint's registration.
#[derive(Debug, Default)]
pub struct Registration {
    /// What the server asked for last by Digest; used again, with a rising count, without being asked.
    pub challenge: Option<Challenge>,
    /// CSeq number of the last REGISTER.
    pub cseq: u32,
    /// How often `challenge` has been answered.
    pub nonce_count: u32,
    /// What the server asked for last by NTLM, until it is answered.
    pub ntlm: Option<Offer>,
    /// True when the next REGISTER begins a handshake for new keys.
    pub renews_keys: bool,
    /// What the REGISTER under way is for.
    pub pending: Option<Pending>,
    /// True when the challenge was a 407, so that Proxy-Authorization answers it.
    pub proxy: bool,
    /// Number of the REGISTER under way; never used twice.
    pub serial: u32,
    /// True while the server knows the endpoint.
    pub signed_in: bool,
    /// True when the REGISTER under way ends the registration.
    pub leaving: bool,
    attempts: u32,
    /// True when the REGISTER under way has answered a challenge of NTLM.
    proven: bool,
}

/// What the 200 said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// When the registration ends.
    pub expires: Option<Duration>,
    /// GRUU given to this endpoint.
    pub gruu: Option<Vec<u8>>,
    /// Idle time after which the server wants a sign of life.
    pub keep_alive: Option<Duration>,
    /// True when new keys came with it.
    pub new_keys: bool,
}

/// What an answer to REGISTER leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Not an answer to the REGISTER under way, or not final.
    Nothing,
    /// Send REGISTER again, with credentials.
    Authenticate,
    /// It is done.
    Done(Granted),
    /// It failed.
    Failed(Cause),
}

impl Registration {
    /// Begins a REGISTER.
    pub fn begin(&mut self, pending: Pending, leaving: bool) {
        self.pending = Some(pending);
        self.leaving = leaving;
        self.serial = self.serial.wrapping_add(1);
        self.attempts = 0;
        self.proven = false;
        self.cseq += 1;
    }

    /// Takes what the REGISTER under way was for.
    pub fn finish(&mut self) -> Option<Pending> {
        self.pending.take()
    }

    /// Forgets what belonged to a connection that is gone.
    pub fn reset(&mut self) {
        self.signed_in = false;
        self.challenge = None;
        self.ntlm = None;
        self.nonce_count = 0;
        self.renews_keys = false;
    }

    /// Reads an answer to REGISTER.
    pub fn answered(&mut self, settings: &Settings, uuid: &str, answer: Message<'_>) -> Next {
        if self.pending.is_none() || answer.cseq() != self.cseq {
            return Next::Nothing;
        }
        match answer.status().unwrap_or(0) {
            0..200 => Next::Nothing,
            200..300 => {
                self.signed_in = !self.leaving;
                Next::Done(granted(uuid, answer, self.proven))
            }
            401 | 407 if settings.auth == Auth::Ntlm => self.challenged_by_ntlm(answer),
            status @ (401 | 407) => self.challenged(settings.dialect, status == 407, answer),
            403 if self.attempts > 0 => Next::Failed(Cause::Auth),
            status => Next::Failed(Cause::Status(status)),
        }
    }

    fn challenged(&mut self, dialect: Dialect, proxy: bool, answer: Message<'_>) -> Next {
        let name = if proxy { Name::ProxyAuthenticate } else { Name::WwwAuthenticate };
        let offered = answer.values(name).filter_map(Challenge::parse);
        let chosen = match dialect {
            // The Lync client knows MD5 only.
            Dialect::Ms => offered.filter(|c| c.algorithm == Algorithm::Md5).last(),
            Dialect::Simple => offered.max_by_key(|challenge| challenge.algorithm),
        };
        let Some(challenge) = chosen else { return Next::Failed(Cause::Auth) };
        if self.attempts >= ATTEMPTS_MAX || (self.attempts > 0 && !challenge.stale) {
            return Next::Failed(Cause::Auth);
        }
        self.attempts += 1;
        self.nonce_count = 0;
        self.proxy = proxy;
        self.challenge = Some(challenge);
        if dialect == Dialect::Simple {
            self.cseq += 1;
        }
        Next::Authenticate
    }

    /// The server offers NTLM, or sends the challenge it was asked for.
    fn challenged_by_ntlm(&mut self, answer: Message<'_>) -> Next {
        let offer = answer.values(Name::WwwAuthenticate).find_map(Offer::parse);
        let Some(offer) = offer else { return Next::Failed(Cause::Auth) };
        let refused = self.attempts > 0 && offer.challenge.is_none();
        if refused || self.attempts >= ATTEMPTS_MAX {
            return Next::Failed(Cause::Auth);
        }
        self.attempts += 1;
        self.proven = offer.challenge.is_some();
        self.ntlm = Some(offer);
        self.cseq += 1;
        Next::Authenticate
    }
}

fn granted(uuid: &str, answer: Message<'_>, new_keys: bool) -> Granted {
    let own = answer
        .elements(Name::Contact)
        .find(|contact| memchr::memmem::find(contact, uuid.as_bytes()).is_some());
    let seconds = |text: &[u8]| read_number(text).map(Duration::from_secs);
    let param = |name| own.and_then(|contact| param_of(contact, name));
    let gruu = param("gruu").or_else(|| param("pub-gruu"));
    let alive = answer.value(Name::MsKeepAlive);
    Granted {
        expires: seconds(answer.value(Name::Expires))
            .or_else(|| param("expires").and_then(seconds)),
        gruu: gruu.filter(|gruu| !gruu.is_empty()).map(<[u8]>::to_vec),
        keep_alive: param_of(alive, "timeout").and_then(seconds).filter(|t| !t.is_zero()),
        new_keys,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::scan::{Index, Scanner};
    use crate::stats::Operation;

    fn begun() -> Registration {
        let mut registration = Registration::default();
        registration.begin(Pending { operation: Operation::SignIn, intended: Moment(0) }, false);
        registration
    }

    fn answered(
        registration: &mut Registration,
        dialect: Dialect,
        start: &str,
        more: &str,
    ) -> Next {
        let text = format!(
            "SIP/2.0 {start}\r\nVia: SIP/2.0/TLS a\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:a@x>;tag=2\r\n\
             Call-ID: c\r\nCSeq: {} REGISTER\r\n{more}Content-Length: 0\r\n\r\n",
            registration.cseq
        );
        let mut index = Index::default();
        Scanner::default().next(text.as_bytes(), &mut index).unwrap();
        let target = ([127, 0, 0, 1], 5061).into();
        let settings = Settings { dialect, ..Settings::new(target) };
        registration.answered(&settings, "0c9363da", Message::new(text.as_bytes(), &index))
    }

    const MD5: &str =
        "WWW-Authenticate: Digest realm=\"x\", nonce=\"a\", algorithm=MD5, qop=\"auth\"\r\n";
    const SHA: &str =
        "WWW-Authenticate: Digest realm=\"x\", nonce=\"b\", algorithm=SHA-256, qop=\"auth\"\r\n";
    const PROXY: &str = "Proxy-Authenticate: Digest realm=\"x\", nonce=\"c\", qop=\"auth\"\r\n";

    #[test]
    fn the_strongest_hash_is_chosen_and_a_second_refusal_is_final() {
        let mut registration = begun();
        let both = format!("{MD5}{SHA}");
        let next = answered(&mut registration, Dialect::Simple, "401 Unauthorized", &both);
        assert_eq!(next, Next::Authenticate);
        assert_eq!(registration.challenge.as_ref().unwrap().algorithm, Algorithm::Sha256);
        assert_eq!((registration.proxy, registration.cseq), (false, 2));
        let next = answered(&mut registration, Dialect::Simple, "401 Unauthorized", SHA);
        assert_eq!(next, Next::Failed(Cause::Auth));
    }

    #[test]
    fn the_lync_client_keeps_its_cseq_and_takes_md5() {
        let mut registration = begun();
        let next = answered(&mut registration, Dialect::Ms, "407 Proxy", PROXY);
        assert_eq!(next, Next::Authenticate);
        assert_eq!((registration.proxy, registration.cseq), (true, 1));
        let mut registration = begun();
        let next = answered(&mut registration, Dialect::Ms, "401 Unauthorized", SHA);
        assert_eq!(next, Next::Failed(Cause::Auth));
    }

    #[test]
    fn a_stale_nonce_is_answered_again_but_not_for_ever() {
        let mut registration = begun();
        let stale = PROXY.replace("nonce", "stale=true, nonce");
        for _ in 0..ATTEMPTS_MAX {
            let next = answered(&mut registration, Dialect::Ms, "407 Proxy", &stale);
            assert_eq!(next, Next::Authenticate);
        }
        let next = answered(&mut registration, Dialect::Ms, "407 Proxy", &stale);
        assert_eq!(next, Next::Failed(Cause::Auth));
    }

    #[test]
    fn a_grant_is_read_from_our_contact_among_others() {
        let mut registration = begun();
        let next = answered(
            &mut registration,
            Dialect::Ms,
            "200 OK",
            "Contact: <sip:1>;expires=5;+sip.instance=\"<urn:uuid:ffff>\";gruu=\"sip:no\", \
             <sip:2>;expires=7200;+sip.instance=\"<urn:uuid:0c9363da>\";gruu=\"sip:b@x;gruu\"\r\n\
             ms-keep-alive: UAS; tcp=no; hop-hop=yes; end-end=no; timeout=300\r\n",
        );
        let granted = Granted {
            expires: Some(Duration::from_secs(7200)),
            gruu: Some(b"sip:b@x;gruu".to_vec()),
            keep_alive: Some(Duration::from_secs(300)),
            new_keys: false,
        };
        assert_eq!(next, Next::Done(granted));
        assert!(registration.signed_in);
    }

    #[test]
    fn refusals_are_told_apart() {
        let fail = |start| answered(&mut begun(), Dialect::Ms, start, "");
        assert_eq!(fail("403 Forbidden"), Next::Failed(Cause::Status(403)));
        assert_eq!(fail("503 Service Unavailable"), Next::Failed(Cause::Status(503)));
        assert_eq!(fail("100 Trying"), Next::Nothing);
        assert_eq!(fail("407 Proxy"), Next::Failed(Cause::Auth));
        let mut registration = begun();
        answered(&mut registration, Dialect::Ms, "407 Proxy", PROXY);
        let next = answered(&mut registration, Dialect::Ms, "403 Forbidden", "");
        assert_eq!(next, Next::Failed(Cause::Auth));
    }
}

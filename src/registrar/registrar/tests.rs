use super::*;
use crate::base::ids::{ShardId, Slot};
use crate::base::transport::Transport;
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::BTreeMap;

const ALICE: &str = "urn:uuid:085e0bd8-031c-5a0d-8d9a-f149aae6954a";
const BARESIP: &str = "urn:uuid:f35872e7-a58b-33d9-62c0-342b7f42e392";

fn at(mono_ms: u64) -> Now {
    Now { mono_ms, unix_ms: 0 }
}

fn conn(index: u32) -> ConnId {
    ConnId::new(ShardId(0), Slot { index, generation: 1 })
}

fn contact(uri: &'static str) -> Contact {
    Contact { uri: Bytes::from_static(uri.as_bytes()), instance: None, reg_id: None, expires: None }
}

/// The REGISTER of the transcript `reg-digest407`.
fn lync() -> Register {
    Register {
        conn: conn(1),
        transport: Transport::Tls,
        dialect: Dialect::Ms,
        call_id: (*b"3670g5E52a4F95i305Dm3D0CtE3CCbC2C0xF21Bx").into(),
        cseq: 1,
        epid: Some("b34afb6ebb23".into()),
        user_agent: Some("Purple/2.14.12 Sipe/1.25.0 (linux-x86_64)".into()),
        expires: None,
        contacts: Contacts::List(vec![Contact {
            instance: Some(ALICE.into()),
            ..contact("sip:127.0.0.1:44142;transport=tls;ms-opaque=d3470f2e1d")
        }]),
    }
}

/// The REGISTER of the transcript `baresip`.
fn baresip() -> Register {
    Register {
        conn: conn(2),
        transport: Transport::Tls,
        dialect: Dialect::Simple,
        call_id: (*b"73aebec0addd8afc").into(),
        cseq: 46946,
        epid: None,
        user_agent: Some("baresip v1.0.0 (x86_64/linux)".into()),
        expires: None,
        contacts: Contacts::List(vec![Contact {
            instance: Some(BARESIP.into()),
            reg_id: Some(1),
            expires: Some(60),
            ..contact("sip:alice-0x565323403b80@127.0.0.1:40587;transport=tls")
        }]),
    }
}

/// A phone without an instance, on its own connection and with its own Call-ID.
fn phone(index: u32) -> Register {
    Register {
        conn: conn(index),
        transport: Transport::Tls,
        dialect: Dialect::Simple,
        call_id: index.to_string().into_bytes().into(),
        cseq: 1,
        epid: None,
        user_agent: None,
        expires: None,
        contacts: Contacts::List(vec![contact("sip:phone@192.168.1.5:5060")]),
    }
}

fn with(request: Register, change: impl FnOnce(&mut Register)) -> Register {
    let mut request = request;
    change(&mut request);
    request
}

fn first_contact(request: &mut Register) -> &mut Contact {
    match &mut request.contacts {
        Contacts::List(contacts) => contacts.first_mut().unwrap(),
        Contacts::Star => panic!("no contact"),
    }
}

fn register(
    registrar: &mut Registrar,
    now_ms: u64,
    request: &Register,
) -> Result<Vec<ChangeKind>, RegisterError> {
    let changes = registrar.register(at(now_ms), request, &Limits::default())?;
    Ok(changes.into_iter().map(|change| change.kind).collect())
}

#[test]
fn the_lync_client_is_bound_for_two_hours_and_may_leave() {
    let mut registrar = Registrar::new();
    assert_eq!(register(&mut registrar, 0, &lync()), Ok(vec![ChangeKind::Added]));
    let binding = registrar.bindings(at(1)).next().unwrap();
    assert_eq!(binding.expires_in(at(0)), 7200);
    assert_eq!(binding.expires_in(at(1)), 7200);
    assert_eq!(binding.expires_in(at(1_000)), 7199);
    assert_eq!(registrar.next_deadline(), Some(Deadline(7_200_000)));
    let leave = with(lync(), |request| {
        request.cseq = 2;
        request.expires = Some(0);
    });
    let gone = vec![ChangeKind::Removed(Removal::Unregistered)];
    assert_eq!(register(&mut registrar, 5, &leave), Ok(gone));
    assert!(registrar.is_empty());
    assert_eq!(registrar.next_deadline(), None);
    assert_eq!(register(&mut registrar, 6, &leave), Ok(vec![]), "sent twice");
}

#[test]
fn the_contact_parameter_goes_before_the_header() {
    let mut registrar = Registrar::new();
    let request = with(baresip(), |request| request.expires = Some(3_000));
    register(&mut registrar, 0, &request).unwrap();
    assert_eq!(registrar.bindings(at(0)).next().unwrap().expires_in(at(0)), 60);
}

#[test]
fn times_are_defaulted_bounded_and_refused_when_too_short() {
    for (dialect, wish, granted) in [
        (Dialect::Ms, None, 7_200),
        (Dialect::Simple, None, 3_600),
        (Dialect::Simple, Some(60), 60),
        (Dialect::Simple, Some(7_201), 7_200),
        (Dialect::Simple, Some(u32::MAX), 7_200),
    ] {
        let mut registrar = Registrar::new();
        let request = with(phone(1), |request| {
            request.dialect = dialect;
            request.expires = wish;
        });
        register(&mut registrar, 0, &request).unwrap();
        assert_eq!(registrar.bindings(at(0)).next().unwrap().expires_in(at(0)), granted);
    }
    let brief = with(phone(1), |request| request.expires = Some(59));
    let refused = register(&mut Registrar::new(), 0, &brief);
    assert_eq!(refused, Err(RegisterError::IntervalTooBrief { min_s: 60 }));
}

#[test]
fn a_device_that_comes_back_takes_its_old_place() {
    let mut registrar = Registrar::new();
    register(&mut registrar, 0, &lync()).unwrap();
    let back = with(lync(), |request| {
        request.conn = conn(9);
        request.call_id = (*b"another").into();
        first_contact(request).uri = Bytes::from_static(b"sip:127.0.0.1:50000;transport=tls");
    });
    let moved = vec![ChangeKind::Moved { from: conn(1) }];
    assert_eq!(register(&mut registrar, 5, &back), Ok(moved));
    assert_eq!(registrar.bindings(at(5)).count(), 1);
    assert!(registrar.connection_lost(conn(1)).is_empty(), "the old connection has none left");
    assert_eq!(registrar.connection_lost(conn(9)).len(), 1);
}

#[test]
fn another_device_flow_or_instance_is_another_endpoint() {
    let mut registrar = Registrar::new();
    register(&mut registrar, 0, &lync()).unwrap();
    let others = [
        with(lync(), |request| request.epid = Some("aea5768aea0a".into())),
        with(lync(), |request| first_contact(request).reg_id = Some(2)),
        with(lync(), |request| first_contact(request).instance = Some(BARESIP.into())),
        with(lync(), |request| first_contact(request).instance = None),
    ];
    for other in &others {
        assert_eq!(register(&mut registrar, 0, other), Ok(vec![ChangeKind::Added]));
    }
    assert_eq!(registrar.bindings(at(0)).count(), 5);
}

#[test]
fn the_same_private_contact_on_two_connections_is_two_phones() {
    let mut registrar = Registrar::new();
    assert_eq!(register(&mut registrar, 0, &phone(1)), Ok(vec![ChangeKind::Added]));
    assert_eq!(register(&mut registrar, 0, &phone(2)), Ok(vec![ChangeKind::Added]));
    let refresh = with(phone(1), |request| request.cseq = 2);
    assert_eq!(register(&mut registrar, 9, &refresh), Ok(vec![ChangeKind::Refreshed]));
}

#[test]
fn the_same_request_again_changes_nothing() {
    let mut registrar = Registrar::new();
    register(&mut registrar, 0, &lync()).unwrap();
    assert_eq!(register(&mut registrar, 90_000, &lync()), Ok(vec![]));
    assert_eq!(registrar.bindings(at(90_000)).next().unwrap().expires_in(at(90_000)), 7_110);
    let elsewhere = with(lync(), |request| request.conn = conn(7));
    let moved = vec![ChangeKind::Moved { from: conn(1) }];
    assert_eq!(register(&mut registrar, 90_000, &elsewhere), Ok(moved));
}

#[test]
fn an_older_request_is_refused_unless_its_call_is_another() {
    let mut registrar = Registrar::new();
    let second = with(lync(), |request| request.cseq = 2);
    register(&mut registrar, 0, &second).unwrap();
    assert_eq!(register(&mut registrar, 0, &lync()), Err(RegisterError::OutOfOrder));
    let late = with(lync(), |request| request.conn = conn(7));
    assert_eq!(register(&mut registrar, 0, &late), Err(RegisterError::OutOfOrder));
    let star = with(lync(), |request| {
        request.expires = Some(0);
        request.contacts = Contacts::Star;
    });
    assert_eq!(register(&mut registrar, 0, &star), Err(RegisterError::OutOfOrder));
    let other_call = with(lync(), |request| request.call_id = (*b"another").into());
    assert_eq!(register(&mut registrar, 0, &other_call), Ok(vec![ChangeKind::Refreshed]));
}

#[test]
fn star_removes_every_endpoint_but_needs_expires_zero() {
    let mut registrar = Registrar::new();
    register(&mut registrar, 0, &lync()).unwrap();
    register(&mut registrar, 0, &baresip()).unwrap();
    let star = with(baresip(), |request| {
        request.cseq += 1;
        request.contacts = Contacts::Star;
    });
    for expires in [None, Some(60)] {
        let star = with(star.clone(), |request| request.expires = expires);
        assert_eq!(register(&mut registrar, 1, &star), Err(RegisterError::StarWithoutZero));
    }
    let star = with(star, |request| request.expires = Some(0));
    let gone = vec![ChangeKind::Removed(Removal::Unregistered); 2];
    assert_eq!(register(&mut registrar, 1, &star), Ok(gone));
    assert!(registrar.is_empty());
}

#[test]
fn no_contact_asks_and_changes_nothing() {
    let mut registrar = Registrar::new();
    register(&mut registrar, 0, &lync()).unwrap();
    let ask = with(phone(5), |request| request.contacts = Contacts::List(vec![]));
    assert_eq!(register(&mut registrar, 0, &ask), Ok(vec![]));
    assert_eq!(registrar.bindings(at(0)).count(), 1);
}

#[test]
fn at_the_bound_a_new_endpoint_is_refused_and_an_old_one_refreshed() {
    let mut registrar = Registrar::new();
    for index in 0..8 {
        register(&mut registrar, 0, &phone(index)).unwrap();
    }
    assert_eq!(register(&mut registrar, 0, &phone(8)), Err(RegisterError::TooManyEndpoints));
    let refresh = with(phone(3), |request| request.cseq = 2);
    assert_eq!(register(&mut registrar, 0, &refresh), Ok(vec![ChangeKind::Refreshed]));
    registrar.connection_lost(conn(4));
    assert_eq!(register(&mut registrar, 0, &phone(8)), Ok(vec![ChangeKind::Added]));
}

#[test]
fn an_endpoint_whose_time_is_over_makes_room() {
    let mut registrar = Registrar::new();
    for index in 0..8 {
        let expires = Some(60 + index);
        let request = with(phone(index), |request| request.expires = expires);
        register(&mut registrar, 0, &request).unwrap();
    }
    let changes = register(&mut registrar, 60_000, &phone(8)).unwrap();
    assert_eq!(changes, [ChangeKind::Removed(Removal::Expired), ChangeKind::Added]);
}

#[test]
fn more_contacts_than_endpoints_are_refused_as_a_whole() {
    let uris = ["sip:a@h", "sip:b@h", "sip:c@h", "sip:d@h", "sip:e@h", "sip:f@h", "sip:g@h"];
    let mut registrar = Registrar::new();
    register(&mut registrar, 0, &phone(1)).unwrap();
    let list =
        |uris: &[&'static str]| Contacts::List(uris.iter().map(|uri| contact(uri)).collect());
    let seven = with(phone(2), |request| request.contacts = list(&uris));
    assert_eq!(register(&mut registrar, 0, &seven), Ok(vec![ChangeKind::Added; 7]));
    let nine = with(phone(3), |request| {
        request.contacts = list(&[&uris[..], &["sip:x@h", "sip:y@h"]].concat());
        request.expires = Some(0);
    });
    assert_eq!(register(&mut registrar, 0, &nine), Err(RegisterError::TooManyEndpoints));
    assert_eq!(registrar.bindings(at(0)).count(), 8);
}

#[test]
fn one_bad_contact_undoes_the_whole_request() {
    let mut registrar = Registrar::new();
    register(&mut registrar, 0, &phone(1)).unwrap();
    let mixed = with(phone(1), |request| {
        request.cseq = 2;
        request.contacts = Contacts::List(vec![
            Contact { expires: Some(0), ..contact("sip:phone@192.168.1.5:5060") },
            contact("sip:new@h"),
            Contact { expires: Some(1), ..contact("sip:brief@h") },
        ]);
    });
    let refused = Err(RegisterError::IntervalTooBrief { min_s: 60 });
    assert_eq!(register(&mut registrar, 0, &mixed), refused);
    let left: Vec<_> = registrar.bindings(at(0)).map(|binding| &binding.contact).collect();
    assert_eq!(left, ["sip:phone@192.168.1.5:5060"]);
}

#[test]
fn text_at_the_bound_is_kept_and_one_octet_more_is_not() {
    let limits = Limits::default();
    for (extra, outcome) in [(0, Ok(vec![ChangeKind::Added])), (1, Err(RegisterError::TooLong))] {
        let request = with(phone(1), |request| {
            let rest = "sip:phone@192.168.1.5:5060".len() + request.call_id.len();
            let agent = "u".repeat(limits.endpoint_bytes_max - rest + extra);
            request.user_agent = Some(agent.into());
        });
        assert_eq!(register(&mut Registrar::new(), 0, &request), outcome);
    }
}

#[test]
fn time_and_lost_connections_remove_endpoints() {
    let mut registrar = Registrar::new();
    register(&mut registrar, 0, &lync()).unwrap();
    register(&mut registrar, 0, &baresip()).unwrap();
    assert_eq!(registrar.next_deadline(), Some(Deadline(60_000)));
    assert!(registrar.expire(at(59_999)).is_empty());
    assert_eq!(registrar.bindings(at(60_000)).count(), 1, "over, though still kept");
    assert_eq!((registrar.len(), registrar.all().count()), (2, 2));
    let gone = registrar.expire(at(60_000));
    assert_eq!(gone.len(), 1);
    assert_eq!(gone[0].kind, ChangeKind::Removed(Removal::Expired));
    assert_eq!(gone[0].binding.conn, conn(2));
    let gone = registrar.connection_lost(conn(1));
    assert_eq!(gone.len(), 1);
    assert_eq!(gone[0].kind, ChangeKind::Removed(Removal::ConnectionLost));
    assert!(registrar.is_empty());
}

#[test]
fn a_gruu_finds_its_endpoint_the_latest_flow_first() {
    let mut registrar = Registrar::new();
    register(&mut registrar, 0, &baresip()).unwrap();
    let second_flow = with(baresip(), |request| {
        request.conn = conn(3);
        first_contact(request).reg_id = Some(2);
    });
    register(&mut registrar, 1, &second_flow).unwrap();
    register(&mut registrar, 2, &lync()).unwrap();
    let conns = |registrar: &Registrar, urn: &str| -> Vec<ConnId> {
        let id = InstanceId::from_urn(urn).unwrap();
        registrar.by_instance(at(5), id).map(|binding| binding.conn).collect()
    };
    assert_eq!(conns(&registrar, ALICE), [conn(1)]);
    assert_eq!(conns(&registrar, BARESIP), [conn(3), conn(2)]);
    let refresh = with(baresip(), |request| request.cseq += 1);
    register(&mut registrar, 3, &refresh).unwrap();
    assert_eq!(conns(&registrar, BARESIP), [conn(2), conn(3)]);
    assert!(conns(&registrar, "urn:uuid:00000000-0000-0000-0000-000000000000").is_empty());
}

/// The rules again, as a table by endpoint.
#[derive(Clone, Default)]
struct Model(BTreeMap<Key, Entry>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Instance(String, Option<u32>, Option<String>),
    Contact(u32, Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    conn: u32,
    call_id: Vec<u8>,
    cseq: u32,
    expires_ms: u64,
}

impl Model {
    fn register(&mut self, now: u64, request: &Register, max: usize) -> bool {
        let mut after = self.clone();
        after.0.retain(|_, entry| entry.expires_ms > now);
        let mut added = false;
        let contacts = match &request.contacts {
            Contacts::Star => {
                let late =
                    |entry: &Entry| entry.call_id == *request.call_id && entry.cseq > request.cseq;
                if request.expires != Some(0) || after.0.values().any(late) {
                    return false;
                }
                let same = |entry: &Entry| {
                    entry.call_id == *request.call_id
                        && entry.cseq == request.cseq
                        && entry.conn == request.conn.slot.index
                };
                after.0.retain(|_, entry| same(entry));
                &Vec::new()
            }
            Contacts::List(contacts) => contacts,
        };
        for contact in contacts {
            let wish = contact.expires.or(request.expires).unwrap_or(match request.dialect {
                Dialect::Ms => 7_200,
                Dialect::Simple => 3_600,
            });
            if wish > 0 && wish < 60 {
                return false;
            }
            let entry = Entry {
                conn: request.conn.slot.index,
                call_id: request.call_id.to_vec(),
                cseq: request.cseq,
                expires_ms: now + u64::from(wish.min(7_200)) * 1_000,
            };
            let key = match &contact.instance {
                Some(instance) => Key::Instance(
                    instance.to_string(),
                    contact.reg_id,
                    request.epid.as_ref().map(|epid| epid.to_string()),
                ),
                None => Key::Contact(entry.conn, contact.uri.to_vec()),
            };
            match after.0.get(&key) {
                Some(old) if old.call_id == entry.call_id && old.cseq > entry.cseq => return false,
                Some(old)
                    if old.call_id == entry.call_id
                        && old.cseq == entry.cseq
                        && old.conn == entry.conn => {}
                _ if wish == 0 => {
                    after.0.remove(&key);
                }
                _ => added |= after.0.insert(key, entry).is_none(),
            }
        }
        if contacts.len() > max || added && after.0.len() > max {
            return false;
        }
        *self = after;
        true
    }
}

#[derive(Clone, Debug)]
pub enum Step {
    Register(Register),
    Lost(u32),
    Pass(u64),
    Expire,
}

fn any_contact() -> impl Strategy<Value = Contact> {
    let uri = prop::sample::select(vec!["sip:a@h", "sip:b@h", "sip:c@h"]);
    let instance = prop::option::of(prop::sample::select(vec![ALICE, BARESIP]));
    let reg_id = prop::option::weighted(0.3, 1u32..3);
    let expires =
        prop::option::weighted(0.5, prop::sample::select(vec![0, 59, 60, 100, 7_200, u32::MAX]));
    (uri, instance, reg_id, expires).prop_map(|(uri, instance, reg_id, expires)| Contact {
        instance: instance.map(Into::into),
        reg_id,
        expires,
        ..contact(uri)
    })
}

fn any_register() -> impl Strategy<Value = Register> {
    let contacts = prop_oneof![
        1 => Just(Contacts::Star),
        9 => prop::collection::vec(any_contact(), 0..5).prop_map(Contacts::List),
    ];
    let expires = prop::option::of(prop::sample::select(vec![0, 30, 90, 3_600]));
    let epid = prop::option::weighted(0.3, Just("b34afb6ebb23"));
    (1u32..4, any::<bool>(), 0u8..3, 1u32..6, expires, epid, contacts).prop_map(
        |(index, ms, call, cseq, expires, epid, contacts)| Register {
            transport: Transport::Tls,
            dialect: if ms { Dialect::Ms } else { Dialect::Simple },
            call_id: vec![call].into(),
            cseq,
            expires,
            epid: epid.map(Into::into),
            contacts,
            ..phone(index)
        },
    )
}

pub fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any_register().prop_map(Step::Register),
        1 => (1u32..4).prop_map(Step::Lost),
        2 => (0u64..4_000_000).prop_map(Step::Pass),
        1 => Just(Step::Expire),
    ]
}

/// Takes steps beside the model.
pub fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let limits = Limits { endpoints_per_user_max: 4, ..Limits::default() };
    let (mut registrar, mut model, mut now) = (Registrar::new(), Model::default(), 0);
    for step in steps {
        match step {
            Step::Register(request) => {
                let before: Vec<_> = registrar.bindings(at(now)).cloned().collect();
                let outcome = registrar.register(at(now), &request, &limits);
                let agreed = model.register(now, &request, 4);
                prop_assert_eq!(outcome.is_ok(), agreed, "{:?}", outcome);
                let after: Vec<_> = registrar.bindings(at(now)).cloned().collect();
                match outcome {
                    Ok(changes) if changes.is_empty() => prop_assert_eq!(before, after),
                    Ok(changes) => {
                        let count = |kind: fn(&ChangeKind) -> bool| {
                            changes.iter().filter(|change| kind(&change.kind)).count()
                        };
                        let added = count(|kind| *kind == ChangeKind::Added);
                        let removed =
                            count(|kind| *kind == ChangeKind::Removed(Removal::Unregistered));
                        prop_assert_eq!(before.len() + added, after.len() + removed);
                    }
                    Err(_) => prop_assert_eq!(before, after),
                }
            }
            Step::Lost(index) => {
                registrar.connection_lost(conn(index));
                model.0.retain(|_, entry| entry.conn != index);
                prop_assert!(registrar.bindings(at(now)).all(|b| b.conn != conn(index)));
            }
            Step::Pass(ms) => now += ms,
            Step::Expire => {
                let gone = registrar.expire(at(now));
                prop_assert!(gone.iter().all(|change| now >= change.binding.expires_at.0));
                prop_assert!(registrar.next_deadline().is_none_or(|next| next.0 > now));
                model.0.retain(|_, entry| entry.expires_ms > now);
            }
        }
        registrar.check_invariants();
        let mut ours: Vec<_> = registrar
            .bindings(at(now))
            .map(|b| Entry {
                conn: b.conn.slot.index,
                call_id: b.call_id.to_vec(),
                cseq: b.cseq,
                expires_ms: b.expires_at.0,
            })
            .collect();
        let live = model.0.values().filter(|entry| entry.expires_ms > now);
        let mut theirs: Vec<_> = live.cloned().collect();
        let by = |entry: &Entry| (entry.conn, entry.call_id.clone(), entry.cseq, entry.expires_ms);
        ours.sort_by_key(by);
        theirs.sort_by_key(by);
        prop_assert_eq!(ours, theirs);
    }
    Ok(())
}

proptest! {
    #[test]
    fn behaves_as_the_model(steps in prop::collection::vec(any_step(), 0..60)) {
        run(steps)?;
    }
}

//! What a `state` and a `note` say (MS-PRES section 2.2.2.7; lync-facts 3.1).

use std::sync::Arc;

/// Availability on the numeric scale: the higher, the less available.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Availability(pub u32);

impl Availability {
    /// Available.
    pub const AVAILABLE: Availability = Availability(3500);
    /// Available, but not at the keyboard.
    pub const IDLE: Availability = Availability(4500);
    /// Busy.
    pub const BUSY: Availability = Availability(6500);
    /// Busy, and only what is urgent may interrupt: what container 300 sees of "do not disturb".
    pub const URGENT_ONLY: Availability = Availability(6900);
    /// Busy, but not at the keyboard.
    pub const BUSY_IDLE: Availability = Availability(7500);
    /// Do not disturb.
    pub const DO_NOT_DISTURB: Availability = Availability(9500);
    /// Be right back.
    pub const BE_RIGHT_BACK: Availability = Availability(12_500);
    /// Away, off work, out of office.
    pub const AWAY: Availability = Availability(15_500);
    /// Offline, or wishing to look so.
    pub const OFFLINE: Availability = Availability(18_500);

    /// The class this value falls into.
    pub const fn class(self) -> Class {
        match self.0 {
            0..4500 => Class::Available,
            4500..6000 => Class::Idle,
            6000..7500 => Class::Busy,
            7500..9000 => Class::BusyIdle,
            9000..12_000 => Class::DoNotDisturb,
            12_000..15_000 => Class::BeRightBack,
            15_000..18_000 => Class::Away,
            18_000.. => Class::Offline,
        }
    }
}

impl Class {
    /// Lowest and highest value.
    pub const fn band(self) -> (u32, u32) {
        match self {
            Class::Available => (0, 4499),
            Class::Idle => (4500, 5999),
            Class::Busy => (6000, 7499),
            Class::BusyIdle => (7500, 8999),
            Class::DoNotDisturb => (9000, 11_999),
            Class::BeRightBack => (12_000, 14_999),
            Class::Away => (15_000, 17_999),
            Class::Offline => (18_000, u32::MAX),
        }
    }
}

/// A band of the availability scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// 0 to 4499.
    Available,
    /// 4500 to 5999; of a machine only.
    Idle,
    /// 6000 to 7499.
    Busy,
    /// 7500 to 8999; of a machine only.
    BusyIdle,
    /// 9000 to 11999.
    DoNotDisturb,
    /// 12000 to 14999.
    BeRightBack,
    /// 15000 to 17999.
    Away,
    /// 18000 and above.
    Offline,
}

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateKind {
    /// Keyboard and mouse of one endpoint.
    Machine,
    /// The user himself.
    User,
    /// His calendar.
    Calendar,
    /// A call or a conference he is in.
    Phone,
}

/// What the user is doing, beyond how available he is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Activity {
    /// A token that clients translate, such as `on-the-phone`; empty when there is only text.
    pub token: Arc<str>,
    /// Text shown as it is, by language (LCID): a state that the administrator defined.
    pub custom: Arc<[(u32, Arc<str>)]>,
}

/// One statement about the user's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Who says so.
    pub kind: StateKind,
    /// The user chose it.
    pub manual: bool,
    /// How available; a machine may say 0, which means available.
    pub availability: Availability,
    /// What he does.
    pub activity: Option<Activity>,
    /// Where the endpoint is, in the user's words.
    pub location: Option<Arc<str>>,
    /// Subject of the meeting he is in.
    pub meeting_subject: Option<Arc<str>>,
    /// Place of the meeting he is in.
    pub meeting_location: Option<Arc<str>>,
    /// When the user last touched the machine, in seconds since 1970.
    pub last_active: Option<u64>,
    /// From when to when it holds, in seconds since 1970; `None` means always.
    pub valid: Option<(u64, u64)>,
}

impl State {
    /// A statement of `kind` with nothing but an availability.
    pub fn new(kind: StateKind, availability: Availability) -> Self {
        State {
            kind,
            manual: kind == StateKind::User,
            availability,
            activity: None,
            location: None,
            meeting_subject: None,
            meeting_location: None,
            last_active: None,
            valid: None,
        }
    }

    /// True if it holds at `unix_ms`.
    pub fn is_valid(&self, unix_ms: u64) -> bool {
        let second = unix_ms / 1000;
        self.valid.is_none_or(|(from, to)| from <= second && second < to)
    }

    /// Octets of its texts.
    pub fn octets(&self) -> usize {
        let texts = [&self.location, &self.meeting_subject, &self.meeting_location];
        let activity = self.activity.as_ref().map_or(0, |activity| {
            let custom: usize = activity.custom.iter().map(|(_, text)| text.len()).sum();
            custom.saturating_add(activity.token.len())
        });
        texts.iter().filter_map(|text| text.as_ref()).map(|text| text.len()).sum::<usize>()
            + activity
    }
}

/// Which of the user's notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoteKind {
    /// What he wrote beside his name.
    Personal,
    /// What his calendar says while he is out of office.
    OutOfOffice,
}

/// A note. A cleared note has no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Which.
    pub kind: NoteKind,
    /// Its text.
    pub text: Arc<str>,
}

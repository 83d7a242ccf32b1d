//! Groups of contacts, and sets of them.

use std::fmt;

/// Names a group of one list. From 1 to 64, so that the groups of a contact are one word of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(u8);

impl GroupId {
    /// "Other Contacts", which every list has.
    pub const OTHERS: GroupId = GroupId(1);
    /// The highest identifier.
    pub const MAX: GroupId = GroupId(64);

    /// The group of that number; `None` outside 1 to 64.
    pub fn new(number: u32) -> Option<Self> {
        u8::try_from(number).ok().map(GroupId).filter(|id| (Self::OTHERS..=Self::MAX).contains(id))
    }

    /// From 1 to 64.
    pub fn number(self) -> u32 {
        self.0.into()
    }

    const fn bit(self) -> u64 {
        1 << (self.0 - 1)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of groups.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Groups(u64);

impl Groups {
    /// No group.
    pub const NONE: Groups = Groups(0);
    /// "Other Contacts" alone.
    pub const OTHERS: Groups = Groups(GroupId::OTHERS.bit());

    /// The set whose word of bits this is: group n is bit n - 1.
    pub const fn from_bits(bits: u64) -> Self {
        Groups(bits)
    }

    /// The word of bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// True without any group.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// True if `id` is one of them.
    pub const fn contains(self, id: GroupId) -> bool {
        self.0 & id.bit() != 0
    }

    /// True if all groups of `other` are among them.
    pub const fn contains_all(self, other: Groups) -> bool {
        other.0 & !self.0 == 0
    }

    /// These and `id`.
    pub const fn with(self, id: GroupId) -> Self {
        Groups(self.0 | id.bit())
    }

    /// These but `id`.
    pub const fn without(self, id: GroupId) -> Self {
        Groups(self.0 & !id.bit())
    }

    /// Those in both.
    pub const fn and(self, other: Groups) -> Self {
        Groups(self.0 & other.0)
    }

    /// The groups by number.
    pub fn iter(self) -> impl Iterator<Item = GroupId> {
        (GroupId::OTHERS.0..=GroupId::MAX.0).map(GroupId).filter(move |id| self.contains(*id))
    }

    /// The lowest number that is not among them.
    pub fn lowest_free(self) -> Option<GroupId> {
        GroupId::new(self.0.trailing_ones() + 1)
    }
}

impl FromIterator<GroupId> for Groups {
    fn from_iter<I: IntoIterator<Item = GroupId>>(ids: I) -> Self {
        ids.into_iter().fold(Groups::NONE, Groups::with)
    }
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(GroupId::number)).finish()
    }
}

/// A group of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Which.
    pub id: GroupId,
    /// What the user calls it.
    pub name: Box<str>,
    /// A URI the client keeps with it; we only carry it.
    pub external_uri: Box<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_groups_are_from_1_to_64() {
        for (number, expected) in [(0, None), (1, Some(1)), (64, Some(64)), (65, None)] {
            assert_eq!(GroupId::new(number).map(GroupId::number), expected);
        }
        assert_eq!(GroupId::new(257), None);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let id = |number| GroupId::new(number).unwrap();
        let groups: Groups = [id(64), id(2)].into_iter().collect();
        assert_eq!(groups.iter().map(GroupId::number).collect::<Vec<_>>(), [2, 64]);
        assert_eq!((groups.len(), groups.bits()), (2, 1 << 63 | 2));
        assert_eq!(groups.without(id(2)), Groups::NONE.with(id(64)));
        assert!(groups.contains_all(groups.without(id(64))));
        assert!(!groups.contains_all(Groups::OTHERS));
        assert_eq!(groups.lowest_free(), Some(id(1)));
        assert_eq!(Groups::OTHERS.with(id(2)).lowest_free(), Some(id(3)));
        assert_eq!(Groups::from_bits(u64::MAX).lowest_free(), None);
    }
}

//! The connections of a core and the lanes of its links, in one slab: a name leads to either
//! without hashing, and the machine sees no difference.

use super::connection::Connection;
use super::lane::Lane;
use crate::base::ids::Slot;
use crate::base::slab::Slab;

/// What a slot holds. Both are boxed: most slots of one kind must not pay for the other.
enum Tenant {
    Stream(Box<Connection>),
    Lane(Box<Lane>),
}

/// Streams, which have a socket, and lanes, which share that of their link. What is not said of
/// lanes here is of streams alone.
pub(super) struct Connections {
    tenants: Slab<Tenant>,
    lanes: usize,
}

impl Connections {
    /// Room for `max` streams and lanes together.
    pub fn new(max: usize) -> Self {
        Connections { tenants: Slab::new(max), lanes: 0 }
    }

    /// Room for `max` from now on; who is in stays in.
    pub fn set_max(&mut self, max: usize) {
        self.tenants.set_max(max);
    }

    /// Takes a stream in; gives it back when there is no room.
    pub fn insert(&mut self, connection: Box<Connection>) -> Result<Slot, Box<Connection>> {
        self.tenants.insert(Tenant::Stream(connection)).map_err(|tenant| match tenant {
            Tenant::Stream(connection) => connection,
            Tenant::Lane(_) => unreachable!("a stream was put in"),
        })
    }

    /// Takes a lane in; `None` when there is no room.
    pub fn insert_lane(&mut self, lane: Lane) -> Option<Slot> {
        let slot = self.tenants.insert(Tenant::Lane(Box::new(lane))).ok()?;
        self.lanes += 1;
        Some(slot)
    }

    /// The stream in a slot.
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut Box<Connection>> {
        match self.tenants.get_mut(slot)? {
            Tenant::Stream(connection) => Some(connection),
            Tenant::Lane(_) => None,
        }
    }

    /// The lane in a slot.
    pub fn lane_mut(&mut self, slot: Slot) -> Option<&mut Lane> {
        match self.tenants.get_mut(slot)? {
            Tenant::Lane(lane) => Some(lane),
            Tenant::Stream(_) => None,
        }
    }

    /// The lane at an index, whatever its generation.
    pub fn lane_at(&self, index: u32) -> Option<(Slot, &Lane)> {
        match self.tenants.at(index)? {
            (slot, Tenant::Lane(lane)) => Some((slot, lane)),
            (_, Tenant::Stream(_)) => None,
        }
    }

    /// Takes a stream out.
    pub fn remove(&mut self, slot: Slot) -> Option<Box<Connection>> {
        self.get_mut(slot)?;
        match self.tenants.remove(slot)? {
            Tenant::Stream(connection) => Some(connection),
            Tenant::Lane(_) => None,
        }
    }

    /// Takes a lane out.
    pub fn remove_lane(&mut self, slot: Slot) -> Option<Lane> {
        self.lane_mut(slot)?;
        match self.tenants.remove(slot)? {
            Tenant::Lane(lane) => {
                self.lanes -= 1;
                Some(*lane)
            }
            Tenant::Stream(_) => None,
        }
    }

    /// Number of streams.
    pub fn streams(&self) -> usize {
        self.tenants.len() - self.lanes
    }

    /// Number of lanes.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// Number of slots ever used: indices below it may hold something.
    pub fn slots(&self) -> u32 {
        self.tenants.slots()
    }

    /// True when there is neither a stream nor a lane.
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// The streams, in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &Connection)> {
        self.tenants.iter().filter_map(|(slot, tenant)| match tenant {
            Tenant::Stream(connection) => Some((slot, &**connection)),
            Tenant::Lane(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(key: u64) -> Lane {
        Lane::new(Slot::default(), key, None, 0)
    }

    #[test]
    fn a_lane_is_no_stream_and_takes_its_place() {
        let mut connections = Connections::new(2);
        let first = connections.insert_lane(lane(1)).unwrap();
        let second = connections.insert_lane(lane(2)).unwrap();
        assert!(connections.insert_lane(lane(3)).is_none(), "the bound is of both together");
        assert_eq!((connections.lanes(), connections.streams()), (2, 0));
        assert!(connections.get_mut(first).is_none());
        assert!(connections.remove(first).is_none());
        assert_eq!(connections.iter().count(), 0);
        assert_eq!(connections.lane_at(second.index).map(|(slot, _)| slot), Some(second));
        assert_eq!(connections.remove_lane(first).map(|lane| lane.key), Some(1));
        assert!(connections.remove_lane(first).is_none(), "a stale slot finds nothing");
        let third = connections.insert_lane(lane(3)).unwrap();
        assert_eq!(third.index, first.index, "slots stay dense");
        assert!(!connections.is_empty());
    }
}

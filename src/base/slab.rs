//! A slab with generations and a bound: dense storage whose stale keys find nothing.

use super::ids::Slot;

/// Values in slots. A removed value's slot is used again under the next generation.
#[derive(Debug)]
pub struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Option<u32>,
    len: usize,
    max: usize,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    state: State<T>,
}

#[derive(Debug)]
enum State<T> {
    Free { next: Option<u32> },
    Used(T),
}

impl<T> Slab<T> {
    /// An empty slab that holds at most `max` values.
    pub fn new(max: usize) -> Self {
        Slab { entries: Vec::new(), free: None, len: 0, max: max.min(u32::MAX as usize) }
    }

    /// Holds at most `max` values from now on; what is more than that stays until it is removed.
    pub fn set_max(&mut self, max: usize) {
        self.max = max.min(u32::MAX as usize);
    }

    /// Stores `value`; gives it back when the slab is full.
    pub fn insert(&mut self, value: T) -> Result<Slot, T> {
        if self.len >= self.max {
            return Err(value);
        }
        self.len += 1;
        if let Some(index) = self.free {
            let entry = &mut self.entries[index as usize];
            if let State::Free { next } = entry.state {
                self.free = next;
            }
            entry.state = State::Used(value);
            return Ok(Slot { index, generation: entry.generation });
        }
        let index = self.entries.len() as u32;
        self.entries.push(Entry { generation: 1, state: State::Used(value) });
        Ok(Slot { index, generation: 1 })
    }

    /// The value under `slot`, if its generation still lives there.
    pub fn get(&self, slot: Slot) -> Option<&T> {
        match self.entries.get(slot.index as usize) {
            Some(Entry { generation, state: State::Used(value) })
                if *generation == slot.generation =>
            {
                Some(value)
            }
            _ => None,
        }
    }

    /// Like [`get`](Self::get), to change the value.
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        match self.entries.get_mut(slot.index as usize) {
            Some(Entry { generation, state: State::Used(value) })
                if *generation == slot.generation =>
            {
                Some(value)
            }
            _ => None,
        }
    }

    /// Takes the value out; later uses of `slot` find nothing.
    pub fn remove(&mut self, slot: Slot) -> Option<T> {
        self.get(slot)?;
        let next = self.free;
        let entry = &mut self.entries[slot.index as usize];
        let state = std::mem::replace(&mut entry.state, State::Free { next });
        entry.generation = entry.generation.wrapping_add(1).max(1);
        self.free = Some(slot.index);
        self.len -= 1;
        match state {
            State::Used(value) => Some(value),
            State::Free { .. } => None,
        }
    }

    /// Number of values held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Number of values that may still be added.
    pub fn room(&self) -> usize {
        self.max.saturating_sub(self.len)
    }

    /// True when nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of slots ever used: indices below it may hold a value.
    pub fn slots(&self) -> u32 {
        self.entries.len() as u32
    }

    /// The value at an index, whatever its generation.
    pub fn at(&self, index: u32) -> Option<(Slot, &T)> {
        match self.entries.get(index as usize) {
            Some(Entry { generation, state: State::Used(value) }) => {
                Some((Slot { index, generation: *generation }, value))
            }
            _ => None,
        }
    }

    /// The values and their slots, in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        self.entries.iter().enumerate().filter_map(|(index, entry)| match &entry.state {
            State::Used(value) => {
                Some((Slot { index: index as u32, generation: entry.generation }, value))
            }
            State::Free { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_slot_finds_nothing() {
        let mut slab = Slab::new(4);
        let first = slab.insert("a").unwrap();
        assert_eq!(slab.remove(first), Some("a"));
        let second = slab.insert("b").unwrap();
        assert_eq!(second.index, first.index);
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&"b"));
    }

    #[test]
    fn the_bound_gives_the_value_back() {
        let mut slab = Slab::new(1);
        let slot = slab.insert(1).unwrap();
        assert_eq!(slab.insert(2), Err(2));
        slab.remove(slot);
        assert!(slab.insert(2).is_ok());
        assert_eq!(slab.len(), 1);
    }
}

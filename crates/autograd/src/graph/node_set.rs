//! A set of nodes of a tape that is read from the last to the first while members are added.

/// A bit set of node numbers. A walk that reaches few nodes of a long tape passes over 64 nodes in one
/// step.
pub(crate) struct NodeSet {
    words: Vec<u64>,
}

impl NodeSet {
    /// Returns the empty set of nodes up to `last`.
    pub fn up_to(last: u32) -> Self {
        NodeSet { words: vec![0; last as usize / 64 + 1] }
    }

    /// Removes all members. The set cannot be used afterwards.
    pub fn clear(&mut self) {
        self.words.clear();
    }

    #[inline]
    pub fn insert(&mut self, id: u32) {
        self.words[id as usize / 64] |= 1 << (id % 64);
    }

    #[inline]
    pub fn contains(&self, id: u32) -> bool {
        self.words[id as usize / 64] >> (id % 64) & 1 == 1
    }

    /// Returns the greatest member less than `end`.
    #[inline]
    pub fn last_before(&self, end: u32) -> Option<u32> {
        let last = end.checked_sub(1)?;
        let mut at = last as usize / 64;
        let up_to_last = self.words[at] << (63 - last % 64);
        if up_to_last != 0 {
            return Some(last - up_to_last.leading_zeros());
        }
        loop {
            at = at.checked_sub(1)?;
            if self.words[at] != 0 {
                return Some(at as u32 * 64 + 63 - self.words[at].leading_zeros());
            }
        }
    }

    /// Returns the members in ascending order.
    pub fn ascending(&self) -> impl Iterator<Item = u32> {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let without_least = |word: &u64| Some(word & word.checked_sub(1)?);
            let rests = std::iter::successors(Some(word), without_least);
            let least = rests.filter(|&rest| rest != 0).map(u64::trailing_zeros);
            least.map(move |bit| at as u32 * 64 + bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::NodeSet;

    #[test]
    fn members_are_found_in_ascending_and_descending_order() {
        let members = [0, 1, 62, 63, 64, 127, 128, 300, 639];
        let mut set = NodeSet::up_to(639);
        assert_eq!(set.last_before(640), None);
        for id in members {
            assert!(!set.contains(id));
            set.insert(id);
            assert!(set.contains(id));
        }
        assert_eq!(set.ascending().collect::<Vec<_>>(), members);
        for end in 0..=640 {
            let wanted = members.into_iter().filter(|&id| id < end).max();
            assert_eq!(set.last_before(end), wanted, "before {end}");
        }
    }
}

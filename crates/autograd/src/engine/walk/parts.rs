//! Contributions to a part of a cotangent. The rule of a slice, for example, gives the cotangent of the sliced
//! elements only. The walk follows views of views down to the value that owns the elements, and adds the part to
//! the slot of that value. So n slices of one value cost n small additions instead of n sums of whole values. A few
//! large slices without common elements are kept, and joined when the walk reaches the value.

use super::{Aim, Walk};
use crate::graph::{Arena, Op, Part, Slices, Slot, SlotParts, Var, View};
use smallvec::SmallVec;
use wengert_tensor::Float;

impl<'t, T: Float> Walk<'t, T> {
    /// Adds `g` to a part of the cotangent of a node. If the slot is not empty, the cost is that of the
    /// part only.
    pub(super) fn accumulate_part(&mut self, mut to: u32, mut part: Part, mut g: Var<'t, T>) {
        loop {
            (to, part) = self.through_slices(to, part);
            let Some(next) = self.through_view(to, part, g) else { break };
            (to, part, g) = next;
        }
        let before = std::mem::take(self.slot(to));
        if self.aim == Aim::Variables {
            let mut parts = match before {
                Slot::Parts(parts) => parts,
                Slot::Node(whole) => Box::new(SlotParts::Nodes(vec![(Part::Whole, whole)])),
                _ => Box::new(SlotParts::Nodes(Vec::new())),
            };
            if let SlotParts::Nodes(nodes) = &mut *parts {
                nodes.push((part, g.id));
            }
            return self.store(to, Slot::Parts(parts));
        }
        let shape = *self.tape.arena.borrow().shape(to);
        let before = match before {
            Slot::Empty => match Slices::for_part(part) {
                Some(slices) if slices.fits(part, &g.shape(), &shape) => {
                    Slot::Parts(Box::new(SlotParts::Slices(slices)))
                }
                _ => return self.accumulate(to, self.tape.assemble(&[(part, g.id)], shape), false),
            },
            before => before,
        };
        let (tape, g) = (self.tape, self.tape.force(g.id));
        let mut sum = match before {
            Slot::Parts(mut parts) => {
                if let SlotParts::Slices(slices) = &mut *parts
                    && slices.fits(part, &g.shape(), &shape)
                {
                    tape.add_in_place(to, &g, || slices.keep(part, &g));
                    return self.store(to, Slot::Parts(parts));
                }
                parts.join(&shape)
            }
            Slot::Value(sum) => sum,
            before => {
                let pending = self.variable(before, to).expect("not empty");
                tape.force(pending.id)
            }
        };
        tape.add_in_place(to, &g, || part.add(&mut sum, &g, tape));
        self.store(to, Slot::Value(sum));
    }

    /// Converts a contribution to such a view into one to its operand.
    fn through_view(&self, to: u32, part: Part, g: Var<'t, T>) -> Option<(u32, Part, Var<'t, T>)> {
        let arena = self.tape.arena.borrow();
        let (view, x) = self.viewed(&arena, to)?;
        let shapes = [x, to].map(|id| *arena.shape(id));
        drop(arena);
        let (part, g) = part.in_operand(view, shapes, g)?;
        Some((x, part, g))
    }

    /// Converts a slice of nested slices along one axis into a slice of the first operand. The results
    /// are cached, so that a loop that repeatedly cuts one element off the rest takes linear time.
    fn through_slices(&mut self, to: u32, part: Part) -> (u32, Part) {
        let Part::Slice { axis, start, step } = part else { return (to, part) };
        let arena = self.tape.arena.borrow();
        let mut views: SmallVec<[(u32, u32, i32); 4]> = SmallVec::new();
        let mut at = to;
        // Element i of the view is element `start + step·i` of the root.
        let mut of_root = loop {
            if let Some(&(root, known_axis, start, step)) = self.slices.get(&at)
                && known_axis == axis
            {
                break (root, start, step);
            }
            match self.viewed(&arena, at) {
                Some((View::Slice { axis: cut, start, step }, x)) if cut == axis => {
                    views.push((at, start, step));
                    at = x;
                }
                _ => break (at, 0, 1),
            }
        };
        drop(arena);
        for (view, start, step) in views.into_iter().rev() {
            let (root, from, by) = of_root;
            of_root = (root, from + by * i64::from(start), by * i64::from(step));
            self.slices.insert(view, (root, axis, of_root.1, of_root.2));
        }
        let (root, from, by) = of_root;
        let (start, step) = (from + by * i64::from(start), by * i64::from(step));
        match (u32::try_from(start), i32::try_from(step)) {
            (Ok(start), Ok(step)) => (root, Part::Slice { axis, start, step }),
            _ => (to, part), // of an empty part
        }
    }

    /// Returns the view and the operand of a node that is a view, if the cotangent of the view is not
    /// requested.
    fn viewed(&self, arena: &Arena<T>, id: u32) -> Option<(View, u32)> {
        let (Op::View(view), &[x]) = (arena.nodes[id as usize].op, arena.parents(id)) else {
            return None;
        };
        let passes = x >= self.floor && self.targets.binary_search(&id).is_err();
        passes.then_some((view, x))
    }
}

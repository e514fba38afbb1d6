//! Masks: each node of a mask is marked as a mask, and no result is its operand. Selection by composed
//! masks has the right derivatives.

use super::{POLICIES, any};
use crate::check::Gradcheck;
use crate::graph::{ACTIVE, Mask, Tape, ValueKind, Var};
use std::collections::BTreeSet;
use wengert_tensor::Tensor;

type Method = for<'t> fn(Mask<'t, f64>) -> Mask<'t, f64>;

macro_rules! methods {
    ($($name:ident: |$m:ident| $y:expr;)*) => {
        &[$((stringify!($name), (|$m| $y) as Method)),*]
    };
}

/// Every method that returns a mask, with arguments for which it has as little to do as possible. `m` has
/// the shape [1, 1].
const METHODS: &[(&str, Method)] = methods! {
    and: |m| m.and(m);
    or: |m| m.or(m);
    xor: |m| m.xor(m);
    not: |m| m.not();
    any: |m| m.any(&[0], true);
    all: |m| m.all(&[0], true);
    broadcast_to: |m| m.broadcast_to(&[1, 1]);
    reshape: |m| m.reshape((1, -1));
    flatten: |m| m.flatten(0, 0);
    permute: |m| m.permute(&[0, 1]);
    transpose: |m| m.transpose(0, 0);
    t: |m| m.t();
    squeeze: |m| m.squeeze(0);
    unsqueeze: |m| m.unsqueeze(0);
    narrow: |m| m.narrow(0, 0, 1);
    slice: |m| m.slice(0, None, None, 1);
    flip: |m| m.flip(0);
    concat: |m| Mask::concat(&[m], 0);
    stack: |m| Mask::stack(&[m], 0);
    index_select: |m| m.index_select(0, Tensor::from([0i64]));
    gather: |m| m.gather(0, Tensor::from([[0i64]]));
};

fn kind(tape: &Tape<f64>, id: u32) -> ValueKind {
    tape.arena.borrow().kind(id)
}

#[test]
fn the_list_of_methods_is_complete() {
    let source = include_str!("../logic.rs");
    let block = source.split("impl<'t, T: Float> Mask<'t, T> {").skip(1).collect::<String>();
    let mut found = BTreeSet::new();
    for rest in block.split("    pub fn ").skip(1) {
        let signature = &rest[..rest.find('{').unwrap()];
        if signature.trim_end().ends_with("-> Self") {
            found.insert(&rest[..rest.find('(').unwrap()]);
        }
    }
    let listed: BTreeSet<&str> = METHODS.iter().map(|(name, _)| *name).collect();
    assert_eq!(found, listed);
}

#[test]
fn every_method_of_masks_returns_a_separate_mask() {
    for policy in POLICIES {
        for (name, f) in METHODS {
            let tape = Tape::<f64>::new().with_policy(policy);
            let x = tape.watch(Tensor::from([[1.5]]));
            for m in [x.gt(0), tape.mask(Tensor::from([[true]]))] {
                let y = f(m);
                assert_ne!(y.id, m.id, "{name} returned its operand");
                assert_eq!(kind(&tape, y.id), ValueKind::Mask, "{name}");
                assert!(!y.numbers().is_active(), "{name}");
                let wanted = *name != "xor" && *name != "not";
                assert_eq!(y.value().to_vec(), [wanted], "{name}");
            }
        }
    }
}

/// Checks which nodes are masks, also for masks that are broadcast and for nodes that are not masks.
#[test]
fn nodes_are_marked_as_mask_number_or_index() {
    for policy in POLICIES {
        let tape = Tape::<f64>::new().with_policy(policy);
        let x = tape.watch(any(&[4, 6], 1));
        let (rows, tokens) =
            (tape.mask(Tensor::from([true, false])), tape.index(Tensor::from([3])));
        assert_eq!(
            [rows.id, tokens.id].map(|id| kind(&tape, id)),
            [ValueKind::Mask, ValueKind::Integer]
        );
        let first = tape.len() as u32;
        let m = rows.unsqueeze(0).reshape((2, 1)) & tape.mask(Tensor::from([true, false, true]));
        let m = m.xor(m.narrow(0, 0, 1)) | !m;
        let all: Vec<ValueKind> = (first..tape.len() as u32).map(|id| kind(&tape, id)).collect();
        assert_eq!(all, vec![ValueKind::Mask; all.len()]);
        assert!(all.len() >= 8, "{all:?}");
        for mask in [x.gt(0), x.ne(x), tokens.eq(3), tokens.lt(&Tensor::from([[4]])), m] {
            assert_eq!(kind(&tape, mask.id), ValueKind::Mask, "{mask:?}");
        }
        // The broadcast condition is a mask, the selected values are not.
        let first = tape.len() as u32;
        let chosen = Var::where_(x.narrow(0, 0, 1).gt(0), x, 0);
        let masks: Vec<u32> =
            (first..tape.len() as u32).filter(|&id| kind(&tape, id) == ValueKind::Mask).collect();
        assert_eq!(masks.len(), 2, "the graph must have the comparison and its broadcast copy");
        for number in [x, x.relu(), x.sign(), x * x, x.maximum(0), x.gt(0).cast(), chosen] {
            assert_eq!(kind(&tape, number.id), ValueKind::Number, "{number:?}");
        }
        assert_eq!(kind(&tape, x.argmax(0, true).id), ValueKind::Integer);
        assert!(!x.gt(0).cast().is_active());
    }
}

/// The comparisons inside rules are masks as well, and none of them is active.
#[test]
fn masks_inside_rules_are_not_active() {
    let tape = Tape::<f64>::new();
    let (x, y) = (tape.watch(any(&[3, 4], 1).abs()), tape.watch(any(&[3, 4], 2).abs()));
    let f = x.pow(y) + x.maximum(y) + x.relu() + x.max(&[0], true) + x.clamp(0.1, 0.9) + x.abs();
    let g = f.sum_all().grad(&[x])[0].square().sum_all().grad(&[x])[0];
    assert_eq!(g.shape(), [3, 4]);
    let arena = tape.arena.borrow();
    let masks: Vec<u32> =
        (0..arena.len()).filter(|&id| arena.kind(id) == ValueKind::Mask).collect();
    assert!(masks.len() > 15, "{masks:?}");
    assert!(masks.iter().all(|&id| !arena.nodes[id as usize].has(ACTIVE)));
}

/// The points are away from the kinks, which are all at multiples of ½.
#[test]
fn gradients_by_composed_masks_agree_with_differences() {
    let x = Tensor::from_fn(&[4, 6], |i| 0.5 * (i % 9) as f64 - 2.25 + 0.01 * (i % 5) as f64);
    let y = Tensor::from_fn(&[6], |i| 0.5 * (i % 3) as f64 + 0.3);
    macro_rules! check {
        ($name:literal, |$x:ident, $y:ident| $f:expr) => {{
            fn f<'t>(v: &[Var<'t, f64>]) -> Var<'t, f64> {
                let ($x, $y) = (v[0], v[1]);
                $f
            }
            if let Err(error) = Gradcheck::new().order(2).run(f, &[x.clone(), y.clone()]) {
                panic!("{}: {error}", $name)
            }
        }};
    }
    check!("and", |x, y| Var::where_(x.gt(-1) & x.lt(1), x.square() * y, x.exp()));
    check!("or", |x, y| Var::where_(x.lt(-1) | x.gt(1), (x * y).sin(), x * y));
    check!("xor", |x, y| Var::where_(x.gt(0) ^ y.gt(0.5), x * x * y, y.exp()));
    check!("not", |x, y| Var::where_(!(x.gt(0) & y.gt(0.5)), x * y, x.square()));
    check!("any", |x, y| Var::where_(x.gt(1.5).any(&[1], true), x * y, x.exp()));
    check!("all", |x, y| x.square().masked_fill(x.gt(-2).all(&[0], false), y));
    check!("cast", |x, y| x.square() * y * x.gt(0).cast()
        + x.exp() * x.le(0).cast().sum(&[0], true));
    check!("given", |x, y| (x * y)
        .exp()
        .masked_fill(Tensor::from([true, false, false, true, true, false]), 2));
    check!("moved", |x, y| {
        let m = x.gt(0).t().slice(0, None, None, -1).unsqueeze(0).permute(&[0, 2, 1]).squeeze(0);
        Var::where_(m, x * x * y, y.square())
    });
}

/// A gate drops an infinite cotangent and an infinite value. A product with the numbers of the mask
/// would turn both into NaN. The derivative of √x at 0 is ∞.
#[test]
fn where_drops_infinities_that_a_product_turns_into_nan() {
    for policy in POLICIES {
        let tape = Tape::<f64>::new().with_policy(policy);
        let x = tape.watch(Tensor::from([-1.0, 4.0]));
        let there = x.gt(0) & x.lt(9);
        let slope = |y: Var<'_, f64>| y.sqrt().sum_all().grad(&[x])[0].value().to_vec();
        assert_eq!(slope(Var::where_(there, x, 0)), [0.0, 0.25]);
        assert_eq!(slope(x.masked_fill(!there, 0)), [0.0, 0.25]);
        assert!(slope(x * there.cast())[0].is_nan());

        let x = tape.watch(Tensor::from([0.0, 4.0]));
        let there = x.gt(0) & x.lt(9);
        assert_eq!(Var::where_(there, x.recip(), 0).value().to_vec(), [0.0, 0.25]);
        assert!((x.recip() * there.cast()).value().at(&[0]).is_nan());
        // A function that is singular where it is not selected gets another operand there.
        let root = Var::where_(there, Var::where_(there, x, 1).sqrt(), 0);
        assert_eq!(root.sum_all().grad(&[x])[0].value().to_vec(), [0.0, 0.25]);
    }
}

/// Logic is computed within the fused program that reads it, so intermediate masks are not stored.
#[test]
fn logic_is_computed_in_the_program_of_its_reader() {
    let tape = Tape::<f64>::new();
    let x = tape.watch(any(&[5, 7], 1));
    let first = tape.len();
    let y = Var::where_((x.gt(0) & !x.gt(1)) | (x.lt(-1) ^ x.lt(-2)), x * x, x.gt(1).cast());
    let stored = |id: usize| tape.arena.borrow().values[id].is_some();
    assert!((first..tape.len()).all(|id| !stored(id) || id == y.id as usize));
    y.value();
    let extra: Vec<usize> = (first..tape.len()).filter(|&id| stored(id)).collect();
    assert_eq!(extra, [y.id as usize]);
}

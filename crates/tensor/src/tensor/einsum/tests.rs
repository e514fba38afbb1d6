use super::*;
use crate::testing::panics_here;
use std::collections::BTreeMap;

/// A sequence of pseudorandom numbers.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// An equation whose ellipses are written as letters, so that loops need not know them.
struct Case {
    equation: String,
    operands: Vec<Tensor<f64>>,
    labels: Vec<Vec<char>>,
    output: Vec<char>,
}

/// The size of each letter: that of the operands in which it is not 1.
fn sizes(case: &Case) -> BTreeMap<char, usize> {
    let mut sizes = BTreeMap::new();
    for (x, labels) in case.operands.iter().zip(&case.labels) {
        for (&label, &size) in labels.iter().zip(x.shape().iter()) {
            let known = sizes.entry(label).or_insert(1);
            *known = if size == 1 { *known } else { size };
        }
    }
    sizes
}

/// Computes the sum by a loop over all indices. The numbers are small integers, so that sums are exact.
fn by_loops(case: &Case) -> Tensor<f64> {
    let sizes = sizes(case);
    let letters: Vec<(char, usize)> = sizes.clone().into_iter().collect();
    let shape: Vec<usize> = case.output.iter().map(|label| sizes[label]).collect();
    let mut out = vec![0.0; shape.iter().product()];
    let all: usize = letters.iter().map(|it| it.1).product();
    for number in 0..all {
        let (mut rest, mut at) = (number, BTreeMap::new());
        for &(label, size) in &letters {
            at.insert(label, rest % size);
            rest /= size;
        }
        let place = case.output.iter().fold(0, |place, label| place * sizes[label] + at[label]);
        let term: f64 = case
            .operands
            .iter()
            .zip(&case.labels)
            .map(|(x, labels)| {
                let index: Vec<usize> = labels
                    .iter()
                    .zip(x.shape().iter())
                    .map(|(label, &size)| if size == 1 { 0 } else { at[label] })
                    .collect();
                x.at(&index)
            })
            .product();
        out[place] += term;
    }
    Tensor::from_vec(out, shape)
}

/// Returns a random equation with one to four operands: repeated letters, axes of size 0 and 1, axes of size 1
/// that broadcast, ellipses of several lengths, permuted operands, explicit and implicit results.
fn random(draw: &mut Draw) -> Case {
    let pool = ['i', 'j', 'k', 'B', 'a', 'z'];
    let count = 2 + draw.below(pool.len() - 1);
    let mut sizes: BTreeMap<char, usize> =
        pool[..count].iter().map(|&c| (c, [2, 3, 2, 3, 1, 4, 0][draw.below(7)])).collect();
    // The axes of the ellipsis, from the last to the first, as letters that equations do not contain.
    let dots = ['1', '2'];
    sizes.extend(dots.map(|c| (c, 1 + draw.below(3))));
    let with_dots = draw.below(3) == 0;
    let (mut terms, mut operands, mut labels) = (vec![], vec![], vec![]);
    let mut widest = 0;
    for _ in 0..=draw.below(4) {
        let letters: Vec<char> = (0..draw.below(4)).map(|_| pool[draw.below(count)]).collect();
        let ellipsis = if with_dots && draw.below(3) > 0 { Some(draw.below(3)) } else { None };
        widest = widest.max(ellipsis.unwrap_or(0));
        let cut = draw.below(letters.len() + 1);
        let (before, after) = letters.split_at(cut);
        let own: Vec<char> = before
            .iter()
            .copied()
            .chain(dots[..ellipsis.unwrap_or(0)].iter().rev().copied())
            .chain(after.iter().copied())
            .collect();
        let text = |part: &[char]| part.iter().collect::<String>();
        let middle = if ellipsis.is_some() { "..." } else { "" };
        terms.push(format!("{}{middle}{}", text(before), text(after)));
        let repeated = |c: char| own.iter().filter(|&&it| it == c).count() > 1;
        let shape: Vec<usize> = own
            .iter()
            .map(|&c| if !repeated(c) && draw.below(8) == 0 { 1 } else { sizes[&c] })
            .collect();
        let order: Vec<isize> = (0..shape.len() as isize).rev().collect();
        let x = Tensor::from_fn(&shape, |_| draw.below(7) as f64 - 3.0);
        // Half of the operands are stored in the reverse order of their axes.
        operands.push(if draw.below(2) == 0 {
            x
        } else {
            x.permute(&order).copied().permute(&order)
        });
        labels.push(own);
    }
    let used: Vec<char> = pool[..count]
        .iter()
        .copied()
        .filter(|c| labels.iter().flatten().any(|it| it == c))
        .collect();
    let dots_first: Vec<char> = dots[..widest].iter().rev().copied().collect();
    let equation = terms.join(", ");
    if draw.below(4) == 0 {
        let once = |c: &&char| labels.iter().flatten().filter(|it| it == c).count() == 1;
        let mut single: Vec<char> = used.iter().filter(once).copied().collect();
        single.sort_unstable();
        let output = dots_first.into_iter().chain(single).collect();
        return Case { equation, operands, labels, output };
    }
    let mut named: Vec<char> = used.into_iter().filter(|_| draw.below(2) == 0).collect();
    for i in (1..named.len()).rev() {
        named.swap(i, draw.below(i + 1));
    }
    let cut = draw.below(named.len() + 1);
    let (before, after) = named.split_at(cut);
    let text = |part: &[char]| part.iter().collect::<String>();
    let ellipsis = with_dots && draw.below(3) > 0;
    let middle = if ellipsis { "..." } else { "" };
    let shown = if ellipsis { dots_first } else { vec![] };
    let equation = format!("{equation} -> {}{middle}{}", text(before), text(after));
    let output = [before, &shown, after].concat();
    Case { equation, operands, labels, output }
}

#[test]
fn random_equations_agree_with_loops() {
    let draw = &mut Draw(7);
    let (mut compared, mut empty) = (0, 0);
    let count = if cfg!(miri) { 20 } else { 3000 };
    for _ in 0..count {
        let case = random(draw);
        let wanted = by_loops(&case);
        let shapes: Vec<_> = case.operands.iter().map(Tensor::shape).collect();
        let got = Tensor::einsum(&case.equation, &case.operands);
        assert_eq!(got, wanted, "{} of {shapes:?}", case.equation);
        let small: Vec<Tensor> = case.operands.iter().map(Tensor::cast).collect();
        let got = Tensor::einsum(&case.equation, &small);
        assert_eq!(got.cast::<f64>(), wanted, "{} of {shapes:?} in f32", case.equation);
        compared += 1;
        empty += usize::from(wanted.numel() == 0);
    }
    assert!(compared == count && empty < count / 3, "{empty} of {compared} results are empty");
}

#[test]
fn tensordot_agrees_with_einsum() {
    let numbers = |shape: &[usize]| Tensor::<f64>::from_fn(shape, |i| (i % 13) as f64 - 6.0);
    let (x, y) = (numbers(&[2, 3, 4]), numbers(&[4, 5, 3]));
    let equal = |axes: &[isize], others: &[isize], equation| {
        let wanted = Tensor::einsum(equation, &[&x, &y]);
        assert_eq!(x.tensordot(&y, axes, others), wanted, "{equation}");
    };
    equal(&[1, 2], &[2, 0], "ijk,klj->il");
    equal(&[-1], &[0], "ijk,klm->ijlm");
    equal(&[1], &[-1], "ijk,lmj->iklm");
    equal(&[], &[], "ijk,lmn->ijklmn");
    // An axis of size 1 broadcasts.
    let row = numbers(&[1, 3]);
    assert_eq!(row.tensordot(&y, &[0, 1], &[1, 2]), Tensor::einsum("ij,kij->k", &[&row, &y]));
}

/// One call by hand: the same bits.
#[test]
fn a_plain_product_has_the_bits_of_matmul() {
    let draw = |shape: &[usize]| Tensor::<f64>::from_fn(shape, |i| (i as f64 * 0.7).sin());
    let (x, y) = (draw(&[33, 70]), draw(&[41, 70]));
    assert_eq!(Tensor::einsum("ij,kj->ik", &[&x, &y]), x.matmul_t(&y, false, true));
    assert_eq!(Tensor::einsum("ij,kj->ki", &[&x, &y]), y.matmul_t(&x, false, true));
    assert_eq!(Tensor::einsum("ij,jk", &[&x, &y.t()]), x.matmul(&y.t()));
    let (x, y) = (draw(&[5, 2, 8, 16]), draw(&[5, 2, 9, 16]));
    assert_eq!(Tensor::einsum("bhid,bhjd->bhij", &[&x, &y]), x.matmul_t(&y, false, true));
    assert!(Tensor::einsum("...", &[&x]).shares_storage(&x), "a view");
}

#[test]
fn panics_name_equation_operand_index_and_caller() {
    let x = |shape: &[usize]| Tensor::zeros(shape);
    let message = "einsum: \"ij,jk->ik\": index j has size 3 in operand 0 of shape [2, 3] and size 4 in \
                   operand 1 of shape [4, 5]: they must be equal, or one of them 1";
    panics_here(message, || drop(Tensor::einsum("ij,jk->ik", &[x(&[2, 3]), x(&[4, 5])])));
    panics_here("einsum: \"i\": the equation has 1 operands, 0 are given", || {
        drop(Tensor::<f32>::einsum::<Tensor>("i", &[]));
    });
    let message = "tensordot: axis 1 of shape [2, 3] has size 3, axis 0 of shape [4, 5] has size 4: they must be equal";
    panics_here(message, || drop(x(&[2, 3]).tensordot(&x(&[4, 5]), &[1], &[0])));
    let message = "tensordot: the axes [0, 1] of shape [2, 3] and [0] of shape [4, 5] must be pairs, but their numbers differ";
    panics_here(message, || drop(x(&[2, 3]).tensordot(&x(&[4, 5]), &[0, 1], &[0])));
    panics_here("tensordot: axis -1 of shape [2, 3] is named twice in [1, -1]", || {
        drop(x(&[2, 3]).tensordot(&x(&[3, 3]), &[1, -1], &[0, 1]));
    });
    panics_here("tensordot: axis 2 is out of range for shape [2, 3]: allowed are -2..2", || {
        drop(x(&[2, 3]).tensordot(&x(&[3, 3]), &[2], &[0]));
    });
    let message = "tensordot: the result: shape [1, 1, 1, 1, 1, 1, 1, 1, 1, 1] has 10 axes, a tensor has at most 8";
    panics_here(message, || drop(x(&[1; 5]).tensordot(&x(&[1; 5]), &[], &[])));
}

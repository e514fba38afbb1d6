use super::ContractionStep::{Diagonal, MatMul, Multiply, Permute, Reshape, Sum};
use super::*;
use smallvec::smallvec;

fn steps(equation: &str, shapes: &[&[usize]]) -> Vec<ContractionStep> {
    let shapes: Vec<Shape> = shapes.iter().map(|shape| Shape::new(shape)).collect();
    einsum(equation, &shapes).unwrap().steps
}

fn fails(equation: &str, shapes: &[&[usize]], message: &str) {
    let shapes: Vec<Shape> = shapes.iter().map(|shape| Shape::new(shape)).collect();
    assert_eq!(einsum(equation, &shapes).unwrap_err(), message);
}

/// What is one call by hand is one step.
#[test]
fn plain_products_have_no_other_steps() {
    let plain = |equation, transposed| {
        assert_eq!(steps(equation, &[&[5, 5], &[5, 5]]), [MatMul([0, 1], transposed)]);
    };
    plain("ij,jk->ik", [false, false]);
    plain("ij,kj->ik", [false, true]);
    plain("ji,jk->ik", [true, false]);
    plain("ji,kj", [true, true]);
    assert_eq!(steps("ij,jk->ki", &[&[2, 3], &[3, 4]]), [MatMul([1, 0], [true, true])]);
    let batch: [&[usize]; 2] = [&[2, 7, 3, 4], &[2, 7, 5, 4]];
    assert_eq!(steps("bhid,bhjd->bhij", &batch), [MatMul([0, 1], [false, true])]);
    assert_eq!(steps("i,i->i", &[&[3], &[3]]), [Multiply([0, 1])]);
    let rows: [&[usize]; 2] = [&[2, 3], &[2, 3]];
    assert_eq!(steps("bi,bi->b", &rows), [Multiply([0, 1]), Sum(0, smallvec![1])]);
    assert_eq!(steps("ij,j->ij", &[&[2, 3], &[3]]), [Multiply([0, 1])]);
    assert_eq!(steps("...i->...i", &[&[2, 3]]), []);
    assert_eq!(steps("ij->ji", &[&[2, 3]]), [Permute(0, smallvec![1, 0])]);
    let trace = [Diagonal(0, [0, 1]), Sum(0, smallvec![0])];
    assert_eq!(steps("ii", &[&[3, 3]]), trace);
}

#[test]
fn single_indices_are_summed_before_a_product() {
    let wanted = [Sum(0, smallvec![2]), Sum(1, smallvec![1]), MatMul([0, 1], [false, false])];
    assert_eq!(steps("ijx,jyk->ik", &[&[2, 3, 9], &[3, 8, 4]]), wanted);
    // An axis of size 1 broadcasts, so that the other operand alone has the index.
    let wanted =
        [Reshape(0, Shape::new(&[2])), Sum(1, smallvec![0]), Reshape(0, Shape::new(&[2, 1]))];
    assert_eq!(steps("ij,jk->ik", &[&[2, 1], &[3, 4]])[..3], wanted);
}

fn products(equation: &str, shapes: &[&[usize]]) -> Vec<[usize; 2]> {
    let of = |step| match step {
        MatMul(of, _) | Multiply(of) => Some(of),
        _ => None,
    };
    steps(equation, shapes).into_iter().filter_map(of).collect()
}

#[test]
fn the_order_of_products_is_the_cheapest() {
    let chain: [&[usize]; 3] = [&[100, 2], &[2, 100], &[100, 3]];
    assert_eq!(products("ij,jk,kl->il", &chain), [[1, 2], [0, 1]]);
    let chain: [&[usize]; 3] = [&[3, 100], &[100, 2], &[2, 100]];
    assert_eq!(products("ij,jk,kl->il", &chain), [[0, 1], [0, 2]]);
    // Nine operands: the order by size alone.
    let chain: [&[usize]; 9] = [&[9, 9]; 9];
    let long = products("ab,bc,cd,de,ef,fg,gh,hi,ij->aj", &chain);
    assert_eq!(long.len(), 8);
    let vector: [&[usize]; 9] =
        [&[9, 9], &[9, 9], &[9, 9], &[9, 9], &[9, 9], &[9, 9], &[9, 9], &[9, 9], &[9]];
    let from_the_vector: Vec<_> = (0..8).rev().map(|i| [i, i + 1]).collect();
    assert_eq!(products("ab,bc,cd,de,ef,fg,gh,hi,i->a", &vector), from_the_vector);
}

#[test]
fn messages_name_the_equation_the_operand_the_index_and_the_sizes() {
    let two: [&[usize]; 2] = [&[2, 3], &[4, 5]];
    fails(
        "ij,jk->ik",
        &two,
        "einsum: \"ij,jk->ik\": index j has size 3 in operand 0 of shape [2, 3] and size 4 in operand 1 of shape [4, 5]: they must be equal, or one of them 1",
    );
    fails("ij->", &two, "einsum: \"ij->\": the equation has 1 operands, 2 are given");
    fails("", &[], "einsum: \"\": the equation has 1 operands, 0 are given");
    fails(
        "ijk,jk->ik",
        &two,
        "einsum: \"ijk,jk->ik\": operand 0 of shape [2, 3] has 2 axes, its subscripts name 3",
    );
    fails(
        "ij,j->ij",
        &two,
        "einsum: \"ij,j->ij\": operand 1 of shape [4, 5] has 2 axes, its subscripts name 1: \"...\" stands for further axes",
    );
    fails(
        "ii->i",
        &[&[2, 3]],
        "einsum: \"ii->i\": index i is repeated in operand 0 of shape [2, 3] with the sizes 2 and 3: they must be equal",
    );
    fails("ij->ik", &[&[2, 3]], "einsum: \"ij->ik\": index k of the result is in no operand");
    fails("ij->ii", &[&[2, 3]], "einsum: \"ij->ii\": index i is named twice in the result");
    fails(
        "i1->i",
        &[&[2, 3]],
        "einsum: \"i1->i\": '1' in \"i1\" is no subscript: subscripts are letters from a to z and A to Z, and \"...\"",
    );
    fails(
        ". . .i->i",
        &[&[2, 3]],
        "einsum: \". . .i->i\": '.' in \". . .i\" is no subscript: subscripts are letters from a to z and A to Z, and \"...\"",
    );
    fails("...i...", &[&[2, 3]], "einsum: \"...i...\": \"...i...\" has two ellipses");
    fails(
        "i...,...->...",
        &[&[2, 3, 4], &[5]],
        "einsum: \"i...,...->...\": axis -1 of the ellipsis has size 4 in operand 0 of shape [2, 3, 4] and size 5 in operand 1 of shape [5]: they must be equal, or one of them 1",
    );
    let five: [&[usize]; 2] = [&[2; 5], &[2; 5]];
    fails(
        "abcde,fghij",
        &five,
        "einsum: \"abcde,fghij\": the result: shape [2, 2, 2, 2, 2, 2, 2, 2, 2, 2] has 10 axes, a tensor has at most 8",
    );
    let ring: [&[usize]; 3] = [&[2; 7], &[2; 7], &[2; 6]];
    fails(
        "abcpqrs,defpqtu,ghrstu->abcdefgh",
        &ring,
        "einsum: \"abcpqrs,defpqtu,ghrstu->abcdefgh\": the contraction has an intermediate result of more than 8 axes: divide it into several",
    );
}

//! Lesson 1: tensors. `cargo run --example 01_tensors`
//!
//! A tensor is a block of numbers and a shape. Most operations either view the same numbers in
//! another way or compute new numbers.

use wengert::prelude::*;

fn main() {
    // A tensor is created from given numbers, by a function, or by a seeded random number
    // generator.
    let m = Tensor::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    println!("m, of shape {}:\n{m}\n", m.shape());
    let mut rng = Philox::new(42);
    println!("three from the normal distribution, the same on every machine:");
    println!("{}\n", Tensor::normal(&[3], 0.0, 1.0, &mut rng));

    // A view shares the numbers of its tensor: it copies nothing, whatever the size.
    let column = m.t().narrow(0, 1, 1);
    println!("the second row of mᵀ: {column}, shared with m: {}", column.shares_storage(&m));
    println!("m as one row: {}\n", m.reshape(&[1, -1])); // -1: the remaining size

    // Arithmetic works element by element. If shapes differ, an axis of size 1 (or a missing
    // leading axis) is repeated. This is called broadcasting.
    let row = Tensor::from([10.0f32, 20.0, 30.0]);
    println!("m + row, which is added to both rows:\n{}\n", &m + &row);
    println!("(m - mean) / 2:\n{}\n", (&m - m.mean_all()) / 2.0);

    // A reduction removes axes. With `keepdim`, the reduced axes remain with size 1, ready to
    // broadcast.
    println!("sums of the columns: {}", m.sum(&[0], false));
    let shares = &m / &m.sum(&[1], true);
    println!("each row's shares of its sum:\n{shares}\n");

    // The matrix product, here of every row with every row. The transpose copies nothing.
    println!("m mᵀ:\n{}\n", m.matmul(&m.t()));

    // Comparisons return booleans; `argmax` returns positions.
    println!("m > 2.5:\n{}", m.gt(2.5));
    println!("where the rows are largest: {}\n", m.argmax(1, false));

    // Large tensors are abbreviated when printed. Operations on them use all cores.
    println!("the first million squares:\n{}", Tensor::arange(0.0, 1e6, 1.0).powi(2));
}

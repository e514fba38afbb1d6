//! Resident memory of a training loop in steady state. A program of its own: tests that run beside
//! it would be measured, too.
#![cfg(target_os = "linux")]

use wengert_autograd::{Param, value_and_grad};
use wengert_tensor::{Philox, Tensor};

/// Resident pages.
fn resident() -> i64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn five_thousand_steps_need_no_more_memory_than_a_few() {
    let mut rng = Philox::new(3);
    let x = Tensor::<f32>::uniform(&[32, 20], -1.0, 1.0, &mut rng);
    let y = Tensor::<f32>::uniform(&[32, 1], -1.0, 1.0, &mut rng);
    let mut w = Param::new(Tensor::uniform(&[20, 24], -0.3, 0.3, &mut rng));
    let mut v = Param::new(Tensor::uniform(&[24, 1], -0.3, 0.3, &mut rng));
    let mut step = || {
        let (loss, gradients) = value_and_grad(&mut rng, |tape| {
            let hidden = tape.scope("hidden", || {
                tape.constant(x.clone()).matmul(tape.param(&w)).tanh().dropout(0.1)
            });
            (hidden.matmul(tape.param(&v)) - tape.constant(y.clone())).square().mean_all()
        });
        for param in [&mut w, &mut v] {
            let g = gradients.get(param).unwrap();
            param.update(|p| *p -= &(g * 0.05));
        }
        loss
    };
    let first = step();
    (0..1000).for_each(|_| _ = step());
    let before = resident();
    (0..5000).for_each(|_| _ = step());
    let growth = resident() - before;
    assert!(growth < 32, "{growth} pages more after 5,000 steps");
    assert!(step() < 0.7 * first, "and it learns");
}

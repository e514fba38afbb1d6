//! Steps after the first ones allocate no memory of a tensor's size, and parameters stay at their
//! addresses.

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use wengert_autograd::{Param, Tape};
use wengert_optim::{Adadelta, Adagrad, Adam, Optimizer, Sgd};
use wengert_tensor::Tensor;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A megabyte, which is large enough to be split among threads.
const WEIGHT: [usize; 2] = [512, 512];
const STEPS: usize = 50;

fn place(param: &Param) -> *const f32 {
    param.value().as_slice().unwrap().as_ptr()
}

// This test is alone in its process, since the allocator counts the allocations of all threads.
#[test]
fn repeated_steps_allocate_no_memory_for_tensors() {
    let optimizers: [Box<dyn Optimizer>; 6] = [
        Box::new(Sgd::new(1e-3)),
        Box::new(Sgd::new(1e-3).momentum(0.9).nesterov(true).weight_decay(0.1)),
        Box::new(Adadelta::new(1e-3).weight_decay(0.1)),
        Box::new(Adagrad::new(1e-3).weight_decay(0.1)),
        Box::new(Adam::new(1e-3).weight_decay(0.1).amsgrad(true)),
        Box::new(Adam::adamw(1e-3)),
    ];
    for mut optimizer in optimizers {
        let mut model = (Param::new(Tensor::ones(&WEIGHT)), Param::new(Tensor::ones(&[512])));
        // The tape outlives the steps. It must not hold the storage of the parameters.
        let tape = Tape::new();
        let loss = (tape.param(&model.0) * tape.param(&model.1)).square().sum_all();
        let gradients = loss.backward().allow_stale();
        let before = (place(&model.0), place(&model.1));
        for _ in 0..STEPS {
            optimizer.step(&mut model, &gradients);
        }
        let region = Region::new(ALLOCATOR);
        for _ in 0..STEPS {
            optimizer.step(&mut model, &gradients);
        }
        let used = region.change();
        let name = optimizer.state_dict(&model).metadata["optimizer"].clone();
        println!(
            "{name}: {} allocations, {} bytes in {STEPS} steps",
            used.allocations + used.reallocations,
            used.bytes_allocated
        );
        // All allocations of the steps together are smaller than one weight.
        assert!(used.bytes_allocated < size_of::<f32>() * 512 * 512, "{name}: {used:?}");
        assert!(used.allocations + used.reallocations < 16 * STEPS, "{name}: {used:?}");
        assert_eq!((place(&model.0), place(&model.1)), before, "{name}: a parameter moved");
        drop(tape);
    }
}

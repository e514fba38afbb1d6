//! Random programs of 5 to 50 operations, with shared nodes, broadcasting, views, aliases, scopes,
//! `release`, parameters, and custom operations with several outputs. They are compared with computations
//! that do not use the engine: the same program on tensors, and its finite differences.
//!
//! `cargo test` runs a fixed set of programs. To run more, call `PROPTEST_CASES=20000 cargo test --release
//! -p wengert-autograd --test all programs -- --nocapture`. It draws new programs each time, unless
//! `PROPTEST_RNG_SEED` is set. A program that fails is shortened, printed, and stored in
//! `tests/all/programs/failed.txt`. Later runs begin with the programs of this file.

mod checks;
mod customs;
mod plan;
mod value;

use checks::{Totals, check};
use plan::{KINDS, Step, listing, plan};
use proptest::prelude::*;
use proptest::test_runner::{
    Config, FileFailurePersistence, RngSeed, TestCaseError, TestError, TestRunner,
};
use std::cell::RefCell;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..KINDS.len(), proptest::array::uniform8(any::<u8>()))
        .prop_map(|(kind, bytes)| Step { kind, bytes });
    proptest::collection::vec(step, 5..=50)
}

#[test]
fn random_programs_agree_on_every_path() {
    let mut config = Config {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/all/programs/failed.txt",
        ))),
        ..Config::default()
    };
    let long = std::env::var_os("PROPTEST_CASES").is_some();
    if !long {
        (config.cases, config.rng_seed) = (64, RngSeed::Fixed(1));
    }
    let cases = config.cases as usize;
    let totals = RefCell::new(Totals::default());
    let result = TestRunner::new(config).run(&steps(), |steps| {
        let program = plan(&steps);
        check(&program, &mut totals.borrow_mut()).map_err(TestCaseError::fail)
    });
    let totals = totals.into_inner();
    println!("{totals:?}");
    if let Err(error) = result {
        match error {
            TestError::Fail(why, steps) => panic!("{why}\n{}", listing(&plan(&steps))),
            TestError::Abort(why) => panic!("{why}"),
        }
    }
    assert!(totals.programs >= cases);
    // Most cuts are away from kinks, and most programs have a second derivative.
    assert!(totals.cuts > 8 * cases && totals.cuts > 4 * totals.at_kinks, "{totals:?}");
    assert!(totals.second_orders > cases / 2, "{totals:?}");
    assert!(totals.pairs > 8 * cases, "{totals:?}");
}

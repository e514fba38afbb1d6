//! A closure in `sequential!`.
use wengert::prelude::*;

fn main() {
    let mut rng = Philox::new(0);
    let _: Sequential = sequential![Linear::new(4, 2, &mut rng), |x: Var| x.relu()];
}

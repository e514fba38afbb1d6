//! The number of threads. It is set once per process, so each case runs in a process of its own.

use rayon::ThreadPoolBuilder;
use std::process::Command;
use wengert_tensor::{Philox, Tensor, num_threads, set_num_threads};

const CASE: &str = "WENGERT_THREADS_CASE";

/// Runs the cases below, selected by the environment. Without it, this test has nothing to do.
#[test]
fn runs_one_case_if_the_environment_selects_it() {
    match std::env::var(CASE).as_deref() {
        Ok("set first") => {
            set_num_threads(3).unwrap();
            assert_eq!(num_threads(), 3);
            set_num_threads(3).unwrap();
            let why = set_num_threads(5).unwrap_err().to_string();
            let start =
                "set_num_threads: 5 threads requested, but 3 have started already: call it before";
            assert!(why.starts_with(start), "{why}");
            assert_eq!(num_threads(), 3);
        }
        Ok("set late") => {
            assert_eq!(num_threads(), 2, "RAYON_NUM_THREADS");
            let why = set_num_threads(3).unwrap_err().to_string();
            assert!(why.contains("3 threads requested, but 2 have started already"), "{why}");
            set_num_threads(2).unwrap();
        }
        Ok("after a product") => {
            drop(numbers(300).matmul(&numbers(300)));
            assert!(set_num_threads(7).is_err());
        }
        Ok("zero") => {
            let why = set_num_threads(0).unwrap_err().to_string();
            assert_eq!(why, "set_num_threads: the number of threads must be at least 1, got 0");
            set_num_threads(1).unwrap();
        }
        Ok("a pool") => {
            set_num_threads(2).unwrap();
            let pool = ThreadPoolBuilder::new().num_threads(4).build().unwrap();
            assert_eq!(pool.install(num_threads), 4);
            assert_eq!(num_threads(), 2);
        }
        Ok(threads) => {
            set_num_threads(threads.parse().unwrap()).unwrap();
            let x = numbers(300);
            let y = x.matmul(&x.t());
            let sum: f32 = (&y * 0.7).exp().sum(&[0, 1], false).item();
            let mut bits = u64::from(sum.to_bits());
            for y in y.to_vec().into_iter().chain(copies_and_choices()) {
                bits = bits.wrapping_mul(31).wrapping_add(u64::from(y.to_bits()));
            }
            println!("bits {bits}");
        }
        Err(_) => {}
    }
}

/// Returns results of kernels that divide a large tensor among the threads.
fn copies_and_choices() -> Vec<f32> {
    let x = numbers(601);
    let (turned, other) = (x.t().contiguous(), x.flip(0));
    let chosen = Tensor::where_(&x.gt(&other), &turned, &other);
    let whole = (&x * 100.0).cast::<i64>();
    let whole = (&whole * &whole.t() + 3.0).maximum(&whole.flip(1));
    let columns = Tensor::from_fn([700], |i| (i * 37 % 601) as i64);
    let random = Tensor::normal([90_001], 0.0, 1.0, &mut Philox::new(5));
    let parts = [
        Tensor::concat(&[&chosen, &turned], 1),
        whole.cast::<f32>(),
        x.index_select(1, &columns),
        x.abs().pow(&turned),
        random,
    ];
    parts.iter().flat_map(Tensor::to_vec).collect()
}

/// Returns a matrix whose sums depend on the order of the additions.
fn numbers(n: usize) -> Tensor {
    Tensor::from_fn([n, n], |i| (i as f32 * 0.37).sin() * 0.1)
}

/// Runs a case in a process with `RAYON_NUM_THREADS=2` and returns its output.
fn run(case: &str) -> String {
    let mut run = Command::new(std::env::current_exe().unwrap());
    run.args(["--exact", "threads::runs_one_case_if_the_environment_selects_it", "--nocapture"]);
    let out = run.env(CASE, case).env("RAYON_NUM_THREADS", "2").output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && text.contains("1 passed"), "{case}: {text}\n{errors}");
    text
}

#[test]
fn the_number_of_threads_can_only_be_set_before_they_start() {
    for case in ["set first", "set late", "after a product", "zero", "a pool"] {
        run(case);
    }
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let bits = |threads: &str| {
        let text = run(threads);
        text.split("bits ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
    };
    let one = bits("1");
    assert_eq!((&one, &one), (&bits("2"), &bits("5")));
}

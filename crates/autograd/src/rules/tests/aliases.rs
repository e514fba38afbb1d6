//! Operations that have the same variable as several operands.

use super::spread;
use crate::check::Gradcheck;
use crate::graph::{Tape, Var};
use wengert_tensor::Tensor;

fn check<F>(name: &str, shape: &[usize], f: F)
where
    F: for<'t> Fn(Var<'t, f64>) -> Var<'t, f64>,
{
    fn first<F>(f: F) -> impl for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>
    where
        F: for<'t> Fn(Var<'t, f64>) -> Var<'t, f64>,
    {
        move |x| f(x[0])
    }
    let x = spread(shape, &[(0.4, 2.0)], 5);
    if let Err(error) = Gradcheck::new().order(2).run(first(f), &[x]) {
        panic!("{name} {shape:?}: {error}")
    }
}

#[test]
fn an_operand_used_twice_gets_the_sum_of_both_gradients() {
    for shape in [&[3, 5][..], &[2, 2]] {
        check("x + x", shape, |x| x + x);
        check("x - x", shape, |x| x - x);
        check("x * x", shape, |x| x * x);
        check("x / x", shape, |x| x / x);
        check("x * x * x", shape, |x| x * x * x);
        check("pow", shape, |x| x.pow(x));
        check("maximum", shape, |x| x.maximum(x));
        check("minimum", shape, |x| x.minimum(x));
        check("where_", shape, |x| Var::where_(x.gt(1.0), x, x));
        check("concat", shape, |x| Var::concat(&[x, x], 0));
        check("concat of more", shape, |x| Var::concat(&[x, x.tanh(), x], -1) * 2.0);
        check("stack", shape, |x| Var::stack(&[x, x, x], 1));
        check("matmul with its transposed", shape, |x| x.matmul(x.t()));
        check("matmul of its transposed", shape, |x| x.t().matmul(x));
        check("scatter_add", shape, |x| {
            let index = Tensor::from_fn(&x.shape(), |i| (i % 2) as i64);
            x.scatter_add(0, index, x)
        });
        check("itself twice", shape, |x| {
            let y = x * x;
            y * y + y
        });
    }
    for shape in [&[3, 3][..], &[2, 3, 3], &[1, 1]] {
        check("matmul", shape, |x| x.matmul(x));
        check("matmul twice", shape, |x| x.matmul(x).matmul(x));
    }
    check("dot", &[5], |x| x.matmul(x));
}

#[test]
fn x_minus_x_and_x_over_x_have_exact_gradients() {
    for n in [3, 30] {
        let tape = Tape::<f64>::new();
        let x = tape.watch(spread(&[n], &[(0.4, 2.0)], 5));
        assert_eq!((x - x).sum_all().grad(&[x])[0].value().to_vec(), vec![0.0; n]);
        assert_eq!((x + x).sum_all().grad(&[x])[0].value().to_vec(), vec![2.0; n]);
        assert_eq!((x * x).sum_all().backward_retain().wrt(x).unwrap(), &(x.value() * 2.0));
        assert_eq!((x - x).sum_all().backward_retain().wrt(x).unwrap().to_vec(), vec![0.0; n]);
        assert_eq!((x + x).sum_all().backward().wrt(x).unwrap().to_vec(), vec![2.0; n]);
    }
}

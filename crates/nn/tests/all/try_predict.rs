//! Tests inputs of wrong shapes, as a server receives them: each is an error, and the next
//! prediction succeeds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use wengert_nn::{
    BatchNorm2d, Conv2d, Flatten, Layer, Linear, MaxPool2d, Relu, Sequential, sequential,
};
use wengert_tensor::{Philox, Tensor};

fn model() -> Sequential {
    let mut rng = Philox::new(0);
    sequential![
        Conv2d::new(1, 4, 3, &mut rng),
        BatchNorm2d::new(4),
        Relu,
        MaxPool2d::new(2),
        Flatten::new(),
        Linear::new(36, 3, &mut rng)
    ]
}

#[test]
fn every_wrong_shape_is_an_error_and_the_next_input_works() {
    let model = model();
    let good = Tensor::normal(&[2, 1, 8, 8], 0.0, 1.0, &mut Philox::new(1));
    let wanted = model.predict(&good);
    for (shape, layer) in [
        (&[][..], "0"),
        (&[8], "0"),
        (&[8, 8], "0"),
        (&[2, 3, 8, 8], "0"),
        (&[2, 1, 2, 8], "0"),
        (&[2, 1, 8, 8, 1], "0"),
        (&[2, 1, 3, 3], "3"),
        (&[2, 1, 10, 8], "5"),
    ] {
        let error = model.try_predict(&Tensor::zeros(shape)).unwrap_err();
        assert_eq!(error.path.split('.').next(), Some(layer), "{shape:?}: {error}");
        assert!(error.to_string().len() > 20, "{error}");
        assert_eq!(model.try_predict(&good), Ok(wanted.clone()), "after {shape:?}");
    }
    // The panic has the same text as the error.
    let bad = Tensor::zeros(&[2, 1, 10, 8]);
    let panic = catch_unwind(AssertUnwindSafe(|| model.predict(&bad))).unwrap_err();
    let text = model.try_predict(&bad).unwrap_err().to_string();
    assert_eq!(panic.downcast_ref::<String>(), Some(&text));
}

/// Several threads share a model. An error in one thread does not disturb the others.
#[test]
fn try_predict_returns_errors_on_several_threads() {
    let model = model();
    let good = Tensor::normal(&[2, 1, 8, 8], 0.0, 1.0, &mut Philox::new(1));
    let wanted = model.predict(&good);
    std::thread::scope(|threads| {
        for i in 0..4 {
            let (model, good, wanted) = (&model, &good, &wanted);
            threads.spawn(move || {
                for j in 0..20 {
                    if (i + j) % 2 == 0 {
                        assert!(model.try_predict(&Tensor::zeros(&[1, 9])).is_err());
                    } else {
                        assert_eq!(model.try_predict(good).as_ref(), Ok(wanted));
                    }
                }
            });
        }
    });
}

/// `try_predict` works on a trait object, and panics that are not shape errors pass through it.
#[test]
fn try_predict_does_not_catch_other_panics() {
    use wengert_autograd::Var;
    use wengert_nn::Module;
    #[derive(Clone, Module)]
    #[module(crate = "wengert_autograd")]
    struct Broken {
        linear: Linear,
    }
    impl Layer for Broken {
        fn call<'t>(&self, _: Var<'t>) -> Var<'t> {
            panic!("a fault of the layer")
        }
    }
    let broken: Box<dyn Layer> =
        Box::new(Broken { linear: Linear::new(1, 1, &mut Philox::new(0)) });
    let run = catch_unwind(AssertUnwindSafe(|| broken.try_predict(&Tensor::zeros(&[1, 1]))));
    assert_eq!(run.unwrap_err().downcast_ref(), Some(&"a fault of the layer"));
}

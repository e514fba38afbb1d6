//! The report of gradients that may be wrong.

use wengert_autograd::{Module, Param, Remark, Tape};
use wengert_tensor::{Philox, Tensor};

fn param(shape: &[usize], seed: u64) -> Param {
    Param::new(Tensor::normal(shape, 0.0, 1.0, &mut Philox::new(seed)))
}

/// Returns eight parameters. In the test below, their gradients are: normal, zero, missing, frozen,
/// exploding, vanishing, normal, and the normal gradient of a bias of zeros.
fn model() -> Vec<Param> {
    let mut model: Vec<Param> = (0..7).map(|i| param(&[4, 4], i)).collect();
    model.push(Param::new(Tensor::zeros(&[4])));
    model[3].freeze();
    model
}

#[test]
fn a_report_names_missing_zero_and_exploded_gradients() {
    let model = model();
    let tape = Tape::new();
    let x = tape.constant(Tensor::normal(&[6, 4], 0.0, 1.0, &mut Philox::new(9)));
    let layer = |i: usize| x.matmul(tape.param(&model[i])).square().mean_all();
    // All activations are 0, because the input of the relu is always negative.
    let dead = (x.matmul(tape.param(&model[1])) - 1000.0).relu().sum_all();
    let bias = (x.matmul(tape.param(&model[6])) + tape.param(&model[7])).square().mean_all();
    let sound = layer(0) + layer(3) + bias;
    let loss = sound + dead + 1e6 * layer(4) + 1e-6 * layer(5);
    let gradients = loss.backward();
    let report = gradients.report(&model);
    let remarks: Vec<Option<Remark>> = report.rows.iter().map(|row| row.remark).collect();
    assert_eq!(
        remarks[..4],
        [None, Some(Remark::Zero), Some(Remark::Missing), Some(Remark::Frozen)]
    );
    let [Some(Remark::Large(large)), Some(Remark::Small(small))] = remarks[4..6] else {
        panic!("{remarks:?}")
    };
    assert!(large > 1e4 && large < 1e8 && small < 1e-4 && small > 1e-8, "{large} {small}");
    assert_eq!(remarks[6..], [None, None]);
    // The norms of the report equal those of the tensors.
    for (row, param) in report.rows.iter().zip(&model) {
        let norm =
            |x: &Tensor| x.to_vec().iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        assert_eq!(row.weight_norm, norm(param.value()));
        assert_eq!(row.gradient_norm, gradients.get(param).map(norm));
        assert_eq!(row.shape, param.shape());
    }
    assert_eq!(report.rows[1].zeros, Some(1.0));
    assert_eq!(report.rows[0].zeros, Some(0.0));
    assert_eq!(report.rows[7].ratio, None); // the norm of the weights is 0
    let names: Vec<_> = report.remarkable().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["1", "2", "4", "5"]);
    // A larger factor reports fewer parameters.
    let wide = gradients.report_within(&model, 1e9);
    assert_eq!(wide.rows[4].remark, None);
    let table = report.to_string();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 9, "{table}");
    assert!(lines[0].starts_with("parameter") && lines[0].ends_with("remark"), "{table}");
    assert!(lines[2].contains("100 %") && lines[2].ends_with("all zero"), "{table}");
    assert!(lines[3].ends_with("missing: the loss does not depend on it"), "{table}");
    assert!(lines[4].ends_with("frozen"), "{table}");
    assert!(lines[5].contains("large: ") && lines[5].ends_with(" times the median"), "{table}");
}

#[test]
fn a_report_names_an_exploded_bias_and_a_nan() {
    let model = (param(&[4], 1), param(&[4], 2), Param::new(Tensor::zeros(&[4])), param(&[4], 3));
    let tape = Tape::new();
    let parts = [&model.0, &model.1, &model.2].map(|p| tape.param(p).sum_all());
    let root = tape.param(&model.3) * 0.0;
    let loss = parts[0] + parts[1] + 1e5 * parts[2] + root.sqrt().sum_all();
    let report = loss.backward().report(&model);
    assert_eq!(report.rows[2].remark, Some(Remark::Large(1e5)));
    assert_eq!(report.rows[3].remark, Some(Remark::NotFinite));
    assert_eq!(report.rows[0].remark, None);
}

#[test]
fn a_report_of_no_parameters_has_no_rows() {
    let model: Vec<Param> = vec![];
    let w = param(&[3], 1);
    let report = Tape::new().param(&w).square().sum_all().backward().report(&model);
    assert_eq!((report.rows.len(), report.median_ratio), (0, None));
    assert_eq!(report.to_string().lines().count(), 1);
    assert_eq!(model.parameter_count(), 0);
    let single = Tape::new().param(&w).square().sum_all().backward().report(&w);
    assert_eq!(single.rows[0].name, "the parameter itself");
    assert_eq!(single.rows[0].ratio.map(|ratio| (ratio - 2.0).abs() < 1e-6), Some(true));
}

/// Gradients whose squares underflow or overflow are not reported as zero or infinite.
#[test]
fn norms_in_a_report_are_finite_for_huge_and_tiny_gradients() {
    for size in [1e-200, 1e200] {
        let w = Param::new(Tensor::<f64>::from([3.0, 4.0]));
        let tape = Tape::new();
        let gradients = (tape.param(&w).square() * (size / 2.0)).sum_all().backward();
        let report = gradients.report(&w);
        let row = &report.rows[0];
        assert_eq!(row.remark, None);
        assert!((row.gradient_norm.unwrap() / size - 5.0).abs() < 1e-12, "{row:?}");
    }
}

//! Each update of a buffer in a forward pass is applied once, however its gradients are used.

use std::sync::{Arc, Mutex};
use wengert_autograd::{Buffer, Gradients, Module, Param, Path, See, SeeMut, Tape};
use wengert_tensor::{Philox, Tensor};

/// A weight, a running value b ← 0.9 b + x, and the number of forward passes.
struct Model {
    w: Param,
    running: Buffer,
    count: Buffer<i64>,
}

impl Module for Model {
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
        self.w.visit(&path.child("w"), see);
        self.running.visit(&path.child("running"), see);
        self.count.visit(&path.child("count"), see);
    }
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
        self.w.visit_mut(&path.child("w"), see);
        self.running.visit_mut(&path.child("running"), see);
        self.count.visit_mut(&path.child("count"), see);
    }
}

impl Model {
    fn new() -> Self {
        Model {
            w: Tensor::from([2.0]).into(),
            running: Tensor::from([0.0]).into(),
            count: Tensor::scalar_of(0).into(),
        }
    }

    /// Records the buffer updates of a forward pass for x.
    fn record(&self, tape: &Tape, x: f32) {
        tape.update_buffer(&self.running, 0.9, tape.constant(Tensor::from([x])));
        tape.count_buffer(&self.count, 1);
    }

    fn gradients(&self, x: f32) -> Gradients {
        let tape = Tape::new();
        self.record(&tape, x);
        tape.param(&self.w).sum_all().backward()
    }

    #[track_caller]
    fn is(&self, running: f32, count: i64) {
        let (has, counted) = (self.running.value().to_vec()[0], self.count.value().item());
        assert!((has - running).abs() < 1e-6 && counted == count, "{has} after {counted}");
    }
}

#[test]
fn two_losses_of_one_forward_pass_update_a_buffer_once() {
    let mut model = Model::new();
    let tape = Tape::new();
    model.record(&tape, 1.0);
    let w = tape.param(&model.w);
    let (first, second) = ((w * w).sum_all(), w.sum_all());
    let mut gradients = first.backward_retain();
    gradients.accumulate(second.backward());
    assert_eq!(gradients.get(&model.w).unwrap().to_vec(), [2.0 * 2.0 + 1.0]);
    gradients.apply_updates(&mut model);
    model.is(1.0, 1);
    gradients.apply_updates(&mut model);
    tape.apply_updates(&mut model);
    model.is(1.0, 1);
}

#[test]
fn clones_of_gradients_apply_their_buffer_updates_once() {
    let mut model = Model::new();
    let gradients = model.gradients(1.0);
    let mut copy = gradients.clone();
    copy.apply_updates(&mut model);
    gradients.apply_updates(&mut model);
    model.is(1.0, 1);
    // A pass that is added to itself or to an applied pass counts once, too.
    copy.accumulate(gradients.clone());
    copy.apply_updates(&mut model);
    model.is(1.0, 1);
    copy.accumulate(model.gradients(2.0));
    copy.apply_updates(&mut model);
    model.is(0.9 + 2.0, 2);
}

#[test]
fn accumulated_gradients_apply_the_updates_of_every_run_in_order() {
    let mut model = Model::new();
    let mut sum = model.gradients(1.0);
    for x in [2.0, 3.0] {
        let more = model.gradients(x);
        sum.accumulate(more.clone());
        sum.accumulate(more);
    }
    sum.apply_updates(&mut model);
    model.is(0.9 * (0.9 + 2.0) + 3.0, 3);
}

#[test]
fn apply_updates_of_the_tape_needs_no_loss() {
    let mut model = Model::new();
    for tape in [Tape::new(), Tape::inference(), Tape::inference().training(&mut Philox::new(0))] {
        let before = model.count.value().item();
        model.record(&tape, 1.0);
        model.record(&tape, 0.0);
        for _ in 0..2 {
            tape.apply_updates(&mut model);
            assert_eq!(model.count.value().item(), before + 2);
        }
        // An update that is recorded later on the same tape is a new one.
        model.record(&tape, 0.0);
        tape.apply_updates(&mut model);
        assert_eq!(model.count.value().item(), before + 3);
    }
    let shapes = Tape::check(|tape| {
        tape.count_buffer(&model.count, 1);
        tape.update_buffer(&model.running, 0.9, tape.input(&[1]));
        tape.apply_updates(&mut Model::new());
    });
    assert_eq!(shapes, Ok(()));
    let pass = |b: f64| ((0.9 * b + 1.0) * 0.9) * 0.9;
    model.is(pass(pass(pass(0.0))) as f32, 9);
}

#[test]
fn a_part_of_the_model_gets_only_its_own_updates() {
    let mut model = (Model::new(), Model::new());
    let tape = Tape::new();
    model.0.record(&tape, 1.0);
    model.1.record(&tape, 2.0);
    let loss = (tape.param(&model.0.w) * tape.param(&model.1.w)).sum_all();
    let gradients = loss.backward();
    gradients.apply_updates(&mut model.0);
    model.0.is(1.0, 1);
    model.1.is(0.0, 0);
    // The updates of the other part stay pending, and the tape or other gradients of the run can apply
    // them.
    tape.apply_updates(&mut model);
    model.0.is(1.0, 1);
    model.1.is(2.0, 1);
    gradients.apply_updates(&mut model);
    model.1.is(2.0, 1);
}

#[test]
fn a_clone_of_a_buffer_gets_no_updates_of_the_original() {
    let mut model = Model::new();
    let gradients = model.gradients(1.0);
    let (mut running, mut count) = (model.running.clone(), model.count.clone());
    assert!(!gradients.apply_to(&mut running) && !gradients.apply_to_counter(&mut count));
    assert_eq!((running.value().to_vec(), count.value().item()), (vec![0.0], 0));
    assert!(gradients.apply_to(&mut model.running), "the mark of the original is its own");
    assert!(!gradients.apply_to(&mut model.running));
    assert!(gradients.apply_to_counter(&mut model.count));
    assert!(!gradients.apply_to_counter(&mut model.count));
    model.is(1.0, 1);
}

#[test]
fn gradients_contain_the_updates_recorded_before_them() {
    let mut model = Model::new();
    let tape = Tape::new();
    let w = tape.param(&model.w);
    let none = w.sum_all().backward_retain();
    model.record(&tape, 1.0);
    let one = w.sum_all().backward_retain();
    model.record(&tape, 2.0);
    let two = w.sum_all().backward();
    none.apply_updates(&mut model);
    model.is(0.0, 0);
    one.apply_updates(&mut model);
    model.is(1.0, 1);
    two.apply_updates(&mut model);
    model.is(0.9 + 2.0, 2);
}

#[test]
fn threads_that_apply_the_same_gradients_update_once() {
    let model = Arc::new(Mutex::new(Model::new()));
    let gradients: Vec<_> = {
        let model = model.lock().unwrap();
        (0..20).map(|_| model.gradients(0.0)).collect()
    };
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (model, gradients) = (model.clone(), gradients.clone());
            std::thread::spawn(move || {
                for each in gradients {
                    each.apply_updates(&mut *model.lock().unwrap());
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    model.lock().unwrap().is(0.0, 20);
}

/// A running mean is the mean of all values, in whichever groups they are applied.
#[test]
fn means_do_not_depend_on_how_updates_are_grouped() {
    let values = [3.0, 4.0, 8.0, 1.0, -2.0];
    let seen = |n: i64| Buffer::new(Tensor::scalar_of(n));
    let run = |mean: &Buffer<f64>, n: i64, value: f64| {
        let tape = Tape::new();
        tape.average_buffer(mean, &seen(n), tape.constant(Tensor::scalar_of(value)));
        tape.watch(Tensor::scalar_of(1.0)).backward()
    };
    let wanted = values.iter().sum::<f64>() / 5.0;
    // All updates are recorded before the first is applied. They are applied one by one, all together,
    // or in two groups.
    for groups in [vec![1, 1, 1, 1, 1], vec![5], vec![2, 3], vec![3, 2]] {
        let mut mean = Buffer::new(Tensor::scalar_of(0.0));
        let mut runs = values.map(|value| run(&mean, 0, value)).into_iter();
        for n in groups {
            let sum = runs.by_ref().take(n).reduce(|mut sum, more| {
                sum.accumulate(more);
                sum
            });
            assert!(sum.unwrap().apply_to(&mut mean));
        }
        assert!((mean.value().item() - wanted).abs() < 1e-12);
    }
    // Each update is recorded after the previous one was applied and counted.
    let mut mean = Buffer::new(Tensor::scalar_of(0.0));
    for (seen, value) in values.into_iter().enumerate() {
        assert!(run(&mean, seen as i64, value).apply_to(&mut mean));
    }
    assert!((mean.value().item() - wanted).abs() < 1e-12);
    // After the count was reset to 0, the next value replaces the mean.
    assert!(run(&mean, 0, 7.0).apply_to(&mut mean));
    assert!((mean.value().item() - 7.0).abs() < 1e-12);
}

/// Returns the message of a panic.
fn text_of(f: impl FnOnce()) -> String {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
    *caught.unwrap_err().downcast::<String>().unwrap()
}

/// A counter that would overflow is refused with a message, and no buffer of the model changes.
#[test]
fn a_counter_that_would_overflow_is_refused() {
    for (at, n) in [(i64::MAX, 1), (i64::MAX - 2, 3), (i64::MIN, -1), (1, i64::MAX)] {
        let mut model = Model::new();
        model.count.set(Tensor::scalar_of(at));
        let record = |model: &Model| {
            let tape = Tape::new();
            tape.update_buffer(&model.running, 0.9, tape.constant(Tensor::from([1.0])));
            tape.count_buffer(&model.count, n);
            tape
        };
        let words = |name: &str| {
            format!(
                "{name}: the counter has the value {at}, and adding {n} would exceed i64: set it \
                 to a lower number"
            )
        };
        let tape = record(&model);
        let gradients = tape.param(&model.w).sum_all().backward();
        assert_eq!(gradients.full_counter(&model), Some(words("count")));
        assert_eq!(gradients.full_counter(&model.running), None, "a model without the counter");
        assert_eq!(text_of(|| tape.apply_updates(&mut model)), words("apply_updates: count"));
        model.is(0.0, at);
        assert_eq!(text_of(|| gradients.apply_updates(&mut model)), words("apply_updates: count"));
        model.is(0.0, at);
        let refused = text_of(|| {
            gradients.apply_to_counter(&mut model.count);
        });
        assert_eq!(refused, words("apply_to_counter"));
        model.is(0.0, at);
        // No update was marked as applied. When the count fits, all updates are applied.
        model.count.set(Tensor::scalar_of(0));
        assert_eq!(gradients.full_counter(&model), None);
        gradients.apply_updates(&mut model);
        model.is(1.0, n);
    }
}

/// `not_finite_buffer` names the buffer that an update would make NaN or infinite, before the update is
/// applied. Afterwards it does not report the update.
#[test]
fn a_buffer_that_would_not_be_finite_is_named() {
    let cause = "because it is computed from numbers that are not finite or too large for f32: smaller \
         inputs or a smaller learning rate may help";
    // b ← keep · b + change, from b = 0 or from b = 3e38. The largest f32 is about 3.4e38.
    for (b, keep, change, wanted) in [
        (0.0, 0.9, f32::INFINITY, Some("inf")),
        (0.0, 0.9, f32::NEG_INFINITY, Some("-inf")),
        (0.0, 0.9, f32::NAN, Some("NaN")),
        (3e38, 0.9, 1e38, Some("inf")),
        (3e38, 2.0, 0.0, Some("inf")),
        (3e38, 0.9, 5e37, None),
        (3e38, 0.0, 3e38, None),
    ] {
        let mut model = Model::new();
        model.running.set(Tensor::from([b]));
        let tape = Tape::new();
        tape.update_buffer(&model.running, keep, tape.constant(Tensor::from([change])));
        let mut gradients = tape.param(&model.w).sum_all().backward();
        let words = wanted
            .map(|x| format!("the update would set an element of the buffer to {x}, {cause}"));
        let named = words.clone().map(|words| format!("running: {words}"));
        assert_eq!(gradients.not_finite_buffer(&model), named);
        // A buffer that is the whole model has no name. Buffers outside the given model are not checked.
        assert_eq!(gradients.not_finite_buffer(&model.running), words);
        assert_eq!(gradients.not_finite_buffer(&Model::new()), None);
        assert_eq!(gradients.not_finite_buffer(&model.w), None);
        // The check applies nothing, and applied updates are not checked again.
        assert_eq!(model.running.value().item(), b);
        gradients.apply_to(&mut model.running);
        assert_eq!(model.running.value().item().is_finite(), wanted.is_none());
        assert_eq!(gradients.not_finite_buffer(&model), None);
        // The next run reports that the buffer was not finite before.
        gradients.accumulate(model.gradients(1.0));
        let held = "running: the buffer contained NaN or infinity before the update: set it to finite \
             numbers";
        let held = wanted.map(|_| held.to_string());
        assert_eq!(gradients.not_finite_buffer(&model), held);
    }
    // Several updates are applied one after the other: adding 2e38 twice overflows, adding it once does
    // not.
    let mut model = Model::new();
    let of = |model: &Model, x: f32| {
        let tape = Tape::new();
        tape.update_buffer(&model.running, 1.0, tape.constant(Tensor::from([x])));
        tape.param(&model.w).sum_all().backward()
    };
    let mut gradients = of(&model, 2e38);
    assert_eq!(gradients.not_finite_buffer(&model), None);
    gradients.accumulate(of(&model, 2e38));
    assert!(gradients.not_finite_buffer(&model).unwrap().starts_with("running: "));
    // After the first update is applied, the second still overflows.
    of(&model, 2e38).apply_updates(&mut model);
    gradients.accumulate(of(&model, -2e38));
    gradients.accumulate(of(&model, -2e38));
    assert!(gradients.not_finite_buffer(&model).is_some(), "inf stays");
    assert_eq!(of(&model, -2e38).not_finite_buffer(&model), None);

    // The mean of 3e38, 3e38 and 3e38 is finite, although their sum exceeds f32.
    let mut mean = Buffer::new(Tensor::scalar(0.0));
    let tape = Tape::new();
    for _ in 0..3 {
        tape.average_buffer(
            &mean,
            &Buffer::new(Tensor::scalar_of(0)),
            tape.constant(Tensor::scalar(3e38)),
        );
    }
    let gradients = tape.watch(Tensor::scalar(1.0)).backward();
    assert_eq!(gradients.not_finite_buffer(&mean), None);
    gradients.apply_updates(&mut mean);
    assert!((mean.value().item() / 3e38 - 1.0).abs() < 1e-6);
    let tape = Tape::new();
    tape.average_buffer(
        &mean,
        &Buffer::new(Tensor::scalar_of(3)),
        tape.constant(Tensor::scalar(f64::NAN)),
    );
    let gradients = tape.watch(Tensor::scalar(1.0)).backward();
    assert!(gradients.not_finite_buffer(&mean).is_some());
}

/// A counter that is the whole model has no name.
#[test]
fn a_counter_that_is_the_whole_model_is_refused_without_a_name() {
    let mut counter = Buffer::<i64>::new(Tensor::scalar_of(i64::MAX));
    let tape = Tape::<f32>::new();
    tape.count_buffer(&counter, 1);
    let words = format!(
        "the counter has the value {}, and adding 1 would exceed i64: set it to a lower \
             number",
        i64::MAX
    );
    assert_eq!(text_of(|| tape.apply_updates(&mut counter)), format!("apply_updates: {words}"));
    let gradients = tape.watch(Tensor::scalar(1.0)).backward();
    assert_eq!(gradients.full_counter(&counter), Some(words));
}

/// Intermediate counts may overflow if the total fits.
#[test]
fn counts_of_one_counter_are_added_before_they_are_refused() {
    let mut counter = Buffer::<i64>::new(Tensor::from([i64::MAX - 1, 3]));
    let tape = Tape::new();
    for n in [i64::MAX, 2, -5, i64::MIN] {
        tape.count_buffer(&counter, n);
    }
    tape.watch(Tensor::scalar(1.0)).backward().apply_to_counter(&mut counter);
    assert_eq!(counter.value().to_vec(), [i64::MAX - 5, -1]);
}

#[test]
fn the_mean_of_i64_max_values_does_not_overflow() {
    let mut model = Model::new();
    let tape = Tape::new();
    let seen = Buffer::new(Tensor::scalar_of(i64::MAX));
    for _ in 0..2 {
        tape.average_buffer(&model.running, &seen, tape.constant(Tensor::from([4.0])));
    }
    tape.apply_updates(&mut model);
    assert!(model.running.value().to_vec()[0] < 1e-18);
}

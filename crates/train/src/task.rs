//! The computation of one step: loss, gradients, checks, update.

use crate::callback::{CallbackEvent, CallbackList};
use crate::context::{Context, OptimizerList, PendingUpdate, names};
use crate::error::{Example, TrainError, named, refused};
use crate::run::RunState;
use crate::step::{LoggedSum, Step, add_sums};
use wengert_autograd::{Anomalies, Cause, Mode, Module, Param, ParamId, Path, Var};
use wengert_optim::{Optimizer, UpdateError};
use wengert_tensor::{Float, Philox};

/// One training step on one batch, for steps that a loss closure of
/// [`Trainer::fit`](crate::Trainer::fit) cannot express. The step gets the model by `&mut`, so that it
/// can make several updates with several optimizers on parts of the model.
/// [`Trainer::fit_steps`](crate::Trainer::fit_steps) runs it.
///
/// A step is a function of model, batch and [`StepContext`]: it takes `&self`. State that must survive
/// from step to step belongs in the model or in a [`Callback`](crate::Callback).
///
/// A generative adversarial network (Goodfellow and others, 2014) makes two updates for each batch:
///
/// ```
/// use wengert::autograd::Var;
/// use wengert::nn::{Layer, Linear, Module, Sequential, Tanh, bce_with_logits, sequential};
/// use wengert::tensor::{Philox, Tensor};
/// use wengert::train::{Outcome, Step, StepContext, TrainStep};
///
/// #[derive(Module)]
/// struct Gan {
///     generator: Sequential,
///     discriminator: Sequential,
/// }
///
/// impl Gan {
///     fn generate<'t>(&self, step: &'t Step) -> Var<'t> {
///         let noise = Tensor::normal(&[step.examples(), 4], 0.0, 1.0, &mut *step.rng());
///         self.generator.forward(step.constant(noise))
///     }
/// }
///
/// /// The loss of the answers "all of these are real" (1) or "none is real" (0).
/// fn judged<'t>(answers: Var<'t>, real: f64) -> Var<'t> {
///     let wanted = answers.tape().constant(Tensor::full(&answers.shape(), real));
///     bce_with_logits(answers, wanted)
/// }
///
/// struct Adversarial;
///
/// impl TrainStep<Gan, Tensor> for Adversarial {
///     fn step(&self, gan: &mut Gan, run: &mut StepContext<'_>, real: &Tensor) -> Outcome {
///         // Optimizer 1 makes the discriminator better, and leaves the generator as it is.
///         run.update_part(gan, 1, |gan| &mut gan.discriminator, |gan, step| {
///             let real = gan.discriminator.forward(step.constant(real.clone()));
///             let fake = gan.discriminator.forward(gan.generate(step).detach());
///             let loss = judged(real, 1.0) + judged(fake, 0.0);
///             step.log("discriminator", loss);
///             loss
///         })?;
///         // Optimizer 0 makes the generator better.
///         run.update_part(gan, 0, |gan| &mut gan.generator, |gan, step| {
///             let loss = judged(gan.discriminator.forward(gan.generate(step)), 1.0);
///             step.log("generator", loss);
///             loss
///         })?;
///         Ok(())
///     }
/// }
///
/// use wengert::data::{DataLoader, Dataset};
/// use wengert::optim::Adam;
/// use wengert::train::Trainer;
///
/// /// Points on a circle.
/// struct Ring;
///
/// impl Dataset for Ring {
///     type Batch = Tensor;
///     fn len(&self) -> usize { 64 }
///     fn batch(&self, at: &[usize]) -> Tensor {
///         Tensor::from_fn(&[at.len(), 2], |i| (at[i / 2] as f32 + (i % 2) as f32 * 1.57).cos())
///     }
/// }
///
/// fn main() -> Result<(), wengert::train::TrainError> {
///     let mut rng = Philox::new(0);
///     let mut gan = Gan {
///         generator: sequential![Linear::new(4, 8, &mut rng), Tanh, Linear::new(8, 2, &mut rng)],
///         discriminator: sequential![Linear::new(2, 8, &mut rng), Tanh, Linear::new(8, 1, &mut rng)],
///     };
///     let (mut g, mut d) = (Adam::new(1e-3).betas(0.5, 0.9), Adam::new(1e-3).betas(0.5, 0.9));
///     let train = DataLoader::new(Ring, 16).shuffle(0);
///     let history = Trainer::custom()
///         .epochs(2)
///         .quiet()
///         .fit_steps(&mut gan, &mut [&mut g, &mut d], &train, &mut rng, &Adversarial)?;
///     assert_eq!(history.logged("generator").len(), 2);
///     Ok(())
/// }
/// ```
pub trait TrainStep<M, B, T: Float = f32> {
    /// Processes one batch: makes updates with [`StepContext::update`] or
    /// [`StepContext::update_part`].
    ///
    /// # Errors
    /// Return the errors of the updates with `?`, and your own as [`TrainError::callback`]. An error
    /// ends the run.
    fn step(
        &self,
        model: &mut M,
        run: &mut StepContext<'_, T>,
        batch: &B,
    ) -> Result<(), TrainError>;

    /// Returns the loss of a batch of validation data, in evaluation mode; `None` if the step only logs
    /// numbers. The default is `None`, and nothing is logged.
    fn validate<'t>(&self, _model: &M, _step: &'t Step<T>, _batch: &B) -> Option<Var<'t, T>> {
        None
    }

    /// Returns whether [`step`](TrainStep::step) may be run on shapes alone, before the first step and
    /// for batches of new shapes. Return `false` if `step` changes anything apart from updates.
    /// The default is `true`.
    fn runs_on_shapes(&self) -> bool {
        true
    }

    /// Returns whether [`validate`](TrainStep::validate) may compute derivatives. Its tape then keeps a
    /// history, with the values that derivative rules read. The default is `true`. Return `false` to save memory
    /// if `validate` computes no derivatives.
    fn records(&self) -> bool {
        true
    }
}

/// The step of a loss closure: one update.
pub(crate) struct ByLoss<F>(pub F);

impl<M, B, T, F> TrainStep<M, B, T> for ByLoss<F>
where
    M: Module,
    T: Float,
    F: for<'t> Fn(&M, &'t Step<T>, &B) -> Var<'t, T>,
{
    fn step(
        &self,
        model: &mut M,
        run: &mut StepContext<'_, T>,
        batch: &B,
    ) -> Result<(), TrainError> {
        run.update(model, |model, step| (self.0)(model, step, batch)).map(|_| ())
    }

    fn validate<'t>(&self, model: &M, step: &'t Step<T>, batch: &B) -> Option<Var<'t, T>> {
        Some((self.0)(model, step, batch))
    }
}

/// The context of a [`TrainStep`]: it makes updates, and knows the position in the run.
pub struct StepContext<'c, T: Float = f32> {
    pub(crate) kind: StepKind<'c, T>,
    pub(crate) examples: usize,
}

pub(crate) enum StepKind<'c, T: Float> {
    /// A shape-only run: nothing is computed and nothing is changed.
    ShapeOnly(ShapeOnlyStep<'c, T>),
    /// A step that computes values and makes updates.
    Full(FullStep<'c, T>),
}

/// The parts of the run that a shape-only step uses.
pub(crate) struct ShapeOnlyStep<'c, T: Float> {
    pub mode: Mode,
    pub optimizers: &'c dyn OptimizerList<T>,
    /// The epoch and the step within it, counted from 1.
    pub counted_from_1: (u64, usize),
}

/// The parts of the run that a step with updates uses.
pub(crate) struct FullStep<'c, T: Float> {
    pub optimizers: &'c mut dyn OptimizerList<T>,
    pub callbacks: &'c mut dyn CallbackList<T>,
    pub anomalies: Option<Anomalies>,
    pub run: &'c mut RunState,
    pub rng: &'c mut Philox,
    /// Describes the example at an index of the batch, for errors.
    pub example: &'c dyn Fn(usize) -> Example,
    /// Returns the index of the first example of the batch that holds a NaN or an infinity.
    pub not_finite: &'c dyn Fn() -> Option<usize>,
    /// The sum of the losses of the updates so far; `None` before the first update.
    pub loss: Option<f64>,
    pub logs: Vec<LoggedSum>,
}

impl<T: Float> StepContext<'_, T> {
    /// Makes one update of the whole model with the first optimizer, and returns the loss. It runs the
    /// loss closure in training mode, computes the gradients, passes them to the callbacks
    /// ([`Callback::before_update`](crate::Callback::before_update)), and lets the optimizer change the
    /// parameters. On a shape-only run it changes nothing and returns NaN.
    ///
    /// # Errors
    /// If shapes do not fit, if the loss, a gradient or a buffer is NaN or infinite, or if the loss does not
    /// depend on a trainable parameter (unless the optimizer was built with `allow_missing`). The parameters
    /// are then as before the update.
    #[track_caller]
    pub fn update<M: Module>(
        &mut self,
        model: &mut M,
        loss: impl for<'t> FnOnce(&M, &'t Step<T>) -> Var<'t, T>,
    ) -> Result<f64, TrainError> {
        self.make_update(model, 0, None, loss)
    }

    /// Makes one update of a part of the model, and returns the loss; otherwise as
    /// [`update`](StepContext::update). `optimizer` is the number of the optimizer, counted from 0 in the
    /// order in which they were passed to [`Trainer::fit_steps`](crate::Trainer::fit_steps). Gradients of
    /// the other parts of the model are not computed, and updates of their buffers (running statistics)
    /// are not applied.
    ///
    /// # Errors
    /// The errors of [`update`](StepContext::update).
    ///
    /// # Panics
    /// If there is no such optimizer.
    #[track_caller]
    pub fn update_part<M: Module>(
        &mut self,
        model: &mut M,
        optimizer: usize,
        part: impl for<'m> Fn(&'m mut M) -> &'m mut dyn Module,
        loss: impl for<'t> FnOnce(&M, &'t Step<T>) -> Var<'t, T>,
    ) -> Result<f64, TrainError> {
        self.make_update(model, optimizer, Some(&part), loss)
    }

    /// Returns the number of examples of the batch.
    pub fn examples(&self) -> usize {
        self.examples
    }

    /// Returns the number of steps that the run has made before this one; 0 on a shape-only run.
    pub fn number(&self) -> usize {
        match &self.kind {
            StepKind::ShapeOnly(_) => 0,
            StepKind::Full(full) => full.run.history.steps(),
        }
    }

    /// Returns the epoch, counted from 0.
    pub fn epoch(&self) -> u64 {
        match &self.kind {
            StepKind::ShapeOnly(_) => 0,
            StepKind::Full(full) => full.run.epoch,
        }
    }

    /// Returns the epoch and the index of the batch in the epoch, both counted from 0.
    pub(crate) fn place(&self) -> (u64, usize) {
        match &self.kind {
            StepKind::ShapeOnly(_) => (0, 0),
            StepKind::Full(numbers) => (numbers.run.epoch, numbers.run.step),
        }
    }

    /// Returns whether this is a shape-only run, which changes nothing.
    pub fn is_shape_only(&self) -> bool {
        matches!(self.kind, StepKind::ShapeOnly(_))
    }

    /// Makes one update of the model or of a part of it. The steps of training are all here, in order:
    /// loss, gradients, checks, callbacks, optimizer.
    #[track_caller]
    fn make_update<M: Module>(
        &mut self,
        model: &mut M,
        optimizer: usize,
        part: Option<&dyn for<'m> Fn(&'m mut M) -> &'m mut dyn Module>,
        loss: impl for<'t> FnOnce(&M, &'t Step<T>) -> Var<'t, T>,
    ) -> Result<f64, TrainError> {
        let examples = self.examples;
        let cx = match &mut self.kind {
            StepKind::ShapeOnly(shapes) => {
                let ids = part.map(|part| trainable_params::<T>(&*part(&mut *model)));
                let ids = ids.unwrap_or_else(|| trainable_params::<T>(&*model));
                let mut missed = Vec::new();
                on_shapes(&*model, shapes.mode, examples, |step| {
                    let root = loss(&*model, step);
                    check_trainable(step, root);
                    missed = root.independent_of(&*model);
                    Some(root)
                })?;
                missed.retain(|id| ids.contains(id));
                let lenient =
                    shapes.optimizers.at(optimizer).is_some_and(Optimizer::allows_missing);
                if missed.is_empty() || (lenient && missed.len() < ids.len()) {
                    return Ok(f64::NAN);
                }
                let error = UpdateError::Missing { parameters: names::<T>(&*model, &missed) };
                let (epoch, step) = shapes.counted_from_1;
                return Err(TrainError::Update { epoch, step, optimizer, error });
            }
            StepKind::Full(cx) => cx,
        };
        let count = cx.optimizers.count();
        check_optimizer(part.is_some(), optimizer, count);
        let mut step = Step::train(cx.rng, examples, cx.run.epoch, cx.run.history.steps());
        if let Some(which) = cx.anomalies {
            step = step.detecting_anomalies(which);
        }
        // Errors count epochs and steps from 1.
        let (epoch, number) = (cx.run.epoch + 1, cx.run.step + 1);
        let forward = step.catch(|| {
            let root = loss(&*model, &step);
            check_trainable(&step, root);
            (root, root.item())
        });
        let (root, loss) = forward.map_err(|error| refused(error, &*model, cx.example))?;
        if !loss.is_finite() {
            let input = (cx.not_finite)().map(cx.example).map(Box::new);
            return Err(TrainError::NotFinite { epoch, step: number, loss, input });
        }
        let refused_update = |error| TrainError::Update { epoch, step: number, optimizer, error };
        if let Some(part) = part {
            let part = &*part(&mut *model);
            let missed = root.independent_of(part);
            if !missed.is_empty() && missed.len() == trainable_params::<T>(part).len() {
                let parameters = names::<T>(&*model, &missed);
                return Err(refused_update(UpdateError::Missing { parameters }));
            }
        }
        let gradients = step.catch(|| match part {
            None => root.backward_checked().map_err(|bad| bad.params),
            Some(part) => {
                let gradients = root.backward_for(part(&mut *model));
                let bad = gradients.not_finite();
                if bad.is_empty() { Ok(gradients) } else { Err(bad) }
            }
        });
        let gradients = gradients.map_err(|error| refused(error, &*model, cx.example))?;
        let mut gradients = gradients.map_err(|bad| {
            let parameters = names::<T>(&*model, &bad);
            TrainError::Gradient { epoch, step: number, loss, parameters, callback: None }
        })?;
        let find_in_part = |model: &mut M, find: &dyn Fn(&dyn Module) -> Option<String>| match part
        {
            None => find(&*model),
            Some(part) => find(&*part(model)),
        };
        if let Some(counter) = find_in_part(model, &|part| gradients.full_counter(part)) {
            return Err(TrainError::Counter { epoch, step: number, counter });
        }
        if let Some(buffer) = find_in_part(model, &|part| gradients.not_finite_buffer(part)) {
            return Err(TrainError::Buffer { epoch, step: number, loss, buffer });
        }
        step.check_failed()?;
        add_sums(&mut cx.logs, step.take_sums());
        // Frees the tape before the update, so that the optimizer is the only owner of the weights and can
        // change them in place.
        drop(step);
        let mut context = Context {
            model: &mut *model,
            optimizers: &mut *cx.optimizers,
            update: Some(PendingUpdate {
                optimizer,
                gradients: &mut gradients,
                loss,
                exposed: false,
            }),
            run: &mut *cx.run,
        };
        cx.callbacks.call(CallbackEvent::BeforeUpdate, &mut context)?;
        let by = cx.optimizers.at_mut(optimizer).expect("counted above");
        let updated = match part {
            None => by.try_step(model, &gradients),
            Some(part) => by.try_step(part(model), &gradients),
        };
        updated.map_err(refused_update)?;
        cx.loss = Some(cx.loss.map_or(loss, |before| before + loss));
        Ok(loss)
    }
}

/// Checks that there is an optimizer of this number.
#[track_caller]
fn check_optimizer(of_part: bool, optimizer: usize, count: usize) {
    let name = if of_part { "update_part" } else { "update" };
    assert!(optimizer < count, "{name}: index {optimizer} is out of range for {count} optimizers");
}

/// Checks that the loss is one number and lies on the tape of this step.
fn check_one_number<T: Float>(step: &Step<T>, loss: Var<'_, T>) {
    let (shape, tape) = (loss.shape(), loss.tape());
    if !std::ptr::eq(tape, &raw const **step) {
        step.shape_error(
            "the loss is on another tape than the step: compute it on the step that the closure \
             receives",
        )
    }
    if shape.numel() != 1 {
        tape.scope("loss", || -> Var<'_, T> {
            tape.shape_error(format!(
                "the loss must have one element, got shape {shape}: take its mean over the batch"
            ))
        });
    }
}

/// Checks that the loss is one number and depends on a trainable parameter.
fn check_trainable<T: Float>(step: &Step<T>, loss: Var<'_, T>) {
    check_one_number(step, loss);
    if !loss.is_active() {
        step.scope("loss", || -> Var<'_, T> {
            step.shape_error(
                "the loss depends on no trainable parameter: it is a constant, it is detached, or \
                 all parameters are frozen",
            )
        });
    }
}

/// Checks on shapes alone whether a batch fits the model and the loss.
///
/// If the model or the loss requests a number, the check ends there without an error. With
/// `panic = "abort"` nothing is checked, since a panic cannot be turned into an error: the run on
/// numbers prints the message.
pub(crate) fn on_shapes<T: Float>(
    model: &dyn Module,
    mode: Mode,
    examples: usize,
    loss: impl for<'t> FnOnce(&'t Step<T>) -> Option<Var<'t, T>>,
) -> Result<(), TrainError> {
    if cfg!(panic = "abort") {
        return Ok(());
    }
    let step = Step::shapes(mode, examples);
    let run = step.catch(|| match loss(&step) {
        Some(loss) => {
            check_one_number(&step, loss);
            true
        }
        None => step.has_logged(),
    });
    match run {
        Ok(true) => Ok(()),
        Ok(false) => Err(TrainError::NothingMeasured),
        Err(error) if error.cause == Cause::Number => Ok(()),
        Err(error) => Err(TrainError::Operation(named(error, model))),
    }
}

/// Returns the loss of a batch of validation or test data.
pub(crate) fn measured<T: Float>(
    step: &Step<T>,
    loss: impl for<'t> FnOnce(&'t Step<T>) -> Option<Var<'t, T>>,
) -> Result<Option<f64>, wengert_autograd::OperationError> {
    step.catch(|| {
        let loss = loss(step)?;
        check_one_number(step, loss);
        Some(loss.item())
    })
}

/// Returns the trainable parameters of a model.
fn trainable_params<T: Float>(model: &dyn Module) -> Vec<ParamId> {
    let mut ids = Vec::new();
    model.visit(&Path::root(), &mut |_, state| {
        ids.extend(state.downcast_ref::<Param<T>>().filter(|p| !p.frozen()).map(Param::id));
    });
    ids
}

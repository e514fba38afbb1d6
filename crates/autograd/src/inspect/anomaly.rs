//! Finds the origin of the first NaN or infinity of a run.

use super::observer::Inspection;
use crate::graph::{Bound, Call, Op, Policy, RELEASED, Ran, Refusal, Tape, Var, Verdict};
use crate::module::{StateId, is_finite};
use std::fmt;
use std::panic::Location;
use wengert_tensor::{Float, Shape, Tensor};

/// The values that [`Tape::detecting_anomalies`] refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Anomalies {
    /// NaN and infinities, in given and computed values.
    All,
    /// As [`All`](Anomalies::All), but given values may be infinite, and so may results of infinite
    /// operands. For programs that mask with -∞. An operation is refused if it returns an infinity for
    /// finite operands.
    NewInfinities,
    /// NaN only.
    NanOnly,
}

/// A NaN or an infinity, and its origin. [`Tape::anomaly`] returns it. Its `Display` is the message of
/// the panic.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Anomaly {
    /// The operation that computed it: the name of a method such as `div`, or of a custom operation. For
    /// a given value: `constant`, `watch`, `param` or `buffer`. In the backward pass: the forward
    /// operation.
    pub op: String,
    /// The id of the operation's node.
    pub node: usize,
    /// The scope in which the operation was recorded, such as `blocks.3.fc1`.
    pub scope: String,
    /// The line that recorded the operation. For an operation that a derivative rule has recorded: the
    /// line of the forward operation.
    pub location: Option<&'static Location<'static>>,
    /// The path of the parameter or buffer, if the value is one and its model was entered on the tape.
    pub name: Option<String>,
    /// The operation whose derivative rule has recorded this operation, if a rule did. This occurs when
    /// a gradient is differentiated again.
    pub rule_of: Option<String>,
    /// The value of the operation in which it was found.
    pub place: AnomalyPlace,
    /// A summary of that value.
    pub found: ValueSummary,
    /// Summaries of the operands, without indices.
    pub operands: Vec<ValueSummary>,
    /// In the backward pass: summaries of the cotangents of the outputs. `None` is zero.
    pub cotangents: Vec<Option<ValueSummary>>,
}

/// The value of an operation in which an [`Anomaly`] was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnomalyPlace {
    /// A given value: a constant, a watched value, a parameter, a buffer.
    Given,
    /// An output, counted from 0.
    Output(usize),
    /// The cotangent that the derivative rule returned for this operand, counted from 0.
    Cotangent(usize),
    /// The cotangent of the output. It is a sum of finite cotangents, or a given seed.
    Sum,
    /// The tangent of the output, in forward mode.
    Tangent,
    /// The cotangent that a [hook](crate::Hooks) has returned in place of that of its output.
    Hook,
}

/// A summary of the elements of a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ValueSummary {
    /// The sizes of the axes.
    pub shape: Shape,
    /// The smallest finite element; `None` if there is none.
    pub min: Option<f64>,
    /// The largest finite element; `None` if there is none.
    pub max: Option<f64>,
    /// The number of NaN elements.
    pub nan: usize,
    /// The number of elements that are +∞.
    pub positive_infinite: usize,
    /// The number of elements that are -∞.
    pub negative_infinite: usize,
}

impl ValueSummary {
    /// Summarises the elements of a tensor.
    pub fn of<T: Float>(x: &Tensor<T>) -> Self {
        let (shape, min, max) = (x.shape(), None, None);
        let (nan, positive_infinite, negative_infinite) = (0, 0, 0);
        let mut all = ValueSummary { shape, min, max, nan, positive_infinite, negative_infinite };
        for x in x.to_vec().into_iter().map(wengert_tensor::Element::to) {
            if x.is_nan() {
                all.nan += 1;
            } else if x == f64::INFINITY {
                all.positive_infinite += 1;
            } else if x == f64::NEG_INFINITY {
                all.negative_infinite += 1;
            } else {
                all.min = Some(all.min.map_or(x, |min: f64| min.min(x)));
                all.max = Some(all.max.map_or(x, |max: f64| max.max(x)));
            }
        }
        all
    }

    /// Returns the number of infinite elements.
    pub fn infinite(&self) -> usize {
        self.positive_infinite + self.negative_infinite
    }

    /// Returns whether all elements are finite.
    pub fn is_finite(&self) -> bool {
        self.nan + self.infinite() == 0
    }

    /// Returns the counts of each kind of element that is not finite.
    fn special(&self) -> String {
        let kinds =
            [(self.nan, "NaN"), (self.positive_infinite, "+∞"), (self.negative_infinite, "-∞")];
        let some = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!("{n} {kind}"));
        some.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for ValueSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shape {}", self.shape)?;
        if let (Some(min), Some(max)) = (self.min, self.max) {
            write!(f, ", minimum {min:?}, maximum {max:?}")?;
        }
        let special = self.special();
        write!(f, ", {}", if special.is_empty() { "all finite" } else { &special })
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (op, found) = (&self.op, &self.found);
        let count = format!("{} among {} numbers", found.special(), found.shape.numel());
        match self.place {
            AnomalyPlace::Given => {
                let name = self.name.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default();
                write!(f, "{op}{name}: the given value contains {count}")?;
            }
            AnomalyPlace::Output(0) => write!(f, "{op}: the result contains {count}")?,
            AnomalyPlace::Output(i) => write!(f, "{op}: output {i} contains {count}")?,
            AnomalyPlace::Cotangent(arg) => {
                write!(
                    f,
                    "{op}: the derivative rule returned a cotangent of operand {arg} that \
                     contains {count}"
                )?;
            }
            AnomalyPlace::Sum => {
                write!(f, "{op}: the sum of the cotangents of the result contains {count}")?;
            }
            AnomalyPlace::Tangent => write!(f, "{op}: the tangent of the result contains {count}")?,
            AnomalyPlace::Hook => {
                write!(
                    f,
                    "{op}: a hook replaced the cotangent of the result by one that contains \
                     {count}"
                )?;
            }
        }
        if let Some(rule_of) = &self.rule_of {
            write!(f, "; the derivative rule of {rule_of} recorded this operation")?;
        }
        if let Some(location) = self.location {
            write!(f, "\n  recorded at {location}")?;
        }
        if self.place == AnomalyPlace::Given {
            write!(f, "\n  {found}")?;
        }
        for (i, operand) in self.operands.iter().enumerate() {
            write!(f, "\n  operand {i}: {operand}")?;
        }
        let several = self.cotangents.len() > 1;
        for (i, cotangent) in self.cotangents.iter().enumerate() {
            write!(f, "\n  cotangent of the result")?;
            if several {
                write!(f, " {i}")?;
            }
            match cotangent {
                Some(numbers) => write!(f, ": {numbers}")?,
                None => write!(f, ": none")?,
            }
        }
        if self.found.nan == 0 && self.place == AnomalyPlace::Given {
            write!(
                f,
                "\n  if the value is intended, for example as a mask, use \
                 Anomalies::NewInfinities"
            )?;
        }
        Ok(())
    }
}

impl Anomalies {
    /// Returns whether these values are refused. `operands` are summaries of the operands, and `own` is
    /// a number of the operation itself.
    fn refuses(self, found: &ValueSummary, operands: &[ValueSummary], own: Option<f64>) -> bool {
        let infinite = match self {
            Anomalies::All => found.infinite() > 0,
            Anomalies::NewInfinities => {
                let given =
                    operands.iter().any(|x| x.infinite() > 0) || own.is_some_and(f64::is_infinite);
                found.infinite() > 0 && !given
            }
            Anomalies::NanOnly => false,
        };
        found.nan > 0 || infinite
    }

    /// Returns whether these values, whose operands are not known, are refused. `permitted`: an infinity
    /// was permitted before, and may be their cause.
    fn refuses_after(self, found: &ValueSummary, permitted: bool) -> bool {
        match self {
            Anomalies::All => true,
            Anomalies::NewInfinities => found.nan > 0 || !permitted,
            Anomalies::NanOnly => found.nan > 0,
        }
    }
}

impl<T: Float> Tape<T> {
    /// Makes the tape refuse the first NaN or infinity. The message names the operation that computed
    /// it, its scope, the line that recorded it, and a summary of its operands. The refusal is a panic,
    /// or within [`Tape::catch`] an error with [`Cause::NotFinite`](crate::Cause::NotFinite).
    /// [`anomaly`](Tape::anomaly) returns the details.
    ///
    /// - A given value ([`constant`](Tape::constant), [`watch`](Tape::watch), [`param`](Tape::param), …)
    ///   is refused when it is put on the tape.
    /// - An operation is refused when it is applied: the tape is [eager](Policy::Eager), whatever
    ///   [`with_policy`](Tape::with_policy) says.
    /// - In the backward pass ([`backward`](Var::backward), [`grad`](Var::grad)) cotangents are checked:
    ///   the results of each rule, and their sums. The message names the forward operation whose rule
    ///   returned the first value that is not finite, and its line. Intermediate values of a rule may be
    ///   infinite.
    /// - In forward mode ([`jvp`](crate::transforms::jvp)) tangents are checked in the same way.
    ///
    /// Use it to find an error, not for training: each value is read once more, and the backward pass
    /// may compute operands again for the message. For programs with intended infinities, see
    /// [`Anomalies`].
    ///
    /// ```
    /// use wengert::autograd::{Anomalies, AnomalyPlace, Tape};
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new().detecting_anomalies(Anomalies::All);
    /// let x = tape.watch(Tensor::from([4.0f32, 0.0]));
    /// let loss = x.sqrt().sum_all(); // finite, but its derivative at 0 is not
    /// let error = tape.catch(|| loss.backward()).err().unwrap();
    /// assert!(error.message.starts_with(
    ///     "sqrt: the derivative rule returned a cotangent of operand 0 that contains 1 +∞ among 2 numbers"
    /// ));
    /// let anomaly = tape.anomaly().unwrap();
    /// assert_eq!(anomaly.place, AnomalyPlace::Cotangent(0));
    /// assert_eq!(anomaly.location.unwrap().file(), file!());
    /// assert_eq!(anomaly.operands[0].min, Some(0.0));
    /// ```
    #[must_use]
    pub fn detecting_anomalies(mut self, which: Anomalies) -> Self {
        self.policy = Policy::Eager;
        self.inspected().anomalies = Some(which);
        self
    }

    /// Returns the NaN or infinity that this tape refused last; `None` if it has refused none, or does
    /// not [detect](Tape::detecting_anomalies) them.
    pub fn anomaly(&self) -> Option<Anomaly> {
        self.inspection()?.found.borrow().clone()
    }
}

impl Inspection {
    /// Stores the first anomaly of a walk. It is refused when the walk ends.
    fn record_first(&self, anomaly: impl FnOnce() -> Anomaly) {
        if !self.unreported.get() {
            *self.found.borrow_mut() = Some(anomaly());
            self.unreported.set(true);
        }
    }

    /// Returns an anomaly of a node, without operands and cotangents.
    fn anomaly_at<T: Float>(
        &self,
        tape: &Tape<T>,
        id: u32,
        place: AnomalyPlace,
        found: ValueSummary,
    ) -> Anomaly {
        let note = self.note_of(id);
        let arena = tape.arena.borrow();
        Anomaly {
            op: arena.op_name(id),
            node: id as usize,
            scope: self.path_of(id),
            location: note.location,
            name: None,
            rule_of: note.rule_of().map(|of| arena.op_name(of)),
            place,
            found,
            operands: vec![],
            cotangents: vec![],
        }
    }

    /// Returns the refusal of an anomaly, and stores the anomaly for [`Tape::anomaly`].
    #[cold]
    fn refusal(&self, anomaly: Anomaly) -> Refusal {
        let refusal = Refusal { path: anomaly.scope.clone(), message: anomaly.to_string() };
        *self.found.borrow_mut() = Some(anomaly);
        refusal
    }

    /// Checks a value that was given. `op` is the method that put it on the tape, `state` is its
    /// parameter or buffer.
    pub(super) fn check_given<T: Float>(
        &self,
        tape: &Tape<T>,
        id: u32,
        op: &str,
        state: Option<StateId>,
    ) -> Verdict {
        let Some(which) = self.anomalies else { return Ok(()) };
        let value = tape.arena.borrow().values[id as usize].clone();
        let Some(value) = value else { return Ok(()) };
        if self.current_rule().is_some() || is_finite(&value) {
            return Ok(());
        }
        let found = ValueSummary::of(&value);
        if found.nan == 0 && which != Anomalies::All {
            self.permitted.set(true);
            return Ok(());
        }
        let mut anomaly = self.anomaly_at(tape, id, AnomalyPlace::Given, found);
        anomaly.op = op.into();
        anomaly.name = state.and_then(|state| tape.scopes.name_of(state));
        Err(self.refusal(anomaly))
    }

    /// Checks all given values again, after a replay has changed them.
    pub(super) fn check_all_given<T: Float>(&self, tape: &Tape<T>) -> Verdict {
        if self.anomalies.is_none() {
            return Ok(());
        }
        for id in 0..tape.len() as u32 {
            let is_given = tape.arena.borrow().nodes[id as usize].op.is_given();
            if is_given {
                let bound = tape.params.borrow().at(id).map(|bound| bound.of);
                let name = match bound {
                    Some(Bound::Param { .. }) => "param".into(),
                    Some(Bound::Buffer(_)) => "buffer".into(),
                    None => tape.arena.borrow().op_name(id),
                };
                self.check_given(tape, id, &name, bound.map(Bound::state))?;
            }
        }
        Ok(())
    }

    /// Checks the result of an operation before it is stored, so that it is refused again if it is
    /// requested again.
    pub(super) fn check_computed<T: Float>(&self, tape: &Tape<T>, ran: &Ran<'_, T>) -> Verdict {
        let Some(which) = self.anomalies else { return Ok(()) };
        let bad = ran.values.iter().position(|y| !is_finite(y));
        let Some(output) = bad else { return Ok(()) };
        {
            // Of the nodes of a rule, only its cotangents are checked. Released values have been checked
            // before.
            let again = tape.arena.borrow().nodes[ran.id as usize].has(RELEASED);
            let of_rule = self.note_of(ran.id).rule_of().is_some();
            let skipped = self.current_rule().is_some() || again;
            if of_rule && !skipped {
                // A replay computes the cotangents of rules again.
                return self.check_again(tape, ran.id, &ran.values[output], which);
            }
            if skipped {
                return Ok(());
            }
        }
        let operands: Vec<ValueSummary> = ran.inputs.iter().map(ValueSummary::of).collect();
        let own = match tape.arena.borrow().nodes[ran.first as usize].op {
            Op::Unary(op) => op.constant(),
            _ => None,
        };
        let outputs = ran.values.iter().enumerate().skip(output);
        for (output, y) in outputs {
            let found = ValueSummary::of(y);
            if which.refuses(&found, &operands, own) {
                let place = AnomalyPlace::Output(output);
                let mut anomaly = self.anomaly_at(tape, ran.first, place, found);
                anomaly.operands = operands;
                return Err(self.refusal(anomaly));
            }
            self.permitted.set(true);
        }
        Ok(())
    }

    /// Checks a value that is not finite and was computed by a replay, if a rule returned it as a
    /// cotangent.
    fn check_again<T: Float>(
        &self,
        tape: &Tape<T>,
        id: u32,
        value: &Tensor<T>,
        which: Anomalies,
    ) -> Verdict {
        let returned = self.cotangents.borrow().get(&id).copied();
        let Some((of, arg)) = returned else { return Ok(()) };
        let found = ValueSummary::of(value);
        if which.refuses_after(&found, self.permitted.get()) {
            return Err(self.refusal(self.anomaly_at(
                tape,
                of,
                AnomalyPlace::Cotangent(arg),
                found,
            )));
        }
        Ok(())
    }

    /// Checks the cotangents that the rule of an operation has returned.
    #[cold]
    #[inline(never)]
    pub(super) fn check_rule<T: Float>(
        &self,
        tape: &Tape<T>,
        call: &Call<'_, '_, T>,
        cotangents: &[Option<Var<'_, T>>],
    ) {
        let Some(which) = self.anomalies else { return };
        // A rule that is called by a rule counts as a step of the outer rule.
        if self.unreported.get() || self.current_rule() != Some(call.id) {
            return;
        }
        let wanted = cotangents.iter().enumerate().filter(|&(arg, _)| call.wanted[arg]);
        for (arg, g) in wanted.filter_map(|(arg, g)| Some((arg, (*g)?))) {
            self.cotangents.borrow_mut().insert(g.id, (call.id, arg));
            let value = tape.force(g.id);
            if is_finite(&value) {
                continue;
            }
            let found = ValueSummary::of(&value);
            let given: Vec<_> = call.gy.iter().map(|g| numbers_of(tape, (*g)?.id)).collect();
            let sources: Vec<ValueSummary> = given.iter().copied().flatten().collect();
            if which.refuses(&found, &sources, None) {
                self.record_first(|| Anomaly {
                    operands: call.parents.iter().filter_map(|&p| numbers_of(tape, p)).collect(),
                    cotangents: given,
                    ..self.anomaly_at(tape, call.id, AnomalyPlace::Cotangent(arg), found)
                });
            } else {
                self.permitted.set(true);
            }
        }
    }

    /// Checks a complete cotangent of a walk, or a tangent.
    #[cold]
    #[inline(never)]
    pub(super) fn check_complete<T: Float>(
        &self,
        tape: &Tape<T>,
        id: u32,
        place: AnomalyPlace,
        g: Var<'_, T>,
    ) {
        let Some(which) = self.anomalies else { return };
        // Hooks are called by the walk of a user, never by that of a rule.
        let of_walk = place == AnomalyPlace::Hook || self.current_rule() == Some(id);
        if self.unreported.get() || !of_walk {
            return;
        }
        let value = tape.force(g.id);
        if is_finite(&value) {
            return;
        }
        let found = ValueSummary::of(&value);
        if which.refuses_after(&found, self.permitted.get()) {
            self.record_first(|| self.anomaly_at(tape, id, place, found));
        }
    }

    /// Refuses what a walk has found, unless a rule is running: a walk that a rule starts is a step of
    /// the rule.
    pub(super) fn refuse_found(&self) -> Verdict {
        if self.current_rule().is_some() || !self.unreported.take() {
            return Ok(());
        }
        let anomaly = self.found.borrow().clone();
        anomaly.map_or(Ok(()), |anomaly| Err(self.refusal(anomaly)))
    }
}

/// Summarises the value of a node, if it is a tensor of numbers.
fn numbers_of<T: Float>(tape: &Tape<T>, id: u32) -> Option<ValueSummary> {
    let is_whole = tape.arena.borrow().place_of_whole(id).is_some();
    (!is_whole).then(|| ValueSummary::of(&tape.force(id)))
}

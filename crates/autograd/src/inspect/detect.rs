//! Detects the first NaN or infinity of a run.

use super::anomaly::{Anomalies, Anomaly, AnomalyPlace, ValueSummary};
use super::inspection::Inspection;
use crate::graph::{Bound, Call, Op, Policy, RELEASED, Ran, Refusal, Tape, Var, Verdict};
use crate::module::{StateId, is_finite};
use wengert_tensor::{Float, Tensor};

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
    /// may compute operands again for the message. If infinities are intended, see
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
        let note = self.notes.note_of(id);
        let arena = tape.arena.borrow();
        Anomaly {
            op: arena.op_name(id),
            node: id as usize,
            scope: self.notes.path_of(id),
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
        if self.notes.current_rule().is_some() || is_finite(&value) {
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
            let of_rule = self.notes.note_of(ran.id).rule_of().is_some();
            let skipped = self.notes.current_rule().is_some() || again;
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
        if self.unreported.get() || self.notes.current_rule() != Some(call.id) {
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
        let of_walk = place == AnomalyPlace::Hook || self.notes.current_rule() == Some(id);
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
        if self.notes.current_rule().is_some() || !self.unreported.take() {
            return Ok(());
        }
        let anomaly = self.found.borrow().clone();
        anomaly.map_or(Ok(()), |anomaly| Err(self.refusal(anomaly)))
    }
}

/// Summarises the value of a node, if it is a tensor of numbers.
fn numbers_of<T: Float>(tape: &Tape<T>, id: u32) -> Option<ValueSummary> {
    let is_integer = tape.arena.borrow().place_of_integers(id).is_some();
    (!is_integer).then(|| ValueSummary::of(&tape.force(id)))
}

//! The observer of a tape. It forwards what the engine reports to the notes, to the profile (`profile`) and to
//! the detection of anomalies (`detect.rs`).

use super::anomaly::AnomalyPlace;
use super::inspection::Inspection;
use crate::graph::{Call, Derivative, Observer, Ran, Tape, Var, Verdict};
use crate::module::StateId;
use std::panic::Location;
use wengert_tensor::{Float, Instant};

impl<T: Float> Observer<T> for Inspection {
    fn recorded(&self, tape: &Tape<T>, id: u32, location: Option<&'static Location<'static>>) {
        self.notes.add(tape, id, location);
        // The nodes of a walk's scratch may have been truncated.
        self.cotangents.borrow_mut().split_off(&id);
    }

    fn given(&self, tape: &Tape<T>, id: u32, op: &str, state: Option<StateId>) -> Verdict {
        self.check_given(tape, id, op, state)
    }

    fn given_again(&self, tape: &Tape<T>) -> Verdict {
        self.check_all_given(tape)
    }

    fn computed(&self, tape: &Tape<T>, ran: &Ran<'_, T>) -> Verdict {
        if let Some(recorder) = &self.recorder {
            recorder.borrow_mut().kernel(tape, &self.notes, ran);
        }
        self.check_computed(tape, ran)
    }

    fn added(&self, tape: &Tape<T>, to: u32, begun: Instant, bytes: u64) {
        if let Some(recorder) = &self.recorder {
            recorder.borrow_mut().addition(tape, &self.notes, to, begun, bytes);
        }
    }

    fn begin_rule(&self, id: u32) -> bool {
        self.notes.begin_rule(id)
    }

    fn end_rule(&self) {
        self.notes.end_rule();
    }

    fn cotangents(
        &self,
        tape: &Tape<T>,
        call: &Call<'_, '_, T>,
        cotangents: &[Option<Var<'_, T>>],
    ) {
        self.check_rule(tape, call, cotangents);
    }

    fn complete(&self, tape: &Tape<T>, id: u32, what: Derivative, g: Var<'_, T>) {
        let place = match what {
            Derivative::Cotangent => AnomalyPlace::Sum,
            Derivative::Hooked => AnomalyPlace::Hook,
            Derivative::Tangent => AnomalyPlace::Tangent,
        };
        self.check_complete(tape, id, place, g);
    }

    fn end_walk(&self) -> Verdict {
        self.refuse_found()
    }

    fn wants_eager(&self) -> bool {
        self.anomalies.is_some()
    }
}
